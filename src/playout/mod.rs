//! Playout: the last stage of sound on the receiving side.
//!
//! ```text
//! network -> AudioInput -> SoundBuffer -> decoder ----\
//! (one for each participant) ...                      > mixer, limiter -> ring -> speaker's callback
//! ringtone, ring-back, test chime -------------------/                 \-> reference of the echo canceller
//! ```
//!
//! Two threads: the playout thread decodes and mixes at the speaker's pace; the speaker thread opens, watches and
//! closes the device, which is open only while something is played. Without a speaker that works, playing goes on at
//! the clock's pace into nowhere.

#[cfg(test)]
mod drift_tests;
pub mod mixer;
mod player;
mod recorder;
mod sounds;
mod speaker;
#[cfg(test)]
mod tests;
mod time_stretch;
mod voice;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

pub use crate::sound_device::{SoundEvent, list_speakers};
pub use recorder::check_recording;
pub use sounds::Sound;
pub(crate) use voice::Speech;
pub use voice::{AudioInput, ParticipantAudio};

use crate::media::LevelMeter;
use crate::media_receive::SharedAvSync;
use crate::sound_device::{DONE_WAIT, Done};
use crate::store::DeviceChoice;
use crate::voice_processing::{ReferenceReader, ReferenceWriter, echo_reference};
use player::Player;
use speaker::{Feed, Speaker};
use voice::Participant;

type OnEvent = Box<dyn Fn(u64, SoundEvent) + Send + Sync>;

/// The speaker side of Visavis. Nothing in here waits for a device, except dropping it (2 s at most).
pub struct Playout {
    shared: Arc<Shared>,
}

/// What the two threads and the callers share.
struct Shared {
    control: Mutex<Control>,
    /// Rises with each change of `control`.
    version: AtomicU64,
    /// Rises with each change of the speaker's choice.
    choice_version: AtomicU64,
    closed: AtomicBool,
    /// Something is to be played: the speaker should be open.
    wanted: AtomicBool,
    /// There is no speaker to wait for: none is chosen, or it fails.
    no_speaker: AtomicBool,
    /// From the mix to the air, in microseconds; 0 while unknown.
    latency_us: AtomicU32,
    threads: OnceLock<[Thread; 2]>,
    done: [Done; 2],
}

/// What is asked of the playout.
#[derive(Default)]
struct Control {
    choice: DeviceChoice,
    participants: Vec<Arc<Participant>>,
    sounds: [SoundRequest; Sound::ALL.len()],
    /// A speaker that was opened, on its way from the speaker thread to the playout thread.
    feed: Option<Feed>,
    /// A microphone that asks for what is played, on its way to the playout thread.
    references: Vec<ReferenceWriter>,
}

/// Where microphones learn what the speaker plays.
pub struct EchoTap(Arc<Shared>);

impl EchoTap {
    /// From now on what a device plays can be read here too, until the reader is dropped. A recording to a file is
    /// heard by nobody and not among it.
    pub fn connect(&self) -> ReferenceReader {
        let (writer, reader) = echo_reference();
        self.0.change(|control| {
            control.references.retain(|reference| !reference.is_abandoned());
            control.references.push(writer);
        });
        reader
    }
}

/// Whether a sound is to be played, and the how-manieth time that it was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct SoundRequest {
    on: bool,
    count: u64,
}

const PLAYOUT: usize = 0;
const SPEAKER: usize = 1;

