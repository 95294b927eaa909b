//! H.264, constrained baseline: its payload format (RFC 6184, packetization mode 1), levels and parameter sets.

mod bits;
mod depacketizer;
mod level;
mod nal_unit;
mod packetizer;
mod parameter_set;
mod slice;

pub use level::{LEVEL_3_0, LEVEL_3_1, LEVEL_4_0};

use super::definition::{Definition, PayloadTypes};
use super::level::VideoLevel;

/// The codec.
pub(super) static DEFINITION: Definition = Definition {
    name: "H264",
    packetization: 1,
    clock_rate_hz: 90_000,
    payload_types: PayloadTypes { media: 102, rtx: 103, fec: 104 },
    least_level: LEVEL_3_0,
    own_level: LEVEL_4_0,
    format_parameters,
    admits: level::admits,
    packetize: packetizer::packetize,
    depacketize: depacketizer::depacketize,
    starts_keyframe: depacketizer::starts_keyframe,
    bounds_memory: parameter_set::all_within,
    is_discardable: slice::is_discardable,
    is_discardable_unit: slice::is_discardable_unit,
    note_references: slice::note,
    follows: slice::follows,
};

/// Format parameters (RFC 6184, 8.1): constrained baseline up to a level, which may be another one than the other
/// side's.
fn format_parameters(level: VideoLevel) -> String {
    format!("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e0{:02x}", level.number())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_names_constrained_baseline_and_the_level() {
        for (level, expected) in [(30, "42e01e"), (31, "42e01f"), (40, "42e028"), (255, "42e0ff")] {
            let format = format_parameters(VideoLevel::from_number(level));
            assert!(format.ends_with(&format!(";profile-level-id={expected}")), "{level}");
        }
    }
}
