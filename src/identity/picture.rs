//! Contacts from picture files: the QR code of a picture, or the reason why none was found. Runs on the caller's
//! thread.

use std::path::Path;

use image::GrayImage;

use super::ContactLink;
use super::picture_file::{MAX_SIDE, PictureError, read, reason, unless_it_panics};
use super::qr::{self, Codes};
use crate::media::{Plane, VideoFrame};

/// The contact whose code a PNG or JPEG file shows.
pub fn read_contact_picture(path: &Path) -> Result<ContactLink, PictureError> {
    let bytes = read(path)?;
    or_damaged(|| qr::search(&bytes).map_or_else(|| Err(reason(&bytes)), contact_of))
}

/// The contact whose code a camera's picture shows. Another picture follows soon, so this one is not searched for long.
pub fn scan_contact_code(picture: &VideoFrame) -> Option<ContactLink> {
    let luma = picture.plane(Plane::Y).to_vec();
    qr::find_live(&GrayImage::from_raw(picture.width(), picture.height(), luma)?, ContactLink::find_in)
}

/// The contact whose code a picture shows that is no file, as one from the clipboard: its size in pixels, and the
/// brightness of each.
pub fn find_contact_in((width, height): (u32, u32), grey: Vec<u8>) -> Result<ContactLink, PictureError> {
    if width > MAX_SIDE || height > MAX_SIDE {
        return Err(PictureError::TooManyPixels);
    }
    let picture = GrayImage::from_raw(width, height, grey).ok_or(PictureError::Damaged)?;
    or_damaged(|| contact_of(qr::look_at(&[picture])))
}

/// The contact of the codes that a picture shows.
fn contact_of(codes: Codes) -> Result<ContactLink, PictureError> {
    match codes {
        Codes::Contact(link) => Ok(link),
        Codes::Other => Err(PictureError::OtherCode),
        Codes::None => Err(PictureError::NoCode),
    }
}

/// The result of reading a picture that a decoder may stumble over.
fn or_damaged<T>(read: impl FnOnce() -> Result<T, PictureError>) -> Result<T, PictureError> {
    unless_it_panics(|| Some(read())).unwrap_or(Err(PictureError::Damaged))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{GrayImage, ImageFormat};

    use super::*;
    use crate::identity::PeerId;
    use crate::identity::picture_file::MAX_FILE;

    fn png(picture: &GrayImage) -> Vec<u8> {
        let mut bytes = Vec::new();
        picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
        bytes
    }

    fn code(text: &str) -> Vec<u8> {
        let (width, dark) = qr::modules(text).unwrap();
        let side = (width as u32 + 8) * 4;
        png(&GrayImage::from_fn(side, side, |x, y| {
            let (x, y) = ((x / 4).wrapping_sub(4) as usize, (y / 4).wrapping_sub(4) as usize);
            image::Luma([if x < width && y < width && dark[y * width + x] { 0 } else { 255 }])
        }))
    }

    #[test]
    fn a_picture_that_no_decoder_expects_is_damaged() {
        let read = or_damaged::<ContactLink>(|| panic!("as the test wants it"));
        assert_eq!(read, Err(PictureError::Damaged));
    }

    #[test]
    fn a_picture_that_is_no_file_is_read_by_its_brightness() {
        let link = ContactLink::new(PeerId::from_bytes([3; 32]), "Zoë");
        let grey = image::load_from_memory(&code(&link.to_string())).unwrap().into_luma8();
        let size = grey.dimensions();
        assert_eq!(find_contact_in(size, grey.into_raw()), Ok(link));
        let blank = |value: u8| vec![value; 200 * 100];
        assert_eq!(find_contact_in((200, 100), blank(255)), Err(PictureError::NoCode));
        assert_eq!(find_contact_in((201, 100), blank(255)), Err(PictureError::Damaged));
        assert_eq!(find_contact_in((9000, 1), vec![0; 9000]), Err(PictureError::TooManyPixels));
        assert_eq!(find_contact_in((0, 0), Vec::new()), Err(PictureError::NoCode));
    }

    #[test]
    fn a_cameras_picture_shows_a_contact_or_nobody() {
        let link = ContactLink::new(PeerId::from_bytes([3; 32]), "Zoë");
        let (side, dark) = qr::modules(&link.to_string()).unwrap();
        let mut frame = VideoFrame::black(1280, 720);
        assert_eq!(scan_contact_code(&frame), None);
        for (index, value) in frame.planes_mut().0.iter_mut().enumerate() {
            let module = |at: usize, from: usize| at.checked_sub(from).map(|at| at / 8).filter(|module| *module < side);
            let at = (module(index % 1280, 400), module(index / 1280, 150));
            *value = if matches!(at, (Some(x), Some(y)) if dark[y * side + x]) { 40 } else { 200 };
        }
        assert_eq!(scan_contact_code(&frame), Some(link));
    }

    #[test]
    fn each_picture_without_a_contact_is_told_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let link = ContactLink::new(PeerId::from_bytes([3; 32]), "Zoë");
        let mut broken = code(&link.to_string());
        broken.truncate(200);
        let mut wide = png(&GrayImage::new(9000, 1));
        wide.truncate(60);
        let webp = b"RIFF\x20\0\0\0WEBPVP8L\x14\0\0\0".to_vec();
        let heif = b"\0\0\0\x18ftypheic\0\0\0\0".to_vec();
        for (name, bytes, right) in [
            ("good.png", code(&link.to_string()), Ok(link)),
            ("other.png", code("https://example.org"), Err(PictureError::OtherCode)),
            ("empty.png", png(&GrayImage::from_pixel(200, 200, image::Luma([255]))), Err(PictureError::NoCode)),
            ("broken.png", broken, Err(PictureError::Damaged)),
            ("wide.png", wide, Err(PictureError::TooManyPixels)),
            ("large.png", vec![0; MAX_FILE as usize + 1], Err(PictureError::TooLarge)),
            ("moving.gif", b"GIF89a\x01\0\x01\0".to_vec(), Err(PictureError::OtherFormat("GIF"))),
            ("chat.webp", webp, Err(PictureError::OtherFormat("WebP"))),
            ("phone.heic", heif, Err(PictureError::OtherFormat("HEIF"))),
            ("text.png", b"visavis:".to_vec(), Err(PictureError::NotAPicture)),
            ("nothing.png", Vec::new(), Err(PictureError::NotAPicture)),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(read_contact_picture(&path), right, "{name}");
        }
        assert_eq!(read_contact_picture(folder.path()), Err(PictureError::Folder));
        assert_eq!(read_contact_picture(&folder.path().join("none.png")), Err(PictureError::Missing));
        #[cfg(unix)]
        assert_eq!(read_contact_picture(Path::new("/dev/zero")), Err(PictureError::NotAFile));
    }
}
