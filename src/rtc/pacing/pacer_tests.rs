//! Tests of the pacer alone: order, pace, and the sending path's view.

use bytes::Bytes;
use rtc::interceptor::{AttributedPacket, Interceptor as _};
use rtc::sansio::Protocol;
use rtc::shared::TransportContext;

use super::super::{KeyframeStart, ProbeCluster, ProbeMark, QueuedPicture};
use super::*;
use crate::codec::VideoCodec;
use crate::rtc::stage::Staged;

const MS: fn(u64) -> Duration = Duration::from_millis;
const AUDIO: u32 = 1;
const VIDEO: u32 = 10;
const RTX: u32 = 11;
const FEC: u32 = 12;

struct Rig {
    pacer: Staged<Pacer>,
    state: ConnectionState,
    start: Instant,
    numbers: u16,
}

impl Rig {
    /// A pacer whose first burst is over, at so many bit/s in all.
    fn at(total_bps: u64) -> Self {
        let state = ConnectionState::default();
        state.path.set_target(total_bps, total_bps);
        let mut pacer = Pacer::new(&state);
        pacer.fresh = false;
        pacer.bucket = LeakyBucket::new(1.0);
        pacer.advance(Instant::now());
        let mut pacer = Staged::new(pacer);
        pacer.bind_local_stream(&StreamInfo { ssrc: AUDIO, mime_type: "audio/opus".to_owned(), ..Default::default() });
        pacer.bind_local_stream(&StreamInfo {
            ssrc: VIDEO,
            ssrc_rtx: Some(RTX),
            ssrc_fec: Some(FEC),
            payload_type_rtx: Some(103),
            mime_type: VideoCodec::PREFERRED.mime_type(),
            ..Default::default()
        });
        let start = Instant::now();
        let _ = MediaTime::of(start);
        Self { pacer, state, start, numbers: 0 }
    }

    /// Writes a packet of 1000 bytes on the wire; `what` stands at the start of its payload.
    fn write(&mut self, ssrc: u32, what: u16, marker: bool, ms: u64) {
        self.numbers += 1;
        let header = rtp::header::Header {
            version: 2,
            ssrc,
            sequence_number: self.numbers,
            timestamp: what.into(),
            marker,
            ..Default::default()
        };
        let mut payload = vec![0; 936];
        payload[..2].copy_from_slice(&what.to_be_bytes());
        let packet = Packet::Rtp(rtp::Packet { header, payload: Bytes::from(payload) });
        let message = AttributedPacket::new(packet);
        let now = self.start + MS(ms);
        self.pacer.handle_write(TaggedPacket { now, transport: TransportContext::default(), message }).unwrap();
    }

    /// Departures until `to`, by a timer of a millisecond: when, the stream, and the sequence number.
    fn left(&mut self, from: u64, to: u64) -> Vec<(u64, u32, u16)> {
        let mut left = Vec::new();
        for ms in from..=to {
            let now = self.start + MS(ms);
            if self.pacer.poll_timeout().is_some_and(|at| at <= now) {
                self.pacer.handle_timeout(now).unwrap();
            }
            while let Some(message) = self.pacer.poll_write() {
                let Packet::Rtp(packet) = message.message.packet else { continue };
                left.push((ms, packet.header.ssrc, packet.header.sequence_number));
            }
        }
        left
    }
}

#[test]
fn audio_goes_first_then_retransmissions_then_video_with_its_fec_in_order() {
    // 1040 kbit/s with the headroom: a packet of 1000 bytes each 7.7 ms.
    let mut rig = Rig::at(800_000);
    for (ssrc, what) in [(VIDEO, 1), (VIDEO, 1), (FEC, 1), (VIDEO, 2), (RTX, 7), (RTX, 8), (AUDIO, 1)] {
        rig.write(ssrc, what, false, 0);
    }
    let order: Vec<u32> = rig.left(0, 200).into_iter().map(|one| one.1).collect();
    assert_eq!(order, [VIDEO, AUDIO, RTX, RTX, VIDEO, FEC, VIDEO], "the first one found the bucket open");
}

