//! Announcements of others, read with suspicion, their addresses ranked by use.

use std::net::{IpAddr, SocketAddr};

use mdns_sd::{ResolvedService, ScopedIp};

use crate::identity::PeerId;
use crate::network::{self, LocalAddress, Standing};
use crate::signaling::lan::input::Input;
use crate::signaling::lan::local_ports;
use crate::signaling::version::FIRST_NEGOTIATED;

pub(super) const SERVICE: &str = "_visavis._tcp.local.";
const MAX_ADDRESSES: usize = 8;
/// The system chooses listening ports from here on: a record that names a lower one is none of ours.
const FIRST_PORT: u16 = 1024;

/// Whether this side keeps to its own computer: it was told to, or there is no network among its `own` addresses.
pub(super) fn uses_loopback(bind: Option<IpAddr>, own: &[LocalAddress]) -> bool {
    match bind.filter(|address| !address.is_unspecified()) {
        Some(address) => address.is_loopback(),
        None => own.iter().all(|own| own.ip.is_loopback() || own.standing == Standing::Down),
    }
}

/// Announcement in a record, if it is one of ours: of any version whose hello tells the versions. Somebody on the
/// network must not be able to make this computer dial itself: loopback addresses count only with `loopback`, others of
/// this computer's `own` only where another app like this one listens, and neither with this app's own `port`.
pub(super) fn announced(
    service: &ResolvedService,
    id: PeerId,
    port: u16,
    loopback: bool,
    own: &[LocalAddress],
) -> Option<Input> {
    let peer: PeerId = service.get_property_val_str("id")?.parse().ok()?;
    let highest: u16 = service.get_property_val_str("v")?.parse().ok()?;
    if peer == id || highest < FIRST_NEGOTIATED || service.port < FIRST_PORT {
        return None;
    }
    let addresses = service.addresses.iter().map(|address| with_port(address, service.port));
    let addresses = usable(addresses.collect(), port, loopback, own, local_ports::is_held);
    (!addresses.is_empty()).then(|| Input::Found { fullname: service.fullname.clone(), peer, addresses })
}

fn with_port(address: &ScopedIp, port: u16) -> SocketAddr {
    match address {
        ScopedIp::V6(scoped) => network::scoped((*scoped.addr()).into(), scoped.scope_id().index, port),
        address => SocketAddr::new(address.to_ip_addr(), port),
    }
}

/// Those that may be dialed, the likeliest to lead to them first: those of a subnet of this computer's own, in the
/// order of its interfaces, before others. IPv4 before IPv6: every listener takes it. The same announcement gives the
/// same order.
fn usable(
    mut addresses: Vec<SocketAddr>,
    own_port: u16,
    loopback: bool,
    own: &[LocalAddress],
    is_app: impl Fn(u16) -> bool,
) -> Vec<SocketAddr> {
    addresses.retain(|address| {
        let ip = address.ip().to_canonical();
        match ip {
            ip if ip.is_loopback() => loopback && address.port() != own_port,
            ip if network::is_own(ip, own) => address.port() != own_port && is_app(address.port()),
            ip => is_near(ip),
        }
    });
    let place = |address: &SocketAddr| {
        own.iter()
            .position(|own| match address {
                // All links have the same prefix: only the scope tells them apart.
                SocketAddr::V6(v6) if network::is_scoped((*v6.ip()).into()) => own.interface == v6.scope_id(),
                address => own.shares_subnet(address.ip()),
            })
            .unwrap_or(usize::MAX)
    };
    addresses.sort_by_cached_key(|address| (network::is_scoped(address.ip()), place(address), *address));
    addresses.dedup();
    addresses.truncate(MAX_ADDRESSES);
    addresses
}

/// A record can name any address in the world: only such are dialed as can be on this network.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local() || shares_network(v4.into(), 24),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_unique_local() || shares_network(v6.into(), 64),
    }
}

