//! The statistics overlay of a call: the figures of media sent and received.

mod chart;
mod lines;
mod report;

use std::collections::HashMap;

use eframe::egui::{self, Grid, Rect, Ui, UiBuilder, vec2};

use crate::controller::{ConversationView, ParticipantView, PictureView};
use crate::identity::PeerId;

use self::chart::Chart;
use self::lines::{lines, picture_name};
use super::buttons::{TextButton, explain};
use super::catalogue::Text;
use super::icons::Icon;
use super::quality_sign;
use super::scene::Scene;
use super::theme::{CONTROL_HEIGHT, Palette, Type, space};

const WIDTH: f32 = 404.0;
/// Height of a card (points) below which its button scrolls with the figures.
const LOW: f32 = 280.0;
/// Widths of a column, and the space between columns, in points.
const COLUMN: [f32; 2] = [56.0, 96.0];
const GAP: f32 = 20.0;

/// How long the button says that it has copied, in seconds.
const COPIED_FOR: f64 = 2.0;

/// State of the overlay between frames.
#[derive(Debug, Default)]
pub struct Statistics {
    charts: HashMap<PeerId, Chart>,
    copied_at: Option<f64>,
}

impl Statistics {
    /// Draws the overlay at the upper left of `room`.
    pub fn show(&mut self, ui: &mut Ui, room: Rect, scene: &Scene<'_>, call: &ConversationView) {
        let participants = call.participants.as_slice();
        self.charts.retain(|id, _| participants.iter().any(|participant| participant.id == *id));
        let place = Rect::from_min_size(room.min, vec2(WIDTH.min(room.width()), room.height()));
        let mut overlay = ui.new_child(UiBuilder::new().id_salt("statistics").max_rect(place));
        let frame = egui::Frame::new().fill(egui::Color32::from_black_alpha(225)).corner_radius(12).inner_margin(14);
        frame.show(&mut overlay, |ui| {
            ui.set_max_width(place.width() - 28.0);
            // A low card scrolls with its button.
            let is_low = place.height() < LOW;
            let below = if is_low { 0.0 } else { CONTROL_HEIGHT + space::M };
            egui::ScrollArea::both().max_height(place.height() - 28.0 - below).show(ui, |ui| {
                for participant in participants {
                    self.participant(ui, scene, participant, participants.len() > 1);
                }
                if is_low {
                    self.copy_button(ui, scene, call);
                }
            });
            if !is_low {
                ui.add_space(space::XS);
                self.copy_button(ui, scene, call);
            }
        });
    }

    fn participant(&mut self, ui: &mut Ui, scene: &Scene<'_>, participant: &ParticipantView, named: bool) {
        let (palette, words) = (Palette::of(ui), scene.words);
        ui.spacing_mut().interact_size.y = 20.0;
        ui.horizontal(|ui| {
            let (_, bars) = ui.allocate_space(vec2(16.0, 20.0));
            quality_sign::paint(ui.painter(), bars.center(), participant.quality, palette, 1.0);
            let word = words.get(quality_sign::word(participant.quality));
            ui.label(Type::Strong.text(word, palette.text));
            if named {
                let name = scene.name(participant.id, &participant.name);
                super::bidi::label(ui, &name, Type::Body, palette.text_soft, super::bidi::Lines::One);
            }
        });
        ui.scope(|ui| {
            ui.spacing_mut().item_spacing.y = space::XS;
            self.charts.entry(participant.id).or_default().show(ui, &participant.history, words);
        });
        for picture in &participant.pictures {
            picture_figures(ui, scene, participant, picture);
        }
    }

    fn copy_button(&mut self, ui: &mut Ui, scene: &Scene<'_>, call: &ConversationView) {
        let now = ui.input(|input| input.time);
        let copied = self.copied_at.is_some_and(|at| now - at < COPIED_FOR);
        let (word, icon) = if copied { (Text::Copied, Icon::Check) } else { (Text::CopyReport, Icon::Copy) };
        let button = TextButton::new(scene.text(word)).icon(icon).show(ui);
        let button = explain(button, scene.text(Text::CopyReportDetail));
        if button.clicked() {
            let connected = call.connected_at.map(|since| scene.now.media.since(since));
            ui.ctx().copy_text(report::report(&call.participants, connected, scene.words));
            self.copied_at = Some(now);
            ui.ctx().request_repaint_after_secs(COPIED_FOR as f32 + 0.05);
        }
    }
}

/// The figures of one stream of pictures; of a screen under its name, beside the camera's.
fn picture_figures(ui: &mut Ui, scene: &Scene<'_>, participant: &ParticipantView, picture: &PictureView) {
    let (palette, words) = (Palette::of(ui), scene.words);
    let [least, most] = COLUMN;
    let column = ((ui.available_width() - 2.0 * GAP) / 3.0).clamp(least, most);
    if let Some(kind) = picture_name(picture.kind).filter(|_| participant.pictures.len() > 1) {
        ui.label(Type::Caption.text(words.get(kind), palette.text));
    }
    Grid::new(("statistics", participant.id, picture.stream))
        .num_columns(3)
        .spacing(vec2(GAP, 3.0))
        .min_row_height(16.0)
        .min_col_width(column)
        .show(ui, |ui| {
            ui.label(Type::Caption.text(words.get(Text::LastMinute), palette.text_soft));
            ui.label(Type::Caption.text(words.get(Text::Sent), palette.text_soft));
            ui.label(Type::Caption.text(words.get(Text::Received), palette.text_soft));
            ui.end_row();
            for (what, sent, received) in lines(&picture.sent, &picture.received, words) {
                ui.label(Type::Caption.text(words.get(what), palette.text_soft));
                ui.label(Type::Caption.text(sent, palette.text));
                ui.label(Type::Caption.text(received, palette.text));
                ui.end_row();
            }
        });
}
