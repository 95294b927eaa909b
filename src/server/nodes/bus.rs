//! Bus: the messages between nodes, over NATS. Runs as two tasks: one publishes, the other one receives and keeps the
//! cluster's time.
//!
//! Nothing waits for NATS: without a connection to it messages are dropped, and the client's own queues are short.
//! Messages that NATS delivers late all the same are refused by the receiver, see [`links`](super::links).

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::{Client, ClientError, ConnectOptions, Event, ServerAddr, Subscriber};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::task::coop::unconstrained;
use tokio::time::sleep_until;
use zeroize::Zeroizing;

use super::cluster::Destination;
use super::message::NodeId;
use super::outbox::Outbox;
use super::seal::Seal;
use crate::server::exchange::Exchange;

/// Messages that the NATS client holds until they are written.
const UNWRITTEN: usize = 64;
/// Messages that were received and wait for the cluster; it takes them as fast as they come.
const UNTAKEN: usize = 4096;
/// Between pings of NATS, two of which without an answer end the connection.
const PING: Duration = Duration::from_secs(2);
/// For a connection to NATS.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest pause before another try.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Way to NATS.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct BusOptions {
    /// URLs of NATS servers of one cluster.
    pub(in crate::server) urls: Vec<String>,
    /// File with a user's JWT and the seed of its NKey.
    pub(in crate::server) credentials: Option<PathBuf>,
    /// File with the certificates that a TLS connection is checked against, in place of the system's.
    pub(in crate::server) ca: Option<PathBuf>,
}

