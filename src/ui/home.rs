//! The first screen: people and past calls at the left; one's own card, one's picture and the person to call at the
//! right.

use std::sync::Arc;

use eframe::egui::{self, CentralPanel, Frame, Key, Margin, Modifiers, Panel, Rect, Ui, UiBuilder, pos2, vec2};

use crate::controller::{CallView, Command, HistoryEntry, NoticeKind, Person, PersonKind};
use crate::identity::PeerId;

use super::add_contact::AddContact;
use super::asked::{Asked, Next};
use super::badge;
use super::buttons::{TextButton, Weight, icon_button, icon_button_sized, landmark, painted_words, segments};
use super::call_card::CallCard;
use super::catalogue::Text;
use super::dialog;
use super::fields;
use super::hints;
use super::history;
use super::icons::Icon;
use super::keys;
use super::microphone_button::MicrophoneButton;
use super::own_card::OwnCard;
use super::people_list::PeopleList;
use super::preview;
use super::safety_dialog::SafetyDialog;
use super::scene::Scene;
use super::theme::{CONTROL_HEIGHT, Palette, Type, space};

const OWN_CARD_HEIGHT: f32 = 44.0;
/// Below this width (points) the lists hide behind a button.
const NARROW: f32 = 640.0;
/// Below this height (points) one's own card gives way to that of the selected person, and the note to the picture.
const LOW: f32 = 440.0;
/// Height (points) below which there is no room for hints.
const HINTS_NEED: f32 = 520.0;
/// Below this height (points) the card of nobody gives way to the picture, and the program's name to the tabs.
const LOWEST: f32 = 300.0;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Tab {
    #[default]
    People,
    Calls,
}

/// State of home between frames.
#[derive(Debug, Default)]
pub struct Home {
    tab: Tab,
    people: PeopleList,
    own_card: OwnCard,
    call_card: CallCard,
    add_contact: Option<AddContact>,
    safety: Option<SafetyDialog>,
    dialog: Option<Asked>,
    microphone: MicrophoneButton,
    /// The lists are shown in a narrow window.
    lists_open: bool,
    /// Number of the latest notice that was looked at for a new contact.
    noticed: u64,
    /// Missed calls of this history were told to have been seen, all or those of one person.
    seen: Option<(Arc<[HistoryEntry]>, Option<PeerId>)>,
    /// The quiet hours in the settings are asked for.
    to_quiet_hours: bool,
    /// Lower edge of the hint, as it was drawn last.
    hint_bottom: Option<f32>,
}

/// How much of a window this wide the lists at the left take.
fn side_width(window: f32) -> f32 {
    (window * 0.3).clamp(268.0, 340.0)
}

impl Home {
    /// Draws the screen; true when the settings are asked for. Its dialogs wait while an invite has one (`invited`):
    /// two would fight for the keyboard.
    pub fn show(&mut self, ui: &mut Ui, scene: &mut Scene<'_>, invited: bool, settings_open: bool) -> bool {
        let palette = Palette::of(ui);
        let window = ui.available_width();
        let narrow = window < NARROW;
        self.select_newcomer(scene);
        if !invited && !settings_open && !self.has_dialog() {
            self.take_keys(ui);
        }
        let mut settings = false;
        let selected = self.people.selected;
        let lists_alone = narrow && self.lists_open;
        self.hint_bottom = None;
        if !narrow || lists_alone {
            let width = if narrow { window } else { side_width(window) };
            let side = Frame::new().fill(palette.side).inner_margin(Margin::same(space::L as i8));
            Panel::left("people").resizable(false).show_separator_line(false).exact_size(width).frame(side).show(
                ui,
                |ui| {
                    landmark(ui, egui::Role::Navigation, scene.text(Text::Lists));
                    settings = self.side(ui, scene, narrow);
                },
            );
        }
        self.lists_open &= selected == self.people.selected;
        if !lists_alone {
            // No fill: the window is cleared to this colour.
            let ground = Frame::new().inner_margin(Margin::same(space::L as i8));
            CentralPanel::default().frame(ground).show(ui, |ui| {
                landmark(ui, egui::Role::Main, scene.text(Text::AppName));
                settings |= self.stage(ui, scene, narrow, settings_open);
            });
        }
        if !invited {
            settings |= self.dialogs(ui, scene);
        }
        settings
    }

