//! Order, loss, late packets, floods and arbitrary streams, with time as the tests have it.

use proptest::prelude::*;

use super::*;
use crate::codec::VideoCodec;

const fn at(millis: u64) -> MediaTime {
    MediaTime::from_millis(millis)
}

fn packet(sequence: u16, frame: u32, marker: bool, payload: &'static [u8]) -> VideoPacket {
    VideoPacket {
        codec: VideoCodec::PREFERRED,
        sequence,
        timestamp: frame * 3000,
        marker,
        payload: Bytes::from_static(payload),
    }
}

const SPS: &[u8] = &[0x67, 1];
const IDR: &[u8] = &[0x65, 1];
const SLICE: &[u8] = &[0x41, 1];

fn keyframe(buffer: &mut VideoJitterBuffer, first: u16, frame: u32, now: MediaTime) {
    buffer.insert(packet(first, frame, false, SPS), now);
    buffer.insert(packet(first.wrapping_add(1), frame, true, IDR), now);
}

/// A buffer on a local network, which waits 100 ms.
fn local() -> VideoJitterBuffer {
    let mut buffer = VideoJitterBuffer::new();
    buffer.set_round_trip(Duration::from_millis(1));
    buffer
}

fn frame(buffer: &mut VideoJitterBuffer, now: MediaTime) -> Option<ReceivedPicture> {
    buffer.poll(now)
}

/// The same, once a keyframe of the packets 100 and 101 has left it.
fn after_a_keyframe() -> VideoJitterBuffer {
    let mut buffer = local();
    keyframe(&mut buffer, 100, 1, at(0));
    assert!(frame(&mut buffer, at(0)).is_some());
    buffer
}

/// The same with a picture at 33 ms, of the packets 102, which is missing, and 103.
fn with_a_gap() -> VideoJitterBuffer {
    let mut buffer = after_a_keyframe();
    buffer.insert(packet(103, 2, true, SLICE), at(33));
    assert!(buffer.poll(at(33)).is_none());
    buffer
}

/// Nothing comes out but that a keyframe is needed.
fn needs_keyframe(buffer: &mut VideoJitterBuffer, now: MediaTime) -> bool {
    buffer.poll(now).is_none() && buffer.needs_keyframe()
}

#[test]
fn a_frame_leaves_with_its_marker_and_does_not_wait_for_the_next() {
    let mut buffer = local();
    keyframe(&mut buffer, 65_534, 1, at(5));
    let first = frame(&mut buffer, at(5)).unwrap();
    assert!(first.keyframe);
    assert_eq!((first.arrived_at, first.rtp_timestamp), (at(5), 3000));
    buffer.insert(packet(0, 2, false, SLICE), at(38));
    assert!(buffer.poll(at(38)).is_none());
    buffer.insert(packet(1, 2, true, SLICE), at(39));
    let second = frame(&mut buffer, at(39)).unwrap();
    assert!(!second.keyframe);
    assert_eq!(second.data.len(), 12);
}

#[test]
fn it_starts_at_a_keyframe_and_needs_one() {
    let mut buffer = local();
    assert!(!needs_keyframe(&mut buffer, at(0)), "nothing is needed of a stream that has not begun");
    buffer.insert(packet(10, 1, true, SLICE), at(0));
    assert!(!needs_keyframe(&mut buffer, at(0)), "its first packets may have been overtaken");
    assert_eq!(buffer.deadline(), Some(at(100)));
    assert!(needs_keyframe(&mut buffer, at(100)));
    buffer.insert(packet(11, 2, true, SLICE), at(133));
    assert!(needs_keyframe(&mut buffer, at(133)), "it goes on being needed");
    keyframe(&mut buffer, 12, 4, at(466));
    assert!(frame(&mut buffer, at(466)).is_some_and(|frame| frame.keyframe));
    assert!(!needs_keyframe(&mut buffer, at(466)));
    assert_eq!(buffer.packets_lost(), 0, "what was perhaps never sent is not lost");
}

