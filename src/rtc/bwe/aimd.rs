//! Rate control: the target falls at once below what arrives, and grows by steps near the link's capacity, by a factor
//! elsewhere (AIMD; draft-ietf-rmcat-gcc-02, 5.5; libwebrtc, `remote_bitrate_estimator/aimd_rate_control.cc`).
//!
//! Growth is by half in each 200 ms where the capacity is not known or was passed, by a packet each RTT near a known
//! capacity, by 3 % in each 200 ms once that was found long ago (0.6 % while packet pairs confirm it); never beyond 1.5
//! times what arrives (1.15 near the capacity), because a rate that is not sent proves nothing.

use std::time::{Duration, Instant};

use super::link_capacity::LinkCapacityEstimate;
use super::packet_pairs::PairVerdict;
use crate::rtc::path::START_BPS;

/// Bounds of the rate, bit/s.
const MIN_BPS: f64 = 80_000.0;
const MAX_BPS: f64 = 100_000_000.0;
/// Backing off: to this share of what arrives.
const BACK_OFF: f64 = 0.85;
/// Beside the RTT and the queuing delay, the time that a lower rate takes to show: the encoder's and the feedback's.
const SETTLING: Duration = Duration::from_millis(150);
/// A queue that is no longer than this share of what it was is draining.
const DRAINED: f64 = 0.8;
/// A back-off within this time after another one lowers the rate to no less than this share.
const AGAIN: Duration = Duration::from_secs(2);
const BACK_OFF_AGAIN: f64 = 0.7;
/// A queue of this side's own becomes shorter by more than this share of the time since the rate was lowered again.
const DRAINS: f64 = 0.1;
/// Growing where no capacity is known: by this factor in each interval.
const GROWTH: f64 = 1.5;
/// The same on a very thin path (below so many bit/s) soon after its capacity was found, though it was passed since: a
/// few packets had told of it, and a few more make a queue.
const GROWTH_SOON: f64 = 1.15;
const VERY_THIN: f64 = 160_000.0;
const GROWTH_INTERVAL: Duration = Duration::from_millis(200);
/// Growing where a capacity was known, but not reached for a time.
const CAREFUL_GROWTH: f64 = 1.03;
/// Growing near a capacity that packet pairs confirm: from this share of it on, by this factor, and up to this share.
const CONFIRMED_NEAR: f64 = 0.8;
const CONFIRMED_GROWTH: f64 = 1.006;
const CONFIRMED_SHARE: f64 = 0.95;
const CAPACITY_DOUBTFUL: Duration = Duration::from_secs(3);
/// Up to this rate, in bit/s, no more than a few packets tell of the capacity after a fall.
const FEW_PACKETS_BPS: f64 = 500_000.0;
/// The target may exceed the acked bitrate by this factor, and by this rate.
const PROVEN_FACTOR: f64 = 1.5;
const PROVEN_EXTRA_BPS: f64 = 50_000.0;
/// The least step of growth near the capacity, in bits a response, and the largest: a packet.
const MIN_STEP: f64 = 2000.0;
const MAX_STEP: f64 = 9600.0;

/// The target rate, and how it came about.
#[derive(Debug)]
pub(super) struct AimdRateControl {
    target_bps: f64,
    capacity: LinkCapacityEstimate,
    changed_at: Option<Instant>,
    backed_off_at: Option<Instant>,
    /// The back-off came soon after another one.
    backed_off_again: bool,
    /// The queuing delay when the rate was last lowered.
    queue_then: Duration,
}

impl Default for AimdRateControl {
    fn default() -> Self {
        Self {
            target_bps: START_BPS as f64,
            capacity: LinkCapacityEstimate::default(),
            changed_at: None,
            backed_off_at: None,
            backed_off_again: false,
            queue_then: Duration::ZERO,
        }
    }
}

impl AimdRateControl {
    /// The target in bit/s.
    pub(super) fn target_bps(&self) -> f64 {
        self.target_bps
    }

    pub(super) fn capacity(&self) -> LinkCapacityEstimate {
        self.capacity
    }

    /// Forgets what the path carries: it is to be found anew.
    pub(super) fn forget_capacity(&mut self) {
        self.capacity = LinkCapacityEstimate::default();
    }

    /// When the rate was last changed.
    pub(super) fn changed_at(&self) -> Option<Instant> {
        self.changed_at
    }

    /// When the rate was last lowered below what arrived.
    pub(super) fn backed_off_at(&self) -> Option<Instant> {
        self.backed_off_at
    }

    /// Sets the target.
    pub(super) fn set(&mut self, bps: f64, now: Instant) {
        self.target_bps = bps.clamp(MIN_BPS, MAX_BPS);
        self.changed_at = Some(now);
    }

    /// The first packets went at no more than `bps`.
    pub(super) fn cap_unheard(&mut self, bps: f64) {
        self.target_bps = self.target_bps.min(bps);
    }

