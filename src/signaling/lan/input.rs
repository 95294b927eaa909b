//! Inputs of the route's task: reports of discovery, dials and connections, and requests of the hub.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::identity::PeerId;
use crate::network::Path;
use crate::signaling::local::Local;
use crate::signaling::route::{DiscoveryFault, RouteReports, Up};

/// Input of the route's task.
#[derive(Debug)]
pub(in crate::signaling) enum Input {
    /// Somebody announces a person at these addresses. Proves nothing.
    Found { fullname: String, peer: PeerId, addresses: Vec<SocketAddr> },
    /// An announcement is gone.
    Lost { fullname: String },
    /// People are looked for anew: everybody who is there will be found again.
    DiscoveryRestarted,
    /// Fault that keeps people from being found now, if any.
    Discovery(Option<DiscoveryFault>),
    /// A connection on which both sides are proven.
    Proven(NewLink),
    /// A connection has shown that it leads to the person: they acknowledged a message on it.
    Heard { connection: u64, peer: PeerId },
    /// A connection that was proven is gone; whether it was the far computer that closed it.
    Down { connection: u64, peer: PeerId, closed_by_far: bool },
    /// A dial of this address led to a run of the person's app that is connected, and was given up.
    Led { peer: PeerId, run: Arc<str>, address: SocketAddr },
    /// None of a person's addresses led to them.
    DialFailed { peer: PeerId },
}

/// Request of the hub to the route's task.
#[derive(Clone, Copy, Debug)]
pub(super) enum Command {
    /// Messages to the person wait until then.
    Seek { peer: PeerId, until: Instant },
    /// The present connection may lead nowhere any more.
    Renew(PeerId),
}

/// A proven connection, before it is taken.
#[derive(Debug)]
pub(in crate::signaling) struct NewLink {
    pub(super) connection: u64,
    pub(super) up: Up,
    /// Whether this side opened it.
    pub(super) dialed: bool,
    pub(super) path: Option<Path>,
    /// Takes frames; the connection closes when this is dropped.
    pub(super) frames: mpsc::Sender<Bytes>,
    /// Told once the hub knows of the connection, which reads nothing before. It closes when this is dropped.
    pub(super) taken: oneshot::Sender<()>,
}

/// State that each connection needs of the rest.
#[derive(Clone)]
pub(in crate::signaling) struct Context {
    pub(super) local: Arc<Local>,
    pub(super) lan: mpsc::Sender<Input>,
    pub(super) hub: RouteReports,
}
