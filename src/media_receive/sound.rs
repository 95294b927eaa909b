//! Sound of one participant between the network's tasks and the playout thread: the audio jitter buffer, behind a lock
//! that either side holds for one packet.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{AvSync, SharedAvSync};
use crate::decoder::audio::{has_correction, packet_duration};
use crate::jitter_buffer::audio::{AudioJitterBuffer, AudioJitterStats, Pull};
use crate::media::{MediaTime, ReceivedSound};

/// The hand-over. At most 500 ms of sound are kept.
#[derive(Debug, Default)]
pub struct SoundBuffer {
    jitter: Mutex<AudioJitterBuffer>,
    av_sync: SharedAvSync,
    /// When sound was last kept with its pictures; 0: never.
    synchronised_us: AtomicU64,
}

/// How well a participant's sound arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SoundStats {
    /// Counts and gauges of the jitter buffer.
    pub jitter: AudioJitterStats,
    /// By how much sound comes later to the air than its picture to the tile, in ms; `None` while one of them does not
    /// come.
    pub av_offset_ms: Option<f32>,
}

impl SoundBuffer {
    /// An empty buffer, kept together with the pictures that `av_sync` hears of.
    pub fn new(av_sync: SharedAvSync) -> Self {
        Self { av_sync, ..Self::default() }
    }

    /// Puts in a packet as it arrived. A packet that is not Opus is dropped.
    pub fn push(&self, sound: ReceivedSound) {
        let Some(samples) = packet_duration(&sound.data) else { return };
        // A copy comes later than its original would have: it tells nothing of the path.
        if let Some(captured) = sound.capture_ntp.filter(|_| !sound.recovered) {
            self.av_sync.lock().on_sound(captured, sound.arrived_at);
        }
        let (has_correction, arrived_at) = (has_correction(&sound.data), sound.arrived_at);
        self.jitter().push(sound, samples, has_correction, arrived_at);
    }

    /// Decision on the sound to play at `now`, as in `AudioJitterBuffer::pull`.
    pub fn pull(&self, quiet: bool, ahead: usize, now: MediaTime) -> Pull {
        self.jitter().pull(quiet, ahead, now)
    }

    /// Clock drift to be resampled away, in millionths, as in `AudioJitterBuffer::speed_ppm`.
    pub fn speed_ppm(&self) -> f64 {
        self.jitter().speed_ppm()
    }

    /// Keeps sound with its pictures, once a second; it takes `speaker` from here to the air.
    pub fn synchronise(&self, speaker: Duration, now: MediaTime) {
        // Before any lock: this is called with each packet's time.
        let last_us = self.synchronised_us.load(Relaxed);
        if last_us != 0 && now.since(MediaTime::from_micros(last_us)) < AvSync::ADJUST_INTERVAL {
            return;
        }
        self.synchronised_us.store(now.as_micros().max(1), Relaxed);
        let delay_ms = self.jitter().stats().delay_ms;
        let least_delay = self.av_sync.lock().adjust(delay_ms, speaker, now);
        if let Some(least_delay) = least_delay {
            self.jitter().set_least_delay(least_delay);
        }
    }

    /// Counters so far.
    pub fn stats(&self) -> SoundStats {
        SoundStats { jitter: self.jitter().stats(), av_offset_ms: self.av_sync.lock().offset_ms() }
    }

    fn jitter(&self) -> MutexGuard<'_, AudioJitterBuffer> {
        self.jitter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::audio::AudioEncoder;
    use crate::media::{FRAME_SAMPLES, NtpTime};

    #[test]
    fn sound_waits_for_pictures_that_are_slow() {
        let av_sync = SharedAvSync::default();
        let buffer = SoundBuffer::new(av_sync.clone());
        let data = AudioEncoder::new().unwrap().encode(&[0.0; FRAME_SAMPLES], MediaTime::default()).unwrap().data;
        let far = |millis: u64| Some(NtpTime::from_ntp(1 << 32).plus_micros(millis as i64 * 1000));
        let mut target_ms = Vec::new();
        for n in 0..500_u64 {
            let millis = n * 20;
            let arrived_at = MediaTime::from_millis(millis + 30);
            let (rtp_timestamp, capture_ntp) = ((millis * 48) as u32, far(millis));
            let (data, sequence) = (data.clone(), n as u16);
            buffer.push(ReceivedSound { data, sequence, rtp_timestamp, arrived_at, capture_ntp, recovered: false });
            av_sync.lock().on_picture(far(millis).unwrap(), MediaTime::from_millis(millis + 200));
            buffer.pull(false, 0, arrived_at);
            buffer.synchronise(Duration::from_millis(30), MediaTime::from_millis(millis + 200));
            target_ms.push(buffer.stats().jitter.target_ms);
        }
        let held = buffer.stats().jitter.target_ms;
        // Half way at a time to 140 ms: the speaker takes 30 of the 170.
        assert!(target_ms[0] <= 70 && (120..=140).contains(&held), "{} to {held}", target_ms[0]);
        assert!(buffer.stats().av_offset_ms.is_some_and(|offset| offset < 0.0));
    }

    #[test]
    fn what_is_no_opus_is_dropped() {
        let buffer = SoundBuffer::default();
        for data in [&b""[..], &[0xff; 3], &[0x03]] {
            buffer.push(ReceivedSound {
                data: bytes::Bytes::copy_from_slice(data),
                sequence: 1,
                rtp_timestamp: 0,
                arrived_at: MediaTime::default(),
                capture_ntp: None,
                recovered: false,
            });
        }
        assert_eq!(buffer.stats().jitter.received, 0);
    }
}
