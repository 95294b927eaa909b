//! Tiles of a call: a picture or a face, and the marks and words over it.

use std::sync::Arc;

use eframe::egui::{self, Color32, CornerRadius, Galley, Rect, Role, Sense, Ui, Vec2, WidgetInfo, pos2, vec2};

use super::layout::{NARROW, PlacedTile};
use crate::controller::ParticipantView;
use crate::device::DeviceKind;
use crate::media::FrameSlot;
use crate::store::PictureFit;
use crate::ui::buttons::{explain, one_line, painted_words};
use crate::ui::call_bar;
use crate::ui::catalogue::Text;
use crate::ui::controls;
use crate::ui::icons::Icon;
use crate::ui::picture_wish::drawn_lines;
use crate::ui::quality_sign;
use crate::ui::scene::Scene;
use crate::ui::stage;
use crate::ui::theme::{self, Palette, Type, space};
use crate::ui::tile::{Fit, TileOptions};

/// Laid over the last picture of somebody who is not heard.
const DIMMED: Color32 = Color32::from_black_alpha(140);
const TILE: Color32 = Color32::from_rgb(0x1A, 0x1F, 0x21);

/// A tile narrower than this (points) has room for marks alone.
const SMALL: f32 = 320.0;

/// Marks over the tiles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    /// Visibility of those that fade with the controls.
    pub(super) opacity: f32,
    /// The quality of the connection is told on the tiles.
    pub(super) quality: bool,
    /// The place of the small picture, which marks stay clear of.
    pub(super) taken: Rect,
}

impl Marks {
    /// The part of a `tile` whose lower left corner the small picture leaves free: above it.
    fn clear_of_small_picture(&self, tile: Rect) -> Rect {
        let corner = pos2(tile.left(), tile.bottom() - CHIP_ROOM.y);
        if !Rect::from_min_size(corner, vec2(CHIP_ROOM.x.min(tile.width()), CHIP_ROOM.y)).intersects(self.taken) {
            return tile;
        }
        Rect::from_min_max(tile.min, pos2(tile.right(), self.taken.top().max(tile.top() + CHIP_ROOM.y)))
    }
}

/// Room that the marks at the lower left of a tile take, in points.
const CHIP_ROOM: Vec2 = vec2(240.0, 56.0);

/// Width and height of a slot's picture, in pixels.
pub fn picture_size(slot: &FrameSlot) -> Option<Vec2> {
    slot.get().0.map(|frame| vec2(frame.width() as f32, frame.height() as f32))
}

/// A large disc with lines under it, in the middle of `area`.
pub fn face(ui: &Ui, area: Rect, scene: &Scene<'_>, who: &ParticipantView, name: &str, lines: &[(&str, Type)]) {
    let palette = Palette::of(ui);
    let diameter = (area.height() * 0.3).clamp(36.0, 144.0).min(area.width() * 0.4);
    let galleys: Vec<Arc<Galley>> = lines
        .iter()
        .map(|(text, kind)| {
            let ink = if *kind == Type::Body { palette.text_soft } else { palette.text };
            one_line(ui, text, *kind, ink, area.width() - 2.0 * space::L)
        })
        .collect();
    let text_height: f32 = galleys.iter().map(|galley| galley.size().y + space::XS).sum();
    let gap = if galleys.is_empty() { 0.0 } else { space::L };
    let top = area.center().y - (diameter + gap + text_height) / 2.0;
    let center = pos2(area.center().x, top + diameter / 2.0);
    scene.avatar(ui.painter(), center, diameter, who.id, name);
    let mut y = top + diameter + gap;
    for (galley, (words, _)) in galleys.into_iter().zip(lines) {
        let size = galley.size();
        let place = Rect::from_min_size(pos2(area.center().x - size.x / 2.0, y), size);
        if !words.is_empty() {
            painted_words(ui, place, words);
        }
        ui.painter().galley(place.min, galley, palette.text);
        y += size.y + space::XS;
    }
}