/// Why a node does not start: one plain sentence each.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// A URL is none.
    #[error("A URL of --nats is not one of NATS. Use one such as nats://10.0.0.5:4222, or tls:// for TLS.")]
    Url,
    /// A file cannot be read.
    #[error("{} could not be read: {source}. Check the file that the option names.", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The client refuses its options.
    #[error("NATS cannot be used: {0}. Check --nats, --nats-credentials and --nats-ca.")]
    Connect(#[from] async_nats::ConnectError),
    /// It cannot be listened to.
    #[error("NATS cannot be listened to: {0}. Start the server again.")]
    Subscribe(#[from] async_nats::SubscribeError),
}

/// See the module. Its tasks end when it is dropped.
pub(in crate::server) struct Bus {
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Identity of a node on the bus.
pub(in crate::server) struct BusNode {
    pub(in crate::server) id: NodeId,
    /// Name of the server, the same at all of its nodes, as a token of a subject.
    pub(in crate::server) server: String,
    /// Key of the messages' seal.
    pub(in crate::server) key: Zeroizing<[u8; 32]>,
}

impl Bus {
    /// Joins an exchange with those of the other nodes. NATS need not be there yet.
    pub(in crate::server) async fn start(
        options: &BusOptions,
        node: BusNode,
        exchange: Arc<Exchange>,
        outbox: Arc<Outbox>,
    ) -> Result<Self, BusError> {
        let reached = Arc::<Notify>::default();
        let client = connect(options, Arc::clone(&reached)).await?;
        let own = client.subscribe(subject(&node.server, Destination::Node(node.id))).await?;
        let all = client.subscribe(subject(&node.server, Destination::All)).await?;
        let (seal, server) = (Arc::new(Seal::new(&node.key)), node.server);
        let publish = tokio::spawn(publish(client, server, Arc::clone(&seal), outbox));
        let receive = tokio::spawn(receive([own, all], reached, seal, exchange));
        Ok(Self { tasks: [publish, receive] })
    }
}

async fn connect(options: &BusOptions, reached: Arc<Notify>) -> Result<Client, BusError> {
    let told = Told::default();
    let urls = options.urls.iter().map(|url| url.parse::<ServerAddr>()).collect::<Result<Vec<_>, _>>();
    let urls = urls.map_err(|_| BusError::Url)?;
    let mut connect = ConnectOptions::new()
        .name("visavis-server")
        // Those that a cluster tells of have no scheme of their own.
        .require_tls(urls.iter().all(ServerAddr::tls_required))
        .no_echo()
        .retry_on_initial_connect()
        .client_capacity(UNWRITTEN)
        .subscription_capacity(UNTAKEN)
        .ping_interval(PING)
        .connection_timeout(CONNECT)
        .reconnect_delay_callback(|tries| (Duration::from_millis(50) * tries.min(20) as u32).min(LONGEST_PAUSE))
        .event_callback(move |event| {
            told.note(&event);
            if matches!(event, Event::Connected) {
                reached.notify_one();
            }
            std::future::ready(())
        });
    let readable = |path: &PathBuf| {
        std::fs::File::open(path).map(drop).map_err(|source| BusError::File { path: path.clone(), source })
    };
    if let Some(path) = &options.credentials {
        readable(path)?;
        let file = connect.credentials_file(path).await;
        connect = file.map_err(|source| BusError::File { path: path.clone(), source })?;
    }
    if let Some(path) = &options.ca {
        readable(path)?;
        connect = connect.add_root_certificates(path.clone());
    }
    Ok(connect.connect(urls).await?)
}

/// The latest reason, of those that were logged, for which NATS is not reached: it is tried each second.
#[derive(Default)]
struct Told(Mutex<Option<String>>);

impl Told {
    /// Logs that NATS came or went, and why it is not reached; none of it has an address.
    fn note(&self, event: &Event) {
        match event {
            Event::Connected => {
                self.is_new(None);
                tracing::info!("NATS is reached");
            }
            Event::Disconnected => tracing::warn!("NATS is lost: people at other nodes are offline until it is back"),
            Event::SlowConsumer(_) => tracing::warn!("messages of other nodes came faster than they could be taken"),
            Event::ClientError(ClientError::Other(reason)) if self.is_new(Some(reason)) => {
                tracing::warn!(%reason, "NATS is not reached: people at other nodes are offline until it is");
            }
            other => tracing::debug!(event = %other, "NATS"),
        }
    }

    fn is_new(&self, reason: Option<&String>) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = told.as_ref() != reason;
        *told = reason.cloned();
        is_new
    }
}

fn subject(server: &str, to: Destination) -> String {
    match to {
        Destination::All => format!("visavis.1.{server}.all"),
        Destination::Node(node) => format!("visavis.1.{server}.node.{node}"),
    }
}

/// Publishes for as long as the node runs.
async fn publish(client: Client, server: String, seal: Arc<Seal>, outbox: Arc<Outbox>) {
    loop {
        let publication = outbox.next().await;
        let to = subject(&server, publication.to);
        let sealed = seal.seal(&to, &publication.message).filter(|_| client.connection_state() == State::Connected);
        let Some(sealed) = sealed else {
            outbox.drop_one();
            continue;
        };
        if let Err(error) = client.publish(to, sealed).await {
            tracing::debug!(%error, "a message for another node was dropped");
            outbox.drop_one();
        }
    }
}

/// Receives for as long as the node runs. A beat tells how many posts were sent before it, so posts go first.
async fn receive([mut own, mut all]: [Subscriber; 2], reached: Arc<Notify>, seal: Arc<Seal>, exchange: Arc<Exchange>) {
    let take = |message: async_nats::Message| match seal.open(message.subject.as_str(), &message.payload) {
        Some(message) => exchange.receive(Instant::now(), &message),
        None => tracing::debug!("somebody without this server's key has published to its nodes"),
    };
    while let Some(next) = exchange.tick(Instant::now()) {
        tokio::select! {
            biased;
            message = own.next() => match message {
                Some(message) => take(message),
                None => break,
            },
            message = all.next() => {
                let Some(beat) = message else { break };
                while let Some(Some(message)) = unconstrained(own.next()).now_or_never() {
                    take(message);
                }
                take(beat);
            }
            () = reached.notified() => exchange.reached_nodes(),
            () = sleep_until(next.into()) => {}
        }
    }
}
