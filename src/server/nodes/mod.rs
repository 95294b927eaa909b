//! Nodes: several programs that are one server, with one key, joined by NATS (core NATS: nothing is stored).
//!
//! ```text
//! exchange -- cluster (pure): pairs of people at two nodes, their letters, devices of one key
//!    |  ^         `-- links (pure): beats, silence, lost messages       siblings (pure)
//!    v  |             message: what the nodes send each other
//! outbox | bounded; it drops rather than waits
//!    v  |
//!   bus: NATS, each message sealed with a key that the server's own key gives (seal)
//! ```
//!
//! Two subjects a node: `visavis.1.SERVER.all` for beats, and `visavis.1.SERVER.node.NODE` for all the rest.

mod bus;
mod cluster;
#[doc(hidden)]
pub mod fuzz;
mod links;
mod message;
mod outbox;
mod seal;
mod siblings;

pub use bus::BusError;
pub(super) use bus::{Bus, BusNode, BusOptions};
pub(super) use cluster::{Cluster, NodeFigures};
pub(super) use message::NodeId;
pub(super) use outbox::Outbox;
