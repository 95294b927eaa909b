//! Control messages between the app and a server: JSON texts of one field each.
//!
//! ```text
//! {"challenge":{"min_version":1,"max_version":1,"nonce":"<64 hex>"}}
//! {"prove":{"version":1,"id":"<56 characters>","signature":"<128 hex>"}}
//! {"welcome":{"device":7,"time_ms":1800000000000,"limits":{...},"relay":{...}}}
//! {"watch":{"boxes":["<64 hex>"]}}    {"unwatch":{"boxes":["<64 hex>"]}}
//! {"up":{"devices":[["<64 hex>",7]]}}    {"down":{"devices":[["<64 hex>",7]]}}
//! {"refused":{"reason":"proof"}}
//! ```

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize, Serializer};

use super::mailbox::hex_bytes;
use super::{BoxId, Device};
use crate::identity::{PeerId, SIGNATURE_LEN};

/// Bytes of a control message at most.
pub const MAX_CONTROL: usize = 64 * 1024;
/// Boxes that one message names at most.
pub const MAX_BOXES: usize = 500;
/// Bytes of each text of a welcome.
const MAX_TEXT: usize = 512;

/// A text that is no control message: too long, no JSON, or out of its bounds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a message of the server's protocol: {0}")]
pub struct UnreadableControl(String);

/// The first message of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// Lowest version of the protocol that the server speaks.
    pub min_version: u16,
    /// Highest version.
    pub max_version: u16,
    /// Random; the proof is made over it.
    #[serde(serialize_with = "as_hex", deserialize_with = "hex_bytes")]
    pub nonce: [u8; 32],
}

/// The first message of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prove {
    /// Version of the protocol that the rest of the connection has.
    pub version: u16,
    /// The key.
    pub id: PeerId,
    /// The proof, see [`crate::identity::prove_to_server`].
    #[serde(serialize_with = "as_hex", deserialize_with = "hex_bytes")]
    pub signature: [u8; SIGNATURE_LEN],
}

/// Bounds that a server keeps for each connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Boxes that one connection may watch.
    pub watches: u32,
    /// Letters a second, after a burst.
    pub letters_per_second: u32,
    /// Letters at once after a pause.
    pub letters_at_once: u32,
    /// Letters an hour to boxes that do not watch the sender's.
    pub unwatched_letters_per_hour: u32,
}

/// STUN and TURN of a server, with a credential of this connection's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relay {
    /// UDP port of STUN (RFC 8489) and of TURN over UDP (RFC 8656), on the host of the server's link; `None`: neither
    /// is offered. No message names another host.
    pub udp_port: Option<u16>,
    /// Whether TURN over TLS is offered on the TCP port of the server's link.
    pub tls: bool,
    /// TURN user name.
    pub username: String,
    /// TURN password.
    pub password: String,
    /// Seconds for which the two are accepted, from now on.
    pub valid_s: u32,
}

/// Answer to a proof that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Number of this connection of the box.
    pub device: Device,
    /// The server's clock, in milliseconds of Unix time.
    pub time_ms: i64,
    /// Bounds of this connection.
    pub limits: Limits,
    /// The relay, where the server has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<Relay>,
}

/// Why a server ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The proof does not hold.
    Proof,
    /// No version of the protocol is common.
    Version,
    /// Too much was sent, or something that is no message.
    Abuse,
    /// The receiver reads too slowly.
    Slow,
    /// Another device of the same key came, and there are too many.
    TooManyDevices,
    /// The server is full.
    Full,
    /// The server ends; come back.
    Ending,
    /// A reason of a later version.
    #[serde(other)]
    Other,
}

/// Control message to the app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToApp {
    /// Prove the key.
    Challenge(Challenge),
    /// The proof holds.
    Welcome(Welcome),
    /// These devices of watched boxes, which watch this one, are there.
    Up {
        /// Box and number of each.
        devices: Vec<(BoxId, Device)>,
    },
    /// These are gone, or one of the two sides watches no more.
    Down {
        /// Box and number of each.
        devices: Vec<(BoxId, Device)>,
    },
    /// The server ends this connection.
    Refused {
        /// Why.
        reason: Refusal,
    },
}

/// Control message to the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToServer {
    /// The key's proof.
    Prove(Prove),
    /// Watch these boxes too.
    Watch {
        /// At most [`MAX_BOXES`].
        boxes: Vec<BoxId>,
    },
    /// Watch these no more.
    Unwatch {
        /// At most [`MAX_BOXES`].
        boxes: Vec<BoxId>,
    },
}

