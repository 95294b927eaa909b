//! Profile picture: the face that a person shows to their contacts, a square JPEG of 256 pixels a side. Runs on the
//! caller's thread; a large photograph takes some tenths of a second to cut.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use data_encoding::BASE64;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageFormat, RgbImage};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix};

use super::picture_file::{MAX_SIDE, PictureError, decode, read, reason, sides, unless_it_panics};
use crate::media::{Plane, VideoFrame};

/// Pixels on a side.
pub const PROFILE_PICTURE_SIDE: u32 = 256;
/// Bytes of the JPEG, at most.
pub const MAX_PROFILE_PICTURE: usize = 24 * 1024;
/// JPEG qualities that are tried until the picture fits.
const QUALITIES: [u8; 5] = [85, 70, 50, 25, 10];
/// Digits of a digest.
const DIGEST_CHARS: usize = 32;

/// A profile picture: a JPEG of the right size and of bounded length. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct ProfilePicture(Arc<[u8]>);

impl ProfilePicture {
    /// The middle of a picture file (PNG or JPEG), as its EXIF data turns it.
    ///
    /// # Errors
    ///
    /// Why the file gives no picture.
    pub fn of_file(path: &Path) -> Result<Self, PictureError> {
        let bytes = read(path)?;
        let made = unless_it_panics(|| Self::of_image(&decode(&bytes, MAX_SIDE)?));
        made.ok_or_else(|| reason(&bytes))
    }

    /// The middle of a camera's picture; `None` where it cannot be made.
    pub fn of_frame(frame: &VideoFrame) -> Option<Self> {
        let (width, height) = (frame.width(), frame.height());
        let stride = |plane| u32::try_from(frame.stride(plane)).ok();
        let planes = YuvPlanarImage {
            y_plane: frame.plane(Plane::Y),
            y_stride: stride(Plane::Y)?,
            u_plane: frame.plane(Plane::U),
            u_stride: stride(Plane::U)?,
            v_plane: frame.plane(Plane::V),
            v_stride: stride(Plane::V)?,
            width,
            height,
        };
        let mut rgb = vec![0; width as usize * height as usize * 3];
        yuv::yuv420_to_rgb(&planes, &mut rgb, width * 3, YuvRange::Limited, YuvStandardMatrix::Bt601).ok()?;
        Self::of_image(&RgbImage::from_raw(width, height, rgb)?.into())
    }

    /// The picture of these bytes as another app, or the store, has them: `None` where they are too many, are no JPEG,
    /// or have another size. The image itself is not decoded.
    pub fn of_jpeg(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_PROFILE_PICTURE || image::guess_format(bytes).ok()? != ImageFormat::Jpeg {
            return None;
        }
        let size = unless_it_panics(|| sides(bytes))?;
        (size == (PROFILE_PICTURE_SIDE, PROFILE_PICTURE_SIDE)).then(|| Self(bytes.into()))
    }

    /// The JPEG.
    pub fn as_jpeg(&self) -> &[u8] {
        &self.0
    }

    /// The pixels, RGB; `None` where the JPEG is damaged.
    pub fn decode(&self) -> Option<RgbImage> {
        unless_it_panics(|| Some(decode(&self.0, PROFILE_PICTURE_SIDE)?.into_rgb8()))
    }

    /// Half of its SHA-256, as hexadecimal digits: tells whether two pictures are the same.
    pub fn digest(&self) -> String {
        let mut digits = data_encoding::HEXLOWER.encode(&Sha256::digest(&self.0));
        digits.truncate(DIGEST_CHARS);
        digits
    }

    fn of_image(image: &DynamicImage) -> Option<Self> {
        let side = image.width().min(image.height());
        if side == 0 {
            return None;
        }
        let (left, top) = ((image.width() - side) / 2, (image.height() - side) / 2);
        let square = image.crop_imm(left, top, side, side);
        let small = square.resize_exact(PROFILE_PICTURE_SIDE, PROFILE_PICTURE_SIDE, FilterType::Triangle);
        let small = on_white(small);
        QUALITIES.into_iter().find_map(|quality| {
            let mut jpeg = Vec::new();
            small.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, quality)).ok()?;
            Self::of_jpeg(&jpeg)
        })
    }
}

/// Without its content.
impl fmt::Debug for ProfilePicture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ProfilePicture({} bytes)", self.0.len())
    }
}

/// As Base64.
impl Serialize for ProfilePicture {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for ProfilePicture {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64.decode(text.as_bytes()).ok();
        bytes.and_then(|bytes| Self::of_jpeg(&bytes)).ok_or_else(|| de::Error::custom("this is no profile picture"))
    }
}

