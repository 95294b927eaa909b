//! The badge that counts missed calls.

use eframe::egui::{CornerRadius, Pos2, Rect, Ui, pos2, vec2};

use super::buttons::one_line;
use super::theme::{Palette, Type};

/// Height of a badge in points, and its least width.
const SIDE: f32 = 20.0;

/// Draws `count` so that the badge ends at `right`, the middle of its right edge; returns its place.
pub fn paint(ui: &Ui, right: Pos2, count: u32) -> Rect {
    let palette = Palette::of(ui);
    let text = one_line(ui, &count.to_string(), Type::Caption, palette.on_danger, 40.0);
    let width = (text.size().x + 12.0).max(SIDE);
    let place = Rect::from_center_size(pos2(right.x - width / 2.0, right.y), vec2(width, SIDE));
    ui.painter().rect_filled(place, CornerRadius::same(10), palette.danger);
    ui.painter().galley(place.center() - text.size() / 2.0, text, palette.on_danger);
    place
}
