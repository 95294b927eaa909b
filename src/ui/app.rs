//! The eframe application: reads the controller's snapshot, chooses the screen, and sends the person's commands.
//!
//! Runs on the main thread. It draws when there is a new picture, a new snapshot or input, and when a clock on the
//! screen moves on; never in a loop.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use eframe::egui::{self, Rect, Ui, UserAttentionType, ViewportCommand};

use crate::call::InviteId;
use crate::controller::{CallView, Command, ConversationView, Handle, IncomingView, Snapshot};
use crate::media::MediaTime;

use super::add_contact;
use super::app_id::{APP_ID, TITLE};
use super::appearance::Appearance;
use super::call_bar;
use super::call_view::{self, CallScreen};
use super::catalogue::{Text, Words, system_locale};
use super::closing::{self, Closing};
use super::controls::Act;
use super::faces::Faces;
use super::fit;
use super::home::Home;
use super::keys;
use super::notices::Notices;
use super::outbox::Outbox;
use super::outcome_dialog::OutcomeDialog;
use super::own_camera::{Attention, Look, OwnCamera};
use super::ring_scene::RingScene;
use super::scene::{Now, Scene};
use super::settings_panel::{self, SettingsPanel};
use super::small_window::{self, Asked, SmallWindow};
use super::theme::{self, Type};
use super::tile::TilePainter;
use super::waiting_card::WaitingCards;
use super::window_handle::{Closed, WindowEnd, WindowRequest};
use super::window_place::PlaceKeeper;
use super::window_state;

const ICON: &[u8] = include_bytes!("../../assets/icon.png");
/// Least size of the window in points at a text size of 100 %.
const MIN_SIZE: [f32; 2] = [360.0, 300.0];

/// Interval between tries to send waiting commands.
const SEND_AGAIN: Duration = Duration::from_millis(20);

/// How the window starts.
#[derive(Clone, Debug)]
pub struct WindowOptions {
    /// Open the camera for the preview once the window is there.
    pub preview: bool,
    /// The locale that [`crate::store::Language::System`] follows.
    pub locale: String,
    /// The profile's folder, where the window's place is kept; `None` keeps none.
    pub profile: Option<PathBuf>,
}

impl Default for WindowOptions {
    fn default() -> Self {
        Self { preview: true, locale: system_locale(), profile: None }
    }
}

/// Opens the window and returns when it has been closed, with the way in which it was; another one may be opened then.
///
/// Where the program is to end, [`Command::Quit`] has been sent, unless the controller is held up: the caller then
/// waits for the controller's end, as long as it likes.
pub fn run(options: &WindowOptions, handle: &Handle, end: &Rc<WindowEnd>) -> Result<Closed, eframe::Error> {
    let keeper = PlaceKeeper::open(options.profile.as_deref());
    let place = *keeper.place();
    let viewport = egui::ViewportBuilder::default()
        .with_title(TITLE)
        .with_app_id(APP_ID)
        .with_min_inner_size(MIN_SIZE)
        .with_drag_and_drop(true);
    let mut viewport = place.apply(viewport);
    if let Ok(icon) = eframe::icon_data::from_png_bytes(ICON) {
        viewport = viewport.with_icon(icon);
    }
    let native = eframe::NativeOptions {
        viewport,
        renderer: eframe::Renderer::Glow,
        centered: !place.has_position(),
        persist_window: false,
        dithering: false,
        ..Default::default()
    };
    let ran = eframe::run_native(
        APP_ID,
        native,
        Box::new(|creation| {
            Window::install(&creation.egui_ctx);
            if let Some(snapshot) = handle.snapshot() {
                let chosen = fit::chosen(&snapshot.settings, end.desktop_appearance());
                creation.egui_ctx.set_zoom_factor(chosen);
            }
            end.open(creation.egui_ctx.clone());
            let window = Window::new(handle.clone(), options.clone());
            Ok(Box::new(Window { end: Some(Rc::clone(end)), place: keeper, ..window }))
        }),
    );
    let closed = end.close();
    // At the program's end the controller hangs up by itself.
    if closed == Closed::ToTray && end.take_unsent().send_all(handle).is_err() {
        tracing::debug!("the controller has ended with the window");
    }
    ran.map(|()| closed)
}

