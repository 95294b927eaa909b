//! The quality scaler: size and frame rate of encoded pictures, by the granted bit rate and by the load of this
//! computer. Pure; time is an argument.
//!
//! ```text
//! rate falls:   coarser pictures -> fewer pictures -> smaller pictures, a moment after the rate has fallen
//! rate rises:   back, once the rate has been enough for a while: each change of size costs a keyframe
//! ```

use std::time::Duration;

use crate::codec::CodecSupport;
use crate::media::{MIN_HEIGHT, MediaTime};

/// One step: size, rate of pictures, and the least bit rate for it.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// Eighths of the full width and height.
    eighths: u32,
    /// Pictures a second at most.
    max_fps: u32,
    /// The share of the full format's bit rate below which a picture of this size is too coarse.
    least_share: f64,
}

const STEPS: [Step; 6] = [
    Step { eighths: 8, max_fps: 30, least_share: 1.0 },
    Step { eighths: 8, max_fps: 20, least_share: 0.75 },
    Step { eighths: 6, max_fps: 20, least_share: 0.45 },
    Step { eighths: 4, max_fps: 20, least_share: 0.18 },
    Step { eighths: 3, max_fps: 20, least_share: 0.09 },
    Step { eighths: 2, max_fps: 15, least_share: 0.0 },
];
/// Bits for a pixel of a picture that is just good enough, of a face that talks.
const MIN_BITS_PER_PIXEL: f64 = 0.016;
const FULL_FPS: f64 = 30.0;
/// The rate must be too low for this long before a step down, and high enough by this much and for this long before one
/// up.
const DOWN_AFTER: Duration = Duration::from_millis(300);
const UP_AFTER: Duration = Duration::from_millis(1500);
const UP_MARGIN: f64 = 1.4;
/// Encoding that takes more of the time than this is too slow, and less than that would be quick enough one step
/// higher.
const TOO_BUSY: f64 = 0.85;
const IDLE: f64 = 0.3;
/// After a step for the computer's sake it is left alone for this long; it goes up again much later.
const BUSY_AFTER: Duration = Duration::from_millis(1000);
const IDLE_AFTER: Duration = Duration::from_secs(10);
/// A smaller picture must be enough for this long before it is made, and a larger one is not made sooner than this
/// after a change: what others look at is theirs to say, but not at each picture.
const FEWER_LINES_AFTER: Duration = Duration::from_millis(1500);
const MORE_LINES_AFTER: Duration = Duration::from_millis(500);
/// A picture of a share of the full one's pixels needs this power of that share of its bits.
const BITS_POWER: f64 = 0.75;
/// How much one picture moves the measured load.
const LOAD_WEIGHT: f64 = 1.0 / 16.0;

/// Format of the encoded pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Pictures a second at most.
    pub(super) max_fps: u32,
}

/// Bit rates in kbit/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RateLimit {
    /// Limit of the network for this moment.
    pub(super) kbps: u32,
    /// Limit of the settings, on the widest path.
    pub(super) max_kbps: u32,
    /// The codec, with the level that no picture may exceed.
    pub(super) codec: CodecSupport,
}

/// The present step, and the state that argues for another.
#[derive(Debug)]
pub(super) struct QualityScaler {
    step: usize,
    too_low_since: Option<MediaTime>,
    /// Since when the rate has been enough for a higher step, and the lowest such step since.
    enough_since: Option<(MediaTime, usize)>,
    /// Steps that this computer is too slow for.
    too_slow: usize,
    /// The share of the time that encoding takes.
    load: f64,
    load_judged_at: Option<MediaTime>,
    /// Lines that somebody looks at, when that last changed, and since when fewer would do.
    lines: u32,
    lines_changed_at: Option<MediaTime>,
    fewer_lines_since: Option<MediaTime>,
}

impl Default for QualityScaler {
    fn default() -> Self {
        Self {
            step: 0,
            too_low_since: None,
            enough_since: None,
            too_slow: 0,
            load: 0.0,
            load_judged_at: None,
            lines: u32::MAX,
            lines_changed_at: None,
            fewer_lines_since: None,
        }
    }
}

