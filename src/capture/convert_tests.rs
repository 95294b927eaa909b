//! The conversion kernels against plain per-pixel references, and damaged input.

use std::time::Duration;

use proptest::prelude::*;
use turbojpeg::{Compressor, Image, PixelFormat};

use super::*;

fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        })
        .collect()
}

/// YUYV to I420 by the definition: luma as it is, chroma the rounded mean of two rows.
fn yuyv_reference(bytes: &[u8], width: usize, height: usize) -> Vec<u8> {
    let mut out: Vec<u8> = (0..width * height).map(|index| bytes[index * 2]).collect();
    for offset in [1, 3] {
        for y in (0..height).step_by(2) {
            for x in 0..width / 2 {
                let above = u16::from(bytes[y * width * 2 + x * 4 + offset]);
                let below = u16::from(bytes[(y + 1) * width * 2 + x * 4 + offset]);
                out.push((above + below).div_ceil(2) as u8);
            }
        }
    }
    out
}

#[test]
fn yuyv_of_the_wanted_size_equals_the_reference() {
    for (width, height) in [(2, 2), (64, 48), (318, 182), (640, 480), (1280, 720)] {
        let bytes = noise(width * height * 2 + 5);
        let mut frame = VideoFrame::black(width as u32, height as u32);
        let raw = RawPicture { encoding: Encoding::Yuyv, width, height, bytes: &bytes };
        Converter::default().convert(raw, &mut frame).unwrap();
        assert!(frame.as_bytes() == yuyv_reference(&bytes, width, height), "{width}x{height}");
    }
}

#[test]
fn nv12_of_the_wanted_size_equals_the_reference() {
    for (width, height) in [(2, 2), (318, 182), (1280, 720)] {
        let bytes = noise(width * height * 3 / 2 + 3);
        let mut frame = VideoFrame::black(width as u32, height as u32);
        let raw = RawPicture { encoding: Encoding::Nv12, width, height, bytes: &bytes };
        Converter::default().convert(raw, &mut frame).unwrap();
        let mut expected = bytes[..width * height].to_vec();
        for offset in 0..2 {
            expected.extend((0..width * height / 4).map(|index| bytes[width * height + index * 2 + offset]));
        }
        assert!(frame.as_bytes() == expected, "{width}x{height}");
    }
}

#[test]
fn other_sizes_are_the_reference_then_cropped_and_scaled() {
    let bytes = noise(640 * 480 * 2);
    let reference = yuyv_reference(&bytes, 640, 480);
    let mut converter = Converter::default();
    let raw = RawPicture { encoding: Encoding::Yuyv, width: 640, height: 480, bytes: &bytes };
    let mut cropped = VideoFrame::black(640, 360);
    converter.convert(raw, &mut cropped).unwrap();
    assert!(cropped.planes().0 == &reference[60 * 640..420 * 640], "a crop alone changes no sample");

    let flat = [[50; 640 * 480].as_slice(), &[90; 640 * 480 / 2]].concat();
    let raw = RawPicture { encoding: Encoding::Nv12, width: 640, height: 480, bytes: &flat };
    let mut scaled = VideoFrame::black(1280, 720);
    converter.convert(raw, &mut scaled).unwrap();
    let (y, u, v) = scaled.planes();
    assert!(y.iter().all(|&y| y == 50) && u.iter().chain(v).all(|&chroma| chroma == 90));
}

pub fn jpeg(width: usize, height: usize, subsamp: Subsamp, rgb: impl Fn(usize, usize) -> [u8; 3]) -> Vec<u8> {
    let pixels: Vec<u8> = (0..width * height).flat_map(|index| rgb(index % width, index / width)).collect();
    let mut compressor = Compressor::new().unwrap();
    compressor.set_subsamp(subsamp).unwrap();
    compressor.set_quality(95).unwrap();
    let image = Image { pixels: &pixels[..], width, pitch: width * 3, height, format: PixelFormat::RGB };
    compressor.compress_to_vec(image).unwrap()
}

