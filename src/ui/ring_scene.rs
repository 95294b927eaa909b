//! The window while somebody rings or is rung: one's own picture fills it, with the other person along the upper edge
//! and round buttons below, so that nothing lies over the middle of one's face.

use std::sync::Arc;

use eframe::egui::{
    self, Align, CornerRadius, Frame, Galley, Key, Layout, Margin, Modifiers, Popup, Rect, Role, ScrollArea, Ui,
    UiBuilder, WidgetInfo, pos2, vec2,
};

use crate::call::InviteId;
use crate::controller::{CallView, Command, IncomingView, OutgoingView, VideoChoice};

use super::bidi::{self, Lines};
use super::buttons::{Round, labelled_round, labelled_round_height, one_line, painted_words};
use super::catalogue::Text;
use super::controls::{camera_look, microphone_look};
use super::icons::Icon;
use super::keys;
use super::scene::Scene;
use super::stage;
use super::theme::{self, Palette, Type, space};

/// Keys and buttons answer or decline only after the scene has been seen, and the keyboard has been quiet, for this
/// long, in seconds: whoever was typing or clicking when it came up, and goes on, must not do either by accident.
const HEEDED_AFTER: f64 = 0.6;

/// Room that the scene needs in points: four buttons whose words are whole, and a caller's words above one's face.
pub const ROOM: [f32; 2] = [540.0, 400.0];

/// Width of a button with its words in points.
const SLOT: f32 = 168.0;

/// Widest card over the picture, and the room beside its words, in points.
const CARD: f32 = 680.0;
const PADDING: f32 = 14.0;

/// Lines of a note that are shown at once.
const NOTE_LINES: f32 = 3.0;

/// State of the scene between frames.
#[derive(Debug, Default)]
pub struct RingScene {
    /// The incoming invite that is shown, and since when the keyboard has been quiet under it.
    shown: Option<(InviteId, f64)>,
}

/// A press of the callee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Video,
    Audio,
    Decline,
    Block,
}

impl RingScene {
    /// Draws the scene over the whole window; nothing where nobody rings.
    pub fn show(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) {
        let snapshot = scene.snapshot;
        match &snapshot.call {
            CallView::Outgoing(outgoing) => {
                self.shown = None;
                outgoing_scene(ui, scene, outgoing);
            }
            CallView::Incoming(incoming) => self.incoming(ui, scene, incoming),
            CallView::Idle | CallView::Conversation(_) => self.shown = None,
        }
    }

    fn incoming(&mut self, ui: &mut Ui, scene: &mut Scene<'_>, incoming: &IncomingView) {
        let now = ui.input(|input| input.time);
        let since = match self.shown {
            Some((invite, since)) if invite == incoming.invite => since,
            _ => {
                // Whatever had the focus must not take the keys that are meant for the scene, nor the other way round.
                ui.memory_mut(|memory| memory.stop_text_input());
                if let Some(focused) = ui.memory(|memory| memory.focused()) {
                    ui.memory_mut(|memory| memory.surrender_focus(focused));
                }
                Popup::close_all(ui.ctx());
                self.shown = Some((incoming.invite, now));
                now
            }
        };
        if ui.input(|input| input.events.iter().any(is_typing)) {
            self.shown = Some((incoming.invite, now));
        }
        let heeded = now - since >= HEEDED_AFTER;
        let free = ui.memory(|memory| memory.focused().is_none());
        let enter = free && keys::pressed(ui, Modifiers::NONE, Key::Enter);
        let escape = keys::pressed(ui, Modifiers::NONE, Key::Escape);
        let offered = if incoming.with_video { Answer::Video } else { Answer::Audio };
        let pressed = incoming_scene(ui, scene, incoming, offered);
        let by_key = if escape { Some(Answer::Decline) } else { enter.then_some(offered) };
        if heeded && let Some(answer) = pressed.or(by_key) {
            carry_out(answer, scene, incoming);
        }
    }
}

fn carry_out(answer: Answer, scene: &mut Scene<'_>, incoming: &IncomingView) {
    let invite = incoming.invite;
    let audio = scene.sends_audio();
    let accept = |video| Command::Accept { invite, audio, video };
    match answer {
        Answer::Video => scene.send(accept(scene.video())),
        Answer::Audio => scene.send(accept(VideoChoice::Off)),
        Answer::Decline => scene.send(Command::Reject { invite }),
        Answer::Block => {
            scene.send(Command::Reject { invite });
            scene.send(Command::BlockContact { id: incoming.peer, on: true });
        }
    }
}

/// A key that goes down (again), or text that comes in; not Tab, which leads to the buttons.
fn is_typing(event: &egui::Event) -> bool {
    match event {
        egui::Event::Key { key, pressed, .. } => *pressed && *key != Key::Tab,
        egui::Event::Text(_) | egui::Event::Ime(_) => true,
        _ => false,
    }
}

