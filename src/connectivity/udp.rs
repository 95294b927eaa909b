//! Probes over UDP. All servers are asked from one socket, so that their answers tell how a NAT maps it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::client::{Carrier, ProbeError, allocate, binding_request, mapped_address};
use super::mapping::Seen;
use crate::network::{canonical, source_for};
use crate::stun::{Credential, STUN_HEADER, TRANSACTION_ID};

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
        self.mapped_by_each(&[server]).await.pop().unwrap_or(Err(ProbeError::NoAnswer))
    }

    /// The same of several servers, which are asked at once: the results in their order, within 1.2 s.
    pub async fn mapped_by_each(&mut self, servers: &[SocketAddr]) -> Vec<Result<Seen, ProbeError>> {
        let mut asked: Vec<_> = servers.iter().map(|server| Asked::new(*server)).collect();
        for wait in WAITS {
            for asked in asked.iter_mut().filter(|asked| asked.seen.is_none()) {
                asked.send(&self.socket).await;
            }
            let end = Instant::now() + wait;
            while asked.iter().any(|asked| asked.seen.is_none()) {
                let left = end.saturating_duration_since(Instant::now());
                let Ok(received) = timeout(left, self.receive(&mut asked)).await else { break };
                // An ICMP error of one server, which is that of none of the others.
                if let Err(error) = received {
                    tracing::debug!(%error, "a socket reports an error");
                }
            }
        }
        asked.into_iter().map(|asked| asked.seen.unwrap_or(Err(ProbeError::NoAnswer))).collect()
    }

    /// Takes the next datagram, where it answers one of the requests.
    async fn receive(&self, asked: &mut [Asked]) -> io::Result<()> {
        let mut answer = [0; MAX_ANSWER];
        let (length, from) = self.socket.recv_from(&mut answer).await?;
        let answer = answer.get(..length).unwrap_or_default();
        let local = self.socket.local_addr()?;
        if let Some(asked) = asked.iter_mut().find(|asked| is_answer(answer, from, &asked.request, asked.server)) {
            let (server, round_trip) = (asked.server, asked.began.elapsed());
            let ip = Some(local.ip()).filter(|ip| !ip.is_unspecified()).or_else(|| source_for(server));
            let own = ip.map(|ip| SocketAddr::new(ip, local.port()));
            let seen = |mapped| Seen { server, own, mapped: canonical(mapped), round_trip };
            asked.seen = Some(mapped_address(answer).map(seen));
        }
        Ok(())
    }

    /// Makes an allocation at a relay until then, and releases it: the time from the first request to the allocation,
    /// two round trips.
    ///
    /// # Errors
    ///
    /// When no answer comes, or the relay refuses.
    pub async fn allocate(
        &mut self,
        relay: SocketAddr,
        credential: &Credential,
        until: Instant,
    ) -> Result<Duration, ProbeError> {
        allocate(&mut To { socket: &self.socket, server: relay }, credential, until).await
    }
}

/// A server that was asked for this side's address.
struct Asked {
    server: SocketAddr,
    request: Vec<u8>,
    began: Instant,
    seen: Option<Result<Seen, ProbeError>>,
}

impl Asked {
    fn new(server: SocketAddr) -> Self {
        let (request, error) = match binding_request() {
            Ok(request) => (request, None),
            Err(error) => (Vec::new(), Some(Err(error))),
        };
        Self { server, request, began: Instant::now(), seen: error }
    }

    async fn send(&mut self, socket: &UdpSocket) {
        if let Err(error) = socket.send_to(&self.request, self.server).await {
            self.seen = Some(Err(error.into()));
        }
    }
}

/// Whether a datagram is a server's answer to a request: of the same transaction.
fn is_answer(answer: &[u8], from: SocketAddr, request: &[u8], server: SocketAddr) -> bool {
    let transaction = STUN_HEADER - TRANSACTION_ID..STUN_HEADER;
    let is_same = request.get(transaction.clone()).is_some_and(|it| answer.get(transaction) == Some(it));
    is_same && canonical(from) == canonical(server)
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
        let answer = answer.get(..length).unwrap_or_default();
        Ok(is_answer(answer, from, request, self.server).then(|| answer.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn servers_are_asked_at_once_and_a_silent_one_hides_no_other() {
        const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let servers = [(); 4].map(|()| std::net::UdpSocket::bind((LOCALHOST, 0)).unwrap());
        let addresses = servers.each_ref().map(|server| server.local_addr().unwrap());
        let [_silent, answers, strange, _silent_too] = servers;
        std::thread::spawn(move || {
            let mut request = [0; 100];
            let (_, from) = answers.recv_from(&mut request).unwrap();
            // A success with XOR-MAPPED-ADDRESS 192.0.2.1:4000 (RFC 8489, 14.2).
            let mut answer = [&[1, 1, 0, 12], &request[4..STUN_HEADER]].concat();
            answer.extend([0, 0x20, 0, 8, 0, 1, 0x2e, 0xb2, 0xe1, 0x12, 0xa6, 0x43]);
            // Another server's answer, and one to another request, are none.
            strange.send_to(&answer, from).unwrap();
            let other = [&answer[..STUN_HEADER - 1], &[!answer[STUN_HEADER - 1]], &answer[STUN_HEADER..]].concat();
            answers.send_to(&other, from).unwrap();
            answers.send_to(&answer, from).unwrap();
        });
        let mut probe = UdpProbe::open(true, Some(LOCALHOST)).await.unwrap();
        let began = Instant::now();
        let results = probe.mapped_by_each(&addresses).await;
        assert!(began.elapsed() < 2 * WAITS.iter().sum::<Duration>(), "one after another");
        let mapped = results.iter().map(|result| result.as_ref().ok().map(|seen| seen.mapped));
        assert_eq!(mapped.collect::<Vec<_>>(), [None, "192.0.2.1:4000".parse().ok(), None, None]);
        let is_silent = |result: &Result<Seen, ProbeError>| matches!(result, Err(ProbeError::NoAnswer));
        assert_eq!(results.iter().filter(|result| is_silent(result)).count(), 3);
    }
}
