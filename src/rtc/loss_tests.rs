//! The whole way of video in virtual time: packetizer, pacer and all interceptors of both sides, seeded bad links, jitter
//! buffer. The figures are those that `bench network` measures, without the time that the codecs take.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc::interceptor::{
    AttributedPacket, Interceptor, Packet, RTCPFeedback, RTPHeaderExtension, Registry, StreamInfo, TaggedPacket,
};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp;
use rtc::sdp::extmap::TRANSPORT_CC_URI;
use rtc::shared::TransportContext;
use rtc::shared::marshal::MarshalSize;

use super::congestion::CongestionControl;
use super::connection::{Interceptors, with_interceptors};
use super::description_sdp::{FEC_PAYLOAD_TYPE, H264_PAYLOAD_TYPE, OPUS_PAYLOAD_TYPE, RTX_PAYLOAD_TYPE};
use super::fec::ForwardErrorCorrection;
use super::media_tap::{MediaTap, ReceivedMedia};
use super::nack::NackGenerator;
use super::pacer::Pacer;
use super::packetizer::VideoPacketizer;
use super::rtcp_observer::RtcpObserver;
use super::stats::Counters;
use super::{Link, LinkProfile};
use crate::jitter_buffer::{VideoJitterBuffer, VideoOutput, VideoPacket};
use crate::media::{EncodedVideo, MediaTime};

/// Before anything counts: what the call needs to know its path.
const WARM_UP: u64 = 5_000;
const MEASURED: u64 = 60_000;
/// Calls over each link, with other seeds.
const CALLS: u64 = 6;
/// A gap between pictures longer than this counts as frozen.
const FREEZE: u64 = 200;
/// What the encoder makes at most, in kbit/s.
const MAX_KBPS: f64 = 1500.0;

/// What SRTP adds to a packet, in bytes.
const TAG: usize = 14;

/// The numbers of one side's streams.
#[derive(Clone, Copy)]
struct Numbers {
    video: u32,
    rtx: u32,
    fec: u32,
    audio: u32,
}

impl Numbers {
    const fn from(first: u32) -> Self {
        Self { video: first, rtx: first + 1, fec: first + 2, audio: first + 3 }
    }

    fn streams(self) -> [StreamInfo; 2] {
        let extension = RTPHeaderExtension { uri: TRANSPORT_CC_URI.to_owned(), id: 1 };
        let feedback = |typ: &str| RTCPFeedback { typ: typ.to_owned(), parameter: String::new() };
        let audio = StreamInfo {
            ssrc: self.audio,
            payload_type: OPUS_PAYLOAD_TYPE,
            clock_rate: 48_000,
            mime_type: "audio/opus".to_owned(),
            rtp_header_extensions: vec![extension.clone()],
            ..StreamInfo::default()
        };
        let video = StreamInfo {
            ssrc: self.video,
            ssrc_rtx: Some(self.rtx),
            ssrc_fec: Some(self.fec),
            payload_type: H264_PAYLOAD_TYPE,
            payload_type_rtx: Some(RTX_PAYLOAD_TYPE),
            payload_type_fec: Some(FEC_PAYLOAD_TYPE),
            clock_rate: 90_000,
            mime_type: "video/H264".to_owned(),
            rtcp_feedback: vec![feedback("nack")],
            rtp_header_extensions: vec![extension],
            ..StreamInfo::default()
        };
        [audio, video]
    }
}

/// One side of a call.
struct Side {
    own: Numbers,
    far: Numbers,
    counters: Arc<Counters>,
    round_trip_us: u64,
    chain: Box<dyn Interceptor>,
    received: ReceivedMedia,
    keyframe_wanted: Arc<AtomicBool>,
    packetizer: VideoPacketizer,
    pacer: Pacer,
    waiting: VecDeque<rtp::Packet>,
    sound_number: u16,
    /// What left, on its way to the far side.
    link: Link,
    on_the_way: BTreeMap<(MediaTime, u64), Packet>,
    departures: u64,
    buffer: VideoJitterBuffer,
    random: fastrand::Rng,
    /// When pictures were captured and shown, in ms.
    shown: Vec<(u64, u64)>,
    /// Capture times by RTP timestamp, of what this side sent.
    captured: BTreeMap<u32, u64>,
    /// Bytes of video, retransmissions and repairs ahead.
    sent: [usize; 3],
}

