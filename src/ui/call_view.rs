//! The call: the others' pictures filling the window, one's own in a corner, and the controls over them.
//!
//! The window is dark in every theme while there is a call.

mod layout;
pub mod tiles;

use eframe::egui::{
    self, Align, Color32, CornerRadius, CursorIcon, Layout, Rect, Role, Sense, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};
use std::time::Duration;

use self::layout::PlacedTile;
use self::tiles::Marks;
use crate::controller::{Command, ConversationStatus, ConversationView, ParticipantView, PersonKind};
use crate::identity::PeerId;
use crate::store::PictureFit;

use super::buttons::{Weight, explain, focus_ring_on_picture, icon_button_sized, one_line};
use super::call_bar;
use super::call_menus;
use super::catalogue::Text;
use super::controls::{self, Act, Activity, Waking};
use super::icons::Icon;
use super::picture_wish::{PictureOf, PictureWishes};
use super::push_to_talk::PushToTalk;
use super::safety_dialog::SafetyDialog;
use super::scene::Scene;
use super::self_view::{self, SelfView};
use super::settings_panel;
use super::stage;
use super::statistics::Statistics;
use super::theme::{self, Type, space};
use super::wall_clock::clock;

/// Height that the line with the name and the time takes at the top, in points.
const HEAD: f32 = 60.0;

/// A call lower than this (points) has no head beside a card.
const LOW: f32 = 420.0;

/// Least width of a card beside the small picture, in points.
const CARD_NEEDS: f32 = 320.0;

/// How long one's own picture takes from the whole window to its corner, in seconds.
const ENTRANCE: f64 = 0.22;

/// State of the call's screen between frames.
#[derive(Debug, Default)]
pub struct CallScreen {
    self_view: SelfView,
    activity: Activity,
    talk: PushToTalk,
    /// One's own picture was seen while the connection was made, and since when that stands: it moves to its corner.
    entrance: (bool, Option<f64>),
    /// The overlay of statistics, while it is open.
    statistics: Option<Statistics>,
    /// The card with the safety number of the other, while it is open.
    safety: Option<SafetyDialog>,
    /// Receive resolutions that the others were asked for, and the size in points that each picture has in this frame.
    wishes: PictureWishes,
    drawn: Vec<(PictureOf, f32)>,
    waking: Waking,
}

