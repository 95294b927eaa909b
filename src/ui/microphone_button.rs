//! The microphone's button on home: whether calls begin muted, with a level meter in it while the pointer is over it.
//!
//! The microphone is open only as long: an open one turns a wireless headset to telephone sound.

use eframe::egui::{CornerRadius, Rect, Ui, UiBuilder, pos2, vec2};

use crate::controller::Command;

use super::buttons::{Round, round_control};
use super::catalogue::Text;
use super::icons::Icon;
use super::scene::Scene;
use super::settings_panel::{METER_EVERY, meter_reach};
use super::theme;

/// How long the meter stays after the pointer has left, in seconds.
const STAYS: f64 = 2.0;

/// State of the button between frames.
#[derive(Debug, Default)]
pub struct MicrophoneButton {
    /// The meter is asked for since the pointer was over it last, in seconds of the window's time.
    watched: Option<f64>,
}

impl MicrophoneButton {
    /// Draws the button around the middle of `place`. `settings_open`: the settings keep the microphone open for a
    /// meter of their own.
    pub fn show(&mut self, ui: &mut Ui, place: Rect, scene: &mut Scene<'_>, settings_open: bool) {
        let muted = scene.snapshot.settings.join_muted;
        ui.painter().circle_filled(place.center(), 24.0, theme::SCRIM);
        let mut corner = ui.new_child(UiBuilder::new().id_salt("microphone").max_rect(place));
        let (icon, name, look) = if muted {
            (Icon::MicrophoneOff, Text::JoinUnmuted, Round::Off)
        } else {
            (Icon::Microphone, Text::JoinMuted, Round::Plain)
        };
        let name = scene.text(name);
        let button = round_control(&mut corner, icon, name, name, look);
        if button.clicked() {
            scene.change_settings(|settings| settings.join_muted = !muted);
        }
        self.watch(ui, button.hovered() && !muted, scene, settings_open);
        if self.watched.is_some() && !muted {
            meter(ui, place, scene.snapshot.local_stream.level.peak());
            ui.ctx().request_repaint_after_secs(METER_EVERY);
        }
    }

    /// Opens the microphone while `wanted`, and closes it a moment later.
    fn watch(&mut self, ui: &Ui, wanted: bool, scene: &mut Scene<'_>, settings_open: bool) {
        let now = ui.input(|input| input.time);
        if wanted {
            if self.watched.replace(now).is_none() && !settings_open {
                scene.send(Command::WatchMicrophone { on: true });
            }
        } else if self.watched.take_if(|since| now - *since > STAYS).is_some() && !settings_open {
            scene.send(Command::WatchMicrophone { on: false });
        }
    }
}

/// A bar at the button's foot.
fn meter(ui: &Ui, place: Rect, peak: f32) {
    let track = Rect::from_center_size(place.center() + vec2(0.0, 15.0), vec2(22.0, 3.0));
    ui.painter().rect_filled(track, CornerRadius::same(2), theme::ON_PICTURE_HOVER);
    let end = pos2(track.left() + track.width() * meter_reach(peak), track.bottom());
    let filled = Rect::from_min_max(track.min, end);
    if filled.width() > 0.5 {
        ui.painter().rect_filled(filled, CornerRadius::same(2), theme::ON_PICTURE);
    }
}
