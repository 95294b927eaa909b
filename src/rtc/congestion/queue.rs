//! How long packets wait on the path, from their delays, and how much of that is mere jitter.
//!
//! Clocks of both sides need not agree: what counts is the delay beyond the least one of the last seconds.

use std::time::{Duration, Instant};

use super::estimator::Report;

/// The least delay of this time is the path's own.
const OWN_WINDOW: Duration = Duration::from_secs(10);
/// The least delay of fewer packets goes back and forth for reasons of their own.
const ENOUGH_ARRIVED: usize = 3;
/// How much a change of direction moves the jitter.
const JITTER_WEIGHT: f64 = 1.0 / 16.0;

/// Measures the queue on the path.
#[derive(Debug, Default)]
pub(super) struct PathQueue {
    first_departure: Option<Instant>,
    own_delay: LeastOf,
    delay: f64,
    latest_change: f64,
    queue: Duration,
    jitter: f64,
}

impl PathQueue {
    /// Takes the latest report. The queue is the least delay of its packets beyond that of the last seconds.
    pub(super) fn measure(&mut self, reports: &[Report], now: Instant) {
        let first = *self.first_departure.get_or_insert(now);
        let delays = reports.iter().filter_map(|report| {
            Some(report.arrival?.as_secs_f64() - report.departure.saturating_duration_since(first).as_secs_f64())
        });
        let Some(least) = delays.min_by(f64::total_cmp) else { return };
        let own = self.own_delay.note(least, now, OWN_WINDOW);
        self.queue = Duration::try_from_secs_f64((least - own).max(0.0)).unwrap_or_default();
        let change = least - std::mem::replace(&mut self.delay, least);
        // A queue that grows or drains goes one way; what goes back and forth is jitter.
        let tells = reports.iter().filter(|report| report.arrival.is_some()).count() >= ENOUGH_ARRIVED;
        let reverses = tells && change * self.latest_change < 0.0;
        let reversal = if reverses { change.abs().min(self.latest_change.abs()) } else { 0.0 };
        self.latest_change = change;
        self.jitter += (reversal.min(1.0) - self.jitter) * JITTER_WEIGHT;
    }

    /// A packet leaves: delays count from the first one.
    pub(super) fn on_departure(&mut self, now: Instant) {
        self.first_departure.get_or_insert(now);
    }

    /// How long packets wait, by the latest report that told of any.
    pub(super) fn length(&self) -> Duration {
        self.queue
    }

    /// By how much the delay goes back and forth from report to report, on average.
    pub(super) fn jitter(&self) -> Duration {
        Duration::from_secs_f64(self.jitter)
    }
}

/// The least value of a window that moves in two steps.
#[derive(Debug, Default)]
pub(super) struct LeastOf {
    /// The least of this step and of the one before, and when this one began.
    state: Option<(f64, f64, Instant)>,
}

impl LeastOf {
    pub(super) fn note(&mut self, value: f64, now: Instant, window: Duration) -> f64 {
        let (least, before, since) = self.state.unwrap_or((value, value, now));
        let state = if now.saturating_duration_since(since) >= window / 2 {
            (value, least, now)
        } else {
            (least.min(value), before, since)
        };
        self.state = Some(state);
        state.0.min(state.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue_of(delays_ms: impl Iterator<Item = u64>) -> PathQueue {
        let start = Instant::now();
        let mut queue = PathQueue::default();
        queue.on_departure(start);
        for (n, delay) in delays_ms.enumerate() {
            let departure = start + Duration::from_millis(n as u64 * 50);
            let arrival = Duration::from_millis(5000 + n as u64 * 50 + delay);
            queue.measure(&[Report { departure, size: 1000, arrival: Some(arrival) }; 3], departure);
        }
        queue
    }

    #[test]
    fn a_queue_that_grows_and_drains_is_no_jitter() {
        let queue = queue_of((0..50).map(|n| 20 + n * 8).chain((0..40).map(|n| 412 - n * 8)));
        assert_eq!(queue.length(), Duration::from_millis(80));
        assert!(queue.jitter() < Duration::from_millis(1), "{:?}", queue.jitter());
    }

    #[test]
    fn a_delay_that_goes_back_and_forth_is_jitter() {
        let queue = queue_of((0..100).map(|n| if n % 2 == 0 { 20 } else { 60 }));
        assert!(queue.jitter() > Duration::from_millis(35), "{:?}", queue.jitter());
    }
}
