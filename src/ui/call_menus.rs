//! Menus of the call's bar: devices, volumes, and whatever is needed less often.

use eframe::egui::{
    Align, CornerRadius, Layout, Response, Role, ScrollArea, Sense, Slider, Ui, WidgetInfo, pos2, style::HandleShape,
    vec2,
};

use crate::controller::{Command, ConversationView, ParticipantView, PersonKind};
use crate::device::{DeviceChoice, DeviceKind};
use crate::media::Volume;
use crate::store::{PictureFit, SelfViewSize, Settings};

use super::buttons::{explain, one_line, segments};
use super::catalogue::Text;
use super::controls::{Act, is_full_screen};
use super::device_names::{device_list, plugged};
use super::icons::Icon;
use super::scene::Scene;
use super::settings_panel::{METER_EVERY, meter};
use super::theme::{Palette, Type, space};

/// Width of a menu in points.
pub const WIDTH: f32 = 284.0;

/// Height of the window that a menu leaves free, in points.
const LEFT_FREE: f32 = 190.0;
/// Least height of a menu's rows, in points.
const LEAST: f32 = 100.0;

/// Steps of a volume in percent.
const VOLUME_STEP: f64 = 5.0;

/// Mark before the words of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// One of several, which holds or not.
    Choice(bool),
    /// A picture of the effect.
    Icon(Icon),
}

/// Draws one row of a menu, with its key.
fn row(ui: &mut Ui, mark: Mark, words: &str, key: &str) -> Response {
    let palette = Palette::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 34.0), Sense::click());
    response.widget_info(|| match mark {
        Mark::Choice(on) => WidgetInfo::selected(Role::RadioButton, true, on, words),
        Mark::Icon(_) => WidgetInfo::labeled(Role::Button, true, words),
    });
    if response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, CornerRadius::same(8), palette.raised_hover);
    }
    let at = pos2(rect.left() + 18.0, rect.center().y);
    match mark {
        Mark::Choice(true) => Icon::Check.paint(ui.painter(), at, 16.0, palette.accent),
        Mark::Choice(false) => {}
        Mark::Icon(icon) => icon.paint(ui.painter(), at, 17.0, palette.text),
    }
    let key = one_line(ui, key, Type::Caption, palette.text_soft, 80.0);
    let room = rect.width() - 36.0 - key.size().x - space::L;
    let text = one_line(ui, words, Type::Body, palette.text, room);
    let cut = text.elided;
    ui.painter().galley(pos2(rect.left() + 36.0, rect.center().y - text.size().y / 2.0), text, palette.text);
    let right = pos2(rect.right() - space::S - key.size().x, rect.center().y - key.size().y / 2.0);
    ui.painter().galley(right, key, palette.text_soft);
    if cut { explain(response, words) } else { response }
}

fn caption(ui: &mut Ui, words: &str) {
    ui.horizontal(|ui| {
        ui.spacing_mut().interact_size.y = 22.0;
        ui.add_space(space::S);
        ui.label(Type::Caption.text(words, Palette::of(ui).text_soft));
    });
}

fn begin(ui: &mut Ui) {
    ui.set_width(WIDTH);
    ui.spacing_mut().item_spacing = vec2(0.0, 2.0);
}

/// Room for a menu's rows, which scroll beyond.
fn rows<R>(ui: &mut Ui, content: impl FnOnce(&mut Ui) -> R) -> R {
    let height = (ui.ctx().content_rect().height() - LEFT_FREE).max(LEAST);
    // A menu that opens upwards begins where it ends: the room below its first row is not all that it has.
    let area = ScrollArea::vertical().max_height(height).min_scrolled_height(height);
    area.auto_shrink([false, true]).show(ui, content).inner
}

/// The devices of a kind with the one that is chosen, and whichever of them is picked.
fn device_rows(ui: &mut Ui, scene: &Scene<'_>, kind: DeviceKind) -> Option<DeviceChoice> {
    let settings = &scene.snapshot.settings;
    let chosen = match kind {
        DeviceKind::Camera => &settings.camera,
        DeviceKind::Microphone => &settings.microphone,
        DeviceKind::Speaker => &settings.speaker,
    };
    let plugged = plugged(&scene.snapshot.devices, kind);
    let mut picked = None;
    for (choice, name) in device_list(&plugged, &[], Some(chosen), scene.words) {
        let holds = choice == *chosen;
        let row = row(ui, Mark::Choice(holds), &name, "");
        if row.clicked() && !holds {
            picked = Some(choice);
        }
    }
    picked
}

