//! Dials of the table, with place and time, without sockets.

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

/// A run of an app that does not say on which device it is.
fn run() -> Connected {
    Connected::new(&"run".into(), None, None)
}

impl Rig {
    fn new() -> Self {
        let now = Instant::now();
        Self { table: DialTable::new(Identity::from_seed([9; 32]).id(), now), now }
    }

    /// Announced long enough ago that they are due, on either side.
    fn announce(&mut self, id: PeerId, addresses: &[SocketAddr], seconds_ago: u64) {
        let found_at = self.now - Duration::from_secs(seconds_ago);
        self.table.found(format!("{id}"), id, addresses.to_vec(), found_at);
    }

    /// Connects to somebody at this address and loses them again.
    fn meet_once(&mut self, id: PeerId, address: SocketAddr) {
        self.table.connected(id, run(), Some(address), self.now);
        self.table.disconnected(&id, "run", Duration::ZERO, self.now);
    }

    /// People whom it dials at once.
    fn take_all(&mut self) -> Vec<Due> {
        std::iter::from_fn(|| self.table.take_due(self.now)).collect()
    }

    /// Dials whom it can, as the budget grants it.
    fn fill_unproven_lane(&mut self) {
        let mut under_way = 0;
        while under_way < Lane::Unproven.room() {
            under_way += self.take_all().len();
            self.now += Duration::from_secs(1);
        }
    }

    /// People whom it would dial, one after the other.
    fn order(&mut self) -> Vec<(PeerId, Lane)> {
        self.take_all().iter().map(|due| (due.peer, due.lane)).collect()
    }
}

#[test]
fn dials_that_hang_leave_room_for_people_where_they_were_met_before() {
    let mut rig = Rig::new();
    let (met, elsewhere) = (id_of(1_000_000), id_of(1_000_001));
    for stranger in 0..100 {
        rig.announce(id_of(stranger), &[at((stranger % 250) as u8, 9000)], 10);
    }
    rig.fill_unproven_lane();
    assert_eq!(rig.table.next_due(rig.now), None, "nobody else has room");
    rig.meet_once(met, at(77, 5));
    rig.meet_once(elsewhere, at(76, 5));
    rig.now += Duration::from_secs(5);
    rig.announce(met, &[at(77, 4000)], 2);
    rig.announce(elsewhere, &[at(78, 4000)], 2);
    assert_eq!(rig.order(), [(met, Lane::Proven)], "anybody may have announced the other one there");
}

#[test]
fn whoever_is_announced_beside_a_proven_address_is_dialed_there_alone_at_first_and_then_everywhere() {
    let mut rig = Rig::new();
    let person = id_of(1_000_000);
    rig.meet_once(person, at(77, 5));
    rig.now += Duration::from_secs(10);
    rig.table.found("real".into(), person, vec![at(77, 4000)], rig.now);
    rig.table.found("forged".into(), person, vec![at(200, 4711)], rig.now);
    for (lane, addresses) in [
        (Lane::Proven, vec![at(77, 4000)]),
        // They may have moved.
        (Lane::Unproven, vec![at(77, 4000), at(200, 4711)]),
        (Lane::Proven, vec![at(77, 4000)]),
    ] {
        rig.now = rig.table.next_due(rig.now).unwrap().max(rig.now);
        let due = rig.table.take_due(rig.now).unwrap();
        assert_eq!((due.lane, due.addresses), (lane, addresses));
        rig.table.dial_failed(&person, rig.now);
    }
}

#[test]
fn whoever_may_have_moved_is_dialed_at_the_proven_address_again_while_there_is_no_room_for_the_others() {
    let mut rig = Rig::new();
    let person = id_of(1_000_000);
    rig.meet_once(person, at(77, 5));
    rig.now += Duration::from_secs(10);
    rig.announce(person, &[at(77, 4000), at(78, 4000)], 5);
    assert_eq!(rig.order(), [(person, Lane::Proven)]);
    for stranger in 0..100 {
        rig.announce(id_of(stranger), &[at((stranger % 250) as u8, 9000)], 10);
    }
    rig.fill_unproven_lane();
    rig.table.dial_failed(&person, rig.now);
    let since = rig.table.people[&person].dial_at().unwrap();
    assert_eq!(rig.table.next_due(rig.now), Some(since + PROVEN_AGAIN));
    rig.now = since + PROVEN_AGAIN;
    let due = rig.table.take_due(rig.now).unwrap();
    assert_eq!((due.peer, due.lane, due.addresses), (person, Lane::Proven, vec![at(77, 4000)]));
}

