//! What is sent and received, laid over a call: the overlay for whoever wants to know why.

use eframe::egui::{self, Grid, Rect, Ui, UiBuilder, vec2};

use crate::controller::{ParticipantView, ReceivedStats, Route, SentStats};

use super::catalogue::{Text, Words};
use super::theme::{Palette, Type, space};

const WIDTH: f32 = 372.0;

/// One line: what it is, sent, received; empty where it does not exist.
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
pub fn lines(sent: &SentStats, received: &ReceivedStats, words: Words) -> [Line; 11] {
    let ms = |value: f32| whole(words, Text::Milliseconds, value);
    let packets = |value: u64| match value {
        1 => words.get(Text::OnePacket).to_owned(),
        value => words.fill(Text::Packets, &[("value", &value.to_string())]),
    };
    [
        (Text::StatSize, size(words, sent.width, sent.height), size(words, received.width, received.height)),
        (Text::StatRate, whole(words, Text::FramesASecond, sent.fps), whole(words, Text::FramesASecond, received.fps)),
        (
            Text::StatBits,
            whole(words, Text::KilobitsASecond, sent.kbps),
            whole(words, Text::KilobitsASecond, received.kbps),
        ),
        (Text::StatLost, packets(sent.packets_lost), packets(received.packets_lost)),
        (Text::StatRoundTrip, ms(sent.round_trip_ms), ms(received.round_trip_ms)),
        (Text::StatJitter, ms(sent.jitter_ms), ms(received.jitter_ms)),
        (Text::StatDelay, ms(sent.delay_ms), ms(received.delay_ms)),
        (Text::StatFrozen, String::new(), ms(received.frozen_ms as f32)),
        (Text::StatConcealed, String::new(), ms(received.audio_concealed_ms as f32)),
        (Text::StatCodec, codec(words, &sent.codec), codec(words, &received.codec)),
        (Text::StatRoute, route(words, sent.route), route(words, received.route)),
    ]
}

/// Draws the overlay at the upper left of `area`.
pub fn show(ui: &mut Ui, area: Rect, participants: &[ParticipantView], words: Words) {
    let place = Rect::from_min_size(
        area.min + vec2(space::L, 60.0),
        vec2(WIDTH.min(area.width() - 2.0 * space::L), area.height() - 60.0 - 96.0),
    );
    let palette = Palette::of(ui);
    let mut overlay = ui.new_child(UiBuilder::new().id_salt("statistics").max_rect(place));
    let frame = egui::Frame::new().fill(egui::Color32::from_black_alpha(190)).corner_radius(12).inner_margin(14);
    frame.show(&mut overlay, |ui| {
        egui::ScrollArea::vertical().max_height(place.height() - 28.0).show(ui, |ui| {
            for participant in participants {
                if participants.len() > 1 {
                    ui.label(Type::Strong.text(&participant.name, palette.text));
                }
                Grid::new(("statistics", participant.id))
                    .num_columns(3)
                    .spacing(vec2(20.0, 5.0))
                    .min_row_height(16.0)
                    .show(ui, |ui| {
                        ui.label("");
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
        });
    });
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
        let received = ReceivedStats { packets_lost: 3, route: Route::Relay, ..ReceivedStats::default() };
        let lines = lines(&sent, &received, words);
        assert_eq!(lines[0], (Text::StatSize, "1280 × 720".into(), "–".into()));
        assert_eq!(lines[1].1, "30 fps");
        assert_eq!(lines[2].1, "1480 kbit/s");
        assert_eq!((lines[3].1.as_str(), lines[3].2.as_str()), ("1 packet", "3 packets"));
        assert_eq!(lines[10].2, "relay");
    }
}
