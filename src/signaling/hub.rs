//! The one task that knows everybody: takes commands from the client, and what discovery and connections report; decides
//! whom to dial, which connection to keep, what to let through; calls the event callback. It owns all of this, so nothing
//! here is locked.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::client::{Command, PresenceRoute, SignalingEvent};
use super::connection::HANDSHAKE;
use super::dial_budget::DialBudget;
use super::discovery::DiscoveryFault;
use super::flood::Admission;
use super::handshake::encode;
use super::inbox::Inbox;
use super::local::Local;
use super::outbox::Letter;
use super::peer::{Link, Peer};
use super::{Frame, Message, lan};
use crate::identity::{MAX_BODY, PeerId};
use crate::network::Path;

const MAX_PEERS: usize = 256;
const MAX_DIALS: usize = 16;
/// Dials among these to addresses at which nobody has proved to be: anybody can announce any number of people, contacts
/// or not, at addresses that never answer.
const MAX_UNPROVEN_DIALS: usize = MAX_DIALS / 2;
/// Addresses of one contact that are remembered as theirs.
const MAX_PROVEN: usize = 4;
/// Connections that the far computer closed, of which the run of the far app is remembered.
const MAX_CLOSED: usize = 64;
/// Messages over the limit before their connection is cut.
const MAX_EXCESS: u32 = 200;
/// Between two words about clocks: anybody can cause them with another key.
const CLOCKS_AGAIN: Duration = Duration::from_secs(600);
/// When nothing else is due. Only bounds the sleep.
const IDLE: Duration = Duration::from_secs(3600);

/// What the hub is told.
#[derive(Debug)]
pub(super) enum Input {
    /// Somebody announces a person at these addresses. Proves nothing.
    Found { fullname: String, peer: PeerId, addresses: Vec<SocketAddr> },
    /// An announcement is gone.
    Lost { fullname: String },
    /// A connection is up and both sides are proven.
    Up(Up),
    /// A message, within its bounds, and the run of the app that sent it.
    Letter { connection: u64, peer: PeerId, instance: Arc<str>, number: u64, message: Message },
    /// They go by another name.
    Name { connection: u64, peer: PeerId, name: String },
    /// They have read every letter up to this one.
    Acknowledged { connection: u64, peer: PeerId, number: u64 },
    /// A connection that was up is gone; whether it was the far computer that closed it.
    Down { connection: u64, peer: PeerId, closed_by_far: bool },
    /// None of a person's addresses led to them.
    DialFailed { peer: PeerId },
    /// People are looked for anew: everybody who is there will be found again.
    DiscoveryRestarted,
    /// Fault that keeps people from being found now, if any.
    Discovery(Option<DiscoveryFault>),
}

/// A proven connection.
#[derive(Debug)]
pub(super) struct Up {
    pub(super) connection: u64,
    pub(super) peer: PeerId,
    pub(super) name: String,
    pub(super) instance: Arc<str>,
    pub(super) dialed: bool,
    pub(super) path: Option<Path>,
    /// By how many seconds their clock is ahead of this computer's, when that is worth a word.
    pub(super) clock_ahead: Option<i64>,
    pub(super) letters: mpsc::Sender<Letter>,
}

/// Someone to dial.
struct Due {
    peer: PeerId,
    /// When there is reason to.
    since: Instant,
    /// When it may be done.
    at: Instant,
    addresses: Vec<SocketAddr>,
    /// The person has proved to be there before, or this side wants to reach them.
    trusted: bool,
}

/// Claim of a person to a place in the table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claim {
    /// Somebody announces them.
    Announced,
    /// They have proved their key.
    Proven,
    /// This side writes to them.
    Wanted,
}

pub(super) struct Hub {
    own: PeerId,
    local: Arc<Local>,
    events: Arc<dyn Fn(SignalingEvent) + Send + Sync>,
    reports: mpsc::Sender<Input>,
    peers: HashMap<PeerId, Peer>,
    admission: Admission,
    inbox: Inbox,
    last_letter: u64,
    /// People whose clocks this side was told of, and when the last time.
    clocks_told: (HashSet<PeerId>, Option<Instant>),
    dials: JoinSet<()>,
    dialing: usize,
    budget: Arc<DialBudget>,
    /// Where contacts have proved to be, in this run of the program.
    proven: HashMap<PeerId, Vec<IpAddr>>,
    /// The far app's run whose computer closed the last connection to somebody, also of people who are forgotten otherwise;
    /// the latest is last.
    closed: VecDeque<(PeerId, Arc<str>)>,
}

