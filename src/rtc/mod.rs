//! The WebRTC engine: one peer connection a remote participant, over the webrtc crate.
//!
//! ```text
//! SEND    encoder -> sending (packets, pacer) -> repair (FEC, RTX) -> bwe (TWCC numbers) -> SRTP -> transport
//!            ^---------------- budget -------------------------------------'  ^-- reports of the far side
//! RECEIVE transport -> SRTP -> repair (unwrapped, rebuilt, asked for) -> receiving -> jitter buffer -> decoder -> tile
//!                                                                       `-> sound, packet by packet -> its owner
//! ```
//!
//! `negotiation` is what both sides agree on first. `peer` owns a connection, `driver` runs it, `connection` builds it
//! with its chain of interceptors (`stage`); `virtual_time` tests whole paths.
//!
//! Everything runs on tokio tasks but the decoder, which has a thread. The controller's calls never wait: commands and
//! media go through bounded queues, and what happens comes back as [`PeerEvent`]s.

pub mod bwe;
mod connection;
mod connection_state;
mod deadline;
mod driver;
mod engine;
#[doc(hidden)]
pub mod fuzz;
mod negotiation;
mod pacing;
mod path;
mod peer;
mod receiving;
mod repair;
mod rtcp_observer;
mod send_state;
mod sending;
mod stage;
mod stats;
mod streams;
mod transport;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod virtual_time;

pub use crate::call::Role;
pub use engine::{Engine, PeerEvent, PeerSinks, VideoSink};
pub use peer::Peer;
pub use sending::packetizer;
pub use stats::PeerStats;
pub use transport::link::{Link, LinkProfile, ParseLinkError, UdpRelay};
