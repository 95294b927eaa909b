//! The disc with initials that stands for a person without a picture.

use eframe::egui::{Align2, Color32, FontId, Painter, Pos2, Rect, Ui, vec2};

use crate::controller::{Person, PersonKind};
use crate::identity::PeerId;

use super::catalogue::{Text, Words};
use super::fonts;
use super::icons::Icon;

/// Grounds that white initials stand on with a contrast of at least 4.5:1.
const GROUNDS: [Color32; 8] = [
    Color32::from_rgb(0x2F, 0x6F, 0x8F),
    Color32::from_rgb(0x7A, 0x55, 0x9C),
    Color32::from_rgb(0xA3, 0x4E, 0x5C),
    Color32::from_rgb(0x8A, 0x60, 0x2B),
    Color32::from_rgb(0x4D, 0x74, 0x3A),
    Color32::from_rgb(0x3B, 0x62, 0xA8),
    Color32::from_rgb(0x9B, 0x4A, 0x82),
    Color32::from_rgb(0x1F, 0x76, 0x6C),
];

/// The name to show for a person: Echo's comes from the catalogue, and one who has none is called by their short ID.
pub fn shown_name(id: PeerId, name: &str, kind: Option<PersonKind>, words: Words) -> String {
    if kind == Some(PersonKind::Echo) {
        words.get(Text::EchoName).to_owned()
    } else if name.trim().is_empty() {
        id.short()
    } else {
        name.trim().to_owned()
    }
}

/// The name to show for somebody in the list.
pub fn person_name(person: &Person, words: Words) -> String {
    shown_name(person.id, &person.name, Some(person.kind), words)
}

/// The first letters of the first and the last word; one character of a Chinese name.
pub fn initials(name: &str) -> String {
    let mut words = name.split_whitespace().filter_map(|word| word.chars().find(|letter| letter.is_alphanumeric()));
    let Some(first) = words.next() else { return String::new() };
    let last = if first.is_ascii() { words.next_back() } else { None };
    first.to_uppercase().chain(last.into_iter().flat_map(char::to_uppercase)).collect()
}

/// The colour of somebody's disc.
pub fn ground(id: PeerId) -> Color32 {
    GROUNDS[usize::from(id.as_bytes()[0]) % GROUNDS.len()]
}

/// Draws the disc of somebody, `diameter` points wide: Echo's, or one with initials.
pub fn paint(painter: &Painter, center: Pos2, diameter: f32, id: PeerId, name: &str, echo: bool) {
    let ground = if echo { GROUNDS[7] } else { ground(id) };
    painter.circle_filled(center, diameter / 2.0, ground);
    if echo {
        Icon::Waves.paint(painter, center, diameter * 0.5, Color32::WHITE);
    } else {
        let font = FontId::new(diameter * 0.38, fonts::semibold());
        painter.text(center, Align2::CENTER_CENTER, initials(name), font, Color32::WHITE);
    }
}

/// Size of the mark behind a verified contact's name, in points, and the gap between them.
const MARK: f32 = 16.0;
const MARK_GAP: f32 = 5.0;

/// Part of `room` that is left for the name of somebody, besides the mark of a verified contact.
pub fn beside_mark(person: &Person, room: f32) -> f32 {
    if person.verified { (room - MARK - MARK_GAP).max(0.0) } else { room }
}

/// Draws the mark of a verified contact behind their name, which is drawn into `name`.
pub fn verified_mark(ui: &Ui, person: &Person, name: Rect, ink: Color32) {
    if person.verified {
        let center = name.right_center() + vec2(MARK_GAP + MARK / 2.0, 0.0);
        Icon::Verified.paint(ui.painter(), center, MARK, ink);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_of_the_first_and_the_last_word() {
        for (name, expected) in
            [("Ana", "A"), ("ana maría lópez", "AL"), ("李小龙", "李"), ("王 芳", "王"), ("", ""), ("(Bo) Li", "BL")]
        {
            assert_eq!(initials(name), expected);
        }
    }
}
