//! The message set of signaling, the same on every route. `call` owns it, because the state chart understands it; this
//! file has the checks that a message must pass before it goes further in.

use crate::call::{Candidate, Description};
pub use crate::call::{MAX_USER_DATA, Message};
use crate::identity::{display_name, plain_text};

/// A message with a field outside its documented bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a field of the message is out of bounds")]
pub struct InvalidMessage;

impl Message {
    /// The message as it may go further in: text made fit to be shown and cut to its length, everything else within its
    /// documented bounds.
    pub fn checked(mut self) -> Result<Self, InvalidMessage> {
        match &mut self {
            Self::Invite { name, user_data, .. } => {
                *name = display_name(name);
                *user_data = plain_text(user_data, MAX_USER_DATA);
            }
            Self::Accept { name, .. } => *name = display_name(name),
            Self::Describe { description, .. } => check_description(description)?,
            Self::Trickle { candidate, .. } => check_candidate(candidate)?,
            Self::Ringing { .. }
            | Self::Reject { .. }
            | Self::Cancel { .. }
            | Self::Busy { .. }
            | Self::Restart { .. }
            | Self::Ended { .. }
            | Self::Media { .. }
            | Self::Wish { .. }
            | Self::Leave { .. } => {}
        }
        Ok(self)
    }

    /// Whether it makes the receiver's app ring.
    pub fn is_invite(&self) -> bool {
        matches!(self, Self::Invite { .. })
    }
}

fn check(holds: bool) -> Result<(), InvalidMessage> {
    if holds { Ok(()) } else { Err(InvalidMessage) }
}

