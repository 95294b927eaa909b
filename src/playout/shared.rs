//! State that the playout thread, the speaker thread and their callers share.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::Duration;

use super::feed::Feed;
use super::participant::Participant;
use super::sounds::Sound;
use crate::device::DeviceChoice;
use crate::sound_device::{Done, SoundEvent};
use crate::voice_processing::ReferenceWriter;

pub(super) type OnEvent = Box<dyn Fn(u64, SoundEvent) + Send + Sync>;

/// State that the two threads and the callers share.
pub(super) struct Shared {
    pub(super) control: Mutex<Control>,
    /// Rises with each change of `control`.
    pub(super) version: AtomicU64,
    /// Rises with each change of the speaker's choice.
    pub(super) choice_version: AtomicU64,
    pub(super) closed: AtomicBool,
    /// Something is to be played: the speaker should be open.
    pub(super) wanted: AtomicBool,
    /// There is no speaker to wait for: none is chosen, or it fails.
    pub(super) no_speaker: AtomicBool,
    /// From the mix to the air, in microseconds; 0 while unknown.
    pub(super) latency_us: AtomicU32,
    pub(super) threads: OnceLock<[Thread; 2]>,
    pub(super) done: [Done; 2],
}

/// Request to the playout.
#[derive(Default)]
pub(super) struct Control {
    pub(super) choice: DeviceChoice,
    pub(super) participants: Vec<Arc<Participant>>,
    pub(super) sounds: [SoundRequest; Sound::ALL.len()],
    /// A speaker that was opened, on its way from the speaker thread to the playout thread.
    pub(super) feed: Option<Feed>,
    /// A microphone that asks for the played sound, on its way to the playout thread.
    pub(super) references: Vec<ReferenceWriter>,
}

/// Request to play a sound at a volume in percent, or to stop it, with a request counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SoundRequest {
    pub(super) on: bool,
    pub(super) volume: u8,
    pub(super) count: u64,
}

pub(super) const PLAYOUT: usize = 0;
pub(super) const SPEAKER: usize = 1;

impl Shared {
    pub(super) fn new() -> Self {
        Self {
            control: Mutex::new(Control::default()),
            version: AtomicU64::new(1),
            choice_version: AtomicU64::new(1),
            closed: AtomicBool::new(false),
            wanted: AtomicBool::new(false),
            no_speaker: AtomicBool::new(false),
            latency_us: AtomicU32::new(0),
            threads: OnceLock::new(),
            done: Default::default(),
        }
    }

    pub(super) fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the request, and tells the playout thread.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Control) -> T) -> T {
        let mut control = self.control();
        let changed = change(&mut control);
        self.version.fetch_add(1, Ordering::AcqRel);
        drop(control);
        self.unpark(PLAYOUT);
        changed
    }

    pub(super) fn attach(&self, feed: Feed) {
        self.change(|control| control.feed = Some(feed));
    }

    pub(super) fn choice(&self) -> (DeviceChoice, u64) {
        let control = self.control();
        (control.choice.clone(), self.choice_version())
    }

    pub(super) fn choice_version(&self) -> u64 {
        self.choice_version.load(Ordering::Acquire)
    }

    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    pub(super) fn set_wanted(&self, wanted: bool) {
        if self.wanted.swap(wanted, Ordering::AcqRel) != wanted {
            self.unpark(SPEAKER);
        }
    }

    pub(super) fn has_no_speaker(&self) -> bool {
        self.no_speaker.load(Ordering::Acquire)
    }

    pub(super) fn set_no_speaker(&self, none: bool) {
        self.no_speaker.store(none, Ordering::Release);
    }

    pub(super) fn latency(&self) -> Option<Duration> {
        let micros = self.latency_us.load(Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(micros.into()))
    }

    pub(super) fn set_latency(&self, latency: Option<Duration>) {
        self.latency_us.store(latency.unwrap_or_default().as_micros() as u32, Ordering::Relaxed);
    }

    pub(super) fn playout_thread(&self) -> Option<Thread> {
        self.threads.get().map(|threads| threads[PLAYOUT].clone())
    }

    pub(super) fn unpark(&self, index: usize) {
        if let Some(threads) = self.threads.get() {
            threads[index].unpark();
        }
    }
}
