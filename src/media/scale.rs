//! Fits the planes of any picture into a frame of the wanted size: the largest centred part that has the wanted shape,
//! scaled without distortion. Runs on the threads of capture and of the encoder; owns the rows that it works on, so it
//! allocates only when the geometry changes.

use super::{Plane, VideoFrame};

/// The three planes of a picture as a source gave it, with chroma of any subsampling.
#[derive(Clone, Copy, Debug)]
pub struct Planes<'a> {
    /// Y, U and V.
    pub planes: [&'a [u8]; 3],
    /// Bytes from one row to the next, of each plane; padding may follow the samples of a row, but for the last one's.
    pub strides: [usize; 3],
    /// Size of the Y plane in pixels.
    pub luma: (usize, usize),
    /// Size of the U plane, and of the V plane, in samples.
    pub chroma: (usize, usize),
}

impl<'a> Planes<'a> {
    /// Cuts `bytes` (Y, then U, then V, packed) into planes; `None` when it is too short.
    pub fn cut(bytes: &'a [u8], luma: (usize, usize), chroma: (usize, usize)) -> Option<Self> {
        let (y, rest) = bytes.split_at_checked(luma.0 * luma.1)?;
        let (u, rest) = rest.split_at_checked(chroma.0 * chroma.1)?;
        let v = rest.get(..chroma.0 * chroma.1)?;
        Some(Self::packed([y, u, v], luma, chroma))
    }

    /// Planes whose rows follow each other without padding.
    pub const fn packed(planes: [&'a [u8]; 3], luma: (usize, usize), chroma: (usize, usize)) -> Self {
        Self { planes, strides: [luma.0, chroma.0, chroma.0], luma, chroma }
    }

    /// The planes of `frame`.
    pub fn of(frame: &'a VideoFrame) -> Self {
        let luma = (frame.width() as usize, frame.height() as usize);
        let planes = [Plane::Y, Plane::U, Plane::V].map(|plane| frame.plane(plane));
        Self::packed(planes, luma, (luma.0 / 2, luma.1 / 2))
    }

    /// The planes of an I420 picture; odd sizes round the chroma up. `None` when `bytes` is too short.
    pub fn i420(bytes: &'a [u8], width: usize, height: usize) -> Option<Self> {
        Self::cut(bytes, (width, height), (width.div_ceil(2), height.div_ceil(2)))
    }
}

/// A rectangle in samples of one plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Area {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

/// The largest centred part of a `source` picture that has the shape of `wanted`, on even coordinates.
fn cover_crop(source: (usize, usize), wanted: (usize, usize)) -> Area {
    let even = |value: usize, limit: usize| (value & !1).clamp(2.min(limit), limit);
    let width_at_full_height = source.1 * wanted.0 / wanted.1;
    let (width, height) = if width_at_full_height <= source.0 {
        (even(width_at_full_height, source.0), even(source.1, source.1))
    } else {
        (even(source.0, source.0), even(source.0 * wanted.1 / wanted.0, source.1))
    };
    Area { x: ((source.0 - width) / 2) & !1, y: ((source.1 - height) / 2) & !1, width, height }
}

/// Scales planes to the size of a frame.
#[derive(Debug, Default)]
pub struct Scaler {
    luma: PlaneScaler,
    chroma: PlaneScaler,
}

impl Scaler {
    /// Fills `frame` with `source`, cropped and scaled to its size. An empty source leaves `frame` as it is.
    pub fn fit(&mut self, source: Planes<'_>, frame: &mut VideoFrame) {
        self.fit_shaped(source, (1, 1), frame);
    }

    /// As [`Scaler::fit`], of a picture whose pixels are `pixel_aspect` (width to height) and shall be square.
    pub fn fit_shaped(&mut self, source: Planes<'_>, pixel_aspect: (u32, u32), frame: &mut VideoFrame) {
        if source.luma.0 == 0 || source.luma.1 == 0 {
            return;
        }
        let wanted = (frame.width() as usize, frame.height() as usize);
        let (across, down) = (pixel_aspect.0 as usize, pixel_aspect.1 as usize);
        let area = cover_crop(source.luma, (wanted.0 * down, wanted.1 * across));
        let (y, _, _) = frame.planes_mut();
        self.luma.scale(source.planes[0], source.strides[0], area, y, wanted);
        self.fit_chroma(source, area, frame);
    }

