//! Ranking of addresses by use. Pure.

use std::collections::HashMap;
use std::net::IpAddr;

use super::address::{LocalAddress, Standing, is_scoped};

/// The same addresses, those that lead to other people first, independent of their values.
///
/// Interfaces that may lead to somebody take turns, the likeliest first, so that many addresses of one do not push out
/// another's; those of containers come behind them all, those that lead nowhere last. Within one interface the
/// addresses that mean something elsewhere come before link-local ones, and IPv4 before IPv6, else the system's order
/// holds.
pub fn ranked(all: Vec<LocalAddress>) -> Vec<LocalAddress> {
    let mut with_global = HashMap::<u32, bool>::new();
    for address in &all {
        *with_global.entry(address.interface).or_default() |= !is_scoped(address.ip);
    }
    let mut turns = HashMap::<(u32, bool, bool), usize>::new();
    let mut keyed: Vec<_> = all
        .into_iter()
        .map(|address| {
            let taken = turns.entry((address.interface, address.ip.is_ipv6(), is_scoped(address.ip))).or_default();
            let turn = *taken;
            *taken += 1;
            let scoped_beside = is_scoped(address.ip) && with_global.get(&address.interface).is_some_and(|with| *with);
            let place = (tier(address.standing), scoped_beside, turn, address.standing);
            let key = (place, is_link_local(address.ip), address.ip.is_ipv6());
            (key, address)
        })
        .collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, address)| address).collect()
}

const fn tier(standing: Standing) -> u8 {
    match standing {
        Standing::DefaultRoute | Standing::Physical | Standing::Other => 0,
        Standing::Virtual => 1,
        Standing::Down => 2,
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    is_scoped(ip) || matches!(ip, IpAddr::V4(v4) if v4.is_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(ip: &str, interface: u32, standing: Standing) -> LocalAddress {
        LocalAddress { ip: ip.parse().unwrap(), prefix: 24, interface, standing, point_to_point: false }
    }

    fn order(all: Vec<LocalAddress>) -> Vec<String> {
        ranked(all).into_iter().map(|address| address.ip.to_string()).collect()
    }

    #[test]
    fn the_default_route_comes_first_and_containers_and_loose_ends_last_whatever_the_numbers() {
        for (bridge, lan, away) in [("10.1.0.1", "192.168.1.7", "10.0.0.1"), ("192.168.1.1", "10.0.0.7", "172.16.0.1")]
        {
            let all = vec![
                address(away, 2, Standing::Down),
                address(bridge, 3, Standing::Virtual),
                address("100.64.0.1", 4, Standing::Other),
                address("172.20.0.7", 5, Standing::Physical),
                address(lan, 6, Standing::DefaultRoute),
            ];
            assert_eq!(order(all), [lan, "172.20.0.7", "100.64.0.1", bridge, away]);
        }
    }

    #[test]
    fn interfaces_take_turns() {
        let mut all: Vec<_> = (1..12).map(|n| address(&format!("10.0.{n}.1"), 2, Standing::DefaultRoute)).collect();
        all.push(address("192.168.1.7", 3, Standing::Physical));
        all.push(address("10.8.0.2", 4, Standing::Other));
        assert_eq!(order(all)[..4], ["10.0.1.1", "192.168.1.7", "10.8.0.2", "10.0.2.1"]);
    }

    #[test]
    fn link_local_addresses_come_behind_the_others_of_their_interface_but_not_behind_bridges() {
        let all = vec![
            address("fe80::1", 2, Standing::Physical),
            address("172.17.0.1", 3, Standing::Virtual),
            address("fe80::2", 3, Standing::Virtual),
            address("fd00::7", 2, Standing::Physical),
            address("192.168.1.7", 2, Standing::Physical),
            address("fe80::4", 4, Standing::Physical),
        ];
        let expected = ["192.168.1.7", "fd00::7", "fe80::4", "fe80::1", "172.17.0.1", "fe80::2"];
        assert_eq!(order(all), expected);
    }
}
