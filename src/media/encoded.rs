//! Encoded media between the codecs and the network: outgoing with its capture time, received with its arrival time.
//!
//! The two directions have different types, because their times are of different clocks: a capture time is this
//! computer's, and a far side's capture time, once known, is on the far side's clock.

use bytes::Bytes;

use super::{MediaTime, NtpTime};
use crate::codec::VideoCodec;

/// Access unit (one encoded picture) from the encoder to the network.
#[derive(Clone, Debug)]
pub struct OutgoingPicture {
    /// Its codec.
    pub codec: VideoCodec,
    /// The access unit, in the codec's own byte stream; a keyframe opens with its parameter sets.
    pub data: Bytes,
    /// True when decoding can start here.
    pub keyframe: bool,
    /// When the camera gave the picture.
    pub captured_at: MediaTime,
}

impl OutgoingPicture {
    /// True when no other picture refers to it (the highest temporal layer): it may be left out alone.
    pub fn is_discardable(&self) -> bool {
        !self.keyframe && self.codec.is_discardable_unit(&self.data)
    }
}

/// Access unit (one encoded picture) from the network to the decoder.
#[derive(Clone, Debug)]
pub struct ReceivedPicture {
    /// Its codec.
    pub codec: VideoCodec,
    /// The access unit, in the codec's own byte stream; a keyframe opens with its parameter sets.
    pub data: Bytes,
    /// True when decoding can start here.
    pub keyframe: bool,
    /// When the last of its packets arrived.
    pub arrived_at: MediaTime,
    /// RTP timestamp in units of 1/90000 s.
    pub rtp_timestamp: u32,
    /// Capture time on the sender's clock; `None` before a sender report has told that clock.
    pub capture_ntp: Option<NtpTime>,
}

/// Opus packet (RFC 6716) from the encoder to the network.
#[derive(Clone, Debug)]
pub struct OutgoingSound {
    /// The Opus packet.
    pub data: Bytes,
    /// When the microphone gave the first of its samples.
    pub captured_at: MediaTime,
}

/// Opus packet from the network to the audio jitter buffer.
#[derive(Clone, Debug)]
pub struct ReceivedSound {
    /// The Opus packet.
    pub data: Bytes,
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp in samples of 1/48000 s.
    pub rtp_timestamp: u32,
    /// When the RTP packet arrived that carried it.
    pub arrived_at: MediaTime,
    /// Capture time on the sender's clock; `None` before a sender report has told that clock.
    pub capture_ntp: Option<NtpTime>,
    /// True for a RED copy (RFC 2198) of a packet that was itself lost.
    pub recovered: bool,
}
