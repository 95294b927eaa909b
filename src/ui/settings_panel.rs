//! The settings, over home and over a call alike; every change applies at once.

use eframe::egui::{
    self, Align, Area, CornerRadius, Frame, Id, Key, Label, Margin, Modifiers, Rect, Response, Sense, Stroke, Ui, pos2,
    vec2,
};

use crate::call::RelayUse;
use crate::controller::{Command, LocalStreamView, Snapshot};
use crate::device::{DeviceChoice, DeviceFault, DeviceKind};
use crate::media::{Preset, VideoFormat};
use crate::store::{Settings, TalkKey};

use super::buttons::{TextButton, Weight, explain, icon_button, landmark, switch_row};
use super::catalogue::{Text, Words};
use super::device_names::{device_list, plugged};
use super::fields::{choose, drop_down};
use super::icons::Icon;
use super::key_list;
use super::keys;
use super::look_settings;
use super::reachable_settings;
use super::scene::Scene;
use super::server_settings::ServerSettings;
use super::theme::{Palette, Type, radius, space};

/// The panel's width in points where there is room.
const WIDTH: f32 = 372.0;

/// The panel's least width beside something else.
const MIN_WIDTH: f32 = 300.0;

/// Width that a call's controls need beside the panel, in points.
const CONTROLS_NEED: f32 = 412.0;

/// A window narrower than this (points) is covered by the panel, but for the bar of a call.
const NARROW: f32 = 600.0;

/// How often the level meter is drawn while the panel is open, in seconds.
pub const METER_EVERY: f32 = 1.0 / 15.0;

/// The level meter's left end, in dB below full scale.
const METER_FLOOR_DB: f32 = -54.0;

const FRAME_RATES: [u32; 4] = [10, 15, 24, 30];
const BIT_RATES: [u32; 7] = [250, 500, 1000, 1500, 2500, 4000, 6000];

fn width_in(window: Rect) -> f32 {
    if window.width() < NARROW {
        return window.width() - 2.0 * space::S;
    }
    (window.width() - CONTROLS_NEED).clamp(MIN_WIDTH, WIDTH)
}

/// The part of `window` beside the open panel; the whole of it where nothing is beside the panel.
pub fn beside(window: Rect) -> Rect {
    if window.width() < NARROW {
        return window;
    }
    Rect::from_min_max(window.min, pos2(window.right() - width_in(window) - space::S, window.bottom()))
}

/// Whether the panel is shown.
#[derive(Debug, Default)]
pub struct SettingsPanel {
    open: bool,
    /// The settings of being reached shall be scrolled to.
    to_reachable: bool,
    servers: ServerSettings,
}

impl SettingsPanel {
    /// True while it is shown.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Shows or hides it. The microphone is open for its meter only while the panel is.
    pub fn toggle(&mut self, scene: &mut Scene<'_>) {
        self.open = !self.open;
        if self.open {
            scene.send(Command::RefreshDevices);
        }
        scene.send(Command::WatchMicrophone { on: self.open });
    }

    /// Shows it at the quiet hours.
    pub fn open_at_quiet_hours(&mut self, scene: &mut Scene<'_>) {
        if !self.open {
            self.toggle(scene);
        }
        self.to_reachable = true;
    }

    /// Hides it.
    pub fn close(&mut self, scene: &mut Scene<'_>) {
        if self.open {
            self.toggle(scene);
        }
    }

    /// Keeps the meter alive: the end of a call, and a change of the camera alone, close the microphone.
    pub fn keep_meter(&self, scene: &mut Scene<'_>, call_over: bool) {
        let closes = |command: &Command| matches!(command, Command::CreateStream { .. } | Command::CloseStream);
        if self.open && (call_over || scene.commands.iter().any(closes)) {
            scene.send(Command::WatchMicrophone { on: true });
        }
    }

    /// Takes Esc before anything beneath the panel does.
    pub fn take_keys(&mut self, ui: &Ui, scene: &mut Scene<'_>) {
        let busy = egui::Popup::is_any_open(ui.ctx());
        if self.open && !busy && keys::pressed(ui, Modifiers::NONE, Key::Escape) {
            self.toggle(scene);
        }
    }

