//! Synchronisation of a participant's sound with their pictures (lip sync).
//!
//! Sound 45 ms early or 125 ms late is noticed (ITU-R BT.1359). Sound usually waits longer than pictures; where
//! pictures take longer, as on a path where they wait for repairs, sound is held back. Pictures are never held back:
//! delay of both is worse than sound that is late.
//!
//! Both delays count from the capture on the sender's clock (its sender reports) to here. The offset of that clock to
//! this one's is unknown, and the same for both: only the difference of the delays means anything. Pure: time is an
//! argument.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::jitter_buffer::audio::RECENT_PACKETS;
use crate::media::{MediaTime, NtpTime};

/// The measured delays of one participant's sound and pictures, and how long sound waits.
#[derive(Debug, Default)]
pub struct AvSync {
    /// Delays of the sound of the last two seconds, in microseconds. The jitter buffer's own delay counts from the
    /// least of just these packets, so that both notice another path at the same time.
    sound_delays_us: VecDeque<i64>,
    /// Mean delay of pictures, up to their tile, in microseconds.
    picture_delay_us: Option<i64>,
    picture_shown_at: Option<MediaTime>,
    /// Least delay of sound in its jitter buffer.
    least_delay: Duration,
    adjusted_at: Option<MediaTime>,
    /// By how much sound came later than its picture, in ms, at the latest adjustment.
    offset_ms: Option<f32>,
}

/// One participant's `AvSync` for the tasks and threads that feed it, each for a moment.
#[derive(Clone, Debug, Default)]
pub struct SharedAvSync(Arc<Mutex<AvSync>>);

impl SharedAvSync {
    /// The state, locked.
    pub fn lock(&self) -> MutexGuard<'_, AvSync> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AvSync {
    /// Sound may be early by so much, in ms.
    const EARLY_MS: f32 = 45.0;
    /// Sound that is held back is let go again once it is late by so much, in ms.
    const LATE_MS: f32 = 20.0;
    /// The longest wait.
    const MAX_WAIT: Duration = Duration::from_millis(200);
    /// A delay that changes by more is another clock's, in microseconds.
    const NEW_CLOCK_US: i64 = 2_000_000;
    /// Interval between two adjustments: the measure is a mean of the last seconds.
    pub(super) const ADJUST_INTERVAL: Duration = Duration::from_secs(1);
    /// Without a picture for so long there is nothing to wait for.
    const PICTURES_END: Duration = Duration::from_secs(1);

    /// Notes the arrival of sound.
    pub fn on_sound(&mut self, captured: NtpTime, arrived_at: MediaTime) {
        let delay = captured.micros_to(arrived_at);
        if self.sound_delays_us.back().is_some_and(|last| last.abs_diff(delay) >= Self::NEW_CLOCK_US as u64) {
            self.sound_delays_us.clear();
        } else if self.sound_delays_us.len() == RECENT_PACKETS {
            self.sound_delays_us.pop_front();
        }
        self.sound_delays_us.push_back(delay);
    }

    /// Notes that a picture went to its tile.
    pub fn on_picture(&mut self, captured: NtpTime, shown_at: MediaTime) {
        let delay = captured.micros_to(shown_at);
        let mean = match self.picture_delay_us {
            Some(mean) if mean.abs_diff(delay) < Self::NEW_CLOCK_US as u64 => mean.saturating_add((delay - mean) / 8),
            _ => delay,
        };
        self.picture_delay_us = Some(mean);
        self.picture_shown_at = Some(shown_at);
    }

    /// By how much longer pictures take to their tile than the fastest sound takes to the jitter buffer, in
    /// microseconds; `None` until both are known.
    pub fn pictures_behind_sound_us(&self) -> Option<i64> {
        let sound = *self.sound_delays_us.iter().min()?;
        Some(self.picture_delay_us?.saturating_sub(sound))
            .filter(|behind| behind.unsigned_abs() < Self::NEW_CLOCK_US as u64)
    }

