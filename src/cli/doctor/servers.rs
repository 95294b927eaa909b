//! Servers of this profile, as `doctor` finds them: whether each lets this side in, whether UDP passes, the kind of
//! NAT, and whether its relay works over UDP and over TLS. All servers are examined at once.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::connectivity::{
    Account, Allocated, Mapping, ProbeError, Seen, UdpProbe, allocate_over_stream, captive_portal,
};
use crate::identity::ServerLink;
use crate::network::ProxyRules;
use crate::signaling::{Access, Examined, ServerDetail, examine_server};

/// For the way into a server.
const REACH: Duration = Duration::from_millis(2800);
/// For everything, all servers together.
const WHOLE: Duration = Duration::from_millis(4800);
/// Clocks further apart than this are told, in milliseconds, as the app tells them.
const CLOCKS_AGREE_MS: i64 = 60_000;

/// How well a part works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// It works.
    Works,
    /// Calls work, some of them less well.
    Limited,
    /// Something does not work.
    Problem,
}

/// A line of the result.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) mark: Mark,
    pub(super) part: &'static str,
    pub(super) words: String,
}

impl Finding {
    fn new(mark: Mark, part: &'static str, words: impl Into<String>) -> Self {
        Self { mark, part, words: words.into() }
    }
}

/// Findings about these servers, within five seconds. `bind` is the one address of this computer that is used, if any.
pub(super) async fn examine(servers: &[ServerLink], bind: Option<IpAddr>, proxies: ProxyRules) -> Vec<Finding> {
    let (until, proxies) = (Instant::now() + WHOLE, Arc::new(proxies));
    let each = servers.iter().map(|link| async {
        let examined = timeout(REACH, examine_server(link, bind, Arc::clone(&proxies))).await;
        examined.unwrap_or(Err(ServerDetail::NoAnswer))
    });
    let examined = futures_util::future::join_all(each).await;
    let mut findings = Vec::new();
    for (link, examined) in servers.iter().zip(&examined) {
        findings.push(reached(link, &proxies, examined));
        if let Err(ServerDetail::OtherKey | ServerDetail::NoServer | ServerDetail::NoAnswer) = examined {
            let portal = timeout(until.saturating_duration_since(Instant::now()), captive_portal(link.host()));
            findings.extend(portal.await.ok().flatten().map(|page| sign_in(&page)));
        }
    }
    let relays: Vec<_> = examined.into_iter().flatten().filter_map(|examined| examined.relay).collect();
    if !relays.is_empty() {
        findings.extend(media(relays, bind, until).await);
    }
    findings
}

fn reached(link: &ServerLink, proxies: &ProxyRules, examined: &Result<Examined, ServerDetail>) -> Finding {
    let (address, proxy) = (link.address(), proxies.way_to(link.host(), link.port()).ok().flatten());
    let through = proxy.map(|proxy| format!(" through the proxy {}:{}", proxy.host(), proxy.port()));
    let through = through.unwrap_or_default();
    match examined {
        Ok(Examined { round_trip, clock_offset_ms, .. }) => {
            let ahead_s = *clock_offset_ms as f64 / 1000.0;
            let clock = if clock_offset_ms.saturating_abs() > CLOCKS_AGREE_MS {
                format!("its clock is {ahead_s:.0} s ahead of this computer's. {}", ServerDetail::ClocksDiffer)
            } else {
                format!("clocks agree to {:.1} s", ahead_s.abs())
            };
            let ms = round_trip.as_millis();
            let words =
                format!("{address} is reached over TCP{through} in {ms} ms, its key is that of the link, {clock}");
            Finding::new(Mark::Works, "server", words)
        }
        Err(detail) => Finding::new(Mark::Problem, "server", format!("{address}{through}: {detail}")),
    }
}

fn sign_in(page: &str) -> Finding {
    let at = if page.is_empty() { "open a web page".to_owned() } else { format!("open {page}") };
    let words = format!("A captive portal answers in place of the server. Sign in to this network first: {at}.");
    Finding::new(Mark::Problem, "network", words)
}

