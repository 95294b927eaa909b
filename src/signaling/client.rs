//! The controller's door to signaling: it sends messages to people and hears, through a callback, what they send and
//! whether they are there. Commands go through a bounded channel to the hub, which runs on the given tokio runtime.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::discovery::{Discovery, DiscoveryFault};
use super::hub::Hub;
use super::local::Local;
use super::local_ports::LocalPort;
use super::{Message, lan};
use crate::identity::{EnvelopeError, Identity, PeerId, display_name};
use crate::network::PathFinder;

const COMMANDS: usize = 512;
const INPUTS: usize = 256;
/// For goodbyes on open connections.
const HANG_UP: Duration = Duration::from_secs(1);
/// For everything that [`SignalingClient::close`] waits for.
const CLOSE: Duration = Duration::from_secs(3);

/// How signaling messages reach a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PresenceRoute {
    /// Found on this network.
    Lan,
    /// Through a Visavis server.
    Server,
    /// Inside this program: the Echo contact, which no signaling leads to.
    Local,
}

/// Who this side is, and where it listens.
#[derive(Clone, Debug)]
pub struct SignalingConfig {
    /// This person's key.
    pub identity: Arc<Identity>,
    /// The name that others are told.
    pub name: String,
    /// Only this address (and its interface) is used; all when `None`.
    pub bind: Option<IpAddr>,
}

/// What comes in. Names and notes are fit to be shown, fields are within their documented bounds, senders are proven, and
/// no sender exceeds 50 messages a second (bursts of 200) and 1 invite a second (bursts of 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalingEvent {
    /// A message; those of one person come in the order in which they were sent.
    Received {
        /// The proven sender.
        from: PeerId,
        /// What they sent.
        message: Message,
    },
    /// Somebody came, went, or goes by another name.
    Presence {
        /// Who; their key is proven.
        id: PeerId,
        /// The name that they chose.
        name: String,
        /// Whether they can be reached now.
        online: bool,
        /// By which route.
        route: PresenceRoute,
    },
    /// The computer of somebody who was there has closed the connection (TCP FIN or RST, or a WebSocket Close): their app
    /// has ended, or let go of this side. A network that fails says nothing. Comes before the [`Presence`](Self::Presence)
    /// that tells of the same loss.
    ConnectionClosed {
        /// The person.
        id: PeerId,
    },
    /// After [`ConnectionClosed`](Self::ConnectionClosed) the same run of their app is connected again: it never ended. An
    /// app that was started anew causes [`Presence`](Self::Presence) alone.
    ConnectionRestored {
        /// The person.
        id: PeerId,
    },
    /// A message for which there is no sign, within 5 s, that it arrived.
    Undelivered {
        /// For whom.
        to: PeerId,
        /// Which.
        message: Message,
    },
    /// Somebody's computer and this one differ by over a minute in what time it is. Nothing but the times that each shows
    /// depends on it. Told once of each person, and once in ten minutes at most.
    ClocksDiffer {
        /// The person; their key is proven.
        id: PeerId,
        /// By how many seconds their clock is ahead of this one.
        seconds_ahead: i64,
    },
    /// Fault that keeps people on this network from being found from now on; `None`: none does any more.
    Discovery(Option<DiscoveryFault>),
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

/// What the client asks of the hub.
#[derive(Debug)]
pub(super) enum Command {
    Send { to: PeerId, message: Message },
    Renew(PeerId),
    SetBlocked(HashSet<PeerId>),
    SetContacts(HashSet<PeerId>),
}

/// Finds people on this network and carries messages to and from them. Everything ends when it is closed or dropped.
pub struct SignalingClient {
    runtime: Handle,
    local: Arc<Local>,
    events: Arc<dyn Fn(SignalingEvent) + Send + Sync>,
    commands: mpsc::Sender<Command>,
    tasks: Tasks,
    port: u16,
    discovery_fault: Option<DiscoveryFault>,
}

struct Tasks {
    hub: JoinHandle<()>,
    listener: JoinHandle<()>,
    browser: JoinHandle<()>,
    discovery: Option<Discovery>,
    /// Lets this computer's other apps dial the listener.
    _port: LocalPort,
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.listener.abort();
        self.browser.abort();
        self.hub.abort();
    }
}

