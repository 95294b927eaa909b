//! Participant whose sound is played: the part that the network's side and the playout thread share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::media::LevelMeter;
use crate::media_receive::SoundBuffer;

/// State that both sides of a participant's sound share.
pub(super) struct Participant {
    pub(super) buffer: SoundBuffer,
    pub(super) muted: AtomicBool,
    pub(super) level: Arc<LevelMeter>,
}
