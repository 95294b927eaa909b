//! Detection of speech into the muted microphone, for a note to the person. Nothing of it leaves this computer.

use std::collections::VecDeque;
use std::time::Duration;

use crate::media::MediaTime;

/// Listens to the frames of a muted microphone.
#[derive(Debug, Default)]
pub struct UnheardSpeech {
    /// The peaks of the last second's frames.
    peaks: VecDeque<f32>,
    told_at: Option<MediaTime>,
}

impl UnheardSpeech {
    /// Frames that are looked at: a second's.
    const WINDOW: usize = 50;
    /// Frames of these, half a second, in which a voice is loud.
    const SPOKEN: usize = 25;
    /// Peak of a voice's frames: -34 dB of full scale.
    const LOUD: f32 = 0.02;
    /// Loudest to quietest frame of speech, which has gaps between its syllables. Humming and noise are steady.
    const LIVELY: f32 = 4.0;
    /// How long somebody who was told is left alone.
    const AGAIN: Duration = Duration::from_secs(10);

    /// Notes a frame of 20 ms that was captured `at`; true when it is time to say "you are muted".
    pub fn note(&mut self, frame: &[f32], muted: bool, at: MediaTime) -> bool {
        if !muted {
            self.peaks.clear();
            return false;
        }
        if self.peaks.len() == Self::WINDOW {
            self.peaks.pop_front();
        }
        self.peaks.push_back(frame.iter().fold(0.0, |peak, sample| peak.max(sample.abs())));
        let told = self.told_at.is_some_and(|told| at.since(told) < Self::AGAIN);
        if told || !self.is_speech() {
            return false;
        }
        self.told_at = Some(at);
        true
    }

    fn is_speech(&self) -> bool {
        let loud = self.peaks.iter().filter(|peak| **peak > Self::LOUD).count();
        let loudest = self.peaks.iter().copied().fold(0.0, f32::max);
        let quietest = self.peaks.iter().copied().fold(1.0, f32::min);
        loud >= Self::SPOKEN && loudest > quietest * Self::LIVELY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::FRAME_SAMPLES;
    use crate::sound_device::test_signal::sine;
    use crate::voice_processing::rig::Speech;

    /// At which milliseconds it is told, of `sound` that is muted or not.
    fn told(detector: &mut UnheardSpeech, sound: &[f32], muted: bool, from: u64) -> Vec<u64> {
        let frames = sound.chunks_exact(FRAME_SAMPLES).zip(0_u64..);
        let at = |index: u64| from + index * 20;
        frames
            .filter_map(|(frame, index)| {
                detector.note(frame, muted, MediaTime::from_millis(at(index))).then_some(at(index))
            })
            .collect()
    }

    #[test]
    fn speech_is_told_after_half_a_second_and_not_again_for_ten() {
        let speech = Speech::new(1, 120.0).take(25 * 48_000);
        let mut detector = UnheardSpeech::default();
        assert!(told(&mut detector, &speech, false, 0).is_empty(), "not muted");
        let times = told(&mut detector, &speech, true, 25_000);
        assert_eq!(times.len(), 3, "{times:?}");
        assert!((25_480..27_500).contains(&times[0]), "{times:?}");
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 10_000), "{times:?}");
    }

    #[test]
    fn silence_a_click_hum_and_noise_are_no_speech() {
        let mut random = fastrand::Rng::with_seed(1);
        let noise: Vec<f32> = (0..240_000).map(|_| random.f32() * 0.2 - 0.1).collect();
        let mut click = vec![0.0; 240_000];
        click[5000..9000].fill(0.9);
        for sound in [vec![0.0; 240_000], click, sine(100.0, 48_000, 240_000), noise] {
            assert!(told(&mut UnheardSpeech::default(), &sound, true, 0).is_empty());
        }
    }
}
