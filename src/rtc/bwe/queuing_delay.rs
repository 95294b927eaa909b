//! Queuing delay of the path, from one-way delays, and how much of it is mere jitter (compare the base delay of LEDBAT,
//! RFC 6817, 3.4.1).
//!
//! The clocks of both sides need not agree: the delay counts beyond the least one of the last seconds. A path that
//! becomes longer in mid-call has no queue: its delay rises at once and stays, while nothing is lost, where that of a
//! queue goes on rising, or falls once less is sent.

use std::time::{Duration, Instant};

use super::packet_history::PacketResult;

/// The least delay of this time is the path's own.
const OWN_WINDOW: Duration = Duration::from_secs(10);
/// The least delay of fewer packets goes back and forth for reasons of their own.
const ENOUGH_ARRIVED: usize = 3;
/// How much a change of direction moves the jitter.
const JITTER_WEIGHT: f64 = 1.0 / 16.0;
/// The least rise of the delay, in seconds, from one report to the next that may be a longer path, and how much it may
/// go up and down afterwards; both more where there is jitter, by so many times its mean.
const RISE: f64 = 0.030;
const LEVEL: f64 = 0.010;
const RISE_JITTER: f64 = 4.0;
const LEVEL_JITTER: f64 = 2.0;
/// It must stay for so long, and for so many reports, while no larger share is lost.
const STAYS: Duration = Duration::from_millis(100);
/// Longer on a thin path, where one picture more or less makes a queue.
const STAYS_THIN: Duration = Duration::from_millis(400);
const STAYS_REPORTS: u32 = 3;
const STAYS_LOSS: f64 = 0.25;

/// Measures the queuing delay.
#[derive(Debug, Default)]
pub(super) struct QueuingDelay {
    first_departure: Option<Instant>,
    own_delay: LeastOf,
    /// The least of the latest report, and the same without the queues of this side's own bursts.
    delay: Option<f64>,
    even_delay: Option<f64>,
    /// When the latest packet left, and the bits that the bottleneck then held of this side's own bursts.
    burst: Option<(Instant, f64)>,
    latest_change: f64,
    queue: Duration,
    queue_of_latest: Duration,
    jitter: f64,
    risen: Option<Risen>,
}

/// The delay has risen at once.
#[derive(Clone, Copy, Debug)]
struct Risen {
    /// The departure of the first packet that took longer.
    since: Instant,
    /// The least delay of the first report.
    to: f64,
    reports: u32,
    packets: usize,
    lost: usize,
    /// It had risen in the report before as well.
    goes_on: bool,
}

impl Risen {
    fn loses(&self) -> bool {
        self.lost as f64 > self.packets as f64 * STAYS_LOSS
    }
}

impl QueuingDelay {
    /// Takes the latest report. The queue is the least delay of its packets beyond that of the last seconds. True when
    /// the path turns out to have become longer: its delay counts from there. `thin` is a path that carries little.
    pub(super) fn measure(
        &mut self,
        reports: &[PacketResult],
        thin: bool,
        capacity: Option<f64>,
        now: Instant,
    ) -> bool {
        let first = *self.first_departure.get_or_insert(now);
        let delay = |report: &PacketResult| delay(report, first);
        let delays = reports.iter().filter_map(delay);
        let Some(least) = delays.min_by(f64::total_cmp) else { return false };
        let own = self.own_delay.note(least, now, OWN_WINDOW);
        self.queue = wait(least, own);
        let latest = reports.iter().filter(|report| report.arrival.is_some()).max_by_key(|report| report.arrival);
        self.queue_of_latest = latest.and_then(delay).map_or(self.queue, |delay| wait(delay, own));
        let change = least - self.delay.replace(least).unwrap_or(least);
        // The queue of a burst of this side's own is no jitter.
        let even = self.beyond_bursts(reports, first, capacity).unwrap_or(least);
        let moved = even - self.even_delay.replace(even).unwrap_or(even);
        // A queue that grows or drains goes one way; what goes back and forth is jitter.
        let tells = reports.iter().filter(|report| report.arrival.is_some()).count() >= ENOUGH_ARRIVED;
        let reverses = tells && moved * self.latest_change < 0.0;
        let reversal = if reverses { moved.abs().min(self.latest_change.abs()) } else { 0.0 };
        self.latest_change = moved;
        self.jitter += (reversal.min(1.0) - self.jitter) * JITTER_WEIGHT;
        let longer = self.has_become_longer(least, change, reports, if thin { STAYS_THIN } else { STAYS });
        if longer {
            self.rebase(now);
        }
        longer
    }

