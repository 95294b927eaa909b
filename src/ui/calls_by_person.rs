//! Calls of the history with each person: the last one, and how many were missed.

use std::collections::HashMap;
use std::sync::Arc;

use crate::controller::HistoryEntry;
use crate::identity::PeerId;

/// Calls with one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Calls {
    /// Index of the latest in the history.
    last: usize,
    /// Missed ones that nobody has looked at.
    missed: u32,
}

/// The calls with each person of a history; counted once for each history, not in each frame.
#[derive(Debug, Default)]
pub struct CallsByPerson {
    history: Option<Arc<[HistoryEntry]>>,
    calls: HashMap<PeerId, Calls>,
}

impl CallsByPerson {
    /// Takes the present history, which has the latest call first.
    pub fn follow(&mut self, history: &Arc<[HistoryEntry]>) {
        if self.history.as_ref().is_some_and(|known| Arc::ptr_eq(known, history)) {
            return;
        }
        self.calls.clear();
        for (index, entry) in history.iter().enumerate() {
            let missed = if entry.seen { 0 } else { entry.times };
            self.calls.entry(entry.peer).or_insert(Calls { last: index, missed: 0 }).missed += missed;
        }
        self.history = Some(Arc::clone(history));
    }

    /// The last call with a person, and how many of theirs were missed and not looked at.
    pub fn with(&self, person: PeerId) -> (Option<&HistoryEntry>, u32) {
        let Some(calls) = self.calls.get(&person) else { return (None, 0) };
        let last = self.history.as_ref().and_then(|history| history.get(calls.last));
        (last, calls.missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::{Outcome, OutcomeKind};

    fn missed(number: i64, peer: u8, times: u32, seen: bool) -> HistoryEntry {
        let (peer, name) = (PeerId::from_bytes([peer; 32]), String::from("Bob"));
        let ended = Outcome { peer, name: name.clone(), kind: OutcomeKind::Missed };
        let (note, at_unix_s) = (String::new(), -number);
        HistoryEntry { number, times, seen, note, peer, name, outgoing: false, at_unix_s, duration_s: 0, ended }
    }

    #[test]
    fn each_person_has_the_latest_call_and_the_count_of_missed_ones_of_the_present_history() {
        let [bob, ana] = [1, 2].map(|peer| PeerId::from_bytes([peer; 32]));
        let mut calls = CallsByPerson::default();
        let of = |calls: &CallsByPerson, person| {
            let (last, missed) = calls.with(person);
            (last.map(|call| call.number), missed)
        };
        assert_eq!(of(&calls, bob), (None, 0));
        let first: Arc<[HistoryEntry]> =
            [missed(1, 1, 2, false), missed(2, 2, 1, true), missed(3, 1, 1, false), missed(4, 1, 5, true)].into();
        calls.follow(&first);
        calls.follow(&first);
        assert_eq!((of(&calls, bob), of(&calls, ana)), ((Some(1), 3), (Some(2), 0)));
        calls.follow(&[missed(5, 2, 1, false)].into());
        assert_eq!((of(&calls, bob), of(&calls, ana)), ((None, 0), (Some(5), 1)));
    }
}
