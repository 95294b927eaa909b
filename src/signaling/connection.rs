//! One WebSocket (RFC 6455) to one person, whoever opened it: first both sides prove their keys (`handshake`), then records
//! go both ways, one a binary frame. Runs on one tokio task a connection, which owns the socket.
//!
//! A ping follows each letter, with its number as eight big-endian bytes: its pong says that the far app has read everything
//! up to there. Pings go out while nothing else does, so that a vanished computer is noticed within [`SILENCE`].

use std::convert::Infallible;
use std::io::ErrorKind;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message as Packet};

use super::Frame;
use super::flood::Pace;
use super::handshake::{Met, Socket, decode, encode};
use super::hub::{Input, Up};
use super::local::Local;
use super::outbox::Letter;
use crate::identity::{EnvelopeError, Opener, PeerId, Sealer, display_name};
use crate::network::Path;

/// From the first byte of a connection to the proof of both keys.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(5);
/// Nothing whole came for this long: the far side is gone, or it drips.
const SILENCE: Duration = Duration::from_millis(4500);
const PING_EVERY: Duration = Duration::from_millis(1500);
const WRITE: Duration = Duration::from_secs(5);
/// Frames refused on one connection before it is cut.
const MAX_REFUSED: u32 = 16;
const LETTERS: usize = 32;

