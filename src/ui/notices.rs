//! Quiet notes over the upper part of the picture, where nothing is to be pressed; the harmless ones leave by
//! themselves.

use std::collections::HashMap;

use eframe::egui::{self, Align2, Area, CornerRadius, Frame, Id, Margin, Rect, Stroke, Ui, pos2, vec2};

use crate::controller::{CallView, Command, NoticeKind, PersonKind};
use crate::device::{DeviceFault, DeviceKind};
use crate::store::Settings;

use super::buttons::{TextButton, Weight, announce, icon_button_sized};
use super::catalogue::{Text, Words};
use super::icons::Icon;
use super::scene::Scene;
use super::theme::{Palette, Type, space};
use super::wall_clock::length;

/// Notes that are shown at once at most: the newest.
const SHOWN: usize = 4;
/// Height in points that a note may need; a low window shows fewer.
const NEEDS: f32 = 70.0;
/// Width of a note's words in points, and of the rest of a note.
const WORDS: f32 = 300.0;
const AROUND: f32 = 18.0 + 28.0 + 20.0 + 3.0 * space::S;

/// When each note was first seen, in seconds of the window's time.
#[derive(Debug, Default)]
pub struct Notices {
    first_seen: HashMap<u64, f64>,
}

/// For how many seconds a note stays; `None`: until it is closed.
const fn stays(kind: &NoticeKind) -> Option<f64> {
    match kind {
        NoticeKind::CallEnded { .. } => Some(4.0),
        NoticeKind::CallFailed(_) | NoticeKind::ContactAdded { .. } | NoticeKind::DeviceBack { .. } => Some(6.0),
        NoticeKind::ContactRenamed { .. } => Some(20.0),
        NoticeKind::BadLink | NoticeKind::BadPicture(_) | NoticeKind::OwnLink => Some(12.0),
        NoticeKind::Device { .. }
        | NoticeKind::DevicesMissing { .. }
        | NoticeKind::DeviceFallback { .. }
        | NoticeKind::MicrophoneSilent { .. }
        | NoticeKind::Store(_)
        | NoticeKind::NoNetwork
        | NoticeKind::PortTaken { .. }
        | NoticeKind::ClocksDiffer { .. }
        | NoticeKind::ServerOffered { .. }
        | NoticeKind::NeedsNewer { .. } => None,
    }
}

/// Text of a note.
pub fn said(kind: &NoticeKind, words: Words, settings: &Settings) -> String {
    match kind {
        NoticeKind::Device { device, fault } => {
            let chosen = match device {
                DeviceKind::Camera => &settings.camera,
                DeviceKind::Microphone => &settings.microphone,
                DeviceKind::Speaker => &settings.speaker,
            };
            words.device_fault(*device, fault, chosen)
        }
        NoticeKind::DevicesMissing { camera, microphone, speaker } => {
            words.get(Text::devices_missing(*camera, *microphone, *speaker)).to_owned()
        }
        NoticeKind::DeviceFallback { device, chosen, name } => {
            words.fill(Text::device_fallback(*device), &[("chosen", chosen), ("name", name)])
        }
        NoticeKind::MicrophoneSilent { name } => words.with_name(Text::MicrophoneSilent, name),
        NoticeKind::DeviceBack { device, name } => words.with_name(Text::device_back(*device), name),
        NoticeKind::CallEnded { name, duration_s, .. } => call_ended(name, *duration_s, words),
        NoticeKind::CallFailed(outcome) => words.outcome_title(outcome.kind, &outcome.name),
        NoticeKind::ContactAdded { name, .. } => words.with_name(Text::ContactAdded, name),
        NoticeKind::ContactRenamed { before, name } => {
            words.fill(Text::ContactRenamed, &[("before", before), ("name", name)])
        }
        NoticeKind::ServerOffered { name, link } => {
            words.fill(Text::ServerOffered, &[("name", name), ("server", &link.address())])
        }
        NoticeKind::BadLink => words.get(Text::BadLink).to_owned(),
        NoticeKind::BadPicture(error) => words.bad_picture(error),
        NoticeKind::OwnLink => words.get(Text::OwnLink).to_owned(),
        NoticeKind::Store(fault) => words.get(Text::store_fault(*fault)).to_owned(),
        NoticeKind::NoNetwork => words.get(Text::NoNetwork).to_owned(),
        NoticeKind::PortTaken { entirely: true } => words.get(Text::PortTaken).to_owned(),
        NoticeKind::PortTaken { entirely: false } => words.get(Text::PortTakenInPart).to_owned(),
        NoticeKind::ClocksDiffer { name } => words.with_name(Text::ClocksDiffer, name),
        NoticeKind::NeedsNewer { name, skew, .. } => words.needs_newer(*skew, name),
    }
}

