//! Handshake over a WebSocket, one message a binary frame. Runs on the connections' tasks.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Packet;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::connection_error::ConnectionError;
use super::metered::Metered;
use crate::identity::{MAX_ENVELOPE, PeerId};
use crate::signaling::handshake::{Initiator, Proven, Responder};
use crate::signaling::local::Local;

/// WebSocket frames of any kind before the proof: two are needed, and some pings may come between them.
const MAX_FRAMES: u32 = 12;

pub(super) type Socket = WebSocketStream<Metered>;

/// Limits of the WebSocket layer: one envelope a frame, small buffers, no extension is ever offered.
pub(super) fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(4096)
        .max_write_buffer_size(4 * MAX_ENVELOPE)
        .max_message_size(Some(MAX_ENVELOPE))
        .max_frame_size(Some(MAX_ENVELOPE))
}

/// Proves both sides to each other on a connection that this side opened to `expected`; gives up before it confirms
/// where that leads to one of the runs that are `connected`: the far side, to which the latest connection counts, keeps
/// the one that it has.
pub(super) async fn prove_as_initiator(
    socket: &mut Socket,
    local: &Local,
    expected: PeerId,
    connected: &[Arc<str>],
) -> Result<Proven, ConnectionError> {
    let mut unproven = Unproven { socket, frames: 0 };
    let (initiator, hello) = Initiator::start(local, expected)?;
    unproven.send(hello).await?;
    let (proven, confirm) = initiator.finish(local, &unproven.receive().await?)?;
    if let Some(run) = connected.iter().find(|run| ***run == *proven.instance) {
        return Err(ConnectionError::Connected(Arc::clone(run)));
    }
    unproven.send(confirm).await?;
    socket.get_mut().proven();
    Ok(proven)
}

/// Proves both sides to each other on a connection that the other side opened.
pub(super) async fn prove_as_responder(socket: &mut Socket, local: &Local) -> Result<Proven, ConnectionError> {
    let mut unproven = Unproven { socket, frames: 0 };
    let (responder, hello) = Responder::answer(local, &unproven.receive().await?)?;
    unproven.send(hello).await?;
    let proven = responder.finish(local, &unproven.receive().await?)?;
    socket.get_mut().proven();
    Ok(proven)
}

/// A connection before the proof.
struct Unproven<'a> {
    socket: &'a mut Socket,
    /// Received so far.
    frames: u32,
}

impl Unproven<'_> {
    async fn send(&mut self, bytes: Vec<u8>) -> Result<(), ConnectionError> {
        Ok(self.socket.send(Packet::Binary(bytes.into())).await?)
    }

    async fn receive(&mut self) -> Result<Bytes, ConnectionError> {
        while self.frames < MAX_FRAMES {
            self.frames += 1;
            match self.socket.next().await.ok_or(ConnectionError::Closed)?? {
                Packet::Binary(bytes) => return Ok(bytes),
                Packet::Ping(_) | Packet::Pong(_) => {}
                Packet::Text(_) | Packet::Close(_) | Packet::Frame(_) => return Err(ConnectionError::NoBinary),
            }
        }
        Err(ConnectionError::TooManyFrames)
    }
}
