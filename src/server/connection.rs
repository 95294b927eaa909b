//! One app's WebSocket at a server: the proof of its key, then letters and watches both ways. Runs on one task a
//! connection, which owns the socket.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message as Packet};

use super::allowance::LIMITS;
use super::directory::{Frame, Input};
use super::exchange::{Exchange, Member};
use crate::identity::proves_to_server;
use crate::server_protocol::{
    BoxId, Challenge, Device, Letter, MAX_CONTROL, MAX_LETTER, Prove, Refusal, Relay, ToApp, ToServer, VERSION, Welcome,
};

/// Nothing came for this long, not even two pings: the app, or a proxy's way to it, is gone. A computer that is gone is
/// noticed earlier, by TCP's keep-alive.
const SILENCE: Duration = Duration::from_secs(120);
/// For one frame to be taken by the app's computer.
const WRITE: Duration = Duration::from_secs(10);
/// Bytes that the WebSocket reads at a time: ten thousand connections that wait hold as many buffers. A larger message
/// gets its own.
const READ_BUFFER: usize = 256;

/// Maker of the relay's credential of a new connection, where there is a relay.
pub(super) type RelayOffer = Arc<dyn Fn() -> Option<Relay> + Send + Sync>;

/// Limits of the WebSocket layer.
pub(super) fn limits() -> WebSocketConfig {
    let largest = if MAX_LETTER > MAX_CONTROL { MAX_LETTER } else { MAX_CONTROL };
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * largest)
        .max_message_size(Some(largest))
        .max_frame_size(Some(largest))
}

/// Why a connection ends. For the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectionError {
    #[error("WebSocket: {0}")]
    WebSocket(#[from] Box<WebSocketError>),
    #[error("socket: {0}")]
    Socket(#[from] std::io::Error),
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("refused: {0:?}")]
    Refused(Refusal),
    #[error("closed by the app")]
    Closed,
    #[error("too slow")]
    Timeout,
    #[error("no request of this server")]
    Request,
    #[error("no random numbers")]
    Random,
}

impl From<WebSocketError> for ConnectionError {
    fn from(error: WebSocketError) -> Self {
        Self::WebSocket(Box::new(error))
    }
}

/// A connection whose app has proven its key.
pub(super) struct Proven<S> {
    socket: WebSocketStream<S>,
    member: Member,
}

/// Has the app prove its key, over this exporter, and takes it in.
pub(super) async fn prove<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: WebSocketStream<S>,
    exporter: &[u8; 32],
    exchange: &Arc<Exchange>,
    relay: &RelayOffer,
) -> Result<Proven<S>, ConnectionError> {
    let nonce: [u8; 32] = random()?;
    let challenge = ToApp::Challenge(Challenge { min_version: VERSION, max_version: VERSION, nonce });
    socket.send(Packet::text(challenge.encode())).await?;
    let joined = match receive_proof(&mut socket).await {
        Ok(Prove { version, .. }) if version != VERSION => Err(Refusal::Version),
        Ok(Prove { id, signature, .. }) if proves_to_server(&id, exporter, &nonce, &signature) => {
            let device = Device(u32::from_be_bytes(random()?).max(1));
            let member = exchange.join(Instant::now(), BoxId::of(&id), device).ok_or(Refusal::Ending);
            member.map(|member| (member, device))
        }
        Ok(_) => Err(Refusal::Proof),
        Err(ConnectionError::Refused(reason)) => Err(reason),
        Err(error) => return Err(error),
    };
    let (member, device) = match joined {
        Ok(joined) => joined,
        Err(reason) => return refuse(&mut socket, reason).await,
    };
    let welcome = Welcome { device, time_ms: unix_ms(), limits: LIMITS, relay: relay() };
    socket.send(Packet::text(ToApp::Welcome(welcome).encode())).await?;
    Ok(Proven { socket, member })
}

async fn receive_proof<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
) -> Result<Prove, ConnectionError> {
    match socket.next().await.ok_or(ConnectionError::Closed)?? {
        Packet::Text(text) => match ToServer::decode(&text) {
            Ok(Some(ToServer::Prove(proof))) => Ok(proof),
            _ => Err(ConnectionError::Refused(Refusal::Proof)),
        },
        Packet::Close(_) => Err(ConnectionError::Closed),
        _ => Err(ConnectionError::Refused(Refusal::Proof)),
    }
}