impl Shape {
    /// The largest shape of the same proportions that a decoder takes, at the rate of the first step.
    fn within(self, codec: CodecSupport) -> Self {
        let max_fps = self.max_fps.min(STEPS[0].max_fps);
        let is_admitted = |shape: &Self| codec.admits((shape.width, shape.height), max_fps);
        if is_admitted(&self) {
            return self;
        }
        let mut lower = (2..self.height).rev().step_by(2).map(|height| self.of_height(height & !1));
        lower.find(is_admitted).unwrap_or(self)
    }

    /// The shape of so many lines and the same proportions, to the nearest even width.
    fn of_height(self, height: u32) -> Self {
        let width = (self.width * height + self.height) / self.height.max(1) / 2 * 2;
        Self { width: width.min(self.width), height, max_fps: self.max_fps }
    }

    /// Share of the bit rate of the `full` format that a picture of this shape can use.
    pub(super) fn bit_rate_share(self, full: Self) -> f64 {
        let pixels = |shape: Self| f64::from(shape.width) * f64::from(shape.height);
        (pixels(self) / pixels(full).max(1.0)).min(1.0).powf(BITS_POWER)
    }
}

impl QualityScaler {
    /// Begins with no more than `lines` lines, which otherwise have to be enough for a while.
    pub(super) fn begin_at(&mut self, lines: u32) {
        self.lines = lines;
    }

    /// Shape in which to encode a picture of `full` size that is captured at `now`, within `grant`, when nobody looks
    /// at more than `max_lines` lines. A keyframe that is `due` anyway, or a picture as large, is made no larger than
    /// the rate bears.
    pub(super) fn shape(&mut self, full: Shape, grant: RateLimit, max_lines: u32, due: bool, now: MediaTime) -> Shape {
        let full = full.within(grant.codec);
        let (kbps, max_kbps) = (f64::from(grant.kbps), f64::from(grant.max_kbps));
        let min_kbps = |step: &Step| {
            let pixels = f64::from(full.width) * f64::from(full.height);
            let slower = (f64::from(full.max_fps) / f64::from(step.max_fps)).min(1.0);
            pixels * FULL_FPS * MIN_BITS_PER_PIXEL / 1000.0 * step.least_share * slower
        };
        let highest = |margin: f64| {
            // What the settings allow at most is comfortable, as long as it is enough.
            let enough = |step| (min_kbps(step) * margin).min(max_kbps).max(min_kbps(step));
            STEPS.iter().position(|step| kbps >= enough(step)).unwrap_or(STEPS.len() - 1)
        };
        self.follow(highest(1.0), highest(UP_MARGIN), due, now);
        // More than there are is as good as all.
        self.lines = self.lines.min(full.height);
        self.look_at(max_lines.min(full.height), now);
        let step = (self.step + self.too_slow).min(STEPS.len() - 1);
        let max_fps = full.max_fps.min(STEPS[step].max_fps);
        let eighths = (1..=STEPS[step].eighths)
            .find(|eighths| full.height * eighths / 8 >= self.lines)
            .unwrap_or(STEPS[step].eighths);
        scaled(full, eighths, max_fps)
    }

    fn follow(&mut self, bearable: usize, comfortable: usize, due: bool, now: MediaTime) {
        if bearable > self.step {
            self.enough_since = None;
            let since = *self.too_low_since.get_or_insert(now);
            if due || now.since(since) >= DOWN_AFTER {
                self.step = bearable;
                self.too_low_since = None;
            }
            return;
        }
        self.too_low_since = None;
        if comfortable >= self.step {
            self.enough_since = None;
            return;
        }
        let (since, lowest) =
            self.enough_since.map_or((now, comfortable), |(at, lowest)| (at, lowest.max(comfortable)));
        self.enough_since = Some((since, lowest));
        if now.since(since) >= UP_AFTER {
            self.step = lowest;
            self.enough_since = None;
        }
    }

    fn look_at(&mut self, lines: u32, now: MediaTime) {
        if lines == self.lines {
            self.fewer_lines_since = None;
            return;
        }
        let (since, wait) = if lines > self.lines {
            (self.lines_changed_at, MORE_LINES_AFTER)
        } else {
            (Some(*self.fewer_lines_since.get_or_insert(now)), FEWER_LINES_AFTER)
        };
        if since.is_none_or(|since| now.since(since) >= wait) {
            self.lines = lines;
            self.lines_changed_at = Some(now);
            self.fewer_lines_since = None;
        }
    }