/// The window's state and its drawing; works without eframe's event loop too, as tests use it.
#[derive(Debug)]
pub struct Window {
    handle: Handle,
    options: WindowOptions,
    tiles: TilePainter,
    faces: Faces,
    commands: Vec<Command>,
    outbox: Outbox,
    appearance: Appearance,
    home: Home,
    call: Option<CallScreen>,
    ring: RingScene,
    outcome: OutcomeDialog,
    settings: SettingsPanel,
    notices: Notices,
    waiting: WaitingCards,
    closing: Closing,
    small: SmallWindow,
    /// The screen that the window is on, in points.
    screen: Option<Rect>,
    title: String,
    rung: Option<InviteId>,
    /// Somebody calls or is called, or there is a call: the settings are closed when that begins.
    calls: bool,
    camera: OwnCamera,
    place: PlaceKeeper,
    /// `None` where nobody holds a handle of the window, as in tests.
    end: Option<Rc<WindowEnd>>,
}

impl Window {
    /// A window on a controller.
    pub fn new(handle: Handle, options: WindowOptions) -> Self {
        let camera = OwnCamera::new(options.preview);
        let small = SmallWindow::new(handle.clone(), &options.locale);
        Self {
            handle,
            options,
            tiles: TilePainter::new(),
            faces: Faces::default(),
            commands: Vec::new(),
            outbox: Outbox::default(),
            appearance: Appearance::default(),
            home: Home::default(),
            call: None,
            ring: RingScene::default(),
            outcome: OutcomeDialog::default(),
            settings: SettingsPanel::default(),
            notices: Notices::default(),
            waiting: WaitingCards::default(),
            closing: Closing::default(),
            small,
            screen: None,
            title: TITLE.to_owned(),
            rung: None,
            calls: false,
            camera,
            place: PlaceKeeper::open(None),
            end: None,
        }
    }

    /// Installs fonts and themes; before the first frame.
    pub fn install(ctx: &egui::Context) {
        theme::install(ctx);
    }

    /// Draws one frame into the whole of `ui`.
    pub fn show(&mut self, ui: &mut Ui, now: Now) {
        let Some(snapshot) = self.handle.snapshot() else {
            let words = Words::of(crate::store::Language::System, &self.options.locale);
            ui.centered_and_justified(|ui| {
                ui.label(Type::Body.text(words.get(Text::ShuttingDown), ui.visuals().text_color()))
            });
            ui.ctx().send_viewport_cmd(ViewportCommand::Close);
            return;
        };
        let desktop = self.end.as_ref().map(|end| end.desktop_appearance()).unwrap_or_default();
        let in_call = !matches!(snapshot.call, CallView::Idle);
        self.appearance.follow(ui.ctx(), &snapshot.settings, desktop, in_call);
        // A screen reader says it first of the window.
        ui.ctx().accesskit_node_builder(egui::accesskit_root_id(), |node| node.set_label(self.title.as_str()));
        // This frame has begun in the appearance of the one before.
        ui.set_style(ui.ctx().global_style());
        fit::follow(ui.ctx(), fit::chosen(&snapshot.settings, desktop));
        let words = Words::of(snapshot.settings.language, &self.options.locale);
        let mut commands = std::mem::take(&mut self.commands);
        let mut tiles = std::mem::take(&mut self.tiles);
        let faces = std::mem::take(&mut self.faces);
        let call_over = self.camera.follow(&snapshot);
        self.follow_small(ui.ctx(), &snapshot, false);
        let (camera_wanted, camera_rests) = (self.camera.is_wanted(&snapshot), self.camera.rests());
        let (tray, snapshot) = (self.has_tray(), &*snapshot);
        let mut scene = Scene {
            snapshot,
            words,
            now,
            camera_wanted,
            camera_rests,
            tray,
            desktop,
            tiles: &mut tiles,
            faces: &faces,
            commands: &mut commands,
        };
        self.camera.open(&mut scene);
        fit::take_keys(ui, &mut scene);
        self.screens(ui, &mut scene);
        self.settings.keep_meter(&mut scene, call_over);
        self.show_small(ui, snapshot, words);
        tiles.free_gone(ui);
        self.tiles = tiles;
        self.faces = faces;
        for command in commands.drain(..) {
            self.camera.note(&command, snapshot);
            self.outcome.note(&command, snapshot);
            self.home.note(&command);
            if self.outbox.send(&self.handle, command).is_err() {
                ui.ctx().send_viewport_cmd(ViewportCommand::Close);
            }
        }
        self.commands = commands;
        self.send_waiting(ui.ctx());
    }

