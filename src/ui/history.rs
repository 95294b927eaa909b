//! The call history, with redial: the second tab of home. Calls in a row with one person are one entry.

use eframe::egui::{self, Align, CornerRadius, Layout, Rect, Role, Sense, Ui, UiBuilder, WidgetInfo, pos2, vec2};

use crate::call::DisconnectReason;
use crate::controller::{Command, HistoryEntry, OutcomeKind};

use super::asked::Asked;
use super::buttons::{TextButton, Weight, focus_ring, icon_button_sized, one_line};
use super::catalogue::Text;
use super::icons::Icon;
use super::people_list::nothing;
use super::person_menu;
use super::scene::Scene;
use super::theme::{Palette, Type, radius, space};
use super::wall_clock::{self, LocalTime};

const ROW_HEIGHT: f32 = 56.0;
/// Height of an entry with the caller's note.
const NOTE_HEIGHT: f32 = 18.0;
const AVATAR: f32 = 40.0;

/// Side of a button of an entry.
const BUTTON: f32 = 30.0;

/// Calls in a row with one person in one direction, all missed or none, the latest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Group<'a> {
    calls: &'a [HistoryEntry],
}

impl<'a> Group<'a> {
    fn latest(&self) -> Option<&'a HistoryEntry> {
        self.calls.first()
    }

    /// How many calls it stands for.
    fn count(&self) -> u32 {
        self.calls.iter().fold(0, |count, call| count.saturating_add(call.times.max(1)))
    }

    /// The latest note of a caller that was not answered.
    fn note(&self) -> Option<&'a str> {
        self.calls.iter().map(|call| call.note.as_str()).find(|note| !note.is_empty())
    }

    fn height(&self) -> f32 {
        ROW_HEIGHT + if self.note().is_some() { NOTE_HEIGHT } else { 0.0 }
    }
}

fn groups(history: &[HistoryEntry]) -> impl Iterator<Item = Group<'_>> {
    let is_same = |one: &HistoryEntry, other: &HistoryEntry| {
        (one.peer, one.outgoing, is_missed(one.ended.kind)) == (other.peer, other.outgoing, is_missed(other.ended.kind))
    };
    history.chunk_by(is_same).map(|calls| Group { calls })
}

/// Draws the list; returns the request for a dialog.
pub fn show(ui: &mut Ui, scene: &mut Scene<'_>) -> Option<Asked> {
    let snapshot = scene.snapshot;
    if snapshot.history.is_empty() {
        nothing(ui, scene.text(Text::HistoryEmptyTitle), scene.text(Text::HistoryEmpty));
        return None;
    }
    let mut asked = None;
    let now = LocalTime::of(scene.now.unix_s);
    let height = ui.available_height() - 44.0;
    ui.spacing_mut().item_spacing.y = 2.0;
    egui::ScrollArea::vertical().auto_shrink(false).max_height(height).show(ui, |ui| {
        let (list, label) = (ui.unique_id(), scene.text(Text::Calls));
        ui.ctx().accesskit_node_builder(list, |node| {
            node.set_role(Role::List);
            node.set_label(label);
        });
        for group in groups(&snapshot.history) {
            let (_, rect) = ui.allocate_space(vec2(ui.available_width(), group.height()));
            if !ui.is_rect_visible(rect) {
                continue;
            }
            asked = row(ui, rect, group, now, scene).or(asked.take());
        }
    });
    if TextButton::new(scene.text(Text::ClearHistory)).icon(Icon::Trash).weight(Weight::Plain).show(ui).clicked() {
        asked = Some(Asked::ClearHistory);
    }
    asked
}

