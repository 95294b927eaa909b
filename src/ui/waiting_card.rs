//! Cards of people who ring beside a call: an answer ends the call, and a ring can be declined or ignored.

use std::collections::HashMap;

use eframe::egui::{Align2, Area, CornerRadius, Frame, Id, Margin, Order, Rect, ScrollArea, Stroke, Ui, vec2};

use crate::call::InviteId;
use crate::controller::{CallView, Command, IncomingView, VideoChoice, echo_id};

use super::avatar;
use super::bidi::{self, Lines};
use super::buttons::{TextButton, Weight, announce};
use super::call_bar;
use super::catalogue::Text;
use super::closing;
use super::icons::Icon;
use super::scene::Scene;
use super::theme::{Palette, Type, radius, space};

/// A press counts only after the card has been seen for this long, in seconds: it comes up under the pointer of
/// somebody who is about to press something else.
const HEEDED_AFTER: f64 = 0.6;

const WIDTH: f32 = 440.0;
/// Least height of the list of cards, in points.
const LEAST: f32 = 96.0;
/// Margin within a card.
const MARGIN: i8 = 14;

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
}

impl WaitingCards {
    /// Draws the cards at the top of `area`.
    pub fn show(&mut self, ui: &Ui, area: Rect, scene: &mut Scene<'_>) {
        let waiting = &scene.snapshot.waiting;
        self.shown.retain(|invite, _| waiting.iter().any(|incoming| incoming.invite == *invite));
        if waiting.is_empty() {
            return;
        }
        let now = ui.input(|input| input.time);
        let at = area.center_top() + vec2(0.0, space::S);
        // Above the dialog of somebody who is called.
        let cards = Area::new(Id::unique("waiting")).order(Order::Foreground).pivot(Align2::CENTER_TOP).fixed_pos(at);
        cards.show(ui.ctx(), |ui| {
            ui.set_width(WIDTH.min(area.width() - 2.0 * space::S));
            // The bar of the call stays in sight, and Hang up in reach.
            let room = (area.height() - call_bar::HEIGHT - space::S).max(LEAST);
            let list = ScrollArea::vertical().max_height(room).min_scrolled_height(room).auto_shrink([false, true]);
            list.show(ui, |ui| self.cards(ui, now, scene));
        });
    }

    fn cards(&mut self, ui: &mut Ui, now: f64, scene: &mut Scene<'_>) {
        ui.spacing_mut().item_spacing.y = space::S;
        for incoming in &scene.snapshot.waiting {
            // A card that moves up when another one goes comes up under the pointer, too.
            let top = ui.cursor().top() - ui.min_rect().top();
            let shown = self.shown.entry(incoming.invite).or_insert(Shown { top, since: now });
            if (shown.top - top).abs() > 1.0 {
                *shown = Shown { top, since: now };
            }
            let since = shown.since;
            let pressed = card(ui, scene, incoming);
            if let Some(command) = pressed.filter(|_| now - since >= HEEDED_AFTER) {
                scene.send(command);
            }
        }
    }
}

fn card(ui: &mut Ui, scene: &Scene<'_>, incoming: &IncomingView) -> Option<Command> {
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
            avatar::paint_kind(ui.painter(), rect.center(), 40.0, incoming.peer, &name, false);
            ui.vertical(|ui| {
                let line = scene.words.with_name(Text::WaitingCall, &name);
                announce(&bidi::label(ui, &line, Type::Strong, palette.text, Lines::One), true);
                let kind = if incoming.with_video { Text::IncomingVideo } else { Text::IncomingAudio };
                ui.label(Type::Caption.text(scene.text(kind), palette.text_soft));
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
        ui.horizontal_wrapped(|ui| buttons(ui, scene, incoming)).inner
    };
    frame.show(ui, content).inner
}

fn buttons(ui: &mut Ui, scene: &Scene<'_>, incoming: &IncomingView) -> Option<Command> {
    let invite = incoming.invite;
    let is_echo = match &scene.snapshot.call {
        CallView::Conversation(_) => closing::other(scene.snapshot).is_none(),
        CallView::Outgoing(outgoing) => outgoing.peer == echo_id(),
        CallView::Idle | CallView::Incoming(_) => true,
    };
    let answer = scene.text(if is_echo { Text::WaitingAnswerEcho } else { Text::WaitingAnswer });
    // The camera goes on as it is.
    let video = if scene.camera_wanted { scene.video() } else { VideoChoice::Off };
    let button = |ui: &mut Ui, text: &str, icon: Option<Icon>, weight: Weight| {
        let button = TextButton::new(text).weight(weight);
        icon.map_or(button, |icon| button.icon(icon)).show(ui).clicked()
    };
    let icon = if scene.camera_wanted { Icon::Camera } else { Icon::Phone };
    let accept = button(ui, answer, Some(icon), Weight::Primary);
    let decline = button(ui, scene.text(Text::Decline), Some(Icon::HangUp), Weight::Danger);
    let ignore = button(ui, scene.text(Text::WaitingIgnore), None, Weight::Plain);
    match (accept, decline, ignore) {
        (true, _, _) => Some(Command::Accept { invite, audio: true, video }),
        (_, true, _) => Some(Command::Reject { invite }),
        (_, _, true) => Some(Command::Ignore { invite }),
        (false, false, false) => None,
    }
}
