//! Hints of the first minutes, one at a time over the picture; each goes for good when it is pressed away.

use eframe::egui::{Align, CornerRadius, Layout, Rect, Stroke, StrokeKind, Ui, UiBuilder, pos2, vec2};

use crate::controller::{PersonKind, Snapshot};
use crate::store::Hint;

use super::buttons::{TextButton, Weight, painted_words, wrapped};
use super::catalogue::Text;
use super::icons::Icon;
use super::scene::Scene;
use super::theme::{CONTROL_HEIGHT, Palette, Type, radius, space};

/// The hint to show: the first that was not pressed away and is of use still.
pub fn due(snapshot: &Snapshot) -> Option<Hint> {
    let dismissed = &snapshot.settings.hints_dismissed;
    let has_contacts = snapshot.people.iter().any(|person| person.kind == PersonKind::Contact);
    let is_of_use = |hint: Hint| match hint {
        Hint::Name | Hint::Echo => snapshot.history.is_empty(),
        Hint::Adding => !has_contacts,
    };
    Hint::ALL.into_iter().find(|hint| !dismissed.contains(hint) && is_of_use(*hint))
}

fn words(hint: Hint, scene: &Scene<'_>) -> String {
    match hint {
        Hint::Name => scene.words.with_name(Text::HintName, &scene.snapshot.me.name),
        Hint::Adding => scene.text(Text::HintAdding).to_owned(),
        Hint::Echo => scene.text(Text::HintEcho).to_owned(),
    }
}

/// Height of a hint in a room `width` points wide.
pub fn height(ui: &Ui, hint: Hint, width: f32, scene: &Scene<'_>) -> f32 {
    let text = wrapped(ui, &words(hint, scene), Type::Body, Palette::of(ui).text, text_room(ui, width, scene));
    text.size().y.max(CONTROL_HEIGHT) + 2.0 * space::S
}

fn got_it(scene: &Scene<'_>) -> TextButton<'static> {
    TextButton::new(scene.text(Text::HintSeen)).weight(Weight::Quiet)
}

fn text_room(ui: &Ui, width: f32, scene: &Scene<'_>) -> f32 {
    width - got_it(scene).natural_width(ui) - 2.0 * space::M - 20.0 - 2.0 * space::S
}

/// Draws the hint into `rect`.
pub fn show(ui: &mut Ui, rect: Rect, hint: Hint, scene: &mut Scene<'_>) {
    let palette = Palette::of(ui);
    let corner = CornerRadius::same(radius::CONTROL);
    ui.painter().rect_filled(rect, corner, palette.accent_soft);
    ui.painter().rect_stroke(rect, corner, Stroke::new(1.0, palette.line), StrokeKind::Inside);
    Icon::Info.paint(ui.painter(), rect.left_center() + vec2(space::M + 10.0, 0.0), 20.0, palette.accent);
    let said = words(hint, scene);
    let text = wrapped(ui, &said, Type::Body, palette.text, text_room(ui, rect.width(), scene));
    let at = pos2(rect.left() + space::M + 20.0 + space::S, rect.center().y - text.size().y / 2.0);
    painted_words(ui, Rect::from_min_size(at, text.size()), &said);
    ui.painter().galley(at, text, palette.text);
    let place = rect.shrink2(vec2(space::S, 0.0));
    let builder = UiBuilder::new().id_salt("hint").max_rect(place).layout(Layout::right_to_left(Align::Center));
    if got_it(scene).show(&mut ui.new_child(builder)).clicked() {
        scene.change_settings(|settings| settings.hints_dismissed.push(hint));
    }
}
