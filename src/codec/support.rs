//! Support of a codec: the decoding that a side's description names.

use super::h264;
use super::level::VideoLevel;
use super::video_codec::VideoCodec;

/// A video codec that a side decodes, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CodecSupport {
    /// The codec.
    pub codec: VideoCodec,
    /// The level up to which it is decoded: larger or more frequent pictures must not be sent (RFC 6184, 8.1).
    pub level: VideoLevel,
}

impl CodecSupport {
    /// No bound but the settings' own.
    pub const UNLIMITED: Self = Self { codec: VideoCodec::PREFERRED, level: VideoLevel::from_number(u8::MAX) };

    /// This program's own.
    pub const fn own(codec: VideoCodec) -> Self {
        Self { codec, level: codec.own_level() }
    }

    /// True when such a decoder takes pictures of this width and height, in pixels, at this rate, in pictures a second.
    pub fn admits(self, size: (u32, u32), fps: u32) -> bool {
        self.codec.admits(self.level, size, fps)
    }

    /// Support that both have. Decoders of different codecs have the one in common that every version decodes.
    pub fn common(self, other: Self) -> Self {
        if self.codec == other.codec { Self { level: self.level.min(other.level), ..self } } else { Self::default() }
    }
}

/// Support of a side that has named none, which every version has: H.264 at level 3.1.
impl Default for CodecSupport {
    fn default() -> Self {
        Self { codec: VideoCodec::H264, level: h264::LEVEL_3_1 }
    }
}