    /// The least delay of the packets without the queue that those before them make in a bottleneck of `capacity`
    /// bit/s.
    fn beyond_bursts(&mut self, results: &[PacketResult], first: Instant, capacity: Option<f64>) -> Option<f64> {
        let Some(capacity) = capacity else {
            self.burst = None;
            return None;
        };
        let mut least: Option<f64> = None;
        for result in results {
            let (at, bits) = self.burst.unwrap_or((result.departure, 0.0));
            let left = result.departure.saturating_duration_since(at).as_secs_f64() * capacity;
            let waiting = (bits - left).max(0.0);
            self.burst = Some((result.departure, waiting + result.size as f64 * 8.0));
            if let Some(delay) = delay(result, first) {
                let even = delay - waiting / capacity;
                least = Some(least.map_or(even, |least| least.min(even)));
            }
        }
        least
    }

    /// The delay that packets have now is the path's own.
    pub(super) fn rebase(&mut self, now: Instant) {
        self.own_delay = LeastOf::default();
        self.delay.map(|delay| self.own_delay.note(delay, now, OWN_WINDOW));
        (self.queue, self.queue_of_latest) = (Duration::ZERO, Duration::ZERO);
        self.risen = None;
    }

    /// Whether the delay, which has changed to `least` by `change`, rose at once some reports ago and has stayed there
    /// for so long.
    fn has_become_longer(&mut self, least: f64, change: f64, reports: &[PacketResult], stays: Duration) -> bool {
        let lost = reports.iter().filter(|report| report.arrival.is_none()).count();
        let level = LEVEL.max(self.jitter * LEVEL_JITTER);
        self.risen = match self.risen {
            Some(risen) if (least - risen.to).abs() <= level => Some(Risen {
                reports: risen.reports + 1,
                packets: risen.packets + reports.len(),
                lost: risen.lost + lost,
                ..risen
            }),
            before if change >= RISE.max(self.jitter * RISE_JITTER) => reports.first().map(|first| Risen {
                since: first.departure,
                to: least,
                reports: 1,
                packets: reports.len(),
                lost,
                goes_on: before.is_some(),
            }),
            _ => None,
        };
        let latest = reports.last().map(|report| report.departure);
        self.risen.zip(latest).is_some_and(|(risen, latest)| {
            risen.reports >= STAYS_REPORTS && latest.saturating_duration_since(risen.since) >= stays && !risen.loses()
        })
    }

    /// A packet leaves: delays count from the first one.
    pub(super) fn on_departure(&mut self, now: Instant) {
        self.first_departure.get_or_insert(now);
    }

    /// How long a packet waited, as far as is known of the path's own delay.
    pub(super) fn wait(&self, report: &PacketResult) -> Option<Duration> {
        Some(wait(delay(report, self.first_departure?)?, self.own_delay.least()?))
    }

    /// How long packets wait, by the latest report that told of any.
    pub(super) fn length(&self) -> Duration {
        self.queue
    }

    /// The delay has risen at once, and the next reports tell whether it is the path's own.
    pub(super) fn is_to_be_seen(&self) -> bool {
        self.risen.is_some_and(|risen| !risen.goes_on && !risen.loses())
    }

    /// How long the packet waited that arrived last.
    pub(super) fn of_latest(&self) -> Duration {
        self.queue_of_latest
    }

    /// By how much the delay goes back and forth from report to report, on average.
    pub(super) fn jitter(&self) -> Duration {
        Duration::from_secs_f64(self.jitter)
    }
}

