//! How long sound and pictures take from the far side's devices to here, on one clock: that of its sender reports (RFC
//! 3550, 6.4.1), which say what RTP time is what wall-clock time.
//!
//! The two clocks' offset is unknown, and the same for both; only the difference of the two delays means anything.
//! Pure.

use std::collections::VecDeque;

use crate::media::MediaTime;

/// The clocks of one far side's streams.
#[derive(Debug, Default)]
pub(in crate::rtc) struct LipSync {
    sound: StreamClock,
    pictures: StreamClock,
    /// Delays of the sound of the last two seconds, in microseconds. The jitter buffer's own delay counts from the
    /// least of just these packets, so that both notice another path at the same time.
    sound_delays: VecDeque<i64>,
    /// Mean delay of pictures, up to their tile, in microseconds.
    picture_delay: Option<i64>,
}

/// What RTP time is what wall-clock time.
#[derive(Clone, Copy, Debug, Default)]
struct StreamClock {
    /// NTP time in microseconds, and the RTP time of that moment.
    report: Option<(i64, u32)>,
}

impl StreamClock {
    /// From capture to `now`, in microseconds and but for the clocks' offset.
    fn delay(&self, rtp_timestamp: u32, rate: i64, now: MediaTime) -> Option<i64> {
        let (ntp, rtp) = self.report?;
        let after = i64::from(rtp_timestamp.wrapping_sub(rtp) as i32) * 1_000_000 / rate;
        Some((now.as_micros() as i64).wrapping_sub(ntp).wrapping_sub(after))
    }
}

impl LipSync {
    const SOUND_RATE: i64 = 48_000;
    const PICTURE_RATE: i64 = 90_000;
    /// Packets over which the fastest sound is looked for.
    const RECENT: usize = crate::jitter_buffer::audio::RECENT_PACKETS;
    /// A delay that changes by more is another clock's, in microseconds.
    const NEW_CLOCK: i64 = 2_000_000;

    /// A sender report of the sound.
    pub(in crate::rtc) fn sound_report(&mut self, ntp_time: u64, rtp_time: u32) {
        self.sound.report = Some((ntp_micros(ntp_time), rtp_time));
    }

    /// A sender report of the pictures.
    pub(in crate::rtc) fn picture_report(&mut self, ntp_time: u64, rtp_time: u32) {
        self.pictures.report = Some((ntp_micros(ntp_time), rtp_time));
    }

    /// A packet of sound arrived.
    pub(in crate::rtc) fn sound_arrived(&mut self, rtp_timestamp: u32, now: MediaTime) {
        let Some(delay) = self.sound.delay(rtp_timestamp, Self::SOUND_RATE, now) else { return };
        if self.sound_delays.back().is_some_and(|last| last.abs_diff(delay) >= Self::NEW_CLOCK as u64) {
            self.sound_delays.clear();
        } else if self.sound_delays.len() == Self::RECENT {
            self.sound_delays.pop_front();
        }
        self.sound_delays.push_back(delay);
    }

    /// A picture goes to its tile at `shown`.
    pub(in crate::rtc) fn picture_shown(&mut self, rtp_timestamp: u32, shown: MediaTime) {
        let Some(delay) = self.pictures.delay(rtp_timestamp, Self::PICTURE_RATE, shown) else { return };
        let mean = match self.picture_delay {
            Some(mean) if mean.abs_diff(delay) < Self::NEW_CLOCK as u64 => mean.saturating_add((delay - mean) / 8),
            _ => delay,
        };
        self.picture_delay = Some(mean);
    }

    /// By how much longer pictures take to their tile than the fastest sound takes to the jitter buffer, in
    /// microseconds; `None` until both are known.
    pub(in crate::rtc) fn pictures_behind_sound(&self) -> Option<i64> {
        let sound = *self.sound_delays.iter().min()?;
        Some(self.picture_delay?.saturating_sub(sound)).filter(|behind| behind.abs() < Self::NEW_CLOCK)
    }
}

