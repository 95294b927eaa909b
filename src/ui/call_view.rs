//! The call: the others' pictures filling the window, one's own in a corner, and the controls over them.
//!
//! The screen is dark in every theme.

use eframe::egui::{
    self, Color32, CornerRadius, CursorIcon, Galley, Rect, Role, Sense, Ui, UiBuilder, Vec2, WidgetInfo, pos2, vec2,
};
use std::sync::Arc;

use crate::controller::{Command, ConversationStatus, ConversationView, ParticipantView};
use crate::device::DeviceKind;
use crate::identity::PeerId;
use crate::media::FrameSlot;

use super::avatar;
use super::buttons::{explain, one_line, painted_words};
use super::call_head;
use super::catalogue::Text;
use super::controls::{self, Act, Activity};
use super::icons::Icon;
use super::picture_wish::{PictureWishes, drawn_lines};
use super::quality_sign;
use super::safety_dialog::SafetyDialog;
use super::scene::Scene;
use super::self_view::{self, SelfView};
use super::settings_panel;
use super::statistics::Statistics;
use super::theme::{self, Palette, Type, space};
use super::tile::{Fit, TileOptions};

const STAGE: Color32 = Color32::from_rgb(0x0B, 0x0E, 0x0F);
/// Laid over the last picture of somebody who is not heard.
const DIMMED: Color32 = Color32::from_black_alpha(140);
const TILE: Color32 = Color32::from_rgb(0x1A, 0x1F, 0x21);

/// Height that the line with the name and the time takes at the top, in points.
const HEAD: f32 = 60.0;

/// Below this width (points) the lower corners make room for the controls.
const NARROW: f32 = 760.0;

/// Largest share of a picture that is cropped so that it fills its tile; a picture that needs more is shown whole.
const CUT: f32 = 0.27;

/// State of the call's screen between frames.
#[derive(Debug, Default)]
pub struct CallScreen {
    self_view: SelfView,
    activity: Activity,
    /// The overlay of statistics, while it is open.
    statistics: Option<Statistics>,
    /// The dialog with a participant's safety number, while it is open.
    safety: Option<SafetyDialog>,
    /// Receive resolutions that the others were asked for, and the size in points that each picture has in this frame.
    wishes: PictureWishes,
    drawn: Vec<(PeerId, f32)>,
    /// The controls could not be seen in the frame before.
    faded: bool,
    /// A touch has begun on faded controls: it wakes them and presses nothing.
    waking: bool,
}

/// How a picture of some proportions fits a tile of others.
fn fit_for(picture: Vec2, tile: Vec2) -> Fit {
    let (picture, tile) = (picture.x / picture.y.max(1.0), tile.x / tile.y.max(1.0));
    let kept = picture.min(tile) / picture.max(tile).max(f32::EPSILON);
    if 1.0 - kept <= CUT { Fit::Cover } else { Fit::Contain }
}

fn picture_size(slot: &FrameSlot) -> Option<Vec2> {
    slot.get().0.map(|frame| vec2(frame.width() as f32, frame.height() as f32))
}

