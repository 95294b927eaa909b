//! The whole way of pictures in virtual time: a film, the encoder, the pacer, every interceptor of a connection, a seeded link
//! each way, the jitter buffer. The figures are those of `bench network`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rtc::interceptor::{
    AttributedPacket, BoxedInterceptor, Interceptor as _, Packet, RTCPFeedback, RTPHeaderExtension, Registry,
    StreamInfo, TaggedPacket,
};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::sdp::extmap::TRANSPORT_CC_URI;
use rtc::shared::TransportContext;
use rtc::shared::marshal::MarshalSize;

use super::Link;
use super::congestion::CongestionControl;
use super::connection::{Interceptors, with_interceptors};
use super::description_sdp::{FEC_PAYLOAD_TYPE, H264_PAYLOAD_TYPE, OPUS_PAYLOAD_TYPE, RTX_PAYLOAD_TYPE, StreamNumbers};
use super::engine::Events;
use super::fec::ForwardErrorCorrection;
use super::media_tap::{MediaTap, ReceivedMedia};
use super::nack::NackGenerator;
use super::paced_video::PacedVideo;
use super::packetizer::AudioPacketizer;
use super::redundancy::CopiesWanted;
use super::rtcp_observer::RtcpObserver;
use super::sending::{MediaQueues, MediaReceivers, queues};
use super::stats::Counters;
use crate::cli::bench::film::Film;
use crate::encoder::{PictureEncoder, Rate};
use crate::jitter_buffer::{VideoJitterBuffer, VideoOutput, VideoPacket};
use crate::media::{EncodedAudio, MediaTime, VideoFrame};

/// What SRTP adds to a packet.
const SRTP: usize = 16;
/// What a packet of sound holds at 32 kbit/s.
const SOUND: usize = 80;

/// One side of a call.
struct End {
    counters: Arc<Counters>,
    streams: StreamNumbers,
    chain: BoxedInterceptor,
    received: ReceivedMedia,
    queues: MediaQueues,
    sending: MediaReceivers,
    video: PacedVideo,
    audio: AudioPacketizer,
    copies: CopiesWanted,
    encoder: PictureEncoder,
    keyframe_wanted: Arc<AtomicBool>,
    jitter_buffer: VideoJitterBuffer,
    /// What this side sends goes here, and is under way until it arrives.
    link: Link,
    under_way: BTreeMap<(MediaTime, u64), Packet>,
    sent: u64,
    record: Record,
}

/// What came to one end, and when, in ms.
#[derive(Default)]
struct Record {
    /// Pictures, with their bytes.
    pictures: Vec<(u64, usize)>,
    sound: Vec<u64>,
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
    let video = StreamInfo {
        ssrc: streams.video,
        ssrc_rtx: Some(streams.rtx),
        ssrc_fec: Some(streams.fec),
        payload_type: H264_PAYLOAD_TYPE,
        payload_type_rtx: Some(RTX_PAYLOAD_TYPE),
        payload_type_fec: Some(FEC_PAYLOAD_TYPE),
        mime_type: "video/H264".to_owned(),
        clock_rate: 90_000,
        rtcp_feedback,
        ..audio.clone()
    };
    [audio, video]
}

fn tagged(packet: Packet, now: Instant) -> TaggedPacket {
    TaggedPacket { now, transport: TransportContext::default(), message: AttributedPacket::new(packet) }
}

