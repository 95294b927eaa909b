//! Buttons, round controls, switches and segments: every control that a finger or a key can press.
//!
//! Each is one allocation, one response with an accessible name, and one painting; focus is always visible.

use std::sync::Arc;

use eframe::egui::text::LayoutJob;
use eframe::egui::{
    self, Color32, CornerRadius, Galley, Pos2, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo,
    pos2, vec2,
};

pub use super::bidi::{one_line, wrapped};
use super::icons::Icon;
use super::theme::{self, CONTROL_HEIGHT, Palette, Type, radius, space};

/// How much a button calls for attention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weight {
    /// The one thing to do here.
    Primary,
    /// Something else to do.
    #[default]
    Quiet,
    /// Ends or destroys something.
    Danger,
    /// No ground until the mouse is over it.
    Plain,
    /// As plain, on a picture's scrim.
    OnPicture,
}

/// A button with a word, and perhaps an icon before it.
#[derive(Clone, Copy, Debug)]
pub struct TextButton<'a> {
    text: &'a str,
    icon: Option<Icon>,
    weight: Weight,
    enabled: bool,
    width: Option<f32>,
}

impl<'a> TextButton<'a> {
    /// A quiet button.
    pub const fn new(text: &'a str) -> Self {
        Self { text, icon: None, weight: Weight::Quiet, enabled: true, width: None }
    }

    /// Puts an icon before the word.
    pub const fn icon(mut self, icon: Icon) -> Self {
        self.icon = Some(icon);
        self
    }

    /// Sets the weight.
    pub const fn weight(mut self, weight: Weight) -> Self {
        self.weight = weight;
        self
    }

    /// Greys it out unless `enabled`.
    pub const fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Makes it `width` points wide.
    pub const fn width(mut self, width: f32) -> Self {
        self.width = Some(width);
        self
    }

    /// The width it takes by itself, in points.
    pub fn natural_width(&self, ui: &Ui) -> f32 {
        let text = ui.painter().layout_no_wrap(self.text.to_owned(), Type::Strong.font(), Color32::WHITE);
        text.size().x + self.icon.map_or(0.0, |_| 18.0 + space::S) + 2.0 * space::L
    }

    /// Draws it and tells whether it was pressed.
    pub fn show(self, ui: &mut Ui) -> Response {
        let palette = Palette::of(ui);
        let width = self.width.unwrap_or_else(|| self.natural_width(ui));
        // Two buttons of one beginning must not be cut to the same words.
        let icon = self.icon.filter(|_| width + 2.0 * (space::L - space::S) >= self.natural_width(ui));
        let sense = if self.enabled { Sense::click() } else { Sense::hover() };
        let (rect, response) = ui.allocate_exact_size(vec2(width, CONTROL_HEIGHT), sense);
        response.widget_info(|| WidgetInfo::labeled(Role::Button, self.enabled, self.text));
        let (ground, hover, ink) = colors(palette, self.weight);
        let over = self.enabled && (response.hovered() || response.is_pointer_button_down_on());
        let fade = if self.enabled { 1.0 } else { 0.45 };
        let ground = if over { hover } else { ground }.gamma_multiply(fade);
        let ink = ink.gamma_multiply(fade);
        let painter = ui.painter();
        let edge = match self.weight {
            Weight::Quiet => ui.visuals().widgets.inactive.bg_stroke,
            Weight::Primary | Weight::Danger | Weight::Plain | Weight::OnPicture => Stroke::NONE,
        };
        painter.rect(rect, CornerRadius::same(radius::CONTROL), ground, edge, StrokeKind::Inside);
        focus_ring(ui, &response, rect, radius::CONTROL);
        let icon_width = icon.map_or(0.0, |_| 18.0 + space::S);
        let room = (width - 2.0 * space::S - icon_width).max(0.0);
        let text = one_line(ui, self.text, Type::Strong, ink, room);
        let left = rect.center().x - (text.size().x + icon_width) / 2.0;
        if let Some(icon) = icon {
            icon.paint(painter, pos2(left + 9.0, rect.center().y), 18.0, ink);
        }
        painter.galley(pos2(left + icon_width, rect.center().y - text.size().y / 2.0), text, ink);
        response
    }
}

const fn colors(palette: &Palette, weight: Weight) -> (Color32, Color32, Color32) {
    match weight {
        Weight::Primary => (palette.accent, palette.accent_hover, palette.on_accent),
        Weight::Quiet => (palette.raised, palette.raised_hover, palette.text),
        Weight::Danger => (palette.danger, palette.danger_hover, palette.on_danger),
        Weight::Plain => (Color32::TRANSPARENT, palette.raised, palette.text),
        Weight::OnPicture => (Color32::TRANSPARENT, theme::ON_PICTURE_HOVER, theme::ON_PICTURE),
    }
}

