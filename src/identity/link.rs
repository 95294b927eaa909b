//! The link that people exchange: `visavis:<56-character ID>?name=<percent-encoded name>&at=<percent-encoded link of a
//! server>&once=<token>` (RFC 3986). Pure; the window and the command line make it, and read it back from the text that
//! a person pastes.
//!
//! A link is written with letters, digits and `%XX` alone, so that it ends where anything else begins. It is read with
//! the changes that mail programs and web pages make on the way: wrapped lines, zero-width characters, `&amp;`, `%3A`.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{InvitationToken, PeerId, ServerLink, display_name};

const SCHEME: &str = "visavis";
/// Ways in which the colon after the scheme comes back: as it is, percent-encoded, in HTML, in full width.
const COLONS: [&str; 6] = [":", "%3a", "&#58;", "&#x3a;", "&colon;", "\u{ff1a}"];
/// Likewise for the start of the query, and the separators of its pairs.
const QUERY_STARTS: [&str; 4] = ["?", "&#63;", "&#x3f;", "\u{ff1f}"];
const PAIR_ENDS: [&str; 4] = ["&amp;", "&#38;", "&#x26;", "&"];
/// Bytes of a pasted text that are searched.
const MAX_SEARCHED: usize = 64 * 1024;
/// Bytes that a link has at most when it was percent-encoded once more.
const MAX_ENCODED: usize = 4 * 1024;

/// A person's ID and the name they go by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactLink {
    /// ID of its owner.
    pub id: PeerId,
    /// The name in it, fit to be shown: at most 64 characters, never empty.
    pub name: Option<String>,
    /// The server at which its owner is reached from elsewhere.
    pub server: Option<ServerLink>,
    /// The token with which the link's holder may ring once.
    pub token: Option<InvitationToken>,
}

impl ContactLink {
    /// A link to a person; the name is made fit to be shown, and left out when nothing of it remains.
    pub fn new(id: PeerId, name: &str) -> Self {
        Self { id, name: Some(display_name(name)).filter(|name| !name.is_empty()), server: None, token: None }
    }

    /// The same link with the server at which its owner is reached.
    pub fn with_server(self, server: Option<ServerLink>) -> Self {
        Self { server, ..self }
    }

    /// The same link with a token.
    pub fn with_token(self, token: Option<InvitationToken>) -> Self {
        Self { token, ..self }
    }

    /// The first link in a text, or else the first bare ID, wherever it stands. Only the first 64 KiB are searched.
    pub fn find_in(text: &str) -> Option<Self> {
        let text = &text[..text.floor_char_boundary(MAX_SEARCHED)];
        let text = unwrapped(&text.chars().filter(|&char| !is_passed_over(char)).collect::<String>());
        find_link(&text).or_else(|| find_bare_id(&text))
    }
}

impl fmt::Display for ContactLink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{SCHEME}:{}", self.id)?;
        let server = self.server.as_ref().map(ToString::to_string);
        let token = self.token.as_ref().map(ToString::to_string);
        let pairs = [("name", self.name.as_deref()), ("at", server.as_deref()), ("once", token.as_deref())];
        let pairs = pairs.into_iter().filter_map(|(key, value)| Some((key, value?)));
        for (start, (key, value)) in ["?", "&", "&"].into_iter().zip(pairs) {
            write!(formatter, "{start}{key}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))?;
        }
        Ok(())
    }
}

/// Characters without width that programs put into long words, so that they can be broken, or in front of a text.
const fn is_passed_over(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// The text with each line break one `\n`, without the signs of quotation that follow it.
fn unwrapped(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}', '\u{85}'], "\n");
    let text = unquoted_printable(text);
    let mut lines = text.split('\n');
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |text, line| text + "\n" + line.trim_start_matches(['>', '|', ' ', '\t']))
}

/// A mail's source as its text, as far as links need it (RFC 2045, 6.7): `=` ends a line that goes on, unless it is the
/// one after a key, and where there are such lines, each other `=` is written as a number.
fn unquoted_printable(text: String) -> String {
    let mut pieces = text.split("=\n");
    let mut joined = pieces.next().unwrap_or_default().to_owned();
    let mut is_source = false;
    for piece in pieces {
        if ["name", "?at", "&at", "&amp;at", "?once", "&once", "&amp;once"].iter().any(|key| joined.ends_with(key)) {
            joined.push_str("=\n");
        } else {
            is_source = true;
        }
        joined.push_str(piece);
    }
    if is_source { joined.replace("=3D", "=") } else { joined }
}

