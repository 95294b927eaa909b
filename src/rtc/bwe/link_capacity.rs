//! Link-capacity estimate: the rate at which the path was last found full (libwebrtc,
//! `goog_cc/link_capacity_estimator.cc`, without its variance).

/// A rate above this share of the estimate is near it.
const NEAR: f64 = 0.7;
/// An acked bitrate that exceeds the estimate by this factor disproves it.
const PASSED: f64 = 1.15;
/// A packet more or less within the window moves the acked bitrate by as much, in bit/s.
const RATE_NOISE_BPS: f64 = 20_000.0;

/// The estimate, in bit/s; none before the path was full, and after it has turned out to carry more.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct LinkCapacityEstimate {
    bps: Option<f64>,
}

impl LinkCapacityEstimate {
    /// The path is full at this rate.
    pub(super) fn of(bps: f64) -> Self {
        Self { bps: Some(bps) }
    }

    /// The estimate in bit/s.
    pub(super) fn bps(self) -> Option<f64> {
        self.bps
    }

    /// There is an estimate.
    pub(super) fn is_known(self) -> bool {
        self.bps.is_some()
    }

    /// Whether as much arrives as the path cannot carry by this estimate.
    pub(super) fn is_passed_by(self, acked_bps: f64) -> bool {
        self.bps.is_some_and(|bps| acked_bps > bps * PASSED + RATE_NOISE_BPS)
    }

    /// Whether so little arrives that nothing is known of the capacity now.
    pub(super) fn is_unused_by(self, acked_bps: f64) -> bool {
        self.bps.is_some_and(|bps| acked_bps < bps * NEAR)
    }

    /// Whether a rate is near the capacity.
    pub(super) fn is_near(self, bps: f64) -> bool {
        self.bps.is_some_and(|capacity| bps > capacity * NEAR)
    }

    /// The rate up to which growth is safe near the capacity: an encoder may leave room now and fill it later, all at
    /// once.
    pub(super) fn proven_by(acked_bps: f64) -> f64 {
        acked_bps * PASSED + 2.0 * RATE_NOISE_BPS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_holds_between_what_disproves_it_and_what_says_nothing_of_it() {
        let capacity = LinkCapacityEstimate::of(1e6);
        assert_eq!([1_160_000.0, 1_180_000.0].map(|bps| capacity.is_passed_by(bps)), [false, true]);
        assert_eq!([690_000.0, 710_000.0].map(|bps| capacity.is_unused_by(bps)), [true, false]);
        assert_eq!([690_000.0, 710_000.0].map(|bps| capacity.is_near(bps)), [false, true]);
        let unknown = LinkCapacityEstimate::default();
        assert!(
            !unknown.is_known() && !unknown.is_passed_by(1e9) && !unknown.is_unused_by(0.0) && !unknown.is_near(1e9)
        );
    }
}
