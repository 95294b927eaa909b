//! Content of the small window: the other's picture or face, and round buttons over it while it is touched.
//!
//! Runs on the main thread in the small window's own pass, which a new picture asks for alone.

use std::time::Duration;

use eframe::egui::{
    self, Align, Color32, CornerRadius, CursorIcon, Key, Layout, Modifiers, Rect, ResizeDirection, Role, Sense, Stroke,
    StrokeKind, Ui, UiBuilder, ViewportCommand, ViewportId, WidgetInfo, pos2, vec2,
};

use crate::controller::{
    CallView, Command, ConversationStatus, ConversationView, Handle, ParticipantView, PictureView, Snapshot,
};
use crate::identity::PeerId;
use crate::media::StreamKind;
use crate::ui::appearance::DesktopAppearance;
use crate::ui::buttons::{Round, one_line, painted_words, round_control_sized};
use crate::ui::call_view::tiles::{dimmed, face, mark, picture_size, reconnecting};
use crate::ui::catalogue::{Text, Words};
use crate::ui::controls::{self, Act, Activity, Waking, camera_look, microphone_look};
use crate::ui::faces::Faces;
use crate::ui::icons::Icon;
use crate::ui::keys;
use crate::ui::outbox::Outbox;
use crate::ui::picture_wish::{PictureOf, PictureWishes, drawn_lines};
use crate::ui::scene::{Now, Scene};
use crate::ui::stage;
use crate::ui::theme::{self, Type, space};
use crate::ui::tile::{Fit, TileOptions, TilePainter};

/// Diameter of a button in points.
const BUTTON: f32 = 36.0;
/// Width of the edge by which the window is resized, in points.
const EDGE: f32 = 7.0;
/// Time between tries to send waiting commands.
const SEND_AGAIN: Duration = Duration::from_millis(20);

/// Request to the main window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Back to the call in the main window.
    Back,
    /// The small window is to close.
    Close,
}

/// State of the small window's content between its passes.
pub struct View {
    handle: Handle,
    locale: String,
    tiles: TilePainter,
    faces: Faces,
    outbox: Outbox,
    wishes: PictureWishes,
    /// Lines, in physical pixels, at which each picture is drawn in this frame.
    drawn: Vec<(PictureOf, f32)>,
    activity: Activity,
    waking: Waking,
    /// The person who spoke last, in a call of several.
    speaker: Option<PeerId>,
    place: Option<Rect>,
    asked: Option<Asked>,
}

impl View {
    pub(super) fn new(handle: Handle, locale: &str) -> Self {
        Self {
            handle,
            locale: locale.to_owned(),
            tiles: TilePainter::new(),
            faces: Faces::default(),
            outbox: Outbox::default(),
            wishes: PictureWishes::default(),
            drawn: Vec::new(),
            activity: Activity::default(),
            waking: Waking::default(),
            speaker: None,
            place: None,
            asked: None,
        }
    }

    /// Size and place that it had last, in points.
    pub(super) const fn place(&self) -> Option<Rect> {
        self.place
    }

    pub(super) fn take_asked(&mut self) -> Option<Asked> {
        self.asked.take()
    }

    /// Forgets what belongs to a window that is closed.
    pub(super) fn close(&mut self) {
        self.tiles.drop_all();
        self.wishes = PictureWishes::default();
        (self.activity, self.waking, self.asked) = Default::default();
    }

    /// Frees the textures of a closed window, in a pass of another one.
    pub(super) fn free(&mut self, ui: &Ui) {
        self.tiles.free_gone(ui);
    }

    /// Sends waiting commands, and has the pass of a viewport come back while some are left.
    pub(super) fn flush(&mut self, ctx: &egui::Context, of: ViewportId) {
        // An error means that the controller has ended, as the main window finds.
        if self.outbox.flush(&self.handle).is_ok() && !self.outbox.is_empty() {
            ctx.request_repaint_after_for(SEND_AGAIN, of);
        }
    }

