//! Remembers which envelopes were received, so that none is taken twice. Owned by whoever takes envelopes, after the signer
//! is known to be who they should be: made-up signers leave nothing here. Time is an argument.

use std::collections::{BTreeSet, HashMap};

use super::{EnvelopeError, Opened, PeerId};

/// Envelopes are refused when older (or newer) than 60 s; twice that is remembered, so that a clock that is set back by
/// less than a minute lets nothing in again.
const REMEMBERED_MS: u64 = 120_000;
const MAX_NONCES_PER_SENDER: usize = 256;
/// Senders beyond this number are remembered only when they are known people, of whom there are as many as were added.
const MAX_SENDERS: usize = 1024;

/// The envelopes received lately, per sender. What one sender does never makes another's be forgotten or refused.
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

    /// Notes an envelope. It is refused when it was noted before, or when that can no longer be told; and that of a new
    /// sender when there are too many, unless they are `known`.
    pub fn admit(&mut self, opened: &Opened, known: bool, now_ms: u64) -> Result<(), EnvelopeError> {
        let oldest = now_ms.saturating_sub(REMEMBERED_MS);
        if !self.senders.contains_key(&opened.from) && self.senders.len() >= MAX_SENDERS {
            self.senders.retain(|_, seen| seen.latest().is_some_and(|latest| latest >= oldest));
            if self.senders.len() >= MAX_SENDERS && !known {
                return Err(EnvelopeError::TooManySenders);
            }
        }
        let is_new = self.senders.entry(opened.from).or_default().admit(opened.stamp, oldest);
        if is_new { Ok(()) } else { Err(EnvelopeError::Replayed) }
    }
}

impl Seen {
    fn latest(&self) -> Option<u64> {
        self.envelopes.last().map(|(time, _)| *time)
    }

    fn admit(&mut self, (time_ms, nonce): (u64, u128), oldest: u64) -> bool {
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

    fn admit(cache: &mut ReplayCache, from: PeerId, stamp: (u64, u128), now_ms: u64) -> Result<(), EnvelopeError> {
        cache.admit(&Opened { from, body: Vec::new(), stamp }, false, now_ms)
    }

    #[test]
    fn the_same_envelope_is_admitted_once() {
        let mut cache = ReplayCache::new();
        assert_eq!(admit(&mut cache, peer(1), (NOW, 5), NOW), Ok(()));
        assert_eq!(admit(&mut cache, peer(1), (NOW, 5), NOW), Err(EnvelopeError::Replayed));
        assert_eq!(admit(&mut cache, peer(1), (NOW, 5), NOW + 120_000), Err(EnvelopeError::Replayed));
        assert_eq!(admit(&mut cache, peer(1), (NOW, 6), NOW), Ok(()));
        assert_eq!(admit(&mut cache, peer(2), (NOW, 5), NOW), Ok(()));
    }

    #[test]
    fn a_flood_flushes_neither_its_own_past_nor_anothers() {
        let mut cache = ReplayCache::new();
        assert!(admit(&mut cache, peer(1), (NOW, 1), NOW).is_ok());
        let flood = |cache: &mut ReplayCache| {
            let stamps = (0..10_000).map(|number| (NOW + number / 100, u128::from(number)));
            stamps.filter(|&stamp| admit(cache, peer(2), stamp, NOW + 200).is_ok()).count()
        };
        flood(&mut cache);
        assert_eq!(admit(&mut cache, peer(1), (NOW, 1), NOW + 200), Err(EnvelopeError::Replayed));
        assert_eq!(flood(&mut cache), 0);
        assert!(cache.senders[&peer(2)].envelopes.len() <= MAX_NONCES_PER_SENDER);
    }

    #[test]
    fn too_many_strangers_are_refused_in_so_many_words_and_known_people_are_not() {
        let mut cache = ReplayCache::new();
        for number in 0..MAX_SENDERS as u64 {
            assert!(admit(&mut cache, peer(number), (NOW, 1), NOW).is_ok());
        }
        let newcomer = Opened { from: peer(u64::MAX), body: Vec::new(), stamp: (NOW, 1) };
        assert_eq!(cache.admit(&newcomer, false, NOW), Err(EnvelopeError::TooManySenders));
        assert_eq!(admit(&mut cache, peer(0), (NOW, 1), NOW), Err(EnvelopeError::Replayed), "nobody is forgotten");
        assert_eq!(admit(&mut cache, peer(0), (NOW, 2), NOW), Ok(()), "who wrote before goes on");
        assert_eq!(cache.admit(&newcomer, true, NOW), Ok(()));
        assert_eq!(cache.admit(&newcomer, true, NOW), Err(EnvelopeError::Replayed));
    }

    #[test]
    fn those_who_wrote_long_ago_make_room() {
        let mut cache = ReplayCache::new();
        for number in 0..MAX_SENDERS as u64 {
            assert!(admit(&mut cache, peer(number), (NOW, 1), NOW).is_ok());
        }
        assert_eq!(admit(&mut cache, peer(u64::MAX), (NOW + 120_001, 1), NOW + 120_001), Ok(()));
        assert_eq!(cache.senders.len(), 1);
    }
}
