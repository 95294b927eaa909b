//! The servers in the settings: each with its status in plain words, and a field to add one by its link.

use eframe::egui::{Align, Key, Label, Layout, Ui, vec2};

use crate::controller::{Command, ServerDetail, ServerState, ServerStatus};
use crate::identity::{MAX_SERVERS, ServerLink};

use super::buttons::{TextButton, Weight, icon_button_sized};
use super::catalogue::{Text, Words};
use super::fields::text_field;
use super::icons::Icon;
use super::scene::Scene;
use super::theme::{Palette, Type, space};

/// State of the field.
#[derive(Debug, Default)]
pub struct ServerSettings {
    link: String,
    /// The text that was entered last is no server's link.
    is_wrong: bool,
}

impl ServerSettings {
    /// Draws the list and the field.
    pub fn show(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) {
        let palette = Palette::of(ui);
        ui.add(Label::new(Type::Caption.text(scene.text(Text::ServersDetail), palette.text_soft)).wrap());
        let mut unwanted = None;
        for status in &scene.snapshot.servers {
            if row(ui, status, scene.words) {
                unwanted = Some(status.link.to_string());
            }
        }
        if let Some(link) = unwanted {
            scene.send(Command::RemoveServer { link });
        }
        if scene.snapshot.servers.len() < MAX_SERVERS {
            self.field(ui, scene);
        }
    }

    fn field(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) {
        ui.add_space(space::XS);
        let [name, hint] = [Text::ServerField, Text::ServerHint].map(|key| scene.text(key));
        let field = text_field(ui, &mut self.link, name, hint, None, ui.available_width());
        if field.changed() {
            self.is_wrong = false;
        }
        let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        let add = TextButton::new(scene.text(Text::AddServer)).enabled(!self.link.trim().is_empty());
        if (add.show(ui).clicked() || entered) && !self.link.trim().is_empty() {
            match self.link.parse::<ServerLink>() {
                Ok(link) => {
                    self.link.clear();
                    scene.send(Command::AddServer { link: link.to_string() });
                }
                Err(_) => self.is_wrong = true,
            }
        }
        if self.is_wrong {
            let text = Type::Caption.text(scene.text(Text::BadServer), Palette::of(ui).warning);
            ui.add(Label::new(text).wrap());
        }
    }
}

/// Draws one server; true when it is to be removed.
fn row(ui: &mut Ui, status: &ServerStatus, words: Words) -> bool {
    const REMOVE: f32 = 28.0;
    let palette = Palette::of(ui);
    ui.add_space(space::XS);
    let removed = ui.horizontal(|ui| {
        let room = ui.available_width() - REMOVE - space::S;
        // As high as the button, so that the two stand on one line.
        ui.allocate_ui_with_layout(vec2(room, REMOVE), Layout::left_to_right(Align::Center), |ui| {
            ui.set_width(room);
            ui.add(Label::new(Type::Body.text(status.link.address(), palette.text)).truncate());
        });
        let name = format!("{}: {}", words.get(Text::Remove), status.link.address());
        icon_button_sized(ui, Icon::Trash, &name, REMOVE, Weight::Plain).clicked()
    });
    let is_well = status.detail.is_none();
    let ink = if is_well { palette.text_soft } else { palette.warning };
    ui.add(Label::new(Type::Caption.text(said(status, words), ink)).wrap());
    removed.inner
}

/// Status in plain words.
fn said(status: &ServerStatus, words: Words) -> String {
    let key = match status.detail {
        Some(ServerDetail::UnknownName) => Text::ServerUnknownName,
        Some(ServerDetail::NoAnswer) => Text::ServerNoAnswer,
        Some(ServerDetail::Proxy) => Text::ServerProxy,
        Some(ServerDetail::ProxySetting) => Text::ServerProxySetting,
        Some(ServerDetail::OtherKey) => Text::ServerOtherKey,
        Some(ServerDetail::OtherName) => Text::ServerOtherName,
        Some(ServerDetail::Expired) => Text::ServerExpired,
        Some(ServerDetail::Untrusted) => Text::ServerUntrusted,
        Some(ServerDetail::NoServer) => Text::ServerNoServer,
        Some(ServerDetail::OtherVersion) => Text::ServerOtherVersion,
        Some(ServerDetail::Refused) => Text::ServerRefused,
        Some(ServerDetail::Lost) => Text::ServerLost,
        Some(ServerDetail::ClocksDiffer) => Text::ServerClocksDiffer,
        Some(ServerDetail::NoTls) => Text::ServerNoTls,
        None if status.state == ServerState::Online => {
            let value = status.round_trip_ms.unwrap_or_default().to_string();
            return words.fill(Text::ServerOnline, &[("value", &value)]);
        }
        None => Text::ServerConnecting,
    };
    words.get(key).to_owned()
}
