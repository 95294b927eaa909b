//! One's own card at the top of home: the name that others see, the ID, and the link and the QR code to give away.

use eframe::egui::{
    self, Align, Frame, Layout, Margin, Rect, Role, Sense, TextEdit, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use crate::controller::Snapshot;
use crate::identity::MAX_NAME_CHARS;
use crate::store::TimeOfDay;

use super::buttons::{TextButton, Weight, explain, focus_ring, one_line, painted_words};
use super::catalogue::Text;
use super::dialog;
use super::icons::Icon;
use super::own_picture::{DIAMETER, OwnPicture};
use super::qr_code::QrCode;
use super::scene::Scene;
use super::theme::{CONTROL_HEIGHT, Palette, Type, space};

/// How long a button says that it has copied, in seconds.
const COPIED_FOR: f64 = 2.0;

/// Below this width (points) the button that copies has no word.
const NARROW: f32 = 420.0;

/// Why nothing rings here now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quiet {
    /// By the switch.
    Switch,
    /// In the daily quiet hours, until then.
    Hours(TimeOfDay),
}

impl Quiet {
    fn of(snapshot: &Snapshot) -> Option<Self> {
        let settings = &snapshot.settings;
        match (settings.do_not_disturb, snapshot.do_not_disturb) {
            (true, _) => Some(Self::Switch),
            (false, true) => Some(Self::Hours(settings.quiet_until)),
            (false, false) => None,
        }
    }
}

/// State of the card between frames.
#[derive(Debug, Default)]
pub struct OwnCard {
    name: Option<String>,
    copied_at: Option<f64>,
    picture: OwnPicture,
    qr_open: bool,
    qr: QrCode,
}

impl OwnCard {
    /// Draws the card into the whole of `ui`; true when the quiet hours in the settings are asked for.
    pub fn show(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) -> bool {
        let rect = ui.max_rect();
        self.picture.show(ui, pos2(rect.left() + DIAMETER / 2.0, rect.center().y), scene);
        let buttons = self.buttons_left(ui, rect, scene);
        let words = Rect::from_min_max(
            pos2(rect.left() + DIAMETER + space::M, rect.top()),
            pos2(buttons - space::M, rect.bottom()),
        );
        self.name_field(ui, words, scene);
        self.buttons(ui, Rect::from_min_max(pos2(buttons, rect.top()), rect.max), scene);
        let second = Rect::from_min_max(pos2(words.left(), words.center().y + 2.0), words.max);
        if let Some(quiet) = Quiet::of(scene.snapshot) {
            return quiet_line(ui, second, quiet, scene);
        }
        let palette = Palette::of(ui);
        let id = scene.words.fill(Text::YourId, &[("id", &scene.snapshot.me.id.short())]);
        let id = one_line(ui, &id, Type::Caption, palette.text_soft, second.width());
        painted_words(ui, Rect::from_min_size(second.min, id.size()), id.text());
        ui.painter().galley(second.min, id, palette.text_soft);
        false
    }

    /// Where the buttons at the right of `rect` begin.
    fn buttons_left(&self, ui: &Ui, rect: Rect, scene: &Scene<'_>) -> f32 {
        let copy = if rect.width() < NARROW { CONTROL_HEIGHT } else { self.copy_words(ui, scene).natural_width(ui) };
        rect.right() - copy - space::S - CONTROL_HEIGHT
    }

    /// Draws the buttons into `rect`, from the left, so that Tab goes as they are seen.
    fn buttons(&mut self, ui: &mut Ui, rect: Rect, scene: &mut Scene<'_>) {
        let builder = UiBuilder::new().id_salt("buttons").max_rect(rect).layout(Layout::left_to_right(Align::Center));
        let mut corner = ui.new_child(builder);
        self.copy_button(&mut corner, scene, rect.width() < 3.0 * CONTROL_HEIGHT);
        let qr = scene.text(Text::ShowQr);
        if super::buttons::icon_button_sized(&mut corner, Icon::Qr, qr, CONTROL_HEIGHT, Weight::Quiet).clicked() {
            self.qr_open = true;
        }
    }

