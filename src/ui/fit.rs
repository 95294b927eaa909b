//! Scale of the window: the text size by the settings or the desktop, and the keys that change it. Everything grows
//! with the text, so that screens are laid out as in a smaller window.

use eframe::egui::{self, Key, Modifiers, Ui, Vec2, vec2};

use crate::store::Settings;

use super::appearance::DesktopAppearance;
use super::keys;
use super::scene::Scene;

/// Least room in points that each screen is laid out in: a window of 640x480 at 200 %, the narrow page of WCAG 2.2
/// (1.4.10). A window with less is drawn smaller than the text size asks for.
pub const LEAST_ROOM: Vec2 = vec2(320.0, 240.0);

/// The least scale: below, nothing could be read or pressed.
const MIN: f32 = 0.4;

/// Text sizes that are offered, in percent.
pub const TEXT_SIZES: [u16; 8] = [80, 90, 100, 110, 125, 150, 175, 200];

/// Text size in percent where nobody has chosen one.
pub fn system_percent(desktop: DesktopAppearance) -> u16 {
    let usual = desktop.text_percent.unwrap_or(100);
    usual.clamp(*Settings::TEXT_SIZES.start(), *Settings::TEXT_SIZES.end())
}

/// Text size in percent by the settings, or the desktop's where they leave it to that.
fn percent(settings: &Settings, desktop: DesktopAppearance) -> u16 {
    settings.text_size.unwrap_or_else(|| system_percent(desktop))
}

/// The scale of a text size.
pub fn chosen(settings: &Settings, desktop: DesktopAppearance) -> f32 {
    f32::from(percent(settings, desktop)) / 100.0
}

/// The scale at which a window whose size at scale 1 is `room` (points) has room for [`LEAST_ROOM`], and `chosen` at
/// most.
fn fitting(chosen: f32, room: Vec2) -> f32 {
    let fits = (room.x / LEAST_ROOM.x).min(room.y / LEAST_ROOM.y);
    chosen.min(fits).max(MIN.min(chosen))
}

/// Draws everything in the scale `chosen`, as far as there is room, from the next drawing on.
pub fn follow(ctx: &egui::Context, chosen: f32) {
    let scale = ctx.zoom_factor();
    let fits = fitting(chosen, ctx.content_rect().size() * scale);
    if (fits - scale).abs() >= 0.001 {
        ctx.set_zoom_factor(fits);
    }
}

/// Takes the keys of the text size: Ctrl and plus, minus, or 0 for the usual one.
pub fn take_keys(ui: &Ui, scene: &mut Scene<'_>) {
    // On most keyboards plus is Shift and another key, which is pressed without Shift as well.
    let [plus, equals, minus, zero] =
        [Key::Plus, Key::Equals, Key::Minus, Key::Num0].map(|key| keys::pressed(ui, Modifiers::COMMAND, key));
    let now = percent(&scene.snapshot.settings, scene.desktop);
    let wish = match (zero, plus || equals, minus) {
        (true, ..) => None,
        (_, true, _) => TEXT_SIZES.into_iter().find(|size| *size > now),
        (.., true) => TEXT_SIZES.into_iter().rfind(|size| *size < now),
        (false, false, false) => return,
    };
    if (zero || wish.is_some()) && wish != scene.snapshot.settings.text_size {
        scene.change_settings(|settings| settings.text_size = wish);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_with_room_is_drawn_as_chosen() {
        for chosen in [0.8, 1.0, 2.0] {
            assert_eq!(fitting(chosen, vec2(1100.0, 720.0)), chosen);
            assert_eq!(fitting(chosen, vec2(640.0, 480.0)), chosen);
        }
        assert_eq!(fitting(1.0, vec2(360.0, 300.0)), 1.0, "the smallest window that a person can make");
    }

    #[test]
    fn a_window_without_room_is_drawn_smaller() {
        for room in [vec2(500.0, 400.0), vec2(300.0, 700.0), vec2(1920.0, 200.0)] {
            let scale = fitting(2.0, room);
            let points = room / scale;
            assert!(scale < 2.0 && points.x >= 319.9 && points.y >= 239.9, "{room:?}: {points:?}");
        }
        assert_eq!(fitting(1.0, vec2(10.0, 10.0)), MIN);
        assert_eq!(fitting(0.8, vec2(10.0, 10.0)), MIN);
    }

    #[test]
    fn the_text_size_of_the_settings_stands_above_the_desktops() {
        let desktop = |text_percent| DesktopAppearance { text_percent, ..DesktopAppearance::default() };
        let settings = |text_size| Settings { text_size, ..Settings::default() };
        assert_eq!(chosen(&settings(None), desktop(None)), 1.0);
        assert_eq!(chosen(&settings(None), desktop(Some(125))), 1.25);
        assert_eq!(chosen(&settings(None), desktop(Some(300))), 2.0, "as large as every screen has room for");
        assert_eq!(chosen(&settings(Some(90)), desktop(Some(125))), 0.9);
    }

    #[test]
    fn the_size_comes_back_with_the_room() {
        let mut harness =
            egui_kittest::Harness::builder().with_size(vec2(480.0, 360.0)).build_ui(|ui| follow(ui.ctx(), 2.0));
        harness.run();
        assert!((harness.ctx.zoom_factor() - 1.5).abs() < 0.01, "{}", harness.ctx.zoom_factor());
        harness.set_size(vec2(1100.0, 720.0));
        harness.run();
        assert_eq!(harness.ctx.zoom_factor(), 2.0);
    }
}