/// A picture with transparent pixels, laid on white: a JPEG has none.
fn on_white(image: DynamicImage) -> DynamicImage {
    if !image.color().has_alpha() {
        return image.into_rgb8().into();
    }
    let image = image.into_rgba8();
    let blend = |color: u8, alpha: u8| 255 - ((255 - u16::from(color)) * u16::from(alpha) / 255) as u8;
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let [red, green, blue, alpha] = image.get_pixel(x, y).0;
        image::Rgb([red, green, blue].map(|color| blend(color, alpha)))
    })
    .into()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{ExtendedColorType, ImageEncoder, Rgb, Rgba, RgbaImage};

    use super::*;

    fn written(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Vec::new();
        image.into().write_to(&mut Cursor::new(&mut bytes), format).unwrap();
        bytes
    }

    fn near(pixel: &Rgb<u8>, color: [u8; 3]) -> bool {
        pixel.0.iter().zip(color).all(|(one, other)| one.abs_diff(other) < 24)
    }

    /// 400 pixels wide and 300 high: red, a green square in the middle, blue.
    fn photograph() -> RgbImage {
        RgbImage::from_fn(400, 300, |x, _| match x {
            ..50 => Rgb([255, 0, 0]),
            50..350 => Rgb([0, 255, 0]),
            350.. => Rgb([0, 0, 255]),
        })
    }

    fn of_bytes(name: &str, bytes: &[u8]) -> Result<ProfilePicture, PictureError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        ProfilePicture::of_file(&path)
    }

    #[test]
    fn a_photograph_gives_its_middle() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let picture = of_bytes("photograph", &written(photograph(), format)).unwrap();
            assert!(picture.as_jpeg().len() <= MAX_PROFILE_PICTURE);
            let pixels = picture.decode().unwrap();
            assert_eq!(pixels.dimensions(), (256, 256));
            assert!(pixels.pixels().all(|pixel| near(pixel, [0, 255, 0])), "{format:?}");
        }
    }

    #[test]
    fn a_photograph_that_was_taken_upright_stands_upright() {
        // Red above, blue below, stored lying on its side (EXIF orientation 6: turn it clockwise).
        let lying = RgbImage::from_fn(300, 300, |x, _| Rgb(if x < 150 { [255, 0, 0] } else { [0, 0, 255] }));
        let mut bytes = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
        let exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        encoder.set_exif_metadata(exif.to_vec()).unwrap();
        encoder.write_image(&lying, 300, 300, ExtendedColorType::Rgb8).unwrap();
        let pixels = of_bytes("upright.jpg", &bytes).unwrap().decode().unwrap();
        assert!(near(pixels.get_pixel(128, 20), [255, 0, 0]), "{:?}", pixels.get_pixel(128, 20));
        assert!(near(pixels.get_pixel(128, 235), [0, 0, 255]));
    }

    #[test]
    fn transparent_pixels_are_white_and_noise_fits() {
        let clear = RgbaImage::from_pixel(64, 64, Rgba([0, 0, 0, 0]));
        let pixels = of_bytes("clear.png", &written(clear, ImageFormat::Png)).unwrap().decode().unwrap();
        assert!(near(pixels.get_pixel(100, 100), [255; 3]));
        let mut random = fastrand::Rng::with_seed(7);
        let noise = RgbImage::from_fn(256, 256, |_, _| Rgb([random.u8(..), random.u8(..), random.u8(..)]));
        assert!(of_bytes("noise.png", &written(noise, ImageFormat::Png)).is_ok());
    }

    #[test]
    fn a_cameras_picture_gives_its_middle() {
        let mut frame = VideoFrame::black(640, 360);
        frame.planes_mut().0.fill(235);
        let pixels = ProfilePicture::of_frame(&frame).unwrap().decode().unwrap();
        assert!(pixels.pixels().all(|pixel| near(pixel, [255; 3])));
    }

    #[test]
    fn files_without_a_picture_are_told_with_their_reason() {
        assert_eq!(of_bytes("text.png", b"visavis:"), Err(PictureError::NotAPicture));
        assert_eq!(of_bytes("moving.gif", b"GIF89a\x01\0\x01\0"), Err(PictureError::OtherFormat("GIF")));
        let mut cut = written(photograph(), ImageFormat::Png);
        cut.truncate(200);
        assert_eq!(of_bytes("cut.png", &cut), Err(PictureError::Damaged));
        assert_eq!(ProfilePicture::of_file(Path::new("/no/such/file")), Err(PictureError::Missing));
    }

    #[test]
    fn another_apps_picture_has_the_size_and_the_length_of_one() {
        let good = of_bytes("good.png", &written(photograph(), ImageFormat::Png)).unwrap();
        let text = serde_json::to_string(&good).unwrap();
        assert_eq!(serde_json::from_str::<ProfilePicture>(&text).unwrap(), good);
        assert_eq!(good.digest().len(), DIGEST_CHARS);
        let square = RgbImage::new(256, 256);
        let long = [written(square.clone(), ImageFormat::Jpeg), vec![0; MAX_PROFILE_PICTURE]].concat();
        for (wrong, bytes) in [
            ("another size", written(RgbImage::new(255, 256), ImageFormat::Jpeg)),
            ("a PNG", written(square, ImageFormat::Png)),
            ("too long", long),
            ("nothing", Vec::new()),
            ("no picture", b"\xff\xd8\xff".to_vec()),
        ] {
            assert_eq!(ProfilePicture::of_jpeg(&bytes), None, "{wrong}");
            let text = format!("\"{}\"", BASE64.encode(&bytes));
            assert!(serde_json::from_str::<ProfilePicture>(&text).is_err(), "{wrong}");
        }
        let mut damaged = good.as_jpeg().to_vec();
        damaged.truncate(damaged.len() / 2);
        let damaged = ProfilePicture::of_jpeg(&damaged).expect("its head is whole");
        assert!(damaged.decode().is_none_or(|pixels| pixels.dimensions() == (256, 256)));
    }
}
