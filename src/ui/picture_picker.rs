//! Chooses a picture file, one folder at a time; a folder is read when it is entered, never while drawing.

use std::path::{Path, PathBuf};

use eframe::egui::{self, Ui};

use super::buttons::{TextButton, icon_button};
use super::catalogue::Text;
use super::dialog;
use super::icons::Icon;
use super::scene::Scene;
use super::theme::{Palette, Type, space};

/// Entries of a folder that are listed at most.
const LISTED: usize = 2000;

/// A folder that is being looked at.
#[derive(Debug)]
pub struct PicturePicker {
    folder: PathBuf,
    folders: Vec<PathBuf>,
    pictures: Vec<PathBuf>,
    unreadable: bool,
}

/// Whether a file's name ends as a picture's that can be read.
pub fn is_picture(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    matches!(ending.as_deref(), Some("png" | "jpg" | "jpeg"))
}

impl PicturePicker {
    /// Begins in the folder of pictures, or at home.
    pub fn at_home() -> Self {
        let folders = directories::UserDirs::new();
        let start = folders
            .as_ref()
            .and_then(|folders| folders.picture_dir().filter(|folder| folder.is_dir()))
            .or_else(|| folders.as_ref().map(directories::UserDirs::home_dir))
            .unwrap_or(Path::new("/"));
        Self::in_folder(start.to_owned())
    }

    fn in_folder(folder: PathBuf) -> Self {
        let (mut folders, mut pictures) = (Vec::new(), Vec::new());
        let listing = std::fs::read_dir(&folder);
        let unreadable = listing.is_err();
        for entry in listing.into_iter().flatten().flatten().take(LISTED) {
            let path = entry.path();
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if is_picture(&path) {
                pictures.push(path);
            }
        }
        folders.sort();
        pictures.sort();
        Self { folder, folders, pictures, unreadable }
    }

    /// Draws the dialog. `Some(None)` when the person goes back, `Some(Some(file))` when one is chosen.
    pub fn show(&mut self, ui: &Ui, scene: &Scene<'_>) -> Option<Option<PathBuf>> {
        let (mut enter, mut chosen, mut back) = (None, None, false);
        let height = (ui.ctx().content_rect().height() - 260.0).clamp(120.0, 320.0);
        let ((), close) = dialog::show(ui, scene.text(Text::PickTitle), 460.0, |ui| {
            let palette = Palette::of(ui);
            ui.label(Type::Title.text(scene.text(Text::PickTitle), palette.text));
            ui.horizontal(|ui| {
                if icon_button(ui, Icon::Up, scene.text(Text::PickUp)).clicked() {
                    enter = self.folder.parent().map(Path::to_owned);
                }
                let folder = Type::Body.text(self.folder.display().to_string(), palette.text_soft);
                ui.add(egui::Label::new(folder).truncate());
            });
            egui::ScrollArea::vertical().auto_shrink([false, false]).max_height(height).show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 2.0;
                if self.unreadable {
                    ui.label(Type::Body.text(scene.text(Text::PickUnreadable), palette.danger_text));
                } else if self.pictures.is_empty() {
                    ui.label(Type::Body.text(scene.text(Text::PickEmpty), palette.text_soft));
                }
                for path in &self.folders {
                    if entry(ui, path, Icon::Folder) {
                        enter = Some(path.clone());
                    }
                }
                for path in &self.pictures {
                    if entry(ui, path, Icon::Picture) {
                        chosen = Some(path.clone());
                    }
                }
            });
            ui.add_space(space::S);
            let [pressed] = dialog::row(ui, [TextButton::new(scene.text(Text::Back))]);
            back = pressed.clicked();
        });
        if let Some(folder) = enter {
            *self = Self::in_folder(folder);
        }
        match chosen {
            Some(path) => Some(Some(path)),
            None if back || close => Some(None),
            None => None,
        }
    }
}

fn entry(ui: &mut Ui, path: &Path, icon: Icon) -> bool {
    let palette = Palette::of(ui);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let size = egui::vec2(ui.available_width(), 32.0);
    let (rect, response) = ui.allocate_exact_size(size, egui::Sense::click());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &name));
    if response.hovered() {
        ui.painter().rect_filled(rect, egui::CornerRadius::same(8), palette.raised);
    }
    super::buttons::focus_ring(ui, &response, rect.shrink(2.0), 8);
    icon.paint(ui.painter(), rect.left_center() + egui::vec2(18.0, 0.0), 18.0, palette.text_soft);
    let text = super::buttons::one_line(ui, &name, Type::Body, palette.text, rect.width() - 48.0);
    ui.painter().galley(rect.left_center() + egui::vec2(36.0, -text.size().y / 2.0), text, palette.text);
    response.clicked()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_lists_its_folders_and_its_pictures() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        for name in ["b.png", "a.JPG", "notes.txt", ".hidden.png"] {
            std::fs::write(folder.path().join(name), b"").unwrap();
        }
        let picker = PicturePicker::in_folder(folder.path().to_owned());
        assert_eq!(picker.folders, [folder.path().join("sub")]);
        assert_eq!(picker.pictures, [folder.path().join("a.JPG"), folder.path().join("b.png")]);
        assert!(PicturePicker::in_folder(folder.path().join("gone")).unreadable);
    }
}
