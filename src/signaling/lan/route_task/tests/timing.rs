//! Times at which people are dialed, in virtual time: no flood keeps those away who were there before, and nothing
//! tells contacts from others.

use std::collections::HashSet;
use std::net::SocketAddr;

use super::*;
use crate::signaling::lan::lane::Lane;

const STEP: Duration = Duration::from_millis(50);
/// In a second.
const STEPS: u32 = 20;
const SECOND: Duration = Duration::from_secs(1);
/// Until a person is dialed who was there before, or who has just appeared.
const AT_ONCE: Duration = Duration::from_secs(2);

/// A dial that began: when, of whom, at which addresses first.
type Dialed = (Duration, PeerId, SocketAddr);

/// Outcome of the dials.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Refused,
    /// No connection: a second is lost at one address.
    Silent,
    /// A connection that proves nothing.
    Hangs,
}

#[derive(Clone, Copy, Debug)]
enum Flood {
    Nothing,
    /// So many people a second whom nobody has met, each at an address of their own.
    Strangers(u32),
    /// A hundred keys that have proven themselves, at so many addresses, with ever new ports.
    Proven(u8),
    Both,
}

const FLOODS: [Flood; 7] = [
    Flood::Nothing,
    Flood::Strangers(3),
    Flood::Strangers(10),
    Flood::Strangers(1000),
    Flood::Proven(4),
    Flood::Proven(50),
    Flood::Both,
];

struct World {
    rig: Rig,
    start: Instant,
    flood: Flood,
    announced: u32,
    fate: Fate,
    /// A person whose computer refuses at once.
    refuses: Option<PeerId>,
    under_way: Vec<(Instant, PeerId)>,
    dialed: Vec<Dialed>,
}

impl World {
    /// A world in which the flood goes on for some seconds.
    fn flooded(flood: Flood, fate: Fate, met: &[(PeerId, SocketAddr)], contacts: &[PeerId]) -> Self {
        let rig = Rig::new();
        rig.task.context.local.set_contacts(contacts.iter().copied().collect::<HashSet<_>>());
        let start = rig.now;
        let mut world =
            Self { rig, start, flood, announced: 0, fate, refuses: None, under_way: Vec::new(), dialed: Vec::new() };
        if matches!(flood, Flood::Proven(_) | Flood::Both) {
            (0..100).for_each(|number| world.meet(hostile(number), world.home(number), 60));
        }
        met.iter().for_each(|(person, address)| world.meet(*person, *address, 20));
        world.run(4 * SECOND);
        world.dialed.clear();
        world.start = world.rig.now;
        world
    }

    /// Where one of the hundred keys is.
    fn home(&self, number: u32) -> SocketAddr {
        let addresses = if let Flood::Proven(addresses) = self.flood { u32::from(addresses) } else { 50 };
        at(100 + (number % addresses) as u8, 9000)
    }

    /// Somebody connects from there, stays for some seconds and leaves.
    fn meet(&mut self, person: PeerId, address: SocketAddr, seconds: u32) {
        let _far = self.rig.connect_from(person, "run", false, address);
        let connection = self.rig.connections;
        self.rig.now += seconds * SECOND;
        assert!(self.rig.down(connection, person));
    }

    fn announce(&mut self, person: PeerId, addresses: &[SocketAddr]) {
        self.announced += 1;
        let (fullname, addresses) = (format!("{}", self.announced), addresses.to_vec());
        self.rig.task.input(Input::Found { fullname, peer: person, addresses }, self.rig.now);
    }

    fn run(&mut self, span: Duration) {
        let end = self.rig.now + span;
        while self.rig.now < end {
            self.step();
        }
    }

    fn step(&mut self) {
        let now = self.rig.now;
        self.announce_flood();
        let (over, under_way) = self.under_way.iter().partition(|(until, _)| *until <= now);
        self.under_way = under_way;
        let over: Vec<(Instant, PeerId)> = over;
        for (_, peer) in over {
            self.rig.task.input(Input::DialFailed { peer }, now);
        }
        while let Some(due) = self.rig.task.table.take_due(now) {
            self.dialed.push((now - self.start, due.peer, due.addresses[0]));
            let lasts = match self.fate {
                Fate::Refused if due.lane == Lane::Unproven => SECOND,
                _ if self.refuses == Some(due.peer) => STEP,
                Fate::Refused => STEP,
                Fate::Silent => SECOND,
                Fate::Hangs => 3 * SECOND,
            };
            self.under_way.push((now + lasts, due.peer));
        }
        self.rig.now += STEP;
    }

