//! Choice among a camera's modes. Pure: a list of modes and a wish in, the modes from best to worst out.

use std::cmp::Reverse;

use crate::media::VideoFormat;

/// The order in which a camera hands over its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encoding {
    /// 4:2:2, packed as Y U Y V.
    Yuyv,
    /// 4:2:2, packed as Y V Y U.
    Yvyu,
    /// 4:2:2, packed as U Y V Y.
    Uyvy,
    /// 4:2:2, packed as V Y U Y.
    Vyuy,
    /// 4:2:0, a Y plane and a plane of U V pairs.
    Nv12,
    /// 4:2:0, a Y plane and a plane of V U pairs.
    Nv21,
    /// 4:2:2, a Y plane and a plane of U V pairs.
    Nv16,
    /// 4:2:2, a Y plane and a plane of V U pairs.
    Nv61,
    /// 4:2:0, planes of Y, U and V (V4L2's YU12).
    I420,
    /// 4:2:0, planes of Y, V and U.
    Yv12,
    /// 4:2:2, planes of Y, U and V (V4L2's 422P).
    I422,
    /// Luma alone.
    Grey,
    /// Three bytes a pixel: R G B.
    Rgb24,
    /// Three bytes a pixel: B G R.
    Bgr24,
    /// Four bytes a pixel: R G B and one that is not looked at.
    Rgbx32,
    /// Four bytes a pixel: B G R and one that is not looked at.
    Bgrx32,
    /// One JPEG a picture.
    Mjpeg,
}

impl Encoding {
    /// Higher where more work is needed to make I420 of it, or where it holds no colour.
    const fn burden(self) -> u8 {
        match self {
            Self::Grey => 3,
            Self::Mjpeg => 2,
            Self::Rgb24 | Self::Bgr24 | Self::Rgbx32 | Self::Bgrx32 => 1,
            _ => 0,
        }
    }
}

/// A frame rate as a fraction: so many frames in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameRate {
    /// Frames, at least 1.
    frames: u32,
    /// The seconds that they take, at least 1.
    seconds: u32,
}

/// For the backend for Linux: nokhwa's own know whole rates alone.
#[cfg(target_os = "linux")]
impl FrameRate {
    /// The rate of a camera that does not tell its own: 30 frames a second.
    pub const ASSUMED: Self = Self::whole(30);

    /// The rate of `frames` in `seconds`; `None` when one of them is 0.
    pub const fn new(frames: u32, seconds: u32) -> Option<Self> {
        if frames == 0 || seconds == 0 { None } else { Some(Self { frames, seconds }) }
    }

    /// Frames, and the seconds that they take.
    pub const fn fraction(self) -> (u32, u32) {
        (self.frames, self.seconds)
    }
}

impl FrameRate {
    /// The rate of `fps` frames a second (at least 1).
    pub const fn whole(fps: u32) -> Self {
        Self { frames: if fps == 0 { 1 } else { fps }, seconds: 1 }
    }

    /// Frames in 1000 seconds.
    pub const fn millihertz(self) -> u64 {
        self.frames as u64 * 1000 / self.seconds as u64
    }

    /// Frames a second, rounded to a whole number of at least 1.
    pub const fn rounded(self) -> u32 {
        let rounded = (self.frames as u64 * 2 + self.seconds as u64) / (self.seconds as u64 * 2);
        if rounded == 0 { 1 } else { rounded as u32 }
    }
}

/// One mode of a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CameraMode {
    /// Pixel format.
    pub encoding: Encoding,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frame rate.
    pub rate: FrameRate,
}

/// Sorts `modes` from the one that serves `format` best to the one that serves it worst.
///
/// In order of weight: in colour, not a slide show (half the frame rate), large enough, enough frames a second, the
/// same shape, nearest in size, uncompressed, no more frames than wanted. So a camera that gives 1280x720 at 30 frames
/// only as MJPEG is read as MJPEG, and one that gives it uncompressed too is spared the decoder.
pub fn rank(modes: &mut [CameraMode], format: VideoFormat) {
    modes.sort_by_key(|mode| cost(*mode, format));
}

fn cost(mode: CameraMode, format: VideoFormat) -> impl Ord {
    let (fps, wanted_fps) = (mode.rate.millihertz(), u64::from(format.max_fps) * 1000);
    let slide_show = fps * 2 < wanted_fps;
    let too_small = mode.width < format.width || mode.height < format.height;
    // 24 or 25 frames a second serve a wish for 30.
    let too_slow = fps * 5 < wanted_fps * 4;
    let other_shape =
        u64::from(mode.width) * u64::from(format.height) != u64::from(mode.height) * u64::from(format.width);
    let area = |width: u32, height: u32| u64::from(width) * u64::from(height);
    let size_distance = area(mode.width, mode.height).abs_diff(area(format.width, format.height));
    let no_colour = mode.encoding == Encoding::Grey;
    let waste = fps.saturating_sub(wanted_fps);
    let shape = (too_small, too_slow, other_shape, size_distance);
    (no_colour, slide_show, shape, mode.encoding.burden(), waste, Reverse(fps), mode)
}

#[cfg(test)]
mod tests {
    use super::Encoding::{Grey, Mjpeg, Nv12, Yuyv};
    use super::*;
    use crate::media::Preset;

