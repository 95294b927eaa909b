//! The sounds that Visavis makes itself: synthesised at first use, so that there is no file to miss and none to
//! license.
//!
//! All are soft bell or sine tones with slow edges, well below full scale.

use std::f32::consts::TAU;
use std::sync::OnceLock;

use crate::media::SAMPLE_RATE;

/// A sound that the speaker can play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sound {
    /// Somebody calls: a rising figure of soft bells, repeated until stopped.
    Ringtone,
    /// The other side rings: one second of tone in every five, repeated until stopped.
    RingBack,
    /// Somebody calls during a call: two soft notes in every four seconds, repeated until stopped.
    CallWaiting,
    /// Three notes for the test of the speaker, once.
    TestChime,
}

impl Sound {
    /// All sounds.
    pub const ALL: [Self; 4] = [Self::Ringtone, Self::RingBack, Self::CallWaiting, Self::TestChime];

    /// True for a sound that goes on until it is stopped.
    pub const fn repeats(self) -> bool {
        match self {
            Self::Ringtone | Self::RingBack | Self::CallWaiting => true,
            Self::TestChime => false,
        }
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// The whole sound, 48 kHz mono.
    pub(super) fn samples(self) -> &'static [f32] {
        static SAMPLES: [OnceLock<Vec<f32>>; Sound::ALL.len()] = [const { OnceLock::new() }; Sound::ALL.len()];
        SAMPLES[self.index()].get_or_init(|| match self {
            Self::Ringtone => ringtone(),
            Self::RingBack => ring_back(),
            Self::CallWaiting => call_waiting(),
            Self::TestChime => test_chime(),
        })
    }
}

const fn seconds(seconds: f32) -> usize {
    (seconds * SAMPLE_RATE as f32) as usize
}

/// E5, G5, C6, G5, twice, then a rest.
fn ringtone() -> Vec<f32> {
    let mut sound = vec![0.0; seconds(3.6)];
    for (index, hertz) in [659.26, 783.99, 1046.5, 783.99].into_iter().enumerate() {
        for start in [0.0, 0.9] {
            bell(&mut sound, start + index as f32 * 0.18, hertz, 0.22);
        }
    }
    sound
}

/// 425 Hz, one second on and four off (ITU-T E.180), quiet.
fn ring_back() -> Vec<f32> {
    let mut sound = vec![0.0; seconds(5.0)];
    let (tone, edge) = (seconds(1.0), seconds(0.03) as f32);
    for (n, sample) in sound[..tone].iter_mut().enumerate() {
        let gain = (n as f32 / edge).min((tone - n) as f32 / edge).min(1.0);
        *sample = (n as f32 * 425.0 / SAMPLE_RATE as f32 * TAU).sin() * gain * 0.1;
    }
    sound
}

/// G5 and E5, then a rest, quiet: people talk.
fn call_waiting() -> Vec<f32> {
    let mut sound = vec![0.0; seconds(4.0)];
    for (index, hertz) in [783.99, 659.26].into_iter().enumerate() {
        bell(&mut sound, index as f32 * 0.2, hertz, 0.09);
    }
    sound
}

/// C5, E5, G5.
fn test_chime() -> Vec<f32> {
    let mut sound = vec![0.0; seconds(1.6)];
    for (index, hertz) in [523.25, 659.26, 783.99].into_iter().enumerate() {
        bell(&mut sound, index as f32 * 0.22, hertz, 0.25);
    }
    sound
}

/// Adds a bell that is struck at `start` seconds: a sine and a faint octave, fading within half a second.
fn bell(sound: &mut [f32], start: f32, hertz: f32, gain: f32) {
    let length = seconds(0.9);
    for (n, sample) in sound.iter_mut().skip(seconds(start)).take(length).enumerate() {
        let time = n as f32 / SAMPLE_RATE as f32;
        let attack = (time / 0.008).min(1.0);
        let release = ((length - n) as f32 / seconds(0.05) as f32).min(1.0);
        let tone = (time * hertz * TAU).sin() + 0.15 * (time * hertz * 2.0 * TAU).sin() * (-time / 0.08).exp();
        *sample += tone * gain * attack * release * (-time / 0.16).exp();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sound_device::test_signal::peak_hertz;

    #[test]
    fn no_sound_is_loud_or_starts_or_ends_with_a_click() {
        for sound in Sound::ALL {
            let samples = sound.samples();
            let peak = samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
            assert!((0.05..0.6).contains(&peak), "{sound:?}: {peak}");
            assert!(samples[0].abs() < 0.01 && samples[samples.len() - 1].abs() < 0.01, "{sound:?}");
            let step = samples.windows(2).fold(0.0_f32, |step, pair| step.max((pair[1] - pair[0]).abs()));
            assert!(step < 0.1, "{sound:?} jumps by {step}");
        }
    }

    #[test]
    fn the_ring_back_tone_is_the_one_that_people_know() {
        assert!((peak_hertz(&Sound::RingBack.samples()[..48_000], SAMPLE_RATE) - 425.0).abs() < 2.0);
    }
}
