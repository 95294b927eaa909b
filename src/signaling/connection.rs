//! One WebSocket (RFC 6455) to one person, whoever opened it: first both sides prove their keys, then envelopes go both
//! ways, one a binary frame. Runs on one tokio task a connection, which owns the socket.
//!
//! A ping follows each letter, with its number: its pong says that the far app has read everything up to there. Pings go
//! out while nothing else does, so that a vanished computer is noticed within [`SILENCE`].

use std::collections::HashSet;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures_util::{SinkExt, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message as Packet};

use super::flood::TokenBucket;
use super::hub::{Input, Up};
use super::outbox::Letter;
use super::paths::Paths;
use super::{Frame, Hello};
use crate::identity::{EnvelopeError, Identity, MAX_ENVELOPE, Opened, PeerId, ReplayCache, display_name, open, seal};
use crate::network::Path;

/// From the first byte of a connection to the proof of both keys.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(5);
/// Nothing whole came for this long: the far side is gone, or it drips.
const SILENCE: Duration = Duration::from_millis(4500);
const PING_EVERY: Duration = Duration::from_millis(1500);
const WRITE: Duration = Duration::from_secs(5);
/// Envelopes refused on one connection before it is cut.
const MAX_REFUSED: u32 = 16;
const LETTERS: usize = 32;
const CHALLENGE_LEN: usize = 32;

type Socket = WebSocketStream<tokio::net::TcpStream>;

/// What every connection of this client shares.
pub(super) struct Local {
    pub(super) identity: Arc<Identity>,
    /// Random for each start.
    pub(super) instance: String,
    pub(super) name: watch::Sender<String>,
    pub(super) blocked: Mutex<HashSet<PeerId>>,
    contacts: Mutex<HashSet<PeerId>>,
    /// People who are no contacts may ring.
    pub(super) strangers_welcome: AtomicBool,
    replay: Mutex<ReplayCache>,
    pub(super) paths: Paths,
    connections: AtomicU64,
}

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
    #[error("the person is blocked")]
    Blocked,
    #[error("too slow")]
    Timeout,
    #[error("too much")]
    Flood,
    #[error("closed by the far computer")]
    Closed,
    #[error("closed here")]
    ClosedHere,
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

/// The person at the other end, proven.
#[derive(Debug)]
pub(super) struct Met {
    pub(super) peer: PeerId,
    hello: Hello,
    dialed: bool,
}

/// Limits of the WebSocket layer: one envelope a frame, small buffers, no extension is ever offered.
pub(super) fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(4096)
        .max_write_buffer_size(4 * MAX_ENVELOPE)
        .max_message_size(Some(MAX_ENVELOPE))
        .max_frame_size(Some(MAX_ENVELOPE))
}