    /// Fills only the chroma of `frame`, from a picture of the frame's own size (whose luma is in place already).
    pub fn fit_chroma_only(&mut self, source: Planes<'_>, frame: &mut VideoFrame) {
        let area = Area { x: 0, y: 0, width: source.luma.0, height: source.luma.1 };
        self.fit_chroma(source, area, frame);
    }

    fn fit_chroma(&mut self, source: Planes<'_>, luma: Area, frame: &mut VideoFrame) {
        let (_, u, v) = frame_planes(frame);
        if source.chroma.0 == 0 || source.chroma.1 == 0 {
            u.0.fill(128);
            v.0.fill(128);
            return;
        }
        let across = source.luma.0.div_ceil(source.chroma.0);
        let down = source.luma.1.div_ceil(source.chroma.1);
        let area = Area {
            x: luma.x / across,
            y: luma.y / down,
            width: (luma.width / across).max(1),
            height: (luma.height / down).max(1),
        };
        for (index, (target, size)) in [(1, u), (2, v)] {
            self.chroma.scale(source.planes[index], source.strides[index], area, target, size);
        }
    }
}

type SizedPlane<'a> = (&'a mut [u8], (usize, usize));

fn frame_planes(frame: &mut VideoFrame) -> (SizedPlane<'_>, SizedPlane<'_>, SizedPlane<'_>) {
    let luma = (frame.width() as usize, frame.height() as usize);
    let chroma = (frame.stride(Plane::U), luma.1 / 2);
    let (y, u, v) = frame.planes_mut();
    ((y, luma), (u, chroma), (v, chroma))
}

/// Scales one plane: rows first (whole rows at a time), then along each row.
#[derive(Debug, Default)]
struct PlaneScaler {
    vertical: Kernel,
    horizontal: Kernel,
    sums: Vec<u16>,
    row: Vec<u8>,
}

impl PlaneScaler {
    fn scale(&mut self, source: &[u8], stride: usize, area: Area, target: &mut [u8], size: (usize, usize)) {
        self.vertical.prepare(area.height, size.1);
        self.horizontal.prepare(area.width, size.0);
        self.row.resize(area.width, 0);
        self.sums.resize(area.width, 0);
        let source_row = |y: usize| &source[(area.y + y) * stride + area.x..][..area.width];
        for (y, target_row) in target.chunks_exact_mut(size.0).enumerate() {
            let (start, weights) = self.vertical.at(y);
            let row = match weights {
                [_] => source_row(start),
                [128, 128] => {
                    average(source_row(start), source_row(start + 1), &mut self.row);
                    &self.row
                }
                weights => {
                    let rows = weights.iter().enumerate().map(|(index, &weight)| (source_row(start + index), weight));
                    blend(rows, &mut self.sums, &mut self.row);
                    &self.row
                }
            };
            self.horizontal.along(row, target_row);
        }
    }
}

fn average(above: &[u8], below: &[u8], row: &mut [u8]) {
    for ((out, &a), &b) in row.iter_mut().zip(above).zip(below) {
        *out = ((u16::from(a) + u16::from(b) + 1) >> 1) as u8;
    }
}

fn blend<'a>(rows: impl Iterator<Item = (&'a [u8], u16)>, sums: &mut [u16], row: &mut [u8]) {
    sums.fill(ROUND);
    for (source, weight) in rows {
        if weight != 0 {
            for (sum, &sample) in sums.iter_mut().zip(source) {
                *sum += weight * u16::from(sample);
            }
        }
    }
    for (out, &sum) in row.iter_mut().zip(&*sums) {
        *out = (sum >> WEIGHT_BITS) as u8;
    }
}

/// Weights of an output sample sum up to 256, so that 16 bits hold any sum of weighted samples.
const WEIGHT_BITS: u32 = 8;
const ONE: u16 = 1 << WEIGHT_BITS;
const ROUND: u16 = ONE / 2;