/// NTP's 32.32 fixed point (RFC 5905) in microseconds.
fn ntp_micros(ntp_time: u64) -> i64 {
    let (seconds, fraction) = (ntp_time >> 32, ntp_time & 0xffff_ffff);
    (seconds * 1_000_000 + ((fraction * 1_000_000) >> 32)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call of 10 s whose sound takes 30 ms, every other packet 50 ms, and whose pictures take `pictures` ms.
    fn call(pictures: u64) -> LipSync {
        let mut sync = LipSync::default();
        let ntp = |millis: u64| ((millis / 1000) << 32) | (((millis % 1000) << 32) / 1000);
        for millis in (0..10_000_u64).step_by(20) {
            if millis % 1000 == 0 {
                let far_clock = 3_900_000_000_000 + millis;
                sync.sound_report(ntp(far_clock), (4_294_900_000 + millis * 48) as u32);
                sync.picture_report(ntp(far_clock), (77 + millis * 90) as u32);
            }
            let late = if millis % 40 == 0 { 50 } else { 30 };
            sync.sound_arrived((4_294_900_000 + millis * 48) as u32, MediaTime::from_millis(millis + late));
            sync.picture_shown((77 + millis * 90) as u32, MediaTime::from_millis(millis + pictures));
        }
        sync
    }

    #[test]
    fn the_difference_of_the_delays_comes_from_the_reports_of_both_streams() {
        assert_eq!(LipSync::default().pictures_behind_sound(), None);
        for pictures in [20, 30, 130] {
            let behind = call(pictures).pictures_behind_sound().unwrap();
            assert!((behind - (pictures as i64 - 30) * 1000).abs() <= 20, "{pictures} ms: {behind}");
        }
    }

    #[test]
    fn a_path_that_becomes_longer_for_both_changes_nothing_after_two_seconds() {
        let mut sync = call(60);
        let arrive = |sync: &mut LipSync, millis: u64, longer: u64| {
            sync.sound_arrived((4_294_900_000 + millis * 48) as u32, MediaTime::from_millis(millis + 30 + longer));
            sync.picture_shown((77 + millis * 90) as u32, MediaTime::from_millis(millis + 60 + longer));
            sync.pictures_behind_sound().unwrap()
        };
        for millis in (10_000..12_000).step_by(20) {
            arrive(&mut sync, millis, 130);
        }
        for (longer, behind) in [(130, 30_000), (0, 30_000)] {
            for millis in (12_000..13_000).step_by(20) {
                arrive(&mut sync, millis, longer);
            }
            let now = arrive(&mut sync, 13_000, longer);
            assert!((now - behind).abs() < 1000, "{longer} ms longer: {now}");
        }
    }

    /// Offsets at each second of a call whose sound takes 30 ms and whose pictures `pictures` ms at that second, with
    /// the jitter buffer's tempo as fast as it may be and 30 ms for the speaker.
    fn offsets(pictures: impl Fn(u64) -> u64) -> Vec<i64> {
        use crate::jitter_buffer::audio::{AudioJitterBuffer, Pull, Tempo};
        let (mut sync, mut wait) = (call(60), crate::jitter_buffer::sync::LipSync::default());
        let (mut buffer, mut ahead, mut offsets) = (AudioJitterBuffer::new(), 0, Vec::new());
        for n in 0..2500_u64 {
            let (millis, second) = (10_000 + n * 20, n / 50);
            let now = MediaTime::from_millis(millis + 30);
            let rtp_timestamp = (4_294_900_000 + millis * 48) as u32;
            sync.sound_arrived(rtp_timestamp, now);
            sync.picture_shown((77 + millis * 90) as u32, MediaTime::from_millis(millis + pictures(second)));
            let packet = crate::media::ReceivedSound {
                data: bytes::Bytes::new(),
                sequence: n as u16,
                rtp_timestamp,
                arrived_at: now,
                capture_ntp: None,
                recovered: false,
            };
            buffer.push(packet, 960, false, now);
            while ahead < 960 {
                ahead += match buffer.pull(false, ahead, now + std::time::Duration::from_millis(1)) {
                    Pull::Packet(_, Tempo::Faster | Tempo::MuchFaster) => 480,
                    Pull::Packet(_, Tempo::Slower | Tempo::MuchSlower) => 1440,
                    _ => 960,
                };
            }
            ahead -= 960;
            if n % 50 == 49 {
                let delay = buffer.stats().delay_ms;
                let offset = i64::from(delay) + 30 - sync.pictures_behind_sound().unwrap() / 1000;
                buffer.set_least_delay(wait.adjust(offset as f32, delay));
                offsets.push(offset);
            }
        }
        offsets
    }

    #[test]
    fn lips_and_voice_are_together_again_a_few_seconds_after_a_change() {
        for (change, before, after) in [(10, 60, 220), (25, 220, 60)] {
            let offsets = offsets(|second| if second < change { before } else { after });
            let together = |offset: &i64| (-45..=125).contains(offset);
            let apart =
                |seconds: std::ops::Range<usize>| offsets[seconds].iter().filter(|offset| !together(offset)).count();
            assert!(offsets[5..10].iter().all(together), "{change}: {offsets:?}");
            let change = change as usize;
            assert!(apart(change..change + 5) <= 4 && apart(change + 5..50) == 0, "{change}: {offsets:?}");
        }
    }

    #[test]
    fn nothing_that_a_far_side_reports_makes_it_overflow() {
        let mut sync = LipSync::default();
        for ntp in [0, u64::MAX, 1 << 63] {
            sync.sound_report(ntp, u32::MAX);
            sync.picture_report(!ntp, 0);
            sync.sound_arrived(0, MediaTime::from_micros(u64::MAX));
            sync.picture_shown(1 << 31, MediaTime::from_micros(5));
            assert!(sync.pictures_behind_sound().is_none_or(|behind| behind.abs() < 2_000_000));
        }
    }
}
