//! Packets of pictures on their way to the pacer.
//!
//! Owned by the sending task of one peer, or by a test in virtual time.

use rtc::rtp::Packet;

use super::packetizer::VideoPacketizer;
use crate::media::{MediaTime, OutgoingPicture};
use crate::rtc::connection_state::ConnectionState;
use crate::rtc::negotiation::description_sdp::H264_PAYLOAD_TYPE;
use crate::rtc::pacing::QueuedPicture;

/// Takes one access unit after the other while the pacer has room, and gives its packets, which all leave at once for the
/// pacer.
pub(in crate::rtc) struct PacedVideo {
    packetizer: VideoPacketizer,
    ssrc: u32,
}

impl PacedVideo {
    /// The stream `ssrc`; its numbering starts at what `random` gives.
    pub(in crate::rtc) fn new(ssrc: u32, random: u64) -> Self {
        Self { packetizer: VideoPacketizer::new(ssrc, H264_PAYLOAD_TYPE, random), ssrc }
    }

    /// The packets of an access unit, which must be given to the connection now.
    pub(in crate::rtc) fn packets(
        &mut self,
        unit: &OutgoingPicture,
        state: &ConnectionState,
        packets: &mut Vec<Packet>,
        now: MediaTime,
    ) {
        packets.clear();
        self.packetizer.packetize(unit, packets);
        let Some(first) = packets.first() else { return };
        if unit.keyframe {
            state.video.mark_keyframe(first.header.sequence_number);
            state.video.keyframe_leaves();
        }
        state.video.set_capture_delay(now.since(unit.captured_at));
        state.pacer.enter(QueuedPicture {
            ssrc: self.ssrc,
            rtp_timestamp: first.header.timestamp,
            keyframe: unit.keyframe,
            captured_at: unit.captured_at,
            bytes: unit.data.len(),
        });
    }

    /// The connection did not take a packet.
    pub(in crate::rtc) fn refused(&self, rtp_timestamp: u32, state: &ConnectionState) {
        state.pacer.withdraw(self.ssrc, rtp_timestamp);
    }
}
