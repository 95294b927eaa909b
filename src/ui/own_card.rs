//! One's own card at the top of home: the name that others see, the ID, and the link and the QR code to give away.

use eframe::egui::{
    self, Align, ColorImage, CornerRadius, Frame, Layout, Margin, Rect, Sense, TextEdit, TextureHandle, TextureOptions,
    Ui, UiBuilder, pos2, vec2,
};

use crate::controller::Command;
use crate::identity::MAX_NAME_CHARS;

use super::avatar;
use super::buttons::{TextButton, Weight, explain};
use super::catalogue::Text;
use super::dialog;
use super::icons::Icon;
use super::scene::Scene;
use super::theme::{CONTROL_HEIGHT, Palette, Type, space};

/// How long a button says that it has copied, in seconds.
const COPIED_FOR: f64 = 2.0;

/// State of the card between frames.
#[derive(Default)]
pub struct OwnCard {
    name: Option<String>,
    copied_at: Option<f64>,
    qr_open: bool,
    qr: Option<(String, Option<TextureHandle>)>,
}

impl std::fmt::Debug for OwnCard {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("OwnCard").field("qr_open", &self.qr_open).finish_non_exhaustive()
    }
}

impl OwnCard {
    /// Draws the card into the whole of `ui`.
    pub fn show(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) {
        let rect = ui.max_rect();
        let me = &scene.snapshot.me;
        let center = pos2(rect.left() + 22.0, rect.center().y);
        avatar::paint(ui.painter(), center, 44.0, me.id, &me.name);
        let buttons = self.buttons(ui, rect, scene);
        let words = Rect::from_min_max(
            pos2(rect.left() + 44.0 + space::M, rect.top()),
            pos2(buttons - space::L, rect.bottom()),
        );
        self.name_field(ui, words, scene);
        let palette = Palette::of(ui);
        let id = scene.words.fill(Text::YourId, &[("id", &me.id.short())]);
        let at = pos2(words.left(), words.center().y + 2.0);
        let id = super::buttons::one_line(ui, &id, Type::Caption, palette.text_soft, words.width());
        super::buttons::painted_words(ui, Rect::from_min_size(at, id.size()), id.text());
        ui.painter().galley(at, id, palette.text_soft);
    }

    /// Draws the buttons at the right; returns where they begin.
    fn buttons(&mut self, ui: &mut Ui, rect: Rect, scene: &mut Scene<'_>) -> f32 {
        let builder = UiBuilder::new().id_salt("buttons").max_rect(rect).layout(Layout::right_to_left(Align::Center));
        let mut corner = ui.new_child(builder);
        let qr = scene.text(Text::ShowQr);
        if super::buttons::icon_button_sized(&mut corner, Icon::Qr, qr, CONTROL_HEIGHT, Weight::Quiet).clicked() {
            self.qr_open = true;
        }
        self.copy_button(&mut corner, scene);
        corner.min_rect().left()
    }

    fn copy_button(&mut self, ui: &mut Ui, scene: &Scene<'_>) {
        let now = ui.input(|input| input.time);
        let copied = self.copied_at.is_some_and(|at| now - at < COPIED_FOR);
        let (word, icon) = if copied { (Text::Copied, Icon::Check) } else { (Text::CopyLink, Icon::Copy) };
        if TextButton::new(scene.text(word)).icon(icon).show(ui).clicked() {
            ui.ctx().copy_text(scene.snapshot.me.link.clone());
            self.copied_at = Some(now);
            ui.ctx().request_repaint_after_secs(COPIED_FOR as f32 + 0.05);
        }
    }