    /// A packet train came out of the link at `bps`, which is full at that.
    pub(super) fn found_full(&mut self, bps: f64, now: Instant) {
        self.capacity = LinkCapacityEstimate::of(bps);
        self.backed_off_at = Some(now);
    }

    /// Goes back to a rate and a capacity that were right.
    pub(super) fn restore(&mut self, bps: f64, capacity: LinkCapacityEstimate, now: Instant) {
        self.capacity = capacity;
        self.set(self.target_bps.max(bps), now);
    }

    /// The next back-off counts as the first one.
    pub(super) fn forget_back_offs(&mut self) {
        self.backed_off_again = false;
    }

    /// The latest change has had the time to show.
    pub(super) fn has_settled(&self, rtt: Duration, queuing_delay: Duration, now: Instant) -> bool {
        let response = SETTLING + rtt + queuing_delay;
        self.backed_off_at.is_none_or(|at| now.saturating_duration_since(at) >= response)
    }

    /// Whether the lower rate suffices: the queue is shorter than it was, and will be gone. Notes its length.
    pub(super) fn update_draining(&mut self, queue: Duration, now: Instant) -> bool {
        let is_draining = queue < self.queue_then.mul_f64(DRAINED);
        if is_draining {
            self.queue_then = queue;
            self.backed_off_at = Some(now);
        }
        is_draining
    }

    /// Whether the rate was lowered again and again for a `queue` that became neither shorter nor longer by more than
    /// `tolerance`: that is not this side's.
    pub(super) fn queue_ignores_the_rate(&self, queue: Duration, tolerance: Duration, now: Instant) -> bool {
        let Some(at) = self.backed_off_at.filter(|_| self.backed_off_again) else { return false };
        let fall = now.saturating_duration_since(at).mul_f64(DRAINS);
        queue + fall > self.queue_then && queue < self.queue_then + tolerance
    }

    /// Lowers the rate below what arrives; false where it is that low.
    pub(super) fn back_off(&mut self, acked_bps: f64, queue: Duration, now: Instant) -> bool {
        let lower = acked_bps * BACK_OFF;
        let again = self.backed_off_at.is_some_and(|at| now.saturating_duration_since(at) < AGAIN);
        let lower = if again { lower.max(self.target_bps * BACK_OFF_AGAIN) } else { lower };
        let lowers = lower < self.target_bps;
        if lowers {
            self.backed_off_again = again;
            self.found_full(acked_bps, now);
            self.queue_then = queue;
            self.set(lower, now);
        }
        lowers
    }

    /// A probe arrived at `bps`; the path carries no more than that where it was `saturated`.
    pub(super) fn probed(&mut self, bps: f64, saturated: bool, now: Instant) {
        let carried = if saturated { bps * BACK_OFF } else { bps };
        if carried > self.target_bps {
            self.capacity = if saturated { LinkCapacityEstimate::of(bps) } else { LinkCapacityEstimate::default() };
            self.set(carried, now);
        }
    }

    /// Raises the rate, as packet pairs tell of the capacity.
    pub(super) fn grow(&mut self, acked_bps: f64, pairs: PairVerdict, rtt: Duration, now: Instant) {
        if self.capacity.is_passed_by(acked_bps) || pairs == PairVerdict::Wider {
            self.forget_capacity();
        }
        // The first packets after a fall of the rate tell too little: a capacity that is passed is found anew by pairs.
        if let PairVerdict::Carries(bps) = pairs
            && bps <= FEW_PACKETS_BPS
            && !self.capacity.is_known()
        {
            self.capacity = LinkCapacityEstimate::of(bps);
        }
        let elapsed =
            self.changed_at.map_or(GROWTH_INTERVAL, |at| now.saturating_duration_since(at)).min(GROWTH_INTERVAL);
        let intervals = elapsed.as_secs_f64() / GROWTH_INTERVAL.as_secs_f64();
        let (grown, most) = match pairs {
            PairVerdict::Carries(bps) => {
                let capacity = self.capacity.bps().map_or(bps, |found| found.min(bps));
                let near = self.target_bps >= capacity * CONFIRMED_NEAR;
                let growth: f64 = if near { CONFIRMED_GROWTH } else { GROWTH_SOON };
                (self.target_bps * growth.powf(intervals), bps * CONFIRMED_SHARE)
            }
            _ => (self.grown_unconfirmed(acked_bps, rtt, elapsed, now), f64::INFINITY),
        };
        let proven = if self.capacity.is_known() && most.is_infinite() {
            LinkCapacityEstimate::proven_by(acked_bps)
        } else {
            acked_bps * PROVEN_FACTOR + PROVEN_EXTRA_BPS
        };
        self.set(self.target_bps.max(grown.min(proven).min(most)), now);
    }