/// Why there is, or no longer is, a connection. For the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectionError {
    #[error("WebSocket: {0}")]
    WebSocket(#[from] Box<WebSocketError>),
    #[error("envelope: {0}")]
    Envelope(#[from] EnvelopeError),
    #[error("the frame is not one that belongs here")]
    Frame,
    #[error("the frame is of a kind that this version does not know")]
    UnknownKind,
    #[error("it is not the person it should be")]
    WrongPerson,
    #[error("too slow")]
    Timeout,
    #[error("too much")]
    Flood,
    #[error("closed by the far computer")]
    Closed,
    #[error("closed here")]
    ClosedHere,
    #[error("its task panicked")]
    Panicked,
    #[error("socket: {0}")]
    Socket(#[from] std::io::Error),
}

impl From<WebSocketError> for ConnectionError {
    fn from(error: WebSocketError) -> Self {
        Self::WebSocket(Box::new(error))
    }
}

impl ConnectionError {
    /// Whether it is the far computer that ended the connection (FIN, RST or a WebSocket Close). Silence, and whatever this
    /// computer's network says, is no sign of that.
    fn is_closed_by_far(&self) -> bool {
        match self {
            Self::Closed => true,
            Self::WebSocket(error) => match error.as_ref() {
                WebSocketError::ConnectionClosed
                | WebSocketError::AlreadyClosed
                | WebSocketError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => true,
                WebSocketError::Io(error) => is_end(error.kind()),
                _ => false,
            },
            Self::Socket(error) => is_end(error.kind()),
            _ => false,
        }
    }
}

fn is_end(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof
    )
}

/// Output of a future, or `None` when it panics: the log says so, and its task goes on to give back what it holds.
pub(super) async fn caught<T>(future: impl Future<Output = T>) -> Option<T> {
    // The future is gone afterwards, and what it shares with others is locked only where each step stands alone.
    match AssertUnwindSafe(future).catch_unwind().await {
        Ok(output) => Some(output),
        Err(_) => {
            tracing::error!("a part of signaling panicked; its connection is given up");
            None
        }
    }
}

/// Carries records until the connection ends, for whatever reason; tells the hub when it is up and when it is down.
pub(super) async fn carry(socket: Socket, met: Met, local: Arc<Local>, hub: mpsc::Sender<Input>) {
    let (number, peer) = (local.next_connection(), met.peer);
    let (letters, to_send) = mpsc::channel(LETTERS);
    let mut name = local.name.subscribe();
    // It may have changed since the hello.
    if *name.borrow() != met.said {
        name.mark_changed();
    }
    let ends = socket.get_ref().ends();
    let instance: Arc<str> = met.hello.instance.into();
    let up = Up {
        connection: number,
        peer,
        name: display_name(&met.hello.name),
        instance: instance.clone(),
        dialed: met.dialed,
        path: ends.ok().map(|(local, remote)| Path::new(local, remote)),
        clock_ahead: met.clock_ahead,
        letters,
    };
    if hub.send(Input::Up(up)).await.is_err() {
        return;
    }
    let mut connection = Connection {
        socket,
        number,
        peer,
        instance,
        sealer: met.sealer,
        opener: met.opener,
        pace: Pace::new(local.is_known(&peer), Instant::now()),
        local,
        hub: hub.clone(),
        refused: 0,
    };
    report_end(number, peer, connection.run(to_send, name), hub).await;
}

/// Waits for a connection's end and tells the hub, also when it ends by a panic.
async fn report_end(
    connection: u64,
    peer: PeerId,
    life: impl Future<Output = Result<Infallible, ConnectionError>>,
    hub: mpsc::Sender<Input>,
) {
    let Err(reason) = caught(life).await.unwrap_or(Err(ConnectionError::Panicked));
    tracing::debug!(%reason, "a signaling connection ended");
    let closed_by_far = reason.is_closed_by_far();
    // The hub is gone only when everything is being closed.
    let _ = hub.send(Input::Down { connection, peer, closed_by_far }).await;
}

struct Connection {
    socket: Socket,
    number: u64,
    peer: PeerId,
    /// The far app's run.
    instance: Arc<str>,
    sealer: Sealer,
    opener: Opener,
    pace: Pace,
    local: Arc<Local>,
    hub: mpsc::Sender<Input>,
    refused: u32,
}

impl Connection {
    async fn run(
        &mut self,
        mut letters: mpsc::Receiver<Letter>,
        mut name: watch::Receiver<String>,
    ) -> Result<Infallible, ConnectionError> {
        let mut pings = interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = tokio::time::Instant::now();
        loop {
            let pause = self.local.pause(&mut self.pace, &self.peer, Instant::now());
            tokio::select! {
                packet = self.socket.next(), if pause.is_none() => {
                    heard = tokio::time::Instant::now();
                    self.received(packet.ok_or(ConnectionError::Closed)??).await?;
                }
                () = sleep(pause.unwrap_or_default()), if pause.is_some() => {}
                letter = letters.recv() => match letter {
                    Some(letter) => self.write_letter(letter).await?,
                    None => return self.close().await,
                },
                changed = name.changed() => {
                    changed.map_err(|_| ConnectionError::ClosedHere)?;
                    let frame = encode(&Frame::Name { name: name.borrow_and_update().clone() })?;
                    let record = self.sealer.seal(&frame)?;
                    self.write([Packet::Binary(record.into())]).await?;
                }
                _ = pings.tick() => self.write([Packet::Ping(Bytes::new())]).await?,
                () = sleep_until(heard + SILENCE) => return Err(ConnectionError::Timeout),
            }
        }
    }

    async fn close(&mut self) -> Result<Infallible, ConnectionError> {
        self.write([Packet::Close(None)]).await?;
        Err(ConnectionError::ClosedHere)
    }

    async fn write_letter(&mut self, letter: Letter) -> Result<(), ConnectionError> {
        let record = self.sealer.seal(&letter.body)?;
        let number = Bytes::copy_from_slice(&letter.number.to_be_bytes());
        self.write([Packet::Binary(record.into()), Packet::Ping(number)]).await
    }

    async fn write<const COUNT: usize>(&mut self, packets: [Packet; COUNT]) -> Result<(), ConnectionError> {
        let socket = &mut self.socket;
        let written = async {
            for packet in packets {
                socket.feed(packet).await?;
            }
            socket.flush().await
        };
        timeout(WRITE, written).await.map_err(|_| ConnectionError::Timeout)??;
        Ok(())
    }

    async fn received(&mut self, packet: Packet) -> Result<(), ConnectionError> {
        self.local.has_read(&mut self.pace);
        match packet {
            Packet::Binary(record) => self.received_record(&record).await,
            Packet::Pong(payload) => match payload.as_ref().try_into().map(u64::from_be_bytes) {
                Ok(number) => self.tell(Input::Acknowledged { connection: self.number, peer: self.peer, number }).await,
                Err(_) => Ok(()),
            },
            Packet::Ping(_) => Ok(()),
            Packet::Close(_) => Err(ConnectionError::Closed),
            Packet::Text(_) | Packet::Frame(_) => Err(ConnectionError::Frame),
        }
    }

    /// A record that does not open ends the connection: it is repeated, altered or of another connection, and so is, or
    /// cannot be read, whatever follows it.
    async fn received_record(&mut self, record: &[u8]) -> Result<(), ConnectionError> {
        let (connection, peer) = (self.number, self.peer);
        let input = match decode(&self.opener.open(record)?) {
            Ok(Frame::Letter { number, message }) => Some({
                let message = message.checked();
                let instance = self.instance.clone();
                Input::Letter { connection, peer, instance, number, message }
            }),
            Ok(Frame::Name { name }) => Some(Input::Name { connection, peer, name: display_name(&name) }),
            // Sealed by whom it should be: a newer version's, not an attack.
            Err(ConnectionError::UnknownKind) => return Ok(()),
            Ok(Frame::Hello(_) | Frame::Confirm { .. }) | Err(_) => None,
        };
        match input {
            Some(input) => self.tell(input).await,
            None => self.refuse(),
        }
    }

    /// One bad frame may be another version's; many are an attack.
    fn refuse(&mut self) -> Result<(), ConnectionError> {
        self.refused += 1;
        tracing::debug!(refused = self.refused, "a signaling frame was refused");
        if self.refused < MAX_REFUSED { Ok(()) } else { Err(ConnectionError::Flood) }
    }

    async fn tell(&self, input: Input) -> Result<(), ConnectionError> {
        self.hub.send(input).await.map_err(|_| ConnectionError::ClosedHere)
    }
}

#[cfg(test)]
mod tests;
