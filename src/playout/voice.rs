//! Sound of one participant: from the packets that the network pushes to frames for the mixer.
//!
//! `AudioInput` and `ParticipantAudio` are used by the network's tasks and the controller; `Voice` belongs to the
//! playout thread. Between them is the jitter buffer (`media_receive::SoundBuffer`).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use super::mixer::{Frame, amplify};
use super::participant::Participant;
use super::shared::Shared;
use super::time_stretch::{Likeness, lengthen, shorten};
use crate::decoder::audio::{AudioDecoder, AudioDecoderError};
use crate::jitter_buffer::audio::{Pull, TimeStretch};
use crate::media::{FRAME_SAMPLES, LevelMeter, MediaTime, ReceivedSound, SoundSink, Volume};
use crate::media_receive::{SharedAvSync, SoundBuffer, SoundStats};
use crate::sound_device::{ResampleError, Resampler};

/// Input for a participant's packets from the network.
#[derive(Clone)]
pub struct AudioInput(Arc<Participant>);

/// A participant who is heard. Dropping it takes them out of the mix.
pub struct ParticipantAudio {
    participant: Arc<Participant>,
    playout: Arc<Shared>,
}

impl AudioInput {
    /// Puts in a packet. A packet that is not Opus is dropped. Never waits for more than the few microseconds that the
    /// playout holds the buffer; at most 500 ms of sound are kept.
    pub fn push(&self, sound: ReceivedSound) {
        self.0.buffer.push(sound);
    }
}

impl SoundSink for AudioInput {
    fn take(&mut self, sound: ReceivedSound) {
        self.push(sound);
    }
}

impl ParticipantAudio {
    pub(super) fn new(level: Arc<LevelMeter>, av_sync: SharedAvSync, playout: Arc<Shared>) -> (AudioInput, Self) {
        let participant = Arc::new(Participant {
            buffer: SoundBuffer::new(av_sync),
            muted: AtomicBool::new(false),
            volume: AtomicU8::new(Volume::default().percent()),
            level,
        });
        playout.change(|control| control.participants.push(Arc::clone(&participant)));
        (AudioInput(Arc::clone(&participant)), Self { participant, playout })
    }

    /// Silences the participant here, or lets them be heard again. The level meter goes on showing that they speak.
    pub fn set_muted(&self, muted: bool) {
        self.participant.muted.store(muted, Ordering::Relaxed);
    }

    /// Sets how loud the participant is heard here. The level meter goes on showing what they sent.
    pub fn set_volume(&self, volume: Volume) {
        self.participant.volume.store(volume.percent(), Ordering::Relaxed);
    }

    /// Statistics of their packets.
    pub fn stats(&self) -> SoundStats {
        self.participant.buffer.stats()
    }
}

impl Drop for ParticipantAudio {
    fn drop(&mut self) {
        self.playout.change(|control| control.participants.retain(|one| !Arc::ptr_eq(one, &self.participant)));
        self.participant.level.reset();
    }
}