    /// Sends waiting commands, and comes back while some are left.
    fn send_waiting(&mut self, ctx: &egui::Context) {
        if self.outbox.flush(&self.handle).is_err() {
            ctx.send_viewport_cmd(ViewportCommand::Close);
        } else if !self.outbox.is_empty() {
            ctx.request_repaint_after(SEND_AGAIN);
        }
    }

    fn screens(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) {
        let snapshot = scene.snapshot;
        let has_outcome = matches!(snapshot.call, CallView::Idle) && snapshot.outcome.is_some();
        let in_call = matches!(snapshot.call, CallView::Conversation(_));
        let calls = !matches!(snapshot.call, CallView::Idle);
        if calls && !self.calls {
            self.settings.close(scene);
        }
        self.calls = calls;
        // Esc belongs to what lies in front.
        if !has_outcome && (in_call || !self.home.has_dialog()) {
            self.settings.take_keys(ui, scene);
        }
        let area = ui.available_rect_before_wrap();
        self.waiting.show(ui, self.picture(area, snapshot), scene);
        let toggle = match &snapshot.call {
            CallView::Conversation(call) => self.conversation(ui, scene, call),
            CallView::Outgoing(_) | CallView::Incoming(_) => {
                self.leave_call(ui);
                false
            }
            CallView::Idle => {
                self.leave_call(ui);
                // The window is cleared to this colour: a second fill costs a software renderer as much as a picture.
                self.home.show(ui, scene, has_outcome, self.settings.is_open())
            }
        };
        self.ring.show(ui, scene);
        if self.home.take_quiet_hours() {
            self.settings.open_at_quiet_hours(scene);
        } else if toggle {
            self.settings.toggle(scene);
        }
        self.settings.show(ui, scene, if in_call { call_bar::HEIGHT } else { 0.0 });
        self.outcome.show(ui, scene);
        self.closing.show(ui, scene);
        // They wait while it rings: nothing covers the face and the name.
        if in_call || !calls {
            let picture = self.picture(area, snapshot);
            let beside = if self.settings.is_open() { settings_panel::beside(area) } else { area };
            self.notices.show(ui, beside.intersect(picture), scene);
        }
        add_contact::take_dropped(ui, scene);
    }

    /// Draws the call, or, while it is in the small window, the way back; true when the settings are to be shown or
    /// hidden.
    fn conversation(&mut self, ui: &mut Ui, scene: &mut Scene<'_>, call: &ConversationView) -> bool {
        let open = self.settings.is_open();
        let screen = self.call.get_or_insert_default();
        if self.small.is_wanted() {
            screen.hand_over(scene.commands);
            if small_window::in_its_place(ui, scene, call) {
                self.small.close(ui.ctx());
            }
            return false;
        }
        let act = screen.show(ui, scene, call, open);
        if act == Some(Act::SmallWindow) {
            self.small.ask(ui.ctx());
        }
        act == Some(Act::Settings)
    }

