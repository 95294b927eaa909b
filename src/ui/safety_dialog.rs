//! The dialog that shows the safety number of a contact and their code, and marks the contact as verified: by a press
//! after a comparison, or by reading the code on the other's screen with one's own camera. In a call it is a card at
//! the edge with the number alone, which leaves Hang up in reach.

use eframe::egui::{self, Align, Layout, Rect, Ui, UiBuilder, vec2};

use crate::controller::Command;
use crate::identity::{PeerId, ScannedCode, safety_code, safety_number, scan_safety_code};

use super::asked::Next;
use super::bidi::{self, Lines};
use super::buttons::{TextButton, Weight, announce};
use super::catalogue::Text;
use super::code_scanner::CodeScanner;
use super::dialog;
use super::icons::Icon;
use super::preview;
use super::qr_code::QrCode;
use super::scene::Scene;
use super::theme::{Palette, Type, space};

/// Width of the card of a call, in points.
const CARD_WIDTH: f32 = 400.0;
/// Height of a line of digits, with its space, in points.
const LINE_HEIGHT: f32 = 30.0;
/// Size of the digits, in points.
const DIGITS_SIZE: f32 = 20.0;

/// The dialog's state while it is open.
#[derive(Debug)]
pub struct SafetyDialog {
    contact: PeerId,
    number: String,
    /// Text of the code that this screen shows to the contact.
    code: String,
    drawn: QrCode,
    scanner: Option<CodeScanner<ScannedCode>>,
    scanned: Option<ScannedCode>,
}

impl SafetyDialog {
    /// The dialog about `contact`, for the person `me`.
    pub fn new(me: PeerId, contact: PeerId) -> Self {
        Self {
            contact,
            number: safety_number(me, contact),
            code: safety_code(me, contact),
            drawn: QrCode::default(),
            scanner: None,
            scanned: None,
        }
    }

    /// Draws the dialog.
    pub fn show(&mut self, ui: &Ui, scene: &mut Scene<'_>) -> Next {
        let Some((verified, name)) = scene.person(self.contact).map(|person| (person.verified, person.name.clone()))
        else {
            return Next::Close;
        };
        self.take_found(scene);
        let (next, close) = dialog::show(ui, "safety", 500.0, |ui| {
            dialog::heading(ui, &scene.words.with_name(Text::SafetyTitle, &name), scene.text(Text::SafetyDetail));
            let settings = if self.scanner.is_some() {
                camera(ui, scene, &name)
            } else {
                self.number_and_code(ui, scene, &name);
                false
            };
            self.result(ui, scene, verified, &name);
            if settings { Next::Settings } else { self.buttons(ui, scene, verified) }
        });
        if close { Next::Close } else { next }
    }

    /// Draws the card of a call at the upper left of `area`; true once it is over.
    pub fn show_beside(&mut self, ui: &mut Ui, area: Rect, scene: &mut Scene<'_>) -> bool {
        let Some((verified, name)) = scene.person(self.contact).map(|person| (person.verified, person.name.clone()))
        else {
            return true;
        };
        let size = vec2(CARD_WIDTH.min(area.width() - 2.0 * space::L), area.height() - 60.0 - 96.0);
        let place = Rect::from_min_size(area.min + vec2(space::L, 60.0), size);
        let mut overlay = ui.new_child(UiBuilder::new().id_salt("safety").max_rect(place));
        let frame = egui::Frame::new().fill(egui::Color32::from_black_alpha(225)).corner_radius(12).inner_margin(14);
        frame
            .show(&mut overlay, |ui| {
                ui.set_width(size.x - 28.0);
                ui.spacing_mut().item_spacing.y = space::XS;
                let palette = Palette::of(ui);
                let title = scene.words.with_name(Text::SafetyTitle, &name);
                bidi::label(ui, &title, Type::Strong, palette.text, Lines::Many);
                ui.label(Type::Caption.text(scene.text(Text::SafetyByVoice), palette.text_soft));
                ui.add_space(space::XS);
                self.number(ui, 4);
                self.result(ui, scene, verified, &name);
                ui.add_space(space::XS);
                ui.horizontal(|ui| {
                    self.mark_button(ui, scene, verified);
                    TextButton::new(scene.text(Text::Close)).show(ui).clicked()
                })
                .inner
            })
            .inner
    }

    /// Takes the scanner's finding. A code that matches marks the contact; others are told, and the scan goes on.
    fn take_found(&mut self, scene: &mut Scene<'_>) {
        let Some(scanner) = &mut self.scanner else { return };
        let Some(found) = scanner.look(&scene.snapshot.local_stream.preview) else { return };
        self.scanned = Some(found);
        if found == ScannedCode::Matches {
            self.scanner = None;
            scene.send(Command::VerifyContact { id: self.contact, on: true });
        }
    }

