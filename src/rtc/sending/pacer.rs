//! Spreads the packets of large frames over time, so that a keyframe does not fill the queues on its way.
//!
//! A leaky bucket at a multiple of the target: an ordinary frame leaves at once, a keyframe in bursts a few
//! milliseconds apart. Owned by the sending task of one peer; time is an argument.

use std::time::Duration;

use crate::media::MediaTime;
use crate::rtc::bwe::START_BPS;

/// Packets leave faster than the target by this factor: frames differ in size, and the mean is the encoder's business.
const HEADROOM: f64 = 1.3;
/// Between the bursts of a large frame: timers are no finer than some milliseconds.
const BURST: Duration = Duration::from_millis(5);
/// What may leave at once after a pause, in time at the paced rate: an ordinary frame at 30 a second.
const SAVED: Duration = Duration::from_millis(40);
/// What leaves at once on a new connection, in bytes: its pace at the far side tells what the path carries (compare the
/// initial window of RFC 6928).
const FIRST_BURST: f64 = 14_600.0;
/// What may leave at once at most, in bytes: less than the default socket buffers of systems.
const MAX_BURST: f64 = 48_000.0;

/// Says when the next packets may leave.
#[derive(Debug)]
pub(in crate::rtc) struct Pacer {
    /// Bytes that may leave; below zero it is their turn later.
    credit: f64,
    bytes_per_second: f64,
    at: MediaTime,
}

impl Pacer {
    /// A pacer for a connection that is new at `now`.
    pub(in crate::rtc) fn new(now: MediaTime) -> Self {
        Self { credit: FIRST_BURST, bytes_per_second: rate(0), at: now }
    }

    /// When something may leave.
    pub(in crate::rtc) fn due(&self) -> MediaTime {
        let wait = if self.credit > 0.0 { 0.0 } else { -self.credit / self.bytes_per_second };
        // A whole burst at once rather than each packet for itself.
        self.at + Duration::from_secs_f64(wait) + if self.credit > 0.0 { Duration::ZERO } else { BURST }
    }

    /// Goes on to `now` at what `target_bps` (0: not known yet) allows.
    pub(in crate::rtc) fn advance(&mut self, target_bps: u64, now: MediaTime) {
        self.bytes_per_second = rate(target_bps);
        let earned = now.since(self.at).as_secs_f64() * self.bytes_per_second;
        let most = (self.bytes_per_second * SAVED.as_secs_f64()).clamp(1.0, MAX_BURST);
        // What a new connection may send at once is not taken from it.
        self.credit = (self.credit + earned).min(most.max(self.credit));
        self.at = now;
    }

    /// True when another packet may leave now.
    pub(in crate::rtc) fn may_send(&self) -> bool {
        self.credit > 0.0
    }

    /// A packet of `size` bytes left.
    pub(in crate::rtc) fn sent(&mut self, size: usize) {
        self.credit -= size as f64;
    }
}

fn rate(target_bps: u64) -> f64 {
    let target = if target_bps == 0 { START_BPS } else { target_bps };
    target as f64 * HEADROOM / 8.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When the packets of a frame of `count` packets leave, in ms, a timer being a millisecond late each time.
    fn departures(pacer: &mut Pacer, target_bps: u64, start: u64, count: usize) -> Vec<u64> {
        let mut left = Vec::new();
        let mut now = MediaTime::from_millis(start);
        while left.len() < count {
            now = now.max(pacer.due());
            pacer.advance(target_bps, now);
            while pacer.may_send() && left.len() < count {
                pacer.sent(1180);
                left.push(now.as_millis());
            }
            now = now + Duration::from_millis(1);
        }
        left
    }

    #[test]
    fn a_new_connection_sends_its_first_packets_at_once_and_the_rest_in_turn() {
        let mut pacer = Pacer::new(MediaTime::default());
        let left = departures(&mut pacer, 0, 0, 40);
        assert!(left[..13].iter().all(|at| *at == 0), "{left:?}");
        let seconds = (27.0 * 1180.0 * 8.0) / (START_BPS as f64 * HEADROOM);
        let last = *left.last().unwrap() as f64 / 1000.0;
        assert!((last / seconds - 1.0).abs() < 0.15, "{last} s, {seconds} s");
    }

    #[test]
    fn an_ordinary_frame_leaves_at_once_and_a_fast_path_takes_a_keyframe_in_moments() {
        let mut pacer = Pacer::new(MediaTime::default());
        departures(&mut pacer, 1_500_000, 0, 13);
        assert_eq!(departures(&mut pacer, 1_500_000, 1000, 6), [1000; 6]);
        let keyframe = departures(&mut pacer, 80_000_000, 2000, 60);
        assert!(*keyframe.last().unwrap() <= 2012, "{keyframe:?}");
    }
}