    /// The part of the window's `area` that notes and cards may lie over.
    fn picture(&self, area: Rect, snapshot: &Snapshot) -> Rect {
        match &snapshot.call {
            CallView::Conversation(_) => call_view::below_head(area),
            CallView::Outgoing(_) | CallView::Incoming(_) => area,
            CallView::Idle => self.home.picture(area),
        }
    }

    /// Forgets the last call's screen, and leaves the full screen that was for it.
    fn leave_call(&mut self, ui: &Ui) {
        if self.call.take().is_some() && super::controls::is_full_screen(ui) {
            ui.ctx().send_viewport_cmd(ViewportCommand::Fullscreen(false));
        }
    }

    /// Nothing is drawn while the window is hidden, so the others' pictures may be small.
    fn hide(&mut self, snapshot: &Snapshot) {
        let participants = match &snapshot.call {
            CallView::Conversation(call) => call.participants.as_slice(),
            CallView::Idle | CallView::Outgoing(_) | CallView::Incoming(_) => &[],
        };
        // A call may begin, and end, without ever being drawn.
        let call = if participants.is_empty() { self.call.as_mut() } else { Some(self.call.get_or_insert_default()) };
        let Some(call) = call else { return };
        if self.small.is_open() {
            call.hand_over(&mut self.commands);
        } else {
            call.hide(participants, &mut self.commands);
        }
        self.send_all();
    }

    /// Lets the camera rest while nobody looks at the window.
    fn look(&mut self, ctx: &egui::Context, snapshot: &Snapshot, now: MediaTime) {
        let attention = ctx.input(|input| window_state::attention(input.viewport()));
        let in_call = matches!(snapshot.call, CallView::Outgoing(_) | CallView::Conversation(_));
        let is_open = snapshot.local_stream.video || snapshot.local_stream.camera_fault.is_some();
        match self.camera.look(attention, now, in_call, is_open) {
            Look::Close => self.commands.push(Command::CloseStream),
            Look::Again(after) => ctx.request_repaint_after(after),
            Look::Nothing => {}
        }
        self.send_all();
    }

    /// Sends the commands that were made without drawing.
    fn send_all(&mut self) {
        for command in self.commands.drain(..) {
            // An error means that the controller has ended, as the next drawing will find.
            let _ = self.outbox.send(&self.handle, command);
        }
    }

    /// Carries out the requests of other threads, and tells them whether the person looks here.
    fn take_requests(&mut self, ctx: &egui::Context) {
        let Some(end) = &self.end else { return };
        let is_here = |input: &egui::InputState| {
            input.viewport().focused == Some(true) && window_state::attention(input.viewport()) == Attention::Here
        };
        end.set_attention(ctx.input(is_here));
        for request in end.requests() {
            window_state::raise(ctx);
            match request {
                WindowRequest::Raise => {}
                WindowRequest::AddContact(link) => self.home.offer(link),
                WindowRequest::Quit => self.closing.quit(ctx),
            }
        }
    }

    /// Opens or closes the small window, and carries out what was asked for there.
    fn follow_small(&mut self, ctx: &egui::Context, snapshot: &Snapshot, hidden: bool) {
        match self.small.take_asked() {
            Some(Asked::Back) => {
                window_state::raise(ctx);
                if !hidden {
                    self.small.close(ctx);
                }
            }
            Some(Asked::Close) => self.small.close(ctx),
            None => {}
        }
        self.small.follow(ctx, snapshot, hidden);
        self.small.flush(ctx);
    }

    /// Draws the small window beside this one, where it is wanted.
    fn show_small(&mut self, ui: &Ui, snapshot: &Snapshot, words: Words) {
        self.small.show(ui, snapshot, words, self.screen);
        if let Some(end) = &self.end {
            end.note_small_window(self.small.is_open());
        }
    }