/// Ends a connection with the reason.
async fn refuse<S: AsyncRead + AsyncWrite + Unpin, T>(
    socket: &mut WebSocketStream<S>,
    reason: Refusal,
) -> Result<T, ConnectionError> {
    let code = if reason == Refusal::Ending { CloseCode::Away } else { CloseCode::Policy };
    // Boxed, because every connection would hold room for it.
    let farewell = Box::pin(async {
        socket.send(Packet::text(ToApp::Refused { reason }.encode())).await?;
        socket.send(Packet::Close(Some(CloseFrame { code, reason: "".into() }))).await
    });
    match timeout(Duration::from_secs(1), farewell).await {
        Ok(Err(error)) => tracing::debug!(%error, "an app did not hear why its connection ends"),
        Err(_) => tracing::debug!("an app did not hear in time why its connection ends"),
        Ok(Ok(())) => {}
    }
    Err(ConnectionError::Refused(reason))
}

impl<S: AsyncRead + AsyncWrite + Unpin> Proven<S> {
    /// Carries letters and watches until the connection ends; its reason.
    pub(super) async fn carry(mut self: Box<Self>) -> ConnectionError {
        let mut heard = tokio::time::Instant::now();
        // It is set anew when it is due, not with each packet.
        let silence = sleep_until(heard + SILENCE);
        tokio::pin!(silence);
        let mut paused_until: Option<tokio::time::Instant> = None;
        loop {
            let carried = tokio::select! {
                packet = self.socket.next(), if paused_until.is_none() => {
                    heard = tokio::time::Instant::now();
                    match self.received(packet).await {
                        Ok(pause) => {
                            paused_until = pause.map(|pause| heard + pause);
                            Ok(())
                        }
                        Err(error) => Err(error),
                    }
                }
                () = sleep_until(paused_until.unwrap_or(heard)), if paused_until.is_some() => {
                    heard = tokio::time::Instant::now();
                    paused_until = None;
                    Ok(())
                }
                next = self.member.next() => match next {
                    Ok(frame) => self.write(frame).await,
                    Err(reason) => refuse(&mut self.socket, reason).await,
                },
                () = &mut silence, if paused_until.is_none() => {
                    silence.as_mut().reset(heard + SILENCE);
                    if heard.elapsed() >= SILENCE { Err(ConnectionError::Timeout) } else { Ok(()) }
                }
            };
            if let Err(reason) = carried {
                return reason;
            }
        }
    }

    async fn received(
        &mut self,
        packet: Option<Result<Packet, WebSocketError>>,
    ) -> Result<Option<Duration>, ConnectionError> {
        let input = match packet.ok_or(ConnectionError::Closed)?? {
            Packet::Text(text) => match ToServer::decode(&text) {
                Ok(Some(message)) => Input::Control(message),
                // A later version's. It is read, and so it counts.
                Ok(None) => Input::Control(ToServer::Unwatch { boxes: Vec::new() }),
                Err(_) => return refuse(&mut self.socket, Refusal::Abuse).await,
            },
            Packet::Binary(bytes) => match Letter::decode(&bytes) {
                Ok(letter) => Input::Letter(letter),
                Err(_) => return refuse(&mut self.socket, Refusal::Abuse).await,
            },
            Packet::Ping(_) | Packet::Pong(_) => {
                // The answer to a ping is written by the WebSocket layer with the next frame, or now.
                timeout(WRITE, self.socket.flush()).await.map_err(|_| ConnectionError::Timeout)??;
                // Pings cost, too: as much as a message that changes nothing.
                Input::Control(ToServer::Unwatch { boxes: Vec::new() })
            }
            Packet::Close(_) => return Err(ConnectionError::Closed),
            Packet::Frame(_) => return Err(ConnectionError::Request),
        };
        Ok(self.member.step(Instant::now(), input))
    }

    async fn write(&mut self, frame: Frame) -> Result<(), ConnectionError> {
        let packet = match frame {
            Frame::Text(text) => Packet::text(text),
            Frame::Binary(bytes) => Packet::Binary(bytes),
        };
        timeout(WRITE, self.socket.send(packet)).await.map_err(|_| ConnectionError::Timeout)??;
        Ok(())
    }
}

fn random<const N: usize>() -> Result<[u8; N], ConnectionError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| ConnectionError::Random)?;
    Ok(bytes)
}

fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
