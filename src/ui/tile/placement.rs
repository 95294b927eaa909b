//! Placement of a picture in its tile: pure geometry, no egui context and no GL.

use eframe::egui::{Pos2, Rect, Vec2, pos2, vec2};

use super::options::{Fit, TileOptions};

/// Where to draw, and which part of the picture to draw there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Placement {
    /// The area to fill, in points.
    pub(super) rect: Rect,
    /// The corners of the picture that are seen at the left top and the right bottom of `rect`; (0, 0) is the left top
    /// of the picture and (1, 1) its right bottom. Mirrored, the left is the greater.
    pub(super) left_top: Pos2,
    pub(super) right_bottom: Pos2,
}

impl Placement {
    /// Places a picture of `width` x `height` pixels in `rect`, its proportions kept.
    pub(super) fn new(rect: Rect, width: u32, height: u32, options: &TileOptions) -> Self {
        let picture = vec2(width.max(1) as f32, height.max(1) as f32);
        // Points a pixel of the picture that just fill the rectangle across and down.
        let scale = rect.size() / picture;
        let (rect, seen) = match options.fit {
            Fit::Cover => (rect, rect.size() / (picture * scale.max_elem().max(f32::MIN_POSITIVE))),
            Fit::Contain => (Rect::from_center_size(rect.center(), picture * scale.min_elem()), Vec2::splat(1.0)),
        };
        let (low, high) = (Vec2::splat(0.5) - seen / 2.0, Vec2::splat(0.5) + seen / 2.0);
        let (left, right) = if options.mirror { (high.x, low.x) } else { (low.x, high.x) };
        Self { rect, left_top: pos2(left, low.y), right_bottom: pos2(right, high.y) }
    }
}

/// The physical pixels that egui gives to `rect`: left, top, width, height; partly outside the window where `rect` is.
pub(super) fn whole_pixels(rect: Rect, pixels_per_point: f32) -> [i32; 4] {
    let (min, max) = (rect.min * pixels_per_point, rect.max * pixels_per_point);
    let (left, top) = (min.x.round() as i32, min.y.round() as i32);
    let (right, bottom) = (max.x.round() as i32, max.y.round() as i32);
    [left, top, right.saturating_sub(left).max(0), bottom.saturating_sub(top).max(0)]
}

/// A part of a tile in whole physical pixels from the tile's left top: left, top, right, bottom.
pub(super) type Part = [f32; 4];

