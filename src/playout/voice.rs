//! One participant's sound: from the packets that the network pushes to frames for the mixer.
//!
//! `AudioInput` and `ParticipantAudio` are used by the network's tasks and the controller; `Voice` belongs to the playout
//! thread. Between them is the jitter buffer, behind a lock that either side holds for one packet.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Shared;
use super::mixer::{Frame, blend};
use crate::decoder::audio::{AudioDecoder, AudioDecoderError, packet_duration};
use crate::jitter_buffer::audio::{AudioJitterBuffer, AudioJitterStats, Pull};
use crate::media::{EncodedAudio, FRAME_SAMPLES, LevelMeter, MediaTime};

/// Where the network puts a participant's packets.
#[derive(Clone)]
pub struct AudioInput(Arc<Participant>);

/// A participant who is heard. Dropping it takes them out of the mix.
pub struct ParticipantAudio {
    participant: Arc<Participant>,
    playout: Arc<Shared>,
}

/// What both sides of a participant's sound share.
pub(super) struct Participant {
    jitter: Mutex<AudioJitterBuffer>,
    muted: AtomicBool,
    level: Arc<LevelMeter>,
}

impl AudioInput {
    /// Puts in a packet that arrived at `packet.at`. What is no Opus packet is dropped. Never waits for more than the few
    /// microseconds that the playout holds the buffer; at most 500 ms of sound are kept.
    pub fn push(&self, packet: EncodedAudio) {
        if let Some(samples) = packet_duration(&packet.data) {
            let at = packet.at;
            self.0.jitter().push(packet, samples, at);
        }
    }
}

impl ParticipantAudio {
    pub(super) fn new(level: Arc<LevelMeter>, playout: Arc<Shared>) -> (AudioInput, Self) {
        let participant = Arc::new(Participant {
            jitter: Mutex::new(AudioJitterBuffer::new()),
            muted: AtomicBool::new(false),
            level,
        });
        playout.change(|control| control.participants.push(Arc::clone(&participant)));
        (AudioInput(Arc::clone(&participant)), Self { participant, playout })
    }

    /// Silences the participant here, or lets them be heard again. The level meter goes on showing that they speak.
    pub fn set_muted(&self, muted: bool) {
        self.participant.muted.store(muted, Ordering::Relaxed);
    }

    /// How well their packets arrive.
    pub fn stats(&self) -> AudioJitterStats {
        self.participant.jitter().stats()
    }
}

impl Drop for ParticipantAudio {
    fn drop(&mut self) {
        self.playout.change(|control| control.participants.retain(|one| !Arc::ptr_eq(one, &self.participant)));
        self.participant.level.reset();
    }
}

impl Participant {
    fn jitter(&self) -> MutexGuard<'_, AudioJitterBuffer> {
        self.jitter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The playout thread's side.
pub(super) struct Voice {
    participant: Arc<Participant>,
    decoder: AudioDecoder,
    /// Decoded and not yet played.
    ready: VecDeque<f32>,
    /// A frame that was left out, to be blended into the next one.
    left_out: Vec<f32>,
    quiet: bool,
    sound: Frame,
}

impl Voice {
    /// A peak under this (40 dB below full scale) is as good as silence.
    const QUIET: f32 = 0.01;
    /// The longest packet, twice.
    const READY_CAPACITY: usize = 2 * 5760;

    pub(super) fn new(participant: Arc<Participant>) -> Result<Self, AudioDecoderError> {
        Ok(Self {
            participant,
            decoder: AudioDecoder::new()?,
            ready: VecDeque::with_capacity(Self::READY_CAPACITY),
            left_out: Vec::with_capacity(Self::READY_CAPACITY),
            quiet: true,
            sound: [0.0; FRAME_SAMPLES],
        })
    }

    pub(super) fn is_of(&self, participant: &Arc<Participant>) -> bool {
        Arc::ptr_eq(&self.participant, participant)
    }

    /// The next 20 ms; `None` when the participant is muted here.
    pub(super) fn next_frame(&mut self, now: MediaTime) -> Option<&Frame> {
        while self.ready.len() < FRAME_SAMPLES {
            let pull = self.participant.jitter().pull(self.quiet, now);
            self.take(pull);
        }
        for (sample, ready) in self.sound.iter_mut().zip(self.ready.drain(..FRAME_SAMPLES)) {
            *sample = ready;
        }
        self.participant.level.record(&self.sound);
        (!self.participant.muted.load(Ordering::Relaxed)).then_some(&self.sound)
    }

    fn take(&mut self, pull: Pull) {
        let decoded = match &pull {
            Pull::Packet(packet) => self.decoder.decode(&packet.data),
            Pull::Skip(packet) => {
                if let Ok(samples) = self.decoder.decode(&packet.data) {
                    self.left_out.clear();
                    self.left_out.extend_from_slice(samples);
                }
                return;
            }
            Pull::Recover(next) => self.decoder.recover(next),
            Pull::Conceal => self.decoder.conceal(),
            Pull::Silence => Ok(&[][..]),
        };
        let samples = decoded.unwrap_or_default();
        if samples.is_empty() {
            self.ready.extend([0.0; FRAME_SAMPLES]);
            self.quiet = true;
            return;
        }
        self.quiet = samples.iter().all(|sample| sample.abs() < Self::QUIET);
        let start = self.ready.len();
        self.ready.extend(samples);
        if !self.left_out.is_empty() {
            blend(&self.left_out, &mut self.ready.make_contiguous()[start..]);
            self.left_out.clear();
        }
    }
}
