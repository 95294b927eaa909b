//! Cards of people who ring beside a call: an answer ends the call, and a ring can be declined or ignored.
//!
//! The first card has chords of its own, because Enter, Esc and Space may be meant for the call, and Tab comes to it
//! before anything else.

use std::collections::HashMap;

use eframe::egui::{
    Align2, Area, CornerRadius, Event, FocusDirection, Frame, Id, Key, Margin, Modifiers, Order, Rect, Response,
    ScrollArea, Stroke, Ui, vec2,
};

use crate::call::InviteId;
use crate::controller::{CallView, Command, IncomingView, VideoChoice, echo_id};

use super::bidi::{self, Lines};
use super::buttons::{TextButton, Weight, announce};
use super::call_bar;
use super::catalogue::Text;
use super::closing;
use super::icons::Icon;
use super::keys;
use super::scene::Scene;
use super::theme::{Palette, Type, radius, space};

/// A press counts only after the card has been seen for this long, in seconds: it comes up under the pointer of
/// somebody who is about to press something else.
const HEEDED_AFTER: f64 = 0.6;

const WIDTH: f32 = 440.0;
/// A room lower than this (points) for the cards begins at the window's upper edge.
const LOW: f32 = 300.0;
/// Least height of the list of cards, in points.
const LEAST: f32 = 96.0;
/// Margin within a card.
const MARGIN: i8 = 14;

/// Chords of the first card.
const CHORD: Modifiers = Modifiers { shift: true, ..Modifiers::COMMAND };
const ANSWER: (Key, &str) = (Key::A, "Ctrl+Shift+A");
const DECLINE: (Key, &str) = (Key::D, "Ctrl+Shift+D");

/// A card as it has been shown.
#[derive(Clone, Copy, Debug)]
struct Shown {
    /// Its upper edge below that of the list.
    top: f32,
    /// Since when it has been there, in seconds of the window's time.
    since: f64,
}

/// State of the cards between frames.
#[derive(Debug, Default)]
pub struct WaitingCards {
    shown: HashMap<InviteId, Shown>,
    /// The card that Tab has been led to.
    visited: Option<InviteId>,
}

/// A press on a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Press {
    Answer,
    Decline,
    Ignore,
}

impl WaitingCards {
    /// Draws the cards at the top of `area`. Before everything else, so that Tab comes here first.
    pub fn show(&mut self, ui: &Ui, area: Rect, scene: &mut Scene<'_>) {
        let waiting = &scene.snapshot.waiting;
        self.shown.retain(|invite, _| waiting.iter().any(|incoming| incoming.invite == *invite));
        if waiting.is_empty() {
            return;
        }
        let now = ui.input(|input| input.time);
        let to_first = self.take_tab(ui, waiting);
        let chord = chord(ui);
        let mut area = area;
        if area.height() < LOW {
            // Over the head of the call: the buttons of the card are in sight then.
            area.min.y = ui.ctx().content_rect().top();
        }
        let at = area.center_top() + vec2(0.0, space::S);
        // Above the dialog of somebody who is called.
        let cards = Area::new(Id::unique("waiting")).order(Order::Foreground).pivot(Align2::CENTER_TOP).fixed_pos(at);
        cards.show(ui.ctx(), |ui| {
            ui.set_width(WIDTH.min(area.width() - 2.0 * space::S));
            // The bar of the call stays in sight, and Hang up in reach.
            let room = (area.height() - call_bar::HEIGHT - space::S).max(LEAST);
            let list = ScrollArea::vertical().max_height(room).min_scrolled_height(room).auto_shrink([false, true]);
            list.show(ui, |ui| self.cards(ui, now, scene, (to_first, chord)));
        });
    }

    /// Draws the cards; the first one takes the keyboard if `to_first`, and the press of a chord.
    fn cards(&mut self, ui: &mut Ui, now: f64, scene: &mut Scene<'_>, (to_first, chord): (bool, Option<Press>)) {
        ui.spacing_mut().item_spacing.y = space::S;
        for (index, incoming) in scene.snapshot.waiting.iter().enumerate() {
            // A card that moves up when another one goes comes up under the pointer, too.
            let top = ui.cursor().top() - ui.min_rect().top();
            let shown = self.shown.entry(incoming.invite).or_insert(Shown { top, since: now });
            if (shown.top - top).abs() > 1.0 {
                *shown = Shown { top, since: now };
            }
            let since = shown.since;
            let is_first = index == 0;
            let pressed = card(ui, scene, incoming, is_first, is_first && to_first);
            let press = pressed.or(chord.filter(|_| is_first));
            if let Some(press) = press.filter(|_| now - since >= HEEDED_AFTER) {
                carry_out(press, scene, incoming);
            }
        }
    }

