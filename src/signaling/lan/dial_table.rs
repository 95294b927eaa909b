//! Dial table: everybody who is announced, sought or connected on this network, and whom to dial next. Owned by the
//! route's task. Pure; time is an argument.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::dial_budget::DialBudget;
use super::dialing::{Connected, Dialing};
use super::lane::Lane;
use super::proven_addresses::ProvenAddresses;
use crate::identity::PeerId;

/// Announced people, at most.
const MAX_PEOPLE: usize = 256;
/// A person who has proved to be at one of their addresses, but may have moved, is dialed there again after so long
/// when others' dials leave no room to try all of them.
const PROVEN_AGAIN: Duration = Duration::from_secs(1);

/// Someone to dial.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) peer: PeerId,
    /// When there is reason to.
    since: Instant,
    /// When it may be done.
    at: Instant,
    /// When the person was last announced anew.
    announced: Instant,
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) lane: Lane,
}

impl Due {
    /// The address that is tried first; there is one.
    fn first(&self) -> IpAddr {
        self.addresses[0].ip().to_canonical()
    }
}

/// Dials under way: in each lane, and in each at each address.
#[derive(Default)]
struct UnderWay {
    in_lane: HashMap<Lane, usize>,
    at_address: HashMap<(Lane, IpAddr), usize>,
}

impl UnderWay {
    fn add(&mut self, lane: Lane, first: IpAddr) {
        *self.in_lane.entry(lane).or_default() += 1;
        *self.at_address.entry((lane, first)).or_default() += 1;
    }

    /// Whether the lane has room for one more, at that address.
    fn has_room(&self, lane: Lane, first: IpAddr) -> bool {
        let in_lane = self.in_lane.get(&lane).copied().unwrap_or_default();
        let there = self.at_address.get(&(lane, first)).copied().unwrap_or_default();
        in_lane < lane.room() && there < lane.room_at_one_address()
    }
}

/// Table of dials. It does not know the contacts, so that no dial shows who is one.
pub(super) struct DialTable {
    own: PeerId,
    people: HashMap<PeerId, Dialing>,
    proven: ProvenAddresses,
    proven_budget: Arc<DialBudget>,
    unproven_budget: Arc<DialBudget>,
    /// The next dial to an unproven address is that of whoever was announced last.
    newest_next: bool,
}

impl DialTable {
    /// The table of the app whose ID is `own`.
    pub(super) fn new(own: PeerId, now: Instant) -> Self {
        Self {
            own,
            people: HashMap::new(),
            proven: ProvenAddresses::default(),
            proven_budget: Arc::new(DialBudget::each()),
            unproven_budget: Arc::new(DialBudget::shared(now)),
            newest_next: true,
        }
    }

    /// Somebody announces a person.
    pub(super) fn found(&mut self, fullname: String, peer: PeerId, addresses: Vec<SocketAddr>, now: Instant) {
        if self.make_room(&peer, now) {
            self.person(peer, now).found(fullname, addresses, now);
        }
    }

    /// An announcement is gone.
    pub(super) fn lost(&mut self, fullname: &str, now: Instant) {
        self.people.values_mut().for_each(|person| person.lost(fullname));
        self.forget_idle(now);
    }

    /// People are looked for anew.
    pub(super) fn forget_services(&mut self, now: Instant) {
        self.people.values_mut().for_each(Dialing::forget_services);
        self.forget_idle(now);
    }

    /// This side has a reason of its own to reach the person until then.
    pub(super) fn seek(&mut self, peer: PeerId, until: Instant, now: Instant) {
        self.person(peer, now).seek(until);
    }

    /// The present connections may lead nowhere any more.
    pub(super) fn renew(&mut self, peer: PeerId, now: Instant) {
        if let Some(person) = self.people.get_mut(&peer) {
            person.renew(now, |_| true);
        }
    }

    /// This computer has other networks: the connections to the runs that are `lost` are renewed, and whoever is not
    /// connected is tried anew, within the budgets.
    pub(super) fn networks_changed(&mut self, lost: &[(PeerId, Arc<str>)], now: Instant) {
        self.people.values_mut().for_each(|person| person.networks_changed(now));
        for (peer, run) in lost {
            if let Some(person) = self.people.get_mut(peer) {
                person.renew(now, |other| *other == **run);
            }
        }
    }

    /// A dial of this address has led to a run of the person's app that is connected.
    pub(super) fn led(&mut self, peer: &PeerId, run: &str, address: SocketAddr) {
        if let Some(person) = self.people.get_mut(peer) {
            person.led(run, address);
        }
    }

    /// Runs of the person's app that need no other connection, as things are.
    pub(super) fn settled(&self, peer: &PeerId) -> Vec<Arc<str>> {
        self.people.get(peer).map(Dialing::settled_runs).unwrap_or_default()
    }

    /// A dial has led to the person, whether or not the connection is taken.
    pub(super) fn dial_led(&mut self, peer: &PeerId) {
        if let Some(person) = self.people.get_mut(peer) {
            person.dialing = None;
        }
    }

    /// A connection that a dial led to is not taken: the next dial waits its time, or this one would be made again and
    /// again.
    pub(super) fn dial_was_needless(&mut self, peer: PeerId, now: Instant) {
        self.person(peer, now).dial_failed(now);
    }

    /// A dial has failed.
    pub(super) fn dial_failed(&mut self, peer: &PeerId, now: Instant) {
        if let Some(person) = self.people.get_mut(peer) {
            person.dial_failed(now);
        }
        self.forget_idle(now);
    }

