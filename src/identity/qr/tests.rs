//! Codes as people have them: each is drawn here and must be read back.

use std::io::Cursor;

use image::{ColorType, ImageFormat, LumaA, Rgba, RgbaImage};

use super::*;
use crate::identity::PeerId;

fn link() -> ContactLink {
    ContactLink::new(PeerId::from_bytes([3; 32]), "Zoë")
}

/// A code with its quiet zone, `scale` pixels a module: 0 and 255.
fn drawn(text: &str, scale: u32) -> GrayImage {
    let (width, dark) = modules(text).unwrap();
    let side = (width as u32 + 8) * scale;
    GrayImage::from_fn(side, side, |x, y| {
        let (x, y) = ((x / scale).wrapping_sub(4) as usize, (y / scale).wrapping_sub(4) as usize);
        Luma([if x < width && y < width && dark[y * width + x] { 0 } else { 255 }])
    })
}

fn code(scale: u32) -> GrayImage {
    drawn(&link().to_string(), scale)
}

fn png(picture: impl Into<DynamicImage>) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture.into().write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
    bytes
}

/// A screen of a colour, with a picture somewhere on it.
fn screen((width, height): (u32, u32), ground: u8, picture: &GrayImage, at: (i64, i64)) -> GrayImage {
    let mut screen = GrayImage::from_pixel(width, height, Luma([ground]));
    image::imageops::replace(&mut screen, picture, at.0, at.1);
    screen
}

#[track_caller]
fn assert_read(picture: impl Into<DynamicImage>, what: &str) {
    assert_eq!(read_bytes(&png(picture)), Some(link()), "{what}");
}

#[test]
fn a_drawn_code_is_read_back() {
    for scale in [1, 2, 3, 4, 7] {
        assert_read(code(scale), "as it is drawn");
    }
    assert_read(code(60), "far larger than it need be");
}

#[test]
fn a_code_in_light_on_dark_is_read() {
    let mut inverted = code(5);
    image::imageops::invert(&mut inverted);
    assert_read(inverted.clone(), "white on black");
    assert_read(screen((1000, 700), 255, &inverted, (300, 200)), "white on black on white");
    let on_colour =
        RgbaImage::from_fn(inverted.width(), inverted.height(), |x, y| match inverted.get_pixel(x, y).0[0] {
            0 => Rgba([30, 60, 120, 255]),
            _ => Rgba([250, 220, 130, 255]),
        });
    assert_read(on_colour, "yellow on blue");
}

#[test]
fn a_code_on_a_transparent_ground_is_read() {
    let code = code(5);
    let (width, height) = code.dimensions();
    let is_dark = |x, y| code.get_pixel(x, y).0[0] == 0;
    for (ink, clear, what) in [
        ([0, 255], [0, 0], "black, on black that is transparent"),
        ([255, 255], [0, 0], "white, on black that is transparent"),
        ([255, 255], [255, 0], "white, on white that is transparent"),
        ([40, 230], [255, 0], "grey, half transparent"),
        ([0, 0], [255, 255], "a cut-out"),
        ([0, 0], [0, 255], "a cut-out of black"),
    ] {
        let at = |x, y| if is_dark(x, y) { ink } else { clear };
        assert_read(image::GrayAlphaImage::from_fn(width, height, |x, y| LumaA(at(x, y))), what);
        let colours = RgbaImage::from_fn(width, height, |x, y| {
            let [value, alpha] = at(x, y);
            Rgba([value, value, value, alpha])
        });
        assert_read(colours, what);
    }
    assert_eq!(read_bytes(&palette_png(&code)), Some(link()), "a palette whose light colour is transparent");
}

/// A PNG of two colours, both black, of which the light one is transparent (RFC 2083, 4.2.9).
fn palette_png(code: &GrayImage) -> Vec<u8> {
    let indices: Vec<u8> = code.pixels().map(|pixel| u8::from(pixel.0[0] != 0)).collect();
    // Written as grey, then made a palette: the header's colour type and what follows it.
    let grey = GrayImage::from_raw(code.width(), code.height(), indices).unwrap();
    let mut bytes = png(grey);
    assert_eq!(bytes[25], 0, "{:?} is written as type 0", ColorType::L8);
    bytes[25] = 3;
    let sum = crc(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&sum.to_be_bytes());
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        let body = [&kind[..], data].concat();
        [&(data.len() as u32).to_be_bytes()[..], &body, &crc(&body).to_be_bytes()].concat()
    };
    let palette = [chunk(b"PLTE", &[0; 6]), chunk(b"tRNS", &[255, 0])].concat();
    bytes.splice(33..33, palette);
    bytes
}

/// CRC-32 of a PNG's chunk (RFC 2083, 15).
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 })
    })
}

#[test]
fn a_small_code_on_a_large_screen_is_read() {
    for (size, ground, scale) in [((2560, 1440), 255, 3), ((3840, 2160), 30, 4), ((5120, 2880), 230, 3)] {
        let at = (i64::from(size.0) / 2 - 100, i64::from(size.1) / 2 + 50);
        assert_read(screen(size, ground, &code(scale), at), &format!("{size:?}"));
    }
    let mut inverted = code(4);
    image::imageops::invert(&mut inverted);
    assert_read(screen((3840, 2160), 0, &inverted, (3000, 1700)), "light on a dark screen");
}

