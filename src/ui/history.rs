//! The call history, with redial: the second tab of home.

use eframe::egui::{self, Align, Layout, Rect, Role, Sense, Ui, UiBuilder, WidgetInfo, pos2, vec2};

use crate::call::DisconnectReason;
use crate::controller::{HistoryEntry, OutcomeKind};

use super::asked::Asked;
use super::avatar;
use super::buttons::{TextButton, Weight, focus_ring, icon_button_sized, one_line};
use super::catalogue::Text;
use super::icons::Icon;
use super::people_list::nothing;
use super::scene::Scene;
use super::theme::{Palette, Type, radius, space};
use super::wall_clock::{self, LocalTime};

const ROW_HEIGHT: f32 = 56.0;
const AVATAR: f32 = 40.0;

/// The width of the two buttons that call again.
const REDIAL: f32 = 56.0;

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
    egui::ScrollArea::vertical().auto_shrink(false).max_height(height).show_rows(
        ui,
        ROW_HEIGHT,
        snapshot.history.len(),
        |ui, rows| {
            for entry in &snapshot.history[rows] {
                if row(ui, entry, now, scene) {
                    asked = Some(Asked::Select(entry.peer));
                }
            }
        },
    );
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

fn row(ui: &mut Ui, entry: &HistoryEntry, now: Option<LocalTime>, scene: &mut Scene<'_>) -> bool {
    let palette = Palette::of(ui);
    let name = scene.name(entry.peer, &entry.name);
    let direction = scene.text(if entry.outgoing { Text::HistoryOutgoing } else { Text::HistoryIncoming });
    let when =
        LocalTime::of(entry.at_unix_s).zip(now).map(|(then, now)| then.said(now, scene.words)).unwrap_or_default();
    let how = match entry.duration_s {
        0 => scene.words.outcome_brief(entry.ended.kind).to_owned(),
        seconds => wall_clock::short(seconds),
    };
    let (_, rect) = ui.allocate_space(vec2(ui.available_width(), ROW_HEIGHT));
    let id = ui.scope_id().with(("history", entry.peer, entry.at_unix_s, entry.outgoing));
    let response = ui.interact(rect, id, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, format!("{name}, {direction}, {when}, {how}")));
    if response.contains_pointer() {
        ui.painter().rect_filled(rect, egui::CornerRadius::same(radius::CONTROL), palette.raised_hover);
    }
    focus_ring(ui, &response, rect.shrink(2.0), radius::CONTROL);
    let center = pos2(rect.left() + space::S + AVATAR / 2.0, rect.center().y);
    avatar::paint_kind(ui.painter(), center, AVATAR, entry.peer, &name, scene.is_echo(entry.peer));
    let missed = is_missed(entry.ended.kind);
    let left = center.x + AVATAR / 2.0 + space::M;
    let room = rect.right() - left - REDIAL - space::XS;
    let name_ink = if missed { palette.danger_text } else { palette.text };
    let title = one_line(ui, &name, Type::Strong, name_ink, room);
    let detail = one_line(ui, &format!("{when} · {how}"), Type::Caption, palette.text_soft, room - 18.0);
    let top = rect.center().y - (title.size().y + detail.size().y + 1.0) / 2.0;
    let below = top + title.size().y + 1.0;
    let arrow_y = below + detail.size().y / 2.0;
    ui.painter().galley(pos2(left, top), title, name_ink);
    let arrow = if entry.outgoing { Icon::Outgoing } else { Icon::Incoming };
    let arrow_ink = if missed { palette.danger_text } else { palette.text_soft };
    arrow.paint(ui.painter(), pos2(left + 6.0, arrow_y), 13.0, arrow_ink);
    ui.painter().galley(pos2(left + 18.0, below), detail, palette.text_soft);
    let corner = Rect::from_center_size(pos2(rect.right() - REDIAL / 2.0, rect.center().y), vec2(REDIAL, 32.0));
    let mut corner = ui.new_child(
        UiBuilder::new().id_salt(("redial", id)).max_rect(corner).layout(Layout::left_to_right(Align::Center)),
    );
    corner.spacing_mut().item_spacing.x = 0.0;
    for (icon, key, with_video) in
        [(Icon::Camera, Text::CallVideoName, true), (Icon::Phone, Text::CallAudioName, false)]
    {
        let again = scene.words.with_name(key, &name);
        if icon_button_sized(&mut corner, icon, &again, REDIAL / 2.0, Weight::Plain).clicked() {
            scene.invite(entry.peer, "", with_video);
        }
    }
    response.clicked()
}
