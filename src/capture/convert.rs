//! Turns a camera's raw buffer into an I420 frame of the wanted size, on the capture thread.
//!
//! Buffers of the wanted size are converted straight into the frame, and planes are scaled straight out of the buffer;
//! packed formats go through memory that is kept. Padding at the ends of rows is stepped over everywhere.

mod error;
mod jpeg;
mod layout;
mod limited;

use yuv::{BufferStoreMut, YuvConversionMode, YuvPackedImage, YuvPlanarImageMut, YuvRange, YuvStandardMatrix};

use crate::media::{Planes, Scaler, VideoFrame};

pub use self::error::ConvertError;
use self::jpeg::JpegReader;
use self::layout::{Family, family};
use self::limited::limit_range;
use super::mode::Encoding;
use super::y4m::Y4mHeader;

pub use self::layout::{Layout, MAX_SIDE};

/// A camera's buffer as it came.
#[derive(Clone, Copy, Debug)]
pub struct RawPicture<'a> {
    /// How to read `bytes`.
    pub layout: Layout,
    /// The buffer; it may be longer than the picture.
    pub bytes: &'a [u8],
}

/// Converts one camera's buffers; keeps its scratch memory and its JPEG decoder between them.
#[derive(Debug, Default)]
pub struct Converter {
    scaler: Scaler,
    scratch: Vec<u8>,
    jpeg: JpegReader,
}

impl Converter {
    /// Fills `frame` with the picture, cropped and scaled to the frame's size.
    pub fn convert(&mut self, raw: RawPicture<'_>, frame: &mut VideoFrame) -> Result<(), ConvertError> {
        let RawPicture { layout, bytes } = raw;
        layout.check()?;
        let (got, needed) = (bytes.len(), layout.needed());
        if got < needed {
            return Err(ConvertError::TooShort { got, needed });
        }
        match family(layout.encoding) {
            Family::Packed422 => self.convert_packed(layout, bytes, frame)?,
            Family::SemiPlanar { v_first, .. } => self.convert_semi_planar(layout, v_first, bytes, frame),
            Family::Planar { v_first, .. } => self.scaler.fit(planes_of(layout, v_first, bytes), frame),
            Family::Grey => {
                let luma = (layout.width, layout.height);
                let planes = Planes { planes: [bytes, &[], &[]], strides: [layout.stride, 0, 0], luma, chroma: (0, 0) };
                self.scaler.fit(planes, frame);
            }
            Family::Rgb { .. } => return self.convert_rgb(layout, bytes, frame),
            Family::Jpeg => return self.jpeg.read(bytes, &mut self.scaler, frame),
        }
        if layout.full_range {
            limit_range(frame);
        }
        Ok(())
    }

    /// Fills `frame` with a picture that is planar already and of limited range.
    pub fn convert_planar(&mut self, planes: Planes<'_>, frame: &mut VideoFrame) {
        self.scaler.fit(planes, frame);
    }

    /// Fills `frame` with a picture of a film, whose pixels become square.
    pub fn convert_film(&mut self, planes: Planes<'_>, film: &Y4mHeader, frame: &mut VideoFrame) {
        self.scaler.fit_shaped(planes, film.pixel_aspect, frame);
        if film.full_range {
            limit_range(frame);
        }
    }

    fn convert_packed(&mut self, layout: Layout, bytes: &[u8], frame: &mut VideoFrame) -> Result<(), ConvertError> {
        // An odd last column has no chroma of its own.
        let (width, height) = layout::checked_size(layout.width & !1, layout.height)?;
        let exact = (width, height) == (frame.width() as usize, frame.height() as usize);
        let (luma_len, chroma_len) = (width * height, width / 2 * height);
        self.scratch.resize(luma_len + 2 * chroma_len, 0);
        let (scratch_luma, chroma) = self.scratch.split_at_mut(luma_len);
        let (u, v) = chroma.split_at_mut(chroma_len);
        let luma = if exact { frame.planes_mut().0 } else { &mut *scratch_luma };
        unpack(layout, bytes, (width, height), [&mut *luma, &mut *u, &mut *v])?;
        let planes = Planes::packed([scratch_luma, u, v], (width, height), (width / 2, height));
        if exact {
            self.scaler.fit_chroma_only(planes, frame);
        } else {
            self.scaler.fit(planes, frame);
        }
        Ok(())
    }

    fn convert_semi_planar(&mut self, layout: Layout, v_first: bool, bytes: &[u8], frame: &mut VideoFrame) {
        let (luma, pairs) = bytes.split_at(layout.stride * layout.height);
        let size = (layout.width, layout.height);
        let chroma = (layout.width.div_ceil(2), layout.chroma_rows());
        let pairs = Pairs { bytes: pairs, stride: layout.chroma_stride(), width: chroma.0, v_first };
        let same_chroma = chroma.1 == layout.height.div_ceil(2);
        if size == (frame.width() as usize, frame.height() as usize) && same_chroma {
            let (y, u, v) = frame.planes_mut();
            for (row, target) in luma.chunks(layout.stride).zip(y.chunks_exact_mut(layout.width)) {
                target.copy_from_slice(&row[..layout.width]);
            }
            pairs.split(u, v);
            return;
        }
        let len = chroma.0 * chroma.1;
        self.scratch.resize(2 * len, 0);
        let (u, v) = self.scratch.split_at_mut(len);
        pairs.split(u, v);
        let strides = [layout.stride, chroma.0, chroma.0];
        self.scaler.fit(Planes { planes: [luma, u, v], strides, luma: size, chroma }, frame);
    }