    /// By how much sound came later to the air than its picture to the tile, in ms; `None` while one of them does not
    /// come.
    pub const fn offset_ms(&self) -> Option<f32> {
        self.offset_ms
    }

    /// Once a second, the least delay that sound should have in its jitter buffer from now on. It has `delay_ms` there
    /// now, and takes `speaker` from there to the air.
    pub fn adjust(&mut self, delay_ms: u32, speaker: Duration, now: MediaTime) -> Option<Duration> {
        if self.adjusted_at.is_some_and(|at| now.since(at) < Self::ADJUST_INTERVAL) {
            return None;
        }
        self.adjusted_at = Some(now);
        let shows = self.picture_shown_at.is_some_and(|at| now.since(at) < Self::PICTURES_END);
        let behind_us = self.pictures_behind_sound_us().filter(|_| shows);
        self.offset_ms =
            behind_us.map(|us| (delay_ms as f32 + speaker.as_secs_f32() * 1000.0 - us as f32 / 1000.0).round());
        self.least_delay = self.offset_ms.map_or(Duration::ZERO, |offset| self.wait(offset, delay_ms));
        Some(self.least_delay)
    }

    /// The least delay after sound with a delay of `delay_ms` came `offset_ms` later (negative: earlier) than its
    /// picture.
    fn wait(&self, offset_ms: f32, delay_ms: u32) -> Duration {
        // Half way at a time.
        let wanted = (delay_ms as f32 - offset_ms).clamp(0.0, Self::MAX_WAIT.as_millis() as f32);
        let held = self.least_delay.as_millis() as f32;
        if offset_ms < -Self::EARLY_MS {
            Duration::from_millis(((delay_ms as f32).max(held) * 0.5 + wanted * 0.5) as u64)
        } else if offset_ms > Self::LATE_MS && held > 0.0 {
            Duration::from_millis((held * 0.5 + held.min(wanted) * 0.5) as u64)
        } else {
            self.least_delay
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jitter_buffer::audio::{AudioJitterBuffer, Pull, TimeStretch};
    use crate::media::ReceivedSound;

    const SPEAKER: Duration = Duration::from_millis(30);

    /// A moment of the far side's clock.
    fn far(millis: u64) -> NtpTime {
        NtpTime::from_ntp(3_900_000_000 << 32).plus_micros(millis as i64 * 1000)
    }

    fn at(millis: u64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    /// A call of 10 s whose sound takes 30 ms, every other packet 50 ms, and whose pictures take `pictures` ms.
    fn call(pictures: u64) -> AvSync {
        let mut sync = AvSync::default();
        for millis in (0..10_000_u64).step_by(20) {
            let late = if millis % 40 == 0 { 50 } else { 30 };
            sync.on_sound(far(millis), at(millis + late));
            sync.on_picture(far(millis), at(millis + pictures));
        }
        sync
    }

    /// Offsets in ms, a second apart, of sound that would have a delay of `sound` ms by itself while pictures are
    /// `pictures` ms behind it, and the last wait.
    fn offsets_of(sound: u32, pictures: i64, sync: &mut AvSync, from_second: u64) -> Vec<f32> {
        let mut delay = sound;
        (from_second..from_second + 12)
            .map(|second| {
                sync.sound_delays_us.clear();
                sync.picture_delay_us = None;
                sync.on_sound(far(second * 1000), at(second * 1000 + 5000));
                let behind = (second * 1000 + 5000).saturating_add_signed(pictures);
                sync.on_picture(far(second * 1000), at(behind));
                let least = sync.adjust(delay, Duration::ZERO, at(behind.max(second * 1000 + 5000))).unwrap();
                delay = sound.max(least.as_millis() as u32);
                sync.offset_ms().unwrap()
            })
            .collect()
    }

    #[test]
    fn sound_within_bounds_is_left_alone() {
        for pictures in [30, 80, -80] {
            let mut sync = AvSync::default();
            offsets_of(40, pictures, &mut sync, 0);
            assert_eq!(sync.least_delay, Duration::ZERO, "{pictures}");
        }
    }

    #[test]
    fn early_sound_waits_and_is_let_go_when_pictures_are_fast_again() {
        let mut sync = AvSync::default();
        let early = offsets_of(30, 160, &mut sync, 0);
        assert!(early[0] == -130.0 && early[3..].iter().all(|offset| (-45.0..0.0).contains(offset)), "{early:?}");
        let late = offsets_of(30, 20, &mut sync, 20);
        assert!(late.last().is_some_and(|offset| *offset <= 25.0), "{late:?}");
        let far = offsets_of(30, 1900, &mut sync, 40);
        assert!(
            far.last().is_some_and(|offset| (-1702.0..=-1700.0).contains(offset)),
            "no longer than the bound: {far:?}"
        );
    }

    #[test]
    fn it_adjusts_once_a_second_and_lets_sound_go_when_pictures_end() {
        let mut sync = call(230);
        let waits: Vec<_> = (0..150).filter_map(|n| sync.adjust(40, SPEAKER, at(10_000 + n * 20))).collect();
        assert_eq!(waits.len(), 3, "in three seconds");
        assert!(waits[0] > Duration::from_millis(100) && waits[1] > waits[0], "{waits:?}");
        assert_eq!((waits[2], sync.offset_ms()), (Duration::ZERO, None), "the last picture was shown a second ago");
    }

    #[test]
    fn the_difference_of_the_delays_is_that_of_both_streams() {
        assert_eq!(AvSync::default().pictures_behind_sound_us(), None);
        for pictures in [20, 30, 130] {
            let behind = call(pictures).pictures_behind_sound_us().unwrap();
            assert!((behind - (pictures as i64 - 30) * 1000).abs() <= 20, "{pictures} ms: {behind}");
        }
    }

    #[test]
    fn a_path_that_becomes_longer_for_both_changes_nothing_after_two_seconds() {
        let mut sync = call(60);
        let arrive = |sync: &mut AvSync, millis: u64, longer: u64| {
            sync.on_sound(far(millis), at(millis + 30 + longer));
            sync.on_picture(far(millis), at(millis + 60 + longer));
            sync.pictures_behind_sound_us().unwrap()
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
        let (mut sync, mut buffer) = (call(60), AudioJitterBuffer::new());
        let (mut ahead, mut offsets) = (0, Vec::new());
        for n in 0..2500_u64 {
            let (millis, second) = (10_000 + n * 20, n / 50);
            let now = at(millis + 30);
            sync.on_sound(far(millis), now);
            sync.on_picture(far(millis), at(millis + pictures(second)));
            let packet = ReceivedSound {
                data: bytes::Bytes::new(),
                sequence: n as u16,
                rtp_timestamp: (4_294_900_000 + millis * 48) as u32,
                arrived_at: now,
                capture_ntp: None,
                recovered: false,
            };
            buffer.push(packet, 960, false, now);
            while ahead < 960 {
                ahead += match buffer.pull(false, ahead, now + Duration::from_millis(1)) {
                    Pull::Packet(_, TimeStretch::Faster | TimeStretch::MuchFaster) => 480,
                    Pull::Packet(_, TimeStretch::Slower | TimeStretch::MuchSlower) => 1440,
                    _ => 960,
                };
            }
            ahead -= 960;
            if let Some(least) = sync.adjust(buffer.stats().delay_ms, SPEAKER, now) {
                buffer.set_least_delay(least);
                offsets.push(sync.offset_ms().unwrap() as i64);
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
    fn no_clock_of_a_far_side_makes_it_overflow() {
        let mut sync = AvSync::default();
        for ntp in [0, u64::MAX, 1 << 63].map(NtpTime::from_ntp) {
            sync.on_sound(ntp, MediaTime::from_micros(u64::MAX));
            sync.on_picture(ntp.plus_micros(i64::MIN), MediaTime::from_micros(5));
            assert!(sync.pictures_behind_sound_us().is_none_or(|behind| behind.unsigned_abs() < 2_000_000));
            sync.adjust(u32::MAX, SPEAKER, MediaTime::from_micros(u64::MAX));
        }
    }
}
