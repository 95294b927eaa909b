//! Ground of the scenes of a call: one's own picture over the whole window, or the colour of the other person where
//! there is none; and over it the person's face with their name, along the upper edge.

use eframe::egui::{Color32, Mesh, Painter, Rect, Ui, UiBuilder, Vec2, pos2, vec2};

use crate::controller::ConversationView;
use crate::identity::PeerId;
use crate::store::PictureFit;

use super::avatar;
use super::buttons::{announce, explain, one_line, painted_words};
use super::catalogue::Text;
use super::icons::Icon;
use super::scene::Scene;
use super::theme::{self, Type, space};
use super::tile::{Fit, TileOptions};

/// Behind the pictures of a call.
pub const STAGE: Color32 = Color32::from_rgb(0x0B, 0x0E, 0x0F);

/// The soft shadow under the words at the top: shares of the height, and how dark it is there. It is dark as far as the
/// words go, so that these have a contrast of 4.5:1 on a white wall.
const TOP_SHADOW: [(f32, Color32); 3] =
    [(0.0, Color32::from_black_alpha(200)), (0.15, Color32::from_black_alpha(165)), (0.4, Color32::TRANSPARENT)];
/// Share of the height that the one under the buttons takes at the bottom.
const BOTTOM_SHADOW: f32 = 0.32;
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
    let at = |share: f32| rect.top() + rect.height() * share;
    for band in TOP_SHADOW.windows(2) {
        let [(top, dark), (bottom, darkness_below)] = band else { continue };
        let band = Rect::from_x_y_ranges(rect.x_range(), at(*top)..=at(*bottom));
        gradient(ui.painter(), band, *dark, *darkness_below);
    }
    let (_, lower) = rect.split_top_bottom_at_y(at(1.0 - BOTTOM_SHADOW));
    gradient(ui.painter(), lower, Color32::TRANSPARENT, SHADOW);
}

/// A scene lower than this (points) has smaller parts.
pub const LOW: f32 = 560.0;
/// A scene lower than this (points) has the smallest.
pub const LOWEST: f32 = 360.0;

/// Distance of a portrait from the top of a scene `height` points high.
pub fn portrait_top(height: f32) -> f32 {
    (height * 0.02).clamp(8.0, 32.0)
}

/// A face, and beside it a name and a line, along the upper edge: above the face of whoever sits in the middle of the
/// picture. Assistive technology says name and line at once.
pub fn portrait(ui: &mut Ui, scene: &Scene<'_>, id: PeerId, name: &str, line: &str) {
    let low = ui.ctx().content_rect().height() < LOW;
    let (disc, kind) = if low { (44.0, Type::Title) } else { (60.0, Type::Scene) };
    let verified = scene.person(id).is_some_and(|person| person.verified);
    let mark = if verified { VERIFIED + space::S } else { 0.0 };
    let room = ui.available_width() - disc - space::L - mark - 2.0 * space::XL;
    let title = one_line(ui, name, kind, theme::ON_PICTURE, room);
    let detail = one_line(ui, line, Type::Body, theme::ON_PICTURE_SOFT, room);
    let words = vec2((title.size().x + mark).max(detail.size().x), title.size().y + detail.size().y);
    let size = vec2(disc + space::L + words.x, disc.max(words.y));
    let (_, row) = ui.allocate_space(vec2(ui.available_width(), size.y));
    let place = Rect::from_center_size(row.center(), size);
    let center = place.left_center() + vec2(disc / 2.0, 0.0);
    ui.painter().circle_filled(center, disc / 2.0 + 2.0, Color32::from_white_alpha(48));
    scene.avatar(ui.painter(), center, disc, id, name);
    let at = pos2(place.right() - words.x, place.center().y - words.y / 2.0);
    let named = Rect::from_min_size(at, title.size());
    let lined = Rect::from_min_size(named.left_bottom(), detail.size());
    let said = painted_words(ui, named, name);
    announce(&said, true);
    if title.elided {
        explain(said, name);
    }
    announce(&painted_words(ui, lined, line), true);
    if verified {
        let mark =
            Rect::from_center_size(named.right_center() + vec2(space::S + VERIFIED / 2.0, 0.0), Vec2::splat(VERIFIED));
        Icon::Verified.paint(ui.painter(), mark.center(), VERIFIED, theme::ON_PICTURE);
        painted_words(ui, mark, scene.text(Text::Verified));
    }
    ui.painter().galley(named.min, title, theme::ON_PICTURE);
    ui.painter().galley(lined.min, detail, theme::ON_PICTURE_SOFT);
}

/// Size of the mark behind a verified contact's name, in points.
const VERIFIED: f32 = 22.0;

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
