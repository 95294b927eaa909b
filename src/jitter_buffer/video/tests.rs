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
    let mut buffer = local();
    keyframe(&mut buffer, 100, 1, at(0));
    assert!(frame(&mut buffer, at(0)).is_some());
    buffer.insert(packet(103, 2, true, SLICE), at(33));
    assert!(buffer.poll(at(33)).is_none());
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
    let mut buffer = local();
    keyframe(&mut buffer, 100, 1, at(0));
    assert!(frame(&mut buffer, at(0)).is_some());
    buffer.insert(packet(103, 2, true, SLICE), at(33));
    assert!(buffer.poll(at(33)).is_none());
    assert!(needs_keyframe(&mut buffer, at(133)));
    keyframe(&mut buffer, 106, 3, at(180));
    assert!(frame(&mut buffer, at(180)).is_some_and(|frame| frame.keyframe));
    assert_eq!(buffer.packets_lost(), 3);
}

#[test]
fn a_repair_in_time_loses_nothing() {
    let mut buffer = local();
    keyframe(&mut buffer, 100, 1, at(0));
    assert!(frame(&mut buffer, at(0)).is_some());
    buffer.insert(packet(103, 2, true, SLICE), at(33));
    assert!(buffer.poll(at(33)).is_none());
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
    let mut buffer = local();
    keyframe(&mut buffer, 100, 1, at(0));
    assert!(frame(&mut buffer, at(0)).is_some());
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
    let mut buffer = local();
    keyframe(&mut buffer, 100, 1, at(0));
    assert!(frame(&mut buffer, at(0)).is_some());
    buffer.insert(packet(103, 2, true, SLICE), at(33));
    assert!(buffer.poll(at(33)).is_none());
    assert!(needs_keyframe(&mut buffer, at(133)));
    assert!(buffer.deadline().is_none());
}

#[test]
fn a_malformed_frame_is_treated_as_lost() {
    let mut buffer = local();
    keyframe(&mut buffer, 100, 1, at(0));
    assert!(frame(&mut buffer, at(0)).is_some());
    buffer.insert(packet(102, 2, true, &[0x7c, 0x05, 1]), at(33));
    assert!(needs_keyframe(&mut buffer, at(33)));
}

#[test]
fn padding_and_repetitions_change_nothing() {
    let mut buffer = local();
    keyframe(&mut buffer, 100, 1, at(0));
    assert!(frame(&mut buffer, at(0)).is_some());
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

proptest! {
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
