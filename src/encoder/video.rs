//! The video encoder: H.264 constrained baseline by openh264, once for all participants.
//!
//! ```text
//! camera -> FrameSlot (latest wins) -> [the encoder thread here] -> access units -> every peer
//! ```
//!
//! One thread, which owns the codec. A picture is encoded as an IDR only at the start, after a change of size and on
//! request: an IDR costs ten ordinary pictures. The rate control may leave a picture out rather than exceed the bit rate.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use openh264::encoder::{
    BitRate, Complexity, EncodedBitStream, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, Profile,
    RateControlMode, UsageType,
};
use openh264::formats::YUVSource;
use openh264::{OpenH264API, Timestamp};
use openh264_sys2::{
    ENCODER_OPTION, ENCODER_OPTION_BITRATE, ENCODER_OPTION_MAX_BITRATE, SBitrateInfo, SPATIAL_LAYER_0,
};

use crate::media::{EncodedVideo, FrameSlot, MediaTime, Plane, VideoBudget, VideoFormat, VideoFrame};

/// How soon the thread notices that it should end while no picture comes.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// What the encoder has done since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EncodingStats {
    /// Pictures encoded.
    pub frames: u64,
    /// Pictures that were left out: by the rate control, or because earlier ones still waited to be sent.
    pub skipped: u64,
    /// Keyframes among them.
    pub keyframes: u64,
    /// Bytes of access units.
    pub bytes: u64,
    /// Time spent encoding, in microseconds.
    pub busy_us: u64,
    /// From the camera to the end of encoding, for the latest picture, in microseconds.
    pub delay_us: u64,
    /// Size of the latest picture; 0 before the first.
    pub width: u32,
    /// Size of the latest picture; 0 before the first.
    pub height: u32,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    keyframe_wanted: AtomicBool,
    kbps: AtomicU32,
    max_fps: AtomicU32,
    frames: AtomicU64,
    skipped: AtomicU64,
    keyframes: AtomicU64,
    bytes: AtomicU64,
    busy_us: AtomicU64,
    delay_us: AtomicU64,
    size: AtomicU64,
}

/// The running encoder thread. Dropping it ends the thread, within 100 ms.
#[derive(Debug)]
pub struct VideoEncoding {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl VideoEncoding {
    /// Starts the thread: it takes the latest picture of `input`, encodes it and hands the access unit to `output`,
    /// on the encoder thread. Pictures keep their own size; `format` gives the rate of pictures and bits at most, `budget`,
    /// which is asked before each picture, what the network takes of that.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn start(
        input: Arc<FrameSlot>,
        format: VideoFormat,
        budget: impl Fn() -> VideoBudget + Send + 'static,
        output: impl FnMut(EncodedVideo) + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let mut encoding = Self { shared: Arc::clone(&shared), thread: None };
        encoding.set_format(format);
        let thread = std::thread::Builder::new()
            .name("video-encoder".to_owned())
            .spawn(move || run(&shared, &input, budget, output))?;
        encoding.thread = Some(thread);
        Ok(encoding)
    }

    /// Changes the greatest rate of pictures and bits; the size follows the pictures by itself.
    pub fn set_format(&self, format: VideoFormat) {
        self.shared.max_fps.store(format.max_fps.max(1), Ordering::Relaxed);
        self.set_bit_rate(format.max_kbps);
    }

    /// Changes the bit rate, in kbit/s, held to `VideoFormat::KBPS_RANGE`.
    pub fn set_bit_rate(&self, kbps: u32) {
        let kbps = kbps.clamp(*VideoFormat::KBPS_RANGE.start(), *VideoFormat::KBPS_RANGE.end());
        self.shared.kbps.store(kbps, Ordering::Relaxed);
    }

    /// Makes the next picture a keyframe.
    pub fn request_keyframe(&self) {
        self.shared.keyframe_wanted.store(true, Ordering::Relaxed);
    }

    /// What was done since the start.
    pub fn stats(&self) -> EncodingStats {
        let shared = &self.shared;
        let size = shared.size.load(Ordering::Relaxed);
        EncodingStats {
            frames: shared.frames.load(Ordering::Relaxed),
            skipped: shared.skipped.load(Ordering::Relaxed),
            keyframes: shared.keyframes.load(Ordering::Relaxed),
            bytes: shared.bytes.load(Ordering::Relaxed),
            busy_us: shared.busy_us.load(Ordering::Relaxed),
            delay_us: shared.delay_us.load(Ordering::Relaxed),
            width: (size >> 32) as u32,
            height: size as u32,
        }
    }
}