    /// Draws one frame into the whole of `ui`.
    pub(super) fn draw(&mut self, ui: &mut Ui) {
        let area = ui.available_rect_before_wrap();
        ui.advance_cursor_after_rect(area);
        ui.painter().rect_filled(area, 0.0, stage::STAGE);
        let Some(snapshot) = self.handle.snapshot() else { return };
        let words = Words::of(snapshot.settings.language, &self.locale);
        let CallView::Conversation(call) = &snapshot.call else {
            // The main window closes this one in its next pass.
            let text = one_line(ui, words.get(Text::BriefEnded), Type::Body, theme::ON_PICTURE, area.width());
            ui.painter().galley(area.center() - text.size() / 2.0, text, theme::ON_PICTURE);
            return;
        };
        self.note_place(ui);
        let mut commands = Vec::new();
        let (mut tiles, faces) = (std::mem::take(&mut self.tiles), std::mem::take(&mut self.faces));
        let mut scene = scene(&snapshot, words, (&mut tiles, &faces), &mut commands);
        self.content(ui, area, &mut scene, call);
        (self.tiles, self.faces) = (tiles, faces);
        for command in commands {
            // As above.
            let _ = self.outbox.send(&self.handle, command);
        }
        self.flush(ui.ctx(), ui.ctx().viewport_id());
        if self.asked.is_some() {
            ui.ctx().request_repaint_of(ViewportId::ROOT);
        }
    }

    fn note_place(&mut self, ui: &Ui) {
        let (outer, inner, close) = ui.input(|input| {
            let viewport = input.viewport();
            (viewport.outer_rect, viewport.inner_rect, viewport.close_requested())
        });
        if ui.ctx().viewport_id() == ViewportId::ROOT {
            return;
        }
        if let (Some(outer), Some(inner)) = (outer, inner) {
            self.place = Some(Rect::from_min_size(outer.min, inner.size()));
        }
        if close {
            self.asked = Some(Asked::Close);
        }
    }

    fn content(&mut self, ui: &mut Ui, area: Rect, scene: &mut Scene<'_>, call: &ConversationView) {
        let window = self.hold(ui, area, scene);
        let connecting = call.status == ConversationStatus::Connecting;
        self.speaker = speaker(call).or(self.speaker);
        let main = main_picture(call, self.speaker);
        if let Some((who, picture)) = main {
            let lines = draw_picture(ui, area, scene, who, picture, connecting);
            self.wish(ui, scene, call, picture.map(|picture| ((who.id, picture.stream), lines)));
        }
        let held = ui.memory(|memory| memory.focused().is_some_and(|id| id != window));
        let opacity = controls::opacity(ui, &mut self.activity, held);
        let is_waking = self.waking.follow(ui, opacity);
        let mut overlay = ui.new_child(UiBuilder::new().id_salt("overlay").max_rect(area));
        overlay.set_opacity(opacity);
        if let Some((who, _)) = main {
            let name = scene.name(who.id, &who.name);
            head(&mut overlay, area, &name);
        }
        let pressed = buttons(&mut overlay, area, scene);
        if !is_waking && let Some(press) = pressed {
            match press {
                Press::Act(act) => controls::carry_out(ui, act, scene),
                Press::Asked(asked) => self.asked = Some(asked),
            }
        }
        if keys::pressed(ui, Modifiers::NONE, Key::Escape) {
            self.asked = Some(Asked::Back);
        } else if keys::pressed(ui, Modifiers::COMMAND, Key::Enter) {
            controls::carry_out(ui, Act::HangUp, scene);
        }
        ui.painter().rect_stroke(
            area,
            CornerRadius::ZERO,
            Stroke::new(1.0, Color32::from_white_alpha(56)),
            StrokeKind::Inside,
        );
    }

    /// Moves the window by its picture and resizes it by its edges; a double click goes back to the call.
    fn hold(&mut self, ui: &Ui, area: Rect, scene: &Scene<'_>) -> egui::Id {
        // Not a stop of Tab: Esc has the effect of its double click.
        let response = ui.interact(area, ui.scope_id().with("window"), Sense::CLICK | Sense::DRAG);
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, scene.text(Text::SmallWindow)));
        let edge = ui.input(|input| input.pointer.hover_pos()).and_then(|at| edge_at(area, at));
        if let Some(edge) = edge.filter(|_| response.hovered()) {
            ui.ctx().set_cursor_icon(cursor_of(edge));
        }
        if response.drag_started_by(egui::PointerButton::Primary) {
            let from = ui.input(|input| input.pointer.press_origin());
            let command = match from.and_then(|at| edge_at(area, at)) {
                Some(edge) => ViewportCommand::BeginResize(edge),
                None => ViewportCommand::StartDrag,
            };
            ui.ctx().send_viewport_cmd(command);
        }
        if response.double_clicked() {
            self.asked = Some(Asked::Back);
        }
        response.id
    }

    /// Asks for as much of the picture as is drawn here, and for the least of the others.
    fn wish(&mut self, ui: &Ui, scene: &mut Scene<'_>, call: &ConversationView, drawn: Option<(PictureOf, f32)>) {
        let pixels = ui.pixels_per_point();
        let all = call.participants.iter().flat_map(|who| who.pictures.iter().map(|picture| (who.id, picture.stream)));
        let lines = |of: PictureOf| match drawn {
            Some((main, lines)) if main == of => (of, lines * pixels),
            _ => (of, 0.0),
        };
        self.drawn.clear();
        self.drawn.extend(all.map(lines));
        if let Some(again) = self.wishes.update(&self.drawn, scene.now.media, scene.commands) {
            ui.ctx().request_repaint_after(again);
        }
    }
}