    /// Encoding a picture took `took` of the `interval` between two of them.
    pub(super) fn note_load(&mut self, took: Duration, interval: Duration, now: MediaTime) {
        let load = took.as_secs_f64() / interval.as_secs_f64().max(0.001);
        self.load += (load.min(4.0) - self.load) * LOAD_WEIGHT;
        let judged_at = *self.load_judged_at.get_or_insert(now);
        let lowest = STEPS.len() - 1;
        if self.load > TOO_BUSY && now.since(judged_at) >= BUSY_AFTER && self.step + self.too_slow < lowest {
            self.too_slow += 1;
            self.load_judged_at = Some(now);
        } else if self.load < IDLE && now.since(judged_at) >= IDLE_AFTER && self.too_slow > 0 {
            self.too_slow -= 1;
            self.load_judged_at = Some(now);
        }
    }
}

fn scaled(full: Shape, eighths: u32, max_fps: u32) -> Shape {
    let height = (full.height * eighths / 8).max(MIN_HEIGHT).min(full.height) & !1;
    Shape { max_fps, ..full.of_height(height) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{VideoCodec, VideoLevel};

    const HD: Shape = Shape { width: 1280, height: 720, max_fps: 30 };

    const fn grant(kbps: u32) -> RateLimit {
        RateLimit { kbps, max_kbps: 1500, codec: CodecSupport::own(VideoCodec::PREFERRED) }
    }

    /// The shapes while `kbps` changes with the time in ms, where they change.
    fn shapes(
        scaler: &mut QualityScaler,
        millis: std::ops::Range<u64>,
        kbps: impl Fn(u64) -> u32,
    ) -> Vec<(u64, u32, u32)> {
        let mut changes: Vec<(u64, u32, u32)> = Vec::new();
        for at in millis.step_by(33) {
            let shape = scaler.shape(HD, grant(kbps(at)), u32::MAX, false, MediaTime::from_millis(at));
            if changes.last().is_none_or(|last| (last.1, last.2) != (shape.height, shape.max_fps)) {
                changes.push((at, shape.height, shape.max_fps));
            }
        }
        changes
    }

    #[test]
    fn a_thin_path_gets_fewer_then_smaller_pictures_and_a_wide_one_all_again() {
        let mut scaler = QualityScaler::default();
        let heights =
            |kbps| shapes(&mut QualityScaler::default(), 0..2000, |_| kbps).last().map(|last| (last.1, last.2));
        assert_eq!([1500, 450, 340, 210, 90, 45, 20].map(heights), {
            [(720, 30), (720, 30), (720, 20), (540, 20), (360, 20), (270, 20), (180, 15)].map(Some)
        });
        let changes = shapes(&mut scaler, 0..20_000, |at| if (5000..10_000).contains(&at) { 70 } else { 1500 });
        let fps: Vec<_> = changes.iter().map(|change| (change.1, change.2)).collect();
        assert_eq!(fps, [(720, 30), (270, 20), (720, 30)]);
        assert!((5300..5400).contains(&changes[1].0) && (11_500..11_600).contains(&changes[2].0), "{changes:?}");
    }

    #[test]
    fn what_the_settings_allow_is_enough_to_come_back_and_fewer_pictures_need_less() {
        let shapes_of = |full: Shape, max_kbps: u32, dip_kbps: u32| {
            let mut scaler = QualityScaler::default();
            let mut at = |second: u64| {
                let kbps = if (10..20).contains(&second) { dip_kbps } else { max_kbps };
                let now = MediaTime::from_millis(second * 1000);
                let shape = scaler.shape(
                    full,
                    RateLimit { kbps, max_kbps, codec: CodecSupport::default() },
                    u32::MAX,
                    false,
                    now,
                );
                (shape.height, shape.max_fps)
            };
            let shapes: Vec<_> = (0..40).map(&mut at).collect();
            [shapes[9], shapes[19], shapes[39]]
        };
        assert_eq!(shapes_of(HD, 500, 220), [(720, 30), (540, 20), (720, 30)]);
        assert_eq!(shapes_of(Shape { max_fps: 15, ..HD }, 250, 120), [(720, 15), (360, 15), (720, 15)]);
    }

    #[test]
    fn a_keyframe_that_is_due_anyway_is_made_at_the_size_that_the_rate_bears() {
        let mut scaler = QualityScaler::default();
        let mut height =
            |kbps, due, at| scaler.shape(HD, grant(kbps), u32::MAX, due, MediaTime::from_millis(at)).height;
        assert_eq!((height(1500, true, 0), height(90, false, 33), height(90, true, 66)), (720, 720, 360));
    }

    #[test]
    fn no_picture_exceeds_the_level_of_the_far_side_whatever_the_camera_gives() {
        let shape = |(width, height), level: u8| {
            let codec = CodecSupport { codec: VideoCodec::H264, level: VideoLevel::from_number(level) };
            let grant = RateLimit { kbps: 100_000, max_kbps: 100_000, codec };
            let full = Shape { width, height, max_fps: 30 };
            let shape = QualityScaler::default().shape(full, grant, u32::MAX, false, MediaTime::default());
            assert!(grant.codec.admits((shape.width, shape.height), shape.max_fps), "{shape:?} at {level}");
            (shape.width, shape.height)
        };
        assert_eq!(shape((1920, 1080), 40), (1920, 1080));
        assert_eq!(shape((1920, 1080), 31), (1280, 720));
        assert_eq!(shape((1920, 1080), 30), (768, 432));
        assert_eq!((shape((1280, 720), 31), shape((1280, 960), 31)), ((1280, 720), (1104, 828)));
        assert_eq!((shape((4096, 2160), 40), shape((640, 480), 30)), ((1984, 1046), (640, 480)));
    }

    #[test]
    fn a_rate_that_goes_up_and_down_changes_no_size() {
        let mut scaler = QualityScaler::default();
        let rate = |at: u64| if (at / 500).is_multiple_of(2) { 150 } else { 260 };
        let changes = shapes(&mut scaler, 0..60_000, rate);
        assert!(changes.len() <= 3, "{changes:?}");
        let short_dip = |at: u64| if at % 5000 < 200 { 60 } else { 1500 };
        assert_eq!(shapes(&mut QualityScaler::default(), 0..60_000, short_dip).len(), 1);
    }

    #[test]
    fn a_computer_that_is_too_slow_makes_smaller_pictures_for_a_time() {
        let mut scaler = QualityScaler::default();
        let interval = Duration::from_millis(33);
        let height_after = |scaler: &mut QualityScaler, from: u64, millis: u64, took: u64| {
            for at in (from..from + millis).step_by(33) {
                scaler.note_load(Duration::from_millis(took), interval, MediaTime::from_millis(at));
            }
            scaler.shape(HD, grant(1500), u32::MAX, false, MediaTime::from_millis(from + millis)).height
        };
        assert_eq!(height_after(&mut scaler, 0, 20_000, 20), 720);
        assert!(height_after(&mut scaler, 20_000, 3000, 40) < 720);
        assert_eq!(height_after(&mut scaler, 23_000, 60_000, 5), 720);
    }

    #[test]
    fn somebody_who_cannot_make_up_their_mind_does_not_change_the_size_each_time() {
        let mut scaler = QualityScaler::default();
        let mut heights: Vec<u32> = (0..600)
            .map(|n| {
                scaler
                    .shape(HD, grant(1500), if n % 2 == 0 { 180 } else { 2160 }, false, MediaTime::from_millis(n * 33))
                    .height
            })
            .collect();
        heights.dedup();
        assert_eq!(heights, [720]);
    }

    #[test]
    fn nobody_gets_more_lines_than_are_looked_at_nor_fewer_than_can_be() {
        let after_a_while = |full, kbps, lines| {
            let mut scaler = QualityScaler::default();
            let shapes = (0..3).map(|second| {
                scaler.shape(full, grant(kbps), lines, false, MediaTime::from_millis(second * 1000)).height
            });
            shapes.last()
        };
        let heights = [1, 200, 360, 400, 1080].map(|lines| after_a_while(HD, 1500, lines));
        assert_eq!(heights, [180, 270, 360, 450, 720].map(Some));
        let small = Shape { width: 320, height: 180, max_fps: 30 };
        assert_eq!(after_a_while(small, 1, 1), Some(180));
        assert_eq!(scaled(Shape { width: 640, height: 480, max_fps: 30 }, 3, 15).width, 240);
    }
}
