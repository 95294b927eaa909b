//! H.264 levels (ITU-T H.264, A.3.1): how large a picture and how many of them a decoder takes.

use crate::codec::level::VideoLevel;

/// Level 3.0, 640x480 at 30 pictures a second: the least that takes as many bits a second as can be set.
pub const LEVEL_3_0: VideoLevel = VideoLevel::from_number(30);
/// Level 3.1, 1280x720 at 30 pictures a second: that of versions which announced no other.
pub const LEVEL_3_1: VideoLevel = VideoLevel::from_number(31);
/// Level 4.0, 1920x1080 at 30 pictures a second.
pub const LEVEL_4_0: VideoLevel = VideoLevel::from_number(40);

/// `level_idc`, macroblocks a picture, and macroblocks a second (table A-1).
const LIMITS: [(u8, u32, u32); 16] = [
    (10, 99, 1_485),
    (11, 396, 3_000),
    (12, 396, 6_000),
    (13, 396, 11_880),
    (20, 396, 11_880),
    (21, 792, 19_800),
    (22, 1_620, 20_250),
    (30, 1_620, 40_500),
    (31, 3_600, 108_000),
    (32, 5_120, 216_000),
    (40, 8_192, 245_760),
    (42, 8_704, 522_240),
    (50, 22_080, 589_824),
    (51, 36_864, 983_040),
    (52, 36_864, 2_073_600),
    (60, 139_264, 4_177_920),
];

/// True when a decoder of this level, whose number is its `level_idc` (ten times the level), takes pictures of this
/// size, in pixels, at this rate. A level between two that are defined has the limits of the lower one.
pub(super) fn admits(level: VideoLevel, (width, height): (u32, u32), fps: u32) -> bool {
    let Some(&(_, picture, second)) = LIMITS.iter().rfind(|(idc, ..)| *idc <= level.number()) else { return false };
    let (columns, rows) = (u64::from(width.div_ceil(16)), u64::from(height.div_ceil(16)));
    // No side may exceed the root of eight times the picture (A.3.1).
    let longest = u64::from(picture) * 8;
    let blocks = columns.saturating_mul(rows);
    blocks <= picture.into()
        && blocks.saturating_mul(fps.into()) <= second.into()
        && columns.saturating_mul(columns) <= longest
        && rows.saturating_mul(rows) <= longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Preset;

    #[test]
    fn a_level_takes_the_pictures_that_it_is_named_for() {
        for (idc, largest, too_large) in [
            (13, (352, 288, 30), (352, 288, 31)),
            (30, (720, 576, 25), (720, 576, 26)),
            (31, (1280, 720, 30), (1280, 736, 30)),
            (31, (1280, 720, 30), (1280, 720, 31)),
            (32, (1280, 1024, 42), (1296, 1024, 30)),
            (40, (1920, 1080, 30), (1920, 1080, 31)),
            (40, (2048, 1024, 30), (2048, 1025, 29)),
        ] {
            let admits = |(width, height, fps)| admits(VideoLevel::from_number(idc), (width, height), fps);
            assert!(admits(largest) && !admits(too_large), "{idc}");
        }
    }

    #[test]
    fn long_pictures_unknown_levels_and_absurd_sizes_are_judged_too() {
        let admits = |idc, width, height| admits(VideoLevel::from_number(idc), (width, height), 1);
        assert!(admits(31, 2704, 16) && !admits(31, 2736, 16) && !admits(31, 16, 2736), "169 macroblocks at most");
        assert!(admits(39, 1280, 1024) && !admits(39, 1920, 1080), "between 3.2 and 4.0");
        assert!(admits(255, 4096, 4096) && !admits(9, 16, 16));
        assert!(!admits(255, u32::MAX, u32::MAX));
    }

    #[test]
    fn every_preset_fits_what_this_version_announces_and_only_the_largest_exceeds_the_old_level() {
        for preset in Preset::ALL {
            assert!(admits(LEVEL_4_0, preset.size(), 30), "{preset}");
            assert_eq!(admits(LEVEL_3_1, preset.size(), 30), preset != Preset::FullWide, "{preset}");
        }
        assert!(admits(LEVEL_3_0, (640, 480), 30));
    }
}
