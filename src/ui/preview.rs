//! One's own picture on home, or in its place the sentence that says why there is none.

use std::sync::Arc;

use eframe::egui::text::LayoutJob;
use eframe::egui::{
    Align, Color32, CornerRadius, Galley, Layout, Pos2, Rect, Stroke, StrokeKind, Ui, UiBuilder, Vec2, pos2, vec2,
};

use crate::controller::{Command, LocalStreamView};
use crate::device::{DeviceChoice, DeviceFault, DeviceKind};

use super::buttons::{Round, TextButton, Weight, round_control};
use super::catalogue::Text;
use super::icons::Icon;
use super::scene::Scene;
use super::theme::{self, CONTROL_HEIGHT, Palette, Type, radius, space};
use super::tile::{Fit, TileOptions};

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Absence {
    Fault(DeviceFault),
    NoCamera,
    Off,
    Resting,
    Starting,
}

/// Greatest width of the picture in points: larger, it is no mirror any more.
const MAX_WIDTH: f32 = 1280.0;

fn absence(stream: &LocalStreamView, camera: &DeviceChoice, wanted: bool, rests: bool) -> Absence {
    match (&stream.camera_fault, camera) {
        _ if rests => Absence::Resting,
        (Some(fault), _) => Absence::Fault(fault.clone()),
        (None, DeviceChoice::None) => Absence::NoCamera,
        (None, _) if stream.video || wanted => Absence::Starting,
        (None, _) => Absence::Off,
    }
}

/// The part of `room` for one's own picture: the whole of it, no wider than a mirror. The room itself without a
/// picture.
pub fn placed(room: Rect, scene: &Scene<'_>) -> Rect {
    let stream = &scene.snapshot.local_stream;
    let (Some(picture), _) = stream.preview.get() else { return room };
    if !works(stream) || picture.width() == 0 || picture.height() == 0 {
        return room;
    }
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let scale = (room.width().min(MAX_WIDTH) / width).min(room.height() / height).max(0.0);
    Rect::from_center_size(room.center(), vec2(width, height) * scale)
}

fn works(stream: &LocalStreamView) -> bool {
    stream.video && stream.camera_fault.is_none()
}

/// Draws the picture into `room`; true when the settings are asked for.
pub fn show(ui: &mut Ui, room: Rect, scene: &mut Scene<'_>) -> bool {
    let rect = placed(room, scene);
    let snapshot = scene.snapshot;
    let stream = &snapshot.local_stream;
    let options = TileOptions { mirror: snapshot.settings.mirror, fit: Fit::Contain, rounding: radius::PICTURE };
    if works(stream) && scene.tiles.paint(ui, rect, &stream.preview, options) {
        let corner = Rect::from_min_max(rect.max - vec2(60.0, 60.0), rect.max - vec2(12.0, 12.0));
        let disc = corner.center();
        ui.painter().circle_filled(disc, 24.0, theme::SCRIM);
        let mut corner = ui.new_child(UiBuilder::new().id_salt("camera off").max_rect(corner));
        let name = scene.text(Text::CameraTurnOff);
        if round_control(&mut corner, Icon::Camera, name, name, Round::Plain).clicked() {
            scene.send(Command::CloseStream);
            scene.change_settings(|settings| settings.preview = false);
        }
        return false;
    }
    let absence = absence(stream, &snapshot.settings.camera, scene.camera_wanted, scene.camera_rests);
    placeholder(ui, rect, absence, scene)
}

