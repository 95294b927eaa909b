//! Dial of a server: a connection to the host of its link, TLS with its key pinned or its certificate checked, the
//! WebSocket, and the proof of this side's key. No other host is ever dialed: no message names one.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message as Packet;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::dial_error::DialError;
use super::egress::{Egress, Opened};
use super::tls::{self, Fault};
use crate::identity::{ServerLink, prove_to_server};
use crate::server_protocol::{
    EXPORTER_LABEL, MAX_CONTROL, MAX_LETTER, PATH, Prove, Refusal, ToApp, ToServer, VERSION, Welcome,
};
use crate::signaling::local::Local;

/// For everything from the name to the welcome.
const DIAL: Duration = Duration::from_secs(12);
/// Clocks further apart than this (a hundred years) tell nothing but that one of them is wrong.
const MAX_CLOCK_OFFSET_MS: i64 = 3_200_000_000_000;

pub(super) type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// A server that has let this side in.
pub(super) struct Dialed {
    pub(super) socket: Socket,
    pub(super) welcome: Welcome,
    /// The server's addresses, see [`Opened`].
    pub(super) addresses: Vec<SocketAddr>,
    /// A proxy leads to it.
    pub(super) is_proxied: bool,
    /// This side's address towards it.
    pub(super) own: IpAddr,
    pub(super) round_trip: Duration,
    /// By how much the server's clock is ahead of this computer's, in milliseconds.
    pub(super) clock_offset_ms: i64,
}

/// Reaches a server, and is let in.
pub(super) async fn dial(
    link: &ServerLink,
    tls: &Arc<ClientConfig>,
    egress: &Egress,
    local: &Local,
) -> Result<Dialed, DialError> {
    timeout(DIAL, reach(link, tls, egress, local)).await.unwrap_or(Err(DialError::Timeout))
}

async fn reach(
    link: &ServerLink,
    tls: &Arc<ClientConfig>,
    egress: &Egress,
    local: &Local,
) -> Result<Dialed, DialError> {
    let Opened { stream, addresses, is_proxied } = egress.open(link.host(), link.port()).await?;
    let own = stream.local_addr().map_err(DialError::Connect)?.ip();
    let name = ServerName::try_from(link.host().to_owned()).map_err(|error| DialError::NoServer(error.into()))?;
    let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
    let stream = stream.map_err(|error| tls_error(link, error))?;
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
    Ok(Dialed { socket, welcome, addresses, is_proxied, own, round_trip, clock_offset_ms })
}

fn unexpected(message: &ToApp) -> DialError {
    match message {
        ToApp::Refused { reason: Refusal::Version } => DialError::Version,
        ToApp::Refused { reason } => DialError::Refused(*reason),
        _ => DialError::NoServer("a message out of turn".into()),
    }
}

fn tls_error(link: &ServerLink, error: std::io::Error) -> DialError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner.and_then(|inner| tls::fault(link, inner)) {
        Some(Fault::OtherKey) => DialError::OtherKey,
        Some(Fault::OtherName) => DialError::OtherName,
        Some(Fault::Expired) => DialError::Expired,
        Some(Fault::Untrusted) => DialError::Untrusted(Box::new(error)),
        None => DialError::NoServer(Box::new(error)),
    }
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

#[cfg(test)]
#[path = "dial_tests.rs"]
mod tests;
