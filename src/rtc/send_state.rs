//! State of one outgoing stream between the sending task, which writes it, and the interceptors and the encoder's
//! budget, which read it: the keyframe in flight, the age of packets that leave, the RED copies that packets carry.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::media::MediaTime;

/// Beyond the RTT: the time that both sides take to put a keyframe together and to answer.
const KEYFRAME_MARGIN: Duration = Duration::from_millis(50);
/// Without an audio packet for this long, this side is muted.
const AUDIO_PAUSES: Duration = Duration::from_millis(200);
/// Without a question of the encoder for this long there are no pictures.
const PICTURE_PAUSES: Duration = Duration::from_millis(500);

/// One outgoing stream.
#[derive(Debug, Default)]
pub(super) struct SendState {
    /// When the last packet of the latest keyframe left, in microseconds; 0 before the first one.
    keyframe_left_us: AtomicU64,
    /// From the capture of the latest frame until its packets went to the pacer.
    capture_delay_us: AtomicU64,
    /// From the capture of the latest frame to its departure from the pacer.
    departure_delay_us: AtomicU64,
    /// The rate that the encoder would send, in bit/s, and when it said so, in microseconds.
    wanted_bps: AtomicU64,
    wanted_at_us: AtomicU64,
    /// RED copies in the latest packet, and when it left.
    red_copies: AtomicU32,
    red_left_us: AtomicU64,
}

impl SendState {
    /// The last packet of a keyframe left at `now`.
    pub(super) fn keyframe_left(&self, now: MediaTime) {
        self.keyframe_left_us.store(now.as_micros().max(1), Relaxed);
    }

    /// True when a keyframe request that comes at `now` was made before the latest keyframe that left can have arrived.
    pub(super) fn keyframe_under_way(&self, rtt: Duration, now: MediaTime) -> bool {
        match self.keyframe_left_us.load(Relaxed) {
            0 => false,
            left => now.since(MediaTime::from_micros(left)) < rtt + KEYFRAME_MARGIN,
        }
    }

    /// Notes the time from the capture of the latest frame until its packets go to the pacer.
    pub(super) fn set_capture_delay(&self, delay: Duration) {
        self.capture_delay_us.store(delay.as_micros() as u64, Relaxed);
    }

    /// From the capture of the latest frame until its packets went to the pacer.
    pub(super) fn capture_delay(&self) -> Duration {
        Duration::from_micros(self.capture_delay_us.load(Relaxed))
    }

    /// Notes the time from capture to departure of the latest frame.
    pub(super) fn set_departure_delay(&self, delay: Duration) {
        self.departure_delay_us.store(delay.as_micros() as u64, Relaxed);
    }

    /// From the capture of the latest frame to its departure.
    pub(super) fn departure_delay(&self) -> Duration {
        Duration::from_micros(self.departure_delay_us.load(Relaxed))
    }

    /// The encoder would have so much sent on this path at `now`, everything included.
    pub(super) fn set_wanted(&self, bps: u64, now: MediaTime) {
        self.wanted_bps.store(bps, Relaxed);
        self.wanted_at_us.store(now.as_micros(), Relaxed);
    }

    /// The rate that the encoder would have sent, in bit/s; 0 while it makes no pictures.
    pub(super) fn wanted_bps(&self, now: MediaTime) -> u64 {
        let at = MediaTime::from_micros(self.wanted_at_us.load(Relaxed));
        if now.since(at) < PICTURE_PAUSES { self.wanted_bps.load(Relaxed) } else { 0 }
    }

    /// An audio packet leaves at `now` with so many RED copies.
    pub(super) fn note_red(&self, copies: usize, now: MediaTime) {
        self.red_copies.store(copies as u32, Relaxed);
        self.red_left_us.store(now.as_micros(), Relaxed);
    }

    /// RED copies that audio packets carry at `now`: none while muted.
    pub(super) fn red_copies(&self, now: MediaTime) -> u32 {
        let left = MediaTime::from_micros(self.red_left_us.load(Relaxed));
        if now.since(left) < AUDIO_PAUSES { self.red_copies.load(Relaxed) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(u64) -> MediaTime = MediaTime::from_millis;

    #[test]
    fn a_muted_side_sends_no_red_copies() {
        let state = SendState::default();
        state.note_red(2, AT(1000));
        assert_eq!([1020, 1199, 1200].map(|ms| state.red_copies(AT(ms))), [2, 2, 0]);
    }

    #[test]
    fn a_keyframe_is_under_way_until_its_answer_can_have_come() {
        let (state, rtt) = (SendState::default(), Duration::from_millis(100));
        assert!(!state.keyframe_under_way(rtt, AT(0)));
        state.keyframe_left(AT(6000));
        assert_eq!([6149, 6150].map(|ms| state.keyframe_under_way(rtt, AT(ms))), [true, false]);
    }
}