fn find_link(text: &str) -> Option<ContactLink> {
    // Lower-casing ASCII keeps every byte index valid in the original.
    let lower = text.to_ascii_lowercase();
    lower.match_indices(SCHEME).find_map(|(start, scheme)| {
        let rest = &text[start + scheme.len()..];
        let (colon, rest) = without_any(rest.trim_start(), &COLONS)?;
        if colon == "%3a" { parse_after_colon(&decoded_once(rest)) } else { parse_after_colon(rest) }
    })
}

/// Text after a percent-encoded colon, decoded when the rest of the link was encoded with it, as in another link's
/// query.
fn decoded_once(rest: &str) -> Cow<'_, str> {
    let near = &rest[..rest.floor_char_boundary(MAX_ENCODED)];
    let whole = near.split(|char: char| !is_value(char)).next().unwrap_or_default();
    let encoded = ["%3f", "%2f"].iter().any(|mark| whole.to_ascii_lowercase().contains(mark));
    if encoded { percent_decode_str(whole).decode_utf8_lossy() } else { rest.into() }
}

fn parse_after_colon(rest: &str) -> Option<ContactLink> {
    let rest = rest.trim_start();
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (id, rest) = leading_id(rest)?;
    if rest.starts_with(|char: char| char.is_ascii_alphanumeric()) {
        return None;
    }
    let rest = rest.strip_prefix('/').unwrap_or(rest);
    // Where a line was broken after the ID, the query stands on the next one.
    let query = without_any(rest.trim_start_matches('\n'), &QUERY_STARTS).map(|(_, query)| query);
    let name = query.and_then(|query| value_in(query, "name")).unwrap_or_default();
    let server = query.and_then(server_in);
    let token = query.and_then(token_in);
    Some(ContactLink::new(id, &name).with_server(server).with_token(token))
}

/// The ID at the beginning, over line breaks and spaces; and the rest. The ID's checksum tells whether it is one.
fn leading_id(text: &str) -> Option<(PeerId, &str)> {
    let mut id = String::new();
    for (at, char) in text.char_indices() {
        match char {
            _ if char.is_ascii_alphanumeric() => id.push(char),
            _ if char.is_whitespace() => {}
            // A word was divided at the end of a line.
            '-' if text[at + 1..].starts_with('\n') => {}
            _ => return None,
        }
        if id.len() == PeerId::TEXT_LEN {
            return Some((id.parse().ok()?, &text[at + 1..]));
        }
    }
    None
}

/// The server that a query names. Its link has a fixed end, so it may be divided by line breaks anywhere.
fn server_in(query: &str) -> Option<ServerLink> {
    let parse = |query: &str| value_in(query, "at")?.parse().ok();
    parse(query).or_else(|| parse(&query.replace('\n', "")))
}

/// The token in a query, likewise.
fn token_in(query: &str) -> Option<InvitationToken> {
    let parse = |query: &str| value_in(query, "once")?.parse().ok();
    parse(query).or_else(|| parse(&query.replace('\n', "")))
}

/// The value of the first `wanted` in a query, which ends at the first character that no link has.
fn value_in(mut query: &str, wanted: &str) -> Option<String> {
    loop {
        let end = query.find(|char| !is_value(char) && char != '\n').unwrap_or(query.len());
        let (key, rest) = query.split_at(end);
        let (value, rest) = match rest.strip_prefix('=') {
            Some(rest) => leading_value(rest.trim_start_matches('\n')),
            None => (String::new(), rest),
        };
        if key.replace('\n', "").eq_ignore_ascii_case(wanted) {
            return Some(decoded(&value));
        }
        query = without_any(rest, &PAIR_ENDS)?.1;
    }
}

/// Unreserved characters (RFC 3986, 2.3) and `%`.
fn is_value(char: char) -> bool {
    char.is_ascii_alphanumeric() || "-._~%".contains(char)
}

