//! Pixel formats by V4L2's four characters, and how one is set.

use v4l::v4l_sys::{
    V4L2_PIX_FMT_PRIV_MAGIC, v4l2_captureparm, v4l2_colorspace_V4L2_COLORSPACE_JPEG as JPEG_COLOURS, v4l2_format,
    v4l2_format__bindgen_ty_1, v4l2_fract, v4l2_pix_format, v4l2_quantization_V4L2_QUANTIZATION_FULL_RANGE as FULL,
    v4l2_quantization_V4L2_QUANTIZATION_LIM_RANGE as LIMITED, v4l2_streamparm, v4l2_streamparm__bindgen_ty_1,
};

use crate::capture::backend_error::BackendError;
use crate::capture::convert::{Layout, MAX_SIDE};
use crate::capture::mode::{CameraMode, Encoding, FrameRate};

use super::device::{CAPTURE, Device, G_FMT, S_FMT, S_PARM, TRY_FMT, zeroed};

/// Modes that are tried when a device refuses one that it has itself offered.
const MODES_TRIED: usize = 4;

/// The formats that can be converted.
const FORMATS: [(&[u8; 4], Encoding); 21] = [
    (b"YUYV", Encoding::Yuyv),
    (b"YVYU", Encoding::Yvyu),
    (b"UYVY", Encoding::Uyvy),
    (b"VYUY", Encoding::Vyuy),
    (b"NV12", Encoding::Nv12),
    (b"NV21", Encoding::Nv21),
    (b"NV16", Encoding::Nv16),
    (b"NV61", Encoding::Nv61),
    (b"YU12", Encoding::I420),
    (b"YV12", Encoding::Yv12),
    (b"422P", Encoding::I422),
    (b"GREY", Encoding::Grey),
    (b"RGB3", Encoding::Rgb24),
    (b"BGR3", Encoding::Bgr24),
    (b"XB24", Encoding::Rgbx32),
    (b"AB24", Encoding::Rgbx32),
    (b"XR24", Encoding::Bgrx32),
    (b"AR24", Encoding::Bgrx32),
    (b"BGR4", Encoding::Bgrx32),
    (b"MJPG", Encoding::Mjpeg),
    (b"JPEG", Encoding::Mjpeg),
];

/// The encoding that a format's four characters mean.
pub(super) fn encoding_of(fourcc: u32) -> Option<Encoding> {
    FORMATS.iter().find(|(name, _)| u32::from_le_bytes(**name) == fourcc).map(|&(_, encoding)| encoding)
}

/// The four characters, or the number where they cannot be printed.
pub(super) fn name_of(fourcc: u32) -> String {
    let characters = fourcc.to_le_bytes();
    if characters.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
        String::from_utf8_lossy(&characters).trim_end().to_owned()
    } else {
        format!("{fourcc:#010x}")
    }
}

/// The rate of an interval between two frames, in seconds.
pub(super) const fn rate_of(interval: v4l2_fract) -> Option<FrameRate> {
    FrameRate::new(interval.denominator, interval.numerator)
}

/// A whole request for a format; unset fields are the driver's choice.
fn format(fourcc: u32, (width, height): (u32, u32)) -> v4l2_format {
    let pix = v4l2_pix_format { width, height, pixelformat: fourcc, priv_: V4L2_PIX_FMT_PRIV_MAGIC, ..zeroed() };
    v4l2_format { type_: CAPTURE, fmt: v4l2_format__bindgen_ty_1 { pix } }
}

/// The single-planar format in a driver's answer.
const fn answer(format: &v4l2_format) -> v4l2_pix_format {
    // SAFETY: requests for the capture queue are answered in this member, which holds plain numbers.
    unsafe { format.fmt.pix }
}

/// The size that the driver would take for `size` in the format, if it tells.
pub(super) fn try_size(device: &Device, fourcc: u32, size: (u32, u32)) -> Option<(u32, u32)> {
    let mut asked = format(fourcc, size);
    device.call(&TRY_FMT, &mut asked).ok()?;
    let pix = answer(&asked);
    (pix.pixelformat == fourcc).then_some((pix.width, pix.height))
}

/// The size that is set now, if the driver tells.
pub(super) fn current_size(device: &Device) -> Option<(u32, u32)> {
    let mut asked = v4l2_format { type_: CAPTURE, ..zeroed() };
    device.call(&G_FMT, &mut asked).ok()?;
    let pix = answer(&asked);
    Some((pix.width, pix.height))
}