    fn name_field(&mut self, ui: &mut Ui, words: Rect, scene: &mut Scene<'_>) {
        let palette = Palette::of(ui);
        let me = &scene.snapshot.me;
        let mut text = self.name.clone().unwrap_or_else(|| me.name.clone());
        let place = Rect::from_min_max(words.min - vec2(0.0, 2.0), pos2(words.right(), words.center().y + 1.0));
        let hint = scene.text(Text::NoName);
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
            let width = super::buttons::one_line(ui, shown, Type::Title, palette.text, place.width()).size().x;
            let pencil = pos2((place.left() + width + 16.0).min(place.right() - 8.0), place.center().y);
            Icon::Pencil.paint(ui.painter(), pencil, 15.0, palette.text_soft);
        }
        if response.changed() {
            self.name = Some(text.clone());
        }
        if response.lost_focus() {
            self.name = None;
            let name = text.trim();
            let escaped = ui.input(|input| input.key_pressed(egui::Key::Escape));
            if name != me.name && !name.is_empty() && !escaped {
                let settings =
                    crate::store::Settings { display_name: name.to_owned(), ..scene.snapshot.settings.clone() };
                scene.send(Command::UpdateSettings { settings: (&settings).into() });
            }
        }
        explain(response, scene.text(Text::YourNameDetail));
    }

    /// Whether the QR code is shown large.
    pub const fn shows_qr(&self) -> bool {
        self.qr_open
    }

    /// Shows the QR code large while it is asked for.
    pub fn show_qr(&mut self, ui: &Ui, scene: &mut Scene<'_>) {
        if !self.qr_open {
            return;
        }
        let link = scene.snapshot.me.link.clone();
        let texture = self.qr_texture(ui.ctx(), &link);
        let height = ui.ctx().content_rect().height();
        let ((), close) = dialog::show(ui, scene.text(Text::QrTitle), 360.0, |ui| {
            dialog::heading(ui, scene.text(Text::QrTitle), scene.text(Text::QrDetail));
            let side = ui.available_width().min(height - 280.0).max(160.0);
            ui.vertical_centered(|ui| match &texture {
                Some(texture) => {
                    let (rect, response) = ui.allocate_exact_size(vec2(side, side), Sense::hover());
                    response
                        .widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, scene.text(Text::QrTitle)));
                    ui.painter().rect_filled(rect, CornerRadius::same(12), egui::Color32::WHITE);
                    let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
                    // Every module is as many whole pixels wide as the others.
                    let (modules, scale) = (texture.size()[0].max(1) as f32, ui.pixels_per_point());
                    let code = (side * 0.9 * scale / modules).floor().max(1.0) * modules / scale;
                    let place = Rect::from_center_size(rect.center(), vec2(code, code));
                    let place = place.translate((place.min.to_vec2() * scale).round() / scale - place.min.to_vec2());
                    ui.painter().image(texture.id(), place, uv, egui::Color32::WHITE);
                }
                None => {
                    ui.label(Type::Body.text(scene.text(Text::QrFailed), Palette::of(ui).danger));
                }
            });
            ui.add_space(space::S);
            let palette = Palette::of(ui);
            let shown = egui::RichText::new(&link).monospace().color(palette.text_soft);
            ui.add(egui::Label::new(shown).wrap().selectable(true));
            ui.add_space(space::S);
            ui.horizontal(|ui| {
                self.copy_button(ui, scene);
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    if dialog::safe(ui, TextButton::new(scene.text(Text::Close))).clicked() {
                        self.qr_open = false;
                    }
                });
            });
        });
        if close {
            self.qr_open = false;
        }
    }

    fn qr_texture(&mut self, ctx: &egui::Context, link: &str) -> Option<TextureHandle> {
        if self.qr.as_ref().is_none_or(|(of, _)| of != link) {
            let texture = qr_image(link).map(|image| ctx.load_texture("qr", image, TextureOptions::NEAREST));
            self.qr = Some((link.to_owned(), texture));
        }
        self.qr.as_ref().and_then(|(_, texture)| texture.clone())
    }
}

/// The QR code of a link, one pixel a module, without its quiet zone.
fn qr_image(link: &str) -> Option<ColorImage> {
    let code = qrcode::QrCode::with_error_correction_level(link, qrcode::EcLevel::M).ok()?;
    let width = code.width();
    let pixels = code
        .to_colors()
        .into_iter()
        .map(|module| if module == qrcode::Color::Dark { egui::Color32::BLACK } else { egui::Color32::WHITE })
        .collect();
    Some(ColorImage::new([width, width], pixels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_qr_code_of_a_link_is_read_back() {
        let link = "visavis:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa?name=Ana";
        let image = qr_image(link).unwrap();
        let (scale, quiet) = (6, 4);
        let side = (image.size[0] + 2 * quiet) * scale;
        let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| {
            let (x, y) = ((x / scale).checked_sub(quiet), (y / scale).checked_sub(quiet));
            match (x, y) {
                (Some(x), Some(y)) if x < image.size[0] && y < image.size[1] => image.pixels[y * image.size[0] + x].r(),
                _ => 255,
            }
        });
        let (_, text) = prepared.detect_grids()[0].decode().unwrap();
        assert_eq!(text, link);
    }
}
