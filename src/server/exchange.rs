//! Exchange: the directory and the queues of the connections, behind one lock that each input holds for its step.
//! Frames go into the queues within the same lock, so each connection gets them in the order in which the directory
//! made them.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;

use super::directory::{ConnectionId, Counts, Directory, Frame, Input, Output};
use super::nodes::{Cluster, NodeFigures, NodeId, Outbox};
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
    /// The other nodes of this server, where it has some, and the messages to them.
    cluster: Option<Box<(Cluster, Arc<Outbox>)>>,
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
    /// Figures of the other nodes, and messages to them that were dropped; `None` for a server of one node.
    pub(super) nodes: Option<(NodeFigures, u64)>,
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
    /// An exchange of a server of several nodes: this one's number, and its messages to the others.
    pub(super) fn of_node(own: NodeId, outbox: Arc<Outbox>) -> Self {
        let exchange = Self::default();
        exchange.lock().cluster = Some(Box::new((Cluster::new(own), outbox)));
        exchange
    }

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
        if let Some((cluster, _)) = state.cluster.as_deref_mut() {
            cluster.end(Instant::now());
        }
        state.publish();
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
            nodes: state.cluster.as_deref().map(|(cluster, outbox)| (cluster.figures(), outbox.dropped())),
        }
    }

    /// NATS is reached: the other nodes hear of this one with the next [`tick`](Self::tick).
    pub(super) fn reached_nodes(&self) {
        if let Some((cluster, _)) = self.lock().cluster.as_deref_mut() {
            cluster.reached();
        }
    }

    /// Takes a message of another node.
    pub(super) fn receive(&self, now: Instant, message: &Bytes) {
        let mut state = self.lock();
        let State { directory, cluster, .. } = &mut *state;
        let outputs = cluster.as_deref_mut().map(|(cluster, _)| cluster.receive(now, directory, message));
        state.carry_out(now, outputs.unwrap_or_default());
    }

    /// Does the work that is due for the other nodes; when there is more. `None` for a server of one node, and once it
    /// ends.
    pub(super) fn tick(&self, now: Instant) -> Option<Instant> {
        let mut state = self.lock();
        let State { directory, cluster, ending, .. } = &mut *state;
        let (cluster, outbox) = cluster.as_deref_mut().filter(|_| !*ending)?;
        let outputs = cluster.tick(now, directory, outbox.has_room());
        let next = cluster.tick_at(now);
        state.carry_out(now, outputs);
        Some(next)
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
        let outputs = self.take(now, from, input);
        self.carry_out(now, outputs)
    }

    fn take(&mut self, now: Instant, from: ConnectionId, input: Input) -> Vec<Output> {
        match self.cluster.as_deref_mut() {
            Some((cluster, _)) => cluster.step(now, &mut self.directory, from, input),
            None => self.directory.step(now, from, input),
        }
    }

    fn carry_out(&mut self, now: Instant, mut outputs: Vec<Output>) -> Option<Duration> {
        let mut pause = None;
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
                    outputs.extend(self.take(now, connection, Input::Closed));
                }
            }
        }
        self.publish();
        pause
    }

    /// Hands the messages for other nodes over.
    fn publish(&mut self) {
        if let Some((cluster, outbox)) = self.cluster.as_deref_mut() {
            cluster.take_publications().into_iter().for_each(|publication| outbox.put(publication));
        }
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
