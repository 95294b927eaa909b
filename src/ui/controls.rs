//! The bar of controls at the bottom of a call, its keys, and when it fades.

use eframe::egui::{
    self, Align, Key, Layout, Modifiers, Rect, Response, Role, Sense, Ui, UiBuilder, ViewportCommand, WidgetInfo, pos2,
    vec2,
};

use crate::controller::{Command, Snapshot};
use crate::device::{DeviceChoice, DeviceKind};

use super::buttons::{Control, announce, explain, one_line, painted_words, round_control};
use super::catalogue::{Text, Words};
use super::icons::Icon;
use super::keys;
use super::scene::Scene;
use super::theme::{self, Palette, Type, space};

/// The controls fade when nothing has been touched for this long, in seconds.
const REST: f64 = 3.0;

/// How long fading takes, in seconds.
const FADE: f32 = 0.25;

/// Height that the bar takes at the bottom, in points.
pub const BAR_HEIGHT: f32 = 48.0 + 2.0 * space::L;

/// Request of a press or a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Mute or unmute.
    Microphone,
    /// Open or close the camera.
    Camera,
    /// Enter or leave full screen.
    FullScreen,
    /// Leave full screen.
    LeaveFullScreen,
    /// Hang up.
    HangUp,
    /// Show or hide the statistics.
    Statistics,
    /// Show or hide the settings.
    Settings,
}

/// When something was last touched.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Activity {
    last: Option<f64>,
}

impl Activity {
    /// Notes the frame's input (`touched`) at `now` seconds; returns for how long the controls stay, in seconds; 0 when
    /// they fade.
    pub fn remaining(&mut self, now: f64, touched: bool) -> f64 {
        if touched || self.last.is_none() {
            self.last = Some(now);
        }
        self.last.map_or(REST, |last| (last + REST - now).max(0.0))
    }
}

/// How visible the controls are, from 0 to 1; asks for the frames that fading needs.
pub fn opacity(ui: &Ui, activity: &mut Activity, hold: bool) -> f32 {
    let (now, touched) = ui.input(|input| {
        let moved = input.pointer.delta() != egui::Vec2::ZERO || input.pointer.any_down();
        (input.time, moved || input.events.iter().any(|event| matches!(event, egui::Event::Key { .. })))
    });
    let remaining = activity.remaining(now, touched || hold);
    if remaining > 0.0 && !hold {
        ui.ctx().request_repaint_after_secs(remaining as f32 + 0.02);
    }
    ui.ctx().animate_bool_with_time(ui.scope_id().with("controls"), remaining > 0.0, FADE)
}

/// Reads the keys of a call: M, V, F, Esc, Ctrl+Enter, Ctrl+I. None while a text is being typed.
pub fn act_of_keys(ui: &Ui) -> Option<Act> {
    let hang_up = keys::pressed(ui, Modifiers::COMMAND, Key::Enter);
    let statistics = keys::pressed(ui, Modifiers::COMMAND, Key::I);
    if hang_up || statistics {
        return Some(if hang_up { Act::HangUp } else { Act::Statistics });
    }
    if ui.ctx().text_edit_focused() || egui::Popup::is_any_open(ui.ctx()) {
        return None;
    }
    // Esc means nothing here outside full screen.
    let escape = is_full_screen(ui).then_some((Key::Escape, Act::LeaveFullScreen));
    let acts = [(Key::M, Act::Microphone), (Key::V, Act::Camera), (Key::F, Act::FullScreen)];
    acts.into_iter().chain(escape).find_map(|(key, act)| keys::pressed(ui, Modifiers::NONE, key).then_some(act))
}

/// Whether the window fills the screen.
pub fn is_full_screen(ui: &Ui) -> bool {
    ui.input(|input| input.viewport().fullscreen.unwrap_or(false))
}

/// Carries out requests about the call and the window; the rest is the caller's.
pub fn carry_out(ui: &Ui, act: Act, scene: &mut Scene<'_>) {
    let stream = &scene.snapshot.local_stream;
    match act {
        Act::Microphone => scene.send(Command::EnableAudio { on: !stream.sends_audio, participant: None }),
        Act::Camera => scene.send(Command::EnableVideo { on: !stream.sends_video, participant: None }),
        Act::FullScreen => ui.ctx().send_viewport_cmd(ViewportCommand::Fullscreen(!is_full_screen(ui))),
        Act::LeaveFullScreen => ui.ctx().send_viewport_cmd(ViewportCommand::Fullscreen(false)),
        Act::HangUp => scene.send(Command::Leave),
        Act::Statistics | Act::Settings => {}
    }
}

