//! The link that people exchange: `visavis:<56-character ID>?name=<percent-encoded name>` (RFC 3986). Pure; the window
//! and the command line make it, and read it back from whatever a person pastes.

use std::fmt;

use super::{PeerId, display_name};

const SCHEME: &str = "visavis:";
/// Bytes of a pasted text that are searched.
const MAX_SEARCHED: usize = 64 * 1024;

/// A person's ID and the name they go by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactLink {
    /// Whose link.
    pub id: PeerId,
    /// The name in it, fit to be shown: at most 64 characters, never empty.
    pub name: Option<String>,
}

impl ContactLink {
    /// A link to a person; the name is made fit to be shown, and left out when nothing of it remains.
    pub fn new(id: PeerId, name: &str) -> Self {
        Self { id, name: Some(display_name(name)).filter(|name| !name.is_empty()) }
    }

    /// The first link in a text, or else the first bare ID, wherever it stands. Only the first 64 KiB are searched.
    pub fn find_in(text: &str) -> Option<Self> {
        let text = &text[..text.floor_char_boundary(MAX_SEARCHED)];
        find_link(text).or_else(|| find_bare_id(text))
    }
}

impl fmt::Display for ContactLink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{SCHEME}{}", self.id)?;
        let Some(name) = &self.name else { return Ok(()) };
        formatter.write_str("?name=")?;
        for byte in name.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    write!(formatter, "{}", byte as char)?
                }
                _ => write!(formatter, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}

fn find_link(text: &str) -> Option<ContactLink> {
    // Lower-casing ASCII keeps every byte index valid in the original.
    let lower = text.to_ascii_lowercase();
    lower.match_indices(SCHEME).find_map(|(start, _)| parse_after_scheme(&text[start + SCHEME.len()..]))
}

fn parse_after_scheme(rest: &str) -> Option<ContactLink> {
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (id, rest) = rest.split_at_checked(PeerId::TEXT_LEN)?;
    let id = id.parse().ok()?;
    if rest.starts_with(|char: char| char.is_ascii_alphanumeric()) {
        return None;
    }
    let query = rest.strip_prefix('/').unwrap_or(rest).strip_prefix('?').unwrap_or_default();
    let end = query.find(|char: char| char.is_whitespace() || "\"'<>#)]".contains(char)).unwrap_or(query.len());
    let name =
        query[..end].split('&').find_map(|pair| pair.strip_prefix("name=")).map(percent_decode).unwrap_or_default();
    Some(ContactLink::new(id, &name))
}

fn find_bare_id(text: &str) -> Option<ContactLink> {
    text.split(|char: char| !char.is_ascii_alphanumeric())
        .filter(|word| word.len() == PeerId::TEXT_LEN)
        .find_map(|word| word.parse().ok())
        .map(|id| ContactLink { id, name: None })
}

/// Undoes `%XX`; a stray `%` stays as it is, and bytes that are no UTF-8 become U+FFFD.
fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(&byte) = bytes.get(index) {
        let escaped = (byte == b'%').then(|| bytes.get(index + 1..index + 3)).flatten();
        match escaped.and_then(|pair| Some(hex(pair[0])? << 4 | hex(pair[1])?)) {
            Some(value) => {
                decoded.push(value);
                index += 3;
            }
            None => {
                decoded.push(byte);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id() -> PeerId {
        PeerId::from_bytes([9; 32])
    }

    #[test]
    fn a_link_is_found_again_in_a_text() {
        let link = ContactLink::new(id(), "Zoë & Co, 50% off");
        let text = link.to_string();
        assert!(text.is_ascii() && text.starts_with("visavis:"), "{text}");
        assert_eq!(ContactLink::find_in(&text), Some(link.clone()));
        assert_eq!(ContactLink::find_in(&format!("Hi! Call me: <{text}> \u{1f4de} bye")), Some(link.clone()));
        assert_eq!(ContactLink::find_in(&text.replace("visavis:", "VISAVIS://")), Some(link));
    }

    #[test]
    fn a_bare_id_is_accepted_and_a_mistyped_one_is_not() {
        let text = format!("my ID is {}.", id());
        assert_eq!(ContactLink::find_in(&text), Some(ContactLink { id: id(), name: None }));
        assert_eq!(ContactLink::find_in(&text.replacen(&id().short(), "aaaaaaaa", 1)), None);
        assert_eq!(ContactLink::find_in(&format!("visavis:{}a", id())), None);
        assert_eq!(ContactLink::find_in(""), None);
    }

    #[test]
    fn a_hostile_name_is_made_fit_to_be_shown() {
        let link = ContactLink::find_in(&format!("visavis:{}?x=1&name=%E2%80%AEevil%00%0A%zz%", id())).unwrap();
        assert_eq!(link.name.as_deref(), Some("evil %zz%"));
        assert_eq!(ContactLink::find_in(&format!("visavis:{}?name=%00", id())).unwrap().name, None);
    }

    proptest! {
        #[test]
        fn any_text_is_searched_without_failing(text in "\\PC{0,200}") {
            let _ = ContactLink::find_in(&text);
            let _ = ContactLink::find_in(&format!("visavis:{}?name={text}", id()));
        }

        #[test]
        fn every_link_reads_back(key in any::<[u8; 32]>(), name in "\\PC{0,100}") {
            let link = ContactLink::new(PeerId::from_bytes(key), &name);
            prop_assert_eq!(ContactLink::find_in(&link.to_string()), Some(link));
        }
    }
}
