//! Why a server is not reached.

use tokio_tungstenite::tungstenite::Error as WebSocketError;

use super::status::ServerDetail;
use crate::network::{ProxyError, ProxySettingError};
use crate::server_protocol::Refusal;

/// Why a server is not reached. For the log; a person is told its [`detail`](Self::detail).
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("name: {0}")]
    Name(std::io::Error),
    #[error("socket: {0}")]
    Connect(std::io::Error),
    #[error("the proxy: {0}")]
    NoProxy(std::io::Error),
    #[error("the proxy: {0}")]
    Proxy(#[from] ProxyError),
    #[error(transparent)]
    ProxySetting(#[from] ProxySettingError),
    #[error("too slow")]
    Timeout,
    #[error("another key")]
    OtherKey,
    #[error("a certificate of another name")]
    OtherName,
    #[error("a certificate whose time is over or has not begun")]
    Expired,
    #[error("a certificate that is not trusted: {0}")]
    Untrusted(Box<dyn std::error::Error + Send + Sync>),
    #[error("no server: {0}")]
    NoServer(Box<dyn std::error::Error + Send + Sync>),
    #[error("no common version")]
    Version,
    #[error("refused: {0:?}")]
    Refused(Refusal),
}

impl DialError {
    /// The reason, as a person is told it.
    pub(super) const fn detail(&self) -> ServerDetail {
        match self {
            Self::Name(_) => ServerDetail::UnknownName,
            Self::Connect(_) | Self::Timeout => ServerDetail::NoAnswer,
            Self::NoProxy(_) | Self::Proxy(_) => ServerDetail::Proxy,
            Self::ProxySetting(_) => ServerDetail::ProxySetting,
            Self::OtherKey => ServerDetail::OtherKey,
            Self::OtherName => ServerDetail::OtherName,
            Self::Expired => ServerDetail::Expired,
            Self::Untrusted(_) => ServerDetail::Untrusted,
            Self::NoServer(_) => ServerDetail::NoServer,
            Self::Version => ServerDetail::OtherVersion,
            Self::Refused(_) => ServerDetail::Refused,
        }
    }

    /// Whether trying on is of little use until somebody does something.
    pub(super) const fn is_refusal(&self) -> bool {
        match self {
            Self::OtherKey | Self::OtherName | Self::Expired | Self::Untrusted(_) | Self::Version => true,
            Self::Refused(reason) => !matches!(reason, Refusal::Ending | Refusal::Full | Refusal::Slow),
            Self::ProxySetting(_) => true,
            Self::Name(_)
            | Self::Connect(_)
            | Self::NoProxy(_)
            | Self::Proxy(_)
            | Self::Timeout
            | Self::NoServer(_) => false,
        }
    }
}

impl From<WebSocketError> for DialError {
    fn from(error: WebSocketError) -> Self {
        Self::NoServer(Box::new(error))
    }
}
