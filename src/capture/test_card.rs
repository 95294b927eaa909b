//! The test card: a camera that everybody has. Colour bars, a dial whose hand turns, a line that sweeps and the number
//! of the frame, drawn straight into I420, with the frame counter and the time of capture as [`barcode`]s on top.
//!
//! Still parts are drawn once and copied; only moving parts are drawn for each frame. Owned by one capture thread.

use std::f32::consts::TAU;

use crate::media::VideoFrame;

use super::barcode;

type Colour = [u8; 3];

const WHITE: Colour = [235, 128, 128];
const PAPER: Colour = [200, 128, 128];
const INK: Colour = [32, 132, 124];
const HAND: Colour = [170, 60, 166];
/// The bars at 75 %: grey, yellow, cyan, green, magenta, red, blue.
const BARS: [Colour; 7] =
    [[180, 128, 128], [162, 44, 142], [131, 156, 44], [112, 72, 58], [84, 184, 198], [65, 100, 212], [35, 212, 114]];
/// Seconds in which the hand turns once.
const TURN_SECONDS: f32 = 4.0;
/// Seconds in which the line sweeps from left to right.
const SWEEP_SECONDS: f32 = 3.0;
/// Which of the seven segments (top, upper right, lower right, bottom, lower left, upper left, middle) a digit lights.
const SEGMENTS: [u8; 10] = [
    0b011_1111, 0b000_0110, 0b101_1011, 0b100_1111, 0b110_0110, 0b110_1101, 0b111_1101, 0b000_0111, 0b111_1111,
    0b110_1111,
];

/// Draws the card at one size.
#[derive(Debug)]
pub struct TestCard {
    background: VideoFrame,
    fps: f32,
}

impl TestCard {
    /// A card of the given size (rounded down to even numbers) that is shown at `fps` frames a second.
    pub fn new(width: u32, height: u32, fps: u32) -> Self {
        let mut background = VideoFrame::black(width, height);
        draw_bars(&mut background);
        draw_ramp(&mut background);
        draw_dial(&mut background);
        Self { background, fps: fps.max(1) as f32 }
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.background.width()
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.background.height()
    }

    /// Draws frame number `counter` into `frame`, which must have the card's size (another one is left as it is). The
    /// barcodes are not drawn here: they belong on the picture as it is delivered.
    pub fn draw(&self, counter: u32, frame: &mut VideoFrame) {
        if (frame.width(), frame.height()) != (self.width(), self.height()) {
            return;
        }
        frame.as_bytes_mut().copy_from_slice(self.background.as_bytes());
        let seconds = counter as f32 / self.fps;
        self.draw_hand(seconds, frame);
        self.draw_sweep(seconds, frame);
        self.draw_number(counter, frame);
    }

    fn draw_hand(&self, seconds: f32, frame: &mut VideoFrame) {
        let dial = Dial::of(frame);
        let angle = seconds / TURN_SECONDS * TAU;
        let (right, down) = (angle.sin(), -angle.cos());
        let thickness = (dial.radius / 20.0).max(2.0);
        let length = dial.radius * 0.86;
        let steps = (length / thickness * 2.0) as usize;
        for step in 0..=steps {
            let reach = length * step as f32 / steps.max(1) as f32;
            let (x, y) = (dial.x + right * reach - thickness / 2.0, dial.y + down * reach - thickness / 2.0);
            fill(frame, [x, y, thickness, thickness], HAND);
        }
    }

    fn draw_sweep(&self, seconds: f32, frame: &mut VideoFrame) {
        let (width, height) = (frame.width() as f32, frame.height() as f32);
        let x = width * (seconds / SWEEP_SECONDS).fract();
        fill(frame, [x, height * RAMP_TOP, (width / 160.0).max(2.0), height * (1.0 - RAMP_TOP)], WHITE);
    }