/// A square button with an icon only; `name` is its tooltip and its accessible name.
pub fn icon_button(ui: &mut Ui, icon: Icon, name: &str) -> Response {
    icon_button_sized(ui, icon, name, CONTROL_HEIGHT, Weight::Plain)
}

/// A square button of `side` points.
pub fn icon_button_sized(ui: &mut Ui, icon: Icon, name: &str, side: f32, weight: Weight) -> Response {
    let palette = Palette::of(ui);
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    let (ground, hover, ink) = colors(palette, weight);
    let ink = if weight == Weight::Plain && !response.hovered() { palette.text_soft } else { ink };
    let ground = if response.hovered() || response.context_menu_opened() { hover } else { ground };
    ui.painter().rect_filled(rect, CornerRadius::same(radius::CONTROL), ground);
    focus_ring(ui, &response, rect, radius::CONTROL);
    icon.paint(ui.painter(), rect.center(), 18.0, ink);
    explain(response, name)
}

/// Face of a round control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Works as usual.
    Plain,
    /// Something is off that is usually on: light ground, red icon.
    Off,
    /// Answers a call.
    Answer,
    /// Answers as the caller calls: the first choice, with a ring around it.
    AnswerFirst,
    /// Ends a call.
    Danger,
}

impl Round {
    /// Ground and icon, under the mouse or not.
    fn colors(self, over: bool) -> (Color32, Color32) {
        match self {
            Self::Plain => (Color32::from_white_alpha(if over { 72 } else { 40 }), Color32::WHITE),
            Self::Off => (if over { Color32::WHITE } else { Color32::from_gray(236) }, theme::END),
            Self::Answer | Self::AnswerFirst => {
                (if over { theme::ANSWER_HOVER } else { theme::ANSWER }, Color32::WHITE)
            }
            Self::Danger => (if over { theme::END_HOVER } else { theme::END }, Color32::WHITE),
        }
    }
}

/// Paints a round control `side` points wide.
fn paint_round(ui: &Ui, response: &Response, center: Pos2, side: f32, icon: Icon, look: Round) {
    let (ground, ink) = look.colors(response.hovered());
    ui.painter().circle_filled(center, side / 2.0, ground);
    if look == Round::AnswerFirst {
        ui.painter().circle_stroke(center, side / 2.0 + 3.5, Stroke::new(2.0, Color32::from_white_alpha(150)));
    }
    if response.has_focus() {
        ui.painter().circle_stroke(center, side / 2.0 + 3.5, Stroke::new(2.5, Color32::WHITE));
    }
    icon.paint(ui.painter(), center, side * 0.44, ink);
}

/// A round control on a picture, 48 points wide.
pub fn round_control(ui: &mut Ui, icon: Icon, name: &str, tip: &str, look: Round) -> Response {
    round_control_sized(ui, icon, name, tip, look, 48.0)
}

/// A round control on a picture, `side` points wide.
pub fn round_control_sized(ui: &mut Ui, icon: Icon, name: &str, tip: &str, look: Round, side: f32) -> Response {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    paint_round(ui, &response, rect.center(), side, icon, look);
    explain(response, tip)
}

/// A slot of a [`labelled_round`] narrower than this (points) has two lines for the words.
const ONE_LINE: f32 = 140.0;

/// Height of a [`labelled_round`] in a slot of this width, in points.
pub fn labelled_round_height(slot: f32, disc: f32) -> f32 {
    disc + 2.0 * space::M + if slot < ONE_LINE { 30.0 } else { 18.0 }
}

