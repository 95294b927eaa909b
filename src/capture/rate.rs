//! Frame rates at the start of the send pipeline: the times of a synthetic camera's pictures, the pictures of a fast
//! camera that are let through, and the number that came. Time is an argument everywhere.

use std::collections::VecDeque;
use std::time::Duration;

use crate::media::MediaTime;

/// Absolute deadlines at a steady rate: errors of single waits do not add up.
#[derive(Debug)]
pub struct Pacer {
    start: MediaTime,
    numerator: u64,
    denominator: u64,
    tick: u64,
}

impl Pacer {
    /// `numerator / denominator` ticks a second from `start` on, the first one at `start`. Zeros count as ones.
    pub fn new(start: MediaTime, numerator: u32, denominator: u32) -> Self {
        Self { start, numerator: u64::from(numerator.max(1)), denominator: u64::from(denominator.max(1)), tick: 0 }
    }

    /// The next deadline. One that lies more than a second back (the computer slept) is not caught up with: the count
    /// starts anew at `now`.
    pub fn next(&mut self, now: MediaTime) -> MediaTime {
        let mut deadline = self.deadline();
        if now.since(deadline) > Duration::from_secs(1) {
            self.start = now;
            self.tick = 0;
            deadline = now;
        }
        self.tick += 1;
        deadline
    }

    fn deadline(&self) -> MediaTime {
        let micros = u128::from(self.tick) * 1_000_000 * u128::from(self.denominator) / u128::from(self.numerator);
        self.start + Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

/// Lets at most so many pictures a second through, evenly spaced, however fast and unevenly they come.
#[derive(Debug)]
pub struct RateLimit {
    interval: Duration,
    due: Option<MediaTime>,
}

impl RateLimit {
    /// A limit of `max_fps` pictures a second (at least 1).
    pub fn new(max_fps: u32) -> Self {
        Self { interval: Duration::from_secs(1) / max_fps.max(1), due: None }
    }

    /// Whether a picture that comes at `now` is let through.
    pub fn admit(&mut self, now: MediaTime) -> bool {
        // A camera's own jitter must not cost every second picture, so one may come a third of an interval early.
        let due = self.due.unwrap_or(now);
        if now + self.interval / 3 < due {
            return false;
        }
        let next = due + self.interval;
        self.due = Some(if now > next { now + self.interval } else { next });
        true
    }
}

/// How many pictures a second came, over the last 2 seconds.
#[derive(Debug, Default)]
pub struct FpsMeter {
    times: VecDeque<MediaTime>,
}

impl FpsMeter {
    const WINDOW: Duration = Duration::from_secs(2);
    /// 2 seconds of the fastest rate that is let through, with room.
    const MAX: usize = 256;

    /// Notes a picture at `now`.
    pub fn record(&mut self, now: MediaTime) {
        while self.times.len() >= Self::MAX || self.times.front().is_some_and(|&time| now.since(time) > Self::WINDOW) {
            self.times.pop_front();
        }
        self.times.push_back(now);
    }

    /// The rate as seen at `now`; it falls to 0 within 2 seconds after the last picture.
    pub fn fps(&self, now: MediaTime) -> f32 {
        let mut recent = self.times.iter().filter(|&&time| now.since(time) <= Self::WINDOW);
        let (Some(&first), Some(&last)) = (recent.next(), self.times.back()) else { return 0.0 };
        let intervals = recent.count() as f32;
        let span = last.since(first).as_secs_f32();
        if intervals == 0.0 || span == 0.0 {
            return 0.0;
        }
        let silence = now.since(last).as_secs_f32();
        // Up to two intervals without a picture are jitter; more is a camera that gets slower.
        if silence <= 2.0 * span / intervals { intervals / span } else { intervals / (span + silence) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> MediaTime {
        MediaTime::from_micros(micros)
    }

    #[test]
    fn deadlines_do_not_drift() {
        let mut pacer = Pacer::new(at(500), 30_000, 1001);
        let mut deadline = at(0);
        for _ in 0..=30_000 {
            // Every wait ends late, by as much as 20 ms.
            deadline = pacer.next(deadline + Duration::from_millis(20));
        }
        assert_eq!(deadline, at(500 + 1001 * 1_000_000));
    }

    #[test]
    fn a_sleep_of_the_computer_is_not_caught_up_with() {
        let mut pacer = Pacer::new(at(0), 10, 1);
        assert_eq!(pacer.next(at(0)), at(0));
        assert_eq!(pacer.next(at(60_000_000)), at(60_000_000));
        assert_eq!(pacer.next(at(60_000_000)), at(60_100_000));
    }

    #[test]
    fn a_fast_camera_is_thinned_out_evenly_and_a_slow_one_is_left_alone() {
        for (camera_fps, limit, expected) in [(60, 30, 30), (30, 30, 30), (30, 15, 15), (30, 20, 20), (15, 30, 15)] {
            let mut rate = RateLimit::new(limit);
            // 10 s of pictures with 3 ms of jitter.
            let admitted = (0..camera_fps * 10_u64)
                .filter(|number| rate.admit(at(number * 1_000_000 / camera_fps + (number * 7919) % 3000)))
                .count() as u64;
            assert!(admitted.abs_diff(expected * 10) <= 3, "{camera_fps} at {limit}: {admitted}");
        }
    }

    #[test]
    fn the_meter_shows_the_rate_of_the_last_two_seconds() {
        let mut meter = FpsMeter::default();
        assert_eq!(meter.fps(at(0)), 0.0);
        for number in 0..300_u64 {
            meter.record(at(number * 40_000));
        }
        let end = 299 * 40_000;
        assert!((meter.fps(at(end)) - 25.0).abs() < 0.1, "{}", meter.fps(at(end)));
        assert!(meter.fps(at(end + 1_000_000)) < 15.0);
        assert_eq!(meter.fps(at(end + 2_100_000)), 0.0);
    }
}
