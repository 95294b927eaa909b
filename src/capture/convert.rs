//! Turns a camera's raw buffer into an I420 frame of the wanted size, on the capture thread.
//!
//! Buffers of the wanted size are converted straight into the frame; others are unpacked into memory that is kept, then
//! cropped and scaled. JPEG (JFIF) is full range and is brought to the limited range that frames have.

use turbojpeg::{Decompressor, Subsamp, YuvImage};
use yuv::{BufferStoreMut, YuvPackedImage, YuvPlanarImageMut, yuyv422_to_yuv422};

use crate::media::VideoFrame;

use super::mode::Encoding;
use super::y4m::Y4mHeader;
use crate::media::{Planes, Scaler};

/// The longest side of a picture that is taken from a device or a file, in pixels.
pub const MAX_SIDE: usize = 4096;

/// Why a buffer gave no picture.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The buffer is shorter than its size and format say.
    #[error("the camera gave {got} bytes where {needed} are needed")]
    TooShort {
        /// Bytes in the buffer.
        got: usize,
        /// Bytes that the format needs.
        needed: usize,
    },
    /// A size that no camera in use has.
    #[error("a picture of {0}x{1} pixels cannot be used")]
    BadSize(usize, usize),
    /// No JPEG, or a damaged one.
    #[error("not a JPEG picture: {0}")]
    Jpeg(String),
    /// What the packed-pixel kernel said.
    #[error("the picture could not be unpacked: {0}")]
    Unpack(String),
}

/// A camera's buffer as it came.
#[derive(Clone, Copy, Debug)]
pub struct RawPicture<'a> {
    /// How to read `bytes`.
    pub encoding: Encoding,
    /// Width in pixels (for MJPEG the JPEG's own header counts).
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The buffer; it may be longer than the picture.
    pub bytes: &'a [u8],
}

/// Converts one camera's buffers; keeps its scratch memory and its JPEG decoder between them.
#[derive(Debug, Default)]
pub struct Converter {
    scaler: Scaler,
    scratch: Vec<u8>,
    jpeg: Option<Decompressor>,
}

