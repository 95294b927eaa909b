//! A window on a made-up controller, with hands and eyes.

use super::*;

pub struct Desk<'a> {
    pub harness: RefCell<Harness<'a, Window>>,
    pub controller: Controller,
}

impl Desk<'_> {
    pub fn new(snapshot: Snapshot) -> Self {
        Self::sized(snapshot, Vec2::new(1100.0, 720.0))
    }

    pub fn sized(snapshot: Snapshot, size: Vec2) -> Self {
        Self::open(snapshot, size, false)
    }

    /// A window that opens the camera to see oneself, as it does for everybody.
    pub fn with_preview(snapshot: Snapshot) -> Self {
        Self::open(snapshot, Vec2::new(1100.0, 720.0), true)
    }

    pub fn open(snapshot: Snapshot, size: Vec2, preview: bool) -> Self {
        Self::paced(snapshot, size, preview, 0.25)
    }

    /// A window in which each step takes `step_s` seconds.
    pub fn paced(snapshot: Snapshot, size: Vec2, preview: bool, step_s: f32) -> Self {
        let (handle, controller) = fixture::handle(snapshot);
        let options = WindowOptions { preview, locale: String::new() };
        let harness = Harness::builder()
            .with_size(size)
            .with_max_steps(20)
            .with_step_dt(step_s)
            .with_context_setup(Window::install)
            .build_ui_state(|ui, window: &mut Window| window.show(ui, NOW), Window::new(handle, options));
        let desk = Self { harness: RefCell::new(harness), controller };
        desk.settle();
        desk
    }

    pub fn settle(&self) {
        self.harness.borrow_mut().run_steps(4);
    }

    pub fn press(&self, name: &str) {
        self.harness.borrow().get_by_label(name).click();
        self.settle();
    }

    pub fn key(&self, modifiers: Modifiers, key: Key) {
        self.harness.borrow().key_press_modifiers(modifiers, key);
        self.settle();
    }

    /// Draws one frame with all of these events.
    pub fn at_once(&self, events: Vec<egui::Event>) {
        self.harness.borrow_mut().input_mut().events.extend(events);
        self.harness.borrow_mut().step();
    }

    pub fn shows(&self, name: &str) -> bool {
        self.harness.borrow().query_all_by_label_contains(name).next().is_some()
    }

    pub fn sent(&self) -> Vec<Command> {
        self.controller.sent()
    }
}

/// A finger that comes down on a point, or leaves it.
pub fn touch(pos: egui::Pos2, pressed: bool) -> Vec<egui::Event> {
    let (button, modifiers) = (egui::PointerButton::Primary, Modifiers::NONE);
    vec![egui::Event::PointerMoved(pos), egui::Event::PointerButton { pos, button, pressed, modifiers }]
}

pub fn high() -> VideoChoice {
    VideoChoice::On(Preset::HighWide)
}

/// A closed camera.
pub fn camera_off(mut snapshot: Snapshot) -> Snapshot {
    snapshot.local_stream.video = false;
    snapshot
}