/// With whom a call was and how long it lasted; of one that never was connected, who ended it.
fn call_ended(name: &str, duration_s: u32, words: Words) -> String {
    match duration_s {
        0 => words.with_name(Text::EndHungUp, name),
        _ => words.fill(Text::CallEnded, &[("name", name), ("length", &length(duration_s, words))]),
    }
}

const fn mark(kind: &NoticeKind) -> (Icon, bool) {
    match kind {
        NoticeKind::CallEnded { .. } => (Icon::HangUp, false),
        NoticeKind::CallFailed(_) => (Icon::HangUp, true),
        NoticeKind::ContactAdded { .. } | NoticeKind::DeviceBack { .. } => (Icon::Check, false),
        NoticeKind::Device { .. }
        | NoticeKind::DevicesMissing { .. }
        | NoticeKind::DeviceFallback { .. }
        | NoticeKind::MicrophoneSilent { .. }
        | NoticeKind::BadLink
        | NoticeKind::BadPicture(_)
        | NoticeKind::Store(_)
        | NoticeKind::NoNetwork
        | NoticeKind::PortTaken { .. }
        | NoticeKind::ClocksDiffer { .. }
        | NoticeKind::NeedsNewer { .. } => (Icon::Warning, true),
        NoticeKind::OwnLink | NoticeKind::ServerOffered { .. } | NoticeKind::ContactRenamed { .. } => {
            (Icon::Info, false)
        }
    }
}

/// The note without the fault of the camera where home tells that in place of the picture (`told`); `None` where
/// nothing is left of it.
fn besides_camera(kind: &NoticeKind, told: bool) -> Option<NoticeKind> {
    let missing = |device| NoticeKind::Device { device, fault: DeviceFault::Missing };
    match *kind {
        NoticeKind::Device { device: DeviceKind::Camera, .. } if told => None,
        NoticeKind::DevicesMissing { camera: true, microphone, speaker } if told => Some(match (microphone, speaker) {
            (true, true) => NoticeKind::DevicesMissing { camera: false, microphone, speaker },
            (true, false) => missing(DeviceKind::Microphone),
            (false, _) => missing(DeviceKind::Speaker),
        }),
        _ => Some(kind.clone()),
    }
}

impl Notices {
    /// Draws the notes under the middle of `area`'s upper edge; sends away those whose time is over.
    pub fn show(&mut self, ui: &Ui, area: Rect, scene: &mut Scene<'_>) {
        let notices = &scene.snapshot.notices;
        let now = ui.input(|input| input.time);
        self.first_seen.retain(|number, _| notices.iter().any(|notice| notice.number == *number));
        for notice in notices {
            let seen = *self.first_seen.entry(notice.number).or_insert(now);
            let Some(stays) = stays(&notice.kind) else { continue };
            if now - seen >= stays {
                // Asked for once more should the controller not have taken it within that time.
                self.first_seen.insert(notice.number, now);
                scene.send(Command::DismissNotice { notice: notice.number });
            } else {
                ui.ctx().request_repaint_after_secs((seen + stays - now) as f32 + 0.02);
            }
        }
        if notices.is_empty() {
            return;
        }
        let snapshot = scene.snapshot;
        let camera_told = matches!(snapshot.call, CallView::Idle) && snapshot.local_stream.camera_fault.is_some();
        let shown = SHOWN.min((area.height() / NEEDS) as usize).max(1);
        let first = notices.len().saturating_sub(shown);
        let room = WORDS.min(area.width() - AROUND - 2.0 * space::S);
        let notes = Area::new(Id::unique("notices")).order(egui::Order::Foreground);
        notes.pivot(Align2::CENTER_TOP).fixed_pos(area.center_top()).show(ui.ctx(), |ui| {
            ui.spacing_mut().item_spacing.y = space::S;
            for notice in &notices[first..] {
                let Some(rest) = besides_camera(&notice.kind, camera_told) else { continue };
                let text = match &rest {
                    NoticeKind::CallEnded { peer, name, duration_s } => {
                        call_ended(&scene.name(*peer, name), *duration_s, scene.words)
                    }
                    kind => said(kind, scene.words, &scene.snapshot.settings),
                };
                let offered = offer(&notice.kind, scene);
                let pressed =
                    toast(ui, &text, mark(&notice.kind), offered.as_ref().map(|(key, _)| *key), scene.words, room);
                match (pressed, offered) {
                    (Pressed::Nothing, _) => {}
                    (Pressed::Offer, Some((_, command))) => {
                        scene.commands.push(command);
                        if matches!(notice.kind, NoticeKind::CallEnded { .. }) {
                            scene.commands.push(Command::DismissNotice { notice: notice.number });
                        }
                    }
                    (Pressed::Offer, None) | (Pressed::Close, _) => {
                        scene.commands.push(Command::DismissNotice { notice: notice.number });
                    }
                }
            }
        });
    }
}

