//! The interceptors as the network's bytes reach them, for the fuzzer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc::interceptor::{AttributedPacket, Interceptor, Packet, RTPHeaderExtension, StreamInfo, TaggedPacket};
use rtc::rtp;
use rtc::sansio::Protocol;
use rtc::sdp::extmap::TRANSPORT_CC_URI;
use rtc::shared::TransportContext;
use rtc::shared::marshal::Unmarshal;

use super::congestion::CongestionControl;
use super::retransmission::RetransmissionUnwrapper;
use super::rtcp_observer::RtcpObserver;
use super::stats::Counters;

const OWN_VIDEO: u32 = 7;
const OWN_RETRANSMISSIONS: u32 = 8;
const OWN_AUDIO: u32 = 9;
const FAR_VIDEO: u32 = 10;
const FAR_RETRANSMISSIONS: u32 = 20;
/// The header extension that carries the transport-wide number.
const NUMBER: u8 = 1;
/// Packets that have left before the feedback comes.
const DEPARTURES: u16 = 64;

/// One RTP packet, of the far side's retransmissions when its SSRC says so.
pub fn retransmission(bytes: &[u8]) {
    let Ok(packet) = rtp::Packet::unmarshal(&mut Bytes::copy_from_slice(bytes)) else { return };
    let mut unwrapper = RetransmissionUnwrapper::default();
    unwrapper.bind_remote_stream(&stream(FAR_VIDEO, FAR_RETRANSMISSIONS));
    let _ = unwrapper.handle_read(tagged(Instant::now(), Packet::Rtp(packet)));
    while unwrapper.poll_read().is_some() {}
}

/// One compound RTCP packet: reports, requests for repairs and keyframes, transport-wide feedback.
pub fn rtcp(bytes: &[u8]) {
    let Ok(packets) = rtc::rtcp::packet::unmarshal(&mut Bytes::copy_from_slice(bytes)) else { return };
    let counters = Arc::new(Counters::default());
    let mut observer = RtcpObserver::new(Arc::clone(&counters), (OWN_VIDEO, OWN_AUDIO), || {});
    observer.bind_remote_stream(&stream(FAR_VIDEO, FAR_RETRANSMISSIONS));
    let mut congestion = CongestionControl::new(counters);
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
    use std::path::Path;

    use super::*;

    /// Which of a corpus's files `reads` refuses.
    fn refused(target: &str, reads: impl Fn(&mut Bytes) -> bool) -> Vec<String> {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let files = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path());
        let refused = files.filter(|file| !reads(&mut Bytes::from(std::fs::read(file).unwrap())));
        refused.map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn what_is_in_the_corpora_gets_past_the_parsers() {
        assert_eq!(refused("rtcp", |bytes| rtc::rtcp::packet::unmarshal(bytes).is_ok()), ["feedback_of_too_many"]);
        assert_eq!(refused("retransmission", |bytes| rtp::Packet::unmarshal(bytes).is_ok()), [""; 0]);
    }
}