#[test]
fn with_a_keyframe_or_once_they_are_given_up_earlier_pictures_and_repairs_of_the_stream_leave_no_more() {
    let mut rig = Rig::at(80_000);
    let entered = |rig: &Rig, what: u16, keyframe| {
        let captured_at = MediaTime::of(rig.start);
        let picture = QueuedPicture { ssrc: VIDEO, rtp_timestamp: what.into(), keyframe, captured_at, bytes: 3000 };
        rig.state.pacer.enter(picture, captured_at);
    };
    let streams = |left: Vec<(u64, u32, u16)>| left.into_iter().map(|one| (one.1, one.2)).collect::<Vec<_>>();
    entered(&rig, 1, false);
    for (ssrc, what) in [(VIDEO, 1), (VIDEO, 1), (FEC, 1), (RTX, 7), (RTX, 8)] {
        rig.write(ssrc, what, false, 0);
    }
    entered(&rig, 2, true);
    (0..2).for_each(|_| rig.write(VIDEO, 2, false, 0));
    assert_eq!(streams(rig.left(0, 1000)), [(VIDEO, 1), (VIDEO, 6), (VIDEO, 7)], "the first one found the bucket open");
    entered(&rig, 3, false);
    for (ssrc, what) in [(VIDEO, 3), (VIDEO, 3), (VIDEO, 3), (RTX, 9)] {
        rig.write(ssrc, what, false, 1000);
    }
    // Its first packet has left: 16.5 kbit are left.
    assert!(rig.state.pacer.give_up_overdue(VIDEO, 54_000, MediaTime::of(rig.start)));
    assert_eq!(streams(rig.left(1000, 3000)), [(VIDEO, 8)]);
}

