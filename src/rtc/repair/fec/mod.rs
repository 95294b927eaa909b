//! Forward error correction (FEC) of video, after RFC 8627, for paths that lose much, or whose RTT is too long for RTX.
//!
//! ```text
//! SEND     packets of a frame -> [this interceptor: repairs after the last one] -> RTX buffer -> TWCC numbers -> SRTP
//! RECEIVE  SRTP -> RTX unwrapped -> [this interceptor: lost packets recovered] -> NACK generator -> reports
//! ```
//!
//! Repairs have a stream (SSRC) of their own. A frame, or 48 packets of it, is a block; any repairs make good
//! as many losses (`erasure`), so nothing waits for a later frame. How many are sent follows the loss and the RTT
//! (`protection`); on a clean path none. Runs on the tokio task of the peer connection.

mod block;
mod erasure;
mod protection;

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use rtc::interceptor::{Attribute, AttributedPacket, Packet, Slot, StreamInfo, TaggedPacket};
use rtc::rtp;

use super::redundancy::THIN;
use crate::codec::VideoCodec;
use crate::rtc::connection_state::ConnectionState;
use crate::rtc::stage::{Stage, StageContext};
pub(in crate::rtc) use block::repaired_by;
use block::{MAX_SOURCES, Recovery, Source};

/// The part of a measured RTT in which reports waited until they were due: requests do not wait.
const REPORT_WAIT: Duration = Duration::from_millis(8);

/// Loss below which pictures that no other refers to are not protected.
const DISCARDABLE_PROTECTED: f64 = 0.15;

/// Adds repairs to the packets sent, and recovers lost ones of those received.
pub(in crate::rtc) struct ForwardErrorCorrection {
    state: ConnectionState,
    sending: Vec<Sending>,
    receiving: Vec<Receiving>,
}

/// The repairs of one stream that this side sends.
struct Sending {
    video: u32,
    repair: u32,
    payload_type: u8,
    /// Sequence number of the next FEC packet.
    sequence: u16,
    /// The block so far.
    block: Vec<Source>,
}

/// The repairs of one stream that comes.
struct Receiving {
    video: u32,
    repair: u32,
    payload_type: u8,
    recovery: Recovery,
}

impl ForwardErrorCorrection {
    pub(in crate::rtc) fn new(state: &ConnectionState) -> Self {
        Self { state: state.clone(), sending: Vec::new(), receiving: Vec::new() }
    }

    /// Between the retransmissions, which are not protected but complete a block, and the NACK generator.
    pub(in crate::rtc) fn slot() -> Slot {
        Slot::from(6_600)
    }

    /// Adds a packet that leaves to its block, and the repairs where it is the last one.
    fn protect(&mut self, leaving: &TaggedPacket, writes: &mut VecDeque<TaggedPacket>) {
        let Packet::Rtp(packet) = &leaving.message.packet else { return };
        if !self.state.far.fec() {
            return;
        }
        let ssrc = packet.header.ssrc;
        let Some(sending) = self.sending.iter_mut().find(|sending| sending.video == ssrc) else { return };
        let source = source_of(packet);
        let (timestamp, last) = (source.timestamp, source.marker);
        let follows = |before: &Source| {
            (before.sequence.wrapping_add(1), before.timestamp) == (source.sequence, source.timestamp)
        };
        if !sending.block.last().is_none_or(follows) {
            sending.block.clear();
        }
        sending.block.push(source);
        if !last && sending.block.len() < MAX_SOURCES {
            return;
        }
        let (loss, measured) = (self.state.path.loss(), self.state.path.rtt());
        let round_trip = measured.saturating_sub(REPORT_WAIT);
        // On a thin path packets are lost for want of room, of which repairs would take more.
        let thin = self.state.path.media_bps() < THIN;
        let is_discardable = |codec: VideoCodec| codec.is_discardable(&packet.payload);
        let codec = VideoCodec::of_payload_type(packet.header.payload_type);
        // A picture that no other refers to is missed alone.
        let spare = loss.share < DISCARDABLE_PROTECTED && codec.is_some_and(is_discardable);
        let count = if thin || spare { 0 } else { protection::repairs_for(sending.block.len(), loss, round_trip) };
        for payload in block::repairs(&sending.block, count) {
            let packet = sending.packet(timestamp, payload);
            writes.push_back(like(leaving, packet));
        }
        sending.block.clear();
    }