impl Playout {
    /// Starts the two threads; the system's default speaker is chosen, and opened when something is played. `events` is
    /// called on the speaker thread, with the number that [`Playout::set_speaker`] gave for the choice that it is
    /// about.
    pub fn new(events: impl Fn(u64, SoundEvent) + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared {
            control: Mutex::new(Control::default()),
            version: AtomicU64::new(1),
            choice_version: AtomicU64::new(1),
            closed: AtomicBool::new(false),
            wanted: AtomicBool::new(false),
            no_speaker: AtomicBool::new(false),
            latency_us: AtomicU32::new(0),
            threads: OnceLock::new(),
            done: Default::default(),
        });
        let playout = spawn("playout", PLAYOUT, &shared, |shared| Player::new(shared).run());
        let speaker = spawn("speaker", SPEAKER, &shared, move |shared| Speaker::new(shared, Box::new(events)).run());
        if let (Some(playout), Some(speaker)) = (playout, speaker) {
            let [playout, speaker] = shared.threads.get_or_init(|| [playout, speaker]);
            // Each may have parked before it could be found here.
            playout.unpark();
            speaker.unpark();
        } else {
            shared.closed.store(true, Ordering::Release);
        }
        Self { shared }
    }

    /// Chooses the speaker; also while something is played. `file:PATH.wav` records what would be heard (from the
    /// beginning of the file, once for as long as this choice stands), `none` plays to nobody. Returns the choice's
    /// number.
    pub fn set_speaker(&self, choice: &DeviceChoice) -> u64 {
        let version = self.shared.change(|control| {
            if control.choice != *choice {
                control.choice = choice.clone();
                self.shared.choice_version.fetch_add(1, Ordering::AcqRel);
            }
            self.shared.choice_version()
        });
        self.shared.unpark(SPEAKER);
        version
    }

    /// Adds a participant, whose loudness `level` shows, and whose sound `av_sync` keeps with their pictures. Packets go
    /// into the [`AudioInput`]; dropping the [`ParticipantAudio`] removes them.
    pub fn add_participant(&self, level: Arc<LevelMeter>, av_sync: SharedAvSync) -> (AudioInput, ParticipantAudio) {
        ParticipantAudio::new(level, av_sync, Arc::clone(&self.shared))
    }

    /// For the echo cancellation of microphones.
    pub fn echo_tap(&self) -> EchoTap {
        EchoTap(Arc::clone(&self.shared))
    }

    /// Plays `sound` from its beginning; one that repeats goes on until [`Playout::stop`].
    pub fn play(&self, sound: Sound) {
        self.request(sound, true);
    }

    /// Stops `sound`.
    pub fn stop(&self, sound: Sound) {
        self.request(sound, false);
    }

    fn request(&self, sound: Sound, on: bool) {
        self.shared.change(|control| {
            let request = &mut control.sounds[sound.index()];
            *request = SoundRequest { on, count: request.count + 1 };
        });
    }
}

impl Drop for Playout {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        let Some(threads) = self.shared.threads.get() else { return };
        for (thread, done) in threads.iter().zip(&self.shared.done) {
            thread.unpark();
            // An event handler that drops the playout would wait for itself.
            if thread.id() != thread::current().id() && !done.wait(DONE_WAIT) {
                tracing::warn!("the speaker takes long to close");
            }
        }
    }
}

fn spawn(
    name: &str,
    index: usize,
    shared: &Arc<Shared>,
    run: impl FnOnce(Arc<Shared>) + Send + 'static,
) -> Option<Thread> {
    let shared = Arc::clone(shared);
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(move || {
        run(Arc::clone(&shared));
        shared.done[index].raise();
    });
    match spawned {
        Ok(handle) => Some(handle.thread().clone()),
        Err(error) => {
            tracing::error!(%error, name, "a sound thread cannot start");
            None
        }
    }
}

impl Shared {
    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is asked, and tells the playout thread.
    fn change<T>(&self, change: impl FnOnce(&mut Control) -> T) -> T {
        let mut control = self.control();
        let changed = change(&mut control);
        self.version.fetch_add(1, Ordering::AcqRel);
        drop(control);
        self.unpark(PLAYOUT);
        changed
    }

    fn attach(&self, feed: Feed) {
        self.change(|control| control.feed = Some(feed));
    }

    fn choice(&self) -> (DeviceChoice, u64) {
        let control = self.control();
        (control.choice.clone(), self.choice_version())
    }

    fn choice_version(&self) -> u64 {
        self.choice_version.load(Ordering::Acquire)
    }

    fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    fn set_wanted(&self, wanted: bool) {
        if self.wanted.swap(wanted, Ordering::AcqRel) != wanted {
            self.unpark(SPEAKER);
        }
    }

    fn has_no_speaker(&self) -> bool {
        self.no_speaker.load(Ordering::Acquire)
    }

    fn set_no_speaker(&self, none: bool) {
        self.no_speaker.store(none, Ordering::Release);
    }

    fn latency(&self) -> Option<Duration> {
        let micros = self.latency_us.load(Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(micros.into()))
    }

    fn set_latency(&self, latency: Option<Duration>) {
        self.latency_us.store(latency.unwrap_or_default().as_micros() as u32, Ordering::Relaxed);
    }

    fn playout_thread(&self) -> Option<Thread> {
        self.threads.get().map(|threads| threads[PLAYOUT].clone())
    }

    fn unpark(&self, index: usize) {
        if let Some(threads) = self.threads.get() {
            threads[index].unpark();
        }
    }
}
