//! The places of a picture's samples in a camera's buffer.

use crate::capture::mode::Encoding;

use super::error::ConvertError;

/// The longest side of a picture that is taken from a device or a file, in pixels.
pub const MAX_SIDE: usize = 4096;

/// The geometry of a camera's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The order of the samples.
    pub encoding: Encoding,
    /// Width in pixels (for MJPEG the JPEG's own header counts).
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Bytes from one row of the first plane to the next; drivers pad rows as their hardware needs. 0 for MJPEG.
    pub stride: usize,
    /// True when Y, U and V take all values from 0 to 255, as JPEG's always do. RGB's never do.
    pub full_range: bool,
}

/// The ways in which samples of several kinds share a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Two pixels in four bytes.
    Packed422,
    /// A plane of Y, and one of pairs, with so many rows of Y for each of its rows.
    SemiPlanar { rows: usize, v_first: bool },
    /// Planes of Y, U and V, likewise.
    Planar { rows: usize, v_first: bool },
    /// A plane of Y.
    Grey,
    /// So many bytes a pixel.
    Rgb { bytes: usize },
    /// A picture of any length.
    Jpeg,
}

pub(super) const fn family(encoding: Encoding) -> Family {
    match encoding {
        Encoding::Yuyv | Encoding::Yvyu | Encoding::Uyvy | Encoding::Vyuy => Family::Packed422,
        Encoding::Nv12 => Family::SemiPlanar { rows: 2, v_first: false },
        Encoding::Nv21 => Family::SemiPlanar { rows: 2, v_first: true },
        Encoding::Nv16 => Family::SemiPlanar { rows: 1, v_first: false },
        Encoding::Nv61 => Family::SemiPlanar { rows: 1, v_first: true },
        Encoding::I420 => Family::Planar { rows: 2, v_first: false },
        Encoding::Yv12 => Family::Planar { rows: 2, v_first: true },
        Encoding::I422 => Family::Planar { rows: 1, v_first: false },
        Encoding::Grey => Family::Grey,
        Encoding::Rgb24 | Encoding::Bgr24 => Family::Rgb { bytes: 3 },
        Encoding::Rgbx32 | Encoding::Bgrx32 => Family::Rgb { bytes: 4 },
        Encoding::Mjpeg => Family::Jpeg,
    }
}

impl Layout {
    /// The layout without padding, in the limited range.
    pub const fn packed(encoding: Encoding, width: usize, height: usize) -> Self {
        let mut layout = Self { encoding, width, height, stride: 0, full_range: false };
        layout.stride = layout.row_len();
        layout
    }

    /// The layout with rows `stride` bytes apart in a buffer of at most `size` bytes (0: not known). Nonsense, as
    /// a stride shorter than a row or one that does not fit in, is taken for a driver that fills in no stride.
    pub fn padded(encoding: Encoding, (width, height): (usize, usize), stride: usize, size: usize) -> Self {
        let packed = Self::packed(encoding, width, height);
        let padded = Self { stride, ..packed };
        let fits = size == 0 || padded.needed() <= size;
        if family(encoding) == Family::Jpeg || stride < packed.stride || !fits { packed } else { padded }
    }

    /// Bytes of a row of the first plane, without padding.
    const fn row_len(&self) -> usize {
        match family(self.encoding) {
            Family::Packed422 => self.width * 2,
            Family::SemiPlanar { .. } | Family::Planar { .. } | Family::Grey => self.width,
            Family::Rgb { bytes } => self.width * bytes,
            Family::Jpeg => 0,
        }
    }

    /// Bytes from one row of chroma to the next, where it has planes of its own.
    pub(super) const fn chroma_stride(&self) -> usize {
        match family(self.encoding) {
            // An odd row of Y is shorter than its row of pairs.
            Family::SemiPlanar { .. } => {
                let pairs = self.width.div_ceil(2) * 2;
                if self.stride > pairs { self.stride } else { pairs }
            }
            _ => self.stride.div_ceil(2),
        }
    }

    /// Rows of a plane of chroma.
    pub(super) const fn chroma_rows(&self) -> usize {
        match family(self.encoding) {
            Family::SemiPlanar { rows, .. } | Family::Planar { rows, .. } => self.height.div_ceil(rows),
            Family::Packed422 | Family::Grey | Family::Rgb { .. } | Family::Jpeg => 0,
        }
    }

    /// Bytes that a whole picture has at least (the padding of its last row may be missing).
    pub fn needed(&self) -> usize {
        let through = |rows: usize, stride: usize, len: usize| match rows {
            0 => 0,
            rows => (rows - 1) * stride + len,
        };
        let (luma, chroma) = (self.stride * self.height, self.chroma_rows());
        let samples = self.width.div_ceil(2);
        match family(self.encoding) {
            Family::Packed422 | Family::Grey | Family::Rgb { .. } => through(self.height, self.stride, self.row_len()),
            Family::SemiPlanar { .. } => luma + through(chroma, self.chroma_stride(), samples * 2),
            Family::Planar { .. } => {
                luma + chroma * self.chroma_stride() + through(chroma, self.chroma_stride(), samples)
            }
            // The shortest that could be one: its two markers.
            Family::Jpeg => 4,
        }
    }

    /// The error of a size that no camera in use has.
    pub(super) fn check(&self) -> Result<(), ConvertError> {
        checked_size(self.width, self.height).map(|_| ())
    }
}

pub(super) fn checked_size(width: usize, height: usize) -> Result<(usize, usize), ConvertError> {
    if (1..=MAX_SIDE).contains(&width) && (1..=MAX_SIDE).contains(&height) {
        Ok((width, height))
    } else {
        Err(ConvertError::BadSize(width, height))
    }
}