impl SignalingClient {
    /// Listens, announces this person, and looks for others. `events` is called on a task of `runtime`, one event at a time,
    /// and must not block.
    pub fn start(
        runtime: &Handle,
        config: SignalingConfig,
        events: impl Fn(SignalingEvent) + Send + Sync + 'static,
    ) -> Result<Self, SignalingError> {
        let id = config.identity.id();
        let local = Arc::new(Local::new(config.identity, &config.name)?);
        let listener = lan::bind(config.bind)?;
        let port = listener.local_addr()?.port();
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let discovery = Discovery::start(id, &local.instance, port, config.bind)?;
        let discovery_fault = discovery.fault();
        let events: Arc<dyn Fn(SignalingEvent) + Send + Sync> = Arc::new(events);
        let (commands, from_client) = mpsc::channel(COMMANDS);
        let (reports, from_routes) = mpsc::channel(INPUTS);
        let hub = Hub::new(local.clone(), events.clone(), reports.clone());
        let tasks = Tasks {
            hub: runtime.spawn(hub.run(from_client, from_routes)),
            listener: runtime.spawn(lan::listen(listener, local.clone(), reports.clone())),
            browser: runtime.spawn(discovery.browse(reports)),
            discovery: Some(discovery),
            _port: LocalPort::hold(port),
        };
        Ok(Self { runtime: runtime.clone(), local, events, commands, tasks, port, discovery_fault })
    }

    /// Fault that kept people from being found at the start, if any; changes are told by events.
    pub const fn discovery_fault(&self) -> Option<DiscoveryFault> {
        self.discovery_fault
    }

    /// Tells at any time by which path a person is reached: media to them takes the same.
    pub fn path_to(&self, id: PeerId) -> PathFinder {
        let local = self.local.clone();
        Arc::new(move || local.paths.to(&id))
    }

    /// The TCP port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Queues a message for a person, in order behind the earlier ones. Never blocks. What cannot be delivered comes back as
    /// [`SignalingEvent::Undelivered`]: within 5 s, or at once (on the caller's thread) when far too much waits already.
    pub fn send(&self, to: PeerId, message: Message) {
        if let Err(error) = self.commands.try_send(Command::Send { to, message }) {
            let (mpsc::error::TrySendError::Full(command) | mpsc::error::TrySendError::Closed(command)) = error;
            if let Command::Send { to, message } = command {
                (self.events)(SignalingEvent::Undelivered { to, message });
            }
        }
    }

    /// Opens a new connection to a person, which takes the place of the one there is: that one may lead nowhere any more, and
    /// silence tells so seconds later. What was sent on it and not read goes again.
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

    /// From now on these people are neither seen nor heard, and do not learn of it: their connections stay, and what they
    /// say is passed over. Replaces the earlier set.
    pub fn set_blocked(&self, blocked: HashSet<PeerId>) {
        self.tell(Command::SetBlocked(blocked));
    }

    /// These people keep their place when strangers crowd in, and the limit for strangers' invites is not theirs. Replaces
    /// the earlier set.
    pub fn set_contacts(&self, contacts: HashSet<PeerId>) {
        self.tell(Command::SetContacts(contacts));
    }

    /// Whether people who are no contacts may ring. It decides only about answers to those who ring too often: whether an
    /// invite rings is decided by whoever takes the events.
    pub fn set_strangers_may_ring(&self, may: bool) {
        self.local.strangers_welcome.store(may, Ordering::Relaxed);
    }

    /// Settings must not be lost when many messages wait: then it is sent by a task, as soon as there is room.
    fn tell(&self, command: Command) {
        if let Err(mpsc::error::TrySendError::Full(command)) = self.commands.try_send(command) {
            let commands = self.commands.clone();
            self.runtime.spawn(async move { commands.send(command).await });
        }
    }

    /// Says goodbye, so that the others know at once, and ends every task. Returns within 3 s. Not to be called on a task of
    /// the runtime.
    pub fn close(self) {
        let Self { runtime, commands, mut tasks, .. } = self;
        drop(commands);
        let (closed, done) = std_mpsc::sync_channel(1);
        runtime.spawn(async move {
            // It must not begin anew while goodbye is said.
            tasks.browser.abort();
            if let Some(discovery) = tasks.discovery.take() {
                discovery.say_goodbye().await;
            }
            // Without commands the hub hangs up and ends.
            let _ = timeout(HANG_UP, &mut tasks.hub).await;
            drop(tasks);
            let _ = closed.send(());
        });
        if done.recv_timeout(CLOSE).is_err() {
            tracing::warn!("signaling did not close in time");
        }
    }
}
