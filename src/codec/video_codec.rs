//! The video codecs that descriptions can name.

use bytes::{Bytes, BytesMut};

use super::definition::{Definition, MalformedPayload, PayloadTypes};
use super::h264;
use super::level::VideoLevel;
use super::references::ReferenceChain;

/// A video codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// H.264, constrained baseline profile, packetization mode 1 (RFC 6184).
    H264,
}

impl VideoCodec {
    /// Every codec that this version knows, the preferred one first.
    pub const ALL: [Self; 1] = [Self::H264];
    /// The codec that is sent to a far side which decodes all of them.
    pub const PREFERRED: Self = Self::ALL[0];

    const fn definition(self) -> &'static Definition {
        match self {
            Self::H264 => &h264::DEFINITION,
        }
    }

    /// Its name in descriptions, SDP (the encoding name, RFC 8866, 6.6) and events.
    pub const fn name(self) -> &'static str {
        self.definition().name
    }

    /// The codec of this name; `None` for one of another version.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }

    /// Its media type (RFC 4855).
    pub fn mime_type(self) -> String {
        format!("video/{}", self.name())
    }

    /// Packetization modes are numbered per codec; this is the one that both sides must know.
    pub const fn packetization(self) -> u8 {
        self.definition().packetization
    }

    /// Counts per second of its RTP timestamps, in Hz.
    pub const fn clock_rate_hz(self) -> u32 {
        self.definition().clock_rate_hz
    }

    /// Its RTP payload types.
    pub const fn payload_types(self) -> PayloadTypes {
        self.definition().payload_types
    }

    /// The codec whose media have this RTP payload type.
    pub fn of_payload_type(payload_type: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.payload_types().media == payload_type)
    }

    /// The lowest level that anything is sent at.
    pub const fn least_level(self) -> VideoLevel {
        self.definition().least_level
    }

    /// The level up to which this version decodes it.
    pub const fn own_level(self) -> VideoLevel {
        self.definition().own_level
    }

    /// Format parameters of the SDP (`a=fmtp`, RFC 8866, 6.15) of a side that decodes it up to `level`.
    pub fn format_parameters(self, level: VideoLevel) -> String {
        (self.definition().format_parameters)(level)
    }

    /// True when a decoder of this level takes pictures of this width and height, in pixels, at this rate, in pictures
    /// a second.
    pub fn admits(self, level: VideoLevel, size: (u32, u32), fps: u32) -> bool {
        (self.definition().admits)(level, size, fps)
    }

    /// Cuts an access unit into RTP payloads of at most `max_payload` bytes, and gives them to `each` in order.
    pub fn packetize(self, access_unit: &Bytes, max_payload: usize, each: &mut dyn FnMut(Bytes)) {
        (self.definition().packetize)(access_unit, max_payload, each);
    }

    /// Appends the access unit that these RTP payloads carry to `access_unit`; true for a keyframe.
    ///
    /// # Errors
    ///
    /// When they are no whole access unit.
    pub fn depacketize(
        self,
        payloads: &mut dyn Iterator<Item = &[u8]>,
        access_unit: &mut BytesMut,
    ) -> Result<bool, MalformedPayload> {
        (self.definition().depacketize)(payloads, access_unit)
    }

    /// True when an access unit that decoding can start at begins with this RTP payload.
    pub fn starts_keyframe(self, payload: &[u8]) -> bool {
        (self.definition().starts_keyframe)(payload)
    }

    /// True when every parameter set in `access_unit` is well formed, gives a size of at most `max_side` pixels each
    /// way, and has a decoder keep at most `max_kept` pixels of pictures that others refer to.
    pub fn bounds_memory(self, access_unit: &[u8], max_side: u32, max_kept: u64) -> bool {
        (self.definition().bounds_memory)(access_unit, max_side, max_kept)
    }

    /// True for an RTP payload of a picture that no other refers to: it may be lost alone.
    pub fn is_discardable(self, payload: &[u8]) -> bool {
        (self.definition().is_discardable)(payload)
    }

    /// True for an access unit that no other refers to: it may be left out alone.
    pub fn is_discardable_unit(self, access_unit: &[u8]) -> bool {
        (self.definition().is_discardable_unit)(access_unit)
    }

    /// Notes an access unit that was decoded, or left the jitter buffer.
    pub fn note_references(self, chain: &mut ReferenceChain, access_unit: &[u8]) {
        (self.definition().note_references)(chain, access_unit);
    }

    /// True when a picture begins with this RTP payload that can be decoded after those that were noted, unless a
    /// keyframe was between, which begins the numbers of references anew.
    pub fn follows(self, chain: &ReferenceChain, payload: &[u8]) -> bool {
        (self.definition().follows)(chain, payload)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_payload_types_tell_one_codec() {
        let mut types = BTreeSet::new();
        for codec in VideoCodec::ALL {
            let PayloadTypes { media, rtx, fec } = codec.payload_types();
            assert_eq!(VideoCodec::of_name(codec.name()), Some(codec));
            assert_eq!(VideoCodec::of_payload_type(media), Some(codec));
            assert!([rtx, fec].into_iter().all(|other| VideoCodec::of_payload_type(other).is_none()));
            assert!([media, rtx, fec].into_iter().all(|one| (96..128).contains(&one) && types.insert(one)));
            assert!(codec.least_level() <= codec.own_level());
        }
        assert_eq!((VideoCodec::of_name("VP9"), VideoCodec::of_payload_type(111)), (None, None));
    }
}
