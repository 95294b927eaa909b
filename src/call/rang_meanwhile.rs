//! People who have rung in vain while something else went on, so that nobody fills the history by ringing on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::identity::PeerId;
use crate::media::MediaTime;

/// Strangers who are reported while one thing goes on.
const MAX_STRANGERS: usize = 16;
/// From one report of a contact to the next: a copy of an invite, or another call.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct RangMeanwhile {
    strangers: BTreeSet<PeerId>,
    /// When each contact was reported last.
    contacts: BTreeMap<PeerId, MediaTime>,
}

impl RangMeanwhile {
    /// Notes a call in vain at `now`; whether it is to be reported: a contact's again after a while, since it may come
    /// with another note, a stranger's once.
    pub(super) fn note(&mut self, from: PeerId, contact: bool, now: MediaTime) -> bool {
        if !contact {
            return self.strangers.len() < MAX_STRANGERS && self.strangers.insert(from);
        }
        let reported = self.contacts.get(&from).is_some_and(|&last| now < last + AGAIN_AFTER);
        if !reported {
            self.contacts.insert(from, now);
        }
        !reported
    }

    /// Begins anew: nothing goes on any more.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_reported_once_and_few_of_them_and_contacts_again_after_a_while() {
        let peer = |number: u8| PeerId::from_bytes([number; 32]);
        let at = MediaTime::from_millis;
        let mut rang = RangMeanwhile::default();
        let strangers = (0..200).filter(|&number| rang.note(peer(number), false, at(0)));
        assert_eq!(strangers.count(), MAX_STRANGERS);
        assert!(!rang.note(peer(0), false, at(600_000)));
        for (ms, reported) in [(0, true), (9_000, false), (10_000, true), (19_000, false)] {
            assert_eq!(rang.note(peer(255), true, at(ms)), reported, "{ms}");
        }
        rang.clear();
        assert!(rang.note(peer(0), false, at(0)) && rang.note(peer(255), true, at(0)));
    }
}
