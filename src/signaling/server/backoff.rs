//! Backoff: pauses before a server is dialed again. Random, so that the apps of a server that was started anew do not
//! all come at once. Pure; time and chance are arguments.

use std::time::{Duration, Instant};

/// After the loss of a connection.
const AFTER_LOSS: Duration = Duration::from_secs(2);
/// Between tries of the first minute: a server that comes back is found within 3 s.
const SOON: Duration = Duration::from_secs(2);
const FIRST_MINUTE: Duration = Duration::from_secs(60);
/// Between later tries.
const LONGEST: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    /// Since when the server is not reached.
    since: Option<Instant>,
    /// Pauses since the first minute.
    late: u32,
}

impl Backoff {
    /// The server was reached.
    pub(super) const fn reached(&mut self) {
        *self = Self { since: None, late: 0 };
    }

    /// Pause before the next try; `chance` is in 0..1.
    pub(super) fn pause(&mut self, now: Instant, chance: f64) -> Duration {
        let Some(since) = self.since else {
            self.since = Some(now);
            return AFTER_LOSS.mul_f64(chance);
        };
        if now.saturating_duration_since(since) >= FIRST_MINUTE {
            self.late = (self.late + 1).min(4);
        }
        (SOON * 2_u32.pow(self.late)).min(LONGEST).mul_f64(0.5 + chance / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_frequent_for_a_minute_and_rarer_later() {
        let start = Instant::now();
        let mut backoff = Backoff::default();
        assert!(backoff.pause(start, 0.999) < AFTER_LOSS && Backoff::default().pause(start, 0.0).is_zero());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!((1..59).all(|second| backoff.pause(at(second), 0.999) <= SOON));
        let later: Vec<_> = (0..8).map(|_| backoff.pause(at(61), 0.999).as_secs_f64().round() as u64).collect();
        assert_eq!(later, [4, 8, 16, 30, 30, 30, 30, 30]);
        backoff.reached();
        assert!(backoff.pause(at(99), 0.5) <= AFTER_LOSS);
    }
}
