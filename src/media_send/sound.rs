//! Sound from the microphone's thread to everybody: 20 ms at a time, encoded once.

use std::sync::Arc;

use crate::encoder::AudioEncoder;
use crate::media::MediaTime;

use super::FanOut;

/// Opus encoder in front of the fan-out. Owned by the microphone's thread.
pub struct SoundSender {
    fan_out: Arc<FanOut>,
    /// Made with the first sound that somebody hears.
    encoder: Option<AudioEncoder>,
}

impl SoundSender {
    pub(super) const fn new(fan_out: Arc<FanOut>) -> Self {
        Self { fan_out, encoder: None }
    }

    /// True while this side is muted in a call.
    pub fn is_muted(&self) -> bool {
        self.fan_out.is_muted()
    }

    /// Encodes and sends 20 ms that were captured at `captured_at`, unless nobody would hear them.
    pub fn send(&mut self, samples: &[f32], captured_at: MediaTime) {
        if self.fan_out.sound_is_idle() {
            return;
        }
        if self.encoder.is_none() {
            self.encoder = AudioEncoder::new().inspect_err(|error| tracing::error!("no Opus encoder: {error}")).ok();
        }
        let Some(encoder) = &mut self.encoder else { return };
        if let Err(error) = encoder.set_expected_loss(self.fan_out.path_loss_percent()) {
            tracing::debug!("the protection of sound could not be set: {error}");
        }
        match encoder.encode(samples, captured_at) {
            Ok(sound) => self.fan_out.send_audio(&sound),
            Err(error) => tracing::warn!("a sound frame could not be encoded: {error}"),
        }
    }
}
