//! The list at the left of home: a search, then Echo, favourites, whoever is here, and whoever is not.
//!
//! The rows stay where they are while the pointer is over them or one of them has the keyboard, so that nobody presses
//! on a person who has just come. Tab comes to one row alone; arrows go from row to row.

use std::collections::HashMap;

use eframe::egui::{self, Id, Key, Modifiers, Rect, Response, Role, Sense, Ui, UiBuilder, WidgetInfo, pos2, vec2};

use crate::controller::{Person, PersonKind};
use crate::identity::{PeerId, is_spelled};

use super::asked::Asked;
use super::avatar;
use super::buttons::{TextButton, Weight, focus_ring, icon_button, icon_button_sized, one_line};
use super::calls_by_person::CallsByPerson;
use super::catalogue::{Text, Words};
use super::fields;
use super::icons::Icon;
use super::keys;
use super::people_order::{self, Line, Section};
use super::person_row::{self, ROW_HEIGHT, RowState, row_id};
use super::scene::Scene;
use super::theme::{CONTROL_HEIGHT, Palette, Type, radius, space};

const HEADING_HEIGHT: f32 = 30.0;
const GAP: f32 = 2.0;

/// State of the list between frames.
#[derive(Debug, Default)]
pub struct PeopleList {
    search: String,
    /// ID of the selected person.
    pub selected: Option<PeerId>,
    /// The lines as they were drawn last.
    lines: Vec<Line>,
    /// The people of these lines, as they were last: a held row stays when its person is gone.
    people: HashMap<PeerId, Person>,
    /// Input of the lines as they stand; `None` before the first drawing.
    arranged: Option<Arrangement>,
    calls: CallsByPerson,
    /// The pointer was over the list, or a row had the keyboard.
    holds: bool,
    /// Something was pressed that moves the rows at once.
    rearrange: bool,
    /// The field had the keyboard.
    searching: bool,
    /// The field shall have it.
    to_search: bool,
    /// The row that Tab comes to.
    tab_stop: Option<PeerId>,
    /// The row that shall have the keyboard.
    to_row: Option<PeerId>,
}

/// Everything that the lines depend on.
#[derive(Debug)]
struct Arrangement {
    people: Vec<Person>,
    search: String,
    folded: Option<bool>,
    words: Words,
    /// Rows may move.
    moves: bool,
}

impl Arrangement {
    /// Whether nothing has changed since; compared in place, because each frame asks.
    fn is_of(&self, scene: &Scene<'_>, search: &str, moves: bool) -> bool {
        (self.moves, self.words, self.folded) == (moves, scene.words, scene.snapshot.settings.offline_folded)
            && self.search == search
            && self.people == scene.snapshot.people
    }
}

/// Whether somebody of this name and ID is found by `query`: by the name or its spelling, or by the ID's start.
fn is_found(name: &str, id: PeerId, query: &str) -> bool {
    is_spelled(name, query) || id.to_string().starts_with(&query.trim().to_lowercase())
}

impl PeopleList {
    /// Gives the search field the keyboard.
    pub fn focus_search(&mut self) {
        self.to_search = true;
    }

    /// Draws search and list; returns the request for a dialog.
    pub fn show(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) -> Option<Asked> {
        self.arrange(scene);
        let mut asked = self.take_search_keys(ui, scene);
        ui.horizontal(|ui| {
            let width = ui.available_width() - CONTROL_HEIGHT - space::S;
            self.search_field(ui, width, scene);
            if icon_button(ui, Icon::PersonPlus, scene.text(Text::AddContact)).clicked() {
                asked = Some(Asked::AddContact);
            }
        });
        ui.add_space(space::XS);
        let area = ui.available_rect_before_wrap();
        egui::ScrollArea::vertical().auto_shrink(false).show_viewport(ui, |ui, viewport| {
            asked = self.rows(ui, viewport, scene).or(asked.take());
            self.notes(ui, scene, &mut asked);
        });
        self.holds = self.to_row.is_some()
            || self.has_keyboard(ui)
            || (ui.rect_contains_pointer(area) && ui.input(|input| input.pointer.has_pointer()));
        asked
    }

    /// Puts the lines in order, or leaves them where they are, when something has changed.
    fn arrange(&mut self, scene: &Scene<'_>) {
        let moves = std::mem::take(&mut self.rearrange) || !self.holds;
        let is_done = |done: &Arrangement| done.is_of(scene, &self.search, moves);
        if !self.arranged.as_ref().is_some_and(is_done) {
            self.arrange_anew(scene, moves);
        }
        let is_listed = |id: &PeerId| self.people.contains_key(id);
        self.tab_stop = self
            .tab_stop
            .filter(is_listed)
            .or(self.selected.filter(is_listed))
            .or_else(|| self.lines.iter().find_map(people_order::person_of));
    }

