//! One proxy: its protocol, its place, and the way through it.

use std::fmt;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::credentials::Credentials;
use super::error::ProxyError;
use super::{http_connect, socks5};

/// For the proxy's whole answer: it reaches the server meanwhile.
const OPEN: Duration = Duration::from_secs(8);

/// Protocol of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    HttpConnect,
    Socks5,
}

/// A proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(super) protocol: Protocol,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) credentials: Option<Credentials>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Proxy").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

impl Proxy {
    /// The proxy's own host: a name, or an address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The proxy's TCP port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Has the proxy, to which `stream` is a connection, connect it to a host and port. The stream then leads there,
    /// and nothing of what comes from there has been read.
    ///
    /// # Errors
    ///
    /// The proxy's refusal, or its silence after 8 s.
    pub async fn open(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        host: &str,
        port: u16,
    ) -> Result<(), ProxyError> {
        self.open_within(OPEN, stream, (host, port)).await
    }

    pub(super) async fn open_within(
        &self,
        patience: Duration,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        (host, port): (&str, u16),
    ) -> Result<(), ProxyError> {
        let credentials = self.credentials.as_ref();
        let opened = async {
            match self.protocol {
                Protocol::HttpConnect => http_connect::open(stream, credentials, host, port).await,
                Protocol::Socks5 => socks5::open(stream, credentials, host, port).await,
            }
        };
        timeout(patience, opened).await.unwrap_or(Err(ProxyError::Slow))
    }
}