    fn announce_flood(&mut self) {
        let strangers = match self.flood {
            Flood::Strangers(rate) => rate,
            Flood::Both => 100,
            Flood::Nothing | Flood::Proven(_) => 0,
        };
        let step = u32::try_from((self.rig.now - self.start).as_millis() / STEP.as_millis()).unwrap();
        for _ in (step * strangers / STEPS)..((step + 1) * strangers / STEPS) {
            let [_, a, b, c] = self.announced.to_be_bytes();
            let mut key = [0; 32];
            key[..4].copy_from_slice(&self.announced.to_be_bytes());
            self.announce(PeerId::from_bytes(key), &[([10, a, b, c], 4000).into()]);
        }
        let proven = matches!(self.flood, Flood::Proven(_) | Flood::Both);
        for number in (step % STEPS * 5..).take(if proven { 5 } else { 0 }) {
            let port = 1024 + (self.announced % 60_000) as u16;
            self.announce(hostile(number), &[SocketAddr::new(self.home(number).ip(), port)]);
        }
    }

    /// How long after the start somebody was dialed there first.
    fn first_dial(&self, person: PeerId, address: SocketAddr) -> Option<Duration> {
        let mut dials = self.dialed.iter().filter(|(_, who, place)| (*who, *place) == (person, address));
        dials.next().map(|(after, ..)| *after)
    }
}

fn hostile(number: u32) -> PeerId {
    id_of(4_000_000 + number)
}

/// IDs of which each is above (or below) the own one, as wanted.
fn people(above: bool, count: usize) -> Vec<PeerId> {
    let own = Rig::new().task.context.local.identity.id();
    (0..).map(id_of).filter(|id| (*id > own) == above).take(count).collect()
}

#[test]
fn no_dial_tells_a_contact_or_whoever_is_blocked_from_somebody_else() {
    let (home, elsewhere) = (at(7, 9000), at(8, 9000));
    let person = people(true, 1)[0];
    for flood in [Flood::Nothing, Flood::Strangers(10), Flood::Proven(4), Flood::Both] {
        for fate in [Fate::Refused, Fate::Hangs] {
            for announced in [vec![home], vec![elsewhere], vec![elsewhere, home]] {
                for met in [&[(person, home)][..], &[]] {
                    let dials = |contacts: &[PeerId], blocked: &[PeerId]| {
                        let mut world = World::flooded(flood, fate, met, contacts);
                        world.rig.task.context.local.set_blocked(blocked.iter().copied().collect());
                        world.announce(person, &announced);
                        world.run(6 * SECOND);
                        world.dialed
                    };
                    let of_a_stranger = dials(&[], &[]);
                    assert!(of_a_stranger == dials(&[person], &[]), "{flood:?} {fate:?} {announced:?} {met:?}");
                    assert!(of_a_stranger == dials(&[], &[person]), "{flood:?} {fate:?} {announced:?} {met:?}");
                }
            }
        }
    }
}

#[test]
fn of_two_who_were_at_an_address_that_another_takes_over_neither_is_dialed_sooner() {
    let taken = at(7, 9000);
    for flood in FLOODS {
        for above in [true, false] {
            let people = people(above, 16);
            let met: Vec<_> = people.iter().map(|person| (*person, taken)).collect();
            // Every second one is a contact.
            let contacts: Vec<_> = people.iter().copied().step_by(2).collect();
            let mut world = World::flooded(flood, Fate::Hangs, &met, &contacts);
            for (number, pair) in people.chunks(2).enumerate() {
                let place = at(7, 4000 + number as u16);
                world.dialed.clear();
                let mut order = pair.to_vec();
                order.rotate_left(number % 2);
                for person in &order {
                    world.announce(*person, &[place]);
                    world.step();
                }
                world.run(8 * SECOND);
                let order = order.iter().map(|person| world.first_dial(*person, place)).collect::<Vec<_>>();
                let later = order[1].is_none_or(|second| order[0].is_some_and(|first| first <= second));
                assert!(later, "{flood:?}: the one who was announced first goes first: {order:?}");
                // The address's own budget is still full.
                let at_first = number < 2 && matches!(flood, Flood::Nothing | Flood::Strangers(_));
                assert!(!at_first || order[1].is_some(), "{flood:?}: strangers keep neither away: {order:?}");
            }
        }
    }
}

