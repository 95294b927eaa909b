//! Signaling before and beside media: one message set, and routes that carry it sealed and signed.
//!
//! ```text
//! controller -- send --> SignalingClient -- command --> hub (one task) -- send, seek --> routes (`Route`)
//!     ^                                                   |    ^                            |
//!     `----------------- SignalingEvent ------------------'    `--- Up, Received, Down -----'
//!
//! on every route:  handshake (three messages)  ->  session (records: messages, acknowledgements, names)
//! ```
//!
//! `lan` is the route over this network, `server` the one over Visavis servers.

mod call_devices;
mod client;
mod clocks;
mod event;
mod flood;
mod frame;
mod handshake;
mod hub;
mod inbox;
mod invitations;
mod lan;
mod links;
mod local;
mod message;
mod numbers;
mod person;
mod route;
mod runs;
mod send_queue;
mod server;
mod session;
mod version;

pub use client::{SignalingClient, SignalingConfig, SignalingError};
pub use clocks::clocks_differ;
pub use event::SignalingEvent;
pub use frame::{Frame, Hello};
pub use message::{MAX_USER_DATA, Message};
pub use route::{DiscoveryFault, RouteKind, RouteSet};
#[doc(hidden)]
pub use server::fuzz_post;
pub use server::{Access, ServerDetail, ServerState, ServerStatus};
pub use server::{AnswerTimes, Crowd, CrowdError, Examined, Returns, Rings, examine_server, time_answers};
pub use version::{VersionSkew, Versions};
