//! Packetizer: access units and sound to numbered RTP packets (RFC 3550), and the RTP clocks. The payloads of pictures
//! are their codec's (`codec`).
//!
//! Owned by the sending task of one peer.

use bytes::Bytes;
use rtc::rtp::Packet;
use rtc::rtp::header::Header;

use crate::media::{MediaTime, OutgoingPicture, OutgoingSound};
use crate::rtc::mtu::MAX_PAYLOAD;
use crate::rtc::negotiation::description_sdp::RED_PAYLOAD_TYPE;
use crate::rtc::repair::redundancy::RedundancyEncoder;

/// Samples in one audio frame at 48 kHz.
const AUDIO_STEP: u32 = 960;
/// Sound that comes later than expected by more than this, in samples, follows a pause (as when muted).
const AUDIO_PAUSE: u32 = 9600;

/// Numbers and stamps the packets of one stream.
#[derive(Debug)]
struct RtpStream {
    ssrc: u32,
    sequence: u16,
    /// RTP timestamp of the first packet (random, RFC 3550, 5.1), and when that was.
    first_timestamp: u32,
    first_at: Option<MediaTime>,
}

impl RtpStream {
    fn new(ssrc: u32, random: u64) -> Self {
        // The upper half of the sequence numbers is left free at first (RFC 3711, 3.3.1: a loss near the wrap).
        let sequence = random as u16 & 0x7fff;
        // Nor do timestamps wrap within hours: the engine's jitter, and that of others, does not expect it.
        let first_timestamp = (random >> 16) as u32 & 0x3fff_ffff;
        Self { ssrc, sequence, first_timestamp, first_at: None }
    }

    fn timestamp(&mut self, at: MediaTime, clock: u64) -> u32 {
        let first = *self.first_at.get_or_insert(at);
        let ticks = at.since(first).as_micros() as u64 * clock / 1_000_000;
        self.first_timestamp.wrapping_add(ticks as u32)
    }

    fn packet(&mut self, payload_type: u8, timestamp: u32, payload: Bytes) -> Packet {
        let header = Header {
            version: 2,
            payload_type,
            sequence_number: self.sequence,
            timestamp,
            ssrc: self.ssrc,
            ..Header::default()
        };
        self.sequence = self.sequence.wrapping_add(1);
        Packet { header, payload }
    }
}

/// Makes packets of access units.
#[derive(Debug)]
pub struct VideoPacketizer(RtpStream);

impl VideoPacketizer {
    /// A packetizer whose numbering starts at a number of `random` (RFC 3550, 5.1).
    pub fn new(ssrc: u32, random: u64) -> Self {
        Self(RtpStream::new(ssrc, random))
    }

    /// The packets of one access unit, the last one marked.
    pub fn packetize(&mut self, unit: &OutgoingPicture, packets: &mut Vec<Packet>) {
        let timestamp = self.0.timestamp(unit.captured_at, unit.codec.clock_rate_hz().into());
        let (before, payload_type) = (packets.len(), unit.codec.payload_types().media);
        unit.codec.packetize(&unit.data, MAX_PAYLOAD, &mut |payload| {
            packets.push(self.0.packet(payload_type, timestamp, payload));
        });
        if let Some(last) = packets.get_mut(before..).and_then(<[Packet]>::last_mut) {
            last.header.marker = true;
        }
    }
}

/// Sound and its place among all that was to be sent.
#[derive(Debug)]
pub(in crate::rtc) struct NumberedSound {
    pub(in crate::rtc) number: u16,
    pub(in crate::rtc) sound: OutgoingSound,
}

/// Makes packets of sound.
#[derive(Debug)]
pub(super) struct AudioPacketizer {
    stream: RtpStream,
    payload_type: u8,
    last: Option<LastSound>,
    redundancy: RedundancyEncoder,
}

/// The packet of sound before.
#[derive(Clone, Copy, Debug)]
struct LastSound {
    number: u16,
    timestamp: u32,
    /// Its timestamp by the clock of this computer.
    measured: u32,
}

impl AudioPacketizer {
    pub(super) fn new(ssrc: u32, payload_type: u8, random: u64) -> Self {
        let stream = RtpStream::new(ssrc, random);
        Self { stream, payload_type, last: None, redundancy: RedundancyEncoder::new() }
    }