    /// Takes the first Tab since a card has come to the front: it leads to that card from wherever the keyboard is.
    fn take_tab(&mut self, ui: &Ui, waiting: &[IncomingView]) -> bool {
        let first = waiting.first().map(|incoming| incoming.invite);
        let is_tab = |event: &Event| matches!(event, Event::Key { key: Key::Tab, pressed: true, modifiers, .. } if !modifiers.any());
        if self.visited == first || !ui.input(|input| input.events.iter().any(is_tab)) {
            return false;
        }
        self.visited = first;
        ui.memory_mut(|memory| memory.move_focus(FocusDirection::None));
        true
    }
}

/// The chord that was pressed in this frame.
fn chord(ui: &Ui) -> Option<Press> {
    let chords = [(ANSWER, Press::Answer), (DECLINE, Press::Decline)];
    chords.into_iter().find_map(|((key, _), press)| keys::pressed(ui, CHORD, key).then_some(press))
}

fn carry_out(press: Press, scene: &mut Scene<'_>, incoming: &IncomingView) {
    let invite = incoming.invite;
    // The camera goes on as it is.
    let video = if scene.camera_wanted { scene.video() } else { VideoChoice::Off };
    scene.send(match press {
        Press::Answer => Command::Accept { invite, audio: true, video },
        Press::Decline => Command::Reject { invite },
        Press::Ignore => Command::Ignore { invite },
    });
}

/// Draws a card; the `first` one names its keys. `focus` gives its first button the keyboard.
fn card(ui: &mut Ui, scene: &Scene<'_>, incoming: &IncomingView, first: bool, focus: bool) -> Option<Press> {
    let palette = Palette::of(ui);
    let name = scene.name(incoming.peer, &incoming.name);
    let frame = Frame::new()
        .fill(palette.surface)
        .stroke(Stroke::new(1.0, palette.line))
        .corner_radius(CornerRadius::same(radius::CARD))
        .shadow(ui.visuals().window_shadow)
        .inner_margin(Margin::same(MARGIN));
    let width = ui.available_width() - 2.0 * f32::from(MARGIN);
    let content = |ui: &mut Ui| {
        ui.set_width(width);
        ui.horizontal(|ui| {
            let (_, rect) = ui.allocate_space(vec2(40.0, 40.0));
            scene.avatar(ui.painter(), rect.center(), 40.0, incoming.peer, &name);
            ui.vertical(|ui| {
                let line = scene.words.with_name(Text::WaitingCall, &name);
                announce(&bidi::label(ui, &line, Type::Strong, palette.text, Lines::One), true);
                let kind = if incoming.with_video { Text::IncomingVideo } else { Text::IncomingAudio };
                announce(&ui.label(Type::Caption.text(scene.text(kind), palette.text_soft)), true);
            });
        });
        let warning = match &incoming.namesake {
            Some(contact) => Some(scene.words.with_name(Text::CallerOtherKey, contact)),
            None => (!incoming.known).then(|| scene.text(Text::UnknownCaller).to_owned()),
        };
        if let Some(warning) = warning {
            ui.label(Type::Caption.text(warning, palette.warning));
        }
        if !incoming.user_data.trim().is_empty() {
            bidi::label(ui, incoming.user_data.trim(), Type::Body, palette.text, Lines::One);
        }
        let pressed = ui.horizontal_wrapped(|ui| buttons(ui, scene, focus)).inner;
        if first {
            let keys = scene.words.fill(Text::WaitingKeys, &[("answer", ANSWER.1), ("decline", DECLINE.1)]);
            ui.label(Type::Caption.text(keys, palette.text_soft));
        }
        pressed
    };
    frame.show(ui, content).inner
}

fn buttons(ui: &mut Ui, scene: &Scene<'_>, focus: bool) -> Option<Press> {
    let is_echo = match &scene.snapshot.call {
        CallView::Conversation(_) => closing::other(scene.snapshot).is_none(),
        CallView::Outgoing(outgoing) => outgoing.peer == echo_id(),
        CallView::Idle | CallView::Incoming(_) => true,
    };
    let answer = scene.text(if is_echo { Text::WaitingAnswerEcho } else { Text::WaitingAnswer });
    let icon = if scene.camera_wanted { Icon::Camera } else { Icon::Phone };
    let accept = TextButton::new(answer).icon(icon).weight(Weight::Primary).show(ui);
    if focus {
        accept.request_focus();
    }
    let decline = TextButton::new(scene.text(Text::Decline)).icon(Icon::HangUp).weight(Weight::Danger).show(ui);
    let ignore = TextButton::new(scene.text(Text::WaitingIgnore)).weight(Weight::Plain).show(ui);
    let presses = [(accept, Press::Answer), (decline, Press::Decline), (ignore, Press::Ignore)];
    presses.into_iter().find_map(|(button, press): (Response, Press)| button.clicked().then_some(press))
}
