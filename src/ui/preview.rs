//! One's own picture on home, or in its place the sentence that says why there is none.

use std::sync::Arc;

use eframe::egui::text::LayoutJob;
use eframe::egui::{Align, Color32, CornerRadius, Galley, Layout, Rect, Stroke, StrokeKind, Ui, UiBuilder, pos2, vec2};

use crate::controller::{Command, LocalStreamView};
use crate::device::{DeviceChoice, DeviceFault, DeviceKind};

use super::buttons::{Round, TextButton, Weight, round_control};
use super::catalogue::Text;
use super::icons::Icon;
use super::scene::Scene;
use super::theme::{self, Palette, Type, radius, space};
use super::tile::{Fit, TileOptions};

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Absence {
    Fault(DeviceFault),
    NoCamera,
    Off,
    Starting,
}

fn absence(stream: &LocalStreamView, camera: &DeviceChoice, wanted: bool) -> Absence {
    match (&stream.camera_fault, camera) {
        (Some(fault), _) => Absence::Fault(fault.clone()),
        (None, DeviceChoice::None) => Absence::NoCamera,
        (None, _) if stream.video || wanted => Absence::Starting,
        (None, _) => Absence::Off,
    }
}

/// Draws the picture into `rect`; true when the settings are asked for.
pub fn show(ui: &mut Ui, rect: Rect, scene: &mut Scene<'_>) -> bool {
    let snapshot = scene.snapshot;
    let stream = &snapshot.local_stream;
    let options = TileOptions { mirror: snapshot.settings.mirror, fit: Fit::Cover, rounding: radius::PICTURE };
    let works = stream.video && stream.camera_fault.is_none();
    if works && scene.tiles.paint(ui, rect, &stream.preview, options) {
        let corner = Rect::from_min_max(rect.max - vec2(60.0, 60.0), rect.max - vec2(12.0, 12.0));
        let disc = corner.center();
        ui.painter().circle_filled(disc, 24.0, theme::SCRIM);
        let mut corner = ui.new_child(UiBuilder::new().id_salt("camera off").max_rect(corner));
        let name = scene.text(Text::CameraTurnOff);
        if round_control(&mut corner, Icon::Camera, name, name, Round::Plain).clicked() {
            scene.send(Command::CloseStream);
        }
        return false;
    }
    placeholder(ui, rect, absence(stream, &snapshot.settings.camera, scene.camera_wanted), scene)
}

fn placeholder(ui: &mut Ui, rect: Rect, absence: Absence, scene: &mut Scene<'_>) -> bool {
    let palette = Palette::of(ui);
    let corner = CornerRadius::same(radius::PICTURE as u8);
    ui.painter().rect_filled(rect, corner, palette.surface);
    ui.painter().rect_stroke(rect, corner, Stroke::new(1.0, palette.line), StrokeKind::Inside);
    let chosen = &scene.snapshot.settings.camera;
    let says = |text| scene.text(text).to_owned();
    let (icon, said, button) = match &absence {
        Absence::Fault(fault) => {
            let said = scene.words.device_fault(DeviceKind::Camera, fault, chosen);
            (Icon::Warning, said, Some(Text::OpenSettings))
        }
        Absence::NoCamera => (Icon::CameraOff, says(Text::PreviewNoCamera), Some(Text::OpenSettings)),
        Absence::Off => (Icon::CameraOff, says(Text::PreviewOff), Some(Text::CameraTurnOn)),
        Absence::Starting => (Icon::Camera, says(Text::PreviewStarting), None),
    };
    let room = (rect.width() - 2.0 * space::XL).min(380.0);
    let text = centered(ui, &said, palette.text_soft, room);
    let with_button = if button.is_some() { 36.0 + space::L } else { 0.0 };
    let height = 32.0 + space::M + text.size().y + with_button;
    let mut y = rect.center().y - height / 2.0;
    let ink = if matches!(absence, Absence::Fault(_)) { palette.warning } else { palette.text_soft };
    icon.paint(ui.painter(), pos2(rect.center().x, y + 16.0), 32.0, ink);
    y += 32.0 + space::M;
    let text_height = text.size().y;
    let place = Rect::from_min_size(pos2(rect.center().x - text.size().x / 2.0, y), text.size());
    let label = ui.interact(place, ui.scope_id().with("why"), eframe::egui::Sense::hover());
    label.widget_info(|| eframe::egui::WidgetInfo::labeled(eframe::egui::Role::Label, true, &said));
    ui.painter().galley(place.center_top(), text, palette.text_soft);
    y += text_height + space::L;
    let Some(word) = button else { return false };
    let weight = if word == Text::CameraTurnOn { Weight::Primary } else { Weight::Quiet };
    let button = TextButton::new(scene.text(word)).weight(weight);
    let width = button.natural_width(ui);
    let place = Rect::from_min_size(pos2(rect.center().x - width / 2.0, y), vec2(width, 36.0));
    let builder = UiBuilder::new().id_salt("way on").max_rect(place).layout(Layout::left_to_right(Align::Center));
    if button.show(&mut ui.new_child(builder)).clicked() {
        if word == Text::OpenSettings {
            return true;
        }
        scene.open_camera();
    }
    false
}

/// `text` wrapped at `room` points, to be painted around the middle of its top.
fn centered(ui: &Ui, text: &str, color: Color32, room: f32) -> Arc<Galley> {
    let mut job = LayoutJob::simple(text.to_owned(), Type::Body.font(), color, room);
    job.halign = Align::Center;
    ui.painter().layout_job(job)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::DeviceFault;
    use crate::media::{FrameSlot, LevelMeter};

    fn stream(video: bool, camera_fault: Option<DeviceFault>) -> LocalStreamView {
        LocalStreamView {
            audio: false,
            video,
            sends_audio: false,
            sends_video: false,
            spoke_muted: false,
            width: 0,
            height: 0,
            fps: 0.0,
            camera_mode: None,
            camera: String::new(),
            microphone: String::new(),
            preview: Arc::new(FrameSlot::new()),
            level: Arc::new(LevelMeter::default()),
            camera_fault,
            microphone_fault: None,
            speaker_fault: None,
        }
    }

    #[test]
    fn a_missing_picture_is_explained() {
        let (system, none) = (DeviceChoice::SystemDefault, DeviceChoice::None);
        assert_eq!(absence(&stream(true, None), &system, true), Absence::Starting);
        assert_eq!(absence(&stream(false, None), &system, true), Absence::Starting);
        assert_eq!(absence(&stream(false, None), &system, false), Absence::Off);
        assert_eq!(absence(&stream(false, None), &none, true), Absence::NoCamera);
        let busy = absence(&stream(true, Some(DeviceFault::Busy)), &system, true);
        assert_eq!(busy, Absence::Fault(DeviceFault::Busy));
    }
}