#[test]
fn the_first_packet_of_the_stream_may_be_overtaken() {
    let mut buffer = local();
    buffer.insert(packet(11, 1, true, IDR), at(0));
    assert!(buffer.poll(at(0)).is_none());
    buffer.insert(packet(10, 1, false, SPS), at(3));
    assert!(frame(&mut buffer, at(3)).is_some_and(|frame| frame.keyframe));
    assert!(buffer.deadline().is_none());
}

#[test]
fn a_keyframe_whose_first_packet_is_repaired_is_used() {
    let mut buffer = with_a_gap();
    assert!(needs_keyframe(&mut buffer, at(133)));
    // The requested keyframe comes without its first packet, 104.
    buffer.insert(packet(105, 3, true, IDR), at(180));
    assert!(buffer.poll(at(180)).is_none());
    buffer.insert(packet(104, 3, false, SPS), at(220));
    assert!(frame(&mut buffer, at(220)).is_some_and(|frame| frame.keyframe));
    assert_eq!(buffer.packets_lost(), 1);
}

#[test]
fn what_is_missing_before_a_later_keyframe_is_not_waited_for() {
    let mut buffer = with_a_gap();
    assert!(needs_keyframe(&mut buffer, at(133)));
    keyframe(&mut buffer, 106, 3, at(180));
    assert!(frame(&mut buffer, at(180)).is_some_and(|frame| frame.keyframe));
    assert_eq!(buffer.packets_lost(), 3);
}

#[test]
fn a_repair_in_time_loses_nothing() {
    let mut buffer = with_a_gap();
    assert_eq!(buffer.deadline(), Some(at(133)));
    buffer.insert(packet(102, 2, false, SLICE), at(60));
    let frame = frame(&mut buffer, at(60)).unwrap();
    assert_eq!(frame.arrived_at, at(60), "a frame is here when its last packet is");
    assert_eq!((buffer.packets_lost(), buffer.deadline()), (0, None));
}

#[test]
fn a_loss_without_repair_is_given_up_in_time_and_decoding_goes_on_at_the_next_keyframe() {
    let mut buffer = local();
    buffer.set_round_trip(Duration::from_millis(10));
    keyframe(&mut buffer, 100, 1, at(0));
    assert!(frame(&mut buffer, at(0)).is_some());
    buffer.insert(packet(103, 2, true, SLICE), at(33));
    buffer.insert(packet(104, 3, true, SLICE), at(66));
    assert!(buffer.poll(at(132)).is_none());
    assert_eq!(buffer.deadline(), Some(at(232)));
    buffer.insert(packet(105, 4, false, SPS), at(200));
    assert!(buffer.poll(at(231)).is_none());
    assert!(buffer.poll(at(232)).is_none(), "the keyframe is not whole");
    buffer.insert(packet(106, 4, true, IDR), at(240));
    let next = frame(&mut buffer, at(240)).unwrap();
    assert!(next.keyframe && next.rtp_timestamp == 12_000);
    assert_eq!(buffer.packets_lost(), 1);
}

#[test]
fn a_whole_keyframe_makes_a_repair_needless() {
    let mut buffer = after_a_keyframe();
    buffer.insert(packet(103, 2, true, SLICE), at(33));
    buffer.insert(packet(104, 3, false, SPS), at(66));
    assert!(buffer.poll(at(66)).is_none());
    buffer.insert(packet(105, 3, true, IDR), at(70));
    assert!(frame(&mut buffer, at(70)).is_some_and(|frame| frame.keyframe));
    assert_eq!((buffer.packets_lost(), buffer.deadline()), (1, None));
    buffer.insert(packet(102, 2, false, SLICE), at(80));
    buffer.insert(packet(106, 4, true, SLICE), at(100));
    assert!(frame(&mut buffer, at(100)).is_some_and(|frame| !frame.keyframe), "it goes on");
}

