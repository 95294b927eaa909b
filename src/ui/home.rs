//! The first screen: people and past calls at the left; one's own card, one's picture and the person to call at the
//! right.

use eframe::egui::{self, CentralPanel, Frame, Margin, Panel, Rect, Ui, UiBuilder, pos2, vec2};

use crate::controller::{Command, HistoryEntry, Person, PersonKind};
use crate::identity::PeerId;

use super::add_contact::AddContact;
use super::asked::Asked;
use super::buttons::{TextButton, icon_button, segments};
use super::call_card::CallCard;
use super::catalogue::Text;
use super::dialog;
use super::fields;
use super::history;
use super::icons::Icon;
use super::own_card::OwnCard;
use super::people_list::PeopleList;
use super::preview;
use super::safety_dialog::{Next, SafetyDialog};
use super::scene::Scene;
use super::theme::{CONTROL_HEIGHT, Palette, Type, space};

const OWN_CARD_HEIGHT: f32 = 44.0;

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
}

/// How much of a window this wide the lists at the left take.
fn side_width(window: f32) -> f32 {
    (window * 0.3).clamp(268.0, 340.0)
}

/// The part of `window` right of the lists and under one's own card.
pub fn below_own_card(window: Rect) -> Rect {
    let left = window.left() + side_width(window.width());
    Rect::from_min_max(pos2(left, window.top() + OWN_CARD_HEIGHT + 2.0 * space::L + space::M), window.max)
}

impl Home {
    /// Draws the screen; true when the settings are asked for. Its dialogs wait while an invite has one (`invited`):
    /// two would fight for the keyboard.
    pub fn show(&mut self, ui: &mut Ui, scene: &mut Scene<'_>, invited: bool) -> bool {
        let palette = Palette::of(ui);
        let width = side_width(ui.available_width());
        let mut settings = false;
        let side = Frame::new().fill(palette.side).inner_margin(Margin::same(space::L as i8));
        Panel::left("people").resizable(false).show_separator_line(false).exact_size(width).frame(side).show(
            ui,
            |ui| {
                settings = self.side(ui, scene);
            },
        );
        let ground = Frame::new().fill(palette.ground).inner_margin(Margin::same(space::L as i8));
        CentralPanel::default().frame(ground).show(ui, |ui| {
            settings |= self.stage(ui, scene);
        });
        if !invited {
            settings |= self.dialogs(ui, scene);
        }
        settings
    }

    /// Opens the dialog that adds a contact, with this link in it.
    pub fn offer(&mut self, link: String) {
        self.add_contact = Some(AddContact::of(link));
    }

    /// Whether a dialog of home's is open.
    pub const fn has_dialog(&self) -> bool {
        self.add_contact.is_some() || self.safety.is_some() || self.dialog.is_some() || self.own_card.shows_qr()
    }

    fn side(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) -> bool {
        let mut settings = false;
        ui.horizontal(|ui| {
            let (_, mark) = ui.allocate_space(vec2(30.0, CONTROL_HEIGHT));
            app_mark(ui, mark);
            ui.label(Type::Title.text(scene.text(Text::AppName), Palette::of(ui).text));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                settings = icon_button(ui, Icon::Sliders, scene.text(Text::Settings)).clicked();
            });
        });
        let tabs = [(Tab::People, scene.text(Text::People)), (Tab::Calls, scene.text(Text::Calls))];
        if let Some(tab) = segments(ui, self.tab, &tabs) {
            self.tab = tab;
        }
        ui.add_space(space::XS);
        let asked = match self.tab {
            Tab::People => self.people.show(ui, scene),
            Tab::Calls => history::show(ui, scene),
        };
        match asked {
            Some(Asked::AddContact) => self.add_contact = Some(AddContact::default()),
            Some(Asked::Safety(id)) => self.safety = Some(SafetyDialog::new(scene.snapshot.me.id, id)),
            Some(Asked::Select(id)) => self.people.selected = Some(id),
            Some(asked) => self.dialog = Some(asked),
            None => {}
        }
        settings
    }

    fn stage(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) -> bool {
        let area = ui.available_rect_before_wrap();
        ui.advance_cursor_after_rect(area);
        let person = self.people.selected.and_then(|id| person_of(id, scene));
        let card_height = CallCard::height(area.width(), person.is_some());
        let top = Rect::from_min_size(area.min, vec2(area.width(), OWN_CARD_HEIGHT));
        let bottom = Rect::from_min_max(pos2(area.left(), area.bottom() - card_height), area.max);
        let middle = Rect::from_min_max(
            pos2(area.left(), top.bottom() + space::L),
            pos2(area.right(), (bottom.top() - space::L).max(top.bottom() + 90.0)),
        );
        self.own_card.show(&mut ui.new_child(UiBuilder::new().id_salt("own card").max_rect(top)), scene);
        let settings =
            preview::show(&mut ui.new_child(UiBuilder::new().id_salt("preview").max_rect(middle)), middle, scene);
        let mut card = ui.new_child(UiBuilder::new().id_salt("call card").max_rect(bottom));
        match person {
            Some(person) => {
                if !self.call_card.show(&mut card, bottom, &person, scene) {
                    self.people.selected = None;
                }
            }
            None => CallCard::show_empty(&mut card, bottom, scene),
        }
        settings
    }

    /// Draws the dialog that is open; true when it asks for the settings.
    fn dialogs(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) -> bool {
        if let Some(add) = &mut self.add_contact
            && !add.show(ui, scene)
        {
            self.add_contact = None;
        }
        self.own_card.show_qr(ui, scene);
        let next = self.safety.as_mut().map_or(Next::Stay, |safety| safety.show(ui, scene));
        if next != Next::Stay {
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
            Some(Asked::AddContact | Asked::Select(_) | Asked::Safety(_)) | None => false,
        };
        if done {
            self.dialog = None;
        }
        next == Next::Settings
    }
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
