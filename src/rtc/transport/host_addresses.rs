//! Host candidates: the address that was asked for, or those of this computer's networks, ranked by use, or loopback
//! when it has none, so that two people on one computer can talk offline. Asked for each connection, since networks
//! come and go.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use super::link_local::LinkLocalSockets;
use crate::network::{self, LocalAddress, PathFinder};

/// Sockets of one connection at most: a computer with many virtual networks must not make hundreds of candidate pairs.
const MAX_ADDRESSES: usize = 8;
/// The same where servers give each socket further candidates.
const MAX_WITH_SERVERS: usize = 4;

/// The addresses to open sockets on, asked for whenever sockets are opened: the one that was asked for, or those of
/// this computer's networks.
#[derive(Clone, Default)]
pub(in crate::rtc) struct HostAddresses {
    /// Only this one.
    pub(in crate::rtc) bind: Option<IpAddr>,
    /// How signaling reaches the person: what carries that carries media, too.
    pub(in crate::rtc) path: Option<PathFinder>,
    /// Each socket asks servers for further addresses.
    pub(in crate::rtc) with_servers: bool,
}

impl fmt::Debug for HostAddresses {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HostAddresses").field("bind", &self.bind).finish_non_exhaustive()
    }
}

impl HostAddresses {
    /// Those that there are now, with port 0 and with their scopes; never none.
    pub(in crate::rtc) fn list(&self) -> Vec<SocketAddr> {
        let path = self.path.as_ref().and_then(|path| path());
        let mut addresses = of_networks(self.bind, path.map(|path| path.local), &network::local_addresses());
        addresses.truncate(if self.with_servers { MAX_WITH_SERVERS } else { MAX_ADDRESSES });
        addresses
    }
}

/// Addresses that the engine is given to open: the same ones, with stand-ins for those that it has no name for.
pub(in crate::rtc) struct EngineAddresses {
    pub(in crate::rtc) addresses: HostAddresses,
    pub(in crate::rtc) link_local: Arc<LinkLocalSockets>,
}

impl ToSocketAddrs for EngineAddresses {
    type Iter = std::vec::IntoIter<SocketAddr>;

    /// Each with a port of the system's choosing.
    fn to_socket_addrs(&self) -> std::io::Result<Self::Iter> {
        Ok(self.link_local.stand_ins(self.addresses.list()).into_iter())
    }
}

/// Those of `all`, which are ranked, that somebody else may reach, with the one that leads to this person first; or the
/// one that was `asked` for; loopback when there are none: an engine without a socket ends.
fn of_networks(asked: Option<IpAddr>, leads_there: Option<SocketAddr>, all: &[LocalAddress]) -> Vec<SocketAddr> {
    let mut addresses: Vec<SocketAddr> = match asked.filter(|address| !address.is_unspecified()) {
        Some(asked) => all.iter().filter(|address| address.ip == asked).map(|address| address.with_port(0)).collect(),
        None => all
            .iter()
            .filter(|address| is_of_a_network(address.ip) && is_needed(address, leads_there, all))
            .map(|address| address.with_port(0))
            .collect(),
    };
    let mut seen = std::collections::HashSet::new();
    addresses.retain(|address| seen.insert(*address));
    if let Some(mut first) = leads_there {
        first.set_port(0);
        addresses.sort_by_key(|address| *address != first);
    }
    addresses.truncate(MAX_ADDRESSES);
    if addresses.is_empty() {
        addresses.push((Ipv4Addr::LOCALHOST, 0).into());
    }
    addresses
}

/// A link-local address is used where signaling goes by it, or where its interface has no other.
fn is_needed(address: &LocalAddress, leads_there: Option<SocketAddr>, all: &[LocalAddress]) -> bool {
    let leads = leads_there.is_some_and(|there| there.ip() == address.ip);
    let alone = || !all.iter().any(|other| other.interface == address.interface && !network::is_scoped(other.ip));
    !network::is_scoped(address.ip) || leads || alone()
}

