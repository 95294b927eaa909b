//! The microphone: the first stage of sound on the sending side.
//!
//! ```text
//! device callback -> ring -> 48 kHz, mono, 20 ms -> voice processing -\
//! tone -------------------------------------------------------------> level meter, sink (the encoder)
//! WAV file ---------------------------------------------------------/
//! ```
//!
//! One thread a microphone opens the device, takes and processes its sound, watches that it works, and opens it again
//! after a fault.

mod capture;
mod device;
#[cfg(test)]
mod session_tests;
mod silence;
mod tone;
mod unheard;
mod wav;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};

pub use crate::sound_device::{SoundEvent, list_microphones};
pub use unheard::UnheardSpeech;
#[doc(hidden)]
pub use wav::fuzz_wav;

use crate::device::{Consent, DeviceChoice, DeviceError, DeviceFault, DeviceKind, DeviceReason};
use crate::media::{FRAME_SAMPLES, LevelMeter, MediaTime};
use crate::sound_device::{DONE_WAIT, Done, Pace, RETRY};
use crate::voice_processing::VoiceProcessor;
use capture::{Capture, Shared};
use tone::Tone;
use wav::WavLoop;

const DEVICE: DeviceKind = DeviceKind::Microphone;

/// An open microphone. Dropping it releases the device (waiting at most 2 s for that); its sink is not called
/// afterwards.
pub struct Microphone {
    shared: Arc<Shared>,
    thread: Option<Thread>,
}

impl Microphone {
    /// Opens the microphone that `choice` names, and keeps it open: after a fault it is tried again about once a
    /// second. Returns at once; nobody waits for the device.
    ///
    /// `sink` gets each frame of 20 ms (960 samples at 48 kHz) with the time at which its first sample was captured, on
    /// the microphone's thread; `events` is called there too. With [`DeviceChoice::None`] neither is ever called.
    /// `processor` stands between a device and its level; a tone or a file is delivered as it is.
    pub fn open(
        _consent: &Consent,
        choice: &DeviceChoice,
        level: Arc<LevelMeter>,
        processor: VoiceProcessor,
        sink: impl FnMut(&[f32], MediaTime) + Send + 'static,
        events: impl Fn(SoundEvent) + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared { closed: AtomicBool::new(false), done: Done::default() });
        if *choice == DeviceChoice::None {
            return Self { shared, thread: None };
        }
        let mut capture = Capture::new(Arc::clone(&shared), processor, level, Box::new(sink), Box::new(events));
        let choice = choice.clone();
        let spawned = thread::Builder::new().name("microphone".to_owned()).spawn(move || {
            run(&mut capture, &choice);
            capture.fall_silent();
            let done = Arc::clone(&capture.shared);
            drop(capture);
            done.done.raise();
        });
        let thread = match spawned {
            Ok(handle) => Some(handle.thread().clone()),
            Err(error) => {
                tracing::error!(%error, "the microphone thread cannot start");
                None
            }
        };
        Self { shared, thread }
    }
}

impl Drop for Microphone {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        let Some(thread) = &self.thread else { return };
        thread.unpark();
        // A sink that drops its own microphone would wait for itself.
        if thread.id() != thread::current().id() && !self.shared.done.wait(DONE_WAIT) {
            tracing::warn!("the microphone takes long to close");
        }
    }
}

fn run(capture: &mut Capture, choice: &DeviceChoice) {
    while !capture.closed() {
        let ended = match choice {
            DeviceChoice::SystemDefault | DeviceChoice::Named(_) => device::run(capture, choice),
            DeviceChoice::Tone { hertz } => run_tone(capture, *hertz),
            DeviceChoice::File(path) => run_file(capture, path),
            DeviceChoice::None => return,
            DeviceChoice::TestCard { .. } => Err(DeviceFault::Failed(DeviceReason::WrongKind).of(DEVICE)),
        };
        if let Err(error) = ended {
            capture.fall_silent();
            capture.report_fault(error);
            capture.park(RETRY);
        }
    }
}

fn run_tone(capture: &mut Capture, hertz: u32) -> Result<(), DeviceError> {
    let mut tone = Tone::new(hertz);
    capture.report_working(&format!("Tone of {hertz} Hz"));
    run_paced(capture, |frame| {
        tone.fill(frame);
        Ok(())
    })
}

fn run_file(capture: &mut Capture, path: &std::path::Path) -> Result<(), DeviceError> {
    let mut file = WavLoop::open(path).map_err(file_fault)?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    capture.report_working(&name);
    run_paced(capture, |frame| file.fill(frame).map_err(file_fault))
}

