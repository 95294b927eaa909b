//! Runtime of one peer connection: tasks, timers and sockets of the webrtc crate, on tokio.
//!
//! Three things that its own runtime does not do: every task it spawns is counted, so that closing can wait until the
//! last one has let go of its sockets, or end it; every datagram passes the [`SourceGate`]; and link-local addresses
//! have their scopes.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime, TokioRuntime,
    Transmit,
};

use super::handshake_repeats::HandshakeRepeats;
use super::hello_verify::{Cookies, HelloVerify};
use super::link::{LinkEmulator, LinkProfile, LinkSender};
use super::link_local::{self, LinkLocalSockets, Opened};
use super::selected_path::SelectedPath;
use super::servers::{STREAM_RELAYS, is_stream_relay};
use super::source_gate::SourceGate;
use super::stream_relay::{StreamConnector, StreamWay};
use super::way_out::{Loses, Way, WaysOut};
use crate::media::MediaTime;

/// Refused datagrams that are read in a row before other work gets its turn.
const REFUSALS_A_TURN: u32 = 64;

/// Rounds of the engine's loop from a relay's datagram to the answer.
const ROUNDS_WITH_RELAY: u32 = 3;

/// Impairment of outgoing datagrams, in measurements and tests.
#[derive(Clone, Default)]
pub(in crate::rtc) struct Impairment {
    /// They go through this link.
    pub(in crate::rtc) link: Option<LinkProfile>,
    /// Those for which this is true are lost.
    pub(in crate::rtc) loses: Option<Loses>,
}

/// The runtime of one peer connection.
pub(in crate::rtc) struct PeerRuntime {
    handle: Handle,
    gate: Arc<SourceGate>,
    selected: Arc<SelectedPath>,
    cookies: Arc<Cookies>,
    /// Held by every task; the receiving end sees its closing once all are gone.
    alive: mpsc::Sender<()>,
    /// Becomes true when the task that drives the connection ends, however it does.
    engine_task_ended: watch::Sender<bool>,
    /// Tasks that the crate has spawned.
    spawned: AtomicU32,
    tasks: Arc<Mutex<Vec<AbortHandle>>>,
    link_local: Arc<LinkLocalSockets>,
    /// Ways out of the connection's sockets.
    out: Arc<WaysOut>,
    impairment: Impairment,
    /// Opens streams to a relay.
    stream: Option<StreamConnector>,
    /// How often the engine has slept.
    rounds: AtomicU32,
    /// The connection is being closed: the engine waits by sleeping until a relay knows of it.
    closing: AtomicBool,
    /// When the link's steps and blackouts count from, whichever socket leads to it.
    link_began: MediaTime,
}

impl fmt::Debug for PeerRuntime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PeerRuntime").finish_non_exhaustive()
    }
}

/// The tasks of a [`PeerRuntime`], seen from outside.
pub(in crate::rtc) struct Tasks {
    ended: mpsc::Receiver<()>,
    all: Arc<Mutex<Vec<AbortHandle>>>,
}

impl Tasks {
    /// Waits until the runtime itself and all its tasks are gone.
    pub(in crate::rtc) async fn ended(&mut self) {
        while self.ended.recv().await.is_some() {}
    }

    /// Ends every task, wherever it waits; what they hold is released.
    pub(in crate::rtc) fn abort(&self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(|task| task.abort());
    }
}

impl PeerRuntime {
    /// A runtime whose datagrams pass `gate`, and which watches by which pair of addresses media leave.
    pub(in crate::rtc) fn new(
        handle: Handle,
        gate: Arc<SourceGate>,
        selected: Arc<SelectedPath>,
        cookies: Arc<Cookies>,
        impairment: Impairment,
        stream: Option<StreamConnector>,
    ) -> (Arc<Self>, Tasks) {
        let (alive, ended) = mpsc::channel(1);
        let all = Arc::default();
        let runtime = Self {
            handle,
            gate,
            selected,
            cookies,
            alive,
            engine_task_ended: watch::Sender::new(false),
            spawned: AtomicU32::new(0),
            tasks: Arc::clone(&all),
            link_local: Arc::default(),
            out: Arc::default(),
            impairment,
            stream,
            rounds: AtomicU32::new(0),
            closing: AtomicBool::new(false),
            link_began: MediaTime::now(),
        };
        (Arc::new(runtime), Tasks { ended, all })
    }