impl CallScreen {
    /// Draws the call; the request that is left to the caller: the settings, the small window.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        scene: &mut Scene<'_>,
        call: &ConversationView,
        settings_open: bool,
    ) -> Option<Act> {
        let window = ui.available_rect_before_wrap();
        ui.advance_cursor_after_rect(window);
        ui.painter().rect_filled(window, 0.0, stage::STAGE);
        // The settings cover the right edge: pictures and buttons stay beside them.
        let area = if settings_open { settings_panel::beside(window) } else { window };
        // Not a stop of Tab: a double click has the same effect as a key and a button.
        let stage = ui.interact(area, ui.scope_id().with("stage"), Sense::CLICK);
        let mut act = controls::act_of_keys(ui);
        self.talk.follow(ui, scene);
        if stage.double_clicked() {
            act = Some(Act::FullScreen);
        }
        let connecting = call.status == ConversationStatus::Connecting || call.participants.is_empty();
        let choice = scene.snapshot.settings.picture_fit;
        let tiles = layout::placed(area, call, fit_beside(settings_open, choice));
        let own_fit = fit_beside(settings_open, PictureFit::Automatic);
        self.self_view.swapped &= tiles.len() == 1 && scene.snapshot.settings.self_view;
        let held = settings_open
            || connecting
            || ui.memory(|memory| memory.focused().is_some())
            || egui::Popup::is_any_open(ui.ctx())
            || over_controls(ui, area);
        let opacity = controls::opacity(ui, &mut self.activity, held);
        if connecting {
            self.entrance = (scene.snapshot.local_stream.video, None);
            stage::connecting(ui, area, scene, call);
        } else {
            let resting = self.resting_place(area, scene, &tiles);
            let taken = if self.shows_small_picture(scene) { resting } else { Rect::NOTHING };
            let marks = Marks { opacity, quality: self.statistics.is_none(), taken };
            self.tiles(ui, area, scene, &tiles, marks, own_fit);
            self.small_tile(ui, area, scene, &tiles, resting);
            self.cards(ui, beside_small_picture(area, taken), scene, call);
        }
        self.ask(ui, scene);
        let mut overlay = ui.new_child(UiBuilder::new().id_salt("overlay").max_rect(area));
        overlay.set_opacity(opacity);
        let is_waking = self.waking.follow(ui, opacity);
        let asked = scene.commands.len();
        let covered = area.height() < LOW && (self.statistics.is_some() || self.safety.is_some());
        let safety_of = if connecting || covered { None } else { head(&mut overlay, area, scene, call, &tiles) };
        let pressed = call_bar::show(&mut overlay, area, scene, call);
        controls::muted_hint(ui, area, call_bar::place(area), scene, self.talk.is_talking());
        if is_waking {
            scene.commands.truncate(asked);
            egui::Popup::close_all(ui.ctx());
        } else {
            act = pressed.or(act);
            let asked = if act == Some(Act::SafetyNumber) { call.participants.first() } else { None };
            if let Some(id) = asked.map(|who| who.id).or(safety_of) {
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
        act
    }

    /// The cards over the pictures: statistics, a safety number.
    fn cards(&mut self, ui: &mut Ui, area: Rect, scene: &mut Scene<'_>, call: &ConversationView) {
        let top = if area.height() < LOW { space::S } else { HEAD };
        let room =
            Rect::from_min_max(area.min + vec2(space::L, top), area.max - vec2(space::L, call_bar::HEIGHT + space::S));
        if let Some(statistics) = &mut self.statistics {
            statistics.show(ui, room, scene, call);
        }
        if self.safety.as_mut().is_some_and(|safety| safety.show_beside(ui, room, scene)) {
            self.safety = None;
        }
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

    /// The window is hidden: nothing of the others' pictures is drawn, and no key is heard.
    pub fn hide(&mut self, participants: &[ParticipantView], commands: &mut Vec<Command>) {
        self.talk.release(commands);
        let of = |who: &ParticipantView| {
            let id = who.id;
            who.pictures.iter().map(move |picture| (id, picture.stream)).collect::<Vec<_>>()
        };
        let pictures: Vec<_> = participants.iter().flat_map(of).collect();
        self.wishes.hide(&pictures, commands);
    }

    /// Another window draws the others' pictures and asks for them: what this one has asked for holds no more.
    pub fn hand_over(&mut self, commands: &mut Vec<Command>) {
        self.talk.release(commands);
        self.wishes = PictureWishes::default();
    }

    /// The large pictures.
    fn tiles(
        &mut self,
        ui: &mut Ui,
        area: Rect,
        scene: &mut Scene<'_>,
        tiles: &[PlacedTile<'_>],
        marks: Marks,
        own_fit: PictureFit,
    ) {
        if self.self_view.swapped {
            tiles::own(ui, area, scene, Some(own_fit));
            tiles::own_speech(ui, area, scene, 0.0);
            return;
        }
        for tile in tiles {
            self.remote(ui, scene, tile, &marks);
        }
    }

    /// One tile of somebody, with the line around it while they speak.
    fn remote(&mut self, ui: &mut Ui, scene: &mut Scene<'_>, tile: &PlacedTile<'_>, marks: &Marks) {
        let lines = if tile.is_screen() {
            tiles::screen(ui, scene, tile, marks)
        } else {
            let lines = tiles::camera(ui, scene, tile, marks);
            tiles::speech(ui, scene, tile);
            lines
        };
        if let Some(picture) = tile.picture {
            self.drawn.push(((tile.who.id, picture.stream), lines));
        }
    }

    /// The other's tile, where it is the small one.
    fn swapped<'a>(&self, tiles: &[PlacedTile<'a>]) -> Option<PlacedTile<'a>> {
        match tiles {
            [only] if self.self_view.swapped => Some(*only),
            _ => None,
        }
    }

    fn shows_small_picture(&self, scene: &Scene<'_>) -> bool {
        self.self_view.swapped || scene.snapshot.settings.self_view
    }

    /// The place of the small picture in its corner.
    fn resting_place(&self, area: Rect, scene: &Scene<'_>, tiles: &[PlacedTile<'_>]) -> Rect {
        let slot = match self.swapped(tiles) {
            Some(tile) => tile.picture.map(|picture| &picture.slot),
            None => Some(&scene.snapshot.local_stream.preview),
        };
        let proportions = slot.and_then(|slot| tiles::picture_size(slot)).map_or(16.0 / 9.0, |size| size.x / size.y);
        let size = self_view::size(area, proportions, scene.snapshot.settings.self_view_size);
        let bottom = if area.width() < layout::NARROW { call_bar::HEIGHT - space::L } else { 0.0 };
        self.self_view.corner.place(area, size, 44.0, bottom)
    }

    /// Share of the way from the whole window to its corner that one's own picture has still to go.
    fn entrance(&mut self, ui: &Ui) -> f32 {
        let (true, since) = self.entrance else { return 0.0 };
        let now = ui.input(|input| input.time);
        let since = since.unwrap_or(now);
        let still = ui.style().animation_time <= 0.0;
        let passed = ((now - since) / ENTRANCE) as f32;
        if still || passed >= 1.0 {
            self.entrance = (false, None);
            return 0.0;
        }
        self.entrance = (true, Some(since));
        ui.ctx().request_repaint();
        (1.0 - passed).powi(3)
    }

    /// The picture in the corner: one's own, or the other's while they are swapped.
    fn small_tile(&mut self, ui: &mut Ui, area: Rect, scene: &mut Scene<'_>, tiles: &[PlacedTile<'_>], resting: Rect) {
        let entrance = self.entrance(ui);
        if !self.shows_small_picture(scene) {
            return;
        }
        let remote = self.swapped(tiles);
        let place = resting.translate(self.self_view.dragged).lerp_towards(&area, entrance);
        let response = ui.interact(place, ui.scope_id().with("small picture"), Sense::click_and_drag());
        let name = match remote {
            Some(tile) => scene.words.with_name(Text::SelfViewBig, &scene.name(tile.who.id, &tile.who.name)),
            None => scene.text(Text::SelfView).to_owned(),
        };
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
        if response.dragged() {
            self.self_view.drag(response.drag_delta());
        }
        if response.drag_stopped() {
            self.self_view.release(area, resting);
        }
        response.context_menu(|ui| call_menus::own_picture(ui, scene));
        if response.clicked() && tiles.len() == 1 {
            self.self_view.swapped = !self.self_view.swapped;
        }
        match remote {
            Some(tile) => {
                let marks = Marks { opacity: 0.0, quality: self.statistics.is_none(), taken: Rect::NOTHING };
                self.remote(ui, scene, &PlacedTile { place, rounding: 12.0, ..tile }, &marks);
            }
            None => tiles::own(ui, place, scene, None),
        }
        let edge = egui::Stroke::new(1.0, Color32::from_white_alpha(40));
        ui.painter().rect_stroke(place, CornerRadius::same(12), edge, egui::StrokeKind::Inside);
        if remote.is_none() {
            tiles::own_speech(ui, place, scene, 12.0);
        }
        focus_ring_on_picture(ui, &response, place, 12);
        explain(response, name);
    }
}

