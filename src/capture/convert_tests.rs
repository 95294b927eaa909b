//! The conversion kernels against plain per-pixel references, and damaged input.

use std::time::Duration;

use proptest::prelude::*;
use turbojpeg::{Compressor, Image, PixelFormat, Subsamp};

use super::limited::{limited_chroma, limited_luma};
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

const EVERY_ENCODING: [Encoding; 17] = [
    Encoding::Yuyv,
    Encoding::Yvyu,
    Encoding::Uyvy,
    Encoding::Vyuy,
    Encoding::Nv12,
    Encoding::Nv21,
    Encoding::Nv16,
    Encoding::Nv61,
    Encoding::I420,
    Encoding::Yv12,
    Encoding::I422,
    Encoding::Grey,
    Encoding::Rgb24,
    Encoding::Bgr24,
    Encoding::Rgbx32,
    Encoding::Bgrx32,
    Encoding::Mjpeg,
];

/// Y, U and V of a pixel of a raw YUV picture, read out of the buffer by the definition of its format.
fn sample(layout: Layout, bytes: &[u8], x: usize, y: usize) -> [u8; 3] {
    let Layout { encoding, stride, height, .. } = layout;
    let packed = |order: [usize; 3]| {
        let four = &bytes[y * stride + x / 2 * 4..];
        [four[order[0] + x % 2 * 2], four[order[1]], four[order[2]]]
    };
    let pairs = |down: usize, u: usize| {
        let pair = &bytes[height * stride + y / down * stride + x / 2 * 2..];
        [bytes[y * stride + x], pair[u], pair[1 - u]]
    };
    let planes = |down: usize, u: usize| {
        let (rows, half) = (height.div_ceil(down), stride.div_ceil(2));
        let plane = |index: usize| bytes[height * stride + index * rows * half + y / down * half + x / 2];
        [bytes[y * stride + x], plane(u), plane(1 - u)]
    };
    match encoding {
        Encoding::Yuyv => packed([0, 1, 3]),
        Encoding::Yvyu => packed([0, 3, 1]),
        Encoding::Uyvy => packed([1, 0, 2]),
        Encoding::Vyuy => packed([1, 2, 0]),
        Encoding::Nv12 => pairs(2, 0),
        Encoding::Nv21 => pairs(2, 1),
        Encoding::Nv16 => pairs(1, 0),
        Encoding::Nv61 => pairs(1, 1),
        Encoding::I420 => planes(2, 0),
        Encoding::Yv12 => planes(2, 1),
        Encoding::I422 => planes(1, 0),
        Encoding::Grey => [bytes[y * stride + x], 128, 128],
        other => panic!("{other:?}"),
    }
}

/// The I420 picture of a raw YUV buffer: luma as it is, chroma the rounded mean of two rows.
fn reference(layout: Layout, bytes: &[u8]) -> Vec<u8> {
    let (width, height) = (layout.width, layout.height);
    let mut out: Vec<u8> =
        (0..width * height).map(|index| sample(layout, bytes, index % width, index / width)[0]).collect();
    for plane in [1, 2] {
        for index in 0..width / 2 * (height / 2) {
            let (x, y) = (index % (width / 2) * 2, index / (width / 2) * 2);
            let [above, below] = [y, y + 1].map(|y| u16::from(sample(layout, bytes, x, y)[plane]));
            out.push((above + below).div_ceil(2) as u8);
        }
    }
    out
}

#[test]
fn raw_pictures_of_the_wanted_size_equal_the_reference_with_and_without_padding() {
    let raw = EVERY_ENCODING.iter().filter(|encoding| family(**encoding) != Family::Jpeg);
    for &encoding in raw.filter(|encoding| !matches!(family(**encoding), Family::Rgb { .. })) {
        for (width, height) in [(2, 2), (64, 48), (318, 182), (600, 450), (1280, 720)] {
            for padding in [0, 2, 40, 64] {
                let packed = Layout::packed(encoding, width, height);
                let layout = Layout::padded(encoding, (width, height), packed.stride + padding, 0);
                assert_eq!(layout.stride, packed.stride + padding);
                // The last row has no padding: as short as a buffer may be.
                let bytes = noise(layout.needed());
                let mut frame = VideoFrame::black(width as u32, height as u32);
                Converter::default().convert(RawPicture { layout, bytes: &bytes }, &mut frame).unwrap();
                let expected = reference(layout, &bytes);
                assert!(frame.as_bytes() == expected, "{encoding:?} {width}x{height}, {padding} bytes of padding");
                let short = RawPicture { layout, bytes: &bytes[..bytes.len() - 1] };
                assert!(Converter::default().convert(short, &mut frame).is_err(), "{encoding:?} {width}x{height}");
            }
        }
    }
}

