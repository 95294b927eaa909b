//! Text that a stranger chose and this side shows: names and notes. Pure; runs wherever such text comes in.
//!
//! A name without a visible character is no name, and the ID is shown in its place. The test is one for good characters
//! (Unicode's letters, numbers, punctuation and symbols), so that a new blank one needs no entry here.

use icu_properties::props::{
    BinaryProperty, CanonicalCombiningClass, DefaultIgnorableCodePoint, EnumeratedProperty, ExtendedPictographic,
    GeneralCategory, JoiningType, NoncharacterCodePoint, PrependedConcatenationMark, WhiteSpace,
};
use unicode_segmentation::UnicodeSegmentation;

/// Code points of a display name, at most; it is cut between grapheme clusters (Unicode TR 29).
pub const MAX_NAME_CHARS: usize = 64;

/// Non-spacing marks that one letter keeps: more only serve to draw over the lines above and below.
const MAX_MARKS: usize = 4;

/// Symbols and letters that are drawn as nothing, although Unicode does not call them ignorable: the empty Braille
/// pattern, the object replacement character, the null notehead, the blank hieroglyphs.
const BLANK: [char; 5] = ['\u{2800}', '\u{fffc}', '\u{1d159}', '\u{13441}', '\u{13442}'];

const ZERO_WIDTH_NON_JOINER: char = '\u{200c}';
const ZERO_WIDTH_JOINER: char = '\u{200d}';
const BLACK_FLAG: char = '\u{1f3f4}';
const CANCEL_TAG: char = '\u{e007f}';
const KEYCAP: char = '\u{20e3}';

/// A name fit to be shown: one line of at most [`MAX_NAME_CHARS`] code points; empty when nothing in it can be seen.
pub fn display_name(text: &str) -> String {
    cut(&one_line(text), |chars, _| chars <= MAX_NAME_CHARS)
}

/// A note fit to be shown: one line of at most `max_bytes` bytes of UTF-8; empty when nothing in it can be seen.
pub fn plain_text(text: &str, max_bytes: usize) -> String {
    cut(&one_line(text), |_, bytes| bytes <= max_bytes)
}

/// The grapheme clusters from the beginning of which both counts, of code points and of bytes, fit.
fn cut(line: &str, fits: impl Fn(usize, usize) -> bool) -> String {
    let (mut chars, mut end) = (0, 0);
    for cluster in line.graphemes(true) {
        chars += cluster.chars().count();
        if !fits(chars, end + cluster.len()) {
            break;
        }
        end += cluster.len();
    }
    // Again, for a joiner whose second half is cut off.
    let kept = one_line(line.get(..end).unwrap_or_default().trim_end());
    if kept.chars().any(is_visible) { kept } else { String::new() }
}

/// The text without invisible characters and those that break the layout or disguise the text (Unicode TR 36, 2.10);
/// each run of white space is one space.
fn one_line(text: &str) -> String {
    let mut line = Line::default();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match Class::of(char) {
            Class::Space => line.space(),
            Class::Base => line.base(char),
            Class::Mark => line.mark(char),
            Class::Joiner if line.takes_joiner(char, chars.as_str()) => line.text.push(char),
            Class::EmojiVariation if line.takes_variation(chars.as_str()) => line.text.push(char),
            Class::Joiner | Class::EmojiVariation | Class::Unseen => {}
        }
        if let (BLACK_FLAG, Some(tags)) = (char, flag_tags(chars.as_str())) {
            line.text.push_str(tags);
            chars = chars.as_str().get(tags.len()..).unwrap_or_default().chars();
        }
    }
    line.text
}

/// Role of a character in a line of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// White space, line breaks among it.
    Space,
    /// Something with a place of its own.
    Base,
    /// A mark on the character before.
    Mark,
    /// Zero-width (non-)joiner: scripts and emoji need it in some places.
    Joiner,
    /// Asks for the text or the emoji form of the character before.
    EmojiVariation,
    /// Nothing that is drawn: controls, ignorable and unknown characters.
    Unseen,
}

impl Class {
    fn of(char: char) -> Self {
        match (char, GeneralCategory::for_char(char)) {
            _ if WhiteSpace::for_char(char) => Self::Space,
            (ZERO_WIDTH_NON_JOINER | ZERO_WIDTH_JOINER, _) => Self::Joiner,
            ('\u{fe0e}' | '\u{fe0f}', _) => Self::EmojiVariation,
            _ if BLANK.contains(&char) => Self::Unseen,
            _ if DefaultIgnorableCodePoint::for_char(char) || NoncharacterCodePoint::for_char(char) => Self::Unseen,
            // Numbers are written over these, in scripts that have them.
            (_, GeneralCategory::Format) if PrependedConcatenationMark::for_char(char) => Self::Base,
            // Nobody knows how a private character looks.
            (_, GeneralCategory::Control | GeneralCategory::Format | GeneralCategory::PrivateUse) => Self::Unseen,
            (_, GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark | GeneralCategory::SpacingMark) => {
                Self::Mark
            }
            // Among them characters that a newer Unicode may have assigned.
            _ => Self::Base,
        }
    }
}