impl Drop for VideoEncoding {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the video encoder thread ended by a panic");
        }
    }
}

fn run(shared: &Shared, input: &FrameSlot, budget: impl Fn() -> VideoBudget, mut output: impl FnMut(EncodedVideo)) {
    let mut encoder = VideoEncoder::new();
    let mut pace = FramePace::default();
    while !shared.stop.load(Ordering::Relaxed) && !input.is_closed() {
        let Some(frame) = input.take_timeout(STOP_CHECK) else { continue };
        let max_fps = shared.max_fps.load(Ordering::Relaxed);
        if !pace.admits(frame.captured_at, max_fps) {
            continue;
        }
        let budget = budget();
        if budget.behind {
            shared.skipped.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let started = MediaTime::now();
        let keyframe = shared.keyframe_wanted.swap(false, Ordering::Relaxed);
        let kbps = budget.kbps.min(shared.kbps.load(Ordering::Relaxed)).max(*VideoFormat::KBPS_RANGE.start());
        let rate = Rate { kbps, max_fps };
        let encoded = encoder.encode(&frame, rate, keyframe);
        let ended = MediaTime::now();
        shared.busy_us.fetch_add(ended.since(started).as_micros() as u64, Ordering::Relaxed);
        shared.size.store(u64::from(frame.width()) << 32 | u64::from(frame.height()), Ordering::Relaxed);
        match encoded {
            Ok(Some(unit)) => {
                shared.frames.fetch_add(1, Ordering::Relaxed);
                shared.keyframes.fetch_add(u64::from(unit.keyframe), Ordering::Relaxed);
                shared.bytes.fetch_add(unit.data.len() as u64, Ordering::Relaxed);
                shared.delay_us.store(ended.since(frame.captured_at).as_micros() as u64, Ordering::Relaxed);
                output(unit);
            }
            Ok(None) => {
                shared.skipped.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                // The codec is gone with the error; the next picture makes a new one and is a keyframe.
                tracing::warn!(%error, "a picture could not be encoded");
            }
        }
    }
}

/// Leaves pictures out when they come faster than asked for.
#[derive(Debug, Default)]
struct FramePace {
    next_due: Option<MediaTime>,
}

impl FramePace {
    fn admits(&mut self, captured_at: MediaTime, max_fps: u32) -> bool {
        let interval = Duration::from_micros(1_000_000 / u64::from(max_fps.max(1)));
        // Half an interval of tolerance: a camera's own rate is never exactly the one asked for.
        if let Some(due) = self.next_due
            && captured_at + interval / 2 < due
        {
            return false;
        }
        let due = self.next_due.map_or(captured_at, |due| due.max(captured_at - interval));
        self.next_due = Some(due + interval);
        true
    }
}

/// What the rate control aims at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate {
    kbps: u32,
    max_fps: u32,
}

/// The codec, owned by the encoder thread.
struct VideoEncoder {
    codec: Option<Codec>,
    buffer: BytesMut,
}

struct Codec {
    encoder: Encoder,
    width: u32,
    height: u32,
    rate: Rate,
    began_at: MediaTime,
}

impl VideoEncoder {
    fn new() -> Self {
        Self { codec: None, buffer: BytesMut::new() }
    }

    /// Encodes one picture; `None` when the rate control leaves it out.
    fn encode(
        &mut self,
        frame: &VideoFrame,
        rate: Rate,
        keyframe: bool,
    ) -> Result<Option<EncodedVideo>, openh264::Error> {
        let fits = |codec: &Codec| {
            (codec.width, codec.height, codec.rate.max_fps) == (frame.width(), frame.height(), rate.max_fps)
        };
        if let Some(mut codec) = self.codec.take().filter(fits) {
            if codec.rate != rate {
                codec.change_bit_rate(rate);
            }
            if keyframe {
                codec.encoder.force_intra_frame();
            }
            let unit = codec.encode(frame, &mut self.buffer)?;
            self.codec = Some(codec);
            // The rate control may leave out even a keyframe that somebody waits for; a fresh codec does not.
            if unit.is_some() || !keyframe {
                return Ok(unit);
            }
        }
        self.codec.insert(Codec::new(frame, rate)?).encode(frame, &mut self.buffer)
    }
}

