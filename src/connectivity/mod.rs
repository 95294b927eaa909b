//! Connectivity of a network, as `doctor` examines it: STUN and TURN requests to a server (RFC 8489, RFC 8656), the
//! mapping of the NAT in between (RFC 5780, 4.3), and a captive portal (RFC 8952).
//!
//! The probes are a client of their own, apart from calls: a call's engine tells which way it took, and not why it did
//! not take another one.

mod client;
mod mapping;
mod portal;
mod stream;
mod udp;

pub use client::ProbeError;
pub use mapping::{Mapping, Seen};
pub use portal::captive_portal;
pub use stream::allocate_over_stream;
pub use udp::UdpProbe;

pub use crate::stun::Credential;
