//! The interceptors as the network's bytes reach them, for the fuzzer.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc::interceptor::{
    AttributedPacket, Interceptor, Packet, RTCPFeedback, RTPHeaderExtension, StreamInfo, TaggedPacket,
};
use rtc::rtp;
use rtc::sansio::Protocol;
use rtc::sdp::extmap::TRANSPORT_CC_URI;
use rtc::shared::TransportContext;
use rtc::shared::marshal::Unmarshal;
use webrtc::peer_connection::RTCSessionDescription;

use super::bwe::CongestionControl;
use super::connection_state::ConnectionState;
use super::negotiation::candidate::{Reach, to_engine};
use super::negotiation::description_sdp::{OPUS_PAYLOAD_TYPE, RED_PAYLOAD_TYPE, sections_of, to_sdp};
use super::repair::fec::ForwardErrorCorrection;
use super::repair::nack::NackGenerator;
use super::repair::redundancy::RedundancyDecoder;
use super::repair::retransmission::RetransmissionUnwrapper;
use super::rtcp_observer::RtcpObserver;
use super::stage::Staged;
use super::transport::servers::Servers;
use super::transport::source_gate::SourceGate;
use crate::call::{AnyDescription, Candidate};

const OWN_VIDEO: u32 = 7;
const OWN_RETRANSMISSIONS: u32 = 8;
const OWN_AUDIO: u32 = 9;
const FAR_VIDEO: u32 = 10;
const FAR_RETRANSMISSIONS: u32 = 20;
const FAR_REPAIRS: u32 = 30;
/// The header extension that carries the transport-wide number.
const NUMBER: u8 = 1;
/// Packets that have left before the feedback comes.
const DEPARTURES: u16 = 64;

/// Datagrams at the gate before the engine, and what reads the first bytes of those that pass: each is a byte whose
/// lowest bit says that it leaves, one for the other side's port, one for its length, and the datagram. Port 255 is
/// that of a relay.
pub fn source_gate(bytes: &[u8]) {
    datagrams_admitted(bytes);
}

fn datagrams_admitted(bytes: &[u8]) -> usize {
    let relay = SocketAddr::from(([192, 0, 2, 1], 50_255));
    let gate = SourceGate::with_servers(Servers::new([], [relay], false));
    if gate.set_local_credentials("local", "0123456789abcdefghijkl").is_err() {
        return 0;
    }
    gate.set_far_streams([1, FAR_VIDEO, FAR_RETRANSMISSIONS, FAR_REPAIRS]);
    let here = SocketAddr::from(([192, 0, 2, 2], 50_000));
    gate.opened(here);
    let (mut rest, mut answered, mut admitted) = (bytes, HashSet::new(), 0);
    while let &[leaves, port, length, ref more @ ..] = rest {
        let (datagram, more) = more.split_at(usize::from(length).min(more.len()));
        let other = SocketAddr::from(([192, 0, 2, 1], 50_000 + u16::from(port)));
        if leaves & 1 == 1 {
            gate.observe_departure(datagram, here, other);
            if datagram.starts_with(&[1, 1]) {
                answered.insert(other);
            }
        } else if gate.admits(datagram, other) {
            admitted += 1;
            let answered = other == relay || answered.contains(&other);
            assert!(datagram.first().is_some_and(|first| *first < 64) || answered, "media of anybody");
            let _ = rtc::stun::message::Message::new().unmarshal_binary(datagram);
            let _ = rtp::header::Header::unmarshal(&mut Bytes::copy_from_slice(datagram));
            let _ = rtc::rtcp::header::Header::unmarshal(&mut Bytes::copy_from_slice(datagram));
        }
        rest = more;
    }
    admitted
}

/// The fields of a description or of a candidate, and the engine's reading of the text that is made of them.
pub fn description(bytes: &[u8]) {
    if let Ok(AnyDescription::Known(description)) = serde_json::from_slice(bytes) {
        let sdp = to_sdp(&description, &sections_of(&description.streams));
        let smuggled = |line: &str| line.starts_with("a=candidate") || line.as_bytes().get(1) != Some(&b'=');
        assert!(!sdp.lines().any(smuggled), "{sdp}");
        assert!(RTCSessionDescription::offer(sdp).is_ok(), "the engine reads it");
    }
    if let Ok(candidate) = serde_json::from_slice::<Candidate>(bytes)
        && let Some(line) = to_engine(&candidate, &Reach::default())
    {
        assert!(rtc::ice::candidate::unmarshal_candidate(&line.candidate).is_ok(), "{}", line.candidate);
    }
}