/// Draws the tile of somebody's camera, or of their face; returns how many lines high their picture is drawn, in
/// points.
pub(super) fn camera(ui: &mut Ui, scene: &mut Scene<'_>, tile: &PlacedTile<'_>, marks: &Marks) -> f32 {
    let PlacedTile { who, picture, place: rect, rounding, fit } = *tile;
    let name = scene.name(who.id, &who.name);
    let small = rect.width() < SMALL;
    let sent = picture.filter(|picture| picture.on);
    if rounding > 0.0 {
        ui.painter().rect_filled(rect, CornerRadius::same(rounding as u8), TILE);
    }
    let size = picture.and_then(|picture| picture_size(&picture.slot)).unwrap_or(vec2(16.0, 9.0));
    let fit = Fit::of(size, rect.size(), fit);
    let lines = if who.hidden_here { 0.0 } else { drawn_lines(size, rect.size(), fit) };
    let options = TileOptions { mirror: false, fit, rounding };
    let visible = sent.filter(|_| !who.hidden_here);
    let painted = visible.is_some_and(|picture| scene.tiles.paint(ui, rect, &picture.slot, options));
    if painted && who.reconnecting {
        ui.painter().rect_filled(rect, CornerRadius::same(rounding as u8), DIMMED);
    }
    if !painted {
        if rounding == 0.0 {
            stage::ground(ui, rect, who.id);
        }
        let why = match (who.hidden_here, sent.is_some()) {
            (true, _) => Some(Text::HiddenHere),
            (false, false) => Some(Text::TheyCameraOff),
            (false, true) => None,
        };
        let why = match (who.reconnecting, why) {
            (true, _) => scene.text(Text::Reconnecting).to_owned(),
            (false, Some(key)) => scene.words.with_name(key, &name),
            (false, None) => String::new(),
        };
        let lines = [(name.as_str(), Type::Title), (why.as_str(), Type::Body)];
        face(ui, rect, scene, who, &name, if small { &[] } else { &lines });
    }
    let mark = match (who.muted_here, who.audio) {
        (true, _) => Some((Icon::SpeakerOff, Text::MutedHere)),
        (false, false) => Some((Icon::MicrophoneOff, Text::TheyMuted)),
        (false, true) => None,
    };
    if who.reconnecting && (painted || small) {
        reconnecting(ui, rect, scene, small);
    }
    let mut rect = marks.clear_of_small_picture(rect);
    if rounding == 0.0 && tile.place.width() < NARROW {
        rect.max.y = rect.max.y.min(tile.place.bottom() - (call_bar::HEIGHT - space::L));
    }
    let mut taken = 0.0;
    if let Some((icon, key)) = mark {
        let words = scene.words.with_name(key, &name);
        taken = chip(ui, rect, Some(icon), if small { "" } else { &words }, &words).width() + space::S;
    } else if painted && rounding > 0.0 && !small {
        taken = chip(ui, rect, None, &name, &name).width() + space::S;
    }
    rect.min.x += taken;
    // Echo's pictures cross no network.
    if marks.quality && !scene.is_echo(who.id) {
        quality_sign::show(ui, rect, who.quality, scene.words, small, marks.opacity);
    }
    lines
}

/// Draws the tile of a screen that somebody shares, whole: a cropped part of a screen cannot be read. Returns how many
/// lines high it is drawn, in points.
pub(super) fn screen(ui: &mut Ui, scene: &mut Scene<'_>, tile: &PlacedTile<'_>, marks: &Marks) -> f32 {
    let PlacedTile { who, picture: Some(picture), place: rect, rounding, .. } = *tile else { return 0.0 };
    let words = scene.words.with_name(Text::TheirScreen, &scene.name(who.id, &who.name));
    ui.painter().rect_filled(rect, CornerRadius::same(rounding as u8), TILE);
    let options = TileOptions { mirror: false, fit: Fit::Contain, rounding };
    if !scene.tiles.paint(ui, rect, &picture.slot, options) {
        let palette = Palette::of(ui);
        let text = one_line(ui, &words, Type::Body, palette.text_soft, rect.width() - 2.0 * space::L);
        ui.painter().galley(rect.center() - text.size() / 2.0, text, palette.text_soft);
    } else if who.reconnecting {
        ui.painter().rect_filled(rect, CornerRadius::same(rounding as u8), DIMMED);
    }
    if who.reconnecting {
        reconnecting(ui, rect, scene, rect.width() < SMALL);
    }
    chip(ui, marks.clear_of_small_picture(rect), None, &words, &words);
    let size = picture_size(&picture.slot).unwrap_or(vec2(16.0, 9.0));
    drawn_lines(size, rect.size(), Fit::Contain)
}

/// Draws one's own tile: the large one, fitted as `large` has it, or the small one.
pub(super) fn own(ui: &mut Ui, rect: Rect, scene: &mut Scene<'_>, large: Option<PictureFit>) {
    let snapshot = scene.snapshot;
    let stream = &snapshot.local_stream;
    let small = large.is_none();
    let rounding = if small { 12.0 } else { 0.0 };
    ui.painter().rect_filled(rect, CornerRadius::same(rounding as u8), if small { TILE } else { stage::STAGE });
    let fit = match (picture_size(&stream.preview), large) {
        (Some(size), Some(fit)) => Fit::of(size, rect.size(), fit),
        _ => Fit::Cover,
    };
    let options = TileOptions { mirror: snapshot.settings.mirror, fit, rounding };
    if !(stream.video && scene.tiles.paint(ui, rect, &stream.preview, options)) {
        let palette = Palette::of(ui);
        let diameter = (rect.height() * 0.45).min(120.0);
        scene.avatar(ui.painter(), rect.center(), diameter, snapshot.me.id, &snapshot.me.name);
        let at = rect.right_top() + vec2(-18.0, 18.0);
        let trouble = controls::trouble(snapshot, DeviceKind::Camera, scene.words);
        let mark = match trouble {
            Some(why) => Some((Icon::Warning, palette.warning, why)),
            None if stream.sends_video => None,
            None => Some((Icon::CameraOff, palette.text_soft, scene.text(Text::YourCameraIsOff).to_owned())),
        };
        if let Some((icon, ink, why)) = mark {
            icon.paint(ui.painter(), at, 16.0, ink);
            painted_words(ui, Rect::from_center_size(at, Vec2::splat(24.0)), &why);
        }
    }
    if !stream.sends_audio {
        let words = scene.text(Text::YouAreMuted);
        chip(ui, rect, Some(Icon::MicrophoneOff), if small { "" } else { words }, words);
    }
}

