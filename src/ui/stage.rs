//! Ground of the scenes of a call: one's own picture over the whole window, or the colour of the other person where
//! there is none; and over it the person's face with lines under it.

use eframe::egui::{Color32, Mesh, Painter, Rect, Ui, UiBuilder, pos2, vec2};

use crate::controller::ConversationView;
use crate::identity::PeerId;
use crate::store::PictureFit;

use super::avatar;
use super::bidi::{self, Lines};
use super::buttons::announce;
use super::catalogue::Text;
use super::scene::Scene;
use super::theme::{self, Type, space};
use super::tile::{Fit, TileOptions};

/// Behind the pictures of a call.
pub const STAGE: Color32 = Color32::from_rgb(0x0B, 0x0E, 0x0F);

/// Shares of the height that the soft shadows under words and buttons take at the top and at the bottom.
const SHADOWS: [f32; 2] = [0.42, 0.32];
const SHADOW: Color32 = Color32::from_black_alpha(170);

/// Paints `rect` in colours that go evenly from `top` to `bottom`.
fn gradient(painter: &Painter, rect: Rect, top: Color32, bottom: Color32) {
    let mut mesh = Mesh::default();
    let corners = [(rect.left_top(), top), (rect.right_top(), top), (rect.right_bottom(), bottom)];
    corners.into_iter().for_each(|(at, color)| mesh.colored_vertex(at, color));
    mesh.colored_vertex(rect.left_bottom(), bottom);
    mesh.add_triangle(0, 1, 2);
    mesh.add_triangle(0, 2, 3);
    painter.add(mesh);
}

/// Paints the ground of a person without a picture: their colour, going dark towards the bottom.
pub fn ground(ui: &Ui, rect: Rect, of: PeerId) {
    let color = avatar::ground(of);
    let (top, bottom) = (STAGE.lerp_to_gamma(color, 0.62), STAGE.lerp_to_gamma(color, 0.12));
    gradient(ui.painter(), rect, top, bottom);
}

/// Paints one's own picture over `rect`, or the ground of the person `of` where there is none, with soft shadows for
/// the words at the top and the buttons at the bottom.
pub fn own(ui: &mut Ui, rect: Rect, scene: &mut Scene<'_>, of: PeerId) {
    ui.painter().rect_filled(rect, 0.0, STAGE);
    let stream = &scene.snapshot.local_stream;
    let size = stream.preview.get().0.map(|frame| vec2(frame.width() as f32, frame.height() as f32));
    let fit = size.map_or_else(Fit::default, |size| Fit::of(size, rect.size(), PictureFit::Automatic));
    let options = TileOptions { mirror: scene.snapshot.settings.mirror, fit, rounding: 0.0 };
    if !(stream.video && scene.tiles.paint(ui, rect, &stream.preview, options)) {
        return ground(ui, rect, of);
    }
    let [top, bottom] = SHADOWS.map(|share| rect.height() * share);
    let (upper, _) = rect.split_top_bottom_at_y(rect.top() + top);
    let (_, lower) = rect.split_top_bottom_at_y(rect.bottom() - bottom);
    gradient(ui.painter(), upper, SHADOW, Color32::TRANSPARENT);
    gradient(ui.painter(), lower, Color32::TRANSPARENT, SHADOW);
}

/// A scene lower than this (points) has smaller parts.
pub const LOW: f32 = 560.0;
/// A scene lower than this (points) has the smallest.
pub const LOWEST: f32 = 360.0;

/// Distance of a portrait from the top of a scene `height` points high: above the face of whoever sits in the middle.
pub fn portrait_top(height: f32) -> f32 {
    (height * 0.045).clamp(16.0, 48.0)
}

/// A face, a name and a line under it, in the middle; assistive technology says both at once.
pub fn portrait(ui: &mut Ui, scene: &Scene<'_>, id: PeerId, name: &str, line: &str) {
    ui.vertical_centered(|ui| {
        ui.spacing_mut().item_spacing.y = space::XS;
        let (disc, kind) = match ui.ctx().content_rect().height() {
            height if height < LOWEST => (36.0, Type::Title),
            height if height < LOW => (56.0, Type::Scene),
            _ => (88.0, Type::Scene),
        };
        let (_, rect) = ui.allocate_space(vec2(disc, disc));
        ui.painter().circle_filled(rect.center(), disc / 2.0 + 2.0, Color32::from_white_alpha(48));
        avatar::paint_kind(ui.painter(), rect.center(), disc, id, name, scene.is_echo(id));
        ui.add_space(space::S);
        let name = bidi::label(ui, name, kind, theme::ON_PICTURE, Lines::One);
        if scene.person(id).is_some_and(|person| person.verified) {
            ui.label(Type::Caption.text(scene.text(Text::Verified), theme::ON_PICTURE_SOFT));
        }
        let line = ui.label(Type::Body.text(line, theme::ON_PICTURE_SOFT));
        announce(&name, true);
        announce(&line, true);
    });
}

/// The scene of a call whose connection is being made: as it rang, with the word for it under the name.
pub fn connecting(ui: &mut Ui, area: Rect, scene: &mut Scene<'_>, call: &ConversationView) {
    let first = call.participants.first().map(|who| (who.id, scene.name(who.id, &who.name)));
    own(ui, area, scene, first.as_ref().map_or(scene.snapshot.me.id, |(id, _)| *id));
    let top = Rect::from_min_max(pos2(area.left(), area.top() + portrait_top(area.height())), area.max);
    let mut upper = ui.new_child(UiBuilder::new().id_salt("connecting").max_rect(top));
    let line = scene.text(Text::Connecting);
    match (first, call.participants.len()) {
        (Some((id, name)), 1) => portrait(&mut upper, scene, id, &name, line),
        _ => {
            upper.vertical_centered(|ui| ui.label(Type::Scene.text(line, theme::ON_PICTURE)));
        }
    }
}
