//! Leaky bucket: the bytes that may leave at a rate, and the credit of a pause.
//!
//! Owned by the pacer; time is an argument.

use std::time::{Duration, Instant};

/// Bytes that may leave. Something may leave while there is credit, and may leave a debt.
#[derive(Debug)]
pub(super) struct LeakyBucket {
    credit_bytes: f64,
    bytes_per_second: f64,
    at: Option<Instant>,
}

impl LeakyBucket {
    /// A bucket with a credit that no pause has to earn.
    pub(super) fn new(credit_bytes: f64) -> Self {
        Self { credit_bytes, bytes_per_second: 1.0, at: None }
    }

    /// Goes on to `now` at a rate. A pause earns `depth_bytes` at most; earlier credit is not taken away.
    pub(super) fn advance(&mut self, bytes_per_second: f64, depth_bytes: f64, now: Instant) {
        self.bytes_per_second = bytes_per_second.max(1.0);
        let elapsed = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let earned = elapsed.as_secs_f64() * self.bytes_per_second;
        self.credit_bytes = (self.credit_bytes + earned).min(depth_bytes.max(self.credit_bytes));
        self.at = Some(now);
    }

    /// Gives at least so much credit.
    pub(super) fn raise(&mut self, credit_bytes: f64) {
        self.credit_bytes = self.credit_bytes.max(credit_bytes);
    }

    /// Takes away credit beyond so much.
    pub(super) fn cap(&mut self, credit_bytes: f64) {
        self.credit_bytes = self.credit_bytes.min(credit_bytes);
    }

    /// Something may leave.
    pub(super) fn is_open(&self) -> bool {
        self.credit_bytes > 0.0
    }

    /// When something may leave, as seen at `now`, to which the bucket has gone on.
    pub(super) fn opens_at(&self, now: Instant) -> Instant {
        if self.is_open() {
            now
        } else {
            now + Duration::from_secs_f64((1.0 - self.credit_bytes) / self.bytes_per_second)
        }
    }

    /// So many bytes leave.
    pub(super) fn take(&mut self, bytes: usize) {
        self.credit_bytes -= bytes as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_follows_the_rate_and_a_pause_saves_no_more_than_the_depth() {
        let start = Instant::now();
        let mut bucket = LeakyBucket::new(5000.0);
        let mut left = [0; 2];
        for ms in 0..2000 {
            bucket.advance(100_000.0, 1000.0, start + Duration::from_millis(ms));
            while bucket.is_open() && ms >= 1000 {
                bucket.take(500);
                left[usize::from(ms > 1000)] += 500;
            }
        }
        assert_eq!(left[0], 5000, "what was given at the start is kept");
        assert!((99_500..=100_500).contains(&left[1]), "{left:?}");
        bucket.advance(100_000.0, 1000.0, start + Duration::from_secs(60));
        let mut at_once = 0;
        while bucket.is_open() {
            bucket.take(500);
            at_once += 1;
        }
        assert_eq!(at_once, 2);
    }

    #[test]
    fn a_closed_bucket_tells_when_it_opens() {
        let start = Instant::now();
        let mut bucket = LeakyBucket::new(1.0);
        bucket.advance(1000.0, 1.0, start);
        bucket.take(501);
        let opens = bucket.opens_at(start);
        assert!(!bucket.is_open() && opens > start + Duration::from_millis(499));
        bucket.advance(1000.0, 1.0, opens);
        assert!(bucket.is_open() && opens < start + Duration::from_millis(502));
    }
}