    fn has_tray(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.has_tray())
    }

    /// The window's title tells who rings, and how many calls were missed.
    fn follow_title(&mut self, ctx: &egui::Context, snapshot: &Snapshot) {
        let words = Words::of(snapshot.settings.language, &self.options.locale);
        let title = title(snapshot, words);
        if title != self.title {
            ctx.send_viewport_cmd(ViewportCommand::Title(title.clone()));
            self.title = title;
        }
    }

    /// Calls for attention when somebody rings; runs while the window is hidden too.
    fn attend(&mut self, ctx: &egui::Context, snapshot: &Snapshot) {
        let ringing = ringing(snapshot).map(|incoming| incoming.invite);
        if ringing.is_some() && ringing != self.rung {
            ctx.send_viewport_cmd(ViewportCommand::RequestUserAttention(UserAttentionType::Critical));
        }
        self.rung = ringing;
    }
}

/// The invite that rings, or the first that waits.
fn ringing(snapshot: &Snapshot) -> Option<&IncomingView> {
    match &snapshot.call {
        CallView::Incoming(incoming) => Some(incoming),
        CallView::Idle | CallView::Outgoing(_) | CallView::Conversation(_) => snapshot.waiting.first(),
    }
}

/// "Ada is calling", or "(2) Visavis" with two missed calls.
fn title(snapshot: &Snapshot, words: Words) -> String {
    match (ringing(snapshot), snapshot.missed) {
        (Some(incoming), _) => words.with_name(Text::WaitingCall, &incoming.name),
        (None, 0) => TITLE.to_owned(),
        (None, missed) => format!("({missed}) {TITLE}"),
    }
}

impl eframe::App for Window {
    fn raw_input_hook(&mut self, ctx: &egui::Context, input: &mut egui::RawInput) {
        keys::drop_repeated_presses(ctx, input);
    }

    fn logic(&mut self, ctx: &egui::Context, frame: &mut eframe::Frame) {
        self.place.follow(ctx, frame);
        self.take_requests(ctx);
        if let Some(snapshot) = self.handle.snapshot() {
            self.closing.follow(ctx, &snapshot, self.has_tray());
            self.attend(ctx, &snapshot);
            self.look(ctx, &snapshot, MediaTime::now());
            self.follow_title(ctx, &snapshot);
            let hidden = ctx.input(|input| window_state::is_hidden(input.viewport()));
            if self.small.may_open(&snapshot, hidden) {
                self.screen = window_state::screen(ctx, frame);
            }
            if hidden {
                self.follow_small(ctx, &snapshot, hidden);
                self.hide(&snapshot);
                self.send_waiting(ctx);
            }
        } else {
            // Also while nothing is drawn.
            ctx.send_viewport_cmd(ViewportCommand::Close);
        }
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        if ui.input(|input| window_state::is_hidden(input.viewport()))
            && let Some(snapshot) = self.handle.snapshot()
        {
            // A pass for the small window's sake: nobody sees this one.
            let words = Words::of(snapshot.settings.language, &self.options.locale);
            return self.show_small(ui, &snapshot, words);
        }
        self.show(ui, Now::read());
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        self.place.save();
        let closed = self.closing.closed();
        if let Some(end) = &self.end {
            end.note_closed(closed);
        }
        let commands: Vec<Command> = match (closed, self.handle.snapshot()) {
            (Closed::ToTray, Some(snapshot)) => closing::commands_to_tray(&snapshot).collect(),
            (Closed::ToTray | Closed::Quit, _) => vec![Command::Quit],
        };
        if commands.into_iter().any(|command| self.outbox.send(&self.handle, command).is_err()) {
            tracing::debug!("the controller had ended before the window closed");
        }
        if let Some(end) = &self.end {
            end.leave_unsent(std::mem::take(&mut self.outbox));
        }
    }
}