    /// There is a new connection to a run of the person's app, whose far end is `remote`.
    pub(super) fn connected(&mut self, peer: PeerId, run: Connected, remote: Option<SocketAddr>, now: Instant) {
        self.person(peer, now).connected(run, now);
        if let Some(remote) = remote {
            self.proven.connected(peer, remote.ip(), now);
        }
    }

    /// The connection to a run has shown that it leads there.
    pub(super) fn heard(&mut self, peer: &PeerId, run: &str) {
        if let Some(person) = self.people.get_mut(peer) {
            person.note_heard(run);
        }
    }

    /// Another run of the person's app has the place of this one.
    pub(super) fn replaced(&mut self, peer: &PeerId, run: &str) {
        if let Some(person) = self.people.get_mut(peer) {
            person.replaced(run);
        }
    }

    /// The connection to a run, which was there for so long, is gone.
    pub(super) fn disconnected(&mut self, peer: &PeerId, run: &str, lasted: Duration, now: Instant) {
        if let Some(person) = self.people.get_mut(peer) {
            person.disconnected(run, lasted, now);
        }
        if !self.people.get(peer).is_some_and(Dialing::is_connected) {
            self.proven.disconnected(peer, now);
        }
        self.forget_idle(now);
    }

    /// When the next dial may be made, as things are.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        self.possible_dials(now).map(|due| due.at).min()
    }

    /// Takes the next dial that is due: by lane; then the one whose address was not tried for longest, so that many
    /// announcements at few addresses hold up nobody elsewhere; among these the one that waits longest. People who
    /// have proved nothing take turns: the one who was announced last, so that those whom a flood has left behind hold
    /// up nobody who appears after it, and then the one by the order above.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Due> {
        let possible = self.possible_dials(now).filter(|due| due.at <= now);
        let due = possible.min_by_key(|due| {
            let newest = (due.lane == Lane::Unproven && self.newest_next).then_some(Reverse(due.announced));
            let dialed = self.budget(due.lane).and_then(|budget| budget.dialed(due.first()));
            (due.lane, newest, dialed, due.since, due.peer)
        })?;
        let granted = self.budget(due.lane).is_none_or(|budget| budget.take(due.first(), now));
        self.people.get_mut(&due.peer).filter(|_| granted)?.dialing = Some((due.lane, due.first()));
        self.newest_next ^= due.lane == Lane::Unproven;
        Some(due)
    }

    /// Budget that must grant each attempt of a lane.
    pub(super) const fn budget(&self, lane: Lane) -> Option<&Arc<DialBudget>> {
        match lane {
            Lane::Sought => None,
            Lane::Proven => Some(&self.proven_budget),
            Lane::Unproven => Some(&self.unproven_budget),
        }
    }

    /// People whom there is room to dial, with the time.
    fn possible_dials(&self, now: Instant) -> impl Iterator<Item = Due> {
        let mut under_way = UnderWay::default();
        self.people.values().filter_map(|person| person.dialing).for_each(|(lane, first)| under_way.add(lane, first));
        let due = self.people.iter().flat_map(move |(id, person)| self.due(*id, person, now));
        due.filter(move |due| under_way.has_room(due.lane, due.first()))
    }

    /// When to dial a person, and where: one way or the other.
    fn due(&self, id: PeerId, person: &Dialing, now: Instant) -> impl Iterator<Item = Due> {
        let (since, all) = person.dial_at().map_or((now, Vec::new()), |since| (since, person.addresses()));
        let there = self.proven.among(&id, &all);
        let by = |lane, addresses: Vec<SocketAddr>, at: Instant| {
            let first = addresses.first()?.ip();
            let free = self.budget(lane).map_or(now, |budget| budget.free_at(first, now));
            Some(Due { peer: id, since, at: at.max(free), announced: person.announced, addresses, lane })
        };
        if person.is_sought(now) {
            return [by(Lane::Sought, all, since), None].into_iter().flatten();
        }
        // In turns: they may have moved.
        let moved = there.len() < all.len() && !person.turn().is_multiple_of(2);
        let again = if moved { since + PROVEN_AGAIN } else { since };
        let all = if there.is_empty() || moved { all } else { Vec::new() };
        [by(Lane::Proven, there, again), by(Lane::Unproven, all, since)].into_iter().flatten()
    }

    fn person(&mut self, id: PeerId, now: Instant) -> &mut Dialing {
        let waits = id < self.own;
        self.people.entry(id).or_insert_with(|| Dialing::new(waits, now))
    }

    /// Whether a person who is announced has or gets a place: that of a person who is neither connected, dialed nor
    /// sought. Persons without a proof leave first; of these, one at the address that most are announced at; there the
    /// one who was announced longest ago.
    fn make_room(&mut self, id: &PeerId, now: Instant) -> bool {
        if self.people.len() < MAX_PEOPLE || self.people.contains_key(id) {
            return true;
        }
        let mut crowds = HashMap::<Option<IpAddr>, usize>::new();
        self.people.values().for_each(|person| *crowds.entry(person.first_address()).or_default() += 1);
        let crowd = |person: &Dialing| Reverse(crowds.get(&person.first_address()).copied());
        let may_leave = self.people.iter().filter(|(_, person)| person.may_leave(now));
        let leaving = may_leave.min_by_key(|(id, person)| (self.proven.has(id), crowd(person), person.touched, **id));
        let leaving = leaving.map(|(id, _)| *id);
        leaving.is_some_and(|leaving| self.people.remove(&leaving).is_some())
    }

    fn forget_idle(&mut self, now: Instant) {
        self.people.retain(|_, person| !person.is_idle(now));
    }
}

#[cfg(test)]
mod tests;
