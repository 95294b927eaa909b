//! `--bind ADDRESS`: an IP address, or the name of an interface.

use std::net::IpAddr;

/// The address to bind: `text` itself, which must be this computer's, or the first address of the interface that it names
/// (IPv4 before IPv6).
pub fn parse_bind(text: &str) -> anyhow::Result<IpAddr> {
    let interfaces = if_addrs::get_if_addrs()?;
    if let Ok(address) = text.parse::<IpAddr>() {
        let is_own = address.is_loopback()
            || address.is_unspecified()
            || interfaces.iter().any(|interface| interface.ip() == address);
        anyhow::ensure!(is_own, "{text} is not an address of this computer; give one of its own.");
        return Ok(address);
    }
    let mut addresses: Vec<IpAddr> =
        interfaces.iter().filter(|interface| interface.name == text).map(if_addrs::Interface::ip).collect();
    addresses.sort_by_key(IpAddr::is_ipv6);
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
}
