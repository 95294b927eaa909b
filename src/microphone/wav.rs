//! The microphone that is a WAV file, played again and again: any rate, channels and sample width.
//!
//! The file is read as it is played, so a long one takes no memory. Runs on the microphone thread.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::Path;

use hound::{SampleFormat, WavReader};

use crate::media::FRAME_SAMPLES;
use crate::sound_device::Resampler;

/// Why a file cannot be a microphone; for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum WavError {
    #[error("no such file")]
    Missing,
    #[error("not allowed to read the file")]
    Forbidden,
    #[error("not a WAV file that can be played: {0}")]
    Unreadable(String),
    #[error("the file holds no sound")]
    Empty,
}

impl From<hound::Error> for WavError {
    fn from(error: hound::Error) -> Self {
        match error {
            hound::Error::IoError(error) => error.into(),
            other => Self::Unreadable(other.to_string()),
        }
    }
}

impl From<std::io::Error> for WavError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::Missing,
            std::io::ErrorKind::PermissionDenied => Self::Forbidden,
            _ => Self::Unreadable(error.to_string()),
        }
    }
}

/// A WAV file that gives frames of 48 kHz mono for ever.
pub(super) struct WavLoop<R = BufReader<File>> {
    reader: WavReader<R>,
    resampler: Resampler,
    channels: u16,
    float: bool,
    /// 1 / full scale of the file's integers.
    scale: f32,
}

impl WavLoop {
    /// Opens `path`.
    pub(super) fn open(path: &Path) -> Result<Self, WavError> {
        // Opening a pipe would wait for its writer without end.
        if !std::fs::metadata(path)?.is_file() {
            return Err(WavError::Unreadable("not a regular file".to_owned()));
        }
        Self::new(WavReader::open(path)?)
    }
}

impl<R: Read + Seek> WavLoop<R> {
    /// Rates outside these are no sound for a call; a forged header would only cost memory and time.
    const RATES: std::ops::RangeInclusive<u32> = 4_000..=384_000;
    const MAX_CHANNELS: u16 = 32;

    fn new(reader: WavReader<R>) -> Result<Self, WavError> {
        let spec = reader.spec();
        if !Self::RATES.contains(&spec.sample_rate) || !(1..=Self::MAX_CHANNELS).contains(&spec.channels) {
            return Err(WavError::Unreadable(format!("{} Hz, {} channels", spec.sample_rate, spec.channels)));
        }
        if reader.duration() == 0 {
            return Err(WavError::Empty);
        }
        let resampler =
            Resampler::to_frames(spec.sample_rate).map_err(|error| WavError::Unreadable(error.to_string()))?;
        let full_scale = 2.0_f32.powi(i32::from(spec.bits_per_sample.clamp(1, 32)) - 1);
        Ok(Self {
            reader,
            resampler,
            channels: spec.channels,
            float: spec.sample_format == SampleFormat::Float,
            scale: 1.0 / full_scale,
        })
    }

    /// Writes the next 20 ms, going on from the start where the file ends.
    pub(super) fn fill(&mut self, frame: &mut [f32; FRAME_SAMPLES]) -> Result<(), WavError> {
        let needed = self.resampler.needed();
        let mut filled = 0;
        while filled < needed {
            let read = self.read(filled, needed)?;
            if read == 0 {
                self.reader.seek(0)?;
                if self.read(filled, filled + 1)? == 0 {
                    return Err(WavError::Empty);
                }
                filled += 1;
            }
            filled += read;
        }
        let converted = self.resampler.convert().map_err(|error| WavError::Unreadable(error.to_string()))?;
        frame.copy_from_slice(converted);
        Ok(())
    }

    /// Reads mono samples into the resampler's input from `from` up to `to`; fewer where the file ends.
    fn read(&mut self, from: usize, to: usize) -> Result<usize, WavError> {
        let target = &mut self.resampler.input()[from..to];
        if self.float {
            let samples = self.reader.samples::<f32>();
            mix_down(
                samples,
                self.channels,
                |sample| if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 },
                target,
            )
        } else {
            let scale = self.scale;
            mix_down(self.reader.samples::<i32>(), self.channels, |sample| sample as f32 * scale, target)
        }
    }
}

/// Plays what a file holds for some frames, for the fuzzer.
pub fn fuzz_wav(bytes: &[u8]) {
    const FRAMES: usize = 16;
    let Ok(mut sound) = WavReader::new(Cursor::new(bytes)).map_err(WavError::from).and_then(WavLoop::new) else {
        return;
    };
    let mut frame = [0.0; FRAME_SAMPLES];
    for _ in 0..FRAMES {
        if sound.fill(&mut frame).is_err() {
            return;
        }
    }
}

