//! Arrival pace: whether packets of the far side come at the pace at which they left, by their RTP timestamps. A full
//! path spreads them; one that has only become longer does not. Pure; time is an argument.

use std::time::{Duration, Instant};

/// A packet that comes so much sooner or later than its timestamp says, after the one before, is not steady: less than
/// half of what lies between two packets of sound, which come one right after the other out of a queue that drains.
const TOLERANCE: Duration = Duration::from_millis(8);
/// Steps in a row that tell.
const STEPS: u32 = 2;
/// Streams that are watched at most: sound, video and its repairs.
const MAX: usize = 4;

/// Watches the streams of a connection by their RTP timestamps.
#[derive(Debug, Default)]
pub(super) struct ArrivalPace {
    streams: Vec<Stream>,
}

#[derive(Debug)]
struct Stream {
    ssrc: u32,
    clock: f64,
    latest: Option<(u32, Instant)>,
    /// Steady steps in a row.
    steps: u32,
}

impl ArrivalPace {
    /// Watches the stream `ssrc`, whose timestamps count `clock` a second.
    pub(super) fn watch(&mut self, ssrc: u32, clock: u32) {
        self.streams.retain(|stream| stream.ssrc != ssrc);
        if clock > 0 && self.streams.len() < MAX {
            self.streams.push(Stream { ssrc, clock: clock.into(), latest: None, steps: 0 });
        }
    }

    /// A packet arrived; `None` where it tells nothing, otherwise whether its stream is steady.
    pub(super) fn arrived(&mut self, ssrc: u32, timestamp: u32, now: Instant) -> Option<bool> {
        let stream = self.streams.iter_mut().find(|stream| stream.ssrc == ssrc)?;
        let Some((before, at)) = stream.latest else {
            stream.latest = Some((timestamp, now));
            return None;
        };
        let ticks = timestamp.wrapping_sub(before) as i32;
        if ticks <= 0 {
            return None;
        }
        stream.latest = Some((timestamp, now));
        let late = now.saturating_duration_since(at).as_secs_f64() - f64::from(ticks) / stream.clock;
        stream.steps = if late.abs() <= TOLERANCE.as_secs_f64() { stream.steps + 1 } else { 0 };
        Some(stream.steps >= STEPS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ArrivalPace told of sound each 20 ms, each packet of which takes as long as `delay` says, in ms.
    fn told(count: u64, delay: impl Fn(u64) -> u64) -> Vec<bool> {
        let start = Instant::now();
        let mut pace = ArrivalPace::default();
        pace.watch(7, 48_000);
        let arrive = |n: u64| {
            let timestamp = (n as u32 * 960).wrapping_sub(2000);
            pace.arrived(7, timestamp, start + Duration::from_millis(n * 20 + delay(n))) == Some(true)
        };
        (0..count).map(arrive).collect()
    }

    #[test]
    fn a_longer_path_is_steady_again_at_once_and_a_full_one_is_not() {
        assert_eq!(told(10, |n| if n < 5 { 10 } else { 160 })[2..], [true, true, true, false, false, true, true, true]);
        assert!(told(10, |n| n * 25).iter().all(|steady| !steady), "a queue that fills");
        assert!(told(10, |n| n * 53 % 90)[2..].iter().any(|steady| !steady), "jitter");
    }

    #[test]
    fn strange_streams_and_repeated_timestamps_tell_nothing() {
        let now = Instant::now();
        let mut pace = ArrivalPace::default();
        (0..10).for_each(|ssrc| pace.watch(ssrc, 90_000));
        assert_eq!(pace.streams.len(), MAX);
        assert_eq!([pace.arrived(99, 0, now), pace.arrived(1, 5, now), pace.arrived(1, 5, now)], [None; 3]);
        assert_eq!(pace.arrived(1, 4, now), None);
    }
}
