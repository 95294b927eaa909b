//! The dialogs around an invite: who is rung, who rings, and how a call ended.

use eframe::egui::{self, Align, Key, Layout, Modifiers, Ui, vec2};

use crate::call::{DisconnectReason, InviteId};
use crate::controller::{CallView, Command, IncomingView, Outcome, OutcomeKind, OutgoingView, Snapshot, VideoChoice};
use crate::identity::PeerId;

use super::avatar;
use super::bidi::{self, Lines};
use super::buttons::{TextButton, Weight, announce};
use super::catalogue::Text;
use super::dialog;
use super::icons::Icon;
use super::keys;
use super::scene::Scene;
use super::theme::{CONTROL_HEIGHT, Palette, Type, space};

/// Keys and buttons answer or decline only after the dialog has been seen, and the keyboard has been quiet, for this
/// long, in seconds: whoever was typing or clicking when it came up, and goes on, must not do either by accident.
const HEEDED_AFTER: f64 = 0.6;

const WIDTH: f32 = 380.0;

/// State of the dialogs between frames.
#[derive(Debug, Default)]
pub struct InviteDialog {
    /// The incoming invite that is shown, and since when the keyboard has been quiet under it.
    shown: Option<(InviteId, f64)>,
    /// With whom the latest call was, and whether it was with video: calling again offers the same.
    latest: Option<(PeerId, bool)>,
}

impl InviteDialog {
    /// Draws whichever dialog the snapshot calls for.
    pub fn show(&mut self, ui: &Ui, scene: &mut Scene<'_>) {
        let snapshot = scene.snapshot;
        match &snapshot.call {
            CallView::Outgoing(outgoing) => show_outgoing(ui, scene, outgoing),
            CallView::Incoming(incoming) => return self.show_incoming(ui, scene, incoming),
            CallView::Idle => {
                if let Some(outcome) = &snapshot.outcome {
                    let name = scene.name(outcome.peer, &outcome.name);
                    let with_video = self.latest.is_none_or(|(peer, video)| video || peer != outcome.peer);
                    show_outcome(ui, scene, outcome, &name, with_video);
                }
            }
            CallView::Conversation(_) => {}
        }
        self.shown = None;
    }

    /// Notes the requests of the person.
    pub fn note(&mut self, command: &Command, snapshot: &Snapshot) {
        match (command, &snapshot.call) {
            (Command::Invite { to, video, .. }, _) => self.latest = Some((*to, *video != VideoChoice::Off)),
            (Command::Accept { video, .. }, CallView::Incoming(incoming)) => {
                self.latest = Some((incoming.peer, *video != VideoChoice::Off));
            }
            _ => {}
        }
    }

    fn show_incoming(&mut self, ui: &Ui, scene: &mut Scene<'_>, incoming: &IncomingView) {
        let now = ui.input(|input| input.time);
        let since = match self.shown {
            Some((invite, since)) if invite == incoming.invite => since,
            _ => {
                // Whatever had the focus must not take the keys that are meant for the dialog, nor the other way round.
                ui.memory_mut(|memory| memory.stop_text_input());
                if let Some(focused) = ui.memory(|memory| memory.focused()) {
                    ui.memory_mut(|memory| memory.surrender_focus(focused));
                }
                self.shown = Some((incoming.invite, now));
                self.latest = Some((incoming.peer, incoming.with_video));
                now
            }
        };
        if ui.input(|input| input.events.iter().any(is_typing)) {
            self.shown = Some((incoming.invite, now));
        }
        let heeded = now - since >= HEEDED_AFTER;
        let free = ui.memory(|memory| memory.focused().is_none());
        let enter = free && keys::pressed(ui, Modifiers::NONE, Key::Enter);
        let escape = keys::pressed(ui, Modifiers::NONE, Key::Escape);
        let name = scene.name(incoming.peer, &incoming.name);
        let (pressed, _) = dialog::show(ui, "incoming", WIDTH, |ui| incoming_card(ui, scene, incoming, &name));
        let accept = |video| Command::Accept { invite: incoming.invite, audio: true, video };
        let video = scene.video();
        match pressed {
            _ if !heeded => {}
            Some(Press::AnswerVideo) => scene.send(accept(video)),
            Some(Press::AnswerAudio) => scene.send(accept(VideoChoice::Off)),
            Some(Press::Decline) => scene.send(Command::Reject { invite: incoming.invite }),
            None if escape => scene.send(Command::Reject { invite: incoming.invite }),
            None if enter => scene.send(accept(if incoming.with_video { video } else { VideoChoice::Off })),
            None => {}
        }
    }
}

