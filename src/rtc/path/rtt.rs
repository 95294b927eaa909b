//! RTT of a path (RFC 6298, 2): least, smoothed and variation, from transport-wide feedback and from the echoes of
//! sender reports. Pure.

use std::time::Duration;

/// Feedbacks of which the least RTT counts: each has waited at the far side until its report was due.
const FEEDBACKS: usize = 4;

/// RTT estimator of one path; another path gets another one.
#[derive(Debug, Default)]
pub(super) struct RttEstimator {
    feedbacks: [Option<Duration>; FEEDBACKS],
    min: Option<Duration>,
    smoothed: Option<Duration>,
    variation: Duration,
}

impl RttEstimator {
    /// A feedback came so long after the latest packet that it names had left.
    pub(super) fn feedback(&mut self, took: Duration) {
        self.feedbacks.rotate_right(1);
        self.feedbacks[0] = Some(took);
        let least = self.feedbacks.iter().flatten().min();
        self.sample(least.copied().unwrap_or(took));
    }

    /// An RTT without the far side's own delay (RFC 3550, 6.4.1).
    pub(super) fn sample(&mut self, took: Duration) {
        self.min = Some(self.min.map_or(took, |min| min.min(took)));
        let smoothed = self.smoothed.unwrap_or(took);
        self.variation =
            if self.smoothed.is_none() { took / 2 } else { (self.variation * 3 + smoothed.abs_diff(took)) / 4 };
        self.smoothed = Some((smoothed * 7 + took) / 8);
    }

    /// The least RTT; `None` before the first sample.
    pub(super) fn min(&self) -> Option<Duration> {
        self.min
    }

    /// The smoothed RTT; `None` before the first sample.
    pub(super) fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }

    /// The mean deviation from it.
    pub(super) fn variation(&self) -> Duration {
        self.variation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn a_longer_path_is_known_within_a_second_or_so_and_a_shorter_one_too() {
        let mut estimate = RttEstimator::default();
        assert_eq!(estimate.smoothed(), None);
        let mut before = 20_u64;
        for round_trip in [20, 220, 50, 600, 20] {
            // Feedback each 50 ms, reported up to 19 ms late.
            (0..28).for_each(|n| estimate.feedback(MS(round_trip + n * 7 % 20)));
            let off = estimate.smoothed().unwrap().abs_diff(MS(round_trip));
            assert!(off <= MS(5 + before.abs_diff(round_trip) / 10), "{round_trip}: {off:?}");
            before = round_trip;
        }
    }

    #[test]
    fn the_variation_is_that_of_the_samples() {
        let mut estimate = RttEstimator::default();
        (0..100).for_each(|_| estimate.sample(MS(80)));
        assert_eq!((estimate.smoothed(), estimate.variation()), (Some(MS(80)), Duration::ZERO));
        (0..100).for_each(|n| estimate.sample(MS(if n % 2 == 0 { 60 } else { 100 })));
        assert_eq!(estimate.min(), Some(MS(60)));
        assert!((15..25).contains(&estimate.variation().as_millis()), "{:?}", estimate.variation());
    }
}