    const fn mode(encoding: Encoding, width: u32, height: u32, fps: u32) -> CameraMode {
        CameraMode { encoding, width, height, rate: FrameRate::whole(fps) }
    }

    fn best(modes: &[CameraMode], preset: Preset) -> CameraMode {
        let mut modes = modes.to_vec();
        rank(&mut modes, VideoFormat::of(preset, None, None));
        modes[0]
    }

    /// Modes of a common webcam: fast when small, slow when large, fast as MJPEG.
    const WEBCAM: [CameraMode; 9] = [
        mode(Yuyv, 320, 240, 30),
        mode(Yuyv, 640, 480, 30),
        mode(Yuyv, 640, 480, 15),
        mode(Yuyv, 1280, 720, 10),
        mode(Mjpeg, 640, 480, 30),
        mode(Mjpeg, 1280, 720, 30),
        mode(Mjpeg, 1920, 1080, 30),
        mode(Mjpeg, 640, 360, 30),
        mode(Yuyv, 320, 180, 30),
    ];

    #[test]
    fn a_common_webcam_is_asked_for_what_serves_each_preset() {
        for (preset, expected) in [
            (Preset::Low, mode(Yuyv, 320, 240, 30)),
            (Preset::LowWide, mode(Yuyv, 320, 180, 30)),
            (Preset::Standard, mode(Yuyv, 640, 480, 30)),
            (Preset::StandardWide, mode(Mjpeg, 640, 360, 30)),
            (Preset::HighWide, mode(Mjpeg, 1280, 720, 30)),
            (Preset::FullWide, mode(Mjpeg, 1920, 1080, 30)),
        ] {
            assert_eq!(best(&WEBCAM, preset), expected, "{preset}");
        }
    }

    #[test]
    fn other_cameras_are_asked_for_the_nearest() {
        for (modes, preset, expected, why) in [
            (
                vec![mode(Mjpeg, 1280, 720, 30), mode(Nv12, 1280, 720, 30)],
                Preset::HighWide,
                mode(Nv12, 1280, 720, 30),
                "uncompressed saves the decoder",
            ),
            (
                vec![mode(Yuyv, 1280, 720, 10), mode(Yuyv, 640, 480, 30)],
                Preset::HighWide,
                mode(Yuyv, 640, 480, 30),
                "a small picture that moves is better than a slide show",
            ),
            (
                vec![mode(Yuyv, 1280, 720, 15), mode(Yuyv, 640, 480, 30)],
                Preset::HighWide,
                mode(Yuyv, 1280, 720, 15),
                "half the frames at the full size will do",
            ),
            (
                vec![mode(Yuyv, 640, 480, 30), mode(Yuyv, 1280, 720, 30)],
                Preset::StandardWide,
                mode(Yuyv, 1280, 720, 30),
                "the same shape keeps the whole field of view",
            ),
            (
                vec![mode(Yuyv, 640, 480, 60), mode(Yuyv, 640, 480, 30), mode(Yuyv, 640, 480, 25)],
                Preset::Standard,
                mode(Yuyv, 640, 480, 30),
                "no more frames than wanted",
            ),
            (
                vec![mode(Yuyv, 320, 240, 30), mode(Yuyv, 352, 288, 30), mode(Yuyv, 160, 120, 30)],
                Preset::HighWide,
                mode(Yuyv, 352, 288, 30),
                "the largest when all are too small",
            ),
            (
                vec![mode(Mjpeg, 3840, 2160, 30), mode(Mjpeg, 1920, 1080, 30)],
                Preset::HighWide,
                mode(Mjpeg, 1920, 1080, 30),
                "no larger than needed",
            ),
            (
                vec![mode(Grey, 1280, 720, 30), mode(Yuyv, 640, 480, 15)],
                Preset::HighWide,
                mode(Yuyv, 640, 480, 15),
                "colour before size",
            ),
        ] {
            assert_eq!(best(&modes, preset), expected, "{why}");
        }
    }

    #[test]
    fn rates_that_are_no_whole_number_are_compared_as_they_are() {
        let rate = |frames, seconds| FrameRate::new(frames, seconds).unwrap();
        for (frames, seconds, rounded) in
            [(30_000, 1001, 30), (60_000, 1001, 60), (7680, 256, 30), (15, 2, 8), (1, 10, 1), (u32::MAX, 1, u32::MAX)]
        {
            assert_eq!(rate(frames, seconds).rounded(), rounded, "{frames}/{seconds}");
        }
        assert_eq!((FrameRate::new(0, 1), FrameRate::new(1, 0)), (None, None));
        let mode = |frames, seconds| CameraMode { rate: rate(frames, seconds), ..mode(Yuyv, 640, 480, 1) };
        let best = |modes: &[CameraMode]| best(modes, Preset::Standard);
        assert_eq!(best(&[mode(15, 2), mode(30_000, 1001), mode(60_000, 1001)]), mode(30_000, 1001));
        assert_eq!(best(&[mode(60_000, 1001), mode(30, 1)]), mode(30, 1), "no more frames than wanted");
        assert_eq!(best(&[mode(15, 2), mode(60_000, 1001)]), mode(60_000, 1001), "no slide show");
    }
}
