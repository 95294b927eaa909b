//! Settings of being reached: the tray and the start with the desktop, do not disturb, and the ring.

use eframe::egui::{Label, Ui};

use crate::device::DeviceChoice;
use crate::store::{Settings, TimeOfDay};

use super::buttons::switch_row;
use super::catalogue::{Text, Words};
use super::device_names::device_name;
use super::fields::drop_down;
use super::scene::Scene;
use super::theme::{Palette, Type, space};

/// Minutes between the times that are offered.
const STEP_MIN: u16 = 30;
const RING_VOLUMES: [u8; 5] = [0, 25, 50, 75, 100];

/// Draws the rows; changes go into `settings`.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, settings: &mut Settings) {
    let words = scene.words;
    ring(ui, scene, settings);
    ui.add_space(space::XS);
    switch_row(ui, &mut settings.do_not_disturb, words.get(Text::DoNotDisturb), words.get(Text::DoNotDisturbDetail));
    let hours = [("from", settings.quiet_from), ("until", settings.quiet_until)].map(|(key, at)| (key, at.to_string()));
    let said = hours.each_ref().map(|(key, at)| (*key, at.as_str()));
    switch_row(ui, &mut settings.quiet_hours, words.get(Text::QuietHours), &words.fill(Text::QuietHoursDetail, &said));
    if settings.quiet_hours {
        time(ui, words.get(Text::QuietFrom), &mut settings.quiet_from);
        time(ui, words.get(Text::QuietUntil), &mut settings.quiet_until);
    }
    // Other systems have no tray of ours yet.
    if cfg!(target_os = "linux") {
        ui.add_space(space::XS);
        switch_row(ui, &mut settings.keep_running, words.get(Text::KeepRunning), words.get(Text::KeepRunningDetail));
        if settings.keep_running && !scene.tray {
            let text = Type::Caption.text(words.get(Text::KeepRunningNoTray), Palette::of(ui).warning);
            ui.add(Label::new(text).wrap());
        }
        switch_row(ui, &mut settings.autostart, words.get(Text::Autostart), words.get(Text::AutostartDetail));
    }
}

fn ring(ui: &mut Ui, scene: &Scene<'_>, settings: &mut Settings) {
    let words = scene.words;
    let plugged = &scene.snapshot.devices.speakers;
    let named = plugged.iter().cloned().map(DeviceChoice::Named);
    let mut choices: Vec<Option<DeviceChoice>> =
        [None, Some(DeviceChoice::SystemDefault)].into_iter().chain(named.map(Some)).collect();
    if !choices.contains(&settings.ring_speaker) {
        choices.push(settings.ring_speaker.clone());
    }
    let names: Vec<String> = choices.iter().map(|choice| speaker_name(choice.as_ref(), plugged, words)).collect();
    let current = choices.iter().position(|choice| *choice == settings.ring_speaker);
    let shown = speaker_name(settings.ring_speaker.as_ref(), plugged, words);
    if let Some(chosen) = drop_down(ui, words.get(Text::RingSpeaker), &shown, &names, current)
        && let Some(choice) = choices.into_iter().nth(chosen)
    {
        settings.ring_speaker = choice;
    }
    let percent = |volume: u8| format!("{volume} %");
    let current = RING_VOLUMES.iter().position(|volume| *volume == settings.ring_volume);
    let names = RING_VOLUMES.map(percent);
    if let Some(chosen) = drop_down(ui, words.get(Text::RingVolume), &percent(settings.ring_volume), &names, current)
        && let Some(volume) = RING_VOLUMES.get(chosen)
    {
        settings.ring_volume = *volume;
    }
}

fn speaker_name(choice: Option<&DeviceChoice>, plugged: &[String], words: Words) -> String {
    choice.map_or_else(|| words.get(Text::RingSpeakerSame).to_owned(), |choice| device_name(choice, plugged, words))
}

/// A time of day, chosen by half hours; one from elsewhere stays among them.
fn time(ui: &mut Ui, label: &str, time: &mut TimeOfDay) {
    let mut times: Vec<TimeOfDay> =
        (0..24 * 60 / STEP_MIN).map(|step| TimeOfDay::of_minutes(step * STEP_MIN)).collect();
    if !times.contains(time) {
        times.push(*time);
        times.sort_unstable();
    }
    let names: Vec<String> = times.iter().map(TimeOfDay::to_string).collect();
    let current = times.iter().position(|other| other == time);
    if let Some(chosen) = drop_down(ui, label, &time.to_string(), &names, current)
        && let Some(other) = times.get(chosen)
    {
        *time = *other;
    }
}