#[test]
fn keyframes_of_two_streams_whose_packets_come_mixed_both_leave_whole() {
    const SCREEN: u32 = 20;
    let mut rig = Rig::at(800_000);
    rig.pacer.bind_local_stream(&StreamInfo {
        ssrc: SCREEN,
        mime_type: VideoCodec::PREFERRED.mime_type(),
        ..Default::default()
    });
    let captured_at = MediaTime::of(rig.start);
    for ssrc in [VIDEO, SCREEN] {
        let picture = QueuedPicture { ssrc, rtp_timestamp: 5, keyframe: true, captured_at, bytes: 3000 };
        rig.state.pacer.enter(picture, captured_at);
    }
    for ssrc in [VIDEO, SCREEN, VIDEO, SCREEN, VIDEO, SCREEN] {
        rig.write(ssrc, 5, false, 0);
    }
    let left: Vec<u16> = rig.left(0, 1000).into_iter().map(|one| one.2).collect();
    assert_eq!(left, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn everything_is_metered_at_the_total() {
    let mut rig = Rig::at(800_000);
    for n in 0..200 {
        rig.write([VIDEO, FEC, RTX][n % 3], n as u16, false, 0);
        if n % 10 == 0 {
            rig.write(AUDIO, n as u16, false, 0);
        }
    }
    let left = rig.left(0, 3000);
    assert_eq!(left.len(), 220);
    // 220 kB at 130 kB/s.
    assert!((1650..1750).contains(&left.last().unwrap().0), "{:?}", left.last());
}

#[test]
fn a_picture_may_use_a_pause_and_repairs_may_not() {
    let mut rig = Rig::at(800_000);
    rig.left(0, 1);
    (0..5).for_each(|_| rig.write(VIDEO, 1, false, 1000));
    assert_eq!(rig.left(1000, 1000).len(), 5, "40 ms of the pace");
    for ssrc in [FEC, RTX] {
        let mut rig = Rig::at(800_000);
        rig.left(0, 1);
        (0..20).for_each(|n| rig.write(ssrc, n, false, 1000));
        let times: Vec<u64> = rig.left(1000, 1400).into_iter().map(|one| one.0).collect();
        assert_eq!(times.len(), 20);
        let most = (0..400).map(|ms| times.iter().filter(|at| (1000 + ms..1005 + ms).contains(*at)).count()).max();
        assert_eq!(most, Some(1), "{ssrc}: {times:?}");
        assert!((1140..1165).contains(times.last().unwrap()), "{times:?}");
    }
}

#[test]
fn a_late_timer_costs_repairs_no_throughput_on_a_fast_path() {
    let mut rig = Rig::at(40_000_000);
    (0..200).for_each(|n| rig.write(RTX, n, false, 0));
    let last = rig.left(0, 200).last().copied().unwrap();
    assert!((28..=34).contains(&last.0), "200 kB at 6.5 MB/s: {last:?}");
}

#[test]
fn a_retransmission_that_waits_is_not_repeated_and_numbers_are_those_of_the_departures() {
    let mut rig = Rig::at(800_000);
    for what in [5, 6, 5, 6, 7] {
        rig.write(RTX, what, false, 0);
    }
    let numbers: Vec<u16> = rig.left(0, 200).into_iter().map(|one| one.2).collect();
    assert_eq!(numbers, [0, 1, 2, 3], "5 was asked for again after it had left, 6 before");
    rig.pacer.unbind_local_stream(&StreamInfo { ssrc: VIDEO, ssrc_rtx: Some(RTX), ..Default::default() });
    rig.pacer.bind_local_stream(&StreamInfo { ssrc: VIDEO, ssrc_rtx: Some(RTX), ..Default::default() });
    rig.write(RTX, 9, false, 300);
    assert_eq!(rig.left(300, 400).first().map(|one| one.2), Some(4), "never a number twice");
}

#[test]
fn the_queues_are_bounded() {
    let mut rig = Rig::at(80_000);
    (0..2000).for_each(|n| rig.write(RTX, n, false, 0));
    (0..10_000).for_each(|_| rig.write(VIDEO, 1, false, 0));
    assert!(rig.left(0, 1_000_000).len() <= MAX_RETRANSMISSIONS + MAX_MEDIA + 2);
}

#[test]
fn the_sending_path_sees_when_a_picture_begins_to_leave_and_when_it_has_left() {
    let mut rig = Rig::at(800_000);
    for (timestamp, keyframe) in [(1, true), (2, false), (3, false)] {
        let captured_at = MediaTime::of(rig.start);
        let picture = QueuedPicture { ssrc: VIDEO, rtp_timestamp: timestamp, keyframe, captured_at, bytes: 3000 };
        rig.state.pacer.enter(picture, captured_at);
        (0..3).for_each(|n| rig.write(VIDEO, timestamp as u16, n == 2, 0));
    }
    rig.left(0, 0);
    assert_eq!(rig.state.pacer.waiting(MediaTime::of(rig.start)), 2, "the first one leaves");
    assert_eq!(rig.state.counters.frames_sent.load(Relaxed), 0);
    rig.left(1, 30);
    assert_eq!(
        (rig.state.pacer.waiting(MediaTime::of(rig.start)), rig.state.counters.frames_sent.load(Relaxed)),
        (1, 1)
    );
    rig.left(31, 200);
    assert!(rig.state.pacer.is_empty());
    let counted = [&rig.state.counters.frames_sent, &rig.state.counters.video_bytes_sent].map(|one| one.load(Relaxed));
    assert_eq!(counted, [3, 9000]);
    let delay_us = rig.state.video.departure_delay().as_micros();
    assert!((55_000..75_000).contains(&delay_us), "{delay_us}");
}

#[test]
fn the_first_packet_of_each_keyframe_is_marked_and_no_other() {
    let mut rig = Rig::at(8_000_000);
    let captured_at = MediaTime::of(rig.start);
    // Both keyframes wait before the first one begins; the second one's first packet never comes.
    for (timestamp, keyframe) in [(1, true), (2, true), (3, false)] {
        let picture = QueuedPicture { ssrc: VIDEO, rtp_timestamp: timestamp, keyframe, captured_at, bytes: 3000 };
        rig.state.pacer.enter(picture, captured_at);
    }
    for timestamp in 1..=3 {
        rig.numbers += u16::from(timestamp == 2);
        (0..2).for_each(|n| rig.write(VIDEO, timestamp, n == 1, 0));
    }
    let mut marked = Vec::new();
    for ms in 0..=100 {
        rig.pacer.handle_timeout(rig.start + MS(ms)).unwrap();
        while let Some(message) = rig.pacer.poll_write() {
            let is_marked = message.message.custom::<KeyframeStart>().is_some();
            let Packet::Rtp(packet) = message.message.packet else { panic!() };
            marked.push((packet.header.sequence_number, is_marked));
        }
    }
    assert_eq!(marked, [(1, true), (2, false), (4, true), (5, false), (6, false), (7, false)]);
}

#[test]
fn another_path_begins_with_a_train_of_packets() {
    // A pause on the path before, however fast, gives no credit here.
    for before in [800_000, 20_000_000] {
        let mut rig = Rig::at(before);
        rig.left(0, 1);
        rig.write(VIDEO, 1, false, 500);
        assert_eq!(rig.left(500, 999).len(), 1);
        rig.state.path.changed();
        (0..30).for_each(|_| rig.write(VIDEO, 1, false, 1000));
        assert_eq!(rig.left(1000, 1000).len(), 15, "{before}");
    }
}

/// An empty report, with which a probe begins.
fn feedback(rig: &mut Rig, ms: u64) {
    let message = AttributedPacket::new(Packet::Rtcp(Vec::new()));
    let now = rig.start + MS(ms);
    rig.pacer.handle_read(TaggedPacket { now, transport: TransportContext::default(), message }).unwrap();
}

#[test]
fn a_probe_leaves_at_its_rate_as_retransmissions_of_recent_packets() {
    let mut rig = Rig::at(800_000);
    (0..4).for_each(|n| rig.write(VIDEO, n, n == 3, 0));
    rig.left(0, 100);
    let cluster = ProbeCluster { id: 7, rate_bps: 4_000_000, bytes: 7500, packets: 5, packet_bytes: 1000 };
    rig.state.pacer.request_probe(cluster);
    feedback(&mut rig, 1000);
    let (mut times, mut originals) = (Vec::new(), Vec::new());
    for ms in 1000..1100 {
        let now = rig.start + MS(ms);
        if rig.pacer.poll_timeout().is_some_and(|at| at <= now) {
            rig.pacer.handle_timeout(now).unwrap();
        }
        while let Some(message) = rig.pacer.poll_write() {
            assert_eq!(message.message.custom::<ProbeMark>(), Some(&ProbeMark(7)));
            let Packet::Rtp(packet) = message.message.packet else { panic!() };
            assert_eq!((packet.header.ssrc, packet.header.payload_type, packet.header.version), (RTX, 103, 2));
            times.push(ms);
            originals.push(u16::from_be_bytes([packet.payload[0], packet.payload[1]]));
        }
    }
    assert_eq!(times.len(), 8, "7500 bytes in packets of 1002");
    assert!((13..=16).contains(&(times[7] - times[0])), "a packet each 2 ms: {times:?}");
    assert!(originals.iter().all(|number| (1..=4).contains(number)), "{originals:?}");
    rig.write(RTX, 9, false, 2000);
    assert_eq!(rig.left(2000, 2100).first().map(|one| one.2), Some(8), "one numbering with the others");
}

#[test]
fn a_probe_of_small_packets_is_bounded() {
    let mut rig = Rig::at(800_000);
    (0..4).for_each(|n| rig.write(VIDEO, n, n == 3, 0));
    rig.left(0, 100);
    // 200 packets of the rig's: the far side's jitter buffer would start anew.
    let cluster = ProbeCluster { id: 1, rate_bps: 40_000_000, bytes: 200_000, packets: 5, packet_bytes: 1000 };
    rig.state.pacer.request_probe(cluster);
    feedback(&mut rig, 1000);
    assert_eq!(rig.left(1000, 1200).len(), 40);
}

#[test]
fn a_probe_takes_pictures_that_wait_and_ends_where_there_is_nothing_to_send() {
    let mut rig = Rig::at(800_000);
    let cluster = ProbeCluster { id: 1, rate_bps: 4_000_000, bytes: 7500, packets: 5, packet_bytes: 1000 };
    rig.state.pacer.request_probe(cluster);
    feedback(&mut rig, 0);
    assert!(rig.left(0, 100).is_empty() && rig.pacer.poll_timeout().is_none(), "no packet has left before");
    (0..20).for_each(|n| rig.write(VIDEO, n, false, 200));
    let before = rig.left(200, 200).len();
    rig.state.pacer.request_probe(cluster);
    feedback(&mut rig, 201);
    let soon = rig.left(201, 217);
    assert!(before <= 6 && soon.len() >= 8 && soon.iter().all(|one| one.1 == VIDEO), "{before}: {soon:?}");
}
