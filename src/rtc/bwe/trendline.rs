//! Trendline estimator: the slope of the delay over the last groups of packets, against an adaptive threshold, tells
//! whether a queue grows (draft-ietf-rmcat-gcc-02, 5.2 to 5.4; libwebrtc, `goog_cc/trendline_estimator.cc` and
//! `goog_cc/inter_arrival_delta.cc`; Carlucci et al., 2016). Pure.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Use of the path's bandwidth, as the delay tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum BandwidthUsage {
    /// It stays as it is.
    #[default]
    Normal,
    /// It grows: more is sent than the path carries.
    Over,
    /// It shrinks: a queue drains.
    Under,
}

/// Packets that leave within this time are one group: a burst says little about the path packet by packet.
const GROUP: Duration = Duration::from_millis(5);
/// Groups that the line is fitted to.
const WINDOW: usize = 20;
/// How much of the old value the smoothed delay keeps with each group.
const SMOOTHING: f64 = 0.9;
/// The slope is counted so many times, by up to so many groups.
const GAIN: f64 = 4.0;
const MAX_GROUPS: u32 = 60;
/// The threshold at first, and its bounds, in ms.
const FIRST_THRESHOLD: f64 = 12.5;
const THRESHOLDS: std::ops::RangeInclusive<f64> = 6.0..=600.0;
/// The threshold follows the trend by this much a ms, upwards and downwards.
const THRESHOLD_UP: f64 = 0.0087;
const THRESHOLD_DOWN: f64 = 0.039;
/// The delay must have grown for so long, in ms.
const OVERUSE_MS: f64 = 10.0;

#[derive(Clone, Copy, Debug)]
struct Group {
    first_departure: Instant,
    departure: Instant,
    arrival: Duration,
}

/// Detector of growing and shrinking queues.
#[derive(Debug)]
pub(super) struct TrendlineEstimator {
    current: Option<Group>,
    before: Option<Group>,
    groups: u32,
    first_arrival: Duration,
    delay_ms: f64,
    smoothed_ms: f64,
    /// Arrival and smoothed delay, both in ms.
    line: VecDeque<(f64, f64)>,
    threshold_ms: f64,
    over_ms: f64,
    last_trend: f64,
    usage: BandwidthUsage,
}

impl Default for TrendlineEstimator {
    fn default() -> Self {
        Self {
            current: None,
            before: None,
            groups: 0,
            first_arrival: Duration::ZERO,
            delay_ms: 0.0,
            smoothed_ms: 0.0,
            line: VecDeque::with_capacity(WINDOW),
            threshold_ms: FIRST_THRESHOLD,
            over_ms: 0.0,
            last_trend: 0.0,
            usage: BandwidthUsage::Normal,
        }
    }
}

impl TrendlineEstimator {
    pub(super) fn usage(&self) -> BandwidthUsage {
        self.usage
    }

    /// Takes a packet that arrived, in the order of departure.
    pub(super) fn add(&mut self, departure: Instant, arrival: Duration) {
        let Some(current) = &mut self.current else {
            self.first_arrival = arrival;
            self.current = Some(Group { first_departure: departure, departure, arrival });
            return;
        };
        if departure.saturating_duration_since(current.first_departure) <= GROUP {
            current.departure = current.departure.max(departure);
            current.arrival = current.arrival.max(arrival);
            return;
        }
        let ended = *current;
        self.current = Some(Group { first_departure: departure, departure, arrival });
        if let Some(before) = self.before.replace(ended) {
            let sent = ended.departure.saturating_duration_since(before.departure).as_secs_f64() * 1000.0;
            let arrived = (ended.arrival.as_secs_f64() - before.arrival.as_secs_f64()) * 1000.0;
            self.measure(arrived - sent, sent, ended.arrival);
        }
    }

    fn measure(&mut self, gradient_ms: f64, sent_ms: f64, arrival: Duration) {
        self.groups += 1;
        self.delay_ms += gradient_ms;
        self.smoothed_ms = SMOOTHING * self.smoothed_ms + (1.0 - SMOOTHING) * self.delay_ms;
        if self.line.len() == WINDOW {
            self.line.pop_front();
        }
        let at = (arrival.as_secs_f64() - self.first_arrival.as_secs_f64()) * 1000.0;
        self.line.push_back((at, self.smoothed_ms));
        let trend = slope(&self.line).filter(|_| self.line.len() == WINDOW).unwrap_or(0.0)
            * f64::from(self.groups.min(MAX_GROUPS))
            * GAIN;
        self.judge(trend, sent_ms);
        self.adapt(trend, sent_ms.min(100.0));
        self.last_trend = trend;
    }

    fn judge(&mut self, trend: f64, sent_ms: f64) {
        if trend > self.threshold_ms {
            self.over_ms += sent_ms;
            if self.over_ms > OVERUSE_MS && trend >= self.last_trend {
                self.usage = BandwidthUsage::Over;
            }
            return;
        }
        self.over_ms = 0.0;
        self.usage = if trend < -self.threshold_ms { BandwidthUsage::Under } else { BandwidthUsage::Normal };
    }

    fn adapt(&mut self, trend: f64, elapsed_ms: f64) {
        let distance = trend.abs() - self.threshold_ms;
        // A spike is no reason to become deaf.
        if distance > 15.0 {
            return;
        }
        let gain = if distance < 0.0 { THRESHOLD_DOWN } else { THRESHOLD_UP };
        let moved = self.threshold_ms + gain * distance * elapsed_ms;
        self.threshold_ms = moved.clamp(*THRESHOLDS.start(), *THRESHOLDS.end());
    }
}

/// The slope of the line that fits best (least squares); `None` when all points lie above each other.
fn slope(points: &VecDeque<(f64, f64)>) -> Option<f64> {
    let count = points.len() as f64;
    let (sum_x, sum_y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let (over, under) = points
        .iter()
        .fold((0.0, 0.0), |(over, under), (x, y)| (over + (x - mean_x) * (y - mean_y), under + (x - mean_x).powi(2)));
    (under > 0.0).then(|| over / under)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups each 20 ms whose delay in ms is as `delay` says; the usages after each.
    fn usages(count: u64, delay: impl Fn(u64) -> f64) -> Vec<BandwidthUsage> {
        let start = Instant::now();
        let mut trend = TrendlineEstimator::default();
        (0..count)
            .map(|n| {
                let arrival = Duration::from_secs_f64((1000.0 + n as f64 * 20.0 + delay(n)) / 1000.0);
                trend.add(start + Duration::from_millis(n * 20), arrival);
                trend.usage()
            })
            .collect()
    }

    #[test]
    fn a_steady_delay_is_normal_and_so_is_jitter() {
        assert!(usages(300, |_| 30.0).iter().all(|usage| *usage == BandwidthUsage::Normal));
        let jittery = usages(1000, |n| (n * 7919 % 31) as f64);
        let over = jittery.iter().filter(|usage| **usage == BandwidthUsage::Over).count();
        assert!(over < 50, "{over}");
    }

    #[test]
    fn a_growing_delay_is_noticed_within_half_a_second_and_a_shrinking_one_too() {
        let usages = usages(300, |n| match n {
            0..100 => 30.0,
            100..150 => 30.0 + (n - 100) as f64 * 4.0,
            150..200 => 230.0 - (n - 150) as f64 * 4.0,
            _ => 30.0,
        });
        let first = usages.iter().position(|usage| *usage == BandwidthUsage::Over).unwrap();
        assert!((101..125).contains(&first), "{first}");
        assert!(usages[150..200].contains(&BandwidthUsage::Under));
        assert_eq!(usages[290], BandwidthUsage::Normal);
    }
}