#[test]
fn rgb_becomes_limited_range_colours_with_and_without_padding() {
    let colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [200, 120, 40]];
    for (encoding, order) in [
        (Encoding::Rgb24, [0, 1, 2]),
        (Encoding::Bgr24, [2, 1, 0]),
        (Encoding::Rgbx32, [0, 1, 2]),
        (Encoding::Bgrx32, [2, 1, 0]),
    ] {
        for (width, height, padding) in [(318, 182, 0), (600, 450, 24), (641, 363, 7)] {
            let layout =
                Layout::padded(encoding, (width, height), Layout::packed(encoding, width, height).stride + padding, 0);
            let pixel_len = layout.stride / width;
            let mut bytes = noise(layout.needed());
            for y in 0..height {
                for x in 0..width {
                    let colour: [u8; 3] = colours[x * colours.len() / width];
                    let pixel = &mut bytes[y * layout.stride + x * pixel_len..];
                    order.iter().zip(colour).for_each(|(&at, value)| pixel[at] = value);
                }
            }
            for scale in [1, 2] {
                let wanted = ((width & !1) * scale, (height & !1) * scale);
                let mut frame = VideoFrame::black(wanted.0 as u32, wanted.1 as u32);
                Converter::default().convert(RawPicture { layout, bytes: &bytes }, &mut frame).unwrap();
                let (luma, u, v) = frame.planes();
                for (index, colour) in colours.iter().enumerate() {
                    let (x, y) = ((2 * index + 1) * wanted.0 / (2 * colours.len()), wanted.1 / 2);
                    let chroma = y / 2 * (wanted.0 / 2) + x / 2;
                    let found = [luma[y * wanted.0 + x], u[chroma], v[chroma]].map(f32::from);
                    let worst = found.iter().zip(bt601(*colour)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    assert!(worst <= 1.5, "{encoding:?} {width}x{height} {colour:?}: {found:?}");
                }
            }
        }
    }
}

#[test]
fn a_picture_in_the_full_range_is_brought_to_the_limited_one() {
    for encoding in [Encoding::Uyvy, Encoding::Nv21, Encoding::Yv12, Encoding::Grey] {
        let layout = Layout { full_range: true, ..Layout::packed(encoding, 64, 48) };
        let bytes = vec![255; layout.needed()];
        let mut frame = VideoFrame::black(64, 48);
        Converter::default().convert(RawPicture { layout, bytes: &bytes }, &mut frame).unwrap();
        let chroma = if encoding == Encoding::Grey { 128 } else { 240 };
        let (y, u, v) = frame.planes();
        assert!(y.iter().all(|&y| y == 235) && u.iter().chain(v).all(|&c| c == chroma), "{encoding:?}");
    }
}

#[test]
fn a_stride_that_cannot_be_is_taken_for_none() {
    let packed = Layout::packed(Encoding::Nv12, 640, 480);
    let padded = |stride, size| Layout::padded(Encoding::Nv12, (640, 480), stride, size);
    assert_eq!(padded(0, 460_800), packed, "not filled in");
    assert_eq!(padded(639, 460_800), packed, "shorter than a row");
    assert_eq!(padded(960, 460_800), packed, "bytes of a row of all planes, as some drivers say");
    assert_eq!(padded(1024, 737_280).stride, 1024);
    assert_eq!(padded(704, 0).stride, 704);
    let jpeg = Layout::padded(Encoding::Mjpeg, (640, 480), 1280, 614_400);
    assert_eq!(jpeg, Layout::packed(Encoding::Mjpeg, 640, 480));
}

#[test]
fn other_sizes_are_the_reference_then_cropped_and_scaled() {
    let bytes = noise(640 * 480 * 2);
    let reference = reference(Layout::packed(Encoding::Yuyv, 640, 480), &bytes);
    let mut converter = Converter::default();
    let raw = RawPicture { layout: Layout::packed(Encoding::Yuyv, 640, 480), bytes: &bytes };
    let mut cropped = VideoFrame::black(640, 360);
    converter.convert(raw, &mut cropped).unwrap();
    assert!(cropped.planes().0 == &reference[60 * 640..420 * 640], "a crop alone changes no sample");

    let flat = [[50; 640 * 480].as_slice(), &[90; 640 * 480 / 2]].concat();
    let raw = RawPicture { layout: Layout::packed(Encoding::Nv12, 640, 480), bytes: &flat };
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
                let raw = RawPicture { layout: Layout::packed(Encoding::Mjpeg, 640, 480), bytes: &bytes };
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
        let raw = RawPicture { layout: Layout::packed(Encoding::Mjpeg, 64, 48), bytes };
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
    let raw = RawPicture { layout: Layout::packed(Encoding::Mjpeg, 64, 48), bytes: &bytes };
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damaged_buffers_are_errors_or_pictures_and_never_panic(
        cut in 0_usize..4000,
        flips in proptest::collection::vec((0_usize..4000, any::<u8>()), 0..20),
        encoding in proptest::sample::select(&EVERY_ENCODING[..]),
        width in 0_usize..70,
        height in 0_usize..70,
        stride in 0_usize..300,
        size in 0_usize..20_000,
    ) {
        let mut bytes = jpeg(64, 48, Subsamp::Sub2x1, |x, y| [x as u8 * 3, y as u8 * 5, 99]);
        for (at, value) in flips {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        bytes.truncate(cut);
        let mut frame = VideoFrame::black(64, 48);
        let layout = Layout::padded(encoding, (width, height), stride, size);
        let _ = Converter::default().convert(RawPicture { layout, bytes: &bytes }, &mut frame);
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
            let raw = RawPicture { layout: Layout::packed(encoding, width, height), bytes: &bytes };
            time(&format!("{encoding:?} 1280x720"), raw, wanted_width, wanted_height);
        }
        for subsamp in [Subsamp::Sub2x1, Subsamp::Sub2x2] {
            let bytes = jpeg(width, height, subsamp, smooth);
            let raw = RawPicture { layout: Layout::packed(Encoding::Mjpeg, width, height), bytes: &bytes };
            time(&format!("MJPEG {subsamp:?} 1280x720"), raw, wanted_width, wanted_height);
        }
    }
    let large = noise(1920 * 1080 * 2);
    time("Yuyv 1920x1080", RawPicture { layout: Layout::packed(Encoding::Yuyv, 1920, 1080), bytes: &large }, 1280, 720);
    let small = noise(640 * 480 * 2);
    time("Yuyv 640x480", RawPicture { layout: Layout::packed(Encoding::Yuyv, 640, 480), bytes: &small }, 1280, 720);
}
