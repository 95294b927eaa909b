//! Lines of the statistics: one value of each direction by its name.

use crate::controller::{ReceivedStats, ReportedRoute, SentStats};
use crate::media::StreamKind;

use super::super::catalogue::{Text, Words};

/// A line: its name, and the values sent and received; empty where there is none.
type Line = (Text, String, String);

fn whole(words: Words, key: Text, value: f32) -> String {
    words.fill(key, &[("value", &format!("{value:.0}"))])
}

fn size(words: Words, width: u32, height: u32) -> String {
    if width == 0 { words.get(Text::NothingYet).to_owned() } else { format!("{width} × {height}") }
}

fn route(words: Words, route: ReportedRoute) -> String {
    words
        .get(match route {
            ReportedRoute::Direct => Text::RouteDirect,
            ReportedRoute::Relay => Text::RouteRelay,
        })
        .to_owned()
}

fn codec(words: Words, codec: &str) -> String {
    if codec.is_empty() { words.get(Text::NothingYet).to_owned() } else { codec.to_owned() }
}

/// The name of a kind of pictures, where a person has several.
pub(super) const fn picture_name(kind: StreamKind) -> Option<Text> {
    match kind {
        StreamKind::Audio => None,
        StreamKind::Camera => Some(Text::StatCamera),
        StreamKind::Screen => Some(Text::StatScreen),
    }
}

/// Lines for one stream of pictures.
pub(super) fn lines(sent: &SentStats, received: &ReceivedStats, words: Words) -> [Line; 14] {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Language;

    #[test]
    fn the_lines_say_what_was_measured() {
        let words = Words::of(Language::English, "");
        let sent =
            SentStats { width: 1280, height: 720, fps: 29.7, kbps: 1480.4, packets_lost: 1, ..SentStats::default() };
        let received = ReceivedStats {
            packets_lost: 3,
            loss_percent: 2.04,
            route: ReportedRoute::Relay,
            ..ReceivedStats::default()
        };
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
