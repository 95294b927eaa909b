//! What 20 ms of sound cost: Opus both ways, the jitter buffer, the mixer.

#![allow(clippy::expect_used, clippy::unwrap_used, missing_docs, reason = "a measurement fails by panicking")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use visavis::decoder::audio::AudioDecoder;
use visavis::encoder::AudioEncoder;
use visavis::jitter_buffer::audio::AudioJitterBuffer;
use visavis::media::{FRAME_SAMPLES, MediaTime, OutgoingSound, ReceivedSound};
use visavis::playout::mixer;

const FRAME_MS: u64 = 20;

fn tone(number: u64) -> [f32; FRAME_SAMPLES] {
    std::array::from_fn(|n| ((number * FRAME_SAMPLES as u64 + n as u64) as f32 * 0.05).sin() * 0.5)
}

fn packets(count: u64) -> Vec<OutgoingSound> {
    let mut encoder = AudioEncoder::new().expect("an encoder");
    let encode = |number| encoder.encode(&tone(number), MediaTime::from_millis(number * FRAME_MS)).expect("a packet");
    (0..count).map(encode).collect()
}

fn opus(criterion: &mut Criterion) {
    let (mut encoder, sound) = (AudioEncoder::new().expect("an encoder"), tone(0));
    let mut number = 0;
    criterion.bench_function("encode Opus, 20 ms", |bencher| {
        bencher.iter(|| {
            number += 1;
            encoder.encode(&sound, MediaTime::from_millis(number * FRAME_MS)).expect("a packet")
        });
    });
    let (mut decoder, packets) = (AudioDecoder::new().expect("a decoder"), packets(50));
    let mut packets = packets.iter().cycle();
    criterion.bench_function("decode Opus, 20 ms", |bencher| {
        bencher.iter(|| decoder.decode(&packets.next().expect("endless").data).expect("sound").len());
    });
}

fn jitter_buffer(criterion: &mut Criterion) {
    let data = packets(1).remove(0).data;
    let mut buffer = AudioJitterBuffer::new();
    let mut number = 0_u64;
    criterion.bench_function("audio jitter buffer, in and out", |bencher| {
        bencher.iter(|| {
            number += 1;
            let now = MediaTime::from_millis(number * FRAME_MS);
            let rtp_timestamp = (number * FRAME_SAMPLES as u64) as u32;
            let (data, sequence, arrived_at) = (data.clone(), number as u16, now);
            let packet =
                ReceivedSound { data, sequence, rtp_timestamp, arrived_at, capture_ntp: None, recovered: false };
            buffer.push(packet, FRAME_SAMPLES as u32, false, now);
            buffer.pull(false, 0, now)
        });
    });
}

fn mix(criterion: &mut Criterion) {
    let voices: Vec<_> = (0..4).map(tone).collect();
    criterion.bench_function("mix four voices, 20 ms", |bencher| {
        bencher.iter(|| {
            let mut mix = [0.0; FRAME_SAMPLES];
            voices.iter().for_each(|voice| mixer::add(&mut mix, black_box(voice)));
            mixer::limit(&mut mix);
            mix
        });
    });
}

criterion_group!(benches, opus, jitter_buffer, mix);
criterion_main!(benches);
