//! The route over Visavis servers: people who are not on this network. Sessions are the same as on the local network,
//! from end to end; the server passes their sealed messages on as letters.
//!
//! ```text
//! hub -- send --> links -- frames --> connection (one task a server) <-- TLS, WebSocket --> server
//!     -- seek, renew, close --> route's task -- requests --^  |  sessions (pure): handshakes and records in letters
//!     <- up, received, down, server's status -----------------'
//! ```

mod backoff;
mod connection;
mod crowd;
mod dial;
mod dial_error;
mod egress;
mod examine;
mod input;
mod post;
mod probe;
mod relay_order;
mod relays;
mod route_task;
mod sessions;
mod status;
mod tls;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub use self::crowd::{Crowd, CrowdError, Returns, Rings};
pub(super) use self::egress::Egress;
pub use self::examine::{Examined, examine_server};
pub use self::input::Access;
use self::input::{Command, Context};
#[doc(hidden)]
pub use self::post::fuzz_post;
pub use self::probe::{AnswerTimes, time_answers};
use self::relays::Relays;
use self::route_task::RouteTask;
pub use self::status::{ServerDetail, ServerState, ServerStatus};
use super::links::Links;
use super::local::Local;
use super::route::{Route, RouteEvent, RouteKind, RouteReports};
use crate::identity::{PeerId, ServerLink};
use crate::network::NetworkMonitor;

const COMMANDS: usize = 512;
const INPUTS: usize = 256;

/// The route, running; it ends when this is dropped.
pub(super) struct Servers {
    route: JoinHandle<()>,
    commands: mpsc::WeakSender<Command>,
    relays: Arc<Relays>,
    own: PeerId,
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.route.abort();
    }
}

impl Servers {
    /// Not connected to any server yet; each is reached by `egress`, and anew when `networks` change. Also the route's
    /// handle, for the hub.
    pub(super) fn start(
        runtime: &Handle,
        local: &Arc<Local>,
        (egress, networks): (Egress, NetworkMonitor),
        hub: mpsc::Sender<(RouteKind, RouteEvent)>,
    ) -> (Self, Box<dyn Route>) {
        let (commands, from_hub) = mpsc::channel(COMMANDS);
        let (inputs, from_connections) = mpsc::channel(INPUTS);
        let (links, relays) = (Arc::<Links>::default(), Arc::<Relays>::default());
        let context = Context { local: Arc::clone(local), egress, networks, inputs };
        let hub = RouteReports::new(RouteKind::Server, hub);
        let task = RouteTask::new(context, hub, Arc::clone(&links), Arc::clone(&relays));
        let route = runtime.spawn(task.run(from_hub, from_connections));
        let running = Self { route, commands: commands.downgrade(), relays, own: local.identity.id() };
        (running, Box::new(ServerRoute { links, commands }))
    }

    /// Connects to these servers, and to no others. Not to be called on a task of the runtime.
    pub(super) fn set(&self, servers: Vec<ServerLink>) {
        if let Some(commands) = self.commands.upgrade() {
            // The task is gone only when everything is being closed.
            let _ = commands.blocking_send(Command::SetServers(servers));
        }
    }

    /// The relay of the server over which somebody is, or was last, reached; its addresses in the order of this pair.
    pub(super) fn relay_to(&self, id: &PeerId) -> Option<Access> {
        let mut access = self.relays.to(id)?;
        relay_order::put_in_order([&self.own, id], &mut access.addresses);
        Some(access)
    }

    /// Whether somebody is, or was before, reached over a server.
    pub(super) fn was_over_server(&self, id: &PeerId) -> bool {
        self.relays.server_of(id).is_some()
    }

    /// Waits, for so long at most, until the connections are closed; they begin to when the hub drops the route's
    /// handle.
    pub(super) async fn closed(&mut self, patience: Duration) {
        let _ = timeout(patience, &mut self.route).await;
    }
}

/// The hub's handle of the route.
struct ServerRoute {
    links: Arc<Links>,
    commands: mpsc::Sender<Command>,
}

impl ServerRoute {
    fn tell(&self, command: Command) {
        if self.commands.try_send(command).is_err() {
            tracing::debug!("the route over servers has too much to do");
        }
    }
}

impl Route for ServerRoute {
    fn kind(&self) -> RouteKind {
        RouteKind::Server
    }

    fn send(&self, to: &PeerId, run: &str, frame: Bytes) -> bool {
        self.links.send(to, run, frame)
    }

    fn seek(&self, peer: PeerId, until: Instant) {
        self.tell(Command::Seek { peer, until });
    }

    /// The route's task sees it in the messages.
    fn spoke(&self, _peer: &PeerId, _run: &str) {}

    fn renew(&self, peer: PeerId) {
        self.tell(Command::Renew(peer));
    }

    fn close(&self, peer: &PeerId) {
        self.tell(Command::Close(*peer));
    }

    fn close_run(&self, peer: &PeerId, run: &str) {
        self.tell(Command::CloseRun(*peer, run.into()));
    }
}