impl Codec {
    fn new(frame: &VideoFrame, rate: Rate) -> Result<Self, openh264::Error> {
        let config = EncoderConfig::new()
            .usage_type(UsageType::CameraVideoRealTime)
            .profile(Profile::Baseline)
            .complexity(Complexity::Low)
            .num_threads(1)
            .max_frame_rate(FrameRate::from_hz(rate.max_fps as f32))
            .bitrate(BitRate::from_bps(rate.kbps * 1000))
            .rate_control_mode(RateControlMode::Bitrate)
            .skip_frames(true)
            .scene_change_detect(false)
            .intra_frame_period(IntraFramePeriod::auto());
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), config)?;
        let (width, height) = (frame.width(), frame.height());
        Ok(Self { encoder, width, height, rate, began_at: frame.captured_at })
    }

    fn encode(&mut self, frame: &VideoFrame, buffer: &mut BytesMut) -> Result<Option<EncodedVideo>, openh264::Error> {
        let timestamp = Timestamp::from_millis(frame.captured_at.since(self.began_at).as_millis() as u64);
        let stream = self.encoder.encode_at(&Planes(frame), timestamp)?;
        let keyframe = matches!(stream.frame_type(), FrameType::IDR);
        let data = collect(&stream, buffer);
        let captured_at = frame.captured_at;
        Ok((!data.is_empty()).then_some(EncodedVideo { data, keyframe, captured_at, rtp_timestamp: 0 }))
    }

    /// Sets the bit rate while running, without a keyframe.
    fn change_bit_rate(&mut self, rate: Rate) {
        let bits = (rate.kbps * 1000) as i32;
        // A rate above the first one is refused unless the maximum is raised before; one below the present rate is
        // refused as a maximum unless the rate is lowered before.
        let options = if rate.kbps > self.rate.kbps {
            [ENCODER_OPTION_MAX_BITRATE, ENCODER_OPTION_BITRATE]
        } else {
            [ENCODER_OPTION_BITRATE, ENCODER_OPTION_MAX_BITRATE]
        };
        for option in options {
            if !self.set_bit_rate_option(option, bits) {
                tracing::warn!(option, kbps = rate.kbps, "the encoder refuses a bit rate");
            }
        }
        self.rate = rate;
    }

    fn set_bit_rate_option(&mut self, option: ENCODER_OPTION, bits: i32) -> bool {
        let mut info = SBitrateInfo { iLayer: SPATIAL_LAYER_0, iBitrate: bits };
        // SAFETY: the encoder is initialised (it has been made by its first picture), and both options read one
        // SBitrateInfo, which outlives the call.
        unsafe { self.encoder.raw_api().set_option(option, (&raw mut info).cast()) == 0 }
    }
}

/// The access unit's NAL units, in memory that is used again once every packet of it has been sent.
fn collect(stream: &EncodedBitStream<'_>, buffer: &mut BytesMut) -> Bytes {
    for layer in (0..stream.num_layers()).filter_map(|index| stream.layer(index)) {
        for unit in (0..layer.nal_count()).filter_map(|index| layer.nal_unit(index)) {
            buffer.put_slice(unit);
        }
    }
    buffer.split().freeze()
}

struct Planes<'a>(&'a VideoFrame);

