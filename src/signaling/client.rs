//! Client: the controller's port to signaling. It sends messages to people and reports, through a callback, their
//! messages and their presence. Commands go through a bounded channel to the hub, which runs on the given tokio
//! runtime.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::event::SignalingEvent;
use super::hub::{Command, Hub};
use super::lan::{Lan, LanError};
use super::local::Local;
use super::message::Message;
use super::route::DiscoveryFault;
use super::server::{Access, Egress, Servers};
use crate::identity::{DeviceId, EnvelopeError, Identity, InvitationToken, PeerId, ServerLink, display_name};
use crate::network::{NetworkMonitor, PathFinder, ProxyRules};

const COMMANDS: usize = 512;
/// News of the routes that wait for the hub.
const REPORTS: usize = 256;
/// For the end of the hub, and for goodbyes on open connections.
const HANG_UP: Duration = Duration::from_secs(1);
/// For everything that [`SignalingClient::close`] waits for.
const CLOSE: Duration = Duration::from_secs(3);

/// Identity of this side, its address, and its networks.
#[derive(Clone, Debug)]
pub struct SignalingConfig {
    /// This person's key.
    pub identity: Arc<Identity>,
    /// This device, which people are told inside the sealed hello.
    pub device: Option<DeviceId>,
    /// The name that others are told.
    pub name: String,
    /// Only this address (and its interface) is used; all when `None`.
    pub bind: Option<IpAddr>,
    /// Changes of this computer's networks, after which connections are opened anew.
    pub networks: NetworkMonitor,
    /// Proxies by which servers are reached.
    pub proxies: ProxyRules,
}