    /// Draws it at the right, over everything but the bar of a call, `bar` points high at the bottom.
    pub fn show(&mut self, ui: &Ui, scene: &mut Scene<'_>, bar: f32) {
        if !self.open {
            return;
        }
        ui.ctx().request_repaint_after_secs(METER_EVERY);
        let mut area = ui.ctx().content_rect();
        let width = width_in(area);
        if area.width() < NARROW {
            area.max.y -= bar;
        }
        let at = pos2(area.right() - width - space::S, area.top() + space::S);
        let mut close = false;
        Area::new(Id::unique("settings")).fixed_pos(at).order(egui::Order::Middle).show(ui.ctx(), |ui| {
            let palette = Palette::of(ui);
            let frame = Frame::new()
                .fill(palette.surface)
                .stroke(Stroke::new(1.0, palette.line))
                .corner_radius(CornerRadius::same(radius::CARD))
                .shadow(ui.visuals().window_shadow)
                .inner_margin(Margin { left: 20, right: 8, top: 12, bottom: 12 });
            frame.show(ui, |ui| {
                landmark(ui, egui::Role::Region, scene.text(Text::Settings));
                ui.set_width(width - 30.0);
                ui.set_max_height(area.height() - 2.0 * space::S - 26.0);
                ui.horizontal(|ui| {
                    ui.label(Type::Title.text(scene.text(Text::Settings), palette.text));
                    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                        close = icon_button(ui, Icon::Close, scene.text(Text::Close)).clicked();
                    });
                });
                let height = area.height() - 2.0 * space::S - 24.0 - 36.0 - space::S - 2.0;
                egui::ScrollArea::vertical().max_height(height).auto_shrink(false).show(ui, |ui| {
                    ui.set_width(width - 46.0);
                    ui.spacing_mut().item_spacing.y = 6.0;
                    content(ui, scene, &mut self.servers, std::mem::take(&mut self.to_reachable));
                });
            });
        });
        if close {
            self.toggle(scene);
        }
    }
}

/// Draws the settings, and scrolls to those of being reached where that is asked for.
fn content(ui: &mut Ui, scene: &mut Scene<'_>, servers: &mut ServerSettings, to_reachable: bool) {
    let mut settings = scene.snapshot.settings.clone();
    ui.horizontal(|ui| {
        ui.label(Type::Strong.text(scene.text(Text::SectionVideo), Palette::of(ui).accent));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let refresh = TextButton::new(scene.text(Text::RefreshDevices)).icon(Icon::Refresh).weight(Weight::Plain);
            if refresh.show(ui).clicked() {
                scene.send(Command::RefreshDevices);
            }
        });
    });
    video(ui, scene, &mut settings);
    section(ui, scene.text(Text::SectionSound));
    sound(ui, scene, &mut settings);
    let reachable = section(ui, scene.text(Text::Reachable));
    if to_reachable {
        reachable.scroll_to_me(Some(Align::TOP));
    }
    reachable_settings::show(ui, scene, &mut settings);
    section(ui, scene.text(Text::SectionPrivacy));
    let words = [Text::StrangersMayRing, Text::StrangersDetail].map(|key| scene.text(key));
    switch_row(ui, &mut settings.strangers_may_ring, words[0], words[1]);
    if !settings.strangers_may_ring {
        invitation(ui, scene);
    }
    section(ui, scene.text(Text::SectionServers));
    servers.show(ui, scene);
    relay(ui, scene.words, &mut settings);
    section(ui, scene.text(Text::SectionLook));
    look_settings::show(ui, scene, &mut settings);
    section(ui, scene.text(Text::SectionKeys));
    key_list::show(ui, scene.words);
    ui.add_space(space::M);
    let palette = Palette::of(ui);
    let version = scene.words.fill(Text::Version, &[("value", env!("CARGO_PKG_VERSION"))]);
    ui.label(Type::Caption.text(version, palette.text_soft));
    ui.add_space(space::S);
    if settings != scene.snapshot.settings {
        scene.send(Command::UpdateSettings { settings: (&settings).into() });
    }
}

