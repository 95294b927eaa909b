//! Hub: the one task that knows everybody. It takes commands from the client and news of the routes; decides by which
//! route a message goes, which messages to let through, and who is online; calls the event callback. It owns all of
//! this, so nothing here is locked, and it knows no address: a person is an ID that one or several routes lead to.

mod closed_runs;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use self::closed_runs::ClosedRuns;
use super::call_devices::Place;
use super::event::SignalingEvent;
use super::flood::Admission;
use super::frame::Frame;
use super::inbox::Inbox;
use super::local::Local;
use super::message::Message;
use super::person::{Attachment, Person};
use super::route::{Incoming, Route, RouteEvent, RouteKind, RouteSet, Up};
use super::send_queue::Way;
use super::version::Versions;
use crate::call::InviteId;
use crate::identity::{MAX_BODY, PeerId};

const MAX_PEOPLE: usize = 256;
/// Messages over the limit before their sender's connection is cut.
const MAX_EXCESS: u32 = 200;
/// Between two words about clocks: anybody can cause them with another key.
const CLOCKS_AGAIN: Duration = Duration::from_secs(600);
/// Until a route that took no more is tried again: it does not say when it has room.
const ROOM_AGAIN: Duration = Duration::from_millis(100);
/// When nothing else is due. Only bounds the sleep.
const IDLE: Duration = Duration::from_secs(3600);

/// A command of the client.
#[derive(Debug)]
pub(super) enum Command {
    Send { to: PeerId, message: Message },
    Renew(PeerId),
    SetBlocked(HashSet<PeerId>),
    SetContacts(HashSet<PeerId>),
}

pub(super) struct Hub {
    own: PeerId,
    local: Arc<Local>,
    events: Arc<dyn Fn(SignalingEvent) + Send + Sync>,
    routes: Vec<Box<dyn Route>>,
    people: HashMap<PeerId, Person>,
    admission: Admission,
    inbox: Inbox,
    /// People whose clocks this side was told of, and when the last time.
    clocks_told: (HashSet<PeerId>, Option<Instant>),
    closed: ClosedRuns,
}

impl Hub {
    pub(super) fn new(
        local: Arc<Local>,
        events: Arc<dyn Fn(SignalingEvent) + Send + Sync>,
        routes: Vec<Box<dyn Route>>,
    ) -> Self {
        Self {
            own: local.identity.id(),
            local,
            events,
            routes,
            people: HashMap::new(),
            admission: Admission::new(Instant::now()),
            inbox: Inbox::default(),
            clocks_told: (HashSet::new(), None),
            closed: ClosedRuns::default(),
        }
    }