    /// The part of `window` right of the lists, under one's own card and the hint: notes may lie over it.
    pub fn picture(&self, window: Rect) -> Rect {
        let left = window.left() + if window.width() < NARROW { 0.0 } else { side_width(window.width()) };
        let below_card = window.top() + OWN_CARD_HEIGHT + 2.0 * space::L + space::M;
        let top = self.hint_bottom.map_or(below_card, |bottom| bottom + space::S);
        Rect::from_min_max(pos2(left, top), window.max)
    }

    /// Whether the quiet hours in the settings were asked for since this was last called.
    pub fn take_quiet_hours(&mut self) -> bool {
        std::mem::take(&mut self.to_quiet_hours)
    }

    /// Notes the requests of the person: whoever calls somebody has found them.
    pub fn note(&mut self, command: &Command) {
        if let Command::Invite { to, .. } = command {
            self.people.end_search(*to);
        }
    }

    /// Opens the dialog that adds a contact, with this link in it.
    pub fn offer(&mut self, link: String) {
        self.add_contact = Some(AddContact::of(link));
    }

    /// Whether a dialog of home's is open.
    pub const fn has_dialog(&self) -> bool {
        self.add_contact.is_some() || self.safety.is_some() || self.dialog.is_some() || self.own_card.has_dialog()
    }

    /// Keys that lead to the search, wherever the keyboard is.
    fn take_keys(&mut self, ui: &Ui) {
        let search = |key| keys::pressed(ui, Modifiers::COMMAND, key);
        if search(Key::K) || search(Key::F) {
            self.tab = Tab::People;
            self.lists_open = true;
            self.people.focus_search();
        }
    }

    /// Selects a contact who was just added.
    fn select_newcomer(&mut self, scene: &Scene<'_>) {
        let new = scene.snapshot.notices.iter().filter(|notice| notice.number > self.noticed);
        let mut added = new.filter_map(|notice| match &notice.kind {
            NoticeKind::ContactAdded { id, .. } => Some(*id),
            _ => None,
        });
        if let Some(id) = added.next_back() {
            self.people.selected = Some(id);
        }
        let latest = scene.snapshot.notices.iter().map(|notice| notice.number).max();
        self.noticed = self.noticed.max(latest.unwrap_or_default());
    }

