//! The list at the left of home: Echo, the contacts, and apart from them the strangers on this network.

use eframe::egui::{
    self, Align, CornerRadius, Layout, Popup, Rect, Role, Sense, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use crate::controller::{Command, Person, PersonKind, RouteKind, VersionSkew};
use crate::identity::PeerId;

use super::asked::Asked;
use super::avatar;
use super::buttons::{TextButton, focus_ring, icon_button, icon_button_sized, one_line};
use super::catalogue::{Text, Words};
use super::fields;
use super::icons::Icon;
use super::scene::Scene;
use super::theme::{CONTROL_HEIGHT, Palette, Type, radius, space};

const ROW_HEIGHT: f32 = 56.0;
const AVATAR: f32 = 40.0;

/// State of the list between frames.
#[derive(Debug, Default)]
pub struct PeopleList {
    search: String,
    /// ID of the selected person.
    pub selected: Option<PeerId>,
}

/// Whether somebody of this name and ID is found by `query`: a part of the name, whatever its case, or the ID's start.
pub fn is_found(name: &str, id: PeerId, query: &str) -> bool {
    let query = query.trim().to_lowercase();
    query.is_empty() || name.to_lowercase().contains(&query) || id.to_string().starts_with(&query)
}

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

/// `presence`, and for a person who is no contact a piece of the ID: anybody can choose a name.
pub fn with_short_id(person: &Person, name: &str, presence: &str) -> String {
    let id = person.id.short();
    match person.kind {
        PersonKind::Nearby | PersonKind::Blocked if name != id => format!("{presence} · {id}"),
        _ => presence.to_owned(),
    }
}

impl PeopleList {
    /// Draws search and list; returns the request for a dialog.
    pub fn show(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) -> Option<Asked> {
        let mut asked = None;
        ui.horizontal(|ui| {
            let width = ui.available_width() - CONTROL_HEIGHT - space::S;
            let name = scene.text(Text::Search);
            fields::text_field(ui, &mut self.search, name, name, Some(Icon::Search), width);
            if icon_button(ui, Icon::PersonPlus, scene.text(Text::AddContact)).clicked() {
                asked = Some(Asked::AddContact);
            }
        });
        ui.add_space(space::XS);
        egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            asked = self.rows(ui, scene).or(asked.take());
        });
        asked
    }

    fn rows(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) -> Option<Asked> {
        let snapshot = scene.snapshot;
        let found = |person: &&Person| is_found(&avatar::person_name(person, scene.words), person.id, &self.search);
        let of_kind = |kind| snapshot.people.iter().filter(move |person| person.kind == kind);
        let echo: Vec<_> = of_kind(PersonKind::Echo).filter(found).collect();
        let contacts: Vec<_> = of_kind(PersonKind::Contact).filter(found).collect();
        let nearby: Vec<_> = of_kind(PersonKind::Nearby).filter(found).collect();
        let blocked: Vec<_> = of_kind(PersonKind::Blocked).filter(found).collect();
        let mut asked = None;
        for person in &echo {
            asked = self.row(ui, person, scene).or(asked);
        }
        let sections = [(Text::Contacts, &contacts), (Text::OnThisNetwork, &nearby), (Text::Blocked, &blocked)];
        for (title, people) in sections.into_iter().filter(|(_, people)| !people.is_empty()) {
            section(ui, scene.text(title));
            for person in people {
                asked = self.row(ui, person, scene).or(asked);
            }
        }
        let found_nobody = echo.is_empty() && sections.iter().all(|(_, people)| people.is_empty());
        if !self.search.trim().is_empty() && found_nobody {
            nothing(ui, "", scene.text(Text::NoMatch));
        } else if of_kind(PersonKind::Contact).next().is_none() && self.search.trim().is_empty() {
            nothing(ui, scene.text(Text::NoContactsTitle), scene.text(Text::NoContacts));
            ui.horizontal(|ui| {
                ui.add_space(space::S);
                if TextButton::new(scene.text(Text::AddContact)).icon(Icon::PersonPlus).show(ui).clicked() {
                    asked = Some(Asked::AddContact);
                }
            });
        }
        asked
    }

    fn row(&mut self, ui: &mut Ui, person: &Person, scene: &mut Scene<'_>) -> Option<Asked> {
        let palette = Palette::of(ui);
        let name = avatar::person_name(person, scene.words);
        let presence = presence(person, scene.words);
        let (_, rect) = ui.allocate_space(vec2(ui.available_width(), ROW_HEIGHT));
        let response = ui.interact(rect, ui.scope_id().with(("person", person.id)), Sense::click());
        let holds = self.selected == Some(person.id);
        let mark = if person.verified { format!(", {}", scene.text(Text::Verified)) } else { String::new() };
        response.widget_info(|| WidgetInfo::selected(Role::ListItem, true, holds, format!("{name}, {presence}{mark}")));
        if response.clicked() {
            self.selected = Some(person.id);
        }
        let over = response.contains_pointer() || response.context_menu_opened();
        let ground = if holds { Some(palette.accent_soft) } else { over.then_some(palette.raised_hover) };
        if let Some(ground) = ground {
            ui.painter().rect_filled(rect, CornerRadius::same(radius::CONTROL), ground);
        }
        focus_ring(ui, &response, rect.shrink(2.0), radius::CONTROL);
        let center = pos2(rect.left() + space::S + AVATAR / 2.0, rect.center().y);
        let is_echo = person.kind == PersonKind::Echo;
        avatar::paint_kind(ui.painter(), center, AVATAR, person.id, &name, is_echo);
        if person.online && !is_echo && !person.blocked {
            let dot = center + vec2(AVATAR * 0.36, AVATAR * 0.36);
            // The ring keeps it apart from an avatar of much the same colour.
            ui.painter().circle_filled(dot, 8.5, ground.unwrap_or(palette.side));
            ui.painter().circle_filled(dot, 5.5, palette.accent);
        }
        let has_menu = !is_echo;
        let left = center.x + AVATAR / 2.0 + space::M;
        let room = rect.right() - left - space::S - if has_menu && (over || holds) { 34.0 } else { 0.0 };
        let ink = if person.online || is_echo { palette.text } else { palette.text_soft };
        let title = one_line(ui, &name, Type::Strong, ink, avatar::beside_mark(person, room));
        let detail = with_short_id(person, &name, presence);
        let detail = one_line(ui, &detail, Type::Caption, palette.text_soft, room);
        let top = rect.center().y - (title.size().y + detail.size().y + 1.0) / 2.0;
        let below = top + title.size().y + 1.0;
        avatar::verified_mark(ui, person, Rect::from_min_size(pos2(left, top), title.size()), palette.accent);
        ui.painter().galley(pos2(left, top), title, ink);
        ui.painter().galley(pos2(left, below), detail, palette.text_soft);
        if !has_menu {
            return None;
        }
        let mut asked = None;
        let menu_rect = Rect::from_center_size(pos2(rect.right() - 20.0, rect.center().y), vec2(32.0, 32.0));
        let mut corner = ui.new_child(
            UiBuilder::new()
                .id_salt(("more", person.id))
                .max_rect(menu_rect)
                .layout(Layout::left_to_right(Align::Center)),
        );
        let tabbed_to = ui.memory(|memory| memory.has_focus(corner.next_auto_id()));
        let shown = over || holds || response.has_focus() || tabbed_to;
        if !shown {
            corner.set_opacity(0.0);
        }
        let more = scene.words.with_name(Text::More, &name);
        let button = icon_button_sized(&mut corner, Icon::More, &more, 32.0, super::buttons::Weight::Plain);
        Popup::menu(&button).show(|ui| asked = person_menu(ui, person, &name, scene));
        response.context_menu(|ui| asked = person_menu(ui, person, &name, scene).or(asked.take()));
        asked
    }
}