/// Limited-range BT.601 of an RGB colour.
fn bt601([r, g, b]: [u8; 3]) -> [f32; 3] {
    let [r, g, b] = [r, g, b].map(|value| f32::from(value) / 255.0);
    let luma = 0.299 * r + 0.587 * g + 0.114 * b;
    [16.0 + 219.0 * luma, 128.0 + 112.0 * (b - luma) / 0.886, 128.0 + 112.0 * (r - luma) / 0.701]
}

#[test]
fn jpeg_of_every_subsampling_gives_limited_range_colours() {
    let mut converter = Converter::default();
    for subsamp in [Subsamp::Sub2x2, Subsamp::Sub2x1, Subsamp::None, Subsamp::Sub1x2, Subsamp::Sub4x1, Subsamp::Sub1x4]
    {
        for (width, height) in [(640, 480), (641, 479), (320, 240), (50, 37)] {
            for colour in [[255, 0, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [200, 120, 40]] {
                let mut bytes = jpeg(width, height, subsamp, |_, _| colour);
                // What an earlier, longer picture left in the buffer.
                bytes.extend(noise(1000));
                let mut frame = VideoFrame::black(640, 480);
                let raw = RawPicture { encoding: Encoding::Mjpeg, width: 640, height: 480, bytes: &bytes };
                converter.convert(raw, &mut frame).unwrap();
                let expected = bt601(colour);
                let (y, u, v) = frame.planes();
                for (plane, expected) in [y, u, v].into_iter().zip(expected) {
                    let worst = plane.iter().map(|&sample| (f32::from(sample) - expected).abs()).fold(0.0, f32::max);
                    assert!(worst <= 3.0, "{subsamp:?} {width}x{height} {colour:?}: off by {worst}");
                }
            }
        }
    }
}

/// The segments of a JPEG up to its coded data, each with its marker.
fn segments(bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut found = Vec::new();
    let mut at = 2;
    while at + 4 <= bytes.len() && found.last().is_none_or(|&(marker, _)| marker != 0xda) {
        let end = at + 2 + usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
        found.push((bytes[at + 1], &bytes[at..end]));
        at = end;
    }
    found.push((0, &bytes[at..]));
    found
}

#[test]
fn the_jpegs_that_webcams_make_are_pictures() {
    let whole = jpeg(64, 48, Subsamp::Sub2x1, |x, _| if x < 32 { [255, 0, 0] } else { [0, 0, 255] });
    let convert = |bytes: &[u8]| {
        let mut frame = VideoFrame::black(64, 48);
        let raw = RawPicture { encoding: Encoding::Mjpeg, width: 64, height: 48, bytes };
        Converter::default().convert(raw, &mut frame).map(|()| frame.as_bytes().to_vec())
    };
    let expected = convert(&whole).unwrap();
    // Without Huffman tables: the standard ones are meant.
    let mut bare = vec![0xff, 0xd8];
    segments(&whole).iter().filter(|(marker, _)| *marker != 0xc4).for_each(|(_, bytes)| bare.extend(*bytes));
    assert!(bare.len() < whole.len() - 100);
    assert_eq!(convert(&bare).unwrap(), expected);
    // With stray bytes before the end.
    let padded = [&whole[..whole.len() - 2], &[1, 2, 3, 4, 5, 6, 7], &[0xff, 0xd9]].concat();
    assert_eq!(convert(&padded).unwrap(), expected);
    // Half a picture is none.
    let half = [&whole[..whole.len() - 40], &[0xff, 0xd9]].concat();
    assert!(convert(&half).is_err());
}

#[test]
fn grey_jpeg_has_no_colour() {
    let bytes = jpeg(64, 48, Subsamp::Gray, |_, _| [255, 0, 0]);
    let mut frame = VideoFrame::black(64, 48);
    let raw = RawPicture { encoding: Encoding::Mjpeg, width: 64, height: 48, bytes: &bytes };
    Converter::default().convert(raw, &mut frame).unwrap();
    let (_, u, v) = frame.planes();
    assert!(u.iter().chain(v).all(|&chroma| chroma.abs_diff(128) <= 1));
}

#[test]
fn the_range_kernels_are_right_to_one_step_and_at_the_ends() {
    for full in 0..=255_u8 {
        let luma = 16.0 + f32::from(full) * 219.0 / 255.0;
        let chroma = 128.0 + (f32::from(full) - 128.0) * 224.0 / 255.0;
        assert!((f32::from(limited_luma(full)) - luma).abs() <= 1.0, "luma {full}");
        assert!((f32::from(limited_chroma(full)) - chroma).abs() <= 1.0, "chroma {full}");
    }
    assert_eq!((limited_luma(0), limited_luma(255)), (16, 235));
    assert_eq!((limited_chroma(0), limited_chroma(128), limited_chroma(255)), (16, 128, 240));
}

#[test]
fn a_jpeg_ends_at_its_own_end() {
    let picture =
        [&[0xff, 0xd8][..], &[0xff, 0xe0, 0, 6, 0xff, 0xd9, 1, 2], &[0xff, 0xda, 0, 2, 7, 0xff, 0, 0xff, 0xd0]]
            .concat();
    let whole = [&picture[..], &[0xff, 0xff, 0xd9]].concat();
    let buffer = [&whole[..], &[0xff, 0xd9, 0xff, 0xd9]].concat();
    assert_eq!(jpeg_extent(&buffer), Some(&whole[..]));
    for len in 0..whole.len() {
        assert_eq!(jpeg_extent(&whole[..len]), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damaged_buffers_are_errors_or_pictures_and_never_panic(
        cut in 0_usize..4000,
        flips in proptest::collection::vec((0_usize..4000, any::<u8>()), 0..20),
        encoding in prop_oneof![Just(Encoding::Yuyv), Just(Encoding::Nv12), Just(Encoding::Mjpeg)],
        width in 0_usize..70,
        height in 0_usize..70,
    ) {
        let mut bytes = jpeg(64, 48, Subsamp::Sub2x1, |x, y| [x as u8 * 3, y as u8 * 5, 99]);
        for (at, value) in flips {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        bytes.truncate(cut);
        let mut frame = VideoFrame::black(64, 48);
        let _ = Converter::default().convert(RawPicture { encoding, width, height, bytes: &bytes }, &mut frame);
    }
}

/// CPU time of this thread, which other programs on the machine hardly change.
fn thread_cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid for the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// `cargo test --lib capture::convert -- --ignored --nocapture` prints milliseconds a frame.
#[test]
#[ignore = "a measurement, not a test"]
fn conversion_times() {
    let time = |name: &str, raw: RawPicture<'_>, width: u32, height: u32| {
        let mut frame = VideoFrame::black(width, height);
        let mut converter = Converter::default();
        converter.convert(raw, &mut frame).unwrap();
        let start = thread_cpu_time();
        for _ in 0..60 {
            converter.convert(raw, &mut frame).unwrap();
        }
        let each = (thread_cpu_time() - start) / 60;
        println!("{name} -> {width}x{height}: {:.2} ms", each.as_secs_f64() * 1000.0);
    };
    let (width, height) = (1280, 720);
    let bytes = noise(width * height * 2);
    let smooth = |x: usize, y: usize| [(x / 5) as u8, (y / 3) as u8, ((x + y) / 8) as u8];
    for (wanted_width, wanted_height) in [(1280, 720), (640, 360), (640, 480)] {
        for encoding in [Encoding::Yuyv, Encoding::Nv12] {
            let raw = RawPicture { encoding, width, height, bytes: &bytes };
            time(&format!("{encoding:?} 1280x720"), raw, wanted_width, wanted_height);
        }
        for subsamp in [Subsamp::Sub2x1, Subsamp::Sub2x2] {
            let bytes = jpeg(width, height, subsamp, smooth);
            let raw = RawPicture { encoding: Encoding::Mjpeg, width, height, bytes: &bytes };
            time(&format!("MJPEG {subsamp:?} 1280x720"), raw, wanted_width, wanted_height);
        }
    }
    let large = noise(1920 * 1080 * 2);
    time(
        "Yuyv 1920x1080",
        RawPicture { encoding: Encoding::Yuyv, width: 1920, height: 1080, bytes: &large },
        1280,
        720,
    );
    let small = noise(640 * 480 * 2);
    time("Yuyv 640x480", RawPicture { encoding: Encoding::Yuyv, width: 640, height: 480, bytes: &small }, 1280, 720);
}
