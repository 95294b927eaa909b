//! Probe over a stream: TCP, or TLS within it (RFC 8656, 3.1).

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::client::{Carrier, ProbeError, allocate};
use crate::stun::{Credential, STUN_HEADER};

/// Bytes of an answer's attributes at most.
const MAX_ATTRIBUTES: usize = 2048;

/// Makes an allocation at the relay that a stream leads to, until then, and releases it: the time from the first
/// request to the allocation, two round trips.
///
/// # Errors
///
/// When the stream ends, something else than a relay answers, or the relay refuses.
pub async fn allocate_over_stream<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    credential: &Credential,
    until: Instant,
) -> Result<Duration, ProbeError> {
    allocate(&mut Stream(stream), credential, until).await
}

struct Stream<S>(S);

impl<S: AsyncRead + AsyncWrite + Unpin> Carrier for Stream<S> {
    async fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, ProbeError> {
        self.0.write_all(request).await?;
        self.0.flush().await?;
        let mut answer = vec![0; STUN_HEADER];
        self.0.read_exact(&mut answer).await.map_err(no_answer)?;
        let length = answer.get(2..4).map_or(0, |bytes| usize::from(bytes[0]) << 8 | usize::from(bytes[1]));
        if length > MAX_ATTRIBUTES {
            return Err(ProbeError::NoStun);
        }
        answer.resize(STUN_HEADER + length, 0);
        self.0.read_exact(answer.get_mut(STUN_HEADER..).unwrap_or_default()).await.map_err(no_answer)?;
        Ok(answer)
    }
}

fn no_answer(error: io::Error) -> ProbeError {
    if error.kind() == io::ErrorKind::UnexpectedEof { ProbeError::NoAnswer } else { error.into() }
}
