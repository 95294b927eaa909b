//! Encoded media between the codecs and the network.

use bytes::Bytes;

use super::MediaTime;

/// One access unit of H.264 (every slice of one picture), in Annex B form.
#[derive(Clone, Debug)]
pub struct EncodedVideo {
    /// Start codes and NAL units; a keyframe opens with SPS and PPS.
    pub data: Bytes,
    /// True when decoding can start here (an IDR picture).
    pub keyframe: bool,
    /// When the camera gave the picture (on the sender's clock; on the receiver's, when its last packet arrived).
    pub captured_at: MediaTime,
    /// RTP timestamp in units of 1/90000 s (0 until the packetizer has stamped it).
    pub rtp_timestamp: u32,
}

/// One Opus packet (RFC 6716), as an RTP payload carries it (RFC 7587).
#[derive(Clone, Debug)]
pub struct EncodedAudio {
    /// The Opus packet.
    pub data: Bytes,
    /// RTP sequence number (0 until the peer's queue has numbered it).
    pub sequence: u16,
    /// RTP timestamp in samples of 1/48000 s (0 until the packetizer has stamped it).
    pub rtp_timestamp: u32,
    /// When the packet was made (sender) or arrived (receiver).
    pub at: MediaTime,
    /// The packet itself was lost; this is the copy of it that a later one carried (RFC 2198).
    pub recovered: bool,
}
