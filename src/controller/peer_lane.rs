//! The way of what the network brings to the controller's thread. What signaling knows (who is there, what did not arrive)
//! is never dropped; what people send has a bound for each of them and one for all, and they are heard in turn, so that a
//! flood is dropped at the expense of whoever floods.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::call::Message;
use crate::identity::PeerId;
use crate::signaling::SignalingEvent;

use super::lanes::Doorbell;

/// Messages of one person that wait at most: what a broken connection sends again at once, and no more.
const MOST_OF_ONE: usize = 256;

/// Messages that wait at most.
const MOST: usize = 4096;

/// From here on, later news of somebody takes the place of earlier: as many people can come and go unheard.
const MANY_NEWS: usize = 1024;

/// What waits.
#[derive(Default)]
struct Waiting {
    news: VecDeque<SignalingEvent>,
    messages: HashMap<PeerId, VecDeque<Message>>,
    /// Whoever has messages waiting, in the order in which they are heard.
    turns: VecDeque<PeerId>,
    count: usize,
}

impl Waiting {
    fn add_news(&mut self, event: SignalingEvent) {
        if self.news.len() >= MANY_NEWS
            && let SignalingEvent::Presence { id, .. } = &event
        {
            let same =
                |waiting: &SignalingEvent| matches!(waiting, SignalingEvent::Presence { id: of, .. } if of == id);
            if let Some(earlier) = self.news.iter().rposition(same) {
                self.news.remove(earlier);
            } else if matches!(event, SignalingEvent::Presence { online: true, .. }) {
                tracing::warn!("too many people come and go: one is not shown");
                return;
            }
        }
        self.news.push_back(event);
    }

    /// False when the message, or another one in its place, was dropped.
    fn add_message(&mut self, from: PeerId, message: Message) -> bool {
        let own = self.messages.get(&from).map_or(0, VecDeque::len);
        if own >= MOST_OF_ONE {
            return false;
        }
        let fits = self.count < MOST;
        if !fits {
            let longest = self.messages.iter().max_by_key(|(_, waiting)| waiting.len()).map(|(&id, _)| id);
            let Some(longest) = longest.filter(|id| self.messages[id].len() > own.max(1)) else { return false };
            self.drop_newest_of(longest);
        }
        if own == 0 {
            self.turns.push_back(from);
        }
        self.messages.entry(from).or_default().push_back(message);
        self.count += 1;
        fits
    }

    fn drop_newest_of(&mut self, id: PeerId) {
        // More than one waits, so none of the turns is in vain.
        if self.messages.get_mut(&id).and_then(VecDeque::pop_back).is_some() {
            self.count -= 1;
        }
    }

    fn next(&mut self) -> Option<SignalingEvent> {
        if let Some(event) = self.news.pop_front() {
            return Some(event);
        }
        let from = self.turns.pop_front()?;
        let waiting = self.messages.get_mut(&from)?;
        let message = waiting.pop_front()?;
        self.count -= 1;
        if waiting.is_empty() {
            self.messages.remove(&from);
        } else {
            self.turns.push_back(from);
        }
        Some(SignalingEvent::Received { from, message })
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

    /// Takes what the network brings. Never blocks.
    pub(super) fn put(&self, event: SignalingEvent) {
        let fits = {
            let mut waiting = self.lock();
            match event {
                SignalingEvent::Received { from, message } => waiting.add_message(from, message),
                news => {
                    waiting.add_news(news);
                    true
                }
            }
        };
        if !fits {
            tracing::warn!("a flood of messages: one was dropped");
        }
        self.doorbell.ring();
    }

    /// What is next, if anything waits.
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
    use crate::call::ConversationId;
    use crate::signaling::PresenceRoute;

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
        SignalingEvent::Presence { id: id(of), name: String::new(), online, route: PresenceRoute::Lan }
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
        assert!(events.len() <= MOST);
        let of_one: Vec<_> = events.iter().filter(|event| **event == leave(1, 7) || **event == leave(1, 8)).collect();
        assert_eq!(of_one, [&leave(1, 7), &leave(1, 8)], "both, in their order");
        assert!(events[..200].contains(&leave(1, 7)), "heard in turn, not behind the flood");
    }

    #[test]
    fn one_flooder_has_a_share_and_their_messages_come_in_order() {
        let lane = PeerLane::new(Doorbell::default());
        (0..10_000).for_each(|call| lane.put(leave(5, call)));
        let kept: Vec<_> = (0..MOST_OF_ONE as u128).map(|call| leave(5, call)).collect();
        assert_eq!(all(&lane), kept);
        assert!(lane.lock().messages.is_empty() && lane.lock().turns.is_empty());
    }

    #[test]
    fn what_signaling_knows_is_never_dropped_and_comes_first() {
        let lane = PeerLane::new(Doorbell::default());
        for number in 0..20_000 {
            lane.put(leave(3, number));
        }
        let undelivered = SignalingEvent::Undelivered {
            to: id(9),
            message: Message::Leave { conversation: ConversationId::from_bits(1) },
        };
        for event in [presence(1, true), undelivered.clone(), presence(1, false), SignalingEvent::ClocksDiffer] {
            lane.put(event);
        }
        let first: Vec<_> = std::iter::from_fn(|| lane.next()).take(4).collect();
        assert_eq!(first, [presence(1, true), undelivered, presence(1, false), SignalingEvent::ClocksDiffer]);
    }

    #[test]
    fn who_comes_and_goes_without_end_is_known_by_the_latest_word() {
        let lane = PeerLane::new(Doorbell::default());
        (0..256).for_each(|number| lane.put(presence(number, true)));
        for round in 0..50 {
            (0..1_000).for_each(|number| lane.put(presence(number, round % 2 == 0)));
        }
        let events = all(&lane);
        assert!(events.len() <= MANY_NEWS + 1_000, "{}", events.len());
        for number in 0..1_000 {
            let last = events
                .iter()
                .rfind(|event| matches!(event, SignalingEvent::Presence { id: of, .. } if *of == id(number)));
            assert_eq!(last, Some(&presence(number, false)), "{number}");
        }
    }
}
