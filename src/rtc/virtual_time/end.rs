//! One end of a connection in virtual time: every interceptor, a seeded link to the other end, and the receive paths.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rtc::interceptor::{
    AttributedPacket, BoxedInterceptor, Interceptor as _, Packet, RTCPFeedback, RTPHeaderExtension, Registry,
    StreamInfo, TaggedPacket,
};
use rtc::rtcp;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::sdp::extmap::TRANSPORT_CC_URI;
use rtc::shared::TransportContext;
use rtc::shared::marshal::MarshalSize;

use crate::codec::{CodecSupport, VideoCodec};
use crate::media::{MediaTime, ReceivedPicture};
use crate::rtc::bwe::CongestionControl;
use crate::rtc::connection::{Interceptors, with_interceptors};
use crate::rtc::connection_state::ConnectionState;
use crate::rtc::negotiation::description_sdp::{OPUS_PAYLOAD_TYPE, StreamNumbers};
use crate::rtc::pacing::Pacer;
use crate::rtc::receiving::media_tap::{MediaTap, ReceivedMedia};
use crate::rtc::repair::fec::ForwardErrorCorrection;
use crate::rtc::repair::nack::NackGenerator;
use crate::rtc::rtcp_observer::RtcpObserver;
use crate::rtc::stream::{AudioReceive, VideoReceive, VideoReceiveOutput};
use crate::rtc::transport::link::DATAGRAM_HEADERS;
use crate::rtc::{LinkEmulator, LinkProfile};

/// Bytes that SRTP adds to a packet.
const TAG: usize = 16;

/// A packet of pictures that left.
pub(in crate::rtc) struct Departure {
    pub(in crate::rtc) at: Instant,
    /// 0: video, 1: a retransmission, 2: FEC.
    pub(in crate::rtc) kind: usize,
    /// In bytes on the wire.
    pub(in crate::rtc) size: usize,
    /// The rate of everything that was granted, in bit/s.
    pub(in crate::rtc) wire_bps: u64,
}

/// The end itself. Its owner makes the packets and moves the time.
pub(in crate::rtc) struct VirtualEnd {
    pub(in crate::rtc) own: StreamNumbers,
    far: StreamNumbers,
    pub(in crate::rtc) state: ConnectionState,
    /// The next picture is to be a keyframe.
    pub(in crate::rtc) keyframe_wanted: Arc<AtomicBool>,
    chain: BoxedInterceptor,
    received: ReceivedMedia,
    audio: AudioReceive,
    video: VideoReceive,
    /// Outgoing datagrams, which are under way until they arrive.
    link: LinkEmulator,
    under_way: BTreeMap<(MediaTime, u64), Packet>,
    departures: u64,
    /// Bytes of video, retransmissions and FEC that left.
    pub(in crate::rtc) sent: [usize; 3],
    /// The same, packet by packet.
    pub(in crate::rtc) departed: Vec<Departure>,
    /// The rate of everything, as it was granted before.
    wire_bps: u64,
}

impl VirtualEnd {
    /// End `number` (1 or 2) of a connection over `profile` each way. Both sides take FEC and RED redundancy.
    pub(in crate::rtc) fn new(number: u32, profile: &LinkProfile, start: MediaTime) -> Self {
        let state = ConnectionState::default();
        state.far.set(true, true, CodecSupport::default());
        let keyframe_wanted = Arc::new(AtomicBool::new(true));
        let want_keyframe = || {
            let wanted = Arc::clone(&keyframe_wanted);
            move || wanted.store(true, Relaxed)
        };
        let (own, far) = (streams(number * 10), streams((3 - number) * 10));
        let (tap, received) = MediaTap::new();
        let interceptors = Interceptors {
            observer: RtcpObserver::new(&state, (own.video, own.audio), want_keyframe()),
            congestion: CongestionControl::new(&state, want_keyframe()),
            nack_generator: NackGenerator::new(&state, own.video),
            fec: ForwardErrorCorrection::new(&state),
            pacer: Pacer::new(&state),
            tap,
        };
        let mut chain = with_interceptors(Registry::new(), interceptors).build();
        infos(own).iter().for_each(|info| chain.bind_local_stream(info));
        infos(far).iter().for_each(|info| chain.bind_remote_stream(info));
        Self {
            own,
            far,
            state,
            keyframe_wanted,
            chain: Box::new(chain),
            received,
            audio: AudioReceive::new(),
            video: VideoReceive::new(),
            link: LinkEmulator::new(profile.clone(), u64::from(number), start),
            under_way: BTreeMap::new(),
            departures: 0,
            sent: [0; 3],
            departed: Vec::new(),
            wire_bps: 0,
        }
    }

    /// Goes on through the bottleneck of another connection's end.
    pub(in crate::rtc) fn share_bottleneck(&mut self, other: &Self, seed: u64) {
        self.link = other.link.beside(seed);
    }

    /// Bytes that TCP flows beside this end's packets have delivered.
    pub(in crate::rtc) fn tcp_bytes(&self) -> u64 {
        self.link.tcp_bytes()
    }

    /// A packet of this side's leaves.
    pub(in crate::rtc) fn write(&mut self, packet: Packet, now: Instant) {
        self.chain.handle_write(tagged(packet, now)).unwrap();
        self.flush(now);
    }