impl Side {
    fn new(own: Numbers, far: Numbers, profile: &LinkProfile, seed: u64, start: MediaTime) -> Self {
        let counters = Arc::new(Counters::default());
        let keyframe_wanted = Arc::new(AtomicBool::new(true));
        let wanted = Arc::clone(&keyframe_wanted);
        let (tap, received) = MediaTap::new();
        let interceptors = Interceptors {
            observer: RtcpObserver::new(Arc::clone(&counters), (own.video, own.audio), move || {
                wanted.store(true, Relaxed)
            }),
            congestion: CongestionControl::new(Arc::clone(&counters), || {}),
            nack_generator: NackGenerator::new(Arc::clone(&counters), own.video),
            fec: ForwardErrorCorrection::new(Arc::clone(&counters)),
            tap,
        };
        let mut chain = with_interceptors(Registry::new(), interceptors).build();
        for stream in own.streams() {
            chain.bind_local_stream(&stream);
        }
        for stream in far.streams() {
            chain.bind_remote_stream(&stream);
        }
        Self {
            own,
            far,
            counters,
            round_trip_us: profile.delay.as_micros() as u64 * 2,
            chain: Box::new(chain),
            received,
            keyframe_wanted,
            packetizer: VideoPacketizer::new(own.video, H264_PAYLOAD_TYPE, 7),
            pacer: Pacer::new(start),
            waiting: VecDeque::new(),
            sound_number: 0,
            link: Link::new(profile.clone(), seed, start),
            on_the_way: BTreeMap::new(),
            departures: 0,
            buffer: VideoJitterBuffer::new(),
            random: fastrand::Rng::with_seed(seed),
            shown: Vec::new(),
            captured: BTreeMap::new(),
            sent: [0; 3],
        }
    }

    fn write(&mut self, packet: Packet, now: Instant) {
        let message = AttributedPacket::new(packet);
        self.chain.handle_write(TaggedPacket { now, transport: TransportContext::default(), message }).unwrap();
        self.flush(now);
    }

