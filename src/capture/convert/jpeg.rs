//! Motion JPEG: each buffer is a picture of its own. JPEG (JFIF) is full range and is brought to the limited range that
//! frames have.

use turbojpeg::{Decompressor, Subsamp, YuvImage};

use crate::media::{Planes, Scaler, VideoFrame};

use super::error::ConvertError;
use super::layout::checked_size;
use super::limited::limit_range;

/// Decodes one camera's pictures; keeps its decoder and its memory between them.
#[derive(Debug, Default)]
pub(super) struct JpegReader {
    decoder: Option<Decompressor>,
    scratch: Vec<u8>,
}

impl JpegReader {
    /// Fills `frame` with the picture in `bytes`, cropped and scaled to the frame's size.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        scaler: &mut Scaler,
        frame: &mut VideoFrame,
    ) -> Result<(), ConvertError> {
        let jpeg_error = |error: turbojpeg::Error| ConvertError::Jpeg(error.to_string());
        let bytes = extent(bytes).ok_or_else(|| ConvertError::Jpeg("no end of image".to_owned()))?;
        let decoder = match &mut self.decoder {
            Some(decoder) => decoder,
            None => self.decoder.insert(Decompressor::new().map_err(jpeg_error)?),
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
            let (luma, chroma) = plane_sizes(width, height, subsamp);
            let planes = Planes::cut(&self.scratch, luma, chroma)
                .ok_or(ConvertError::TooShort { got: len, needed: luma.0 * luma.1 + 2 * chroma.0 * chroma.1 })?;
            scaler.fit(planes, frame);
        }
        limit_range(frame);
        Ok(())
    }
}

/// The decoder calls it an error when it only warns. Many webcams pad each picture with stray bytes, which it has
/// skipped by then; other warnings mean a picture that is visibly damaged.
fn is_harmless(error: &turbojpeg::Error) -> bool {
    matches!(error, turbojpeg::Error::TurboJpegError(text) if text.contains("extraneous bytes before marker"))
}

/// The sizes of the planes that libjpeg-turbo writes: the luma is padded to whole chroma samples.
fn plane_sizes(width: usize, height: usize, subsamp: Subsamp) -> ((usize, usize), (usize, usize)) {
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

/// The part of `bytes` that is a JPEG picture, from SOI to EOI (ISO/IEC 10918-1, B.1.1). A camera's MJPEG buffer is as
/// long as its allocation, with the rest of an earlier picture behind the end. Segments are skipped by their lengths,
/// so that a thumbnail inside one does not end the picture early.
fn extent(bytes: &[u8]) -> Option<&[u8]> {
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
mod tests {
    use super::*;

    #[test]
    fn a_jpeg_ends_at_its_own_end() {
        let picture =
            [&[0xff, 0xd8][..], &[0xff, 0xe0, 0, 6, 0xff, 0xd9, 1, 2], &[0xff, 0xda, 0, 2, 7, 0xff, 0, 0xff, 0xd0]]
                .concat();
        let whole = [&picture[..], &[0xff, 0xff, 0xd9]].concat();
        let buffer = [&whole[..], &[0xff, 0xd9, 0xff, 0xd9]].concat();
        assert_eq!(extent(&buffer), Some(&whole[..]));
        for len in 0..whole.len() {
            assert_eq!(extent(&whole[..len]), None);
        }
    }
}
