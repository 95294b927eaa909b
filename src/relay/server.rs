//! The relay on sockets: UDP ones of its own, and streams that somebody else has accepted.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rtc::shared::turn_framing::TurnStreamDecoder;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::limits::Config;
use super::state::{Client, Figures, MAX_MESSAGE, Moment, Relay, Transport};
use crate::network::network_of;
use crate::stun::StreamQueue;

/// Between looks for allocations whose time is over.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(1);
/// A stream that sends nothing for this long, or takes nothing, is ended: allocations are refreshed each 60 s.
const STREAM_IDLE: Duration = Duration::from_secs(180);
/// Between looks for streams without an allocation, which are ended: the first look comes so long after the beginning.
const STREAM_LOOK: Duration = Duration::from_secs(10);
/// Streams that are open beside those that can have an allocation.
const NEW_STREAMS: usize = 64;
/// Streams of one network at most: those of a household, behind one address.
const STREAMS_OF_NETWORK: usize = 32;
/// Datagrams that are read in a row before other sockets get their turn.
const A_TURN: usize = 64;
/// Bytes of a datagram: as many as there can be.
const DATAGRAM: usize = 65_536;

/// A relay that runs. It ends when this is dropped, and the streams that it serves with it.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    tasks: Vec<AbortHandle>,
}

#[derive(Debug)]
struct Shared {
    relay: Mutex<Relay>,
    sockets: Vec<Socket>,
    streams: Mutex<Streams>,
    max_streams: usize,
    next_stream: AtomicU64,
    /// Becomes true when the server is dropped.
    ended: watch::Sender<bool>,
}

/// Streams that are open: the network and the queue of each.
type Streams = HashMap<u64, (IpAddr, Arc<StreamQueue>)>;

/// A UDP socket.
#[derive(Debug)]
struct Socket {
    socket: UdpSocket,
    is_ipv6: bool,
}

impl Socket {
    fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let is_ipv6 = socket.local_addr()?.is_ipv6();
        Ok(Self { socket: UdpSocket::from_std(socket)?, is_ipv6 })
    }

    /// A client's address as the socket takes it: one of IPv6 knows IPv4 addresses as IPv4-mapped ones.
    fn destination(&self, client: SocketAddr) -> SocketAddr {
        match client.ip() {
            IpAddr::V4(ip) if self.is_ipv6 => SocketAddr::new(ip.to_ipv6_mapped().into(), client.port()),
            _ => client,
        }
    }
}

impl Server {
    /// Starts a relay on these sockets; its tasks run on `runtime`.
    ///
    /// # Errors
    ///
    /// When a socket cannot be used, or the cryptography library.
    pub fn start(runtime: &Handle, config: Config, sockets: Vec<std::net::UdpSocket>) -> io::Result<Self> {
        let _entered = runtime.enter();
        let sockets = sockets.into_iter().map(Socket::new).collect::<io::Result<Vec<_>>>()?;
        let max_streams = config.limits.allocations.saturating_add(NEW_STREAMS);
        let relay = Relay::new(config, Instant::now()).map_err(io::Error::other)?;
        let shared = Arc::new(Shared {
            relay: Mutex::new(relay),
            sockets,
            streams: Mutex::default(),
            max_streams,
            next_stream: AtomicU64::new(0),
            ended: watch::Sender::new(false),
        });
        let mut tasks: Vec<AbortHandle> = (0..shared.sockets.len())
            .map(|socket| runtime.spawn(Arc::clone(&shared).serve_socket(socket)).abort_handle())
            .collect();
        let expiring = Arc::clone(&shared);
        let expiry = runtime.spawn(async move {
            loop {
                tokio::time::sleep(EXPIRY_INTERVAL).await;
                expiring.relay().expire(Instant::now());
            }
        });
        tasks.push(expiry.abort_handle());
        Ok(Self { shared, tasks })
    }

    /// Counts of the relay.
    pub fn figures(&self) -> Figures {
        self.shared.relay().figures()
    }

    /// Serves one client over a stream (TCP, or TLS within it) until either side ends it: this one where too many are
    /// open, where 10 s have passed without an allocation, and when the server is dropped. `first` are bytes of it that
    /// have been read already, `peer` is the client's address.
    pub fn serve_stream<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        first: &[u8],
        stream: S,
        peer: SocketAddr,
    ) -> impl Future<Output = ()> + use<S> {
        let (shared, first) = (Arc::clone(&self.shared), first.to_vec());
        async move { shared.serve_stream(first, stream, peer, STREAM_LOOK).await }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
        self.shared.ended.send_replace(true);
    }
}

