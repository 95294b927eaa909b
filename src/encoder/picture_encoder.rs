//! Encoder of one rendition: the way of one picture after the other to its access unit (shape, scale, encode). Pure;
//! time is an argument.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::h264::{Rate, VideoEncoder};
use super::quality_scaler::{QualityScaler, RateLimit, Shape};
use crate::codec::VideoCodec;
use crate::media::{MediaTime, OutgoingPicture, Planes, Scaler, VideoBudget, VideoFormat, VideoFrame};

/// On a path that does not take all, a keyframe is made as if the rate were this share of it: it arrives the sooner,
/// and the pictures after it make up for it.
const KEYFRAME_SHARE: f64 = 0.5;
/// After so long without a picture, the next one is as large as a keyframe: its size need not wait for one.
const LONG_PAUSE: Duration = Duration::from_millis(200);

/// Encoder of one rendition.
#[derive(Default)]
pub(crate) struct PictureEncoder {
    encoder: VideoEncoder,
    pace: FramePace,
    scaler: QualityScaler,
    scaling: Scaling,
    captured_at: MediaTime,
    /// Pictures left out though they were due, and the time that encoding took so far.
    pub(super) skipped: u64,
    pub(super) busy: Duration,
    /// Time that other renditions of the same picture took.
    other_work: Duration,
    /// Width and height of the latest picture.
    pub(crate) size: (u32, u32),
}

impl PictureEncoder {
    /// Begins with pictures of no more than `lines` lines.
    pub(super) fn begin_at(&mut self, lines: u32) {
        self.scaler.begin_at(lines);
    }

    /// Other renditions of the next picture took so much of the time until the one after it.
    pub(super) fn note_other_work(&mut self, took: Duration) {
        self.other_work = took;
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
        let min_kbps = *VideoFormat::KBPS_RANGE.start();
        let kbps = budget.kbps.min(most.kbps).max(min_kbps);
        let full = Shape { width: frame.width(), height: frame.height(), max_fps: most.max_fps };
        if budget.behind {
            self.skipped += 1;
            return Ok(None);
        }
        let paused = frame.captured_at.since(self.captured_at) >= LONG_PAUSE;
        let due = paused || keyframe_wanted.load(Ordering::Relaxed);
        let grant = RateLimit { kbps, max_kbps: most.kbps, codec: budget.codec };
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
        let encoder = match budget.codec.codec {
            VideoCodec::H264 => &mut self.encoder,
        };
        let encoded = encoder.encode(frame, Rate { kbps, max_fps: shape.max_fps }, budget.layers, keyframe);
        let ended = clock();
        let took = ended.since(started);
        self.scaler.note_load(took + self.other_work, interval, ended);
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
    use crate::codec::h264::{LEVEL_3_0, LEVEL_3_1, LEVEL_4_0};
    use crate::codec::{CodecSupport, VideoLevel};
    use crate::media::Preset;

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
        let budget = VideoBudget { codec: CodecSupport { codec: VideoCodec::H264, level }, ..VideoBudget::UNLIMITED };
        let frame = VideoFrame::black(full.0, full.1);
        let unit = pictures.encode(&frame, most, budget, &AtomicBool::new(true), MediaTime::default).unwrap().unwrap();
        assert_eq!(unit.data[..6], [0, 0, 0, 1, 0x67, 66], "a baseline sequence parameter set comes first");
        (pictures.size, VideoLevel::from_number(unit.data[7]))
    }

    #[test]
    fn what_is_encoded_is_of_the_level_that_the_far_side_decodes() {
        let (hd, full_hd) = (LEVEL_3_1, LEVEL_4_0);
        assert_eq!(first_picture((1920, 1080), full_hd), ((1920, 1080), full_hd));
        assert_eq!(first_picture((1280, 720), full_hd), ((1280, 720), hd));
        assert_eq!(first_picture((1920, 1080), hd), ((1280, 720), hd));
        for preset in Preset::ALL {
            for far in [LEVEL_3_0, hd, full_hd] {
                let ((width, height), named) = first_picture(preset.size(), far);
                assert!(
                    named <= far && VideoCodec::H264.admits(named, (width, height), 30),
                    "{preset} for {far:?}: {named:?}"
                );
            }
        }
    }
}