/// Links for one call, where only contacts may ring.
fn invitation(ui: &mut Ui, scene: &mut Scene<'_>) {
    ui.horizontal_wrapped(|ui| {
        if TextButton::new(scene.text(Text::MakeInvitation)).show(ui).clicked() {
            scene.send(Command::CreateInvitation);
        }
        if let Some(link) = &scene.snapshot.me.invitation
            && TextButton::new(scene.text(Text::CopyInvitation)).icon(Icon::Copy).show(ui).clicked()
        {
            ui.ctx().copy_text(link.clone());
        }
    });
    ui.label(Type::Caption.text(scene.text(Text::InvitationDetail), Palette::of(ui).text_soft));
}

fn section(ui: &mut Ui, title: &str) -> Response {
    ui.add_space(space::M);
    ui.label(Type::Strong.text(title, Palette::of(ui).accent))
}

fn hint(ui: &mut Ui, text: &str) {
    ui.add(Label::new(Type::Caption.text(text, Palette::of(ui).text_soft)).wrap());
}

fn fault(ui: &mut Ui, words: Words, device: DeviceKind, fault: Option<&DeviceFault>, choice: &DeviceChoice) {
    let Some(fault) = fault else { return };
    let text = words.device_fault(device, fault, choice);
    // The list to choose from is right above.
    let text = text.replace(words.get(Text::InSettings), words.get(Text::Above));
    ui.add(Label::new(Type::Caption.text(text, Palette::of(ui).warning)).wrap());
}

/// Name of a preset: its size.
fn preset_name(preset: Preset) -> String {
    let (width, height) = preset.size();
    format!("{width} × {height}")
}

/// Format of the camera's pictures, in words.
fn camera_gives(stream: &LocalStreamView, preset: Preset, words: Words) -> String {
    if !stream.video || stream.width == 0 {
        return words.get(Text::CameraClosed).to_owned();
    }
    let (width, height) =
        stream.camera_mode.map_or((stream.width, stream.height), |(width, height, _)| (width, height));
    let size = format!("{width} × {height}");
    let fps = format!("{:.0}", stream.fps);
    if preset.size() == (width, height) {
        words.fill(Text::CameraGives, &[("size", &size), ("fps", &fps)])
    } else {
        words.fill(Text::CameraGivesOther, &[("asked", &preset_name(preset)), ("size", &size), ("fps", &fps)])
    }
}

/// The modes of the camera that is chosen, as far as they are known.
fn camera_modes<'a>(snapshot: &'a Snapshot, choice: &DeviceChoice) -> &'a [(u32, u32, u32)] {
    let cameras = &snapshot.devices.cameras;
    let chosen = match choice {
        DeviceChoice::Named(name) => cameras.iter().find(|camera| camera.name == *name),
        DeviceChoice::SystemDefault => {
            cameras.iter().find(|camera| camera.name == snapshot.local_stream.camera).or_else(|| cameras.first())
        }
        DeviceChoice::None | DeviceChoice::TestCard { .. } | DeviceChoice::Tone { .. } | DeviceChoice::File(_) => None,
    };
    chosen.map_or(&[], |camera| camera.modes.as_slice())
}

/// Whether a preset asks for more than a camera of these modes gives.
fn is_above(preset: Preset, modes: &[(u32, u32, u32)]) -> bool {
    let (width, height) = preset.size();
    !modes.is_empty() && !modes.iter().any(|mode| mode.0 >= width && mode.1 >= height)
}