/// Menu of microphones and speakers with the microphone's level, or of cameras.
pub fn devices(ui: &mut Ui, scene: &mut Scene<'_>, kind: DeviceKind) -> Option<Act> {
    begin(ui);
    rows(ui, |ui| if kind == DeviceKind::Camera { cameras(ui, scene) } else { sound(ui, scene) });
    ui.separator();
    let settings = row(ui, Mark::Icon(Icon::Sliders), scene.text(Text::MediaSettings), "").clicked();
    if settings {
        ui.close();
    }
    settings.then_some(Act::Settings)
}

fn cameras(ui: &mut Ui, scene: &mut Scene<'_>) {
    caption(ui, scene.text(Text::Camera));
    if let Some(camera) = device_rows(ui, scene, DeviceKind::Camera) {
        scene.change_settings(|settings| settings.camera = camera);
    }
}

/// Microphones with the level of the present one, and speakers.
fn sound(ui: &mut Ui, scene: &mut Scene<'_>) {
    caption(ui, scene.text(Text::Microphone));
    if let Some(microphone) = device_rows(ui, scene, DeviceKind::Microphone) {
        scene.change_settings(|settings| settings.microphone = microphone);
    }
    ui.horizontal(|ui| {
        ui.add_space(36.0);
        ui.allocate_ui(vec2(WIDTH - 36.0 - space::L, 20.0), |ui| {
            meter(ui, scene.text(Text::Level), scene.snapshot.local_stream.level.peak());
        });
    });
    ui.ctx().request_repaint_after_secs(METER_EVERY);
    caption(ui, scene.text(Text::Speaker));
    if let Some(speaker) = device_rows(ui, scene, DeviceKind::Speaker) {
        scene.change_settings(|settings| settings.speaker = speaker);
    }
}

/// Volumes of the participants, and whether each is heard at all.
pub fn volumes(ui: &mut Ui, scene: &mut Scene<'_>, call: &ConversationView) {
    begin(ui);
    rows(ui, |ui| {
        for who in &call.participants {
            volume(ui, scene, who);
        }
    });
}

fn volume(ui: &mut Ui, scene: &mut Scene<'_>, who: &ParticipantView) {
    let palette = Palette::of(ui);
    let name = scene.name(who.id, &who.name);
    let words = scene.words.with_name(Text::VolumeOf, &name);
    let mut percent = who.volume.percent();
    ui.horizontal(|ui| {
        ui.spacing_mut().interact_size.y = 24.0;
        ui.add_space(space::S);
        let room = WIDTH - 80.0;
        let text = one_line(ui, &words, Type::Caption, palette.text_soft, room);
        let (rect, _) = ui.allocate_exact_size(vec2(room, 24.0), Sense::hover());
        ui.painter().galley(pos2(rect.left(), rect.center().y - text.size().y / 2.0), text, palette.text_soft);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.add_space(space::M);
            let shown = scene.words.fill(Text::Percent, &[("value", &percent.to_string())]);
            ui.label(Type::Caption.text(shown, palette.text));
        });
    });
    ui.horizontal(|ui| {
        ui.add_space(space::M);
        ui.spacing_mut().slider_width = WIDTH - 2.0 * space::M;
        ui.visuals_mut().selection.bg_fill = palette.accent;
        let widgets = &mut ui.visuals_mut().widgets;
        widgets.inactive.bg_fill = palette.raised_hover;
        for widget in [&mut widgets.inactive, &mut widgets.hovered, &mut widgets.active] {
            widget.fg_stroke.color = palette.text;
        }
        let slider =
            Slider::new(&mut percent, 0..=Volume::MAX_PERCENT).step_by(VOLUME_STEP).handle_shape(HandleShape::Circle);
        let slider = ui.add(slider.show_value(false).trailing_fill(true)).accessible_name(&words);
        if slider.changed() {
            scene.send(Command::SetVolume { participant: who.id, percent: Volume::from_percent(percent) });
        }
    });
    let (icon, key) =
        if who.muted_here { (Icon::SpeakerOff, Text::UnmuteHere) } else { (Icon::Speaker, Text::MuteHere) };
    if row(ui, Mark::Icon(icon), &scene.words.with_name(key, &name), "").clicked() {
        scene.send(Command::EnableAudio { on: who.muted_here, participant: Some(who.id) });
    }
}

