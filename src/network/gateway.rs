//! Gateway of the default route, and this computer's address towards it (IPv4).

use std::net::{Ipv4Addr, SocketAddr};

use super::address::source_for;

/// A router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Its address in this network.
    pub address: Ipv4Addr,
    /// This computer's address towards it.
    pub own: Ipv4Addr,
}

impl Gateway {
    /// The gateway of the default route; `None` without one, and on other systems than Linux.
    pub fn of_default_route() -> Option<Self> {
        let table = std::fs::read_to_string("/proc/net/route").ok()?;
        let address = default_gateway(&table)?;
        match source_for(SocketAddr::from((address, 9)))? {
            std::net::IpAddr::V4(own) => Some(Self { address, own }),
            std::net::IpAddr::V6(_) => None,
        }
    }
}

/// The gateway with the lowest metric in the kernel's table of IPv4 routes, whose addresses are numbers in the byte
/// order of the machine, in hexadecimal digits.
fn default_gateway(table: &str) -> Option<Ipv4Addr> {
    let routes = table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let [destination, gateway] = [fields.next()?, fields.next()?];
        let metric: u32 = fields.nth(3)?.parse().ok()?;
        let mask = fields.next()?;
        let number = u32::from_str_radix(gateway, 16).ok()?;
        let is_default = destination == "00000000" && mask == "00000000" && number != 0;
        is_default.then(|| (metric, Ipv4Addr::from(number.to_ne_bytes())))
    });
    routes.min_by_key(|(metric, _)| *metric).map(|(_, gateway)| gateway)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_is_that_of_the_default_route_with_the_lowest_metric() {
        let number = |ip: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(ip));
        let route = |interface: &str, to: &str, by: [u8; 4], metric: u32, mask: &str| {
            format!("{interface}\t{to}\t{}\t0003\t0\t0\t{metric}\t{mask}\t0\t0\t0\n", number(by))
        };
        let head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
        let (none, near) = ("00000000", "0001A8C0");
        let table = [
            head.to_owned(),
            route("wlan0", none, [10, 0, 0, 1], 600, none),
            route("eth0", none, [192, 168, 1, 254], 100, none),
            route("eth0", near, [0; 4], 0, "00FFFFFF"),
            route("tun0", none, [0; 4], 0, none),
            "half a line\n".to_owned(),
        ];
        assert_eq!(default_gateway(&table.concat()), Some(Ipv4Addr::new(192, 168, 1, 254)));
        assert_eq!(default_gateway(head), None);
        assert_eq!(default_gateway(""), None);
    }
}