    fn side(&mut self, ui: &mut Ui, scene: &mut Scene<'_>, narrow: bool) -> bool {
        let mut settings = false;
        let lowest = ui.available_height() < LOWEST;
        ui.horizontal(|ui| {
            if narrow && icon_button(ui, Icon::Close, scene.text(Text::HideLists)).clicked() {
                self.lists_open = false;
            }
            if lowest {
                let room = ui.available_width() - CONTROL_HEIGHT - space::S;
                ui.allocate_ui(vec2(room, CONTROL_HEIGHT), |ui| self.tabs(ui, scene));
            } else {
                let (_, mark) = ui.allocate_space(vec2(30.0, CONTROL_HEIGHT));
                app_mark(ui, mark);
                ui.label(Type::Title.text(scene.text(Text::AppName), Palette::of(ui).text));
            }
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                settings = icon_button(ui, Icon::Sliders, scene.text(Text::Settings)).clicked();
            });
        });
        if !lowest {
            self.tabs(ui, scene);
        }
        ui.add_space(space::XS);
        let asked = match self.tab {
            Tab::People => self.people.show(ui, scene),
            Tab::Calls => {
                self.mark_seen(ui, None, scene);
                history::show(ui, scene)
            }
        };
        match asked {
            Some(Asked::AddContact) => self.add_contact = Some(AddContact::default()),
            Some(Asked::Safety(id)) => self.safety = Some(SafetyDialog::new(scene.snapshot.me.id, id)),
            Some(Asked::Select(id)) => self.select(id),
            Some(Asked::Note(id)) => {
                self.select(id);
                self.call_card.focus_note();
            }
            Some(asked) => self.dialog = Some(asked),
            None => {}
        }
        settings
    }

    fn tabs(&mut self, ui: &mut Ui, scene: &Scene<'_>) {
        let tabs = [(Tab::People, scene.text(Text::People)), (Tab::Calls, scene.text(Text::Calls))];
        let top = ui.cursor().top();
        if let Some(tab) = segments(ui, scene.text(Text::Lists), self.tab, &tabs) {
            self.tab = tab;
        }
        // In a low window the tabs are too narrow for it.
        let right = ui.max_rect().right();
        let low = ui.ctx().content_rect().height() < LOWEST;
        let at = if low {
            pos2(right + space::XS, top + space::XS)
        } else {
            pos2(right - space::M, top + CONTROL_HEIGHT / 2.0)
        };
        missed_badge(ui, at, scene);
    }

    fn select(&mut self, id: PeerId) {
        self.people.selected = Some(id);
        self.lists_open = false;
    }

    fn stage(&mut self, ui: &mut Ui, scene: &mut Scene<'_>, narrow: bool, settings_open: bool) -> bool {
        let area = ui.available_rect_before_wrap();
        ui.advance_cursor_after_rect(area);
        let person = self.people.selected.and_then(|id| person_of(id, scene));
        if let Some(person) = &person {
            self.mark_seen(ui, Some(person.id), scene);
        }
        let low = area.height() < LOW;
        let lowest = area.height() < LOWEST;
        let card_height =
            if lowest && person.is_none() { -space::L } else { CallCard::height(area.width(), person.as_ref(), low) };
        let top = Rect::from_min_size(area.min, vec2(area.width(), OWN_CARD_HEIGHT));
        let bottom = Rect::from_min_max(pos2(area.left(), area.bottom() - card_height), area.max);
        let mut above = area.top();
        if !low || person.is_none() {
            self.to_quiet_hours |= self.own_row(ui, top, scene, narrow);
            above = top.bottom() + space::L;
        }
        if let Some(hint) = hints::due(scene.snapshot).filter(|_| area.height() >= HINTS_NEED) {
            let height = hints::height(ui, hint, area.width(), scene);
            let place = Rect::from_min_size(pos2(area.left(), above), vec2(area.width(), height));
            hints::show(ui, place, hint, scene);
            self.hint_bottom = Some(place.bottom());
            above = place.bottom() + space::L;
        }
        let middle = Rect::from_min_max(pos2(area.left(), above), pos2(area.right(), bottom.top() - space::L));
        let settings = self.mirror(ui, middle, scene, settings_open);
        let mut card = ui.new_child(UiBuilder::new().id_salt("call card").max_rect(bottom));
        match person {
            Some(person) => {
                if !self.call_card.show(&mut card, bottom, &person, scene, low) {
                    self.people.selected = None;
                }
            }
            None if lowest => {}
            None => CallCard::show_empty(&mut card, bottom, scene),
        }
        settings
    }

    /// The missed calls of this person, or of everybody, have been seen, if somebody looks at the window.
    fn mark_seen(&mut self, ui: &Ui, with: Option<PeerId>, scene: &mut Scene<'_>) {
        let history = &scene.snapshot.history;
        let is_missed = |entry: &HistoryEntry| !entry.seen && with.is_none_or(|id| id == entry.peer);
        let looks =
            ui.input(|input| input.viewport().focused != Some(false)) && matches!(scene.snapshot.call, CallView::Idle);
        let is_told = self.seen.as_ref().is_some_and(|(told, of)| Arc::ptr_eq(told, history) && *of == with);
        if looks && !is_told && history.iter().any(is_missed) {
            self.seen = Some((Arc::clone(history), with));
            scene.send(Command::MarkCallsSeen { with });
        }
    }

    /// Draws one's own card, and in a narrow window before it the button that shows the lists; true when the quiet
    /// hours are asked for.
    fn own_row(&mut self, ui: &mut Ui, mut row: Rect, scene: &mut Scene<'_>, narrow: bool) -> bool {
        if narrow {
            let place = Rect::from_min_size(row.min, vec2(CONTROL_HEIGHT, row.height()));
            let builder = UiBuilder::new().id_salt("lists").max_rect(place);
            let mut corner = ui.new_child(builder.layout(egui::Layout::left_to_right(egui::Align::Center)));
            let name = scene.text(Text::ShowLists);
            if icon_button_sized(&mut corner, Icon::List, name, CONTROL_HEIGHT, Weight::Quiet).clicked() {
                self.lists_open = true;
            }
            row.min.x += CONTROL_HEIGHT + space::S;
        }
        self.own_card.show(&mut ui.new_child(UiBuilder::new().id_salt("own card").max_rect(row)), scene)
    }

    /// Draws one's own picture and the buttons on it; true when the settings are asked for.
    fn mirror(&mut self, ui: &mut Ui, room: Rect, scene: &mut Scene<'_>, settings_open: bool) -> bool {
        let settings =
            preview::show(&mut ui.new_child(UiBuilder::new().id_salt("preview").max_rect(room)), room, scene);
        let corner = preview::placed(room, scene).max;
        let place = Rect::from_min_max(corner - vec2(116.0, 60.0), corner - vec2(68.0, 12.0));
        self.microphone.show(ui, place, scene, settings_open);
        settings
    }

    /// Draws the dialog that is open; true when it asks for the settings.
    fn dialogs(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) -> bool {
        let after_adding = self.add_contact.as_mut().map_or(Next::Stay, |add| add.show(ui, scene));
        if after_adding != Next::Stay {
            self.add_contact = None;
        }
        self.own_card.show_dialog(ui, scene);
        let after_safety = self.safety.as_mut().map_or(Next::Stay, |safety| safety.show(ui, scene));
        if after_safety != Next::Stay {
            self.safety = None;
        }
        let done = match &mut self.dialog {
            Some(Asked::Rename { id, name }) => rename(ui, scene, *id, name),
            Some(Asked::Remove { id, name }) => {
                let title = scene.words.with_name(Text::RemoveTitle, name);
                let words = [Text::RemoveDetail, Text::Cancel, Text::Remove].map(|key| scene.text(key));
                let yes = words[2].trim_end_matches('…');
                let decided = dialog::confirm(ui, &title, words[0], words[1], yes);
                if decided == Some(true) {
                    scene.send(Command::RemoveContact { id: *id });
                }
                decided.is_some()
            }
            Some(Asked::ClearHistory) => {
                let words = [Text::ClearHistoryTitle, Text::ClearHistoryDetail, Text::Cancel, Text::ClearHistory];
                let [title, detail, no, yes] = words.map(|key| scene.text(key));
                let decided = dialog::confirm(ui, title, detail, no, yes);
                if decided == Some(true) {
                    scene.send(Command::ClearHistory);
                }
                decided.is_some()
            }
            Some(Asked::AddContact | Asked::Select(_) | Asked::Note(_) | Asked::Safety(_)) | None => false,
        };
        if done {
            self.dialog = None;
        }
        [after_adding, after_safety].contains(&Next::Settings)
    }
}