    fn draw_number(&self, counter: u32, frame: &mut VideoFrame) {
        let dial = Dial::of(frame);
        let (width, height) = (dial.radius / 7.0, dial.radius / 4.0);
        let left = dial.x - 3.0 * width * 1.5 + width * 0.25;
        let top = dial.y + dial.radius * 0.3;
        // A plate, so that the hand passes behind the number.
        fill(frame, [left - width / 2.0, top - width / 2.0, width * 9.5, height + width], INK);
        for (place, unit) in [100_000, 10_000, 1000, 100, 10, 1].into_iter().enumerate() {
            let lit = SEGMENTS[(counter / unit % 10) as usize];
            let x = left + place as f32 * width * 1.5;
            draw_digit(frame, [x, top, width, height], lit);
        }
    }
}

/// Where the grey ramp begins, as a share of the height.
const RAMP_TOP: f32 = 0.86;

struct Dial {
    x: f32,
    y: f32,
    radius: f32,
}

impl Dial {
    fn of(frame: &VideoFrame) -> Self {
        let (width, height) = (frame.width() as f32, frame.height() as f32);
        Self { x: width / 2.0, y: height * 0.52, radius: width.min(height) * 0.3 }
    }
}

fn draw_bars(frame: &mut VideoFrame) {
    let (width, height) = (frame.width() as f32, frame.height() as f32);
    let bar = width / BARS.len() as f32;
    for (index, &colour) in BARS.iter().enumerate() {
        fill(frame, [bar * index as f32, 0.0, bar + 2.0, height], colour);
    }
}

fn draw_ramp(frame: &mut VideoFrame) {
    let (width, height) = (frame.width() as f32, frame.height() as f32);
    const STEPS: usize = 24;
    let step = width / STEPS as f32;
    for index in 0..STEPS {
        let luma = 16 + (index * 219 / (STEPS - 1)) as u8;
        let area = [step * index as f32, height * RAMP_TOP, step + 2.0, height * (1.0 - RAMP_TOP)];
        fill(frame, area, [luma, 128, 128]);
    }
}

fn draw_dial(frame: &mut VideoFrame) {
    let dial = Dial::of(frame);
    let width = frame.width() as usize;
    let ring = dial.radius * 0.05;
    let shade = |distance: f32, tick: bool| match dial.radius - distance {
        inside if inside < 0.0 => None,
        inside if inside < ring => Some(WHITE),
        inside if tick && inside < ring * 3.0 => Some(PAPER),
        _ => Some(INK),
    };
    let colour_at = |x: f32, y: f32| {
        let (right, down) = (x - dial.x, y - dial.y);
        let hour = (right.atan2(down) / TAU * 12.0).rem_euclid(1.0);
        shade(right.hypot(down), !(0.06..0.94).contains(&hour))
    };
    let (luma, u, v) = frame.planes_mut();
    for (index, sample) in luma.iter_mut().enumerate() {
        if let Some(colour) = colour_at((index % width) as f32 + 0.5, (index / width) as f32 + 0.5) {
            *sample = colour[0];
        }
    }
    for (plane, component) in [(u, 1), (v, 2)] {
        for (index, sample) in plane.iter_mut().enumerate() {
            let (x, y) = (index % (width / 2) * 2, index / (width / 2) * 2);
            if let Some(colour) = colour_at(x as f32 + 1.0, y as f32 + 1.0) {
                *sample = colour[component];
            }
        }
    }
}

fn draw_digit(frame: &mut VideoFrame, [x, y, width, height]: [f32; 4], lit: u8) {
    let stroke = (width / 4.0).max(2.0);
    let half = (height - stroke) / 2.0;
    let far = width - stroke;
    let segments = [
        [x, y, width, stroke],
        [x + far, y, stroke, half + stroke],
        [x + far, y + half, stroke, half + stroke],
        [x, y + 2.0 * half, width, stroke],
        [x, y + half, stroke, half + stroke],
        [x, y, stroke, half + stroke],
        [x, y + half, width, stroke],
    ];
    for (index, segment) in segments.into_iter().enumerate() {
        if lit >> index & 1 == 1 {
            fill(frame, segment, WHITE);
        }
    }
}

