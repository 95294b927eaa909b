//! Tiles of a call and their places. A participant has a tile for each camera's stream, or one with their face where
//! there is none, and one for each screen that they share now. A shared screen takes most of the room, and the cameras
//! stand in a strip beside it.

use eframe::egui::{Rect, Vec2, pos2, vec2};

use crate::controller::{ConversationView, ParticipantView, PictureView};
use crate::media::StreamKind;
use crate::store::PictureFit;
use crate::ui::self_view::grid;
use crate::ui::theme::{radius, space};

/// Below this width (points) the lower corners make room for the controls.
pub(super) const NARROW: f32 = 760.0;

/// Share of the area's longer side that the strip of cameras takes beside a shared screen, and its bounds in points.
const STRIP: f32 = 0.22;
const STRIP_POINTS: [f32; 2] = [140.0, 320.0];
/// Proportions of a tile in the strip.
const STRIP_TILE: f32 = 16.0 / 9.0;

/// One tile, and its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlacedTile<'a> {
    pub(super) who: &'a ParticipantView,
    /// The picture in it; `None`: their face, as they have no camera's stream.
    pub(super) picture: Option<&'a PictureView>,
    pub(super) place: Rect,
    /// Radius of the corners in points.
    pub(super) rounding: f32,
    /// How the picture of a camera is fitted in; a screen is always whole.
    pub(super) fit: PictureFit,
}

impl PlacedTile<'_> {
    /// True for the picture of a shared screen.
    pub(super) fn is_screen(&self) -> bool {
        is_screen(self.picture)
    }
}

fn is_screen(picture: Option<&PictureView>) -> bool {
    picture.is_some_and(|picture| picture.kind == StreamKind::Screen)
}

/// The tiles of a participant: their face or cameras, and the screens that they share now and that are not hidden here.
fn tiles_of(who: &ParticipantView) -> impl Iterator<Item = (&ParticipantView, Option<&PictureView>)> {
    let cameras = who.pictures.iter().filter(|picture| picture.kind == StreamKind::Camera);
    let face = cameras.clone().next().is_none().then_some(None);
    let screens = who.pictures.iter().filter(|picture| is_screen(Some(picture)) && picture.on && !who.hidden_here);
    face.into_iter().chain(cameras.chain(screens).map(Some)).map(move |picture| (who, picture))
}

/// The tiles of a call in `area`, in the order of the participants, those of each person together.
pub(super) fn placed(area: Rect, call: &ConversationView, fit: PictureFit) -> Vec<PlacedTile<'_>> {
    let tiles: Vec<_> = call.participants.iter().flat_map(tiles_of).collect();
    if let [(who, picture)] = tiles[..] {
        return vec![PlacedTile { who, picture, place: area, rounding: 0.0, fit }];
    }
    let screens = tiles.iter().filter(|(_, picture)| is_screen(*picture)).count();
    let (mut for_screens, mut for_cameras) = places(area, screens, tiles.len() - screens);
    let place = |(who, picture)| {
        let places = if is_screen(picture) { &mut for_screens } else { &mut for_cameras };
        let place = places.next()?;
        Some(PlacedTile { who, picture, place, rounding: radius::PICTURE, fit })
    };
    tiles.into_iter().filter_map(place).collect()
}

/// Places of so many shared screens, and of so many cameras.
fn places(area: Rect, screens: usize, cameras: usize) -> (std::vec::IntoIter<Rect>, std::vec::IntoIter<Rect>) {
    let (area, gap) = (area.shrink(space::S), space::S);
    if screens == 0 {
        return (Vec::new().into_iter(), grid(area, cameras, gap).into_iter());
    }
    let [least, most] = STRIP_POINTS;
    let thick = (area.size().max_elem() * STRIP).clamp(least, most).min(area.size().max_elem() / 2.0);
    let (large, strip) = if area.width() >= area.height() {
        area.split_left_right_at_x(area.right() - thick)
    } else {
        area.split_top_bottom_at_y(area.bottom() - thick)
    };
    let large = if area.width() >= area.height() {
        Rect::from_min_max(large.min, large.max - vec2(gap, 0.0))
    } else {
        Rect::from_min_max(large.min, large.max - vec2(0.0, gap))
    };
    (grid(large, screens, gap).into_iter(), in_strip(strip, cameras, gap).into_iter())
}

/// Places of `count` tiles along the strip, from its left top.
fn in_strip(strip: Rect, count: usize, gap: f32) -> Vec<Rect> {
    let upright = strip.height() >= strip.width();
    let (along, across) = if upright { (strip.height(), strip.width()) } else { (strip.width(), strip.height()) };
    let room = (along - gap * count.saturating_sub(1) as f32) / count.max(1) as f32;
    let length = room.min(if upright { across / STRIP_TILE } else { across * STRIP_TILE });
    (0..count)
        .map(|index| {
            let offset = index as f32 * (length + gap);
            let (at, size): (Vec2, Vec2) = if upright {
                (vec2(0.0, offset), vec2(across, length))
            } else {
                (vec2(offset, 0.0), vec2(length, across))
            };
            Rect::from_min_size(strip.min + at, size)
        })
        .collect()
}

/// The part of `area` at the left top of which a participant's own controls are drawn, in a call of several tiles.
pub(super) fn choices_at(place: Rect) -> eframe::egui::Pos2 {
    pos2(place.right() - 84.0, place.top() + space::S)
}

#[cfg(test)]
mod tests {
    use eframe::egui::Pos2;

    use super::*;

    const WIDE: Rect = Rect { min: Pos2::ZERO, max: Pos2::new(1100.0, 720.0) };
    const TALL: Rect = Rect { min: Pos2::ZERO, max: Pos2::new(480.0, 900.0) };

    #[test]
    fn a_shared_screen_takes_most_of_the_room_and_nothing_overlaps() {
        for area in [WIDE, TALL, Rect::from_min_size(Pos2::ZERO, vec2(300.0, 200.0))] {
            for (screens, cameras) in [(1, 1), (1, 4), (2, 3), (3, 8), (0, 5), (1, 0)] {
                let (for_screens, for_cameras) = places(area, screens, cameras);
                let all: Vec<Rect> = for_screens.clone().chain(for_cameras).collect();
                assert_eq!(all.len(), screens + cameras);
                for (index, tile) in all.iter().enumerate() {
                    assert!(area.expand(0.01).contains_rect(*tile), "{area}: {tile:?}");
                    assert!(tile.width() > 0.0 && tile.height() > 0.0);
                    assert!(all[..index].iter().all(|other| !other.shrink(0.1).intersects(*tile)));
                }
                if (screens, cameras) == (1, 1) && area != Rect::from_min_size(Pos2::ZERO, vec2(300.0, 200.0)) {
                    assert!(all[0].area() > 0.6 * area.area(), "{:?}", all[0]);
                }
            }
        }
    }

    #[test]
    fn the_strip_is_beside_a_screen_in_a_wide_window_and_below_it_in_a_tall_one() {
        let first = |area| {
            let (mut screens, mut cameras) = places(area, 1, 1);
            (screens.next().unwrap(), cameras.next().unwrap())
        };
        let (screen, camera) = first(WIDE);
        assert!(camera.left() > screen.right() && camera.top() == screen.top());
        let (screen, camera) = first(TALL);
        assert!(camera.top() > screen.bottom() && camera.left() == screen.left());
    }
}
