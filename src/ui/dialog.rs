//! The frame of every dialog: a card in the middle, over a veil.

use eframe::egui::{self, Align, CornerRadius, Frame, Id, LayerId, Layout, Margin, Order, Response, Ui};

use super::bidi::{self, Lines};
use super::buttons::{TextButton, Weight};
use super::theme::{Palette, Type, radius, space};

/// Shows a card `width` points wide; true when it should close (Esc, or a press beside it).
pub fn show<R>(ui: &Ui, name: &str, width: f32, content: impl FnOnce(&mut Ui) -> R) -> (R, bool) {
    let palette = Palette::of(ui);
    let id = Id::unique(("dialog", name));
    let opens = !ui.memory(|memory| memory.areas().visible_last_frame(&LayerId::new(Order::Foreground, id)));
    if opens {
        // What the pointer rests on learns only in the next frame that it is covered, and stops explaining itself.
        ui.request_repaint();
    }
    let room = ui.ctx().content_rect().width() - 2.0 * space::XL;
    let frame = Frame::new()
        .fill(palette.surface)
        .corner_radius(CornerRadius::same(radius::CARD))
        .inner_margin(Margin::same(space::XL as i8))
        .shadow(ui.visuals().window_shadow);
    let response = egui::Modal::new(id).frame(frame).backdrop_color(palette.veil).show(ui.ctx(), |ui| {
        ui.set_width(width.min(room - 2.0 * space::XL));
        ui.spacing_mut().item_spacing.y = space::S;
        content(ui)
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

/// A button that does no harm: it has the keyboard while nothing else in the dialog has.
pub fn safe(ui: &mut Ui, button: TextButton<'_>) -> Response {
    let response = button.show(ui);
    if ui.memory(|memory| memory.focused().is_none()) {
        response.request_focus();
    }
    response
}

/// Two buttons at the right; returns (no, yes).
pub fn choice(ui: &mut Ui, no: &str, yes: TextButton<'_>) -> (bool, bool) {
    ui.add_space(space::S);
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let yes = yes.show(ui).clicked();
        let no = safe(ui, TextButton::new(no)).clicked();
        (no, yes)
    })
    .inner
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
