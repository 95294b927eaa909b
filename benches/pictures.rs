//! Costs of a picture: conversion of what cameras give, encoding, decoding. Encoder and decoder run on their own
//! threads, as in a call, so their figures hold the handing over, too.

#![allow(clippy::expect_used, clippy::unwrap_used, missing_docs, reason = "a measurement fails by panicking")]

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use visavis::capture::Encoding;
use visavis::capture::convert::{Converter, Layout, RawPicture};
use visavis::capture::test_card::TestCard;
use visavis::encoder::VideoEncoding;
use visavis::media::{
    Latest, MediaTime, OutgoingPicture, Plane, Preset, ReceivedPicture, RenditionPlans, VideoBudget, VideoFormat,
    VideoFrame,
};
use visavis::media_receive::{ShownPicture, VideoDecoding};

const SIZE: (usize, usize) = (1280, 720);
/// A picture that takes longer is not coming.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pictures of the test card, of which each differs from the one before.
fn pictures(count: u32) -> Vec<Arc<VideoFrame>> {
    let card = TestCard::new(SIZE.0 as u32, SIZE.1 as u32, 30);
    let picture = |number| {
        let mut frame = VideoFrame::black(card.width(), card.height());
        card.draw(number, &mut frame);
        Arc::new(frame)
    };
    (0..count).map(picture).collect()
}

fn convert(criterion: &mut Criterion) {
    let (width, height) = SIZE;
    let picture = pictures(1).remove(0);
    let yuyv: Vec<u8> = (0..width * height * 2).map(|n| picture.plane(Plane::Y)[n / 2]).collect();
    let nv12 = picture.as_bytes().to_vec();
    let planes = turbojpeg::YuvImage {
        pixels: picture.as_bytes(),
        width,
        align: 1,
        height,
        subsamp: turbojpeg::Subsamp::Sub2x2,
    };
    let jpeg = turbojpeg::compress_yuv(planes, 85).expect("a JPEG");
    let mut group = criterion.benchmark_group("convert to I420, 1280x720");
    group.throughput(Throughput::Elements(1));
    for (name, encoding, bytes) in
        [("YUYV", Encoding::Yuyv, &yuyv[..]), ("NV12", Encoding::Nv12, &nv12), ("MJPG", Encoding::Mjpeg, &jpeg)]
    {
        let layout = Layout::packed(encoding, width, height);
        let (mut converter, mut frame) = (Converter::default(), VideoFrame::black(width as u32, height as u32));
        group.bench_function(name, |bencher| {
            bencher.iter(|| converter.convert(RawPicture { layout, bytes }, &mut frame).expect("a picture"));
        });
    }
    group.finish();
}

/// An encoder that takes pictures from the slot and gives their access units to the receiver.
fn encoder(slot: &Arc<Latest<Arc<VideoFrame>>>) -> (VideoEncoding, Receiver<OutgoingPicture>) {
    let (sender, units) = sync_channel(4);
    // A rate so high that no picture is left out.
    let format = VideoFormat::of(Preset::HighWide, None, Some(8000));
    let encoding = VideoEncoding::start(
        Arc::clone(slot),
        format,
        |_| RenditionPlans::one(VideoBudget::UNLIMITED),
        move |_, unit| {
            sender.send(unit).expect("the measurement goes on");
        },
    );
    (encoding.expect("a thread"), units)
}

fn encode(criterion: &mut Criterion) {
    let slot = Arc::new(Latest::new());
    let (_encoding, units) = encoder(&slot);
    let mut pictures = Timed::new(pictures(30));
    criterion.bench_function("encode, 1280x720", |bencher| {
        let encode = |picture| {
            slot.put(picture);
            units.recv_timeout(PATIENCE).expect("an access unit")
        };
        bencher.iter_batched(|| pictures.next(), encode, BatchSize::PerIteration);
    });
}

fn decode(criterion: &mut Criterion) {
    let slot = Arc::new(Latest::new());
    let (encoding, units) = encoder(&slot);
    let mut pictures = Timed::new(pictures(30));
    let stream: Vec<ReceivedPicture> = (0..30)
        .map(|_| {
            slot.put(pictures.next());
            let OutgoingPicture { codec, data, keyframe, captured_at: arrived_at } =
                units.recv_timeout(PATIENCE).expect("an access unit");
            ReceivedPicture { codec, data, keyframe, arrived_at, rtp_timestamp: 0, capture_ntp: None }
        })
        .collect();
    drop(encoding);
    let (sender, shown) = sync_channel(4);
    let decoded = move |shown: Option<ShownPicture>| {
        if shown.is_some() {
            sender.send(()).expect("the measurement goes on");
        }
    };
    let mut decoding = VideoDecoding::start(Arc::new(Latest::new()), decoded, || {}).expect("a thread");
    // The stream begins with its keyframe, so it can be played again and again.
    let mut units = stream.iter().cycle();
    criterion.bench_function("decode, 1280x720", |bencher| {
        bencher.iter(|| {
            decoding.decode(units.next().expect("endless").clone());
            shown.recv_timeout(PATIENCE).expect("a picture")
        });
    });
}

/// Pictures again and again, each 1/30 s after the one before: the encoder leaves out what comes sooner.
struct Timed {
    pictures: Vec<Arc<VideoFrame>>,
    number: u64,
}

impl Timed {
    fn new(pictures: Vec<Arc<VideoFrame>>) -> Self {
        Self { pictures, number: 0 }
    }

    fn next(&mut self) -> Arc<VideoFrame> {
        self.number += 1;
        let drawn = &self.pictures[self.number as usize % self.pictures.len()];
        let mut picture = VideoFrame::black(drawn.width(), drawn.height());
        picture.as_bytes_mut().copy_from_slice(drawn.as_bytes());
        picture.captured_at = MediaTime::from_micros(self.number * 1_000_000 / 30);
        Arc::new(picture)
    }
}

criterion_group!(benches, convert, encode, decode);
criterion_main!(benches);