/// A large round control on a picture with its words below, in a slot of a width for a disc of a diameter; `tip` is its
/// key, or its words again.
pub fn labelled_round(
    ui: &mut Ui,
    (width, disc): (f32, f32),
    icon: Icon,
    name: &str,
    tip: &str,
    look: Round,
) -> Response {
    let (slot, _) = ui.allocate_exact_size(vec2(width, labelled_round_height(width, disc)), Sense::hover());
    let text = under_disc(ui, name, width);
    let center = pos2(slot.center().x, slot.top() + disc / 2.0 + 4.0);
    let words = pos2(slot.center().x, center.y + disc / 2.0 + space::M);
    let place = Rect::from_center_size(center, Vec2::splat(disc)).union(text.rect.translate(words.to_vec2()));
    let response = ui.interact(place, ui.scope_id().with(name), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    paint_round(ui, &response, center, disc, icon, look);
    ui.painter().galley(words, text, theme::ON_PICTURE);
    if tip == name { response } else { explain(response, tip) }
}

/// The words under a disc in a slot of a width, around their middle: on one line, or on two where the slot is narrow.
fn under_disc(ui: &Ui, words: &str, slot: f32) -> Arc<Galley> {
    let (kind, rows) = if slot < ONE_LINE { (Type::Caption, 2) } else { (Type::Body, 1) };
    let mut job = LayoutJob::simple(words.to_owned(), kind.font(), theme::ON_PICTURE, slot - space::S);
    job.wrap.max_rows = rows;
    job.halign = egui::Align::Center;
    ui.painter().layout_job(job)
}

/// A switch with its words at the left; the whole row can be pressed. Returns true when it was changed.
pub fn switch_row(ui: &mut Ui, on: &mut bool, title: &str, detail: &str) -> bool {
    let response = switch(ui, *on, true, title, detail);
    if response.clicked() {
        *on = !*on;
    }
    response.clicked()
}

/// A switch that is off and cannot be turned on, with the reason `why`.
pub fn disabled_switch_row(ui: &mut Ui, title: &str, why: &str) {
    switch(ui, false, false, title, why);
}

fn switch(ui: &mut Ui, was_on: bool, enabled: bool, title: &str, detail: &str) -> Response {
    let palette = Palette::of(ui);
    let fade = if enabled { 1.0 } else { ui.visuals().disabled_alpha() };
    let width = ui.available_width();
    let room = width - 44.0 - space::L;
    let ink = palette.text.gamma_multiply(fade);
    let title_text = wrapped(ui, title, Type::Body, ink, room);
    let detail_text = wrapped(ui, detail, Type::Caption, palette.text_soft, room);
    let height = title_text.size().y + detail_text.size().y + 2.0 + space::S;
    let sense = if enabled { Sense::click() } else { Sense::hover() };
    let (rect, response) = ui.allocate_exact_size(vec2(width, height), sense);
    let on = was_on != response.clicked();
    response.widget_info(|| WidgetInfo::selected(Role::Switch, enabled, on, title));
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_description(detail));
    let top = rect.top() + space::XS;
    let title_height = title_text.size().y;
    ui.painter().galley(pos2(rect.left(), top), title_text, ink);
    ui.painter().galley(pos2(rect.left(), top + title_height + 2.0), detail_text, palette.text_soft);
    let track = Rect::from_center_size(pos2(rect.right() - 20.0, rect.center().y), vec2(40.0, 24.0));
    let how = ui.ctx().animate_bool_responsive(response.id, on);
    let ground = if on { palette.accent } else { palette.edge };
    ui.painter().rect_filled(track, CornerRadius::same(12), ground.gamma_multiply(fade));
    let knob = pos2(egui::lerp(track.left() + 12.0..=track.right() - 12.0, how), track.center().y);
    let knob_color = if on { palette.on_accent } else { palette.surface };
    ui.painter().circle_filled(knob, 9.0, knob_color);
    focus_ring(ui, &response, track, 12);
    response
}

/// A row of choices about `group` of which one holds. Returns the one that was pressed.
pub fn segments<T: Copy + PartialEq>(ui: &mut Ui, group: &str, current: T, choices: &[(T, &str)]) -> Option<T> {
    let palette = Palette::of(ui);
    let (rect, row) = ui.allocate_exact_size(vec2(ui.available_width(), CONTROL_HEIGHT), Sense::hover());
    ui.painter().rect_filled(rect, CornerRadius::same(radius::CONTROL), palette.raised);
    let width = rect.width() / choices.len().max(1) as f32;
    let mut pressed = None;
    for (index, (value, word)) in choices.iter().enumerate() {
        let cell = Rect::from_min_size(rect.min + vec2(width * index as f32, 0.0), vec2(width, CONTROL_HEIGHT));
        let response = ui.interact(cell, row.id.with(index), Sense::click());
        let holds = *value == current;
        response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, holds, word));
        // "System" alone may be a language, a theme or a contrast.
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_description(group));
        let inner = cell.shrink(3.0);
        let corner = CornerRadius::same(radius::CONTROL - 3);
        let kind = if holds {
            ui.painter().rect_filled(inner, corner, palette.chosen);
            let edge = ui.visuals().widgets.inactive.bg_stroke;
            ui.painter().rect_stroke(inner, corner, edge, StrokeKind::Inside);
            Type::Strong
        } else {
            Type::Body
        };
        let ink = if holds || response.hovered() { palette.text } else { palette.text_soft };
        let text = one_line(ui, word, kind, ink, inner.width() - 4.0);
        ui.painter().galley(cell.center() - text.size() / 2.0, text, ink);
        focus_ring(ui, &response, inner, radius::CONTROL - 3);
        if response.clicked() && !holds {
            pressed = Some(*value);
        }
    }
    pressed
}

