//! A room between a loudspeaker and a microphone: delay, reflections that die away, a clock that drifts.

const RATE: f64 = crate::media::SAMPLE_RATE as f64;

/// Impulse response of the room: the direct sound, then random reflections that die away exponentially.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// From the block given to the speaker to the direct sound in the microphone's block, in ms.
    pub delay_ms: u32,
    /// Time in which reflections fall by 60 dB, in ms.
    pub reverberation_ms: u32,
    /// How much faster the microphone's clock runs than the speaker's, in parts per million.
    pub drift_ppm: f64,
    /// The echo's strength against the played sound, in dB.
    pub coupling_db: f32,
}

/// Reflections a second: enough for an ear to hear no single one.
const DENSITY: f64 = 2_000.0;

impl Room {
    /// The rooms of the published figures: near and dry, usual, with a drifting clock, and far and hard.
    pub const ALL: [(&'static str, Self); 4] = [
        ("20 ms", Self { delay_ms: 20, reverberation_ms: 200, drift_ppm: 0.0, coupling_db: -6.0 }),
        ("60 ms", Self { delay_ms: 60, reverberation_ms: 400, drift_ppm: 0.0, coupling_db: -6.0 }),
        ("120 ms, 100 ppm", Self { delay_ms: 120, reverberation_ms: 300, drift_ppm: 100.0, coupling_db: -6.0 }),
        ("250 ms", Self { delay_ms: 250, reverberation_ms: 500, drift_ppm: 0.0, coupling_db: -6.0 }),
    ];

    /// The sound of `played` at a microphone, of the same length.
    pub fn echo_of(&self, played: &[f32], seed: u64) -> Vec<f32> {
        let taps = self.taps(seed);
        let mut echo = vec![0.0; played.len()];
        for (delay, gain) in taps {
            if delay < echo.len() {
                let (heard, source) = (&mut echo[delay..], played);
                for (sum, sample) in heard.iter_mut().zip(source) {
                    *sum += gain * sample;
                }
            }
        }
        if self.drift_ppm == 0.0 { echo } else { drifted(&echo, self.drift_ppm) }
    }

    /// Delay in samples and gain of the direct sound and of each reflection.
    fn taps(&self, seed: u64) -> Vec<(usize, f32)> {
        let mut random = fastrand::Rng::with_seed(seed);
        let start = f64::from(self.delay_ms) / 1000.0;
        let length = f64::from(self.reverberation_ms) / 1000.0;
        let count = (length * DENSITY) as u32;
        let mut taps = vec![((start * RATE) as usize, 1.0)];
        for index in 0..count {
            let at = (f64::from(index) + random.f64()) / DENSITY;
            let fall = 10_f64.powf(-3.0 * at / length);
            let gain = (random.f64() * 2.0 - 1.0) * 0.4 * fall;
            taps.push((((start + at) * RATE) as usize, gain as f32));
        }
        let energy: f32 = taps.iter().map(|(_, gain)| gain * gain).sum();
        let scale = 10_f32.powf(self.coupling_db / 20.0) / energy.sqrt();
        taps.iter_mut().for_each(|(_, gain)| *gain *= scale);
        taps
    }
}

/// The same sound read by a clock that runs `ppm` faster: a band-limited interpolation over 32 samples.
fn drifted(sound: &[f32], ppm: f64) -> Vec<f32> {
    (0..sound.len()).map(|n| between(sound, n as f64 / (1.0 + ppm * 1e-6))).collect()
}

/// The value of `sound` at a place between its samples.
fn between(sound: &[f32], at: f64) -> f32 {
    use std::f64::consts::{FRAC_PI_2, PI};
    const SIDE: isize = 16;
    let (whole, part) = (at.floor() as isize, at.fract());
    let near = (1 - SIDE)..=SIDE;
    let value = near.map(|tap| {
        let sample = usize::try_from(whole + tap).ok().and_then(|index| sound.get(index)).copied().unwrap_or(0.0);
        let x = tap as f64 - part;
        let window = (FRAC_PI_2 * x / SIDE as f64).cos().powi(2);
        let sinc = if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) };
        f64::from(sample) * sinc * window
    });
    value.sum::<f64>() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_comes_after_the_delay_and_dies_away() {
        let mut click = vec![0.0; 48_000];
        click[0] = 1.0;
        let echo = Room::ALL[1].1.echo_of(&click, 1);
        let energy = |from: usize, to: usize| echo[from..to].iter().map(|sample| sample * sample).sum::<f32>();
        assert_eq!(energy(0, 2880), 0.0, "60 ms");
        assert!((energy(2880, 48_000) - 0.25).abs() < 0.01, "-6 dB in all");
        let fall = 10.0 * (energy(2890, 7690) / energy(12_490, 17_290)).log10();
        assert!((25.0..35.0).contains(&fall), "{fall} dB in 200 of 400 ms");
    }

    #[test]
    fn a_fast_clock_stretches_what_it_reads() {
        let tone = |n: f64| (n * 0.1).sin() as f32;
        let played: Vec<f32> = (0..48_000).map(|n| tone(f64::from(n))).collect();
        let read = drifted(&played, 100.0);
        let error = |n: usize| (read[n] - tone(n as f64 / 1.0001)).abs();
        assert!((1000..47_000).map(error).fold(0.0, f32::max) < 1e-3);
    }
}