/// Writes the mean of each `channels` samples into `target`; how many were there.
fn mix_down<S>(
    mut samples: impl Iterator<Item = hound::Result<S>>,
    channels: u16,
    to_float: impl Fn(S) -> f32,
    target: &mut [f32],
) -> Result<usize, WavError> {
    for (index, out) in target.iter_mut().enumerate() {
        let mut sum = 0.0;
        for _ in 0..channels {
            match samples.next() {
                Some(sample) => sum += to_float(sample?),
                None => return Ok(index),
            }
        }
        *out = sum / f32::from(channels);
    }
    Ok(target.len())
}

#[cfg(test)]
mod tests {
    use hound::{WavSpec, WavWriter};
    use proptest::prelude::*;

    use super::*;
    use crate::media::SAMPLE_RATE;
    use crate::sound_device::test_signal::{peak_hertz, rms, sine};

    fn write_tone(path: &Path, spec: WavSpec, seconds: u32) {
        let mut writer = WavWriter::create(path, spec).unwrap();
        for sample in sine(1000.0, spec.sample_rate, (spec.sample_rate * seconds) as usize) {
            for _ in 0..spec.channels {
                match (spec.sample_format, spec.bits_per_sample) {
                    (SampleFormat::Float, _) => writer.write_sample(sample).unwrap(),
                    (SampleFormat::Int, bits) => {
                        writer.write_sample((sample * (2.0_f32.powi(i32::from(bits) - 1) - 1.0)) as i32).unwrap();
                    }
                }
            }
        }
        writer.finalize().unwrap();
    }

    #[test]
    fn files_of_any_shape_keep_their_tone_and_level_and_go_round() {
        let folder = tempfile::tempdir().unwrap();
        let shapes = [
            (48_000, 1, 16, SampleFormat::Int),
            (44_100, 2, 16, SampleFormat::Int),
            (8_000, 1, 8, SampleFormat::Int),
            (16_000, 1, 24, SampleFormat::Int),
            (96_000, 2, 32, SampleFormat::Float),
        ];
        for (sample_rate, channels, bits_per_sample, sample_format) in shapes {
            let path = folder.path().join("tone.wav");
            write_tone(&path, WavSpec { channels, sample_rate, bits_per_sample, sample_format }, 1);
            let mut file = WavLoop::open(&path).unwrap();
            let (mut sound, mut frame) = (Vec::new(), [0.0; FRAME_SAMPLES]);
            for _ in 0..125 {
                file.fill(&mut frame).unwrap();
                sound.extend_from_slice(&frame);
            }
            let hertz = peak_hertz(&sound[12_000..108_000], SAMPLE_RATE);
            assert!((hertz - 1000.0).abs() < 2.0, "{sample_rate} Hz: {hertz}");
            let level = rms(&sound[72_000..108_000]);
            assert!((level - 0.3535).abs() < 0.02, "{sample_rate} Hz, second round: {level}");
        }
    }

    #[test]
    fn what_is_no_sound_is_refused_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad.wav");
        assert!(matches!(WavLoop::open(&path), Err(WavError::Missing)));
        assert!(matches!(WavLoop::open(folder.path()), Err(WavError::Unreadable(_))));
        std::fs::write(&path, b"RIFF....WAVEfmt nonsense").unwrap();
        assert!(WavLoop::open(&path).is_err());
        let spec = WavSpec { channels: 1, sample_rate: 48_000, bits_per_sample: 16, sample_format: SampleFormat::Int };
        write_tone(&path, spec, 0);
        assert!(matches!(WavLoop::open(&path), Err(WavError::Empty)));
    }

    #[test]
    fn a_file_that_ends_too_early_fails_without_a_hang() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.wav");
        let spec = WavSpec { channels: 2, sample_rate: 48_000, bits_per_sample: 16, sample_format: SampleFormat::Int };
        write_tone(&path, spec, 1);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..44 + 2 * 2 * 1000 + 1]).unwrap();
        let mut file = WavLoop::open(&path).unwrap();
        let mut frame = [0.0; FRAME_SAMPLES];
        file.fill(&mut frame).unwrap();
        assert!(file.fill(&mut frame).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_header_makes_it_panic(changes in prop::collection::vec((0_usize..48, any::<u8>()), 0..4), end in 0_usize..600) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("any.wav");
            let spec = WavSpec { channels: 2, sample_rate: 8_000, bits_per_sample: 16, sample_format: SampleFormat::Int };
            let mut writer = WavWriter::create(&path, spec).unwrap();
            (0..200_i16).for_each(|sample| writer.write_sample(sample).unwrap());
            writer.finalize().unwrap();
            let mut bytes = std::fs::read(&path).unwrap();
            for (at, byte) in changes {
                bytes[at] = byte;
            }
            bytes.truncate(end);
            std::fs::write(&path, bytes).unwrap();
            if let Ok(mut file) = WavLoop::open(&path) {
                let mut frame = [0.0; FRAME_SAMPLES];
                let _ = (0..3).try_for_each(|_| file.fill(&mut frame));
            }
        }
    }
}
