//! The microphone that is a WAV file, played again and again: any rate, channels and sample width, up to the end of the
//! file even where its header gives another size.
//!
//! Read here, because kept libraries refuse files that players play: `hound` reads no padding and takes valid bits from
//! the bottom, `symphonia` (0.6) reads neither RF64 nor a recording whose recorder was killed. The file is read as it
//! is played, so a long one takes no memory. Runs on the microphone thread.

mod header;
mod sample;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{BufReader, Cursor, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use crate::device::DeviceReason;
use crate::media::{FRAME_SAMPLES, open_regular_file};
use crate::sound_device::{Downmix, Resampler};
use header::{Header, Order};

/// A WAV file that gives frames of 48 kHz mono for ever.
pub(super) struct WavLoop<R: Read + Seek = File> {
    input: BufReader<R>,
    header: Header,
    /// One sample of every channel, as the file has it.
    block: Vec<u8>,
    /// Bytes of sound that are left before it begins again.
    left: u64,
    downmix: Downmix,
    resampler: Resampler,
}

impl WavLoop {
    /// Opens `path`.
    pub(super) fn open(path: &Path) -> Result<Self, DeviceReason> {
        Self::new(open_regular_file(path).map_err(|error| DeviceReason::of_file(&error))?)
    }
}

impl<R: Read + Seek> WavLoop<R> {
    fn new(mut input: R) -> Result<Self, DeviceReason> {
        let header = header::read(&mut input)?;
        let format = header.format;
        let channels = usize::from(format.channels);
        let resampler = Resampler::to_frames(format.rate).map_err(|_| DeviceReason::SampleRate(format.rate))?;
        let mut sound = Self {
            input: BufReader::new(input),
            header,
            block: vec![0; channels * format.width],
            left: 0,
            downmix: Downmix::of_mask(channels, format.mask, format.rate),
            resampler,
        };
        sound.rewind()?;
        // Somebody who chose a file without sound is told so before anything is played.
        sound.next_sample()?.ok_or(DeviceReason::NoSound)?;
        sound.rewind()?;
        Ok(sound)
    }

    /// Writes the next 20 ms, going on from the start where the file ends.
    pub(super) fn fill(&mut self, frame: &mut [f32; FRAME_SAMPLES]) -> Result<(), DeviceReason> {
        for index in 0..self.resampler.needed() {
            let sample = match self.next_sample()? {
                Some(sample) => sample,
                None => {
                    self.rewind()?;
                    self.next_sample()?.ok_or(DeviceReason::NoSound)?
                }
            };
            self.resampler.input()[index] = sample;
        }
        let rate = self.header.format.rate;
        frame.copy_from_slice(self.resampler.convert().map_err(|_| DeviceReason::SampleRate(rate))?);
        Ok(())
    }

    /// The next sample of all channels together; `None` at the end, where less than one of each channel is left.
    fn next_sample(&mut self) -> Result<Option<f32>, DeviceReason> {
        let length = self.block.len() as u64;
        if self.left < length {
            return Ok(None);
        }
        match self.input.read_exact(&mut self.block) {
            Ok(()) => self.left -= length,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(DeviceReason::of_file(&error)),
        }
        let format = self.header.format;
        let samples = self.block.chunks_exact_mut(format.width).map(|sample| {
            if format.order == Order::Big {
                sample.reverse();
            }
            format.coding.decode(sample)
        });
        Ok(Some(self.downmix.mix(samples)))
    }

    fn rewind(&mut self) -> Result<(), DeviceReason> {
        self.left = self.header.length;
        let sought = self.input.seek(SeekFrom::Start(self.header.start));
        sought.map(drop).map_err(|error| DeviceReason::of_file(&error))
    }
}

/// Plays a file for some frames, for the fuzzer.
pub fn fuzz_wav(bytes: &[u8]) {
    const FRAMES: usize = 16;
    let Ok(mut sound) = WavLoop::new(Cursor::new(bytes)) else { return };
    let mut frame = [0.0; FRAME_SAMPLES];
    for _ in 0..FRAMES {
        if sound.fill(&mut frame).is_err() {
            return;
        }
        assert!(frame.iter().all(|sample| sample.is_finite()), "a sample is no number");
    }
}
