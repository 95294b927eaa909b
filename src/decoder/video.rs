//! H.264 (constrained baseline) to pictures, by openh264.
//!
//! The codec keeps a pool of pictures: each one is copied once, out of the codec into the pool. The input is a
//! stranger's: sizes are read and checked before the codec sees a sequence parameter set, and an error means waiting
//! for the next keyframe. Owned by a decoder thread (`media_receive`).

use std::sync::Arc;

use openh264::OpenH264API;
use openh264::decoder::{DecodedYUV, Decoder, DecoderConfig, Flush};
use openh264::formats::YUVSource;

use crate::codec::VideoCodec;
use crate::media::{FramePool, ReceivedPicture, VideoFrame};

/// Pictures larger than this on a side are refused.
const MAX_SIDE: u32 = 1920;
/// Pixels of all pictures that a stream may make the codec keep: four of 1920x1088, as in level 4 (ITU-T H.264, table
///
const MAX_KEPT_PIXELS: u64 = 4 * 1920 * 1088;
/// Why an access unit gave no picture.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("a sequence parameter set is malformed or too large")]
    Size,
    #[error(transparent)]
    Codec(#[from] openh264::Error),
}

/// Decoder of one stream.
pub(crate) struct VideoDecoder {
    codec: Option<Decoder>,
    pool: FramePool,
    awaiting_keyframe: bool,
}

impl VideoDecoder {
    /// A decoder at the start of a stream.
    pub(crate) fn new() -> Self {
        Self { codec: None, pool: FramePool::new(), awaiting_keyframe: true }
    }

    /// True while nothing can be decoded before a keyframe.
    pub(crate) fn awaits_keyframe(&self) -> bool {
        self.awaiting_keyframe
    }

    /// Decodes one access unit; `None` when it gives no picture (yet).
    pub(crate) fn decode(&mut self, unit: &ReceivedPicture) -> Result<Option<Arc<VideoFrame>>, DecodeError> {
        if unit.data.is_empty() || (self.awaiting_keyframe && !unit.keyframe) {
            return Ok(None);
        }
        if !unit.codec.bounds_memory(&unit.data, MAX_SIDE, MAX_KEPT_PIXELS) {
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
        let decoded = match unit.codec {
            VideoCodec::H264 => codec.decode(&unit.data)?,
        };
        let Some(picture) = decoded else { return Ok(None) };
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
        let codec = VideoCodec::H264;
        let unit = ReceivedPicture { codec, data, keyframe, arrived_at, rtp_timestamp: 0, capture_ntp: None };
        let _ = decoder.decode(&unit);
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

/// Pictures of a size as they would arrive, the first one a keyframe; each is brighter than the one before.
#[cfg(test)]
pub(crate) fn encoded_for_test(width: u32, height: u32, count: u64) -> Vec<ReceivedPicture> {
    use crate::encoder::video::VideoEncoding;
    use crate::media::{FrameSlot, MediaTime, OutgoingPicture, VideoBudget, VideoFormat};

    let input = Arc::new(FrameSlot::new());
    let (units, received) = std::sync::mpsc::sync_channel(64);
    let format = VideoFormat { width, height, max_fps: 30, max_kbps: 2000 };
    let _encoding = VideoEncoding::start(
        Arc::clone(&input),
        format,
        |_| crate::media::RenditionPlans::one(VideoBudget::UNLIMITED),
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
            let OutgoingPicture { codec, data, keyframe, captured_at } =
                received.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
            ReceivedPicture { codec, data, keyframe, arrived_at: captured_at, rtp_timestamp: 0, capture_ntp: None }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn what_was_encoded_is_seen_again() {
        let mut decoder = VideoDecoder::new();
        for (number, unit) in encoded_for_test(320, 180, 5).iter().enumerate() {
            let picture = decoder.decode(unit).unwrap().unwrap();
            assert_eq!((picture.width(), picture.height()), (320, 180));
            let (y, _, v) = picture.planes();
            assert!(y[5000].abs_diff(60 + number as u8 * 10) < 6, "{}", y[5000]);
            assert!(v[1000].abs_diff(180) < 6);
        }
    }

    #[test]
    fn decoding_waits_for_a_keyframe_at_the_start_and_after_damage() {
        let units = encoded_for_test(320, 180, 3);
        let mut decoder = VideoDecoder::new();
        assert!(decoder.decode(&units[1]).unwrap().is_none());
        assert!(decoder.decode(&units[0]).unwrap().is_some());
        let damaged = ReceivedPicture { data: Bytes::from_static(&[0, 0, 1, 0x67, 66]), ..units[1].clone() };
        assert!(decoder.decode(&damaged).is_err());
        assert!(decoder.decode(&units[2]).unwrap().is_none());
        assert!(decoder.decode(&units[0]).unwrap().is_some());
    }

    #[test]
    fn mutated_streams_do_not_crash_the_thread_and_a_keyframe_ends_the_damage() {
        let units = encoded_for_test(320, 180, 5);
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
}
