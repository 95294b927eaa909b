//! RTX unwrapping (RFC 4588): restores retransmitted packets before anything counts sequence numbers.
//!
//! ```text
//! SRTP -> [this interceptor] -> NACK generator -> reports -> application
//! ```
//!
//! The engine would do it after its interceptors: the NACK generator would then never see a repair and would ask for
//! the same packet for ever. Runs on the tokio task of the peer connection.

use std::collections::HashMap;

use rtc::interceptor::{Attribute, Packet, Slot, StreamInfo, TaggedPacket};

use crate::rtc::stage::{Stage, StageContext};

/// Gives repairs back the stream, payload type and sequence number that they had.
#[derive(Default)]
pub(in crate::rtc) struct RetransmissionUnwrapper {
    /// By the SSRC of the retransmissions: SSRC and payload type of the repaired stream.
    repaired: HashMap<u32, (u32, u8)>,
}

impl RetransmissionUnwrapper {
    /// Nearer to the network than the NACK generator.
    pub(in crate::rtc) fn slot() -> Slot {
        Slot::from(6_500)
    }
}

impl Stage for RetransmissionUnwrapper {
    fn read(&mut self, mut message: TaggedPacket, passing: &mut StageContext) {
        if let Packet::Rtp(packet) = &mut message.message.packet
            && let Some(&(ssrc, payload_type)) = self.repaired.get(&packet.header.ssrc)
        {
            // Without an original sequence number it is padding that probes the bandwidth.
            let Some(&sequence) = packet.payload.first_chunk::<2>() else { return };
            packet.header.sequence_number = u16::from_be_bytes(sequence);
            packet.header.ssrc = ssrc;
            packet.header.payload_type = payload_type;
            packet.payload = packet.payload.slice(2..);
            message.message.add(Attribute::Retransmission);
        }
        passing.reads.push_back(message);
    }

    fn bind_remote(&mut self, stream: &StreamInfo) {
        if let Some(rtx) = stream.ssrc_rtx {
            self.repaired.insert(rtx, (stream.ssrc, stream.payload_type));
        }
    }

    fn unbind_remote(&mut self, stream: &StreamInfo) {
        if let Some(rtx) = stream.ssrc_rtx {
            self.repaired.remove(&rtx);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;
    use rtc::interceptor::{AttributedPacket, Interceptor, RTCPFeedback, Registry};
    use rtc::rtp;
    use rtc::sansio::Protocol;
    use rtc::shared::TransportContext;

    use super::*;
    use crate::rtc::stage::Staged;

    fn stream() -> StreamInfo {
        StreamInfo {
            ssrc: 10,
            ssrc_rtx: Some(20),
            payload_type: 102,
            payload_type_rtx: Some(103),
            clock_rate: 90_000,
            rtcp_feedback: vec![RTCPFeedback { typ: "nack".to_owned(), parameter: String::new() }],
            ..StreamInfo::default()
        }
    }

    fn packet(now: Instant, ssrc: u32, sequence_number: u16, payload: &'static [u8]) -> TaggedPacket {
        let header = rtp::header::Header {
            version: 2,
            ssrc,
            sequence_number,
            payload_type: if ssrc == 20 { 103 } else { 102 },
            ..Default::default()
        };
        let payload = bytes::Bytes::from_static(payload);
        TaggedPacket {
            now,
            transport: TransportContext::default(),
            message: AttributedPacket::new(Packet::Rtp(rtp::Packet { header, payload })),
        }
    }

    #[test]
    fn a_repair_gets_back_what_it_had() {
        let now = Instant::now();
        let mut unwrapper = Staged::new(RetransmissionUnwrapper::default());
        unwrapper.bind_remote_stream(&stream());
        unwrapper.handle_read(packet(now, 20, 5, &[1, 2, 0x41, 9])).unwrap();
        let Some(Packet::Rtp(repaired)) = unwrapper.poll_read().map(|read| read.message.packet) else { panic!() };
        let header = &repaired.header;
        assert_eq!((header.ssrc, header.payload_type, header.sequence_number), (10, 102, 0x0102));
        assert_eq!(repaired.payload[..], [0x41, 9]);
        for probe in [&[][..], &[1]] {
            unwrapper.handle_read(packet(now, 20, 6, probe)).unwrap();
            assert!(unwrapper.poll_read().is_none(), "a probe repairs nothing");
        }
    }

    #[test]
    fn a_repaired_packet_is_not_asked_for_again() {
        let start = Instant::now();
        let generator =
            crate::rtc::repair::nack::NackGenerator::new(&crate::rtc::connection_state::ConnectionState::default(), 7);
        let mut chain = Registry::new()
            .with(RetransmissionUnwrapper::slot(), Staged::new(RetransmissionUnwrapper::default()))
            .with(Slot::NackGenerator, Staged::new(generator))
            .build();
        chain.bind_remote_stream(&stream());
        let requests_after = |chain: &mut dyn Interceptor, millis: u64| {
            chain.handle_timeout(start + Duration::from_millis(millis)).unwrap();
            std::iter::from_fn(|| chain.poll_write()).count()
        };
        for sequence in [1, 2, 4] {
            chain.handle_read(packet(start, 10, sequence, &[0x41])).unwrap();
        }
        while chain.poll_read().is_some() {}
        requests_after(&mut chain, 0);
        assert_eq!(requests_after(&mut chain, 30), 1);
        chain.handle_read(packet(start, 20, 1, &[0, 3, 0x41])).unwrap();
        while chain.poll_read().is_some() {}
        assert_eq!(requests_after(&mut chain, 60), 0);
        assert_eq!(requests_after(&mut chain, 90), 0);
    }

    proptest! {
        #[test]
        fn any_payload_is_taken_apart_or_dropped(payload in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut unwrapper = Staged::new(RetransmissionUnwrapper::default());
            unwrapper.bind_remote_stream(&stream());
            let mut repair = packet(Instant::now(), 20, 5, &[]);
            if let Packet::Rtp(packet) = &mut repair.message.packet {
                packet.payload = payload.clone().into();
            }
            unwrapper.handle_read(repair).unwrap();
            match unwrapper.poll_read().map(|read| read.message.packet) {
                Some(Packet::Rtp(repaired)) => prop_assert_eq!(&repaired.payload[..], &payload[2..]),
                _ => prop_assert!(payload.len() < 2),
            }
        }
    }
}