/// RFC 8839, 5.1: letters, digits, `+` and `/`.
fn is_ice_text(text: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

/// RFC 8122, 5: 32 pairs of upper-case hexadecimal digits, joined by colons.
fn is_fingerprint(text: &str) -> bool {
    text.len() == 32 * 3 - 1
        && text.bytes().enumerate().all(|(index, byte)| match index % 3 {
            2 => byte == b':',
            _ => matches!(byte, b'0'..=b'9' | b'A'..=b'F'),
        })
}

fn check_description(description: &Description) -> Result<(), InvalidMessage> {
    check(is_ice_text(&description.ice_ufrag, 4..=256))?;
    check(is_ice_text(&description.ice_pwd, 22..=256))?;
    check(is_fingerprint(&description.fingerprint))
}

fn check_candidate(candidate: &Candidate) -> Result<(), InvalidMessage> {
    check(is_ice_text(&candidate.foundation, 1..=32))?;
    check(candidate.port != 0)?;
    check(!candidate.address.is_unspecified() && !candidate.address.is_multicast())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::call::{CandidateKind, ConversationId, DescriptionKind, DtlsSetup, InviteId};
    use crate::media::VideoLevel;
    use crate::signaling::frame::Frame;

    fn description() -> Description {
        Description {
            kind: DescriptionKind::Offer,
            generation: 0,
            ice_ufrag: "abcd".into(),
            ice_pwd: "a+/4567890123456789012".into(),
            fingerprint: ["AB"; 32].join(":"),
            setup: DtlsSetup::ActPass,
            audio_ssrc: 1,
            video_ssrc: 2,
            rtx_ssrc: 3,
            fec_ssrc: 4,
            audio_red: true,
            video_level: VideoLevel::FULL_HD,
        }
    }

    fn describe(description: Description) -> Result<Message, InvalidMessage> {
        Message::Describe { conversation: ConversationId::from_bits(1), description }.checked()
    }

    #[test]
    fn descriptions_stay_within_their_bounds() {
        assert!(describe(description()).is_ok());
        for ice_ufrag in ["abc", "ab\r\n", "ab cd", &"a".repeat(257)] {
            assert!(describe(Description { ice_ufrag: ice_ufrag.into(), ..description() }).is_err(), "{ice_ufrag}");
        }
        assert!(describe(Description { ice_pwd: "a".repeat(21), ..description() }).is_err());
        for fingerprint in ["", &["ab"; 32].join(":"), &["AB"; 31].join(":"), &["AB"; 32].join("\n")] {
            assert!(describe(Description { fingerprint: fingerprint.into(), ..description() }).is_err());
        }
    }

    #[test]
    fn candidates_stay_within_their_bounds() {
        let trickle = |foundation: &str, address: &str, port| {
            let candidate = Candidate {
                generation: 0,
                foundation: foundation.into(),
                priority: 1,
                address: address.parse().unwrap(),
                port,
                kind: CandidateKind::Host,
            };
            Message::Trickle { conversation: ConversationId::from_bits(1), candidate }.checked()
        };
        assert!(trickle("1", "192.0.2.1", 9).is_ok());
        assert!(trickle("", "192.0.2.1", 9).is_err());
        assert!(trickle("1 2", "192.0.2.1", 9).is_err());
        assert!(trickle("1", "0.0.0.0", 9).is_err());
        assert!(trickle("1", "ff02::1", 9).is_err());
        assert!(trickle("1", "192.0.2.1", 0).is_err());
    }

    #[test]
    fn a_strangers_text_is_made_fit_to_be_shown() {
        let invite = Message::Invite {
            invite: InviteId::from_bits(1),
            conversation: ConversationId::from_bits(2),
            name: "Bob\u{202e}\u{7}".repeat(50),
            user_data: "ß\n".repeat(1000),
            audio: true,
            video: true,
        };
        let Ok(Message::Invite { name, user_data, .. }) = invite.checked() else { panic!("refused") };
        assert_eq!(name.chars().count(), 64);
        assert!(name.starts_with("BobBob"));
        assert!(user_data.len() <= MAX_USER_DATA && user_data.starts_with("ß ß"));
    }

    #[test]
    fn unknown_fields_are_passed_over_and_unknown_kinds_are_no_message() {
        let good = r#"{"type":"leave","conversation":"00000000000000000000000000000001"}"#;
        let leave = Message::Leave { conversation: ConversationId::from_bits(1) };
        assert_eq!(serde_json::from_str::<Message>(good).unwrap(), leave);
        assert_eq!(serde_json::from_str::<Message>(&good.replace("\"}", "\",\"x\":1}")).unwrap(), leave);
        assert!(serde_json::from_str::<Message>(&good.replace("leave", "answer_for_me")).is_err());
        let hello = r#"{"hello":{"instance":"a","name":"b","challenge":"c","pronouns":"she"}}"#;
        assert!(matches!(serde_json::from_str::<Frame>(hello), Ok(Frame::Hello(_))));
    }

    /// A message of each kind, as text.
    const MESSAGES: [&str; 4] = [
        r#"{"message":{"number":1,"message":{"type":"invite","invite":"00000000000000000000000000000001","conversation":"00000000000000000000000000000001","name":"a","user_data":"","audio":true,"video":true}}}"#,
        r#"{"message":{"number":1,"message":{"type":"trickle","conversation":"00000000000000000000000000000001","candidate":{"foundation":"1","priority":1,"address":"192.0.2.1","port":9000,"kind":"host"}}}}"#,
        r#"{"name":{"name":"b"}}"#,
        r#"{"confirm":{"answer":"c"}}"#,
    ];

    #[test]
    fn the_texts_that_are_altered_below_are_frames() {
        for text in MESSAGES {
            assert!(serde_json::from_str::<Frame>(text).is_ok(), "{text}");
        }
    }

    fn read(bytes: &[u8]) {
        if let Ok(Frame::Message { message, .. }) = serde_json::from_slice(bytes) {
            let _ = message.checked();
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_a_frame_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            which in 0..MESSAGES.len(),
            at in any::<prop::sample::Index>(),
        ) {
            read(&bytes);
            let mut altered = MESSAGES[which].as_bytes().to_vec();
            let at = at.index(altered.len());
            let end = (at + bytes.len() % 8).min(altered.len());
            altered.splice(at..end, bytes.iter().copied().take(8));
            read(&altered);
        }

        #[test]
        fn no_text_of_an_invite_makes_checking_it_panic(name in "\\PC{0,100}", user_data in any::<String>()) {
            let (invite, conversation) = (InviteId::from_bits(1), ConversationId::from_bits(2));
            let invite = Message::Invite { invite, conversation, name, user_data, audio: true, video: true };
            if let Ok(Message::Invite { name, user_data, .. }) = invite.checked() {
                prop_assert!(name.chars().count() <= 64 && user_data.len() <= MAX_USER_DATA);
            }
        }
    }
}