/// Whether a character of a cleaned line is drawn by itself.
fn is_visible(char: char) -> bool {
    let drawn = !matches!(GeneralCategory::for_char(char), GeneralCategory::Unassigned | GeneralCategory::Format);
    Class::of(char) == Class::Base && drawn
}

/// A line that is being put together.
#[derive(Debug, Default)]
struct Line {
    text: String,
    /// Non-spacing marks on the last base.
    marks: usize,
}

impl Line {
    fn space(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with(' ') {
            self.text.push(' ');
        }
    }

    fn base(&mut self, char: char) {
        self.text.push(char);
        self.marks = 0;
    }

    /// A mark needs a base, and takes room beside it or counts.
    fn mark(&mut self, char: char) {
        if self.text.is_empty() || self.text.ends_with(' ') {
            return;
        }
        if GeneralCategory::for_char(char) != GeneralCategory::SpacingMark {
            self.marks += 1;
            if self.marks > MAX_MARKS {
                return;
            }
        }
        self.text.push(char);
    }

    /// Joiners stay where they change the drawing: beside a virama, between letters of cursive scripts (RFC 5892,
    /// appendix A.1), and a zero-width joiner between emoji.
    fn takes_joiner(&self, joiner: char, after: &str) -> bool {
        let (Some(last), next) = (self.text.chars().next_back(), after.chars().next()) else { return false };
        let beside_virama = is_virama(last) || next.is_some_and(is_virama);
        let cursive = joins(self.text.chars().rev()) && joins(after.chars());
        let base = self.text.chars().rev().find(|char| !matches!(char, '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}'));
        let emoji = joiner == ZERO_WIDTH_JOINER && base.is_some_and(is_pictogram) && next.is_some_and(is_pictogram);
        Class::of(last) != Class::Joiner && (beside_virama || cursive || emoji)
    }

    /// A form is asked for of a pictogram, or of the base of a keycap.
    fn takes_variation(&self, after: &str) -> bool {
        self.text.chars().next_back().is_some_and(|last| {
            is_pictogram(last) || matches!(last, '0'..='9' | '#' | '*') && after.starts_with(KEYCAP)
        })
    }
}

fn is_pictogram(char: char) -> bool {
    ExtendedPictographic::for_char(char)
}

fn is_virama(char: char) -> bool {
    CanonicalCombiningClass::for_char(char) == CanonicalCombiningClass::Virama
}

/// Whether the first character that is no mark is a letter that changes its form with its neighbours.
fn joins(mut chars: impl Iterator<Item = char>) -> bool {
    let form = chars.find_map(|char| match JoiningType::for_char(char) {
        JoiningType::Transparent if Class::of(char) == Class::Mark => None,
        form => Some(form),
    });
    matches!(form, Some(JoiningType::DualJoining | JoiningType::LeftJoining | JoiningType::RightJoining))
}

