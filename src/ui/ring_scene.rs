//! The window while somebody rings or is rung: one's own picture fills it, with the other person above and round
//! buttons below.

use eframe::egui::{
    self, Align, Color32, CornerRadius, Frame, Key, Layout, Modifiers, Popup, Rect, ScrollArea, Ui, UiBuilder, pos2,
    vec2,
};

use crate::call::InviteId;
use crate::controller::{CallView, Command, IncomingView, OutgoingView, VideoChoice};

use super::bidi::{self, Lines};
use super::buttons::{Round, labelled_round, labelled_round_height};
use super::catalogue::Text;
use super::icons::Icon;
use super::keys;
use super::scene::Scene;
use super::stage;
use super::theme::{self, Palette, Type, space};

/// Keys and buttons answer or decline only after the scene has been seen, and the keyboard has been quiet, for this
/// long, in seconds: whoever was typing or clicking when it came up, and goes on, must not do either by accident.
const HEEDED_AFTER: f64 = 0.6;

/// Width of a button with its words in points.
const SLOT: f32 = 168.0;

/// Widest card over the picture, and the room around its words, in points.
const CARD: f32 = 440.0;
const PADDING: f32 = 12.0;

/// A scene lower than this (points) scrolls in the part above its buttons.
const SCROLLS: f32 = 420.0;

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
    let height = labelled_round_height(width / count.max(1) as f32, disc(area));
    let row = Rect::from_min_max(
        pos2(area.center().x - width / 2.0, bottom - height),
        pos2(area.center().x + width / 2.0, bottom),
    );
    let top = area.top() + stage::portrait_top(area.height());
    (Rect::from_min_max(pos2(area.left(), top), pos2(area.right(), row.top() - space::S)), row)
}

/// Diameter of the buttons in points.
fn disc(area: Rect) -> f32 {
    match area.height() {
        height if height < stage::LOWEST => 46.0,
        height if height < stage::LOW => 54.0,
        _ => 68.0,
    }
}

fn part(ui: &mut Ui, name: &str, place: Rect, layout: Layout) -> Ui {
    let mut part = ui.new_child(UiBuilder::new().id_salt(name).max_rect(place).layout(layout));
    part.spacing_mut().item_spacing = vec2(0.0, space::S);
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
    let microphone = if sends_audio {
        (Icon::Microphone, word(Text::Mute), Round::Plain)
    } else {
        (Icon::MicrophoneOff, word(Text::Unmute), Round::Off)
    };
    let camera = if sends_video {
        (Icon::Camera, word(Text::CameraOff), Round::Plain)
    } else {
        (Icon::CameraOff, word(Text::CameraOn), Round::Off)
    };
    let own = |(icon, words, look), press| Choice { icon, words, tip: words, look, press };
    let cancel_words = word(Text::CancelCall);
    let choices = vec![
        own(microphone, Command::EnableAudio { on: !sends_audio, participant: None }),
        Choice { icon: Icon::HangUp, words: cancel_words, tip: "Esc", look: Round::Danger, press: cancel.clone() },
        own(camera, Command::EnableVideo { on: !sends_video, participant: None }),
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
    let said = incoming.user_data.trim();
    let caller = |ui: &mut Ui| {
        stage::portrait(ui, scene, incoming.peer, &name, line);
        ui.add_space(space::XS);
        if !incoming.known {
            warning(ui, scene, incoming);
        }
    };
    let mut middle = part(ui, "caller", upper, Layout::top_down(Align::Center));
    if area.height() < SCROLLS {
        ScrollArea::vertical().max_height(upper.height()).auto_shrink(false).show(&mut middle, |ui| {
            caller(ui);
            if !said.is_empty() {
                card(ui, CARD, |ui| {
                    ui.label(Type::Caption.text(scene.text(Text::TheirNote), theme::ON_PICTURE_SOFT));
                    bidi::label(ui, said, Type::Body, theme::ON_PICTURE, Lines::Many);
                });
            }
        });
    } else {
        caller(&mut middle);
        let top = middle.min_rect().bottom() + space::S;
        note(ui, scene, said, Rect::from_min_max(pos2(upper.left(), top), upper.max));
    }
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

/// Says that the caller is a stranger, or goes by the name of a contact with another key.
fn warning(ui: &mut Ui, scene: &Scene<'_>, incoming: &IncomingView) {
    let palette = Palette::of(ui);
    let (title, detail) = match &incoming.namesake {
        Some(contact) => (scene.words.with_name(Text::CallerOtherKey, contact), Text::CallerOtherKeyDetail),
        None => (scene.text(Text::UnknownCaller).to_owned(), Text::UnknownCallerDetail),
    };
    card(ui, CARD, |ui| {
        ui.horizontal_wrapped(|ui| {
            let (_, rect) = ui.allocate_space(vec2(22.0, 18.0));
            Icon::Warning.paint(ui.painter(), rect.left_center() + vec2(9.0, 0.0), 18.0, palette.warning);
            ui.label(Type::Strong.text(title, palette.warning));
        });
        ui.label(Type::Caption.text(scene.text(detail), theme::ON_PICTURE_SOFT));
        let id = scene.words.fill(Text::TheirId, &[("id", &incoming.peer.short())]);
        ui.label(Type::Caption.text(id, theme::ON_PICTURE_SOFT));
    });
}

/// The caller's note at the bottom of `place`, away from the face in the middle; a long one scrolls.
fn note(ui: &mut Ui, scene: &Scene<'_>, note: &str, place: Rect) {
    if note.is_empty() {
        return;
    }
    let caption = bidi::one_line(ui, scene.text(Text::TheirNote), Type::Caption, theme::ON_PICTURE_SOFT, CARD);
    let around = caption.size().y + space::XS + 2.0 * PADDING;
    let room = (place.height() - around).clamp(20.0, 160.0);
    let text = bidi::wrapped(ui, note, Type::Body, theme::ON_PICTURE, CARD - 2.0 * PADDING).size();
    let top = place.bottom() - around - text.y.min(room);
    let place = Rect::from_min_max(pos2(place.left(), top), place.max);
    let mut lower = part(ui, "note", place, Layout::top_down(Align::Center));
    card(&mut lower, text.x.max(caption.size().x) + 2.0 * PADDING + 2.0, |ui| {
        ui.label(Type::Caption.text(scene.text(Text::TheirNote), theme::ON_PICTURE_SOFT));
        ScrollArea::vertical().max_height(room).auto_shrink([false, true]).show(ui, |ui| {
            bidi::label(ui, note, Type::Body, theme::ON_PICTURE, Lines::Many);
        });
    });
}

/// A card over the picture, `width` points wide where there is room.
fn card(ui: &mut Ui, width: f32, content: impl FnOnce(&mut Ui)) {
    let width = width.min(CARD).min(ui.available_width() - 2.0 * space::L);
    ui.allocate_ui_with_layout(vec2(width, 0.0), Layout::top_down(Align::Min), |ui| {
        let frame = Frame::new().fill(Color32::from_black_alpha(150)).corner_radius(CornerRadius::same(16));
        frame.inner_margin(PADDING).show(ui, |ui| {
            ui.set_width(width - 2.0 * PADDING);
            ui.spacing_mut().item_spacing = vec2(space::XS, space::XS);
            ui.spacing_mut().interact_size.y = 18.0;
            content(ui);
        });
    });
}
