//! The small picture in a call's corner: a press swaps it with the large one, a drag moves it to another corner.

use eframe::egui::{Pos2, Rect, Vec2, vec2};

use crate::store::SelfViewSize;

/// Distance from the window's edges in points.
const MARGIN: f32 = 16.0;

/// A corner of the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Corner {
    /// Upper left.
    TopLeft,
    /// Upper right.
    TopRight,
    /// Lower left.
    BottomLeft,
    /// Lower right.
    #[default]
    BottomRight,
}

impl Corner {
    /// The corner of `area` that is nearest to `point`.
    pub fn nearest(area: Rect, point: Pos2) -> Self {
        match (point.x < area.center().x, point.y < area.center().y) {
            (true, true) => Self::TopLeft,
            (false, true) => Self::TopRight,
            (true, false) => Self::BottomLeft,
            (false, false) => Self::BottomRight,
        }
    }

    /// Place of a picture of `size` in this corner of `area`; `top` and `bottom` are kept free for the controls.
    pub fn place(self, area: Rect, size: Vec2, top: f32, bottom: f32) -> Rect {
        let area = Rect::from_min_max(area.min + vec2(MARGIN, MARGIN + top), area.max - vec2(MARGIN, MARGIN + bottom));
        let min = match self {
            Self::TopLeft => area.min,
            Self::TopRight => Pos2::new(area.right() - size.x, area.top()),
            Self::BottomLeft => Pos2::new(area.left(), area.bottom() - size.y),
            Self::BottomRight => area.max - size,
        };
        Rect::from_min_size(min, size)
    }
}

/// The size of the small picture in a call of `area`, for a picture of these proportions (width over height).
pub fn size(area: Rect, proportions: f32, chosen: SelfViewSize) -> Vec2 {
    let (share, least, most) = match chosen {
        SelfViewSize::Small => (0.14, 110.0, 180.0),
        SelfViewSize::Medium => (0.2, 140.0, 260.0),
        SelfViewSize::Large => (0.3, 200.0, 420.0),
    };
    let width = (area.width() * share).clamp(least, most);
    let height = width / proportions.clamp(0.6, 2.0);
    vec2(width, height)
}

/// State of the self view between frames.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SelfView {
    /// Where it rests.
    pub corner: Corner,
    /// How far it has been dragged from there.
    pub dragged: Vec2,
    /// True when one's own picture is the large one.
    pub swapped: bool,
}

impl SelfView {
    /// Moves it with the mouse.
    pub fn drag(&mut self, delta: Vec2) {
        self.dragged += delta;
    }

    /// Lets it go: it rests in the nearest corner.
    pub fn release(&mut self, area: Rect, resting: Rect) {
        self.corner = Corner::nearest(area, (resting.translate(self.dragged)).center());
        self.dragged = Vec2::ZERO;
    }
}

/// The tiles of `count` participants in `area`, near to square in number, `gap` points apart.
pub fn grid(area: Rect, count: usize, gap: f32) -> Vec<Rect> {
    if count == 0 {
        return Vec::new();
    }
    let columns = (1..=count).find(|columns| columns * columns >= count).unwrap_or(count);
    let rows = count.div_ceil(columns);
    let size = vec2(
        (area.width() - gap * (columns - 1) as f32) / columns as f32,
        (area.height() - gap * (rows - 1) as f32) / rows as f32,
    );
    (0..count)
        .map(|index| {
            let (row, column) = (index / columns, index % columns);
            let in_row = if row + 1 == rows { count - row * columns } else { columns };
            let indent = (columns - in_row) as f32 * (size.x + gap) / 2.0;
            let at = vec2(indent + column as f32 * (size.x + gap), row as f32 * (size.y + gap));
            Rect::from_min_size(area.min + at, size)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREA: Rect = Rect { min: Pos2::ZERO, max: Pos2::new(1000.0, 600.0) };

    #[test]
    fn it_rests_in_the_corner_where_it_was_let_go() {
        let mut view = SelfView::default();
        let resting = view.corner.place(AREA, vec2(200.0, 112.0), 0.0, 0.0);
        view.drag(vec2(-700.0, -10.0));
        view.release(AREA, resting);
        assert_eq!((view.corner, view.dragged), (Corner::BottomLeft, Vec2::ZERO));
        let resting = view.corner.place(AREA, vec2(200.0, 112.0), 0.0, 0.0);
        view.drag(vec2(0.0, -400.0));
        view.release(AREA, resting);
        assert_eq!(view.corner, Corner::TopLeft);
    }

    #[test]
    fn every_corner_lies_inside_the_window() {
        for corner in [Corner::TopLeft, Corner::TopRight, Corner::BottomLeft, Corner::BottomRight] {
            let place = corner.place(AREA, size(AREA, 16.0 / 9.0, SelfViewSize::Large), 48.0, 80.0);
            assert!(AREA.contains_rect(place), "{corner:?}: {place:?}");
            assert_eq!(Corner::nearest(AREA, place.center()), corner);
        }
    }

    #[test]
    fn tiles_of_a_grid_do_not_overlap() {
        for count in 1..=9 {
            let tiles = grid(AREA, count, 8.0);
            assert_eq!(tiles.len(), count);
            for (index, tile) in tiles.iter().enumerate() {
                assert!(AREA.expand(0.01).contains_rect(*tile), "{count}: {tile:?}");
                assert!(tiles[..index].iter().all(|other| !other.shrink(0.1).intersects(*tile)));
            }
        }
    }
}
