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
        let options = WindowOptions { preview, locale: String::new(), profile: None };
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

    /// Presses on the row of somebody.
    pub fn choose(&self, row: &str) {
        self.harness.borrow().get_by_label_contains(row).click_accesskit();
        self.settle();
    }

    /// The order from top to bottom of the rows whose names begin so.
    pub fn rows<'n>(&self, names: &[&'n str]) -> Vec<&'n str> {
        let harness = self.harness.borrow();
        let top = |name: &str| {
            harness
                .query_all_by_label_contains(name)
                .find(|node| node.accesskit_node().role() == Role::ListItem)
                .map(|node| node.rect().top())
        };
        let mut found: Vec<_> = names.iter().filter_map(|name| top(name).map(|top| (top, *name))).collect();
        found.sort_by(|one, other| one.0.total_cmp(&other.0));
        found.into_iter().map(|(_, name)| name).collect()
    }

    /// Moves the pointer onto the row of somebody, or out of the window.
    pub fn point_at(&self, row: Option<&str>) {
        let at = row.map(|row| self.harness.borrow().get_by_label_contains(row).rect().center());
        let event = at.map_or(egui::Event::PointerGone, egui::Event::PointerMoved);
        self.harness.borrow_mut().input_mut().events.push(event);
        self.settle();
    }

    /// Whether a widget of this name has the keyboard.
    pub fn has_focus(&self, name: &str) -> bool {
        self.harness.borrow().query_all_by_label_contains(name).any(|node| node.is_focused())
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
