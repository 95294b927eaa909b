//! The WebRTC engine: one peer connection a remote participant, over the webrtc crate.
//!
//! ```text
//! SEND    encoder -> sending (packets, pacer) -> repair (FEC, RTX) -> bwe (TWCC numbers) -> SRTP -> transport
//!            ^---------------- budget -------------------------------------'  ^-- reports of the far side
//! RECEIVE transport -> SRTP -> repair (unwrapped, rebuilt, asked for) -> receiving -> jitter buffer -> picture sink
//!                                                                       `-> sound, packet by packet -> sound sink
//! ```
//!
//! `negotiation` has the terms that both sides agree on first. `peer` owns a connection, `driver` runs it, `connection`
//! builds it with its chain of interceptors (`stage`). `stream` is the send and receive path of each stream without its
//! I/O, which the tasks in `sending` and `receiving` drive, and `virtual_time`, which tests whole paths.
//!
//! Everything runs on tokio tasks. The controller's calls never wait: commands and media go through bounded queues, and
//! its reports come back as [`PeerEvent`]s.

pub mod bwe;
mod connection;
mod connection_state;
mod context;
mod deadline;
mod driver;
mod engine;
mod event;
#[doc(hidden)]
pub mod fuzz;
mod ice_servers;
mod keyframe_inbox;
mod mtu;
mod negotiation;
mod pacing;
mod path;
mod peer;
mod picture_streams;
mod receiving;
mod repair;
mod rtcp_observer;
mod send_state;
mod sending;
mod stage;
mod stats;
mod stream;
mod streams;
mod transport;
mod ways;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod virtual_time;

pub use crate::call::Role;
pub use engine::Engine;
pub use event::{PeerEvent, PeerSinks, PictureStreamSink};
pub use ice_servers::{IceServers, RelayServer, StreamRelay};
pub use peer::Peer;
pub use stats::{MediaRoute, PeerStats};
pub use stream::packetizer;
pub use transport::link::{LinkEmulator, LinkProfile, ParseLinkError, UdpRelay};
pub use transport::stream_relay::{OpeningStream, RelayStream, StreamConnector};
