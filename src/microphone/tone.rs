//! The microphone that is a steady tone: for tests, and for a person without a microphone.

use crate::media::SAMPLE_RATE;

/// A sine that goes on without a click from frame to frame.
#[derive(Debug)]
pub(super) struct Tone {
    step: f64,
    phase: f64,
}

impl Tone {
    /// Half of full scale would be loud in a headset; this is a comfortable 12 dB below full scale.
    const AMPLITUDE: f64 = 0.25;

    /// A tone of `hertz`, within the band of 48 kHz.
    pub(super) fn new(hertz: u32) -> Self {
        let hertz = hertz.clamp(20, SAMPLE_RATE / 2 - 1000);
        Self { step: f64::from(hertz) / f64::from(SAMPLE_RATE), phase: 0.0 }
    }

    /// Writes the next samples.
    pub(super) fn fill(&mut self, frame: &mut [f32]) {
        for sample in frame {
            *sample = ((self.phase * std::f64::consts::TAU).sin() * Self::AMPLITUDE) as f32;
            self.phase = (self.phase + self.step).fract();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::FRAME_SAMPLES;
    use crate::sound_device::test_signal::{peak_hertz, purity};

    #[test]
    fn the_tone_is_pure_across_frames() {
        let mut tone = Tone::new(1000);
        let mut sound = vec![0.0; FRAME_SAMPLES * 50];
        for frame in sound.chunks_exact_mut(FRAME_SAMPLES) {
            tone.fill(frame);
        }
        assert!((peak_hertz(&sound, SAMPLE_RATE) - 1000.0).abs() < 1.5);
        assert!(purity(&sound, 1000.0, SAMPLE_RATE) > 0.999, "no clicks where frames meet");
    }

    #[test]
    fn a_frequency_that_cannot_be_carried_is_held_to_one_that_can() {
        for hertz in [0, u32::MAX] {
            let mut frame = [0.0; FRAME_SAMPLES];
            Tone::new(hertz).fill(&mut frame);
            assert!(frame.iter().all(|sample| sample.abs() <= 0.25));
        }
    }
}
