//! Ports of this server that the router passes on: asked for by PCP (RFC 6887), or by NAT-PMP (RFC 6886) of an older
//! router, kept for as long as the server runs, and given back at its end.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU16;
use std::pin::pin;
use std::time::{Duration, Instant};

use crab_nat::{
    InternetProtocol, MappingFailure, PortMapping, PortMappingOptions, PortMappingType, TimeoutConfig, natpmp, pcp,
};
use tokio::time::{sleep_until, timeout};

use crate::network::Gateway;

/// Waits for the router's answer: 250, 500 and 1000 ms.
const PATIENCE: TimeoutConfig = TimeoutConfig {
    initial_timeout: Duration::from_millis(250),
    max_retries: 2,
    max_retry_timeout: Some(Duration::from_secs(1)),
};
/// For the router's answer about one port, by either protocol.
const ANSWER: Duration = Duration::from_secs(2);
/// For its outer address, which NAT-PMP alone asks for by itself.
const ADDRESS: TimeoutConfig =
    TimeoutConfig { initial_timeout: Duration::from_millis(250), max_retries: 1, max_retry_timeout: None };
/// Lifetime that is asked for, in seconds, each time.
const LIFETIME_S: u32 = crab_nat::RECOMMENDED_MAPPING_LIFETIME_SECONDS;
/// Before a mapping that could not be renewed is asked for again.
const AGAIN: Duration = Duration::from_secs(60);
/// Between renewals at least, and at most, whatever the router grants.
const LEAST: Duration = Duration::from_secs(2);
const MOST: Duration = Duration::from_secs(3600);
/// For giving the mappings back.
const FAREWELL: Duration = Duration::from_millis(400);

/// A port of this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Port {
    Tcp(u16),
    Udp(u16),
}

/// A port that the router passes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outer {
    /// The router's outer address, if it tells it.
    pub(super) address: Option<IpAddr>,
    pub(super) port: u16,
}

/// The router's answer about one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It passes the port on.
    Mapped(Outer),
    /// It maps no ports, or does not answer.
    Silent,
    /// It does not map this port, or not for this computer.
    Refused,
}

/// Mappings of a server's ports.
#[derive(Debug)]
pub(super) struct Mappings(Vec<Kept>);

/// The router's answers about a server's ports.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) mappings: Mappings,
    pub(super) outcomes: Vec<(Port, Outcome)>,
}

/// A port, and the router that was asked for it at last.
#[derive(Debug)]
struct Kept {
    port: Port,
    gateway: Gateway,
    mapping: Option<PortMapping>,
    /// When to renew it, or to ask again.
    due: Instant,
}

impl Mappings {
    /// Asks the router for these ports, within two and a half seconds.
    pub(super) async fn ask(gateway: Gateway, ports: &[Port]) -> Answered {
        let answers = futures_util::future::join_all(ports.iter().map(|port| ask(gateway, *port))).await;
        let is_silent_about_it = |mapping: &PortMapping| matches!(mapping.mapping_type(), PortMappingType::NatPmp);
        let address = if answers.iter().flatten().any(is_silent_about_it) {
            let asked = natpmp::external_address(gateway.address.into(), Some(ADDRESS)).await;
            asked.ok().filter(|address: &Ipv4Addr| !address.is_unspecified()).map(IpAddr::from)
        } else {
            None
        };
        let (mut outcomes, mut kept) = (Vec::new(), Vec::new());
        for (port, answer) in ports.iter().zip(answers) {
            let outcome = |mapping: &PortMapping| {
                let address = outer_address(mapping).or(address);
                Outcome::Mapped(Outer { address, port: mapping.external_port().get() })
            };
            outcomes.push((*port, answer.as_ref().map_or_else(|refused| *refused, outcome)));
            kept.push(Kept::new(*port, gateway, answer.ok()));
        }
        Answered { mappings: Self(kept), outcomes }
    }

    /// Keeps the mappings until `ends` is done, and asks again for those that the router did not give: it may have
    /// started anew, or be another one.
    pub(super) async fn keep_until(&mut self, ends: impl Future<Output = ()>) {
        let mut ends = pin!(ends);
        while let Some(next) = self.0.iter_mut().min_by_key(|kept| kept.due) {
            tokio::select! {
                () = &mut ends => return,
                () = sleep_until(next.due.into()) => {}
            }
            // Nothing cuts this off: a mapping that comes late would be nobody's to give back.
            next.renew().await;
        }
        ends.await;
    }