/// Ways of media: UDP to each server from one socket, and each relay over UDP and over TLS.
async fn media(relays: Vec<Access>, bind: Option<IpAddr>, until: Instant) -> Vec<Finding> {
    let over_udp = udp(&relays, bind);
    let over_tls = futures_util::future::join_all(relays.iter().filter(|access| access.relay.tls).map(tls));
    let left = until.saturating_duration_since(Instant::now());
    let (over_udp, over_tls) = tokio::join!(timeout(left, over_udp), timeout(left, over_tls));
    let late = || Finding::new(Mark::Problem, "relay", "There was no answer within five seconds.");
    let (udp, over_tls) = (over_udp.unwrap_or_default(), over_tls.unwrap_or_else(|_| vec![Err(late())]));
    let works = |results: &[Result<String, Finding>]| results.iter().any(Result::is_ok);
    // With one way to a relay there is a call; without any, only where a direct way is found.
    let fallback = if works(&udp.relays) || works(&over_tls) { Mark::Limited } else { Mark::Problem };
    let relay_lines = udp.relays.into_iter().chain(over_tls).map(|result| match result {
        Ok(words) => Finding::new(Mark::Works, "relay", words),
        Err(finding) => Finding { mark: fallback, ..finding },
    });
    let lines = udp.lines.into_iter().map(|finding| match finding.mark {
        Mark::Problem => Finding { mark: fallback, ..finding },
        Mark::Works | Mark::Limited => finding,
    });
    lines.chain(relay_lines).collect()
}

/// Findings by UDP.
#[derive(Default)]
struct OverUdp {
    lines: Vec<Finding>,
    relays: Vec<Result<String, Finding>>,
}

async fn udp(relays: &[Access], bind: Option<IpAddr>) -> OverUdp {
    let mut found = OverUdp::default();
    for is_ipv4 in [true, false] {
        let servers: Vec<_> =
            relays.iter().filter_map(|access| Some((access, udp_address(access, is_ipv4)?))).collect();
        if servers.is_empty() {
            continue;
        }
        let mut probe = match UdpProbe::open(is_ipv4, bind).await {
            Ok(probe) => probe,
            Err(error) => {
                found.lines.push(Finding::new(Mark::Problem, "udp", format!("No socket can be opened: {error}.")));
                continue;
            }
        };
        let mut seen = Vec::new();
        for (access, server) in servers {
            match probe.mapped(server).await {
                Ok(by_server) => {
                    seen.push(by_server);
                    let account = account(access);
                    found.relays.push(relayed("UDP", access, probe.allocate(server, &account).await));
                }
                Err(error) => found.lines.push(no_udp(server, &error)),
            }
        }
        found.lines.extend(seen.iter().map(answered));
        found.lines.extend(Mapping::of(&seen).map(|mapping| nat(mapping, is_ipv4)));
    }
    found
}

fn udp_address(access: &Access, is_ipv4: bool) -> Option<SocketAddr> {
    let address = access.addresses.iter().find(|address| address.is_ipv4() == is_ipv4)?;
    Some(SocketAddr::new(address.ip(), access.relay.udp_port?))
}

fn account(access: &Access) -> Account {
    Account { username: access.relay.username.clone(), password: access.relay.password.clone() }
}

async fn tls(access: &Access) -> Result<String, Finding> {
    let allocated = match access.clone().open_stream().await {
        Ok(stream) => allocate_over_stream(stream, &account(access)).await,
        Err(error) => Err(error.into()),
    };
    relayed("TLS", access, allocated)
}

fn relayed(transport: &str, access: &Access, allocated: Result<Allocated, ProbeError>) -> Result<String, Finding> {
    let address = access.link.address();
    match allocated {
        Ok(Allocated { took, .. }) => {
            Ok(format!("over {transport}: {address} made an allocation in {} ms, and released it", took.as_millis()))
        }
        Err(ProbeError::Refused(code @ (486 | 508))) => {
            let words = format!("over {transport}: {address} has no room now (code {code}). Try again later.");
            Err(Finding::new(Mark::Problem, "relay", words))
        }
        Err(error) => {
            let words =
                format!("over {transport}: {address}: {error}. Calls that find no direct way need another one.");
            Err(Finding::new(Mark::Problem, "relay", words))
        }
    }
}

