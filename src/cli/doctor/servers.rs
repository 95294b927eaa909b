//! Servers of this profile, as `doctor` finds them: whether each lets this side in, whether UDP passes, the kind of
//! NAT, and whether its relay works over UDP and over TLS. All servers are examined at once.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::connectivity::{Credential, Mapping, ProbeError, Seen, UdpProbe, allocate_over_stream, captive_portal};
use crate::identity::ServerLink;
use crate::network::ProxyRules;
use crate::signaling::{Access, Examined, ServerDetail, clocks_differ, examine_server};

/// For the way into a server.
const REACH: Duration = Duration::from_millis(2800);
/// For everything but the release of allocations, all servers together.
const WHOLE: Duration = Duration::from_millis(4400);

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
    let portals = servers.iter().zip(&examined).map(|(link, examined)| portal(link, examined, bind, &proxies, until));
    let relays: Vec<_> = examined.iter().flatten().filter_map(|examined| examined.relay.clone()).collect();
    let (portals, media) = tokio::join!(futures_util::future::join_all(portals), media(&relays, bind, until));
    let mut findings = Vec::new();
    for ((link, examined), portal) in servers.iter().zip(&examined).zip(portals) {
        findings.push(reached(link, &proxies, examined));
        findings.extend(portal);
    }
    findings.extend(media);
    findings
}

/// The captive portal that answers in place of a server, if any. Behind a proxy none is seen: it alone leads out.
async fn portal(
    link: &ServerLink,
    examined: &Result<Examined, ServerDetail>,
    bind: Option<IpAddr>,
    proxies: &ProxyRules,
    until: Instant,
) -> Option<Finding> {
    use ServerDetail::{Expired, NoAnswer, NoServer, OtherKey, OtherName, Untrusted};
    let Err(OtherKey | OtherName | Expired | Untrusted | NoServer | NoAnswer) = examined else { return None };
    if !matches!(proxies.way_to(link.host(), link.port()), Ok(None)) {
        return None;
    }
    let left = until.saturating_duration_since(Instant::now());
    let page = timeout(left, captive_portal(link.host(), bind)).await.ok()??;
    Some(sign_in(&page))
}

