//! The dialog that adds a contact: a link or an ID, or a picture of a QR code.

use std::path::{Path, PathBuf};

use eframe::egui::{self, Ui};

use crate::controller::Command;
use crate::identity::{ContactLink, PeerId};

use super::buttons::{TextButton, Weight};
use super::catalogue::Text;
use super::dialog;
use super::fields;
use super::icons::Icon;
use super::picture_picker::{PicturePicker, is_picture};
use super::scene::Scene;
use super::theme::{Palette, Type, space};

/// The dialog's state while it is open.
#[derive(Debug, Default)]
pub struct AddContact {
    text: String,
    picker: Option<PicturePicker>,
    /// Fault of the text, since Add was pressed.
    wrong: Option<Text>,
}

/// The command for a typed text: the path of a picture that exists is read as a picture, the rest as a link.
fn command_of(text: &str, exists: impl Fn(&Path) -> bool) -> Option<Command> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let path = PathBuf::from(text);
    Some(if is_picture(&path) && path.is_absolute() && exists(&path) {
        Command::AddContactImage { path }
    } else {
        Command::AddContact { link: text.to_owned() }
    })
}

/// Fault of a link.
fn fault_of(link: &str, me: PeerId) -> Option<Text> {
    match ContactLink::find_in(link) {
        None => Some(Text::BadLink),
        Some(link) if link.id == me => Some(Text::OwnLink),
        Some(_) => None,
    }
}

impl AddContact {
    /// The dialog with a text in its field.
    pub fn of(text: String) -> Self {
        Self { text, ..Self::default() }
    }

    /// Draws the dialog; false once it is over.
    pub fn show(&mut self, ui: &Ui, scene: &mut Scene<'_>) -> bool {
        if let Some(picker) = &mut self.picker {
            match picker.show(ui, scene) {
                Some(Some(path)) => {
                    scene.send(Command::AddContactImage { path });
                    return false;
                }
                Some(None) => self.picker = None,
                None => {}
            }
            return true;
        }
        let ((cancel, add), close) = dialog::show(ui, scene.text(Text::AddTitle), 420.0, |ui| self.content(ui, scene));
        if add && let Some(command) = command_of(&self.text, |path| path.is_file()) {
            self.wrong = match &command {
                Command::AddContact { link } => fault_of(link, scene.snapshot.me.id),
                _ => None,
            };
            if self.wrong.is_none() {
                scene.send(command);
                return false;
            }
        }
        !(cancel || close)
    }

    fn content(&mut self, ui: &mut Ui, scene: &Scene<'_>) -> (bool, bool) {
        dialog::heading(ui, scene.text(Text::AddTitle), scene.text(Text::AddDetail));
        let width = ui.available_width();
        let (name, hint) = (scene.text(Text::AddField), scene.text(Text::AddHint));
        let field = fields::text_field(ui, &mut self.text, name, hint, None, width);
        if ui.memory(|memory| memory.focused().is_none()) && !field.lost_focus() {
            field.request_focus();
        }
        if field.changed() {
            self.wrong = None;
        }
        if let Some(wrong) = self.wrong {
            ui.label(Type::Caption.text(scene.text(wrong), Palette::of(ui).danger_text));
        }
        let enter = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
        if enter {
            field.request_focus();
        }
        ui.add_space(space::XS);
        if TextButton::new(scene.text(Text::AddPicture))
            .icon(Icon::Picture)
            .weight(Weight::Quiet)
            .width(width)
            .show(ui)
            .clicked()
        {
            self.picker = Some(PicturePicker::at_home());
        }
        ui.label(Type::Caption.text(scene.text(Text::AddDrop), Palette::of(ui).text_soft));
        let add =
            TextButton::new(scene.text(Text::AddAction)).weight(Weight::Primary).enabled(!self.text.trim().is_empty());
        let (cancel, add) = dialog::choice(ui, scene.text(Text::Cancel), add);
        (cancel, add || enter)
    }
}

/// Adds a contact from each picture that is dropped on the window, and shows that they can be dropped.
pub fn take_dropped(ui: &Ui, scene: &mut Scene<'_>) {
    let (hovering, dropped) = ui.input(|input| {
        let dropped: Vec<_> = input.raw.dropped_files.iter().map(|file| file.path().to_owned()).collect();
        (!input.raw.hovered_files.is_empty(), dropped)
    });
    for path in dropped {
        scene.send(Command::AddContactImage { path });
    }
    if hovering {
        let palette = Palette::of(ui);
        let layer = egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop"));
        let painter = ui.ctx().layer_painter(layer);
        let area = ui.ctx().content_rect();
        painter.rect_filled(area, 0.0, palette.veil);
        let font = Type::Title.font();
        painter.text(
            area.center(),
            egui::Align2::CENTER_CENTER,
            scene.text(Text::DropHere),
            font,
            egui::Color32::WHITE,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_text_is_a_link_unless_it_is_a_picture_that_exists() {
        let link = |text: &str| Some(Command::AddContact { link: text.to_owned() });
        assert_eq!(command_of(" visavis:abc ", |_| true), link("visavis:abc"));
        assert_eq!(command_of("/a/code.png", |_| false), link("/a/code.png"));
        assert_eq!(command_of("/a/code.PNG", |_| true), Some(Command::AddContactImage { path: "/a/code.PNG".into() }));
        assert_eq!(command_of("  ", |_| true), None);
    }
}