impl Converter {
    /// Fills `frame` with the picture, cropped and scaled to the frame's size.
    pub fn convert(&mut self, raw: RawPicture<'_>, frame: &mut VideoFrame) -> Result<(), ConvertError> {
        match raw.encoding {
            Encoding::Yuyv => self.convert_yuyv(raw, frame),
            Encoding::Nv12 => self.convert_nv12(raw, frame),
            Encoding::Mjpeg => self.convert_jpeg(raw.bytes, frame),
        }
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

    fn convert_yuyv(&mut self, raw: RawPicture<'_>, frame: &mut VideoFrame) -> Result<(), ConvertError> {
        let (width, height) = checked_size(raw.width & !1, raw.height)?;
        let stride = raw.width * 2;
        let packed = checked_bytes(raw.bytes, stride * height)?;
        let exact = (width, height) == (frame.width() as usize, frame.height() as usize);
        let (luma_len, chroma_len) = (width * height, width / 2 * height);
        self.scratch.resize(luma_len + 2 * chroma_len, 0);
        let (scratch_luma, chroma) = self.scratch.split_at_mut(luma_len);
        let (u, v) = chroma.split_at_mut(chroma_len);
        let luma = if exact { frame.planes_mut().0 } else { &mut *scratch_luma };
        let mut planar = YuvPlanarImageMut {
            y_plane: BufferStoreMut::Borrowed(luma),
            y_stride: width as u32,
            u_plane: BufferStoreMut::Borrowed(u),
            u_stride: width as u32 / 2,
            v_plane: BufferStoreMut::Borrowed(v),
            v_stride: width as u32 / 2,
            width: width as u32,
            height: height as u32,
        };
        let packed =
            YuvPackedImage { yuy: packed, yuy_stride: stride as u32, width: width as u32, height: height as u32 };
        yuyv422_to_yuv422(&mut planar, &packed).map_err(|error| ConvertError::Unpack(error.to_string()))?;
        let planes = Planes { planes: [scratch_luma, u, v], luma: (width, height), chroma: (width / 2, height) };
        if exact {
            self.scaler.fit_chroma_only(planes, frame);
        } else {
            self.scaler.fit(planes, frame);
        }
        Ok(())
    }

    fn convert_nv12(&mut self, raw: RawPicture<'_>, frame: &mut VideoFrame) -> Result<(), ConvertError> {
        let (width, height) = checked_size(raw.width, raw.height)?;
        let chroma = (width.div_ceil(2), height.div_ceil(2));
        let chroma_len = chroma.0 * chroma.1;
        let bytes = checked_bytes(raw.bytes, width * height + 2 * chroma_len)?;
        let (luma, pairs) = bytes.split_at(width * height);
        if (width, height) == (frame.width() as usize, frame.height() as usize) {
            let (y, u, v) = frame.planes_mut();
            y.copy_from_slice(luma);
            split_pairs(pairs, u, v);
        } else {
            self.scratch.resize(2 * chroma_len, 0);
            let (u, v) = self.scratch.split_at_mut(chroma_len);
            split_pairs(pairs, u, v);
            self.scaler.fit(Planes { planes: [luma, u, v], luma: (width, height), chroma }, frame);
        }
        Ok(())
    }

    fn convert_jpeg(&mut self, bytes: &[u8], frame: &mut VideoFrame) -> Result<(), ConvertError> {
        let jpeg_error = |error: turbojpeg::Error| ConvertError::Jpeg(error.to_string());
        let bytes = jpeg_extent(bytes).ok_or_else(|| ConvertError::Jpeg("no end of image".to_owned()))?;
        let decoder = match &mut self.jpeg {
            Some(decoder) => decoder,
            None => self.jpeg.insert(Decompressor::new().map_err(jpeg_error)?),
        };
        let header = decoder.read_header(bytes).map_err(jpeg_error)?;
        let (width, height) = checked_size(header.width, header.height)?;
        let subsamp = header.subsamp;
        let len = turbojpeg::yuv_pixels_len(width, 1, height, subsamp).map_err(jpeg_error)?;
        let same_size = (width, height) == (frame.width() as usize, frame.height() as usize);
        let straight = same_size && subsamp == Subsamp::Sub2x2;
        let pixels = if straight {
            frame.as_bytes_mut()
        } else {
            self.scratch.resize(len, 0);
            &mut self.scratch[..]
        };
        match decoder.decompress_to_yuv(bytes, YuvImage { pixels, width, align: 1, height, subsamp }) {
            Err(error) if !is_harmless(&error) => return Err(jpeg_error(error)),
            _ => {}
        }
        if !straight {
            let (luma, chroma) = jpeg_plane_sizes(width, height, subsamp);
            let planes = Planes::cut(&self.scratch, luma, chroma)
                .ok_or(ConvertError::TooShort { got: len, needed: luma.0 * luma.1 + 2 * chroma.0 * chroma.1 })?;
            self.scaler.fit(planes, frame);
        }
        limit_range(frame);
        Ok(())
    }
}

/// The decoder calls it an error when it only warns. Many webcams pad each picture with stray bytes, which it has skipped
/// by then; other warnings mean a picture that is visibly damaged.
fn is_harmless(error: &turbojpeg::Error) -> bool {
    matches!(error, turbojpeg::Error::TurboJpegError(text) if text.contains("extraneous bytes before marker"))
}

fn checked_size(width: usize, height: usize) -> Result<(usize, usize), ConvertError> {
    if (1..=MAX_SIDE).contains(&width) && (1..=MAX_SIDE).contains(&height) {
        Ok((width, height))
    } else {
        Err(ConvertError::BadSize(width, height))
    }
}

fn checked_bytes(bytes: &[u8], needed: usize) -> Result<&[u8], ConvertError> {
    bytes.get(..needed).ok_or(ConvertError::TooShort { got: bytes.len(), needed })
}

/// Splits U V U V... into two planes.
fn split_pairs(pairs: &[u8], u: &mut [u8], v: &mut [u8]) {
    for ((pair, u), v) in pairs.chunks_exact(2).zip(u).zip(v) {
        *u = pair[0];
        *v = pair[1];
    }
}

/// The sizes of the planes that libjpeg-turbo writes: the luma is padded to whole chroma samples.
fn jpeg_plane_sizes(width: usize, height: usize, subsamp: Subsamp) -> ((usize, usize), (usize, usize)) {
    let (across, down) = match subsamp {
        Subsamp::Gray => return ((width, height), (0, 0)),
        Subsamp::Sub2x1 => (2, 1),
        Subsamp::Sub2x2 => (2, 2),
        Subsamp::Sub1x2 => (1, 2),
        Subsamp::Sub4x1 => (4, 1),
        Subsamp::Sub1x4 => (1, 4),
        _ => (1, 1),
    };
    let chroma = (width.div_ceil(across), height.div_ceil(down));
    ((chroma.0 * across, chroma.1 * down), chroma)
}

/// Brings full-range samples (0..=255) to the limited range (16..=235, chroma 16..=240).
fn limit_range(frame: &mut VideoFrame) {
    let (y, u, v) = frame.planes_mut();
    for luma in y {
        *luma = limited_luma(*luma);
    }
    for chroma in u.iter_mut().chain(v) {
        *chroma = limited_chroma(*chroma);
    }
}

/// 16 + y * 219 / 255, as a multiplication and a shift that compilers turn into vector code.
const fn limited_luma(full: u8) -> u8 {
    ((full as u16 * 220 + 128) >> 8) as u8 + 16
}

/// 128 + (c - 128) * 224 / 255, likewise.
const fn limited_chroma(full: u8) -> u8 {
    ((full as u16 * 225 + 64) >> 8) as u8 + 16
}

/// The part of `bytes` that is a JPEG picture, from SOI to EOI (ISO/IEC 10918-1, B.1.1). A camera's MJPEG buffer is as
/// long as its allocation, with what an earlier picture left behind the end. Segments are skipped by their lengths, so
/// that a thumbnail inside one does not end the picture early.
fn jpeg_extent(bytes: &[u8]) -> Option<&[u8]> {
    if !bytes.starts_with(&[0xff, 0xd8]) {
        return None;
    }
    let mut at = 2;
    loop {
        at += bytes.get(at..)?.iter().position(|&byte| byte == 0xff)?;
        match *bytes.get(at + 1)? {
            // Fill bytes before a marker.
            0xff => at += 1,
            0xd9 => return bytes.get(..at + 2),
            // A stuffed 0xff in coded data, TEM, and the restart markers have no length.
            0x00 | 0x01 | 0xd0..=0xd7 => at += 2,
            _ => at += 2 + usize::from(u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?])),
        }
    }
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
