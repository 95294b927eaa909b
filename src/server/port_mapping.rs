//! Ports of this server that the router passes on: asked for by PCP (RFC 6887), or by NAT-PMP (RFC 6886) of an older
//! router, kept for as long as the server runs, and given back at its end.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use crab_nat::{InternetProtocol, PortMapping, PortMappingOptions, PortMappingType, TimeoutConfig, natpmp};
use tokio::time::{sleep_until, timeout};

use crate::network::Gateway;

/// Waits for the router's answer: 250, 500 and 1000 ms.
const PATIENCE: TimeoutConfig = TimeoutConfig {
    initial_timeout: Duration::from_millis(250),
    max_retries: 2,
    max_retry_timeout: Some(Duration::from_secs(1)),
};
/// Before a mapping that could not be renewed is asked for again.
const AGAIN: Duration = Duration::from_secs(60);
/// Between renewals at least, whatever the router grants.
const LEAST: Duration = Duration::from_secs(2);
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

/// Mappings at one router.
#[derive(Debug)]
pub(super) struct Mappings {
    gateway: Gateway,
    kept: Vec<Kept>,
}

#[derive(Debug)]
struct Kept {
    port: Port,
    mapping: Option<PortMapping>,
    /// When to renew it, or to ask again.
    due: Instant,
}

impl Mappings {
    /// Asks the router for these ports, within two seconds.
    pub(super) async fn ask(gateway: Gateway, ports: &[Port]) -> (Self, Vec<(Port, Outcome)>) {
        let asked = ports.iter().map(|port| async move { (*port, ask(gateway, *port).await) });
        let (mut outcomes, mut kept) = (Vec::new(), Vec::new());
        for (port, answer) in futures_util::future::join_all(asked).await {
            let outcome = match &answer {
                Ok(mapping) => Outcome::Mapped(outer(gateway, mapping).await),
                Err(outcome) => *outcome,
            };
            outcomes.push((port, outcome));
            let mapping = answer.ok();
            let due = mapping.as_ref().map_or_else(|| Instant::now() + AGAIN, renewal);
            kept.push(Kept { port, mapping, due });
        }
        (Self { gateway, kept }, outcomes)
    }

    /// Keeps the mappings, and asks again for those that the router did not give: it may have started anew, or be
    /// another one.
    pub(super) async fn keep(&mut self) {
        while let Some(next) = self.kept.iter_mut().min_by_key(|kept| kept.due) {
            sleep_until(next.due.into()).await;
            let renewed = match &mut next.mapping {
                Some(mapping) => mapping.renew().await.map_err(|error| {
                    tracing::warn!("the router does not keep the mapping of a port: {error}");
                }),
                None => Err(()),
            };
            if renewed.is_err() {
                let gateway = Gateway::of_default_route().unwrap_or(self.gateway);
                next.mapping = ask(gateway, next.port).await.ok();
            }
            next.due = next.mapping.as_ref().map_or_else(|| Instant::now() + AGAIN, renewal);
        }
        std::future::pending().await
    }

    /// Gives the mappings back.
    pub(super) async fn end(self) {
        let mappings = self.kept.into_iter().filter_map(|kept| kept.mapping);
        let ends = futures_util::future::join_all(mappings.map(PortMapping::try_drop));
        if timeout(FAREWELL, ends).await.is_err() {
            tracing::debug!("the router did not confirm the end of a mapping, which runs out by itself");
        }
    }
}

async fn ask(gateway: Gateway, port: Port) -> Result<PortMapping, Outcome> {
    let (protocol, number) = match port {
        Port::Tcp(number) => (InternetProtocol::Tcp, number),
        Port::Udp(number) => (InternetProtocol::Udp, number),
    };
    let inner = NonZeroU16::new(number).ok_or(Outcome::Refused)?;
    let options = PortMappingOptions {
        external_port: Some(inner),
        lifetime_seconds: Some(crab_nat::RECOMMENDED_MAPPING_LIFETIME_SECONDS),
        timeout_config: Some(PATIENCE),
    };
    let mapped = PortMapping::new(gateway.address.into(), gateway.own.into(), protocol, inner, options).await;
    mapped.map_err(|error| {
        tracing::debug!(%error, "the router maps no port");
        use crab_nat::{MappingFailure, pcp};
        match error {
            MappingFailure::Pcp(pcp::Failure::Timeout | pcp::Failure::Socket(_))
            | MappingFailure::NatPmp(natpmp::Failure::Timeout | natpmp::Failure::Socket(_)) => Outcome::Silent,
            MappingFailure::Pcp(_) | MappingFailure::NatPmp(_) => Outcome::Refused,
        }
    })
}

/// Half of its time: a renewal that is lost does not end it (RFC 6887, 11.2.1).
fn renewal(mapping: &PortMapping) -> Instant {
    Instant::now() + (Duration::from_secs(mapping.lifetime().into()) / 2).max(LEAST)
}

async fn outer(gateway: Gateway, mapping: &PortMapping) -> Outer {
    let address = match mapping.mapping_type() {
        PortMappingType::Pcp { external_ip, .. } => Some(external_ip.to_canonical()),
        PortMappingType::NatPmp => {
            let asked = natpmp::external_address(gateway.address.into(), Some(PATIENCE)).await;
            asked.ok().map(|address: Ipv4Addr| address.into())
        }
    };
    Outer { address: address.filter(|address| !address.is_unspecified()), port: mapping.external_port().get() }
}
