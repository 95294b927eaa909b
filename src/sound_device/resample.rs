//! Sample-rate conversion of one channel, between a device or a file and the 48 kHz inside Visavis.
//!
//! Runs on the microphone's or the playout thread, never in a device's callback. Equal rates pass through.

use rubato::audioadapter_buffers::direct::SequentialSliceOfVecs;
use rubato::{Fft, FixedSync, Resampler as _};

use crate::media::{FRAME_SAMPLES, SAMPLE_RATE};

/// A rate that cannot be converted, or a conversion that failed.
#[derive(Debug, thiserror::Error)]
#[error("resampling failed: {0}")]
pub(crate) struct ResampleError(String);

/// Converts one channel a chunk at a time, in buffers that are allocated once.
pub(crate) struct Resampler {
    fft: Option<Fft<f32>>,
    input: [Vec<f32>; 1],
    output: [Vec<f32>; 1],
}

impl Resampler {
    /// From `rate` to 48 kHz: `take(needed())` gives exactly one frame of 20 ms.
    pub(crate) fn to_frames(rate: u32) -> Result<Self, ResampleError> {
        Self::new(rate, SAMPLE_RATE, FixedSync::Output)
    }

    /// From 48 kHz to `rate`: takes exactly one frame of 20 ms, gives what it makes at `rate`.
    pub(crate) fn from_frames(rate: u32) -> Result<Self, ResampleError> {
        Self::new(SAMPLE_RATE, rate, FixedSync::Input)
    }

    fn new(from: u32, to: u32, fixed: FixedSync) -> Result<Self, ResampleError> {
        if from == to {
            return Ok(Self { fft: None, input: [vec![0.0; FRAME_SAMPLES]], output: [Vec::new()] });
        }
        let fft = Fft::new(from as usize, to as usize, FRAME_SAMPLES, 1, fixed)
            .map_err(|error| ResampleError(error.to_string()))?;
        let input = [vec![0.0; fft.input_frames_max()]];
        let output = [vec![0.0; fft.output_frames_max()]];
        Ok(Self { fft: Some(fft), input, output })
    }

    /// Samples that the next conversion takes.
    pub(crate) fn needed(&self) -> usize {
        self.fft.as_ref().map_or(FRAME_SAMPLES, |fft| fft.input_frames_next())
    }

    /// Where the next `needed()` samples are written before `convert`.
    pub(crate) fn input(&mut self) -> &mut [f32] {
        let needed = self.needed();
        &mut self.input[0][..needed]
    }

    /// Converts what `input` holds.
    pub(crate) fn convert(&mut self) -> Result<&[f32], ResampleError> {
        let Some(fft) = &mut self.fft else { return Ok(&self.input[0]) };
        let failed = |error: &dyn std::fmt::Display| ResampleError(error.to_string());
        let (input_len, output_len) = (self.input[0].len(), self.output[0].len());
        let input = SequentialSliceOfVecs::new(&self.input[..], 1, input_len).map_err(|error| failed(&error))?;
        let mut output =
            SequentialSliceOfVecs::new_mut(&mut self.output[..], 1, output_len).map_err(|error| failed(&error))?;
        let (_, made) = fft.process_into_buffer(&input, &mut output, None).map_err(|error| failed(&error))?;
        Ok(&self.output[0][..made])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sound_device::test_signal::{peak_hertz, sine};

    #[test]
    fn a_tone_keeps_its_frequency_from_any_rate_to_frames() {
        for rate in [8_000, 16_000, 22_050, 44_100, 48_000, 96_000] {
            let source = sine(1000.0, rate, rate as usize * 2);
            let mut resampler = Resampler::to_frames(rate).unwrap();
            let (mut taken, mut made) = (0, Vec::new());
            while taken + resampler.needed() <= source.len() {
                let needed = resampler.needed();
                resampler.input().copy_from_slice(&source[taken..taken + needed]);
                taken += needed;
                let frame = resampler.convert().unwrap();
                assert_eq!(frame.len(), FRAME_SAMPLES);
                made.extend_from_slice(frame);
            }
            assert!(made.len() > 80_000, "{rate}: {}", made.len());
            let hertz = peak_hertz(&made[4800..4800 + 48_000], SAMPLE_RATE);
            assert!((hertz - 1000.0).abs() < 2.0, "{rate} Hz device: {hertz} Hz");
        }
    }

    #[test]
    fn a_tone_keeps_its_frequency_from_frames_to_any_rate() {
        for rate in [8_000, 44_100, 48_000, 96_000] {
            let source = sine(700.0, SAMPLE_RATE, 96_000);
            let mut resampler = Resampler::from_frames(rate).unwrap();
            let mut made = Vec::new();
            for frame in source.chunks_exact(FRAME_SAMPLES) {
                resampler.input().copy_from_slice(frame);
                made.extend_from_slice(resampler.convert().unwrap());
            }
            let (skip, len) = (rate as usize / 10, rate as usize);
            let hertz = peak_hertz(&made[skip..skip + len], rate);
            assert!((hertz - 700.0).abs() < 2.0, "{rate} Hz device: {hertz} Hz");
        }
    }
}
