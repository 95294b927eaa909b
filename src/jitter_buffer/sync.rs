//! Lip sync: how long sound has to wait for the picture.
//!
//! Sound 45 ms early or 125 ms late is noticed (ITU-R BT.1359). Sound usually waits longer than pictures; where
//! pictures take longer, as on a path where they wait for repairs, sound is held back. Pictures are never held back:
//! delay of both is worse than sound that is late. Pure.

use std::time::Duration;

/// Decides how long one participant's sound waits at least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LipSync {
    least_delay: Duration,
}

impl LipSync {
    /// Sound may be early by so much, in ms.
    const EARLY: f32 = 45.0;
    /// Sound that is held back is let go again once it is late by so much, in ms.
    const LATE: f32 = 20.0;
    /// The longest wait.
    const MOST: Duration = Duration::from_millis(200);

    /// Takes in that sound with a delay of `delay_ms` came `offset_ms` later (negative: earlier) than its picture, and
    /// gives the delay that it should have at least from now on.
    pub fn adjust(&mut self, offset_ms: f32, delay_ms: u32) -> Duration {
        // Half way at a time: what is measured is a mean of the last seconds.
        let wanted = (delay_ms as f32 - offset_ms).clamp(0.0, Self::MOST.as_millis() as f32);
        let held = self.least_delay.as_millis() as f32;
        if offset_ms < -Self::EARLY {
            self.least_delay = Duration::from_millis(((delay_ms as f32).max(held) * 0.5 + wanted * 0.5) as u64);
        } else if offset_ms > Self::LATE && held > 0.0 {
            self.least_delay = Duration::from_millis((held * 0.5 + held.min(wanted) * 0.5) as u64);
        }
        self.least_delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offsets of sound that would have a delay of `sound` ms by itself, while pictures are `pictures` ms behind it.
    fn offsets(sync: &mut LipSync, sound: u32, pictures: f32) -> Vec<f32> {
        let mut delay = sound;
        (0..12)
            .map(|_| {
                let offset = delay as f32 - pictures;
                delay = sound.max(sync.adjust(offset, delay).as_millis() as u32);
                offset
            })
            .collect()
    }

    #[test]
    fn sound_within_bounds_is_left_alone() {
        for pictures in [30.0, 80.0, -80.0] {
            let mut sync = LipSync::default();
            offsets(&mut sync, 40, pictures);
            assert_eq!(sync, LipSync::default(), "{pictures}");
        }
    }

    #[test]
    fn early_sound_waits_and_is_let_go_when_pictures_are_fast_again() {
        let mut sync = LipSync::default();
        let early = offsets(&mut sync, 30, 160.0);
        assert!(early[0] == -130.0 && early[3..].iter().all(|offset| (-45.0..0.0).contains(offset)), "{early:?}");
        let late = offsets(&mut sync, 30, 20.0);
        assert!(late.last().is_some_and(|offset| *offset <= 25.0), "{late:?}");
        let far = offsets(&mut sync, 30, 2000.0);
        assert!(
            far.last().is_some_and(|offset| (-1802.0..=-1800.0).contains(offset)),
            "no longer than the bound: {far:?}"
        );
    }
}