/// The button of a note, and the command that it stands for.
fn offer(kind: &NoticeKind, scene: &Scene<'_>) -> Option<(Text, Command)> {
    match kind {
        NoticeKind::CallEnded { peer, .. } => {
            let stranger = scene.person(*peer).is_none_or(|person| person.kind == PersonKind::Nearby);
            stranger.then(|| (Text::AddToContacts, Command::AddContact { link: peer.to_string() }))
        }
        NoticeKind::ServerOffered { link, .. } => {
            Some((Text::UseServer, Command::AddServer { link: link.to_string() }))
        }
        _ => None,
    }
}

/// The part of a note that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pressed {
    Nothing,
    Offer,
    Close,
}

/// Draws one note with `room` points for its words, with a button where it offers something.
fn toast(
    ui: &mut Ui,
    text: &str,
    (icon, warns): (Icon, bool),
    offer: Option<Text>,
    words: Words,
    room: f32,
) -> Pressed {
    let palette = Palette::of(ui);
    let frame = Frame::new()
        .fill(palette.surface)
        .stroke(Stroke::new(1.0, palette.line))
        .corner_radius(CornerRadius::same(12))
        .shadow(ui.visuals().popup_shadow)
        .inner_margin(Margin { left: 14, right: 6, top: 8, bottom: 8 });
    frame
        .show(ui, |ui| {
            ui.horizontal(|ui| {
                let (_, rect) = ui.allocate_space(vec2(18.0, 28.0));
                let ink = if warns { palette.warning } else { palette.accent };
                icon.paint(ui.painter(), rect.center(), 18.0, ink);
                let galley = super::buttons::wrapped(ui, text, Type::Body, palette.text, room);
                let size = vec2(room, galley.size().y.max(28.0));
                let offered = ui.vertical(|ui| {
                    let (place, response) = ui.allocate_exact_size(size, egui::Sense::hover());
                    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, text));
                    announce(&response, false);
                    let at = pos2(place.left(), place.center().y - galley.size().y / 2.0);
                    ui.painter().galley(at, galley, palette.text);
                    offer.is_some_and(|key| TextButton::new(words.get(key)).show(ui).clicked())
                });
                let closed = icon_button_sized(ui, Icon::Close, words.get(Text::Dismiss), 28.0, Weight::Plain);
                match (offered.inner, closed.clicked()) {
                    (true, _) => Pressed::Offer,
                    (false, true) => Pressed::Close,
                    (false, false) => Pressed::Nothing,
                }
            })
            .inner
        })
        .inner
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{DeviceChoice, DeviceFault};
    use crate::identity::PeerId;
    use crate::store::Language;

    #[test]
    fn a_fault_of_the_camera_is_told_once() {
        let missing = |device| NoticeKind::Device { device, fault: DeviceFault::Missing };
        let several = |camera, speaker| NoticeKind::DevicesMissing { camera, microphone: true, speaker };
        for (kind, rest) in [
            (missing(DeviceKind::Camera), None),
            (several(true, false), Some(missing(DeviceKind::Microphone))),
            (several(true, true), Some(several(false, true))),
            (missing(DeviceKind::Speaker), Some(missing(DeviceKind::Speaker))),
            (NoticeKind::BadLink, Some(NoticeKind::BadLink)),
        ] {
            assert_eq!(besides_camera(&kind, true), rest);
            assert_eq!(besides_camera(&kind, false), Some(kind));
        }
    }

    #[test]
    fn troubles_stay_until_they_are_closed() {
        assert_eq!(stays(&NoticeKind::Device { device: DeviceKind::Camera, fault: DeviceFault::Busy }), None);
        assert!(stays(&NoticeKind::ContactAdded { id: PeerId::from_bytes([1; 32]), name: String::new() }).is_some());
    }

    #[test]
    fn a_device_at_fault_is_named() {
        let words = Words::of(Language::English, "");
        let settings = Settings { camera: DeviceChoice::Named("Foo".to_owned()), ..Settings::default() };
        let said = |words, device, fault| said(&NoticeKind::Device { device, fault }, words, &settings);
        assert!(said(words, DeviceKind::Speaker, DeviceFault::Unplugged).starts_with("The speaker was unplugged."));
        assert!(said(words, DeviceKind::Microphone, DeviceFault::Missing).starts_with("No microphone was found."));
        let missing = (DeviceKind::Camera, DeviceFault::Missing);
        assert!(said(words, missing.0, missing.1.clone()).starts_with("There is no camera called “Foo”."));
        let chinese = Words::of(Language::SimplifiedChinese, "");
        assert!(said(chinese, missing.0, missing.1).starts_with("没有名为“Foo”的摄像头。"));
    }
}
