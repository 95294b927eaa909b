//! Numbers of messages. They grow from message to message of a person, and show that person nothing of how much this
//! side says to others. Pure; time is an argument.

use std::time::Instant;

use crate::identity::EnvelopeError;

/// Numbers begin below 2^48, as many microseconds as nine years have, and stay below 2^53, the whole numbers that every
/// reader of JSON keeps (RFC 8259, 6).
const FIRST_BYTES: usize = 6;

/// Numbers by the microsecond, from a random one on. A person who is forgotten is counted on all the same, without any
/// memory of them: time has passed.
#[derive(Debug)]
pub(super) struct Numbers {
    began: Instant,
    first: u64,
}

impl Numbers {
    /// Numbers from `now` on. The first is random, so that they do not tell for how long this program runs.
    pub(super) fn new(now: Instant) -> Result<Self, EnvelopeError> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes[8 - FIRST_BYTES..]).map_err(|_| EnvelopeError::Random)?;
        Ok(Self::starting_with(u64::from_be_bytes(bytes), now))
    }

    /// Numbers from `now` on, of which this is the first.
    pub(super) const fn starting_with(first: u64, now: Instant) -> Self {
        Self { began: now, first }
    }

    /// The number of a message to a person whose last one was `last`, if that is remembered.
    pub(super) fn after(&self, last: Option<u64>, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.began).as_micros();
        let by_time = self.first.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX));
        last.map_or(by_time, |last| by_time.max(last.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn numbers_grow_within_a_moment_over_time_and_when_the_last_one_is_forgotten() {
        let start = Instant::now();
        let numbers = Numbers::new(start).unwrap();
        let mut last = None;
        for _ in 0..1000 {
            let next = numbers.after(last, start);
            assert!(last.is_none_or(|last| next == last + 1));
            last = Some(next);
        }
        let later = start + Duration::from_millis(2);
        assert!(Some(numbers.after(last, later)) > last && Some(numbers.after(None, later)) > last);
        let years = start + Duration::from_secs(20 * 365 * 86_400);
        assert!(numbers.after(last, years) < 1 << 53);
    }
}
