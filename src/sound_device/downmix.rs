//! Downmix of any number of channels to one, with weights by loudspeaker position (ITU-R BS.775-3, table 2) and a
//! limiter.
//!
//! Runs in the callback of a microphone, too: mixing allocates nothing.

/// Positions of WAVEFORMATEXTENSIBLE's channel mask, by bit.
mod position {
    pub(super) const FRONT_LEFT: u32 = 1;
    pub(super) const FRONT_RIGHT: u32 = 1 << 1;
    pub(super) const FRONT_CENTRE: u32 = 1 << 2;
    pub(super) const LFE: u32 = 1 << 3;
    pub(super) const FRONT_LEFT_OF_CENTRE: u32 = 1 << 6;
    pub(super) const FRONT_RIGHT_OF_CENTRE: u32 = 1 << 7;
}

/// The layouts that a file without a channel mask has, from three channels on.
const DEFAULT_MASKS: [u32; 6] = [0x7, 0x33, 0x37, 0x3f, 0x70f, 0x63f];

/// Makes one channel of several.
#[derive(Clone, Debug)]
pub(crate) struct Downmix {
    weights: Vec<f32>,
    /// The limiter's gain: below 1 after a sum above full scale.
    gain: f32,
    /// The part of the way back to 1 that it goes with each sample.
    release: f32,
}

impl Downmix {
    /// The mean of `channels`: microphones in one room.
    pub(crate) fn mean(channels: usize, rate: u32) -> Self {
        Self::new(vec![1.0 / channels.max(1) as f32; channels], rate)
    }

    /// The sum of `channels` that have no position: the inputs of an interface, of which commonly one is used.
    pub(crate) fn sum(channels: usize, rate: u32) -> Self {
        if channels <= 2 { Self::mean(channels, rate) } else { Self::new(vec![1.0; channels], rate) }
    }

    /// Loudspeaker channels by their `mask`; without one, in the default layout of their number. A mask of 0 says that
    /// they have no position.
    pub(crate) fn of_mask(channels: usize, mask: Option<u32>, rate: u32) -> Self {
        let default = channels.checked_sub(3).and_then(|index| DEFAULT_MASKS.get(index)).copied();
        match mask.or(default) {
            _ if channels <= 2 => Self::mean(channels, rate),
            None | Some(0) => Self::sum(channels, rate),
            Some(mask) => {
                let mut positions = (0..32).map(|bit| 1_u32 << bit).filter(|bit| mask & bit != 0);
                let weights: Vec<f32> = (0..channels).map(|_| positions.next().map_or(0.5, weight)).collect();
                // Nothing but a low-frequency channel is still what there is to hear.
                if weights.iter().all(|weight| *weight == 0.0) {
                    Self::mean(channels, rate)
                } else {
                    Self::new(weights, rate)
                }
            }
        }
    }

    fn new(weights: Vec<f32>, rate: u32) -> Self {
        Self { weights, gain: 1.0, release: 1.0 / rate.max(1) as f32 }
    }

    /// One sample of all channels, at most full scale.
    pub(crate) fn mix(&mut self, samples: impl Iterator<Item = f32>) -> f32 {
        let sum: f32 = samples.zip(&self.weights).map(|(sample, weight)| sample * weight).sum();
        if sum.abs() * self.gain > 1.0 {
            self.gain = 1.0 / sum.abs();
        } else {
            self.gain += (1.0 - self.gain) * self.release;
        }
        sum * self.gain
    }
}

/// The weight of a position in the one channel of BS.775's 1/0 format.
const fn weight(position: u32) -> f32 {
    use position::{FRONT_CENTRE, FRONT_LEFT, FRONT_LEFT_OF_CENTRE, FRONT_RIGHT, FRONT_RIGHT_OF_CENTRE, LFE};
    match position {
        FRONT_CENTRE => 1.0,
        FRONT_LEFT | FRONT_RIGHT | FRONT_LEFT_OF_CENTRE | FRONT_RIGHT_OF_CENTRE => std::f32::consts::FRAC_1_SQRT_2,
        LFE => 0.0,
        _ => 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sound_device::test_signal::{purity, rms, sine};

    /// Result of 0.5 on one channel alone.
    fn alone(mut downmix: Downmix, channels: usize, channel: usize) -> f32 {
        downmix.mix((0..channels).map(|index| if index == channel { 0.5 } else { 0.0 }))
    }

    #[test]
    fn a_voice_in_the_centre_keeps_its_level_and_the_low_frequency_channel_is_left_out() {
        let surround = Downmix::of_mask(6, None, 48_000);
        let heard = [0, 1, 2, 3, 4, 5].map(|channel| alone(surround.clone(), 6, channel));
        for (heard, right) in heard.into_iter().zip([0.354, 0.354, 0.5, 0.0, 0.25, 0.25]) {
            assert!((heard - right).abs() < 0.001, "{heard} {right}");
        }
        assert!((alone(Downmix::of_mask(3, Some(0x7), 48_000), 3, 2) - 0.5).abs() < 1e-6, "left, right, centre");
        assert!((alone(Downmix::of_mask(2, Some(0x3), 48_000), 2, 0) - 0.25).abs() < 1e-6, "the mean of two");
        assert!((alone(Downmix::of_mask(1, Some(0x8), 48_000), 1, 0) - 0.5).abs() < 1e-6, "one is one");
    }

    #[test]
    fn any_input_of_an_interface_is_heard_as_loud_as_it_is() {
        for channel in 0..18 {
            assert!((alone(Downmix::sum(18, 48_000), 18, channel) - 0.5).abs() < 1e-6);
            assert!((alone(Downmix::of_mask(18, Some(0), 48_000), 18, channel) - 0.5).abs() < 1e-6);
        }
    }

    #[test]
    fn a_sum_above_full_scale_is_turned_down_and_not_cut() {
        let mut downmix = Downmix::sum(8, 48_000);
        let tone = sine(400.0, 48_000, 48_000);
        let mixed: Vec<f32> = tone.iter().map(|&sample| downmix.mix((0..8).map(|_| sample))).collect();
        assert!(mixed.iter().all(|sample| sample.abs() <= 1.000_001));
        let steady = &mixed[4800..];
        assert!(purity(steady, 400.0, 48_000) > 0.999, "{}", purity(steady, 400.0, 48_000));
        assert!((rms(steady) - std::f32::consts::FRAC_1_SQRT_2).abs() < 0.01, "{}", rms(steady));
    }
}
