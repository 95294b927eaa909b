//! The speaker that is a WAV file: 48 kHz, mono, 16 bit. Written by the playout thread.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use hound::{SampleFormat, WavSpec, WavWriter};

use crate::media::{CHANNELS, SAMPLE_RATE};

/// Writes what would be heard.
pub(super) struct Recorder {
    writer: WavWriter<BufWriter<File>>,
    unflushed: usize,
}

impl Recorder {
    /// A WAV file counts its bytes in 32 bits: about 12 hours fit.
    const MAX_SAMPLES: u32 = u32::MAX / 2 - SAMPLE_RATE;

    /// Creates or overwrites `path`.
    pub(super) fn create(path: &Path) -> Result<Self, hound::Error> {
        let spec = WavSpec {
            channels: CHANNELS,
            sample_rate: SAMPLE_RATE,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut writer = WavWriter::create(path, spec)?;
        writer.flush()?;
        Ok(Self { writer, unflushed: 0 })
    }

    /// Appends a frame. Each second the header is brought up to date, so that the file can be played even if this process
    /// is killed.
    pub(super) fn write(&mut self, frame: &[f32]) -> Result<(), hound::Error> {
        if self.writer.len() > Self::MAX_SAMPLES {
            return Err(hound::Error::TooWide);
        }
        for sample in frame {
            self.writer.write_sample((sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)) as i16)?;
        }
        self.unflushed += frame.len();
        if self.unflushed >= SAMPLE_RATE as usize {
            self.unflushed = 0;
            self.writer.flush()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::FRAME_SAMPLES;

    #[test]
    fn the_file_is_whole_at_every_second_while_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heard.wav");
        let mut recorder = Recorder::create(&path).unwrap();
        assert_eq!(hound::WavReader::open(&path).unwrap().duration(), 0);
        for _ in 0..75 {
            recorder.write(&[0.5; FRAME_SAMPLES]).unwrap();
        }
        let mut file = hound::WavReader::open(&path).unwrap();
        assert_eq!(file.duration(), SAMPLE_RATE, "what a killed process leaves");
        assert!(file.samples::<i16>().all(|sample| sample.is_ok_and(|sample| (16_380..=16_390).contains(&sample))));
        drop(recorder);
        assert_eq!(hound::WavReader::open(&path).unwrap().duration(), 75 * FRAME_SAMPLES as u32);
    }
}
