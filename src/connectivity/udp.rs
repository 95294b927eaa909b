//! Probes over UDP. All servers are asked from one socket, so that their answers tell how a NAT maps it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::client::{Account, Allocated, Carrier, ProbeError, allocate, bind};
use super::mapping::Seen;
use crate::network::{canonical, source_for};
use crate::stun::{STUN_HEADER, TRANSACTION_ID};

/// Waits for an answer; then the request goes again (RFC 8489, 6.2.1, with a shorter last wait: a person waits).
const WAITS: [Duration; 3] = [Duration::from_millis(200), Duration::from_millis(400), Duration::from_millis(600)];
/// Bytes of an answer at most.
const MAX_ANSWER: usize = 2048;

/// A socket that asks servers.
#[derive(Debug)]
pub struct UdpProbe {
    socket: UdpSocket,
}

impl UdpProbe {
    /// A socket for one address family, at this computer's address `own` where one is given.
    ///
    /// # Errors
    ///
    /// When the system opens none.
    pub async fn open(is_ipv4: bool, own: Option<IpAddr>) -> Result<Self, ProbeError> {
        let any = if is_ipv4 { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
        let own = own.filter(|own| own.is_ipv4() == is_ipv4).unwrap_or(any);
        Ok(Self { socket: UdpSocket::bind((own, 0)).await? })
    }

    /// This socket's address towards a server, and the one that the server sees it at.
    ///
    /// # Errors
    ///
    /// When no answer comes, or something else than one.
    pub async fn mapped(&mut self, server: SocketAddr) -> Result<Seen, ProbeError> {
        let (mapped, round_trip) = bind(&mut To { socket: &self.socket, server }).await?;
        let port = self.socket.local_addr()?.port();
        let own = source_for(server).map(|ip| SocketAddr::new(ip, port));
        Ok(Seen { server, own, mapped: canonical(mapped), round_trip })
    }

    /// Makes an allocation at a relay, and releases it.
    ///
    /// # Errors
    ///
    /// When no answer comes, or the relay refuses.
    pub async fn allocate(&mut self, relay: SocketAddr, account: &Account) -> Result<Allocated, ProbeError> {
        allocate(&mut To { socket: &self.socket, server: relay }, account).await
    }
}

struct To<'a> {
    socket: &'a UdpSocket,
    server: SocketAddr,
}

impl Carrier for To<'_> {
    async fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, ProbeError> {
        for wait in WAITS {
            self.socket.send_to(request, self.server).await?;
            let end = Instant::now() + wait;
            while let Ok(answer) = timeout(end.saturating_duration_since(Instant::now()), self.receive(request)).await {
                if let Some(answer) = answer? {
                    return Ok(answer);
                }
            }
        }
        Err(ProbeError::NoAnswer)
    }
}

impl To<'_> {
    /// The next datagram, if it is of the server and of this transaction.
    async fn receive(&self, request: &[u8]) -> Result<Option<Vec<u8>>, ProbeError> {
        let mut answer = [0; MAX_ANSWER];
        let (length, from) = self.socket.recv_from(&mut answer).await?;
        let transaction = STUN_HEADER - TRANSACTION_ID..STUN_HEADER;
        let answer = answer.get(..length).unwrap_or_default();
        let is_it =
            canonical(from) == canonical(self.server) && answer.get(transaction.clone()) == request.get(transaction);
        Ok(is_it.then(|| answer.to_vec()))
    }
}