/// How many calls were missed, in a badge whose right edge is at `right`.
fn missed_badge(ui: &Ui, right: egui::Pos2, scene: &Scene<'_>) {
    let missed = scene.snapshot.missed;
    if missed == 0 {
        return;
    }
    let place = badge::paint(ui, right, missed);
    painted_words(ui, place, &scene.words.fill(Text::MissedCount, &[("count", &missed.to_string())]));
}

/// The person with this ID in the list, or else in the history.
fn person_of(id: PeerId, scene: &Scene<'_>) -> Option<Person> {
    let past = |entry: &HistoryEntry| Person {
        id,
        name: entry.name.clone(),
        kind: PersonKind::Nearby,
        online: false,
        route: None,
        needs_newer: None,
        blocked: false,
        verified: false,
        favourite: false,
        shares_name: false,
        picture: None,
    };
    let in_history = || scene.snapshot.history.iter().find(|entry| entry.peer == id).map(past);
    scene.person(id).cloned().or_else(in_history)
}

/// True once the dialog is over.
fn rename(ui: &Ui, scene: &mut Scene<'_>, id: PeerId, name: &mut String) -> bool {
    let title = scene.text(Text::Rename).trim_end_matches('…');
    let ((save, cancel), close) = dialog::show(ui, title, 360.0, |ui| {
        dialog::heading(ui, title, "");
        let label = scene.text(Text::NewName);
        let width = ui.available_width();
        let field = fields::text_field(ui, name, label, label, None, width);
        if !field.has_focus() && !field.lost_focus() && ui.memory(|memory| memory.focused().is_none()) {
            field.request_focus();
        }
        let enter = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
        let save = TextButton::new(scene.text(Text::Save)).weight(super::buttons::Weight::Primary);
        let (no, yes) = dialog::choice(ui, scene.text(Text::Cancel), save);
        (yes || enter, no)
    });
    if save {
        scene.send(Command::RenameContact { id, name: name.trim().to_owned() });
    }
    save || cancel || close
}

/// The mark of the program: two people face to face.
fn app_mark(ui: &Ui, rect: Rect) {
    let palette = Palette::of(ui);
    let (c, r) = (rect.left_center() + vec2(13.0, 0.0), 8.5);
    ui.painter().circle_filled(c - vec2(4.6, 0.0), r, palette.accent);
    ui.painter().circle_filled(c + vec2(4.6, 0.0), r, palette.accent.gamma_multiply(0.45));
}
