//! Protocol between the app and a Visavis server: typed, bounded, with a version. Both ends read and write through
//! these types alone. Pure: nothing here has a socket or a clock.
//!
//! ```text
//! TLS 1.3, the server's key pinned by the link; then a WebSocket (RFC 6455) at PATH
//! app                                                       server
//!       <-- text: challenge {versions, nonce} ----------------
//! ----- text: prove {version, id, signature} --------------->   the key, over the TLS exporter and the nonce
//!       <-- text: welcome {device, clock, limits, relay} -----
//! ----- text: watch, unwatch {boxes} ----------------------->
//!       <-- text: up, down {box, devices} --------------------   only while both ends watch each other
//! ----- binary: letter to a box ---------------------------->
//!       <-- binary: letter from a box ------------------------   sealed from end to end, padded
//! ```
//!
//! A person's box is a hash of their ID ([`BoxId`]). Each connection of a box is a device with a number of its own.
//! Text messages are JSON objects with one field; fields and kinds that a version does not know belong to a later one,
//! and are passed over.

mod control;
mod letter;
mod mailbox;

pub use control::{
    Challenge, Limits, MAX_BOXES, MAX_CONTROL, Prove, Refusal, Relay, ToApp, ToServer, UnreadableControl, Welcome,
};
pub use letter::{Letter, MAX_CONTENT, MAX_LETTER, UnreadableLetter};
pub use mailbox::{BoxId, Device};

/// Version of the protocol that this program speaks.
pub const VERSION: u16 = 1;
/// Path of the WebSocket.
pub const PATH: &str = "/visavis/server";
/// Label of the TLS exporter that a proof is made over (RFC 8446, 7.5; a label for private use by RFC 5705, 4).
pub const EXPORTER_LABEL: &[u8] = b"EXPERIMENTAL visavis server 1";
/// Protocol that both ends name in TLS (ALPN, RFC 7301).
pub const ALPN: &[u8] = b"http/1.1";