fn video(ui: &mut Ui, scene: &Scene<'_>, settings: &mut Settings) {
    let (words, snapshot) = (scene.words, scene.snapshot);
    let stream = &snapshot.local_stream;
    let cameras = plugged(&snapshot.devices, DeviceKind::Camera);
    let synthetic = [DeviceChoice::TestCard { format: None }, DeviceChoice::None];
    device(ui, words, Text::Camera, &mut settings.camera, &cameras, &synthetic);
    fault(ui, words, DeviceKind::Camera, stream.camera_fault.as_ref(), &settings.camera);
    let modes = camera_modes(snapshot, &settings.camera);
    let name = |preset: Preset| match is_above(preset, modes) {
        true => words.fill(Text::PresetAbove, &[("size", &preset_name(preset))]),
        false => preset_name(preset),
    };
    let names: Vec<String> = Preset::ALL.into_iter().map(name).collect();
    let current = Preset::ALL.into_iter().position(|preset| preset == settings.preset);
    let shown = preset_name(settings.preset);
    if let Some(index) = drop_down(ui, words.get(Text::Resolution), &shown, &names, current)
        && let Some(preset) = Preset::ALL.get(index)
    {
        settings.preset = *preset;
    }
    hint(ui, &camera_gives(stream, settings.preset, words));
    let rate = |fps: u32| words.fill(Text::FrameRateChoice, &[("value", &fps.to_string())]);
    if let Some(fps) = number(ui, words.get(Text::FrameRate), &FRAME_RATES, settings.max_fps, rate) {
        settings.max_fps = fps;
    }
    bit_rate(ui, words, settings);
    ui.add_space(space::XS);
    switch_row(ui, &mut settings.mirror, words.get(Text::Mirror), words.get(Text::MirrorDetail));
}

/// A drop-down list of numbers, with the current one among them.
fn number(ui: &mut Ui, label: &str, usual: &[u32], current: u32, name: impl Fn(u32) -> String) -> Option<u32> {
    let mut values = usual.to_vec();
    if !values.contains(&current) {
        values.push(current);
        values.sort_unstable();
    }
    let names: Vec<String> = values.iter().map(|value| name(*value)).collect();
    let at = values.iter().position(|value| *value == current);
    drop_down(ui, label, &name(current), &names, at).and_then(|index| values.get(index).copied())
}

fn bit_rate(ui: &mut Ui, words: Words, settings: &mut Settings) {
    let usual = settings.preset.default_max_kbps();
    let name = |kbps: u32| match kbps {
        0 => words.fill(Text::BitRateAuto, &[("value", &usual.to_string())]),
        kbps => words.fill(Text::BitRateChoice, &[("value", &kbps.to_string())]),
    };
    let choices: Vec<u32> = std::iter::once(0).chain(BIT_RATES).collect();
    if let Some(kbps) = number(ui, words.get(Text::BitRate), &choices, settings.max_kbps.unwrap_or(0), name) {
        let range = VideoFormat::KBPS_RANGE;
        settings.max_kbps = (kbps > 0).then(|| kbps.clamp(*range.start(), *range.end()));
    }
}

fn sound(ui: &mut Ui, scene: &mut Scene<'_>, settings: &mut Settings) {
    let (words, snapshot) = (scene.words, scene.snapshot);
    let stream = &snapshot.local_stream;
    let synthetic = [DeviceChoice::from("tone".to_owned()), DeviceChoice::None];
    device(ui, words, Text::Microphone, &mut settings.microphone, &snapshot.devices.microphones, &synthetic);
    fault(ui, words, DeviceKind::Microphone, stream.microphone_fault.as_ref(), &settings.microphone);
    meter(ui, words.get(Text::Level), stream.level.peak());
    ui.add_space(space::XS);
    processing(ui, words, settings);
    device(ui, words, Text::Speaker, &mut settings.speaker, &snapshot.devices.speakers, &[DeviceChoice::None]);
    fault(ui, words, DeviceKind::Speaker, stream.speaker_fault.as_ref(), &settings.speaker);
    ui.add_space(space::XS);
    if TextButton::new(words.get(Text::TestSpeaker)).icon(Icon::Speaker).show(ui).clicked() {
        scene.send(Command::TestSpeaker);
    }
    // Other systems have none of our keys yet.
    if cfg!(target_os = "linux") {
        ui.add_space(space::XS);
        outside_keys(ui, words, settings);
    }
}

