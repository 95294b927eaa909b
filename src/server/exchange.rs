//! Exchange: the directory and the queues of the connections, behind one lock that each input holds for its step.
//! Frames go into the queues within the same lock, so each connection gets them in the order in which the directory
//! made them.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::directory::{ConnectionId, Counts, Directory, Frame, Input, Output};
use crate::server_protocol::{BoxId, Device, Refusal};

/// Frames, and bytes of them, that wait for one connection; more cuts it.
const MAX_FRAMES: usize = 256;
const MAX_BYTES: usize = 256 * 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    state: Mutex<State>,
    last: AtomicU64,
    refused: AtomicU64,
    unproven: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    directory: Directory,
    queues: HashMap<ConnectionId, Arc<Queue>>,
    ending: bool,
}

/// Frames for a connection. It takes no memory while nothing waits, which a channel of tokio's does.
#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Frame>,
    bytes: usize,
    /// Why the connection ends, once it does.
    end: Option<Refusal>,
}

/// A connection's own end of its queue. The directory forgets the connection when it is dropped.
#[derive(Debug)]
pub(super) struct Member {
    exchange: Arc<Exchange>,
    id: ConnectionId,
    queue: Arc<Queue>,
}

/// Figures of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Figures {
    /// Connections that have proven a key.
    pub(super) connections: usize,
    /// Connections that were refused because there were too many, since the start.
    pub(super) refused: u64,
    /// Connections that ended without a proof, since the start; pages are none of them.
    pub(super) unproven: u64,
    /// Counts since the start.
    pub(super) counts: Counts,
}

impl Frame {
    fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}

impl Exchange {
    /// Takes in a connection that has proven the key of a box; `None` while the server ends.
    pub(super) fn join(self: &Arc<Self>, now: Instant, mailbox: BoxId, device: Device) -> Option<Member> {
        let id = ConnectionId(self.last.fetch_add(1, Ordering::Relaxed));
        let queue = Arc::<Queue>::default();
        let mut state = self.lock();
        if state.ending {
            return None;
        }
        state.queues.insert(id, Arc::clone(&queue));
        state.step(now, id, Input::Proven { mailbox, device });
        drop(state);
        Some(Member { exchange: Arc::clone(self), id, queue })
    }