impl YUVSource for Planes<'_> {
    fn dimensions(&self) -> (usize, usize) {
        (self.0.width() as usize, self.0.height() as usize)
    }

    fn strides(&self) -> (usize, usize, usize) {
        (self.0.stride(Plane::Y), self.0.stride(Plane::U), self.0.stride(Plane::V))
    }

    fn y(&self) -> &[u8] {
        self.0.plane(Plane::Y)
    }

    fn u(&self) -> &[u8] {
        self.0.plane(Plane::U)
    }

    fn v(&self) -> &[u8] {
        self.0.plane(Plane::V)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Diagonal bars that move by two pixels a picture.
    fn picture(width: u32, height: u32, number: u64) -> VideoFrame {
        let mut frame = VideoFrame::black(width, height);
        frame.captured_at = MediaTime::from_millis(number * 33);
        let (y, u, _) = frame.planes_mut();
        for (row, line) in y.chunks_exact_mut(width as usize).enumerate() {
            for (column, luma) in line.iter_mut().enumerate() {
                *luma = (16 + (row + column + number as usize * 2) % 64 * 3) as u8;
            }
        }
        u.fill(100);
        frame
    }

    fn bytes_of(encoder: &mut VideoEncoder, numbers: std::ops::Range<u64>, kbps: u32) -> usize {
        numbers
            .filter_map(|number| {
                let mut frame = picture(640, 360, number);
                let mut seed = number as u32 + 1;
                for luma in frame.planes_mut().0 {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    *luma += (seed >> 27) as u8;
                }
                encoder.encode(&frame, Rate { kbps, max_fps: 30 }, false).unwrap()
            })
            .map(|unit| unit.data.len())
            .sum()
    }

    #[test]
    fn a_keyframe_comes_at_the_start_and_on_request_only() {
        let mut encoder = VideoEncoder::new();
        let rate = Rate { kbps: 600, max_fps: 30 };
        let keyframes: Vec<u64> = (0..90)
            .filter(|&number| {
                let unit = encoder.encode(&picture(640, 360, number), rate, number == 40).unwrap();
                unit.is_some_and(|unit| unit.keyframe)
            })
            .collect();
        assert_eq!(keyframes, [0, 40]);
    }

    #[test]
    fn a_requested_keyframe_is_never_left_out() {
        let mut encoder = VideoEncoder::new();
        bytes_of(&mut encoder, 0..20, 50);
        for number in 20..40 {
            let unit = encoder.encode(&picture(640, 360, number), Rate { kbps: 50, max_fps: 30 }, true).unwrap();
            assert!(unit.is_some_and(|unit| unit.keyframe), "{number}");
        }
    }

    #[test]
    fn a_keyframe_carries_its_parameter_sets_in_constrained_baseline() {
        let mut encoder = VideoEncoder::new();
        let rate = Rate { kbps: 600, max_fps: 30 };
        let unit = encoder.encode(&picture(1280, 720, 0), rate, false).unwrap().unwrap();
        assert_eq!(unit.data[..5], [0, 0, 0, 1, 0x67], "an SPS comes first");
        assert_eq!(
            (unit.data[5], unit.data[6] & 0x40),
            (66, 0x40),
            "profile 66, constraint_set1: constrained baseline"
        );
        assert!(unit.data.windows(5).any(|bytes| bytes == [0, 0, 0, 1, 0x68]));
    }

    #[test]
    fn another_size_begins_with_a_keyframe() {
        let mut encoder = VideoEncoder::new();
        let rate = Rate { kbps: 600, max_fps: 30 };
        assert!(encoder.encode(&picture(640, 360, 0), rate, false).unwrap().is_some_and(|unit| unit.keyframe));
        assert!(encoder.encode(&picture(640, 360, 1), rate, false).unwrap().is_none_or(|unit| !unit.keyframe));
        assert!(encoder.encode(&picture(320, 180, 2), rate, false).unwrap().is_some_and(|unit| unit.keyframe));
    }

    #[test]
    fn the_bit_rate_can_be_raised_above_the_first_and_lowered_again_without_a_keyframe() {
        let mut encoder = VideoEncoder::new();
        bytes_of(&mut encoder, 0..60, 150);
        let low = bytes_of(&mut encoder, 60..120, 150);
        bytes_of(&mut encoder, 120..150, 1200);
        let high = bytes_of(&mut encoder, 150..210, 1200);
        bytes_of(&mut encoder, 210..270, 150);
        let low_again = bytes_of(&mut encoder, 270..330, 150);
        assert!(high > low * 2, "{low} -> {high}");
        assert!(low_again * 2 < high, "{high} -> {low_again}");
    }

    #[test]
    fn pictures_that_come_too_fast_are_left_out() {
        let count = |camera_fps: u64, max_fps: u32| {
            let mut pace = FramePace::default();
            (0..camera_fps * 2)
                .filter(|number| pace.admits(MediaTime::from_micros(number * 1_000_000 / camera_fps), max_fps))
                .count()
        };
        assert_eq!(count(30, 30), 60);
        assert_eq!(count(29, 30), 58);
        assert!((59..=61).contains(&count(60, 30)), "{}", count(60, 30));
        assert!((29..=31).contains(&count(30, 15)), "{}", count(30, 15));
    }

    #[test]
    fn the_thread_encodes_what_is_put_and_ends_when_dropped() {
        let input = Arc::new(FrameSlot::new());
        let (units, received) = std::sync::mpsc::sync_channel(4);
        let format = VideoFormat { width: 640, height: 360, max_fps: 30, max_kbps: 600 };
        let encoding = VideoEncoding::start(
            Arc::clone(&input),
            format,
            || VideoBudget::UNLIMITED,
            move |unit| {
                let _ = units.try_send(unit);
            },
        )
        .unwrap();
        input.put(Arc::new(picture(640, 360, 0)));
        let unit = received.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(unit.keyframe);
        let stats = encoding.stats();
        assert_eq!((stats.frames, stats.keyframes, stats.width, stats.height), (1, 1, 640, 360));
        drop(encoding);
        assert!(received.recv().is_err(), "the output is dropped with the thread");
    }
}