/// 128 random bits as text.
pub(super) fn random_text() -> Result<String, EnvelopeError> {
    let mut bytes = [0; CHALLENGE_LEN / 2];
    getrandom::fill(&mut bytes).map_err(|_| EnvelopeError::Random)?;
    Ok(HEXLOWER.encode(&bytes))
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Local {
    pub(super) fn new(identity: Arc<Identity>, name: &str) -> Result<Self, EnvelopeError> {
        Ok(Self {
            identity,
            instance: random_text()?,
            name: watch::Sender::new(display_name(name)),
            blocked: Mutex::default(),
            contacts: Mutex::default(),
            strangers_welcome: AtomicBool::new(true),
            replay: Mutex::default(),
            paths: Paths::default(),
            connections: AtomicU64::new(1),
        })
    }

    pub(super) fn is_blocked(&self, id: &PeerId) -> bool {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    pub(super) fn is_contact(&self, id: &PeerId) -> bool {
        self.contacts.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    pub(super) fn set_contacts(&self, contacts: HashSet<PeerId>) {
        *self.contacts.lock().unwrap_or_else(PoisonError::into_inner) = contacts;
    }

    pub(super) fn seal(&self, to: &PeerId, frame: &Frame) -> Result<Vec<u8>, EnvelopeError> {
        let body = serde_json::to_vec(frame).map_err(|_| EnvelopeError::TooLarge)?;
        seal(&self.identity, to, &body, unix_ms())
    }

    /// A frame of the handshake. What it answers proves that it is no recording.
    fn open(&self, envelope: &[u8]) -> Result<(PeerId, Frame), ConnectionError> {
        let opened = open(&self.identity, envelope, unix_ms())?;
        Ok((opened.from, frame_in(&opened)?))
    }

    /// A frame of the person whom the handshake proved, for the first time.
    fn open_first(&self, envelope: &[u8], peer: &PeerId) -> Result<Frame, ConnectionError> {
        let now_ms = unix_ms();
        let opened = open(&self.identity, envelope, now_ms)?;
        if opened.from != *peer {
            return Err(ConnectionError::WrongPerson);
        }
        // A panic elsewhere leaves the cache whole: each of its steps stands alone.
        let mut replay = self.replay.lock().unwrap_or_else(PoisonError::into_inner);
        replay.admit(&opened, self.is_contact(peer), now_ms)?;
        drop(replay);
        frame_in(&opened)
    }

    fn hello(&self, challenge: &str, answer: Option<String>) -> Frame {
        let (instance, name) = (self.instance.clone(), self.name.borrow().clone());
        Frame::Hello(Hello { instance, name, challenge: challenge.to_owned(), answer })
    }
}

fn frame_in(opened: &Opened) -> Result<Frame, ConnectionError> {
    serde_json::from_slice(&opened.body).map_err(|_| {
        let is_object = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&opened.body).is_ok();
        if is_object { ConnectionError::UnknownKind } else { ConnectionError::Frame }
    })
}

async fn next_envelope(socket: &mut Socket) -> Result<Bytes, ConnectionError> {
    loop {
        match socket.next().await.ok_or(ConnectionError::Closed)?? {
            Packet::Binary(bytes) => return Ok(bytes),
            Packet::Ping(_) | Packet::Pong(_) => {}
            Packet::Text(_) | Packet::Close(_) | Packet::Frame(_) => return Err(ConnectionError::Frame),
        }
    }
}

async fn next_hello(socket: &mut Socket, local: &Local) -> Result<(PeerId, Hello), ConnectionError> {
    let (from, Frame::Hello(hello)) = local.open(&next_envelope(socket).await?)? else {
        return Err(ConnectionError::Frame);
    };
    if from == local.identity.id() {
        return Err(ConnectionError::WrongPerson);
    }
    if local.is_blocked(&from) {
        return Err(ConnectionError::Blocked);
    }
    let whole = hello.instance.len() == CHALLENGE_LEN && hello.challenge.len() == CHALLENGE_LEN;
    if whole { Ok((from, hello)) } else { Err(ConnectionError::Frame) }
}

async fn send(socket: &mut Socket, envelope: Vec<u8>) -> Result<(), ConnectionError> {
    Ok(socket.send(Packet::Binary(envelope.into())).await?)
}

/// Proves both sides to each other on a connection that this side opened to `expected`.
pub(super) async fn meet_as_dialer(
    socket: &mut Socket,
    local: &Local,
    expected: PeerId,
) -> Result<Met, ConnectionError> {
    let challenge = random_text()?;
    send(socket, local.seal(&expected, &local.hello(&challenge, None))?).await?;
    let (peer, hello) = next_hello(socket, local).await?;
    if peer != expected || hello.answer.as_ref() != Some(&challenge) {
        return Err(ConnectionError::WrongPerson);
    }
    send(socket, local.seal(&peer, &Frame::Confirm { answer: hello.challenge.clone() })?).await?;
    Ok(Met { peer, hello, dialed: true })
}

/// Proves both sides to each other on a connection that the other side opened.
pub(super) async fn meet_as_listener(socket: &mut Socket, local: &Local) -> Result<Met, ConnectionError> {
    let (peer, hello) = next_hello(socket, local).await?;
    let challenge = random_text()?;
    send(socket, local.seal(&peer, &local.hello(&challenge, Some(hello.challenge.clone())))?).await?;
    match local.open(&next_envelope(socket).await?)? {
        (from, Frame::Confirm { answer }) if from == peer && answer == challenge => {
            Ok(Met { peer, hello, dialed: false })
        }
        _ => Err(ConnectionError::WrongPerson),
    }
}

/// Carries envelopes until the connection ends, for whatever reason; tells the hub when it is up and when it is down.
pub(super) async fn carry(socket: Socket, met: Met, local: Arc<Local>, hub: mpsc::Sender<Input>) {
    let number = local.connections.fetch_add(1, Ordering::Relaxed);
    let (letters, to_send) = mpsc::channel(LETTERS);
    let name = local.name.subscribe();
    let ends = socket.get_ref().local_addr().and_then(|local| Ok((local, socket.get_ref().peer_addr()?)));
    let up = Up {
        connection: number,
        peer: met.peer,
        name: display_name(&met.hello.name),
        instance: met.hello.instance,
        dialed: met.dialed,
        path: ends.ok().map(|(local, remote)| Path::new(local, remote)),
        letters,
    };
    if hub.send(Input::Up(up)).await.is_err() {
        return;
    }
    let mut connection = Connection {
        socket,
        number,
        peer: met.peer,
        local,
        hub: hub.clone(),
        refused: 0,
        frames: TokenBucket::new(200.0, 800.0, Instant::now()),
    };
    let Err(reason) = connection.run(to_send, name).await;
    tracing::debug!(%reason, "a signaling connection ended");
    // The hub is gone only when everything is being closed.
    let closed_by_far = reason.is_closed_by_far();
    let _ = hub.send(Input::Down { connection: number, peer: met.peer, closed_by_far }).await;
}

struct Connection {
    socket: Socket,
    number: u64,
    peer: PeerId,
    local: Arc<Local>,
    hub: mpsc::Sender<Input>,
    refused: u32,
    frames: TokenBucket,
}

impl Connection {
    async fn run(
        &mut self,
        mut letters: mpsc::Receiver<Letter>,
        mut name: watch::Receiver<String>,
    ) -> Result<std::convert::Infallible, ConnectionError> {
        let mut pings = interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = tokio::time::Instant::now();
        loop {
            tokio::select! {
                packet = self.socket.next() => {
                    heard = tokio::time::Instant::now();
                    self.received(packet.ok_or(ConnectionError::Closed)??).await?;
                }
                letter = letters.recv() => match letter {
                    Some(letter) => self.write_letter(letter).await?,
                    None => return self.close().await,
                },
                changed = name.changed() => {
                    changed.map_err(|_| ConnectionError::ClosedHere)?;
                    let frame = Frame::Name { name: name.borrow_and_update().clone() };
                    let envelope = self.local.seal(&self.peer, &frame)?;
                    self.write([Packet::Binary(envelope.into())]).await?;
                }
                _ = pings.tick() => self.write([Packet::Ping(Bytes::new())]).await?,
                () = sleep_until(heard + SILENCE) => return Err(ConnectionError::Timeout),
            }
        }
    }

    async fn close(&mut self) -> Result<std::convert::Infallible, ConnectionError> {
        self.write([Packet::Close(None)]).await?;
        Err(ConnectionError::ClosedHere)
    }

    async fn write_letter(&mut self, letter: Letter) -> Result<(), ConnectionError> {
        let number = Bytes::copy_from_slice(&letter.number.to_be_bytes());
        self.write([Packet::Binary(letter.envelope), Packet::Ping(number)]).await
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
        if !self.frames.take(Instant::now()) {
            return Err(ConnectionError::Flood);
        }
        match packet {
            Packet::Binary(envelope) => self.received_envelope(&envelope).await,
            Packet::Pong(payload) => match payload.as_ref().try_into().map(u64::from_be_bytes) {
                Ok(number) => self.tell(Input::Acknowledged { connection: self.number, peer: self.peer, number }).await,
                Err(_) => Ok(()),
            },
            Packet::Ping(_) => Ok(()),
            Packet::Close(_) => Err(ConnectionError::Closed),
            Packet::Text(_) | Packet::Frame(_) => Err(ConnectionError::Frame),
        }
    }

    async fn received_envelope(&mut self, envelope: &[u8]) -> Result<(), ConnectionError> {
        let (connection, peer) = (self.number, self.peer);
        let input = match self.local.open_first(envelope, &peer) {
            Ok(Frame::Message(message)) => {
                message.checked().ok().map(|message| Input::Message { connection, peer, message })
            }
            Ok(Frame::Name { name }) => Some(Input::Name { connection, peer, name: display_name(&name) }),
            // A letter that was sent again after its connection broke: the first copy did arrive.
            Err(ConnectionError::Envelope(EnvelopeError::Replayed)) => return Ok(()),
            // Signed by whom it should be: a newer version's, not an attack.
            Err(ConnectionError::UnknownKind) => return Ok(()),
            // Unread, and so that the sender hears of it: what is not acknowledged comes back to them.
            Err(error @ ConnectionError::Envelope(EnvelopeError::TooManySenders)) => return Err(error),
            Ok(Frame::Hello(_) | Frame::Confirm { .. }) | Err(_) => None,
        };
        match input {
            Some(input) => self.tell(input).await,
            None => self.refuse(),
        }
    }

    /// One bad envelope may be another version's, or a clock's fault; many are an attack.
    fn refuse(&mut self) -> Result<(), ConnectionError> {
        self.refused += 1;
        tracing::debug!(refused = self.refused, "a signaling envelope was refused");
        if self.refused < MAX_REFUSED { Ok(()) } else { Err(ConnectionError::Flood) }
    }

    async fn tell(&self, input: Input) -> Result<(), ConnectionError> {
        self.hub.send(input).await.map_err(|_| ConnectionError::ClosedHere)
    }
}
