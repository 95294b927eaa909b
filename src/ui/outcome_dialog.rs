//! The dialog after a call that did not go well, and after one that was missed.

use eframe::egui::{Key, Modifiers, Role, ScrollArea, Ui, WidgetInfo, vec2};

use crate::call::DisconnectReason;
use crate::controller::{CallView, Command, HistoryEntry, Outcome, OutcomeKind, Snapshot, VideoChoice};
use crate::identity::PeerId;

use super::bidi::{self, Lines};
use super::buttons::{TextButton, Weight};
use super::catalogue::Text;
use super::dialog;
use super::icons::Icon;
use super::keys;
use super::scene::Scene;
use super::theme::{Palette, Type, space};

/// Most height of a caller's note in points.
const NOTE_HEIGHT: f32 = 120.0;

/// State of the dialog between frames.
#[derive(Debug, Default)]
pub struct OutcomeDialog {
    /// With whom the latest call was, and whether it was with video: calling again offers the same.
    latest: Option<(PeerId, bool)>,
}

impl OutcomeDialog {
    /// Draws the dialog where the snapshot calls for it.
    pub fn show(&mut self, ui: &Ui, scene: &mut Scene<'_>) {
        let snapshot = scene.snapshot;
        match (&snapshot.call, &snapshot.outcome) {
            (CallView::Incoming(incoming), _) => self.latest = Some((incoming.peer, incoming.with_video)),
            (CallView::Idle, Some(outcome)) => {
                let name = scene.name(outcome.peer, &outcome.name);
                let with_video = self.latest.is_none_or(|(peer, video)| video || peer != outcome.peer);
                show_outcome(ui, scene, outcome, &name, with_video);
            }
            (CallView::Idle | CallView::Outgoing(_) | CallView::Conversation(_), _) => {}
        }
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

/// The note of a caller who was missed: of the latest call with them, which is the one that has just ended.
fn note<'a>(outcome: &Outcome, history: &'a [HistoryEntry]) -> Option<&'a str> {
    let latest = history.iter().find(|call| call.peer == outcome.peer)?;
    let is_missed = outcome.kind == OutcomeKind::Missed && !latest.outgoing;
    Some(latest.note.trim()).filter(|note| is_missed && !note.is_empty())
}

/// The words for calling the person, who called this side or was called.
const fn again(kind: OutcomeKind) -> Text {
    match kind {
        OutcomeKind::Missed | OutcomeKind::DeclinedHere => Text::CallBack,
        _ => Text::CallAgain,
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
            scene.avatar(ui.painter(), rect.center(), 52.0, peer, name);
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
                if let Some(note) = note(outcome, &scene.snapshot.history) {
                    note_card(ui, scene, note);
                }
            });
        });
        ui.add_space(space::M);
        let again = TextButton::new(scene.text(again(kind))).icon(icon).weight(Weight::Primary);
        let [done, again] = dialog::row(ui, [TextButton::new(scene.text(Text::Close)), again]);
        dialog::hold_focus(ui, &done);
        (again.clicked(), done.clicked())
    });
    if again {
        scene.send(Command::DismissOutcome);
        scene.invite(peer, "", with_video);
    } else if done || close || escape {
        scene.send(Command::DismissOutcome);
    }
}

/// Shows the note of a caller; a long one scrolls.
fn note_card(ui: &mut Ui, scene: &Scene<'_>, note: &str) {
    let ink = Palette::of(ui).text;
    ui.add_space(space::XS);
    ScrollArea::vertical().max_height(NOTE_HEIGHT).auto_shrink([false, true]).show(ui, |ui| {
        let quoted = scene.words.fill(Text::Quoted, &[("text", note)]);
        let label = bidi::label(ui, &quoted, Type::Body, ink, Lines::Many);
        let said = format!("{}: {note}", scene.text(Text::TheirNote));
        label.widget_info(|| WidgetInfo::labeled(Role::Label, true, &said));
    });
}
