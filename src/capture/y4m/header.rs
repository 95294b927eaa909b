//! Header of a YUV4MPEG2 file: sizes, frame rate, pixel shape and sample format, as `mjpegtools` and `ffmpeg` write
//! them.

use crate::capture::convert::MAX_SIDE;
use crate::device::DeviceReason;

/// First word of every such file.
pub(super) const SIGNATURE: &str = "YUV4MPEG2";

/// Contents of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Y4mHeader {
    /// Width in pixels, 1..=4096.
    pub width: usize,
    /// Height in pixels, 1..=4096.
    pub height: usize,
    /// Frames a second, as a fraction, between 1 and 240.
    pub fps: (u32, u32),
    /// Width of a pixel to its height, between 1:4 and 4:1.
    pub pixel_aspect: (u32, u32),
    /// Samples use 0..=255 (`XCOLORRANGE=FULL`).
    pub full_range: bool,
}

impl Y4mHeader {
    /// Frames a second of a film that does not say its rate, or an impossible one.
    const USUAL_FPS: (u32, u32) = (30, 1);
    /// The formats that are 8-bit 4:2:0; they differ in where the chroma samples lie, by half a pixel at most.
    const FORMATS: [&'static str; 4] = ["420", "420jpeg", "420mpeg2", "420paldv"];

    /// Bytes in one picture: Y, U and V packed, chroma rounded up.
    pub const fn frame_len(&self) -> usize {
        self.width * self.height + 2 * self.width.div_ceil(2) * self.height.div_ceil(2)
    }

    /// Reads the header from its line. Interlacing and fields that nobody knows do not change how the bytes are read.
    pub(super) fn parse(line: &[u8]) -> Result<Self, DeviceReason> {
        let line = String::from_utf8_lossy(line);
        let mut fields = line.split_ascii_whitespace();
        if fields.next() != Some(SIGNATURE) {
            return Err(DeviceReason::NotAFilm);
        }
        let (fps, pixel_aspect) = (Self::USUAL_FPS, (1, 1));
        let mut header = Self { width: 0, height: 0, fps, pixel_aspect, full_range: false };
        let (mut format, mut older_format) = (None, None);
        for field in fields {
            let bad = || DeviceReason::HeaderField(field.to_owned());
            let Some((tag, value)) = field.split_at_checked(1) else { continue };
            match tag {
                "W" => header.width = value.parse().map_err(|_| bad())?,
                "H" => header.height = value.parse().map_err(|_| bad())?,
                "F" => header.fps = rate(value).ok_or_else(bad)?,
                "A" => header.pixel_aspect = aspect(value),
                "C" => format = Some(value),
                "X" if value == "COLORRANGE=FULL" => header.full_range = true,
                "X" => older_format = value.strip_prefix("YSCSS=").or(older_format),
                _ => {}
            }
        }
        if let Some(format) = format.or(older_format)
            && !Self::FORMATS.contains(&format.to_ascii_lowercase().as_str())
        {
            return Err(DeviceReason::PictureFormat(format.to_owned()));
        }
        let sides = 1..=MAX_SIDE;
        if sides.contains(&header.width) && sides.contains(&header.height) {
            Ok(header)
        } else {
            Err(DeviceReason::PictureSize)
        }
    }
}

/// Two numbers between which a colon stands, or one; `None` for other text.
fn fraction(value: &str) -> Option<(u64, u64)> {
    let (numerator, denominator) = value.split_once(':').unwrap_or((value, "1"));
    Some((numerator.parse().ok()?, denominator.parse().ok()?))
}

/// Frames a second. Unknown (`0:0`) and impossible rates count as 30, slide shows as 1.
fn rate(value: &str) -> Option<(u32, u32)> {
    let (numerator, denominator) = fraction(value)?;
    if numerator == 0 || denominator == 0 || numerator / denominator > 240 {
        return Some(Y4mHeader::USUAL_FPS);
    }
    if numerator < denominator {
        return Some((1, 1));
    }
    Some(u32::try_from(numerator).ok().zip(u32::try_from(denominator).ok()).unwrap_or(Y4mHeader::USUAL_FPS))
}

/// The shape of a pixel; square where it is unknown (`0:0`) or beyond belief.
fn aspect(value: &str) -> (u32, u32) {
    let Some((width, height)) = fraction(value) else { return (1, 1) };
    let (Ok(width), Ok(height)) = (u16::try_from(width), u16::try_from(height)) else { return (1, 1) };
    let (width, height) = (u32::from(width), u32::from(height));
    if width == 0 || height == 0 || width > 4 * height || height > 4 * width { (1, 1) } else { (width, height) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(line: &str) -> Result<Y4mHeader, DeviceReason> {
        Y4mHeader::parse(line.as_bytes())
    }

    #[test]
    fn headers_of_common_writers_are_read() {
        let square = (1, 1);
        for (line, right) in [
            (
                "YUV4MPEG2 W640 H480 F30000:1001 Ip A1:1 C420jpeg XYSCSS=420JPEG XCOLORRANGE=LIMITED",
                Y4mHeader { width: 640, height: 480, fps: (30_000, 1001), pixel_aspect: square, full_range: false },
            ),
            (
                "YUV4MPEG2 H3 W5 C420mpeg2 F0:0 A0:0 XCOLORRANGE=FULL",
                Y4mHeader { width: 5, height: 3, fps: (30, 1), pixel_aspect: square, full_range: true },
            ),
            (
                "YUV4MPEG2 W720  H576 F25:1 It A128:117 C420paldv Zwhat é",
                Y4mHeader { width: 720, height: 576, fps: (25, 1), pixel_aspect: (128, 117), full_range: false },
            ),
            (
                "YUV4MPEG2 W2 H2 F240:1 A1:100 XYSCSS=420MPEG2",
                Y4mHeader { width: 2, height: 2, fps: (240, 1), pixel_aspect: square, full_range: false },
            ),
        ] {
            assert_eq!(header(line), Ok(right), "{line}");
        }
    }

    #[test]
    fn every_rate_is_held_to_what_a_camera_has() {
        let fps = |value: &str| header(&format!("YUV4MPEG2 W2 H2 F{value}")).unwrap().fps;
        assert_eq!(
            ["1000000:1", "4294967296:1", "5000000000:100000000", "1:2", "60"].map(fps),
            [(30, 1), (30, 1), (30, 1), (1, 1), (60, 1)]
        );
    }

    #[test]
    fn bad_headers_are_refused_with_a_reason() {
        let field = |field: &str| DeviceReason::HeaderField(field.to_owned());
        let format = |format: &str| DeviceReason::PictureFormat(format.to_owned());
        for (line, reason) in [
            ("", DeviceReason::NotAFilm),
            ("RIFF....", DeviceReason::NotAFilm),
            ("YUV4MPEG2X W2 H2", DeviceReason::NotAFilm),
            ("YUV4MPEG2 W640", DeviceReason::PictureSize),
            ("YUV4MPEG2 W5000 H2", DeviceReason::PictureSize),
            ("YUV4MPEG2 W0 H2", DeviceReason::PictureSize),
            ("YUV4MPEG2 W99999999999999999999 H2", field("W99999999999999999999")),
            ("YUV4MPEG2 W64 H-2", field("H-2")),
            ("YUV4MPEG2 W64 H48 Ffast", field("Ffast")),
            ("YUV4MPEG2 W64 H48 C444", format("444")),
            ("YUV4MPEG2 W64 H48 C420p10", format("420p10")),
            ("YUV4MPEG2 W64 H48 C422 XYSCSS=420JPEG", format("422")),
            ("YUV4MPEG2 W64 H48 Cmono", format("mono")),
            ("YUV4MPEG2 W64 H48 XYSCSS=411", format("411")),
        ] {
            assert_eq!(header(line), Err(reason), "{line}");
        }
    }
}