/// The value at the beginning: unreserved characters and whole `%XX`, of which a line break may have come into the
/// middle; and the rest.
fn leading_value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut rest = text;
    while let Some(char) = rest.chars().next().filter(|&char| is_value(char)) {
        if char == '%' {
            let mut digits = rest.char_indices().skip(1).filter(|(_, char)| *char != '\n');
            let pair = (digits.next(), digits.next());
            let (Some((_, high @ ('0'..='9' | 'a'..='f' | 'A'..='F'))), Some((at, low))) = pair else { break };
            if !low.is_ascii_hexdigit() {
                break;
            }
            value.extend(['%', high, low]);
            rest = &rest[at + 1..];
        } else {
            value.push(char);
            rest = &rest[1..];
        }
    }
    (value, rest)
}

/// The text that a value stands for. Marks at its end that were not encoded belong to the text around the link, and the
/// first bytes of a cut character are dropped.
fn decoded(value: &str) -> String {
    let bytes: Vec<u8> = percent_decode_str(value.trim_end_matches(['.', '_', '~', '-'])).collect();
    let whole = match std::str::from_utf8(&bytes) {
        Ok(_) => &bytes,
        Err(error) if error.error_len().is_none() => bytes.get(..error.valid_up_to()).unwrap_or_default(),
        Err(_) => &bytes,
    };
    String::from_utf8_lossy(whole).into_owned()
}

/// The one of `starts` that the text begins with, in any case, and the rest.
fn without_any<'a>(text: &'a str, starts: &[&'static str]) -> Option<(&'static str, &'a str)> {
    starts.iter().find_map(|start| {
        let (head, rest) = text.split_at_checked(start.len())?;
        head.eq_ignore_ascii_case(start).then_some((*start, rest))
    })
}

/// The first ID that stands by itself, or is divided by line breaks or spaces.
fn find_bare_id(text: &str) -> Option<ContactLink> {
    let words = text.split(|char: char| !(char.is_ascii_alphanumeric() || char.is_whitespace()));
    words.flat_map(bare_ids).find_map(|word| word.parse().ok()).map(|id| ContactLink {
        id,
        name: None,
        server: None,
        token: None,
    })
}

