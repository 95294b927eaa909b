//! Sink of a microphone's sound: to everybody, unless another microphone is heard in its place.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::media::MediaTime;
use crate::media_send::SoundSender;
use crate::microphone::UnheardSpeech;

use crate::controller::lanes::HintSender;
use crate::controller::system_event::Hint;

/// Sink of each 20 ms on the microphone's thread, while the microphone `heard` is the one of this `generation`.
pub(super) fn sound_sink(
    mut sender: SoundSender,
    heard: Arc<AtomicU64>,
    generation: u64,
    hints: HintSender,
) -> impl FnMut(&[f32], MediaTime) + Send + 'static {
    let mut unheard = UnheardSpeech::default();
    move |samples, captured_at| {
        if heard.load(Relaxed) != generation {
            return;
        }
        if unheard.note(samples, sender.is_muted(), captured_at) {
            hints.offer(Hint::SpokeMuted);
        }
        sender.send(samples, captured_at);
    }
}
