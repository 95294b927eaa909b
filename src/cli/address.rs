//! `--bind ADDRESS`: an IP address, or the name of an interface.

use std::net::IpAddr;

use crate::network;

/// The address to bind: `text` itself, with or without its scope (`fe80::1%eth0`), which must be this computer's, or
/// the first address of the interface that it names (IPv4 before IPv6, link-local ones last).
pub fn parse_bind(text: &str) -> anyhow::Result<IpAddr> {
    bind_among(text, &if_addrs::get_if_addrs()?)
}

fn bind_among(text: &str, interfaces: &[if_addrs::Interface]) -> anyhow::Result<IpAddr> {
    let (address, scope) = text.split_once('%').map_or((text, None), |(address, scope)| (address, Some(scope)));
    if let Ok(address) = address.parse::<IpAddr>() {
        let is_own = address.is_loopback()
            || address.is_unspecified()
            || interfaces.iter().any(|interface| {
                let index = interface.index.map(|index| index.to_string());
                let fits = |scope: &str| interface.name == scope || index.as_deref() == Some(scope);
                interface.ip() == address && scope.is_none_or(fits)
            });
        anyhow::ensure!(is_own, "{text} is not an address of this computer; give one of its own.");
        return Ok(address);
    }
    let mut addresses: Vec<IpAddr> =
        interfaces.iter().filter(|interface| interface.name == text).map(if_addrs::Interface::ip).collect();
    addresses.sort_by_key(|address| (address.is_ipv6(), network::is_scoped(*address)));
    addresses.first().copied().ok_or_else(|| {
        anyhow::anyhow!("{text:?} is neither an IP address nor an interface of this computer; give one of those.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_interfaces_are_understood() {
        assert_eq!(parse_bind("127.0.0.1").unwrap(), IpAddr::from([127, 0, 0, 1]));
        assert_eq!(parse_bind("::1").unwrap(), "::1".parse::<IpAddr>().unwrap());
        assert!(parse_bind("no-such-interface").is_err());
        assert!(parse_bind("192.0.2.77").is_err(), "nobody's address (RFC 5737)");
    }

    #[test]
    fn a_cable_with_link_local_addresses_alone_can_be_named() {
        let interface = |name: &str, ip: &str, index| {
            let ip = ip.parse().unwrap();
            let addr = if_addrs::Ifv6Addr { ip, netmask: ip, prefixlen: 64, broadcast: None };
            if_addrs::Interface {
                name: name.to_owned(),
                addr: if_addrs::IfAddr::V6(addr),
                index: Some(index),
                oper_status: if_addrs::IfOperStatus::Up,
                is_p2p: false,
                #[cfg(windows)]
                adapter_name: String::new(),
            }
        };
        let all = [interface("va", "fe80::1", 3), interface("eth0", "fe80::2", 4), interface("eth0", "fd00::2", 4)];
        let bound = |text: &str| bind_among(text, &all).ok().map(|ip| ip.to_string());
        for (text, address) in [
            ("va", Some("fe80::1")),
            ("eth0", Some("fd00::2")),
            ("fe80::1", Some("fe80::1")),
            ("fe80::1%va", Some("fe80::1")),
            ("fe80::1%3", Some("fe80::1")),
            ("fe80::1%eth0", None),
            ("fe80::9", None),
        ] {
            assert_eq!(bound(text).as_deref(), address, "{text}");
        }
    }
}
