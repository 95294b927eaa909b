//! The connection-quality sign of a person: bars, whose number repeats their colour, and a label.

use eframe::egui::{Color32, CornerRadius, Painter, Pos2, Rect, Ui, pos2, vec2};

use crate::controller::Quality;

use super::buttons::{one_line, painted_words};
use super::catalogue::{Text, Words};
use super::theme::{self, Palette, Type, space};

/// The words for it.
pub const fn word(quality: Quality) -> Text {
    match quality {
        Quality::Measuring => Text::QualityMeasuring,
        Quality::Good => Text::QualityGood,
        Quality::Unstable => Text::QualityUnstable,
        Quality::Poor => Text::QualityPoor,
    }
}

/// Bars that are filled, of three.
const fn bars(quality: Quality) -> usize {
    match quality {
        Quality::Measuring => 0,
        Quality::Good => 3,
        Quality::Unstable => 2,
        Quality::Poor => 1,
    }
}

/// Draws the sign at the lower left of a tile; in a `small` one without its words. Good quality is shown with the
/// `opacity` of the controls; anything else stays.
pub fn show(ui: &Ui, tile: Rect, quality: Quality, words: Words, small: bool, opacity: f32) {
    let opacity = if quality > Quality::Good { 1.0 } else { opacity };
    if quality == Quality::Measuring || (small && opacity < 1.0) {
        return;
    }
    let inset = if small { space::S } else { space::L };
    let said = words.get(word(quality));
    let shown = if small { "" } else { said };
    let room = tile.width() - 2.0 * inset - 44.0;
    let ink = theme::ON_PICTURE.gamma_multiply(opacity);
    let text = one_line(ui, shown, Type::Caption, ink, room);
    let width = 30.0 + if small { 0.0 } else { text.size().x + space::M };
    let rect = Rect::from_min_size(pos2(tile.left() + inset, tile.bottom() - inset - 28.0), vec2(width, 28.0));
    painted_words(ui, rect, said);
    ui.painter().rect_filled(rect, CornerRadius::same(14), theme::SCRIM.gamma_multiply(opacity));
    paint(ui.painter(), rect.left_center() + vec2(16.0, 0.0), quality, Palette::of(ui), opacity);
    ui.painter().galley(rect.left_center() + vec2(30.0, -text.size().y / 2.0), text, ink);
}

/// Draws the bars around `center`, 14 points wide; `palette` is that of the dark theme.
pub fn paint(painter: &Painter, center: Pos2, quality: Quality, palette: &Palette, opacity: f32) {
    let filled = bars(quality);
    let ink = match quality {
        Quality::Measuring => palette.text_soft,
        Quality::Good => palette.accent,
        Quality::Unstable => palette.warning,
        Quality::Poor => Color32::from_rgb(0xFF, 0x7A, 0x72),
    };
    for (index, height) in [5.0_f32, 9.0, 13.0].into_iter().enumerate() {
        let left = center.x - 7.0 + index as f32 * 5.0;
        let bottom = center.y + 6.5;
        let bar = Rect::from_min_size(pos2(left, bottom - height), vec2(3.5, height));
        let ink = if index < filled { ink } else { Color32::from_white_alpha(56) };
        painter.rect_filled(bar, CornerRadius::same(1), ink.gamma_multiply(opacity));
    }
}
