//! QR codes of contact links (ISO/IEC 18004): drawn by the window, read back from a picture file. Runs on the caller's
//! thread; reading takes up to some tenths of a second.

use std::fs::File;
use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::{GrayImage, ImageReader, Limits};
use qrcode::{Color, EcLevel, QrCode};

use super::ContactLink;

/// Bytes of a picture file that is read.
const MAX_FILE: u64 = 16 * 1024 * 1024;
/// Pixels on a side of a picture that is decoded.
const MAX_SIDE: u32 = 8192;
/// Bytes that decoding may allocate, so that a small file cannot unfold into gigabytes.
const MAX_DECODED: u64 = 192 * 1024 * 1024;
/// Pixels on a side at which codes are looked for: finer detail costs time and finds nothing more.
const SEARCHED_SIDE: u32 = 1600;

/// The modules of a code, row by row, `true` for dark, and their number on a side. `None` when the text is too long.
pub fn modules(text: &str) -> Option<(usize, Vec<bool>)> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let width = code.width();
    Some((width, code.into_colors().into_iter().map(|color| color == Color::Dark).collect()))
}

/// The contact in a PNG or JPEG file. `None` when it cannot be read, is too large, or shows no contact's code.
pub fn read_image(path: &Path) -> Option<ContactLink> {
    // Opening a pipe would wait for its writer.
    if !std::fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_FILE + 1).read_to_end(&mut bytes).ok()?;
    read_bytes(&bytes)
}

/// As [`read_image`], from the file's bytes.
pub fn read_bytes(bytes: &[u8]) -> Option<ContactLink> {
    if bytes.len() as u64 > MAX_FILE {
        return None;
    }
    // The picture is a stranger's, and the decoders and the code finder index by what stands in it: a panic is "no code".
    catch_unwind(AssertUnwindSafe(|| find_code(&decode(bytes)?))).ok().flatten()
}

fn decode(bytes: &[u8]) -> Option<GrayImage> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED);
    reader.limits(limits);
    let mut picture = reader.decode().ok()?;
    if picture.width().max(picture.height()) > SEARCHED_SIDE {
        picture = picture.thumbnail(SEARCHED_SIDE, SEARCHED_SIDE);
    }
    Some(picture.into_luma8())
}

fn find_code(picture: &GrayImage) -> Option<ContactLink> {
    let (width, height) = picture.dimensions();
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width as usize, height as usize, |x, y| {
        picture.get_pixel(x as u32, y as u32).0[0]
    });
    let found = prepared.detect_grids();
    found.iter().find_map(|grid| ContactLink::find_in(&grid.decode().ok()?.1))
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, Luma};

    use super::*;
    use crate::identity::PeerId;

    fn png_of(text: &str, scale: u32) -> Vec<u8> {
        let (width, dark) = modules(text).unwrap();
        let side = (width as u32 + 8) * scale;
        let picture = GrayImage::from_fn(side, side, |x, y| {
            let (x, y) = ((x / scale).wrapping_sub(4) as usize, (y / scale).wrapping_sub(4) as usize);
            Luma([if x < width && y < width && dark[y * width + x] { 0 } else { 255 }])
        });
        let mut bytes = Vec::new();
        picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
        bytes
    }

    #[test]
    fn a_drawn_code_is_read_back() {
        let link = ContactLink::new(PeerId::from_bytes([3; 32]), "Zoë");
        let png = png_of(&link.to_string(), 4);
        assert_eq!(read_bytes(&png), Some(link.clone()));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("code.png");
        std::fs::write(&path, png_of(&link.to_string(), 60)).unwrap();
        assert_eq!(read_image(&path), Some(link));
    }

    #[test]
    fn other_codes_damaged_files_and_bombs_are_refused() {
        assert_eq!(read_bytes(&png_of("https://example.org", 4)), None);
        let mut png = png_of("visavis", 4);
        png.truncate(png.len() / 2);
        assert_eq!(read_bytes(&png), None);
        assert_eq!(read_bytes(b"not a picture"), None);
        let mut bomb = png_of("visavis", 4);
        bomb[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
        assert_eq!(read_bytes(&bomb), None);
        assert_eq!(read_image(Path::new("/nonexistent/code.png")), None);
        assert_eq!(modules(&"x".repeat(10_000)), None);
    }
}
