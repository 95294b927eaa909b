//! Options of a tile.

use eframe::egui::Vec2;

use crate::store::PictureFit;

/// How a picture of other proportions than its tile is fitted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fit {
    /// Fills the tile; the picture is cropped at two sides.
    #[default]
    Cover,
    /// Shows the whole picture; two sides of the tile stay empty.
    Contain,
}

/// Largest share of a picture that is cropped so that it fills its tile; a picture that needs more is shown whole.
const CUT: f32 = 0.27;

impl Fit {
    /// How a picture of some proportions fits a tile of others, by the choice of the person.
    pub fn of(picture: Vec2, tile: Vec2, choice: PictureFit) -> Self {
        let (picture, tile) = (picture.x / picture.y.max(1.0), tile.x / tile.y.max(1.0));
        let kept = picture.min(tile) / picture.max(tile).max(f32::EPSILON);
        match choice {
            PictureFit::Fill => Self::Cover,
            PictureFit::Whole => Self::Contain,
            PictureFit::Automatic if 1.0 - kept <= CUT => Self::Cover,
            PictureFit::Automatic => Self::Contain,
        }
    }
}

/// How one tile is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TileOptions {
    /// Left and right swapped, as one sees oneself.
    pub mirror: bool,
    /// Fills the tile or shows the whole picture.
    pub fit: Fit,
    /// Radius of the picture's corners in points; 0 gives square ones.
    pub rounding: f32,
}

#[cfg(test)]
mod tests {
    use eframe::egui::vec2;

    use super::*;

    #[test]
    fn a_picture_fills_its_tile_unless_too_much_would_be_cut_or_the_person_chose() {
        let (narrow, wide) = (vec2(640.0, 480.0), vec2(1280.0, 720.0));
        for (picture, tile, automatic) in [
            (wide, vec2(1100.0, 720.0), Fit::Cover),
            (narrow, wide, Fit::Cover),
            (narrow, vec2(1600.0, 700.0), Fit::Contain),
            (vec2(480.0, 640.0), wide, Fit::Contain),
        ] {
            assert_eq!(Fit::of(picture, tile, PictureFit::Automatic), automatic);
            assert_eq!(Fit::of(picture, tile, PictureFit::Fill), Fit::Cover);
            assert_eq!(Fit::of(picture, tile, PictureFit::Whole), Fit::Contain);
        }
    }
}
