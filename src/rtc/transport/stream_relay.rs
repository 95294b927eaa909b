//! A relay that is reached by a stream: TURN over TLS through firewalls that let no UDP pass (RFC 8656, 3.1), for an
//! engine that speaks TURN over UDP alone.
//!
//! The engine knows the relay by a dummy address. Datagrams for that go into a stream, and messages of the stream come
//! from it. TURN messages are the same on both, but for a padding that the engine writes anyway. The owner of the
//! connection makes the stream: TLS, the proof of the server's key and proxies are its business.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use rtc::shared::turn_framing::TurnStreamDecoder;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::source_gate::SourceGate;
use crate::stun::StreamQueue;

/// Without an answer of a relay over UDP for this long the stream is opened.
const UDP_WAIT: Duration = Duration::from_millis(400);
/// For opening the stream.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);
/// Messages of the stream that wait for the engine at most.
const MAX_WAITING: usize = 64;

/// A stream to a relay.
pub trait RelayStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> RelayStream for T {}

/// A stream that is being opened.
pub type OpeningStream = Pin<Box<dyn Future<Output = io::Result<Box<dyn RelayStream>>> + Send>>;

/// Opens a stream to the relay.
#[derive(Clone)]
pub struct StreamConnector(Arc<dyn Fn() -> OpeningStream + Send + Sync>);

impl StreamConnector {
    /// Opens streams by `open`.
    pub fn new(open: impl Fn() -> OpeningStream + Send + Sync + 'static) -> Self {
        Self(Arc::new(open))
    }
}

impl fmt::Debug for StreamConnector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StreamConnector").finish_non_exhaustive()
    }
}

/// Way of one socket's datagrams to such a relay and from it. The stream ends with this.
pub(super) struct StreamWay {
    out: Arc<StreamQueue>,
    coming: Mutex<mpsc::Receiver<Vec<u8>>>,
}

impl StreamWay {
    /// The way, and the task that opens a stream once there is something to send, and carries it until the way is gone.
    pub(super) fn new(connector: StreamConnector, gate: Arc<SourceGate>) -> (Self, impl Future<Output = ()>) {
        let (sender, coming) = mpsc::channel(MAX_WAITING);
        let out = Arc::<StreamQueue>::default();
        let queue = Arc::clone(&out);
        let task = async move {
            if let Err(error) = carry(connector, &queue, sender, &gate).await {
                tracing::debug!(%error, "a stream to the relay");
            }
        };
        (Self { out, coming: Mutex::new(coming) }, task)
    }

    /// Puts a datagram into the stream's queue.
    pub(super) fn send(&self, datagram: &[u8]) {
        self.out.push(datagram);
    }

    /// The next message of the stream; never, once that has ended.
    pub(super) fn poll_receive(&self, context: &mut Context<'_>) -> Poll<Vec<u8>> {
        match self.coming.lock().unwrap_or_else(PoisonError::into_inner).poll_recv(context) {
            Poll::Ready(Some(message)) => Poll::Ready(message),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for StreamWay {
    fn drop(&mut self) {
        self.out.close();
    }
}

async fn carry(
    connector: StreamConnector,
    out: &StreamQueue,
    coming: mpsc::Sender<Vec<u8>>,
    gate: &SourceGate,
) -> io::Result<()> {
    tokio::select! {
        () = out.filled() => {}
        () = out.closed() => return Ok(()),
    }
    let answers = gate.relay_answers_over_udp();
    let closed = tokio::time::timeout(UDP_WAIT, out.closed()).await.is_ok();
    if closed || gate.relay_answers_over_udp() > answers {
        return Ok(());
    }
    let stream = tokio::select! {
        stream = tokio::time::timeout(CONNECT_TIMEOUT, (connector.0)()) => stream??,
        () = out.closed() => return Ok(()),
    };
    let (mut reading, mut writing) = tokio::io::split(stream);
    let read = async {
        let (mut decoder, mut buffer) = (TurnStreamDecoder::new(), vec![0; 4096]);
        loop {
            let length = reading.read(&mut buffer).await?;
            if length == 0 {
                return Ok(());
            }
            decoder.extend_from_slice(buffer.get(..length).unwrap_or_default());
            while let Some(message) = decoder.next_message().map_err(io::Error::other)? {
                // An engine that takes none loses them, as datagrams.
                let _ = coming.try_send(message);
            }
        }
    };
    let write = async {
        loop {
            writing.write_all(&out.next().await).await?;
            writing.flush().await?;
        }
    };
    tokio::select! {
        ended = read => ended,
        ended = write => ended,
        () = out.closed() => Ok(()),
    }
}