/// A key that goes down (again), or text that comes in; not Tab, which leads to the buttons.
fn is_typing(event: &egui::Event) -> bool {
    match event {
        egui::Event::Key { key, pressed, .. } => *pressed && *key != Key::Tab,
        egui::Event::Text(_) | egui::Event::Ime(_) => true,
        _ => false,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Press {
    AnswerVideo,
    AnswerAudio,
    Decline,
}

/// A face, a name and a line under it, in the middle.
fn portrait(ui: &mut Ui, scene: &Scene<'_>, id: PeerId, name: &str, line: &str) {
    let palette = Palette::of(ui);
    ui.vertical_centered(|ui| {
        let disc = match ui.ctx().content_rect().height() {
            ..500.0 => 40.0,
            500.0..600.0 => 64.0,
            _ => 96.0,
        };
        let (_, rect) = ui.allocate_space(vec2(disc, disc));
        avatar::paint_kind(ui.painter(), rect.center(), disc, id, name, scene.is_echo(id));
        ui.add_space(space::S);
        let name = bidi::label(ui, name, Type::Display, palette.text, Lines::One);
        if scene.person(id).is_some_and(|person| person.verified) {
            ui.label(Type::Caption.text(scene.text(Text::Verified), palette.accent));
        }
        let line = ui.label(Type::Body.text(line, palette.text_soft));
        announce(&name, true);
        announce(&line, true);
    });
    ui.add_space(space::M);
}

fn show_outgoing(ui: &Ui, scene: &mut Scene<'_>, outgoing: &OutgoingView) {
    let name = scene.name(outgoing.peer, &outgoing.name);
    let escape = keys::pressed(ui, Modifiers::NONE, Key::Escape);
    let (cancel, _) = dialog::show(ui, "outgoing", WIDTH, |ui| {
        let state = scene.text(if outgoing.ringing { Text::Ringing } else { Text::Calling });
        portrait(ui, scene, outgoing.peer, &name, state);
        let cancel = TextButton::new(scene.text(Text::CancelCall)).icon(Icon::HangUp).weight(Weight::Danger);
        cancel.width(ui.available_width()).show(ui).clicked()
    });
    if cancel || escape {
        scene.send(Command::Cancel { invite: outgoing.invite });
    }
}

fn incoming_card(ui: &mut Ui, scene: &Scene<'_>, incoming: &IncomingView, name: &str) -> Option<Press> {
    let palette = Palette::of(ui);
    let line = scene.text(if incoming.with_video { Text::IncomingVideo } else { Text::IncomingAudio });
    portrait(ui, scene, incoming.peer, name, line);
    if !incoming.known {
        let (title, detail) = match &incoming.namesake {
            Some(contact) => (scene.words.with_name(Text::CallerOtherKey, contact), Text::CallerOtherKeyDetail),
            None => (scene.text(Text::UnknownCaller).to_owned(), Text::UnknownCallerDetail),
        };
        panel(ui, |ui| {
            ui.horizontal_wrapped(|ui| {
                let (_, rect) = ui.allocate_space(vec2(18.0, 18.0));
                Icon::Warning.paint(ui.painter(), rect.center(), 18.0, palette.warning);
                ui.label(Type::Strong.text(title, palette.warning));
            });
            ui.label(Type::Caption.text(scene.text(detail), palette.text_soft));
            let id = scene.words.fill(Text::TheirId, &[("id", &incoming.peer.short())]);
            ui.label(Type::Caption.text(id, palette.text_soft));
        });
    }
    if !incoming.user_data.trim().is_empty() {
        panel(ui, |ui| {
            ui.label(Type::Caption.text(scene.text(Text::TheirNote), palette.text_soft));
            let height = (ui.ctx().content_rect().height() - 440.0).clamp(36.0, 72.0);
            egui::ScrollArea::vertical().max_height(height).auto_shrink([false, true]).show(ui, |ui| {
                bidi::label(ui, incoming.user_data.trim(), Type::Body, palette.text, Lines::Many);
            });
        });
    }
    ui.add_space(space::XS);
    let (width, half) = (ui.available_width(), (ui.available_width() - space::S) / 2.0);
    let video = TextButton::new(scene.text(Text::AnswerVideo)).icon(Icon::Camera);
    let audio = TextButton::new(scene.text(Text::AnswerAudio)).icon(Icon::Phone);
    let (video, audio) = if incoming.with_video {
        (video.weight(Weight::Primary), audio)
    } else {
        (video, audio.weight(Weight::Primary))
    };
    let side_by_side = half >= video.natural_width(ui).max(audio.natural_width(ui));
    let answer = if side_by_side {
        ui.horizontal(|ui| {
            let video = video.width(half).show(ui).clicked();
            (video, audio.width(half).show(ui).clicked())
        })
        .inner
    } else {
        let video = video.width(width).show(ui).clicked();
        (video, audio.width(width).show(ui).clicked())
    };
    let decline = TextButton::new(scene.text(Text::Decline)).icon(Icon::HangUp);
    let decline = decline.width(width).show(ui).clicked();
    match (answer, decline) {
        ((true, _), _) => Some(Press::AnswerVideo),
        ((_, true), _) => Some(Press::AnswerAudio),
        (_, true) => Some(Press::Decline),
        _ => None,
    }
}

fn panel(ui: &mut Ui, content: impl FnOnce(&mut Ui)) {
    let palette = Palette::of(ui);
    egui::Frame::new().fill(palette.raised).corner_radius(12).inner_margin(12).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = space::XS;
        ui.spacing_mut().interact_size.y = 18.0;
        content(ui);
    });
}

