//! Dials of the table, with place and time, without sockets.

use std::collections::HashSet;

use super::*;
use crate::identity::Identity;

struct Rig {
    table: DialTable,
    now: Instant,
}

fn id_of(seed: u32) -> PeerId {
    let mut bytes = [1; 32];
    bytes[..4].copy_from_slice(&seed.to_be_bytes());
    Identity::from_seed(bytes).id()
}

fn at(last: u8, port: u16) -> SocketAddr {
    ([192, 0, 2, last], port).into()
}

impl Rig {
    fn new() -> Self {
        let local = Arc::new(Local::new(Arc::new(Identity::from_seed([9; 32])), "Me").unwrap());
        let now = Instant::now();
        Self { table: DialTable::new(local, now), now }
    }

    fn set_contacts(&self, contacts: impl Into<HashSet<PeerId>>) {
        self.table.local.set_contacts(contacts.into());
    }

    /// Announced long enough ago that they are due, on either side.
    fn announce(&mut self, id: PeerId, addresses: &[SocketAddr], seconds_ago: u64) {
        let found_at = self.now - Duration::from_secs(seconds_ago);
        self.table.found(format!("{id}"), id, addresses.to_vec(), found_at);
    }

    /// Connects to somebody at this address and loses them again.
    fn meet_once(&mut self, id: PeerId, address: SocketAddr) {
        self.table.connected(id, Some(address.ip()), self.now);
        self.table.disconnected(&id, Duration::ZERO, self.now);
    }

    /// People whom it dials at once.
    fn take_all(&mut self) -> Vec<Due> {
        std::iter::from_fn(|| self.table.take_due(self.now)).collect()
    }

    /// People whom it would dial, one after the other.
    fn order(&mut self) -> Vec<(PeerId, bool)> {
        self.take_all().iter().map(|due| (due.peer, due.trusted)).collect()
    }
}

#[test]
fn dials_that_hang_leave_room_for_contacts_where_they_were_met_before() {
    let mut rig = Rig::new();
    let (contact, elsewhere) = (id_of(1_000_000), id_of(1_000_001));
    rig.set_contacts([contact, elsewhere]);
    for stranger in 0..100 {
        rig.announce(id_of(stranger), &[at((stranger % 250) as u8, 9000)], 10);
    }
    assert_eq!(rig.take_all().len(), MAX_UNPROVEN_DIALS);
    assert_eq!(rig.table.next_due(rig.now), None, "nobody else has room");
    rig.meet_once(contact, at(77, 5));
    rig.now += Duration::from_secs(5);
    rig.announce(contact, &[at(77, 4000)], 2);
    rig.announce(elsewhere, &[at(78, 4000)], 2);
    assert_eq!(rig.order(), [(contact, true)], "anybody may have announced the other one there");
}

#[test]
fn who_is_a_contact_does_not_show_at_an_address_that_proves_nothing() {
    for others in [0, 3, 60] {
        // The same announcements, once of a contact and once of a stranger.
        let order = |is_contact: bool| {
            let mut rig = Rig::new();
            rig.now += Duration::from_secs(1000);
            let asked_about = id_of(1_000_000);
            if is_contact {
                rig.set_contacts([asked_about]);
            }
            for other in 0..others {
                rig.announce(id_of(other), &[at(other as u8, 9000)], 20 + 2 * u64::from(other));
            }
            rig.announce(asked_about, &[at(200, 4711)], 10);
            rig.order()
        };
        assert_eq!(order(true), order(false), "{others} others");
    }
}

#[test]
fn a_contact_announced_beside_a_proven_address_is_dialed_there_alone_at_first() {
    let mut rig = Rig::new();
    let contact = id_of(1_000_000);
    rig.set_contacts([contact]);
    rig.meet_once(contact, at(77, 5));
    rig.now += Duration::from_secs(10);
    rig.table.found("real".into(), contact, vec![at(77, 4000)], rig.now);
    rig.table.found("forged".into(), contact, vec![at(200, 4711)], rig.now);
    rig.now += Duration::from_secs(5);
    let due = rig.table.take_due(rig.now).unwrap();
    assert_eq!((due.trusted, due.addresses), (true, vec![at(77, 4000)]));
}