/// How pictures are fitted in a call. Beside the settings the room is high and narrow for a while: they fill it unless
/// they were chosen to be whole.
const fn fit_beside(settings_open: bool, choice: PictureFit) -> PictureFit {
    match choice {
        PictureFit::Automatic if settings_open => PictureFit::Fill,
        choice => choice,
    }
}

/// The part of `area` beside the small picture, where that stands at the left and leaves room for a card.
fn beside_small_picture(area: Rect, taken: Rect) -> Rect {
    if taken.is_positive() && taken.center().x < area.center().x && area.right() - taken.right() >= CARD_NEEDS {
        Rect::from_min_max(pos2(taken.right(), area.top()), area.max)
    } else {
        area
    }
}

/// The part of `window` under the line with the name and the time.
pub fn below_head(window: Rect) -> Rect {
    Rect::from_min_max(pos2(window.left(), window.top() + HEAD), window.max)
}

fn over_controls(ui: &Ui, area: Rect) -> bool {
    let bar = call_bar::place(area).expand(space::L);
    let head = Rect::from_min_size(area.min, vec2(area.width(), HEAD));
    ui.input(|input| input.pointer.hover_pos())
        .is_some_and(|at| bar.contains(at) || (head.contains(at) && at.x < area.left() + 420.0))
}