fn reached(link: &ServerLink, proxies: &ProxyRules, examined: &Result<Examined, ServerDetail>) -> Finding {
    let (address, proxy) = (link.address(), proxies.way_to(link.host(), link.port()).ok().flatten());
    let through = proxy.map(|proxy| format!(" through the proxy {}:{}", proxy.host(), proxy.port()));
    let through = through.unwrap_or_default();
    match examined {
        Ok(Examined { round_trip, clock_offset_ms, .. }) => {
            let (apart_s, is_ahead) = ((*clock_offset_ms as f64 / 1000.0).abs(), *clock_offset_ms > 0);
            let clock = if clocks_differ(*clock_offset_ms) {
                let side = if is_ahead { "ahead of" } else { "behind" };
                format!("its clock is {apart_s:.0} s {side} this computer's. {}", ServerDetail::ClocksDiffer)
            } else {
                format!("clocks agree to {apart_s:.1} s")
            };
            let ms = round_trip.as_millis();
            let identity = match link.key_hash() {
                Some(_) => "its key is that of the link",
                None => "its certificate is valid for its name",
            };
            let words = format!("{address} is reached over TCP{through} in {ms} ms, {identity}, {clock}");
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

/// Ways of media: UDP to each server from one socket, and each relay over UDP and over TLS, all at once.
async fn media(relays: &[Access], bind: Option<IpAddr>, until: Instant) -> Vec<Finding> {
    let over_tls = relays.iter().filter(|access| access.relay.tls).map(|access| tls(access, until));
    let over_tls = futures_util::future::join_all(over_tls);
    let by_family = [true, false].map(|is_ipv4| udp(relays, is_ipv4, bind, until));
    let (by_family, over_tls) = tokio::join!(futures_util::future::join_all(by_family), over_tls);
    let by_udp = |family: &OverUdp| family.relays.iter().any(Result::is_ok);
    let works = by_family.iter().any(by_udp) || over_tls.iter().any(Result::is_ok);
    // With one way to a relay there is a call; without any, only where a direct way is found.
    let fallback = if works { Mark::Limited } else { Mark::Problem };
    let tls_works = over_tls.iter().any(Result::is_ok);
    let (mut lines, mut relay_lines) = (Vec::new(), Vec::new());
    for OverUdp { found, silent, relays } in by_family {
        lines.extend(silent.into_iter().map(|(server, error)| no_udp(server, &error, tls_works, fallback)));
        lines.extend(found);
        relay_lines.extend(relays);
    }
    let relay_lines = relay_lines.into_iter().chain(over_tls).map(|result| match result {
        Ok(words) => Finding::new(Mark::Works, "relay", words),
        Err(finding) => Finding { mark: fallback, ..finding },
    });
    lines.into_iter().chain(relay_lines).collect()
}

/// Findings by UDP of one address family.
#[derive(Default)]
struct OverUdp {
    found: Vec<Finding>,
    /// Servers that do not answer.
    silent: Vec<(SocketAddr, ProbeError)>,
    relays: Vec<Result<String, Finding>>,
}

async fn udp(relays: &[Access], is_ipv4: bool, bind: Option<IpAddr>, until: Instant) -> OverUdp {
    let mut over = OverUdp::default();
    let servers: Vec<_> = relays.iter().filter_map(|access| Some((access, udp_address(access, is_ipv4)?))).collect();
    if servers.is_empty() {
        return over;
    }
    let mut probe = match UdpProbe::open(is_ipv4, bind).await {
        Ok(probe) => probe,
        Err(error) => {
            over.found.push(Finding::new(Mark::Problem, "udp", format!("No socket can be opened: {error}.")));
            return over;
        }
    };
    let addresses: Vec<_> = servers.iter().map(|(_, server)| *server).collect();
    let allocations = servers.iter().map(|(access, server)| async {
        let credential = credential(access);
        UdpProbe::open(is_ipv4, bind).await?.allocate(*server, &credential, until).await
    });
    let allocations = futures_util::future::join_all(allocations);
    let (by_each, allocations) = tokio::join!(probe.mapped_by_each(&addresses), allocations);
    let mut seen = Vec::new();
    for (((access, server), by_server), allocated) in servers.into_iter().zip(by_each).zip(allocations) {
        match by_server {
            Ok(by_server) => {
                seen.push(by_server);
                over.relays.push(relayed("UDP", access, allocated));
            }
            Err(error) => over.silent.push((server, error)),
        }
    }
    over.found.extend(seen.iter().map(answered));
    over.found.extend(Mapping::of(&seen).map(|mapping| nat(mapping, is_ipv4)));
    over
}

fn udp_address(access: &Access, is_ipv4: bool) -> Option<SocketAddr> {
    let address = access.addresses.iter().find(|address| address.is_ipv4() == is_ipv4)?;
    Some(SocketAddr::new(address.ip(), access.relay.udp_port?))
}

fn credential(access: &Access) -> Credential {
    Credential { username: access.relay.username.clone(), password: access.relay.password.clone() }
}

async fn tls(access: &Access, until: Instant) -> Result<String, Finding> {
    let left = until.saturating_duration_since(Instant::now());
    let allocated = match timeout(left, access.clone().open_stream()).await {
        Ok(Ok(stream)) => allocate_over_stream(stream, &credential(access), until).await,
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(ProbeError::NoAnswer),
    };
    relayed("TLS", access, allocated)
}

fn relayed(transport: &str, access: &Access, allocated: Result<Duration, ProbeError>) -> Result<String, Finding> {
    let address = access.link.address();
    match allocated {
        Ok(took) => {
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

fn no_udp(server: SocketAddr, error: &ProbeError, tls_works: bool, mark: Mark) -> Finding {
    let cause = "This network blocks UDP, or the server's UDP port is not open.";
    let consequence = match (mark, tls_works) {
        (_, true) => "Calls go through the relay over TLS then, with more delay.",
        (Mark::Problem, false) => "Calls need a direct way then.",
        (Mark::Works | Mark::Limited, false) => "Calls that find no direct way need another relay then.",
    };
    Finding::new(mark, "udp", format!("{server}: {error}. {cause} {consequence}"))
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
        assert!(differs.words.contains("its clock is 90 s behind this computer's. This computer's clock and"));
        let absent = words(Err(ServerDetail::OtherKey));
        assert_eq!(absent.mark, Mark::Problem);
        assert!(absent.words.starts_with("a.example:443: The server has another key"), "{}", absent.words);
        assert!(
            sign_in("http://a/").words.ends_with("open http://a/.") && sign_in("").words.contains("open a web page")
        );
    }

    #[test]
    fn a_network_without_udp_is_told_with_its_consequence() {
        let server = "192.0.2.1:3478".parse().unwrap();
        for (tls_works, mark, words) in [
            (true, Mark::Limited, "Calls go through the relay over TLS then"),
            (false, Mark::Problem, "Calls need a direct way then."),
            (false, Mark::Limited, "need another relay then."),
        ] {
            let told = no_udp(server, &ProbeError::NoAnswer, tls_works, mark);
            assert!(told.mark == mark && told.words.contains(words), "{told:?}");
            assert!(told.words.starts_with("192.0.2.1:3478: no answer. This network blocks UDP"), "{told:?}");
        }
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
