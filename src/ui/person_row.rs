//! One row of the list of people: who it is, whether they are here, their last call, and the buttons that call.

use eframe::egui::{
    Align, CornerRadius, EventFilter, Id, Key, Layout, Modifiers, Popup, Rect, Response, Role, Sense, Ui, UiBuilder,
    WidgetInfo, pos2, vec2,
};

use crate::controller::{HistoryEntry, Person, PersonKind, RouteKind, VersionSkew};
use crate::identity::PeerId;

use super::asked::Asked;
use super::avatar;
use super::badge;
use super::buttons::{Weight, focus_ring, icon_button_sized, one_line};
use super::catalogue::{Text, Words};
use super::icons::Icon;
use super::keys;
use super::person_menu::person_menu;
use super::scene::Scene;
use super::theme::{Palette, Type, radius, space};
use super::wall_clock::LocalTime;

/// Height of a row in points.
pub const ROW_HEIGHT: f32 = 56.0;
const AVATAR: f32 = 40.0;
const BUTTON: f32 = 30.0;

/// Whether somebody is there, in words.
pub fn presence(person: &Person, words: Words) -> &'static str {
    words.get(match (person.blocked, person.kind, person.needs_newer, person.route) {
        (true, ..) => Text::Blocked,
        (false, PersonKind::Echo, ..) => Text::EchoAbout,
        (false, _, Some(VersionSkew::FarIsOlder), _) => Text::TheyNeedNewer,
        (false, _, Some(VersionSkew::OwnIsOlder), _) => Text::YouNeedNewer,
        (false, _, None, _) if !person.online => Text::Offline,
        (false, _, None, Some(RouteKind::Lan)) => Text::OnlineLan,
        (false, _, None, Some(RouteKind::Server)) => Text::OnlineServer,
        (false, _, None, Some(RouteKind::Local) | None) => Text::Online,
    })
}

/// `presence`, and a piece of the ID for whom the name does not tell: anybody can choose one, and two contacts can have
/// the same.
pub fn with_short_id(person: &Person, name: &str, presence: &str) -> String {
    let id = person.id.short();
    let is_told = match person.kind {
        PersonKind::Nearby | PersonKind::Blocked => name != id,
        PersonKind::Contact => person.shares_name,
        PersonKind::Echo => false,
    };
    if is_told { format!("{presence} · {id}") } else { presence.to_owned() }
}

/// State of a row in this frame.
#[derive(Clone, Copy, Debug)]
pub struct RowState<'a> {
    /// The person's card is open.
    pub selected: bool,
    /// Tab comes to this row.
    pub tab_stop: bool,
    /// The keyboard comes here now.
    pub take_focus: bool,
    /// Their last call.
    pub last_call: Option<&'a HistoryEntry>,
    /// Missed calls of theirs that nobody has looked at.
    pub missed: u32,
}

/// Outcome of a row.
#[derive(Debug, Default)]
pub struct RowPressed {
    /// Their card shall open.
    pub select: bool,
    /// A dialog.
    pub asked: Option<Asked>,
}

/// ID of a person's row in the list that `list` is the ID of.
pub fn row_id(list: Id, person: PeerId) -> Id {
    list.with(("person", person))
}

