//! The relay on sockets: UDP ones of its own, and streams that somebody else has accepted.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rtc::shared::turn_framing::TurnStreamDecoder;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::limits::Config;
use super::state::{Client, Figures, Moment, Relay, Transport};
use crate::stun::StreamQueue;

/// Between looks for allocations whose time is over.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(1);
/// A stream that sends nothing for this long, or takes nothing, is ended: allocations are refreshed each 60 s.
const STREAM_IDLE: Duration = Duration::from_secs(180);
/// Datagrams that are read in a row before other sockets get their turn.
const A_TURN: usize = 64;
/// Bytes of a datagram: as many as there can be.
const DATAGRAM: usize = 65_536;

/// A relay that runs. It ends when this is dropped; streams that it serves are no longer answered then.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    tasks: Vec<AbortHandle>,
}

#[derive(Debug)]
struct Shared {
    relay: Mutex<Relay>,
    sockets: Vec<UdpSocket>,
    streams: Mutex<HashMap<u64, Arc<StreamQueue>>>,
    next_stream: AtomicU64,
}

impl Server {
    /// Starts a relay on these sockets; its tasks run on `runtime`.
    ///
    /// # Errors
    ///
    /// When a socket cannot be used, or the cryptography library.
    pub fn start(runtime: &Handle, config: Config, sockets: Vec<std::net::UdpSocket>) -> io::Result<Self> {
        let _entered = runtime.enter();
        let usable = |socket: std::net::UdpSocket| {
            socket.set_nonblocking(true)?;
            UdpSocket::from_std(socket)
        };
        let sockets = sockets.into_iter().map(usable).collect::<io::Result<Vec<_>>>()?;
        let relay = Relay::new(config, Instant::now()).map_err(io::Error::other)?;
        let shared = Arc::new(Shared {
            relay: Mutex::new(relay),
            sockets,
            streams: Mutex::default(),
            next_stream: AtomicU64::new(0),
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

    /// Serves one client over a stream (TCP, or TLS within it) until either side ends it. `first` are bytes of it that
    /// have been read already, `peer` is the client's address.
    pub fn serve_stream(
        &self,
        first: &[u8],
        stream: impl AsyncRead + AsyncWrite + Unpin,
        peer: SocketAddr,
    ) -> impl Future<Output = ()> {
        let (shared, first) = (Arc::clone(&self.shared), first.to_vec());
        async move { shared.serve_stream(first, stream, peer).await }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Shared {
    fn relay(&self) -> MutexGuard<'_, Relay> {
        self.relay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<u64, Arc<StreamQueue>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the relay a datagram, and sends what leaves because of it. Queues are bounded: those of the sockets are the
    /// system's, and a full one loses the datagram.
    fn receive(&self, from: Client, datagram: &[u8]) {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let moment = Moment { now: Instant::now(), unix_s: unix.as_secs() };
        let mut relay = self.relay();
        let Some(output) = relay.receive(moment, from, datagram) else { return };
        match output.to.transport {
            Transport::Udp(socket) => {
                let sent = self.sockets.get(socket).map(|socket| socket.try_send_to(output.bytes, output.to.address));
                if let Some(Err(error)) = sent {
                    tracing::trace!(%error, "a datagram of the relay could not be sent");
                }
            }
            Transport::Stream(stream) => {
                if let Some(queue) = self.streams().get(&stream) {
                    queue.push(output.bytes);
                }
            }
        }
    }

    async fn serve_socket(self: Arc<Self>, number: usize) {
        let Some(socket) = self.sockets.get(number) else { return };
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

    async fn serve_stream(&self, first: Vec<u8>, stream: impl AsyncRead + AsyncWrite + Unpin, peer: SocketAddr) {
        let number = self.next_stream.fetch_add(1, Relaxed);
        let client = Client { transport: Transport::Stream(number), address: peer };
        let open = OpenStream { shared: self, client, number, queue: Arc::default() };
        self.streams().insert(number, Arc::clone(&open.queue));
        let (mut reading, mut writing) = tokio::io::split(stream);
        let read = async {
            let mut decoder = TurnStreamDecoder::new();
            decoder.extend_from_slice(&first);
            let mut buffer = vec![0; 4096];
            loop {
                while let Ok(Some(message)) = decoder.next_message() {
                    self.receive(client, &message);
                }
                // Without a whole message there is more to come, or it is no TURN.
                if decoder.next_message().is_err() {
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
        tokio::select! {
            () = read => {}
            () = write => {}
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
