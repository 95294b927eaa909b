//! A QR code on the screen: black on white in every theme, each module as many whole pixels wide as the others.

use eframe::egui::{
    self, ColorImage, CornerRadius, Rect, Sense, TextureHandle, TextureOptions, Ui, WidgetInfo, pos2, vec2,
};

use crate::identity::qr;

use super::theme::{Palette, Type};

/// A code's texture between frames.
#[derive(Default)]
pub struct QrCode {
    drawn: Option<(String, Option<TextureHandle>)>,
}

impl std::fmt::Debug for QrCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("QrCode").finish_non_exhaustive()
    }
}

impl QrCode {
    /// Draws the code of `text`, `side` points wide with its margin; `name` is for screen readers, and `failed` stands
    /// in the place of a code that cannot be drawn.
    pub fn show(&mut self, ui: &mut Ui, text: &str, side: f32, name: &str, failed: &str) {
        let Some(texture) = self.texture(ui.ctx(), text) else {
            ui.label(Type::Body.text(failed, Palette::of(ui).danger_text));
            return;
        };
        let (rect, response) = ui.allocate_exact_size(vec2(side, side), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(egui::Role::Image, true, name));
        ui.painter().rect_filled(rect, CornerRadius::same(12), egui::Color32::WHITE);
        let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        let (modules, scale) = (texture.size()[0].max(1) as f32, ui.pixels_per_point());
        let code = (side * 0.9 * scale / modules).floor().max(1.0) * modules / scale;
        let place = Rect::from_center_size(rect.center(), vec2(code, code));
        let place = place.translate((place.min.to_vec2() * scale).round() / scale - place.min.to_vec2());
        ui.painter().image(texture.id(), place, uv, egui::Color32::WHITE);
    }

    fn texture(&mut self, ctx: &egui::Context, text: &str) -> Option<TextureHandle> {
        if self.drawn.as_ref().is_none_or(|(of, _)| of != text) {
            let texture = image(text).map(|image| ctx.load_texture("qr", image, TextureOptions::NEAREST));
            self.drawn = Some((text.to_owned(), texture));
        }
        self.drawn.as_ref().and_then(|(_, texture)| texture.clone())
    }
}

/// The code of a text, one pixel a module, without its quiet zone.
fn image(text: &str) -> Option<ColorImage> {
    let (width, dark) = qr::modules(text)?;
    let color = |dark| if dark { egui::Color32::BLACK } else { egui::Color32::WHITE };
    Some(ColorImage::new([width, width], dark.into_iter().map(color).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_qr_code_of_a_link_is_read_back() {
        let link = "visavis:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa?name=Ana";
        let image = image(link).unwrap();
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
