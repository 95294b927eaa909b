//! Receive path of one audio stream: RTP in, Opus packets out, RED (RFC 2198) taken apart.
//!
//! Sans-I/O: time is an argument. Owned by the receiving task, or by the virtual-time rig.

use rtc::rtp::Packet;

use super::arrival::Arrival;
use super::sender_clock::SenderClock;
use crate::media::{MediaTime, ReceivedSound, SAMPLE_RATE};
use crate::rtc::repair::redundancy::{RedBlock, RedundancyDecoder};

/// Takes the packets of one audio stream.
#[derive(Debug)]
pub(in crate::rtc) struct AudioReceive {
    redundancy: RedundancyDecoder,
    clock: SenderClock,
    packets: u64,
}

impl AudioReceive {
    /// A stream of which nothing has arrived.
    pub(in crate::rtc) fn new() -> Self {
        Self { redundancy: RedundancyDecoder::default(), clock: SenderClock::new(SAMPLE_RATE), packets: 0 }
    }

    /// Takes a packet that arrived at `now`, and gives the Opus packets in it to `each`, the oldest first and each one
    /// once.
    pub(in crate::rtc) fn handle(&mut self, arrival: Arrival, now: MediaTime, mut each: impl FnMut(ReceivedSound)) {
        let Packet { header, payload } = match arrival {
            Arrival::SenderReport { ntp_time, rtp_time } => return self.clock.report(ntp_time, rtp_time),
            Arrival::Rtp(packet) => packet,
        };
        self.packets += 1;
        let clock = self.clock;
        self.redundancy.take(header.payload_type, header.sequence_number, header.timestamp, payload, |block| {
            let RedBlock { sequence, timestamp: rtp_timestamp, payload: data, copy: recovered } = block;
            let capture_ntp = clock.capture_time(rtp_timestamp);
            each(ReceivedSound { data, sequence, rtp_timestamp, arrived_at: now, capture_ntp, recovered });
        });
    }

    /// RTP packets that arrived.
    pub(in crate::rtc) fn packets(&self) -> u64 {
        self.packets
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rtc::rtp::header::Header;

    use super::*;
    use crate::media::NtpTime;
    use crate::rtc::negotiation::description_sdp::{OPUS_PAYLOAD_TYPE, RED_PAYLOAD_TYPE};

    fn packet(payload_type: u8, sequence_number: u16, payload: &[u8]) -> Arrival {
        let timestamp = u32::from(sequence_number) * 960;
        let header = Header { payload_type, sequence_number, timestamp, ..Header::default() };
        Arrival::Rtp(Packet { header, payload: Bytes::copy_from_slice(payload) })
    }

    #[test]
    fn a_lost_packet_comes_out_of_the_next_one_with_the_arrival_and_the_capture_of_each() {
        let mut audio = AudioReceive::new();
        let mut heard = Vec::new();
        let at = MediaTime::from_millis;
        audio.handle(packet(OPUS_PAYLOAD_TYPE, 5, &[5]), at(100), |sound| heard.push(sound));
        assert_eq!(heard[0].capture_ntp, None, "no sender report has come");
        audio.handle(Arrival::SenderReport { ntp_time: 7 << 32, rtp_time: 7 * 960 }, at(110), |_| panic!());
        // A copy one packet before, of one byte, and the packet itself.
        let header = u32::from(OPUS_PAYLOAD_TYPE | 0x80) << 24 | 960 << 10 | 1;
        let red = [&header.to_be_bytes()[..], &[OPUS_PAYLOAD_TYPE, 6, 7]].concat();
        audio.handle(packet(RED_PAYLOAD_TYPE, 7, &red), at(140), |sound| heard.push(sound));
        let seen: Vec<_> = heard
            .iter()
            .map(|sound| (sound.sequence, sound.data[0], sound.arrived_at, sound.recovered, sound.capture_ntp))
            .collect();
        let captured = NtpTime::from_ntp(7 << 32);
        assert_eq!(
            seen,
            [
                (5, 5, at(100), false, None),
                (6, 6, at(140), true, Some(captured.plus_micros(-20_000))),
                (7, 7, at(140), false, Some(captured)),
            ]
        );
        assert_eq!(audio.packets(), 2);
    }
}
