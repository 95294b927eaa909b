//! Dial of a server: TCP to the host of its link, TLS with its key pinned, the WebSocket, and the proof of this side's
//! key. No other host is ever dialed: no message names one.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::FuturesUnordered;
use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message as Packet};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::pin;
use super::status::ServerDetail;
use crate::identity::{ServerLink, prove_to_server};
use crate::network::keep_alive;
use crate::server_protocol::{
    EXPORTER_LABEL, MAX_CONTROL, MAX_LETTER, PATH, Prove, Refusal, ToApp, ToServer, VERSION, Welcome,
};
use crate::signaling::local::Local;

/// For one TCP connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Between tries at the addresses of one name (RFC 8305, 5).
const STAGGER: Duration = Duration::from_millis(250);
/// Addresses of one name that are tried.
const MAX_TRIED: usize = 6;
/// For everything from the name to the welcome.
const DIAL: Duration = Duration::from_secs(12);
/// Bytes on the way that the far computer has not taken for this long: it is gone.
const UNTAKEN: Duration = Duration::from_secs(10);
/// Clocks further apart than this (a hundred years) tell nothing but that one of them is wrong.
const MAX_CLOCK_OFFSET_MS: i64 = 3_200_000_000_000;

pub(super) type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// A server that has let this side in.
pub(super) struct Dialed {
    pub(super) socket: Socket,
    pub(super) welcome: Welcome,
    /// The server's address, which it was reached at.
    pub(super) remote: SocketAddr,
    /// This side's address towards it.
    pub(super) own: IpAddr,
    pub(super) round_trip: Duration,
    /// By how much the server's clock is ahead of this computer's, in milliseconds.
    pub(super) clock_offset_ms: i64,
}

/// Why a server is not reached. For the log; a person is told its [`detail`](Self::detail).
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("name: {0}")]
    Name(std::io::Error),
    #[error("socket: {0}")]
    Connect(std::io::Error),
    #[error("too slow")]
    Timeout,
    #[error("another key")]
    OtherKey,
    #[error("no server: {0}")]
    NoServer(Box<dyn std::error::Error + Send + Sync>),
    #[error("no common version")]
    Version,
    #[error("refused: {0:?}")]
    Refused(Refusal),
}

impl DialError {
    /// The reason, as a person is told it.
    pub(super) const fn detail(&self) -> ServerDetail {
        match self {
            Self::Name(_) => ServerDetail::UnknownName,
            Self::Connect(_) | Self::Timeout => ServerDetail::NoAnswer,
            Self::OtherKey => ServerDetail::OtherKey,
            Self::NoServer(_) => ServerDetail::NoServer,
            Self::Version => ServerDetail::OtherVersion,
            Self::Refused(_) => ServerDetail::Refused,
        }
    }

    /// Whether trying on is of little use until somebody does something.
    pub(super) const fn is_refusal(&self) -> bool {
        match self {
            Self::OtherKey | Self::Version => true,
            Self::Refused(reason) => !matches!(reason, Refusal::Ending | Refusal::Full | Refusal::Slow),
            Self::Name(_) | Self::Connect(_) | Self::Timeout | Self::NoServer(_) => false,
        }
    }
}

impl From<WebSocketError> for DialError {
    fn from(error: WebSocketError) -> Self {
        Self::NoServer(Box::new(error))
    }
}

/// Reaches a server, and is let in.
pub(super) async fn dial(
    link: &ServerLink,
    tls: &Arc<ClientConfig>,
    bind: Option<IpAddr>,
    local: &Local,
) -> Result<Dialed, DialError> {
    timeout(DIAL, reach(link, tls, bind, local)).await.unwrap_or(Err(DialError::Timeout))
}