/// Draws the bar at the bottom of `area`.
pub fn show(ui: &mut Ui, area: Rect, scene: &Scene<'_>) -> Option<Act> {
    const COUNT: f32 = 6.0;
    let width = COUNT * 48.0 + (COUNT - 1.0) * space::M + space::M;
    let bar = Rect::from_min_size(
        pos2(area.center().x - width / 2.0, area.bottom() - BAR_HEIGHT + space::M),
        vec2(width, 48.0),
    );
    let back = bar.expand2(vec2(space::M, space::S));
    ui.painter().rect_filled(back, egui::CornerRadius::same(32), theme::SCRIM);
    let builder = UiBuilder::new().id_salt("controls").max_rect(bar).layout(Layout::left_to_right(Align::Center));
    let mut line = ui.new_child(builder);
    line.spacing_mut().item_spacing.x = space::M;
    let stream = &scene.snapshot.local_stream;
    let full = is_full_screen(ui);
    let microphone = if stream.sends_audio {
        (Icon::Microphone, Text::Mute, Control::Plain)
    } else {
        (Icon::MicrophoneOff, Text::Unmute, Control::Off)
    };
    let camera = if stream.sends_video {
        (Icon::Camera, Text::CameraOff, Control::Plain)
    } else {
        (Icon::CameraOff, Text::CameraOn, Control::Off)
    };
    let screen = if full { (Icon::Shrink, Text::LeaveFullScreen) } else { (Icon::Expand, Text::FullScreen) };
    let controls = [
        (microphone.0, microphone.1, microphone.2, "M", Act::Microphone),
        (camera.0, camera.1, camera.2, "V", Act::Camera),
        (Icon::Chart, Text::Statistics, Control::Plain, "Ctrl+I", Act::Statistics),
        (Icon::Sliders, Text::Settings, Control::Plain, "", Act::Settings),
        (screen.0, screen.1, Control::Plain, "F", Act::FullScreen),
    ];
    let mut act = None;
    for (icon, text, look, key, what) in controls {
        let device = match what {
            Act::Microphone => Some(DeviceKind::Microphone),
            Act::Camera => Some(DeviceKind::Camera),
            _ => None,
        };
        let response = press(&mut line, icon, scene.text(text), key, look);
        if let Some(why) = device.and_then(|device| trouble(scene.snapshot, device, scene.words)) {
            warning_mark(&line, response.rect, &why);
            explain(response.clone(), why);
        }
        if response.clicked() {
            act = Some(what);
        }
    }
    line.add_space(space::M);
    if press(&mut line, Icon::HangUp, scene.text(Text::HangUp), "Ctrl+Enter", Control::Danger).clicked() {
        act = Some(Act::HangUp);
    }
    act
}

/// Says above the microphone's button that one is muted, while somebody speaks here in vain; also where the bar has
/// faded.
pub fn muted_hint(ui: &Ui, area: Rect, scene: &Scene<'_>) {
    if !scene.snapshot.local_stream.spoke_muted {
        return;
    }
    let palette = Palette::of(ui);
    let words = scene.text(Text::SpeakingMuted);
    let text = one_line(ui, words, Type::Body, theme::ON_PICTURE, area.width() - 2.0 * space::L);
    let size = vec2(text.size().x + 2.0 * space::L + 22.0, 36.0);
    let rect = Rect::from_center_size(pos2(area.center().x, area.bottom() - BAR_HEIGHT - 22.0), size);
    announce(&painted_words(ui, rect, words), true);
    ui.painter().rect_filled(rect, egui::CornerRadius::same(18), theme::SCRIM);
    Icon::MicrophoneOff.paint(ui.painter(), rect.left_center() + vec2(space::L + 4.0, 0.0), 16.0, palette.warning);
    ui.painter().galley(rect.left_center() + vec2(space::L + 18.0, -text.size().y / 2.0), text, theme::ON_PICTURE);
}

fn press(ui: &mut Ui, icon: Icon, name: &str, key: &str, look: Control) -> Response {
    let tip = if key.is_empty() { name.to_owned() } else { format!("{name} ({key})") };
    round_control(ui, icon, name, &tip, look)
}

/// Why nothing of a device reaches the others although it shall.
pub fn trouble(snapshot: &Snapshot, device: DeviceKind, words: Words) -> Option<String> {
    let (stream, settings) = (&snapshot.local_stream, &snapshot.settings);
    let (sends, fault, choice, none) = match device {
        DeviceKind::Camera => (stream.sends_video, &stream.camera_fault, &settings.camera, Text::NoCameraChosen),
        DeviceKind::Microphone => {
            (stream.sends_audio, &stream.microphone_fault, &settings.microphone, Text::NoMicrophoneChosen)
        }
        DeviceKind::Speaker => return None,
    };
    match fault {
        _ if !sends => None,
        Some(fault) => Some(words.device_fault(device, fault, choice)),
        None => (*choice == DeviceChoice::None).then(|| words.get(none).to_owned()),
    }
}

/// A badge at a control's corner: the device is on and does not work.
fn warning_mark(ui: &Ui, control: Rect, why: &str) {
    let palette = Palette::of(ui);
    let center = control.right_top() + vec2(-6.0, 6.0);
    let rect = Rect::from_center_size(center, vec2(22.0, 22.0));
    let response = ui.interact(rect, ui.scope_id().with(("warning", why)), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, why));
    ui.painter().circle_filled(center, 11.0, palette.surface);
    Icon::Warning.paint(ui.painter(), center, 15.0, palette.warning);
    explain(response, why);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_rest_three_seconds_after_the_last_touch() {
        let mut activity = Activity::default();
        assert_eq!(activity.remaining(10.0, false), 3.0);
        assert_eq!(activity.remaining(12.0, false), 1.0);
        assert_eq!(activity.remaining(12.5, true), 3.0);
        assert_eq!(activity.remaining(15.5, false), 0.0);
    }
}