    /// The connection's sockets on link-local addresses.
    pub(in crate::rtc) fn link_local(&self) -> Arc<LinkLocalSockets> {
        Arc::clone(&self.link_local)
    }

    /// To be called before the engine is closed: it bounds its wait for the releases of its allocations by a sleep,
    /// which must not be over at once.
    pub(in crate::rtc) fn begin_closing(&self) {
        self.closing.store(true, Relaxed);
    }

    /// Becomes true when the task that drives the connection has ended.
    pub(in crate::rtc) fn engine_task_ended(&self) -> watch::Receiver<bool> {
        self.engine_task_ended.subscribe()
    }

    /// Puts a link before what leaves `socket`, whose port makes the two directions of a call on one computer differ.
    fn impair(&self, profile: LinkProfile, socket: &Arc<UdpSocket>) -> LinkSender {
        let seed = socket.local_addr().map_or(0, |address| u64::from(address.port()));
        let (sender, deliver) = LinkSender::new(LinkEmulator::new(profile, seed, self.link_began), Arc::clone(socket));
        self.track(deliver);
        sender
    }

    /// Spawns a task that closing waits for.
    pub(in crate::rtc) fn track(
        &self,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> tokio::task::JoinHandle<()> {
        let alive = self.alive.clone();
        let task = self.handle.spawn(async move {
            future.await;
            drop(alive);
        });
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        // Each restart brings new ones.
        tasks.retain(|task| !task.is_finished());
        tasks.push(task.abort_handle());
        task
    }
}

/// Tells the end of a task from its drop, so that a panic tells it, too.
struct TellEnd(watch::Sender<bool>);

impl Drop for TellEnd {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

struct Task(tokio::task::JoinHandle<()>);

impl JoinHandle for Task {
    fn detach(&self) {}

    fn abort(&self) {
        self.0.abort();
    }

    fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl Runtime for PeerRuntime {
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Box<dyn JoinHandle> {
        // The first task is the one that drives the connection. Without TCP candidates and data channels the crate
        // spawns no other; should a later version do so, their ends mean nothing here.
        let first = self.spawned.fetch_add(1, Relaxed) == 0;
        if !first {
            tracing::debug!("the engine has spawned a further task");
        }
        let end = first.then(|| TellEnd(self.engine_task_ended.clone()));
        Box::new(Task(self.track(async move {
            future.await;
            drop(end);
        })))
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let name = socket.local_addr()?;
        let Opened { socket, stand_in } = self.link_local.open(socket)?;
        socket.set_nonblocking(true)?;
        let _entered = self.handle.enter();
        let socket = Arc::new(UdpSocket::from_std(socket)?);
        let local = socket.local_addr()?;
        let link = self.impairment.link.clone().map(|profile| self.impair(profile, &socket));
        let way = Arc::new(Way::new(socket, link, self.impairment.loses.clone()));
        self.out.add(local, &way);
        let repeated = Arc::clone(&way);
        let (repeats, repeating) = HandshakeRepeats::new(move |datagram: &[u8], to| repeated.try_send(datagram, to));
        self.track(repeating);
        self.gate.opened(local);
        let stream = self.stream.clone().map(|connector| {
            let (stream, carrying) = StreamWay::new(connector, Arc::clone(&self.gate));
            self.track(carrying);
            stream
        });
        Ok(Arc::new(GatedSocket {
            way,
            out: Arc::clone(&self.out),
            stream,
            gate: Arc::clone(&self.gate),
            selected: Arc::clone(&self.selected),
            repeats,
            hello: HelloVerify::new(Arc::clone(&self.cookies)),
            receiver: AtomicWaker::new(),
            name,
            local,
            _stand_in: stand_in,
        }))
    }

    fn wrap_tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        TokioRuntime.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(
        &'a self,
        remote_addr: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<Arc<dyn AsyncTcpStream>>> + Send + 'a>> {
        TokioRuntime.connect_tcp(remote_addr)
    }

    fn resolve_host<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        Box::pin(std::future::ready(literal(host)))
    }