    /// Takes a packet that comes, and puts the packets that it recovers before it.
    fn recover(&mut self, coming: &TaggedPacket, reads: &mut VecDeque<TaggedPacket>) {
        let Packet::Rtp(packet) = &coming.message.packet else { return };
        let ssrc = packet.header.ssrc;
        let of_stream = self.receiving.iter_mut().find(|receiving| ssrc == receiving.video || ssrc == receiving.repair);
        let Some(receiving) = of_stream else { return };
        let recovered = if packet.header.ssrc == receiving.video {
            receiving.recovery.source(source_of(packet))
        } else {
            receiving.recovery.repair(packet.header.timestamp, &packet.payload)
        };
        self.state.counters.packets_recovered.fetch_add(recovered.len() as u64, Relaxed);
        for source in recovered {
            let header = rtp::header::Header {
                version: 2,
                marker: source.marker,
                payload_type: receiving.payload_type,
                sequence_number: source.sequence,
                timestamp: source.timestamp,
                ssrc: receiving.video,
                ..Default::default()
            };
            let mut recovered = like(coming, rtp::Packet { header, payload: source.payload });
            recovered.message.add(Attribute::RecoveredByFec);
            reads.push_back(recovered);
        }
    }
}

impl Sending {
    fn packet(&mut self, timestamp: u32, payload: Bytes) -> rtp::Packet {
        let header = rtp::header::Header {
            version: 2,
            payload_type: self.payload_type,
            sequence_number: self.sequence,
            timestamp,
            ssrc: self.repair,
            ..Default::default()
        };
        self.sequence = self.sequence.wrapping_add(1);
        rtp::Packet { header, payload }
    }
}

fn source_of(packet: &rtp::Packet) -> Source {
    Source {
        sequence: packet.header.sequence_number,
        timestamp: packet.header.timestamp,
        marker: packet.header.marker,
        payload: packet.payload.clone(),
    }
}

/// `packet`, on the way that `other` goes.
fn like(other: &TaggedPacket, packet: rtp::Packet) -> TaggedPacket {
    let message = AttributedPacket::new(Packet::Rtp(packet));
    TaggedPacket { now: other.now, transport: other.transport, message }
}

impl Stage for ForwardErrorCorrection {
    fn read(&mut self, message: TaggedPacket, passing: &mut StageContext) {
        self.recover(&message, &mut passing.reads);
        // Repairs go on, too: congestion control reports on them.
        passing.reads.push_back(message);
    }

    fn write(&mut self, message: TaggedPacket, passing: &mut StageContext) {
        // The repairs of a block follow its last packet.
        let before = passing.writes.len();
        self.protect(&message, &mut passing.writes);
        passing.writes.insert(before, message);
    }

    fn bind_local(&mut self, stream: &StreamInfo) {
        if let (Some(repair), Some(payload_type)) = (stream.ssrc_fec, stream.payload_type_fec) {
            // The engine binds a stream once. Were it to do so again, numbers must go on: two repairs under one number
            // would give away both (RFC 3711, 9.1).
            if !self.sending.iter().any(|sending| sending.repair == repair) {
                let block = Vec::with_capacity(MAX_SOURCES);
                self.sending.push(Sending { video: stream.ssrc, repair, payload_type, sequence: 0, block });
            }
        }
    }

    fn unbind_local(&mut self, stream: &StreamInfo) {
        if let Some(sending) = self.sending.iter_mut().find(|sending| sending.video == stream.ssrc) {
            sending.block.clear();
        }
    }

    fn bind_remote(&mut self, stream: &StreamInfo) {
        if let Some(repair) = stream.ssrc_fec {
            let (video, payload_type) = (stream.ssrc, stream.payload_type);
            self.receiving.retain(|receiving| receiving.video != video);
            self.receiving.push(Receiving { video, repair, payload_type, recovery: Recovery::default() });
        }
    }

