//! Text that a stranger chose and this side shows: names and notes. Pure; runs wherever such text comes in.

/// Characters in a display name.
pub const MAX_NAME_CHARS: usize = 64;

/// A name fit to be shown: [`plain_text`] of at most [`MAX_NAME_CHARS`] characters.
pub fn display_name(text: &str) -> String {
    plain_text(text, MAX_NAME_CHARS)
}

/// One line of at most `max_chars` characters without control, invisible and direction-changing characters, so that a
/// text can neither break the layout nor read as something other than it is (Unicode TR 36, 2.10).
pub fn plain_text(text: &str, max_chars: usize) -> String {
    let shown = text.chars().filter_map(|char| match char {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => Some(' '),
        char if char.is_control() || is_invisible(char) => None,
        char => Some(char),
    });
    let cut: String = shown.skip_while(|char| char.is_whitespace()).take(max_chars).collect();
    cut.trim_end().to_owned()
}

/// Direction marks, zero-width characters and tags. The joiners U+200C and U+200D stay: scripts and emoji need them.
fn is_invisible(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_direction_characters_are_removed() {
        assert_eq!(display_name("  Al\u{0}ice\u{202e}gpj\u{2066}\u{7f} \n"), "Alicegpj");
        assert_eq!(display_name("a\nb\u{2028}c"), "a b c");
        assert_eq!(display_name("\u{feff}\u{200b}"), "");
        assert_eq!(display_name("Zoë 👩\u{200d}🚀"), "Zoë 👩\u{200d}🚀");
    }

    #[test]
    fn a_long_name_is_cut_at_a_character() {
        assert_eq!(display_name(&"ß".repeat(1000)).chars().count(), MAX_NAME_CHARS);
    }
}
