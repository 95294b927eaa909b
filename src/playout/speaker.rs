//! The speaker: opens it when something is to be played, watches it, opens it again after a fault, and closes it.
//!
//! Runs on the speaker thread, so that a device that is slow to open never holds up the playout thread. It hands the
//! open device to the playout thread as a [`Feed`].

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use super::feed::Feed;
use super::recorder::Recorder;
use super::shared::{OnEvent, Shared};
use crate::device::{DeviceChoice, DeviceError, DeviceFault, DeviceKind, DeviceReason};
use crate::media::MediaTime;
use crate::sound_device::{
    CallbackPeriod, Direction, Heart, RETRY, Resampler, SoundLog, Stall, WATCH, Wakes, Watched, Watcher, find,
    open_output,
};

const DEVICE: DeviceKind = DeviceKind::Speaker;

/// State of the speaker thread.
pub(super) struct Speaker {
    shared: Arc<Shared>,
    on_event: OnEvent,
    log: SoundLog,
    /// The choice that is served, and its version.
    choice: DeviceChoice,
    version: u64,
    /// A recording goes on where it was while the same file is chosen; there is no recorder after it could not be
    /// written.
    recording: Option<(PathBuf, Option<Arc<Mutex<Recorder>>>)>,
}

impl Speaker {
    pub(super) fn new(shared: Arc<Shared>, on_event: OnEvent) -> Self {
        let (choice, version) = shared.choice();
        Self { shared, on_event, log: SoundLog::default(), choice, version, recording: None }
    }

    pub(super) fn run(&mut self) {
        while !self.shared.is_closed() {
            let Some(playout) = self.shared.playout_thread().filter(|_| self.shared.is_wanted()) else {
                thread::park();
                continue;
            };
            // After the look at whether one is wanted: a choice that was made before the wish counts for it.
            self.take_choice();
            match self.serve(&playout) {
                Ok(()) => {}
                Err(error) => {
                    self.report_fault(error);
                    self.park(RETRY);
                }
            }
        }
    }

    fn take_choice(&mut self) {
        let (choice, version) = self.shared.choice();
        if version != self.version {
            self.log.closed();
            self.shared.set_no_speaker(false);
            if self.recording.as_ref().is_some_and(|(path, _)| DeviceChoice::File(path.clone()) != choice) {
                self.recording = None;
            }
            (self.choice, self.version) = (choice, version);
        }
    }

    /// Keeps the chosen speaker open until nothing is to be played, another one is chosen, the system's default is
    /// another one, or until it fails.
    fn serve(&mut self, playout: &Thread) -> Result<(), DeviceError> {
        match &self.choice {
            DeviceChoice::None => {
                self.shared.set_no_speaker(true);
                while !self.is_over() {
                    thread::park();
                }
                Ok(())
            }
            DeviceChoice::SystemDefault | DeviceChoice::Named(_) => self.serve_device(playout),
            DeviceChoice::File(path) => self.serve_file(&path.clone(), playout),
            DeviceChoice::Tone { .. } | DeviceChoice::TestCard { .. } => {
                Err(DeviceFault::Failed(DeviceReason::WrongKind).of(DEVICE))
            }
        }
    }

    fn serve_device(&mut self, playout: &Thread) -> Result<(), DeviceError> {
        let found = find(&self.choice, Direction::Output).ok_or(DeviceFault::Missing.of(DEVICE))?;
        let heart = Arc::new(Heart::default());
        let wakes = Wakes { data: playout.clone(), owner: thread::current() };
        let (_stream, ring) = open_output(&found, &heart, wakes)?;
        let rate = ring.rate;
        let resampler = Resampler::from_frames(rate)
            .map(Box::new)
            .map_err(|_| DeviceFault::Failed(DeviceReason::SampleRate(rate)).of(DEVICE))?;
        self.shared.attach(Feed::Device {
            ring,
            resampler,
            heart: Arc::clone(&heart),
            period: CallbackPeriod::default(),
        });
        // Declared after the stream, so dropped before it: the feed ends before the device is released.
        let _detach = DetachOnDrop { heart: &heart, playout };
        let mut stall = Stall::new(MediaTime::now());
        let mut watcher = Watcher::new(&self.choice, Direction::Output, &found);
        while !self.is_over() {
            self.check(&heart)?;
            if stall.check(heart.beats(), MediaTime::now()) {
                return Err(DeviceFault::Stalled.of(DEVICE));
            }
            match watcher.look(MediaTime::now()) {
                Watched::Same => {}
                Watched::Gone => return Err(DeviceFault::Unplugged.of(DEVICE)),
                Watched::Replaced => return Ok(()),
            }
            if heart.beats() > 0 {
                self.report_working(&found.name);
            }
            thread::park_timeout(WATCH);
        }
        tracing::debug!(callbacks = heart.beats(), missed = heart.missed(), "speaker closed");
        Ok(())
    }

    fn serve_file(&mut self, path: &Path, playout: &Thread) -> Result<(), DeviceError> {
        let recorder = match &self.recording {
            Some((_, Some(recorder))) => Arc::clone(recorder),
            recording => {
                let open = if recording.is_some() && path.exists() { Recorder::resume } else { Recorder::create };
                let recorder = Arc::new(Mutex::new(open(path).map_err(file_fault)?));
                self.recording = Some((path.to_owned(), Some(Arc::clone(&recorder))));
                recorder
            }
        };
        let heart = Arc::new(Heart::default());
        let _detach = DetachOnDrop { heart: &heart, playout };
        self.shared.attach(Feed::File { recorder: Arc::clone(&recorder), heart: Arc::clone(&heart) });
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        while !self.is_over() {
            if recorder.lock().unwrap_or_else(PoisonError::into_inner).works() {
                self.report_working(&name);
            }
            if let Err(fault) = self.check(&heart) {
                // The recording so far is not overwritten at the next attempt.
                self.recording = Some((path.to_owned(), None));
                return Err(fault);
            }
            thread::park_timeout(WATCH);
        }
        Ok(())
    }

    fn check(&self, heart: &Heart) -> Result<(), DeviceError> {
        heart.fault(Direction::Output).map_or(Ok(()), Err)
    }

    /// True when the open device is no longer the wanted one.
    fn is_over(&self) -> bool {
        self.shared.is_closed() || !self.shared.is_wanted() || self.shared.choice_version() != self.version
    }

    /// Waits for `duration`, or until something else is asked for.
    fn park(&self, duration: Duration) {
        let until = MediaTime::now() + duration;
        while !self.is_over() && MediaTime::now() < until {
            thread::park_timeout(until.since(MediaTime::now()));
        }
    }

    fn report_working(&mut self, name: &str) {
        self.shared.set_no_speaker(false);
        if let Some(event) = self.log.works(name) {
            (self.on_event)(self.version, event);
        }
    }

    fn report_fault(&mut self, error: DeviceError) {
        if !self.is_over() {
            self.shared.set_no_speaker(true);
        }
        if let Some(event) = self.log.failed(error) {
            tracing::info!(?event, "speaker");
            if !self.is_over() {
                (self.on_event)(self.version, event);
            }
        }
    }
}

/// Tells the playout thread to stop feeding a speaker, however serving it ends.
struct DetachOnDrop<'a> {
    heart: &'a Heart,
    playout: &'a Thread,
}

impl Drop for DetachOnDrop<'_> {
    fn drop(&mut self) {
        self.heart.detach();
        self.playout.unpark();
    }
}

const fn file_fault(reason: DeviceReason) -> DeviceError {
    DeviceFault::Failed(reason).of(DEVICE)
}
