//! Inputs of the route's task and requests to the connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::egress::Egress;
use super::status::ServerStatus;
use crate::identity::{PeerId, ServerLink};
use crate::network::NetworkMonitor;
use crate::server_protocol::{Device, Relay};
use crate::signaling::local::Local;
use crate::signaling::route::{Incoming, Up};

/// A way to somebody: a device of theirs at a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkKey {
    pub(super) server: u64,
    pub(super) device: Device,
}

/// The relay of a server that this side is connected to, and a credential for it.
#[derive(Clone, Debug)]
pub struct Access {
    /// The server.
    pub link: ServerLink,
    /// Addresses of the server, where its relay is, too: the one first that it was reached at. None where a proxy leads
    /// to it, and its name is known to the proxy alone: then by a stream only.
    pub addresses: Vec<SocketAddr>,
    /// The relay.
    pub relay: Relay,
    /// Round-trip time to the server.
    pub round_trip: Duration,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) egress: Egress,
}

impl Access {
    /// Opens a stream to the server for TURN over TLS (RFC 8656, 3.1), as its connection was opened: through a proxy
    /// where one is set, with the same check of its certificate. The first of several addresses that can be reached
    /// is taken, so that both ends of a call find the same node's relay.
    ///
    /// # Errors
    ///
    /// Those of TCP, the proxy and TLS.
    pub async fn open_stream(self) -> io::Result<TlsStream<TcpStream>> {
        let opened = self.egress.open_in_order(self.link.host(), self.link.port(), &self.addresses).await;
        let stream = opened.map_err(io::Error::other)?;
        let name = ServerName::try_from(self.link.host().to_owned()).map_err(io::Error::other)?;
        TlsConnector::from(self.tls).connect(name, stream).await
    }
}

/// Request of the hub or of the client to the route's task.
#[derive(Debug)]
pub(super) enum Command {
    /// Messages to the person wait until then.
    Seek { peer: PeerId, until: Instant },
    /// The present way may lead nowhere any more.
    Renew(PeerId),
    /// End the sessions with the person.
    Close(PeerId),
    /// End the sessions with this run of the person's app.
    CloseRun(PeerId, Arc<str>),
    /// Be connected to these servers.
    SetServers(Vec<ServerLink>),
}

/// Input of the route's task.
pub(super) enum Input {
    /// Somebody has proven their key on a link; `take` queues frames for it.
    Up { link: LinkKey, up: Up, take: Box<dyn Fn(Bytes) -> bool + Send + Sync> },
    /// A frame of somebody.
    Received { link: LinkKey, peer: PeerId, instance: Arc<str>, incoming: Incoming },
    /// A link leads nowhere any more.
    Down { link: LinkKey, peer: PeerId },
    /// A server's status changed.
    Status { server: u64, status: ServerStatus },
    /// A server's relay may be used, or no more.
    Access { server: u64, access: Option<Access> },
}

/// Request to a connection.
#[derive(Debug)]
pub(super) enum Request {
    /// Seal a frame for a run of an app at a device, and send it.
    Send { peer: PeerId, device: Device, run: Arc<str>, frame: Bytes },
    /// Messages to the person wait until then.
    Seek { peer: PeerId, until: Instant },
    /// The connection may lead nowhere any more, and the sessions with the person neither. Each server is probed: the
    /// person may be at any.
    Renew(PeerId),
    /// End the sessions with the person.
    Close(PeerId),
    /// End the sessions with this run of the person's app.
    CloseRun(PeerId, Arc<str>),
    /// End the connection.
    End,
}

/// State that each connection needs of the rest.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) local: Arc<Local>,
    pub(super) egress: Egress,
    pub(super) networks: NetworkMonitor,
    pub(super) inputs: mpsc::Sender<Input>,
}

impl Context {
    pub(super) async fn input(&self, input: Input) {
        // The route's task is gone only when everything is being closed.
        let _ = self.inputs.send(input).await;
    }
}
