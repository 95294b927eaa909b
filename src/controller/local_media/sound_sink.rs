//! From a microphone's thread to everybody: 20 ms of sound, encoded once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::encoder::AudioEncoder;
use crate::media::MediaTime;
use crate::microphone::UnheardSpeech;

use crate::controller::fan_out::FanOut;
use crate::controller::lanes::HintSender;
use crate::controller::system_event::Hint;

/// Sink of each 20 ms on the microphone's thread: encodes and sends them, unless another microphone is heard in its
/// place or nobody would hear it.
pub(super) fn sound_sink(
    fan_out: Arc<FanOut>,
    heard: Arc<AtomicU64>,
    generation: u64,
    hints: HintSender,
) -> impl FnMut(&[f32], MediaTime) + Send + 'static {
    let mut encoder: Option<AudioEncoder> = None;
    let mut unheard = UnheardSpeech::default();
    move |samples, captured_at| {
        if heard.load(Relaxed) != generation {
            return;
        }
        if unheard.note(samples, fan_out.is_muted(), captured_at) {
            hints.offer(Hint::SpokeMuted);
        }
        if fan_out.sound_is_idle() {
            return;
        }
        if encoder.is_none() {
            encoder = AudioEncoder::new().inspect_err(|error| tracing::error!("no Opus encoder: {error}")).ok();
        }
        let Some(encoder) = &mut encoder else { return };
        if let Err(error) = encoder.set_expected_loss(fan_out.path_loss_percent()) {
            tracing::debug!("the protection of sound could not be set: {error}");
        }
        match encoder.encode(samples, captured_at) {
            Ok(audio) => fan_out.send_audio(&audio),
            Err(error) => tracing::warn!("a sound frame could not be encoded: {error}"),
        }
    }
}