/// Whether a call was meant for this person and did not reach them.
const fn is_missed(kind: OutcomeKind) -> bool {
    match kind {
        OutcomeKind::Missed => true,
        OutcomeKind::Declined
        | OutcomeKind::Busy
        | OutcomeKind::NoAnswer
        | OutcomeKind::Canceled
        | OutcomeKind::DeclinedHere
        | OutcomeKind::Unreachable
        | OutcomeKind::NeedsNewerHere
        | OutcomeKind::NeedsNewerThere
        | OutcomeKind::Ended(
            DisconnectReason::Left | DisconnectReason::HungUp | DisconnectReason::Failed | DisconnectReason::Lost,
        ) => false,
    }
}

fn row(ui: &mut Ui, rect: Rect, group: Group<'_>, now: Option<LocalTime>, scene: &mut Scene<'_>) -> Option<Asked> {
    let entry = group.latest()?;
    let palette = Palette::of(ui);
    let name = scene.name(entry.peer, &entry.name);
    let titled = match group.count() {
        1 => name.clone(),
        count => scene.words.fill(Text::CallsInARow, &[("name", &name), ("count", &count.to_string())]),
    };
    let direction = scene.text(if entry.outgoing { Text::HistoryOutgoing } else { Text::HistoryIncoming });
    let when =
        LocalTime::of(entry.at_unix_s).zip(now).map(|(then, now)| then.said(now, scene.words)).unwrap_or_default();
    let how = match entry.duration_s {
        0 => scene.words.outcome_brief(entry.ended.kind).to_owned(),
        seconds => wall_clock::short(seconds),
    };
    let id = ui.scope_id().with(("history", entry.number));
    let response = ui.interact(rect, id, Sense::click());
    let note = group.note();
    response.widget_info(|| {
        let said = format!("{titled}, {direction}, {when}, {how}");
        let said = note.map_or_else(|| said.clone(), |note| format!("{said}, {}: {note}", scene.text(Text::TheirNote)));
        WidgetInfo::labeled(Role::ListItem, true, said)
    });
    let over = response.contains_pointer() || response.has_focus() || response.context_menu_opened();
    if over {
        ui.painter().rect_filled(rect, CornerRadius::same(radius::CONTROL), palette.raised_hover);
    }
    focus_ring(ui, &response, rect.shrink(2.0), radius::CONTROL);
    let head = Rect::from_min_size(rect.min, vec2(rect.width(), ROW_HEIGHT));
    let center = pos2(head.left() + space::S + AVATAR / 2.0, head.center().y);
    scene.avatar(ui.painter(), center, AVATAR, entry.peer, &name);
    let missed = is_missed(entry.ended.kind);
    let left = center.x + AVATAR / 2.0 + space::M;
    let right = buttons(ui, head, group, &name, over, scene);
    let room = right - left - space::XS;
    let name_ink = if missed { palette.danger_text } else { palette.text };
    let title = one_line(ui, &titled, Type::Strong, name_ink, room);
    let detail = one_line(ui, &format!("{when} · {how}"), Type::Caption, palette.text_soft, room - 18.0);
    let top = head.center().y - (title.size().y + detail.size().y + 1.0) / 2.0;
    let below = top + title.size().y + 1.0;
    let arrow_y = below + detail.size().y / 2.0;
    ui.painter().galley(pos2(left, top), title, name_ink);
    let arrow = if entry.outgoing { Icon::Outgoing } else { Icon::Incoming };
    let arrow_ink = if missed { palette.danger_text } else { palette.text_soft };
    arrow.paint(ui.painter(), pos2(left + 6.0, arrow_y), 13.0, arrow_ink);
    ui.painter().galley(pos2(left + 18.0, below), detail, palette.text_soft);
    if let Some(note) = note {
        let quoted = scene.words.fill(Text::Quoted, &[("text", note)]);
        let quoted = one_line(ui, &quoted, Type::Caption, palette.text, rect.right() - left - space::S);
        ui.painter().galley(pos2(left, head.bottom() - 4.0), quoted, palette.text);
    }
    response.context_menu(|ui| menu(ui, group, scene));
    response.clicked().then_some(Asked::Select(entry.peer))
}