    /// Works until the client is closed or dropped. The routes' connections end with it.
    pub(super) async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        mut reports: mpsc::Receiver<(RouteKind, RouteEvent)>,
    ) {
        loop {
            let due = self.next_due().unwrap_or_else(|| Instant::now() + IDLE);
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.command(command, Instant::now()),
                    None => break,
                },
                Some((route, event)) = reports.recv() => self.on_route(route, event, Instant::now()),
                () = sleep_until(due.into()) => {}
            }
            let now = Instant::now();
            self.send_refused(now);
            self.give_back_late_messages(now);
        }
    }

    fn command(&mut self, command: Command, now: Instant) {
        match command {
            Command::Send { to, message } => self.send(to, message, now),
            Command::Renew(id) => self.routes.iter().for_each(|route| route.renew(id)),
            Command::SetBlocked(blocked) => self.set_blocked(blocked),
            Command::SetContacts(contacts) => self.local.set_contacts(contacts),
        }
    }

    fn on_route(&mut self, route: RouteKind, event: RouteEvent, now: Instant) {
        match event {
            RouteEvent::Up(up) => self.up(route, up, now),
            RouteEvent::Received { peer, instance, incoming } => self.received(route, peer, &instance, incoming, now),
            RouteEvent::Down { peer, instance, closed_by_far } => {
                self.down(Way { route, run: instance }, peer, closed_by_far, now);
            }
            RouteEvent::Discovery(fault) => (self.events)(SignalingEvent::Discovery(fault)),
            RouteEvent::Server(status) => (self.events)(SignalingEvent::Server(status)),
        }
    }

    fn send(&mut self, to: PeerId, message: Message, now: Instant) {
        let is_skewed = self.people.get(&to).is_some_and(|person| person.skew().is_some());
        if to == self.own || is_skewed || self.local.is_blocked(&to) || !self.make_room(&to, true) {
            return self.undelivered(to, message);
        }
        let last = self.people.get(&to).and_then(|person| person.last_number);
        let number = self.local.numbers.after(last, now);
        // The session may have begun before this side had it.
        let token = self.local.invitations().held(&to).filter(|_| message.is_invite()).map(|token| token.to_string());
        let frame = match (Frame::Message { number, message: message.clone(), token }).encode() {
            Some(frame) if frame.len() <= MAX_BODY => frame,
            _ => {
                tracing::debug!("a message is too large");
                return self.undelivered(to, message);
            }
        };
        if matches!(message, Message::Invite { .. } | Message::Accept { .. }) {
            self.local.engage(to);
        }
        let person = self.people.entry(to).or_insert_with(|| Person::new(now));
        person.last_number = Some(number);
        let reached = if message.is_invite() { person.reached_runs() } else { Vec::new() };
        person.calls.sent(&message, &reached);
        // Which device is the best one may change before there is room: each has one copy.
        let best = person.best().map(|best| Arc::clone(&best.run)).filter(|_| message.is_for_all_devices());
        let device = best.clone().or_else(|| person.calls.device_for(&message).cloned());
        let frame = Bytes::from(frame);
        match person.queue.push((number, frame.clone()), message, device, now) {
            Ok(()) => {
                if let Some(best) = best {
                    person.push_copies((number, &frame), &best, now);
                }
                self.send_waiting(to, now);
            }
            Err(message) => self.undelivered(to, message),
        }
    }

    /// Tells a person's devices but for `run`, which has answered an invite, to stop ringing.
    fn answered_by_one(&mut self, from: PeerId, run: &str, invite: InviteId, now: Instant) {
        let message = Message::AnsweredElsewhere { invite };
        let Some((person, number, frame)) = self.numbered(from, message, now) else { return };
        person.push_copies((number, &frame), run, now);
        self.send_waiting(from, now);
    }

    /// Answers a device whose part in a call another one of the same person has: to it alone, for the call is at the
    /// other one.
    fn answer_forestalled(&mut self, from: PeerId, run: &Arc<str>, message: &Message, now: Instant) {
        let answer = match message {
            Message::Accept { invite, .. } => Message::AnsweredElsewhere { invite: *invite },
            Message::Restart { conversation, .. } => Message::Ended { conversation: *conversation },
            _ => return,
        };
        let Some((person, number, frame)) = self.numbered(from, answer, now) else { return };
        person.queue.push_copy((number, frame), Arc::clone(run), now);
        self.send_waiting(from, now);
    }

    /// The frame of a message of this side's own, and its number.
    fn numbered(&mut self, to: PeerId, message: Message, now: Instant) -> Option<(&mut Person, u64, Bytes)> {
        let person = self.people.get_mut(&to)?;
        let number = self.local.numbers.after(person.last_number, now);
        let frame = Frame::message(number, message).encode()?;
        person.last_number = Some(number);
        Some((person, number, frame.into()))
    }

    /// Hands the messages that wait for a person to the best way to the device of each, again later where it takes no
    /// more now; where none leads there, has all routes seek them.
    fn send_waiting(&mut self, id: PeerId, now: Instant) {
        let Some(person) = self.people.get_mut(&id) else { return };
        let mut acks = std::mem::take(&mut person.unsent_acks);
        acks.retain(|(run, number)| {
            // Another run of their app has not sent it.
            let way = person.way_to_run(run);
            let ack = Frame::Ack { number: *number }.encode();
            way.zip(ack).is_some_and(|(way, ack)| !send_over(&self.routes, &id, way, ack.into()))
        });
        let mut queue = std::mem::take(&mut person.queue);
        let take = |way: &Way, frame| send_over(&self.routes, &id, way, frame);
        let sending = queue.send(|device| person.way_to(device).cloned(), take);
        person.send_again = (!acks.is_empty() || sending.is_refused).then(|| now + ROOM_AGAIN);
        (person.unsent_acks, person.queue) = (acks, queue);
        if let Some(until) = sending.without_way {
            self.routes.iter().for_each(|route| route.seek(id, until));
        }
    }

    /// Connections to people who are blocked stay, so that they do not learn of it; here they are offline.
    fn set_blocked(&mut self, blocked: HashSet<PeerId>) {
        for id in &blocked {
            let messages = self.people.get_mut(id).map(|person| person.queue.drain()).unwrap_or_default();
            for message in messages {
                self.undelivered(*id, message);
            }
            if let Some(person) = self.people.get(id).filter(|person| person.is_online()) {
                self.presence(*id, person, RouteSet::default());
            }
        }
        let before = self.local.set_blocked(blocked);
        for id in before {
            if self.people.get(&id).is_some_and(Person::is_online) {
                self.tell_presence(&id);
            }
        }
    }

    fn up(&mut self, kind: RouteKind, up: Up, now: Instant) {
        let Up { peer: id, name, instance, device, versions, clock_ahead } = up;
        if !self.make_room(&id, self.local.is_contact(&id)) {
            return self.close_on(kind, &id);
        }
        let restored = self.closed.take(&id, &instance);
        let person = self.people.entry(id).or_insert_with(|| Person::new(now));
        let before = (person.routes(), person.skew(), std::mem::replace(&mut person.name, name));
        person.touched = now;
        let skew = Versions::OWN.common(versions).err();
        person.attach(Attachment { way: Way { route: kind, run: instance }, skew, excess: 0 }, device);
        let is_news = before != (person.routes(), person.skew(), person.name.clone());
        self.send_waiting(id, now);
        // First: it tells why messages come back.
        if is_news {
            self.tell_presence(&id);
        }
        self.give_back_to_skewed(id);
        if restored && !self.local.is_blocked(&id) {
            (self.events)(SignalingEvent::ConnectionRestored { id });
        }
        if let Some(seconds) = clock_ahead {
            self.clocks_differ(id, seconds, now);
        }
    }

    /// Nothing that waits can be said to an app without a common version.
    fn give_back_to_skewed(&mut self, id: PeerId) {
        let skewed = self.people.get_mut(&id).filter(|person| person.skew().is_some());
        for message in skewed.map(|person| person.queue.drain()).unwrap_or_default() {
            self.undelivered(id, message);
        }
    }

    fn down(&mut self, way: Way, id: PeerId, closed_by_far: bool, now: Instant) {
        let Some(person) = self.people.get_mut(&id) else { return };
        let before = (person.routes(), person.skew());
        if person.detach(way.route, &way.run).is_none() {
            return;
        }
        person.touched = now;
        let is_news = (person.routes(), person.skew()) != before;
        if closed_by_far && person.has_lost(&way.run) {
            self.closed.note(id, way.run, |other| self.local.is_known(other));
            if !self.local.is_blocked(&id) {
                (self.events)(SignalingEvent::ConnectionClosed { id });
            }
        }
        let up = person.up();
        let busy = person.calls.take_busy(&up);
        if is_news {
            self.tell_presence(&id);
        }
        if let Some(invite) = busy.filter(|_| !self.local.is_blocked(&id)) {
            (self.events)(SignalingEvent::Received { from: id, message: Message::Busy { invite } });
        }
        self.send_waiting(id, now);
        self.forget_if_idle(id);
    }

    fn received(&mut self, route: RouteKind, from: PeerId, instance: &Arc<str>, incoming: Incoming, now: Instant) {
        let Some(person) = self.people.get_mut(&from) else { return };
        let is_skewed = person.on(route, instance).is_some_and(|attachment| attachment.skew.is_some());
        match incoming {
            // It would be read by the rules of another version.
            Incoming::Message { .. } | Incoming::Ack { .. } if is_skewed => {}
            Incoming::Message { number, message, token } => {
                // A connection that was just replaced may still bring what was under way on it.
                let is_new = self.inbox.admit(from, instance, number, now);
                let place = if is_new { person.received(instance, message.as_ref()) } else { Place::AtCall };
                if is_new && place == Place::AtCall && person.is_at(instance) {
                    self.routes.iter().for_each(|route| route.spoke(&from, instance));
                }
                let is_invite = message.as_ref().is_some_and(Message::is_invite);
                if let Some(token) = token.filter(|_| is_new && is_invite && !self.local.is_blocked(&from)) {
                    self.local.invitations().admit(from, token);
                }
                match message {
                    Some(message) if is_new => self.message((route, instance), from, (message, place), now),
                    None if is_new => self.unknown_message((route, instance), from, now),
                    Some(_) | None => {}
                }
                // A copy, too: the acknowledgement of the first may be lost. And a blocked person's, like anybody's.
                if let Some(person) = self.people.get_mut(&from) {
                    person.unsent_acks.retain(|(run, _)| run != instance);
                    person.unsent_acks.push((instance.clone(), number));
                    self.send_waiting(from, now);
                }
            }
            Incoming::Ack { number } => {
                person.queue.acknowledged(instance, number);
                self.send_waiting(from, now);
            }
            Incoming::Name(name) => self.renamed(route, from, name, now),
        }
    }

    fn message(
        &mut self,
        (route, run): (RouteKind, &Arc<str>),
        from: PeerId,
        (message, place): (Message, Place),
        now: Instant,
    ) {
        // A blocked person is passed over, but counted like anybody; their invites take no room from strangers'.
        let blocked = self.local.is_blocked(&from);
        let own_limits_only = blocked || self.local.is_contact(&from);
        if self.admission.admit(from, message.is_invite(), own_limits_only, now) {
            match place {
                _ if blocked => {}
                Place::AtCall => {
                    if let Some(invite) = message.answered_invite() {
                        self.answered_by_one(from, run, invite, now);
                    }
                    (self.events)(SignalingEvent::Received { from, message });
                }
                Place::Forestalled => self.answer_forestalled(from, run, &message, now),
                Place::BusyAlone => {}
            }
            return;
        }
        // Whoever rings too often (or while too many strangers ring) hears so, instead of waiting for nobody; but
        // whoever may not ring at all hears as little as from their first invites.
        let welcome = self.local.may_ring(&from);
        if let Message::Invite { invite, .. } = message
            && welcome
            && !blocked
            && self.people.get(&from).is_some_and(Person::is_online)
            && self.admission.answer_refused(from, now)
        {
            self.send(from, Message::Busy { invite }, now);
        }
        self.note_excess((route, run), from);
    }

    /// A message of a kind that a later version knows counts like any.
    fn unknown_message(&mut self, way: (RouteKind, &str), from: PeerId, now: Instant) {
        let own_limits_only = self.local.is_blocked(&from) || self.local.is_contact(&from);
        if !self.admission.admit(from, false, own_limits_only, now) {
            self.note_excess(way, from);
        }
    }

    /// A message over the limit came this way.
    fn note_excess(&mut self, (route, run): (RouteKind, &str), from: PeerId) {
        let attachment = self.people.get_mut(&from).and_then(|person| person.on(route, run));
        let Some(attachment) = attachment else { return };
        attachment.excess += 1;
        if attachment.excess == MAX_EXCESS {
            tracing::debug!("a signaling connection is cut: too many messages");
            self.routes.iter().filter(|it| it.kind() == route).for_each(|it| it.close_run(&from, run));
        }
    }

    fn renamed(&mut self, route: RouteKind, id: PeerId, name: String, now: Instant) {
        let is_news = |person: &mut Person| person.is_on(route) && person.name != name;
        let Some(person) = self.people.get_mut(&id) else { return };
        if is_news(person) && self.admission.admit(id, false, self.local.is_contact(&id), now) {
            person.name = name;
            self.tell_presence(&id);
        }
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

    fn next_due(&self) -> Option<Instant> {
        let due = |person: &Person| person.queue.next_deadline().into_iter().chain(person.send_again).min();
        self.people.values().filter_map(due).min()
    }

    /// Tries again the frames that a route had no room for.
    fn send_refused(&mut self, now: Instant) {
        let is_due = |person: &Person| person.send_again.is_some_and(|at| at <= now);
        let due: Vec<_> = self.people.iter().filter(|(_, person)| is_due(person)).map(|(id, _)| *id).collect();
        due.into_iter().for_each(|id| self.send_waiting(id, now));
    }

    fn give_back_late_messages(&mut self, now: Instant) {
        let mut late = Vec::new();
        for (id, person) in &mut self.people {
            if person.queue.next_deadline().is_some_and(|deadline| deadline <= now) {
                late.push((*id, person.queue.expired(now)));
            }
        }
        for (id, messages) in late {
            messages.into_iter().for_each(|message| self.undelivered(id, message));
            self.forget_if_idle(id);
        }
    }

    /// Whether `id` is known or may become so. Strangers make room for contacts who are up, and for people to whom this
    /// side writes.
    fn make_room(&mut self, id: &PeerId, is_wanted: bool) -> bool {
        if self.people.len() < MAX_PEOPLE || self.people.contains_key(id) {
            return true;
        }
        let may_leave = self.people.iter().filter(|(other, person)| {
            let is_contact = self.local.is_contact(other) && person.is_online();
            !is_contact && person.queue.is_empty() && is_wanted
        });
        let leaving = may_leave.min_by_key(|(_, person)| person.touched).map(|(id, _)| *id);
        let Some((leaving, person)) = leaving.and_then(|id| self.people.remove_entry(&id)) else { return false };
        person.routes().iter().for_each(|kind| self.close_on(kind, &leaving));
        self.presence(leaving, &person, RouteSet::default());
        true
    }

    fn forget_if_idle(&mut self, id: PeerId) {
        if self.people.get(&id).is_some_and(|person| person.is_idle(self.local.is_known(&id))) {
            self.people.remove(&id);
        }
    }

    fn close_on(&self, kind: RouteKind, id: &PeerId) {
        self.routes.iter().filter(|route| route.kind() == kind).for_each(|route| route.close(id));
    }

    fn tell_presence(&self, id: &PeerId) {
        if let Some(person) = self.people.get(id) {
            self.presence(*id, person, person.routes());
        }
    }

    fn presence(&self, id: PeerId, person: &Person, routes: RouteSet) {
        if !self.local.is_blocked(&id) {
            let (name, skew) = (person.name.clone(), person.skew());
            (self.events)(SignalingEvent::Presence { id, name, routes, skew });
        }
    }

    fn undelivered(&self, to: PeerId, message: Message) {
        (self.events)(SignalingEvent::Undelivered { to, message });
    }
}

/// Sends a frame by the route of a way; whether it took it.
fn send_over(routes: &[Box<dyn Route>], to: &PeerId, way: &Way, frame: Bytes) -> bool {
    let route = routes.iter().find(|route| route.kind() == way.route);
    route.is_some_and(|route| route.send(to, &way.run, frame))
}

#[cfg(test)]
mod tests;
