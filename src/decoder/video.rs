//! The video decoder of one remote participant: H.264 by openh264, on a thread of its own.
//!
//! ```text
//! jitter buffer -> a short queue -> [the decoder thread here] -> FrameSlot (latest wins) -> tile
//! ```
//!
//! The thread owns the codec and a pool of pictures: each one is copied once, out of the codec into the pool. Every
//! frame matters to H.264, so a full queue drops up to the next keyframe. The input is a stranger's: sizes are read and
//! checked before the codec sees a sequence parameter set, and an error means waiting for the next keyframe.

pub mod parameter_set;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use openh264::OpenH264API;
use openh264::decoder::{DecodedYUV, Decoder, DecoderConfig, Flush};
use openh264::formats::YUVSource;

use crate::media::{FramePool, FrameSlot, ReceivedPicture, Spacing, VideoFrame};

/// Pictures larger than this on a side are refused.
const MAX_SIDE: u32 = 1920;
/// Pixels of all pictures that a stream may make the codec keep: four of 1920x1088, as in level 4 (ITU-T H.264, table
/// A-1).
const MAX_KEPT_PIXELS: u64 = 4 * 1920 * 1088;
/// Access units that wait for the decoder at most.
const QUEUE: usize = 8;
/// A request for a keyframe can be lost: while one is missing it is made again.
const KEYFRAME_REQUEST_INTERVAL: Duration = Duration::from_millis(300);

/// What the decoder thread reports, on that thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecoderEvent {
    /// A picture went into the slot.
    Picture {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// From the arrival of its last packet to the slot, in microseconds.
        delay_us: u64,
    },
    /// Decoding cannot go on without a keyframe.
    KeyframeNeeded,
}

/// The running decoder thread of one participant.
#[derive(Debug)]
pub struct VideoDecoding {
    queue: Option<SyncSender<ReceivedPicture>>,
    dropping: bool,
    keyframe_requests: Spacing,
    thread: Option<JoinHandle<()>>,
}

impl VideoDecoding {
    /// Starts the thread. Pictures go to `output`; `report` is called on the decoder thread.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn start(output: Arc<FrameSlot>, report: impl FnMut(DecoderEvent) + Send + 'static) -> io::Result<Self> {
        let (queue, units) = sync_channel(QUEUE);
        let thread =
            std::thread::Builder::new().name("video-decoder".to_owned()).spawn(move || run(&units, &output, report))?;
        Ok(Self {
            queue: Some(queue),
            dropping: false,
            keyframe_requests: Spacing::new(KEYFRAME_REQUEST_INTERVAL),
            thread: Some(thread),
        })
    }

    /// Hands an access unit over without waiting. False when the caller should request a keyframe: the decoder is
    /// behind, and units are dropped up to the next keyframe.
    pub fn decode(&mut self, unit: ReceivedPicture) -> bool {
        let arrived_at = unit.arrived_at;
        let Some(queue) = &self.queue else { return true };
        if !self.dropping || unit.keyframe {
            self.dropping = matches!(queue.try_send(unit), Err(TrySendError::Full(_)));
        }
        !self.dropping || !self.keyframe_requests.permits(arrived_at)
    }

    /// Ends the thread and waits for it. Blocks: call it where that is allowed.
    pub fn finish(mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a video decoder thread ended by a panic");
        }
    }
}

fn run(units: &Receiver<ReceivedPicture>, output: &FrameSlot, mut report: impl FnMut(DecoderEvent)) {
    let mut decoder = VideoDecoder::new();
    let mut keyframe_requests = Spacing::new(KEYFRAME_REQUEST_INTERVAL);
    while let Ok(unit) = units.recv() {
        match decoder.decode(&unit) {
            Ok(Some(picture)) => {
                let (width, height) = (picture.width(), picture.height());
                output.put(picture);
                let delay_us = crate::media::MediaTime::now().since(unit.arrived_at).as_micros() as u64;
                report(DecoderEvent::Picture { width, height, delay_us });
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "an access unit could not be decoded"),
        }
        if decoder.awaiting_keyframe && keyframe_requests.permits(unit.arrived_at) {
            report(DecoderEvent::KeyframeNeeded);
        }
    }
}

/// Why an access unit gave no picture.
#[derive(Debug, thiserror::Error)]
enum DecodeError {
    #[error("a sequence parameter set is malformed or too large")]
    Size,
    #[error(transparent)]
    Codec(#[from] openh264::Error),
}

/// The codec, owned by the decoder thread.
struct VideoDecoder {
    codec: Option<Decoder>,
    pool: FramePool,
    awaiting_keyframe: bool,
}

impl VideoDecoder {
    fn new() -> Self {
        Self { codec: None, pool: FramePool::new(), awaiting_keyframe: true }
    }