    fn arrange_anew(&mut self, scene: &Scene<'_>, moves: bool) {
        let words = scene.words;
        let folded = scene.snapshot.settings.offline_folded;
        let searching = !self.search.trim().is_empty();
        let found = |person: &&Person| is_found(&avatar::person_name(person, words), person.id, &self.search);
        // Once each: the sections go through them several times.
        let people: Vec<&Person> = scene.snapshot.people.iter().filter(found).collect();
        let fresh = people_order::arranged(people.iter().copied(), folded, searching);
        self.lines = if moves { fresh } else { people_order::held(&self.lines, &fresh) };
        let mut before = std::mem::take(&mut self.people);
        let now: HashMap<PeerId, &Person> = scene.snapshot.people.iter().map(|person| (person.id, person)).collect();
        for id in self.lines.iter().filter_map(people_order::person_of) {
            let person = now.get(&id).copied().cloned().or_else(|| before.remove(&id).map(gone));
            self.people.extend(person.map(|person| (id, person)));
        }
        let (people, search) = (scene.snapshot.people.clone(), self.search.clone());
        self.arranged = Some(Arrangement { people, search, folded, words, moves });
    }

    /// Forgets the search, as somebody is called; the list is whole after the call, and they are selected.
    pub fn end_search(&mut self, called: PeerId) {
        if !self.search.is_empty() {
            self.search.clear();
            self.rearrange = true;
            self.selected = Some(called);
        }
    }

    /// Keys of the search field, taken before the field sees them.
    fn take_search_keys(&mut self, ui: &Ui, scene: &Scene<'_>) -> Option<Asked> {
        if !self.searching {
            return None;
        }
        let first = self.lines.iter().find_map(people_order::person_of);
        if keys::pressed(ui, Modifiers::NONE, Key::ArrowDown) {
            self.to_row = first;
        }
        if !self.search.is_empty() && keys::pressed(ui, Modifiers::NONE, Key::Escape) {
            self.clear_search();
        }
        let searched = !self.search.trim().is_empty();
        if searched && keys::pressed(ui, Modifiers::NONE, Key::Enter) {
            let first = first.filter(|id| scene.person(*id).is_some());
            self.to_search = first.is_none();
            return first.map(Asked::Note);
        }
        None
    }

    fn clear_search(&mut self) {
        self.search.clear();
        self.rearrange = true;
        self.to_search = true;
    }

    fn search_field(&mut self, ui: &mut Ui, width: f32, scene: &Scene<'_>) {
        let name = scene.text(Text::Search);
        let filled = !self.search.is_empty();
        let field = fields::text_field(ui, &mut self.search, name, name, Some(Icon::Search), width);
        if std::mem::take(&mut self.to_search) {
            field.request_focus();
        }
        self.rearrange |= field.changed();
        self.searching = field.has_focus();
        if filled {
            let center = pos2(field.rect.right() - 2.0, field.rect.center().y);
            let place = Rect::from_center_size(center, vec2(24.0, 24.0));
            let mut corner = ui.new_child(UiBuilder::new().id_salt("clear search").max_rect(place));
            let clear = scene.text(Text::ClearSearch);
            if icon_button_sized(&mut corner, Icon::Close, clear, 24.0, Weight::Plain).clicked() {
                self.clear_search();
            }
        }
    }

    /// Whether a row has the keyboard, in the list whose ID is kept in the window's memory.
    fn has_keyboard(&self, ui: &Ui) -> bool {
        let list: Option<Id> = ui.data(|data| data.get_temp(list_key()));
        let focused = ui.memory(|memory| memory.focused());
        let row = |id: &PeerId| list.map(|list| row_id(list, *id));
        focused.is_some() && self.people.keys().any(|id| row(id) == focused)
    }

    /// Draws the lines that can be seen.
    fn rows(&mut self, ui: &mut Ui, viewport: Rect, scene: &mut Scene<'_>) -> Option<Asked> {
        let list = ui.unique_id();
        ui.data_mut(|data| data.insert_temp(list_key(), list));
        let label = scene.text(Text::People);
        ui.ctx().accesskit_node_builder(list, |node| {
            node.set_role(Role::List);
            node.set_label(label);
        });
        self.take_row_keys(ui, list);
        self.calls.follow(&scene.snapshot.history);
        let mut asked = None;
        let mut top = ui.min_rect().top();
        let (left, width) = (ui.min_rect().left(), ui.available_width());
        let seen = viewport.translate(ui.min_rect().min.to_vec2()).expand(ROW_HEIGHT);
        let (lines, people) = (std::mem::take(&mut self.lines), std::mem::take(&mut self.people));
        for line in &lines {
            let height = if matches!(line, Line::Person(_)) { ROW_HEIGHT } else { HEADING_HEIGHT };
            let rect = Rect::from_min_size(pos2(left, top), vec2(width, height));
            top += height + GAP;
            let needed = people_order::person_of(line)
                .is_some_and(|id| self.to_row == Some(id) || ui.memory(|memory| memory.has_focus(row_id(list, id))));
            if !needed && !seen.intersects(rect) {
                continue;
            }
            match line {
                Line::Heading { section, count, folded } => {
                    self.heading(ui, rect, (*section, *count, *folded), scene);
                }
                Line::Person(id) => {
                    let person = people.get(id);
                    asked = person.and_then(|person| self.person(ui, list, rect, person, scene)).or(asked);
                }
            }
        }
        (self.lines, self.people) = (lines, people);
        let height = (top - ui.min_rect().top() - GAP).max(0.0);
        ui.allocate_space(vec2(width, height));
        asked
    }

