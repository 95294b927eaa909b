//! What the network's side of a picture costs: packets of it, a picture of packets, and a report to the estimator.

#![allow(clippy::expect_used, clippy::unwrap_used, missing_docs, reason = "a measurement fails by panicking")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use visavis::codec::VideoCodec;
use visavis::jitter_buffer::{VideoJitterBuffer, VideoPacket};
use visavis::media::{MediaTime, OutgoingPicture};
use visavis::rtc::bwe::{BandwidthEstimator, PacketResult};
use visavis::rtc::packetizer::VideoPacketizer;

/// A picture of so many bytes at a time; 6250 are those of 1500 kbit/s at 30 pictures a second.
fn picture(bytes: usize, number: u64) -> OutgoingPicture {
    let mut data = vec![0x55; bytes];
    // Parameter sets, then a slice of a keyframe: decoding could start at each.
    let head = [0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0, 0, 0, 1, 0x68, 0xce, 0x38, 0x80, 0, 0, 0, 1, 0x65];
    data[..head.len()].copy_from_slice(&head);
    let captured_at = MediaTime::from_micros(number * 33_333);
    OutgoingPicture { codec: VideoCodec::PREFERRED, data: Bytes::from(data), keyframe: true, captured_at }
}

fn packetize(criterion: &mut Criterion) {
    for bytes in [6250, 50_000] {
        let mut packetizer = VideoPacketizer::new(1, 0);
        let picture = picture(bytes, 1);
        let mut packets = Vec::new();
        criterion.bench_function(&format!("packetize {bytes} bytes"), |bencher| {
            bencher.iter(|| {
                packets.clear();
                packetizer.packetize(&picture, &mut packets);
                packets.len()
            });
        });
    }
}

fn depacketize(criterion: &mut Criterion) {
    for bytes in [6250, 50_000] {
        let mut packetizer = VideoPacketizer::new(1, 0);
        let mut buffer = VideoJitterBuffer::new();
        let mut number = 0;
        let mut packets_of_next = || {
            number += 1;
            let mut packets = Vec::new();
            packetizer.packetize(&picture(bytes, number), &mut packets);
            let packets = packets.into_iter().map(|packet| VideoPacket {
                codec: VideoCodec::PREFERRED,
                sequence: packet.header.sequence_number,
                timestamp: packet.header.timestamp,
                marker: packet.header.marker,
                payload: packet.payload,
            });
            (MediaTime::from_micros(number * 33_333), packets.collect::<Vec<_>>())
        };
        criterion.bench_function(&format!("video jitter buffer and depacketizer, {bytes} bytes"), |bencher| {
            bencher.iter_batched(
                &mut packets_of_next,
                |(now, packets)| {
                    packets.into_iter().for_each(|packet| buffer.insert(packet, now));
                    buffer.poll(now)
                },
                // One after another: they are one stream.
                BatchSize::PerIteration,
            );
        });
    }
}

fn estimate(criterion: &mut Criterion) {
    /// Packets of 50 ms at 1500 kbit/s.
    const PACKETS: u32 = 8;
    let mut estimator = BandwidthEstimator::new();
    let start = Instant::now();
    let mut number = 0;
    criterion.bench_function("congestion estimator, one report", |bencher| {
        bencher.iter(|| {
            number += 1;
            let sent = Duration::from_millis(50) * number;
            let report = |n| PacketResult {
                departure: start + sent + Duration::from_millis(6) * n,
                size: 1200,
                arrival: Some(sent + Duration::from_millis(6) * n + Duration::from_millis(25)),
            };
            let reports: [PacketResult; PACKETS as usize] = std::array::from_fn(|n| report(n as u32));
            estimator.on_departure(start + sent);
            estimator.on_feedback(&reports, Duration::from_millis(50), start + sent + Duration::from_millis(75));
            estimator.target_bps()
        });
    });
}

criterion_group!(benches, packetize, depacketize, estimate);
criterion_main!(benches);