/// Parts of a narrow call that a wide one has in its bar and its head: volumes, what is heard and seen of the others,
/// their safety number.
fn folded_head(ui: &mut Ui, scene: &mut Scene<'_>, call: &ConversationView) -> Option<Act> {
    for who in &call.participants {
        volume(ui, scene, who);
        let (icon, key) = if who.hidden_here { (Icon::Eye, Text::ShowHere) } else { (Icon::EyeOff, Text::HideHere) };
        let name = scene.name(who.id, &who.name);
        if row(ui, Mark::Icon(icon), &scene.words.with_name(key, &name), "").clicked() {
            scene.send(Command::EnableVideo { on: who.hidden_here, participant: Some(who.id) });
        }
    }
    let [only] = call.participants.as_slice() else { return None };
    let contact = scene.person(only.id).is_some_and(|person| person.kind == PersonKind::Contact);
    let safety = contact && row(ui, Mark::Icon(Icon::Verified), scene.text(Text::SafetyNumber), "").clicked();
    safety.then_some(Act::SafetyNumber)
}

/// Statistics, full screen, one's own picture, the others' pictures, settings; before them the parts of a `folded` call
/// that have no room elsewhere, and after them its devices.
pub fn more(ui: &mut Ui, scene: &mut Scene<'_>, folded: Option<&ConversationView>) -> Option<Act> {
    begin(ui);
    let full =
        if is_full_screen(ui) { (Icon::Shrink, Text::LeaveFullScreen) } else { (Icon::Expand, Text::FullScreen) };
    let settings = &scene.snapshot.settings;
    let act = rows(ui, |ui| {
        let mut act = None;
        if let Some(call) = folded {
            act = folded_head(ui, scene, call);
            ui.separator();
        }
        for ((icon, key), keys, what) in [
            ((Icon::Chart, Text::Statistics), "Ctrl+I", Act::Statistics),
            (full, "F", Act::FullScreen),
            ((Icon::SmallWindow, Text::SmallWindow), "P", Act::SmallWindow),
            ((Icon::Sliders, Text::Settings), "", Act::Settings),
        ] {
            if row(ui, Mark::Icon(icon), scene.text(key), keys).clicked() {
                act = Some(what);
            }
        }
        ui.separator();
        own_picture(ui, scene);
        ui.separator();
        caption(ui, scene.text(Text::PicturesOfOthers));
        let fits = [
            (PictureFit::Automatic, Text::FitAutomatic),
            (PictureFit::Fill, Text::FitFill),
            (PictureFit::Whole, Text::FitWhole),
        ];
        choice(ui, scene, Text::PicturesOfOthers, settings.picture_fit, fits, |settings, fit| {
            settings.picture_fit = fit
        });
        if folded.is_some() {
            ui.separator();
            sound(ui, scene);
            cameras(ui, scene);
        }
        act
    });
    if act.is_some() {
        ui.close();
    }
    act
}

/// Menu of one's own picture: whether it is shown, and its size.
pub fn own_picture(ui: &mut Ui, scene: &mut Scene<'_>) {
    begin(ui);
    let settings = &scene.snapshot.settings;
    let (icon, key) =
        if settings.self_view { (Icon::EyeOff, Text::HideSelfView) } else { (Icon::Eye, Text::ShowSelfView) };
    if row(ui, Mark::Icon(icon), scene.text(key), "").clicked() {
        scene.change_settings(|settings| settings.self_view = !settings.self_view);
        ui.close();
    }
    if settings.self_view {
        let sizes = [
            (SelfViewSize::Small, Text::SizeSmall),
            (SelfViewSize::Medium, Text::SizeMedium),
            (SelfViewSize::Large, Text::SizeLarge),
        ];
        choice(ui, scene, Text::StatSize, settings.self_view_size, sizes, |settings, size| {
            settings.self_view_size = size
        });
    }
}

/// Three values of a setting, the `group`, beside each other.
fn choice<T: Copy + PartialEq>(
    ui: &mut Ui,
    scene: &mut Scene<'_>,
    group: Text,
    current: T,
    values: [(T, Text); 3],
    set: impl FnOnce(&mut Settings, T),
) {
    let values = values.map(|(value, key)| (value, scene.text(key)));
    ui.add_space(space::XS);
    if let Some(value) = segments(ui, scene.text(group), current, &values) {
        scene.change_settings(|settings| set(settings, value));
    }
    ui.add_space(space::XS);
}
