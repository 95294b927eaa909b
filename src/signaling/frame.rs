//! Frames: the bodies of envelopes and records, one JSON text each. Fields, kinds of frame and kinds of message that
//! this version does not know belong to another version, and are ignored.
//!
//! ```text
//! initiator                                                responder
//! envelope: hello {challenge: a, versions}  ------->                proves nothing yet: it may be a recording
//!                       <-------  envelope: hello {challenge: b, answer: a, versions}   the responder is there, now
//! record: confirm {answer: b}               ------->                the initiator is there, now
//! records: message, ack, name               <------>  records: message, ack, name
//! ```
//!
//! The challenges alone show that nothing is a recording: no clock takes part. A recorded hello is answered with
//! another challenge, in an envelope that only its true sender opens, so no fitting confirm follows; and records open
//! only in the session whose hellos they follow (see `identity::seal`).
//!
//! As JSON (each on one line, which is broken here; IDs of invites and conversations are 32 hexadecimal digits):
//!
//! ```text
//! {"hello":{"instance":"<32 hex>","name":"Ann","challenge":"<32 hex>","answer":"<32 hex, the responder's only>",
//!           "versions":{"min":3,"max":3},"time":1800000000000,"device":"<32 hex>"}}
//! {"confirm":{"answer":"<32 hex>"}}
//! {"message":{"number":1,"message":{"type":"ringing","invite":"<32 hex>"}}}
//! {"message":{"number":2,"message":{"type":"invite",...},"token":"<32 hex, of an invitation>"}}
//! {"ack":{"number":1}}
//! {"name":{"name":"Ann B."}}
//! ```

use serde::{Deserialize, Serialize};

use super::message::Message;
use super::version::Versions;

/// The first frame each way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Random, chosen at each start of the app: tells a restarted app from a second connection. 32 hexadecimal digits.
    pub instance: String,
    /// The device that the app runs on, the same at each start: tells a restarted app from another device of the same
    /// person. 32 hexadecimal digits; apps of earlier versions say none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The name that the person goes by.
    pub name: String,
    /// Random; comes back in the other side's next frame. 32 hexadecimal digits.
    pub challenge: String,
    /// The challenge that this hello answers: the responder's only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// The versions of signaling that the sender speaks.
    #[serde(default)]
    pub versions: Versions,
    /// The sender's clock, in milliseconds of Unix time (negative before 1970). Nothing depends on it: the receiver's
    /// app tells its person when it is far from its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<i64>,
    /// The token of an invitation of the receiver's, where the sender has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// The content of an envelope or a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame {
    /// Introduction of the sender, and a challenge.
    Hello(Hello),
    /// The initiator's proof.
    Confirm {
        /// The responder's challenge.
        answer: String,
    },
    /// Another name of the sender.
    Name {
        /// Which.
        name: String,
    },
    /// A message for the call code.
    Message {
        /// Grows from message to message of one run of the sender's app. A message that is sent again, over another
        /// connection or another route, keeps its number, so that it is read once.
        number: u64,
        /// The message.
        message: Message,
        /// The token of an invitation of the receiver's, with an invite of whoever has one: the session may have begun
        /// before they had it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
    },
    /// Acknowledgement, end to end: the sender's app has read every message of the receiver's up to this one.
    Ack {
        /// Its number.
        number: u64,
    },
}

/// A body that is no frame of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoFrame {
    /// A message of an unknown kind, which counts as read all the same.
    UnknownMessage {
        /// Its number.
        number: u64,
    },
    /// A message without a kind, or of a known kind that does not fit it.
    Malformed,
    /// A frame of an unknown kind.
    UnknownKind,
    /// No JSON object at all.
    Garbage,
}

impl Frame {
    /// A message without a token.
    pub const fn message(number: u64, message: Message) -> Self {
        Self::Message { number, message, token: None }
    }

    /// The frame as it stands in a body; `None` only where it cannot be written as JSON.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(self).ok()
    }

    /// The frame that stands in a body.
    pub(super) fn decode(body: &[u8]) -> Result<Self, NoFrame> {
        serde_json::from_slice(body).map_err(|_| NoFrame::of(body))
    }
}

impl NoFrame {
    fn of(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Numbered {
            number: u64,
            message: serde_json::Map<String, serde_json::Value>,
        }
        #[derive(Deserialize)]
        struct Unknown {
            message: Numbered,
        }
        if let Ok(Unknown { message }) = serde_json::from_slice(body) {
            let kind = message.message.get("type").and_then(serde_json::Value::as_str);
            let is_unknown = kind.is_some_and(|kind| !Message::KINDS.contains(&kind));
            return if is_unknown { Self::UnknownMessage { number: message.number } } else { Self::Malformed };
        }
        match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(body) {
            Ok(_) => Self::UnknownKind,
            Err(_) => Self::Garbage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_kinds_are_told_from_garbage_and_messages_keep_their_number() {
        for (body, expected) in [
            (r#"{"message":{"number":7,"message":{"type":"wave"}}}"#, NoFrame::UnknownMessage { number: 7 }),
            (r#"{"message":{"number":7,"message":{"type":"ringing","invite":"?"}}}"#, NoFrame::Malformed),
            (r#"{"message":{"number":7,"message":{"type":7}}}"#, NoFrame::Malformed),
            (r#"{"message":{"number":-7,"message":{"type":"wave"}}}"#, NoFrame::UnknownKind),
            (r#"{"message":{"number":7,"message":[]}}"#, NoFrame::UnknownKind),
            (r#"{"weather":{"clouds":7}}"#, NoFrame::UnknownKind),
            ("[]", NoFrame::Garbage),
            ("not JSON", NoFrame::Garbage),
        ] {
            assert_eq!(Frame::decode(body.as_bytes()), Err(expected), "{body}");
        }
        let ack = Frame::Ack { number: 7 };
        assert_eq!(ack.encode().as_deref(), Some(&br#"{"ack":{"number":7}}"#[..]));
        assert_eq!(Frame::decode(br#"{"ack":{"number":7,"urgent":true}}"#), Ok(ack));
    }
}