/// Draws the row into `rect`.
pub fn show(
    ui: &mut Ui,
    id: Id,
    rect: Rect,
    person: &Person,
    state: RowState<'_>,
    scene: &mut Scene<'_>,
) -> RowPressed {
    let palette = Palette::of(ui);
    let name = avatar::person_name(person, scene.words);
    let focused = ui.memory(|memory| memory.has_focus(id));
    let enter = focused && keys::pressed(ui, Modifiers::NONE, Key::Enter);
    let sense = if state.tab_stop || state.take_focus { Sense::click() } else { Sense::CLICK };
    let response = ui.interact(rect, id, sense);
    if state.take_focus {
        response.request_focus();
        ui.scroll_to_rect(rect.expand2(vec2(0.0, space::M)), None);
    }
    if focused {
        let arrows = EventFilter { vertical_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(id, arrows));
    }
    response
        .widget_info(|| WidgetInfo::selected(Role::ListItem, true, state.selected, said(person, &name, state, scene)));
    let callable = !person.blocked;
    let mut pressed = RowPressed { select: response.clicked(), asked: None };
    if callable && (enter || response.double_clicked()) {
        scene.invite(person.id, "", true);
    }
    let over = response.contains_pointer() || response.context_menu_opened();
    let ground = if state.selected { Some(palette.accent_soft) } else { over.then_some(palette.raised_hover) };
    if let Some(ground) = ground {
        ui.painter().rect_filled(rect, CornerRadius::same(radius::CONTROL), ground);
    }
    focus_ring(ui, &response, rect.shrink(2.0), radius::CONTROL);
    let shows_buttons = over || state.selected || focused || is_in_use(ui, id);
    let right = if shows_buttons {
        let edge = buttons(ui, id, rect, person, &name, scene, &mut pressed.asked);
        edge - space::XS
    } else {
        missed_badge(ui, rect, state.missed)
    };
    paint_person(ui, rect, (person, &name), ground.unwrap_or(palette.side), scene);
    paint_words(ui, Rect::from_min_max(rect.min, pos2(right, rect.bottom())), person, &name, state, scene);
    response.context_menu(|ui| pressed.asked = person_menu(ui, person, &name, scene).or(pressed.asked.take()));
    pressed
}

/// The row for assistive technology.
fn said(person: &Person, name: &str, state: RowState<'_>, scene: &Scene<'_>) -> String {
    let mut said = format!("{name}, {}", with_short_id(person, name, presence(person, scene.words)));
    let mut add = |part: &str| {
        said.push_str(", ");
        said.push_str(part);
    };
    if person.verified {
        add(scene.text(Text::Verified));
    }
    if person.favourite {
        add(scene.text(Text::Favourite));
    }
    if state.missed > 0 {
        add(&scene.words.fill(Text::MissedCount, &[("count", &state.missed.to_string())]));
    } else if let Some(when) = state.last_call.and_then(|call| when(call, scene)) {
        add(&scene.words.fill(Text::LastCall, &[("time", &when)]));
    }
    said
}

fn when(call: &HistoryEntry, scene: &Scene<'_>) -> Option<String> {
    let (then, now) = LocalTime::of(call.at_unix_s).zip(LocalTime::of(scene.now.unix_s))?;
    Some(then.said(now, scene.words))
}

fn buttons_id(row: Id) -> Id {
    row.with("buttons")
}

/// Whether one of the row's buttons had the keyboard, or its menu open, when they were drawn last.
fn is_in_use(ui: &Ui, row: Id) -> bool {
    ui.data(|data| data.get_temp(buttons_id(row))).unwrap_or(false)
}

/// Draws the buttons at the right; returns where they begin.
fn buttons(
    ui: &mut Ui,
    id: Id,
    rect: Rect,
    person: &Person,
    name: &str,
    scene: &mut Scene<'_>,
    asked: &mut Option<Asked>,
) -> f32 {
    let place = Rect::from_min_max(rect.min, rect.max - vec2(space::XS, 0.0));
    let builder = UiBuilder::new().id_salt(("buttons", person.id)).max_rect(place);
    // From the left, so that Tab goes as they are seen.
    let calls = if person.blocked { 0 } else { 2 };
    let count = calls + usize::from(person.kind != PersonKind::Echo);
    let left = place.right() - BUTTON * count as f32;
    let row = builder.layout(Layout::left_to_right(Align::Center));
    let mut line = ui.new_child(row.max_rect(Rect::from_min_max(pos2(left, place.top()), place.max)));
    line.spacing_mut().item_spacing.x = 0.0;
    let mut drawn: Vec<Response> = Vec::new();
    let mut menu_open = false;
    if !person.blocked {
        for (icon, key, with_video) in
            [(Icon::Camera, Text::CallVideoName, true), (Icon::Phone, Text::CallAudioName, false)]
        {
            let call = scene.words.with_name(key, name);
            let button = icon_button_sized(&mut line, icon, &call, BUTTON, Weight::Plain);
            if button.clicked() {
                scene.invite(person.id, "", with_video);
            }
            drawn.push(button);
        }
    }
    if person.kind != PersonKind::Echo {
        let more = scene.words.with_name(Text::More, name);
        let button = icon_button_sized(&mut line, Icon::More, &more, BUTTON, Weight::Plain);
        let menu = Popup::menu(&button).show(|ui| *asked = person_menu(ui, person, name, scene).or(asked.take()));
        menu_open = menu.is_some();
        drawn.push(button);
    }
    let in_use = menu_open || drawn.iter().any(Response::has_focus);
    ui.data_mut(|data| data.insert_temp(buttons_id(id), in_use));
    left
}