async fn reach(
    link: &ServerLink,
    tls: &Arc<ClientConfig>,
    bind: Option<IpAddr>,
    local: &Local,
) -> Result<Dialed, DialError> {
    let stream = connect(link, bind).await?;
    let ends = stream.peer_addr().and_then(|remote| Ok((remote, stream.local_addr()?.ip())));
    let (remote, own) = ends.map_err(DialError::Connect)?;
    let name = ServerName::try_from(link.host().to_owned()).map_err(|error| DialError::NoServer(error.into()))?;
    let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await.map_err(tls_error)?;
    let session = stream.get_ref().1;
    let exporter = session
        .export_keying_material([0; 32], EXPORTER_LABEL, None)
        .map_err(|error| DialError::NoServer(error.into()))?;
    let request = format!("wss://{}{PATH}", link.address());
    let (mut socket, _) = client_async_with_config(request, stream, Some(limits())).await?;
    let nonce = match receive(&mut socket).await? {
        ToApp::Challenge(challenge) if !(challenge.min_version..=challenge.max_version).contains(&VERSION) => {
            return Err(DialError::Version);
        }
        ToApp::Challenge(challenge) => challenge.nonce,
        other => return Err(unexpected(&other)),
    };
    let signature = prove_to_server(&local.identity, &exporter, &nonce);
    let proof = ToServer::Prove(Prove { version: VERSION, id: local.identity.id(), signature });
    let (sent, sent_ms) = (Instant::now(), local.unix_ms());
    socket.send(Packet::text(proof.encode())).await?;
    let welcome = match receive(&mut socket).await? {
        ToApp::Welcome(welcome) => welcome,
        other => return Err(unexpected(&other)),
    };
    let round_trip = sent.elapsed();
    let midpoint_ms = sent_ms.saturating_add(i64::try_from(round_trip.as_millis() / 2).unwrap_or(i64::MAX));
    let clock_offset_ms = welcome.time_ms.saturating_sub(midpoint_ms).clamp(-MAX_CLOCK_OFFSET_MS, MAX_CLOCK_OFFSET_MS);
    Ok(Dialed { socket, welcome, remote, own, round_trip, clock_offset_ms })
}

fn unexpected(message: &ToApp) -> DialError {
    match message {
        ToApp::Refused { reason: Refusal::Version } => DialError::Version,
        ToApp::Refused { reason } => DialError::Refused(*reason),
        _ => DialError::NoServer("a message out of turn".into()),
    }
}

fn tls_error(error: std::io::Error) -> DialError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    if inner.is_some_and(pin::is_other_key) { DialError::OtherKey } else { DialError::NoServer(Box::new(error)) }
}

/// Limits of the WebSocket layer.
fn limits() -> WebSocketConfig {
    let largest = if MAX_LETTER > MAX_CONTROL { MAX_LETTER } else { MAX_CONTROL };
    WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * largest)
        .max_message_size(Some(largest))
        .max_frame_size(Some(largest))
}

/// The next control message of this version.
async fn receive(socket: &mut Socket) -> Result<ToApp, DialError> {
    /// WebSocket messages that may come before it.
    const MAX_OTHERS: u32 = 8;
    for _ in 0..MAX_OTHERS {
        match socket.next().await.ok_or_else(|| DialError::NoServer("the connection was closed".into()))?? {
            Packet::Text(text) => {
                if let Some(message) = ToApp::decode(&text).map_err(|error| DialError::NoServer(error.into()))? {
                    return Ok(message);
                }
            }
            Packet::Ping(_) | Packet::Pong(_) => {}
            _ => return Err(DialError::NoServer("a message out of turn".into())),
        }
    }
    Err(DialError::NoServer("too many messages out of turn".into()))
}

/// Connects to the first address of the link's host that answers.
async fn connect(link: &ServerLink, bind: Option<IpAddr>) -> Result<TcpStream, DialError> {
    let found = lookup_host((link.host(), link.port())).await.map_err(DialError::Name)?;
    let fits = |address: &SocketAddr| bind.is_none_or(|bind| bind.is_ipv4() == address.is_ipv4());
    let addresses: Vec<_> = in_turns(found.filter(fits)).into_iter().take(MAX_TRIED).collect();
    let attempt = |(place, address): (u32, SocketAddr)| async move {
        sleep(STAGGER * place).await;
        let connected = timeout(CONNECT, connect_to(address, bind)).await;
        connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
    };
    let mut attempts: FuturesUnordered<_> = (0..).zip(addresses).map(attempt).collect();
    let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
    while let Some(connected) = attempts.next().await {
        match connected {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(DialError::Connect(last))
}

/// The two address families in turns, each in the resolver's order (RFC 8305, 4).
fn in_turns(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let (mut first, mut second): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
    for address in addresses {
        let is_first = first.first().is_none_or(|other: &SocketAddr| other.is_ipv4() == address.is_ipv4());
        if is_first { first.push(address) } else { second.push(address) }
    }
    let longest = first.len().max(second.len());
    (0..longest).flat_map(|place| [first.get(place), second.get(place)]).flatten().copied().collect()
}

/// A TCP connection to one address.
pub(super) async fn connect_to(address: SocketAddr, bind: Option<IpAddr>) -> std::io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(bind) = bind {
        socket.bind((bind, 0).into())?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    keep_alive(&stream)?;
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(UNTAKEN))?;
    Ok(stream)
}

#[cfg(test)]
#[path = "dial_tests.rs"]
mod tests;