/// The parts of the window over its ground: for the person, and for `count` buttons in a row.
fn parts(area: Rect, count: usize) -> (Rect, Rect) {
    let bottom = area.bottom() - (area.height() * 0.04).clamp(8.0, 40.0);
    let width = (SLOT * count as f32).min(area.width());
    let height = labelled_round_height(disc(area));
    let row = Rect::from_min_max(
        pos2(area.center().x - width / 2.0, bottom - height),
        pos2(area.center().x + width / 2.0, bottom),
    );
    let top = area.top() + stage::portrait_top(area.height());
    (Rect::from_min_max(pos2(area.left(), top), pos2(area.right(), row.top() - space::S)), row)
}

/// Diameter of the buttons in points.
fn disc(area: Rect) -> f32 {
    if area.height() < stage::LOW { 54.0 } else { 68.0 }
}

fn part(ui: &mut Ui, name: &str, place: Rect, layout: Layout) -> Ui {
    let mut part = ui.new_child(UiBuilder::new().id_salt(name).max_rect(place).layout(layout));
    part.spacing_mut().item_spacing = vec2(0.0, space::XS);
    part
}

/// One button of the row.
struct Choice<'a, T> {
    icon: Icon,
    words: &'a str,
    tip: &'a str,
    look: Round,
    press: T,
}

/// Draws the row of buttons; the one that was pressed.
fn row<T>(ui: &mut Ui, (area, place): (Rect, Rect), choices: Vec<Choice<'_, T>>) -> Option<T> {
    let slot = place.width() / choices.len().max(1) as f32;
    let mut line = part(ui, "buttons", place, Layout::left_to_right(Align::Min));
    let mut pressed = None;
    for Choice { icon, words, tip, look, press } in choices {
        if labelled_round(&mut line, (slot, disc(area)), icon, words, tip, look).clicked() {
            pressed = Some(press);
        }
    }
    pressed
}

fn outgoing_scene(ui: &mut Ui, scene: &mut Scene<'_>, outgoing: &OutgoingView) {
    let name = scene.name(outgoing.peer, &outgoing.name);
    let escape = keys::pressed(ui, Modifiers::NONE, Key::Escape);
    let area = ui.available_rect_before_wrap();
    ui.advance_cursor_after_rect(area);
    stage::own(ui, area, scene, outgoing.peer);
    let (upper, place) = parts(area, 3);
    let state = scene.text(if outgoing.ringing { Text::Ringing } else { Text::Calling });
    stage::portrait(
        &mut part(ui, "callee", upper, Layout::top_down(Align::Center)),
        scene,
        outgoing.peer,
        &name,
        state,
    );
    let cancel = Command::Cancel { invite: outgoing.invite };
    let stream = &scene.snapshot.local_stream;
    let (sends_audio, sends_video) = (stream.sends_audio, stream.sends_video);
    let word = |key| scene.text(key);
    let own = |(icon, key, look), press| Choice { icon, words: word(key), tip: word(key), look, press };
    let cancel_words = word(Text::CancelCall);
    let choices = vec![
        own(microphone_look(sends_audio), Command::EnableAudio { on: !sends_audio, participant: None }),
        Choice { icon: Icon::HangUp, words: cancel_words, tip: "Esc", look: Round::Danger, press: cancel.clone() },
        own(camera_look(sends_video), Command::EnableVideo { on: !sends_video, participant: None }),
    ];
    if let Some(command) = row(ui, (area, place), choices).or(escape.then_some(cancel)) {
        scene.send(command);
    }
}

fn incoming_scene(ui: &mut Ui, scene: &mut Scene<'_>, incoming: &IncomingView, offered: Answer) -> Option<Answer> {
    let name = scene.name(incoming.peer, &incoming.name);
    let area = ui.available_rect_before_wrap();
    ui.advance_cursor_after_rect(area);
    stage::own(ui, area, scene, incoming.peer);
    let (upper, place) = parts(area, if incoming.known { 3 } else { 4 });
    let line = scene.text(if incoming.with_video { Text::IncomingVideo } else { Text::IncomingAudio });
    let mut middle = part(ui, "caller", upper, Layout::top_down(Align::Center));
    stage::portrait(&mut middle, scene, incoming.peer, &name, line);
    words(&mut middle, scene, incoming);
    let tip = |answer, otherwise| if answer == offered { "Enter" } else { otherwise };
    let choice = |icon, key, look, press| {
        let words = scene.text(key);
        let tip = if press == Answer::Decline { "Esc" } else { tip(press, words) };
        Choice { icon, words, tip, look, press }
    };
    let look = |answer| if answer == offered { Round::AnswerFirst } else { Round::Answer };
    let mut choices = vec![
        choice(Icon::HangUp, Text::Decline, Round::Danger, Answer::Decline),
        choice(Icon::Phone, Text::AnswerAudio, look(Answer::Audio), Answer::Audio),
        choice(Icon::Camera, Text::AnswerVideo, look(Answer::Video), Answer::Video),
    ];
    if !incoming.known {
        choices.insert(0, choice(Icon::Block, Text::Block, Round::Plain, Answer::Block));
    }
    row(ui, (area, place), choices)
}

/// Warning under the name of a caller who is a stranger, or goes by the name of a contact with another key.
struct Warning {
    title: String,
    id: String,
    detail: &'static str,
}

