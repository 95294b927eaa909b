//! A film that stands for a camera: somebody who moves, blinks and talks before a textured wall, with a sensor's noise,
//! and with the frame counter as barcode. The same each time, and without a seam where it begins again.

use std::f32::consts::TAU;

use super::barcode;
use crate::media::VideoFrame;

/// Pictures in one round, at 30 a second.
pub const PICTURES: u16 = 150;

/// Parts of the pictures.
#[derive(Debug)]
pub struct Film {
    width: usize,
    height: usize,
    wall: Vec<f32>,
    skin: Vec<f32>,
    noise: Vec<f32>,
}

/// Pose of the head in one picture. Lengths are in heights of the picture.
struct Pose {
    x: f32,
    y: f32,
    eyelids: f32,
    mouth: f32,
}

impl Pose {
    fn of(number: u16, aspect: f32) -> Self {
        let phase = TAU * f32::from(number) / f32::from(PICTURES);
        let wave = |turns: f32| (turns * phase).sin();
        Self {
            x: aspect * (0.5 + 0.03 * wave(2.0) + 0.008 * wave(7.0)),
            y: 0.47 + 0.02 * wave(3.0),
            eyelids: if number % 75 < 4 { 0.15 } else { 1.0 },
            mouth: 0.03 + 0.09 * wave(13.0).abs() * (0.6 + 0.4 * (5.0 * phase).cos()),
        }
    }

    /// Luma and chroma at a point, which `skin` makes rougher; `None` where the wall is.
    fn colour(&self, x: f32, y: f32, skin: f32) -> Option<[f32; 3]> {
        let (dx, dy) = ((x - self.x) / 0.2, (y - self.y) / 0.29);
        let ellipse =
            |x: f32, y: f32, width: f32, height: f32| ((dx - x) / width).powi(2) + ((dy - y) / height).powi(2);
        let head = ellipse(0.0, 0.0, 1.0, 1.0);
        if head < 1.0 {
            if dy < -0.45 + 0.12 * (6.0 * dx).sin() {
                return Some([50.0 + 28.0 * skin, 128.0, 128.0]);
            }
            let eye =
                ellipse(-0.38, -0.08, 0.16, 0.07 * self.eyelids).min(ellipse(0.38, -0.08, 0.16, 0.07 * self.eyelids));
            let mouth = ellipse(0.0, 0.52, 0.34, self.mouth);
            let luma = match () {
                () if eye < 0.25 => 40.0,
                () if eye < 1.0 => 225.0,
                () if mouth < 1.0 => 70.0,
                () if mouth < 1.5 => 120.0,
                () => 150.0 + 45.0 * (1.0 - head).sqrt() * (0.75 - 0.5 * dx) + 14.0 * skin,
            };
            return Some([luma, 112.0, if mouth < 1.5 { 168.0 } else { 152.0 }]);
        }
        let shoulders = ((x - self.x) / 0.48).powi(2) + ((y - self.y - 0.62) / 0.34).powi(2);
        (shoulders < 1.0).then_some([62.0 + 22.0 * skin, 148.0, 118.0])
    }
}

impl Film {
    /// A film of that size in pixels.
    pub fn new(width: u32, height: u32) -> Self {
        let (width, height) = (width as usize, height as usize);
        let mut random = fastrand::Rng::with_seed(7);
        let mut wall: Vec<f32> =
            texture(&mut random, width, height, 4, 6).into_iter().map(|value| 110.0 + 22.0 * value).collect();
        for _ in 0..14 {
            hang_up_a_picture(&mut random, &mut wall, width, height);
        }
        let skin = texture(&mut random, width, height, 16, 7);
        // The sum of three even distributions, of which the deviation is one: close enough to a sensor's.
        let noise = (0..width * height).map(|_| 2.0 * (0..3).map(|_| random.f32() - 0.5).sum::<f32>()).collect();
        Self { width, height, wall, skin, noise }
    }