/// Sets the first of `ranked` modes that the camera takes, or else the best of those that it changed into something
/// that can be used all the same. The state before is not looked at: another program may have left anything.
pub(super) fn set(device: &Device, ranked: &[CameraMode]) -> Result<(CameraMode, Layout), BackendError> {
    let mut refusal = BackendError::new("the camera takes none of its modes".to_owned(), None);
    let mut changed = None;
    for mode in ranked.iter().take(MODES_TRIED) {
        for fourcc in fourccs_of(mode.encoding) {
            match set_format(device, fourcc, (mode.width, mode.height)) {
                Ok((encoding, layout)) => {
                    if (encoding, layout.width, layout.height)
                        == (mode.encoding, mode.width as usize, mode.height as usize)
                    {
                        return Ok((set_rate(device, *mode)?, layout));
                    }
                    changed.get_or_insert((fourcc, *mode));
                }
                Err(error) if error.is_final() => return Err(error),
                Err(error) => refusal = error,
            }
        }
    }
    let Some((fourcc, mode)) = changed else { return Err(refusal) };
    let (encoding, layout) = set_format(device, fourcc, (mode.width, mode.height))?;
    let (width, height) = (layout.width as u32, layout.height as u32);
    Ok((set_rate(device, CameraMode { encoding, width, height, ..mode })?, layout))
}

fn fourccs_of(encoding: Encoding) -> impl Iterator<Item = u32> {
    FORMATS.iter().filter(move |(_, of)| *of == encoding).map(|(name, _)| u32::from_le_bytes(**name))
}

/// Sets a format; returns the layout that the driver chose.
fn set_format(device: &Device, fourcc: u32, size: (u32, u32)) -> Result<(Encoding, Layout), BackendError> {
    let mut asked = format(fourcc, size);
    device.demand(&S_FMT, &mut asked)?;
    let pix = answer(&asked);
    let size = (pix.width as usize, pix.height as usize);
    let usable = (1..=MAX_SIDE).contains(&size.0) && (1..=MAX_SIDE).contains(&size.1);
    let Some(encoding) = encoding_of(pix.pixelformat).filter(|_| usable) else {
        let text = format!("the camera answers with {} {}x{}", name_of(pix.pixelformat), size.0, size.1);
        return Err(BackendError::new(text, None));
    };
    let padded = Layout::padded(encoding, size, pix.bytesperline as usize, pix.sizeimage as usize);
    Ok((encoding, Layout { full_range: is_full_range(&pix), ..padded }))
}

/// True when Y, U and V take all values: said outright (where the driver knows of that field), or by JPEG's colours.
const fn is_full_range(pix: &v4l2_pix_format) -> bool {
    let quantization = if pix.priv_ == V4L2_PIX_FMT_PRIV_MAGIC { pix.quantization } else { 0 };
    match quantization {
        FULL => true,
        LIMITED => false,
        _ => pix.colorspace == JPEG_COLOURS,
    }
}

/// Asks for the mode's frame rate; the mode with the rate that the camera really has. Many devices have one rate and
/// refuse the question: that is no fault.
fn set_rate(device: &Device, mode: CameraMode) -> Result<CameraMode, BackendError> {
    let (frames, seconds) = mode.rate.fraction();
    let timeperframe = v4l2_fract { numerator: seconds, denominator: frames };
    let capture = v4l2_captureparm { timeperframe, ..zeroed() };
    let mut asked = v4l2_streamparm { type_: CAPTURE, parm: v4l2_streamparm__bindgen_ty_1 { capture } };
    match device.demand(&S_PARM, &mut asked) {
        Ok(()) => {}
        Err(error) if error.is_final() => return Err(error),
        Err(error) => {
            tracing::debug!(%error, "the camera keeps its own frame rate");
            return Ok(mode);
        }
    }
    // SAFETY: parameters of the capture queue are answered in this member, which holds plain numbers.
    let given = unsafe { asked.parm.capture.timeperframe };
    Ok(CameraMode { rate: rate_of(given).unwrap_or(mode.rate), ..mode })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fourcc(name: &[u8; 4]) -> u32 {
        u32::from_le_bytes(*name)
    }

    #[test]
    fn formats_are_known_by_their_four_characters() {
        assert_eq!(encoding_of(fourcc(b"UYVY")), Some(Encoding::Uyvy));
        assert_eq!(encoding_of(fourcc(b"YU12")), Some(Encoding::I420));
        assert_eq!(encoding_of(fourcc(b"H264")), None);
        let of_jpeg: Vec<u32> = fourccs_of(Encoding::Mjpeg).collect();
        assert_eq!(of_jpeg, [fourcc(b"MJPG"), fourcc(b"JPEG")]);
        for (name, text) in
            [(b"H264", "H264"), (b"Y16 ", "Y16"), (b"\x1b[2J", "0x4a325b1b"), (b"\0\0\0\0", "0x00000000")]
        {
            assert_eq!(name_of(fourcc(name)), text);
        }
    }

    #[test]
    fn the_range_is_full_where_the_driver_says_so() {
        let pix = |priv_, quantization, colorspace| v4l2_pix_format { priv_, quantization, colorspace, ..zeroed() };
        let magic = V4L2_PIX_FMT_PRIV_MAGIC;
        assert!(is_full_range(&pix(magic, FULL, 8)) && is_full_range(&pix(0, LIMITED, JPEG_COLOURS)));
        assert!(!is_full_range(&pix(0, FULL, 8)), "a driver that knows nothing of the field");
        assert!(!is_full_range(&pix(magic, LIMITED, JPEG_COLOURS)) && !is_full_range(&pix(magic, 0, 8)));
    }
}
