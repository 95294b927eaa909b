//! The picture that the code finder works on: cheap to copy, and with a bound on the finder's work.
//!
//! The finder marks visited pixels in the picture, and tries each group of three finder patterns on a copy. In a
//! picture full of such patterns the groups are billions; a stranger may send one.

use std::cell::Cell;
use std::panic::resume_unwind;
use std::rc::Rc;

use image::{GenericImage, GenericImageView, GrayImage, Luma};

/// Finder patterns of one picture, at most; a photo of a crowded wall has some dozens.
const MAX_PATTERNS: u32 = 200;
/// Pixels that may be read or written in one look at a picture, for each of its pixels and besides. A screen takes
/// eight.
const LOOK_A_PIXEL: u64 = 16;
const LOOK_BESIDES: u64 = 20_000_000;
/// The same for all looks at one picture together.
const ALL_LOOKS: u64 = 3_000_000_000;
/// The value with which the finder marks a pattern first.
const FIRST_MARK: Luma<u8> = Luma([4]);

/// Rows of grey values, shared between copies until one of them is written to.
#[derive(Debug)]
pub(super) struct Raster {
    width: u32,
    rows: Vec<Rc<[Luma<u8>]>>,
    work: Rc<Work>,
}

/// The work that is left for all looks at one picture.
#[derive(Debug)]
pub(super) struct Budget(Rc<Cell<u64>>);

impl Default for Budget {
    fn default() -> Self {
        Self(Rc::new(Cell::new(ALL_LOOKS)))
    }
}

/// The work that is left for one look, shared by all copies.
#[derive(Debug)]
struct Work {
    left: Cell<u64>,
    left_in_all: Rc<Cell<u64>>,
    patterns: Cell<u32>,
    marking: Cell<bool>,
}

impl Work {
    /// Ends the look by unwinding, the only way out of the finder, when it takes too long.
    fn take(&self, amount: u64) {
        match self.left.get().checked_sub(amount) {
            Some(left) => self.left.set(left),
            None => resume_unwind(Box::new("too much work")),
        }
    }

    fn count_pattern(&self, written: Luma<u8>) {
        let marking = written == FIRST_MARK;
        if marking && !self.marking.replace(marking) {
            self.patterns.set(self.patterns.get() + 1);
            if self.patterns.get() > MAX_PATTERNS {
                resume_unwind(Box::new("too many finder patterns"));
            }
        }
        self.marking.set(marking);
    }
}

impl Drop for Work {
    /// Gives back unused work.
    fn drop(&mut self) {
        self.left_in_all.set(self.left_in_all.get() + self.left.get());
    }
}

impl Raster {
    /// A picture's values, for one look at it within `budget`.
    pub(super) fn new(picture: &GrayImage, budget: &Budget) -> Self {
        let row = |row: &[u8]| row.iter().map(|&value| Luma([value])).collect();
        let (width, height) = picture.dimensions();
        let wanted = u64::from(width) * u64::from(height) * LOOK_A_PIXEL + LOOK_BESIDES;
        let left = wanted.min(budget.0.get());
        budget.0.set(budget.0.get() - left);
        let left_in_all = Rc::clone(&budget.0);
        let (left, patterns, marking) = (Cell::new(left), Cell::default(), Cell::default());
        Self {
            width,
            rows: picture.chunks_exact(width.max(1) as usize).map(row).collect(),
            work: Rc::new(Work { left, left_in_all, patterns, marking }),
        }
    }
}

impl Clone for Raster {
    fn clone(&self) -> Self {
        self.work.take(self.rows.len() as u64);
        Self { width: self.width, rows: self.rows.clone(), work: Rc::clone(&self.work) }
    }
}

impl GenericImageView for Raster {
    type Pixel = Luma<u8>;

    fn dimensions(&self) -> (u32, u32) {
        (self.width, self.rows.len() as u32)
    }

    fn get_pixel(&self, x: u32, y: u32) -> Luma<u8> {
        self.work.take(1);
        self.rows[y as usize][x as usize]
    }
}

impl GenericImage for Raster {
    fn get_pixel_mut(&mut self, x: u32, y: u32) -> &mut Luma<u8> {
        let row = &mut self.rows[y as usize];
        // A shared row is copied.
        self.work.take(if Rc::strong_count(row) > 1 { u64::from(self.width) } else { 1 });
        &mut Rc::make_mut(row)[x as usize]
    }

    #[allow(deprecated, reason = "the trait demands it, and so it is there")]
    fn put_pixel(&mut self, x: u32, y: u32, pixel: Luma<u8>) {
        self.work.count_pattern(pixel);
        *self.get_pixel_mut(x, y) = pixel;
    }

    fn blend_pixel(&mut self, x: u32, y: u32, pixel: Luma<u8>) {
        self.put_pixel(x, y, pixel);
    }
}
