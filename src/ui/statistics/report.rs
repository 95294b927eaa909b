//! The report of a call as text for somebody else, without any address, key, name or ID.

use std::time::Duration;

use crate::controller::{CallSample, ParticipantView, PictureView};

use super::super::catalogue::{Text, Words};
use super::super::quality_sign;
use super::super::wall_clock::clock;
use super::lines::{lines, picture_name};

/// The report of a call that has been connected for `connected`.
pub fn report(participants: &[ParticipantView], connected: Option<Duration>, words: Words) -> String {
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    let mut text = words.fill(Text::Version, &[("value", env!("CARGO_PKG_VERSION"))]);
    text += &format!(", {system}\n");
    if let Some(connected) = connected {
        text += &words.fill(Text::CallTime, &[("time", &clock(connected))]);
        text.push('\n');
    }
    for (number, participant) in (1..).zip(participants) {
        text.push('\n');
        text += &words.fill(Text::ReportPerson, &[("number", &i32::to_string(&number))]);
        text += &format!(": {}\n", words.get(quality_sign::word(participant.quality)));
        for picture in &participant.pictures {
            if let Some(kind) = picture_name(picture.kind).filter(|_| participant.pictures.len() > 1) {
                text += &format!("{}\n", words.get(kind));
            }
            text += &figures(picture, words);
        }
        text += words.get(Text::ReportColumns);
        text.push('\n');
        text.extend(participant.history.iter().map(second));
    }
    text
}

/// The figures of one stream of pictures, a line each.
fn figures(picture: &PictureView, words: Words) -> String {
    let mut text = String::new();
    for (what, sent, received) in lines(&picture.sent, &picture.received, words) {
        text += words.get(what);
        let columns = [(Text::Sent, sent), (Text::Received, received)];
        for (column, value) in columns.into_iter().filter(|(_, value)| !value.is_empty()) {
            text += &format!("; {}: {value}", words.get(column));
        }
        text.push('\n');
    }
    text
}

/// One second in the order of the columns' names.
fn second(sample: &CallSample) -> String {
    format!(
        "{:.0} {:.0} {:.0} {:.1} {:.1} {:.0} {:.0} {:.0} {:.0}\n",
        sample.asked_kbps,
        sample.sent_kbps,
        sample.received_kbps,
        sample.sent_loss_percent,
        sample.received_loss_percent,
        sample.round_trip_ms,
        sample.latency_ms,
        sample.frozen_ms,
        sample.concealed_ms
    )
}
