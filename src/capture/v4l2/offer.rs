//! Capabilities of a camera: pixel formats, the sizes of each, the frame rates of each size.

use v4l::v4l_sys::{
    v4l2_fmtdesc, v4l2_frmivalenum, v4l2_frmivaltypes_V4L2_FRMIVAL_TYPE_DISCRETE, v4l2_frmsizeenum,
    v4l2_frmsizetypes_V4L2_FRMSIZE_TYPE_DISCRETE,
};

use crate::capture::backend_error::BackendError;
use crate::capture::convert::MAX_SIDE;
use crate::capture::finding::Finding;
use crate::capture::mode::{CameraMode, FrameRate};
use crate::capture::range::{Sides, rates_in, sizes_in};
use crate::media::Preset;

use super::device::{CAPTURE, Device, ENUM_FMT, ENUM_FRAMEINTERVALS, ENUM_FRAMESIZES, zeroed};
use super::format::{current_size, encoding_of, name_of, rate_of, try_size};

/// Items of one list that are looked at; a driver that ignores the index would give them without end.
const MAX_ITEMS: u32 = 128;

/// Asks for everything.
pub(super) fn look(device: &Device) -> Result<Finding, BackendError> {
    let mut modes = Vec::new();
    let mut unusable = Vec::new();
    for fourcc in fourccs(device)? {
        let Some(encoding) = encoding_of(fourcc) else {
            unusable.push(name_of(fourcc));
            continue;
        };
        for (width, height) in sizes(device, fourcc)? {
            if !(1..=MAX_SIDE).contains(&(width as usize)) || !(1..=MAX_SIDE).contains(&(height as usize)) {
                unusable.push(format!("{} {width}x{height}", name_of(fourcc)));
                continue;
            }
            let rates = rates(device, fourcc, width, height)?;
            modes.extend(rates.into_iter().map(|rate| CameraMode { encoding, width, height, rate }));
        }
    }
    modes.sort_unstable();
    modes.dedup();
    Ok(match (modes.is_empty(), unusable.is_empty()) {
        (false, _) => Finding::Modes(modes),
        (true, false) => Finding::Unusable(unusable.join(", ")),
        // A webcam has a second node, for metadata.
        (true, true) => Finding::NoCamera,
    })
}

fn fourccs(device: &Device) -> Result<Vec<u32>, BackendError> {
    let formats = device.list(&ENUM_FMT, MAX_ITEMS, |index| v4l2_fmtdesc { index, type_: CAPTURE, ..zeroed() })?;
    let mut fourccs: Vec<u32> = Vec::new();
    for format in formats {
        if !fourccs.contains(&format.pixelformat) {
            fourccs.push(format.pixelformat);
        }
    }
    Ok(fourccs)
}

/// The sizes of a format, each once; of a range those that serve the presets.
fn sizes(device: &Device, fourcc: u32) -> Result<Vec<(u32, u32)>, BackendError> {
    let listed = device.list(&ENUM_FRAMESIZES, MAX_ITEMS, |index| v4l2_frmsizeenum {
        index,
        pixel_format: fourcc,
        ..zeroed()
    })?;
    let mut sizes: Vec<(u32, u32)> = listed.iter().flat_map(sizes_of).collect();
    if sizes.is_empty() {
        sizes = unlisted_sizes(device, fourcc);
    }
    sizes.sort_unstable();
    sizes.dedup();
    Ok(sizes)
}

fn sizes_of(listed: &v4l2_frmsizeenum) -> Vec<(u32, u32)> {
    // SAFETY: both members of the union hold plain numbers, so that each may be read whichever was written.
    let (discrete, range) = unsafe { (listed.__bindgen_anon_1.discrete, listed.__bindgen_anon_1.stepwise) };
    if listed.type_ == v4l2_frmsizetypes_V4L2_FRMSIZE_TYPE_DISCRETE {
        return vec![(discrete.width, discrete.height)];
    }
    sizes_in(
        Sides { min: range.min_width, max: range.max_width, step: range.step_width },
        Sides { min: range.min_height, max: range.max_height, step: range.step_height },
    )
}

/// The sizes of a driver that lists none: its answers to the presets' sizes, or else the present size.
fn unlisted_sizes(device: &Device, fourcc: u32) -> Vec<(u32, u32)> {
    let tried: Vec<_> = Preset::ALL.iter().filter_map(|preset| try_size(device, fourcc, preset.size())).collect();
    if tried.is_empty() { current_size(device).into_iter().collect() } else { tried }
}

/// The frame rates of a size: of a range the common ones, and 30 frames a second where none is listed.
fn rates(device: &Device, fourcc: u32, width: u32, height: u32) -> Result<Vec<FrameRate>, BackendError> {
    let listed = device.list(&ENUM_FRAMEINTERVALS, MAX_ITEMS, |index| v4l2_frmivalenum {
        index,
        pixel_format: fourcc,
        width,
        height,
        ..zeroed()
    })?;
    let rates: Vec<FrameRate> = listed.iter().flat_map(rates_of).collect();
    Ok(if rates.is_empty() { vec![FrameRate::ASSUMED] } else { rates })
}

fn rates_of(listed: &v4l2_frmivalenum) -> Vec<FrameRate> {
    // SAFETY: both members of the union hold plain numbers, so that each may be read whichever was written.
    let (discrete, range) = unsafe { (listed.__bindgen_anon_1.discrete, listed.__bindgen_anon_1.stepwise) };
    if listed.type_ == v4l2_frmivaltypes_V4L2_FRMIVAL_TYPE_DISCRETE {
        return rate_of(discrete).into_iter().collect();
    }
    // The longest interval is the slowest rate.
    rates_in(rate_of(range.max), rate_of(range.min))
}