impl CallScreen {
    /// Draws the call; true when the settings are to be shown or hidden.
    pub fn show(&mut self, ui: &mut Ui, scene: &mut Scene<'_>, call: &ConversationView, settings_open: bool) -> bool {
        let dark = ui.ctx().style_of(egui::Theme::Dark);
        ui.set_style(dark);
        let area = ui.available_rect_before_wrap();
        ui.advance_cursor_after_rect(area);
        ui.painter().rect_filled(area, 0.0, STAGE);
        // Not a stop of Tab: what a double click does has a key and a button.
        let stage = ui.interact(area, ui.scope_id().with("stage"), Sense::CLICK);
        let mut act = controls::act_of_keys(ui);
        if stage.double_clicked() {
            act = Some(Act::FullScreen);
        }
        let alone = call.participants.len() == 1;
        self.self_view.swapped &= alone;
        let held = settings_open
            || call.status == ConversationStatus::Connecting
            || ui.memory(|memory| memory.focused().is_some())
            || egui::Popup::is_any_open(ui.ctx())
            || over_controls(ui, area);
        let opacity = controls::opacity(ui, &mut self.activity, held);
        if call.status == ConversationStatus::Connecting || call.participants.is_empty() {
            connecting(ui, area, scene, call);
        } else {
            self.tiles(ui, area, scene, call, opacity);
        }
        // The settings cover the right edge: whatever is pressed in a call stays beside them, Hang up first of all.
        let area = if settings_open { settings_panel::beside(area) } else { area };
        self.small_tile(ui, area, scene, call);
        if let Some(statistics) = &mut self.statistics {
            statistics.show(ui, area, scene, call);
        }
        if self.safety.as_mut().is_some_and(|safety| safety.show_beside(ui, area, scene)) {
            self.safety = None;
        }
        self.ask(ui, scene);
        let mut overlay = ui.new_child(UiBuilder::new().id_salt("overlay").max_rect(area));
        overlay.set_opacity(opacity);
        self.wake(ui, opacity);
        let asked = scene.commands.len();
        let safety_of = call_head::show(&mut overlay, area, scene, call);
        let pressed = controls::show(&mut overlay, area, scene);
        controls::muted_hint(ui, area, scene);
        if self.waking {
            scene.commands.truncate(asked);
        } else {
            act = pressed.or(act);
            if let Some(id) = safety_of {
                // At the same place.
                self.statistics = None;
                self.safety = Some(SafetyDialog::new(scene.snapshot.me.id, id));
            }
        }
        if opacity == 0.0 && stage.hovered() {
            ui.ctx().set_cursor_icon(CursorIcon::None);
        }
        if act == Some(Act::Statistics) {
            self.statistics = self.statistics.is_none().then(Statistics::default);
            self.safety = None;
        }
        if let Some(act) = act {
            controls::carry_out(ui, act, scene);
        }
        act == Some(Act::Settings)
    }

    /// Asks the others for as much of their pictures as is drawn here.
    fn ask(&mut self, ui: &Ui, scene: &mut Scene<'_>) {
        let pixels = ui.pixels_per_point();
        self.drawn.iter_mut().for_each(|(_, lines)| *lines *= pixels);
        if let Some(again) = self.wishes.update(&self.drawn, scene.now.media, scene.commands) {
            ui.ctx().request_repaint_after(again);
        }
        self.drawn.clear();
    }

    /// The window is hidden: nothing of the others' pictures is drawn.
    pub fn hide(&mut self, participants: &[PeerId], commands: &mut Vec<Command>) {
        self.wishes.hide(participants, commands);
    }

    /// Follows whether a touch is under way that began on faded controls.
    fn wake(&mut self, ui: &Ui, opacity: f32) {
        let (pressed, under_way) =
            ui.input(|input| (input.pointer.any_pressed(), input.pointer.any_down() || input.pointer.any_released()));
        self.waking = under_way && (self.waking || (pressed && self.faded));
        self.faded = opacity == 0.0;
    }

    /// The large pictures; a sign of a good connection fades with the controls' `opacity`.
    fn tiles(&mut self, ui: &mut Ui, area: Rect, scene: &mut Scene<'_>, call: &ConversationView, opacity: f32) {
        if self.self_view.swapped {
            own_tile(ui, area, scene, false);
            own_speech(ui, area, scene, 0.0);
            return;
        }
        match call.participants.as_slice() {
            [only] => {
                self.drawn.push((only.id, remote_tile(ui, area, scene, only, 0.0, opacity)));
                remote_speech(ui, area, scene, only, 0.0);
            }
            several => {
                let places = self_view::grid(area.shrink(space::S), several.len(), space::S);
                for (participant, place) in several.iter().zip(places) {
                    let lines = remote_tile(ui, place, scene, participant, theme::radius::PICTURE, opacity);
                    self.drawn.push((participant.id, lines));
                    remote_speech(ui, place, scene, participant, theme::radius::PICTURE);
                }
            }
        }
    }