impl ToApp {
    /// The message as a WebSocket text.
    pub fn encode(&self) -> String {
        // Writing these types cannot fail: their maps have text keys, and nothing in them fails by itself.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The message in a WebSocket text; `None`: of a kind that a later version knows.
    pub fn decode(text: &str) -> Result<Option<Self>, UnreadableControl> {
        let Some(message) = read(text, &["challenge", "welcome", "up", "down", "refused"])? else { return Ok(None) };
        let within = match &message {
            Self::Up { devices } | Self::Down { devices } => devices.len() <= MAX_BOXES,
            Self::Welcome(welcome) => welcome.relay.as_ref().is_none_or(Relay::is_within_bounds),
            Self::Challenge(challenge) => challenge.min_version <= challenge.max_version,
            Self::Refused { .. } => true,
        };
        within_bounds(within, message)
    }
}

impl ToServer {
    /// The message as a WebSocket text.
    pub fn encode(&self) -> String {
        // As above.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The message in a WebSocket text; `None`: of a kind that a later version knows.
    pub fn decode(text: &str) -> Result<Option<Self>, UnreadableControl> {
        let Some(message) = read(text, &["prove", "watch", "unwatch"])? else { return Ok(None) };
        let within = match &message {
            Self::Watch { boxes } | Self::Unwatch { boxes } => boxes.len() <= MAX_BOXES,
            Self::Prove(_) => true,
        };
        within_bounds(within, message)
    }
}

impl Relay {
    fn is_within_bounds(&self) -> bool {
        [&self.username, &self.password].iter().all(|text| text.len() <= MAX_TEXT)
    }
}

fn within_bounds<T>(within: bool, message: T) -> Result<Option<T>, UnreadableControl> {
    if within { Ok(Some(message)) } else { Err(UnreadableControl("out of its bounds".to_owned())) }
}

/// The message in a text; `None` where it is an object of one field that is none of `kinds`.
fn read<'a, T: Deserialize<'a>>(text: &'a str, kinds: &[&str]) -> Result<Option<T>, UnreadableControl> {
    if text.len() > MAX_CONTROL {
        return Err(UnreadableControl("too long".to_owned()));
    }
    match serde_json::from_str(text) {
        Ok(message) => Ok(Some(message)),
        Err(error) => match serde_json::from_str::<std::collections::HashMap<&str, serde::de::IgnoredAny>>(text) {
            Ok(fields) if fields.len() == 1 && !fields.keys().any(|kind| kinds.contains(kind)) => Ok(None),
            _ => Err(UnreadableControl(error.to_string())),
        },
    }
}

fn as_hex<S: Serializer, const N: usize>(bytes: &[u8; N], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&HEXLOWER.encode(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mailbox(byte: u8) -> BoxId {
        BoxId::from_bytes([byte; 32])
    }

    #[test]
    fn every_message_comes_back() {
        let limits = Limits { watches: 1, letters_per_second: 2, letters_at_once: 3, unwatched_letters_per_hour: 4 };
        let relay = Relay {
            udp_port: Some(3478),
            tls: true,
            username: "1:a".to_owned(),
            password: "b".to_owned(),
            valid_s: 43_200,
        };
        for message in [
            ToApp::Challenge(Challenge { min_version: 1, max_version: 2, nonce: [7; 32] }),
            ToApp::Welcome(Welcome { device: Device(7), time_ms: -1, limits, relay: Some(relay) }),
            ToApp::Welcome(Welcome { device: Device(7), time_ms: i64::MAX, limits, relay: None }),
            ToApp::Up { devices: vec![(mailbox(1), Device(2))] },
            ToApp::Down { devices: Vec::new() },
            ToApp::Refused { reason: Refusal::TooManyDevices },
        ] {
            assert_eq!(ToApp::decode(&message.encode()), Ok(Some(message)));
        }
        let id = PeerId::from_bytes([9; 32]);
        for message in [
            ToServer::Prove(Prove { version: 1, id, signature: [5; SIGNATURE_LEN] }),
            ToServer::Watch { boxes: vec![mailbox(1); MAX_BOXES] },
            ToServer::Unwatch { boxes: vec![mailbox(1)] },
        ] {
            assert!(message.encode().len() <= MAX_CONTROL);
            assert_eq!(ToServer::decode(&message.encode()), Ok(Some(message)));
        }
    }

    #[test]
    fn later_kinds_fields_and_reasons_are_passed_over_and_malformed_ones_refused() {
        assert_eq!(ToServer::decode(r#"{"push":{"token":"x"}}"#), Ok(None));
        assert_eq!(ToApp::decode(r#"{"push":7}"#), Ok(None));
        let refused = ToApp::Refused { reason: Refusal::Other };
        assert_eq!(ToApp::decode(r#"{"refused":{"reason":"paid","price":7}}"#), Ok(Some(refused)));
        for wrong in ["", "[]", "7", "{}", r#"{"watch":{"boxes":["00"]}}"#, r#"{"watch":7}"#, r#"{"watch":{},"x":1}"#] {
            assert!(ToServer::decode(wrong).is_err(), "{wrong}");
        }
        for wrong in [r#"{"up":{"devices":[7]}}"#, r#"{"welcome":{"device":-1}}"#, r#"{"refused":{}}"#] {
            assert!(ToApp::decode(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn everything_is_bounded() {
        let boxes = vec![mailbox(1); MAX_BOXES + 1];
        assert!(ToServer::decode(&ToServer::Watch { boxes }.encode()).is_err());
        let devices = vec![(mailbox(1), Device(1)); MAX_BOXES + 1];
        assert!(ToApp::decode(&ToApp::Up { devices }.encode()).is_err());
        assert!(ToServer::decode(&" ".repeat(MAX_CONTROL + 1)).is_err());
        let text = format!(r#"{{"challenge":{{"min_version":2,"max_version":1,"nonce":"{}"}}}}"#, "00".repeat(32));
        assert!(ToApp::decode(&text).is_err(), "no version lies between");
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_failing(text in "\\PC{0,300}") {
            let _ = (ToApp::decode(&text), ToServer::decode(&text));
        }
    }
}
