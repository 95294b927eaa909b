//! The one shape of sound inside Visavis: 48 kHz, one channel, 32-bit float samples in [-1, 1], 20 ms at a time.

use std::sync::atomic::{AtomicU32, Ordering};

/// Samples a second everywhere between the device edges (the rate at which Opus runs).
pub const SAMPLE_RATE: u32 = 48_000;

/// Channels everywhere between the device edges.
pub const CHANNELS: u16 = 1;

/// Samples in one audio frame: 20 ms, the frame that Opus is given.
pub const FRAME_SAMPLES: usize = 960;

/// The loudness of a stream as a meter shows it, shared between a real-time thread (writes) and the window (reads).
#[derive(Debug, Default)]
pub struct LevelMeter(AtomicU32);

impl LevelMeter {
    /// Records the peak of `samples` (each in [-1, 1]); falls by 20 dB a second of sound when it gets quieter.
    pub fn record(&self, samples: &[f32]) {
        let peak = samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        let decay = 0.1_f32.powf(samples.len() as f32 / SAMPLE_RATE as f32);
        let held = self.peak() * decay;
        self.0.store(peak.max(held).min(1.0).to_bits(), Ordering::Relaxed);
    }

    /// The held peak, linear, from 0 (silence) to 1 (full scale).
    pub fn peak(&self) -> f32 {
        f32::from_bits(self.0.load(Ordering::Relaxed))
    }

    /// Shows silence, as when the device is closed.
    pub fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
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
}
