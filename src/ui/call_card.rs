//! The card of the selected person at the bottom of home: a note, and Call with video or audio.

use std::sync::Arc;

use eframe::egui::{
    Align, CornerRadius, Galley, Key, Layout, Popup, Pos2, Rect, Stroke, StrokeKind, Ui, UiBuilder, pos2, vec2,
};

use crate::controller::{Command, Person, PersonKind};
use crate::identity::PeerId;

use super::avatar;
use super::buttons::{TextButton, Weight, icon_button, one_line, painted_words};
use super::catalogue::Text;
use super::fields;
use super::icons::Icon;
use super::people_list;
use super::scene::Scene;
use super::theme::{CONTROL_HEIGHT, Palette, Type, radius, space};

/// Longest note of an invite, in bytes.
const NOTE_BYTES: usize = 1024;

/// Below this width (points) the note and the buttons take a row each.
const WIDE: f32 = 640.0;

/// State of the card between frames.
#[derive(Debug, Default)]
pub struct CallCard {
    note: String,
    of: Option<PeerId>,
}

/// Cuts `note` to the bound of an invite, at a character's end.
fn held_to_limit(note: &mut String) {
    if note.len() > NOTE_BYTES {
        let end = (0..=NOTE_BYTES).rev().find(|&end| note.is_char_boundary(end)).unwrap_or(0);
        note.truncate(end);
    }
}

fn ground(ui: &Ui, rect: Rect) {
    let palette = Palette::of(ui);
    let corner = CornerRadius::same(radius::CARD);
    ui.painter().rect_filled(rect, corner, palette.surface);
    ui.painter().rect_stroke(rect, corner, Stroke::new(1.0, palette.line), StrokeKind::Inside);
}

fn row(rect: Rect, top: f32, height: f32) -> Rect {
    Rect::from_min_size(pos2(rect.left(), top), vec2(rect.width(), height))
}

/// A heading and the line under it, painted.
fn two_lines(ui: &Ui, at: Pos2, title: (&str, Arc<Galley>), detail: (&str, Arc<Galley>)) {
    let palette = Palette::of(ui);
    let below = at + vec2(0.0, title.1.size().y + 1.0);
    for (at, (words, galley), ink) in [(at, title, palette.text), (below, detail, palette.text_soft)] {
        painted_words(ui, Rect::from_min_size(at, galley.size()), words);
        ui.painter().galley(at, galley, ink);
    }
}

impl CallCard {
    /// How high the card is in points.
    pub fn height(width: f32, with_person: bool) -> f32 {
        let rows = if !with_person {
            44.0
        } else if width >= WIDE {
            44.0 + space::M + CONTROL_HEIGHT
        } else {
            44.0 + 2.0 * (space::M + CONTROL_HEIGHT)
        };
        rows + 2.0 * space::L
    }

    /// Text of the card while nobody is selected.
    pub fn show_empty(ui: &mut Ui, rect: Rect, scene: &mut Scene<'_>) {
        ground(ui, rect);
        let palette = Palette::of(ui);
        let inner = rect.shrink(space::L);
        let echo = scene.snapshot.people.iter().find(|person| person.kind == PersonKind::Echo).map(|person| person.id);
        let mut edge = inner.right();
        if let Some(echo) = echo {
            let builder = UiBuilder::new().id_salt("echo").max_rect(inner).layout(Layout::right_to_left(Align::Center));
            let mut corner = ui.new_child(builder);
            if TextButton::new(scene.text(Text::TryEcho)).icon(Icon::Waves).show(&mut corner).clicked() {
                scene.invite(echo, "", true);
            }
            edge = corner.min_rect().left() - space::M;
        }
        let room = edge - inner.left();
        let words = [Text::PickSomeone, Text::PickSomeoneDetail].map(|key| scene.text(key));
        let title = one_line(ui, words[0], Type::Strong, palette.text, room);
        let detail = one_line(ui, words[1], Type::Body, palette.text_soft, room);
        let top = inner.center().y - (title.size().y + detail.size().y + 2.0) / 2.0;
        two_lines(ui, pos2(inner.left(), top), (words[0], title), (words[1], detail));
    }

    /// Draws the card of `person`; false when it should close.
    pub fn show(&mut self, ui: &mut Ui, rect: Rect, person: &Person, scene: &mut Scene<'_>) -> bool {
        if self.of != Some(person.id) {
            *self = Self { note: String::new(), of: Some(person.id) };
        }
        ground(ui, rect);
        let inner = rect.shrink(space::L);
        let name = avatar::person_name(person, scene.words);
        let stays = Self::head(ui, row(inner, inner.top(), 44.0), person, &name, scene);
        let below = inner.top() + 44.0 + space::M;
        if inner.width() + 2.0 * space::L >= WIDE {
            let line = row(inner, below, CONTROL_HEIGHT);
            let edge = self.buttons(ui, line, person, scene, false);
            let place = Rect::from_min_max(line.min, pos2(edge - space::S, line.bottom()));
            self.note_field(ui, place, person, scene);
        } else {
            self.note_field(ui, row(inner, below, CONTROL_HEIGHT), person, scene);
            self.buttons(ui, row(inner, below + CONTROL_HEIGHT + space::M, CONTROL_HEIGHT), person, scene, true);
        }
        stays
    }

