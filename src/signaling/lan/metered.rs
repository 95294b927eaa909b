//! A TCP stream that takes only so many bytes: few before the far side has proven who it is, and then so many a second.
//! More stays in the system's buffers, so that the far side has to wait. It bounds the bytes that the WebSocket layer
//! reads without handing anything out (empty fragments, frames that never end), and its own answers. Runs on the
//! connections' tasks.

use std::io::{Error, Result};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::network::TokenBucket;

/// The HTTP request and the frames of a handshake are a tenth of this.
const BEFORE_PROOF: usize = 16 * 1024;
const BYTES_A_SECOND: f64 = 32.0 * 1024.0;
/// Some of the largest envelopes.
const BURST: f64 = 512.0 * 1024.0;
/// After a pause this much is read at least, so that there are few of them.
const CHUNK: f64 = 4096.0;

pub(super) struct Metered {
    stream: TcpStream,
    allowance: Allowance,
}

enum Allowance {
    /// Bytes that are left.
    BeforeProof(usize),
    Proven {
        bucket: TokenBucket,
        pause: Option<Pin<Box<Sleep>>>,
    },
}

impl Metered {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, allowance: Allowance::BeforeProof(BEFORE_PROOF) }
    }

    /// Both ends' addresses: this side's, and the far side's.
    pub(super) fn ends(&self) -> Result<(SocketAddr, SocketAddr)> {
        Ok((self.stream.local_addr()?, self.stream.peer_addr()?))
    }

    /// The far side has proven who it is.
    pub(super) fn proven(&mut self) {
        self.allowance =
            Allowance::Proven { bucket: TokenBucket::new(BYTES_A_SECOND, BURST, Instant::now()), pause: None };
    }
}

impl Allowance {
    /// How many bytes may be read, once any may.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<Result<usize>> {
        match self {
            Self::BeforeProof(0) => Poll::Ready(Err(Error::other("too much before the proof"))),
            Self::BeforeProof(left) => Poll::Ready(Ok(*left)),
            Self::Proven { bucket, pause } => loop {
                if let Some(sleep) = pause {
                    ready!(sleep.as_mut().poll(context));
                    *pause = None;
                }
                let now = Instant::now();
                let level = bucket.level(now);
                if level >= 1.0 {
                    return Poll::Ready(Ok(level as usize));
                }
                *pause = Some(Box::pin(sleep(bucket.wait_for(CHUNK, now))));
            },
        }
    }

    fn spend(&mut self, count: usize) {
        match self {
            Self::BeforeProof(left) => *left -= count,
            Self::Proven { bucket, .. } => bucket.spend(count as f64),
        }
    }
}

impl AsyncRead for Metered {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        let room = ready!(this.allowance.poll_room(context))?.min(buffer.remaining());
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(room));
        ready!(Pin::new(&mut this.stream).poll_read(context, &mut part))?;
        let count = part.filled().len();
        this.allowance.spend(count);
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A stream that more than enough was sent to.
    async fn flooded() -> (Metered, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut far = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (near, _) = listener.accept().await.unwrap();
        let sending = tokio::spawn(async move {
            let _ = far.write_all(&[7; 2 * BURST as usize]).await;
        });
        (Metered::new(near), sending)
    }

    #[tokio::test]
    async fn before_the_proof_there_is_an_end_to_what_is_read() {
        let (mut stream, sending) = flooded().await;
        let mut bytes = Vec::new();
        assert!(stream.read_to_end(&mut bytes).await.is_err());
        assert_eq!(bytes.len(), BEFORE_PROOF);
        drop(stream);
        sending.await.unwrap();
    }

    #[tokio::test]
    async fn after_it_a_burst_is_read_at_once_and_the_rest_has_to_wait() {
        let (mut stream, sending) = flooded().await;
        stream.proven();
        let start = Instant::now();
        let mut bytes = vec![0; BURST as usize];
        stream.read_exact(&mut bytes).await.unwrap();
        let Allowance::Proven { bucket, .. } = &mut stream.allowance else { panic!("it is proven") };
        let filled_meanwhile = start.elapsed().as_secs_f64() * BYTES_A_SECOND;
        assert!(bucket.level(start) <= filled_meanwhile, "each byte is counted");
        // As if as much again had been read: nothing more is for many seconds.
        bucket.spend(BURST);
        let next = std::future::poll_fn(|context| {
            let mut byte = [0];
            Poll::Ready(Pin::new(&mut stream).poll_read(context, &mut ReadBuf::new(&mut byte)).is_pending())
        });
        assert!(next.await, "the far side waits");
        drop(stream);
        sending.await.unwrap();
    }
}