/// Which source samples, with which weights, make each output sample in one direction: the area that an output sample
/// covers when the picture shrinks, the two nearest samples when it grows.
#[derive(Debug, Default)]
struct Kernel {
    source: usize,
    target: usize,
    taps: usize,
    starts: Vec<usize>,
    weights: Vec<u16>,
}

impl Kernel {
    fn prepare(&mut self, source: usize, target: usize) {
        if (self.source, self.target) == (source, target) {
            return;
        }
        let ratio = source as f64 / target as f64;
        self.taps = if source == target {
            1
        } else if ratio > 1.0 && source.is_multiple_of(target) {
            source / target
        } else if ratio > 1.0 {
            ratio.ceil() as usize + 1
        } else {
            2
        }
        .min(source);
        (self.source, self.target) = (source, target);
        self.starts.clear();
        self.weights.clear();
        let mut shares = vec![0.0; self.taps];
        for index in 0..target {
            // The stretch of the source that this sample stands for, in source samples.
            let centre = (index as f64 + 0.5) * ratio;
            let reach = ratio.max(1.0) / 2.0;
            let (from, to) = (centre - reach, centre + reach);
            let start = (from.floor().max(0.0) as usize).min(source - self.taps);
            for (tap, share) in shares.iter_mut().enumerate() {
                let sample = (start + tap) as f64;
                *share = (to.min(sample + 1.0) - from.max(sample)).max(0.0);
            }
            self.starts.push(start);
            self.push_weights(&shares);
        }
    }

    /// Rounds the shares to weights that sum up to exactly `ONE`.
    fn push_weights(&mut self, shares: &[f64]) {
        let total: f64 = shares.iter().sum();
        let first = self.weights.len();
        let (mut exact, mut given) = (0.0, 0);
        for share in shares {
            exact += share / total * f64::from(ONE);
            let weight = exact.round() as u16 - given;
            given += weight;
            self.weights.push(weight);
        }
        debug_assert_eq!(self.weights[first..].iter().sum::<u16>(), ONE);
    }

    fn at(&self, index: usize) -> (usize, &[u16]) {
        (self.starts[index], &self.weights[index * self.taps..][..self.taps])
    }

    fn along(&self, source: &[u8], target: &mut [u8]) {
        match self.taps {
            _ if self.source == self.target => target.copy_from_slice(&source[..target.len()]),
            // A number of taps that the compiler knows is unrolled: several times as fast.
            2 => self.along_taps::<2>(source, target),
            3 => self.along_taps::<3>(source, target),
            4 => self.along_taps::<4>(source, target),
            taps => {
                for ((out, &start), weights) in target.iter_mut().zip(&self.starts).zip(self.weights.chunks_exact(taps))
                {
                    *out = weighted(&source[start..start + taps], weights);
                }
            }
        }
    }

    fn along_taps<const TAPS: usize>(&self, source: &[u8], target: &mut [u8]) {
        let (weights, _) = self.weights.as_chunks::<TAPS>();
        for ((out, &start), weights) in target.iter_mut().zip(&self.starts).zip(weights) {
            if let Some(samples) = source[start..].first_chunk::<TAPS>() {
                *out = weighted(samples, weights);
            }
        }
    }
}

