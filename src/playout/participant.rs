//! Participant whose sound is played: what the network's side and the playout thread share.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::jitter_buffer::audio::AudioJitterBuffer;
use crate::media::LevelMeter;

/// What both sides of a participant's sound share.
pub(super) struct Participant {
    pub(super) jitter: Mutex<AudioJitterBuffer>,
    pub(super) muted: AtomicBool,
    pub(super) level: Arc<LevelMeter>,
}

impl Participant {
    pub(super) fn jitter(&self) -> MutexGuard<'_, AudioJitterBuffer> {
        self.jitter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
