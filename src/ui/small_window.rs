//! Small window of a call (picture in picture): the other's picture on top of other programs, while the main window
//! cannot be seen or the person has asked for it.
//!
//! It is a deferred viewport of egui: each new picture draws it alone, and the main window draws nothing meanwhile. A
//! hidden main window runs no pass of egui by itself; it is asked for one when the small window is to open or close.

mod view;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eframe::egui::{
    self, Pos2, Rect, Ui, UiBuilder, Vec2, ViewportBuilder, ViewportCommand, ViewportId, X11WindowType, vec2,
};

use crate::controller::{CallView, ConversationView, Handle, Snapshot};

use self::view::View;
use super::app_id::APP_ID;
use super::buttons::{TextButton, Weight};
use super::catalogue::{Text, Words};
use super::controls::{self, Act};
use super::keys;
use super::scene::Scene;
use super::stage;
use super::theme::{self, Type, space};
use super::window_state::is_on_wayland;

pub use self::view::Asked;

/// Size of the window when it is opened first, in points.
const SIZE: Vec2 = vec2(320.0, 180.0);
/// Least size of the window in points.
const MIN_SIZE: Vec2 = vec2(256.0, 144.0);
/// Distance from the lower right corner of the screen when it is opened first, in points: clear of a panel.
const AWAY: Vec2 = vec2(24.0, 72.0);

/// Viewport of the small window.
pub fn viewport() -> ViewportId {
    ViewportId::from_hash_of("small-window")
}

/// Decision whether the small window is shown.
#[derive(Debug, Default)]
struct Wish {
    /// The person has asked for it.
    asked: bool,
    /// The person has closed it, until the main window is seen again.
    closed: bool,
    /// The main window cannot be seen.
    hidden: bool,
}

impl Wish {
    /// Whether it is to be shown; `by_itself` says whether it opens when the main window is hidden.
    fn follow(&mut self, in_call: bool, hidden: bool, by_itself: bool) -> bool {
        if !in_call {
            *self = Self { hidden, ..Self::default() };
            return false;
        }
        if !hidden {
            self.closed = false;
            self.asked &= !self.hidden;
        }
        self.hidden = hidden;
        !self.closed && (self.asked || (hidden && by_itself))
    }

    fn close(&mut self) {
        *self = Self { asked: false, closed: self.hidden, ..*self };
    }
}

/// State of the small window on the main window's side.
pub struct SmallWindow {
    view: Arc<Mutex<View>>,
    wish: Wish,
    wanted: bool,
    /// The window as it was opened: egui would move one whose description changes.
    open: Option<ViewportBuilder>,
}

impl std::fmt::Debug for SmallWindow {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SmallWindow").field("wish", &self.wish).finish_non_exhaustive()
    }
}

impl SmallWindow {
    /// A small window that is not open, on the controller of `handle`.
    pub fn new(handle: Handle, locale: &str) -> Self {
        let view = Arc::new(Mutex::new(View::new(handle, locale)));
        Self { view, wish: Wish::default(), wanted: false, open: None }
    }

    /// Asks for the small window in place of the main one.
    pub fn ask(&mut self, ctx: &egui::Context) {
        self.wish.asked = true;
        // On Wayland no program can come back from there.
        if !is_on_wayland() {
            ctx.send_viewport_cmd_to(ViewportId::ROOT, ViewportCommand::Minimized(true));
        }
        ctx.request_repaint_of(ViewportId::ROOT);
    }

    /// Closes it; the call goes on.
    pub fn close(&mut self, ctx: &egui::Context) {
        self.wish.close();
        ctx.request_repaint_of(ViewportId::ROOT);
    }

    /// The request that was made in the small window, once.
    pub fn take_asked(&self) -> Option<Asked> {
        lock(&self.view).take_asked()
    }

    /// Follows the call and whether the main window is `hidden`; asks for the pass that opens or closes the small one.
    pub fn follow(&mut self, ctx: &egui::Context, snapshot: &Snapshot, hidden: bool) {
        let in_call = matches!(snapshot.call, CallView::Conversation(_));
        self.wanted = self.wish.follow(in_call, hidden, snapshot.settings.small_window);
        if hidden && self.wanted != self.open.is_some() {
            ctx.send_viewport_cmd_to(ViewportId::ROOT, ViewportCommand::RequestPaintWhileHidden);
            ctx.request_repaint_of(ViewportId::ROOT);
        }
    }

    /// Whether it may open in this pass or the next.
    pub fn may_open(&self, snapshot: &Snapshot, hidden: bool) -> bool {
        let in_call = matches!(snapshot.call, CallView::Conversation(_));
        in_call && self.open.is_none() && (hidden || self.wish.asked)
    }

    /// True while it is to be shown.
    pub const fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// True while it is open.
    pub const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Shows it where it is wanted, and frees what it has drawn with once it is closed; in each pass of the main
    /// window. `screen` is the one that it opens on.
    pub fn show(&mut self, ui: &Ui, snapshot: &Snapshot, words: Words, screen: Option<Rect>) {
        let CallView::Conversation(call) = &snapshot.call else { return self.shut(ui) };
        if !self.wanted {
            return self.shut(ui);
        }
        let place = lock(&self.view).place();
        let window = self.open.get_or_insert_with(|| builder(place, screen)).clone();
        let view = Arc::clone(&self.view);
        let draw = move |ui: &mut Ui, _| lock(&view).draw(ui);
        ui.ctx().show_viewport_deferred(viewport(), window.with_title(title(call, words)), draw);
    }

