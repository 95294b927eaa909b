//! Time-stretch: sound is made shorter or longer without a change of pitch.
//!
//! Pure; called on the playout thread, for a few frames a second at most.

/// Shortest and longest period, in samples at 48 kHz: 2.5 and 15 ms.
const PERIODS: std::ops::RangeInclusive<usize> = 120..=720;
/// Samples over which one period turns into another, and over which they are compared: 5 ms.
const OVERLAP: usize = 240;
/// Energy per sample under which any two pieces resemble each other (60 dB below full scale).
const SILENT: f32 = 1e-6;

/// Least normalised correlation of two periods before one of them is left out or repeated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Likeness(pub(super) f32);

impl Likeness {
    /// It is so quiet that nothing is heard.
    pub(super) const QUIET: Self = Self(0.0);
    /// The change is not heard.
    pub(super) const INAUDIBLE: Self = Self(0.85);
    /// The change is better than a gap, or than a delay that stays.
    pub(super) const URGENT: Self = Self(0.4);
}

/// Leaves out one period near the beginning of `sound`. Returns how many samples that were: 0 where no period is alike
/// enough, or the sound too short.
pub(super) fn shorten(sound: &mut Vec<f32>, likeness: Likeness) -> usize {
    let Some(period) = period(sound, likeness) else { return 0 };
    // Backwards: a period may be shorter than the overlap.
    for n in (0..OVERLAP).rev() {
        sound[period + n] = between(sound[n], sound[period + n], n);
    }
    sound.drain(..period);
    period
}

/// Repeats one period near the beginning of `sound`, which must have the capacity for it. Returns how many samples were
/// added: 0 where no period is alike enough, or the sound too short.
pub(super) fn lengthen(sound: &mut Vec<f32>, likeness: Likeness) -> usize {
    let Some(period) = period(sound, likeness) else { return 0 };
    let length = sound.len();
    sound.resize(length + period, 0.0);
    sound.copy_within(..length, period);
    // The beginning stands as it was; its second sounding begins as what would have come, and ends as the first did.
    for n in 0..OVERLAP {
        sound[n + period] = between(sound[n + 2 * period], sound[n + period], n);
    }
    period
}

/// Gradually from `old` to `new`, over the overlap.
fn between(old: f32, new: f32, n: usize) -> f32 {
    let share = (n + 1) as f32 / (OVERLAP + 1) as f32;
    old + (new - old) * share
}

/// After how many samples `sound` is most like its beginning.
fn period(sound: &[f32], likeness: Likeness) -> Option<usize> {
    let longest = sound.len().checked_sub(OVERLAP)?.min(*PERIODS.end());
    if longest < *PERIODS.start() {
        return None;
    }
    let head = &sound[..OVERLAP];
    let energy = dot(head, head);
    if energy < SILENT * OVERLAP as f32 {
        return Some(longest).filter(|_| dot(sound, sound) < SILENT * sound.len() as f32);
    }
    let mut best = (likeness.0, None);
    let mut other_energy = dot(&sound[*PERIODS.start()..][..OVERLAP], &sound[*PERIODS.start()..][..OVERLAP]);
    for period in *PERIODS.start()..=longest {
        let other = &sound[period..period + OVERLAP];
        let alike = dot(head, other) / (energy * other_energy).sqrt().max(SILENT);
        if alike > best.0 {
            best = (alike, Some(period));
        }
        if let Some(next) = sound.get(period + OVERLAP) {
            other_energy = (other_energy + next * next - other[0] * other[0]).max(0.0);
        }
    }
    best.1
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::{FRAME_SAMPLES, SAMPLE_RATE};
    use crate::sound_device::test_signal::{peak_hertz, purity, sine};

    type Change = fn(&mut Vec<f32>, Likeness) -> usize;

    /// A tone of which every fourth frame is changed.
    fn changed(hertz: f64, change: Change) -> (Vec<f32>, usize) {
        let (mut out, mut samples) = (Vec::new(), 0);
        for (n, frame) in sine(hertz, SAMPLE_RATE, FRAME_SAMPLES * 60).chunks_exact(FRAME_SAMPLES).enumerate() {
            let mut frame = frame.to_vec();
            if n % 4 == 3 {
                samples += change(&mut frame, Likeness::INAUDIBLE);
            }
            out.extend(frame);
        }
        (out, samples)
    }

    #[test]
    fn a_tone_gets_shorter_or_longer_and_stays_the_same_tone_without_a_step() {
        for hertz in [90.0, 220.0, 440.0, 1333.0] {
            for (change, sign) in [(shorten as Change, -1), (lengthen as Change, 1)] {
                let (out, samples) = changed(hertz, change);
                assert!(samples >= 15 * 120, "{hertz} Hz: {samples}");
                assert_eq!(out.len() as i64, (FRAME_SAMPLES * 60) as i64 + sign * samples as i64);
                assert!((peak_hertz(&out, SAMPLE_RATE) - hertz).abs() < 3.0);
                assert!(purity(&out, hertz, SAMPLE_RATE) > 0.95, "{hertz} Hz: {}", purity(&out, hertz, SAMPLE_RATE));
                let steepest = 0.5 * std::f64::consts::TAU * hertz / f64::from(SAMPLE_RATE);
                let step = out.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
                assert!(f64::from(step) < steepest * 1.3 + 0.002, "{hertz} Hz jumps by {step}");
            }
        }
    }

    #[test]
    fn silence_changes_most_and_noise_only_in_need() {
        let mut silence = vec![0.0; FRAME_SAMPLES];
        assert_eq!(shorten(&mut silence, Likeness::INAUDIBLE), 720);
        let mut random = fastrand::Rng::with_seed(1);
        let noise: Vec<f32> = (0..FRAME_SAMPLES).map(|_| random.f32() - 0.5).collect();
        assert_eq!(shorten(&mut noise.clone(), Likeness::INAUDIBLE), 0);
        assert_eq!(lengthen(&mut noise.clone(), Likeness::INAUDIBLE), 0);
        assert_eq!(shorten(&mut vec![0.1; 300], Likeness::URGENT), 0, "too short");
    }

    proptest! {
        #[test]
        fn whatever_sounds_keeps_its_bounds(sound in prop::collection::vec(-1.0_f32..1.0, 0..1500)) {
            for (change, sign) in [(shorten as Change, -1), (lengthen as Change, 1)] {
                let mut out = sound.clone();
                let samples = change(&mut out, Likeness(-1.0)) as i64;
                prop_assert_eq!(out.len() as i64, sound.len() as i64 + sign * samples);
                prop_assert!(out.iter().all(|sample| sample.abs() <= 1.0));
                prop_assert!(sound.is_empty() == out.is_empty());
            }
        }
    }
}
