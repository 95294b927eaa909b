//! The route over this network: people are found by mDNS-SD and connected to by direct WebSockets.
//!
//! ```text
//! hub -- send, close --> links -- frames --> connection (one task a device) <--> the other computer
//!     -- seek, renew --> route's task <-- proven, heard, down, dial failed --'   |
//!     <- up, down -----------'  ^ found, lost                                    |
//!     <- received ------------- | ----------------------------------------------'
//!                       discovery (mDNS-SD)
//! ```

mod connection;
mod connection_error;
mod dial;
mod dial_budget;
mod dial_table;
mod dialing;
mod discovery;
mod input;
mod lane;
mod listener;
mod local_ports;
mod metered;
mod paths;
mod proof;
mod proven_addresses;
mod route_task;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::discovery::Discovery;
use self::input::{Command, Context};
use self::local_ports::LocalPort;
use self::paths::Paths;
use self::route_task::LanTask;
use super::links::Links;
use super::local::Local;
use super::route::{DiscoveryFault, Route, RouteEvent, RouteKind, RouteReports};
use crate::identity::PeerId;
use crate::network::{NetworkMonitor, PathFinder};

const COMMANDS: usize = 512;
const INPUTS: usize = 256;

/// Why this route does not start.
#[derive(Debug, thiserror::Error)]
pub(super) enum LanError {
    #[error(transparent)]
    Listen(#[from] std::io::Error),
    #[error(transparent)]
    Discovery(#[from] mdns_sd::Error),
}

/// The route, running; it ends when this is dropped.
pub(super) struct Lan {
    route: JoinHandle<()>,
    listener: JoinHandle<()>,
    browser: JoinHandle<()>,
    discovery: Option<Discovery>,
    paths: Arc<Paths>,
    /// Lets this computer's other apps dial the listener.
    _port: LocalPort,
    port: u16,
    discovery_fault: Option<DiscoveryFault>,
}

impl Drop for Lan {
    fn drop(&mut self) {
        self.listener.abort();
        self.browser.abort();
        self.route.abort();
    }
}

impl Lan {
    /// Listens, on this address only where one is given; announces this person; looks for others, and dials them anew
    /// when `networks` change. Also the route's handle, for the hub.
    pub(super) fn start(
        runtime: &Handle,
        local: &Arc<Local>,
        (bind, networks): (Option<IpAddr>, NetworkMonitor),
        hub: mpsc::Sender<(RouteKind, RouteEvent)>,
    ) -> Result<(Self, Box<dyn Route>), LanError> {
        let listener = listener::bind(bind)?;
        let port = listener.local_addr()?.port();
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let discovery = Discovery::start(local.identity.id(), &local.instance, port, bind)?;
        let discovery_fault = discovery.fault();
        let (commands, from_hub) = mpsc::channel(COMMANDS);
        let (lan, inputs) = mpsc::channel(INPUTS);
        let (links, paths) = (Arc::<Links>::default(), Arc::<Paths>::default());
        let reports = RouteReports::new(RouteKind::Lan, hub);
        let context = Context { local: local.clone(), lan: lan.clone(), hub: reports };
        let task = LanTask::new(context.clone(), links.clone(), paths.clone());
        let running = Self {
            route: runtime.spawn(task.run(from_hub, inputs, networks)),
            listener: runtime.spawn(listener::listen(listener, context)),
            browser: runtime.spawn(discovery.browse(lan)),
            discovery: Some(discovery),
            paths: Arc::clone(&paths),
            _port: LocalPort::hold(port),
            port,
            discovery_fault,
        };
        Ok((running, Box::new(LanRoute { links, paths, commands })))
    }

    /// The TCP port that it listens on.
    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// Fault that kept people from being found at the start, if any.
    pub(super) const fn discovery_fault(&self) -> Option<DiscoveryFault> {
        self.discovery_fault
    }

    /// Tells at any time by which path a person is reached.
    pub(super) fn path_to(&self, id: PeerId) -> PathFinder {
        let paths = self.paths.clone();
        Arc::new(move || paths.to(&id))
    }

    /// Takes the announcement back, and looks for nobody any more.
    pub(super) async fn say_goodbye(&mut self) {
        // It must not begin anew meanwhile.
        self.browser.abort();
        if let Some(discovery) = self.discovery.take() {
            discovery.say_goodbye().await;
        }
    }

    /// Waits, for so long at most, until the connections are closed; they begin to when the hub drops the route's
    /// handle.
    pub(super) async fn closed(&mut self, patience: Duration) {
        let _ = timeout(patience, &mut self.route).await;
    }
}

/// The hub's handle of the route.
struct LanRoute {
    links: Arc<Links>,
    paths: Arc<Paths>,
    commands: mpsc::Sender<Command>,
}

impl LanRoute {
    fn tell(&self, command: Command) {
        if self.commands.try_send(command).is_err() {
            tracing::debug!("the route over this network has too much to do");
        }
    }
}

impl Route for LanRoute {
    fn kind(&self) -> RouteKind {
        RouteKind::Lan
    }

    fn send(&self, to: &PeerId, run: &str, frame: Bytes) -> bool {
        self.links.send(to, run, frame)
    }

    fn seek(&self, peer: PeerId, until: Instant) {
        self.tell(Command::Seek { peer, until });
    }

    fn spoke(&self, peer: &PeerId, run: &str) {
        self.paths.spoke(peer, run);
    }

    fn renew(&self, peer: PeerId) {
        self.tell(Command::Renew(peer));
    }

    fn close(&self, peer: &PeerId) {
        self.links.close(peer);
    }

    fn close_run(&self, peer: &PeerId, run: &str) {
        self.links.close_run(peer, run);
    }
}
