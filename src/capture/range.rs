//! Modes from the ranges of sizes and rates that some cameras list. Pure: a range and common requests in, single sizes
//! and rates out.

use crate::media::Preset;

use super::mode::FrameRate;

/// The frame rates that are picked out of a range besides the one nearest to 30.
const OTHER_RATES: [u32; 2] = [60, 15];

/// A range of sides, in pixels: the least, the greatest, and the step between two of them (0 counts as 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sides {
    /// The least.
    pub min: u32,
    /// The greatest.
    pub max: u32,
    /// From one to the next.
    pub step: u32,
}

impl Sides {
    /// The least allowed side that is not under `wanted`, or the greatest allowed one.
    fn nearest(self, wanted: u32) -> u32 {
        let step = self.step.max(1);
        // A camera that has its ends the wrong way round has one size.
        let max = self.max.max(self.min);
        let steps = wanted.saturating_sub(self.min).div_ceil(step).min((max - self.min) / step);
        self.min + steps * step
    }
}

/// The sizes out of a range that serve the presets, each once: the least that covers the preset, or else the greatest.
pub fn sizes_in(widths: Sides, heights: Sides) -> Vec<(u32, u32)> {
    let mut sizes: Vec<_> =
        Preset::ALL.iter().map(|preset| preset.size()).map(|(w, h)| (widths.nearest(w), heights.nearest(h))).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// The rate within a range that is nearest to 30 frames a second, and other common ones within it. An end that is not
/// known is open. Steps between the ends are left to the driver, which takes the nearest rate that it has.
pub fn rates_in(slowest: Option<FrameRate>, fastest: Option<FrameRate>) -> Vec<FrameRate> {
    let above = |rate: FrameRate| slowest.filter(|slowest| slowest.millihertz() > rate.millihertz());
    let below = |rate: FrameRate| fastest.filter(|fastest| fastest.millihertz() < rate.millihertz());
    let nearest = above(FrameRate::ASSUMED).or(below(FrameRate::ASSUMED)).unwrap_or(FrameRate::ASSUMED);
    let others = OTHER_RATES.map(FrameRate::whole).into_iter();
    let others = others.filter(|&rate| rate != nearest && above(rate).is_none() && below(rate).is_none());
    std::iter::once(nearest).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn sides(min: u32, max: u32, step: u32) -> Sides {
        Sides { min, max, step }
    }

    #[test]
    fn the_presets_own_sizes_are_picked_where_the_range_has_them() {
        let presets: Vec<_> = Preset::ALL.iter().map(|preset| preset.size()).collect();
        for (widths, heights) in [
            (sides(16, 4096, 2), sides(16, 4096, 2)),
            (sides(1, u32::MAX, 1), sides(1, u32::MAX, 1)),
            (sides(0, 1920, 0), sides(0, 1080, 0)),
        ] {
            let picked = sizes_in(widths, heights);
            assert!(presets.iter().all(|size| picked.contains(size)) && picked.len() == presets.len(), "{picked:?}");
        }
    }

    #[test]
    fn a_range_of_one_size_has_that_size() {
        for (widths, heights) in [
            (sides(1280, 1280, 1), sides(720, 720, 1)),
            (sides(1280, 1280, 0), sides(720, 720, 0)),
            (sides(1280, 1280, u32::MAX), sides(720, 720, u32::MAX)),
            (sides(1280, 16, 8), sides(720, 16, 8)),
        ] {
            assert_eq!(sizes_in(widths, heights), [(1280, 720)]);
        }
    }

    #[test]
    fn the_nearest_allowed_size_covers_the_preset_or_is_the_greatest() {
        let picked = sizes_in(sides(160, 1000, 64), sides(120, 700, 50));
        assert!(picked.contains(&(672, 520)) && picked.contains(&(992, 670)), "{picked:?}");
        assert!(picked.contains(&(352, 270)), "{picked:?}");
    }

    proptest! {
        #[test]
        fn every_picked_size_is_an_allowed_one(min in 0_u32..5000, more in 0_u32..u32::MAX - 5000, step in any::<u32>()) {
            let range = sides(min, min + more, step);
            for (width, _) in sizes_in(range, sides(1, 10, 1)) {
                prop_assert!(width >= min && width - min <= more);
                prop_assert_eq!((width - min) % step.max(1), 0);
            }
        }
    }

    #[test]
    fn rates_are_picked_within_the_range() {
        let rate = |frames, seconds| FrameRate::new(frames, seconds);
        for (slowest, fastest, expected) in [
            (rate(1, 1), rate(1000, 1), vec![rate(30, 1), rate(60, 1), rate(15, 1)]),
            (rate(1, 1), rate(30, 1), vec![rate(30, 1), rate(15, 1)]),
            (rate(5, 1), rate(30_000, 1001), vec![rate(30_000, 1001), rate(15, 1)]),
            (rate(1, 1), rate(10, 1), vec![rate(10, 1)]),
            (rate(120, 1), rate(240, 1), vec![rate(120, 1)]),
            (rate(25, 1), rate(25, 1), vec![rate(25, 1)]),
            (None, None, vec![rate(30, 1), rate(60, 1), rate(15, 1)]),
        ] {
            let expected: Vec<_> = expected.into_iter().flatten().collect();
            assert_eq!(rates_in(slowest, fastest), expected, "{slowest:?} to {fastest:?}");
        }
    }
}
