//! The card of the selected person at the bottom of home: a note, and Call with video or audio.

use std::sync::Arc;

use eframe::egui::{
    Align, CornerRadius, Galley, Key, Layout, Popup, Pos2, Rect, Stroke, StrokeKind, Ui, UiBuilder, pos2, vec2,
};

use crate::controller::{Command, Person, PersonKind};
use crate::identity::PeerId;

use super::avatar;
use super::buttons::{TextButton, Weight, icon_button, one_line, painted_words, wrapped};
use super::catalogue::Text;
use super::fields;
use super::icons::Icon;
use super::person_row;
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
    /// The note shall have the keyboard.
    to_note: bool,
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
    pub fn height(width: f32, person: Option<&Person>, low: bool) -> f32 {
        let has_note = !low && person.is_some_and(|person| person.kind != PersonKind::Echo);
        let rows = if person.is_none() {
            44.0
        } else if width >= WIDE || !has_note {
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
        if title.elided {
            // The heading alone has room on two lines.
            let title = wrapped(ui, words[0], Type::Strong, palette.text, room);
            let at = pos2(inner.left(), inner.center().y - title.size().y / 2.0);
            painted_words(ui, Rect::from_min_size(at, title.size()), words[0]);
            ui.painter().galley(at, title, palette.text);
            return;
        }
        let detail = one_line(ui, words[1], Type::Body, palette.text_soft, room);
        let top = inner.center().y - (title.size().y + detail.size().y + 2.0) / 2.0;
        two_lines(ui, pos2(inner.left(), top), (words[0], title), (words[1], detail));
    }

    /// Gives the note the keyboard when the card is drawn next.
    pub fn focus_note(&mut self) {
        self.to_note = true;
    }

    /// Draws the card of `person`; false when it should close. A `low` window has no room for the note, and Echo reads
    /// none.
    pub fn show(&mut self, ui: &mut Ui, rect: Rect, person: &Person, scene: &mut Scene<'_>, low: bool) -> bool {
        if self.of != Some(person.id) {
            *self = Self { note: String::new(), of: Some(person.id), to_note: self.to_note };
        }
        ground(ui, rect);
        let inner = rect.shrink(space::L);
        let name = avatar::person_name(person, scene.words);
        let stays = Self::head(ui, row(inner, inner.top(), 44.0), person, &name, scene);
        let below = inner.top() + 44.0 + space::M;
        let line = row(inner, below, CONTROL_HEIGHT);
        let wide = inner.width() + 2.0 * space::L >= WIDE;
        if low || person.kind == PersonKind::Echo {
            self.buttons(ui, line, person, scene, !wide);
        } else if wide {
            let place = Rect::from_min_max(line.min, pos2(Self::buttons_left(ui, line, person, scene), line.bottom()));
            self.note_field(ui, place, person, scene);
            self.buttons(ui, line, person, scene, false);
        } else {
            self.note_field(ui, row(inner, below, CONTROL_HEIGHT), person, scene);
            self.buttons(ui, row(inner, below + CONTROL_HEIGHT + space::M, CONTROL_HEIGHT), person, scene, true);
        }
        stays
    }

    fn head(ui: &mut Ui, rect: Rect, person: &Person, name: &str, scene: &mut Scene<'_>) -> bool {
        let palette = Palette::of(ui);
        let is_echo = person.kind == PersonKind::Echo;
        scene.avatar(ui.painter(), rect.left_center() + vec2(22.0, 0.0), 44.0, person.id, name);
        let is_stranger = matches!(person.kind, PersonKind::Nearby | PersonKind::Blocked);
        let width = CONTROL_HEIGHT * if is_stranger { 2.0 } else { 1.0 };
        let place = Rect::from_min_max(pos2(rect.right() - width, rect.top()), rect.max);
        let builder = UiBuilder::new().id_salt("head").max_rect(place).layout(Layout::left_to_right(Align::Center));
        let mut corner = ui.new_child(builder);
        corner.spacing_mut().item_spacing.x = 0.0;
        if is_stranger {
            let add = scene.text(Text::AddToContacts);
            if icon_button(&mut corner, Icon::PersonPlus, add).clicked() {
                scene.send(Command::AddContact { link: person.id.to_string() });
            }
        }
        let stays = !icon_button(&mut corner, Icon::Close, scene.text(Text::Close)).clicked();
        let left = rect.left() + 44.0 + space::M;
        let room = corner.min_rect().left() - left - space::S;
        let hint = match (person.blocked, person.needs_newer, person.online || is_echo) {
            _ if is_echo => scene.text(Text::EchoDetail).to_owned(),
            (true, ..) => scene.words.with_name(Text::BlockedHint, name),
            (false, Some(skew), _) => scene.words.needs_newer(skew, name),
            (false, None, false) => scene.words.with_name(Text::OfflineHint, name),
            (false, None, true) => person_row::with_short_id(person, name, person_row::presence(person, scene.words)),
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
        if std::mem::take(&mut self.to_note) {
            field.request_focus();
        }
        let enter = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        if enter && !person.blocked {
            self.call(ui, person, scene, true);
        }
    }

    fn audio_button(scene: &Scene<'_>) -> TextButton<'static> {
        TextButton::new(scene.text(Text::CallWithAudio)).icon(Icon::Phone)
    }

    fn video_button(scene: &Scene<'_>) -> TextButton<'static> {
        TextButton::new(scene.text(Text::CallWithVideo)).icon(Icon::Camera).weight(Weight::Primary)
    }

    fn unblock_button(scene: &Scene<'_>) -> TextButton<'static> {
        TextButton::new(scene.text(Text::Unblock)).icon(Icon::Block)
    }

    /// Where the buttons at the right of `line` leave room for something else.
    fn buttons_left(ui: &Ui, line: Rect, person: &Person, scene: &Scene<'_>) -> f32 {
        let width = if person.blocked {
            Self::unblock_button(scene).natural_width(ui)
        } else {
            [Self::audio_button(scene), Self::video_button(scene)]
                .iter()
                .map(|button| button.natural_width(ui))
                .sum::<f32>()
                + space::S
        };
        line.right() - width - space::S
    }

    /// Draws the buttons: at the right, or over the whole of `rect`.
    fn buttons(&mut self, ui: &mut Ui, rect: Rect, person: &Person, scene: &mut Scene<'_>, fill: bool) {
        let left = if fill { rect.left() } else { Self::buttons_left(ui, rect, person, scene) + space::S };
        let place = Rect::from_min_max(pos2(left, rect.top()), rect.max);
        // From the left, so that Tab goes as they are seen.
        let builder = UiBuilder::new().id_salt("call").max_rect(place).layout(Layout::left_to_right(Align::Center));
        let mut line = ui.new_child(builder);
        if person.blocked {
            if Self::unblock_button(scene).show(&mut line).clicked() {
                scene.send(Command::BlockContact { id: person.id, on: false });
            }
            return;
        }
        let (mut audio, mut video) = (Self::audio_button(scene), Self::video_button(scene));
        if fill {
            let half = (rect.width() - space::S) / 2.0;
            (audio, video) = (audio.width(half), video.width(half));
        }
        let pressed = [(audio, false), (video, true)]
            .map(|(button, with_video)| button.show(&mut line).clicked().then_some(with_video));
        if let Some(with_video) = pressed.into_iter().flatten().next() {
            self.call(ui, person, scene, with_video);
        }
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