#[test]
fn whoever_becomes_a_contact_while_connected_is_trusted_where_they_are_and_no_longer_when_removed() {
    let mut rig = Rig::new();
    let person = id_of(1_000_000);
    rig.table.connected(person, Some(at(77, 5).ip()), rig.now);
    rig.set_contacts([person]);
    rig.table.disconnected(&person, Duration::ZERO, rig.now);
    rig.now += Duration::from_secs(60);
    rig.announce(person, &[at(77, 4000)], 10);
    rig.set_contacts([]);
    assert!(!rig.table.possible_dials(rig.now).next().unwrap().trusted);
    rig.set_contacts([person]);
    assert_eq!(rig.order(), [(person, true)]);
    // Strangers who come and go leave nothing behind.
    for stranger in 0..1000 {
        rig.meet_once(id_of(stranger), at(9, 9));
    }
    assert_eq!((rig.table.proven.len(), rig.table.people.len()), (1, 1));
}

#[test]
fn of_those_who_are_due_the_proven_come_first_and_then_whoever_waits_longest() {
    let mut rig = Rig::new();
    let (older, newer, contact) = (id_of(1), id_of(1_000_000), id_of(1_000_001));
    rig.set_contacts([contact]);
    rig.now += Duration::from_secs(60);
    for (id, last, seconds) in [(newer, 3, 20), (older, 4, 30)] {
        rig.announce(id, &[at(last, 9)], seconds);
    }
    rig.table.connected(contact, Some(at(5, 1).ip()), rig.now);
    rig.table.disconnected(&contact, Duration::ZERO, rig.now - Duration::from_secs(50));
    rig.announce(contact, &[at(5, 9)], 40);
    assert_eq!(rig.order(), [(contact, true), (older, false), (newer, false)]);
}

#[test]
fn whoever_is_sought_is_dialed_beside_the_unproven_at_whatever_address() {
    let mut rig = Rig::new();
    let sought = id_of(1_000_000);
    for stranger in 0..100 {
        rig.announce(id_of(stranger), &[at((stranger % 250) as u8, 9000)], 10);
    }
    rig.take_all();
    rig.table.seek(sought, rig.now + Duration::from_secs(5), rig.now);
    rig.announce(sought, &[at(200, 4000)], 10);
    assert_eq!(rig.order(), [(sought, true)]);
}

#[test]
fn many_announcements_scan_nobody() {
    let mut rig = Rig::new();
    let start = rig.now;
    let mut attempts = 0;
    // Fifty people, each at ever new ports of one neighbour who refuses at once.
    for tenth in 0..100_u16 {
        rig.now = start + Duration::from_millis(u64::from(tenth) * 100);
        for person in 0..50 {
            rig.table.found(format!("{person}-{tenth}"), id_of(person), vec![at(7, 2000 + tenth)], rig.now);
        }
        for due in rig.take_all() {
            attempts += 1;
            rig.table.dial_failed(&due.peer, rig.now);
        }
    }
    assert!((10..=16).contains(&attempts), "{attempts} in 10 s");
}

#[test]
fn announced_people_are_bounded_and_push_out_nobody_who_is_connected_or_sought() {
    let mut rig = Rig::new();
    let (connected, sought) = (id_of(1_000_000), id_of(1_000_001));
    rig.announce(connected, &[at(1, 1)], 10);
    rig.table.connected(connected, None, rig.now - Duration::from_secs(10));
    rig.table.seek(sought, rig.now + Duration::from_secs(5), rig.now);
    for number in 0..1000 {
        rig.announce(id_of(number), &[at(2, 40_000)], 5);
    }
    assert_eq!(rig.table.people.len(), MAX_PEOPLE);
    assert!(rig.table.people.contains_key(&connected) && rig.table.people.contains_key(&sought));
    assert!(!rig.table.people.contains_key(&id_of(0)) && rig.table.people.contains_key(&id_of(999)));
}

#[test]
fn announcements_are_forgotten_when_people_are_looked_for_anew() {
    let mut rig = Rig::new();
    let (there, gone) = (id_of(1), id_of(1_000_000));
    rig.table.connected(there, None, rig.now);
    rig.announce(there, &[at(2, 9)], 10);
    rig.announce(gone, &[at(3, 9)], 10);
    rig.table.forget_services(rig.now);
    assert_eq!(rig.table.people.keys().collect::<Vec<_>>(), [&there]);
    assert!(rig.table.people[&there].addresses().is_empty());
}

#[test]
fn whoever_is_blocked_is_dialed_like_anybody() {
    let mut rig = Rig::new();
    let person = id_of(1);
    rig.table.local.set_blocked(HashSet::from([person]));
    rig.announce(person, &[at(2, 9)], 10);
    assert_eq!(rig.order(), [(person, false)]);
}