/// Either side of a dial, with the time that the other side may have to dial first, and both ways to lose time.
fn sides_and_fates() -> impl Iterator<Item = (bool, Duration, Fate)> {
    let sides = [(true, Duration::ZERO), (false, SECOND)];
    sides.into_iter().flat_map(|(above, head)| [Fate::Silent, Fate::Hangs].map(|fate| (above, head, fate)))
}

#[test]
fn whoever_was_there_before_is_dialed_within_two_seconds_during_any_flood() {
    for flood in FLOODS {
        for (above, head_start, fate) in sides_and_fates() {
            let person = people(above, 1)[0];
            let mut world = World::flooded(flood, fate, &[(person, at(7, 9000))], &[]);
            // With a new port, and an address of the second kind.
            world.announce(person, &[at(7, 4711), at(9, 4711)]);
            world.run(15 * SECOND);
            let dials = world.dialed.iter().filter(|(_, who, place)| (*who, *place) == (person, at(7, 4711)));
            let after: Vec<_> = dials.map(|(after, ..)| after.saturating_sub(head_start)).collect();
            assert!(after[0] <= AT_ONCE, "{flood:?} {fate:?} {above}: {after:?}");
            // The first try may come too soon, or be lost.
            assert!(after[1] <= after[0] + 8 * SECOND, "{flood:?} {fate:?} {above}: {after:?}");
        }
    }
}

#[test]
fn whoever_comes_back_at_once_is_dialed_within_two_seconds_during_any_flood() {
    for flood in FLOODS {
        for (above, head_start, fate) in sides_and_fates() {
            let person = people(above, 1)[0];
            let mut world = World::flooded(flood, fate, &[], &[]);
            world.refuses = Some(person);
            // Met in the middle of the flood, and dialed before: neither makes them wait.
            for port in 4000..4003 {
                world.meet(person, at(7, 9000), 1);
                world.start = world.rig.now;
                world.dialed.clear();
                world.announce(person, &[at(7, port)]);
                world.run(AT_ONCE + head_start);
                assert!(world.first_dial(person, at(7, port)).is_some(), "{flood:?} {fate:?} {above}: {port}");
                world.run(4 * SECOND);
            }
        }
    }
}

#[test]
fn whoever_has_just_appeared_is_dialed_within_two_seconds_while_few_strangers_do() {
    for flood in [Flood::Nothing, Flood::Strangers(3), Flood::Proven(4), Flood::Proven(50)] {
        for (above, head_start, fate) in sides_and_fates() {
            let person = people(above, 1)[0];
            let mut world = World::flooded(flood, fate, &[], &[]);
            world.announce(person, &[at(7, 4711)]);
            world.run(6 * SECOND);
            let waited = world.first_dial(person, at(7, 4711)).map(|after| after.saturating_sub(head_start));
            assert!(waited.is_some_and(|waited| waited <= AT_ONCE), "{flood:?} {fate:?} {above}: {waited:?}");
        }
    }
}

#[test]
fn whoever_appears_after_a_flood_is_dialed_within_two_seconds() {
    // The first is 100 000 records of multicast DNS: each announcement has four.
    for (flood, seconds) in [(Flood::Strangers(1000), 25), (Flood::Both, 20), (Flood::Proven(50), 20)] {
        for (above, head_start, fate) in sides_and_fates() {
            let person = people(above, 1)[0];
            let mut world = World::flooded(flood, fate, &[], &[]);
            world.run(seconds * SECOND);
            world.flood = Flood::Nothing;
            world.start = world.rig.now;
            world.dialed.clear();
            world.announce(person, &[at(7, 4711)]);
            world.run(6 * SECOND);
            let waited = world.first_dial(person, at(7, 4711)).map(|after| after.saturating_sub(head_start));
            assert!(waited.is_some_and(|waited| waited <= AT_ONCE), "{flood:?} {fate:?} {above}: {waited:?}");
        }
    }
}

#[test]
fn proven_keys_scan_no_neighbour() {
    // They were at the neighbour's address, for as long as they took it.
    for addresses in [1, 4] {
        let mut world = World::flooded(Flood::Proven(addresses), Fate::Refused, &[], &[]);
        world.run(20 * SECOND);
        let at_one = world.dialed.iter().filter(|(_, _, place)| place.ip() == at(100, 1).ip()).count();
        assert!((15..=26).contains(&at_one), "{at_one} in 20 s");
    }
}