/// One RTP packet, of the far side's retransmissions when its SSRC says so.
pub fn retransmission(bytes: &[u8]) {
    let Ok(packet) = rtp::Packet::unmarshal(&mut Bytes::copy_from_slice(bytes)) else { return };
    let mut unwrapper = Staged::new(RetransmissionUnwrapper::default());
    unwrapper.bind_remote_stream(&stream(FAR_VIDEO, FAR_RETRANSMISSIONS));
    let _ = unwrapper.handle_read(tagged(Instant::now(), Packet::Rtp(packet)));
    while unwrapper.poll_read().is_some() {}
}

/// One compound RTCP packet: reports, requests for repairs and keyframes, transport-wide feedback.
pub fn rtcp(bytes: &[u8]) {
    let Ok(packets) = rtc::rtcp::packet::unmarshal(&mut Bytes::copy_from_slice(bytes)) else { return };
    let state = ConnectionState::default();
    let mut observer = Staged::new(RtcpObserver::new(&state, (OWN_VIDEO, OWN_AUDIO), || {}));
    observer.bind_remote_stream(&stream(FAR_VIDEO, FAR_RETRANSMISSIONS));
    let mut congestion = Staged::new(CongestionControl::new(&state, || {}));
    congestion.bind_local_stream(&stream(OWN_VIDEO, OWN_RETRANSMISSIONS));
    let start = Instant::now();
    for number in 0..DEPARTURES {
        let departed = tagged(start + Duration::from_millis(number.into()), numbered(number));
        let _ = congestion.handle_write(departed);
        while congestion.poll_write().is_some() {}
    }
    let arrived = tagged(start + Duration::from_millis(100), Packet::Rtcp(packets));
    let _ = observer.handle_read(arrived);
    while let Some(read) = observer.poll_read() {
        let _ = congestion.handle_read(read);
    }
    while congestion.poll_read().is_some() {}
}

/// Sound with RED redundancy: packets as `Packets` cuts them; with the lowest flag they are redundant ones, the others
/// are by how many half frames the timestamp grows.
pub fn redundancy(bytes: &[u8]) {
    copies_heard(bytes);
}

fn copies_heard(bytes: &[u8]) -> usize {
    let (mut decoder, mut timestamp, mut copies) = (RedundancyDecoder::default(), 0_u32, 0);
    for (sequence, flags, payload) in Packets::of(bytes) {
        timestamp = timestamp.wrapping_add(u32::from(flags >> 1) * 480);
        let payload_type = if flags & 1 == 1 { RED_PAYLOAD_TYPE } else { OPUS_PAYLOAD_TYPE };
        let mut heard = 0;
        decoder.take(payload_type, sequence, timestamp, payload.clone(), |block| {
            heard += block.payload.len();
            copies += usize::from(block.copy);
        });
        assert!(heard <= payload.len(), "nothing is heard twice");
    }
    copies
}

/// Video with FEC: packets as `Packets` cuts them; with the lowest flag they are repairs, the next one is the marker,
/// the others are by how much the timestamp grows.
pub fn repair(bytes: &[u8]) {
    packets_recovered(bytes);
}

fn packets_recovered(bytes: &[u8]) -> u64 {
    let state = ConnectionState::default();
    let mut fec = Staged::new(ForwardErrorCorrection::new(&state));
    let mut generator = Staged::new(NackGenerator::new(&state, OWN_VIDEO));
    let far = StreamInfo {
        ssrc_fec: Some(FAR_REPAIRS),
        rtcp_feedback: vec![RTCPFeedback { typ: "nack".to_owned(), parameter: String::new() }],
        ..stream(FAR_VIDEO, FAR_RETRANSMISSIONS)
    };
    fec.bind_remote_stream(&far);
    generator.bind_remote_stream(&far);
    let (mut now, mut timestamp) = (Instant::now(), 0_u32);
    for (sequence_number, flags, payload) in Packets::of(bytes) {
        timestamp = timestamp.wrapping_add(u32::from(flags >> 2) * 1000);
        let (repair, marker) = (flags & 1 == 1, flags & 2 == 2);
        let ssrc = if repair { FAR_REPAIRS } else { FAR_VIDEO };
        let header = rtp::header::Header { version: 2, ssrc, sequence_number, timestamp, marker, ..Default::default() };
        let _ = fec.handle_read(tagged(now, Packet::Rtp(rtp::Packet { header, payload })));
        while let Some(read) = fec.poll_read() {
            let _ = generator.handle_read(read);
        }
        now += Duration::from_millis(5);
        let _ = generator.handle_timeout(now);
        while generator.poll_read().is_some() || generator.poll_write().is_some() {}
    }
    state.counters.packets_recovered.load(Relaxed)
}