impl Shared {
    fn relay(&self) -> MutexGuard<'_, Relay> {
        self.relay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the relay a datagram, and sends what leaves because of it. Queues are bounded: those of the sockets are
    /// the system's, and a full one loses the datagram.
    fn receive(&self, from: Client, datagram: &[u8]) {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let moment = Moment { now: Instant::now(), unix_s: unix.as_secs() };
        let mut relay = self.relay();
        let Some(output) = relay.receive(moment, from, datagram) else { return };
        match output.to.transport {
            Transport::Udp(socket) => {
                let send = |it: &Socket| it.socket.try_send_to(output.bytes, it.destination(output.to.address));
                let sent = self.sockets.get(socket).map(send);
                if let Some(Err(error)) = sent {
                    tracing::trace!(%error, "a datagram of the relay could not be sent");
                }
            }
            Transport::Stream(stream) => {
                if let Some((_, queue)) = self.streams().get(&stream) {
                    queue.push(output.bytes);
                }
            }
        }
    }

    async fn serve_socket(self: Arc<Self>, number: usize) {
        let Some(Socket { socket, .. }) = self.sockets.get(number) else { return };
        let mut buffer = vec![0; DATAGRAM];
        loop {
            if let Err(error) = socket.readable().await {
                tracing::warn!(%error, "a socket of the relay cannot be read any more");
                return;
            }
            for _ in 0..A_TURN {
                match socket.try_recv_from(&mut buffer) {
                    Ok((length, address)) => {
                        let client = Client { transport: Transport::Udp(number), address };
                        self.receive(client, buffer.get(..length).unwrap_or_default());
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // An earlier datagram could not be delivered.
                    Err(error) => tracing::trace!(%error, "a datagram could not be received"),
                }
            }
            tokio::task::yield_now().await;
        }
    }

    /// Room for a stream of this peer; `None` where too many are open.
    fn open_stream(&self, peer: SocketAddr) -> Option<OpenStream<'_>> {
        let (network, queue) = (network_of(peer.ip()), Arc::default());
        let number = self.next_stream.fetch_add(1, Relaxed);
        let mut streams = self.streams();
        let of_network = streams.values().filter(|(other, _)| *other == network).count();
        if streams.len() >= self.max_streams || of_network >= STREAMS_OF_NETWORK {
            return None;
        }
        streams.insert(number, (network, Arc::clone(&queue)));
        let client = Client { transport: Transport::Stream(number), address: peer };
        Some(OpenStream { shared: self, client, number, queue })
    }

    /// Serves a stream; looks after each `look` whether it has an allocation.
    async fn serve_stream(
        &self,
        first: Vec<u8>,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        peer: SocketAddr,
        look: Duration,
    ) {
        let Some(open) = self.open_stream(peer) else {
            tracing::debug!("the relay has as many streams as it serves; a further one is ended");
            return;
        };
        let client = open.client;
        let (mut reading, mut writing) = tokio::io::split(stream);
        let read = async {
            let mut decoder = TurnStreamDecoder::new();
            decoder.extend_from_slice(&first);
            let mut buffer = vec![0; 4096];
            loop {
                while let Ok(Some(message)) = decoder.next_message() {
                    self.receive(client, &message);
                }
                // Without a whole message there is more to come, or it is no TURN, or more than is taken.
                if decoder.next_message().is_err() || decoder.buffered_len() > MAX_MESSAGE {
                    return;
                }
                match tokio::time::timeout(STREAM_IDLE, reading.read(&mut buffer)).await {
                    Ok(Ok(length)) if length > 0 => {
                        decoder.extend_from_slice(buffer.get(..length).unwrap_or_default());
                    }
                    _ => return,
                }
            }
        };
        let write = async {
            loop {
                let message = open.queue.next().await;
                let written = async {
                    writing.write_all(&message).await?;
                    writing.flush().await
                };
                if !matches!(tokio::time::timeout(STREAM_IDLE, written).await, Ok(Ok(()))) {
                    return;
                }
            }
        };
        let without_allocation = async {
            loop {
                tokio::time::sleep(look).await;
                if !self.relay().has_allocation(client, Instant::now()) {
                    return;
                }
            }
        };
        let server_ended = async {
            // The sender is here.
            let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
        };
        tokio::select! {
            () = read => {}
            () = write => {}
            () = without_allocation => {}
            () = server_ended => {}
        }
    }
}