    /// Decodes one access unit; `None` when it gives no picture (yet).
    fn decode(&mut self, unit: &ReceivedPicture) -> Result<Option<Arc<VideoFrame>>, DecodeError> {
        if unit.data.is_empty() || (self.awaiting_keyframe && !unit.keyframe) {
            return Ok(None);
        }
        if !parameter_set::all_within(&unit.data, MAX_SIDE, MAX_KEPT_PIXELS) {
            self.awaiting_keyframe = true;
            return Err(DecodeError::Size);
        }
        let decoded = self.decode_checked(unit);
        self.awaiting_keyframe = decoded.is_err();
        if decoded.is_err() {
            // The codec's state after an error is not relied on: the next keyframe starts a new one.
            self.codec = None;
        }
        decoded
    }

    fn decode_checked(&mut self, unit: &ReceivedPicture) -> Result<Option<Arc<VideoFrame>>, DecodeError> {
        let codec = match &mut self.codec {
            Some(codec) => codec,
            empty => {
                let config = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
                empty.insert(Decoder::with_api_config(OpenH264API::from_source(), config)?)
            }
        };
        let Some(picture) = codec.decode(&unit.data)? else { return Ok(None) };
        let (width, height) = picture.dimensions();
        if width.max(height) > MAX_SIDE as usize || width < 2 || height < 2 {
            return Err(DecodeError::Size);
        }
        self.pool.produce(width as u32, height as u32, |frame| copy(&picture, frame).ok_or(DecodeError::Size)).map(Some)
    }
}

/// Decodes access units as a stranger sends them, for the fuzzer: each is a byte whose lowest bit says that decoding
/// can start there, two for its length, and the unit.
pub fn fuzz_access_units(bytes: &[u8]) {
    let mut decoder = VideoDecoder::new();
    let mut rest = bytes;
    while let [flags, high, low, more @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(more.len());
        let (data, more) = more.split_at(length);
        let data = bytes::Bytes::copy_from_slice(data);
        let (arrived_at, keyframe) = (crate::media::MediaTime::default(), flags & 1 == 1);
        let _ = decoder.decode(&ReceivedPicture { data, keyframe, arrived_at, rtp_timestamp: 0, capture_ntp: None });
        rest = more;
    }
}

/// Copies the codec's planes, whose rows are padded, into a packed frame.
fn copy(picture: &DecodedYUV<'_>, frame: &mut VideoFrame) -> Option<()> {
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let strides = picture.strides();
    let (y, u, v) = frame.planes_mut();
    copy_plane(picture.y(), strides.0, y, width, height)?;
    copy_plane(picture.u(), strides.1, u, width / 2, height / 2)?;
    copy_plane(picture.v(), strides.2, v, width / 2, height / 2)
}

fn copy_plane(source: &[u8], stride: usize, target: &mut [u8], width: usize, height: usize) -> Option<()> {
    if stride < width {
        return None;
    }
    for (row, line) in target.chunks_exact_mut(width).take(height).enumerate() {
        line.copy_from_slice(source.get(row * stride..row * stride + width)?);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::encoder::video::VideoEncoding;
    use crate::media::{MediaTime, OutgoingPicture, RenditionPlans, VideoBudget, VideoFormat};

    fn encoded(width: u32, height: u32, count: u64) -> Vec<ReceivedPicture> {
        let input = Arc::new(FrameSlot::new());
        let (units, received) = mpsc::sync_channel(64);
        let format = VideoFormat { width, height, max_fps: 30, max_kbps: 2000 };
        let _encoding = VideoEncoding::start(
            Arc::clone(&input),
            format,
            |_| RenditionPlans::one(VideoBudget::UNLIMITED),
            move |_, unit| {
                let _ = units.try_send(unit);
            },
        )
        .unwrap();
        (0..count)
            .map(|number| {
                let mut frame = VideoFrame::black(width, height);
                frame.captured_at = MediaTime::from_millis(number * 33);
                let (y, _, v) = frame.planes_mut();
                y.fill(60 + number as u8 * 10);
                v.fill(180);
                input.put(Arc::new(frame));
                let OutgoingPicture { data, keyframe, captured_at } =
                    received.recv_timeout(Duration::from_secs(20)).unwrap();
                ReceivedPicture { data, keyframe, arrived_at: captured_at, rtp_timestamp: 0, capture_ntp: None }
            })
            .collect()
    }

    #[test]
    fn what_was_encoded_is_seen_again() {
        let mut decoder = VideoDecoder::new();
        for (number, unit) in encoded(320, 180, 5).iter().enumerate() {
            let picture = decoder.decode(unit).unwrap().unwrap();
            assert_eq!((picture.width(), picture.height()), (320, 180));
            let (y, _, v) = picture.planes();
            assert!(y[5000].abs_diff(60 + number as u8 * 10) < 6, "{}", y[5000]);
            assert!(v[1000].abs_diff(180) < 6);
        }
    }

    #[test]
    fn decoding_waits_for_a_keyframe_at_the_start_and_after_damage() {
        let units = encoded(320, 180, 3);
        let mut decoder = VideoDecoder::new();
        assert!(decoder.decode(&units[1]).unwrap().is_none());
        assert!(decoder.decode(&units[0]).unwrap().is_some());
        let damaged = ReceivedPicture { data: Bytes::from_static(&[0, 0, 1, 0x67, 66]), ..units[1].clone() };
        assert!(decoder.decode(&damaged).is_err());
        assert!(decoder.decode(&units[2]).unwrap().is_none());
        assert!(decoder.decode(&units[0]).unwrap().is_some());
    }

    #[test]
    fn a_keyframe_is_asked_for_until_it_comes() {
        let units = encoded(320, 180, 2);
        let (events, reported) = mpsc::sync_channel(64);
        let mut decoding = VideoDecoding::start(Arc::new(FrameSlot::new()), move |event| {
            let _ = events.try_send(event);
        })
        .unwrap();
        for (unit, millis) in [(1, 0), (1, 100), (1, 310), (0, 400), (1, 800)] {
            let arrived_at = MediaTime::from_millis(millis);
            assert!(decoding.decode(ReceivedPicture { arrived_at, ..units[unit].clone() }));
        }
        decoding.finish();
        let asked: Vec<bool> = reported.iter().map(|event| event == DecoderEvent::KeyframeNeeded).collect();
        assert_eq!(asked, [true, true, false, false]);
    }

    #[test]
    fn mutated_streams_do_not_crash_the_thread_and_a_keyframe_ends_the_damage() {
        let units = encoded(320, 180, 5);
        let mut decoder = VideoDecoder::new();
        let mut seed = 1_u64;
        let mut refused = 0;
        for round in 0..300 {
            let unit = &units[round % units.len()];
            let mut data = unit.data.to_vec();
            for _ in 0..round % 7 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let index = (seed >> 33) as usize % data.len();
                data[index] ^= (seed >> 20) as u8;
            }
            refused +=
                usize::from(decoder.decode(&ReceivedPicture { data: Bytes::from(data), ..unit.clone() }).is_err());
            if round % 30 == 29 {
                // The first may still meet a codec that the damage has left in disorder; its error makes a new one.
                let _ = decoder.decode(&units[0]);
                let picture = decoder.decode(&units[0]).unwrap().expect("a keyframe gives its picture");
                assert_eq!((picture.width(), picture.height()), (320, 180));
                let (y, _, v) = picture.planes();
                assert!(y.iter().all(|luma| luma.abs_diff(60) < 6) && v.iter().all(|red| red.abs_diff(180) < 6));
            }
        }
        assert!(refused > 10, "the damage is damage: {refused}");
    }

    #[test]
    fn a_full_queue_drops_up_to_the_next_keyframe() {
        let units = encoded(320, 180, 2);
        let (hold, held) = mpsc::sync_channel::<()>(0);
        let slot = Arc::new(FrameSlot::new());
        let mut decoding = VideoDecoding::start(Arc::clone(&slot), move |_| {
            let _ = held.recv();
        })
        .unwrap();
        let at = |unit: &ReceivedPicture, millis| ReceivedPicture {
            arrived_at: MediaTime::from_millis(millis),
            ..unit.clone()
        };
        let accepted = (0..64).take_while(|_| decoding.decode(at(&units[0], 0))).count();
        assert!((QUEUE..=QUEUE + 2).contains(&accepted), "{accepted}");
        assert!(decoding.decode(at(&units[1], 33)), "dropped in silence: the keyframe was asked for a moment ago");
        assert!(!decoding.decode(at(&units[1], 333)), "asked for again: the request may have been lost");
        drop(hold);
        while decoding.dropping {
            decoding.decode(at(&units[0], 366));
            std::thread::yield_now();
        }
        decoding.finish();
        assert!(slot.take().is_some());
    }
}
