//! Mixer: the sum of sounds, without clipping.

use crate::media::FRAME_SAMPLES;

/// One frame of 20 ms.
pub type Frame = [f32; FRAME_SAMPLES];

/// Adds `sound` to `mix`.
pub fn add(mix: &mut Frame, sound: &[f32]) {
    for (sum, sample) in mix.iter_mut().zip(sound) {
        *sum += sample;
    }
}

/// Adds the beginning of `sound` to `mix`, fading to nothing by the end of the frame.
pub(super) fn add_fading(mix: &mut Frame, sound: &[f32]) {
    for (n, (sum, sample)) in mix.iter_mut().zip(sound).enumerate() {
        *sum += sample * (1.0 - (n + 1) as f32 / FRAME_SAMPLES as f32);
    }
}

/// Multiplies `sound` by a factor that goes evenly from `from` to `to` over the frame: a jump would click.
pub(super) fn amplify(sound: &mut Frame, from: f32, to: f32) {
    if from == 1.0 && to == 1.0 {
        return;
    }
    for (n, sample) in sound.iter_mut().enumerate() {
        *sample *= from + (to - from) * ((n + 1) as f32 / FRAME_SAMPLES as f32);
    }
}

/// Bends samples above this towards full scale, and leaves the rest untouched.
const KNEE: f32 = 0.8;

/// Holds every sample within full scale: transparent below the knee, a smooth curve above it.
pub fn limit(mix: &mut Frame) {
    for sample in mix {
        let size = sample.abs();
        if size > KNEE {
            let bent = KNEE + (1.0 - KNEE) * (1.0 - (-(size - KNEE) / (1.0 - KNEE)).exp());
            *sample = bent.copysign(*sample);
        } else if !sample.is_finite() {
            *sample = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::SAMPLE_RATE;
    use crate::sound_device::test_signal::{purity, sine};

    fn frame(samples: &[f32]) -> Frame {
        samples[..FRAME_SAMPLES].try_into().unwrap()
    }

    #[test]
    fn two_voices_are_both_heard() {
        let mut mix = frame(&sine(500.0, SAMPLE_RATE, FRAME_SAMPLES));
        add(&mut mix, &sine(1000.0, SAMPLE_RATE, FRAME_SAMPLES));
        let half = purity(&mix, 500.0, SAMPLE_RATE);
        assert!((half - 0.5).abs() < 0.05, "{half}");
    }

    #[test]
    fn a_change_of_volume_is_spread_over_the_frame_and_does_not_click() {
        let sound = sine(500.0, SAMPLE_RATE, 4 * FRAME_SAMPLES);
        let loudest_step =
            |sound: &[f32]| sound.windows(2).fold(0.0_f32, |step, pair| step.max((pair[1] - pair[0]).abs()));
        let mut heard = Vec::new();
        for (part, (from, to)) in
            sound.chunks_exact(FRAME_SAMPLES).zip([(1.0, 1.0), (1.0, 2.0), (2.0, 0.0), (0.0, 1.0)])
        {
            let mut part = frame(part);
            amplify(&mut part, from, to);
            heard.extend(part);
        }
        assert_eq!(heard[..FRAME_SAMPLES], sound[..FRAME_SAMPLES]);
        assert!(heard[3 * FRAME_SAMPLES - 1].abs() < 1e-3, "silent at the end of the third");
        assert!(loudest_step(&heard) < 2.05 * loudest_step(&sound), "{}", loudest_step(&heard));
    }

    #[test]
    fn the_limiter_leaves_speech_alone_and_holds_a_crowd_within_full_scale() {
        let quiet = frame(&sine(500.0, SAMPLE_RATE, FRAME_SAMPLES));
        let mut limited = quiet;
        limit(&mut limited);
        assert_eq!(limited, quiet);
        let mut crowd = [0.0; FRAME_SAMPLES];
        for _ in 0..8 {
            add(&mut crowd, &quiet);
        }
        crowd[0] = f32::NAN;
        crowd[1] = f32::INFINITY;
        limit(&mut crowd);
        assert!(crowd.iter().all(|sample| sample.abs() <= 1.0));
        assert!(crowd.iter().any(|sample| *sample > 0.95));
    }
}
