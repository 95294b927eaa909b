//! Numbers that a program reads back from a picture: test card and films carry them through encoder, network and
//! decoder, so that a test can tell which picture it sees and how old it is.
//!
//! Each strip has 20 square cells of `floor(width / 40 / 2) * 2` pixels from the left edge: white, black, 16 bits (the
//! highest first, white is 1), their parity, white. The first strip, at the top, holds the frame counter; the second,
//! below it, the time of capture in tenths of a millisecond of Unix time, modulo 65536 (it comes around every 6.5 s).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::media::{Plane, VideoFrame};

const CELLS: usize = 20;
const BITS: usize = 16;
const WHITE: u8 = 235;
const BLACK: u8 = 16;
/// A cell whose centre is brighter than this is white.
const THRESHOLD: u8 = 126;
/// Microseconds in one unit of the time strip.
const TIME_UNIT: u64 = 100;

/// Which strip of a picture.
#[derive(Clone, Copy)]
enum Strip {
    Counter,
    Time,
}

/// Draws the frame counter. A picture less than 80 pixels wide has no room for it and stays as it is.
pub fn write(frame: &mut VideoFrame, counter: u16) {
    write_strip(frame, Strip::Counter, counter);
}

/// The frame counter, unless a cell that is known (first, second, last, parity) reads wrong.
pub fn read(frame: &VideoFrame) -> Option<u16> {
    read_strip(frame, Strip::Counter)
}

/// Draws when the picture was captured, in microseconds of Unix time.
pub fn write_time(frame: &mut VideoFrame, unix_micros: u64) {
    write_strip(frame, Strip::Time, (unix_micros / TIME_UNIT) as u16);
}

/// How long before `unix_micros` (the reader's clock, on the same computer) the picture was captured, to 0.1 ms; ages
/// from 6.5 s on come around to 0. `None` when the strip cannot be read.
pub fn read_age(frame: &VideoFrame, unix_micros: u64) -> Option<Duration> {
    let captured = read_strip(frame, Strip::Time)?;
    let age = ((unix_micros / TIME_UNIT) as u16).wrapping_sub(captured);
    Some(Duration::from_micros(u64::from(age) * TIME_UNIT))
}

/// Microseconds of Unix time: the clock that writer and reader of the time strip share.
pub fn unix_micros() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros() as u64)
}

/// Rows from the top of a picture of this width that may hold numbers.
pub fn rows(width: u32) -> usize {
    2 * cell_side(width)
}

/// Side of a cell in pixels, for a picture of this width.
fn cell_side(width: u32) -> usize {
    (width / 40 / 2 * 2) as usize
}

fn write_strip(frame: &mut VideoFrame, strip: Strip, value: u16) {
    let (cell, width, top) = geometry(frame, strip);
    if cell == 0 || (top + cell) * width > frame.plane(Plane::Y).len() {
        return;
    }
    let (luma, u, v) = frame.planes_mut();
    for row in luma.chunks_exact_mut(width).skip(top).take(cell) {
        for (index, pixels) in row.chunks_exact_mut(cell).take(CELLS).enumerate() {
            pixels.fill(if is_white(index, value) { WHITE } else { BLACK });
        }
    }
    for chroma in [u, v] {
        for row in chroma.chunks_exact_mut(width / 2).skip(top / 2).take(cell / 2) {
            row[..CELLS * cell / 2].fill(128);
        }
    }
}

fn read_strip(frame: &VideoFrame, strip: Strip) -> Option<u16> {
    let (cell, width, top) = geometry(frame, strip);
    if cell == 0 {
        return None;
    }
    let centre = (top + cell / 2) * width + cell / 2;
    let mut cells = [false; CELLS];
    for (index, white) in cells.iter_mut().enumerate() {
        *white = *frame.plane(Plane::Y).get(centre + index * cell)? > THRESHOLD;
    }
    let value = cells[2..2 + BITS].iter().fold(0, |value, &bit| value << 1 | u16::from(bit));
    cells.iter().enumerate().all(|(index, &white)| white == is_white(index, value)).then_some(value)
}

fn geometry(frame: &VideoFrame, strip: Strip) -> (usize, usize, usize) {
    let cell = cell_side(frame.width());
    let top = match strip {
        Strip::Counter => 0,
        Strip::Time => cell,
    };
    (cell, frame.width() as usize, top)
}

fn is_white(cell: usize, value: u16) -> bool {
    match cell {
        0 | 19 => true,
        1 => false,
        18 => value.count_ones() % 2 == 1,
        bit => value >> (BITS + 1 - bit) & 1 == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again_at_every_size() {
        for (width, height) in [(320, 180), (640, 360), (640, 480), (1280, 720), (1920, 1080), (90, 40)] {
            let mut frame = VideoFrame::black(width, height);
            assert_eq!(read(&frame), None, "a black picture holds no number");
            for counter in [0, 1, 0x8000, 0x5aa5, 65535] {
                write(&mut frame, counter);
                write_time(&mut frame, 1_700_000_000_123_456);
                assert_eq!(read(&frame), Some(counter), "{width}x{height}");
                assert_eq!(read_age(&frame, 1_700_000_000_173_456), Some(Duration::from_millis(50)));
            }
        }
    }

    #[test]
    fn a_cell_that_turned_over_is_noticed() {
        let mut frame = VideoFrame::black(640, 480);
        write(&mut frame, 1234);
        let cell = cell_side(640);
        for index in 0..CELLS {
            let mut damaged = VideoFrame::black(640, 480);
            write(&mut damaged, 1234);
            for row in damaged.planes_mut().0.chunks_exact_mut(640).take(cell) {
                row[index * cell..(index + 1) * cell].iter_mut().for_each(|luma| *luma = 251 - *luma);
            }
            assert_eq!(read(&damaged), None, "cell {index}");
        }
    }

    #[test]
    fn pictures_without_room_are_left_alone() {
        for (width, height) in [(2, 2), (78, 4), (4096, 2)] {
            let mut frame = VideoFrame::black(width, height);
            write(&mut frame, 77);
            write_time(&mut frame, 77);
            assert_eq!((read(&frame), read_age(&frame, 0)), (None, None));
        }
    }
}
