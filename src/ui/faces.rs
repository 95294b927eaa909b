//! Profile pictures as textures: made when one is drawn first, in place of the disc with initials.

use std::cell::RefCell;
use std::collections::HashMap;

use eframe::egui::epaint::RectShape;
use eframe::egui::{
    Color32, ColorImage, CornerRadius, Painter, Pos2, Rect, TextureFilter, TextureHandle, TextureOptions, pos2, vec2,
};

use crate::identity::{PeerId, ProfilePicture};

/// Textures that are kept; of more people the one that was drawn the longest ago goes.
const KEPT: usize = 64;
/// A picture is drawn far smaller than it is, so it has smaller versions.
const OPTIONS: TextureOptions = TextureOptions { mipmap_mode: Some(TextureFilter::Linear), ..TextureOptions::LINEAR };

/// The textures, by person.
#[derive(Default)]
pub struct Faces {
    kept: RefCell<HashMap<PeerId, Face>>,
}

struct Face {
    picture: ProfilePicture,
    /// `None`: the picture is damaged.
    texture: Option<TextureHandle>,
    /// Pass of the window in which it was drawn last.
    drawn: u64,
}

impl std::fmt::Debug for Faces {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Faces").field("kept", &self.kept.borrow().len()).finish()
    }
}

impl Faces {
    /// Draws a picture as a disc, `diameter` points wide; false where it is damaged.
    pub fn paint(
        &self,
        painter: &Painter,
        center: Pos2,
        diameter: f32,
        (id, picture): (PeerId, &ProfilePicture),
    ) -> bool {
        let mut kept = self.kept.borrow_mut();
        let pass = painter.ctx().cumulative_pass_nr();
        if kept.get(&id).is_none_or(|face| face.picture != *picture) {
            let texture = picture.decode().map(|pixels| {
                let size = [pixels.width() as usize, pixels.height() as usize];
                let image = ColorImage::from_rgb(size, pixels.as_raw());
                painter.ctx().load_texture("face", image, OPTIONS)
            });
            if kept.len() >= KEPT {
                forget_oldest(&mut kept);
            }
            kept.insert(id, Face { picture: picture.clone(), texture, drawn: pass });
        }
        let Some(face) = kept.get_mut(&id) else { return false };
        face.drawn = pass;
        let Some(texture) = &face.texture else { return false };
        let rect = Rect::from_center_size(center, vec2(diameter, diameter));
        let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        let radius = CornerRadius::same((diameter / 2.0).ceil() as u8);
        painter.add(RectShape::filled(rect, radius, Color32::WHITE).with_texture(texture.id(), whole));
        true
    }
}

fn forget_oldest(kept: &mut HashMap<PeerId, Face>) {
    let oldest = kept.iter().min_by_key(|(_, face)| face.drawn).map(|(id, _)| *id);
    if let Some(oldest) = oldest {
        kept.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use eframe::egui;

    use super::*;
    use crate::media::VideoFrame;

    #[test]
    fn no_more_textures_are_kept_than_can_be_seen() {
        let (ctx, faces) = (egui::Context::default(), Faces::default());
        let picture = ProfilePicture::of_frame(&VideoFrame::black(64, 64)).unwrap();
        let mut output = ctx.run_ui(egui::RawInput::default(), |ui| {
            for number in 0..KEPT as u8 + 9 {
                let id = PeerId::from_bytes([number; 32]);
                assert!(faces.paint(ui.painter(), pos2(20.0, 20.0), 40.0, (id, &picture)));
            }
        });
        output.textures_delta.clear();
        assert_eq!(faces.kept.borrow().len(), KEPT);
    }
}