#[test]
fn without_a_later_keyframe_one_is_needed() {
    let mut buffer = with_a_gap();
    assert!(needs_keyframe(&mut buffer, at(133)));
    assert!(buffer.deadline().is_none());
}

#[test]
fn a_malformed_frame_is_treated_as_lost() {
    let mut buffer = after_a_keyframe();
    buffer.insert(packet(102, 2, true, &[0x7c, 0x05, 1]), at(33));
    assert!(needs_keyframe(&mut buffer, at(33)));
}

#[test]
fn padding_and_repetitions_change_nothing() {
    let mut buffer = after_a_keyframe();
    buffer.insert(packet(102, 1, false, &[]), at(1));
    buffer.insert(packet(101, 1, true, IDR), at(1));
    buffer.insert(packet(103, 2, true, SLICE), at(33));
    buffer.insert(packet(103, 2, true, SLICE), at(33));
    assert!(frame(&mut buffer, at(33)).is_some_and(|frame| frame.data.len() == 6));
    assert!(buffer.poll(at(34)).is_none());
}

#[test]
fn a_sender_that_counts_anew_is_followed() {
    let mut buffer = local();
    keyframe(&mut buffer, 40_000, 1, at(0));
    assert!(frame(&mut buffer, at(0)).is_some());
    let mut frames = 0;
    for number in 0..200_u16 {
        let now = at(33 * u64::from(number + 1));
        if number % 50 == 0 {
            keyframe(&mut buffer, 20_000 + number * 2, u32::from(number) + 2, now);
        } else {
            buffer.insert(packet(20_000 + number * 2, u32::from(number) + 2, false, SLICE), now);
            buffer.insert(packet(20_001 + number * 2, u32::from(number) + 2, true, SLICE), now);
        }
        while buffer.poll(now).is_some() {
            frames += 1;
        }
    }
    assert!(frames >= 100, "{frames}");
}

/// A sequence parameter set that has pictures numbered in four bits, and the keyframe behind it.
const SET: &[u8] = &[0x67, 66, 0xc0, 31, 0xda, 0x71];
const FIRST: &[u8] = &[0x65, 0xe0, 0x88, 0x99];

/// A picture of one packet with this `frame_num`, of the lower or the upper temporal layer.
fn layered(sequence: u16, frame: u32, upper: bool, frame_num: u8) -> VideoPacket {
    let bits = 0b1110_0000_0000_0000 | u16::from(frame_num & 15) << 9 | 0x155;
    let payload = [&[if upper { 0x01 } else { 0x61 }][..], &bits.to_be_bytes(), &[0x99]].concat();
    VideoPacket { payload: payload.into(), ..packet(sequence, frame, true, &[]) }
}

fn begun() -> VideoJitterBuffer {
    let mut buffer = local();
    buffer.insert(packet(10, 1, false, SET), at(0));
    buffer.insert(packet(11, 1, true, FIRST), at(0));
    assert!(frame(&mut buffer, at(0)).is_some());
    buffer
}

/// Pictures of two layers up to the sixth of the lower one, all of which have left.
fn in_two_layers() -> VideoJitterBuffer {
    let mut buffer = begun();
    for number in 1..6_u8 {
        let (sequence, frame) = (10 + 2 * u16::from(number), 2 * u32::from(number));
        buffer.insert(layered(sequence, frame, true, number), at(33));
        buffer.insert(layered(sequence + 1, frame + 1, false, number), at(33));
        assert!(buffer.poll(at(33)).is_some() && buffer.poll(at(33)).is_some());
    }
    buffer
}

