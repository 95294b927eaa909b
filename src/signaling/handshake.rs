//! How both sides of a new connection prove their keys to each other (see `frame`): three frames, of which the answered
//! challenges show that they are no recordings. No clock takes part. Runs on the connections' tasks.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Packet;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::connection::ConnectionError;
use super::local::{Local, RANDOM_CHARS, random_text};
use super::metered::Metered;
use super::{Frame, Hello};
use crate::identity::{MAX_ENVELOPE, Opener, PeerId, Sealer, open, seal};

/// Frames of any kind before the proof: two are needed, and some pings may come between them.
const MAX_FRAMES: u32 = 12;
/// Clocks that differ by no more than this are not worth a word.
const CLOCKS_AGREE_MS: u64 = 60_000;

pub(super) type Socket = WebSocketStream<Metered>;

/// The person at the other end, proven, and how to talk with them from here on.
pub(super) struct Met {
    pub(super) peer: PeerId,
    pub(super) hello: Hello,
    /// The name in this side's hello.
    pub(super) said: String,
    pub(super) dialed: bool,
    /// By how many seconds their clock is ahead of this side's, when that is over a minute.
    pub(super) clock_ahead: Option<i64>,
    pub(super) sealer: Sealer,
    pub(super) opener: Opener,
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

/// Proves both sides to each other on a connection that this side opened to `expected`.
pub(super) async fn meet_as_dialer(
    socket: &mut Socket,
    local: &Local,
    expected: PeerId,
) -> Result<Met, ConnectionError> {
    let mut handshake = Handshake { socket, local, frames: 0, said: String::new() };
    let challenge = random_text()?;
    let mut sealer = handshake.say_hello(&expected, local.hello(&challenge, None)).await?;
    let (peer, hello, opener) = handshake.hear_hello().await?;
    if peer != expected || hello.answer.as_ref() != Some(&challenge) {
        return Err(ConnectionError::WrongPerson);
    }
    let confirm = encode(&Frame::Confirm { answer: hello.challenge.clone() })?;
    handshake.send(sealer.seal(&confirm)?).await?;
    Ok(handshake.met(peer, hello, true, (sealer, opener)))
}

/// Proves both sides to each other on a connection that the other side opened.
pub(super) async fn meet_as_listener(socket: &mut Socket, local: &Local) -> Result<Met, ConnectionError> {
    let mut handshake = Handshake { socket, local, frames: 0, said: String::new() };
    let (peer, hello, mut opener) = handshake.hear_hello().await?;
    let challenge = random_text()?;
    let sealer = handshake.say_hello(&peer, local.hello(&challenge, Some(hello.challenge.clone()))).await?;
    match decode(&opener.open(&handshake.receive().await?)?)? {
        Frame::Confirm { answer } if answer == challenge => Ok(handshake.met(peer, hello, false, (sealer, opener))),
        _ => Err(ConnectionError::WrongPerson),
    }
}

/// A frame as it stands in a body.
pub(super) fn encode(frame: &Frame) -> Result<Vec<u8>, ConnectionError> {
    serde_json::to_vec(frame).map_err(|_| ConnectionError::Frame)
}

/// The frame that stands in a body.
pub(super) fn decode(body: &[u8]) -> Result<Frame, ConnectionError> {
    serde_json::from_slice(body).map_err(|_| {
        let is_object = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(body).is_ok();
        if is_object { ConnectionError::UnknownKind } else { ConnectionError::Frame }
    })
}

struct Handshake<'a> {
    socket: &'a mut Socket,
    local: &'a Local,
    /// Received so far.
    frames: u32,
    /// The name in this side's hello.
    said: String,
}

impl Handshake<'_> {
    async fn send(&mut self, bytes: Vec<u8>) -> Result<(), ConnectionError> {
        Ok(self.socket.send(Packet::Binary(bytes.into())).await?)
    }

    async fn receive(&mut self) -> Result<Bytes, ConnectionError> {
        while self.frames < MAX_FRAMES {
            self.frames += 1;
            match self.socket.next().await.ok_or(ConnectionError::Closed)?? {
                Packet::Binary(bytes) => return Ok(bytes),
                Packet::Ping(_) | Packet::Pong(_) => {}
                Packet::Text(_) | Packet::Close(_) | Packet::Frame(_) => return Err(ConnectionError::Frame),
            }
        }
        Err(ConnectionError::Flood)
    }

    async fn say_hello(&mut self, to: &PeerId, hello: Hello) -> Result<Sealer, ConnectionError> {
        self.said.clone_from(&hello.name);
        let (envelope, sealer) = seal(&self.local.identity, to, &encode(&Frame::Hello(hello))?)?;
        self.send(envelope).await?;
        Ok(sealer)
    }

    /// Hears the hello. A blocked person is heard as anybody else, so that they do not learn of it.
    async fn hear_hello(&mut self) -> Result<(PeerId, Hello, Opener), ConnectionError> {
        let (opened, opener) = open(&self.local.identity, &self.receive().await?)?;
        let Frame::Hello(hello) = decode(&opened.body)? else { return Err(ConnectionError::Frame) };
        if opened.from == self.local.identity.id() {
            return Err(ConnectionError::WrongPerson);
        }
        let whole = hello.instance.len() == RANDOM_CHARS && hello.challenge.len() == RANDOM_CHARS;
        if whole { Ok((opened.from, hello, opener)) } else { Err(ConnectionError::Frame) }
    }

    fn met(self, peer: PeerId, hello: Hello, dialed: bool, (sealer, opener): (Sealer, Opener)) -> Met {
        self.socket.get_mut().proven();
        let clock_ahead = hello.time.and_then(|theirs| clock_ahead(theirs, self.local.unix_ms()));
        Met { peer, hello, said: self.said, dialed, clock_ahead, sealer, opener }
    }
}

/// By how many seconds one clock is ahead of another, when that is worth a word.
fn clock_ahead(theirs_ms: i64, own_ms: i64) -> Option<i64> {
    (theirs_ms.abs_diff(own_ms) > CLOCKS_AGREE_MS).then(|| theirs_ms.saturating_sub(own_ms) / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_worth_a_word_when_they_differ_by_over_a_minute() {
        const DAY_MS: i64 = 86_400_000;
        let own = 1_800_000_000_000;
        for (ahead_ms, expected) in [
            (0, None),
            (60_000, None),
            (-60_000, None),
            (60_001, Some(60)),
            (90_000, Some(90)),
            (-90_000, Some(-90)),
            (DAY_MS, Some(86_400)),
            (-DAY_MS, Some(-86_400)),
            (30 * 365 * DAY_MS, Some(30 * 365 * 86_400)),
            (-2 * own, Some(-2 * own / 1000)),
        ] {
            assert_eq!(clock_ahead(own + ahead_ms, own), expected, "{ahead_ms} ms");
        }
        assert_eq!(clock_ahead(i64::MAX, i64::MIN), Some(i64::MAX / 1000));
        assert_eq!(clock_ahead(i64::MIN, i64::MAX), Some(i64::MIN / 1000));
    }
}
