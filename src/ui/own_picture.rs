//! One's own profile picture at the top of home: the disc, and the menu that chooses, takes or removes it.

use eframe::egui::{Color32, Popup, Pos2, Rect, Role, Sense, Ui, WidgetInfo, vec2};

use crate::controller::Command;

use super::buttons::{explain, focus_ring};
use super::catalogue::Text;
use super::icons::Icon;
use super::person_menu;
use super::picture_picker::PicturePicker;
use super::scene::Scene;

/// Diameter of the disc, in points.
pub const DIAMETER: f32 = 44.0;

/// State of the picture's dialog between frames.
#[derive(Debug, Default)]
pub struct OwnPicture {
    picker: Option<PicturePicker>,
}

impl OwnPicture {
    /// Draws the disc around `center`; a press opens its menu.
    pub fn show(&mut self, ui: &mut Ui, center: Pos2, scene: &mut Scene<'_>) {
        let (id, name) = (scene.snapshot.me.id, &scene.snapshot.me.name);
        let rect = Rect::from_center_size(center, vec2(DIAMETER, DIAMETER));
        let response = ui.interact(rect, ui.scope_id().with("own picture"), Sense::click());
        let said = scene.text(Text::YourPicture);
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, said));
        scene.avatar(ui.painter(), center, DIAMETER, id, name);
        if response.hovered() || response.has_focus() {
            ui.painter().circle_filled(center, DIAMETER / 2.0, Color32::from_black_alpha(140));
            Icon::Pencil.paint(ui.painter(), center, 20.0, Color32::WHITE);
        }
        focus_ring(ui, &response, rect, (DIAMETER / 2.0) as u8);
        let response = explain(response, scene.text(Text::YourPictureDetail));
        Popup::menu(&response).accessible_name(said).show(|ui| self.menu(ui, scene));
    }

    fn menu(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) {
        person_menu::begin(ui);
        if ui.button(scene.text(Text::PictureChoose)).clicked() {
            self.picker = Some(PicturePicker::at_home());
        }
        if scene.snapshot.local_stream.video && ui.button(scene.text(Text::PictureTake)).clicked() {
            scene.send(Command::TakeProfilePicture);
        }
        if scene.snapshot.me.picture.is_some() && person_menu::removal(ui, scene.text(Text::PictureRemove)) {
            scene.send(Command::RemoveProfilePicture);
        }
    }

    /// Whether a file is being chosen.
    pub const fn is_choosing(&self) -> bool {
        self.picker.is_some()
    }

    /// Shows the choice of a file while it is asked for.
    pub fn show_choice(&mut self, ui: &Ui, scene: &mut Scene<'_>) {
        let Some(chosen) = self.picker.as_mut().and_then(|picker| picker.show(ui, scene)) else { return };
        self.picker = None;
        if let Some(path) = chosen {
            scene.send(Command::SetProfilePicture { path });
        }
    }
}