#[test]
fn a_lost_picture_that_no_other_refers_to_is_passed_over_once_the_next_one_is_here() {
    let mut buffer = in_two_layers();
    buffer.insert(layered(23, 13, false, 6), at(66));
    assert!(frame(&mut buffer, at(66)).is_some() && !buffer.needs_keyframe() && buffer.deadline().is_none());
    assert_eq!(buffer.packets_lost(), 1);
    buffer.insert(layered(22, 12, true, 6), at(70));
    assert!(buffer.poll(at(70)).is_none(), "too late");
    buffer.insert(layered(24, 14, true, 7), at(99));
    assert!(frame(&mut buffer, at(99)).is_some());
    // The end of the next one of the upper layer is lost.
    buffer.insert(VideoPacket { marker: false, ..layered(25, 15, true, 7) }, at(120));
    buffer.insert(packet(26, 15, false, &[]), at(120));
    buffer.insert(layered(28, 16, false, 7), at(132));
    assert!(frame(&mut buffer, at(132)).is_some_and(|picture| picture.rtp_timestamp == 16 * 3000));
}

#[test]
fn a_lost_reference_is_waited_for_whatever_comes_behind_it() {
    let mut buffer = in_two_layers();
    buffer.insert(layered(23, 13, true, 7), at(66));
    buffer.insert(layered(24, 14, false, 7), at(99));
    assert!(buffer.poll(at(99)).is_none() && buffer.deadline().is_some());
    buffer.insert(layered(22, 12, false, 6), at(110));
    for number in 12..15 {
        assert!(frame(&mut buffer, at(110)).is_some_and(|picture| picture.rtp_timestamp == number * 3000));
    }
}

#[test]
fn half_of_the_next_picture_is_no_reason_to_pass_over_the_one_before() {
    let mut buffer = in_two_layers();
    buffer.insert(VideoPacket { marker: false, ..layered(23, 13, false, 6) }, at(66));
    assert!(buffer.poll(at(66)).is_none());
    buffer.insert(layered(22, 12, true, 6), at(70));
    assert!(frame(&mut buffer, at(70)).is_some_and(|picture| picture.rtp_timestamp == 12 * 3000));
}

#[test]
fn a_stream_of_one_layer_passes_over_nothing() {
    let mut buffer = begun();
    for number in 1..10_u8 {
        buffer.insert(layered(11 + u16::from(number), 1 + u32::from(number), false, number), at(33));
        assert!(buffer.poll(at(33)).is_some());
    }
    buffer.insert(layered(22, 12, false, 10), at(66));
    assert!(buffer.poll(at(66)).is_none() && buffer.deadline().is_some());
}

/// A stream of keyframes, each of five packets, and behind each as many pictures of the lower layer as it says; with
/// two layers, one of the upper one before each of those. A packet, and the number of the last picture it needs.
fn stream(keyframes: &[u8], layers: u8) -> Vec<(VideoPacket, Option<u32>)> {
    let mut packets = Vec::new();
    let mut frame = 0;
    for &pictures in keyframes {
        frame += 1;
        let parts = [SET, &[0x68, 1], &[0x7c, 0x85, 0xe0, 0x88], &[0x7c, 0x05, 1], &[0x7c, 0x45, 2]];
        packets.extend((0..).zip(parts).map(|(part, payload)| (packet(0, frame, part == 4, payload), None)));
        let mut reference = Some(frame);
        for number in 1..=pictures {
            for upper in [true, false].into_iter().filter(|upper| layers == 2 || !upper) {
                frame += 1;
                packets.push((layered(0, frame, upper, number), reference));
                reference = if upper { reference } else { Some(frame) };
            }
        }
    }
    (10..).zip(&mut packets).for_each(|(sequence, (packet, _))| packet.sequence = sequence);
    packets
}

