//! The message set of signaling, the same on every route. `call` owns it, because the state chart understands it; this
//! file has the checks that a message must pass before it goes further in. Everything else in a message is checked
//! where it is read.

use crate::call::{ConversationId, InviteId};
pub use crate::call::{MAX_USER_DATA, Message};
use crate::identity::{display_name, plain_text};

impl Message {
    /// Kinds of this version, as their `type` names them: another one is a later version's.
    pub(super) const KINDS: [&str; 18] = [
        "invite",
        "ringing",
        "accept",
        "reject",
        "cancel",
        "busy",
        "describe",
        "trickle",
        "restart",
        "ended",
        "media",
        "wish",
        "incompatible",
        "answered_elsewhere",
        "missed",
        "picture_wanted",
        "picture",
        "leave",
    ];

    /// The message as it may go further in: text made fit to be shown and cut to its length.
    pub fn checked(mut self) -> Self {
        match &mut self {
            Self::Invite { name, user_data, .. } => {
                *name = display_name(name);
                *user_data = plain_text(user_data, MAX_USER_DATA);
            }
            Self::Accept { name, .. } => *name = display_name(name),
            Self::Describe { .. }
            | Self::Trickle { .. }
            | Self::Ringing { .. }
            | Self::Reject { .. }
            | Self::Cancel { .. }
            | Self::Busy { .. }
            | Self::Restart { .. }
            | Self::Ended { .. }
            | Self::Media { .. }
            | Self::Wish { .. }
            | Self::Incompatible { .. }
            | Self::AnsweredElsewhere { .. }
            | Self::Missed { .. }
            | Self::PictureWanted { .. }
            | Self::Picture { .. }
            | Self::Leave { .. } => {}
        }
        self
    }

    /// Whether every device of the receiver's is to have it: all of them ring, stop, and show pictures.
    pub(super) fn is_for_all_devices(&self) -> bool {
        matches!(self, Self::Invite { .. } | Self::Cancel { .. } | Self::Picture { .. })
    }

    /// Whether the sender's app says it by itself, on each of its devices: it shows at none of them that the person is
    /// there.
    pub(super) fn is_automatic(&self) -> bool {
        matches!(
            self,
            Self::Ringing { .. }
                | Self::Busy { .. }
                | Self::Missed { .. }
                | Self::AnsweredElsewhere { .. }
                | Self::PictureWanted { .. }
                | Self::Picture { .. }
        )
    }

    /// The invite that it is about.
    pub(super) fn invite_id(&self) -> Option<InviteId> {
        match self {
            Self::Invite { invite, .. }
            | Self::Ringing { invite }
            | Self::Accept { invite, .. }
            | Self::Reject { invite }
            | Self::Cancel { invite }
            | Self::Busy { invite }
            | Self::AnsweredElsewhere { invite } => Some(*invite),
            Self::Describe { .. }
            | Self::Trickle { .. }
            | Self::Restart { .. }
            | Self::Ended { .. }
            | Self::Media { .. }
            | Self::Wish { .. }
            | Self::Incompatible { .. }
            | Self::Missed { .. }
            | Self::PictureWanted { .. }
            | Self::Picture { .. }
            | Self::Leave { .. } => None,
        }
    }

    /// The conversation that it is about.
    pub(super) fn conversation_id(&self) -> Option<ConversationId> {
        match self {
            Self::Invite { conversation, .. }
            | Self::Describe { conversation, .. }
            | Self::Trickle { conversation, .. }
            | Self::Restart { conversation, .. }
            | Self::Ended { conversation }
            | Self::Media { conversation, .. }
            | Self::Wish { conversation, .. }
            | Self::Incompatible { conversation, .. }
            | Self::Leave { conversation } => Some(*conversation),
            Self::Ringing { .. }
            | Self::Accept { .. }
            | Self::Reject { .. }
            | Self::Cancel { .. }
            | Self::Busy { .. }
            | Self::AnsweredElsewhere { .. }
            | Self::Missed { .. }
            | Self::PictureWanted { .. }
            | Self::Picture { .. } => None,
        }
    }

    /// The invite that one device of the sender's has answered or declined, for all of them.
    pub(super) fn answered_invite(&self) -> Option<InviteId> {
        match self {
            Self::Accept { invite, .. } | Self::Reject { invite } => Some(*invite),
            _ => None,
        }
    }

