//! The one shape of sound inside Visavis: 48 kHz, one channel, 32-bit float samples in [-1, 1], 20 ms at a time.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Samples a second everywhere between the device edges (the rate at which Opus runs).
pub const SAMPLE_RATE: u32 = 48_000;

/// Channels everywhere between the device edges.
pub const CHANNELS: u16 = 1;

/// Samples in one audio frame: 20 ms, the frame that Opus is given.
pub const FRAME_SAMPLES: usize = 960;

/// The loudness of a stream as a meter shows it, shared between a real-time thread (writes) and the window (reads).
///
/// It also tells whether somebody speaks, with hysteresis: after 60 ms of sound above -30 dB of full scale, until 600
/// ms have stayed below -36 dB.
#[derive(Default)]
pub struct LevelMeter {
    peak: AtomicU32,
    speaking: AtomicBool,
    /// Samples in a row that speak for a change of `speaking`.
    contrary: AtomicU32,
    on_speaking: Option<Box<dyn Fn() + Send + Sync>>,
}

impl LevelMeter {
    const LOUD: f32 = 0.03;
    const QUIET: f32 = 0.015;
    const LOUD_FOR: u32 = SAMPLE_RATE * 60 / 1000;
    const QUIET_FOR: u32 = SAMPLE_RATE * 600 / 1000;

    /// A meter that calls `on_speaking` whenever somebody begins or stops speaking, on the thread that records.
    pub fn with_notice(on_speaking: impl Fn() + Send + Sync + 'static) -> Self {
        Self { on_speaking: Some(Box::new(on_speaking)), ..Self::default() }
    }

    /// Records the peak of `samples` (each in [-1, 1]); falls by 20 dB a second of sound when it gets quieter.
    pub fn record(&self, samples: &[f32]) {
        let peak = samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        let decay = 0.1_f32.powf(samples.len() as f32 / SAMPLE_RATE as f32);
        let held = self.peak() * decay;
        self.peak.store(peak.max(held).min(1.0).to_bits(), Ordering::Relaxed);
        self.follow_speech(peak, samples.len() as u32);
    }

    fn follow_speech(&self, peak: f32, samples: u32) {
        let speaking = self.is_speaking();
        let contrary = if speaking { peak < Self::QUIET } else { peak > Self::LOUD };
        let run = if contrary { self.contrary.load(Ordering::Relaxed).saturating_add(samples) } else { 0 };
        self.contrary.store(run, Ordering::Relaxed);
        if run >= if speaking { Self::QUIET_FOR } else { Self::LOUD_FOR } {
            self.set_speaking(!speaking);
        }
    }

    fn set_speaking(&self, speaking: bool) {
        self.contrary.store(0, Ordering::Relaxed);
        if self.speaking.swap(speaking, Ordering::Relaxed) != speaking
            && let Some(notify) = &self.on_speaking
        {
            notify();
        }
    }

    /// True while somebody speaks.
    pub fn is_speaking(&self) -> bool {
        self.speaking.load(Ordering::Relaxed)
    }

    /// The held peak, linear, from 0 (silence) to 1 (full scale).
    pub fn peak(&self) -> f32 {
        f32::from_bits(self.peak.load(Ordering::Relaxed))
    }

    /// Shows silence, as when the device is closed.
    pub fn reset(&self) {
        self.peak.store(0, Ordering::Relaxed);
        self.set_speaking(false);
    }
}

impl fmt::Debug for LevelMeter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (peak, speaking) = (self.peak(), self.is_speaking());
        formatter.debug_struct("LevelMeter").field("peak", &peak).field("speaking", &speaking).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn the_meter_rises_at_once_and_falls_by_20_db_a_second() {
        let meter = LevelMeter::default();
        meter.record(&[0.0, -0.5]);
        assert!((meter.peak() - 0.5).abs() < 1e-3);
        for _ in 0..50 {
            meter.record(&[0.0; FRAME_SAMPLES]);
        }
        assert!((meter.peak() - 0.05).abs() < 1e-3, "{}", meter.peak());
    }

    #[test]
    fn speaking_begins_soon_outlasts_gaps_between_words_and_each_change_is_told_once() {
        let told = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&told);
        let meter = LevelMeter::with_notice(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        let record = |level: f32, frames: usize| {
            (0..frames).for_each(|_| meter.record(&[level; FRAME_SAMPLES]));
            (meter.is_speaking(), told.load(Ordering::Relaxed))
        };
        assert_eq!(record(0.5, 2), (false, 0), "a click");
        assert_eq!(record(0.0, 1), (false, 0));
        assert_eq!(record(0.1, 3), (true, 1));
        assert_eq!(record(0.0, 29), (true, 1), "between words");
        assert_eq!(record(0.02, 100), (true, 1), "quiet, and still there");
        assert_eq!(record(0.0, 30), (false, 2));
        assert_eq!(record(0.02, 100), (false, 2), "noise");
        assert_eq!(record(0.1, 100), (true, 3));
        meter.reset();
        assert_eq!(record(0.0, 1), (false, 4));
    }
}
