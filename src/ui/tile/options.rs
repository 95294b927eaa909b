//! Options of a tile.

/// How a picture of other proportions than its tile is fitted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fit {
    /// Fills the tile; the picture is cropped at two sides.
    #[default]
    Cover,
    /// Shows the whole picture; two sides of the tile stay empty.
    Contain,
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