    /// The picture in the corner: one's own, or the other's while they are swapped.
    fn small_tile(&mut self, ui: &mut Ui, area: Rect, scene: &mut Scene<'_>, call: &ConversationView) {
        let remote = match call.participants.as_slice() {
            [only] if self.self_view.swapped => Some(only),
            _ => None,
        };
        let slot = remote.map_or(&scene.snapshot.local_stream.preview, |remote| &remote.picture);
        let proportions = picture_size(slot).map_or(16.0 / 9.0, |size| size.x / size.y);
        let size = self_view::size(area, proportions);
        let narrow = area.width() < NARROW;
        let bottom = if narrow { controls::BAR_HEIGHT - space::L } else { 0.0 };
        let resting = self.self_view.corner.place(area, size, 44.0, bottom);
        let place = resting.translate(self.self_view.dragged);
        let response = ui.interact(place, ui.scope_id().with("small picture"), Sense::click_and_drag());
        let name = match remote {
            Some(remote) => scene.words.with_name(Text::SelfViewBig, &scene.name(remote.id, &remote.name)),
            None => scene.text(Text::SelfView).to_owned(),
        };
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
        if response.dragged() {
            self.self_view.drag(response.drag_delta());
        }
        if response.drag_stopped() {
            self.self_view.release(area, resting);
        }
        let alone = call.participants.len() == 1 && call.status == ConversationStatus::Connected;
        if response.clicked() && alone {
            self.self_view.swapped = !self.self_view.swapped;
        }
        match remote {
            Some(remote) => self.drawn.push((remote.id, remote_tile(ui, place, scene, remote, 12.0, 0.0))),
            None => own_tile(ui, place, scene, true),
        }
        let edge = if response.has_focus() { Palette::of(ui).accent } else { Color32::from_white_alpha(40) };
        let width = if response.has_focus() { 2.0 } else { 1.0 };
        let stroke = egui::Stroke::new(width, edge);
        ui.painter().rect_stroke(place, CornerRadius::same(12), stroke, egui::StrokeKind::Inside);
        match remote {
            Some(remote) => remote_speech(ui, place, scene, remote, 12.0),
            None => own_speech(ui, place, scene, 12.0),
        }
        explain(response, name);
    }
}

/// The part of `window` under the line with the name and the time.
pub fn below_head(window: Rect) -> Rect {
    Rect::from_min_max(pos2(window.left(), window.top() + HEAD), window.max)
}

fn over_controls(ui: &Ui, area: Rect) -> bool {
    let bar = Rect::from_min_max(pos2(area.left(), area.bottom() - controls::BAR_HEIGHT), area.max);
    let head = Rect::from_min_size(area.min, vec2(area.width(), HEAD));
    ui.input(|input| input.pointer.hover_pos()).is_some_and(|at| {
        (bar.contains(at) && (at.x - area.center().x).abs() < 220.0)
            || (head.contains(at) && at.x < area.left() + 420.0)
    })
}

/// A face and two lines, where a connection is being made.
fn connecting(ui: &Ui, area: Rect, scene: &Scene<'_>, call: &ConversationView) {
    let palette = Palette::of(ui);
    let [only] = call.participants.as_slice() else {
        let text = one_line(ui, scene.text(Text::Connecting), Type::Title, palette.text, area.width());
        let place = Rect::from_center_size(area.center(), text.size());
        painted_words(ui, place, scene.text(Text::Connecting));
        ui.painter().galley(place.min, text, palette.text);
        return;
    };
    let name = scene.name(only.id, &only.name);
    let detail = scene.words.with_name(Text::ConnectingDetail, &name);
    face(ui, area, scene, only, &name, &[(scene.text(Text::Connecting), Type::Title), (&detail, Type::Body)]);
}

/// A large disc with lines under it, in the middle of `area`.
fn face(ui: &Ui, area: Rect, scene: &Scene<'_>, who: &ParticipantView, name: &str, lines: &[(&str, Type)]) {
    let palette = Palette::of(ui);
    let diameter = (area.height() * 0.3).clamp(36.0, 144.0).min(area.width() * 0.4);
    let galleys: Vec<Arc<Galley>> = lines
        .iter()
        .map(|(text, kind)| {
            let ink = if *kind == Type::Body { palette.text_soft } else { palette.text };
            one_line(ui, text, *kind, ink, area.width() - 2.0 * space::L)
        })
        .collect();
    let text_height: f32 = galleys.iter().map(|galley| galley.size().y + space::XS).sum();
    let gap = if galleys.is_empty() { 0.0 } else { space::L };
    let top = area.center().y - (diameter + gap + text_height) / 2.0;
    let center = pos2(area.center().x, top + diameter / 2.0);
    avatar::paint_kind(ui.painter(), center, diameter, who.id, name, scene.is_echo(who.id));
    let mut y = top + diameter + gap;
    for (galley, (words, _)) in galleys.into_iter().zip(lines) {
        let size = galley.size();
        let place = Rect::from_min_size(pos2(area.center().x - size.x / 2.0, y), size);
        if !words.is_empty() {
            painted_words(ui, place, words);
        }
        ui.painter().galley(place.min, galley, palette.text);
        y += size.y + space::XS;
    }
}