    fn head(ui: &mut Ui, rect: Rect, person: &Person, name: &str, scene: &mut Scene<'_>) -> bool {
        let palette = Palette::of(ui);
        let is_echo = person.kind == PersonKind::Echo;
        avatar::paint_kind(ui.painter(), rect.left_center() + vec2(22.0, 0.0), 44.0, person.id, name, is_echo);
        let builder = UiBuilder::new().id_salt("head").max_rect(rect).layout(Layout::right_to_left(Align::Center));
        let mut corner = ui.new_child(builder);
        corner.spacing_mut().item_spacing.x = 0.0;
        let stays = !icon_button(&mut corner, Icon::Close, scene.text(Text::Close)).clicked();
        if matches!(person.kind, PersonKind::Nearby | PersonKind::Blocked) {
            let add = scene.text(Text::AddToContacts);
            if icon_button(&mut corner, Icon::PersonPlus, add).clicked() {
                scene.send(Command::AddContact { link: person.id.to_string() });
            }
        }
        let left = rect.left() + 44.0 + space::M;
        let room = corner.min_rect().left() - left - space::S;
        let hint = match (person.blocked, person.needs_newer, person.online || is_echo) {
            (true, ..) => scene.words.with_name(Text::BlockedHint, name),
            (false, Some(skew), _) => scene.words.needs_newer(skew, name),
            (false, None, false) => scene.words.with_name(Text::OfflineHint, name),
            (false, None, true) => people_list::with_short_id(person, name, people_list::presence(person, scene.words)),
        };
        let title = one_line(ui, name, Type::Title, palette.text, avatar::beside_mark(person, room));
        let detail = one_line(ui, &hint, Type::Caption, palette.text_soft, room);
        let top = rect.center().y - (title.size().y + detail.size().y) / 2.0;
        avatar::verified_mark(ui, person, Rect::from_min_size(pos2(left, top), title.size()), palette.accent);
        two_lines(ui, pos2(left, top), (name, title), (&hint, detail));
        stays
    }

    /// Draws the field; Enter in it calls with video.
    fn note_field(&mut self, ui: &mut Ui, rect: Rect, person: &Person, scene: &mut Scene<'_>) {
        let mut place = ui.new_child(UiBuilder::new().id_salt("note").max_rect(rect));
        let (name, hint) = (scene.text(Text::NoteField), scene.text(Text::NoteHint));
        let field = fields::text_field(&mut place, &mut self.note, name, hint, None, rect.width());
        held_to_limit(&mut self.note);
        let enter = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        if enter && !person.blocked {
            self.call(ui, person, scene, true);
        }
    }

    /// Draws the two buttons; returns where they begin.
    fn buttons(&mut self, ui: &mut Ui, rect: Rect, person: &Person, scene: &mut Scene<'_>, fill: bool) -> f32 {
        let builder = UiBuilder::new().id_salt("call").max_rect(rect).layout(Layout::right_to_left(Align::Center));
        let mut line = ui.new_child(builder);
        if person.blocked {
            let unblock = TextButton::new(scene.text(Text::Unblock)).icon(Icon::Block);
            if unblock.show(&mut line).clicked() {
                scene.send(Command::BlockContact { id: person.id, on: false });
            }
            return line.min_rect().left();
        }
        let mut video = TextButton::new(scene.text(Text::CallWithVideo)).icon(Icon::Camera).weight(Weight::Primary);
        let mut audio = TextButton::new(scene.text(Text::CallWithAudio)).icon(Icon::Phone);
        if fill {
            let half = (rect.width() - space::S) / 2.0;
            (video, audio) = (video.width(half), audio.width(half));
        }
        let pressed = [(video, true), (audio, false)]
            .map(|(button, with_video)| button.show(&mut line).clicked().then_some(with_video));
        if let Some(with_video) = pressed.into_iter().flatten().next() {
            self.call(ui, person, scene, with_video);
        }
        line.min_rect().left()
    }

    fn call(&mut self, ui: &Ui, person: &Person, scene: &mut Scene<'_>, with_video: bool) {
        scene.invite(person.id, &self.note, with_video);
        self.note.clear();
        Popup::close_all(ui.ctx());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_cut_at_a_characters_end() {
        let mut note = "é".repeat(600);
        note.insert(0, 'a');
        held_to_limit(&mut note);
        assert_eq!(note.len(), 1023);
        assert!(note.ends_with('é'));
    }
}
