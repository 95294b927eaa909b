//! Contacts from picture files: the QR code of a picture, or the reason why none was found. Runs on the caller's
//! thread.

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::{GrayImage, ImageFormat};

use super::ContactLink;
use super::qr::{self, Codes, MAX_FILE, MAX_SIDE};
use crate::media::{Plane, VideoFrame, open_regular_file};

/// The reason why no contact was found in a picture. `Display` is the English sentence; the window's catalogue has the
/// others.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// No file has that name.
    #[error("There is no such file. Choose another picture.")]
    Missing,
    /// A folder has that name.
    #[error("This is a folder. Choose the picture itself.")]
    Folder,
    /// A pipe, a socket or a device.
    #[error("This is no file. Choose another picture.")]
    NotAFile,
    /// Its permissions forbid reading it.
    #[error("The picture may not be read. Change its permissions, or choose a copy of it.")]
    Forbidden,
    /// Anything else that the system says.
    #[error("The picture could not be read: {0}. Try again with a copy of it.")]
    Unreadable(String),
    /// More than 16 MiB.
    #[error("The picture is larger than 16 MB. Cut the code out of it and try again.")]
    TooLarge,
    /// More than 8192 pixels on a side.
    #[error("The picture has more than 8192 pixels on a side. Cut the code out of it and try again.")]
    TooManyPixels,
    /// A picture in another format, by its common name.
    #[error("This is a {0} picture, and only PNG and JPEG can be read. Save it as PNG, or take a screenshot of it.")]
    OtherFormat(&'static str),
    /// No picture in a known format.
    #[error("This is no picture. Choose a PNG or JPEG picture of the code.")]
    NotAPicture,
    /// A PNG or JPEG file that cannot be decoded.
    #[error("The picture is damaged. Ask for it again, or for the link.")]
    Damaged,
    /// No QR code in it.
    #[error("No QR code was found in the picture. Take it larger and sharper, or ask for the link.")]
    NoCode,
    /// A QR code that names no contact.
    #[error("The QR code in the picture is no contact code of Visavis. Ask for the one that Visavis shows.")]
    OtherCode,
}

impl From<std::io::Error> for PictureError {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Self::Missing,
            ErrorKind::IsADirectory => Self::Folder,
            ErrorKind::NotSeekable => Self::NotAFile,
            ErrorKind::PermissionDenied => Self::Forbidden,
            _ => Self::Unreadable(error.to_string()),
        }
    }
}

/// The contact whose code a PNG or JPEG file shows.
pub fn read_contact_picture(path: &Path) -> Result<ContactLink, PictureError> {
    let mut bytes = Vec::new();
    open_regular_file(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(PictureError::TooLarge);
    }
    unless_it_panics(|| qr::search(&bytes).map_or_else(|| Err(reason(&bytes)), contact_of))
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
    unless_it_panics(|| contact_of(qr::look_at(&[picture])))
}

/// The contact of the codes that a picture shows.
fn contact_of(codes: Codes) -> Result<ContactLink, PictureError> {
    match codes {
        Codes::Contact(link) => Ok(link),
        Codes::Other => Err(PictureError::OtherCode),
        Codes::None => Err(PictureError::NoCode),
    }
}

/// The picture is a stranger's, and the decoders index by its content.
fn unless_it_panics<T>(read: impl FnOnce() -> Result<T, PictureError>) -> Result<T, PictureError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or(Err(PictureError::Damaged))
}

/// Why a picture cannot be decoded.
fn reason(bytes: &[u8]) -> PictureError {
    let format = match image::guess_format(bytes) {
        Ok(ImageFormat::Png | ImageFormat::Jpeg) => None,
        Ok(format) => Some(name_of(format)),
        Err(_) if bytes.get(4..8) == Some(b"ftyp") => Some("HEIF"),
        Err(_) => return PictureError::NotAPicture,
    };
    if let Some(name) = format {
        return PictureError::OtherFormat(name);
    }
    if qr::sides(bytes).is_some_and(|(width, height)| width.max(height) > MAX_SIDE) {
        return PictureError::TooManyPixels;
    }
    PictureError::Damaged
}

const fn name_of(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Gif => "GIF",
        ImageFormat::WebP => "WebP",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Tiff => "TIFF",
        ImageFormat::Avif => "AVIF",
        ImageFormat::Ico => "ICO",
        _ => "rare",
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::GrayImage;

    use super::*;
    use crate::identity::PeerId;

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
        let read = unless_it_panics::<ContactLink>(|| panic!("as the test wants it"));
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
