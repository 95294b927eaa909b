//! Menu of a person in the list, and its parts that a call of the history has, too.

use eframe::egui::{Ui, vec2};

use crate::controller::{Command, Person, PersonKind};
use crate::identity::PeerId;

use super::asked::Asked;
use super::catalogue::Text;
use super::scene::Scene;
use super::theme::{Palette, Type, space};

/// Sets the size and the distances of a menu.
pub fn begin(ui: &mut Ui) {
    ui.set_min_width(190.0);
    ui.spacing_mut().button_padding = vec2(space::M, space::S);
    ui.spacing_mut().item_spacing.y = 2.0;
}

/// Draws the entries that call somebody.
pub fn calls(ui: &mut Ui, id: PeerId, scene: &mut Scene<'_>) {
    for (key, with_video) in [(Text::CallWithVideo, true), (Text::CallWithAudio, false)] {
        if ui.button(scene.text(key)).clicked() {
            scene.invite(id, "", with_video);
        }
    }
}

/// Draws an entry that takes something away; true when it was pressed.
pub fn removal(ui: &mut Ui, words: &str) -> bool {
    let ink = Palette::of(ui).danger_text;
    ui.button(Type::Body.text(words, ink)).clicked()
}

/// Actions on a person.
pub fn person_menu(ui: &mut Ui, person: &Person, name: &str, scene: &mut Scene<'_>) -> Option<Asked> {
    let mut asked = None;
    begin(ui);
    let id = person.id;
    if !person.blocked {
        calls(ui, id, scene);
    }
    match person.kind {
        PersonKind::Contact => {
            let favourite = if person.favourite { Text::NoFavourite } else { Text::MakeFavourite };
            if ui.button(scene.text(favourite)).clicked() {
                scene.send(Command::FavouriteContact { id, on: !person.favourite });
            }
            if ui.button(scene.text(Text::Rename)).clicked() {
                asked = Some(Asked::Rename { id, name: name.to_owned() });
            }
            if ui.button(scene.text(Text::SafetyNumber)).clicked() {
                asked = Some(Asked::Safety(id));
            }
        }
        PersonKind::Nearby | PersonKind::Blocked => {
            if ui.button(scene.text(Text::AddToContacts)).clicked() {
                scene.send(Command::AddContact { link: id.to_string() });
            }
        }
        PersonKind::Echo => return None,
    }
    if ui.button(scene.text(Text::CopyId)).clicked() {
        ui.ctx().copy_text(id.to_string());
    }
    let block = if person.blocked { Text::Unblock } else { Text::Block };
    if ui.button(scene.text(block)).clicked() {
        scene.send(Command::BlockContact { id, on: !person.blocked });
    }
    if person.kind == PersonKind::Contact && removal(ui, scene.text(Text::Remove)) {
        asked = Some(Asked::Remove { id, name: name.to_owned() });
    }
    asked
}