/// Actions on a person besides calling them.
pub fn person_menu(ui: &mut Ui, person: &Person, name: &str, scene: &mut Scene<'_>) -> Option<Asked> {
    let mut asked = None;
    ui.set_min_width(190.0);
    ui.spacing_mut().button_padding = vec2(space::M, space::S);
    ui.spacing_mut().item_spacing.y = 2.0;
    let id = person.id;
    match person.kind {
        PersonKind::Contact => {
            if ui.button(scene.text(Text::Rename)).clicked() {
                asked = Some(Asked::Rename { id, name: name.to_owned() });
            }
            if ui.button(scene.text(Text::SafetyNumber)).clicked() {
                asked = Some(Asked::Safety(id));
            }
        }
        PersonKind::Nearby | PersonKind::Blocked => {
            if ui.button(scene.text(Text::AddToContacts)).clicked() {
                scene.send(Command::AddContact { link: id.to_string() });
            }
        }
        PersonKind::Echo => return None,
    }
    if ui.button(scene.text(Text::CopyId)).clicked() {
        ui.ctx().copy_text(id.to_string());
    }
    let block = if person.blocked { Text::Unblock } else { Text::Block };
    if ui.button(scene.text(block)).clicked() {
        scene.send(Command::BlockContact { id, on: !person.blocked });
    }
    if person.kind == PersonKind::Contact {
        let danger = Palette::of(ui).danger_text;
        if ui.button(Type::Body.text(scene.text(Text::Remove), danger)).clicked() {
            asked = Some(Asked::Remove { id, name: name.to_owned() });
        }
    }
    asked
}

fn section(ui: &mut Ui, title: &str) {
    ui.add_space(space::M);
    ui.horizontal(|ui| {
        ui.add_space(space::S);
        ui.label(Type::Caption.text(title, Palette::of(ui).text_soft));
    });
}

/// Text of an empty list.
pub fn nothing(ui: &mut Ui, title: &str, detail: &str) {
    let palette = Palette::of(ui);
    egui::Frame::new().inner_margin(egui::Margin::symmetric(8, 12)).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = space::XS;
        if !title.is_empty() {
            ui.label(Type::Strong.text(title, palette.text));
        }
        ui.label(Type::Body.text(detail, palette.text_soft));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_finds_parts_of_names_and_the_start_of_an_id() {
        let id = PeerId::from_bytes([3; 32]);
        assert!(is_found("Ana María", id, "  mar "));
        assert!(is_found("王小明", id, "小"));
        assert!(is_found("Ana", id, &id.short()));
        assert!(is_found("Ana", id, ""));
        assert!(!is_found("Ana", id, "bo"));
    }
}
