//! Sample-rate conversion of one channel: between a device or a file and the 48 kHz inside Visavis, and between two
//! clocks that both say 48 kHz.
//!
//! Runs on the microphone's or the playout thread, never in a device's callback. Equal rates pass through.

use rubato::audioadapter_buffers::direct::SequentialSliceOfVecs;
use rubato::{Async, Fft, FixedAsync, FixedSync, SincInterpolationParameters, SincInterpolationType, WindowFunction};

use crate::media::{FRAME_SAMPLES, SAMPLE_RATE};

/// A rate that cannot be converted, or a conversion that failed.
#[derive(Debug, thiserror::Error)]
#[error("resampling failed: {0}")]
pub(crate) struct ResampleError(String);

/// Converts one channel a chunk at a time, in buffers that are allocated once.
pub(crate) struct Resampler {
    converter: Option<Box<dyn rubato::Resampler<f32>>>,
    input: [Vec<f32>; 1],
    output: [Vec<f32>; 1],
}

impl Resampler {
    /// The greatest difference of two clocks, in millionths.
    const MAX_PPM: f64 = 1001.0;

    /// From `rate` to 48 kHz: `take(needed())` gives exactly one frame of 20 ms, 0.7 ms older than its input.
    pub(crate) fn to_frames(rate: u32) -> Result<Self, ResampleError> {
        Self::new(rate, SAMPLE_RATE, FixedSync::Output)
    }

    /// From 48 kHz to `rate`: takes exactly one frame of 20 ms, gives its samples at `rate`.
    pub(crate) fn from_frames(rate: u32) -> Result<Self, ResampleError> {
        Self::new(SAMPLE_RATE, rate, FixedSync::Input)
    }

    /// From 48 kHz of one clock to 48 kHz of another, of which [`Resampler::set_speed`] tells the difference:
    /// `take(needed())` gives exactly one frame of 20 ms, 0.7 ms older than its input.
    pub(crate) fn between_clocks() -> Result<Self, ResampleError> {
        // Flat up to 15 kHz and more, and what is folded back is 60 dB below.
        let sinc = SincInterpolationParameters {
            sinc_len: 64,
            f_cutoff: None,
            oversampling_factor: 64,
            interpolation: SincInterpolationType::Cubic,
            window: WindowFunction::Blackman2,
        };
        let most = 1.0 + Self::MAX_PPM * 1e-6;
        let converter = Async::new_sinc(1.0, most, &sinc, FRAME_SAMPLES, 1, FixedAsync::Output)
            .map_err(|error| ResampleError(error.to_string()))?;
        Ok(Self::with(Box::new(converter)))
    }

    fn new(from: u32, to: u32, fixed: FixedSync) -> Result<Self, ResampleError> {
        if from == to {
            return Ok(Self { converter: None, input: [vec![0.0; FRAME_SAMPLES]], output: [Vec::new()] });
        }
        let fft = Fft::new(from as usize, to as usize, FRAME_SAMPLES, 1, fixed)
            .map_err(|error| ResampleError(error.to_string()))?;
        Ok(Self::with(Box::new(fft)))
    }

    fn with(converter: Box<dyn rubato::Resampler<f32>>) -> Self {
        let input = [vec![0.0; converter.input_frames_max()]];
        let output = [vec![0.0; converter.output_frames_max()]];
        Self { converter: Some(converter), input, output }
    }

    /// From the next conversion on takes samples faster by `ppm` millionths (held to 1000) than it gives them, if it
    /// was made to.
    pub(crate) fn set_speed(&mut self, ppm: f64) {
        if let Some(converter) = self.converter.as_mut().and_then(|converter| converter.as_adjustable()) {
            let speed = 1.0 + ppm.clamp(1.0 - Self::MAX_PPM, Self::MAX_PPM - 1.0) * 1e-6;
            // Within its bounds, so it is never refused; over one frame, so it is not heard.
            let _ = converter.set_resample_ratio(1.0 / speed, true);
        }
    }

    /// Samples that the next conversion takes.
    pub(crate) fn needed(&self) -> usize {
        self.converter.as_ref().map_or(FRAME_SAMPLES, |converter| converter.input_frames_next())
    }

    /// Where the next `needed()` samples are written before `convert`.
    pub(crate) fn input(&mut self) -> &mut [f32] {
        let needed = self.needed();
        &mut self.input[0][..needed]
    }

    /// Converts the samples in `input`.
    pub(crate) fn convert(&mut self) -> Result<&[f32], ResampleError> {
        let Some(converter) = &mut self.converter else { return Ok(&self.input[0]) };
        let failed = |error: &dyn std::fmt::Display| ResampleError(error.to_string());
        let (input_len, output_len) = (self.input[0].len(), self.output[0].len());
        let input = SequentialSliceOfVecs::new(&self.input[..], 1, input_len).map_err(|error| failed(&error))?;
        let mut output =
            SequentialSliceOfVecs::new_mut(&mut self.output[..], 1, output_len).map_err(|error| failed(&error))?;
        let (_, made) = converter.process_into_buffer(&input, &mut output, None).map_err(|error| failed(&error))?;
        Ok(&self.output[0][..made])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sound_device::test_signal::{peak_hertz, precise_hertz, residue, rms, sine};

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
    fn between_clocks_a_tone_is_only_moved_by_their_difference() {
        for (hertz, ppm) in [(1000.0, 0.0), (1000.0, 400.0), (7000.0, -400.0), (15_000.0, 1000.0)] {
            let source = sine(hertz, SAMPLE_RATE, 120_000);
            let mut resampler = Resampler::between_clocks().unwrap();
            let (mut taken, mut made) = (0, Vec::new());
            while taken + resampler.needed() <= source.len() {
                resampler.set_speed(ppm);
                let needed = resampler.needed();
                resampler.input().copy_from_slice(&source[taken..taken + needed]);
                taken += needed;
                made.extend_from_slice(resampler.convert().unwrap());
            }
            let heard = &made[9600..9600 + 96_000];
            let moved = (precise_hertz(heard, hertz, SAMPLE_RATE) / hertz - 1.0) * 1e6;
            assert!((moved - ppm).abs() < 1.0, "{hertz} Hz by {ppm}: {moved}");
            let rest = residue(heard, hertz * (1.0 + ppm * 1e-6), SAMPLE_RATE);
            assert!(rest < 1e-6, "{hertz} Hz by {ppm}: {rest}");
            assert!((rms(heard) - rms(&source)).abs() < 0.005, "{hertz} Hz: {}", rms(heard));
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