    /// Draws picture `number` (counted around) into a frame of the film's size.
    pub fn draw(&self, number: u16, frame: &mut VideoFrame) {
        let Self { width, height, .. } = *self;
        let pose = Pose::of(number, width as f32 / height as f32);
        // The texture goes with the head; the noise is another one in each picture.
        let offset = |by: f32, from: f32| ((by - from) * height as f32) as isize;
        let moved = offset(pose.y, 0.47) * width as isize + offset(pose.x, 0.5 * width as f32 / height as f32);
        let shift = usize::from(number) * 7919 * 13;
        let colour = |row: usize, column: usize| {
            let at = row * width + column;
            let skin = self.skin[(at as isize - moved).rem_euclid(self.skin.len() as isize) as usize];
            let (x, y) = (column as f32 / height as f32, row as f32 / height as f32);
            pose.colour(x, y, skin).unwrap_or([self.wall[at], 124.0, 131.0])
        };
        let noise = |at: usize| self.noise[(at + shift) % self.noise.len()];
        let (luma, u, v) = frame.planes_mut();
        for (at, pixel) in luma.iter_mut().enumerate() {
            *pixel = (colour(at / width, at % width)[0] + 1.5 * noise(at)).clamp(16.0, 235.0) as u8;
        }
        let half = width / 2;
        for (at, (u, v)) in u.iter_mut().zip(v).enumerate() {
            let [_, blue, red] = colour(at / half * 2, at % half * 2);
            *u = (blue + 0.7 * noise(at)).clamp(16.0, 240.0) as u8;
            *v = (red + 0.7 * noise(at + 1)).clamp(16.0, 240.0) as u8;
        }
        barcode::write(frame, number);
    }
}

/// Something with hard edges on the wall.
fn hang_up_a_picture(random: &mut fastrand::Rng, wall: &mut [f32], width: usize, height: usize) {
    let mut share = |least: f32, most: f32, of: usize| ((least + (most - least) * random.f32()) * of as f32) as usize;
    let (left, top) = (share(0.0, 0.95, width), share(0.08, 0.58, height));
    let (wide, high) = (share(0.01, 0.06, width), share(0.05, 0.3, height));
    let shade = share(0.0, 1.0, 160) as f32 + 40.0;
    for row in wall.chunks_exact_mut(width).skip(top).take(high) {
        row.iter_mut().skip(left).take(wide).for_each(|luma| *luma = shade);
    }
}

/// Fractal noise: octaves of random grids, the first of `cells` cells, each half as strong as the one before. About -1
/// to 1.
fn texture(random: &mut fastrand::Rng, width: usize, height: usize, cells: usize, octaves: u32) -> Vec<f32> {
    let mut sum = vec![0.0; width * height];
    for octave in 0..octaves {
        let (cells, strength) = (cells << octave, 0.55_f32.powi(octave as i32));
        let grid: Vec<f32> = (0..(cells + 2) * (cells + 2)).map(|_| random.f32() * 2.0 - 1.0).collect();
        for (at, value) in sum.iter_mut().enumerate() {
            let x = (at % width) as f32 / width as f32 * cells as f32;
            let y = (at / width) as f32 / height as f32 * cells as f32;
            let (right, down) = (x.fract(), y.fract());
            let corner = y as usize * (cells + 2) + x as usize;
            let mix = |row: usize| grid[corner + row] * (1.0 - right) + grid[corner + row + 1] * right;
            *value += strength * (mix(0) * (1.0 - down) + mix(cells + 2) * down);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pictures_move_carry_their_numbers_and_come_around() {
        let film = Film::new(320, 180);
        let mut frames = [0, 1, 40].map(|number| {
            let mut frame = VideoFrame::black(320, 180);
            film.draw(number, &mut frame);
            assert_eq!(barcode::read(&frame), Some(number));
            frame.as_bytes().to_vec()
        });
        let differ = |a: &[u8], b: &[u8]| a.iter().zip(b).filter(|(a, b)| a.abs_diff(**b) > 20).count();
        assert!(differ(&frames[0], &frames[2]) > 500, "{}", differ(&frames[0], &frames[2]));
        assert!(differ(&frames[0], &frames[1]) < differ(&frames[0], &frames[2]));
        let again = Film::new(320, 180);
        let mut frame = VideoFrame::black(320, 180);
        again.draw(0, &mut frame);
        assert_eq!(frame.as_bytes(), std::mem::take(&mut frames[0]), "the same film each time");
    }
}
