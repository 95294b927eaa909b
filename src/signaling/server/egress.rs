//! Egress: TCP connections to a server, by this computer's own address where one is given, and through the proxy where
//! one is set.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::{sleep, timeout};

use super::dial_error::DialError;
use crate::network::{ProxyRules, keep_alive};

/// For one TCP connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Between tries at the addresses of one name (RFC 8305, 5).
const STAGGER: Duration = Duration::from_millis(250);
/// Addresses of one name that are tried.
const MAX_TRIED: usize = 6;
/// For the addresses of a server that a proxy reaches: they are of use to its relay alone.
const KNOWN_HERE: Duration = Duration::from_secs(1);
/// Bytes on the way that the far computer has not taken for this long: it is gone.
#[cfg(target_os = "linux")]
const UNTAKEN: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Clone, Debug, Default)]
pub(in crate::signaling) struct Egress {
    /// Only this address is used.
    pub(in crate::signaling) bind: Option<IpAddr>,
    /// Proxies of this computer's network.
    pub(in crate::signaling) proxies: Arc<ProxyRules>,
}

/// A connection that leads to a server.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) stream: TcpStream,
    /// The server's addresses, the one first that was reached; behind a proxy those that are known here, if any.
    pub(super) addresses: Vec<SocketAddr>,
    /// A proxy leads there.
    pub(super) is_proxied: bool,
}

impl Egress {
    /// Connects to a host (a name, or an address without brackets), to the first of its addresses that answers.
    pub(super) async fn open(&self, host: &str, port: u16) -> Result<Opened, DialError> {
        let Some(proxy) = self.proxies.way_to(host, port)? else {
            let mut addresses = self.resolve(host, port).await.map_err(DialError::Name)?;
            let stream = self.connect(&addresses).await.map_err(DialError::Connect)?;
            let reached = stream.peer_addr().map_err(DialError::Connect)?;
            addresses.sort_by_key(|address| *address != reached);
            return Ok(Opened { stream, addresses, is_proxied: false });
        };
        let through_proxy = async {
            let proxies = self.resolve(proxy.host(), proxy.port()).await.map_err(DialError::NoProxy)?;
            let mut stream = self.connect(&proxies).await.map_err(DialError::NoProxy)?;
            proxy.open(&mut stream, host, port).await?;
            Ok::<_, DialError>(stream)
        };
        let (stream, known) = tokio::join!(through_proxy, timeout(KNOWN_HERE, self.resolve(host, port)));
        let addresses = known.unwrap_or_else(|_| Ok(Vec::new())).unwrap_or_default();
        Ok(Opened { stream: stream?, addresses, is_proxied: true })
    }

    /// Addresses of a host that can be used from here, a few at most.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let found = lookup_host((host, port)).await?;
        let fits = |address: &SocketAddr| self.bind.is_none_or(|bind| bind.is_ipv4() == address.is_ipv4());
        Ok(in_turns(found.filter(fits)).into_iter().take(MAX_TRIED).collect())
    }

    /// Connects to the first address that answers.
    async fn connect(&self, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
        let attempt = |(place, address): (u32, SocketAddr)| async move {
            sleep(STAGGER * place).await;
            let connected = timeout(CONNECT, self.connect_to(address)).await;
            connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        };
        let mut attempts: FuturesUnordered<_> = (0..).zip(addresses.iter().copied()).map(attempt).collect();
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        while let Some(connected) = attempts.next().await {
            match connected {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Connects to one address.
    async fn connect_to(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        if let Some(bind) = self.bind {
            socket.bind((bind, 0).into())?;
        }
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        keep_alive(&stream)?;
        #[cfg(target_os = "linux")]
        socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(UNTAKEN))?;
        Ok(stream)
    }
}

/// The two address families in turns, each in the resolver's order (RFC 8305, 4).
fn in_turns(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let (mut first, mut second): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
    for address in addresses {
        let is_first = first.first().is_none_or(|other: &SocketAddr| other.is_ipv4() == address.is_ipv4());
        if is_first { first.push(address) } else { second.push(address) }
    }
    let longest = first.len().max(second.len());
    (0..longest).flat_map(|place| [first.get(place), second.get(place)]).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_are_tried_in_turns() {
        let [a, b, c, d]: [SocketAddr; 4] =
            ["[2001:db8::1]:1", "[2001:db8::2]:1", "192.0.2.1:1", "[2001:db8::3]:1"].map(|text| text.parse().unwrap());
        assert_eq!(in_turns([a, b, c, d].into_iter()), [a, c, b, d]);
        assert_eq!(in_turns([c, a, b].into_iter()), [c, a, b]);
        assert!(in_turns(std::iter::empty()).is_empty());
    }
}
