//! Token bucket: a rate and a burst, the limit on messages, bytes and dials. Pure; time is an argument.

use std::time::{Duration, Instant};

/// Token bucket: lets through `rate` a second, and `burst` at once after a pause.
#[derive(Debug)]
pub struct TokenBucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub fn new(rate: f64, burst: f64, now: Instant) -> Self {
        Self { rate, burst, tokens: burst, filled: now }
    }

    /// Whether one more may pass.
    pub fn take(&mut self, now: Instant) -> bool {
        let may = self.level(now) >= 1.0;
        if may {
            self.spend(1.0);
        }
        may
    }

    /// How many may pass.
    pub fn level(&mut self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * self.rate).min(self.burst);
        self.filled = self.filled.max(now);
        self.tokens
    }

    /// When the level was last looked at.
    pub fn last_used(&self) -> Instant {
        self.filled
    }

    /// So many pass, of those that may.
    pub fn spend(&mut self, count: f64) {
        self.tokens -= count;
    }

    /// How long until so many may pass (no more than the burst).
    pub fn wait_for(&mut self, count: f64, now: Instant) -> Duration {
        let missing = count.min(self.burst) - self.level(now);
        Duration::from_secs_f64(missing.max(0.0) / self.rate)
    }

    /// When one more may pass, which is now or later.
    pub fn free_at(&self, now: Instant) -> Instant {
        let wait = Duration::try_from_secs_f64((1.0 - self.tokens) / self.rate).unwrap_or_default();
        now.max(self.filled + wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lets_through_its_burst_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(2.0, 3.0, start);
        assert_eq!((0..10).filter(|_| bucket.take(start)).count(), 3);
        assert_eq!((0..10).filter(|_| bucket.take(start + Duration::from_secs(1))).count(), 2);
        assert!(!bucket.take(start), "a clock that goes back fills nothing");
        let next = bucket.free_at(start + Duration::from_secs(1));
        assert_eq!(next, start + Duration::from_millis(1500));
        assert_eq!(bucket.free_at(start + Duration::from_secs(9)), start + Duration::from_secs(9));
        assert_eq!((0..10).filter(|_| bucket.take(start + Duration::from_secs(100))).count(), 3);
    }
}
