//! Which of a camera's modes to ask for. Pure: a list of modes and a wish in, the modes from best to worst out.

use std::cmp::Reverse;

use crate::media::VideoFormat;

/// How a camera hands over its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encoding {
    /// 4:2:2, packed as Y U Y V.
    Yuyv,
    /// 4:2:0, a Y plane and a plane of U V pairs.
    Nv12,
    /// One JPEG a picture.
    Mjpeg,
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
    /// Frames a second.
    pub fps: u32,
}

/// Sorts `modes` from the one that serves `format` best to the one that serves it worst.
///
/// In order of weight: not a slide show (half the frame rate), large enough, enough frames a second, the same shape,
/// nearest in size, uncompressed, no more frames than wanted. So a camera that gives 1280x720 at 30 frames only as MJPEG
/// is read as MJPEG, and one that gives it uncompressed too is spared the decoder.
pub fn rank(modes: &mut [CameraMode], format: VideoFormat) {
    modes.sort_by_key(|mode| cost(*mode, format));
}

fn cost(mode: CameraMode, format: VideoFormat) -> impl Ord {
    let slide_show = mode.fps * 2 < format.max_fps;
    let too_small = mode.width < format.width || mode.height < format.height;
    // 24 or 25 frames a second serve a wish for 30.
    let too_slow = mode.fps * 5 < format.max_fps * 4;
    let other_shape =
        u64::from(mode.width) * u64::from(format.height) != u64::from(mode.height) * u64::from(format.width);
    let area = |width: u32, height: u32| u64::from(width) * u64::from(height);
    let size_distance = area(mode.width, mode.height).abs_diff(area(format.width, format.height));
    let compressed = mode.encoding == Encoding::Mjpeg;
    let waste = mode.fps.saturating_sub(format.max_fps);
    (slide_show, too_small, too_slow, other_shape, size_distance, compressed, waste, Reverse(mode.fps), mode)
}

#[cfg(test)]
mod tests {
    use super::Encoding::{Mjpeg, Nv12, Yuyv};
    use super::*;
    use crate::media::Preset;

    const fn mode(encoding: Encoding, width: u32, height: u32, fps: u32) -> CameraMode {
        CameraMode { encoding, width, height, fps }
    }

    fn best(modes: &[CameraMode], preset: Preset) -> CameraMode {
        let mut modes = modes.to_vec();
        rank(&mut modes, VideoFormat::of(preset, None, None));
        modes[0]
    }

    /// What a common webcam offers: fast when small, slow when large, fast as MJPEG.
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
        ] {
            assert_eq!(best(&modes, preset), expected, "{why}");
        }
    }
}