    /// Ends every connection, and takes no more.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.ending = true;
        state.queues.drain().for_each(|(_, queue)| queue.end(Refusal::Ending));
    }

    /// Figures of now.
    pub(super) fn figures(&self) -> Figures {
        let state = self.lock();
        Figures {
            connections: state.directory.len(),
            refused: self.refused.load(Ordering::Relaxed),
            unproven: self.unproven.load(Ordering::Relaxed),
            counts: state.directory.counts(),
        }
    }

    /// Notes a connection that was refused because there were too many.
    pub(super) fn note_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes a connection that ended without a proof.
    pub(super) fn note_unproven(&self) {
        self.unproven.fetch_add(1, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Has the directory take an input, and carries its outputs out; the pause that it asks for.
    fn step(&mut self, now: Instant, from: ConnectionId, input: Input) -> Option<Duration> {
        let mut pause = None;
        let mut outputs = self.directory.step(now, from, input);
        while !outputs.is_empty() {
            let mut cut = Vec::new();
            for output in outputs.drain(..) {
                match output {
                    Output::Send { connection, frame } => {
                        if self.queues.get(&connection).is_some_and(|queue| !queue.put(frame)) {
                            cut.push((connection, Refusal::Slow));
                        }
                    }
                    Output::Close { connection, reason } => cut.push((connection, reason)),
                    Output::Pause(wait) => pause = Some(wait),
                }
            }
            for (connection, reason) in cut {
                if let Some(queue) = self.queues.remove(&connection) {
                    queue.end(reason);
                    outputs.extend(self.directory.step(now, connection, Input::Closed));
                }
            }
        }
        pause
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False when too much waits.
    fn put(&self, frame: Frame) -> bool {
        let mut waiting = self.lock();
        let bytes = waiting.bytes + frame.len();
        let has_room = bytes <= MAX_BYTES && waiting.frames.len() < MAX_FRAMES;
        if has_room {
            waiting.bytes = bytes;
            waiting.frames.push_back(frame);
            self.changed.notify_one();
        }
        has_room
    }

    /// The connection ends once it has sent the frames that wait.
    fn end(&self, reason: Refusal) {
        self.lock().end = Some(reason);
        self.changed.notify_one();
    }

    /// The next frame, or the reason to end; `None` while there is neither.
    fn take(&self) -> Option<Result<Frame, Refusal>> {
        let mut waiting = self.lock();
        // A slow reader has had its chance: the rest is not waited for.
        if waiting.end == Some(Refusal::Slow) {
            return Some(Err(Refusal::Slow));
        }
        let Some(frame) = waiting.frames.pop_front() else { return waiting.end.map(Err) };
        waiting.bytes -= frame.len();
        if waiting.frames.is_empty() {
            waiting.frames = VecDeque::new();
        }
        Some(Ok(frame))
    }
}

impl Member {
    /// Gives an input to the directory; how long nothing more is to be read.
    pub(super) fn step(&self, now: Instant, input: Input) -> Option<Duration> {
        self.exchange.lock().step(now, self.id, input)
    }

    /// The next frame to send; `Err` with the reason when the connection is to end.
    pub(super) async fn next(&self) -> Result<Frame, Refusal> {
        loop {
            if let Some(next) = self.queue.take() {
                return next;
            }
            self.queue.changed.notified().await;
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut state = self.exchange.lock();
        state.queues.remove(&self.id);
        state.step(Instant::now(), self.id, Input::Closed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server_protocol::{Letter, ToServer};

    fn member(exchange: &Arc<Exchange>, byte: u8, watches: u8) -> Member {
        let mailbox = |byte| BoxId::from_bytes([byte; 32]);
        let now = Instant::now();
        let member = exchange.join(now, mailbox(byte), Device(byte.into())).unwrap();
        member.step(now, Input::Control(ToServer::Watch { boxes: vec![mailbox(watches)] }));
        member
    }

    fn letter(to: u8, size: usize) -> Input {
        Input::Letter(Letter::new(BoxId::from_bytes([to; 32]), Device::ALL, &vec![7; size]).unwrap())
    }

    #[tokio::test]
    async fn frames_come_in_order_and_whoever_reads_too_slowly_is_cut_and_seen_to_go() {
        let exchange = Arc::<Exchange>::default();
        let (ann, bob) = (member(&exchange, 1, 2), member(&exchange, 2, 1));
        for member in [&ann, &bob] {
            assert!(matches!(member.next().await, Ok(Frame::Text(up)) if up.contains("up")));
        }
        for _ in 0..4 {
            ann.step(Instant::now(), letter(2, 60_000));
        }
        assert!(matches!(ann.next().await, Ok(Frame::Text(down)) if down.contains("down")), "Bob has gone");
        assert_eq!(bob.next().await, Err(Refusal::Slow));
        assert_eq!(exchange.figures().connections, 1);
    }

    #[tokio::test]
    async fn what_was_read_makes_room() {
        let exchange = Arc::<Exchange>::default();
        let (ann, bob) = (member(&exchange, 1, 2), member(&exchange, 2, 1));
        bob.next().await.unwrap();
        for _ in 0..50 {
            ann.step(Instant::now(), letter(2, 60_000));
            assert!(matches!(bob.next().await, Ok(Frame::Binary(_))));
        }
    }

    #[tokio::test]
    async fn an_ending_server_ends_everybody_and_takes_nobody() {
        let exchange = Arc::<Exchange>::default();
        let ann = member(&exchange, 1, 2);
        exchange.end();
        assert_eq!(ann.next().await, Err(Refusal::Ending));
        assert!(exchange.join(Instant::now(), BoxId::from_bytes([3; 32]), Device(3)).is_none());
        drop(ann);
        assert_eq!(exchange.figures().connections, 0);
    }
}
