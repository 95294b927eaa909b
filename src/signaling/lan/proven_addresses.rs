//! Proven addresses: where people have proved to be in this run of the program. Owned by the dial table. Pure; time is
//! an argument.
//!
//! Contacts and others are remembered alike: otherwise the dials would show somebody who takes over an address whether
//! a contact was there.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::identity::PeerId;
use crate::network::network_of;

/// People remembered at most.
const MAX_PEOPLE: usize = 512;
/// Addresses of one person, the latest of them.
const MAX_ADDRESSES: usize = 4;

#[derive(Debug)]
struct Person {
    /// The latest first; never empty.
    addresses: Vec<IpAddr>,
    /// Since when there is a connection, if there is one.
    connected_since: Option<Instant>,
    /// How long there was a connection before, altogether.
    connected_for: Duration,
}

#[derive(Debug, Default)]
pub(super) struct ProvenAddresses(HashMap<PeerId, Person>);

impl ProvenAddresses {
    /// Whether the person has proved to be anywhere.
    pub(super) fn has(&self, id: &PeerId) -> bool {
        self.0.contains_key(id)
    }

    /// Those of the addresses at which the person has proved to be.
    pub(super) fn among(&self, id: &PeerId, addresses: &[SocketAddr]) -> Vec<SocketAddr> {
        let proven = self.0.get(id).map_or(&[][..], |person| person.addresses.as_slice());
        addresses.iter().copied().filter(|address| proven.contains(&address.ip().to_canonical())).collect()
    }

    /// The person has proved to be at `address`, and is connected from now on.
    pub(super) fn connected(&mut self, id: PeerId, address: IpAddr, now: Instant) {
        let address = address.to_canonical();
        if let Some(person) = self.0.get_mut(&id) {
            person.addresses.retain(|known| *known != address);
            person.addresses.truncate(MAX_ADDRESSES - 1);
            person.addresses.insert(0, address);
            person.connected_since.get_or_insert(now);
        } else if self.make_room() {
            let addresses = vec![address];
            self.0.insert(id, Person { addresses, connected_since: Some(now), connected_for: Duration::ZERO });
        }
    }

    /// The person is connected no longer.
    pub(super) fn disconnected(&mut self, id: &PeerId, now: Instant) {
        if let Some(person) = self.0.get_mut(id)
            && let Some(since) = person.connected_since.take()
        {
            person.connected_for += now.saturating_duration_since(since);
        }
    }

    /// Whether one more person has room. People without a connection may be forgotten: first those of the network that
    /// most come from, there the one who was connected for the shortest time. Somebody with a few addresses and any
    /// number of keys pushes out nobody else.
    fn make_room(&mut self) -> bool {
        if self.0.len() < MAX_PEOPLE {
            return true;
        }
        let mut crowds = HashMap::<IpAddr, usize>::new();
        for person in self.0.values() {
            *crowds.entry(person.network()).or_default() += 1;
        }
        let may_leave = self.0.iter().filter(|(_, person)| person.connected_since.is_none());
        let leaving =
            may_leave.min_by_key(|(id, person)| (Reverse(crowds[&person.network()]), person.connected_for, **id));
        let leaving = leaving.map(|(id, _)| *id);
        leaving.is_some_and(|leaving| self.0.remove(&leaving).is_some())
    }
}

impl Person {
    fn network(&self) -> IpAddr {
        network_of(self.addresses[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    fn id_of(seed: u32) -> PeerId {
        let mut bytes = [1; 32];
        bytes[..4].copy_from_slice(&seed.to_be_bytes());
        Identity::from_seed(bytes).id()
    }

    fn at(network: u8, host: u8) -> SocketAddr {
        ([10, 0, network, host], 4000).into()
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_latest_addresses_of_a_person_count_however_they_are_written() {
        let (mut proven, now) = (ProvenAddresses::default(), Instant::now());
        let person = id_of(1);
        for host in 1..=6 {
            proven.connected(person, at(0, host).ip(), now);
        }
        let all: Vec<_> = (1..=9).map(|host| at(0, host)).collect();
        assert_eq!(proven.among(&person, &all), all[2..6]);
        let mapped: SocketAddr = "[::ffff:10.0.0.6]:7".parse().unwrap();
        assert_eq!(proven.among(&person, &[mapped]), [mapped]);
        assert!(proven.among(&id_of(2), &all).is_empty());
    }

    #[test]
    fn any_number_of_keys_at_few_addresses_push_out_nobody_elsewhere() {
        let (mut proven, start) = (ProvenAddresses::default(), Instant::now());
        let (brief, present) = (id_of(1_000_000), id_of(1_000_001));
        proven.connected(brief, at(0, 1).ip(), start);
        proven.disconnected(&brief, start + SECOND);
        proven.connected(present, at(1, 1).ip(), start);
        // Each is there for longer than the person whom they would push out.
        for number in 0..2000 {
            proven.connected(id_of(number), at(1, (number % 200) as u8).ip(), start);
            proven.disconnected(&id_of(number), start + 60 * SECOND);
        }
        assert_eq!(proven.0.len(), MAX_PEOPLE);
        assert!(proven.has(&brief) && proven.has(&present));
    }

    #[test]
    fn at_one_address_whoever_was_connected_for_longest_stays() {
        let (mut proven, start) = (ProvenAddresses::default(), Instant::now());
        let person = id_of(1_000_000);
        // In parts, with a second connection beside the first.
        for part in 0..3 {
            let began = start + 100 * part * SECOND;
            proven.connected(person, at(0, 1).ip(), began);
            proven.connected(person, at(0, 1).ip(), began + 10 * SECOND);
            proven.disconnected(&person, began + 20 * SECOND);
        }
        let mut meet = |number: u32, seconds: u32| {
            proven.connected(id_of(number), at(0, 1).ip(), start);
            proven.disconnected(&id_of(number), start + seconds * SECOND);
            proven.has(&person)
        };
        assert!((0..2000).all(|number| meet(number, 59)));
        assert!(!(2000..4000).all(|number| meet(number, 61)), "nobody is remembered for ever");
    }

    #[test]
    fn whoever_is_connected_is_not_forgotten_and_others_are_not_remembered_then() {
        let (mut proven, now) = (ProvenAddresses::default(), Instant::now());
        (0..600).for_each(|number| proven.connected(id_of(number), at(0, 1).ip(), now));
        assert!((0..MAX_PEOPLE as u32).all(|number| proven.has(&id_of(number))));
        assert_eq!(proven.0.len(), MAX_PEOPLE);
    }
}