    /// Gives the mappings back.
    pub(super) async fn end(self) {
        let mappings = self.0.into_iter().filter_map(|kept| kept.mapping);
        let ends = futures_util::future::join_all(mappings.map(PortMapping::try_drop));
        if timeout(FAREWELL, ends).await.is_err() {
            tracing::debug!("the router did not confirm the end of a mapping, which runs out by itself");
        }
    }
}

impl Kept {
    fn new(port: Port, gateway: Gateway, mapping: Option<PortMapping>) -> Self {
        let now = Instant::now();
        let due = mapping.as_ref().map_or(now + AGAIN, |mapping| renewal(now, mapping.lifetime()));
        Self { port, gateway, mapping, due }
    }

    /// Renews the mapping, or asks for it anew. One whose renewal is lost lasts until its time is over, and only the
    /// nonce that it was made with renews it (RFC 6887, 11.2.1 and 11.4).
    async fn renew(&mut self) {
        let default = Gateway::of_default_route().unwrap_or(self.gateway);
        if let Some(mapping) = self.mapping.take() {
            let now = Instant::now();
            match prolong(&mapping).await {
                Ok(renewed) => {
                    let outer = |mapping: &PortMapping| (outer_address(mapping), mapping.external_port());
                    if outer(&renewed) != outer(&mapping) {
                        tracing::warn!(
                            "the router passes another outer address or port on now: apps that look for the former one \
                             do not find this server"
                        );
                    }
                    *self = Self::new(self.port, self.gateway, Some(renewed));
                    return;
                }
                Err(Outcome::Silent) if mapping.expiration() > now + LEAST && default == self.gateway => {
                    self.due = retry(now, mapping.expiration());
                    self.mapping = Some(mapping);
                    return;
                }
                Err(_) => tracing::warn!("the router does not keep the mapping of a port, which is asked for anew"),
            }
        }
        *self = Self::new(self.port, default, ask(default, self.port).await.ok());
    }
}

const fn options(outer: NonZeroU16) -> PortMappingOptions {
    PortMappingOptions {
        external_port: Some(outer),
        lifetime_seconds: Some(LIFETIME_S),
        timeout_config: Some(PATIENCE),
    }
}

async fn ask(gateway: Gateway, port: Port) -> Result<PortMapping, Outcome> {
    let (protocol, number) = match port {
        Port::Tcp(number) => (InternetProtocol::Tcp, number),
        Port::Udp(number) => (InternetProtocol::Udp, number),
    };
    let inner = NonZeroU16::new(number).ok_or(Outcome::Refused)?;
    let asked = PortMapping::new(gateway.address.into(), gateway.own.into(), protocol, inner, options(inner));
    outcome(timeout(ANSWER, asked).await.unwrap_or(Err(MappingFailure::Pcp(pcp::Failure::Timeout))))
}

/// Asks for another lifetime of a mapping.
async fn prolong(mapping: &PortMapping) -> Result<PortMapping, Outcome> {
    let (gateway, protocol, inner) = (mapping.gateway(), mapping.protocol(), mapping.internal_port());
    let options = options(mapping.external_port());
    outcome(match mapping.mapping_type() {
        PortMappingType::NatPmp => natpmp::port_mapping(gateway, protocol, inner, options).await.map_err(Into::into),
        PortMappingType::Pcp { client, nonce, external_ip } => {
            let request = pcp::BaseMapRequest::new(gateway, client, protocol, inner);
            pcp::port_mapping(request, Some(nonce), Some(external_ip), options).await.map_err(Into::into)
        }
    })
}

fn outcome(mapped: Result<PortMapping, MappingFailure>) -> Result<PortMapping, Outcome> {
    match mapped {
        // A mapping that ends at once is none.
        Ok(mapping) if mapping.lifetime() == 0 => Err(Outcome::Refused),
        Ok(mapping) => Ok(mapping),
        Err(error) => {
            tracing::debug!(%error, "the router maps no port");
            Err(match error {
                MappingFailure::Pcp(pcp::Failure::Timeout | pcp::Failure::Socket(_))
                | MappingFailure::NatPmp(natpmp::Failure::Timeout | natpmp::Failure::Socket(_)) => Outcome::Silent,
                MappingFailure::Pcp(_) | MappingFailure::NatPmp(_) => Outcome::Refused,
            })
        }
    }
}

