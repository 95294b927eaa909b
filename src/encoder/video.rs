//! The video encoder: H.264 constrained baseline by openh264, once for all participants.
//!
//! ```text
//! camera -> FrameSlot (latest wins) -> [the thread here: shape -> scale -> encode] -> access units -> every peer
//! ```
//!
//! One thread, which owns the codec. A picture is encoded as an IDR only at the start, after a change of size and on
//! request: an IDR costs ten ordinary pictures. The rate control may leave a picture out rather than exceed the bit
//! rate.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::h264::{Rate, VideoEncoder};
use super::quality_scaler::{QualityScaler, RateLimit, Shape};
use crate::media::{FrameSlot, MediaTime, OutgoingPicture, Planes, Scaler, VideoBudget, VideoFormat, VideoFrame};

/// On a path that does not take all, a keyframe is made as if the rate were this share of it: it arrives the sooner,
/// and the pictures after it make up for it.
const KEYFRAME_SHARE: f64 = 0.5;
/// How soon the thread notices that it should end while no picture comes.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// Counters of the encoder since its start.
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
    /// on the encoder thread. Pictures keep their own size while the budget allows; `format` gives the rate of pictures
    /// and bits at most, `budget`, which is told the rate that is wanted, and asked before each picture, what the network takes
    /// of that.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn start(
        input: Arc<FrameSlot>,
        format: VideoFormat,
        budget: impl Fn(u32) -> VideoBudget + Send + 'static,
        output: impl FnMut(OutgoingPicture) + Send + 'static,
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

    /// Counters since the start.
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

fn run(
    shared: &Shared,
    input: &FrameSlot,
    budget: impl Fn(u32) -> VideoBudget,
    mut output: impl FnMut(OutgoingPicture),
) {
    let mut pictures = PictureEncoder::default();
    while !shared.stop.load(Ordering::Relaxed) && !input.is_closed() {
        let Some(frame) = input.take_timeout(STOP_CHECK) else { continue };
        let most = Rate { kbps: shared.kbps.load(Ordering::Relaxed), max_fps: shared.max_fps.load(Ordering::Relaxed) };
        let budget = budget(pictures.wanted_kbps(&frame, most));
        let encoded = pictures.encode(&frame, most, budget, &shared.keyframe_wanted, MediaTime::now);
        // Before the unit goes on: whoever gets it may ask for these.
        shared.skipped.store(pictures.skipped, Ordering::Relaxed);
        shared.busy_us.store(pictures.busy.as_micros() as u64, Ordering::Relaxed);
        shared.size.store(u64::from(pictures.size.0) << 32 | u64::from(pictures.size.1), Ordering::Relaxed);
        match encoded {
            Ok(Some(unit)) => {
                shared.frames.fetch_add(1, Ordering::Relaxed);
                shared.keyframes.fetch_add(u64::from(unit.keyframe), Ordering::Relaxed);
                shared.bytes.fetch_add(unit.data.len() as u64, Ordering::Relaxed);
                shared.delay_us.store(MediaTime::now().since(frame.captured_at).as_micros() as u64, Ordering::Relaxed);
                output(unit);
            }
            Ok(None) => {}
            Err(error) => {
                // The codec is gone with the error; the next picture makes a new one and is a keyframe.
                tracing::warn!(%error, "a picture could not be encoded");
            }
        }
    }
}

/// The way of one picture after the other to its access unit, without the thread: time is an argument.
#[derive(Default)]
pub(crate) struct PictureEncoder {
    encoder: VideoEncoder,
    pace: FramePace,
    scaler: QualityScaler,
    scaling: Scaling,
    captured_at: MediaTime,
    /// The most lines that are of use to somebody, by the latest budget.
    max_lines: Option<u32>,
    /// Pictures left out though they were due, and the time that encoding took so far.
    skipped: u64,
    busy: Duration,
    /// Width and height of the latest picture.
    pub(crate) size: (u32, u32),
}

impl PictureEncoder {
    /// The bit rate that pictures such as `frame` would take where the path carries it, in kbit/s.
    pub(crate) fn wanted_kbps(&self, frame: &VideoFrame, most: Rate) -> u32 {
        let lines = self.max_lines.map_or(1.0, |lines| f64::from(lines) / f64::from(frame.height().max(1)));
        (f64::from(most.kbps) * lines.min(1.0).powi(2)) as u32
    }

