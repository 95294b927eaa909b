//! The list of keys at the end of the settings.

use eframe::egui::{self, CornerRadius, Sense, Ui, vec2};

use super::buttons::one_line;
use super::catalogue::{Text, Words};
use super::fields::label;
use super::theme::{Palette, Type, space};

/// Keys that work in a call alone.
const IN_CALL: [(&[&str], Text); 10] = [
    (&["M"], Text::KeyMute),
    (&["Space"], Text::KeyTalk),
    (&["V"], Text::KeyCamera),
    (&["F"], Text::KeyFullScreen),
    (&["P"], Text::SmallWindow),
    (&["Esc"], Text::KeyLeaveFullScreen),
    (&["Ctrl", "Enter"], Text::KeyHangUp),
    (&["Ctrl", "I"], Text::KeyStatistics),
    (&["Ctrl", "Shift", "A"], Text::KeyWaitingAnswer),
    (&["Ctrl", "Shift", "D"], Text::KeyWaitingDecline),
];

/// The other keys.
const ANYWHERE: [(&[&str], Text); 6] = [
    (&["Enter"], Text::KeyAnswer),
    (&["Esc"], Text::KeyDecline),
    (&["Ctrl", "K"], Text::KeySearch),
    (&["Ctrl", "+"], Text::KeyTextLarger),
    (&["Ctrl", "-"], Text::KeyTextSmaller),
    (&["Ctrl", "0"], Text::KeyTextUsual),
];

/// Draws the list.
pub fn show(ui: &mut Ui, words: Words) {
    ui.spacing_mut().interact_size.y = 26.0;
    for (heading, keys) in [(Text::KeysInCall, IN_CALL.as_slice()), (Text::KeysAnywhere, &ANYWHERE)] {
        label(ui, words.get(heading));
        for (caps, act) in keys {
            row(ui, caps, words.get(*act));
        }
    }
}

fn row(ui: &mut Ui, caps: &[&str], words: &str) {
    let palette = Palette::of(ui);
    ui.horizontal(|ui| {
        ui.label(Type::Body.text(words, palette.text));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = space::XS;
            for cap in caps.iter().rev() {
                key_cap(ui, cap);
            }
        });
    });
}

fn key_cap(ui: &mut Ui, name: &str) {
    let palette = Palette::of(ui);
    let text = one_line(ui, name, Type::Caption, palette.text, 80.0);
    let (rect, response) = ui.allocate_exact_size(vec2((text.size().x + 14.0).max(24.0), 24.0), Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, name));
    ui.painter().rect_filled(rect, CornerRadius::same(6), palette.raised);
    ui.painter().galley(rect.center() - text.size() / 2.0, text, palette.text);
}