/// Draws somebody's tile; returns how many lines high their picture is drawn, in points.
fn remote_tile(
    ui: &mut Ui,
    rect: Rect,
    scene: &mut Scene<'_>,
    who: &ParticipantView,
    rounding: f32,
    opacity: f32,
) -> f32 {
    let name = scene.name(who.id, &who.name);
    let small = rect.width() < 320.0;
    let visible = who.video && !who.hidden_here;
    if rounding > 0.0 {
        ui.painter().rect_filled(rect, CornerRadius::same(rounding as u8), TILE);
    }
    let picture = picture_size(&who.picture).unwrap_or(vec2(16.0, 9.0));
    let fit = fit_for(picture, rect.size());
    let lines = if who.hidden_here { 0.0 } else { drawn_lines(picture, rect.size(), fit) };
    let painted = visible && scene.tiles.paint(ui, rect, &who.picture, TileOptions { mirror: false, fit, rounding });
    if painted && who.reconnecting {
        ui.painter().rect_filled(rect, CornerRadius::same(rounding as u8), DIMMED);
    }
    if !painted {
        let why = match (who.hidden_here, who.video) {
            (true, _) => Some(Text::HiddenHere),
            (false, false) => Some(Text::TheyCameraOff),
            (false, true) => None,
        };
        let why = match (who.reconnecting, why) {
            (true, _) => scene.text(Text::Reconnecting).to_owned(),
            (false, Some(key)) => scene.words.with_name(key, &name),
            (false, None) => String::new(),
        };
        let lines = [(name.as_str(), Type::Title), (why.as_str(), Type::Body)];
        face(ui, rect, scene, who, &name, if small { &[] } else { &lines });
    }
    let mark = match (who.muted_here, who.audio) {
        (true, _) => Some((Icon::SpeakerOff, Text::MutedHere)),
        (false, false) => Some((Icon::MicrophoneOff, Text::TheyMuted)),
        (false, true) => None,
    };
    if who.reconnecting && (painted || small) {
        reconnecting(ui, rect, scene, small);
    }
    let mut rect = rect;
    if rounding == 0.0 && rect.width() < NARROW {
        rect.max.y -= controls::BAR_HEIGHT - space::L;
    }
    let mut taken = 0.0;
    if let Some((icon, key)) = mark {
        let words = scene.words.with_name(key, &name);
        taken = chip(ui, rect, Some(icon), if small { "" } else { &words }, &words).width() + space::S;
    } else if painted && rounding > 0.0 && !small {
        taken = chip(ui, rect, None, &name, &name).width() + space::S;
    }
    rect.min.x += taken;
    quality_sign::show(ui, rect, who.quality, scene.words, small, opacity);
    lines
}

fn own_tile(ui: &mut Ui, rect: Rect, scene: &mut Scene<'_>, small: bool) {
    let snapshot = scene.snapshot;
    let stream = &snapshot.local_stream;
    let rounding = if small { 12.0 } else { 0.0 };
    ui.painter().rect_filled(rect, CornerRadius::same(rounding as u8), if small { TILE } else { STAGE });
    let fit = match picture_size(&stream.preview) {
        Some(size) if !small => fit_for(size, rect.size()),
        _ => Fit::Cover,
    };
    let options = TileOptions { mirror: snapshot.settings.mirror, fit, rounding };
    if !(stream.video && scene.tiles.paint(ui, rect, &stream.preview, options)) {
        let palette = Palette::of(ui);
        let diameter = (rect.height() * 0.45).min(120.0);
        avatar::paint(ui.painter(), rect.center(), diameter, snapshot.me.id, &snapshot.me.name);
        let at = rect.right_top() + vec2(-18.0, 18.0);
        let trouble = controls::trouble(snapshot, DeviceKind::Camera, scene.words);
        let mark = match trouble {
            Some(why) => Some((Icon::Warning, palette.warning, why)),
            None if stream.sends_video => None,
            None => Some((Icon::CameraOff, palette.text_soft, scene.text(Text::YourCameraIsOff).to_owned())),
        };
        if let Some((icon, ink, why)) = mark {
            icon.paint(ui.painter(), at, 16.0, ink);
            painted_words(ui, Rect::from_center_size(at, Vec2::splat(24.0)), &why);
        }
    }
    if !stream.sends_audio {
        let words = scene.text(Text::YouAreMuted);
        chip(ui, rect, Some(Icon::MicrophoneOff), if small { "" } else { words }, words);
    }
}

