//! The dialog that adds a contact: a link or an ID, a QR code before the camera, or a picture of one; and invites
//! somebody who has no Visavis yet.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{self, ColorImage, Ui};

use crate::controller::Command;
use crate::identity::{ContactLink, PeerId, PictureError, find_contact_in, scan_contact_code};
use crate::media::Latest;

use super::asked::Next;
use super::buttons::{TextButton, Weight};
use super::catalogue::Text;
use super::code_scanner::CodeScanner;
use super::dialog;
use super::fields;
use super::icons::Icon;
use super::invitation;
use super::picture_picker::{PicturePicker, is_picture};
use super::preview;
use super::scene::Scene;
use super::theme::{Palette, Type, space};

/// The dialog's state while it is open.
#[derive(Debug, Default)]
pub struct AddContact {
    text: String,
    picker: Option<PicturePicker>,
    /// Fault of the text, since Add was pressed.
    wrong: Option<Text>,
    /// The field shall have the keyboard.
    to_field: bool,
    /// Looks for a code before the camera.
    scanner: Option<CodeScanner<ContactLink>>,
    /// A pasted picture that is searched for a code.
    pasted: Option<Pasted>,
    /// Fault of the pasted picture.
    bad_picture: Option<PictureError>,
}

/// Result of the search in a pasted picture, once there is one.
type Pasted = Arc<Latest<Result<ContactLink, PictureError>>>;

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

    /// Draws the dialog.
    pub fn show(&mut self, ui: &Ui, scene: &mut Scene<'_>) -> Next {
        if let Some(picker) = &mut self.picker {
            match picker.show(ui, scene) {
                Some(Some(path)) => {
                    scene.send(Command::AddContactImage { path });
                    return Next::Close;
                }
                Some(None) => self.picker = None,
                None => {}
            }
            return Next::Stay;
        }
        self.take_pasted_picture(ui);
        if let Some(link) = self.take_found(scene) {
            scene.send(Command::AddContact { link: link.to_string() });
            return Next::Close;
        }
        let mut settings = false;
        let ((cancel, add), close) = dialog::show(ui, scene.text(Text::AddTitle), 420.0, |ui| {
            if self.scanner.is_some() {
                settings = self.scan(ui, scene);
                (false, false)
            } else {
                self.content(ui, scene)
            }
        });
        if add && let Some(command) = command_of(&self.text, |path| path.is_file()) {
            self.wrong = match &command {
                Command::AddContact { link } => fault_of(link, scene.snapshot.me.id),
                _ => None,
            };
            self.to_field = self.wrong.is_some();
            if self.wrong.is_none() {
                scene.send(command);
                return Next::Close;
            }
        }
        match (settings, cancel || close) {
            (true, _) => Next::Settings,
            (false, true) => Next::Close,
            (false, false) => Next::Stay,
        }
    }

    /// Has a picture that was pasted searched, on a thread of its own: a large one takes some tenths of a second.
    fn take_pasted_picture(&mut self, ui: &Ui) {
        let picture = ui.input(|input| {
            input.events.iter().find_map(|event| match event {
                egui::Event::PasteImage(picture) => Some(Arc::clone(picture)),
                _ => None,
            })
        });
        let Some(picture) = picture else { return };
        let found = Pasted::default();
        self.pasted = Some(Arc::clone(&found));
        self.bad_picture = None;
        let ctx = ui.ctx().clone();
        let search = move || {
            let [width, height] = picture.size.map(|side| u32::try_from(side).unwrap_or(u32::MAX));
            found.put(find_contact_in((width, height), grey(&picture)));
            ctx.request_repaint();
        };
        if let Err(error) = std::thread::Builder::new().name("picture".into()).spawn(search) {
            tracing::warn!("no thread to read a picture on: {error}");
            self.pasted = None;
        }
    }

    /// The contact that the camera or a pasted picture has shown.
    fn take_found(&mut self, scene: &Scene<'_>) -> Option<ContactLink> {
        let preview = &scene.snapshot.local_stream.preview;
        let scanned = self.scanner.as_mut().and_then(|scanner| scanner.look(preview));
        // One's own code, as in a mirror, is nobody's else.
        let scanned = scanned.filter(|link| link.id != scene.snapshot.me.id);
        let pasted = self.pasted.as_ref().and_then(|pasted| pasted.take());
        match pasted {
            Some(Ok(link)) => {
                self.text = link.to_string();
                self.wrong = fault_of(&self.text, scene.snapshot.me.id);
                scanned.or_else(|| self.wrong.is_none().then_some(link))
            }
            Some(Err(error)) => {
                self.bad_picture = Some(error);
                scanned
            }
            None => scanned,
        }
    }

    /// Draws the camera's picture while it is searched; true when the settings are asked for, as no camera works.
    fn scan(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) -> bool {
        dialog::heading(ui, scene.text(Text::AddTitle), scene.text(Text::AddScanDetail));
        let width = ui.available_width();
        let height = (width * 0.56).min(ui.ctx().content_rect().height() - 220.0).max(80.0);
        let (_, room) = ui.allocate_space(egui::vec2(width, height));
        let picture = ui.new_child(egui::UiBuilder::new().id_salt("scan").max_rect(room));
        let settings = preview::show(&mut { picture }, room, scene);
        ui.add_space(space::S);
        ui.horizontal(|ui| {
            if dialog::safe(ui, TextButton::new(scene.text(Text::Back))).clicked() {
                self.scanner = None;
            }
        });
        settings
    }

    fn content(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) -> (bool, bool) {
        dialog::heading(ui, scene.text(Text::AddTitle), scene.text(Text::AddDetail));
        let width = ui.available_width();
        let (name, hint) = (scene.text(Text::AddField), scene.text(Text::AddHint));
        let field = fields::text_field(ui, &mut self.text, name, hint, None, width);
        if ui.memory(|memory| memory.focused().is_none()) && !field.lost_focus() {
            field.request_focus();
        }
        if std::mem::take(&mut self.to_field) {
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
        if let Some(error) = &self.bad_picture {
            ui.label(Type::Caption.text(scene.words.bad_picture(error), Palette::of(ui).danger_text));
        }
        ui.add_space(space::XS);
        let half = (width - space::S) / 2.0;
        ui.horizontal(|ui| {
            let scan = TextButton::new(scene.text(Text::AddScan)).icon(Icon::Qr).width(half);
            if scan.enabled(scene.snapshot.local_stream.video).show(ui).clicked() {
                self.scanner = CodeScanner::start(ui.ctx(), scan_contact_code);
            }
            if TextButton::new(scene.text(Text::AddPicture)).icon(Icon::Picture).width(half).show(ui).clicked() {
                self.picker = Some(PicturePicker::at_home());
            }
        });
        ui.label(Type::Caption.text(scene.text(Text::AddDrop), Palette::of(ui).text_soft));
        invitation::show(ui, scene);
        let add =
            TextButton::new(scene.text(Text::AddAction)).weight(Weight::Primary).enabled(!self.text.trim().is_empty());
        let (cancel, add) = dialog::choice(ui, scene.text(Text::Cancel), add);
        (cancel, add || enter)
    }
}

/// Brightness of each pixel (ITU-R BT.601), on white.
fn grey(picture: &ColorImage) -> Vec<u8> {
    let brightness = |pixel: &egui::Color32| {
        let [red, green, blue, alpha] = pixel.to_array().map(u32::from);
        // The colours are multiplied by their alpha already.
        ((299 * red + 587 * green + 114 * blue) / 1000 + 255 - alpha).min(255) as u8
    };
    picture.pixels.iter().map(brightness).collect()
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

    #[test]
    fn transparent_pixels_lie_on_white() {
        let pixels = vec![egui::Color32::BLACK, egui::Color32::WHITE, egui::Color32::TRANSPARENT];
        assert_eq!(grey(&ColorImage::new([3, 1], pixels)), [0, 255, 255]);
    }
}