/// Name, time, and the actions on the others' streams, at the upper left; the contact whose safety number is asked for.
fn head(
    ui: &mut Ui,
    area: Rect,
    scene: &mut Scene<'_>,
    call: &ConversationView,
    tiles: &[PlacedTile<'_>],
) -> Option<PeerId> {
    let time = match call.connected_at {
        Some(since) => {
            let elapsed = scene.now.media.since(since);
            let next = Duration::from_secs(1) - Duration::from_nanos(u64::from(elapsed.subsec_nanos()));
            if ui.opacity() > 0.0 {
                ui.ctx().request_repaint_after(next + Duration::from_millis(5));
            }
            clock(elapsed)
        }
        None => scene.text(Text::Connecting).to_owned(),
    };
    let title = match call.participants.as_slice() {
        [] => String::new(),
        [only] => scene.name(only.id, &only.name),
        several => scene.words.fill(Text::PeopleInCall, &[("count", &(several.len() + 1).to_string())]),
    };
    let clock = one_line(ui, &time, Type::Body, theme::ON_PICTURE_SOFT, 160.0);
    let verified = match call.participants.as_slice() {
        [only] => scene.person(only.id).is_some_and(|person| person.verified),
        _ => false,
    };
    let mark = if verified { 22.0 } else { 0.0 };
    let folded = call_bar::is_folded(area);
    let beside = if folded { 0.0 } else { space::S + CHOICES };
    let room = area.width() - 2.0 * space::L - beside - (2.0 * space::L + mark + space::M + clock.size().x);
    let name = one_line(ui, &title, Type::Strong, theme::ON_PICTURE, room.min(240.0));
    let width = space::L + name.size().x + mark + space::M + clock.size().x + space::L;
    let rect = Rect::from_min_size(area.min + vec2(space::L, space::L), vec2(width, 36.0));
    ui.painter().rect_filled(rect, CornerRadius::same(18), theme::SCRIM);
    let response = ui.interact(rect, ui.scope_id().with("head"), Sense::hover());
    let trust = if verified { format!(", {}", scene.text(Text::Verified)) } else { String::new() };
    let said = format!("{title}{trust}, {}", scene.words.fill(Text::CallTime, &[("time", &time)]));
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &said));
    if name.elided {
        explain(response, title.clone());
    }
    let left = rect.left() + space::L;
    let clock_left = left + name.size().x + mark + space::M;
    if verified {
        let center = pos2(left + name.size().x + 14.0, rect.center().y);
        Icon::Verified.paint(ui.painter(), center, 17.0, theme::ON_PICTURE);
    }
    ui.painter().galley(pos2(left, rect.center().y - name.size().y / 2.0), name, theme::ON_PICTURE);
    ui.painter().galley(pos2(clock_left, rect.center().y - clock.size().y / 2.0), clock, theme::ON_PICTURE_SOFT);
    if call.status != ConversationStatus::Connected {
        return None;
    }
    match call.participants.as_slice() {
        // The bar's menu has them.
        [_] if folded => {}
        [only] => {
            let contact = scene.person(only.id).is_some_and(|person| person.kind == PersonKind::Contact);
            return local_choices(ui, rect.right_top() + vec2(space::S, 0.0), scene, only, contact);
        }
        _ => {
            for (index, tile) in tiles.iter().enumerate() {
                // Once a person, on the foremost of their tiles.
                if tiles[..index].iter().all(|other| other.who.id != tile.who.id) {
                    local_choices(ui, layout::choices_at(tile.place), scene, tile.who, false);
                }
            }
        }
    }
    None
}

/// Width of the actions on somebody's streams, with their safety number, in points.
const CHOICES: f32 = 116.0;

/// Hear them or not, see them or not: here only. With `safety` also their safety number, which is returned when asked
/// for.
fn local_choices(
    ui: &mut Ui,
    at: egui::Pos2,
    scene: &mut Scene<'_>,
    who: &ParticipantView,
    safety: bool,
) -> Option<PeerId> {
    let rect = Rect::from_min_size(at, vec2(if safety { CHOICES } else { 76.0 }, 36.0));
    ui.painter().rect_filled(rect, CornerRadius::same(18), theme::SCRIM);
    let builder = UiBuilder::new()
        .id_salt(("choices", who.id))
        .max_rect(rect.shrink(2.0))
        .layout(Layout::left_to_right(Align::Center));
    let mut line = ui.new_child(builder);
    line.spacing_mut().item_spacing.x = space::S;
    let name = scene.name(who.id, &who.name);
    let hear = if who.muted_here { (Icon::SpeakerOff, Text::UnmuteHere) } else { (Icon::Speaker, Text::MuteHere) };
    let see = if who.hidden_here { (Icon::EyeOff, Text::ShowHere) } else { (Icon::Eye, Text::HideHere) };
    let press = |line: &mut Ui, (icon, key): (Icon, Text)| {
        let words = scene.words.with_name(key, &name);
        icon_button_sized(line, icon, &words, 32.0, Weight::OnPicture).clicked()
    };
    let (hear, see) = (press(&mut line, hear), press(&mut line, see));
    let asked = safety && press(&mut line, (Icon::Verified, Text::SafetyOf));
    if hear {
        scene.send(Command::EnableAudio { on: who.muted_here, participant: Some(who.id) });
    }
    if see {
        scene.send(Command::EnableVideo { on: who.hidden_here, participant: Some(who.id) });
    }
    asked.then_some(who.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::tile::Fit;

    #[test]
    fn beside_the_settings_a_picture_fills_the_room_unless_it_was_chosen_to_be_whole() {
        let (picture, room) = (vec2(1280.0, 720.0), vec2(720.0, 720.0));
        for (choice, alone, beside) in [
            (PictureFit::Automatic, Fit::Contain, Fit::Cover),
            (PictureFit::Fill, Fit::Cover, Fit::Cover),
            (PictureFit::Whole, Fit::Contain, Fit::Contain),
        ] {
            assert_eq!(Fit::of(picture, room, fit_beside(false, choice)), alone);
            assert_eq!(Fit::of(picture, room, fit_beside(true, choice)), beside);
        }
    }
}