/// Why signaling does not start.
#[derive(Debug, thiserror::Error)]
pub enum SignalingError {
    /// No socket on that address.
    #[error("this address cannot be used for calls on this network: {0}")]
    Listen(#[from] std::io::Error),
    /// No multicast DNS.
    #[error("people on this network cannot be looked for: {0}")]
    Discovery(#[from] mdns_sd::Error),
    /// The system gave no random numbers.
    #[error(transparent)]
    Random(#[from] EnvelopeError),
}

impl From<LanError> for SignalingError {
    fn from(error: LanError) -> Self {
        match error {
            LanError::Listen(error) => Self::Listen(error),
            LanError::Discovery(error) => Self::Discovery(error),
        }
    }
}

/// Finds people on this network and over servers, and carries messages to and from them. Everything ends when it is
/// closed or dropped.
pub struct SignalingClient {
    runtime: Handle,
    local: Arc<Local>,
    events: Arc<dyn Fn(SignalingEvent) + Send + Sync>,
    commands: mpsc::Sender<Command>,
    tasks: Tasks,
}

struct Tasks {
    hub: JoinHandle<()>,
    lan: Lan,
    servers: Servers,
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.hub.abort();
    }
}

impl SignalingClient {
    /// Listens, announces this person, and looks for others. `events` is called on a task of `runtime`, one event at a
    /// time, and must not block.
    pub fn start(
        runtime: &Handle,
        config: SignalingConfig,
        events: impl Fn(SignalingEvent) + Send + Sync + 'static,
    ) -> Result<Self, SignalingError> {
        let local = Arc::new(Local::new(config.identity, &config.name)?.on(config.device));
        let events: Arc<dyn Fn(SignalingEvent) + Send + Sync> = Arc::new(events);
        let (commands, from_client) = mpsc::channel(COMMANDS);
        let (reports, from_routes) = mpsc::channel(REPORTS);
        let (bind, networks) = (config.bind, config.networks);
        let (lan, lan_route) = Lan::start(runtime, &local, (bind, networks.from_now()), reports.clone())?;
        let egress = Egress { bind, proxies: Arc::new(config.proxies), ..Egress::default() };
        let (servers, server_route) = Servers::start(runtime, &local, (egress, networks), reports);
        let hub = Hub::new(local.clone(), events.clone(), vec![lan_route, server_route]);
        let tasks = Tasks { hub: runtime.spawn(hub.run(from_client, from_routes)), lan, servers };
        Ok(Self { runtime: runtime.clone(), local, events, commands, tasks })
    }

    /// Fault that kept people from being found at the start, if any; changes are told by events.
    pub const fn discovery_fault(&self) -> Option<DiscoveryFault> {
        self.tasks.lan.discovery_fault()
    }

    /// Tells at any time by which path a person is reached: media to them takes the same.
    pub fn path_to(&self, id: PeerId) -> PathFinder {
        self.tasks.lan.path_to(id)
    }

    /// Connects to these servers, [`MAX_SERVERS`](crate::identity::MAX_SERVERS) at most, and to no others. Not to be
    /// called on a task of the runtime.
    pub fn set_servers(&self, servers: Vec<ServerLink>) {
        self.tasks.servers.set(servers);
    }

    /// The relay of the server over which a person is, or was last, reached, with a credential of this side's: the far
    /// side has one there, too.
    pub fn relay_to(&self, id: &PeerId) -> Option<Access> {
        self.tasks.servers.relay_to(id)
    }

    /// Whether a device of a person is, or was before, reached over a server, be it with or without a relay. Remembered
    /// of the latest 1024 people.
    pub fn was_over_server(&self, id: &PeerId) -> bool {
        self.tasks.servers.was_over_server(id)
    }

    /// The TCP port that it listens on.
    pub fn port(&self) -> u16 {
        self.tasks.lan.port()
    }

    /// Queues a message for a person, in order behind the earlier ones. Never blocks. An undeliverable message comes
    /// back as [`SignalingEvent::Undelivered`]: within 5 s, or at once (on the caller's thread) when far too many wait
    /// already.
    pub fn send(&self, to: PeerId, message: Message) {
        if let Err(error) = self.commands.try_send(Command::Send { to, message }) {
            let (mpsc::error::TrySendError::Full(command) | mpsc::error::TrySendError::Closed(command)) = error;
            if let Command::Send { to, message } = command {
                (self.events)(SignalingEvent::Undelivered { to, message });
            }
        }
    }

    /// Opens a new connection to a person, which takes the place of the one there is: that one may lead nowhere any
    /// more, and silence tells so seconds later. Messages that were sent on it and not read go again.
    pub fn renew(&self, to: PeerId) {
        if self.commands.try_send(Command::Renew(to)).is_err() {
            tracing::debug!("a connection is not renewed: too much waits");
        }
    }

    /// Tells everybody connected, and who comes later, another name.
    pub fn set_name(&self, name: &str) {
        self.local.name.send_if_modified(|current| {
            let name = display_name(name);
            let changed = *current != name;
            *current = name;
            changed
        });
    }

    /// From now on these people are neither seen nor heard, and do not learn of it: their connections stay, and their
    /// messages are ignored. Replaces the earlier set.
    pub fn set_blocked(&self, blocked: HashSet<PeerId>) {
        self.tell(Command::SetBlocked(blocked));
    }

    /// These people keep their place when strangers crowd in, and the limit for strangers' invites is not theirs.
    /// Replaces the earlier set.
    pub fn set_contacts(&self, contacts: HashSet<PeerId>) {
        self.tell(Command::SetContacts(contacts));
    }

    /// Whether people who are no contacts may ring. It decides only about answers to those who ring too often: the
    /// taker of the events decides whether an invite rings.
    pub fn set_strangers_may_ring(&self, may: bool) {
        self.local.strangers_welcome.store(may, Ordering::Relaxed);
    }

    /// Tokens of invitation links: those that this side gave out, whose holders may ring, and those that it shows to
    /// the people who gave them, with each invite and in each hello. Replaces the earlier ones.
    pub fn set_invitations(&self, given: HashSet<InvitationToken>, held: HashMap<PeerId, InvitationToken>) {
        self.local.invitations().set(given, held);
    }

    /// The token with which somebody has come who is no contact.
    pub fn invitation_of(&self, id: &PeerId) -> Option<InvitationToken> {
        self.local.invitations().of_guest(id)
    }

    /// Settings must not be lost when many messages wait: then it is sent by a task, as soon as there is room.
    fn tell(&self, command: Command) {
        if let Err(mpsc::error::TrySendError::Full(command)) = self.commands.try_send(command) {
            let commands = self.commands.clone();
            self.runtime.spawn(async move { commands.send(command).await });
        }
    }

    /// Says goodbye, so that the others know at once, and ends every task. Returns within 3 s. Not to be called on a
    /// task of the runtime.
    pub fn close(self) {
        let Self { runtime, commands, mut tasks, .. } = self;
        drop(commands);
        let (closed, done) = std_mpsc::sync_channel(1);
        runtime.spawn(async move {
            tasks.lan.say_goodbye().await;
            // Without commands the hub ends, and lets go of its routes.
            let _ = timeout(HANG_UP, &mut tasks.hub).await;
            tokio::join!(tasks.lan.closed(HANG_UP), tasks.servers.closed(HANG_UP));
            drop(tasks);
            let _ = closed.send(());
        });
        if done.recv_timeout(CLOSE).is_err() {
            tracing::warn!("signaling did not close in time");
        }
    }
}
