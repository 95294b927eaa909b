//! Appearance of the window: theme, contrast and motion, by the settings and, where they leave it open, by the desktop.

use eframe::egui;

use crate::store::{Contrast, Motion, Settings};

use super::theme::{self, Manner};

/// Appearance that the desktop asks of its programs (XDG desktop portal, `org.freedesktop.appearance`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DesktopAppearance {
    /// Light text on a dark ground.
    pub dark: bool,
    /// Contrast above the usual one.
    pub high_contrast: bool,
    /// No motion that is not needed.
    pub reduced_motion: bool,
    /// Text size in percent of the usual one; `None` where the desktop does not tell, or has the window system scale
    /// everything.
    pub text_percent: Option<u16>,
}

/// The appearance that the window has.
#[derive(Debug, Default)]
pub struct Appearance {
    manner: Manner,
}

/// Contrast and motion by the settings, and by the desktop where these follow it.
fn manner(settings: &Settings, desktop: DesktopAppearance) -> Manner {
    Manner {
        high_contrast: match settings.contrast {
            Contrast::System => desktop.high_contrast,
            Contrast::Standard => false,
            Contrast::High => true,
        },
        reduced_motion: match settings.motion {
            Motion::System => desktop.reduced_motion,
            Motion::Full => false,
            Motion::Reduced => true,
        },
    }
}

impl Appearance {
    /// Draws in the appearance that is wanted now, from the next drawing on; in a call everything is dark.
    pub fn follow(&mut self, ctx: &egui::Context, settings: &Settings, desktop: DesktopAppearance, in_call: bool) {
        let manner = manner(settings, desktop);
        if manner != self.manner {
            self.manner = manner;
            theme::dress(ctx, manner);
        }
        theme::follow(ctx, settings.theme, desktop.dark, in_call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_stand_above_the_desktop_and_leave_to_it_what_follows_the_system() {
        let desktop = DesktopAppearance { high_contrast: true, reduced_motion: true, ..DesktopAppearance::default() };
        let of = |contrast, motion, desktop| {
            let manner = manner(&Settings { contrast, motion, ..Settings::default() }, desktop);
            (manner.high_contrast, manner.reduced_motion)
        };
        assert_eq!(of(Contrast::System, Motion::System, desktop), (true, true));
        assert_eq!(of(Contrast::System, Motion::System, DesktopAppearance::default()), (false, false));
        assert_eq!(of(Contrast::Standard, Motion::Full, desktop), (false, false));
        assert_eq!(of(Contrast::High, Motion::Reduced, DesktopAppearance::default()), (true, true));
    }

    #[test]
    fn the_desktop_changes_theme_and_contrast_of_a_window_that_is_open() {
        let ctx = egui::Context::default();
        theme::install(&ctx);
        let mut appearance = Appearance::default();
        let settings = Settings::default();
        let mut drawn = |desktop| {
            appearance.follow(&ctx, &settings, desktop, false);
            let mut drawn = None;
            let mut output = ctx.run_ui(egui::RawInput::default(), |ui| {
                drawn = Some((ui.visuals().dark_mode, theme::Palette::of(ui).text, ui.style().animation_time == 0.0));
            });
            output.textures_delta.clear();
            drawn.expect("drawn")
        };
        assert_eq!((drawn(DesktopAppearance::default()).0, drawn(DesktopAppearance::default()).2), (false, false));
        let asked =
            DesktopAppearance { dark: true, high_contrast: true, reduced_motion: true, ..DesktopAppearance::default() };
        let (dark, text, still) = drawn(asked);
        assert_eq!((dark, text, still), (true, egui::Color32::WHITE, true));
        assert_ne!(drawn(DesktopAppearance { dark: true, ..DesktopAppearance::default() }).1, egui::Color32::WHITE);
    }
}
