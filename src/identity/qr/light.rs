//! Brightness of the paper at each place of a picture, so that a code under a shadow can be told from the shadow.
//!
//! It is found by a morphological closing: the greatest value of a square around each pixel, and of these the least.
//! Dark areas smaller than the square go; the edge of a shadow, which is larger, stays as sharp as it is.

use image::{GrayImage, Luma};

/// The picture with 1 for pixels that are dark against the light of their place, 0 for the rest. Everything dark that
/// is less than `side` pixels wide is taken for ink.
pub(super) fn ink(picture: &GrayImage, side: u32) -> GrayImage {
    let paper = closing(picture, side.max(3) | 1);
    let (width, height) = picture.dimensions();
    GrayImage::from_fn(width, height, |x, y| {
        let (value, paper) = (picture.get_pixel(x, y).0[0], paper.get_pixel(x, y).0[0]);
        Luma([u8::from(u16::from(value) * 9 < u16::from(paper) * 5)])
    })
}

fn closing(picture: &GrayImage, side: u32) -> GrayImage {
    let greatest = over_squares(picture, side, u8::max);
    over_squares(&greatest, side, u8::min)
}

/// Value that `better` prefers in the square around each pixel; the square may reach out of the picture.
fn over_squares(picture: &GrayImage, side: u32, better: fn(u8, u8) -> u8) -> GrayImage {
    let (width, height) = picture.dimensions();
    let mut rows = picture.clone();
    for row in rows.chunks_exact_mut(width.max(1) as usize) {
        over_windows(row, side as usize, better);
    }
    let mut column = vec![0; height as usize];
    for x in 0..width {
        for (y, value) in (0..height).zip(&mut column) {
            *value = rows.get_pixel(x, y).0[0];
        }
        over_windows(&mut column, side as usize, better);
        for (y, value) in (0..height).zip(&column) {
            rows.put_pixel(x, y, Luma([*value]));
        }
    }
    rows
}

/// The same along a line, in a time that does not depend on `side`, which is odd (van Herk, 1992): each window is the
/// end of one block of `side` values and the beginning of the next.
fn over_windows(line: &mut [u8], side: usize, better: fn(u8, u8) -> u8) {
    let mut from_start = line.to_vec();
    let mut to_end = line.to_vec();
    for block in from_start.chunks_mut(side) {
        (1..block.len()).for_each(|at| block[at] = better(block[at], block[at - 1]));
    }
    for block in to_end.chunks_mut(side) {
        (1..block.len()).rev().for_each(|at| block[at - 1] = better(block[at - 1], block[at]));
    }
    let (reach, last) = (side / 2, line.len().saturating_sub(1));
    for (at, value) in line.iter_mut().enumerate() {
        let (first, end) = (at.saturating_sub(reach), (at + reach).min(last));
        // A window that is cut by the line's end lies in one block or two, too.
        *value = match (first == 0, end == last) {
            (true, _) if end < side => from_start[end],
            (_, true) if first / side == end / side => to_end[first],
            _ => better(to_end[first], from_start[end]),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_those_that_a_plain_search_finds() {
        let mut random = fastrand::Rng::with_seed(5);
        for length in [1, 2, 6, 7, 8, 20, 41] {
            for side in [3, 5, 7, 21, 99] {
                let line: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(length).collect();
                for better in [u8::max as fn(u8, u8) -> u8, u8::min] {
                    let mut found = line.clone();
                    over_windows(&mut found, side, better);
                    for (at, &value) in found.iter().enumerate() {
                        let window = &line[at.saturating_sub(side / 2)..(at + side / 2 + 1).min(length)];
                        let expected = window.iter().copied().reduce(better);
                        assert_eq!(Some(value), expected, "{length} {side} {at}");
                    }
                }
            }
        }
    }

    #[test]
    fn paper_keeps_the_edge_of_a_shadow_and_loses_the_ink() {
        let lit = |x: u32, y: u32| if x + y < 60 { 240 } else { 60 };
        let picture = GrayImage::from_fn(80, 80, |x, y| {
            let ink = (20..25).contains(&(x % 30)) && (10..15).contains(&(y % 20));
            Luma([if ink { lit(x, y) / 5 } else { lit(x, y) }])
        });
        let ink = ink(&picture, 11);
        for (x, y, dark) in ink.enumerate_pixels() {
            let expected = (20..25).contains(&(x % 30)) && (10..15).contains(&(y % 20));
            assert_eq!(dark.0[0] == 1, expected, "{x} {y}");
        }
    }
}