    fn unbind_remote(&mut self, stream: &StreamInfo) {
        self.receiving.retain(|receiving| receiving.video != stream.ssrc);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rtc::interceptor::Interceptor;
    use rtc::sansio::Protocol;
    use rtc::shared::TransportContext;

    use super::*;
    use crate::codec::CodecSupport;
    use crate::rtc::path::PathLoss;
    use crate::rtc::stage::Staged;

    fn stream() -> StreamInfo {
        StreamInfo {
            ssrc: 10,
            ssrc_fec: Some(30),
            payload_type: 102,
            payload_type_fec: Some(104),
            ..StreamInfo::default()
        }
    }

    fn packet(sequence_number: u16, marker: bool) -> TaggedPacket {
        let header = rtp::header::Header {
            version: 2,
            ssrc: 10,
            sequence_number,
            marker,
            payload_type: 102,
            ..Default::default()
        };
        let payload = vec![sequence_number as u8; 20 + usize::from(sequence_number)].into();
        TaggedPacket {
            now: Instant::now(),
            transport: TransportContext::default(),
            message: AttributedPacket::new(Packet::Rtp(rtp::Packet { header, payload })),
        }
    }

    fn sent(sender: &mut Staged<ForwardErrorCorrection>, sequences: std::ops::Range<u16>) -> Vec<TaggedPacket> {
        let last = sequences.end - 1;
        for sequence in sequences {
            sender.handle_write(packet(sequence, sequence == last)).unwrap();
        }
        std::iter::from_fn(|| sender.poll_write()).collect()
    }

    fn header(packet: &TaggedPacket) -> (u32, u8, u16, bool) {
        let Packet::Rtp(packet) = &packet.message.packet else { panic!() };
        let header = &packet.header;
        (header.ssrc, header.payload_type, header.sequence_number, header.marker)
    }

    #[test]
    fn repairs_follow_a_frame_where_packets_are_lost_and_give_back_what_was() {
        let state = ConnectionState::default();
        let mut sender = Staged::new(ForwardErrorCorrection::new(&state));
        sender.bind_local_stream(&stream());
        assert_eq!(sent(&mut sender, 0..6).len(), 6, "nothing is lost");
        state.path.set_loss(PathLoss { share: 0.2, run: 1.25 });
        assert_eq!(sent(&mut sender, 6..12).len(), 6, "the far side does without");
        state.far.set(true, true, CodecSupport::default());
        state.path.set_target(1_000_000, 1_000_000);
        let packets = sent(&mut sender, 6..12);
        let repairs: Vec<_> = packets[6..].iter().map(header).collect();
        assert!(repairs.len() >= 2 && repairs.iter().enumerate().all(|(n, one)| *one == (30, 104, n as u16, false)));

        let mut receiver = Staged::new(ForwardErrorCorrection::new(&state));
        receiver.bind_remote_stream(&stream());
        for (n, packet) in packets.into_iter().enumerate() {
            if n != 2 && n != 5 {
                receiver.handle_read(packet).unwrap();
            }
        }
        let came: Vec<_> = std::iter::from_fn(|| receiver.poll_read()).collect();
        for (sequence, marker) in [(8, false), (11, true)] {
            let found = came.iter().find(|one| header(one) == (10, 102, sequence, marker)).unwrap();
            let Packet::Rtp(found) = &found.message.packet else { panic!() };
            assert_eq!(found.payload[..], vec![sequence as u8; 20 + usize::from(sequence)][..]);
        }
        assert_eq!(state.counters.packets_recovered.load(Relaxed), 2);
    }

    #[test]
    fn pictures_that_no_other_refers_to_are_protected_on_a_bad_path_alone() {
        let repairs = |header: u8, share: f64| {
            let state = ConnectionState::default();
            state.far.set(true, true, CodecSupport::default());
            state.path.set_target(1_000_000, 1_000_000);
            state.path.set_loss(PathLoss { share, run: 1.25 });
            let mut sender = Staged::new(ForwardErrorCorrection::new(&state));
            sender.bind_local_stream(&stream());
            for sequence in 0..6 {
                let mut leaving = packet(sequence, sequence == 5);
                if let Packet::Rtp(packet) = &mut leaving.message.packet {
                    packet.payload = vec![header; 100].into();
                }
                sender.handle_write(leaving).unwrap();
            }
            std::iter::from_fn(|| sender.poll_write()).count() - 6
        };
        assert!(repairs(0x61, 0.1) > 0 && repairs(0x01, 0.2) > 0);
        assert_eq!(repairs(0x01, 0.1), 0);
    }
}
