//! Limited range of samples (ITU-R BT.601: luma 16 to 235, chroma 16 to 240), which frames have.

use crate::media::VideoFrame;

/// Brings full-range samples (0..=255) to the limited range (16..=235, chroma 16..=240).
pub(super) fn limit_range(frame: &mut VideoFrame) {
    let (y, u, v) = frame.planes_mut();
    for luma in y {
        *luma = limited_luma(*luma);
    }
    for chroma in u.iter_mut().chain(v) {
        *chroma = limited_chroma(*chroma);
    }
}

/// 16 + y * 219 / 255, as a multiplication and a shift that compilers turn into vector code.
pub(super) const fn limited_luma(full: u8) -> u8 {
    ((full as u16 * 220 + 128) >> 8) as u8 + 16
}

/// 128 + (c - 128) * 224 / 255, likewise.
pub(super) const fn limited_chroma(full: u8) -> u8 {
    ((full as u16 * 225 + 64) >> 8) as u8 + 16
}