fn is_of_a_network(address: IpAddr) -> bool {
    // 169.254.0.0/16 and fe80::/10 count: two computers on one cable have nothing else.
    !address.is_loopback() && !address.is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Standing, ranked};

    fn local(ip: &str, interface: u32, standing: Standing) -> LocalAddress {
        LocalAddress { ip: ip.parse().unwrap(), prefix: 24, interface, standing, point_to_point: false }
    }

    fn chosen(leads_there: Option<&str>, all: Vec<LocalAddress>) -> Vec<String> {
        let leads_there = leads_there.map(|address| address.parse().unwrap());
        of_networks(None, leads_there, &ranked(all)).iter().map(SocketAddr::to_string).collect()
    }

    fn bridges(count: u8, first: &str, standing: Standing) -> Vec<LocalAddress> {
        (0..count).map(|n| local(&format!("{first}.{n}.1"), 10 + u32::from(n), standing)).collect()
    }

    #[test]
    fn a_computer_on_a_network_uses_no_loopback_address() {
        let all = ["::1", "127.0.0.1", "fd00::2", "fe80::1", "192.0.2.7", "169.254.3.4", "192.0.2.7"];
        let all = all.into_iter().map(|ip| local(ip, 2, Standing::Physical)).collect();
        assert_eq!(chosen(None, all), ["192.0.2.7:0", "[fd00::2]:0", "169.254.3.4:0"]);
    }

    #[test]
    fn a_computer_without_a_network_uses_loopback() {
        let own = ["127.0.0.1", "::1"].map(|ip| local(ip, 1, Standing::Other));
        assert_eq!(chosen(None, own.to_vec()), ["127.0.0.1:0"]);
        assert_eq!(chosen(None, Vec::new()), ["127.0.0.1:0"]);
    }

    #[test]
    fn a_cable_with_link_local_addresses_alone_is_a_network() {
        let all = vec![local("127.0.0.1", 1, Standing::Other), local("fe80::1", 7, Standing::Physical)];
        assert_eq!(chosen(None, all), ["[fe80::1%7]:0"]);
    }

    #[test]
    fn the_default_route_is_among_the_few_that_are_used_however_many_bridges_there_are() {
        for count in [8, 9, 12, 30] {
            for (bridge, lan) in [("10.0", "192.168.50.1"), ("192.168", "10.9.9.9"), ("172.17", "172.16.0.1")] {
                let mut all = bridges(count, bridge, Standing::Virtual);
                all.push(local(lan, 99, Standing::DefaultRoute));
                let chosen = chosen(None, all);
                assert_eq!((chosen[0].as_str(), chosen.len()), (format!("{lan}:0").as_str(), MAX_ADDRESSES));
            }
        }
    }

    #[test]
    fn what_leads_to_the_person_is_used_whatever_its_rank() {
        let mut all = bridges(30, "172.17", Standing::Other);
        all.push(local("fe80::5", 12, Standing::Other));
        for (leads_there, first) in [
            ("172.17.29.1:4711", "172.17.29.1:0"),
            ("[fe80::5%12]:4711", "[fe80::5%12]:0"),
            ("172.17.0.1:1", "172.17.0.1:0"),
        ] {
            assert_eq!(chosen(Some(leads_there), all.clone())[0], first);
        }
        assert_eq!(chosen(Some("192.0.2.1:9"), all)[0], "172.17.0.1:0", "an address that is gone changes nothing");
    }

    #[test]
    fn many_addresses_of_one_wire_are_cut_to_a_few_with_the_right_one_among_them() {
        let all = (1..=12).map(|n| local(&format!("10.0.{n}.1"), 2, Standing::DefaultRoute)).collect();
        let chosen = chosen(Some("10.0.12.1:5"), all);
        assert_eq!((chosen[0].as_str(), chosen.len()), ("10.0.12.1:0", MAX_ADDRESSES));
    }

    #[test]
    fn an_address_that_was_asked_for_is_the_only_one() {
        let all = [local("192.0.2.8", 2, Standing::Physical), local("192.0.2.7", 3, Standing::Physical)];
        let asked = IpAddr::from([192, 0, 2, 7]);
        let loopback = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
        assert_eq!(of_networks(Some(asked), None, &all), [SocketAddr::new(asked, 0)]);
        assert_eq!(of_networks(Some(asked), None, &[]), loopback, "it is away");
        let any = IpAddr::from(Ipv4Addr::UNSPECIFIED);
        assert_eq!(of_networks(Some(any), None, &all).len(), 2);
        assert!(!HostAddresses::default().list().is_empty());
    }
}
