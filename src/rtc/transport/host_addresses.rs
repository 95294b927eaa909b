//! Which of this computer's addresses media uses: the one that was asked for, or those of its networks, or loopback when it
//! has none, so that two people on one computer can talk offline. Asked for each connection, since networks come and go.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

/// Sockets of one connection at most: a computer with many virtual networks must not make hundreds of candidate pairs.
const MAX_ADDRESSES: usize = 8;

/// The addresses to open sockets on, asked for whenever sockets are opened: the one that was asked for, or those of this
/// computer's networks.
#[derive(Clone, Copy, Debug)]
pub(in crate::rtc) struct HostAddresses(pub(in crate::rtc) Option<IpAddr>);

impl HostAddresses {
    /// Those that there are now; never none.
    pub(in crate::rtc) fn list(self) -> Vec<IpAddr> {
        let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
            tracing::debug!(%error, "this computer's addresses cannot be listed");
            Vec::new()
        });
        of_networks(self.0, interfaces.iter().map(if_addrs::Interface::ip))
    }
}

impl ToSocketAddrs for HostAddresses {
    type Iter = std::vec::IntoIter<SocketAddr>;

    /// Each with a port of the system's choosing.
    fn to_socket_addrs(&self) -> std::io::Result<Self::Iter> {
        let addresses: Vec<SocketAddr> = self.list().into_iter().map(|address| SocketAddr::new(address, 0)).collect();
        Ok(addresses.into_iter())
    }
}

/// Those of `all` that somebody else may reach, IPv4 first, or the one that was `asked` for; loopback when there are none:
/// an engine without a socket ends.
fn of_networks(asked: Option<IpAddr>, all: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = match asked.filter(|address| !address.is_unspecified()) {
        Some(asked) => all.filter(|address| *address == asked).collect(),
        None => all.filter(is_of_a_network).collect(),
    };
    addresses.sort_unstable();
    addresses.dedup();
    addresses.truncate(MAX_ADDRESSES);
    if addresses.is_empty() {
        addresses.push(Ipv4Addr::LOCALHOST.into());
    }
    addresses
}

fn is_of_a_network(address: &IpAddr) -> bool {
    match address {
        // 169.254.0.0/16 counts: two computers on one cable have nothing else.
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_unspecified(),
        // A link-local one means nothing without its scope, which a candidate cannot carry.
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unspecified() && !v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(all: &[&str]) -> Vec<String> {
        of_networks(None, all.iter().map(|text| text.parse().unwrap())).iter().map(IpAddr::to_string).collect()
    }

    #[test]
    fn a_computer_on_a_network_uses_no_loopback_address() {
        let all = ["::1", "127.0.0.1", "fd00::2", "fe80::1", "192.0.2.7", "169.254.3.4", "192.0.2.7"];
        assert_eq!(chosen(&all), ["169.254.3.4", "192.0.2.7", "fd00::2"]);
    }

    #[test]
    fn a_computer_without_a_network_uses_loopback() {
        assert_eq!(chosen(&["127.0.0.1", "::1", "fe80::1"]), ["127.0.0.1"]);
        assert_eq!(chosen(&[]), ["127.0.0.1"]);
    }

    #[test]
    fn many_addresses_are_cut_to_a_few() {
        let all: Vec<IpAddr> = (0..100).map(|last| IpAddr::from([192, 0, 2, last])).collect();
        assert_eq!(of_networks(None, all.into_iter()).len(), MAX_ADDRESSES);
    }

    #[test]
    fn an_address_that_was_asked_for_is_the_only_one() {
        let asked = IpAddr::from([192, 0, 2, 7]);
        let all = || [IpAddr::from([192, 0, 2, 8]), asked].into_iter();
        assert_eq!(of_networks(Some(asked), all()), [asked]);
        assert_eq!(of_networks(Some(asked), std::iter::empty()), [IpAddr::from(Ipv4Addr::LOCALHOST)], "it is away");
        let any = IpAddr::from(Ipv4Addr::UNSPECIFIED);
        assert_eq!(of_networks(Some(any), all()).len(), 2);
        assert!(HostAddresses(None).to_socket_addrs().unwrap().next().is_some());
    }
}