    /// The engine sleeps once a round, and takes three rounds from a datagram of a relay to its answer, or two from a
    /// packet to the relay: one to unwrap, one to answer, one to send. So with a relay, until it is closed, a
    /// connection sleeps in one round of three.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        let round = self.rounds.fetch_add(1, Relaxed) % ROUNDS_WITH_RELAY;
        let skips = round + 1 < ROUNDS_WITH_RELAY && !self.closing.load(Relaxed);
        if skips && self.gate.may_be_relayed() {
            return Box::pin(std::future::ready(()));
        }
        TokioRuntime.sleep(duration)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        self.handle.block_on(future);
    }

    fn name(&self) -> &'static str {
        "visavis"
    }
}

/// An address and a port, with the brackets of IPv6 or without them, as the engine writes a TURN server's. No name is
/// looked up: the engine would wait for it in the loop that media waits for.
fn literal(host: &str) -> io::Result<Vec<SocketAddr>> {
    let address = host.rsplit_once(':').and_then(|(ip, port)| {
        let ip = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(ip);
        Some(SocketAddr::new(ip.parse().ok()?, port.parse().ok()?))
    });
    let no_literal = || io::Error::new(io::ErrorKind::InvalidInput, "an address was expected, not a name");
    address.map(|address| vec![address]).ok_or_else(no_literal)
}

/// A UDP socket behind the gate.
struct GatedSocket {
    way: Arc<Way>,
    /// Those of the connection's other sockets, too: a direct path may lead from another one than the relay's.
    out: Arc<WaysOut>,
    /// To a relay that is reached by a stream.
    stream: Option<StreamWay>,
    gate: Arc<SourceGate>,
    selected: Arc<SelectedPath>,
    repeats: HandshakeRepeats,
    hello: HelloVerify,
    /// Woken when `hello` has something for the engine.
    receiver: AtomicWaker,
    /// The address by which the engine knows it.
    name: SocketAddr,
    /// Its own address.
    local: SocketAddr,
    /// Keeps the port of `name` where that is a stand-in.
    _stand_in: Option<std::net::UdpSocket>,
}

impl Drop for GatedSocket {
    fn drop(&mut self) {
        self.gate.closed(self.local);
    }
}

impl fmt::Debug for GatedSocket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GatedSocket").finish_non_exhaustive()
    }
}

