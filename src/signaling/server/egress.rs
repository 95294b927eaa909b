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
#[cfg(target_os = "linux")]
use crate::network::KEEP_ALIVE_ENDS;
use crate::network::{Proxy, ProxyRules, keep_alive};

/// For one TCP connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Between tries at the addresses of one name (RFC 8305, 5).
const STAGGER: Duration = Duration::from_millis(250);
/// Addresses of one name that are tried, and that are known.
const MAX_TRIED: usize = 6;
const MAX_KNOWN: usize = 32;
/// Addresses that are tried in a given order: with the name after them within the time that a relay's stream has.
const MAX_IN_ORDER: usize = 2;
/// For one address of several, where they are tried in a given order.
const IN_ORDER: Duration = Duration::from_secs(2);
/// For the addresses of a server that a proxy reaches: they are of use to its relay alone.
const KNOWN_HERE: Duration = Duration::from_secs(1);
/// Bytes on the way that the far computer has not taken for this long: it is gone. Linux ends a connection by this time
/// instead of the count of keep-alive's probes, so it is a little less than all of them take: with less, one lost probe
/// would end a connection.
#[cfg(target_os = "linux")]
const UNTAKEN: Duration = KEEP_ALIVE_ENDS.saturating_sub(Duration::from_secs(1));

/// See the module.
#[derive(Clone, Debug, Default)]
pub(in crate::signaling) struct Egress {
    /// Only this address is used.
    pub(in crate::signaling) bind: Option<IpAddr>,
    /// Proxies of this computer's network.
    pub(in crate::signaling) proxies: Arc<ProxyRules>,
    /// Addresses of every host, in the order in which they are tried. Empty: each host's own, mixed.
    pub(in crate::signaling) given: Arc<[SocketAddr]>,
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
            let in_turns = in_turns(&addresses, |family| self.mix(family));
            let stream = self.connect(&in_turns).await.map_err(DialError::Connect)?;
            let reached = stream.peer_addr().map_err(DialError::Connect)?;
            addresses.sort_by_key(|address| *address != reached);
            return Ok(Opened { stream, addresses, is_proxied: false });
        };
        let through_proxy = async {
            let mut stream = self.connect_to_proxy(proxy).await?;
            proxy.open(&mut stream, host, port).await?;
            Ok::<_, DialError>(stream)
        };
        let (stream, known) = tokio::join!(through_proxy, timeout(KNOWN_HERE, self.resolve(host, port)));
        let addresses = known.unwrap_or_else(|_| Ok(Vec::new())).unwrap_or_default();
        Ok(Opened { stream: stream?, addresses, is_proxied: true })
    }

    /// Connects to the first of some addresses of a host that can be reached, one after another, of the family of the
    /// first; to the host by its name, where that has one address or none is known.
    pub(super) async fn open_in_order(
        &self,
        host: &str,
        port: u16,
        addresses: &[SocketAddr],
    ) -> Result<TcpStream, DialError> {
        // Those of the other family may lead nowhere from here.
        let is_usable = |address: &&SocketAddr| addresses.first().is_some_and(|it| it.is_ipv4() == address.is_ipv4());
        let usable: Vec<_> = addresses.iter().filter(is_usable).take(MAX_IN_ORDER).copied().collect();
        if usable.len() > 1 {
            for address in usable {
                match timeout(IN_ORDER, self.open_at(host, address)).await {
                    Ok(Ok(stream)) => return Ok(stream),
                    Ok(Err(reason)) => tracing::debug!(%reason, "a node of a server was not reached"),
                    Err(_) => tracing::debug!("a node of a server did not answer in time"),
                }
            }
        }
        Ok(self.open(host, port).await?.stream)
    }

    /// Connects to one address of a host.
    async fn open_at(&self, host: &str, address: SocketAddr) -> Result<TcpStream, DialError> {
        let Some(proxy) = self.proxies.way_to(host, address.port())? else {
            return self.connect_to(address).await.map_err(DialError::Connect);
        };
        let mut stream = self.connect_to_proxy(proxy).await?;
        proxy.open(&mut stream, &address.ip().to_string(), address.port()).await?;
        Ok(stream)
    }

    async fn connect_to_proxy(&self, proxy: &Proxy) -> Result<TcpStream, DialError> {
        let proxies = self.resolve(proxy.host(), proxy.port()).await.map_err(DialError::NoProxy)?;
        self.connect(&in_turns(&proxies, |_| {})).await.map_err(DialError::NoProxy)
    }

    /// Addresses of a host that can be used from here.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if !self.given.is_empty() {
            return Ok(self.given.to_vec());
        }
        let found = lookup_host((host, port)).await?;
        let fits = |address: &SocketAddr| self.bind.is_none_or(|bind| bind.is_ipv4() == address.is_ipv4());
        Ok(found.filter(fits).take(MAX_KNOWN).collect())
    }

    fn mix(&self, addresses: &mut [SocketAddr]) {
        if self.given.is_empty() {
            fastrand::shuffle(addresses);
        }
    }

    /// Connects to the first address that answers, of those that are tried.
    async fn connect(&self, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
        let attempt = |(place, address): (u32, SocketAddr)| async move {
            sleep(STAGGER * place).await;
            let connected = timeout(CONNECT, self.connect_to(address)).await;
            connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        };
        let mut attempts: FuturesUnordered<_> =
            (0..).zip(addresses.iter().copied().take(MAX_TRIED)).map(attempt).collect();
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

/// The two address families in turns (RFC 8305, 4), the resolver's first one first; each mixed, so that apps spread
/// over the nodes of a server.
fn in_turns(addresses: &[SocketAddr], mix: impl Fn(&mut [SocketAddr])) -> Vec<SocketAddr> {
    let is_first = |address: &&SocketAddr| addresses.first().is_some_and(|first| first.is_ipv4() == address.is_ipv4());
    let (mut first, mut second): (Vec<_>, Vec<_>) = addresses.iter().partition(is_first);
    mix(&mut first);
    mix(&mut second);
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
        assert_eq!(in_turns(&[a, b, c, d], |_| {}), [a, c, b, d]);
        assert_eq!(in_turns(&[c, a, b], |_| {}), [c, a, b]);
        assert_eq!(in_turns(&[a, b, c, d], <[_]>::reverse), [d, c, b, a]);
        assert!(in_turns(&[], |_| {}).is_empty());
    }
}
