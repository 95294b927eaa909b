//! The bar of buttons at the bottom of a call.

use eframe::egui::{
    Align, Color32, CornerRadius, Layout, Popup, PopupCloseBehavior, Rect, RectAlign, Response, Role, Sense, Ui,
    UiBuilder, WidgetInfo, pos2, vec2,
};

use crate::controller::ConversationView;
use crate::device::DeviceKind;
use crate::media::Volume;

use super::buttons::{Round, explain, focus_ring, round_control};
use super::call_menus;
use super::catalogue::Text;
use super::controls::{Act, camera_look, microphone_look, trouble};
use super::icons::Icon;
use super::scene::Scene;
use super::theme::{self, Palette, space};

/// Height that the bar takes at the bottom, in points.
pub const HEIGHT: f32 = 48.0 + 2.0 * space::L;

/// Width of a button, and of the arrow beside it that opens its menu.
const BUTTON: f32 = 48.0;
const ARROW: f32 = 26.0;

/// Width of the bar's buttons: two with arrows, and three others, one of them apart.
const WIDTH: f32 = 5.0 * BUTTON + 2.0 * ARROW + 5.0 * space::M;

/// The place of the bar at the bottom of `area`, with its ground.
pub fn place(area: Rect) -> Rect {
    let middle = pos2(area.center().x, area.bottom() - HEIGHT + space::M + BUTTON / 2.0);
    Rect::from_center_size(middle, vec2(WIDTH + 2.0 * space::M, BUTTON + 2.0 * space::S))
}

/// Draws the bar at the bottom of `area`; what was pressed.
pub fn show(ui: &mut Ui, area: Rect, scene: &mut Scene<'_>, call: &ConversationView) -> Option<Act> {
    let back = place(area);
    ui.painter().rect_filled(back, CornerRadius::same(32), theme::SCRIM);
    let bar = back.shrink2(vec2(space::M, space::S));
    let builder = UiBuilder::new().id_salt("controls").max_rect(bar).layout(Layout::left_to_right(Align::Center));
    let mut line = ui.new_child(builder);
    line.spacing_mut().item_spacing.x = space::M;
    let mut act = None;
    for kind in [DeviceKind::Microphone, DeviceKind::Camera] {
        act = device(&mut line, scene, kind).or(act);
    }
    volume(&mut line, scene, call);
    let more = press(&mut line, Icon::More, scene.text(Text::MoreInCall), "", Round::Plain);
    let chosen = menu(&more, scene.text(Text::MoreInCall), |ui| call_menus::more(ui, scene));
    act = chosen.or(act);
    line.add_space(space::M);
    if press(&mut line, Icon::HangUp, scene.text(Text::HangUp), "Ctrl+Enter", Round::Danger).clicked() {
        act = Some(Act::HangUp);
    }
    act
}

/// Opens the menu of `button` above it; what was chosen there.
fn menu<R>(button: &Response, name: &str, content: impl FnOnce(&mut Ui) -> Option<R>) -> Option<R> {
    let menu = Popup::menu(button).accessible_name(name).align(RectAlign::TOP).gap(space::L).width(call_menus::WIDTH);
    menu.close_behavior(PopupCloseBehavior::CloseOnClickOutside).show(content).and_then(|shown| shown.inner)
}

/// The button of the microphone or the camera, with the arrow that opens the menu of devices.
fn device(ui: &mut Ui, scene: &mut Scene<'_>, kind: DeviceKind) -> Option<Act> {
    let stream = &scene.snapshot.local_stream;
    let is_microphone = kind == DeviceKind::Microphone;
    let (icon, text, look) =
        if is_microphone { microphone_look(stream.sends_audio) } else { camera_look(stream.sends_video) };
    let (key, act, choose) = if is_microphone {
        ("M", Act::Microphone, Text::ChooseMicrophone)
    } else {
        ("V", Act::Camera, Text::ChooseCamera)
    };
    let key = if text == Text::Unmute { scene.text(Text::UnmuteKeys) } else { key };
    ui.spacing_mut().item_spacing.x = 0.0;
    let ground = Rect::from_min_size(pos2(ui.cursor().left(), ui.max_rect().top()), vec2(BUTTON + ARROW, BUTTON));
    ui.painter().rect_filled(ground, CornerRadius::same(24), Color32::from_white_alpha(24));
    let button = press(ui, icon, scene.text(text), key, look);
    let arrow = arrow(ui, scene.text(choose));
    ui.spacing_mut().item_spacing.x = space::M;
    ui.add_space(space::M);
    if arrow.clicked() {
        scene.send(crate::controller::Command::RefreshDevices);
    }
    let chosen = menu(&arrow, scene.text(choose), |ui| call_menus::devices(ui, scene, kind));
    if let Some(why) = trouble(scene.snapshot, kind, scene.words) {
        warning_mark(ui, button.rect, &why);
        explain(button.clone(), why);
    }
    chosen.or(button.clicked().then_some(act))
}

/// A small arrow upwards, as high as a button.
fn arrow(ui: &mut Ui, name: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(ARROW, BUTTON), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    let ink = if response.hovered() { theme::ON_PICTURE } else { theme::ON_PICTURE_SOFT };
    Icon::ChevronUp.paint(ui.painter(), rect.center() - vec2(2.0, 0.0), 14.0, ink);
    focus_ring(ui, &response, rect.shrink2(vec2(2.0, 8.0)), 8);
    explain(response, name)
}

/// The button of the others' volume.
fn volume(ui: &mut Ui, scene: &mut Scene<'_>, call: &ConversationView) {
    let silent = |who: &crate::controller::ParticipantView| who.muted_here || who.volume == Volume::SILENT;
    let all = !call.participants.is_empty() && call.participants.iter().all(silent);
    let (icon, look) = if all { (Icon::SpeakerOff, Round::Off) } else { (Icon::Speaker, Round::Plain) };
    let words = scene.text(Text::Volume);
    let button = press(ui, icon, words, "", look);
    menu(&button, words, |ui| {
        call_menus::volumes(ui, scene, call);
        None::<()>
    });
}

fn press(ui: &mut Ui, icon: Icon, name: &str, key: &str, look: Round) -> Response {
    let tip = if key.is_empty() { name.to_owned() } else { format!("{name} ({key})") };
    round_control(ui, icon, name, &tip, look)
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