/// Runs of neighbouring words that have as many letters together as an ID.
fn bare_ids(words: &str) -> impl Iterator<Item = String> {
    let words: Vec<&str> = words.split_whitespace().collect();
    (0..words.len()).filter_map(move |first| {
        let mut id = String::new();
        for word in &words[first..] {
            id.push_str(word);
            if id.len() >= PeerId::TEXT_LEN {
                break;
            }
        }
        (id.len() == PeerId::TEXT_LEN).then_some(id)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id() -> PeerId {
        PeerId::from_bytes([9; 32])
    }

    fn alice() -> Option<ContactLink> {
        Some(ContactLink::new(id(), "Alice"))
    }

    #[test]
    fn a_link_is_found_again_in_a_text() {
        let link = ContactLink::new(id(), "Zoë & Co, 50% off");
        let text = link.to_string();
        assert!(text.is_ascii() && text.starts_with("visavis:"), "{text}");
        assert_eq!(ContactLink::find_in(&text), Some(link.clone()));
        assert_eq!(ContactLink::find_in(&format!("Hi! Call me: <{text}> \u{1f4de} bye")), Some(link.clone()));
        assert_eq!(ContactLink::find_in(&text.replace("visavis:", "VISAVIS://")), Some(link));
        assert_eq!(ContactLink::find_in(&alice().unwrap().to_string().to_uppercase()).unwrap().id, id());
    }

    #[test]
    fn a_link_ends_where_the_text_around_it_goes_on() {
        let link = alice().unwrap().to_string();
        for after in [
            "，加我吧",
            "。",
            "）谢谢",
            "」",
            "！",
            "、",
            "；",
            "：",
            "”",
            "’",
            "»",
            "…",
            "...",
            ".",
            "!",
            ",",
            ";",
            ":",
            ")",
            "]",
            "}",
            ">",
            "*",
            "**",
            "_",
            "__",
            "`",
            "~~",
            "\"",
            "'",
            "|",
            "\\",
            "/",
            "#top",
            "+1",
            "=",
            "@",
            "$",
            "^",
            "(x)",
            " bye",
            "\tbye",
            "\nBye",
            "\r\n\r\n-- \r\nAlice",
            "加我",
            "é",
            "%",
            "%zz",
            "&#39;",
            "&quot;",
            "&lt;/a&gt;",
            "</a>",
            "😀",
            "\u{a0}x",
            "\u{3000}x",
        ] {
            assert_eq!(ContactLink::find_in(&format!("{link}{after}")), alice(), "{after:?}");
            assert_eq!(ContactLink::find_in(&format!("（“*_{link}{after}")), alice(), "{after:?}");
        }
        for around in [["[me](", ")"], ["<a href=\"", "\">call</a>"], ["<a href=", ">call"], ["{\"l\":\"", "\"}"]] {
            assert_eq!(ContactLink::find_in(&around.join(&link)), alice(), "{around:?}");
        }
        let bare = format!("visavis:{}", id());
        for after in ["。", ".", "?", "？", "!)", "**", "/", "?x", "?=", "? name", "\nBob"] {
            let found = ContactLink::find_in(&format!("{bare}{after}"));
            assert_eq!(found, Some(ContactLink { id: id(), name: None, server: None, token: None }), "{after:?}");
        }
    }

    #[test]
    fn what_the_writer_makes_is_safe_before_any_mark() {
        for name in ["J.", "A. B. ...", "_x_", "~", "Anne-", "(Bo)", "50%", "a&b=c", "李，雷。"] {
            let link = ContactLink::new(id(), name);
            let text = link.to_string();
            let (_, value) = text.split_once("?name=").unwrap();
            assert!(value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'%'), "{text}");
            for after in ["", ".", "...", "_", "**", "。", ")", "-", "~"] {
                assert_eq!(ContactLink::find_in(&format!("{text}{after}")), Some(link.clone()), "{after:?}");
            }
        }
    }

    #[test]
    fn what_mail_and_web_pages_do_to_a_link_is_undone() {
        let link = alice().unwrap().to_string();
        let rest = &link["visavis:".len()..];
        let escaped = rest.replace('?', "%3F").replace('=', "%3D");
        for pasted in [
            format!("visavis%3A{rest}"),
            format!("VISAVIS%3a{rest}."),
            format!("https://example.org/go?to=visavis%3A{escaped}&from=mail"),
            format!("https://example.org/go?to=visavis%3A%2F%2F{escaped}#top"),
            format!("visavis&#58;{rest}"),
            format!("visavis：{rest}"),
            link.replace("?", "？"),
            link.replace("?name", "?x=1&amp;name"),
            link.replace("?name", "?x=1&#38;y=%20&name"),
            link.replace("?name", "?x&amp;name"),
        ] {
            assert_eq!(ContactLink::find_in(&pasted), alice(), "{pasted}");
        }
        for unseen in ["\u{200b}", "\u{ad}", "\u{feff}", "\u{2060}", "\u{200d}"] {
            for at in [0, 3, 7, 8, 20, 63, 64, 66, 70, 73] {
                let mut pasted = link.clone();
                pasted.insert_str(at, unseen);
                assert_eq!(ContactLink::find_in(&pasted), alice(), "{pasted:?}");
            }
        }
    }

    #[test]
    fn a_link_that_was_wrapped_is_whole_again() {
        let link = alice().unwrap().to_string();
        for wrap in ["\n", "\r\n", "\r", "\n> ", "\r\n>> ", "\n   ", "=\r\n", " ", "\u{2028}"] {
            for at in [8, 9, 40, 63] {
                let mut pasted = link.clone();
                pasted.insert_str(at, wrap);
                assert_eq!(ContactLink::find_in(&pasted), alice(), "{pasted:?}");
                let pasted = pasted.replace("?name=Alice", "").replace("visavis:", "My ID: ");
                assert_eq!(ContactLink::find_in(&pasted).map(|found| found.id), Some(id()), "{pasted:?}");
            }
        }
        for at in [64, 65, 67, 70] {
            let mut pasted = link.clone();
            pasted.insert(at, '\n');
            assert_eq!(ContactLink::find_in(&pasted), alice(), "{pasted:?}");
        }
        let zoe = ContactLink::new(id(), "Zoë");
        assert_eq!(ContactLink::find_in(&zoe.to_string().replace("%AB", "%A\r\nB")), Some(zoe.clone()));
        assert_eq!(ContactLink::find_in(&zoe.to_string().replace("%AB", "=\n%AB")), Some(zoe.clone()));
        assert_eq!(
            ContactLink::find_in(&zoe.to_string().replace('=', "=3D").replace("%AB", "=\r\n%AB")),
            Some(zoe.clone())
        );
        assert_eq!(ContactLink::find_in(&zoe.to_string().replace("%AB", "")), Some(ContactLink::new(id(), "Zo")));
    }

    #[test]
    fn a_link_may_have_a_token() {
        let token = InvitationToken::from_bytes([0xa7; 16]);
        let server = ServerLink::new("calls.example.org", 443, b"key").unwrap();
        for link in [ContactLink::new(id(), "Alice").with_server(Some(server)), ContactLink::new(id(), "")] {
            let link = link.with_token(Some(token));
            let text = link.to_string();
            assert!(text.ends_with(&format!("once={token}")), "{text}");
            assert_eq!(ContactLink::find_in(&text), Some(link.clone()));
            assert_eq!(ContactLink::find_in(&format!("({text}).")), Some(link.clone()));
            assert_eq!(ContactLink::find_in(&text.replace("once=", "once=\r\n> ")), Some(link.clone()));
            let other = ContactLink::find_in(&text.replace("once=a7", "once=")).unwrap();
            assert_eq!((other.token, other.id), (None, id()), "a token that is cut is none");
        }
    }

    #[test]
    fn a_link_names_the_server_of_its_owner() {
        let server = ServerLink::new("calls.example.org", 443, b"key").unwrap();
        for name in ["Alice", ""] {
            let link = ContactLink::new(id(), name).with_server(Some(server.clone()));
            let text = link.to_string();
            assert_eq!(ContactLink::find_in(&text), Some(link.clone()), "{text}");
            for around in [["[me](", ")"], ["Hi ", ". Bye"], ["加我：", "。"]] {
                assert_eq!(ContactLink::find_in(&around.join(&text)), Some(link.clone()), "{around:?}");
            }
            for wrap in ["\n", "=\r\n"] {
                let at = text.find("at").unwrap();
                for at in [at, at + 3, at + 20, at + 40] {
                    let mut pasted = text.clone();
                    pasted.insert_str(at, wrap);
                    assert_eq!(ContactLink::find_in(&pasted), Some(link.clone()), "{pasted:?}");
                }
            }
        }
        let wrong = format!("{}&at=nowhere", alice().unwrap());
        assert_eq!(ContactLink::find_in(&wrong), alice(), "a link without a usable server is one without any");
    }

    #[test]
    fn the_first_link_that_is_whole_counts() {
        let other = ContactLink::new(PeerId::from_bytes([4; 32]), "Bo");
        let text = format!("visavis:abc visavis:{}x {} {other} {}", id(), alice().unwrap(), id());
        assert_eq!(ContactLink::find_in(&text), alice());
        let text = format!("{} or {other}", id());
        assert_eq!(ContactLink::find_in(&text), Some(other));
    }

    #[test]
    fn a_bare_id_is_accepted_and_a_mistyped_one_is_not() {
        let text = format!("my ID is {}.", id());
        assert_eq!(ContactLink::find_in(&text), Some(ContactLink { id: id(), name: None, server: None, token: None }));
        assert_eq!(ContactLink::find_in(&text.replacen(&id().short(), "aaaaaaaa", 1)), None);
        assert_eq!(ContactLink::find_in(&format!("visavis:{}a", id())), None);
        assert_eq!(ContactLink::find_in(""), None);
    }

    #[test]
    fn a_hostile_name_is_made_fit_to_be_shown() {
        let link = ContactLink::find_in(&format!("visavis:{}?x=1&name=%E2%80%AEevil%00%0A%zz%", id())).unwrap();
        assert_eq!(link.name.as_deref(), Some("evil"));
        for nothing in ["%00", "%E3%85%A4", "%E2%80%8D", "%E2%A0%80", "%E4%B8", "..."] {
            let link = ContactLink::find_in(&format!("visavis:{}?name={nothing}", id())).unwrap();
            assert_eq!(link.name, None, "{nothing}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_searched_without_failing(text in "\\PC{0,200}") {
            let _ = ContactLink::find_in(&text);
            let _ = ContactLink::find_in(&format!("visavis:{}?name={text}", id()));
            let _ = ContactLink::find_in(&format!("visavis%3A{text}"));
        }

        #[test]
        fn every_link_reads_back(key in any::<[u8; 32]>(), name in "\\PC{0,100}", port: Option<u16>) {
            let server = port.and_then(|port| ServerLink::new("a-b.example", port, &key).ok());
            let link = ContactLink::new(PeerId::from_bytes(key), &name).with_server(server);
            prop_assert_eq!(ContactLink::find_in(&link.to_string()), Some(link));
        }
    }
}