/// Fills a rectangle (left, top, width, height in pixels), cut to the picture and to even coordinates.
fn fill(frame: &mut VideoFrame, [x, y, width, height]: [f32; 4], colour: Colour) {
    let edge = |value: f32, limit: u32| (value.max(0.0) as usize & !1).min(limit as usize);
    let (left, right) = (edge(x, frame.width()), edge(x + width, frame.width()));
    let (top, bottom) = (edge(y, frame.height()), edge(y + height, frame.height()));
    let stride = frame.width() as usize;
    let (luma, u, v) = frame.planes_mut();
    for row in luma.chunks_exact_mut(stride).take(bottom).skip(top) {
        row[left..right].fill(colour[0]);
    }
    for (plane, value) in [(u, colour[1]), (v, colour[2])] {
        for row in plane.chunks_exact_mut(stride / 2).take(bottom / 2).skip(top / 2) {
            row[left / 2..right / 2].fill(value);
        }
    }
}

/// Puts the frame counter and the time of capture (microseconds of Unix time) on a picture that is about to be
/// delivered.
pub fn stamp(frame: &mut VideoFrame, counter: u32, unix_micros: u64) {
    barcode::write(frame, counter as u16);
    barcode::write_time(frame, unix_micros);
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn the_card_moves_and_carries_its_number_at_every_size() {
        for (width, height) in [(320, 180), (320, 240), (640, 480), (1280, 720), (1920, 1080)] {
            let card = TestCard::new(width, height, 30);
            let (mut one, mut two) = (VideoFrame::black(width, height), VideoFrame::black(width, height));
            card.draw(70_000, &mut one);
            card.draw(70_001, &mut two);
            let moved = one.planes().0.iter().zip(two.planes().0).filter(|(a, b)| a != b).count();
            assert!(moved > 20 && moved < (width * height / 20) as usize, "{moved} of {width}x{height}");
            stamp(&mut two, 70_001, 5_000_000);
            assert_eq!(barcode::read(&two), Some((70_001_u32 % 65536) as u16));
            assert_eq!(barcode::read_age(&two, 5_020_000).map(|age| age.as_millis()), Some(20));
        }
    }

    #[test]
    fn tiny_cards_and_frames_of_another_size_do_no_harm() {
        for (width, height) in [(2, 2), (2, 4096), (4096, 2), (10, 10)] {
            let card = TestCard::new(width, height, 1);
            let mut frame = VideoFrame::black(width, height);
            for counter in [0, 1, u32::MAX] {
                card.draw(counter, &mut frame);
                stamp(&mut frame, counter, u64::MAX);
            }
            card.draw(1, &mut VideoFrame::black(6, 6));
        }
    }

    /// `cargo test --lib capture::test_card -- --ignored --nocapture`; `TEST_CARD_PNG=PATH` also writes the picture.
    #[test]
    #[ignore = "a measurement, not a test"]
    fn drawing_time() {
        let card = TestCard::new(1280, 720, 30);
        let mut frame = VideoFrame::black(1280, 720);
        let best = (0..300)
            .map(|counter| {
                let start = Instant::now();
                card.draw(counter, &mut frame);
                stamp(&mut frame, counter, 0);
                start.elapsed()
            })
            .min();
        println!("test card 1280x720: {:.3} ms", best.unwrap_or_default().as_secs_f64() * 1000.0);
        if let Some(path) = std::env::var_os("TEST_CARD_PNG") {
            let (y, u, v) = frame.planes();
            let image = image::RgbImage::from_fn(1280, 720, |x, row| {
                let chroma = (row / 2 * 640 + x / 2) as usize;
                let luma = 1.164 * (f32::from(y[(row * 1280 + x) as usize]) - 16.0);
                let (blue, red) = (f32::from(u[chroma]) - 128.0, f32::from(v[chroma]) - 128.0);
                image::Rgb(
                    [luma + 1.596 * red, luma - 0.392 * blue - 0.813 * red, luma + 2.017 * blue].map(|c| c as u8),
                )
            });
            image.save(path).unwrap();
        }
    }
}