/// Why somebody cannot be heard; for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VoiceError {
    #[error(transparent)]
    Decoder(#[from] AudioDecoderError),
    #[error(transparent)]
    Resampler(#[from] ResampleError),
}

/// The playout thread's side.
pub(super) struct Voice {
    participant: Arc<Participant>,
    speech: Speech,
    /// Factor of the amplitude at the end of the latest frame; `None` before the first.
    gain: Option<f32>,
}

impl Voice {
    /// Latency from the jitter buffer to the air where no device tells it.
    const USUAL_LATENCY: Duration = Duration::from_millis(30);

    pub(super) fn new(participant: Arc<Participant>) -> Result<Self, VoiceError> {
        Ok(Self { participant, speech: Speech::new()?, gain: None })
    }

    pub(super) fn is_of(&self, participant: &Arc<Participant>) -> bool {
        Arc::ptr_eq(&self.participant, participant)
    }

    /// The next 20 ms, which take `latency` to the air where that is known; `None` when the participant is silent here.
    pub(super) fn next_frame(&mut self, latency: Option<Duration>, now: MediaTime) -> Option<&Frame> {
        let participant = &self.participant;
        participant.buffer.synchronise(latency.unwrap_or(Self::USUAL_LATENCY), now);
        self.speech.set_speed(participant.buffer.speed_ppm());
        self.speech.fill(|quiet, ahead| participant.buffer.pull(quiet, ahead, now));
        participant.level.record(&self.speech.frame);
        let to = participant.gain();
        let from = self.gain.replace(to).unwrap_or(to);
        if from == 0.0 && to == 0.0 {
            return None;
        }
        amplify(&mut self.speech.frame, from, to);
        Some(&self.speech.frame)
    }
}

/// Decodes the packets of the jitter buffer, at the tempo and the speed that it asks for.
pub(crate) struct Speech {
    decoder: AudioDecoder,
    /// From the far microphone's clock to that of the speaker.
    resampler: Resampler,
    /// Decoded and not yet played.
    ready: VecDeque<f32>,
    /// The packet that is decoded now.
    decoded: Vec<f32>,
    quiet: bool,
    frame: Frame,
    /// Samples that changes of tempo have left out, and repeated.
    changed: [u64; 2],
}

impl Speech {
    /// A peak under this (40 dB below full scale) is as good as silence.
    const QUIET: f32 = 0.01;
    /// The longest packet, twice.
    const CAPACITY: usize = 2 * 5760;

    pub(crate) fn new() -> Result<Self, VoiceError> {
        Ok(Self {
            decoder: AudioDecoder::new()?,
            resampler: Resampler::between_clocks()?,
            ready: VecDeque::with_capacity(Self::CAPACITY),
            decoded: Vec::with_capacity(Self::CAPACITY),
            quiet: true,
            frame: [0.0; FRAME_SAMPLES],
            changed: [0; 2],
        })
    }

    /// From now on plays faster by `ppm` millionths than was recorded, with the pitch that the far side has on its own
    /// clock.
    pub(crate) fn set_speed(&mut self, ppm: f64) {
        self.resampler.set_speed(ppm);
    }

    /// Makes the next 20 ms out of what `pull` gives, which is told whether it is quiet and how many samples are ready.
    pub(crate) fn fill(&mut self, mut pull: impl FnMut(bool, usize) -> Pull) -> &Frame {
        let needed = self.resampler.needed();
        while self.ready.len() < needed {
            let pulled = pull(self.quiet, self.ready.len());
            self.take(&pulled, needed);
        }
        for (sample, ready) in self.resampler.input().iter_mut().zip(self.ready.drain(..needed)) {
            *sample = ready;
        }
        match self.resampler.convert() {
            Ok(played) => self.frame.copy_from_slice(played),
            Err(error) => {
                tracing::debug!(%error, "sound is left out");
                self.frame.fill(0.0);
            }
        }
        &self.frame
    }

    /// Samples that changes of tempo have left out, and repeated.
    #[cfg(test)]
    pub(crate) fn changed(&self) -> [u64; 2] {
        self.changed
    }

    fn take(&mut self, pull: &Pull, needed: usize) {
        let decoded = match pull {
            Pull::Packet(packet, _) => self.decoder.decode(&packet.data),
            Pull::Recover(next) => self.decoder.recover(next),
            Pull::Conceal => self.decoder.conceal(),
            Pull::Silence => Ok(&[][..]),
        };
        let samples = decoded.unwrap_or_default();
        if samples.is_empty() {
            // No more silence than is needed: the sound after it would wait.
            let silence = if matches!(pull, Pull::Silence) { needed } else { self.ready.len() + FRAME_SAMPLES };
            self.ready.resize(silence, 0.0);
            self.quiet = true;
            return;
        }
        self.quiet = samples.iter().all(|sample| sample.abs() < Self::QUIET);
        self.decoded.clear();
        self.decoded.extend_from_slice(samples);
        if let Pull::Packet(_, tempo) = pull {
            self.change_tempo(*tempo);
        }
        self.ready.extend(&self.decoded);
    }

    fn change_tempo(&mut self, tempo: TimeStretch) {
        let likeness = if self.quiet { Likeness::QUIET } else { Likeness::INAUDIBLE };
        match tempo {
            TimeStretch::Even => {}
            TimeStretch::Faster => self.changed[0] += shorten(&mut self.decoded, likeness) as u64,
            TimeStretch::MuchFaster => self.changed[0] += shorten(&mut self.decoded, Likeness::URGENT) as u64,
            TimeStretch::Slower => self.changed[1] += lengthen(&mut self.decoded, likeness) as u64,
            TimeStretch::MuchSlower => self.changed[1] += lengthen(&mut self.decoded, Likeness::URGENT) as u64,
        }
    }
}