/// Room before the title of a warning, for its sign, in points.
const SIGN: f32 = 22.0;

impl Warning {
    fn of(incoming: &IncomingView, scene: &Scene<'_>) -> Option<Self> {
        let (title, detail) = match &incoming.namesake {
            _ if incoming.known => return None,
            Some(contact) => (scene.words.with_name(Text::CallerOtherKey, contact), Text::CallerOtherKeyDetail),
            None => (scene.text(Text::UnknownCaller).to_owned(), Text::UnknownCallerDetail),
        };
        let id = scene.words.fill(Text::TheirId, &[("id", &incoming.peer.short())]);
        Some(Self { title, id, detail: scene.text(detail) })
    }

    /// Title and ID, on one line of `room` points, and the width of that line.
    fn head(&self, ui: &Ui, room: f32) -> (Arc<Galley>, Arc<Galley>, f32) {
        let id = one_line(ui, &self.id, Type::Caption, theme::ON_PICTURE_SOFT, room / 2.0);
        let room = (room - SIGN - space::S - id.size().x).max(0.0);
        let title = one_line(ui, &self.title, Type::Strong, Palette::of(ui).warning, room);
        let width = SIGN + title.size().x + space::S + id.size().x;
        (title, id, width)
    }

    /// The width it takes of `room`, in points.
    fn width(&self, ui: &Ui, room: f32) -> f32 {
        let detail = bidi::wrapped(ui, self.detail, Type::Caption, theme::ON_PICTURE_SOFT, room).size().x;
        self.head(ui, room).2.max(detail)
    }

    fn show(&self, ui: &mut Ui) {
        let (title, id, width) = self.head(ui, ui.available_width());
        let (_, row) = ui.allocate_space(vec2(ui.available_width(), 18.0));
        let mut at = row.center() - vec2(width / 2.0, 0.0);
        Icon::Warning.paint(ui.painter(), at + vec2(SIGN / 2.0 - 2.0, 0.0), 18.0, Palette::of(ui).warning);
        at.x += SIGN;
        for (words, galley) in [(&self.title, title), (&self.id, id)] {
            let place = Rect::from_min_size(at - vec2(0.0, galley.size().y / 2.0), galley.size());
            painted_words(ui, place, words);
            at.x = place.right() + space::S;
            ui.painter().galley(place.min, galley, theme::ON_PICTURE);
        }
        ui.label(Type::Caption.text(self.detail, theme::ON_PICTURE_SOFT));
    }
}

/// Shows under the name the warning about the caller and their note; a long one scrolls.
fn words(ui: &mut Ui, scene: &Scene<'_>, incoming: &IncomingView) {
    let (warning, note) = (Warning::of(incoming, scene), incoming.user_data.trim());
    if warning.is_none() && note.is_empty() {
        return;
    }
    let room = CARD.min(ui.available_width() - 2.0 * space::L) - 2.0 * PADDING;
    let quoted = scene.words.fill(Text::Quoted, &[("text", note)]);
    let noted = bidi::wrapped(ui, &quoted, Type::Body, theme::ON_PICTURE, room).size();
    let width = warning.as_ref().map_or(0.0, |warning| warning.width(ui, room));
    let width = if note.is_empty() { width } else { width.max(noted.x) }.ceil() + 1.0;
    ui.allocate_ui_with_layout(vec2(width + 2.0 * PADDING, 0.0), Layout::top_down(Align::Center), |ui| {
        let frame = Frame::new().fill(theme::SCRIM).corner_radius(CornerRadius::same(14));
        frame.inner_margin(Margin::symmetric(PADDING as i8, 6)).show(ui, |ui| {
            ui.set_width(width);
            ui.spacing_mut().item_spacing = vec2(space::XS, 2.0);
            if let Some(warning) = warning {
                warning.show(ui);
            }
            if !note.is_empty() {
                let line = one_line(ui, "x", Type::Body, theme::ON_PICTURE, width).size().y;
                let height = noted.y.min(NOTE_LINES * line);
                ScrollArea::vertical().max_height(height).auto_shrink([false, true]).show(ui, |ui| {
                    ui.set_min_width(width);
                    let label = bidi::label(ui, &quoted, Type::Body, theme::ON_PICTURE, Lines::Many);
                    let said = format!("{}: {note}", scene.text(Text::TheirNote));
                    label.widget_info(|| WidgetInfo::labeled(Role::Label, true, &said));
                });
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Language;
    use crate::ui::catalogue::Words;

    #[test]
    fn the_words_of_four_buttons_are_whole_in_the_least_room() {
        let ctx = egui::Context::default();
        theme::install(&ctx);
        for language in [Language::English, Language::SimplifiedChinese] {
            for key in [Text::Block, Text::Decline, Text::AnswerAudio, Text::AnswerVideo] {
                let words = Words::of(language, "").get(key);
                ctx.run_ui(egui::RawInput::default(), |ui| {
                    let line = one_line(ui, words, Type::Body, theme::ON_PICTURE, ROOM[0] / 4.0 - space::S);
                    assert!(!line.elided, "{words}");
                })
                .textures_delta
                .clear();
            }
        }
    }
}
