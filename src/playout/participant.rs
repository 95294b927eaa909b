//! Participant whose sound is played: the part that the network's side and the playout thread share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use crate::media::{LevelMeter, Volume};
use crate::media_receive::SoundBuffer;

/// State that both sides of a participant's sound share.
pub(super) struct Participant {
    pub(super) buffer: SoundBuffer,
    pub(super) muted: AtomicBool,
    /// In percent, see [`Volume`].
    pub(super) volume: AtomicU8,
    pub(super) level: Arc<LevelMeter>,
}

impl Participant {
    /// Factor of the amplitude at which they are to be heard now.
    pub(super) fn gain(&self) -> f32 {
        let muted = self.muted.load(Ordering::Relaxed);
        if muted { 0.0 } else { Volume::from_percent(self.volume.load(Ordering::Relaxed)).gain() }
    }
}
