//! Requests of a call's buttons and keys, and the time after which the buttons fade.

use eframe::egui::{self, Key, Modifiers, Rect, Ui, ViewportCommand, pos2, vec2};

use crate::controller::{Command, Snapshot};
use crate::device::{DeviceChoice, DeviceKind};

use super::buttons::{Round, announce, one_line, painted_words};
use super::catalogue::{Text, Words};
use super::icons::Icon;
use super::keys;
use super::scene::Scene;
use super::theme::{self, Palette, Type, space};

/// The controls fade when nothing has been touched for this long, in seconds.
const REST: f64 = 3.0;

/// How long fading takes, in seconds.
const FADE: f32 = 0.25;

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
    /// Show the safety number of the other.
    SafetyNumber,
    /// Show or hide the settings.
    Settings,
    /// Go on in the small window.
    SmallWindow,
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

/// Guard of controls that have faded: a touch that begins on them wakes them and presses nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waking {
    /// They could not be seen in the frame before.
    faded: bool,
    under_way: bool,
}

impl Waking {
    /// Follows the frame's input; true while a touch is under way that began on faded controls.
    pub fn follow(&mut self, ui: &Ui, opacity: f32) -> bool {
        let (pressed, touched) =
            ui.input(|input| (input.pointer.any_pressed(), input.pointer.any_down() || input.pointer.any_released()));
        self.under_way = touched && (self.under_way || (pressed && self.faded));
        self.faded = opacity == 0.0;
        self.under_way
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

/// Reads the keys of a call: M, V, F, P, Esc, Ctrl+Enter, Ctrl+I. None while a text is being typed.
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
    let acts =
        [(Key::M, Act::Microphone), (Key::V, Act::Camera), (Key::F, Act::FullScreen), (Key::P, Act::SmallWindow)];
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
        Act::Statistics | Act::SafetyNumber | Act::Settings | Act::SmallWindow => {}
    }
}

/// Says above the `bar` that one is muted, while somebody speaks here in vain, or that one is heard while Space is
/// held; also where the bar has faded.
pub fn muted_hint(ui: &Ui, area: Rect, bar: Rect, scene: &Scene<'_>, talking: bool) {
    let (icon, key) = match (talking, scene.snapshot.local_stream.spoke_muted) {
        (true, _) => (Icon::Microphone, Text::HeardWhileHeld),
        (false, true) => (Icon::MicrophoneOff, Text::SpeakingMuted),
        (false, false) => return,
    };
    let palette = Palette::of(ui);
    let words = scene.text(key);
    let text = one_line(ui, words, Type::Body, theme::ON_PICTURE, area.width() - 2.0 * space::L);
    let size = vec2(text.size().x + 2.0 * space::L + 22.0, 36.0);
    let rect = Rect::from_center_size(pos2(area.center().x, bar.top() - 24.0), size);
    announce(&painted_words(ui, rect, words), true);
    ui.painter().rect_filled(rect, egui::CornerRadius::same(18), theme::SCRIM);
    let ink = if talking { palette.accent } else { palette.warning };
    icon.paint(ui.painter(), rect.left_center() + vec2(space::L + 4.0, 0.0), 16.0, ink);
    ui.painter().galley(rect.left_center() + vec2(space::L + 18.0, -text.size().y / 2.0), text, theme::ON_PICTURE);
}

/// Icon, words and look of the button that mutes and unmutes.
pub const fn microphone_look(sends_audio: bool) -> (Icon, Text, Round) {
    if sends_audio {
        (Icon::Microphone, Text::Mute, Round::Plain)
    } else {
        (Icon::MicrophoneOff, Text::Unmute, Round::Off)
    }
}

/// Icon, words and look of the button that turns one's own camera off and on.
pub const fn camera_look(sends_video: bool) -> (Icon, Text, Round) {
    if sends_video {
        (Icon::Camera, Text::CameraOff, Round::Plain)
    } else {
        (Icon::CameraOff, Text::CameraOn, Round::Off)
    }
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
