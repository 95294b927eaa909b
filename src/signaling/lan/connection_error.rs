//! Reasons for the end of a connection.

use std::io::ErrorKind;
use std::sync::Arc;

use tokio_tungstenite::tungstenite::Error as WebSocketError;
use tokio_tungstenite::tungstenite::error::ProtocolError;

use crate::signaling::session::SessionError;

/// Why there is, or no longer is, a connection. For the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectionError {
    #[error("WebSocket: {0}")]
    WebSocket(#[from] Box<WebSocketError>),
    #[error("{0}")]
    Session(#[from] SessionError),
    #[error("a WebSocket frame that is not binary")]
    NoBinary,
    #[error("too slow")]
    Timeout,
    #[error("too many frames without a proof")]
    TooManyFrames,
    #[error("leads to a run that is connected")]
    Connected(Arc<str>),
    #[error("too many dials")]
    DialBudget,
    #[error("closed by the far computer")]
    Closed,
    #[error("closed here")]
    ClosedHere,
    #[error("its task panicked")]
    Panicked,
    #[error("socket: {0}")]
    Socket(#[from] std::io::Error),
}

impl From<WebSocketError> for ConnectionError {
    fn from(error: WebSocketError) -> Self {
        Self::WebSocket(Box::new(error))
    }
}

impl ConnectionError {
    /// Whether it is the far computer that ended the connection (FIN, RST or a WebSocket Close). Silence, or an error
    /// of this computer's network, is no sign of that.
    pub(super) fn is_closed_by_far(&self) -> bool {
        match self {
            Self::Closed => true,
            Self::WebSocket(error) => match error.as_ref() {
                WebSocketError::ConnectionClosed
                | WebSocketError::AlreadyClosed
                | WebSocketError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => true,
                WebSocketError::Io(error) => is_end(error.kind()),
                _ => false,
            },
            Self::Socket(error) => is_end(error.kind()),
            _ => false,
        }
    }
}

fn is_end(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::EnvelopeError;

    #[test]
    fn only_what_the_far_computer_does_counts_as_closed_by_it() {
        let io = |kind: ErrorKind| std::io::Error::from(kind);
        let closed = [
            ConnectionError::Closed,
            WebSocketError::ConnectionClosed.into(),
            WebSocketError::Protocol(ProtocolError::ResetWithoutClosingHandshake).into(),
            WebSocketError::Io(io(ErrorKind::ConnectionReset)).into(),
            WebSocketError::Io(io(ErrorKind::BrokenPipe)).into(),
            ConnectionError::Socket(io(ErrorKind::ConnectionReset)),
        ];
        assert!(closed.iter().all(ConnectionError::is_closed_by_far));
        let otherwise = [
            ConnectionError::Timeout,
            ConnectionError::ClosedHere,
            ConnectionError::Panicked,
            ConnectionError::Session(SessionError::Flood),
            ConnectionError::Session(EnvelopeError::NotNext.into()),
            WebSocketError::Io(io(ErrorKind::TimedOut)).into(),
            WebSocketError::Io(io(ErrorKind::HostUnreachable)).into(),
            WebSocketError::Io(io(ErrorKind::NetworkUnreachable)).into(),
            WebSocketError::Io(io(ErrorKind::NetworkDown)).into(),
            WebSocketError::Protocol(ProtocolError::UnmaskedFrameFromClient).into(),
        ];
        assert!(!otherwise.iter().any(ConnectionError::is_closed_by_far));
    }
}