/// Draws the buttons of an entry at its right; returns where they begin.
fn buttons(ui: &mut Ui, rect: Rect, group: Group<'_>, name: &str, over: bool, scene: &mut Scene<'_>) -> f32 {
    let Some(entry) = group.latest() else { return rect.right() };
    let count = if over { 3.0 } else { 2.0 };
    let left = rect.right() - space::XS - BUTTON * count;
    let place = Rect::from_min_max(pos2(left, rect.top()), rect.max);
    let builder = UiBuilder::new().id_salt(("redial", entry.number)).max_rect(place);
    let mut line = ui.new_child(builder.layout(Layout::left_to_right(Align::Center)));
    line.spacing_mut().item_spacing.x = 0.0;
    // At the left, so that the others stay where they are under the pointer.
    if over {
        let forget = scene.text(Text::ForgetCall);
        if icon_button_sized(&mut line, Icon::Trash, forget, BUTTON, Weight::Plain).clicked() {
            forget_all(group, scene);
        }
    }
    let calls_back = is_missed(entry.ended.kind);
    let (video, audio) = if calls_back {
        (Text::CallBackVideoName, Text::CallBackAudioName)
    } else {
        (Text::CallVideoName, Text::CallAudioName)
    };
    for (icon, key, with_video) in [(Icon::Camera, video, true), (Icon::Phone, audio, false)] {
        let again = scene.words.with_name(key, name);
        if icon_button_sized(&mut line, icon, &again, BUTTON, Weight::Plain).clicked() {
            scene.invite(entry.peer, "", with_video);
        }
    }
    left
}

fn menu(ui: &mut Ui, group: Group<'_>, scene: &mut Scene<'_>) {
    let Some(entry) = group.latest() else { return };
    person_menu::begin(ui);
    person_menu::calls(ui, entry.peer, scene);
    if person_menu::removal(ui, scene.text(Text::ForgetCall)) {
        forget_all(group, scene);
    }
}

fn forget_all(group: Group<'_>, scene: &mut Scene<'_>) {
    for call in group.calls {
        scene.send(Command::ForgetCall { call: call.number });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::Outcome;
    use crate::identity::PeerId;

    fn call(number: i64, peer: u8, outgoing: bool, kind: OutcomeKind) -> HistoryEntry {
        let (peer, name) = (PeerId::from_bytes([peer; 32]), String::from("Bob"));
        let ended = Outcome { peer, name: name.clone(), kind };
        let (at_unix_s, note) = (-number, String::new());
        HistoryEntry { number, times: 1, seen: true, note, peer, name, outgoing, at_unix_s, duration_s: 0, ended }
    }

    #[test]
    fn calls_in_a_row_with_one_person_are_one_entry() {
        let history = [
            call(1, 1, true, OutcomeKind::Busy),
            call(2, 1, true, OutcomeKind::NoAnswer),
            call(3, 1, false, OutcomeKind::Missed),
            call(4, 1, false, OutcomeKind::DeclinedHere),
            call(5, 2, false, OutcomeKind::Missed),
            HistoryEntry { times: 3, ..call(6, 2, false, OutcomeKind::Missed) },
            call(7, 1, true, OutcomeKind::Busy),
        ];
        let counts: Vec<_> = groups(&history).map(|group| (group.calls[0].number, group.count())).collect();
        assert_eq!(counts, [(1, 2), (3, 1), (4, 1), (5, 4), (7, 1)]);
    }

    #[test]
    fn the_latest_note_of_a_group_is_shown() {
        let noted =
            |number, note: &str| HistoryEntry { note: note.into(), ..call(number, 1, false, OutcomeKind::Missed) };
        let history = [noted(1, ""), noted(2, "urgent"), noted(3, "hi")];
        assert_eq!(groups(&history).next().and_then(|group| group.note()), Some("urgent"));
        assert_eq!(groups(&history[..1]).next().and_then(|group| group.note()), None);
    }
}