impl AsyncUdpSocket for GatedSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.name)
    }

    fn poll_send(&self, context: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let Some(to) = link_local::outgoing(self.local, transmit.destination) else {
            return Poll::Ready(Ok(transmit.contents.len()));
        };
        let Some(inside) = self.gate.observe_departure(transmit.contents, self.local, to) else {
            return Poll::Ready(Ok(transmit.contents.len()));
        };
        let now = MediaTime::now();
        for check in self.gate.direct_checks(now) {
            if let Some(way) = self.out.of(check.pair.from) {
                way.try_send(&check.datagram, check.pair.to);
            }
        }
        // Wrapped for a relay.
        if inside.len() < transmit.contents.len()
            && let Some(pair) = self.gate.instead_of_relay(inside, now)
            && let Some(way) = self.out.of(pair.from)
        {
            self.selected.note(inside, pair.from, pair.to);
            return way.poll_send(context, (inside, inside), pair.to).map(|()| Ok(transmit.contents.len()));
        }
        self.selected.note(inside, self.local, to);
        if is_stream_relay(to) {
            if let Some(stream) = &self.stream {
                stream.send(transmit.contents);
            }
            return Poll::Ready(Ok(transmit.contents.len()));
        }
        self.repeats.left(transmit.contents, inside, to);
        // A handshake through a relay has all its round trips.
        if self.hello.on_departure(transmit.contents, to) {
            self.repeats.assume_verified();
        }
        if self.hello.is_ready() {
            self.receiver.wake();
        }
        self.way.poll_send(context, (transmit.contents, inside), to).map(|()| Ok(transmit.contents.len()))
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let (Some(buffer), Some(meta)) = (buffers.first_mut(), metas.first_mut()) else { return Poll::Ready(Ok(0)) };
        self.receiver.register(context.waker());
        if let Some((datagram, from)) = self.hello.take()
            && let Some(start) = buffer.get_mut(..datagram.len())
        {
            start.copy_from_slice(&datagram);
            *meta = received(from, datagram.len());
            return Poll::Ready(Ok(1));
        }
        for _ in 0..REFUSALS_A_TURN {
            let (length, from) = ready!(self.poll_datagram(context, buffer));
            let datagram = buffer.get(..length).unwrap_or_default();
            if datagram.is_empty() || !self.gate.admits(datagram, from) {
                continue;
            }
            if self.gate.takes(datagram, self.local, from, MediaTime::now()) {
                continue;
            }
            self.repeats.came(datagram);
            if !self.hello.admits(datagram, from) {
                continue;
            }
            *meta = received(from, length);
            return Poll::Ready(Ok(1));
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// One datagram of `length` bytes.
fn received(from: SocketAddr, length: usize) -> RecvMeta {
    let mut meta = RecvMeta::default();
    (meta.addr, meta.len, meta.stride) = (link_local::without_scope(from), length, length);
    meta
}

impl GatedSocket {
    /// Reads the next message of the stream or datagram of the socket into `buffer`: its length, 0 after a failure, and
    /// its source.
    fn poll_datagram(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<(usize, SocketAddr)> {
        if let Some(Poll::Ready(message)) = self.stream.as_ref().map(|stream| stream.poll_receive(context)) {
            let length = message.len().min(buffer.len());
            if let (Some(to), Some(from)) = (buffer.get_mut(..length), message.get(..length)) {
                to.copy_from_slice(from);
            }
            let relay = STREAM_RELAYS.into_iter().find(|relay| relay.is_ipv4() == self.local.is_ipv4());
            return Poll::Ready((length, relay.unwrap_or(STREAM_RELAYS[0])));
        }
        let mut datagram = ReadBuf::new(buffer);
        match ready!(self.way.socket().poll_recv_from(context, &mut datagram)) {
            Ok(from) => Poll::Ready((datagram.filled().len(), from)),
            Err(error) => {
                // A network that is away is loss here, too; the engine would give the socket up.
                tracing::trace!(%error, "a datagram could not be received");
                Poll::Ready((0, self.local))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> (tokio::runtime::Runtime, Arc<PeerRuntime>, Tasks) {
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let selected = Arc::new(SelectedPath::new(Arc::default()));
        let (gate, cookies, handle) = (Arc::default(), Arc::default(), tokio.handle().clone());
        let (runtime, tasks) = PeerRuntime::new(handle, gate, selected, cookies, Impairment::default(), None);
        (tokio, runtime, tasks)
    }

    #[test]
    fn the_end_of_the_first_task_alone_is_that_of_the_engine() {
        let (tokio, runtime, _tasks) = runtime();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let mut engine_ended = runtime.engine_task_ended();
        runtime.spawn(Box::pin(async move { drop(stopped.await) }));
        for panics in [false, true] {
            let helper = runtime.spawn(Box::pin(async move { assert!(!panics, "a helper that fails") }));
            tokio.block_on(async {
                while !helper.is_finished() {
                    tokio::task::yield_now().await;
                }
            });
            assert!(!*engine_ended.borrow());
        }
        stop.send(()).unwrap();
        tokio.block_on(engine_ended.wait_for(|ended| *ended)).unwrap();
    }

    #[test]
    fn addresses_are_read_and_names_are_not_looked_up() {
        for (host, address) in [
            ("192.0.2.1:3478", "192.0.2.1:3478"),
            ("[2001:db8::1]:3478", "[2001:db8::1]:3478"),
            ("2001:db8::1:3478", "[2001:db8::1]:3478"),
        ] {
            assert_eq!(literal(host).unwrap(), [address.parse::<SocketAddr>().unwrap()]);
        }
        for name in ["localhost:3478", "relay.example:3478", "192.0.2.1", ":1", ""] {
            assert!(literal(name).is_err(), "{name}");
        }
    }

    #[test]
    fn tasks_that_wait_for_ever_are_ended_and_let_go() {
        let (tokio, runtime, mut tasks) = runtime();
        runtime.spawn(Box::pin(std::future::pending()));
        runtime.track(std::future::pending());
        drop(runtime);
        tasks.abort();
        tokio.block_on(tasks.ended());
    }
}
