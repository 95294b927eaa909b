//! The frame whose packets are leaving, at the pacer's pace.
//!
//! Owned by the sending task of one peer; time is an argument.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;

use rtc::rtp::Packet;
use rtc::shared::marshal::MarshalSize;

use super::pacer::Pacer;
use super::packetizer::VideoPacketizer;
use crate::media::{MediaTime, OutgoingPicture};
use crate::rtc::connection_state::ConnectionState;
use crate::rtc::negotiation::description_sdp::H264_PAYLOAD_TYPE;

/// Takes one access unit after the other, and gives its packets when they may leave.
pub(in crate::rtc) struct PacedVideo {
    packetizer: VideoPacketizer,
    pacer: Pacer,
    packets: VecDeque<Packet>,
    unit: Option<OutgoingPicture>,
    /// The connection took all packets so far.
    taken: bool,
}

impl PacedVideo {
    /// The stream `ssrc` of a connection that is new at `now`; its numbering starts at what `random` gives.
    pub(in crate::rtc) fn new(ssrc: u32, random: u64, now: MediaTime) -> Self {
        Self {
            packetizer: VideoPacketizer::new(ssrc, H264_PAYLOAD_TYPE, random),
            pacer: Pacer::new(now),
            packets: VecDeque::new(),
            unit: None,
            taken: true,
        }
    }

    /// Packets wait for their turn.
    pub(in crate::rtc) fn is_leaving(&self) -> bool {
        !self.packets.is_empty()
    }

    /// They wait for a report of earlier ones.
    pub(in crate::rtc) fn is_held(&self, state: &ConnectionState, now: MediaTime) -> bool {
        self.is_leaving() && state.path.held_until(now).is_some()
    }

    /// When the next of them may leave, as far as is known at `now`.
    pub(in crate::rtc) fn due(&self, state: &ConnectionState, now: MediaTime) -> MediaTime {
        state.path.held_until(now).unwrap_or_else(|| self.pacer.due())
    }

    /// Begins with an access unit; the one before has left.
    pub(in crate::rtc) fn start(&mut self, unit: OutgoingPicture, state: &ConnectionState) {
        let mut packets = Vec::from(std::mem::take(&mut self.packets));
        self.packetizer.packetize(&unit, &mut packets);
        if let Some(first) = packets.first().filter(|_| unit.keyframe) {
            state.video.mark_keyframe(first.header.sequence_number);
            state.video.keyframe_leaves();
        }
        (self.packets, self.unit, self.taken) = (packets.into(), Some(unit), true);
    }

    /// Goes on to `now` at what `target_bps` allows.
    pub(in crate::rtc) fn advance(&mut self, target_bps: u64, now: MediaTime) {
        self.pacer.advance(target_bps, now);
    }

    /// The next packet, if it may leave now.
    pub(in crate::rtc) fn next_packet(&mut self) -> Option<Packet> {
        let packet = if self.pacer.may_send() { self.packets.pop_front()? } else { return None };
        self.pacer.sent(packet.marshal_size());
        Some(packet)
    }

    /// The connection took a packet, or did not.
    pub(in crate::rtc) fn note(&mut self, taken: bool) {
        self.taken &= taken;
    }

    /// Counts the frame once its last packet has left.
    pub(in crate::rtc) fn count(&mut self, state: &ConnectionState, now: MediaTime) {
        let Some(unit) = self.unit.take_if(|_| self.packets.is_empty()) else { return };
        if unit.keyframe {
            state.video.keyframe_left(now);
        }
        if self.taken {
            state.counters.frames_sent.fetch_add(1, Relaxed);
            state.counters.video_bytes_sent.fetch_add(unit.data.len() as u64, Relaxed);
            state.video.set_capture_delay(now.since(unit.captured_at));
        }
    }
}