    /// Time has come to `now`.
    pub(in crate::rtc) fn advance(&mut self, now: Instant) {
        if self.chain.poll_timeout().is_some_and(|at| at <= now) {
            self.chain.handle_timeout(now).unwrap();
        }
        self.flush(now);
    }

    /// Gives the packets of the chain to the link.
    fn flush(&mut self, now: Instant) {
        let wire_bps = self.state.path.wire_bps();
        while let Some(leaving) = self.chain.poll_write() {
            let packet = as_it_comes(leaving.message.packet);
            let size = TAG
                + match &packet {
                    Packet::Rtp(packet) => packet.marshal_size(),
                    Packet::Rtcp(packets) => packets.iter().map(|packet| packet.marshal_size()).sum(),
                    _ => continue,
                };
            if let Packet::Rtp(packet) = &packet {
                let kinds = [self.own.video, self.own.rtx, self.own.fec];
                if let Some(kind) = kinds.iter().position(|kind| *kind == packet.header.ssrc) {
                    self.sent[kind] += size;
                    let size = size + DATAGRAM_HEADERS;
                    let wire_bps = self.wire_bps.max(self.state.path.wire_bps());
                    self.departed.push(Departure { at: now, kind, size, wire_bps });
                }
            }
            for arrival in self.link.send(size, MediaTime::of(now)).into_iter().flatten() {
                self.departures += 1;
                self.under_way.insert((arrival, self.departures), packet.clone());
            }
        }
        self.wire_bps = wire_bps;
    }

    /// Datagrams of this side that have arrived at the other end by `now`.
    pub(in crate::rtc) fn arrived(&mut self, now: MediaTime) -> Vec<Packet> {
        let later = self.under_way.split_off(&(now + Duration::from_micros(1), 0));
        std::mem::replace(&mut self.under_way, later).into_values().collect()
    }

    /// The far side's packets of sound that came.
    pub(in crate::rtc) fn sound_came(&self) -> u64 {
        self.audio.packets()
    }

    /// Takes the packets of the other end, and gives the pictures that are whole to `show`.
    pub(in crate::rtc) fn receive(
        &mut self,
        packets: Vec<Packet>,
        now: Instant,
        mut show: impl FnMut(ReceivedPicture),
    ) {
        for packet in packets {
            self.chain.handle_read(tagged(packet, now)).unwrap();
            while self.chain.poll_read().is_some() {}
            self.flush(now);
        }
        let at = MediaTime::of(now);
        while let Ok(arrival) = self.received.audio.try_recv() {
            self.audio.handle(arrival, at, |_| {});
        }
        while let Ok(arrival) = self.received.video.try_recv() {
            self.video.handle(arrival, at);
        }
        self.video.set_rtt(self.state.path.rtt());
        while let Some(output) = self.video.poll(at) {
            match output {
                VideoReceiveOutput::Picture(picture) => show(picture),
                VideoReceiveOutput::KeyframeRequest => {
                    let request = PictureLossIndication { sender_ssrc: self.own.video, media_ssrc: self.far.video };
                    self.write(Packet::Rtcp(vec![Box::new(request)]), now);
                }
            }
        }
    }
}

/// Reports as the far side reads them: writing and reading them is not without loss.
fn as_it_comes(packet: Packet) -> Packet {
    let Packet::Rtcp(packets) = packet else { return packet };
    let written = rtcp::packet::marshal(&packets).unwrap();
    Packet::Rtcp(rtcp::packet::unmarshal(&mut written.freeze()).unwrap())
}

fn streams(first: u32) -> StreamNumbers {
    StreamNumbers { audio: first, video: first + 1, rtx: first + 2, fec: first + 3 }
}

fn infos(streams: StreamNumbers) -> [StreamInfo; 2] {
    let rtp_header_extensions = vec![RTPHeaderExtension { uri: TRANSPORT_CC_URI.to_owned(), id: 5 }];
    let rtcp_feedback =
        ["nack", "transport-cc"].map(|typ| RTCPFeedback { typ: typ.to_owned(), parameter: String::new() }).to_vec();
    let audio = StreamInfo {
        ssrc: streams.audio,
        payload_type: OPUS_PAYLOAD_TYPE,
        mime_type: "audio/opus".to_owned(),
        clock_rate: 48_000,
        rtp_header_extensions,
        ..StreamInfo::default()
    };
    let types = VideoCodec::PREFERRED.payload_types();
    let video = StreamInfo {
        ssrc: streams.video,
        ssrc_rtx: Some(streams.rtx),
        ssrc_fec: Some(streams.fec),
        payload_type: types.media,
        payload_type_rtx: Some(types.rtx),
        payload_type_fec: Some(types.fec),
        mime_type: VideoCodec::PREFERRED.mime_type(),
        clock_rate: VideoCodec::PREFERRED.clock_rate_hz(),
        rtcp_feedback,
        ..audio.clone()
    };
    [audio, video]
}

fn tagged(packet: Packet, now: Instant) -> TaggedPacket {
    TaggedPacket { now, transport: TransportContext::default(), message: AttributedPacket::new(packet) }
}