    /// The next rate while no packet pairs confirm the capacity.
    fn grown_unconfirmed(&mut self, acked_bps: f64, rtt: Duration, elapsed: Duration, now: Instant) -> f64 {
        let doubtful = self.backed_off_at.is_none_or(|at| now.saturating_duration_since(at) > CAPACITY_DOUBTFUL);
        if doubtful && self.capacity.is_unused_by(acked_bps) {
            self.forget_capacity();
        }
        let intervals = elapsed.as_secs_f64() / GROWTH_INTERVAL.as_secs_f64();
        if self.capacity.is_known() && doubtful {
            // The capacity was found long ago: it may be another one now.
            self.target_bps * CAREFUL_GROWTH.powf(intervals)
        } else if self.capacity.is_near(self.target_bps) {
            // A packet, or a hundredth, in each round trip and the time that feedback takes.
            let response = rtt + Duration::from_millis(100);
            let step = (self.target_bps / 100.0).clamp(MIN_STEP, MAX_STEP);
            self.target_bps + step * elapsed.as_secs_f64() / response.as_secs_f64()
        } else {
            let growth = if doubtful || self.target_bps >= VERY_THIN { GROWTH } else { GROWTH_SOON };
            self.target_bps * growth.powf(intervals)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn the_rate_falls_below_what_arrives_and_returns_by_steps() {
        let start = Instant::now();
        let mut control = AimdRateControl::default();
        assert!(control.back_off(500_000.0, MS(200), start));
        assert_eq!(control.target_bps(), 425_000.0);
        assert!(
            !control.has_settled(MS(50), MS(100), start + MS(299))
                && control.has_settled(MS(50), MS(100), start + MS(300))
        );
        assert!(control.back_off(100_000.0, MS(200), start + MS(500)));
        assert_eq!(control.target_bps(), 425_000.0 * BACK_OFF_AGAIN, "soon after another one");
        let before = control.target_bps();
        control.grow(95_000.0, PairVerdict::Unknown, MS(50), start + MS(700));
        assert!(control.target_bps() < before * 1.02, "near the capacity");
        let mut free = AimdRateControl::default();
        free.grow(1e6, PairVerdict::Unknown, MS(50), start);
        assert_eq!(free.target_bps(), 1e6 * GROWTH);
        free.grow(1e5, PairVerdict::Unknown, MS(50), start + MS(200));
        assert_eq!(free.target_bps(), 1e6 * GROWTH, "no more than is proven");
    }

    #[test]
    fn a_capacity_that_is_confirmed_is_not_exceeded() {
        let start = Instant::now();
        let mut control = AimdRateControl::default();
        control.back_off(140_000.0, MS(200), start);
        for n in 0..200 {
            let acked = control.target_bps().min(150_000.0);
            control.grow(acked, PairVerdict::Carries(150_000.0), MS(50), start + MS(500 + n * 50));
        }
        assert!((141_000.0..=142_500.0).contains(&control.target_bps()), "{}", control.target_bps());
    }

    #[test]
    fn a_capacity_that_was_found_too_low_is_found_anew_from_pairs() {
        let start = Instant::now();
        let mut control = AimdRateControl::default();
        control.back_off(66_000.0, MS(200), start);
        control.grow(130_000.0, PairVerdict::Unknown, MS(50), start + MS(500));
        assert_eq!(control.capacity().bps(), None, "it is passed");
        control.grow(130_000.0, PairVerdict::Carries(150_000.0), MS(50), start + MS(550));
        assert_eq!(control.capacity().bps(), Some(150_000.0));
        // From now on the pairs disagree.
        for n in 0..40 {
            let acked = control.target_bps().min(140_000.0);
            control.grow(acked, PairVerdict::Unknown, MS(50), start + MS(600 + n * 50));
        }
        assert!(control.target_bps() < 205_000.0, "no more than is proven: {}", control.target_bps());
    }

    #[test]
    fn a_probe_raises_the_rate_and_never_lowers_it() {
        let start = Instant::now();
        let mut control = AimdRateControl::default();
        control.probed(500e3, false, start);
        assert_eq!(control.target_bps(), START_BPS as f64);
        control.probed(2e6, false, start);
        assert!(control.target_bps() == 2e6 && !control.capacity().is_known());
        control.probed(3e6, true, start);
        assert!(control.target_bps() == 3e6 * BACK_OFF && control.capacity().is_known());
    }

    #[test]
    fn bounds_hold() {
        let start = Instant::now();
        let mut control = AimdRateControl::default();
        control.back_off(1.0, MS(500), start);
        assert_eq!(control.target_bps(), MIN_BPS);
        (0..200).for_each(|n| control.grow(1e12, PairVerdict::Unknown, MS(1), start + MS(4000 + n * 200)));
        assert_eq!(control.target_bps(), MAX_BPS);
    }
}
