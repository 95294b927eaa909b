//! The whole way of video in virtual time: packetizer, pacer and all interceptors of both sides, seeded bad links,
//! jitter buffer. The figures are those that `bench network` measures, without the time that the codecs take.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc::interceptor::Packet;
use rtc::rtp;

use super::end::VirtualEnd;
use crate::codec::{CodecSupport, VideoCodec};
use crate::media::{MediaTime, OutgoingPicture};
use crate::rtc::LinkProfile;
use crate::rtc::negotiation::description_sdp::OPUS_PAYLOAD_TYPE;
use crate::rtc::stream::VideoSend;

/// Before anything counts: the time in which the call learns its path.
const WARM_UP: u64 = 5_000;
const MEASURED: u64 = 60_000;
/// Calls over each link, with other seeds.
const CALLS: u64 = 6;
/// A gap between pictures longer than this counts as frozen.
const FREEZE: u64 = 200;
/// Largest rate of the encoder, in kbit/s.
const MAX_KBPS: f64 = 1500.0;

/// One side of a call.
struct Side {
    path: VirtualEnd,
    video: VideoSend,
    sound_number: u16,
    random: fastrand::Rng,
    /// When pictures were captured and shown, in ms.
    shown: Vec<(u64, u64)>,
    /// Capture times of this side's pictures by RTP timestamp.
    captured: BTreeMap<u32, u64>,
}

impl Side {
    fn new(number: u32, profile: &LinkProfile, start: MediaTime) -> Self {
        let path = VirtualEnd::new(number, profile, start);
        Self {
            video: VideoSend::new(path.own.video, 7, &path.state),
            sound_number: 0,
            random: fastrand::Rng::with_seed(number.into()),
            shown: Vec::new(),
            captured: BTreeMap::new(),
            path,
        }
    }

    /// Requests sent and packets recovered.
    fn counted(&self) -> [u64; 2] {
        let counters = &self.path.state.counters;
        [&counters.nacks_sent, &counters.packets_recovered].map(|counter| counter.load(Relaxed))
    }

    /// One millisecond of capturing and sending.
    fn go_on(&mut self, ms: u64, now: Instant) {
        if ms % 20 == 7 {
            self.sound(now);
        }
        // Thirty times a second.
        if ms * 30 % 1000 < 30 {
            self.capture(ms, now);
        }
        self.path.advance(now);
    }

    fn capture(&mut self, ms: u64, now: Instant) {
        if !self.path.state.pacer.is_empty() {
            return;
        }
        let keyframe = self.path.keyframe_wanted.swap(false, Relaxed);
        let target = self.path.state.path.media_bps();
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
        let unit = OutgoingPicture {
            codec: VideoCodec::PREFERRED,
            data: data.into(),
            keyframe,
            captured_at: MediaTime::of(now),
        };
        let mut packets = Vec::new();
        self.video.packetize(&unit, &mut packets, MediaTime::of(now));
        self.captured.insert(packets[0].header.timestamp, ms);
        for packet in packets {
            self.path.write(Packet::Rtp(packet), now);
        }
    }

    fn sound(&mut self, now: Instant) {
        self.sound_number = self.sound_number.wrapping_add(1);
        let header = rtp::header::Header {
            version: 2,
            ssrc: self.path.own.audio,
            sequence_number: self.sound_number,
            timestamp: u32::from(self.sound_number) * 960,
            payload_type: OPUS_PAYLOAD_TYPE,
            ..Default::default()
        };
        let payload = Bytes::from_static(&[1; 240]);
        self.path.write(Packet::Rtp(rtp::Packet { header, payload }), now);
    }
}

/// Pictures of both directions, the mean of several calls.
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
    /// Video, retransmissions and FEC, in kbit/s.
    kbps: [f64; 3],
}

/// Calls over a link, with FEC or without.
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
    let mut sides = [1, 2].map(|number| Side::new(number, profile, MediaTime::of(start)));
    for side in &sides {
        side.path.state.far.set(true, ahead, CodecSupport::default());
    }
    let mut before = [[0; 2]; 2];
    for ms in 0..WARM_UP + MEASURED {
        let now = start + Duration::from_millis(ms);
        for (n, before) in before.iter_mut().enumerate() {
            let [left, right] = &mut sides;
            let (side, far) = if n == 0 { (left, right) } else { (right, left) };
            let arrived = far.path.arrived(MediaTime::of(now));
            side.path.receive(arrived, now, |unit| side.shown.push((far.captured[&unit.rtp_timestamp], ms)));
            side.go_on(ms, now);
            if ms == WARM_UP {
                *before = side.counted();
                side.path.sent = [0; 3];
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
    let kbps = |kind: usize| sides.iter().map(|side| side.path.sent[kind]).sum::<usize>() as f64 * 0.008 / seconds;
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
        ("loss=2,delay=25", 0.3, 120.0),
        ("loss=10,delay=25", 0.3, 600.0),
        ("loss=10,burst=3,delay=25", 0.5, 950.0),
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