impl Hub {
    pub(super) fn new(
        local: Arc<Local>,
        events: Arc<dyn Fn(SignalingEvent) + Send + Sync>,
        reports: mpsc::Sender<Input>,
    ) -> Self {
        Self {
            own: local.identity.id(),
            local,
            events,
            reports,
            peers: HashMap::new(),
            admission: Admission::new(Instant::now()),
            inbox: Inbox::default(),
            last_letter: 0,
            clocks_told: (HashSet::new(), None),
            dials: JoinSet::new(),
            dialing: 0,
            budget: Arc::new(DialBudget::new(Instant::now())),
            proven: HashMap::new(),
            closed: VecDeque::new(),
        }
    }

    /// Works until the client is closed or dropped. Connections that this side opened end with it.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>, mut inputs: mpsc::Receiver<Input>) {
        loop {
            let now = Instant::now();
            let due = self.next_due(now).unwrap_or(now + IDLE);
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.command(command, Instant::now()),
                    None => break,
                },
                Some(input) = inputs.recv() => self.input(input, Instant::now()),
                Some(ended) = self.dials.join_next() => lan::note_panic(ended),
                () = sleep_until(due.into()) => {}
            }
            self.do_what_is_due(Instant::now());
        }
        self.hang_up(inputs).await;
    }

    /// Lets go of every connection, so that each closes with a word, and waits for those that this side opened.
    async fn hang_up(mut self, inputs: mpsc::Receiver<Input>) {
        drop(inputs);
        self.peers.clear();
        while self.dials.join_next().await.is_some() {}
    }

    fn command(&mut self, command: Command, now: Instant) {
        match command {
            Command::Send { to, message } => self.send(to, message, now),
            Command::Renew(id) => {
                if let Some(peer) = self.peers.get_mut(&id) {
                    peer.renew(now);
                }
            }
            Command::SetBlocked(blocked) => self.set_blocked(blocked),
            Command::SetContacts(contacts) => self.set_contacts(contacts),
        }
    }

    fn input(&mut self, input: Input, now: Instant) {
        match input {
            Input::Found { fullname, peer, addresses } => self.found(fullname, peer, addresses, now),
            Input::Lost { fullname } => {
                self.peers.retain(|_, peer| !peer.lost(&fullname) || !peer.is_idle());
            }
            Input::Up(up) => self.up(up, now),
            Input::Letter { connection, peer, instance, number, message } => {
                if self.inbox.admit(peer, &instance, number, now) {
                    self.received(connection, peer, message, now);
                }
            }
            Input::Name { connection, peer, name } => self.renamed(connection, peer, name, now),
            Input::Acknowledged { connection, peer, number } => {
                if let Some(entry) = self.peer_on(connection, &peer) {
                    entry.is_heard();
                    entry.outbox.acknowledged(number);
                    entry.send_waiting();
                }
            }
            Input::Down { connection, peer, closed_by_far } => {
                if closed_by_far {
                    self.closed_by_far(connection, peer);
                }
                self.down(connection, peer, now);
            }
            Input::DialFailed { peer } => {
                self.dialing -= 1;
                if let Some(entry) = self.peers.get_mut(&peer) {
                    entry.dial_failed(now);
                }
                self.forget_if_idle(peer);
            }
            Input::DiscoveryRestarted => self.peers.retain(|_, peer| {
                peer.forget_services();
                !peer.is_idle()
            }),
            Input::Discovery(fault) => (self.events)(SignalingEvent::Discovery(fault)),
        }
    }

    fn set_contacts(&mut self, contacts: HashSet<PeerId>) {
        self.proven.retain(|id, _| contacts.contains(id));
        self.local.set_contacts(contacts);
        let connected =
            self.peers.iter().filter(|(_, peer)| peer.link.is_some()).map(|(id, _)| *id).collect::<Vec<_>>();
        connected.into_iter().for_each(|id| self.note_proven(id));
    }

    /// A contact who is connected has proved to be where they are.
    fn note_proven(&mut self, id: PeerId) {
        let Some(path) = self.local.paths.to(&id).filter(|_| self.local.is_contact(&id)) else { return };
        let proven = self.proven.entry(id).or_default();
        proven.retain(|address| *address != path.remote.ip());
        proven.truncate(MAX_PROVEN - 1);
        proven.insert(0, path.remote.ip());
    }

    /// Told once of each person.
    fn clocks_differ(&mut self, id: PeerId, seconds_ahead: i64, now: Instant) {
        let (told, last) = &mut self.clocks_told;
        let lately = last.is_some_and(|last| now.saturating_duration_since(last) < CLOCKS_AGAIN);
        if !self.local.is_blocked(&id) && !lately && told.insert(id) {
            *last = Some(now);
            (self.events)(SignalingEvent::ClocksDiffer { id, seconds_ahead });
        }
    }

    fn send(&mut self, to: PeerId, message: Message, now: Instant) {
        if to == self.own || self.local.is_blocked(&to) || !self.make_room(&to, Claim::Wanted, now) {
            return self.undelivered(to, message);
        }
        let number = self.last_letter + 1;
        let body = match encode(&Frame::Letter { number, message: message.clone() }) {
            Ok(body) if body.len() <= MAX_BODY => body,
            _ => {
                tracing::debug!("a message is too large");
                return self.undelivered(to, message);
            }
        };
        self.last_letter = number;
        if matches!(message, Message::Invite { .. } | Message::Accept { .. }) {
            self.local.engage(to);
        }
        let peer = self.peer(to, now);
        match peer.outbox.push(Letter { number, body: body.into() }, message, now) {
            Ok(()) => peer.send_waiting(),
            Err(message) => self.undelivered(to, message),
        }
    }

    /// Connections to people who are blocked stay, so that they do not learn of it; here they are offline.
    fn set_blocked(&mut self, blocked: HashSet<PeerId>) {
        for id in &blocked {
            let messages = self.peers.get_mut(id).map(|peer| peer.outbox.drain()).unwrap_or_default();
            for message in messages {
                self.undelivered(*id, message);
            }
            self.tell_presence(id, false);
        }
        let before = self.local.set_blocked(blocked);
        for id in before {
            self.tell_presence(&id, true);
        }
    }

    /// Says whether somebody with a connection is there, unless they are blocked.
    fn tell_presence(&self, id: &PeerId, online: bool) {
        if let Some(peer) = self.peers.get(id).filter(|peer| peer.link.is_some()) {
            self.presence(*id, peer.name.clone(), online);
        }
    }

    fn found(&mut self, fullname: String, peer: PeerId, addresses: Vec<SocketAddr>, now: Instant) {
        if self.make_room(&peer, Claim::Announced, now) {
            self.peer(peer, now).found(fullname, addresses, now);
        }
    }

    fn up(&mut self, up: Up, now: Instant) {
        if up.dialed {
            self.dialing -= 1;
            if let Some(peer) = self.peers.get_mut(&up.peer) {
                peer.dialing = false;
            }
        }
        // Dropping what came with it closes the connection.
        if !self.make_room(&up.peer, Claim::Proven, now) {
            return;
        }
        let opened_by_lower = up.dialed == (self.own < up.peer);
        let peer = self.peer(up.peer, now);
        // Both sides opened one to the other: both keep the one that the lower ID opened. Otherwise the latest counts, since
        // the app at the other end may have crashed and come back, or may have lost the way by which it was connected.
        let doubled = peer.link.as_ref().is_some_and(|link| {
            let at_once = now.saturating_duration_since(link.since) <= HANDSHAKE;
            link.instance == up.instance && link.dialed != up.dialed && at_once
        });
        if doubled && !opened_by_lower {
            // The next dial waits its time: this one would be made again and again.
            if up.dialed {
                peer.dial_failed(now);
            }
            return;
        }
        let restored = self.take_closed(&up.peer).is_some_and(|closed| closed == up.instance);
        let peer = self.peer(up.peer, now);
        let (id, path) = (up.peer, up.path);
        let news = peer.link.is_none() || peer.name != up.name;
        peer.outbox.connection_lost();
        peer.is_heard();
        peer.name = up.name;
        peer.touched = now;
        let Up { connection, instance, dialed, clock_ahead, letters, .. } = up;
        peer.link = Some(Link { connection, instance, dialed, letters, since: now, excess: 0 });
        peer.send_waiting();
        let name = peer.name.clone();
        if let Some(path) = path {
            let connected = |other: &PeerId| self.peers.get(other).is_some_and(|peer| peer.link.is_some());
            self.local.paths.note(id, path, connected);
            self.note_proven(id);
        }
        if news {
            self.presence(id, name, true);
        }
        if restored && !self.local.is_blocked(&up.peer) {
            (self.events)(SignalingEvent::ConnectionRestored { id: up.peer });
        }
        if let Some(seconds) = clock_ahead {
            self.clocks_differ(up.peer, seconds, now);
        }
    }

    fn closed_by_far(&mut self, connection: u64, id: PeerId) {
        let link = self.peer_on(connection, &id).and_then(|peer| peer.link.as_ref());
        let Some(instance) = link.map(|link| link.instance.clone()) else { return };
        self.take_closed(&id);
        if self.closed.len() >= MAX_CLOSED {
            // Strangers who come and go push out nobody else's.
            let stranger = self.closed.iter().position(|(other, _)| !self.local.is_known(other));
            self.closed.remove(stranger.unwrap_or(0));
        }
        self.closed.push_back((id, instance));
        if !self.local.is_blocked(&id) {
            (self.events)(SignalingEvent::ConnectionClosed { id });
        }
    }

    /// The run of the far app whose computer closed the last connection to this person.
    fn take_closed(&mut self, id: &PeerId) -> Option<Arc<str>> {
        let place = self.closed.iter().position(|(closed, _)| closed == id)?;
        self.closed.remove(place).map(|(_, instance)| instance)
    }

    fn down(&mut self, connection: u64, id: PeerId, now: Instant) {
        if self.peer_on(connection, &id).is_none() {
            return;
        }
        if let Some(mut peer) = self.peers.remove(&id) {
            self.offline(id, &mut peer, now);
            self.peers.insert(id, peer);
        }
        self.forget_if_idle(id);
    }

    fn received(&mut self, connection: u64, from: PeerId, message: Message, now: Instant) {
        // A blocked person is passed over, but counted like anybody; their invites take no room from strangers'.
        let blocked = self.local.is_blocked(&from);
        let own_limits_only = blocked || self.local.is_contact(&from);
        // A connection that was just replaced may still bring what was under way on it.
        if self.admission.admit(from, message.is_invite(), own_limits_only, now) {
            if !blocked {
                (self.events)(SignalingEvent::Received { from, message });
            }
            return;
        }
        // Whoever rings too often (or while too many strangers ring) hears so, instead of waiting for nobody; but whoever
        // may not ring at all hears as little as from their first invites.
        let welcome = self.local.is_contact(&from) || self.local.strangers_welcome.load(Ordering::Relaxed);
        let may_ring = welcome && !blocked;
        if let Message::Invite { invite, .. } = message
            && may_ring
            && self.peer_on(connection, &from).is_some()
            && self.admission.answer_refused(from, now)
        {
            self.send(from, Message::Busy { invite }, now);
        }
        let Some(link) = self.peer_on(connection, &from).and_then(|peer| peer.link.as_mut()) else { return };
        link.excess += 1;
        if link.excess >= MAX_EXCESS {
            tracing::debug!("a signaling connection is cut: too many messages");
            self.down(connection, from, now);
        }
    }

    fn renamed(&mut self, connection: u64, id: PeerId, name: String, now: Instant) {
        if self.peer_on(connection, &id).is_none_or(|peer| peer.name == name)
            || !self.admission.admit(id, false, self.local.is_contact(&id), now)
        {
            return;
        }
        self.peer(id, now).name.clone_from(&name);
        self.presence(id, name, true);
    }

    fn next_due(&self, now: Instant) -> Option<Instant> {
        let dials = self.possible_dials(now).map(|due| due.at);
        dials.chain(self.peers.values().filter_map(|peer| peer.outbox.next_deadline())).min()
    }

    /// Whom there is room to dial, and when.
    fn possible_dials(&self, now: Instant) -> impl Iterator<Item = Due> {
        let unproven = self.peers.values().filter(|peer| peer.dialing && !peer.trusted_dial).count();
        let (room, room_for_unproven) = (self.dialing < MAX_DIALS, unproven < MAX_UNPROVEN_DIALS);
        let due = self.peers.iter().filter(move |_| room);
        due.filter_map(move |(id, peer)| self.due(*id, peer, now)).filter(move |due| due.trusted || room_for_unproven)
    }

    /// When to dial a person, and where. A contact has an advantage only where they proved to be before: else whoever
    /// announces one at an address of their own would see by the time of the dial that it is a contact.
    fn due(&self, id: PeerId, peer: &Peer, now: Instant) -> Option<Due> {
        let (since, all) = (peer.dial_at()?, peer.addresses());
        let trusted = |addresses| Some(Due { peer: id, since, at: since, addresses, trusted: true });
        let proven = self.proven.get(&id).map_or(&[][..], Vec::as_slice);
        let there: Vec<_> =
            all.iter().copied().filter(|address| proven.contains(&address.ip().to_canonical())).collect();
        if peer.is_wanted() {
            return trusted(all);
        }
        // In turns: they may have moved.
        if !there.is_empty() && peer.turn().is_multiple_of(2) {
            return trusted(there);
        }
        let free = self.budget.free_at(all.first()?.ip(), now);
        Some(Due { peer: id, since, at: since.max(free), addresses: all, trusted: false })
    }

    /// The next dial that is due: the trusted first; then the one whose address was not tried for longest, so that many
    /// announcements at few addresses hold up nobody elsewhere; among these the one that waits longest.
    fn dial_now(&self, now: Instant) -> Option<Due> {
        let due = self.possible_dials(now).filter(|due| due.at <= now);
        due.min_by_key(|due| {
            let dialed = due.addresses.first().and_then(|address| self.budget.dialed(address.ip()));
            (!due.trusted, dialed.filter(|_| !due.trusted), due.since)
        })
    }

    fn do_what_is_due(&mut self, now: Instant) {
        let mut late = Vec::new();
        for (id, peer) in &mut self.peers {
            late.extend(peer.outbox.expired(now).into_iter().map(|message| (*id, message)));
        }
        while let Some(due) = self.dial_now(now)
            && let Some(peer) = self.peers.get_mut(&due.peer)
        {
            peer.dialing = true;
            peer.trusted_dial = due.trusted;
            self.dialing += 1;
            let budget = (!due.trusted).then(|| self.budget.clone());
            if let (Some(budget), Some(first)) = (&budget, due.addresses.first()) {
                budget.take(first.ip(), now);
            }
            let dial = lan::Dial { peer: due.peer, addresses: due.addresses, budget };
            self.dials.spawn(lan::dial(dial, self.local.clone(), self.reports.clone()));
        }
        for (id, message) in late {
            self.undelivered(id, message);
            self.forget_if_idle(id);
        }
    }

    fn peer(&mut self, id: PeerId, now: Instant) -> &mut Peer {
        let waits = id < self.own;
        self.peers.entry(id).or_insert_with(|| Peer::new(waits, now))
    }

    /// The person, if this is the connection to them.
    fn peer_on(&mut self, connection: u64, id: &PeerId) -> Option<&mut Peer> {
        let peer = self.peers.get_mut(id)?;
        peer.link.as_ref().is_some_and(|link| link.connection == connection).then_some(peer)
    }

    /// Whether `id` is known or may become so. Strangers make room for contacts who are there (and for whom this side
    /// writes to), and those that are only announced for those that are connected. All who are announced are alike: who
    /// is a contact must not show.
    fn make_room(&mut self, id: &PeerId, claim: Claim, now: Instant) -> bool {
        if self.peers.len() < MAX_PEERS || self.peers.contains_key(id) {
            return true;
        }
        let wanted = match claim {
            Claim::Announced => false,
            Claim::Proven => self.local.is_contact(id),
            Claim::Wanted => true,
        };
        let may_leave = self.peers.iter().filter(|(other, peer)| {
            let contact = self.local.is_contact(other) && peer.link.is_some();
            let keeps = contact || !peer.outbox.is_empty() || peer.dialing;
            !keeps && (wanted || peer.link.is_none())
        });
        let Some(leaving) = may_leave.min_by_key(|(_, peer)| (peer.link.is_some(), peer.touched)).map(|(id, _)| *id)
        else {
            return false;
        };
        if let Some(mut peer) = self.peers.remove(&leaving) {
            self.offline(leaving, &mut peer, now);
        }
        true
    }

    fn forget_if_idle(&mut self, id: PeerId) {
        if self.peers.get(&id).is_some_and(Peer::is_idle) {
            self.peers.remove(&id);
        }
    }

    fn offline(&self, id: PeerId, peer: &mut Peer, now: Instant) {
        if peer.link.is_some() {
            peer.link_lost(now);
            self.presence(id, peer.name.clone(), false);
        }
    }

    fn presence(&self, id: PeerId, name: String, online: bool) {
        if self.local.is_blocked(&id) {
            return;
        }
        (self.events)(SignalingEvent::Presence { id, name, online, route: PresenceRoute::Lan });
    }

    fn undelivered(&self, to: PeerId, message: Message) {
        (self.events)(SignalingEvent::Undelivered { to, message });
    }
}

#[cfg(test)]
mod tests;