/// Words in the middle of a tile whose picture stands still.
fn reconnecting(ui: &Ui, tile: Rect, scene: &Scene<'_>, small: bool) {
    let words = scene.text(Text::Reconnecting);
    let kind = if small { Type::Caption } else { Type::Strong };
    let text = one_line(ui, words, kind, theme::ON_PICTURE, tile.width() - 2.0 * space::S);
    let place = Rect::from_center_size(tile.center(), text.size() + vec2(2.0 * space::L, 2.0 * space::S));
    ui.painter().rect_filled(place, CornerRadius::same(18), theme::SCRIM);
    painted_words(ui, place, words);
    ui.painter().galley(place.center() - text.size() / 2.0, text, theme::ON_PICTURE);
}

/// A line around the tile of somebody who speaks; the level meters ask for a repaint when that changes.
fn remote_speech(ui: &Ui, tile: Rect, scene: &Scene<'_>, who: &ParticipantView, rounding: f32) {
    if who.audio && who.level.is_speaking() {
        let name = scene.name(who.id, &who.name);
        speaking_edge(ui, tile, rounding, &scene.words.with_name(Text::Speaking, &name));
    }
}

/// The same around one's own.
fn own_speech(ui: &Ui, tile: Rect, scene: &Scene<'_>, rounding: f32) {
    let stream = &scene.snapshot.local_stream;
    if stream.sends_audio && stream.level.is_speaking() {
        speaking_edge(ui, tile, rounding, scene.text(Text::YouSpeak));
    }
}

fn speaking_edge(ui: &Ui, tile: Rect, rounding: f32, words: &str) {
    painted_words(ui, Rect::from_min_size(tile.left_bottom() - vec2(0.0, 3.0), vec2(tile.width(), 3.0)), words);
    let stroke = egui::Stroke::new(3.0, Palette::of(ui).accent);
    ui.painter().rect_stroke(tile, CornerRadius::same(rounding as u8), stroke, egui::StrokeKind::Inside);
}

/// A mark with words at the lower left of a tile; returns where it is.
fn chip(ui: &Ui, tile: Rect, icon: Option<Icon>, shown: &str, name: &str) -> Rect {
    let inset = if tile.width() < 320.0 { space::S } else { space::L };
    let text = one_line(ui, shown, Type::Caption, theme::ON_PICTURE, tile.width() - 2.0 * inset - 44.0);
    let indent = if icon.is_some() { 26.0 } else { space::M };
    let width = indent + if shown.is_empty() { 2.0 } else { text.size().x + space::M };
    let rect = Rect::from_min_size(pos2(tile.left() + inset, tile.bottom() - inset - 28.0), vec2(width, 28.0));
    let response = ui.interact(rect, ui.scope_id().with(("mark", name)), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, name));
    ui.painter().rect_filled(rect, CornerRadius::same(14), theme::SCRIM);
    if let Some(icon) = icon {
        icon.paint(ui.painter(), rect.left_center() + vec2(14.0, 0.0), 15.0, theme::ON_PICTURE);
    }
    ui.painter().galley(rect.left_center() + vec2(indent, -text.size().y / 2.0), text, theme::ON_PICTURE);
    rect
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_fills_its_tile_unless_too_much_would_be_cut() {
        assert_eq!(fit_for(vec2(1280.0, 720.0), vec2(1100.0, 720.0)), Fit::Cover);
        assert_eq!(fit_for(vec2(640.0, 480.0), vec2(1280.0, 720.0)), Fit::Cover);
        assert_eq!(fit_for(vec2(640.0, 480.0), vec2(1600.0, 700.0)), Fit::Contain);
        assert_eq!(fit_for(vec2(480.0, 640.0), vec2(1280.0, 720.0)), Fit::Contain);
    }
}
