//! Lane of network events to the controller's thread: a queue for each person, read in turn. Signaling's own news of
//! them (presence, undelivered messages) is never dropped; their messages have a bound for each and one for all, so
//! that a flood is dropped at its sender's expense.

use std::collections::{HashMap, VecDeque};
use std::mem::{Discriminant, discriminant};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::identity::PeerId;
use crate::signaling::{DiscoveryFault, ServerStatus, SignalingEvent};

use super::doorbell::Doorbell;

/// Messages of one person that wait at most: as many as a broken connection sends again at once.
const MAX_OF_ONE: usize = 256;

/// Messages that wait at most.
const MAX: usize = 4096;

/// From here on, later news of a person takes the place of earlier of the same kind.
const MUCH_NEWS: usize = 16;

/// From here on nobody new is shown.
const MANY_PEOPLE: usize = 1024;

/// Waiting events of one person, in order of arrival.
#[derive(Default)]
struct Person {
    waiting: VecDeque<SignalingEvent>,
    /// Number of messages among these.
    messages: usize,
}

/// Waiting events of all people.
#[derive(Default)]
struct Waiting {
    people: HashMap<PeerId, Person>,
    /// Those people, in the order in which they are heard.
    turns: VecDeque<PeerId>,
    messages: usize,
    /// The latest report about finding people.
    discovery: Option<Option<DiscoveryFault>>,
    /// The latest status of each server, of which there are few.
    servers: Vec<ServerStatus>,
    dropped: u64,
}

const fn is_message(event: &SignalingEvent) -> bool {
    matches!(event, SignalingEvent::Received { .. })
}

/// True of the news that somebody has come.
fn is_arrival(event: &SignalingEvent) -> bool {
    matches!(event, SignalingEvent::Presence { routes, .. } if !routes.is_empty())
}

impl Waiting {
    /// False when a message was dropped: this one, or another in its place.
    fn add(&mut self, event: SignalingEvent) -> bool {
        match event {
            SignalingEvent::Discovery(fault) => {
                self.discovery = Some(fault);
                true
            }
            SignalingEvent::Server(status) => {
                self.servers.retain(|earlier| earlier.link != status.link);
                self.servers.push(status);
                true
            }
            SignalingEvent::Received { from, .. } => self.add_message(from, event),
            SignalingEvent::Presence { id, .. }
            | SignalingEvent::ConnectionClosed { id }
            | SignalingEvent::ConnectionRestored { id }
            | SignalingEvent::ClocksDiffer { id, .. } => self.add_news(id, event),
            SignalingEvent::Undelivered { to, .. } => {
                self.push(to, event);
                true
            }
        }
    }

    fn add_news(&mut self, id: PeerId, event: SignalingEvent) -> bool {
        let kind: Discriminant<SignalingEvent> = discriminant(&event);
        if let Some(person) = self.people.get_mut(&id) {
            if person.waiting.len() - person.messages >= MUCH_NEWS
                && let Some(earlier) = person.waiting.iter().position(|event| discriminant(event) == kind)
            {
                person.waiting.remove(earlier);
            }
        } else if self.people.len() >= MANY_PEOPLE && is_arrival(&event) {
            return false;
        }
        self.push(id, event);
        true
    }

    fn add_message(&mut self, from: PeerId, event: SignalingEvent) -> bool {
        let own = self.people.get(&from).map_or(0, |person| person.messages);
        if own >= MAX_OF_ONE {
            return false;
        }
        let fits = self.messages < MAX;
        if !fits {
            let most = self.people.values_mut().max_by_key(|person| person.messages);
            let Some(most) = most.filter(|person| person.messages > own) else { return false };
            if let Some(newest) = most.waiting.iter().rposition(is_message) {
                most.waiting.remove(newest);
                most.messages -= 1;
                self.messages -= 1;
            }
        }
        self.push(from, event);
        fits
    }

    fn push(&mut self, id: PeerId, event: SignalingEvent) {
        let person = self.people.entry(id).or_insert_with(|| {
            self.turns.push_back(id);
            Person::default()
        });
        if is_message(&event) {
            person.messages += 1;
            self.messages += 1;
        }
        person.waiting.push_back(event);
    }

    fn next(&mut self) -> Option<SignalingEvent> {
        if let Some(fault) = self.discovery.take() {
            return Some(SignalingEvent::Discovery(fault));
        }
        if !self.servers.is_empty() {
            return Some(SignalingEvent::Server(self.servers.remove(0)));
        }
        // A person who has had a message dropped may have nothing left to say.
        while let Some(id) = self.turns.pop_front() {
            let Some(person) = self.people.get_mut(&id) else { continue };
            let next = person.waiting.pop_front();
            if next.as_ref().is_some_and(is_message) {
                person.messages -= 1;
                self.messages -= 1;
            }
            if person.waiting.is_empty() {
                self.people.remove(&id);
            } else {
                self.turns.push_back(id);
            }
            if next.is_some() {
                return next;
            }
        }
        None
    }
}

/// Both ends of the lane.
#[derive(Clone)]
pub(super) struct PeerLane {
    waiting: Arc<Mutex<Waiting>>,
    doorbell: Doorbell,
}

impl PeerLane {
    pub(super) fn new(doorbell: Doorbell) -> Self {
        Self { waiting: Arc::default(), doorbell }
    }

    /// Takes an event of signaling. Never blocks.
    pub(super) fn put(&self, event: SignalingEvent) {
        let dropped = {
            let mut waiting = self.lock();
            let fits = waiting.add(event);
            waiting.dropped += u64::from(!fits);
            (!fits).then_some(waiting.dropped)
        };
        // A word for each would be a flood of its own.
        if let Some(dropped) = dropped.filter(|dropped| dropped.is_power_of_two()) {
            tracing::warn!(dropped, "a flood from the network: what there is no room for is dropped");
        }
        self.doorbell.ring();
    }