/// Cuts a tile of `width` x `height` pixels whose corners are rounded by `radius` pixels: three bands that are opaque
/// all over, and four corners that need blending. Parts may be empty.
pub(super) fn bands_and_corners(width: f32, height: f32, radius: f32) -> ([Part; 3], [Part; 4]) {
    let cut = radius.ceil().max(0.0);
    // Where the right and the bottom corners begin; in a tile smaller than its corners they meet in the middle.
    let (left, top) = (cut.min((width / 2.0).ceil()), cut.min((height / 2.0).ceil()));
    let (right, bottom) = ((width - cut).max(left), (height - cut).max(top));
    let bands = [[left, 0.0, right, top], [0.0, top, width, bottom], [left, bottom, right, height]];
    let corners =
        [[0.0, 0.0, left, top], [right, 0.0, width, top], [0.0, bottom, left, height], [right, bottom, width, height]];
    (bands, corners)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(size: Vec2, fit: Fit, mirror: bool) -> Placement {
        let rect = Rect::from_min_size(pos2(10.0, 20.0), size);
        Placement::new(rect, 1280, 720, &TileOptions { mirror, fit, rounding: 0.0 })
    }

    #[test]
    fn cover_fills_a_square_and_crops_the_sides() {
        let placement = placed(vec2(180.0, 180.0), Fit::Cover, false);
        assert_eq!(placement.rect, Rect::from_min_size(pos2(10.0, 20.0), vec2(180.0, 180.0)));
        assert!((placement.left_top - pos2(0.21875, 0.0)).length() < 1e-5, "{placement:?}");
        assert!((placement.right_bottom - pos2(0.78125, 1.0)).length() < 1e-5, "{placement:?}");
    }

    #[test]
    fn cover_fills_a_wide_strip_and_crops_top_and_bottom() {
        let placement = placed(vec2(640.0, 180.0), Fit::Cover, false);
        assert!((placement.left_top - pos2(0.0, 0.25)).length() < 1e-5, "{placement:?}");
        assert!((placement.right_bottom - pos2(1.0, 0.75)).length() < 1e-5, "{placement:?}");
    }

    #[test]
    fn contain_shows_the_whole_picture_in_the_middle() {
        let placement = placed(vec2(160.0, 160.0), Fit::Contain, false);
        assert!((placement.rect.center() - pos2(90.0, 100.0)).length() < 1e-4);
        assert!((placement.rect.size() - vec2(160.0, 90.0)).length() < 1e-4, "{placement:?}");
        assert_eq!((placement.left_top, placement.right_bottom), (Pos2::ZERO, pos2(1.0, 1.0)));
    }

    #[test]
    fn a_tile_of_the_same_proportions_shows_everything_either_way() {
        for fit in [Fit::Cover, Fit::Contain] {
            let placement = placed(vec2(320.0, 180.0), fit, false);
            assert!((placement.rect.size() - vec2(320.0, 180.0)).length() < 1e-4);
            assert!((placement.right_bottom - placement.left_top - vec2(1.0, 1.0)).length() < 1e-5);
        }
    }

    #[test]
    fn a_mirror_swaps_left_and_right_and_nothing_else() {
        for fit in [Fit::Cover, Fit::Contain] {
            let (plain, mirrored) = (placed(vec2(100.0, 180.0), fit, false), placed(vec2(100.0, 180.0), fit, true));
            assert_eq!(plain.rect, mirrored.rect);
            assert_eq!((plain.left_top.x, plain.right_bottom.x), (mirrored.right_bottom.x, mirrored.left_top.x));
            assert_eq!((plain.left_top.y, plain.right_bottom.y), (mirrored.left_top.y, mirrored.right_bottom.y));
        }
    }

    #[test]
    fn an_empty_tile_or_picture_gives_finite_numbers() {
        for fit in [Fit::Cover, Fit::Contain] {
            let options = TileOptions { mirror: true, fit, rounding: 4.0 };
            for (size, width, height) in [(Vec2::ZERO, 1280, 720), (vec2(10.0, 0.0), 2, 2), (vec2(9.0, 9.0), 0, 0)] {
                let placement = Placement::new(Rect::from_min_size(Pos2::ZERO, size), width, height, &options);
                assert!(placement.rect.is_finite() && placement.left_top.is_finite(), "{placement:?}");
                assert!(placement.right_bottom.is_finite(), "{placement:?}");
            }
        }
    }

    #[test]
    fn neighbours_share_a_pixel_edge_at_a_fractional_scale() {
        let (left, right) = Rect::from_min_size(pos2(3.0, 7.0), vec2(101.0, 50.0)).split_left_right_at_x(57.3);
        for scale in [1.0, 1.25, 1.5, 1.75] {
            let ([x, _, width, _], [next, ..]) = (whole_pixels(left, scale), whole_pixels(right, scale));
            assert_eq!(x + width, next);
        }
    }

    #[test]
    fn a_tile_that_sticks_out_of_the_window_keeps_its_size() {
        let rect = Rect::from_min_size(pos2(-30.0, -10.0), vec2(100.0, 50.0));
        assert_eq!(whole_pixels(rect, 1.5), [-45, -15, 150, 75]);
    }

    #[test]
    fn bands_and_corners_tile_the_area_without_overlap() {
        for (width, height, radius) in
            [(320.0, 180.0, 12.0), (320.0, 180.0, 11.3), (21.0, 33.0, 40.0), (8.0, 100.0, 5.0), (5.0, 5.0, 0.0)]
        {
            let (bands, corners) = bands_and_corners(width, height, radius);
            let mut hits = vec![0_u8; (width * height) as usize];
            for [left, top, right, bottom] in bands.into_iter().chain(corners) {
                assert!(left.fract() == 0.0 && top.fract() == 0.0 && right.fract() == 0.0 && bottom.fract() == 0.0);
                for y in top as usize..bottom as usize {
                    for x in left as usize..right as usize {
                        hits[y * width as usize + x] += 1;
                    }
                }
            }
            assert!(hits.iter().all(|&count| count == 1), "{width}x{height} rounded by {radius}");
        }
    }
}