/// Frames from a source without a clock, one each 20 ms, until closed.
fn run_paced(
    capture: &mut Capture,
    mut fill: impl FnMut(&mut [f32; FRAME_SAMPLES]) -> Result<(), DeviceError>,
) -> Result<(), DeviceError> {
    let mut pace = Pace::new(MediaTime::now());
    let mut frame = [0.0; FRAME_SAMPLES];
    while !capture.closed() {
        match pace.take(MediaTime::now()) {
            Ok(at) => {
                fill(&mut frame)?;
                capture.deliver(&frame, at);
            }
            Err(wait) => thread::park_timeout(wait),
        }
    }
    Ok(())
}

const fn file_fault(reason: DeviceReason) -> DeviceError {
    DeviceFault::Failed(reason).of(DEVICE)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, sync_channel};
    use std::time::Duration;

    use super::*;

    type Frames = Receiver<(Vec<f32>, MediaTime)>;

    fn open(choice: &DeviceChoice) -> (Microphone, Arc<LevelMeter>, Frames, Receiver<SoundEvent>) {
        let level = Arc::new(LevelMeter::default());
        let (frame_sender, frames) = sync_channel(64);
        let (event_sender, events) = sync_channel(64);
        let microphone = Microphone::open(
            &Consent::for_test(),
            choice,
            Arc::clone(&level),
            VoiceProcessor::default(),
            move |frame, at| {
                let _ = frame_sender.try_send((frame.to_vec(), at));
            },
            move |event| {
                let _ = event_sender.try_send(event);
            },
        );
        (microphone, level, frames, events)
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_tone_comes_in_frames_of_20_ms_and_stops_with_the_microphone() {
        let (microphone, level, frames, events) = open(&DeviceChoice::Tone { hertz: 1000 });
        assert_eq!(events.recv_timeout(LONG), Ok(SoundEvent::Opened { name: "Tone of 1000 Hz".into() }));
        let first = frames.recv_timeout(LONG).unwrap();
        let second = frames.recv_timeout(LONG).unwrap();
        assert_eq!((first.0.len(), second.0.len()), (FRAME_SAMPLES, FRAME_SAMPLES));
        assert_eq!(second.1.since(first.1), Duration::from_millis(20));
        assert!(level.peak() > 0.2);
        drop(microphone);
        while frames.try_recv().is_ok() {}
        assert!(frames.recv_timeout(LONG).is_err(), "the sink is gone");
        assert!(level.peak() < 1e-6, "the meter of a closed microphone shows silence");
    }

    #[test]
    fn a_bad_file_is_one_fault_and_recovers_when_it_becomes_good() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("voice.wav");
        let (_microphone, _, frames, events) = open(&DeviceChoice::File(path.clone()));
        let missing = file_fault(DeviceReason::FileMissing);
        assert_eq!(events.recv_timeout(LONG), Ok(SoundEvent::Fault(missing)));
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 48_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let written = folder.path().join("written.wav");
        let mut writer = hound::WavWriter::create(&written, spec).unwrap();
        for _ in 0..48_000 {
            writer.write_sample(1000_i16).unwrap();
        }
        writer.finalize().unwrap();
        std::fs::rename(written, path).unwrap();
        assert_eq!(events.recv_timeout(LONG), Ok(SoundEvent::Recovered { name: "voice.wav".into() }));
        assert_eq!(frames.recv_timeout(LONG).unwrap().0.len(), FRAME_SAMPLES);
    }

    #[test]
    fn a_missing_microphone_leaves_the_meter_to_the_one_that_stands_in() {
        let folder = tempfile::tempdir().unwrap();
        let (level, (sender, events)) = (Arc::new(LevelMeter::default()), sync_channel(64));
        level.record(&[0.5; FRAME_SAMPLES]);
        let microphone = Microphone::open(
            &Consent::for_test(),
            &DeviceChoice::File(folder.path().join("missing.wav")),
            Arc::clone(&level),
            VoiceProcessor::default(),
            |_, _| {},
            move |event| drop(sender.try_send(event)),
        );
        assert!(matches!(events.recv_timeout(LONG), Ok(SoundEvent::Fault(_))));
        drop(microphone);
        assert!(level.peak() > 0.1);
    }

    #[test]
    fn no_microphone_and_a_test_card_give_no_sound() {
        let (none, _, frames, events) = open(&DeviceChoice::None);
        assert!(frames.recv().is_err() && events.recv().is_err(), "nothing will ever come");
        drop(none);
        let (_card, _, _frames, events) = open(&DeviceChoice::TestCard { format: None });
        assert!(matches!(
            events.recv_timeout(LONG),
            Ok(SoundEvent::Fault(DeviceError { fault: DeviceFault::Failed(DeviceReason::WrongKind), .. }))
        ));
    }
}
