//! The playout thread: every 20 ms, at the speaker's pace, it mixes one frame of all sounds.

use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use super::feed::Feed;
use super::mixer::{Frame, add, add_fading, limit};
use super::shared::{Control, Shared, SoundRequest};
use super::sounds::Sound;
use super::voice::Voice;
use crate::device::DeviceReason;
use crate::media::{FRAME_SAMPLES, MediaTime};
use crate::sound_device::{Failure, Pace};
use crate::voice_processing::ReferenceWriter;

/// State of the playout thread.
pub(super) struct Player {
    shared: Arc<Shared>,
    seen: u64,
    voices: Vec<Voice>,
    sounds: [Playing; Sound::ALL.len()],
    output: Output,
    /// References of the open microphones, one for each.
    references: Vec<ReferenceWriter>,
    /// Frames of silence still to be played before the speaker is closed, so that the last sound is heard to its end.
    linger: u32,
    /// Frames for which sounds waited for the speaker to open.
    held_back: u32,
    mix: Frame,
    /// From the mix to the air, smoothed, in microseconds.
    latency_us: f32,
}

/// Position in a sound that is played.
#[derive(Clone, Copy, Default)]
struct Playing {
    position: Option<usize>,
    /// It was stopped in the middle: the next frame is its last and fades away, because a cut clicks.
    fading: bool,
    request: SoundRequest,
}

struct Output {
    /// Without a speaker, frames are dropped at the pace of the clock, so that everything else goes on as usual.
    speaker: Option<Feed>,
    /// Sets the pace where no device does.
    pace: Pace,
}

impl Player {
    const LINGER: u32 = 25;
    /// A ring starts without a speaker after 3 s.
    const MAX_HELD_BACK: u32 = 150;
    /// Longest wait for a device's callback before looking around.
    const CALLBACK_TIMEOUT: Duration = Duration::from_millis(100);

    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            seen: 0,
            voices: Vec::new(),
            sounds: Default::default(),
            output: Output::to(None),
            references: Vec::new(),
            linger: 0,
            held_back: 0,
            mix: [0.0; FRAME_SAMPLES],
            latency_us: 0.0,
        }
    }

    pub(super) fn run(&mut self) {
        while !self.shared.is_closed() {
            self.take_changes();
            if self.is_active() {
                self.linger = Self::LINGER;
            }
            self.shared.set_wanted(self.linger > 0);
            if self.linger == 0 {
                thread::park();
                continue;
            }
            let now = MediaTime::now();
            match self.output.wait(now) {
                Some(wait) => thread::park_timeout(wait),
                None => self.play_frame(now),
            }
        }
    }

    fn is_active(&self) -> bool {
        !self.voices.is_empty() || self.sounds.iter().any(|sound| sound.position.is_some())
    }

    fn take_changes(&mut self) {
        if self.output.is_detached() {
            self.output = Output::to(None);
        }
        if self.shared.version() == self.seen {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let mut control = shared.control();
        self.seen = shared.version();
        if let Some(feed) = control.feed.take() {
            self.output = Output::to(Some(feed));
        }
        if !control.references.is_empty() {
            self.references.append(&mut control.references);
        }
        self.take_participants(&control);
        for (playing, request) in self.sounds.iter_mut().zip(control.sounds) {
            playing.follow(request);
        }
    }

    fn take_participants(&mut self, control: &Control) {
        self.voices.retain(|voice| control.participants.iter().any(|participant| voice.is_of(participant)));
        for participant in &control.participants {
            if self.voices.iter().any(|voice| voice.is_of(participant)) {
                continue;
            }
            match Voice::new(Arc::clone(participant)) {
                Ok(voice) => self.voices.push(voice),
                Err(error) => tracing::error!(%error, "a participant cannot be heard"),
            }
        }
    }

    fn play_frame(&mut self, now: MediaTime) {
        self.mix.fill(0.0);
        let latency = self.shared.latency();
        for voice in &mut self.voices {
            if let Some(frame) = voice.next_frame(latency, now) {
                add(&mut self.mix, frame);
            }
        }
        if self.count_held_back() {
            for (sound, playing) in Sound::ALL.into_iter().zip(&mut self.sounds) {
                playing.add_to(&mut self.mix, sound);
            }
        }
        limit(&mut self.mix);
        self.linger -= 1;
        self.lend_to_microphone();
        self.note_latency();
        self.output.write(&self.mix);
    }

    /// Hands the sound that a device is about to play to the echo canceller.
    fn lend_to_microphone(&mut self) {
        self.references.retain(|reference| !reference.is_abandoned());
        if let Some(queued) = self.output.queued() {
            self.references.iter_mut().for_each(|reference| reference.push(&self.mix, queued));
        }
    }

    /// Delay of the next frame to the air, for A/V sync.
    fn note_latency(&mut self) {
        let Some(latency) = self.output.latency() else {
            self.latency_us = 0.0;
            return self.shared.set_latency(None);
        };
        let latency = latency.as_micros() as f32;
        // Devices take sound in callback periods: half a second evens them out.
        let step = if self.latency_us == 0.0 { latency } else { (latency - self.latency_us) / 25.0 };
        self.latency_us += step;
        self.shared.set_latency(Some(Duration::from_micros(self.latency_us as u64)));
    }

    /// Counts the frames for which rings and chimes are held back while their speaker is being opened; true once they
    /// may sound.
    fn count_held_back(&mut self) -> bool {
        let opening = self.output.speaker.is_none() && !self.shared.has_no_speaker();
        self.held_back = if opening { self.held_back + 1 } else { 0 };
        !opening || self.held_back > Self::MAX_HELD_BACK
    }
}

