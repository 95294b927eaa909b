//! Addresses of this computer's interfaces, and the paths that begin at them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::sync::Arc;

/// Likelihood that an interface leads to other people. The order is that of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// The default route leads through it.
    DefaultRoute,
    /// Hardware: Ethernet, Wi-Fi, or a bridge or VLAN on it.
    Physical,
    /// Unknown, as tunnels are.
    Other,
    /// It joins containers or virtual machines of this computer.
    Virtual,
    /// Nothing is plugged in, or it is switched off.
    Down,
}

/// One address of one interface of this computer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalAddress {
    /// The address.
    pub ip: IpAddr,
    /// Leading bits that the addresses of the same subnet share.
    pub prefix: u8,
    /// Index of the interface: the scope of its link-local addresses (RFC 4007).
    pub interface: u32,
    /// How likely the interface leads to other people.
    pub standing: Standing,
    /// The interface has one neighbour, as tunnels do, and no multicast.
    pub point_to_point: bool,
}

/// Both ends of a connection that leads to one person, with scopes and without IPv4-mapped addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// This computer's end.
    pub local: SocketAddr,
    /// The person's end.
    pub remote: SocketAddr,
}

/// Tells by which path one person is reached now, or was last; `None` for somebody who never was.
pub type PathFinder = Arc<dyn Fn() -> Option<Path> + Send + Sync>;

impl LocalAddress {
    /// The address with a port, and with its scope where it has one.
    pub fn with_port(&self, port: u16) -> SocketAddr {
        scoped(self.ip, self.interface, port)
    }

    /// Whether `other` is of the subnet of this address, by which the interface reaches it without a router.
    pub fn shares_subnet(&self, other: IpAddr) -> bool {
        let same =
            |difference: u128, bits: u8| (1..=bits).contains(&self.prefix) && difference >> (bits - self.prefix) == 0;
        match (self.ip, other.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => same((own.to_bits() ^ other.to_bits()).into(), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => same(own.to_bits() ^ other.to_bits(), 128),
            _ => false,
        }
    }
}

impl Path {
    /// The path of a connection between these ends.
    pub fn new(local: SocketAddr, remote: SocketAddr) -> Self {
        Self { local: canonical(local), remote: canonical(remote) }
    }

    /// Whether the person is on this computer: a connection proves where its ends are, as nobody else receives data for
    /// an address of this computer.
    pub fn stays_here(&self, own: &[LocalAddress]) -> bool {
        is_own(self.remote.ip(), own)
    }
}

/// Whether `ip`, IPv4-mapped or not, is one of this computer's.
pub fn is_own(ip: IpAddr, own: &[LocalAddress]) -> bool {
    let ip = ip.to_canonical();
    ip.is_loopback() || own.iter().any(|address| address.ip == ip)
}

/// Whether `ip` means nothing without the interface that it belongs to (RFC 4291, 2.5.6).
pub const fn is_scoped(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// Whether `ip` is of the block that no network routes, 240.0.0.0/4 without the broadcast address (RFC 1112, 4): a
/// relay that is closed numbers its clients by it.
pub const fn is_reserved(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(v4) if v4.octets()[0] >= 240 && !v4.is_broadcast())
}

/// `ip` and `port`, with `scope` where the address is one that needs it.
pub fn scoped(ip: IpAddr, scope: u32, port: u16) -> SocketAddr {
    match ip {
        IpAddr::V6(v6) if is_scoped(ip) => SocketAddrV6::new(v6, port, 0, scope).into(),
        ip => SocketAddr::new(ip, port),
    }
}

/// The address from which this computer would send to `to`; `None` where it has no route. Connecting a UDP socket asks
/// the system and sends nothing.
pub fn source_for(to: SocketAddr) -> Option<IpAddr> {
    let any = match to {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(to).ok()?;
    socket.local_addr().ok().map(|local| local.ip().to_canonical())
}

/// The same address, an IPv4-mapped one as the IPv4 address that it is.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    }
}

/// Unit of the limits on addresses: an IPv4 address, or the /64 of an IPv6 address.
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(ip: &str, prefix: u8) -> LocalAddress {
        LocalAddress { ip: ip.parse().unwrap(), prefix, interface: 3, standing: Standing::Other, point_to_point: false }
    }

    #[test]
    fn a_subnet_is_what_the_prefix_says() {
        for (own, prefix, other, shares) in [
            ("10.0.9.1", 24, "10.0.9.200", true),
            ("10.0.9.1", 24, "10.0.8.200", false),
            ("10.0.9.1", 24, "::ffff:10.0.9.7", true),
            ("10.0.9.1", 32, "10.0.9.1", true),
            ("10.0.9.0", 31, "10.0.9.1", true),
            ("10.0.9.1", 0, "192.0.2.1", false),
            ("fd00::1", 64, "fd00::2:3", true),
            ("fd00::1", 64, "fd00:0:0:1::2", false),
            ("fd00::1", 64, "10.0.9.1", false),
        ] {
            assert_eq!(local(own, prefix).shares_subnet(other.parse().unwrap()), shares, "{own}/{prefix} {other}");
        }
    }

    #[test]
    fn own_addresses_are_known_however_they_are_written() {
        let own = [local("192.0.2.7", 24), local("fd00::7", 64)];
        for ip in ["192.0.2.7", "::ffff:192.0.2.7", "fd00::7", "127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            assert!(is_own(ip.parse().unwrap(), &own), "{ip}");
        }
        for ip in ["192.0.2.8", "::ffff:192.0.2.8", "fd00::8"] {
            assert!(!is_own(ip.parse().unwrap(), &own), "{ip}");
        }
    }

    #[test]
    fn only_link_local_addresses_have_a_scope() {
        assert_eq!(local("fe80::1", 64).with_port(9).to_string(), "[fe80::1%3]:9");
        assert_eq!(local("fd00::1", 64).with_port(9).to_string(), "[fd00::1]:9");
        assert_eq!(local("169.254.1.1", 16).with_port(9).to_string(), "169.254.1.1:9");
    }

    #[test]
    fn reserved_addresses_are_those_of_class_e() {
        for (ip, reserved) in [
            ("240.0.0.0", true),
            ("255.255.255.254", true),
            ("255.255.255.255", false),
            ("239.255.255.255", false),
            ("::ffff:240.0.0.1", false),
            ("f000::1", false),
        ] {
            assert_eq!(is_reserved(ip.parse().unwrap()), reserved, "{ip}");
        }
    }

    #[test]
    fn a_path_names_ipv4_ends_as_such() {
        let path = Path::new("[::ffff:192.0.2.7]:1".parse().unwrap(), "[::ffff:192.0.2.8]:2".parse().unwrap());
        assert_eq!((path.local.to_string(), path.remote.to_string()), ("192.0.2.7:1".into(), "192.0.2.8:2".into()));
        assert!(!path.stays_here(&[local("192.0.2.7", 24)]));
        assert!(path.stays_here(&[local("192.0.2.8", 24)]));
    }
}