/// Words that are painted into `rect`, as assistive technology finds them.
pub fn painted_words(ui: &Ui, rect: Rect, words: &str) -> Response {
    // The place is part of the ID: two people can have one name.
    let id = ui.scope_id().with(("painted", words, rect.left() as i32, rect.top() as i32));
    let response = ui.interact(rect, id, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, words));
    response
}

/// Tooltip of the widget under the pointer. Not under a dialog: egui keeps an open tooltip for as long as the pointer
/// rests.
pub fn explain(response: Response, words: impl Into<egui::WidgetText>) -> Response {
    let covered = !response.ctx.memory(|memory| memory.allows_interaction(response.layer_id));
    if covered { response } else { response.on_hover_text(words) }
}

/// Names the part of the window that `ui` is, so that assistive technology can go from part to part.
pub fn landmark(ui: &Ui, role: Role, name: &str) {
    ui.ctx().accesskit_node_builder(ui.unique_id(), |node| {
        node.set_role(role);
        node.set_label(name);
    });
}

/// Has assistive technology say what stands here when it appears or changes; `at_once`, whatever else is being said.
pub fn announce(response: &Response, at_once: bool) {
    let live = if at_once { egui::accesskit::Live::Assertive } else { egui::accesskit::Live::Polite };
    response.ctx.accesskit_node_builder(response.id, |node| node.set_live(live));
}

/// Gives a widget the keyboard, and leaves a list that it stands in where it is scrolled to: whoever opens a dialog
/// reads it from its top.
pub fn focus_quietly(response: &Response) {
    response.request_focus();
    response.ctx.data_mut(|data| data.insert_temp(quiet_key(), response.id));
}

fn quiet_key() -> egui::Id {
    egui::Id::unique("focused-quietly")
}

/// Brings a widget into sight that has just got the keyboard.
pub fn scroll_to_focus(ui: &Ui, response: &Response) {
    if !response.gained_focus() {
        return;
    }
    let quiet = ui.data_mut(|data| {
        let quiet = data.get_temp::<egui::Id>(quiet_key());
        data.remove::<egui::Id>(quiet_key());
        quiet
    });
    if quiet != Some(response.id) {
        ui.scroll_to_rect(response.rect.expand(space::S), None);
    }
}

/// A line around the widget that has the keyboard's focus, and a place in sight for it.
pub fn focus_ring(ui: &Ui, response: &Response, rect: Rect, corner: u8) {
    scroll_to_focus(ui, response);
    if response.has_focus() {
        let palette = Palette::of(ui);
        let corner = CornerRadius::same(corner.saturating_add(2));
        ui.painter().rect_stroke(rect.expand(2.0), corner, Stroke::new(2.0, palette.accent), StrokeKind::Middle);
    }
}

/// The same around a picture, apart from it and white on black, unlike the edge of a speaker.
pub fn focus_ring_on_picture(ui: &Ui, response: &Response, rect: Rect, corner: u8) {
    if response.has_focus() {
        let corner = CornerRadius::same(corner.saturating_add(4));
        for (width, ink) in [(5.0, Color32::from_black_alpha(200)), (2.5, Color32::WHITE)] {
            ui.painter().rect_stroke(rect.expand(4.0), corner, Stroke::new(width, ink), StrokeKind::Middle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Language;
    use crate::ui::catalogue::{Text, Words};

    #[test]
    fn the_words_of_four_round_buttons_are_whole_in_the_narrowest_window() {
        let ctx = egui::Context::default();
        theme::install(&ctx);
        for language in [Language::English, Language::SimplifiedChinese] {
            for key in [Text::Block, Text::Decline, Text::AnswerAudio, Text::AnswerVideo] {
                let words = Words::of(language, "").get(key);
                for slot in [80.0, ONE_LINE - 1.0, ONE_LINE] {
                    let draw = |ui: &mut Ui| assert!(!under_disc(ui, words, slot).elided, "{words} in {slot}");
                    ctx.run_ui(egui::RawInput::default(), draw).textures_delta.clear();
                }
            }
        }
    }
}
