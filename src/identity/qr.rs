//! QR codes of contact links and safety codes (ISO/IEC 18004): drawn by the window, read back from a picture file or a
//! camera's picture. Runs on the caller's thread; reading a file takes some tenths of a second, and some seconds for a
//! large picture without a code.
//!
//! The finder looks for dark codes on a light ground. People's codes are also light on dark, on a transparent ground,
//! small on a large screen, under a shadow; so the same picture is shown to it in several ways, the likely ones first,
//! until one of them holds a contact.

mod light;
mod raster;

use std::cell::Cell;

use image::imageops::{FilterType, invert, resize, thumbnail};
use image::{DynamicImage, GrayImage, Luma};
use qrcode::{Color, EcLevel, QrCode};
use rqrr::PreparedImage;

use self::light::ink;
use self::raster::{Budget, Raster};
use super::ContactLink;
use super::picture_file::{MAX_FILE, MAX_SIDE, decode, unless_it_panics};

/// Pixels on the longer side at which codes are looked for, in this order, where the picture has as many; its own size
/// comes last. The smallest is the quickest and the least noisy, and a code on a large screen needs the largest.
const SEARCHED_SIDES: [u32; 2] = [1600, 3200];
/// A picture of no more pixels on the longer side is enlarged twice, for blurred codes of few pixels.
const ENLARGED_SIDE: u32 = 800;
/// The longer side over the largest dark spot of a code: of one that fills the picture, and of a small one.
const SPOTS: [u32; 2] = [7, 28];

/// The modules of a code, row by row, `true` for dark, and their number on a side. `None` when the text is too long.
pub fn modules(text: &str) -> Option<(usize, Vec<bool>)> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let width = code.width();
    Some((width, code.into_colors().into_iter().map(|color| color == Color::Dark).collect()))
}

/// The contact in a PNG or JPEG file of these bytes. `None` when it cannot be read, is too large, or shows no contact's
/// code.
pub fn read_bytes(bytes: &[u8]) -> Option<ContactLink> {
    match search(bytes)? {
        Codes::Contact(link) => Some(link),
        Codes::Other | Codes::None => None,
    }
}

/// Subject of the codes in a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Codes {
    /// Code of a contact, the first of several.
    Contact(ContactLink),
    /// Codes of something else.
    Other,
    /// There are none.
    None,
}

/// Looks at a picture for codes; `None` when it cannot be decoded within the bounds.
pub(super) fn search(bytes: &[u8]) -> Option<Codes> {
    if bytes.len() as u64 > MAX_FILE {
        return None;
    }
    Some(look_at(&unless_it_panics(|| Some(on_grounds(decode(bytes, MAX_SIDE)?)))?))
}

/// Looks for codes in pictures that show the same on different grounds.
pub(super) fn look_at(pictures: &[GrayImage]) -> Codes {
    let looks = Looks::new(ContactLink::find_in);
    let mut sides = SEARCHED_SIDES.into_iter().map(Some).chain([None]);
    let contact = sides.find_map(|side| pictures.iter().find_map(|picture| looks.at_size(picture, side)));
    let without = if looks.saw_code.get() { Codes::Other } else { Codes::None };
    contact.map_or(without, Codes::Contact)
}

/// The first code in a camera's picture whose text `accept` takes. Another picture follows soon, so this one is
/// searched at one size, as dark on light, and in two ways alone.
pub(super) fn find_live<T>(picture: &GrayImage, accept: impl Fn(&str) -> Option<T>) -> Option<T> {
    let looks = Looks::new(accept);
    looks.as_it_is(picture).or_else(|| looks.on_paper(picture, &SPOTS[..1]))
}

/// The picture in grey; one with transparent pixels laid on white, and on black.
fn on_grounds(picture: DynamicImage) -> Vec<GrayImage> {
    if !picture.color().has_alpha() {
        return vec![picture.into_luma8()];
    }
    let picture = picture.into_luma_alpha8();
    let grounds: &[u8] = if picture.pixels().all(|pixel| pixel.0[1] == u8::MAX) { &[255] } else { &[255, 0] };
    let laid_on = |&ground: &u8| {
        GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
            let [value, alpha] = picture.get_pixel(x, y).0.map(u32::from);
            Luma([((value * alpha + u32::from(ground) * (255 - alpha)) / 255) as u8])
        })
    };
    grounds.iter().map(laid_on).collect()
}

/// Looks at a picture for a code whose text is accepted, until there is one.
struct Looks<F> {
    budget: Budget,
    /// Content of a text, where it is of the wanted kind.
    accept: F,
    /// There is a code, of any content.
    saw_code: Cell<bool>,
}

impl<T, F: Fn(&str) -> Option<T>> Looks<F> {
    fn new(accept: F) -> Self {
        Self { budget: Budget::default(), accept, saw_code: Cell::new(false) }
    }

    /// In a picture that is made `side` pixels large, or left as it is; nothing where it is smaller than that.
    fn at_size(&self, picture: &GrayImage, side: Option<u32>) -> Option<T> {
        let (width, height) = picture.dimensions();
        let longer = width.max(height);
        let made = |length: u32, side: u32| (length * side / longer).max(1);
        match side {
            Some(side) if longer > side => self.at(&thumbnail(picture, made(width, side), made(height, side)), &SPOTS),
            Some(_) => None,
            // On a large one a code is small.
            None if longer > SEARCHED_SIDES[1] => self.at(picture, &SPOTS[1..]),
            None => self.at(picture, &SPOTS).or_else(|| {
                let large = || resize(picture, width * 2, height * 2, FilterType::Triangle);
                (longer <= ENLARGED_SIDE).then(|| self.at(&large(), &SPOTS[1..]))?
            }),
        }
    }

    /// In a picture and its inverse: as the finder tells dark from light, and as ink on paper, which finds codes under
    /// shadows and blurred ones.
    fn at(&self, picture: &GrayImage, spots: &[u32]) -> Option<T> {
        let inverted = || {
            let mut inverted = picture.clone();
            invert(&mut inverted);
            inverted
        };
        self.as_it_is(picture)
            .or_else(|| self.as_it_is(&inverted()))
            .or_else(|| self.on_paper(picture, spots))
            .or_else(|| self.on_paper(&inverted(), spots))
    }

    fn as_it_is(&self, picture: &GrayImage) -> Option<T> {
        unless_it_panics(|| self.first_of(&mut PreparedImage::prepare(Raster::new(picture, &self.budget))))
    }

    fn on_paper(&self, picture: &GrayImage, spots: &[u32]) -> Option<T> {
        let longer = picture.width().max(picture.height());
        spots.iter().find_map(|spot| {
            let ink = || Raster::new(&ink(picture, longer / spot), &self.budget);
            unless_it_panics(|| self.first_of(&mut PreparedImage::without_preparation(ink())))
        })
    }

    /// The first code that is accepted: others may stand beside it.
    fn first_of(&self, prepared: &mut PreparedImage<Raster>) -> Option<T> {
        let found = prepared.detect_grids();
        found.iter().find_map(|grid| {
            let read = unless_it_panics(|| grid.decode().ok())?;
            self.saw_code.set(true);
            (self.accept)(&read.1)
        })
    }
}

#[cfg(test)]
mod tests;