/// Cuts bytes into packets: a byte by which the sequence number grows, one of flags, one for the payload's length, and
/// the payload.
pub(crate) struct Packets<'a> {
    rest: &'a [u8],
    sequence: u16,
}

impl<'a> Packets<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, sequence: 0 }
    }
}

impl Iterator for Packets<'_> {
    type Item = (u16, u8, Bytes);

    fn next(&mut self) -> Option<Self::Item> {
        let &[step, flags, length, ref more @ ..] = self.rest else { return None };
        let (payload, rest) = more.split_at(usize::from(length).min(more.len()));
        self.sequence = self.sequence.wrapping_add_signed(i16::from(step as i8));
        self.rest = rest;
        Some((self.sequence, flags, Bytes::copy_from_slice(payload)))
    }
}

fn stream(ssrc: u32, retransmissions: u32) -> StreamInfo {
    StreamInfo {
        ssrc,
        ssrc_rtx: Some(retransmissions),
        payload_type: 102,
        payload_type_rtx: Some(103),
        clock_rate: 90_000,
        rtp_header_extensions: vec![RTPHeaderExtension { uri: TRANSPORT_CC_URI.to_owned(), id: NUMBER.into() }],
        ..StreamInfo::default()
    }
}

/// A packet of this side's video with its transport-wide number.
fn numbered(number: u16) -> Packet {
    let mut header = rtp::header::Header {
        version: 2,
        ssrc: OWN_VIDEO,
        sequence_number: number,
        payload_type: 102,
        ..Default::default()
    };
    let _ = header.set_extension(NUMBER, Bytes::copy_from_slice(&number.to_be_bytes()));
    Packet::Rtp(rtp::Packet { header, payload: Bytes::from_static(&[0x41; 1000]) })
}

fn tagged(now: Instant, packet: Packet) -> TaggedPacket {
    TaggedPacket { now, transport: TransportContext::default(), message: AttributedPacket::new(packet) }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    /// Which of a corpus's seeds `reads` refuses, by their names; the files that the fuzzer added are named by their
    /// hashes.
    fn refused(target: &str, reads: impl Fn(&mut Bytes) -> bool) -> Vec<String> {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let files = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path());
        let is_seed = |file: &PathBuf| !is_hash(&file.file_name().unwrap().to_string_lossy());
        let refused = files.filter(is_seed).filter(|file| !reads(&mut Bytes::from(std::fs::read(file).unwrap())));
        let mut names: Vec<_> = refused.map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn is_hash(name: &str) -> bool {
        name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    #[test]
    fn what_is_in_the_corpora_gets_past_the_parsers() {
        assert_eq!(refused("rtcp", |bytes| rtc::rtcp::packet::unmarshal(bytes).is_ok()), ["feedback_of_too_many"]);
        assert_eq!(refused("retransmission", |bytes| rtp::Packet::unmarshal(bytes).is_ok()), [""; 0]);
        let unheard = refused("redundancy", |bytes| copies_heard(bytes) > 0);
        assert_eq!(unheard, ["cut_short", "too_many_copies"]);
        let unrepaired = refused("repair", |bytes| packets_recovered(bytes) > 0);
        assert_eq!(unrepaired, ["more_losses_than_repairs", "of_another_length"]);
        let shut_out = refused("source_gate", |bytes| datagrams_admitted(bytes) > 0);
        assert_eq!(shut_out, ["media_of_a_stranger", "relayed_stranger", "request_altered"]);
    }
}
