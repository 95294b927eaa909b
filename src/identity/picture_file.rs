//! Picture files that a person chooses, and pictures that come from other people: read and decoded within bounds, or
//! the reason why not.

use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use crate::media::open_regular_file;

/// Bytes of a picture file that is read.
pub(super) const MAX_FILE: u64 = 16 * 1024 * 1024;
/// Pixels on a side of a picture that is decoded.
pub(super) const MAX_SIDE: u32 = 8192;
/// Bytes that decoding may allocate, so that a small file cannot unfold into gigabytes.
const MAX_DECODED: u64 = 192 * 1024 * 1024;

/// The reason why a picture file is of no use. `Display` is the English sentence; the window's catalogue has the
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
    #[error("The picture is larger than 16 MB. Cut out the part that you need and try again.")]
    TooLarge,
    /// More than 8192 pixels on a side.
    #[error("The picture has more than 8192 pixels on a side. Cut out the part that you need and try again.")]
    TooManyPixels,
    /// A picture in another format, by its common name.
    #[error("This is a {0} picture, and only PNG and JPEG can be read. Save it as PNG, or take a screenshot of it.")]
    OtherFormat(&'static str),
    /// No picture in a known format.
    #[error("This is no picture. Choose a PNG or JPEG picture.")]
    NotAPicture,
    /// A PNG or JPEG file that cannot be decoded.
    #[error("The picture is damaged. Choose another one, or ask for it again.")]
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

/// All bytes of a picture file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    open_regular_file(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE { Err(PictureError::TooLarge) } else { Ok(bytes) }
}

/// The picture is a stranger's, and the decoders index by its content: a panic is no result.
pub(super) fn unless_it_panics<T>(read: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(read)).ok().flatten()
}

/// The picture, turned as its EXIF data says; `None` where it cannot be decoded within the bounds.
pub(super) fn decode(bytes: &[u8], max_side: u32) -> Option<DynamicImage> {
    let mut decoder = reader(bytes, Some(max_side))?.into_decoder().ok()?;
    if decoder.total_bytes() > MAX_DECODED {
        return None;
    }
    let orientation = decoder.orientation().ok()?;
    let mut picture = DynamicImage::from_decoder(decoder).ok()?;
    picture.apply_orientation(orientation);
    Some(picture)
}

/// Pixels of a picture from side to side and from top to bottom, also of one with too many.
pub(super) fn sides(bytes: &[u8]) -> Option<(u32, u32)> {
    reader(bytes, None)?.into_dimensions().ok()
}

fn reader(bytes: &[u8], max_side: Option<u32>) -> Option<ImageReader<Cursor<&[u8]>>> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    let mut limits = Limits::default();
    limits.max_image_width = max_side;
    limits.max_image_height = max_side;
    limits.max_alloc = Some(MAX_DECODED);
    reader.limits(limits);
    Some(reader)
}

/// Why a picture cannot be decoded.
pub(super) fn reason(bytes: &[u8]) -> PictureError {
    let format = match image::guess_format(bytes) {
        Ok(ImageFormat::Png | ImageFormat::Jpeg) => None,
        Ok(format) => Some(name_of(format)),
        Err(_) if bytes.get(4..8) == Some(b"ftyp") => Some("HEIF"),
        Err(_) => return PictureError::NotAPicture,
    };
    if let Some(name) = format {
        return PictureError::OtherFormat(name);
    }
    if sides(bytes).is_some_and(|(width, height)| width.max(height) > MAX_SIDE) {
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