/// Whether this computer would reach an address from one that has the same first `bits`.
fn shares_network(address: IpAddr, bits: u32) -> bool {
    if address.is_multicast() || address.is_unspecified() {
        return false;
    }
    match (address, network::source_for(SocketAddr::new(address, FIRST_PORT))) {
        (IpAddr::V4(far), Some(IpAddr::V4(near))) => (far.to_bits() ^ near.to_bits()) >> (32 - bits) == 0,
        (IpAddr::V6(far), Some(IpAddr::V6(near))) => (far.to_bits() ^ near.to_bits()) >> (128 - bits) == 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use mdns_sd::ServiceInfo;

    use super::*;
    use crate::network::ranked;

    const OWN_PORT: u16 = 55_555;

    fn record(id: &str, version: &str, address: &str, port: u16) -> ResolvedService {
        ServiceInfo::new(SERVICE, "abc", "abc.local.", address, port, &[("v", version), ("id", id)][..])
            .unwrap()
            .as_resolved_service()
    }

    fn local(ip: &str, prefix: u8, interface: u32, standing: Standing) -> LocalAddress {
        LocalAddress { ip: ip.parse().unwrap(), prefix, interface, standing, point_to_point: false }
    }

    fn order(addresses: &[&str], own: Vec<LocalAddress>) -> Vec<String> {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        usable(addresses, OWN_PORT, false, &ranked(own), |_| false).iter().map(SocketAddr::to_string).collect()
    }

    #[test]
    fn only_records_of_this_app_and_this_network_count() {
        let (own, other) = (PeerId::from_bytes([1; 32]), PeerId::from_bytes([2; 32]));
        let by = |loopback, id: &str, version, address, port| {
            announced(&record(id, version, address, port), own, OWN_PORT, loopback, &[]).is_some()
        };
        let accepted = |id: &str, version, address, port| by(false, id, version, address, port);
        let id = other.to_string();
        assert!(accepted(&id, "3", "192.168.1.7", 40_000));
        assert!(by(true, &id, "3", "127.0.0.1", 40_000));
        for own_computer in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            assert!(!accepted(&id, "3", own_computer, 40_000), "{own_computer}");
        }
        assert!(!accepted(&own.to_string(), "3", "192.168.1.7", 40_000));
        assert!(accepted(&id, "99", "192.168.1.7", 40_000), "its hello tells what it speaks");
        for no_hello_as_now in ["1", "2", "", "-3", "3.0", "x", "99999"] {
            assert!(!accepted(&id, no_hello_as_now, "192.168.1.7", 40_000), "{no_hello_as_now}");
        }
        assert!(!accepted(&id, "3", "192.168.1.7", 80));
        assert!(!accepted(&id, "3", "224.0.0.1", 40_000));
        assert!(!accepted(&id, "3", "0.0.0.0", 40_000));
        assert!(!accepted("nobody", "3", "192.168.1.7", 40_000));
        assert!(!accepted(&id.replace(&other.short(), "aaaaaaaa"), "3", "192.168.1.7", 40_000));
    }

    #[test]
    fn a_computer_on_whose_network_nothing_is_plugged_in_keeps_to_itself() {
        let loopback = local("127.0.0.1", 8, 1, Standing::Other);
        let loose = local("172.17.0.1", 16, 2, Standing::Down);
        assert!(uses_loopback(None, &[loopback.clone(), loose.clone()]));
        assert!(!uses_loopback(None, &[loopback, loose, local("fe80::1", 64, 3, Standing::Other)]));
        assert!(uses_loopback(Some("127.0.0.1".parse().unwrap()), &[]));
        assert!(!uses_loopback(Some("192.0.2.1".parse().unwrap()), &[]));
    }

    #[test]
    fn addresses_of_this_computer_are_dialed_only_where_another_app_like_this_one_listens() {
        let own = [local("192.168.1.7", 24, 2, Standing::Physical), local("fd00::7", 64, 2, Standing::Physical)];
        let dialed = |address: &str, port: u16, loopback, is_app: &dyn Fn(u16) -> bool| {
            let address = SocketAddr::new(address.parse().unwrap(), port);
            !usable(vec![address], OWN_PORT, loopback, &own, is_app).is_empty()
        };
        for address in ["192.168.1.7", "::ffff:192.168.1.7", "fd00::7"] {
            assert!(!dialed(address, 8000, false, &|_| false), "{address}");
            assert!(dialed(address, 8000, false, &|port| port == 8000), "{address}");
        }
        for address in ["192.168.1.7", "::ffff:192.168.1.7", "fd00::7", "127.0.0.1", "127.8.8.8", "::1"] {
            assert!(!dialed(address, OWN_PORT, true, &|_| true), "{address}: it would dial itself");
        }
        for port in [8000, OWN_PORT] {
            assert!(dialed("192.168.1.8", port, false, &|_| false), "a neighbour");
        }
    }

    #[test]
    fn the_address_of_a_shared_subnet_is_tried_first_however_many_others_there_are() {
        for (first, far, own) in [("10", "192.168.50.2", "192.168.50.1"), ("192.168", "10.9.9.2", "10.9.9.1")] {
            let mut announced: Vec<String> = (0..30)
                .map(|n| if first == "10" { format!("10.{n}.0.1:4000") } else { format!("192.168.{n}.1:4000") })
                .collect();
            announced.push(format!("{far}:4000"));
            let announced: Vec<&str> = announced.iter().map(String::as_str).collect();
            let mut all: Vec<_> =
                (0..30_u8).map(|n| local(&format!("172.17.{n}.1"), 24, 10 + u32::from(n), Standing::Virtual)).collect();
            all.push(local(own, 24, 99, Standing::DefaultRoute));
            let order = order(&announced, all);
            assert_eq!((order[0].as_str(), order.len()), (format!("{far}:4000").as_str(), MAX_ADDRESSES));
        }
    }

    #[test]
    fn of_several_shared_subnets_that_of_the_likelier_interface_comes_first() {
        let own = vec![
            local("172.17.0.1", 16, 3, Standing::Virtual),
            local("192.168.1.7", 24, 2, Standing::DefaultRoute),
            local("10.0.9.1", 24, 2, Standing::DefaultRoute),
        ];
        let announced = ["172.17.0.9:4", "10.0.9.2:4", "10.0.8.2:4", "192.168.1.9:4"];
        assert_eq!(order(&announced, own), ["192.168.1.9:4", "10.0.9.2:4", "172.17.0.9:4", "10.0.8.2:4"]);
    }

    #[test]
    fn link_local_addresses_keep_their_scope_and_are_tried_last() {
        let own = vec![
            local("fe80::1", 64, 7, Standing::Virtual),
            local("fe80::2", 64, 8, Standing::Physical),
            local("fd00::2", 64, 8, Standing::Physical),
        ];
        let announced = ["[fe80::9%7]:4", "[fe80::9%8]:4", "[fd00::9]:4"];
        assert_eq!(order(&announced, own), ["[fd00::9]:4", "[fe80::9%8]:4", "[fe80::9%7]:4"]);
    }
}