fn scene<'a>(
    snapshot: &'a Snapshot,
    words: Words,
    (tiles, faces): (&'a mut TilePainter, &'a Faces),
    commands: &'a mut Vec<Command>,
) -> Scene<'a> {
    Scene {
        snapshot,
        words,
        now: Now::read(),
        camera_wanted: false,
        camera_rests: false,
        tray: false,
        desktop: DesktopAppearance::default(),
        tiles,
        faces,
        commands,
    }
}

/// The person who speaks, of several.
fn speaker(call: &ConversationView) -> Option<PeerId> {
    let speaks = |who: &&ParticipantView| who.audio && !who.muted_here && who.level.is_speaking();
    call.participants.iter().find(speaks).map(|who| who.id)
}

/// The person and the picture to show: a shared screen, else the camera of whoever spoke last, else of the first; no
/// picture where that one's face stands for it.
fn main_picture(call: &ConversationView, speaker: Option<PeerId>) -> Option<(&ParticipantView, Option<&PictureView>)> {
    let screen = call.participants.iter().find_map(|who| Some((who, Some(sent(who, StreamKind::Screen)?))));
    screen.or_else(|| {
        let who = call.participants.iter().find(|who| Some(who.id) == speaker).or_else(|| call.participants.first())?;
        Some((who, sent(who, StreamKind::Camera)))
    })
}

/// The picture of a kind that somebody sends, unless it is hidden here.
fn sent(who: &ParticipantView, kind: StreamKind) -> Option<&PictureView> {
    who.pictures.iter().find(|picture| picture.kind == kind && picture.on).filter(|_| !who.hidden_here)
}

/// Draws the picture, or the face where there is none; returns how many lines high it is drawn, in points.
fn draw_picture(
    ui: &mut Ui,
    area: Rect,
    scene: &mut Scene<'_>,
    who: &ParticipantView,
    picture: Option<&PictureView>,
    connecting: bool,
) -> f32 {
    let name = scene.name(who.id, &who.name);
    let size = picture.and_then(|picture| picture_size(&picture.slot)).unwrap_or(vec2(16.0, 9.0));
    let is_screen = picture.is_some_and(|picture| picture.kind == StreamKind::Screen);
    let fit = if is_screen { Fit::Contain } else { Fit::of(size, area.size(), scene.snapshot.settings.picture_fit) };
    let options = TileOptions { mirror: false, fit, rounding: 0.0 };
    let painted = picture.is_some_and(|picture| scene.tiles.paint(ui, area, &picture.slot, options));
    if !painted {
        stage::ground(ui, area, who.id);
        let line = if connecting { scene.text(Text::Connecting) } else { "" };
        face(ui, area, scene, who, &name, &[(&name, Type::Strong), (line, Type::Body)]);
    } else if who.reconnecting {
        dimmed(ui, area);
    }
    if who.reconnecting {
        reconnecting(ui, area, scene, true);
    }
    let mark_of = match (who.muted_here, who.audio) {
        _ if connecting => None,
        (true, _) => Some((Icon::SpeakerOff, Text::MutedHere)),
        (false, false) => Some((Icon::MicrophoneOff, Text::TheyMuted)),
        (false, true) => None,
    };
    if let Some((icon, key)) = mark_of {
        mark(ui, area, icon, &scene.words.with_name(key, &name));
    }
    drawn_lines(size, area.size(), fit)
}

/// The name at the upper left.
fn head(ui: &mut Ui, area: Rect, name: &str) {
    let text = one_line(ui, name, Type::Strong, theme::ON_PICTURE, area.width() - BUTTON - 5.0 * space::S);
    let rect = Rect::from_min_size(area.min + vec2(space::S, space::S), vec2(text.size().x + 2.0 * space::M, 28.0));
    ui.painter().rect_filled(rect, CornerRadius::same(14), theme::SCRIM);
    painted_words(ui, rect, name);
    ui.painter().galley(pos2(rect.left() + space::M, rect.center().y - text.size().y / 2.0), text, theme::ON_PICTURE);
}