/// Keys that work while another window has the keyboard.
fn outside_keys(ui: &mut Ui, words: Words, settings: &mut Settings) {
    let (title, detail) = (words.get(Text::MediaKeys), words.get(Text::MediaKeysDetail));
    switch_row(ui, &mut settings.media_keys, title, detail);
    let off = (None, words.get(Text::TalkKeyOff).to_owned());
    let keys = TalkKey::ALL.into_iter().map(|key| (Some(key), key.cap().to_owned()));
    let choices: Vec<(Option<TalkKey>, String)> = std::iter::once(off).chain(keys).collect();
    if let Some(key) = choose(ui, words.get(Text::TalkKey), &choices, &settings.talk_key) {
        settings.talk_key = key;
    }
    hint(ui, words.get(Text::TalkKeyDetail));
}

/// Switches of voice processing.
fn processing(ui: &mut Ui, words: Words, settings: &mut Settings) {
    let switches = [
        (&mut settings.echo_cancellation, Text::EchoCancellation, Text::EchoCancellationDetail),
        (&mut settings.noise_suppression, Text::NoiseSuppression, Text::NoiseSuppressionDetail),
        (&mut settings.automatic_gain, Text::AutomaticGain, Text::AutomaticGainDetail),
    ];
    for (on, title, detail) in switches {
        switch_row(ui, on, words.get(title), words.get(detail));
    }
    ui.add_space(space::XS);
}

fn relay(ui: &mut Ui, words: Words, settings: &mut Settings) {
    let uses =
        [(RelayUse::Auto, Text::RelayAuto), (RelayUse::Always, Text::RelayAlways), (RelayUse::Never, Text::RelayNever)];
    look_settings::choice(ui, words, Text::RelayLabel, &mut settings.relay, uses);
    let text = Type::Caption.text(words.get(Text::RelayDetail), Palette::of(ui).text_soft);
    ui.add(egui::Label::new(text).wrap());
}

fn device(
    ui: &mut Ui,
    words: Words,
    label: Text,
    choice: &mut DeviceChoice,
    plugged: &[String],
    synthetic: &[DeviceChoice],
) {
    let choices = device_list(plugged, synthetic, Some(choice), words);
    if let Some(chosen) = choose(ui, words.get(label), &choices, choice) {
        *choice = chosen;
    }
}

/// How far a meter of this peak (linear, 0..=1) reaches, from 0 to 1.
pub fn meter_reach(peak: f32) -> f32 {
    if peak <= 0.0 { 0.0 } else { (1.0 - 20.0 * peak.log10() / METER_FLOOR_DB).clamp(0.0, 1.0) }
}

/// Draws the level of the microphone, whose `peak` is linear, as wide as there is room.
pub fn meter(ui: &mut Ui, name: &str, peak: f32) {
    let palette = Palette::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 16.0), Sense::hover());
    let reach = meter_reach(peak);
    let value = f64::from((reach * 100.0).round());
    response.widget_info(|| egui::WidgetInfo {
        value: Some(value),
        ..egui::WidgetInfo::labeled(egui::Role::Meter, true, name)
    });
    let bar = Rect::from_center_size(rect.center(), vec2(rect.width(), 8.0));
    ui.painter().rect_filled(bar, CornerRadius::same(4), palette.raised);
    let ink = if peak >= 0.98 { palette.danger } else { palette.accent };
    let filled = Rect::from_min_size(bar.min, vec2(bar.width() * reach, bar.height()));
    if filled.width() > 1.0 {
        ui.painter().rect_filled(filled, CornerRadius::same(4), ink);
    }
    explain(response, name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meter_is_in_decibels() {
        assert_eq!(meter_reach(0.0), 0.0);
        assert_eq!(meter_reach(1.0), 1.0);
        assert!((meter_reach(0.1) - (1.0 - 20.0 / 54.0)).abs() < 1e-3);
        assert_eq!(meter_reach(1e-6), 0.0);
    }

    #[test]
    fn presets_above_the_cameras_modes_are_told_from_the_others() {
        let modes = [(1280, 720, 30), (640, 480, 30)];
        assert!(is_above(Preset::FullWide, &modes));
        assert!(!is_above(Preset::HighWide, &modes) && !is_above(Preset::Low, &modes));
        assert!(!is_above(Preset::FullWide, &[]), "not known");
    }
}