#[test]
fn a_code_that_was_scaled_by_a_fraction_is_read() {
    for (size, ground, modules) in [((3840, 2160), 255, 3.3), ((2560, 1440), 30, 2.5)] {
        let code = code(8);
        let side = (code.width() as f32 / 8.0 * modules) as u32;
        let mut small = image::imageops::resize(&code, side, side, FilterType::Triangle);
        let at = (i64::from(size.0) / 3, i64::from(size.1) / 3);
        assert_read(screen(size, ground, &small, at), &format!("{modules} pixels a module"));
        image::imageops::invert(&mut small);
        assert_read(screen(size, 255 - ground, &small, at), &format!("{modules} pixels a module, inverted"));
    }
}

#[test]
fn of_several_codes_the_one_with_a_contact_counts() {
    let other = drawn("https://example.org/some/page", 5);
    let both = screen((1300, 700), 200, &other, (20, 30));
    assert_read(screen_with(both.clone(), &code(5), (800, 200)), "side by side");
    assert_read(screen_with(both, &code(2), (700, 40)), "one large, one small");
    let mut inverted = code(5);
    image::imageops::invert(&mut inverted);
    assert_read(screen_with(screen((1300, 700), 255, &other, (20, 30)), &inverted, (800, 200)), "one of them inverted");
}

fn screen_with(mut screen: GrayImage, picture: &GrayImage, at: (i64, i64)) -> GrayImage {
    image::imageops::replace(&mut screen, picture, at.0, at.1);
    screen
}

#[test]
fn a_code_under_a_steep_shadow_is_read() {
    type Lit = fn(f32, f32) -> bool;
    let shadows: [(&str, Lit); 3] = [
        ("upright", |x, _| x < 0.5),
        ("slanting", |x, y| x + y * 0.7 < 0.8),
        ("in a corner", |x, y| x < 0.6 && y < 0.6),
    ];
    for (what, is_lit) in shadows {
        let code = code(8);
        let (width, height) = code.dimensions();
        let shaded = GrayImage::from_fn(width, height, |x, y| {
            let paper = if code.get_pixel(x, y).0[0] == 0 { 0.1 } else { 0.9 };
            let light = if is_lit(x as f32 / width as f32, y as f32 / height as f32) { 1.0 } else { 0.22 };
            Luma([(255.0 * paper * light) as u8])
        });
        assert_read(screen((1000, 900), 20, &shaded, (150, 120)), what);
    }
}

#[test]
fn a_code_that_is_turned_and_blurred_is_read() {
    let code = screen((700, 700), 255, &code(6), (170, 170));
    for degrees in [15.0_f32, 45.0, 200.0] {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let turned = GrayImage::from_fn(700, 700, |x, y| {
            let (x, y) = (x as f32 - 350.0, y as f32 - 350.0);
            let (x, y) = (x * cos - y * sin + 350.0, x * sin + y * cos + 350.0);
            let inside = (0.0..699.0).contains(&x) && (0.0..699.0).contains(&y);
            Luma([if inside { code.get_pixel(x as u32, y as u32).0[0] } else { 255 }])
        });
        assert_read(turned, &format!("{degrees} degrees"));
    }
    let small = image::imageops::resize(&code, 260, 260, FilterType::Triangle);
    assert_read(small, "2.2 pixels a module");
}

#[test]
fn other_codes_damaged_files_and_bombs_are_refused() {
    let other = png(drawn("https://example.org", 4));
    assert_eq!((read_bytes(&other), search(&other)), (None, Some(Codes::Other)));
    assert_eq!(search(&png(GrayImage::from_pixel(300, 200, Luma([200])))), Some(Codes::None));
    let mut cut = png(drawn("visavis", 4));
    cut.truncate(cut.len() / 2);
    assert_eq!(search(&cut), None);
    assert_eq!(search(b"not a picture"), None);
    let mut bomb = png(drawn("visavis", 4));
    bomb[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    assert_eq!(search(&bomb), None);
    assert_eq!(modules(&"x".repeat(10_000)), None);
}

#[test]
fn a_picture_full_of_finder_patterns_has_an_end() {
    // Rings of 7 modules with stones of 3, side by side: each three of them may be a code. Without a bound it takes
    // hours.
    let is_dark = |x: u32, y: u32| {
        let (x, y) = (x % 9, y % 9);
        let ring = x < 7 && y < 7 && (x == 0 || x == 6 || y == 0 || y == 6);
        ring || (2..5).contains(&x) && (2..5).contains(&y)
    };
    let picture = GrayImage::from_fn(1500, 1500, |x, y| Luma([if is_dark(x, y) { 0 } else { 255 }]));
    assert_eq!(read_bytes(&png(picture)), None);
    let few = GrayImage::from_fn(1500, 1500, |x, y| Luma([if x < 120 && y < 130 && is_dark(x, y) { 0 } else { 255 }]));
    assert_eq!(read_bytes(&png(few)), None);
}