    fn has_copied(&self, ui: &Ui) -> bool {
        let now = ui.input(|input| input.time);
        self.copied_at.is_some_and(|at| now - at < COPIED_FOR)
    }

    fn copy_words(&self, ui: &Ui, scene: &Scene<'_>) -> TextButton<'static> {
        let (word, icon) = if self.has_copied(ui) { (Text::Copied, Icon::Check) } else { (Text::CopyLink, Icon::Copy) };
        TextButton::new(scene.text(word)).icon(icon)
    }

    /// Draws the button that copies the link; a `small` one has no word.
    fn copy_button(&mut self, ui: &mut Ui, scene: &Scene<'_>, small: bool) {
        let button = if small {
            let (word, icon) =
                if self.has_copied(ui) { (Text::Copied, Icon::Check) } else { (Text::CopyLink, Icon::Copy) };
            super::buttons::icon_button_sized(ui, icon, scene.text(word), CONTROL_HEIGHT, Weight::Quiet)
        } else {
            self.copy_words(ui, scene).show(ui)
        };
        if button.clicked() {
            self.copy(ui, scene);
        }
    }

    /// Copies the link, and says so for a while.
    fn copy(&mut self, ui: &Ui, scene: &Scene<'_>) {
        ui.ctx().copy_text(scene.snapshot.me.link.clone());
        self.copied_at = Some(ui.input(|input| input.time));
        ui.ctx().request_repaint_after_secs(COPIED_FOR as f32 + 0.05);
    }

    fn name_field(&mut self, ui: &mut Ui, words: Rect, scene: &mut Scene<'_>) {
        let palette = Palette::of(ui);
        let me = &scene.snapshot.me;
        let mut text = self.name.clone().unwrap_or_else(|| me.name.clone());
        let place = Rect::from_min_max(words.min - vec2(0.0, 2.0), pos2(words.right(), words.center().y + 1.0));
        let hint = scene.text(Text::NoName);
        // A field is as high as a button otherwise, and lies over the line below.
        ui.spacing_mut().interact_size.y = place.height();
        let edit = TextEdit::singleline(&mut text)
            .id_salt("own name")
            .hint_text(Type::Title.text(hint, palette.text_soft))
            .font(Type::Title.font())
            .text_color(palette.text)
            .frame(Frame::NONE)
            .margin(Margin::ZERO)
            .char_limit(MAX_NAME_CHARS)
            .desired_width(place.width())
            .min_size(place.size());
        let response = ui.place(place, edit).accessible_name(scene.text(Text::YourName));
        let line = |color, width| {
            let stroke = egui::Stroke::new(width, color);
            ui.painter().hline(place.x_range(), place.bottom(), stroke);
        };
        if response.has_focus() {
            line(palette.accent, 1.5);
        } else {
            if response.hovered() {
                line(palette.line, 1.0);
            }
            // A name that looks like a heading would not be taken for something that can be changed.
            let shown = if text.is_empty() { hint } else { &text };
            let width = one_line(ui, shown, Type::Title, palette.text, place.width()).size().x;
            if width + 24.0 <= place.width() {
                let pencil = pos2(place.left() + width + 16.0, place.center().y);
                Icon::Pencil.paint(ui.painter(), pencil, 15.0, palette.text_soft);
            }
        }
        if response.changed() {
            self.name = Some(text.clone());
        }
        if response.lost_focus() {
            self.name = None;
            let name = text.trim();
            let escaped = ui.input(|input| input.key_pressed(egui::Key::Escape));
            if name != me.name && !name.is_empty() && !escaped {
                scene.change_settings(|settings| settings.display_name = name.to_owned());
            }
        }
        explain(response, scene.text(Text::YourNameDetail));
    }

    /// Whether the QR code is shown large, or a picture is being chosen.
    pub const fn has_dialog(&self) -> bool {
        self.qr_open || self.picture.is_choosing()
    }

    /// Shows the QR code large, or the choice of a picture, while it is asked for.
    pub fn show_dialog(&mut self, ui: &Ui, scene: &mut Scene<'_>) {
        self.picture.show_choice(ui, scene);
        if !self.qr_open {
            return;
        }
        let link = scene.snapshot.me.link.clone();
        let height = ui.ctx().content_rect().height();
        let ((), close) = dialog::show(ui, scene.text(Text::QrTitle), 360.0, |ui| {
            dialog::heading(ui, scene.text(Text::QrTitle), scene.text(Text::QrDetail));
            let side = (height - 280.0).max(160.0).min(ui.available_width());
            ui.vertical_centered(|ui| {
                self.qr.show(ui, &link, side, scene.text(Text::QrTitle), scene.text(Text::QrFailed));
            });
            ui.add_space(space::S);
            let palette = Palette::of(ui);
            let shown = egui::RichText::new(&link).monospace().color(palette.text_soft);
            ui.add(egui::Label::new(shown).wrap().selectable(true));
            ui.add_space(space::S);
            let buttons = [self.copy_words(ui, scene), TextButton::new(scene.text(Text::Close))];
            let [copy, close] = dialog::row(ui, buttons);
            dialog::hold_focus(ui, &close);
            if copy.clicked() {
                self.copy(ui, scene);
            }
            self.qr_open &= !close.clicked();
        });
        if close {
            self.qr_open = false;
        }
    }
}

/// Says in the place of the ID that nothing rings here; a press turns that off, or in quiet hours asks for these
/// in the settings (true).
fn quiet_line(ui: &mut Ui, rect: Rect, quiet: Quiet, scene: &mut Scene<'_>) -> bool {
    let (said, action) = match quiet {
        Quiet::Switch => (scene.text(Text::QuietNow).to_owned(), Text::QuietTurnOff),
        Quiet::Hours(until) => {
            (scene.words.fill(Text::QuietNowUntil, &[("time", &until.to_string())]), Text::OpenSettings)
        }
    };
    let action = scene.text(action);
    let palette = Palette::of(ui);
    let indent = 14.0 + space::XS;
    let said_galley = one_line(ui, &said, Type::Caption, palette.warning, rect.width() - indent);
    let left = rect.left() + indent + said_galley.size().x + space::S;
    let action_galley = one_line(ui, action, Type::Caption, palette.text, (rect.right() - left).max(0.0));
    let fits = !action_galley.elided;
    let right = if fits { left + action_galley.size().x } else { left - space::S };
    let place = Rect::from_min_max(rect.min, pos2(right, rect.min.y + said_galley.size().y));
    let response = ui.interact(place.expand2(vec2(0.0, 3.0)), ui.scope_id().with("quiet"), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("{said}, {action}")));
    let at = pos2(rect.left(), place.top());
    Icon::Moon.paint(ui.painter(), pos2(at.x + 7.0, place.center().y), 14.0, palette.warning);
    ui.painter().galley(at + vec2(indent, 0.0), said_galley, palette.warning);
    if fits {
        let line = egui::Stroke::new(1.0, if response.hovered() { palette.text } else { palette.text_soft });
        ui.painter().hline(left..=right, place.bottom() - 1.0, line);
        ui.painter().galley(pos2(left, at.y), action_galley, palette.text);
    }
    focus_ring(ui, &response, place, 4);
    let pressed = explain(response, if fits { scene.text(Text::DoNotDisturbDetail) } else { action }).clicked();
    match quiet {
        Quiet::Switch if pressed => {
            scene.change_settings(|settings| settings.do_not_disturb = false);
            false
        }
        Quiet::Switch => false,
        Quiet::Hours(_) => pressed,
    }
}
