//! Packetizer: access units to RTP packets (RFC 6184, packetization mode 1: single NAL units and FU-A), and the RTP
//! clocks.
//!
//! Owned by the sending task of one peer. Small NAL units are sent out of the encoder's own memory without a copy.

use bytes::{BufMut, Bytes, BytesMut};
use rtc::rtp::Packet;
use rtc::rtp::header::Header;

use crate::media::{MediaTime, OutgoingPicture, OutgoingSound};
use crate::rtc::mtu::MAX_PAYLOAD;
use crate::rtc::negotiation::description_sdp::RED_PAYLOAD_TYPE;
use crate::rtc::repair::redundancy::RedundancyEncoder;

const TYPE_MASK: u8 = 0x1f;
const FU_A: u8 = 28;
const FU_START: u8 = 0x80;
const FU_END: u8 = 0x40;

/// Samples in one audio frame at 48 kHz.
const AUDIO_STEP: u32 = 960;
/// Sound that comes later than expected by more than this, in samples, follows a pause (as when muted).
const AUDIO_PAUSE: u32 = 9600;

/// Numbers and stamps the packets of one stream.
#[derive(Debug)]
struct Stream {
    ssrc: u32,
    payload_type: u8,
    sequence: u16,
    /// RTP timestamp of the first packet (random, RFC 3550, 5.1), and when that was.
    first_timestamp: u32,
    first_at: Option<MediaTime>,
}

impl Stream {
    fn new(ssrc: u32, payload_type: u8, random: u64) -> Self {
        // The upper half of the sequence numbers is left free at first (RFC 3711, 3.3.1: a loss near the wrap).
        let sequence = random as u16 & 0x7fff;
        // Nor do timestamps wrap within hours: the engine's jitter, and that of others, does not expect it.
        let first_timestamp = (random >> 16) as u32 & 0x3fff_ffff;
        Self { ssrc, payload_type, sequence, first_timestamp, first_at: None }
    }

    fn timestamp(&mut self, at: MediaTime, clock: u64) -> u32 {
        let first = *self.first_at.get_or_insert(at);
        let ticks = at.since(first).as_micros() as u64 * clock / 1_000_000;
        self.first_timestamp.wrapping_add(ticks as u32)
    }

    fn packet(&mut self, timestamp: u32, marker: bool, payload: Bytes) -> Packet {
        let header = Header {
            version: 2,
            marker,
            payload_type: self.payload_type,
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
pub struct VideoPacketizer(Stream);

impl VideoPacketizer {
    /// A packetizer whose numbering starts at what `random` gives (RFC 3550, 5.1).
    pub fn new(ssrc: u32, payload_type: u8, random: u64) -> Self {
        Self(Stream::new(ssrc, payload_type, random))
    }

    /// The packets of one access unit, the last one marked.
    pub fn packetize(&mut self, unit: &OutgoingPicture, packets: &mut Vec<Packet>) {
        let timestamp = self.0.timestamp(unit.captured_at, 90_000);
        let before = packets.len();
        // Fragments need two bytes before each piece, so they are copied: all into one piece of memory.
        let mut memory = BytesMut::with_capacity(unit.data.len() + unit.data.len() / MAX_PAYLOAD * 4 + 64);
        for_each_nal_unit(&unit.data, |nal_unit| self.packetize_unit(nal_unit, timestamp, &mut memory, packets));
        if let Some(last) = packets.get_mut(before..).and_then(<[Packet]>::last_mut) {
            last.header.marker = true;
        }
    }

    fn packetize_unit(&mut self, unit: Bytes, timestamp: u32, memory: &mut BytesMut, packets: &mut Vec<Packet>) {
        if unit.len() <= MAX_PAYLOAD {
            if !unit.is_empty() {
                packets.push(self.0.packet(timestamp, false, unit));
            }
            return;
        }
        let Some((&header, body)) = unit.split_first() else { return };
        let pieces = body.chunks(MAX_PAYLOAD - 2);
        let last = pieces.len() - 1;
        for (number, piece) in pieces.enumerate() {
            let start = if number == 0 { FU_START } else { 0 };
            let end = if number == last { FU_END } else { 0 };
            memory.put_slice(&[header & !TYPE_MASK | FU_A, start | end | header & TYPE_MASK]);
            memory.put_slice(piece);
            packets.push(self.0.packet(timestamp, false, memory.split().freeze()));
        }
    }
}

/// Calls `each` for the NAL units between the start codes of an Annex B stream.
fn for_each_nal_unit(annex_b: &Bytes, mut each: impl FnMut(Bytes)) {
    let mut begin: Option<usize> = None;
    let mut at = 0;
    while let Some(window) = annex_b.get(at..at + 3) {
        if window[2] > 1 {
            at += 3;
        } else if window == [0, 0, 1] {
            if let Some(begin) = begin {
                each(trimmed(annex_b, begin, at));
            }
            at += 3;
            begin = Some(at);
        } else {
            at += 1;
        }
    }
    if let Some(begin) = begin {
        each(trimmed(annex_b, begin, annex_b.len()));
    }
}

/// A NAL unit never ends in a zero byte (ITU-T H.264, 7.4.1): those before a start code belong to that.
fn trimmed(annex_b: &Bytes, begin: usize, end: usize) -> Bytes {
    let unit = &annex_b[begin..end];
    let length = unit.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    annex_b.slice(begin..begin + length)
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
    stream: Stream,
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
        Self { stream: Stream::new(ssrc, payload_type, random), last: None, redundancy: RedundancyEncoder::new() }
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
        match self.redundancy.wrap(timestamp, self.stream.payload_type, &sound.data, copies) {
            Some(redundant) => {
                let mut packet = self.stream.packet(timestamp, false, redundant);
                packet.header.payload_type = RED_PAYLOAD_TYPE;
                packet
            }
            None => self.stream.packet(timestamp, false, sound.data.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::jitter_buffer::{VideoJitterBuffer, VideoPacket};

    fn unit(data: Vec<u8>, millis: u64) -> OutgoingPicture {
        OutgoingPicture { data: Bytes::from(data), keyframe: true, captured_at: MediaTime::from_millis(millis) }
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
        let mut packetizer = VideoPacketizer::new(5, 102, 0xabcd_ffff);
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
            VideoPacketizer::new(5, 102, 9).packetize(&unit(data.clone(), 3), &mut packets);
            let mut buffer = VideoJitterBuffer::new();
            for packet in packets {
                let Packet { header, payload } = packet;
                let (sequence, timestamp, marker) = (header.sequence_number, header.timestamp, header.marker);
                buffer.insert(VideoPacket { sequence, timestamp, marker, payload }, MediaTime::default());
            }
            let Some(frame) = buffer.poll(MediaTime::default()) else {
                return Err(TestCaseError::fail("no frame"));
            };
            prop_assert_eq!(&frame.data[..], &data[..]);
        }

        #[test]
        fn no_bytes_make_it_panic(data in prop::collection::vec(0_u8..3, 0..200)) {
            VideoPacketizer::new(5, 102, 9).packetize(&unit(data, 0), &mut Vec::new());
        }
    }
}