impl Playing {
    fn follow(&mut self, request: SoundRequest) {
        if request == self.request {
            return;
        }
        let position = if request.on { Some(0) } else { self.position.filter(|&position| position > 0) };
        *self = Self { position, fading: !request.on, request };
    }

    fn add_to(&mut self, mix: &mut Frame, sound: Sound) {
        let Some(position) = self.position else { return };
        let mut frame = [0.0; FRAME_SAMPLES];
        self.next_frame(position, &mut frame, sound);
        let gain = f32::from(self.request.volume) / 100.0;
        mix.iter_mut().zip(frame).for_each(|(sum, sample)| *sum += gain * sample);
    }

    /// Adds the samples from `position` on.
    fn next_frame(&mut self, position: usize, mix: &mut Frame, sound: Sound) {
        let samples = sound.samples();
        if self.fading {
            self.position = None;
            return add_fading(mix, &samples[position..]);
        }
        let (rest, start) = (&samples[position..], position + FRAME_SAMPLES);
        add(mix, rest);
        self.position = match samples.len() {
            length if start < length => Some(start),
            length if sound.repeats() => {
                let over = start - length;
                add_from(mix, FRAME_SAMPLES - over, samples);
                Some(over)
            }
            _ => None,
        };
    }
}

/// Adds the beginning of `sound` to `mix` from `index` on.
fn add_from(mix: &mut Frame, index: usize, sound: &[f32]) {
    for (sum, sample) in mix[index..].iter_mut().zip(sound) {
        *sum += sample;
    }
}

impl Output {
    fn to(speaker: Option<Feed>) -> Self {
        Self { speaker, pace: Pace::new(MediaTime::now()) }
    }

    /// Time until a frame is needed; `None` when it is needed now.
    fn wait(&mut self, now: MediaTime) -> Option<Duration> {
        let Some(Feed::Device { ring, heart, period, .. }) = &mut self.speaker else {
            return self.pace.take(now).err();
        };
        let held = ring.samples.buffer().capacity() - ring.samples.slots();
        let rate = ring.rate as usize;
        // Enough for the largest period that the device takes, and 10 ms for this thread to be late.
        let largest = period.note(heart.take_largest(), now).min(rate * 3 / 50);
        let wanted = (rate / 50).max(largest + rate / 100);
        let full = held >= wanted || ring.samples.slots() < rate / 25;
        full.then_some(Player::CALLBACK_TIMEOUT)
    }

