//! Inbox: numbers of the messages that were read, so that one that was sent again, over another connection or another
//! route, is read once. Owned by the hub. Pure; time is an argument.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::identity::PeerId;

/// A message is sent again for 5 s at most (see `send_queue`); this is a little more than that, and the time to
/// connect.
const REMEMBERED: Duration = Duration::from_secs(30);
const MAX_SENDERS: usize = 1024;

/// Devices of one person that speak by turns.
const MAX_RUNS: usize = 8;

/// The latest message read of each run of a person's app. Those of one run come in the order of their numbers, over any
/// route, so the latest stands for all before it.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    senders: HashMap<PeerId, Sender>,
}

/// The runs of one person's app, whichever was read longest ago first.
#[derive(Debug)]
struct Sender {
    runs: Vec<Read>,
    at: Instant,
}

#[derive(Debug)]
struct Read {
    /// The run.
    instance: String,
    number: u64,
}

impl Inbox {
    /// Notes a message; whether it comes for the first time.
    pub(super) fn admit(&mut self, from: PeerId, instance: &str, number: u64, now: Instant) -> bool {
        if !self.senders.contains_key(&from) && self.senders.len() >= MAX_SENDERS {
            self.make_room(now);
        }
        let sender = self.senders.entry(from).or_insert(Sender { runs: Vec::new(), at: now });
        sender.at = now;
        let place = sender.runs.iter().position(|read| read.instance == instance);
        let known = place.map(|place| sender.runs.remove(place));
        if sender.runs.len() >= MAX_RUNS {
            sender.runs.remove(0);
        }
        let is_new = known.as_ref().is_none_or(|known| number > known.number);
        let mut read = known.unwrap_or_else(|| Read { instance: instance.to_owned(), number });
        read.number = read.number.max(number);
        sender.runs.push(read);
        is_new
    }

    /// Forgets those whose messages can no longer come again; else the person who was read longest ago.
    fn make_room(&mut self, now: Instant) {
        self.senders.retain(|_, sender| now.saturating_duration_since(sender.at) < REMEMBERED);
        if self.senders.len() < MAX_SENDERS {
            return;
        }
        let oldest = self.senders.iter().min_by_key(|(_, sender)| sender.at).map(|(id, _)| *id);
        if let Some(id) = oldest {
            self.senders.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u64) -> PeerId {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        PeerId::from_bytes(key)
    }

    #[test]
    fn a_message_that_comes_again_is_read_once_and_later_ones_are_read() {
        let (mut inbox, now) = (Inbox::default(), Instant::now());
        let read: Vec<_> = [1, 2, 2, 1, 5, 3, 6].map(|number| inbox.admit(peer(1), "run", number, now)).into();
        assert_eq!(read, [true, true, false, false, true, false, true]);
        assert!(inbox.admit(peer(2), "run", 1, now), "each person's messages have numbers of their own");
    }

    #[test]
    fn an_app_that_was_started_anew_counts_from_one_again() {
        let (mut inbox, now) = (Inbox::default(), Instant::now());
        assert!(inbox.admit(peer(1), "run 1", 9, now));
        assert!(inbox.admit(peer(1), "run 2", 1, now));
        assert!(!inbox.admit(peer(1), "run 2", 1, now));
    }

    #[test]
    fn devices_of_a_person_that_speak_by_turns_are_each_read_once() {
        let (mut inbox, now) = (Inbox::default(), Instant::now());
        let read: Vec<_> = [("desk", 5), ("lap", 3), ("desk", 5), ("lap", 3), ("desk", 6), ("lap", 4)]
            .map(|(run, number)| inbox.admit(peer(1), run, number, now))
            .into();
        assert_eq!(read, [true, true, false, false, true, true]);
        for run in 0..5 * MAX_RUNS {
            assert!(inbox.admit(peer(1), &format!("run {run}"), 1, now));
        }
        assert_eq!(inbox.senders[&peer(1)].runs.len(), MAX_RUNS);
    }

    #[test]
    fn senders_are_bounded_and_whoever_was_read_longest_ago_leaves_first() {
        let (mut inbox, start) = (Inbox::default(), Instant::now());
        let at = |number: u64| start + Duration::from_millis(number);
        for number in 0..MAX_SENDERS as u64 + 10 {
            assert!(inbox.admit(peer(number), "run", 1, at(number)));
        }
        assert_eq!(inbox.senders.len(), MAX_SENDERS);
        assert!(!inbox.admit(peer(MAX_SENDERS as u64), "run", 1, at(5000)));
        assert!(!inbox.senders.contains_key(&peer(0)) && inbox.senders.contains_key(&peer(10)));
        let later = start + REMEMBERED + Duration::from_secs(10);
        assert!(inbox.admit(peer(u64::MAX), "run", 1, later));
        assert_eq!(inbox.senders.len(), 1, "what cannot come again is forgotten");
    }
}
