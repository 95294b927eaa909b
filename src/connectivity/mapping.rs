//! Mapping of a NAT, told by the addresses at which several servers see one socket (RFC 4787, 4.1; RFC 5780, 4.3).
//! Pure.

use std::net::SocketAddr;
use std::time::Duration;

/// A socket as one server sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The server's address.
    pub server: SocketAddr,
    /// The socket's own address towards it, if the system has a way there.
    pub own: Option<SocketAddr>,
    /// The address that the server sees.
    pub mapped: SocketAddr,
    /// Round-trip time to the server.
    pub round_trip: Duration,
}

/// Mapping, as far as the servers' answers tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// No NAT: the servers see the socket's own address.
    None,
    /// One outer address for all destinations: servers at two addresses see the same.
    EndpointIndependent,
    /// Another outer address for each destination address, or for each destination address and port ("symmetric").
    AddressDependent,
    /// Another outer address for each port of one destination address ("symmetric").
    AddressAndPortDependent,
    /// A NAT that maps two ports of one address alike: endpoint-independent, or dependent on the address.
    AtMostAddressDependent,
    /// A NAT of which one server alone tells; whether the outer port is the socket's own.
    Unknown {
        /// The outer port is the socket's own.
        keeps_port: bool,
    },
}

impl Mapping {
    /// The mapping by the answers of servers of one address family, to one socket; `None` without any.
    pub fn of(seen: &[Seen]) -> Option<Self> {
        let first = seen.first()?;
        if seen.iter().all(|seen| seen.own == Some(seen.mapped)) {
            return Some(Self::None);
        }
        let pairs =
            || seen.iter().enumerate().flat_map(|(at, one)| seen.iter().skip(at + 1).map(move |other| (one, other)));
        let is_same_host = |(one, other): &(&Seen, &Seen)| one.server.ip() == other.server.ip();
        let differs = |(one, other): (&Seen, &Seen)| one.mapped != other.mapped;
        let ports = pairs().filter(|pair| is_same_host(pair) && pair.0.server != pair.1.server);
        let hosts = pairs().filter(|pair| !is_same_host(pair));
        Some(match (ports.clone().count(), hosts.clone().count()) {
            _ if ports.clone().any(differs) => Self::AddressAndPortDependent,
            (0, 0) => Self::Unknown { keeps_port: first.own.is_some_and(|own| own.port() == first.mapped.port()) },
            (_, 0) => Self::AtMostAddressDependent,
            _ if hosts.clone().any(differs) => Self::AddressDependent,
            _ => Self::EndpointIndependent,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(server: &str, mapped: &str) -> Seen {
        let own = "10.0.10.2:4000".parse().ok();
        let [server, mapped] = [server, mapped].map(|text| text.parse().unwrap());
        Seen { server, own, mapped, round_trip: Duration::ZERO }
    }

    #[test]
    fn a_mapping_is_told_by_what_two_destinations_see() {
        let mapping = |seen_by: &[(&str, &str)]| {
            Mapping::of(&seen_by.iter().map(|(server, mapped)| seen(server, mapped)).collect::<Vec<_>>())
        };
        let (one, port, other) = ("192.0.2.1:3478", "192.0.2.1:3479", "198.51.100.1:3478");
        let (a, b, kept) = ("203.0.113.10:50000", "203.0.113.10:50001", "203.0.113.10:4000");
        for (expected, seen_by) in [
            (None, &[][..]),
            (Some(Mapping::None), &[(one, "10.0.10.2:4000"), (other, "10.0.10.2:4000")]),
            (Some(Mapping::Unknown { keeps_port: false }), &[(one, a)]),
            (Some(Mapping::Unknown { keeps_port: true }), &[(one, kept), (one, kept)]),
            (Some(Mapping::AtMostAddressDependent), &[(one, a), (port, a)]),
            (Some(Mapping::AddressAndPortDependent), &[(one, a), (port, b)]),
            (Some(Mapping::AddressAndPortDependent), &[(one, a), (other, a), (port, b)]),
            (Some(Mapping::AddressDependent), &[(one, a), (other, b)]),
            (Some(Mapping::AddressDependent), &[(one, a), (port, a), (other, b)]),
            (Some(Mapping::EndpointIndependent), &[(one, kept), (other, kept)]),
            (Some(Mapping::EndpointIndependent), &[(one, a), (port, a), (other, a)]),
        ] {
            assert_eq!(mapping(seen_by), expected, "{seen_by:?}");
        }
    }
}