/// Numbers of the pictures that leave when those packets arrive that `arrives` says, by their place in the stream, none
/// of them without the one that it needs; and whether a keyframe is needed in the end.
fn shown(packets: &[(VideoPacket, Option<u32>)], arrives: impl Fn(usize) -> bool) -> (Vec<u32>, bool) {
    let mut buffer = local();
    let (mut shown, mut latest) = (Vec::new(), None);
    for (place, (packet, _)) in packets.iter().enumerate().filter(|(place, _)| arrives(*place)) {
        let now = at(place as u64);
        buffer.insert(packet.clone(), now);
        while let Some(picture) = buffer.poll(now) {
            let number = picture.rtp_timestamp / 3000;
            let of_it = || packets.iter().filter(|(packet, _)| packet.timestamp == picture.rtp_timestamp);
            let needed = of_it().next().unwrap().1;
            assert!(needed.is_none() || needed == latest, "{number} without {needed:?}, behind {latest:?}");
            if !of_it().any(|(packet, _)| packet.codec.is_discardable(&packet.payload)) {
                latest = Some(number);
            }
            shown.push(number);
        }
    }
    let needed = needs_keyframe(&mut buffer, at(packets.len() as u64 + 100));
    (shown, needed)
}

#[test]
fn a_keyframe_with_a_hole_is_waited_for_whatever_its_pictures_are_numbered() {
    for layers in [1, 2] {
        for before in [0, 1, 3] {
            let packets = stream(&[before, before + 3], layers);
            let whole = 5 + usize::from(before * layers);
            let of_first: Vec<_> = (1..=1 + u32::from(before * layers)).collect();
            for hole in [whole..whole + 1, whole + 2..whole + 3, whole + 4..whole + 5, whole..whole + 5] {
                let shown = shown(&packets, |place| !hole.contains(&place));
                assert_eq!(
                    shown,
                    (of_first.clone(), true),
                    "{layers} layers, {before} pictures before, {hole:?} missing"
                );
            }
            // The keyframe is lost with all that is before the picture of the next number.
            let lost = whole..whole + 5 + usize::from(before * layers) + usize::from(layers == 2);
            assert_eq!(shown(&packets, |place| !lost.contains(&place)), (of_first, true), "{layers} {before} {lost:?}");
        }
    }
}

proptest! {
    #[test]
    fn no_picture_leaves_without_the_one_that_it_needs(
        keyframes in prop::collection::vec(0_u8..40, 1..5),
        layers in 1_u8..3,
        lost in prop::collection::vec((0_usize..200, 1_usize..25), 0..12),
    ) {
        let packets = stream(&keyframes, layers);
        shown(&packets, |place| !lost.iter().any(|&(from, count)| (from..from + count).contains(&place)));
    }

    #[test]
    fn no_sequence_of_packets_makes_it_panic_or_grow(
        packets in prop::collection::vec((any::<u16>(), 0_u32..4, any::<bool>(), prop::collection::vec(any::<u8>(), 0..40)), 0..400),
        near in any::<bool>(),
    ) {
        let mut buffer = local();
        for (number, (sequence, timestamp, marker, payload)) in packets.into_iter().enumerate() {
            let now = at(number as u64);
            let sequence = if near { sequence % 64 } else { sequence };
            let codec = VideoCodec::PREFERRED;
            buffer.insert(VideoPacket { codec, sequence, timestamp, marker, payload: Bytes::from(payload) }, now);
            let mut outputs = 0;
            while buffer.poll(now).is_some() {
                outputs += 1;
                prop_assert!(outputs <= MAX_PACKETS);
            }
            prop_assert!(buffer.packets.len() as u64 <= MAX_PACKETS);
            prop_assert!(buffer.bytes <= MAX_BYTES);
            let kept: usize = buffer.packets.iter().flatten().map(|packet| packet.payload.len()).sum();
            prop_assert_eq!(kept, buffer.bytes);
        }
    }

    #[test]
    fn reordering_within_the_wait_loses_no_frame(order in Just((2_u16..62).collect::<Vec<_>>()).prop_shuffle()) {
        let mut buffer = local();
        keyframe(&mut buffer, 0, 0, at(0));
        prop_assert!(frame(&mut buffer, at(0)).is_some());
        let mut frames = 0;
        for sequence in order {
            buffer.insert(packet(sequence, u32::from(sequence) / 2, sequence % 2 == 1, SLICE), at(10));
            while buffer.poll(at(10)).is_some() {
                frames += 1;
            }
        }
        prop_assert_eq!(frames, 30);
    }
}