/// A stream that is served; it is forgotten with this, whoever drops that.
struct OpenStream<'a> {
    shared: &'a Shared,
    client: Client,
    number: u64,
    queue: Arc<StreamQueue>,
}

impl Drop for OpenStream<'_> {
    fn drop(&mut self) {
        self.shared.streams().remove(&self.number);
        self.shared.relay().closed(self.client, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::DuplexStream;
    use tokio::task::JoinHandle;

    use super::super::limits::Limits;
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    /// A relay with one socket on loopback, and the socket's address.
    fn server(runtime: &tokio::runtime::Runtime) -> (Server, SocketAddr) {
        let config = Config { secret: vec![7; 16], realm: "visavis".to_owned(), limits: Limits::default() };
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        (Server::start(runtime.handle(), config, vec![socket]).unwrap(), address)
    }

    fn peer(network: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, network], 443))
    }

    /// A stream that the server serves: the client's end, and the task that serves it.
    fn stream(server: &Server, first: &[u8], peer: SocketAddr) -> (DuplexStream, JoinHandle<()>) {
        let (near, far) = tokio::io::duplex(8192);
        (near, tokio::spawn(server.serve_stream(first, far, peer)))
    }

    #[test]
    fn a_message_longer_than_any_ends_its_stream() {
        let runtime = runtime();
        let (server, _) = server(&runtime);
        runtime.block_on(async {
            let long = [&[0, 1, 0xff, 0xff][..], &[0; MAX_MESSAGE]].concat();
            let (_near, served) = stream(&server, &long, peer(1));
            served.await.unwrap();
        });
    }

    #[test]
    fn a_stream_without_an_allocation_ends() {
        let runtime = runtime();
        let (server, _) = server(&runtime);
        runtime.block_on(async {
            let (_near, far) = tokio::io::duplex(64);
            server.shared.serve_stream(Vec::new(), far, peer(1), Duration::from_millis(1)).await;
        });
        assert!(server.shared.streams().is_empty());
    }

    #[test]
    fn streams_are_bounded_in_all_and_for_each_network() {
        let runtime = runtime();
        let (server, _) = server(&runtime);
        let shared = &server.shared;
        let mut open: Vec<_> = (0..STREAMS_OF_NETWORK).map(|_| shared.open_stream(peer(0)).unwrap()).collect();
        assert!(shared.open_stream(peer(0)).is_none(), "of one network");
        open.extend((STREAMS_OF_NETWORK..shared.max_streams).map(|n| shared.open_stream(peer(n as u8)).unwrap()));
        assert!(shared.open_stream(peer(200)).is_none(), "in all");
        open.pop();
        assert!(shared.open_stream(peer(200)).is_some(), "one has ended");
    }

    #[test]
    fn a_server_that_is_dropped_ends_its_streams_and_frees_its_sockets() {
        let runtime = runtime();
        let (server, address) = server(&runtime);
        runtime.block_on(async {
            let (_near, served) = stream(&server, &[], peer(1));
            tokio::task::yield_now().await;
            assert!(!served.is_finished());
            let shared = Arc::downgrade(&server.shared);
            drop(server);
            served.await.unwrap();
            while shared.strong_count() > 0 {
                tokio::task::yield_now().await;
            }
        });
        std::net::UdpSocket::bind(address).expect("the port is free");
    }

    #[test]
    fn a_socket_of_ipv6_sends_to_an_ipv4_client_by_its_mapped_address() {
        let runtime = runtime();
        let _entered = runtime.enter();
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut socket = Socket::new(socket).unwrap();
        assert_eq!(socket.destination(peer(1)), peer(1));
        socket.is_ipv6 = true;
        let [mapped, six] =
            ["[::ffff:192.0.2.1]:443", "[2001:db8::1]:443"].map(|text| text.parse::<SocketAddr>().unwrap());
        assert_eq!(socket.destination(peer(1)), mapped);
        assert_eq!(socket.destination(six), six);
    }
}