impl End {
    fn new(number: u32, profile: &str, start: Instant) -> Self {
        let counters = Arc::new(Counters::default());
        counters.far_takes_copies.store(true, Relaxed);
        counters.far_takes_fec.store(true, Relaxed);
        let keyframe_wanted = Arc::new(AtomicBool::new(false));
        let wanted = Arc::clone(&keyframe_wanted);
        let streams_own = streams(number * 10);
        let (tap, received) = MediaTap::new();
        let interceptors = Interceptors {
            observer: RtcpObserver::new(Arc::clone(&counters), (streams_own.video, streams_own.audio), move || {
                wanted.store(true, Relaxed)
            }),
            congestion: CongestionControl::new(Arc::clone(&counters), {
                let wanted = Arc::clone(&keyframe_wanted);
                move || wanted.store(true, Relaxed)
            }),
            nack_generator: NackGenerator::new(Arc::clone(&counters), streams_own.video),
            fec: ForwardErrorCorrection::new(Arc::clone(&counters)),
            tap,
        };
        let mut chain = with_interceptors(Registry::new(), interceptors).build();
        for info in infos(streams_own) {
            chain.bind_local_stream(&info);
        }
        for info in infos(streams((3 - number) * 10)) {
            chain.bind_remote_stream(&info);
        }
        let wanted = Arc::clone(&keyframe_wanted);
        let events: Events = Arc::new(move |_| wanted.store(true, Relaxed));
        let (queues, sending) = queues(Arc::clone(&counters), &events);
        queues.set_open(true);
        let now = MediaTime::of(start);
        Self {
            counters,
            streams: streams_own,
            chain: Box::new(chain),
            received,
            queues,
            sending,
            video: PacedVideo::new(streams_own.video, 1, now),
            audio: AudioPacketizer::new(streams_own.audio, OPUS_PAYLOAD_TYPE, 2),
            copies: CopiesWanted::default(),
            encoder: PictureEncoder::default(),
            keyframe_wanted,
            jitter_buffer: VideoJitterBuffer::new(),
            link: Link::new(profile.parse().unwrap(), u64::from(number), now),
            under_way: BTreeMap::new(),
            sent: 0,
            record: Record::default(),
        }
    }

    fn capture(&mut self, picture: &VideoFrame, kbps: u32, now: MediaTime) {
        let budget = self.queues.budget(now).unwrap();
        let most = Rate { kbps, max_fps: 30 };
        if let Some(unit) = self.encoder.encode(picture, most, budget, &self.keyframe_wanted, || now).unwrap() {
            self.queues.send_video(&unit);
        }
    }

    fn speak(&mut self, frame: u64, now: Instant) {
        let at = MediaTime::of(now);
        let sound = EncodedAudio {
            data: vec![7; SOUND].into(),
            sequence: frame as u16,
            rtp_timestamp: 0,
            at,
            recovered: false,
        };
        let packet = self.audio.packetize(&sound, self.counters.copies(&mut self.copies, at));
        self.chain.handle_write(tagged(Packet::Rtp(packet), now)).unwrap();
    }

    /// What the sending task does.
    fn send(&mut self, now: Instant) {
        let at = MediaTime::of(now);
        loop {
            if !self.video.is_leaving() {
                let Ok(unit) = self.sending.video.try_recv() else { break };
                self.video.start(unit, &self.counters);
            }
            if self.video.due(&self.counters, at) > at {
                break;
            }
            self.video.advance(self.counters.target_bps.load(Relaxed), at);
            while let Some(packet) = self.video.next_packet() {
                self.chain.handle_write(tagged(Packet::Rtp(packet), now)).unwrap();
            }
            self.video.count(&self.counters, at);
            if self.video.is_leaving() {
                break;
            }
        }
    }

    /// What leaves, to the link.
    fn flush(&mut self, now: Instant) {
        if self.chain.poll_timeout().is_some_and(|at| at <= now) {
            self.chain.handle_timeout(now).unwrap();
        }
        while let Some(message) = self.chain.poll_write() {
            let size = match &message.message.packet {
                Packet::Rtp(packet) => packet.marshal_size(),
                Packet::Rtcp(packets) => packets.iter().map(|packet| packet.marshal_size()).sum(),
                _ => continue,
            };
            for arrival in self.link.send(size + SRTP, MediaTime::of(now)).into_iter().flatten() {
                self.sent += 1;
                self.under_way.insert((arrival, self.sent), message.message.packet.clone());
            }
        }
    }

