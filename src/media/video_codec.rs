//! Video codecs that descriptions can name.

/// A video codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// H.264, constrained baseline profile, packetization mode 1 (RFC 6184).
    H264,
}

impl VideoCodec {
    /// Every codec that this version knows.
    pub const ALL: [Self; 1] = [Self::H264];

    /// Its name in descriptions, SDP (RFC 6184, 8.1) and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::H264 => "H264",
        }
    }

    /// Packetization modes are numbered per codec; this is the one that both sides must know.
    pub const fn packetization(self) -> u8 {
        match self {
            Self::H264 => 1,
        }
    }

    /// The codec of this name; `None` for one of another version.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }
}
