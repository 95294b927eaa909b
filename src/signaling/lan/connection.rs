//! One WebSocket (RFC 6455) to one person, in either direction, after both sides have proven their keys: records go
//! both ways, one a binary frame. Runs on one tokio task a connection, which owns the socket.
//!
//! Empty pings go out all the time, so that a vanished computer is noticed within [`SILENCE`]. Their pongs say that the
//! connection lives, and nothing of messages: those are acknowledged inside the records.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message as Packet;

pub(super) use super::connection_error::ConnectionError;
use super::input::{Context, Input, NewLink};
use super::proof::Socket;
use crate::identity::PeerId;
use crate::network::Path;
use crate::signaling::flood::Pace;
use crate::signaling::frame::Frame;
use crate::signaling::handshake::Proven;
use crate::signaling::route::{Incoming, RouteEvent, Up};
use crate::signaling::session::{Session, SessionError};

/// From the first byte of a connection to the proof of both keys.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(5);
/// Nothing whole came for this long: the far side is gone, or it drips.
const SILENCE: Duration = Duration::from_millis(4500);
const PING_EVERY: Duration = Duration::from_millis(1500);
const WRITE: Duration = Duration::from_secs(5);
/// Frames that wait to be written.
const FRAMES: usize = 32;

/// Output of a future, or `None` when it panics: the log says so, and its task goes on to release its resources.
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

/// Carries records until the connection ends, for any reason; tells when it is up and when it is down.
pub(super) async fn carry(socket: Socket, proven: Proven, dialed: bool, context: Context) {
    let (number, peer) = (context.local.next_connection(), proven.peer);
    let (frames, to_send) = mpsc::channel(FRAMES);
    let mut name = context.local.name.subscribe();
    // It may have changed since the hello.
    if *name.borrow() != proven.own_name {
        name.mark_changed();
    }
    let ends = socket.get_ref().ends();
    let instance: Arc<str> = proven.instance.into();
    let (taken, is_taken) = oneshot::channel();
    let link = NewLink {
        connection: number,
        up: Up {
            peer,
            name: proven.name,
            instance: instance.clone(),
            device: proven.device,
            versions: proven.versions,
            clock_ahead: proven.clock_ahead,
        },
        dialed,
        path: ends.ok().map(|(local, remote)| Path::new(local, remote)),
        frames,
        taken,
    };
    let lan = context.lan.clone();
    if lan.send(Input::Proven(link)).await.is_err() {
        return;
    }
    let pace = Pace::new(context.local.is_known(&peer), Instant::now());
    let mut connection = Connection { socket, number, peer, instance, session: proven.session, pace, context };
    if is_taken.await.is_err() {
        // Another connection to this person stands: this one ends with a word.
        let Err(reason) = caught(connection.close()).await.unwrap_or(Err(ConnectionError::Panicked));
        return tracing::debug!(%reason, "a signaling connection was not needed");
    }
    report_end(number, peer, connection.run(to_send, name), lan).await;
}

/// Waits for a connection's end and tells the route's task, also when it ends by a panic.
async fn report_end(
    connection: u64,
    peer: PeerId,
    life: impl Future<Output = Result<Infallible, ConnectionError>>,
    lan: mpsc::Sender<Input>,
) {
    let Err(reason) = caught(life).await.unwrap_or(Err(ConnectionError::Panicked));
    tracing::debug!(%reason, "a signaling connection ended");
    let closed_by_far = reason.is_closed_by_far();
    // The route's task is gone only when everything is being closed.
    let _ = lan.send(Input::Down { connection, peer, closed_by_far }).await;
}

struct Connection {
    socket: Socket,
    number: u64,
    peer: PeerId,
    /// The far app's run.
    instance: Arc<str>,
    session: Session,
    pace: Pace,
    context: Context,
}

impl Connection {
    async fn run(
        &mut self,
        mut frames: mpsc::Receiver<Bytes>,
        mut name: watch::Receiver<String>,
    ) -> Result<Infallible, ConnectionError> {
        let mut pings = interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = tokio::time::Instant::now();
        loop {
            let pause = self.context.local.pause(&mut self.pace, &self.peer, Instant::now());
            tokio::select! {
                packet = self.socket.next(), if pause.is_none() => {
                    heard = tokio::time::Instant::now();
                    self.received(packet.ok_or(ConnectionError::Closed)??).await?;
                }
                () = sleep(pause.unwrap_or_default()), if pause.is_some() => {}
                frame = frames.recv() => match frame {
                    Some(frame) => self.write_record(&frame).await?,
                    None => return self.close().await,
                },
                changed = name.changed() => {
                    changed.map_err(|_| ConnectionError::ClosedHere)?;
                    let frame = Frame::Name { name: name.borrow_and_update().clone() };
                    self.write_record(&frame.encode().ok_or(SessionError::Frame)?).await?;
                }
                _ = pings.tick() => self.write(Packet::Ping(Bytes::new())).await?,
                () = sleep_until(heard + SILENCE) => return Err(ConnectionError::Timeout),
            }
        }
    }

    async fn close(&mut self) -> Result<Infallible, ConnectionError> {
        self.write(Packet::Close(None)).await?;
        Err(ConnectionError::ClosedHere)
    }

    async fn write_record(&mut self, frame: &[u8]) -> Result<(), ConnectionError> {
        let record = self.session.seal(frame)?;
        self.write(Packet::Binary(record.into())).await
    }

    async fn write(&mut self, packet: Packet) -> Result<(), ConnectionError> {
        timeout(WRITE, self.socket.send(packet)).await.map_err(|_| ConnectionError::Timeout)??;
        Ok(())
    }

    async fn received(&mut self, packet: Packet) -> Result<(), ConnectionError> {
        self.context.local.has_read(&mut self.pace);
        match packet {
            Packet::Binary(record) => match self.session.open(&record)? {
                Some(incoming) => self.tell(incoming).await,
                None => Ok(()),
            },
            Packet::Ping(_) | Packet::Pong(_) => Ok(()),
            Packet::Close(_) => Err(ConnectionError::Closed),
            Packet::Text(_) | Packet::Frame(_) => Err(ConnectionError::NoBinary),
        }
    }

    async fn tell(&self, incoming: Incoming) -> Result<(), ConnectionError> {
        let (connection, peer, instance) = (self.number, self.peer, self.instance.clone());
        if let Incoming::Ack { .. } = incoming {
            let heard = self.context.lan.send(Input::Heard { connection, peer }).await;
            heard.map_err(|_| ConnectionError::ClosedHere)?;
        }
        let told = self.context.hub.tell(RouteEvent::Received { peer, instance, incoming }).await;
        if told { Ok(()) } else { Err(ConnectionError::ClosedHere) }
    }
}

#[cfg(test)]
mod tests;