    /// Gives what the chain sends to the link.
    fn flush(&mut self, now: Instant) {
        while let Some(leaving) = self.chain.poll_write() {
            let packet = leaving.message.packet;
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
                }
            }
            if let Some(arrival) = self.link.send(size, MediaTime::of(now))[0] {
                self.departures += 1;
                self.on_the_way.insert((arrival, self.departures), packet);
            }
        }
    }

    /// Requests sent and packets recovered.
    fn counted(&self) -> [u64; 2] {
        [&self.counters.nacks_sent, &self.counters.packets_recovered].map(|counter| counter.load(Relaxed))
    }

    /// One millisecond of capturing and sending.
    fn go_on(&mut self, ms: u64, now: Instant) {
        // The engine's sender reports bear the real time, which does not pass here as they would have it.
        self.counters.round_trip_us.store(self.round_trip_us, Relaxed);
        if ms % 20 == 7 {
            self.sound(now);
        }
        // Thirty times a second.
        if ms * 30 % 1000 < 30 {
            self.capture(ms, MediaTime::of(now));
        }
        self.send(now);
        self.chain.handle_timeout(now).unwrap();
        self.flush(now);
    }

    fn capture(&mut self, ms: u64, now: MediaTime) {
        if !self.waiting.is_empty() {
            return;
        }
        let keyframe = self.keyframe_wanted.swap(false, Relaxed);
        let target = self.counters.target_bps.load(Relaxed);
        let kbps = if target == 0 { 300.0 } else { (target as f64 / 1000.0 - 114.0) * 0.93 };
        // Frames differ in size.
        let bytes = kbps.clamp(50.0, MAX_KBPS) * 1000.0 / 8.0 / 30.0;
        let bytes = bytes * (0.6 + 0.8 * self.random.f64()) * if keyframe { 4.0 } else { 1.0 };
        let mut data = Vec::new();
        if keyframe {
            data.extend_from_slice(&[0, 0, 0, 1, 0x67, 1, 2, 3, 0, 0, 0, 1, 0x68, 1, 2, 3]);
        }
        data.extend_from_slice(&[0, 0, 0, 1, if keyframe { 0x65 } else { 0x41 }]);
        data.resize(data.len() + bytes as usize, 9);
        let unit = EncodedVideo { data: data.into(), keyframe, captured_at: now, rtp_timestamp: 0 };
        let mut packets = Vec::new();
        self.packetizer.packetize(&unit, &mut packets);
        self.captured.insert(packets[0].header.timestamp, ms);
        self.waiting = packets.into();
    }

    fn sound(&mut self, now: Instant) {
        self.sound_number = self.sound_number.wrapping_add(1);
        let header = rtp::header::Header {
            version: 2,
            ssrc: self.own.audio,
            sequence_number: self.sound_number,
            timestamp: u32::from(self.sound_number) * 960,
            payload_type: OPUS_PAYLOAD_TYPE,
            ..Default::default()
        };
        let payload = Bytes::from_static(&[1; 240]);
        self.write(Packet::Rtp(rtp::Packet { header, payload }), now);
    }

    fn send(&mut self, now: Instant) {
        if !self.waiting.is_empty() && self.pacer.due() <= MediaTime::of(now) {
            self.pacer.advance(self.counters.target_bps.load(Relaxed), MediaTime::of(now));
            while self.pacer.may_send() {
                let Some(packet) = self.waiting.pop_front() else { break };
                self.pacer.sent(packet.marshal_size());
                self.write(Packet::Rtp(packet), now);
            }
        }
    }

    fn receive(&mut self, packet: Packet, now: Instant) {
        let message = AttributedPacket::new(packet);
        self.chain.handle_read(TaggedPacket { now, transport: TransportContext::default(), message }).unwrap();
        while self.chain.poll_read().is_some() {}
        self.flush(now);
    }

    /// Shows what is whole; `captured` are the far side's capture times.
    fn show(&mut self, captured: &BTreeMap<u32, u64>, ms: u64, now: Instant) {
        while self.received.audio.try_recv().is_ok() {}
        let at = MediaTime::of(now);
        while let Ok(rtp::Packet { header, payload }) = self.received.video.try_recv() {
            let (sequence, timestamp, marker) = (header.sequence_number, header.timestamp, header.marker);
            self.buffer.insert(VideoPacket { sequence, timestamp, marker, payload }, at);
        }
        self.buffer.set_round_trip(self.counters.round_trip());
        while let Some(output) = self.buffer.poll(at) {
            match output {
                VideoOutput::Frame(frame) => self.shown.push((captured[&frame.rtp_timestamp], ms)),
                VideoOutput::KeyframeNeeded => {
                    let request = PictureLossIndication { sender_ssrc: self.own.video, media_ssrc: self.far.video };
                    self.write(Packet::Rtcp(vec![Box::new(request)]), now);
                }
            }
        }
    }
}

/// What was seen of the pictures of both directions, the mean of several calls.
#[derive(Debug, Default)]
struct Seen {
    frozen_percent: f64,
    fps: f64,
    /// In ms.
    delay_p50: f64,
    delay_p95: f64,
    /// A second and direction.
    requests: f64,
    recovered: f64,
    /// Video, retransmissions and repairs ahead, in kbit/s.
    kbps: [f64; 3],
}

/// Calls over a link, with repairs ahead or without.
fn calls(profile: &str, ahead: bool) -> Seen {
    let mut mean = Seen::default();
    for seed in 0..CALLS {
        let seen = call(&format!("{profile},seed={seed}").parse().unwrap(), ahead);
        let share = 1.0 / CALLS as f64;
        mean.frozen_percent += seen.frozen_percent * share;
        mean.fps += seen.fps * share;
        mean.delay_p50 += seen.delay_p50 * share;
        mean.delay_p95 += seen.delay_p95 * share;
        mean.requests += seen.requests * share;
        mean.recovered += seen.recovered * share;
        (0..3).for_each(|kind| mean.kbps[kind] += seen.kbps[kind] * share);
    }
    let Seen { frozen_percent, fps, delay_p50, delay_p95, requests, recovered, kbps } = &mean;
    println!(
        "{profile:36} frozen {frozen_percent:.2} %, {fps:.1} fps, delay {delay_p50:.0} ms, p95 {delay_p95:.0} ms; a second \
         {requests:.2} requests, {recovered:.2} recovered; kbit/s {kbps:.0?}"
    );
    mean
}

