//! Definition of a codec: its data and functions, as its module gives them.

use bytes::{Bytes, BytesMut};

use super::level::VideoLevel;
use super::references::ReferenceChain;

/// RTP payload types of one codec (RFC 3551, 6: dynamic ones), the same in every connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadTypes {
    /// Media.
    pub media: u8,
    /// Retransmissions (RFC 4588).
    pub rtx: u8,
    /// Forward error correction.
    pub fec: u8,
}

/// A payload that is no valid part of an access unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed payload of pictures")]
pub struct MalformedPayload;

/// Payloads of the packets of one access unit, in order.
pub(super) type Payloads<'a, 'b> = &'a mut dyn Iterator<Item = &'b [u8]>;

/// One codec. `VideoCodec` has the meaning of each member.
pub(super) struct Definition {
    pub(super) name: &'static str,
    pub(super) packetization: u8,
    pub(super) clock_rate_hz: u32,
    pub(super) payload_types: PayloadTypes,
    pub(super) least_level: VideoLevel,
    pub(super) own_level: VideoLevel,
    pub(super) format_parameters: fn(VideoLevel) -> String,
    pub(super) admits: fn(VideoLevel, (u32, u32), u32) -> bool,
    pub(super) packetize: fn(&Bytes, usize, &mut dyn FnMut(Bytes)),
    pub(super) depacketize: fn(Payloads<'_, '_>, &mut BytesMut) -> Result<bool, MalformedPayload>,
    pub(super) starts_keyframe: fn(&[u8]) -> bool,
    pub(super) bounds_memory: fn(&[u8], u32, u64) -> bool,
    pub(super) is_discardable: fn(&[u8]) -> bool,
    pub(super) is_discardable_unit: fn(&[u8]) -> bool,
    pub(super) note_references: fn(&mut ReferenceChain, &[u8]),
    pub(super) follows: fn(&ReferenceChain, &[u8]) -> bool,
}