    /// Arrows of the row that has the keyboard; up from the first one is the search.
    fn take_row_keys(&mut self, ui: &Ui, list: Id) {
        let Some(at) = self.tab_stop.filter(|id| ui.memory(|memory| memory.has_focus(row_id(list, *id)))) else {
            return;
        };
        let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        for (key, down) in [(Key::ArrowDown, true), (Key::ArrowUp, false)] {
            if pressed(key) {
                self.to_row = people_order::neighbour(&self.lines, at, down);
                self.to_search = self.to_row.is_none() && !down;
            }
        }
        if !self.search.is_empty() && keys::pressed(ui, Modifiers::NONE, Key::Escape) {
            self.clear_search();
        }
    }

    fn person(&mut self, ui: &mut Ui, list: Id, rect: Rect, person: &Person, scene: &mut Scene<'_>) -> Option<Asked> {
        let id = person.id;
        let take_focus = self.to_row == Some(id);
        if take_focus {
            self.to_row = None;
            self.tab_stop = Some(id);
        }
        let (last_call, missed) = self.calls.with(id);
        let state = RowState {
            selected: self.selected == Some(id),
            tab_stop: self.tab_stop == Some(id),
            take_focus,
            last_call,
            missed,
        };
        let pressed = person_row::show(ui, row_id(list, id), rect, person, state, scene);
        if pressed.select {
            self.selected = Some(id);
            self.tab_stop = Some(id);
        }
        pressed.asked
    }

    /// Draws the heading of a section; the one of those who are offline folds them.
    fn heading(
        &mut self,
        ui: &mut Ui,
        rect: Rect,
        (section, count, folded): (Section, usize, bool),
        scene: &mut Scene<'_>,
    ) {
        let Some(title) = section.title() else { return };
        let palette = Palette::of(ui);
        let can_fold = section == Section::Offline && self.search.trim().is_empty();
        let words = match section {
            Section::Offline => scene.words.fill(Text::OfflineCount, &[("count", &count.to_string())]),
            _ => scene.text(title).to_owned(),
        };
        let id = ui.scope_id().with(("heading", section.title(), rect.top() as i32));
        let sense = if can_fold { Sense::click() } else { Sense::hover() };
        let response = ui.interact(rect, id, sense);
        name_heading(&response, can_fold.then_some(folded), &words);
        let inner = rect.shrink2(vec2(space::S, 0.0));
        let at = inner.bottom() - 9.0;
        let mut left = inner.left();
        if can_fold {
            let ink = if response.hovered() { palette.text } else { palette.text_soft };
            let icon = if folded { Icon::Unfold } else { Icon::Fold };
            icon.paint(ui.painter(), pos2(left + 6.0, at), 14.0, ink);
            left += 12.0 + space::XS;
            focus_ring(ui, &response, rect.shrink2(vec2(2.0, 3.0)), radius::CONTROL);
        }
        let text = one_line(ui, &words, Type::Caption, palette.text_soft, inner.right() - left);
        ui.painter().galley(pos2(left, at - text.size().y / 2.0), text, palette.text_soft);
        if can_fold && response.clicked() {
            self.rearrange = true;
            scene.change_settings(|settings| settings.offline_folded = Some(!folded));
        }
    }

    /// Words where there is nobody.
    fn notes(&self, ui: &mut Ui, scene: &Scene<'_>, asked: &mut Option<Asked>) {
        let searching = !self.search.trim().is_empty();
        let kinds = || scene.snapshot.people.iter().map(|person| person.kind);
        if searching && self.lines.is_empty() {
            nothing(ui, "", scene.text(Text::NoMatch));
        } else if !searching && kinds().all(|kind| kind == PersonKind::Echo) {
            nothing(ui, scene.text(Text::NoContactsTitle), scene.text(Text::NoContacts));
            ui.horizontal(|ui| {
                ui.add_space(space::S);
                if TextButton::new(scene.text(Text::AddContact)).icon(Icon::PersonPlus).show(ui).clicked() {
                    *asked = Some(Asked::AddContact);
                }
            });
        }
    }
}

/// Somebody who has gone from the snapshot, for as long as their row is held.
fn gone(person: Person) -> Person {
    Person { online: false, route: None, needs_newer: None, ..person }
}

/// Key of the list's ID in the window's memory.
fn list_key() -> Id {
    Id::unique("people-list")
}

fn name_heading(response: &Response, folded: Option<bool>, words: &str) {
    response.widget_info(|| match folded {
        Some(_) => WidgetInfo::labeled(Role::Button, true, words),
        None => WidgetInfo::labeled(Role::Heading, true, words),
    });
    if let Some(folded) = folded {
        response.ctx.accesskit_node_builder(response.id, |node| node.set_expanded(!folded));
    }
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