    fn number_and_code(&mut self, ui: &mut Ui, scene: &Scene<'_>, name: &str) {
        let side = (ui.ctx().content_rect().height() - 320.0).clamp(148.0, 232.0);
        ui.horizontal(|ui| {
            let title = scene.words.with_name(Text::SafetyCodeName, name);
            self.drawn.show(ui, &self.code, side, &title, scene.text(Text::SafetyCodeFailed));
            ui.add_space(space::L);
            ui.vertical(|ui| {
                // A low window has room for four lines beside the smaller code, a higher one for six.
                let (groups_a_line, lines) = if side < 200.0 { (3, 4.0) } else { (2, 6.0) };
                ui.add_space((side - lines * LINE_HEIGHT - 40.0).max(0.0) / 2.0);
                self.number(ui, groups_a_line);
                ui.add_space(space::XS);
                if TextButton::new(scene.text(Text::CopyNumber))
                    .icon(Icon::Copy)
                    .weight(Weight::Plain)
                    .show(ui)
                    .clicked()
                {
                    ui.ctx().copy_text(self.number.clone());
                }
            });
        });
    }

    /// The digits, so many groups a line.
    fn number(&self, ui: &mut Ui, groups_a_line: usize) {
        let groups: Vec<&str> = self.number.split(' ').collect();
        for line in groups.chunks(groups_a_line) {
            let line = egui::RichText::new(line.join("  ")).monospace().size(DIGITS_SIZE).color(Palette::of(ui).text);
            ui.add(egui::Label::new(line).selectable(true));
        }
    }

    /// The line that tells how the comparison stands.
    fn result(&self, ui: &mut Ui, scene: &Scene<'_>, verified: bool, name: &str) {
        let palette = Palette::of(ui);
        let (icon, ink, text) = match self.scanned {
            Some(ScannedCode::Differs) => (Icon::Warning, palette.danger_text, Text::ScanDiffers),
            Some(ScannedCode::Own) => (Icon::Info, palette.warning, Text::ScanOwn),
            Some(ScannedCode::Matches) if verified => (Icon::Verified, palette.accent, Text::ScanMatches),
            _ if verified => (Icon::Verified, palette.accent, Text::SafetyVerified),
            _ => (Icon::Info, palette.text_soft, Text::SafetyUnverified),
        };
        ui.add_space(space::XS);
        ui.horizontal_top(|ui| {
            let (_, rect) = ui.allocate_space(vec2(20.0, 20.0));
            icon.paint(ui.painter(), rect.center(), 18.0, ink);
            let words = scene.words.with_name(text, name);
            let line = ui.add(egui::Label::new(Type::Body.text(&words, ink)).wrap());
            announce(&line, true);
        });
    }

    fn buttons(&mut self, ui: &mut Ui, scene: &mut Scene<'_>, verified: bool) -> Next {
        ui.add_space(space::S);
        let mut next = Next::Stay;
        ui.horizontal(|ui| {
            let (icon, word) = match self.scanner {
                Some(_) => (Icon::Qr, Text::ScanStop),
                None => (Icon::Camera, Text::ScanCode),
            };
            if TextButton::new(scene.text(word)).icon(icon).show(ui).clicked() {
                self.scanned = None;
                let (me, contact) = (scene.snapshot.me.id, self.contact);
                self.scanner = match self.scanner.take() {
                    Some(_) => None,
                    None => CodeScanner::start(ui.ctx(), move |picture| scan_safety_code(picture, me, contact)),
                };
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                self.mark_button(ui, scene, verified);
                if dialog::safe(ui, TextButton::new(scene.text(Text::Close))).clicked() {
                    next = Next::Close;
                }
            });
        });
        next
    }

    fn mark_button(&mut self, ui: &mut Ui, scene: &mut Scene<'_>, verified: bool) {
        let (word, weight) =
            if verified { (Text::UnmarkVerified, Weight::Quiet) } else { (Text::MarkVerified, Weight::Primary) };
        if TextButton::new(scene.text(word)).weight(weight).show(ui).clicked() {
            (self.scanned, self.scanner) = (None, None);
            scene.send(Command::VerifyContact { id: self.contact, on: !verified });
        }
    }
}

/// One's own picture while the camera looks for a code; true when the settings are asked for.
fn camera(ui: &mut Ui, scene: &mut Scene<'_>, name: &str) -> bool {
    let height = (ui.ctx().content_rect().height() - 340.0).clamp(140.0, 260.0);
    let (_, place) = ui.allocate_space(vec2(ui.available_width(), height));
    let picture = Rect::from_center_size(place.center(), vec2((height * 16.0 / 9.0).min(place.width()), height));
    let mut inner = ui.new_child(UiBuilder::new().id_salt("camera").max_rect(picture));
    let settings = preview::show(&mut inner, picture, scene);
    ui.label(Type::Caption.text(scene.words.with_name(Text::ScanDetail, name), Palette::of(ui).text_soft));
    settings
}
