//! Speech-like sound without a file: pitch pulses and hiss through moving resonances, in syllables, phrases and pauses.
//!
//! It has the features that an echo canceller adapts to: a harmonic spectrum with formants, gaps between syllables,
//! silence between phrases, and no repetition. The seed makes it the same each time.

use std::f32::consts::{PI, TAU};

const RATE: f32 = crate::media::SAMPLE_RATE as f32;

/// Frequencies in Hz of the first four formants of five vowels (a, e, i, o, u), after Peterson and Barney (1952).
const VOWELS: [[f32; 4]; 5] = [
    [730.0, 1090.0, 2440.0, 3500.0],
    [530.0, 1840.0, 2480.0, 3600.0],
    [270.0, 2290.0, 3010.0, 3700.0],
    [570.0, 840.0, 2410.0, 3400.0],
    [300.0, 870.0, 2240.0, 3400.0],
];
const BANDWIDTHS: [f32; 4] = [80.0, 100.0, 140.0, 200.0];
const GAINS: [f32; 4] = [1.0, 0.6, 0.35, 0.2];

/// Makes it as loud as the doc comment of `take` says.
const LOUDNESS: f32 = 1.6;

/// One voice, sample by sample.
#[derive(Debug)]
pub struct Speech {
    random: fastrand::Rng,
    pitch: f32,
    phase: f32,
    formants: [f32; 4],
    target: [f32; 4],
    resonators: [Resonator; 4],
    hiss: Resonator,
    /// Samples that are left of the current syllable or pause, and that it has in all.
    left: u32,
    length: u32,
    /// Syllables that are left of the phrase.
    syllables: u32,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Voiced,
    Hissed,
    Pause,
}

/// A resonance of unit peak gain that lets neither the lowest nor the highest frequencies through.
#[derive(Clone, Copy, Debug, Default)]
struct Resonator {
    inputs: [f32; 2],
    outputs: [f32; 2],
}

impl Resonator {
    fn next(&mut self, input: f32, hertz: f32, bandwidth: f32) -> f32 {
        let radius = (-PI * bandwidth / RATE).exp();
        let turn = 2.0 * radius * (TAU * hertz / RATE).cos();
        let output =
            (1.0 - radius) * (input - self.inputs[1]) + turn * self.outputs[0] - radius * radius * self.outputs[1];
        self.inputs = [input, self.inputs[0]];
        self.outputs = [output, self.outputs[0]];
        output
    }
}

impl Speech {
    /// A voice of `pitch` Hz.
    pub fn new(seed: u64, pitch: f32) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            pitch,
            phase: 0.0,
            formants: VOWELS[0],
            target: VOWELS[0],
            resonators: Default::default(),
            hiss: Resonator::default(),
            left: 0,
            length: 1,
            syllables: 0,
            kind: Kind::Pause,
        }
    }

    /// The next `samples` samples, about 20 dB below full scale while somebody speaks.
    pub fn take(&mut self, samples: usize) -> Vec<f32> {
        (0..samples).map(|_| self.next()).collect()
    }

    fn next(&mut self) -> f32 {
        if self.left == 0 {
            self.begin();
        }
        self.left -= 1;
        let done = 1.0 - self.left as f32 / self.length as f32;
        for (formant, target) in self.formants.iter_mut().zip(self.target) {
            *formant += (target - *formant) * 0.0006;
        }
        let noise = self.random.f32() * 2.0 - 1.0;
        let envelope = (done * PI).sin().max(0.0).sqrt();
        let source = match self.kind {
            Kind::Pause => 0.0,
            Kind::Hissed => noise * 0.3 * envelope,
            Kind::Voiced => {
                self.phase += self.pitch * (1.12 - 0.24 * done) * (1.0 + 0.01 * noise) / RATE;
                let pulse = if self.phase >= 1.0 { 12.0 } else { 0.0 };
                self.phase -= self.phase.floor();
                (pulse + 0.05 * noise) * envelope
            }
        };
        let (voiced, hissed) = if self.kind == Kind::Hissed { (0.0, source) } else { (source, 0.0) };
        let mut sound = self.hiss.next(hissed, 5_500.0, 2_500.0);
        for (index, resonator) in self.resonators.iter_mut().enumerate() {
            sound += GAINS[index] * resonator.next(voiced, self.formants[index], BANDWIDTHS[index]);
        }
        sound * LOUDNESS
    }

    fn begin(&mut self) {
        let random = &mut self.random;
        if self.kind == Kind::Pause {
            self.syllables = random.u32(6..14);
        }
        self.kind = match self.syllables.checked_sub(1) {
            None => Kind::Pause,
            Some(left) => {
                self.syllables = left;
                self.target = VOWELS[random.usize(0..VOWELS.len())];
                if random.f32() < 0.2 { Kind::Hissed } else { Kind::Voiced }
            }
        };
        let seconds = match self.kind {
            Kind::Pause => 0.3 + 0.5 * random.f32(),
            Kind::Hissed => 0.06 + 0.06 * random.f32(),
            Kind::Voiced => 0.12 + 0.16 * random.f32(),
        };
        self.length = (seconds * RATE) as u32;
        self.left = self.length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_speaks_in_phrases_with_pauses_at_a_usual_loudness_and_the_same_each_time() {
        let sound = Speech::new(1, 120.0).take(20 * RATE as usize);
        assert_eq!(sound, Speech::new(1, 120.0).take(20 * RATE as usize));
        assert_ne!(sound, Speech::new(2, 120.0).take(20 * RATE as usize));
        assert!(sound.iter().all(|sample| sample.abs() < 1.0), "it clips");
        let energy = |sound: &[f32]| sound.iter().map(|sample| sample * sample).sum::<f32>() / sound.len() as f32;
        let level = 10.0 * energy(&sound).log10();
        assert!((-26.0..-18.0).contains(&level), "{level} dB");
        let quiet = sound.chunks(4800).filter(|chunk| energy(chunk) < 1e-6).count();
        assert!((5..80).contains(&quiet), "{quiet} of 200 tenths of a second are pauses");
    }
}