#[test]
fn of_those_who_are_due_the_proven_come_first_and_then_by_turns_whoever_came_last_or_waits_longest() {
    let mut rig = Rig::new();
    let [oldest, older, newer, newest, met] = [1, 2, 1_000_000, 1_000_001, 1_000_002].map(id_of);
    rig.now += Duration::from_secs(60);
    for (id, last, seconds) in [(newer, 3, 20), (oldest, 4, 40), (newest, 6, 10), (older, 7, 30)] {
        rig.announce(id, &[at(last, 9)], seconds);
    }
    rig.table.connected(met, run(), Some(at(5, 1)), rig.now);
    rig.table.disconnected(&met, "run", Duration::ZERO, rig.now - Duration::from_secs(50));
    rig.announce(met, &[at(5, 9)], 40);
    let unproven = [newest, oldest, newer, older].map(|id| (id, Lane::Unproven));
    assert_eq!(rig.order(), [&[(met, Lane::Proven)][..], &unproven].concat());
}

#[test]
fn people_at_crowded_addresses_leave_before_people_who_are_alone_at_theirs() {
    let mut rig = Rig::new();
    let (alone, met_alone) = (id_of(1_000_000), id_of(1_000_001));
    rig.announce(alone, &[at(77, 4000)], 10);
    for number in 0..1000 {
        rig.now += Duration::from_millis(1);
        rig.announce(id_of(number), &[at((number % 50) as u8, 9000)], 0);
    }
    assert!(rig.table.people.contains_key(&alone));
    rig.meet_once(met_alone, at(78, 5));
    rig.announce(met_alone, &[at(78, 4000)], 10);
    // Keys that have proved themselves push out those who have not, and then one another.
    for number in 0..1000 {
        rig.now += Duration::from_millis(1);
        rig.meet_once(id_of(number), at((number % 50) as u8, 5));
        rig.announce(id_of(number), &[at((number % 50) as u8, 9000)], 0);
    }
    assert!(rig.table.people.contains_key(&met_alone) && !rig.table.people.contains_key(&alone));
    assert_eq!(rig.table.people.len(), MAX_PEOPLE);
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
    assert_eq!(rig.order(), [(sought, Lane::Sought)]);
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
fn announced_people_are_bounded_and_push_out_nobody_who_is_connected_sought_or_was_met() {
    let mut rig = Rig::new();
    let (connected, sought, met) = (id_of(1_000_000), id_of(1_000_001), id_of(1_000_002));
    rig.announce(connected, &[at(1, 1)], 10);
    rig.table.connected(connected, run(), None, rig.now - Duration::from_secs(10));
    rig.table.seek(sought, rig.now + Duration::from_secs(5), rig.now);
    rig.meet_once(met, at(77, 5));
    rig.announce(met, &[at(77, 4000)], 10);
    for number in 0..1000 {
        rig.now += Duration::from_millis(1);
        rig.announce(id_of(number), &[at(2, 40_000)], 5);
    }
    assert_eq!(rig.table.people.len(), MAX_PEOPLE);
    assert!([connected, sought, met].iter().all(|id| rig.table.people.contains_key(id)));
    // Among the others, those who were announced last.
    let first = 1000 + 3 - MAX_PEOPLE as u32;
    assert!((0..1000).all(|number| rig.table.people.contains_key(&id_of(number)) == (number >= first)));
}

#[test]
fn people_who_were_met_leave_when_nobody_else_does() {
    let mut rig = Rig::new();
    for number in 0..=MAX_PEOPLE as u32 {
        rig.now += Duration::from_millis(1);
        rig.meet_once(id_of(number), at(2, 5));
        rig.announce(id_of(number), &[at(2, 40_000)], 0);
    }
    assert_eq!(rig.table.people.len(), MAX_PEOPLE);
    assert!(!rig.table.people.contains_key(&id_of(0)) && rig.table.people.contains_key(&id_of(1)));
}

#[test]
fn announcements_are_forgotten_when_people_are_looked_for_anew() {
    let mut rig = Rig::new();
    let (there, gone) = (id_of(1), id_of(1_000_000));
    rig.table.connected(there, run(), None, rig.now);
    rig.announce(there, &[at(2, 9)], 10);
    rig.announce(gone, &[at(3, 9)], 10);
    rig.table.forget_services(rig.now);
    assert_eq!(rig.table.people.keys().collect::<Vec<_>>(), [&there]);
    assert!(rig.table.people[&there].addresses().is_empty());
}