fn call(profile: &LinkProfile, ahead: bool) -> Seen {
    let start = Instant::now();
    let numbers = [Numbers::from(10), Numbers::from(20)];
    let mut sides = [0, 1].map(|n| Side::new(numbers[n], numbers[1 - n], profile, n as u64 + 1, MediaTime::of(start)));
    for side in &sides {
        side.counters.far_takes_fec.store(ahead, Relaxed);
    }
    let mut before = [[0; 2]; 2];
    for ms in 0..WARM_UP + MEASURED {
        let now = start + Duration::from_millis(ms);
        for (n, before) in before.iter_mut().enumerate() {
            let [left, right] = &mut sides;
            let (side, far) = if n == 0 { (left, right) } else { (right, left) };
            while let Some(arrived) = far.on_the_way.first_entry().filter(|one| one.key().0 <= MediaTime::of(now)) {
                side.receive(arrived.remove(), now);
            }
            side.show(&far.captured, ms, now);
            side.go_on(ms, now);
            if ms == WARM_UP {
                *before = side.counted();
                side.sent = [0; 3];
            }
        }
    }
    seen(&sides, before)
}

fn seen(sides: &[Side; 2], before: [[u64; 2]; 2]) -> Seen {
    let (mut frozen, mut delays) = (0, Vec::new());
    for side in sides {
        let mut last = WARM_UP;
        for &(captured, at) in side.shown.iter().filter(|(_, at)| *at >= WARM_UP) {
            frozen += if at - last > FREEZE { at - last } else { 0 };
            delays.push(at - captured);
            last = at;
        }
        let rest = WARM_UP + MEASURED - last;
        frozen += if rest > FREEZE { rest } else { 0 };
    }
    delays.sort_unstable();
    let seconds = 2.0 * MEASURED as f64 / 1000.0;
    let counted = |n: usize| sides.iter().zip(before).map(|(side, before)| side.counted()[n] - before[n]).sum::<u64>();
    let kbps = |kind: usize| sides.iter().map(|side| side.sent[kind]).sum::<usize>() as f64 * 0.008 / seconds;
    Seen {
        frozen_percent: frozen as f64 / seconds / 10.0,
        fps: delays.len() as f64 / seconds,
        delay_p50: delays[delays.len() / 2] as f64,
        delay_p95: delays[delays.len() * 95 / 100] as f64,
        requests: counted(0) as f64 / seconds,
        recovered: counted(1) as f64 / seconds,
        kbps: [0, 1, 2].map(kbps),
    }
}

#[test]
fn a_clean_path_carries_no_repairs() {
    let seen = calls("delay=25", true);
    assert_eq!((seen.frozen_percent, seen.requests, seen.kbps[1], seen.kbps[2]), (0.0, 0.0, 0.0, 0.0));
    assert!(seen.fps > 29.9 && seen.delay_p95 < 30.0, "{seen:?}");
}

#[test]
fn pictures_go_on_however_packets_are_lost() {
    for (profile, frozen_percent, repairs_kbps) in [
        ("loss=2,delay=25", 0.5, 120.0),
        ("loss=10,delay=25", 0.5, 600.0),
        ("loss=10,burst=3,delay=25", 1.0, 950.0),
        ("loss=20,delay=25", 0.5, 1250.0),
        ("loss=2,delay=150", 0.3, 800.0),
    ] {
        let seen = calls(profile, true);
        assert!(seen.frozen_percent <= frozen_percent && seen.fps > 29.5, "{profile}: {seen:?}");
        assert!(seen.kbps[1] + seen.kbps[2] < repairs_kbps, "{profile}: {seen:?}");
    }
}

#[test]
fn what_is_repaired_ahead_is_not_asked_for_though_its_repairs_come_later() {
    // Three megabits a second: the packets of a frame, and its repairs, come over 20 ms.
    let seen = calls("loss=2,delay=150,rate=3000,queue=200", true);
    assert!(seen.recovered > 3.0 && seen.requests < 0.05, "{seen:?}");
}

#[test]
fn without_repairs_ahead_a_gap_is_asked_for_at_once() {
    let seen = calls("loss=5,delay=25", false);
    assert_eq!((seen.recovered, seen.kbps[2]), (0.0, 0.0));
    // Beside the delay: a gap's 5 ms, and the round trip; 33 ms more where the last packet of a frame is missing.
    assert!(seen.delay_p95 <= 115.0 && seen.requests > 4.0, "{seen:?}");
}
