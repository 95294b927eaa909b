//! The frame of every dialog: a card in the middle, over a veil. It scrolls where it is higher than the window.

use eframe::egui::{self, CornerRadius, Frame, Id, LayerId, Margin, Order, Response, ScrollArea, Ui, Vec2, vec2};

use super::bidi::{self, Lines};
use super::buttons::{TextButton, Weight, focus_quietly};
use super::theme::{Palette, Type, radius, space};

/// A window smaller than this (points) has less space around dialogs and within them.
const SMALL: Vec2 = vec2(480.0, 400.0);

/// Shows a card `width` points wide; true when it should close (Esc, or a press beside it).
pub fn show<R>(ui: &Ui, name: &str, width: f32, content: impl FnOnce(&mut Ui) -> R) -> (R, bool) {
    let palette = Palette::of(ui);
    let id = Id::unique(("dialog", name));
    let opens = !ui.memory(|memory| memory.areas().visible_last_frame(&LayerId::new(Order::Foreground, id)));
    if opens {
        // What the pointer rests on learns only in the next frame that it is covered, and stops explaining itself.
        ui.request_repaint();
    }
    let window = ui.ctx().content_rect().size();
    let is_small = window.x < SMALL.x || window.y < SMALL.y;
    let (around, within) = if is_small { (space::S, space::L) } else { (space::XL, space::XL) };
    let room = window - Vec2::splat(2.0 * (around + within));
    let frame = Frame::new()
        .fill(palette.surface)
        .corner_radius(CornerRadius::same(radius::CARD))
        .inner_margin(Margin::same(within as i8))
        .shadow(ui.visuals().window_shadow);
    let response = egui::Modal::new(id).frame(frame).backdrop_color(palette.veil).show(ui.ctx(), |ui| {
        ui.set_width(width.min(room.x));
        // A card in the middle begins where its last height put it: it has more room than what is below its first row.
        let area = ScrollArea::vertical().max_height(room.y).min_scrolled_height(room.y).auto_shrink([false, true]);
        let content = |ui: &mut Ui| {
            ui.spacing_mut().item_spacing.y = space::S;
            content(ui)
        };
        area.show(ui, content).inner
    });
    let close = response.should_close();
    (response.inner, close)
}

/// A dialog's heading and the sentence under it.
pub fn heading(ui: &mut Ui, title: &str, detail: &str) {
    let palette = Palette::of(ui);
    bidi::label(ui, title, Type::Title, palette.text, Lines::Many);
    if !detail.is_empty() {
        bidi::label(ui, detail, Type::Body, palette.text_soft, Lines::Many);
    }
    ui.add_space(space::S);
}

/// Gives a button that does no harm the keyboard while nothing else in the dialog has it.
pub fn hold_focus(ui: &Ui, harmless: &Response) {
    if ui.memory(|memory| memory.focused().is_none()) {
        focus_quietly(harmless);
    }
}

/// Buttons in a row at the right, or under each other where the row has no room.
pub fn row<const N: usize>(ui: &mut Ui, buttons: [TextButton<'_>; N]) -> [Response; N] {
    let room = ui.available_width();
    let gaps = space::S * N.saturating_sub(1) as f32;
    let width = buttons.iter().map(|button| button.natural_width(ui)).sum::<f32>() + gaps;
    if width > room {
        return buttons.map(|button| button.width(room).show(ui));
    }
    let in_row = |ui: &mut Ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        ui.add_space(room - width);
        buttons.map(|button| button.show(ui))
    };
    ui.horizontal(in_row).inner
}

/// Buttons beside each other over the whole width, or under each other where one has no room.
pub fn side_by_side<const N: usize>(ui: &mut Ui, buttons: [TextButton<'_>; N]) -> [Response; N] {
    let room = ui.available_width();
    let part = (room - space::S * N.saturating_sub(1) as f32) / N.max(1) as f32;
    if buttons.iter().any(|button| button.natural_width(ui) > part) {
        return buttons.map(|button| button.width(room).show(ui));
    }
    let in_row = |ui: &mut Ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        buttons.map(|button| button.width(part).show(ui))
    };
    ui.horizontal(in_row).inner
}

/// Two buttons at the right; returns (no, yes).
pub fn choice(ui: &mut Ui, no: &str, yes: TextButton<'_>) -> (bool, bool) {
    ui.add_space(space::S);
    let [no, yes] = row(ui, [TextButton::new(no), yes]);
    hold_focus(ui, &no);
    (no.clicked(), yes.clicked())
}

/// Asks before something is destroyed. `None` while the person has not decided.
pub fn confirm(ui: &Ui, title: &str, detail: &str, no: &str, yes: &str) -> Option<bool> {
    let ((no, yes), close) = show(ui, title, 360.0, |ui| {
        heading(ui, title, detail);
        choice(ui, no, TextButton::new(yes).weight(Weight::Danger))
    });
    match (yes, no || close) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    }
}
