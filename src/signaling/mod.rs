//! How two apps talk before and beside media: one message set, and routes that carry it sealed and signed.
//!
//! ```text
//! controller -- send --> SignalingClient -- command --> hub (one task) <-- found, lost -- discovery (mDNS-SD)
//!     ^                                                  |   ^
//!     `----------------- SignalingEvent -----------------'   | up, received, acknowledged, down
//!                                           letters --> connection (one task a person) <--> the other computer
//! ```
//!
//! `lan` opens connections to and from people on this network. Another route needs to offer the hub the same thing: a
//! connection that is up only once the person at its other end has proven their key.

mod client;
mod connection;
mod dial_budget;
mod discovery;
mod flood;
mod frame;
mod handshake;
mod hub;
mod inbox;
mod lan;
mod local;
mod local_ports;
mod message;
mod metered;
mod outbox;
mod paths;
mod peer;

pub use client::{PresenceRoute, SignalingClient, SignalingConfig, SignalingError, SignalingEvent};
pub use discovery::DiscoveryFault;
pub use frame::{Frame, Hello};
pub use message::{MAX_USER_DATA, Message};
