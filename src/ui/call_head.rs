//! The line over a call: the name of the other, the time, and what can be done about each participant.

use std::time::Duration;

use eframe::egui::{self, Align, CornerRadius, Layout, Rect, Role, Sense, Ui, UiBuilder, WidgetInfo, pos2, vec2};

use crate::controller::{Command, ConversationStatus, ConversationView, ParticipantView, PersonKind};
use crate::identity::PeerId;

use super::buttons::{Weight, icon_button_sized, one_line};
use super::catalogue::Text;
use super::icons::Icon;
use super::scene::Scene;
use super::self_view;
use super::theme::{self, Type, space};
use super::wall_clock::hours_minutes_seconds;

/// Draws the line at the upper left; returns the contact whose safety number is asked for.
pub fn show(ui: &mut Ui, area: Rect, scene: &mut Scene<'_>, call: &ConversationView) -> Option<PeerId> {
    let time = match call.connected_at {
        Some(since) => {
            let elapsed = scene.now.media.since(since);
            let next = Duration::from_secs(1) - Duration::from_nanos(u64::from(elapsed.subsec_nanos()));
            if ui.opacity() > 0.0 {
                ui.ctx().request_repaint_after(next + Duration::from_millis(5));
            }
            hours_minutes_seconds(elapsed)
        }
        None => scene.text(Text::Connecting).to_owned(),
    };
    let title = match call.participants.as_slice() {
        [] => String::new(),
        [only] => scene.name(only.id, &only.name),
        several => scene.words.fill(Text::PeopleInCall, &[("count", &(several.len() + 1).to_string())]),
    };
    let name = one_line(ui, &title, Type::Strong, theme::ON_PICTURE, 240.0);
    let clock = one_line(ui, &time, Type::Body, theme::ON_PICTURE_SOFT, 160.0);
    let verified =
        matches!(call.participants.as_slice(), [only] if scene.person(only.id).is_some_and(|it| it.verified));
    let mark = if verified { 22.0 } else { 0.0 };
    let width = space::L + name.size().x + mark + space::M + clock.size().x + space::L;
    let rect = Rect::from_min_size(area.min + vec2(space::L, space::L), vec2(width, 36.0));
    ui.painter().rect_filled(rect, CornerRadius::same(18), theme::SCRIM);
    let response = ui.interact(rect, ui.scope_id().with("head"), Sense::hover());
    let trust = if verified { format!(", {}", scene.text(Text::Verified)) } else { String::new() };
    let said = format!("{title}{trust}, {}", scene.words.fill(Text::CallTime, &[("time", &time)]));
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &said));
    let left = rect.left() + space::L;
    let clock_left = left + name.size().x + mark + space::M;
    if verified {
        Icon::Verified.paint(ui.painter(), pos2(left + name.size().x + 14.0, rect.center().y), 17.0, theme::ON_PICTURE);
    }
    ui.painter().galley(pos2(left, rect.center().y - name.size().y / 2.0), name, theme::ON_PICTURE);
    ui.painter().galley(pos2(clock_left, rect.center().y - clock.size().y / 2.0), clock, theme::ON_PICTURE_SOFT);
    if call.status != ConversationStatus::Connected {
        return None;
    }
    match call.participants.as_slice() {
        [only] => local_choices(ui, rect.right_top() + vec2(space::S, 0.0), scene, only),
        several => {
            let places = self_view::grid(area.shrink(space::S), several.len(), space::S);
            let choices = several.iter().zip(places).map(|(who, place)| {
                local_choices(ui, place.right_top() + vec2(-space::S - WIDEST, space::S), scene, who)
            });
            choices.fold(None, Option::or)
        }
    }
}

/// Width of the choices about a contact, in points; without the safety number they are narrower.
const WIDEST: f32 = 116.0;
const NARROWER: f32 = 76.0;

/// Hear them or not, see them or not: here only; and a contact's safety number, which is returned when asked for.
fn local_choices(ui: &mut Ui, at: egui::Pos2, scene: &mut Scene<'_>, who: &ParticipantView) -> Option<PeerId> {
    let is_contact = scene.person(who.id).is_some_and(|person| person.kind == PersonKind::Contact);
    let rect = Rect::from_min_size(at, vec2(if is_contact { WIDEST } else { NARROWER }, 36.0));
    ui.painter().rect_filled(rect, CornerRadius::same(18), theme::SCRIM);
    let builder = UiBuilder::new()
        .id_salt(("choices", who.id))
        .max_rect(rect.shrink(2.0))
        .layout(Layout::left_to_right(Align::Center));
    let mut line = ui.new_child(builder);
    line.spacing_mut().item_spacing.x = space::S;
    let name = scene.name(who.id, &who.name);
    let hear = if who.muted_here { (Icon::SpeakerOff, Text::UnmuteHere) } else { (Icon::Speaker, Text::MuteHere) };
    let see = if who.hidden_here { (Icon::EyeOff, Text::ShowHere) } else { (Icon::Eye, Text::HideHere) };
    let press = |line: &mut Ui, (icon, key): (Icon, Text)| {
        let words = scene.words.with_name(key, &name);
        icon_button_sized(line, icon, &words, 32.0, Weight::OnPicture).clicked()
    };
    let (hear, see) = (press(&mut line, hear), press(&mut line, see));
    let safety = is_contact && press(&mut line, (Icon::Verified, Text::SafetyOf));
    if hear {
        scene.send(Command::EnableAudio { on: who.muted_here, participant: Some(who.id) });
    }
    if see {
        scene.send(Command::EnableVideo { on: who.hidden_here, participant: Some(who.id) });
    }
    safety.then_some(who.id)
}