    fn shut(&mut self, ui: &Ui) {
        let mut view = lock(&self.view);
        if self.open.take().is_some() {
            view.close();
        }
        view.free(ui);
    }

    /// Sends the commands that the controller had no room for.
    pub fn flush(&self, ctx: &egui::Context) {
        lock(&self.view).flush(ctx, ViewportId::ROOT);
    }
}

fn lock(view: &Mutex<View>) -> MutexGuard<'_, View> {
    view.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Title of the window, which a screen reader and the list of windows say.
fn title(call: &ConversationView, words: Words) -> String {
    match call.participants.first() {
        Some(who) => words.with_name(Text::SmallWindowTitle, &who.name),
        None => words.get(Text::InCall).to_owned(),
    }
}

/// The window at `place`, or at first in the lower right corner of the `screen`.
fn builder(place: Option<Rect>, screen: Option<Rect>) -> ViewportBuilder {
    let window = ViewportBuilder::default()
        .with_app_id(APP_ID)
        .with_min_inner_size(MIN_SIZE)
        .with_decorations(false)
        .with_taskbar(false)
        .with_window_type(X11WindowType::Utility)
        .with_active(false)
        .with_always_on_top();
    let corner = |screen: Rect| screen.max - SIZE - AWAY;
    let at: Option<Pos2> = place.map(|place| place.min).or_else(|| screen.map(corner));
    let window = window.with_inner_size(place.map_or(SIZE, |place| place.size()));
    match at {
        Some(at) => window.with_position(at),
        None => window,
    }
}

/// Draws the main window while the call is in the small one; true when the call is to come back.
pub fn in_its_place(ui: &mut Ui, scene: &mut Scene<'_>, call: &ConversationView) -> bool {
    let area = ui.available_rect_before_wrap();
    ui.advance_cursor_after_rect(area);
    ui.painter().rect_filled(area, 0.0, stage::STAGE);
    stage::ground(ui, area, call.participants.first().map_or(scene.snapshot.me.id, |who| who.id));
    match controls::act_of_keys(ui) {
        Some(act @ (Act::Microphone | Act::Camera | Act::HangUp)) => controls::carry_out(ui, act, scene),
        Some(Act::SmallWindow) => return true,
        _ => {}
    }
    let middle = Rect::from_center_size(area.center(), vec2(area.width() - 2.0 * space::XL, 84.0));
    let mut lines = ui.new_child(UiBuilder::new().id_salt("in small window").max_rect(middle));
    let mut back = keys::pressed(ui, egui::Modifiers::NONE, egui::Key::Escape);
    lines.vertical_centered(|ui| {
        ui.label(Type::Title.text(scene.text(Text::InSmallWindow), theme::ON_PICTURE));
        ui.add_space(space::L);
        back |= TextButton::new(scene.text(Text::BackToCall)).weight(Weight::Primary).show(ui).clicked();
    });
    back
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::pos2;

    #[test]
    fn it_opens_while_the_main_window_is_hidden_in_a_call_and_goes_with_either() {
        let mut wish = Wish::default();
        let mut shown = |in_call, hidden| wish.follow(in_call, hidden, true);
        assert!(!shown(false, true), "no call");
        assert!(shown(true, true), "a call that was answered while the window was hidden");
        assert!(!shown(true, false) && shown(true, true));
        assert!(!shown(false, true), "the call is over");
    }

    #[test]
    fn one_that_was_closed_stays_closed_until_the_main_window_was_seen() {
        let mut wish = Wish::default();
        assert!(wish.follow(true, true, true));
        wish.close();
        assert!(!wish.follow(true, true, true) && !wish.follow(true, true, true));
        assert!(!wish.follow(true, false, true) && wish.follow(true, true, true));
        wish.close();
        assert!(!wish.follow(false, true, true) && wish.follow(true, true, true), "another call");
    }

    #[test]
    fn one_that_was_asked_for_opens_whatever_the_setting_says_and_ends_when_the_main_window_is_seen_again() {
        let mut wish = Wish { asked: true, ..Wish::default() };
        assert!(wish.follow(true, false, false), "before the main window is minimized");
        assert!(wish.follow(true, true, false));
        assert!(!wish.follow(true, false, false) && !wish.follow(true, true, false));
        wish.asked = true;
        wish.follow(true, false, false);
        wish.close();
        assert!(!wish.follow(true, false, false), "closed beside the main window");
    }

    #[test]
    fn it_opens_in_the_lower_right_corner_and_afterwards_where_it_was() {
        let screen = Rect::from_min_size(pos2(960.0, 0.0), vec2(1280.0, 720.0));
        let first = builder(None, Some(screen));
        assert_eq!((first.position, first.inner_size), (Some(pos2(1896.0, 468.0)), Some(SIZE)));
        let place = Rect::from_min_size(pos2(10.0, 20.0), vec2(480.0, 270.0));
        let again = builder(Some(place), Some(screen));
        assert_eq!((again.position, again.inner_size), (Some(place.min), Some(place.size())));
        assert_eq!(builder(None, None).position, None);
    }
}