#[inline]
fn weighted(samples: &[u8], weights: &[u16]) -> u8 {
    let sum = samples.iter().zip(weights).fold(ROUND, |sum, (&sample, &weight)| sum + weight * u16::from(sample));
    (sum >> WEIGHT_BITS) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crop_is_the_largest_centred_part_of_the_wanted_shape() {
        for (source, wanted, expected) in [
            ((640, 480), (640, 480), (0, 0, 640, 480)),
            ((640, 480), (640, 360), (0, 60, 640, 360)),
            ((1280, 720), (640, 480), (160, 0, 960, 720)),
            ((1920, 1080), (1280, 720), (0, 0, 1920, 1080)),
            ((320, 240), (1280, 720), (0, 30, 320, 180)),
            ((641, 361), (640, 360), (0, 0, 640, 360)),
            ((4096, 2), (320, 240), (2046, 0, 2, 2)),
            ((1, 1), (320, 240), (0, 0, 1, 1)),
        ] {
            let area = cover_crop(source, wanted);
            assert_eq!((area.x, area.y, area.width, area.height), expected, "{source:?} for {wanted:?}");
        }
    }

    /// A picture whose brightness grows to the right, with a marked centre.
    fn ramp(width: usize, height: usize, chroma: (usize, usize)) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..height {
            bytes.extend((0..width).map(|x| (x * 255 / (width - 1).max(1)) as u8));
        }
        bytes.extend(std::iter::repeat_n(90, chroma.0 * chroma.1));
        bytes.extend(std::iter::repeat_n(200, chroma.0 * chroma.1));
        bytes
    }

    #[test]
    fn pictures_of_any_size_and_subsampling_keep_their_looks() {
        let mut scaler = Scaler::default();
        for (width, height) in [(640, 480), (1920, 1080), (320, 180), (641, 363), (123, 77), (2, 2), (1, 1), (4096, 3)]
        {
            for (across, down) in [(1, 1), (2, 1), (2, 2), (4, 1), (1, 2)] {
                let chroma = (usize::div_ceil(width, across), usize::div_ceil(height, down));
                let bytes = ramp(width, height, chroma);
                let planes = Planes::cut(&bytes, (width, height), chroma).unwrap();
                for wanted in [(640, 480), (1280, 720), (320, 240)] {
                    let mut frame = VideoFrame::black(wanted.0, wanted.1);
                    scaler.fit(planes, &mut frame);
                    let (y, u, v) = frame.planes();
                    let row = &y[..wanted.0 as usize];
                    assert!(row.is_sorted(), "{width}x{height} -> {wanted:?}");
                    assert!(u.iter().all(|&u| u == 90) && v.iter().all(|&v| v == 200));
                    if width > 100 && height > 50 {
                        let middle = row[row.len() / 2];
                        assert!(middle.abs_diff(128) <= 3, "centred: {middle}, {width}x{height} -> {wanted:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn pixels_that_are_not_square_become_so() {
        let bytes = ramp(720, 576, (360, 288));
        let planes = Planes::i420(&bytes, 720, 576).unwrap();
        let first = |pixel_aspect, wanted: (u32, u32)| {
            let mut frame = VideoFrame::black(wanted.0, wanted.1);
            Scaler::default().fit_shaped(planes, pixel_aspect, &mut frame);
            frame.planes().0[0]
        };
        // 64:45 makes 16:9 of it: whole in 16:9, without an eighth on either side in 4:3.
        assert!(first((64, 45), (1280, 720)) <= 2);
        assert!(first((64, 45), (640, 480)).abs_diff(255 / 8) <= 2);
        // Upright pixels make 9:16 of it, of which 4:3 takes a part of the height alone.
        assert!(first((9, 20), (640, 480)) <= 2);
    }

    #[test]
    fn halving_averages_and_the_same_size_is_a_copy() {
        let mut scaler = Scaler::default();
        let bytes: Vec<u8> = (0..8 * 4 * 3 / 2).map(|index| (index * 37 % 251) as u8).collect();
        let mut same = VideoFrame::black(8, 4);
        scaler.fit(Planes::i420(&bytes, 8, 4).unwrap(), &mut same);
        assert_eq!(same.as_bytes(), bytes);
        let mut half = VideoFrame::black(4, 2);
        scaler.fit(Planes::i420(&bytes, 8, 4).unwrap(), &mut half);
        for y in 0..2 {
            for x in 0..4 {
                let sum: u32 = [0, 1, 8, 9].iter().map(|step| u32::from(bytes[y * 16 + x * 2 + step])).sum();
                assert!(u32::from(half.planes().0[y * 4 + x]).abs_diff(sum / 4) <= 1);
            }
        }
    }

    #[test]
    fn a_picture_without_colour_gets_grey_chroma() {
        let mut frame = VideoFrame::black(64, 48);
        frame.planes_mut().1.fill(0);
        Scaler::default().fit(Planes::packed([&[77; 12], &[], &[]], (4, 3), (0, 0)), &mut frame);
        let (y, u, v) = frame.planes();
        assert!(y.iter().all(|&y| y == 77) && u.iter().chain(v).all(|&chroma| chroma == 128));
    }
}
