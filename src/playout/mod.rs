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
mod feed;
pub mod mixer;
mod participant;
mod player;
mod recorder;
mod shared;
mod sounds;
mod speaker;
#[cfg(test)]
mod tests;
mod time_stretch;
mod voice;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, Thread};

pub use crate::sound_device::{SoundEvent, list_speakers};
pub use recorder::check_recording;
pub use sounds::Sound;
pub(crate) use voice::Speech;
pub use voice::{AudioInput, ParticipantAudio};

use crate::device::DeviceChoice;
use crate::media::LevelMeter;
use crate::media_receive::SharedAvSync;
use crate::sound_device::DONE_WAIT;
use crate::voice_processing::{ReferenceReader, echo_reference};
use player::Player;
use shared::{PLAYOUT, SPEAKER, Shared, SoundRequest};
use speaker::Speaker;

/// The speaker side of Visavis. Nothing in here waits for a device, except dropping it (2 s at most).
pub struct Playout {
    shared: Arc<Shared>,
}

/// Reference for the microphones: the speaker's sound.
pub struct EchoTap(Arc<Shared>);

impl EchoTap {
    /// From now on the device's sound can be read here too, until the reader is dropped. A recording to a file is heard
    /// by nobody and not among it.
    pub fn connect(&self) -> ReferenceReader {
        let (writer, reader) = echo_reference();
        self.0.change(|control| {
            control.references.retain(|reference| !reference.is_abandoned());
            control.references.push(writer);
        });
        reader
    }
}

impl Playout {
    /// Starts the two threads; the system's default speaker is chosen, and opened when something is played. `events` is
    /// called on the speaker thread, with the number that [`Playout::set_speaker`] gave for the choice that it is
    /// about.
    pub fn new(events: impl Fn(u64, SoundEvent) + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared::new());
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

    /// Chooses the speaker; also while something is played. `file:PATH.wav` records the sound that would be heard (from
    /// the beginning of the file, once for as long as this choice stands), `none` plays to nobody. Returns the choice's
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

    /// Adds a participant, whose loudness `level` shows, and whose sound `av_sync` keeps with their pictures. Packets
    /// go into the [`AudioInput`]; dropping the [`ParticipantAudio`] removes them.
    pub fn add_participant(&self, level: Arc<LevelMeter>, av_sync: SharedAvSync) -> (AudioInput, ParticipantAudio) {
        ParticipantAudio::new(level, av_sync, Arc::clone(&self.shared))
    }

    /// For the echo cancellation of microphones.
    pub fn echo_tap(&self) -> EchoTap {
        EchoTap(Arc::clone(&self.shared))
    }

    /// Plays `sound` from its beginning, at a volume in percent; one that repeats goes on until [`Playout::stop`].
    pub fn play(&self, sound: Sound, volume: u8) {
        self.request(sound, true, volume);
    }

    /// Stops `sound`.
    pub fn stop(&self, sound: Sound) {
        self.request(sound, false, 0);
    }

    /// Whether `sound` is to be played: it was asked for last, and not stopped.
    #[cfg(test)]
    pub(crate) fn plays(&self, sound: Sound) -> bool {
        self.shared.control().sounds[sound.index()].on
    }

    fn request(&self, sound: Sound, on: bool, volume: u8) {
        self.shared.change(|control| {
            let request = &mut control.sounds[sound.index()];
            // A sound that is stopped fades away as loud as it was.
            let volume = if on { volume } else { request.volume };
            *request = SoundRequest { on, volume, count: request.count + 1 };
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
