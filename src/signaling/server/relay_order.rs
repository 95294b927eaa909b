//! Order of a server's addresses for the relays of a call. The nodes of a server have an address each, and data passes
//! between two clients of one node's relay alone, so both ends of a call need the same ones first. Pure.
//!
//! It is rendezvous hashing (highest random weight): each pair of people has an order of its own, so that their calls
//! spread over the nodes, and neither end has to tell the other one. No message names a host.

use std::net::SocketAddr;

use sha2::{Digest, Sha256};

use crate::identity::PeerId;

const LABEL: &[u8] = b"visavis relay order 1";

/// Puts the addresses into the order of two people, which is the same for both in each family; those of the family of
/// the first one, which this side has reached, go first.
pub(super) fn put_in_order(people: [&PeerId; 2], addresses: &mut [SocketAddr]) {
    let reached_is_ipv4 = addresses.first().is_none_or(SocketAddr::is_ipv4);
    let [one, other] = people.map(PeerId::as_bytes);
    let (low, high) = (one.min(other), one.max(other));
    addresses.sort_by_cached_key(|address| {
        let pair = Sha256::new().chain_update(LABEL).chain_update(low).chain_update(high);
        let weight = <[u8; 32]>::from(pair.chain_update(address.ip().to_canonical().to_string()).finalize());
        (address.is_ipv4() != reached_is_ipv4, weight)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_find_the_same_order_and_pairs_differ_in_theirs() {
        let addresses: Vec<SocketAddr> =
            (1..=4).map(|number| format!("192.0.2.{number}:443").parse().unwrap()).collect();
        let in_order = |people: [u8; 2], addresses: &[SocketAddr]| {
            let [one, other] = people.map(|byte| PeerId::from_bytes([byte; 32]));
            let mut addresses = addresses.to_vec();
            put_in_order([&one, &other], &mut addresses);
            addresses
        };
        let reversed: Vec<_> = addresses.iter().rev().copied().collect();
        let mut first_of = [0; 4];
        for other in 1..=200 {
            let order = in_order([0, other], &addresses);
            assert_eq!(in_order([other, 0], &reversed), order);
            first_of[addresses.iter().position(|address| *address == order[0]).unwrap()] += 1;
            let without: Vec<_> = addresses.iter().filter(|it| **it != order[0]).copied().collect();
            assert_eq!(in_order([0, other], &without), order[1..], "others move up where one is gone");
        }
        assert!(first_of.iter().all(|count| (30..=70).contains(count)), "{first_of:?}");
        let six: SocketAddr = "[2001:db8::1]:443".parse().unwrap();
        assert_eq!(in_order([0, 1], &[&[six], &addresses[..]].concat())[0], six, "of the family that is reached");
        assert_eq!(in_order([0, 1], &[&addresses[..], &[six]].concat())[4], six);
    }
}