/// Severity of an end: one by this side's own press needs no warning.
const fn is_trouble(kind: OutcomeKind) -> bool {
    match kind {
        OutcomeKind::Ended(DisconnectReason::Failed | DisconnectReason::Lost)
        | OutcomeKind::Unreachable
        | OutcomeKind::NeedsNewerHere
        | OutcomeKind::NeedsNewerThere => true,
        OutcomeKind::Declined
        | OutcomeKind::Busy
        | OutcomeKind::NoAnswer
        | OutcomeKind::Canceled
        | OutcomeKind::Missed
        | OutcomeKind::DeclinedHere
        | OutcomeKind::Ended(DisconnectReason::Left | DisconnectReason::HungUp) => false,
    }
}

fn show_outcome(ui: &Ui, scene: &mut Scene<'_>, outcome: &Outcome, name: &str, with_video: bool) {
    let Outcome { peer, kind, .. } = *outcome;
    let escape = keys::pressed(ui, Modifiers::NONE, Key::Escape);
    let icon = if with_video { Icon::Camera } else { Icon::Phone };
    let ((again, done), close) = dialog::show(ui, "outcome", 420.0, |ui| {
        let palette = Palette::of(ui);
        ui.horizontal(|ui| {
            let (_, rect) = ui.allocate_space(vec2(56.0, 56.0));
            avatar::paint_kind(ui.painter(), rect.center(), 52.0, peer, name, scene.is_echo(peer));
            if is_trouble(kind) {
                let at = rect.center() + vec2(19.0, 19.0);
                ui.painter().circle_filled(at, 12.0, palette.surface);
                Icon::Warning.paint(ui.painter(), at, 18.0, palette.warning);
            }
            ui.add_space(space::XS);
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = space::XS;
                let title = scene.words.outcome_title(kind, name);
                bidi::label(ui, &title, Type::Title, palette.text, Lines::Many);
                let detail = scene.words.outcome_detail(kind, name);
                bidi::label(ui, &detail, Type::Body, palette.text_soft, Lines::Many);
            });
        });
        ui.add_space(space::M);
        let size = vec2(ui.available_width(), CONTROL_HEIGHT);
        ui.allocate_ui_with_layout(size, Layout::right_to_left(Align::Center), |ui| {
            let again = TextButton::new(scene.text(Text::CallAgain)).icon(icon).weight(Weight::Primary);
            let again = again.show(ui).clicked();
            (again, dialog::safe(ui, TextButton::new(scene.text(Text::Close))).clicked())
        })
        .inner
    });
    if again {
        scene.send(Command::DismissOutcome);
        scene.invite(peer, "", with_video);
    } else if done || close || escape {
        scene.send(Command::DismissOutcome);
    }
}