/// When to renew a mapping of this lifetime: at half of it, so that there is time for other tries (RFC 6887, 11.2.1).
fn renewal(now: Instant, lifetime_s: u32) -> Instant {
    now + (Duration::from_secs(lifetime_s.into()) / 2).clamp(LEAST, MOST)
}

/// When to try a renewal again that is lost: at half of the time that is left.
fn retry(now: Instant, expiration: Instant) -> Instant {
    now + (expiration.saturating_duration_since(now) / 2).clamp(LEAST, MOST)
}

/// The router's outer address, where the mapping tells it.
fn outer_address(mapping: &PortMapping) -> Option<IpAddr> {
    let PortMappingType::Pcp { external_ip, .. } = mapping.mapping_type() else { return None };
    Some(external_ip.to_canonical()).filter(|address| !address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_renewed_at_half_of_their_time_within_bounds() {
        let now = Instant::now();
        for (lifetime_s, wait_s) in [(0, 2), (4, 2), (600, 300), (7200, 3600), (u32::MAX, 3600)] {
            assert_eq!(renewal(now, lifetime_s), now + Duration::from_secs(wait_s));
        }
        for (left_s, wait_s) in [(0, 2), (100, 50), (100_000, 3600)] {
            assert_eq!(retry(now, now + Duration::from_secs(left_s)), now + Duration::from_secs(wait_s));
        }
    }

    /// A router on an address of this computer that answers requests with these lifetimes, in turn, and with silence
    /// where there is none; the nonces and lifetimes of the requests.
    #[cfg(target_os = "linux")]
    fn router(address: Ipv4Addr, grants_s: Vec<Option<u32>>) -> std::sync::mpsc::Receiver<([u8; 12], u32)> {
        let socket = std::net::UdpSocket::bind((address, 5351)).unwrap();
        let (asked, requests) = std::sync::mpsc::sync_channel(64);
        std::thread::spawn(move || {
            let mut request = [0; 60];
            for granted_s in grants_s {
                let (60, from) = socket.recv_from(&mut request).unwrap() else { panic!("no request of PCP") };
                let lifetime_s = u32::from_be_bytes(request[4..8].try_into().unwrap());
                asked.send((request[24..36].try_into().unwrap(), lifetime_s)).unwrap();
                let Some(granted_s) = granted_s else { continue };
                (request[1], request[3]) = (0x81, 0);
                request[4..8].copy_from_slice(&granted_s.to_be_bytes());
                request[8..24].fill(0);
                request[44..60].copy_from_slice(&Ipv4Addr::new(203, 0, 113, 9).to_ipv6_mapped().octets());
                socket.send_to(&request, from).unwrap();
            }
        });
        requests
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_mapping_whose_renewal_is_lost_is_kept_with_its_nonce_and_the_whole_lifetime_is_asked_for() {
        let gateway = Gateway { address: Ipv4Addr::new(127, 77, 1, 1), own: Ipv4Addr::LOCALHOST };
        let requests = router(gateway.address, vec![Some(600), None, None, None, Some(600)]);
        let mapped = prolongable(gateway).await;
        assert_eq!(prolong(&mapped).await.map(|_| ()), Err(Outcome::Silent));
        let again = prolong(&mapped).await.unwrap();
        assert_eq!(outer_address(&again), "203.0.113.9".parse().ok());
        let requests: Vec<_> = requests.try_iter().collect();
        assert_eq!(requests.len(), 5);
        assert!(requests.iter().all(|request| *request == (requests[0].0, LIFETIME_S)), "{requests:?}");
    }

    #[cfg(target_os = "linux")]
    async fn prolongable(gateway: Gateway) -> PortMapping {
        let Answered { mut mappings, outcomes } = Mappings::ask(gateway, &[Port::Udp(4000)]).await;
        let outer = Outer { address: "203.0.113.9".parse().ok(), port: 4000 };
        assert_eq!(outcomes, [(Port::Udp(4000), Outcome::Mapped(outer))]);
        mappings.0.remove(0).mapping.unwrap()
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_mapping_that_ends_at_once_is_a_refusal() {
        let gateway = Gateway { address: Ipv4Addr::new(127, 77, 1, 2), own: Ipv4Addr::LOCALHOST };
        let _requests = router(gateway.address, vec![Some(0)]);
        let Answered { mappings, outcomes } = Mappings::ask(gateway, &[Port::Tcp(4000)]).await;
        assert_eq!(outcomes, [(Port::Tcp(4000), Outcome::Refused)]);
        assert!(mappings.0.iter().all(|kept| kept.mapping.is_none()));
    }
}