    fn convert_rgb(&mut self, layout: Layout, bytes: &[u8], frame: &mut VideoFrame) -> Result<(), ConvertError> {
        let (width, height) = layout::checked_size(layout.width & !1, layout.height & !1)?;
        let exact = (width, height) == (frame.width() as usize, frame.height() as usize);
        let (luma_len, chroma_len) = (width * height, width / 2 * (height / 2));
        let planes = if exact {
            let (y, u, v) = frame.planes_mut();
            [y, u, v]
        } else {
            self.scratch.resize(luma_len + 2 * chroma_len, 0);
            let (y, chroma) = self.scratch.split_at_mut(luma_len);
            let (u, v) = chroma.split_at_mut(chroma_len);
            [y, u, v]
        };
        let mut planar = planar_image(planes, (width, height));
        let kernel = match layout.encoding {
            Encoding::Bgr24 => yuv::bgr_to_yuv420,
            Encoding::Rgbx32 => yuv::rgba_to_yuv420,
            Encoding::Bgrx32 => yuv::bgra_to_yuv420,
            _ => yuv::rgb_to_yuv420,
        };
        let (stride, mode) = (layout.stride as u32, YuvConversionMode::Balanced);
        kernel(&mut planar, bytes, stride, YuvRange::Limited, YuvStandardMatrix::Bt601, mode)?;
        if let (false, Some(planes)) = (exact, Planes::i420(&self.scratch, width, height)) {
            self.scaler.fit(planes, frame);
        }
        Ok(())
    }
}

/// The planes of a planar picture, out of its buffer.
fn planes_of(layout: Layout, v_first: bool, bytes: &[u8]) -> Planes<'_> {
    let (rows, stride) = (layout.chroma_rows(), layout.chroma_stride());
    let (y, chroma) = bytes.split_at(layout.stride * layout.height);
    let (first, second) = chroma.split_at(stride * rows);
    let (u, v) = if v_first { (second, first) } else { (first, second) };
    let (luma, chroma) = ((layout.width, layout.height), (layout.width.div_ceil(2), rows));
    Planes { planes: [y, u, v], strides: [layout.stride, stride, stride], luma, chroma }
}

/// Unpacks 4:2:2 pixels into planes of 4:2:2.
fn unpack(
    layout: Layout,
    bytes: &[u8],
    (width, height): (usize, usize),
    [y, u, v]: [&mut [u8]; 3],
) -> Result<(), ConvertError> {
    let kernel = match layout.encoding {
        Encoding::Yvyu => yuv::yvyu422_to_yuv422,
        Encoding::Uyvy => yuv::uyvy422_to_yuv422,
        Encoding::Vyuy => yuv::vyuy422_to_yuv422,
        _ => yuv::yuyv422_to_yuv422,
    };
    let rows = |y: &mut [u8], u: &mut [u8], v: &mut [u8], yuy: &[u8], stride: usize, height: usize| {
        let packed = YuvPackedImage { yuy, yuy_stride: stride as u32, width: width as u32, height: height as u32 };
        kernel(&mut planar_image([y, u, v], (width, height)), &packed)
    };
    // The kernel demands whole rows, padding and all; the last one's may be missing.
    let (body, last) = bytes.split_at(layout.stride * (height - 1));
    let (y, y_last) = y.split_at_mut(width * (height - 1));
    let (u, u_last) = u.split_at_mut(width / 2 * (height - 1));
    let (v, v_last) = v.split_at_mut(width / 2 * (height - 1));
    if height > 1 {
        rows(y, u, v, body, layout.stride, height - 1)?;
    }
    rows(y_last, u_last, v_last, &last[..width * 2], width * 2, 1)?;
    Ok(())
}

/// Planes without padding, half as wide in chroma, as the kernels take them.
fn planar_image<'a>([y, u, v]: [&'a mut [u8]; 3], (width, height): (usize, usize)) -> YuvPlanarImageMut<'a, u8> {
    YuvPlanarImageMut {
        y_plane: BufferStoreMut::Borrowed(y),
        y_stride: width as u32,
        u_plane: BufferStoreMut::Borrowed(u),
        u_stride: width as u32 / 2,
        v_plane: BufferStoreMut::Borrowed(v),
        v_stride: width as u32 / 2,
        width: width as u32,
        height: height as u32,
    }
}

/// A plane of pairs of chroma samples.
struct Pairs<'a> {
    bytes: &'a [u8],
    stride: usize,
    /// Pairs in a row.
    width: usize,
    v_first: bool,
}

impl Pairs<'_> {
    /// Splits them into two planes without padding.
    fn split(&self, u: &mut [u8], v: &mut [u8]) {
        let (first, second) = if self.v_first { (v, u) } else { (u, v) };
        let targets = first.chunks_exact_mut(self.width).zip(second.chunks_exact_mut(self.width));
        for (row, (first, second)) in self.bytes.chunks(self.stride).zip(targets) {
            for ((pair, first), second) in row.chunks_exact(2).zip(first).zip(second) {
                *first = pair[0];
                *second = pair[1];
            }
        }
    }
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
