//! Text fields and drop-down lists in the window's own shape.

use eframe::egui::{self, Color32, CornerRadius, Margin, Rect, Response, Stroke, StrokeKind, TextEdit, Ui, vec2};

use super::icons::Icon;
use super::theme::{CONTROL_HEIGHT, Palette, Type, radius, space};

/// A field of one line, `width` points wide; `name` is its accessible name, `hint` its text while empty.
pub fn text_field(ui: &mut Ui, text: &mut String, name: &str, hint: &str, icon: Option<Icon>, width: f32) -> Response {
    let palette = Palette::of(ui);
    let (_, rect) = ui.allocate_space(vec2(width, CONTROL_HEIGHT));
    let corner = CornerRadius::same(radius::CONTROL);
    ui.painter().rect(rect, corner, palette.raised, ui.visuals().widgets.inactive.bg_stroke, StrokeKind::Inside);
    let mut left = space::M;
    if let Some(icon) = icon {
        icon.paint(ui.painter(), rect.left_center() + vec2(space::M + 8.0, 0.0), 16.0, palette.text_soft);
        left += 16.0 + space::S;
    }
    let inner = Rect::from_min_max(rect.min + vec2(left, 0.0), rect.max - vec2(space::M, 0.0));
    let edit = TextEdit::singleline(text)
        .hint_text(Type::Body.text(hint, palette.text_soft))
        .font(Type::Body.font())
        .text_color(palette.text)
        .background_color(Color32::TRANSPARENT)
        .frame(egui::Frame::NONE)
        .margin(Margin::ZERO)
        .align(egui::Align2::LEFT_CENTER)
        .desired_width(inner.width())
        .min_size(inner.size());
    let response = ui.place(inner, edit).accessible_name(name);
    if response.has_focus() {
        ui.painter().rect_stroke(rect, corner, Stroke::new(2.0, palette.accent), StrokeKind::Inside);
    }
    response
}

/// The label above a field, with space before it.
pub fn label(ui: &mut Ui, text: &str) -> Response {
    ui.add_space(space::M - ui.spacing().item_spacing.y);
    ui.label(Type::Caption.text(text, Palette::of(ui).text_soft))
}

/// A drop-down list with its label above. Returns the index that was chosen.
pub fn drop_down(ui: &mut Ui, label: &str, shown: &str, choices: &[String], current: Option<usize>) -> Option<usize> {
    let palette = Palette::of(ui);
    let label_response = self::label(ui, label);
    let mut chosen = None;
    let width = ui.available_width();
    let response = egui::ComboBox::from_id_salt(label)
        .selected_text(Type::Body.text(shown, palette.text))
        .width(width)
        .truncate()
        .icon(|ui, rect, _, _| {
            let (c, ink) = (rect.center(), Palette::of(ui).text_soft);
            let points = vec![c + vec2(-4.0, -2.0), c + vec2(0.0, 2.0), c + vec2(4.0, -2.0)];
            ui.painter().add(egui::Shape::line(points, Stroke::new(1.5, ink)));
        })
        .show_ui(ui, |ui| {
            ui.set_min_width(width - 16.0);
            for (index, choice) in choices.iter().enumerate() {
                let holds = current == Some(index);
                let ink = if holds { palette.accent } else { palette.text };
                let text = Type::Body.text(choice, ink);
                if ui.selectable_label(holds, text).clicked() && !holds {
                    chosen = Some(index);
                }
            }
        });
    response.response.labelled_by(label_response.id).accessible_name(format!("{label}: {shown}"));
    chosen
}

/// A drop-down list of values with their names, of which one is `current`. Returns the one that was chosen.
pub fn choose<T: Clone + PartialEq>(ui: &mut Ui, label: &str, choices: &[(T, String)], current: &T) -> Option<T> {
    let at = choices.iter().position(|(choice, _)| choice == current);
    let names: Vec<String> = choices.iter().map(|(_, name)| name.clone()).collect();
    let shown = at.and_then(|at| names.get(at)).map_or("", String::as_str);
    let chosen = drop_down(ui, label, shown, &names, at)?;
    choices.get(chosen).map(|(choice, _)| choice.clone())
}
