//! The WebRTC engine: one peer connection a remote participant, over the webrtc crate.
//!
//! ```text
//! SEND     encoder -> packetizer -> reports, retransmission buffer -> DTLS-SRTP -> ICE -> gated UDP sockets
//! RECEIVE  gated UDP sockets -> ICE -> DTLS-SRTP -> repairs, NACK, reports -> video jitter buffer -> decoder -> tile
//!                                                                          `-> sound, packet by packet -> its owner
//! ```
//!
//! Everything runs on tokio tasks but the decoder, which has a thread. The controller's calls never wait: commands and
//! media go through bounded queues, and what happens comes back as [`PeerEvent`]s.

pub mod congestion;
mod connection;
mod driver;
mod engine;
#[doc(hidden)]
pub mod fuzz;
mod negotiation;
mod peer;
mod receiving;
mod repair;
mod rtcp_observer;
mod sending;
mod stage;
mod stats;
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