    /// The next event, if any waits.
    pub(super) fn next(&self) -> Option<SignalingEvent> {
        self.lock().next()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{ConversationId, Message};
    use crate::signaling::RouteKind;

    fn id(number: u16) -> PeerId {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&number.to_le_bytes());
        PeerId::from_bytes(bytes)
    }

    fn leave(from: u16, call: u128) -> SignalingEvent {
        let message = Message::Leave { conversation: ConversationId::from_bits(call) };
        SignalingEvent::Received { from: id(from), message }
    }

    fn presence(of: u16, online: bool) -> SignalingEvent {
        let routes = online.then_some(RouteKind::Lan).into_iter().collect();
        SignalingEvent::Presence { id: id(of), name: String::new(), routes, skew: None }
    }

    fn all(lane: &PeerLane) -> Vec<SignalingEvent> {
        std::iter::from_fn(|| lane.next()).collect()
    }

    #[test]
    fn a_flood_of_many_takes_no_message_of_one_who_does_not_flood() {
        let lane = PeerLane::new(Doorbell::default());
        for call in 0..1_000 {
            (100..200).for_each(|flooder| lane.put(leave(flooder, call)));
        }
        lane.put(leave(1, 7));
        lane.put(leave(1, 8));
        let events = all(&lane);
        assert!(events.len() <= MAX);
        let of_one: Vec<_> = events.iter().filter(|event| **event == leave(1, 7) || **event == leave(1, 8)).collect();
        assert_eq!(of_one, [&leave(1, 7), &leave(1, 8)], "both, in their order");
        assert!(events[..200].contains(&leave(1, 7)), "heard in turn, not behind the flood");
    }

    #[test]
    fn one_flooder_has_a_share_and_their_messages_come_in_order() {
        let lane = PeerLane::new(Doorbell::default());
        (0..10_000).for_each(|call| lane.put(leave(5, call)));
        let kept: Vec<_> = (0..MAX_OF_ONE as u128).map(|call| leave(5, call)).collect();
        assert_eq!(all(&lane), kept);
        let waiting = lane.lock();
        assert!(waiting.people.is_empty() && waiting.turns.is_empty() && waiting.messages == 0);
    }

    #[test]
    fn what_signaling_knows_is_never_dropped_and_keeps_its_place_among_messages() {
        let lane = PeerLane::new(Doorbell::default());
        (0..20_000).for_each(|number| lane.put(leave(3, number)));
        let undelivered = SignalingEvent::Undelivered {
            to: id(3),
            message: Message::Leave { conversation: ConversationId::from_bits(1) },
        };
        let gone = [SignalingEvent::ConnectionClosed { id: id(3) }, presence(3, false)];
        lane.put(presence(1, true));
        lane.put(leave(1, 1));
        lane.put(presence(1, false));
        lane.put(undelivered.clone());
        gone.clone().into_iter().for_each(|event| lane.put(event));
        let events = all(&lane);
        let of = |number: u16| {
            move |event: &&SignalingEvent| match event {
                SignalingEvent::Received { from: of, .. }
                | SignalingEvent::Presence { id: of, .. }
                | SignalingEvent::ConnectionClosed { id: of }
                | SignalingEvent::ConnectionRestored { id: of }
                | SignalingEvent::ClocksDiffer { id: of, .. }
                | SignalingEvent::Undelivered { to: of, .. } => *of == id(number),
                SignalingEvent::Discovery(_) | SignalingEvent::Server(_) => false,
            }
        };
        let first: Vec<_> = events.iter().filter(of(1)).collect();
        assert_eq!(first, [&presence(1, true), &leave(1, 1), &presence(1, false)]);
        let flooder: Vec<_> = events.iter().filter(of(3)).collect();
        let last = [&undelivered, &gone[0], &gone[1]];
        assert!(flooder.ends_with(&last), "behind all that they sent before");
    }

    #[test]
    fn who_comes_and_goes_without_end_is_known_by_the_latest_word() {
        let lane = PeerLane::new(Doorbell::default());
        for round in 0..100 {
            for number in 0..2_000 {
                lane.put(presence(number, round % 2 == 0));
                lane.put(SignalingEvent::ConnectionClosed { id: id(number) });
            }
        }
        lane.put(SignalingEvent::Discovery(None));
        lane.put(SignalingEvent::Discovery(Some(DiscoveryFault::PortTaken)));
        let events = all(&lane);
        assert!(events.len() <= 2_000 * (MUCH_NEWS + 1), "{}", events.len());
        let discovery: Vec<_> = events.iter().filter(|event| matches!(event, SignalingEvent::Discovery(_))).collect();
        assert_eq!(discovery, [&SignalingEvent::Discovery(Some(DiscoveryFault::PortTaken))]);
        for number in 0..2_000 {
            let of =
                |event: &&SignalingEvent| matches!(event, SignalingEvent::Presence { id: of, .. } if *of == id(number));
            let last = events.iter().rfind(of);
            assert_eq!(last, Some(&presence(number, false)), "{number}");
        }
    }

    #[test]
    fn more_strangers_than_can_be_shown_are_left_out_and_nobody_who_goes() {
        let lane = PeerLane::new(Doorbell::default());
        (0..3_000).for_each(|number| lane.put(presence(number, true)));
        assert_eq!(lane.lock().people.len(), MANY_PEOPLE);
        lane.put(presence(2_999, false));
        assert_eq!(all(&lane).last(), Some(&presence(2_999, false)));
    }
}
