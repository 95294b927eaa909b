//! The statistics overlay of a call: the figures of what is sent and received.

mod chart;
mod report;

use std::collections::HashMap;

use eframe::egui::{self, Grid, Rect, Ui, UiBuilder, vec2};

use crate::controller::{ConversationView, ParticipantView, ReceivedStats, Route, SentStats};
use crate::identity::PeerId;

use self::chart::Chart;
use super::buttons::{TextButton, explain};
use super::catalogue::{Text, Words};
use super::icons::Icon;
use super::quality_sign;
use super::scene::Scene;
use super::theme::{CONTROL_HEIGHT, Palette, Type, space};

const WIDTH: f32 = 404.0;

/// How long the button says that it has copied, in seconds.
const COPIED_FOR: f64 = 2.0;

/// State of the overlay between frames.
#[derive(Debug, Default)]
pub struct Statistics {
    charts: HashMap<PeerId, Chart>,
    copied_at: Option<f64>,
}

/// One line: its name, sent, received; empty where it does not exist.
type Line = (Text, String, String);

fn whole(words: Words, key: Text, value: f32) -> String {
    words.fill(key, &[("value", &format!("{value:.0}"))])
}

fn size(words: Words, width: u32, height: u32) -> String {
    if width == 0 { words.get(Text::NothingYet).to_owned() } else { format!("{width} × {height}") }
}

fn route(words: Words, route: Route) -> String {
    words
        .get(match route {
            Route::Direct => Text::RouteDirect,
            Route::Relay => Text::RouteRelay,
        })
        .to_owned()
}

fn codec(words: Words, codec: &str) -> String {
    if codec.is_empty() { words.get(Text::NothingYet).to_owned() } else { codec.to_owned() }
}

/// The lines for one participant.
fn lines(sent: &SentStats, received: &ReceivedStats, words: Words) -> [Line; 14] {
    let ms = |value: f32| whole(words, Text::Milliseconds, value);
    let kbps = |value: f32| whole(words, Text::KilobitsASecond, value);
    let fps = |value: f32| whole(words, Text::FramesASecond, value);
    let percent = |value: f32| words.fill(Text::Percent, &[("value", &format!("{value:.1}"))]);
    let packets = |value: u64| match value {
        1 => words.get(Text::OnePacket).to_owned(),
        value => words.fill(Text::Packets, &[("value", &value.to_string())]),
    };
    [
        (Text::StatSize, size(words, sent.width, sent.height), size(words, received.width, received.height)),
        (Text::StatRate, fps(sent.fps), fps(received.fps)),
        (Text::StatBits, kbps(sent.kbps), kbps(received.kbps)),
        (Text::StatAsked, kbps(sent.asked_kbps), String::new()),
        (Text::StatPath, kbps(sent.target_kbps), String::new()),
        (Text::StatLost, packets(sent.packets_lost), packets(received.packets_lost)),
        (Text::StatLoss, percent(sent.loss_percent), percent(received.loss_percent)),
        (Text::StatRoundTrip, ms(sent.round_trip_ms), ms(received.round_trip_ms)),
        (Text::StatJitter, ms(sent.jitter_ms), ms(received.jitter_ms)),
        (Text::StatDelay, ms(sent.delay_ms), ms(received.delay_ms)),
        (Text::StatFrozen, String::new(), ms(received.frozen_ms as f32)),
        (Text::StatConcealed, String::new(), ms(received.audio_concealed_ms as f32)),
        (Text::StatCodec, codec(words, &sent.codec), codec(words, &received.codec)),
        (Text::StatRoute, route(words, sent.route), route(words, received.route)),
    ]
}

impl Statistics {
    /// Draws the overlay at the upper left of `area`.
    pub fn show(&mut self, ui: &mut Ui, area: Rect, scene: &Scene<'_>, call: &ConversationView) {
        let participants = call.participants.as_slice();
        self.charts.retain(|id, _| participants.iter().any(|participant| participant.id == *id));
        let place = Rect::from_min_size(
            area.min + vec2(space::L, 60.0),
            vec2(WIDTH.min(area.width() - 2.0 * space::L), area.height() - 60.0 - 96.0),
        );
        let mut overlay = ui.new_child(UiBuilder::new().id_salt("statistics").max_rect(place));
        let frame = egui::Frame::new().fill(egui::Color32::from_black_alpha(225)).corner_radius(12).inner_margin(14);
        frame.show(&mut overlay, |ui| {
            let below = CONTROL_HEIGHT + space::M;
            egui::ScrollArea::vertical().max_height(place.height() - 28.0 - below).show(ui, |ui| {
                for participant in participants {
                    self.participant(ui, scene, participant, participants.len() > 1);
                }
            });
            ui.add_space(space::XS);
            self.copy_button(ui, scene, call);
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
        Grid::new(("statistics", participant.id))
            .num_columns(3)
            .spacing(vec2(20.0, 3.0))
            .min_row_height(16.0)
            .min_col_width(96.0)
            .show(ui, |ui| {
                ui.label(Type::Caption.text(words.get(Text::LastMinute), palette.text_soft));
                ui.label(Type::Caption.text(words.get(Text::Sent), palette.text_soft));
                ui.label(Type::Caption.text(words.get(Text::Received), palette.text_soft));
                ui.end_row();
                for (what, sent, received) in lines(&participant.sent, &participant.received, words) {
                    ui.label(Type::Caption.text(words.get(what), palette.text_soft));
                    ui.label(Type::Caption.text(sent, palette.text));
                    ui.label(Type::Caption.text(received, palette.text));
                    ui.end_row();
                }
            });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Language;

    #[test]
    fn the_lines_say_what_was_measured() {
        let words = Words::of(Language::English, "");
        let sent =
            SentStats { width: 1280, height: 720, fps: 29.7, kbps: 1480.4, packets_lost: 1, ..SentStats::default() };
        let received =
            ReceivedStats { packets_lost: 3, loss_percent: 2.04, route: Route::Relay, ..ReceivedStats::default() };
        let lines = lines(&sent, &received, words);
        let line = |key| lines.iter().find(|line| line.0 == key).map(|line| (line.1.as_str(), line.2.as_str()));
        assert_eq!(line(Text::StatSize), Some(("1280 × 720", "–")));
        assert_eq!(line(Text::StatRate), Some(("30 fps", "0 fps")));
        assert_eq!(line(Text::StatBits), Some(("1480 kbit/s", "0 kbit/s")));
        assert_eq!(line(Text::StatLost), Some(("1 packet", "3 packets")));
        assert_eq!(line(Text::StatLoss), Some(("0.0 %", "2.0 %")));
        assert_eq!(line(Text::StatRoute), Some(("direct", "relay")));
    }
}