    fn arrived(&mut self, now: MediaTime) -> Vec<Packet> {
        let later = self.under_way.split_off(&(now + Duration::from_micros(1), 0));
        std::mem::replace(&mut self.under_way, later).into_values().collect()
    }

    fn receive(&mut self, packets: Vec<Packet>, start: Instant, now: Instant) {
        for packet in packets {
            self.chain.handle_read(tagged(packet, now)).unwrap();
            while self.chain.poll_read().is_some() {}
        }
        let at = MediaTime::of(now);
        let elapsed = (now - start).as_millis() as u64;
        while self.received.audio.try_recv().is_ok() {
            self.record.sound.push(elapsed);
        }
        while let Ok(packet) = self.received.video.try_recv() {
            let (sequence, timestamp, marker) =
                (packet.header.sequence_number, packet.header.timestamp, packet.header.marker);
            self.jitter_buffer.insert(VideoPacket { sequence, timestamp, marker, payload: packet.payload }, at);
        }
        self.jitter_buffer.set_round_trip(self.counters.round_trip());
        while let Some(output) = self.jitter_buffer.poll(at) {
            match output {
                VideoOutput::Frame(unit) => self.record.pictures.push((elapsed, unit.data.len())),
                VideoOutput::KeyframeNeeded => {
                    let media_ssrc = if self.streams.video > 20 { 11 } else { 21 };
                    let request = PictureLossIndication { sender_ssrc: self.streams.video, media_ssrc };
                    self.chain.handle_write(tagged(Packet::Rtcp(vec![Box::new(request)]), now)).unwrap();
                }
            }
        }
    }
}

/// A call of two over a link.
struct Call {
    start: Instant,
    now_ms: u64,
    ends: [End; 2],
    film: Vec<VideoFrame>,
    kbps: u32,
    pictures: u64,
    /// Pictures come from the cameras.
    filming: bool,
}

impl Call {
    fn over(profile: &str, (width, height): (u32, u32), kbps: u32) -> Self {
        let start = Instant::now();
        // The clock begins before the call.
        let _ = MediaTime::of(start);
        let film = Film::new(width, height);
        let film = (0..24)
            .map(|number| {
                let mut frame = VideoFrame::black(width, height);
                film.draw(number, &mut frame);
                frame
            })
            .collect();
        let ends = [1, 2].map(|number| End::new(number, profile, start));
        Self { start, now_ms: 0, ends, film, kbps, pictures: 0, filming: true }
    }

    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds * 1000 {
            self.now_ms += 1;
            let now = self.start + Duration::from_millis(self.now_ms);
            if self.filming && self.now_ms * 30 / 1000 > self.pictures {
                self.pictures = self.now_ms * 30 / 1000;
                // There and back again.
                let round = self.film.len() as u64 * 2 - 2;
                let at = (self.pictures % round) as usize;
                let picture = &mut self.film[at.min(round as usize - at)];
                picture.captured_at = MediaTime::of(now);
                for end in &mut self.ends {
                    end.capture(picture, self.kbps, MediaTime::of(now));
                }
            }
            for (n, end) in self.ends.iter_mut().enumerate() {
                if self.now_ms % 20 == 3 + n as u64 * 7 {
                    end.speak(self.now_ms / 20, now);
                }
                end.send(now);
                end.flush(now);
            }
            for n in 0..2 {
                let packets = self.ends[n].arrived(MediaTime::of(now));
                self.ends[1 - n].receive(packets, self.start, now);
            }
        }
    }

    /// Percent of the time between two moments (in s) in gaps of more than 200 ms, pictures a second, kbit/s.
    fn seen(&self, end: usize, from: u64, to: u64) -> (f64, f64, f64) {
        let (from, to) = (from * 1000, to * 1000);
        let pictures: Vec<_> =
            self.ends[end].record.pictures.iter().filter(|one| (from..to).contains(&one.0)).collect();
        let times: Vec<u64> = [from].into_iter().chain(pictures.iter().map(|one| one.0)).chain([to]).collect();
        let frozen: u64 = times.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > 200).sum();
        let bytes: usize = pictures.iter().map(|one| one.1).sum();
        let millis = (to - from) as f64;
        (frozen as f64 * 100.0 / millis, pictures.len() as f64 * 1000.0 / millis, bytes as f64 * 8.0 / millis)
    }
}

