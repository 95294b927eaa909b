//! Settings of being reached: the tray and the start with the desktop, do not disturb, and the ring.

use eframe::egui::Ui;

use crate::device::DeviceChoice;
use crate::store::{Settings, TimeOfDay};

use super::buttons::{disabled_switch_row, switch_row};
use super::catalogue::Text;
use super::device_names::device_list;
use super::fields::{choose, drop_down};
use super::scene::Scene;
use super::theme::space;

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
        let title = words.get(Text::KeepRunning);
        if scene.tray {
            switch_row(ui, &mut settings.keep_running, title, words.get(Text::KeepRunningDetail));
        } else {
            disabled_switch_row(ui, title, words.get(Text::KeepRunningNoTray));
        }
        switch_row(ui, &mut settings.autostart, words.get(Text::Autostart), words.get(Text::AutostartDetail));
    }
}

fn ring(ui: &mut Ui, scene: &Scene<'_>, settings: &mut Settings) {
    let words = scene.words;
    let listed = device_list(&scene.snapshot.devices.speakers, &[], settings.ring_speaker.as_ref(), words);
    let same = (None, words.get(Text::RingSpeakerSame).to_owned());
    let listed = listed.into_iter().map(|(choice, name)| (Some(choice), name));
    let choices: Vec<(Option<DeviceChoice>, String)> = std::iter::once(same).chain(listed).collect();
    if let Some(choice) = choose(ui, words.get(Text::RingSpeaker), &choices, &settings.ring_speaker) {
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