/// The delay of a packet, in seconds from an arbitrary start.
fn delay(report: &PacketResult, first: Instant) -> Option<f64> {
    Some(report.arrival?.as_secs_f64() - report.departure.saturating_duration_since(first).as_secs_f64())
}

/// How long a packet with this delay waited on a path with a delay of its `own`, both in seconds.
fn wait(delay: f64, own: f64) -> Duration {
    Duration::try_from_secs_f64((delay - own).max(0.0)).unwrap_or_default()
}

/// The least value of a window that moves in two steps.
#[derive(Debug, Default)]
pub(super) struct LeastOf {
    /// The least of this step and of the one before, and when this one began.
    state: Option<(f64, f64, Instant)>,
}

impl LeastOf {
    fn least(&self) -> Option<f64> {
        self.state.map(|(least, before, _)| least.min(before))
    }

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

    fn queue_of(delays_ms: impl Iterator<Item = u64>) -> QueuingDelay {
        let start = Instant::now();
        let mut queue = QueuingDelay::default();
        queue.on_departure(start);
        for (n, delay) in delays_ms.enumerate() {
            let departure = start + Duration::from_millis(n as u64 * 50);
            let arrival = Duration::from_millis(5000 + n as u64 * 50 + delay);
            queue.measure(&[PacketResult { departure, size: 1000, arrival: Some(arrival) }; 3], false, None, departure);
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

    /// After which report the path is found to be longer: a report each 50 ms, of five packets 10 ms apart, of which
    /// `lost` are lost each time, whose delays in ms are as `delay` says for each packet.
    fn longer_after(lost: usize, delay: impl Fn(u64) -> u64) -> Vec<u64> {
        let start = Instant::now();
        let mut queue = QueuingDelay::default();
        queue.on_departure(start);
        let longer = (0..100).filter(|report| {
            let packet = |n: u64| {
                let (number, at) = (report * 5 + n, Duration::from_millis((report * 5 + n) * 10));
                let arrival = Duration::from_millis(5000 + delay(number)) + at;
                let arrival = (n as usize >= lost).then_some(arrival);
                PacketResult { departure: start + at, size: 1000, arrival }
            };
            let reports: Vec<PacketResult> = (0..5).map(packet).collect();
            queue.measure(&reports, false, None, start + Duration::from_millis(report * 50))
        });
        let longer: Vec<u64> = longer.collect();
        let settled = longer.is_empty() || queue.length() < Duration::from_millis(40);
        assert!(settled, "{longer:?}: {:?}", queue.length());
        longer
    }

    #[test]
    fn a_delay_that_rises_at_once_and_stays_is_the_paths_own() {
        for longer in [50, 100, 300] {
            let found = longer_after(0, |number| if number < 100 { 20 } else { 20 + longer });
            assert_eq!(found, [22], "{longer} ms, after three reports");
        }
        let jittery = longer_after(0, |number| 20 + number * 7 % 12 + if number < 100 { 0 } else { 150 });
        assert!(matches!(jittery[..], [22..25]), "{jittery:?}");
        let (there, back) = (100, 200);
        let found = longer_after(0, |number| if (there..back).contains(&number) { 220 } else { 20 });
        assert_eq!(found, [22], "a shorter path is one at once");
    }

    #[test]
    fn a_delay_that_goes_on_rising_or_falls_or_costs_packets_is_that_of_a_queue() {
        assert_eq!(longer_after(0, |number| 20 + number.saturating_sub(100) * 5), [0; 0], "it fills");
        assert_eq!(longer_after(0, |number| 20 + number.saturating_sub(100)), [0; 0], "it fills slowly");
        let drains = |number: u64| if number < 100 { 20 } else { 220_u64.saturating_sub((number - 100) * 3).max(20) };
        assert_eq!(longer_after(0, drains), [0; 0], "it drains");
        assert_eq!(longer_after(3, |number| if number < 100 { 20 } else { 220 }), [0; 0], "it is full");
    }
}
