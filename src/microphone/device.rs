//! A real microphone: from the ring that its callback fills to frames of 20 ms. Runs on the microphone thread.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::capture::Capture;
use crate::device::{DeviceChoice, DeviceError, DeviceFault, DeviceKind, DeviceReason};
use crate::media::{FRAME_SAMPLES, MediaTime, SAMPLE_RATE};
use crate::sound_device::{
    Direction, Found, Heart, RecordRing, Resampler, Stall, WATCH, Wakes, Watched, Watcher, find, open_input,
};

const DEVICE: DeviceKind = DeviceKind::Microphone;

/// Opens the microphone and delivers its sound until it is closed, until the system's default is another one (`Ok`, to
/// be opened again), or until it fails.
pub(super) fn run(capture: &mut Capture, choice: &DeviceChoice) -> Result<(), DeviceError> {
    let found = find(choice, Direction::Input).ok_or(DeviceFault::Missing.of(DEVICE))?;
    let heart = Arc::new(Heart::default());
    let wakes = Wakes { data: thread::current(), owner: thread::current() };
    let (_stream, ring) = open_input(&found, &heart, wakes)?;
    let rate = ring.rate;
    let resampler = Resampler::to_frames(rate).map_err(|_| cannot_resample(rate))?;
    let watcher = Watcher::new(choice, Direction::Input, &found);
    let ended = Line { ring, resampler, watcher }.run(capture, &found, &heart);
    capture.end_silence(&found.name);
    ended
}

struct Line {
    ring: RecordRing,
    resampler: Resampler,
    watcher: Watcher,
}

impl Line {
    fn run(&mut self, capture: &mut Capture, found: &Found, heart: &Heart) -> Result<(), DeviceError> {
        let mut stall = Stall::new(MediaTime::now());
        while !capture.closed() {
            if let Some(fault) = heart.fault(Direction::Input) {
                return Err(fault);
            }
            let now = MediaTime::now();
            if stall.check(heart.beats(), now) {
                return Err(DeviceFault::Stalled.of(DEVICE));
            }
            match self.watcher.look(now) {
                Watched::Same => {}
                Watched::Gone => return Err(DeviceFault::Unplugged.of(DEVICE)),
                Watched::Replaced => return Ok(()),
            }
            if heart.beats() > 0 {
                capture.report_working(&found.name);
            }
            if !self.deliver_frame(capture, &found.name, heart.latency().unwrap_or_default())? {
                thread::park_timeout(WATCH);
            }
        }
        Ok(())
    }

    /// Delivers one frame if the ring holds enough for it. `latency` is the delay from the air to the ring.
    fn deliver_frame(&mut self, capture: &mut Capture, name: &str, latency: Duration) -> Result<bool, DeviceError> {
        if self.ring.samples.pop_entire_slice(self.resampler.input()).is_err() {
            return Ok(false);
        }
        let waiting = Duration::from_secs_f64(self.ring.samples.slots() as f64 / f64::from(self.ring.rate));
        let frame_length = Duration::from_micros(FRAME_SAMPLES as u64 * 1_000_000 / u64::from(SAMPLE_RATE));
        let at = MediaTime::now() - waiting - frame_length - latency;
        let frame = self.resampler.convert().map_err(|_| cannot_resample(self.ring.rate))?;
        capture.note_silence(name, frame, at);
        capture.deliver_recorded(frame, at);
        Ok(true)
    }
}

const fn cannot_resample(rate: u32) -> DeviceError {
    DeviceFault::Failed(DeviceReason::SampleRate(rate)).of(DEVICE)
}
