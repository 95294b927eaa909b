//! Video budget: the rate that the network grants the encoder.

use crate::codec::CodecSupport;

/// The budget of encoded video at this moment, for one receiver or for all who watch one rendition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoBudget {
    /// Bit rate in kbit/s at most.
    pub kbps: u32,
    /// Earlier pictures still wait to be sent: encoding another one would only add to the delay.
    pub behind: bool,
    /// Lines of a picture at most: nobody looks at more.
    pub max_lines: u32,
    /// Temporal layers of the pictures: with two, every other picture can be left out for one receiver alone.
    pub layers: u8,
    /// The codec, and the level of it, that everybody decodes.
    pub codec: CodecSupport,
}

impl VideoBudget {
    /// No bound but the format's own.
    pub const UNLIMITED: Self =
        Self { kbps: u32::MAX, behind: false, max_lines: u32::MAX, layers: 1, codec: CodecSupport::UNLIMITED };
}