/// Draws how many calls were missed; returns where the words must end.
fn missed_badge(ui: &Ui, rect: Rect, missed: u32) -> f32 {
    let right = rect.right() - space::S;
    match missed {
        0 => right,
        missed => badge::paint(ui, pos2(right, rect.center().y), missed).left() - space::S,
    }
}

fn words_left(rect: Rect) -> f32 {
    rect.left() + space::S + AVATAR + space::M
}

fn paint_person(
    ui: &Ui,
    rect: Rect,
    (person, name): (&Person, &str),
    ground: eframe::egui::Color32,
    scene: &Scene<'_>,
) {
    let palette = Palette::of(ui);
    let center = pos2(rect.left() + space::S + AVATAR / 2.0, rect.center().y);
    let is_echo = person.kind == PersonKind::Echo;
    scene.avatar(ui.painter(), center, AVATAR, person.id, name);
    if person.online && !is_echo && !person.blocked {
        let dot = center + vec2(AVATAR * 0.36, AVATAR * 0.36);
        // The ring keeps it apart from an avatar of much the same colour.
        ui.painter().circle_filled(dot, 8.5, ground);
        ui.painter().circle_filled(dot, 5.5, palette.accent);
    }
}

fn paint_words(ui: &Ui, rect: Rect, person: &Person, name: &str, state: RowState<'_>, scene: &Scene<'_>) {
    let palette = Palette::of(ui);
    let left = words_left(rect);
    let room = (rect.right() - left).max(0.0);
    let here = person.online || person.kind == PersonKind::Echo;
    let ink = if here { palette.text } else { palette.text_soft };
    let title = one_line(ui, name, Type::Strong, ink, avatar::beside_mark(person, room));
    let when = state.last_call.and_then(|call| when(call, scene));
    let presence = presence(person, scene.words);
    let (detail, detail_ink) = match when {
        Some(when) if state.missed > 0 => (format!("{} · {when}", scene.text(Text::BriefMissed)), palette.danger_text),
        Some(when) if !person.shares_name && !person.blocked && person.needs_newer.is_none() => {
            // The heading above says already who is here.
            (if here { format!("{} · {when}", scene.text(Text::Online)) } else { when }, palette.text_soft)
        }
        _ => (with_short_id(person, name, presence), palette.text_soft),
    };
    let detail = one_line(ui, &detail, Type::Caption, detail_ink, room);
    let top = rect.center().y - (title.size().y + detail.size().y + 1.0) / 2.0;
    let below = top + title.size().y + 1.0;
    avatar::verified_mark(ui, person, Rect::from_min_size(pos2(left, top), title.size()), palette.accent);
    ui.painter().galley(pos2(left, top), title, ink);
    ui.painter().galley(pos2(left, below), detail, detail_ink);
}

#[cfg(test)]
mod tests {
    use eframe::egui;

    use super::*;
    use crate::store::Language;
    use crate::ui::theme;

    /// Least width of the list without its margins, and that in a window of 1100 points.
    const LISTS: [f32; 2] = [268.0 - 2.0 * space::L, 330.0 - 2.0 * space::L];

    #[test]
    fn echo_tells_its_use_in_a_row_of_any_width() {
        let ctx = egui::Context::default();
        theme::install(&ctx);
        for language in [Language::English, Language::SimplifiedChinese] {
            let about = Words::of(language, "").get(Text::EchoAbout);
            ctx.run_ui(egui::RawInput::default(), |ui| {
                let [narrow, usual] = LISTS.map(|width| width - words_left(Rect::ZERO));
                for room in [narrow - space::S, usual - 2.0 * BUTTON - 2.0 * space::XS] {
                    let line = one_line(ui, about, Type::Caption, egui::Color32::BLACK, room);
                    assert!(!line.elided, "{about} in {room}");
                }
            })
            .textures_delta
            .clear();
        }
    }
}
