//! Remembers which envelopes were opened, so that none is opened twice. Owned by whoever opens envelopes; time is an
//! argument.

use std::collections::{BTreeSet, HashMap};

use super::PeerId;

/// Envelopes are refused when older (or newer) than 60 s; twice that is remembered, so that a clock that is set back by
/// less than a minute lets nothing in again.
const REMEMBERED_MS: u64 = 120_000;
const MAX_NONCES_PER_SENDER: usize = 256;
const MAX_SENDERS: usize = 4096;

/// The envelopes opened lately, per sender. What one sender does never makes another's be forgotten.
#[derive(Debug, Default)]
pub struct ReplayCache {
    senders: HashMap<PeerId, Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Time and nonce of each envelope; both are under the signature.
    envelopes: BTreeSet<(u64, u128)>,
    /// Envelopes up to this time are refused: the list of those seen was cut there.
    floor: Option<u64>,
}

impl ReplayCache {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes an envelope. False when it was noted before, or when that can no longer be told (then it must be refused).
    pub fn admit(&mut self, sender: PeerId, time_ms: u64, nonce: u128, now_ms: u64) -> bool {
        let oldest = now_ms.saturating_sub(REMEMBERED_MS);
        if !self.senders.contains_key(&sender) && self.senders.len() >= MAX_SENDERS {
            self.senders.retain(|_, seen| seen.latest().is_some_and(|latest| latest >= oldest));
            if self.senders.len() >= MAX_SENDERS {
                return false;
            }
        }
        self.senders.entry(sender).or_default().admit(time_ms, nonce, oldest)
    }
}

impl Seen {
    fn latest(&self) -> Option<u64> {
        self.envelopes.last().map(|(time, _)| *time)
    }

    fn admit(&mut self, time_ms: u64, nonce: u128, oldest: u64) -> bool {
        if self.floor.is_some_and(|floor| time_ms <= floor) || time_ms < oldest {
            return false;
        }
        while self.envelopes.first().is_some_and(|(time, _)| *time < oldest) {
            self.envelopes.pop_first();
        }
        if !self.envelopes.insert((time_ms, nonce)) {
            return false;
        }
        if self.envelopes.len() > MAX_NONCES_PER_SENDER {
            self.floor = self.envelopes.pop_first().map(|(time, _)| time);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;

    fn peer(number: u64) -> PeerId {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        PeerId::from_bytes(key)
    }

    #[test]
    fn the_same_envelope_is_admitted_once() {
        let mut cache = ReplayCache::new();
        assert!(cache.admit(peer(1), NOW, 5, NOW));
        assert!(!cache.admit(peer(1), NOW, 5, NOW));
        assert!(!cache.admit(peer(1), NOW, 5, NOW + 120_000));
        assert!(cache.admit(peer(1), NOW, 6, NOW));
        assert!(cache.admit(peer(2), NOW, 5, NOW));
    }

    #[test]
    fn a_flood_flushes_neither_its_own_past_nor_anothers() {
        let mut cache = ReplayCache::new();
        assert!(cache.admit(peer(1), NOW, 1, NOW));
        for number in 0..10_000 {
            cache.admit(peer(2), NOW + number / 100, u128::from(number), NOW + 200);
        }
        assert!(!cache.admit(peer(1), NOW, 1, NOW + 200));
        for number in 0..10_000 {
            assert!(!cache.admit(peer(2), NOW + number / 100, u128::from(number), NOW + 200));
        }
        assert!(cache.senders[&peer(2)].envelopes.len() <= MAX_NONCES_PER_SENDER);
    }

    #[test]
    fn the_number_of_senders_is_bounded_and_the_old_make_room() {
        let mut cache = ReplayCache::new();
        for number in 0..MAX_SENDERS as u64 {
            assert!(cache.admit(peer(number), NOW, 1, NOW));
        }
        assert!(!cache.admit(peer(u64::MAX), NOW, 1, NOW));
        assert!(!cache.admit(peer(0), NOW, 1, NOW));
        assert!(cache.admit(peer(u64::MAX), NOW + 120_001, 1, NOW + 120_001));
        assert!(cache.senders.len() == 1);
    }
}