    /// Whether the call that it is about is over with it, or never begins.
    pub(super) fn ends_call(&self) -> bool {
        match self {
            Self::Reject { .. }
            | Self::Cancel { .. }
            | Self::Busy { .. }
            | Self::AnsweredElsewhere { .. }
            | Self::Incompatible { .. }
            | Self::Ended { .. }
            | Self::Leave { .. } => true,
            Self::Invite { .. }
            | Self::Ringing { .. }
            | Self::Accept { .. }
            | Self::Describe { .. }
            | Self::Trickle { .. }
            | Self::Restart { .. }
            | Self::Media { .. }
            | Self::Wish { .. }
            | Self::Missed { .. }
            | Self::PictureWanted { .. }
            | Self::Picture { .. } => false,
        }
    }

    /// Whether it makes the receiver's app ring.
    pub fn is_invite(&self) -> bool {
        matches!(self, Self::Invite { .. })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::call::{AnyDescription, ConversationId, Description, InviteId};
    use crate::media::{MediaSet, StreamId, StreamState};
    use crate::signaling::frame::Frame;

    fn both() -> MediaSet {
        MediaSet::of_call(true, true)
    }

    #[test]
    fn messages_name_their_streams() {
        let conversation = ConversationId::from_bits(1);
        let streams = MediaSet::of_call(true, false).with(StreamState::screen(true));
        let media = serde_json::to_value(Message::Media { conversation, streams }).unwrap();
        let expected = serde_json::json!([
            {"id": 0, "kind": "audio", "on": true},
            {"id": 1, "kind": "camera", "on": false},
            {"id": 2, "kind": "screen", "on": true},
        ]);
        assert_eq!(media["streams"], expected);
        let wish = Message::Wish { conversation, stream: StreamId::SCREEN, max_height: 720 };
        let wish = serde_json::to_value(wish).unwrap();
        assert_eq!((&wish["stream"], &wish["max_height"]), (&2.into(), &720.into()));
    }

    #[test]
    fn a_description_that_does_not_fit_is_no_message_and_one_of_another_version_is() {
        let conversation = ConversationId::from_bits(1);
        let description = AnyDescription::from(Description::for_test());
        let good = serde_json::to_value(Message::Describe { conversation, description }).unwrap();
        let read = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut json = good.clone();
            change(&mut json["description"]);
            serde_json::from_value::<Message>(json)
        };
        assert!(read(&|_| {}).is_ok());
        assert!(read(&|description| description["ice_ufrag"] = "ab\r\n".into()).is_err());
        assert!(read(&|description| description["streams"] = "two".into()).is_err());
        let Ok(Message::Describe { description, .. }) = read(&|description| {
            *description = serde_json::json!({"version": 7, "streams": "two"});
        }) else {
            panic!("not read")
        };
        assert_eq!(description, AnyDescription::OtherVersion(7));
    }

    #[test]
    fn a_strangers_text_is_made_fit_to_be_shown() {
        let invite = Message::Invite {
            invite: InviteId::from_bits(1),
            conversation: ConversationId::from_bits(2),
            name: "Bob\u{202e}\u{7}".repeat(50),
            user_data: "ß\n".repeat(1000),
            streams: both(),
            descriptions: Description::VERSIONS,
        };
        let Message::Invite { name, user_data, .. } = invite.checked() else { panic!("refused") };
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

    #[test]
    fn every_kind_is_listed() {
        let unknown = serde_json::from_str::<Message>(r#"{"type":"wave"}"#).unwrap_err().to_string();
        let listed = Message::KINDS.map(|kind| format!("`{kind}`")).join(", ");
        assert!(unknown.contains(&format!("expected one of {listed}")), "{unknown}");
    }

    /// A message of each kind, as text.
    const MESSAGES: [&str; 4] = [
        r#"{"message":{"number":1,"message":{"type":"invite","invite":"00000000000000000000000000000001","conversation":"00000000000000000000000000000001","name":"a","user_data":"","streams":[{"id":0,"kind":"audio","on":true}]}}}"#,
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
            let (streams, descriptions) = (both(), Description::VERSIONS);
            let invite = Message::Invite { invite, conversation, name, user_data, streams, descriptions };
            if let Message::Invite { name, user_data, .. } = invite.checked() {
                prop_assert!(name.chars().count() <= 64 && user_data.len() <= MAX_USER_DATA);
            }
        }
    }
}