fn placeholder(ui: &mut Ui, rect: Rect, absence: Absence, scene: &mut Scene<'_>) -> bool {
    let palette = Palette::of(ui);
    let corner = CornerRadius::same(radius::PICTURE as u8);
    ui.painter().rect_filled(rect, corner, palette.surface);
    ui.painter().rect_stroke(rect, corner, Stroke::new(1.0, palette.line), StrokeKind::Inside);
    let chosen = &scene.snapshot.settings.camera;
    let says = |text| scene.text(text).to_owned();
    let (icon, said, buttons) = match &absence {
        Absence::Fault(fault) => {
            let said = scene.words.device_fault(DeviceKind::Camera, fault, chosen);
            let without = *fault == DeviceFault::Missing;
            (Icon::Warning, said, if without { WITHOUT_CAMERA } else { &WITHOUT_CAMERA[..1] })
        }
        Absence::NoCamera => (Icon::CameraOff, says(Text::PreviewNoCamera), WITHOUT_CAMERA),
        Absence::Off => (Icon::CameraOff, says(Text::PreviewOff), &[Text::CameraTurnOn][..]),
        Absence::Resting => (Icon::CameraOff, says(Text::PreviewResting), &[][..]),
        Absence::Starting => (Icon::Camera, says(Text::PreviewStarting), &[][..]),
    };
    let room = vec2((rect.width() - 2.0 * space::M).min(380.0), rect.height());
    let text = centered(ui, &said, palette.text_soft, room);
    let with_buttons = if buttons.is_empty() { 0.0 } else { CONTROL_HEIGHT + space::L };
    let with_icon = 32.0 + space::M;
    let mut height = text.size().y;
    let has_buttons = height + with_buttons <= rect.height();
    height += if has_buttons { with_buttons } else { 0.0 };
    let has_icon = height + with_icon <= rect.height();
    height += if has_icon { with_icon } else { 0.0 };
    let mut y = rect.center().y - height / 2.0;
    let ink = if matches!(absence, Absence::Fault(_)) { palette.warning } else { palette.text_soft };
    if has_icon {
        icon.paint(ui.painter(), pos2(rect.center().x, y + 16.0), 32.0, ink);
        y += with_icon;
    }
    let text_height = text.size().y;
    let place = Rect::from_min_size(pos2(rect.center().x - text.size().x / 2.0, y), text.size());
    let label = ui.interact(place, ui.scope_id().with("why"), eframe::egui::Sense::hover());
    label.widget_info(|| eframe::egui::WidgetInfo::labeled(eframe::egui::Role::Label, true, &said));
    ui.painter().galley(place.center_top(), text, palette.text_soft);
    y += text_height + space::L;
    has_buttons && ways_on(ui, pos2(rect.center().x, y), buttons, scene)
}

/// Buttons where there is no camera.
const WITHOUT_CAMERA: &[Text] = &[Text::OpenSettings, Text::UseTestPicture];

/// Draws the buttons around the middle of their top; true when the settings are asked for.
fn ways_on(ui: &mut Ui, top: Pos2, words: &[Text], scene: &mut Scene<'_>) -> bool {
    let button = |word: Text, scene: &Scene<'_>| {
        let weight = if word == Text::CameraTurnOn { Weight::Primary } else { Weight::Quiet };
        TextButton::new(scene.text(word)).weight(weight)
    };
    let widths = words.iter().map(|word| button(*word, scene).natural_width(ui));
    let width = widths.sum::<f32>() + space::S * words.len().saturating_sub(1) as f32;
    let place = Rect::from_min_size(pos2(top.x - width / 2.0, top.y), vec2(width, CONTROL_HEIGHT));
    let builder = UiBuilder::new().id_salt("way on").max_rect(place).layout(Layout::left_to_right(Align::Center));
    let mut line = ui.new_child(builder);
    let mut settings = false;
    for word in words {
        if !button(*word, scene).show(&mut line).clicked() {
            continue;
        }
        match word {
            Text::OpenSettings => settings = true,
            Text::UseTestPicture => {
                scene.change_settings(|settings| settings.camera = DeviceChoice::TestCard { format: None });
                scene.open_camera();
            }
            _ => {
                scene.change_settings(|settings| settings.preview = true);
                scene.open_camera();
            }
        }
    }
    settings
}

/// `text` wrapped and cut within `room` points, to be painted around the middle of its top.
fn centered(ui: &Ui, text: &str, color: Color32, room: Vec2) -> Arc<Galley> {
    let mut job = LayoutJob::simple(text.to_owned(), Type::Body.font(), color, room.x);
    let line = ui.fonts_mut(|fonts| fonts.row_height(&Type::Body.font()));
    job.wrap.max_rows = ((room.y / line) as usize).max(1);
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
        assert_eq!(absence(&stream(true, None), &system, true, false), Absence::Starting);
        assert_eq!(absence(&stream(false, None), &system, true, false), Absence::Starting);
        assert_eq!(absence(&stream(false, None), &system, false, false), Absence::Off);
        assert_eq!(absence(&stream(false, None), &system, false, true), Absence::Resting);
        assert_eq!(absence(&stream(false, None), &none, true, false), Absence::NoCamera);
        let busy = absence(&stream(true, Some(DeviceFault::Busy)), &system, true, false);
        assert_eq!(busy, Absence::Fault(DeviceFault::Busy));
    }
}