/// Press of one of the buttons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Press {
    Act(Act),
    Asked(Asked),
}

/// Microphone, camera, hang up and back to the call at the bottom, and the end of the small window at the upper right.
fn buttons(ui: &mut Ui, area: Rect, scene: &Scene<'_>) -> Option<Press> {
    let stream = &scene.snapshot.local_stream;
    let (microphone, mute, microphone_round) = microphone_look(stream.sends_audio);
    let (camera, hide, camera_round) = camera_look(stream.sends_video);
    let row = [
        (microphone, mute, microphone_round, Press::Act(Act::Microphone)),
        (camera, hide, camera_round, Press::Act(Act::Camera)),
        (Icon::HangUp, Text::HangUp, Round::Danger, Press::Act(Act::HangUp)),
        (Icon::Expand, Text::BackToCall, Round::Plain, Press::Asked(Asked::Back)),
    ];
    let width = row.len() as f32 * (BUTTON + space::M) - space::M;
    let middle = pos2(area.center().x, area.bottom() - space::M - BUTTON / 2.0);
    let ground = Rect::from_center_size(middle, vec2(width + 2.0 * space::S, BUTTON + space::S));
    ui.painter().rect_filled(ground, CornerRadius::same(22), theme::SCRIM);
    let place = Rect::from_center_size(middle, vec2(width, BUTTON));
    let builder = UiBuilder::new().id_salt("buttons").max_rect(place).layout(Layout::left_to_right(Align::Center));
    let mut line = ui.new_child(builder);
    line.spacing_mut().item_spacing.x = space::M;
    let mut pressed = None;
    for (icon, key, look, press) in row {
        let name = scene.text(key);
        if round_control_sized(&mut line, icon, name, name, look, BUTTON).clicked() {
            pressed = Some(press);
        }
    }
    let corner = Rect::from_min_size(pos2(area.right() - space::S - 28.0, area.top() + space::S), vec2(28.0, 28.0));
    ui.painter().circle_filled(corner.center(), 14.0, theme::SCRIM);
    let mut corner = ui.new_child(UiBuilder::new().id_salt("close").max_rect(corner));
    let name = scene.text(Text::CloseSmallWindow);
    if round_control_sized(&mut corner, Icon::Close, name, name, Round::Plain, 28.0).clicked() {
        pressed = Some(Press::Asked(Asked::Close));
    }
    pressed
}

/// The edge or corner of the window at a point.
fn edge_at(area: Rect, at: egui::Pos2) -> Option<ResizeDirection> {
    let (left, right) = (at.x < area.left() + EDGE, at.x > area.right() - EDGE);
    let (top, bottom) = (at.y < area.top() + EDGE, at.y > area.bottom() - EDGE);
    Some(match (left, right, top, bottom) {
        (true, _, true, _) => ResizeDirection::NorthWest,
        (true, _, _, true) => ResizeDirection::SouthWest,
        (_, true, true, _) => ResizeDirection::NorthEast,
        (_, true, _, true) => ResizeDirection::SouthEast,
        (true, ..) => ResizeDirection::West,
        (_, true, ..) => ResizeDirection::East,
        (_, _, true, _) => ResizeDirection::North,
        (_, _, _, true) => ResizeDirection::South,
        (false, false, false, false) => return None,
    })
}

const fn cursor_of(edge: ResizeDirection) -> CursorIcon {
    match edge {
        ResizeDirection::North => CursorIcon::ResizeNorth,
        ResizeDirection::South => CursorIcon::ResizeSouth,
        ResizeDirection::East => CursorIcon::ResizeEast,
        ResizeDirection::West => CursorIcon::ResizeWest,
        ResizeDirection::NorthEast => CursorIcon::ResizeNorthEast,
        ResizeDirection::SouthEast => CursorIcon::ResizeSouthEast,
        ResizeDirection::NorthWest => CursorIcon::ResizeNorthWest,
        ResizeDirection::SouthWest => CursorIcon::ResizeSouthWest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edges_resize_and_the_rest_moves() {
        let area = Rect::from_min_size(pos2(0.0, 0.0), vec2(320.0, 180.0));
        for (x, y, edge) in [
            (160.0, 90.0, None),
            (2.0, 90.0, Some(ResizeDirection::West)),
            (318.0, 2.0, Some(ResizeDirection::NorthEast)),
            (318.0, 178.0, Some(ResizeDirection::SouthEast)),
            (160.0, 178.0, Some(ResizeDirection::South)),
        ] {
            assert_eq!(edge_at(area, pos2(x, y)), edge, "{x}, {y}");
        }
    }
}