/// Words in the middle of a tile whose picture stands still.
pub fn reconnecting(ui: &Ui, tile: Rect, scene: &Scene<'_>, small: bool) {
    let words = scene.text(Text::Reconnecting);
    let kind = if small { Type::Caption } else { Type::Strong };
    let text = one_line(ui, words, kind, theme::ON_PICTURE, tile.width() - 2.0 * space::S);
    let place = Rect::from_center_size(tile.center(), text.size() + vec2(2.0 * space::L, 2.0 * space::S));
    ui.painter().rect_filled(place, CornerRadius::same(18), theme::SCRIM);
    painted_words(ui, place, words);
    ui.painter().galley(place.center() - text.size() / 2.0, text, theme::ON_PICTURE);
}

/// A line around the tile of somebody who speaks; the level meters ask for a repaint when that changes.
pub(super) fn speech(ui: &Ui, scene: &Scene<'_>, tile: &PlacedTile<'_>) {
    let who = tile.who;
    if who.audio && who.level.is_speaking() {
        let name = scene.name(who.id, &who.name);
        speaking_edge(ui, tile.place, tile.rounding, &scene.words.with_name(Text::Speaking, &name));
    }
}

/// The same around one's own.
pub(super) fn own_speech(ui: &Ui, tile: Rect, scene: &Scene<'_>, rounding: f32) {
    let stream = &scene.snapshot.local_stream;
    if stream.sends_audio && stream.level.is_speaking() {
        speaking_edge(ui, tile, rounding, scene.text(Text::YouSpeak));
    }
}

fn speaking_edge(ui: &Ui, tile: Rect, rounding: f32, words: &str) {
    painted_words(ui, Rect::from_min_size(tile.left_bottom() - vec2(0.0, 3.0), vec2(tile.width(), 3.0)), words);
    let stroke = egui::Stroke::new(3.0, Palette::of(ui).accent);
    ui.painter().rect_stroke(tile, CornerRadius::same(rounding as u8), stroke, egui::StrokeKind::Inside);
}

/// Darkens the last picture of somebody who is not heard.
pub fn dimmed(ui: &Ui, tile: Rect) {
    ui.painter().rect_filled(tile, CornerRadius::ZERO, DIMMED);
}

/// A mark with a `name` for assistive technology at the lower left of a tile.
pub fn mark(ui: &Ui, tile: Rect, icon: Icon, name: &str) {
    chip(ui, tile, Some(icon), "", name);
}

/// A mark with words at the lower left of a tile; returns where it is.
fn chip(ui: &Ui, tile: Rect, icon: Option<Icon>, shown: &str, name: &str) -> Rect {
    let inset = if tile.width() < SMALL { space::S } else { space::L };
    let text = one_line(ui, shown, Type::Caption, theme::ON_PICTURE, tile.width() - 2.0 * inset - 44.0);
    let indent = if icon.is_some() { 26.0 } else { space::M };
    let width = indent + if shown.is_empty() { 2.0 } else { text.size().x + space::M };
    let rect = Rect::from_min_size(pos2(tile.left() + inset, tile.bottom() - inset - 28.0), vec2(width, 28.0));
    let response = ui.interact(rect, ui.scope_id().with(("mark", name)), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, name));
    ui.painter().rect_filled(rect, CornerRadius::same(14), theme::SCRIM);
    if let Some(icon) = icon {
        icon.paint(ui.painter(), rect.left_center() + vec2(14.0, 0.0), 15.0, theme::ON_PICTURE);
    }
    if text.elided {
        explain(response, name);
    }
    ui.painter().galley(rect.left_center() + vec2(indent, -text.size().y / 2.0), text, theme::ON_PICTURE);
    rect
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stay_clear_of_the_small_picture() {
        let tile = Rect::from_min_size(pos2(0.0, 0.0), vec2(1000.0, 600.0));
        let small = |left: f32, top: f32| Rect::from_min_size(pos2(left, top), vec2(200.0, 112.0));
        let clear = |tile, taken| Marks { opacity: 1.0, quality: true, taken }.clear_of_small_picture(tile);
        assert_eq!(clear(tile, small(784.0, 472.0)), tile, "at the right it is in nobody's way");
        assert_eq!(clear(tile, small(16.0, 16.0)), tile, "nor at the top");
        assert_eq!(clear(tile, small(16.0, 472.0)).bottom(), 472.0, "above it");
        let low = Rect::from_min_size(pos2(0.0, 0.0), vec2(1000.0, 120.0));
        assert_eq!(clear(low, small(16.0, 0.0)).bottom(), CHIP_ROOM.y, "still inside the tile");
    }
}
