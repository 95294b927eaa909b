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

mod candidate;
pub mod congestion;
mod connection;
mod description_sdp;
mod driver;
mod engine;
mod fec;
#[doc(hidden)]
pub mod fuzz;
mod handshake_repeats;
mod host_addresses;
mod link;
mod lip_sync;
mod media_tap;
mod nack;
mod paced_video;
mod pacer;
pub mod packetizer;
mod peer;
mod receiving;
mod redundancy;
mod repair_copies;
mod retransmission;
mod rtcp_observer;
mod runtime;
mod sending;
mod source_gate;
mod stage;
mod stats;

#[cfg(test)]
mod loss_tests;
#[cfg(test)]
mod rate_tests;
#[cfg(test)]
mod sound_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod virtual_end;

pub use crate::call::Role;
pub use engine::{Engine, PeerEvent, PeerSinks, VideoSink};
pub use link::{Link, LinkProfile, ParseLinkError, UdpRelay};
pub use peer::Peer;
pub use stats::PeerStats;
