//! Dial table: everybody who is announced, sought or connected on this network, and whom to dial next. Owned by the
//! route's task. Pure; time is an argument.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::dial_budget::DialBudget;
use super::dialing::Dialing;
use crate::identity::PeerId;
use crate::signaling::local::Local;

/// Announced people, at most.
const MAX_PEOPLE: usize = 256;
const MAX_DIALS: usize = 16;
/// Dials among these to addresses at which nobody has proved to be: anybody can announce any number of people, contacts
/// or not, at addresses that never answer.
const MAX_UNPROVEN_DIALS: usize = MAX_DIALS / 2;
/// Addresses of one contact that are remembered as theirs.
const MAX_PROVEN: usize = 4;

/// Someone to dial.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) peer: PeerId,
    /// When there is reason to.
    since: Instant,
    /// When it may be done.
    at: Instant,
    pub(super) addresses: Vec<SocketAddr>,
    /// The person has proved to be there before, or this side wants to reach them.
    pub(super) trusted: bool,
}

pub(super) struct DialTable {
    local: Arc<Local>,
    people: HashMap<PeerId, Dialing>,
    /// Dials under way.
    dialing: usize,
    pub(super) budget: Arc<DialBudget>,
    /// Where contacts, and people who are connected, have proved to be in this run of the program.
    proven: HashMap<PeerId, Vec<IpAddr>>,
}

impl DialTable {
    pub(super) fn new(local: Arc<Local>, now: Instant) -> Self {
        let budget = Arc::new(DialBudget::new(now));
        Self { local, people: HashMap::new(), dialing: 0, budget, proven: HashMap::new() }
    }

    /// Somebody announces a person. All who are announced are alike: who is a contact must not show.
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

    /// The present connection may lead nowhere any more.
    pub(super) fn renew(&mut self, peer: PeerId, now: Instant) {
        if let Some(person) = self.people.get_mut(&peer) {
            person.renew(now);
        }
    }

    /// A dial has led to the person, whether or not the connection is taken.
    pub(super) fn dial_led(&mut self, peer: &PeerId) {
        self.dialing -= 1;
        if let Some(person) = self.people.get_mut(peer) {
            person.dialing = false;
        }
    }

    /// A connection that a dial led to is not taken: the next dial waits its time, or this one would be made again and
    /// again.
    pub(super) fn dial_was_needless(&mut self, peer: PeerId, now: Instant) {
        self.person(peer, now).dial_failed(now);
    }

    /// A dial has failed.
    pub(super) fn dial_failed(&mut self, peer: &PeerId, now: Instant) {
        self.dialing -= 1;
        if let Some(person) = self.people.get_mut(peer) {
            person.dial_failed(now);
        }
        self.forget_idle(now);
    }

    /// There is a new connection to the person, whose far end is `address`.
    pub(super) fn connected(&mut self, peer: PeerId, address: Option<IpAddr>, now: Instant) {
        self.person(peer, now).connected(now);
        let Some(address) = address else { return };
        let (people, local) = (&self.people, &self.local);
        self.proven.retain(|id, _| local.is_contact(id) || people.contains_key(id));
        let proven = self.proven.entry(peer).or_default();
        proven.retain(|known| *known != address);
        proven.truncate(MAX_PROVEN - 1);
        proven.insert(0, address);
    }

    /// The connection has shown that it leads to the person.
    pub(super) fn heard(&mut self, peer: &PeerId) {
        if let Some(person) = self.people.get_mut(peer) {
            person.note_heard();
        }
    }

    /// The connection, which was there for so long, is gone.
    pub(super) fn disconnected(&mut self, peer: &PeerId, lasted: Duration, now: Instant) {
        if let Some(person) = self.people.get_mut(peer) {
            person.disconnected(lasted, now);
        }
        if !self.local.is_contact(peer) {
            self.proven.remove(peer);
        }
        self.forget_idle(now);
    }

    /// When the next dial may be made, as things are.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        self.possible_dials(now).map(|due| due.at).min()
    }

    /// Takes the next dial that is due: the trusted first; then the one whose address was not tried for longest, so that
    /// many announcements at few addresses hold up nobody elsewhere; among these the one that waits longest.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Due> {
        let possible = self.possible_dials(now).filter(|due| due.at <= now);
        let due = possible.min_by_key(|due| {
            let dialed = due.addresses.first().and_then(|address| self.budget.dialed(address.ip()));
            (!due.trusted, dialed.filter(|_| !due.trusted), due.since)
        })?;
        let person = self.people.get_mut(&due.peer)?;
        (person.dialing, person.trusted_dial) = (true, due.trusted);
        self.dialing += 1;
        if let Some(first) = due.addresses.first().filter(|_| !due.trusted) {
            self.budget.take(first.ip(), now);
        }
        Some(due)
    }

    /// People whom there is room to dial, with the time.
    fn possible_dials(&self, now: Instant) -> impl Iterator<Item = Due> {
        let unproven = self.people.values().filter(|person| person.dialing && !person.trusted_dial).count();
        let (room, room_for_unproven) = (self.dialing < MAX_DIALS, unproven < MAX_UNPROVEN_DIALS);
        let people = self.people.iter().filter(move |_| room);
        let due = people.filter_map(move |(id, person)| self.due(*id, person, now));
        due.filter(move |due| due.trusted || room_for_unproven)
    }

    /// When to dial a person, and where. A contact has an advantage only where they proved to be before: otherwise the
    /// time of the dial would show anybody who announces a contact at an address of their own that it is one.
    fn due(&self, id: PeerId, person: &Dialing, now: Instant) -> Option<Due> {
        let (since, all) = (person.dial_at()?, person.addresses());
        let trusted = |addresses| Some(Due { peer: id, since, at: since, addresses, trusted: true });
        let proven = self.proven.get(&id).filter(|_| self.local.is_contact(&id)).map_or(&[][..], Vec::as_slice);
        let there: Vec<_> =
            all.iter().copied().filter(|address| proven.contains(&address.ip().to_canonical())).collect();
        if person.is_sought(now) {
            return trusted(all);
        }
        // In turns: they may have moved.
        if !there.is_empty() && person.turn().is_multiple_of(2) {
            return trusted(there);
        }
        let free = self.budget.free_at(all.first()?.ip(), now);
        Some(Due { peer: id, since, at: since.max(free), addresses: all, trusted: false })
    }

    fn person(&mut self, id: PeerId, now: Instant) -> &mut Dialing {
        let waits = id < self.local.identity.id();
        self.people.entry(id).or_insert_with(|| Dialing::new(waits, now))
    }

    /// Whether a person who is announced has or gets a place: that of the person who was announced longest ago and is
    /// neither connected, dialed nor sought.
    fn make_room(&mut self, id: &PeerId, now: Instant) -> bool {
        if self.people.len() < MAX_PEOPLE || self.people.contains_key(id) {
            return true;
        }
        let may_leave = self.people.iter().filter(|(_, person)| person.may_leave(now));
        let leaving = may_leave.min_by_key(|(_, person)| person.touched).map(|(id, _)| *id);
        leaving.is_some_and(|leaving| self.people.remove(&leaving).is_some())
    }

    fn forget_idle(&mut self, now: Instant) {
        self.people.retain(|_, person| !person.is_idle(now));
    }
}

#[cfg(test)]
mod tests;