    /// Length of the sound that waits for a device; `None` without a device.
    fn queued(&self) -> Option<Duration> {
        let Some(Feed::Device { ring, .. }) = &self.speaker else { return None };
        let held = ring.samples.buffer().capacity() - ring.samples.slots();
        Some(Duration::from_secs_f64(held as f64 / f64::from(ring.rate)))
    }

    /// Latency of the output: the sound that waits for the device, and that which the device says it holds; `None`
    /// where there is no device, or it does not say.
    fn latency(&self) -> Option<Duration> {
        let Some(Feed::Device { heart, .. }) = &self.speaker else { return None };
        Some(self.queued()? + heart.latency()?)
    }

    fn write(&mut self, frame: &Frame) {
        match &mut self.speaker {
            None => {}
            Some(Feed::Device { ring, resampler, heart, .. }) => {
                resampler.input().copy_from_slice(frame);
                match resampler.convert() {
                    // There is room: `wait` looked.
                    Ok(samples) => drop(ring.samples.push_entire_slice(samples)),
                    Err(_) => heart.report_failure(Failure::Other),
                }
            }
            Some(Feed::File { recorder, heart }) => {
                let mut recorder = recorder.lock().unwrap_or_else(PoisonError::into_inner);
                if let Err(error) = recorder.write(frame) {
                    tracing::warn!(%error, "the recording cannot be written");
                    heart.report_failure(match error {
                        DeviceReason::DiskFull => Failure::DiskFull,
                        DeviceReason::RecordingFull => Failure::RecordingFull,
                        _ => Failure::Other,
                    });
                }
            }
        }
    }

    fn is_detached(&self) -> bool {
        match &self.speaker {
            None => false,
            Some(Feed::Device { heart, .. } | Feed::File { heart, .. }) => heart.is_detached(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_is_as_loud_as_it_was_asked_for() {
        let peak = |volume| {
            let mut ring = Playing::default();
            ring.follow(SoundRequest { on: true, volume, count: 1 });
            let mut mix = [0.0; FRAME_SAMPLES];
            ring.add_to(&mut mix, Sound::Ringtone);
            mix.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()))
        };
        assert!(peak(100) > 0.05 && peak(0) == 0.0);
        assert!((peak(25) - peak(100) / 4.0).abs() < 1e-6);
    }

    #[test]
    fn a_ring_that_is_stopped_in_the_middle_of_a_note_fades_and_does_not_click() {
        let mut ring = Playing::default();
        ring.follow(SoundRequest { on: true, volume: 100, count: 1 });
        let mut heard = Vec::new();
        let mut next_frame = |ring: &mut Playing| {
            let mut mix = [0.0; FRAME_SAMPLES];
            ring.add_to(&mut mix, Sound::Ringtone);
            heard.extend(mix);
        };
        next_frame(&mut ring);
        next_frame(&mut ring);
        ring.follow(SoundRequest { on: false, volume: 100, count: 2 });
        next_frame(&mut ring);
        next_frame(&mut ring);
        assert!(ring.position.is_none());
        let largest = |frame: usize| {
            heard[frame * FRAME_SAMPLES..][..FRAME_SAMPLES].iter().fold(0.0_f32, |size, sample| size.max(sample.abs()))
        };
        assert!(largest(2) > 0.05 && largest(3) == 0.0);
        let step = heard.windows(2).fold(0.0_f32, |step, pair| step.max((pair[1] - pair[0]).abs()));
        assert!(step < 0.1, "it jumps by {step}");
    }

    #[test]
    fn a_ring_that_is_stopped_before_it_was_heard_stays_silent() {
        let mut ring = Playing::default();
        ring.follow(SoundRequest { on: true, volume: 100, count: 1 });
        ring.follow(SoundRequest { on: false, volume: 100, count: 2 });
        assert!(ring.position.is_none());
    }
}