    /// The packet of 20 ms of sound, with up to `copies` of those before it. Timestamps go on in even steps, whatever
    /// the thread's jitter and however the microphone's clock differs from this computer's, and jump after a pause;
    /// sound whose number is left out is missed by the far side.
    pub(super) fn packetize(&mut self, audio: &NumberedSound, copies: usize) -> Packet {
        let NumberedSound { number, sound } = audio;
        let measured = self.stream.timestamp(sound.captured_at, 48_000);
        let mut timestamp = measured;
        if let Some(last) = self.last {
            let numbers = number.wrapping_sub(last.number).max(1);
            self.stream.sequence = self.stream.sequence.wrapping_add(numbers - 1);
            if numbers > 1 {
                self.redundancy = RedundancyEncoder::new();
            }
            let step = u32::from(numbers) * AUDIO_STEP;
            let beyond = measured.wrapping_sub(last.measured).wrapping_sub(step);
            let pause = if beyond as i32 > AUDIO_PAUSE as i32 { beyond } else { 0 };
            timestamp = last.timestamp.wrapping_add(step).wrapping_add(pause);
        }
        self.last = Some(LastSound { number: *number, timestamp, measured });
        match self.redundancy.wrap(timestamp, self.payload_type, &sound.data, copies) {
            Some(redundant) => self.stream.packet(RED_PAYLOAD_TYPE, timestamp, redundant),
            None => self.stream.packet(self.payload_type, timestamp, sound.data.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::VideoCodec;
    use crate::jitter_buffer::{VideoJitterBuffer, VideoPacket};

    fn unit(data: Vec<u8>, millis: u64) -> OutgoingPicture {
        let (codec, captured_at) = (VideoCodec::PREFERRED, MediaTime::from_millis(millis));
        OutgoingPicture { codec, data: Bytes::from(data), keyframe: true, captured_at }
    }

    fn sound(number: u16, micros: u64) -> NumberedSound {
        let sound = OutgoingSound { data: Bytes::from_static(&[1]), captured_at: MediaTime::from_micros(micros) };
        NumberedSound { number, sound }
    }

    fn annex_b(units: &[Vec<u8>]) -> Vec<u8> {
        units.iter().flat_map(|unit| [&[0, 0, 0, 1][..], unit].concat()).collect()
    }

    #[test]
    fn an_access_unit_becomes_numbered_packets_the_last_one_marked() {
        let mut packetizer = VideoPacketizer::new(5, 0xabcd_ffff);
        let mut packets = Vec::new();
        packetizer.packetize(&unit(annex_b(&[vec![0x67, 1], vec![0x65; 3000]]), 0), &mut packets);
        packetizer.packetize(&unit(annex_b(&[vec![0x41, 7]]), 100), &mut packets);
        let sequences: Vec<u16> = packets.iter().map(|packet| packet.header.sequence_number).collect();
        assert_eq!(sequences, [0x7fff, 0x8000, 0x8001, 0x8002, 0x8003]);
        let markers: Vec<bool> = packets.iter().map(|packet| packet.header.marker).collect();
        assert_eq!(markers, [false, false, false, true, true]);
        assert!(packets.iter().all(|packet| packet.payload.len() <= MAX_PAYLOAD && packet.header.ssrc == 5));
        assert_eq!(packets[4].header.timestamp, packets[0].header.timestamp + 9000);
    }

    #[test]
    fn sound_is_stamped_evenly_and_jumps_after_a_pause() {
        let mut packetizer = AudioPacketizer::new(6, 111, 0);
        let mut stamp = |number, millis: u64| {
            let header = packetizer.packetize(&sound(number, millis * 1000), 0).header;
            (header.sequence_number, header.timestamp)
        };
        assert_eq!(
            [stamp(9, 0), stamp(10, 27), stamp(11, 38), stamp(12, 61)],
            [(0, 0), (1, 960), (2, 1920), (3, 2880)]
        );
        assert_eq!([stamp(13, 5000), stamp(14, 5021)], [(4, 239_952), (5, 240_912)]);
        assert_eq!(stamp(17, 5080), (8, 243_792), "two are missing");
    }

    #[test]
    fn a_slow_microphone_is_no_pause() {
        let mut packetizer = AudioPacketizer::new(6, 111, 0);
        // Two hours, 300 millionths too slow.
        for number in 0..360_000_u64 {
            let audio = sound(number as u16, number * 20_006);
            assert_eq!(packetizer.packetize(&audio, 0).header.timestamp, number as u32 * AUDIO_STEP);
        }
    }

    proptest! {
        #[test]
        fn what_is_packetized_is_put_together_again(
            units in prop::collection::vec((1_u8..=23, prop::collection::vec(1_u8.., 1..4000)), 1..5),
        ) {
            let mut units: Vec<Vec<u8>> =
                units.into_iter().map(|(kind, body)| [vec![0x60 | kind], body].concat()).collect();
            units.insert(0, vec![0x67, 1]);
            units.push(vec![0x65, 1]);
            let data = annex_b(&units);
            let mut packets = Vec::new();
            VideoPacketizer::new(5, 9).packetize(&unit(data.clone(), 3), &mut packets);
            let mut buffer = VideoJitterBuffer::new();
            for packet in packets {
                let Packet { header, payload } = packet;
                let (sequence, timestamp, marker) = (header.sequence_number, header.timestamp, header.marker);
                let codec = VideoCodec::of_payload_type(header.payload_type).unwrap();
                buffer.insert(VideoPacket { codec, sequence, timestamp, marker, payload }, MediaTime::default());
            }
            let Some(frame) = buffer.poll(MediaTime::default()) else {
                return Err(TestCaseError::fail("no frame"));
            };
            prop_assert_eq!(&frame.data[..], &data[..]);
        }

        #[test]
        fn no_bytes_make_it_panic(data in prop::collection::vec(0_u8..3, 0..200)) {
            VideoPacketizer::new(5, 9).packetize(&unit(data, 0), &mut Vec::new());
        }
    }
}