#[test]
fn a_path_that_shrinks_costs_one_short_freeze_and_is_used_again_when_it_widens() {
    let mut call = Call::over("rate=3000,step=12:500,step=24:3000,queue=200,delay=10", (1280, 720), 1500);
    call.run(34);
    for end in 0..2 {
        let (frozen, _, _) = call.seen(end, 2, 34);
        let (_, fps, dip) = call.seen(end, 14, 24);
        let (_, _, after) = call.seen(end, 29, 34);
        println!("end {end}: {frozen:.2} % frozen, {fps:.1} fps and {dip:.0} kbit/s in the dip, {after:.0} after it");
        // Sound and headers take some 90 kbit/s of the 500.
        assert!(frozen < 2.0 && fps > 15.0 && dip > 300.0 && after > 1350.0);
    }
}

#[test]
fn a_thin_path_shows_pictures_without_freezing() {
    let mut call = Call::over("rate=150,queue=200,delay=10", (1280, 720), 1500);
    call.run(34);
    for end in 0..2 {
        let (frozen, fps, kbps) = call.seen(end, 4, 34);
        let sound = call.ends[end].record.sound.iter().filter(|at| **at >= 4000).count();
        println!("end {end}: {frozen:.2} % frozen, {fps:.1} fps, {kbps:.0} kbit/s, {sound} of 1500 packets of sound");
        assert!(frozen < 2.0 && fps > 13.0 && kbps > 50.0 && sound > 1470);
    }
}

#[test]
fn loss_and_distance_cost_neither_rate_nor_pictures() {
    for (link, most_frozen) in [("", 0.0), ("loss=10,delay=25", 2.5), ("delay=150", 0.0)] {
        let mut call = Call::over(link, (1280, 720), 1500);
        call.run(12);
        for end in 0..2 {
            let (frozen, fps, kbps) = call.seen(end, 2, 12);
            println!("{link:20} end {end}: {frozen:.2} % frozen, {fps:.1} fps, {kbps:.0} kbit/s");
            assert!(frozen <= most_frozen && fps > 29.0 && kbps > 1350.0, "{link}");
        }
    }
}

#[test]
fn pictures_that_begin_in_mid_call_reach_their_rate_within_two_seconds() {
    for link in ["delay=20", "rate=4000,queue=200,delay=20"] {
        let mut call = Call::over(link, (1280, 720), 1500);
        call.filming = false;
        call.run(6);
        call.filming = true;
        call.run(4);
        for end in 0..2 {
            let (_, fps, kbps) = call.seen(end, 8, 10);
            println!("{link}: {fps:.1} fps, {kbps:.0} kbit/s");
            assert!(fps > 29.0 && kbps > 1350.0, "{link}: {fps:.1} fps, {kbps:.0} kbit/s");
        }
    }
}

#[test]
fn a_picture_that_was_cheap_reaches_its_rate_within_two_seconds() {
    // As where the scene was still: far less was sent than the path takes, after it had been narrow.
    let mut call = Call::over("rate=400,step=4:4000,queue=200,delay=20", (1280, 720), 150);
    call.run(8);
    call.kbps = 1500;
    call.run(4);
    for end in 0..2 {
        let (_, fps, kbps) = call.seen(end, 10, 12);
        println!("end {end}: {fps:.1} fps, {kbps:.0} kbit/s");
        assert!(fps > 18.0 && kbps > 1200.0, "end {end}: {fps:.1} fps, {kbps:.0} kbit/s");
    }
}