    /// Encodes `frame` within `budget` and at `most` so much, as a keyframe where one is wanted; `None` where it is
    /// left out. `clock` times the work.
    pub(crate) fn encode(
        &mut self,
        frame: &VideoFrame,
        most: Rate,
        budget: VideoBudget,
        keyframe_wanted: &AtomicBool,
        clock: impl Fn() -> MediaTime,
    ) -> Result<Option<OutgoingPicture>, openh264::Error> {
        self.max_lines = Some(budget.max_lines);
        let min_kbps = *VideoFormat::KBPS_RANGE.start();
        let kbps = budget.kbps.min(most.kbps).max(min_kbps);
        let full = Shape { width: frame.width(), height: frame.height(), max_fps: most.max_fps };
        if budget.behind {
            self.skipped += 1;
            return Ok(None);
        }
        let due = keyframe_wanted.load(Ordering::Relaxed);
        let grant = RateLimit { kbps, max_kbps: most.kbps, level: budget.level };
        let shape = self.scaler.shape(full, grant, budget.max_lines, due, frame.captured_at);
        if !self.pace.admits(frame.captured_at, shape.max_fps) {
            return Ok(None);
        }
        let usable_kbps = (f64::from(most.kbps) * shape.bit_rate_share(full)) as u32;
        let kbps = kbps.min(usable_kbps).max(min_kbps);
        let interval = (Duration::from_secs(1) / shape.max_fps.max(1)).max(frame.captured_at.since(self.captured_at));
        self.captured_at = frame.captured_at;
        let started = clock();
        let keyframe = keyframe_wanted.swap(false, Ordering::Relaxed);
        let share = if keyframe && budget.kbps < most.kbps { KEYFRAME_SHARE } else { 1.0 };
        let kbps = ((f64::from(kbps) * share) as u32).max(min_kbps);
        let frame = self.scaling.shaped(frame, shape);
        let encoded = self.encoder.encode(frame, Rate { kbps, max_fps: shape.max_fps }, keyframe);
        let ended = clock();
        let took = ended.since(started);
        self.scaler.note_load(took, interval, ended);
        self.busy += took;
        self.size = (frame.width(), frame.height());
        self.skipped += u64::from(matches!(encoded, Ok(None)));
        encoded
    }
}

/// Makes pictures smaller, in memory that is used again.
#[derive(Default)]
struct Scaling {
    scaler: Scaler,
    scaled: Option<VideoFrame>,
}

impl Scaling {
    /// `frame` as it is, or scaled to `shape`.
    fn shaped<'a>(&'a mut self, frame: &'a VideoFrame, shape: Shape) -> &'a VideoFrame {
        let size = (shape.width, shape.height);
        if size == (frame.width(), frame.height()) {
            return frame;
        }
        let fits = |scaled: &VideoFrame| (scaled.width(), scaled.height()) == size;
        let kept = self.scaled.take().filter(fits);
        let scaled = self.scaled.insert(kept.unwrap_or_else(|| VideoFrame::black(size.0, size.1)));
        self.scaler.fit(Planes::of(frame), scaled);
        scaled.captured_at = frame.captured_at;
        scaled
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Preset, VideoLevel};

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

    /// The size of the first picture that is encoded of one of `full` size for a far side of `level`, and the level
    /// that its sequence parameter set names.
    fn first_picture(full: (u32, u32), level: VideoLevel) -> ((u32, u32), VideoLevel) {
        let mut pictures = PictureEncoder::default();
        let most = Rate { kbps: 3000, max_fps: 30 };
        let budget = VideoBudget { level, ..VideoBudget::UNLIMITED };
        let frame = VideoFrame::black(full.0, full.1);
        let unit = pictures.encode(&frame, most, budget, &AtomicBool::new(true), MediaTime::default).unwrap().unwrap();
        assert_eq!(unit.data[..6], [0, 0, 0, 1, 0x67, 66], "a baseline sequence parameter set comes first");
        (pictures.size, VideoLevel::from_idc(unit.data[7]))
    }

    #[test]
    fn what_is_encoded_is_of_the_level_that_the_far_side_decodes() {
        let (hd, full_hd) = (VideoLevel::HD, VideoLevel::FULL_HD);
        assert_eq!(first_picture((1920, 1080), full_hd), ((1920, 1080), full_hd));
        assert_eq!(first_picture((1280, 720), full_hd), ((1280, 720), hd));
        assert_eq!(first_picture((1920, 1080), hd), ((1198, 674), hd));
        for preset in Preset::ALL {
            for far in [VideoLevel::MIN, hd, full_hd] {
                let ((width, height), named) = first_picture(preset.size(), far);
                assert!(named <= far && named.admits(width, height, 30), "{preset} for {far:?}: {named:?}");
            }
        }
    }

    #[test]
    fn the_thread_encodes_what_is_put_and_ends_when_dropped() {
        let input = Arc::new(FrameSlot::new());
        let (units, received) = std::sync::mpsc::sync_channel(4);
        let format = VideoFormat { width: 640, height: 360, max_fps: 30, max_kbps: 600 };
        let encoding = VideoEncoding::start(
            Arc::clone(&input),
            format,
            |_| VideoBudget::UNLIMITED,
            move |unit| {
                let _ = units.try_send(unit);
            },
        )
        .unwrap();
        input.put(Arc::new(VideoFrame::black(640, 360)));
        let unit = received.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(unit.keyframe);
        let stats = encoding.stats();
        assert_eq!((stats.frames, stats.keyframes, stats.width, stats.height), (1, 1, 640, 360));
        drop(encoding);
        assert!(received.recv().is_err(), "the output is dropped with the thread");
    }
}