/// The tags that make the flag of a part of a country (Unicode TS 51, ED-14a) of a black flag before them: a region's
/// code of three to six letters and digits, and the end.
fn flag_tags(after: &str) -> Option<&str> {
    let end = after.find(CANCEL_TAG)?;
    let tags = after.get(..end)?;
    let is_code = tags.chars().all(|char| matches!(char, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}'));
    ((3..=6).contains(&tags.chars().count()) && is_code).then(|| after.get(..end + CANCEL_TAG.len_utf8()))?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_and_direction_characters_are_removed() {
        assert_eq!(display_name("  Al\u{0}ice\u{202e}gpj\u{2066}\u{7f} \n"), "Alicegpj");
        assert_eq!(display_name("a\nb\u{2028}c"), "a b c");
        assert_eq!(display_name("\u{feff}\u{200b}"), "");
        assert_eq!(display_name("Zoë 👩\u{200d}🚀"), "Zoë 👩\u{200d}🚀");
        assert_eq!(display_name("Jean\u{a0}\u{3000} \t Luc"), "Jean Luc");
    }

    #[test]
    fn a_name_without_anything_to_see_is_no_name() {
        let unseen = [
            "\u{3164}",
            "\u{ffa0}",
            "\u{115f}\u{1160}",
            "\u{2800}\u{2800}",
            "\u{200d}",
            "\u{200c}\u{200d}",
            "\u{34f}",
            "\u{fe0f}",
            "\u{e0101}",
            "\u{301}\u{301}",
            "\u{20dd}",
            "\u{903}",
            "\u{fffc}",
            "\u{1d159}",
            "\u{1d173}",
            "\u{1bca0}",
            "\u{17b4}\u{17b5}",
            "\u{180b}\u{180e}",
            "\u{e0067}\u{e0062}\u{e007f}",
            "\u{fffe}\u{1ffff}\u{fdd0}",
            "\u{e000}\u{f8ff}",
            "\u{600}",
            "\u{378}",
            "\u{13441}",
            "\u{2003}\u{205f}\u{1680}",
            "\u{1b}\u{9b}\u{80}",
        ];
        for name in unseen {
            assert_eq!(display_name(name), "", "{}", name.escape_unicode());
            assert_eq!(plain_text(&format!(" {name}\n{name}"), 100), "", "{}", name.escape_unicode());
            assert_eq!(display_name(&format!("A{name}")).chars().next(), Some('A'), "{}", name.escape_unicode());
        }
    }

    #[test]
    fn unseen_characters_go_from_within_a_name_and_marks_become_few() {
        for unseen in ["\u{200b}", "\u{ad}", "\u{2060}", "\u{3164}", "\u{fe0f}", "\u{200d}", "\u{200c}", "\u{e0101}"] {
            assert_eq!(display_name(&format!("An{unseen}na")), "Anna", "{}", unseen.escape_unicode());
        }
        assert_eq!(display_name(&format!("A{}b", "\u{301}".repeat(60))), format!("A{}b", "\u{301}".repeat(MAX_MARKS)));
        assert_eq!(display_name("\u{308}Zoe\u{308} \u{308}X"), "Zoe\u{308} X");
    }

    #[test]
    fn scripts_and_emoji_keep_what_they_need() {
        for name in [
            "می\u{200c}خواهم",
            "ශ\u{dca}\u{200d}රී",
            "ര\u{d3e}ജ\u{d28}\u{d4d}\u{200d}",
            "র\u{200d}\u{9cd}যাব",
            "สุนีย์ ที่รัก",
            "שָׁלוֹם",
            "Nguyễn Thị Ánh",
            "👩🏽\u{200d}💻",
            "❤\u{fe0f}\u{200d}🔥",
            "🏴\u{200d}☠\u{fe0f}",
            "1\u{fe0f}\u{20e3}",
            "🇫🇷",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f} Ann",
            "山田 太郎",
            "…",
        ] {
            assert_eq!(display_name(name), name, "{}", name.escape_unicode());
        }
        let smuggled: String = "🏴".chars().chain("visit my page".chars().map(tag)).chain([CANCEL_TAG]).collect();
        assert_eq!(display_name(&smuggled), "🏴");
        assert_eq!(display_name("🏴\u{e0067}\u{e0062}\u{e0065}"), "🏴");
    }

    fn tag(char: char) -> char {
        char::from_u32(0xe0000 + u32::from(char)).unwrap()
    }

    #[test]
    fn a_long_text_is_cut_between_clusters() {
        assert_eq!(display_name(&"ß".repeat(1000)).chars().count(), MAX_NAME_CHARS);
        let family = "👨\u{200d}👩\u{200d}👧";
        assert_eq!(display_name(&family.repeat(20)), family.repeat(MAX_NAME_CHARS / 5));
        assert_eq!(display_name(&format!("{}e\u{301}", "x".repeat(63))), "x".repeat(63));
        assert_eq!(plain_text("aéé", 4), "aé");
        assert_eq!(plain_text(&format!("ab{family}"), 10), "ab");
        assert_eq!(plain_text("one two", 4), "one");
    }

    const PIECES: [&str; 20] = [
        "a",
        " ",
        "\n",
        "\u{301}",
        "\u{200c}",
        "\u{200d}",
        "\u{fe0f}",
        "\u{d4d}",
        "ന",
        "ی",
        "خ",
        "👩",
        "🏽",
        "🏴",
        "\u{e0067}",
        "\u{e007f}",
        "1",
        "\u{20e3}",
        "\u{3164}",
        "\u{378}",
    ];

    proptest! {
        #[test]
        fn what_was_made_fit_stays_as_it_is(
            pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..90), other in any::<String>()
        ) {
            let text = pieces.concat() + &other;
            let name = display_name(&text);
            prop_assert!(name.chars().count() <= MAX_NAME_CHARS);
            prop_assert_eq!(display_name(&name), name.clone());
            prop_assert!(name.is_empty() || name.chars().any(is_visible));
        }
    }
}