fn answered(seen: &Seen) -> Finding {
    let Seen { server, mapped, round_trip, .. } = seen;
    let ms = round_trip.as_millis();
    Finding::new(Mark::Works, "udp", format!("{server} answers in {ms} ms and sees this computer as {mapped}"))
}

fn no_udp(server: SocketAddr, error: &ProbeError) -> Finding {
    let words = format!(
        "{server}: {error}. This network blocks UDP, or the server's UDP port is not open. Calls go through the relay over \
         TLS then, with more delay."
    );
    Finding::new(Mark::Problem, "udp", words)
}

fn nat(mapping: Mapping, is_ipv4: bool) -> Finding {
    let family = if is_ipv4 { "IPv4" } else { "IPv6" };
    let (mark, words) = match mapping {
        Mapping::None => (Mark::Works, "no NAT: this computer has the address that others see".to_owned()),
        Mapping::EndpointIndependent => (
            Mark::Works,
            "endpoint-independent mapping: one outer port for all destinations, so that direct calls work with most \
             people"
                .to_owned(),
        ),
        Mapping::AtMostAddressDependent => (
            Mark::Works,
            "two ports of the server see the same outer port: the mapping is endpoint-independent, or depends on the \
             address alone"
                .to_owned(),
        ),
        Mapping::AddressDependent => (Mark::Limited, symmetric("address-dependent")),
        Mapping::AddressAndPortDependent => (Mark::Limited, symmetric("address- and port-dependent")),
        Mapping::Unknown { keeps_port } => {
            let port = if keeps_port { "the outer port is the inner one" } else { "the outer port is another one" };
            let words = format!(
                "addresses are translated, {port}. One server cannot tell whether the mapping is endpoint-independent; \
                 with a second one in the settings it is told"
            );
            (Mark::Works, words)
        }
    };
    Finding::new(mark, "nat", format!("{family}: {words}"))
}

fn symmetric(kind: &str) -> String {
    format!(
        "{kind} mapping (\"symmetric NAT\"): another outer port for each destination. Calls with people behind a home \
         router go through the relay; IPv6, or a router that maps ports on request (PCP), helps"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> ServerLink {
        ServerLink::new("a.example", 443, b"key").unwrap()
    }

    #[test]
    fn a_server_is_told_with_its_round_trip_its_key_its_clock_and_the_proxy() {
        let examined =
            |clock_offset_ms| Ok(Examined { relay: None, round_trip: Duration::from_millis(23), clock_offset_ms });
        let words = |examined| reached(&link(), &ProxyRules::default(), &examined);
        let agrees = words(examined(-400));
        let expected = "a.example:443 is reached over TCP in 23 ms, its key is that of the link, clocks agree to 0.4 s";
        assert_eq!(agrees, Finding::new(Mark::Works, "server", expected));
        let differs = words(examined(-90_400));
        assert!(differs.words.contains("its clock is -90 s ahead of this computer's. This computer's clock and"));
        let absent = words(Err(ServerDetail::OtherKey));
        assert_eq!(absent.mark, Mark::Problem);
        assert!(absent.words.starts_with("a.example:443: The server has another key"), "{}", absent.words);
        assert!(
            sign_in("http://a/").words.ends_with("open http://a/.") && sign_in("").words.contains("open a web page")
        );
    }

    #[test]
    fn a_nat_is_told_with_its_consequence() {
        let told = |mapping| {
            let finding = nat(mapping, true);
            (finding.mark, finding.words)
        };
        for (mapping, mark, words) in [
            (Mapping::None, Mark::Works, "no NAT"),
            (Mapping::EndpointIndependent, Mark::Works, "endpoint-independent mapping"),
            (Mapping::AddressDependent, Mark::Limited, "symmetric"),
            (Mapping::AddressAndPortDependent, Mark::Limited, "symmetric"),
            (Mapping::AtMostAddressDependent, Mark::Works, "two ports"),
            (Mapping::Unknown { keeps_port: true }, Mark::Works, "with a second one"),
        ] {
            let told = told(mapping);
            assert!(told.0 == mark && told.1.contains(words), "{told:?}");
        }
    }
}
