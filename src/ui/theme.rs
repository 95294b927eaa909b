//! The visual language: one spacing scale, one type scale, one accent; a light and a dark palette, each also in high
//! contrast.
//!
//! Runs on the main thread when the window opens and when the theme changes; drawing code reads [`Palette::of`] and the
//! constants here, and never names a colour of its own.

use eframe::egui::{self, Color32, CornerRadius, FontFamily, FontId, Margin, Shadow, Stroke, TextStyle, Vec2};

use crate::store;

use super::fonts;

/// Distances in points; everything is one of these apart.
pub mod space {
    /// Between an icon and its word.
    pub const XS: f32 = 4.0;
    /// Between parts of one thing.
    pub const S: f32 = 8.0;
    /// Inside controls and rows.
    pub const M: f32 = 12.0;
    /// Between things, and the inner margin of cards.
    pub const L: f32 = 16.0;
    /// Between groups, and the window's margin.
    pub const XL: f32 = 24.0;
}

/// Corner radii in points.
pub mod radius {
    /// Fields, rows and buttons.
    pub const CONTROL: u8 = 10;
    /// Cards and dialogs.
    pub const CARD: u8 = 16;
    /// Pictures.
    pub const PICTURE: f32 = 16.0;
}

/// Height of a button or a field in points.
pub const CONTROL_HEIGHT: f32 = 36.0;

/// The type scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Labels of sections, hints: 12 points.
    Caption,
    /// Running text: 14 points.
    Body,
    /// Names and buttons: 14 points, semibold.
    Strong,
    /// Headings of cards: 17 points, semibold.
    Title,
    /// The name of somebody who rings: 30 points, semibold.
    Scene,
}

impl Type {
    /// The font of this step.
    pub fn font(self) -> FontId {
        match self {
            Self::Caption => FontId::new(12.0, FontFamily::Proportional),
            Self::Body => FontId::new(14.0, FontFamily::Proportional),
            Self::Strong => FontId::new(14.0, fonts::semibold()),
            Self::Title => FontId::new(17.0, fonts::semibold()),
            Self::Scene => FontId::new(30.0, fonts::semibold()),
        }
    }

    /// `text` in this step and `color`.
    pub fn text(self, text: impl Into<String>, color: Color32) -> egui::RichText {
        egui::RichText::new(text).font(self.font()).color(color)
    }
}

/// The colours of one theme, by their role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    /// Behind everything.
    pub ground: Color32,
    /// The list at the left.
    pub side: Color32,
    /// Cards, dialogs and menus.
    pub surface: Color32,
    /// Fields, quiet buttons, and the widget under the mouse.
    pub raised: Color32,
    /// Quiet buttons under the mouse.
    pub raised_hover: Color32,
    /// The one among several segments that holds: the one that stands out.
    pub chosen: Color32,
    /// Hair lines.
    pub line: Color32,
    /// Outlines of fields and switches: 3:1 against each surface (WCAG 2.2, 1.4.11).
    pub edge: Color32,
    /// Text.
    pub text: Color32,
    /// Text of less weight; still 4.5:1 against each surface.
    pub text_soft: Color32,
    /// The one accent.
    pub accent: Color32,
    /// The accent under the mouse.
    pub accent_hover: Color32,
    /// Text and icons on the accent.
    pub on_accent: Color32,
    /// The accent as a faint ground of the selection.
    pub accent_soft: Color32,
    /// Text of faults and missed calls; 4.5:1 against each surface, under the mouse too.
    pub danger_text: Color32,
    /// Hang up, decline, remove.
    pub danger: Color32,
    /// Danger under the mouse.
    pub danger_hover: Color32,
    /// Text and icons on danger.
    pub on_danger: Color32,
    /// Warnings.
    pub warning: Color32,
    /// Behind dialogs.
    pub veil: Color32,
}

const LIGHT: Palette = Palette {
    ground: Color32::from_rgb(0xF8, 0xF7, 0xF4),
    side: Color32::from_rgb(0xEF, 0xED, 0xE8),
    surface: Color32::from_rgb(0xFF, 0xFF, 0xFE),
    raised: Color32::from_rgb(0xE5, 0xE2, 0xDB),
    raised_hover: Color32::from_rgb(0xDA, 0xD6, 0xCE),
    chosen: Color32::from_rgb(0xFF, 0xFF, 0xFE),
    line: Color32::from_rgb(0xDD, 0xDA, 0xD2),
    edge: Color32::from_rgb(0x80, 0x7C, 0x72),
    text: Color32::from_rgb(0x1B, 0x20, 0x22),
    text_soft: Color32::from_rgb(0x53, 0x5B, 0x5E),
    accent: Color32::from_rgb(0x0B, 0x76, 0x70),
    accent_hover: Color32::from_rgb(0x09, 0x64, 0x5F),
    on_accent: Color32::WHITE,
    accent_soft: Color32::from_rgb(0xD3, 0xE8, 0xE4),
    danger_text: Color32::from_rgb(0xAE, 0x24, 0x1D),
    danger: Color32::from_rgb(0xC8, 0x3A, 0x34),
    danger_hover: Color32::from_rgb(0xAD, 0x2E, 0x29),
    on_danger: Color32::WHITE,
    warning: Color32::from_rgb(0x8A, 0x56, 0x00),
    veil: Color32::from_black_alpha(96),
};

const DARK: Palette = Palette {
    ground: Color32::from_rgb(0x12, 0x15, 0x16),
    side: Color32::from_rgb(0x18, 0x1C, 0x1D),
    surface: Color32::from_rgb(0x1F, 0x24, 0x25),
    raised: Color32::from_rgb(0x2A, 0x30, 0x32),
    raised_hover: Color32::from_rgb(0x37, 0x3E, 0x40),
    chosen: Color32::from_rgb(0x3B, 0x43, 0x45),
    line: Color32::from_rgb(0x31, 0x38, 0x3A),
    edge: Color32::from_rgb(0x7A, 0x85, 0x86),
    text: Color32::from_rgb(0xEC, 0xF0, 0xEF),
    text_soft: Color32::from_rgb(0xA6, 0xB0, 0xB0),
    accent: Color32::from_rgb(0x52, 0xCF, 0xC0),
    accent_hover: Color32::from_rgb(0x74, 0xDD, 0xD0),
    on_accent: Color32::from_rgb(0x06, 0x24, 0x21),
    accent_soft: Color32::from_rgb(0x1D, 0x3A, 0x38),
    danger_text: Color32::from_rgb(0xFF, 0x92, 0x89),
    danger: Color32::from_rgb(0xE0, 0x52, 0x4B),
    danger_hover: Color32::from_rgb(0xEA, 0x6B, 0x64),
    on_danger: Color32::from_rgb(0x2B, 0x05, 0x03),
    warning: Color32::from_rgb(0xF0, 0xB6, 0x5A),
    veil: Color32::from_black_alpha(150),
};

const HIGH_LIGHT: Palette = Palette {
    ground: Color32::WHITE,
    side: Color32::WHITE,
    surface: Color32::WHITE,
    raised: Color32::from_gray(0xF2),
    raised_hover: Color32::from_gray(0xE0),
    chosen: Color32::WHITE,
    line: Color32::BLACK,
    edge: Color32::BLACK,
    text: Color32::BLACK,
    text_soft: Color32::from_gray(0x2A),
    accent: Color32::from_rgb(0x00, 0x4F, 0x4A),
    accent_hover: Color32::from_rgb(0x00, 0x35, 0x32),
    on_accent: Color32::WHITE,
    accent_soft: Color32::from_rgb(0xE0, 0xF4, 0xF1),
    danger_text: Color32::from_rgb(0x8A, 0x00, 0x00),
    danger: Color32::from_rgb(0x9B, 0x00, 0x00),
    danger_hover: Color32::from_rgb(0x6E, 0x00, 0x00),
    on_danger: Color32::WHITE,
    warning: Color32::from_rgb(0x5C, 0x38, 0x00),
    veil: Color32::from_black_alpha(190),
};

const HIGH_DARK: Palette = Palette {
    ground: Color32::BLACK,
    side: Color32::BLACK,
    surface: Color32::BLACK,
    raised: Color32::from_gray(0x16),
    raised_hover: Color32::from_gray(0x30),
    chosen: Color32::from_gray(0x30),
    line: Color32::WHITE,
    edge: Color32::WHITE,
    text: Color32::WHITE,
    text_soft: Color32::from_gray(0xDE),
    accent: Color32::from_rgb(0x7F, 0xF5, 0xE8),
    accent_hover: Color32::from_rgb(0xB4, 0xFF, 0xF6),
    on_accent: Color32::BLACK,
    accent_soft: Color32::from_rgb(0x00, 0x33, 0x30),
    danger_text: Color32::from_rgb(0xFF, 0xB0, 0xAA),
    danger: Color32::from_rgb(0xFF, 0x8F, 0x87),
    danger_hover: Color32::from_rgb(0xFF, 0xB8, 0xB2),
    on_danger: Color32::BLACK,
    warning: Color32::from_rgb(0xFF, 0xD0, 0x80),
    veil: Color32::from_black_alpha(215),
};

/// Width in points of outlines in high contrast, by which a style is known as such.
const HIGH_CONTRAST_LINE: f32 = 2.0;

/// White on a picture, over a dark scrim.
pub const ON_PICTURE: Color32 = Color32::WHITE;

/// Text of less weight on a picture, over the scrim.
pub const ON_PICTURE_SOFT: Color32 = Color32::from_gray(228);

/// Colour under the mouse, on the scrim.
pub const ON_PICTURE_HOVER: Color32 = Color32::from_rgba_premultiplied(56, 56, 56, 56);

/// Answer a call; white icons stand on it.
pub const ANSWER: Color32 = Color32::from_rgb(0x22, 0x9A, 0x4A);

/// Answer under the mouse.
pub const ANSWER_HOVER: Color32 = Color32::from_rgb(0x1C, 0x82, 0x3E);

/// Ends a call; white icons stand on it.
pub const END: Color32 = Color32::from_rgb(0xD9, 0x3A, 0x33);

/// End under the mouse.
pub const END_HOVER: Color32 = Color32::from_rgb(0xBC, 0x2E, 0x28);

/// The scrim under text on a picture.
pub const SCRIM: Color32 = Color32::from_black_alpha(180);

impl Palette {
    /// The palette of the theme that `ui` is drawn in.
    pub fn of(ui: &egui::Ui) -> &'static Self {
        Self::of_visuals(ui.visuals())
    }

    /// The palette of a theme.
    pub fn of_visuals(visuals: &egui::Visuals) -> &'static Self {
        let high_contrast = visuals.window_stroke.width >= HIGH_CONTRAST_LINE;
        Self::choose(visuals.dark_mode, high_contrast)
    }

    const fn choose(dark: bool, high_contrast: bool) -> &'static Self {
        match (dark, high_contrast) {
            (false, false) => &LIGHT,
            (true, false) => &DARK,
            (false, true) => &HIGH_LIGHT,
            (true, true) => &HIGH_DARK,
        }
    }
}

/// Installs the fonts and both themes; called once, before the first frame.
pub fn install(ctx: &egui::Context) {
    ctx.set_fonts(fonts::definitions());
    dress(ctx, Manner::default());
    ctx.options_mut(|options| {
        options.fallback_theme = egui::Theme::Light;
        // The text size is a setting with keys of its own.
        options.zoom_with_keyboard = false;
    });
}

/// Contrast and motion of both themes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// Black and white with outlines of 2 points, instead of shades.
    pub high_contrast: bool,
    /// Changes happen at once, instead of by a short motion.
    pub reduced_motion: bool,
}

/// Sets the styles of both themes.
pub fn dress(ctx: &egui::Context, manner: Manner) {
    for theme in [egui::Theme::Light, egui::Theme::Dark] {
        ctx.set_style_of(theme, style(theme, manner));
    }
}

/// Follows the setting; in a call everything is dark. Where the setting is the system's theme and the window system
/// names none, the desktop's choice holds.
pub fn follow(ctx: &egui::Context, choice: store::Theme, desktop_is_dark: bool, in_call: bool) {
    let preference = match choice {
        _ if in_call => egui::ThemePreference::Dark,
        store::Theme::System => egui::ThemePreference::System,
        store::Theme::Light => egui::ThemePreference::Light,
        store::Theme::Dark => egui::ThemePreference::Dark,
    };
    let fallback = if desktop_is_dark { egui::Theme::Dark } else { egui::Theme::Light };
    if ctx.options(|options| options.theme_preference != preference || options.fallback_theme != fallback) {
        ctx.options_mut(|options| options.fallback_theme = fallback);
        ctx.set_theme(preference);
    }
}

fn style(theme: egui::Theme, manner: Manner) -> egui::Style {
    let mut visuals = theme.default_visuals();
    let palette = Palette::choose(visuals.dark_mode, manner.high_contrast);
    let line_width = if manner.high_contrast { HIGH_CONTRAST_LINE } else { 1.0 };
    let corner = CornerRadius::same(radius::CONTROL);
    visuals.override_text_color = None;
    visuals.weak_text_color = Some(palette.text_soft);
    visuals.panel_fill = palette.ground;
    visuals.window_fill = palette.surface;
    visuals.window_stroke = Stroke::new(line_width, palette.line);
    visuals.window_corner_radius = CornerRadius::same(radius::CARD);
    visuals.menu_corner_radius = CornerRadius::same(radius::CONTROL + 2);
    visuals.window_shadow = Shadow {
        offset: [0, 12],
        blur: 40,
        spread: 0,
        color: Color32::from_black_alpha(if visuals.dark_mode { 120 } else { 46 }),
    };
    visuals.popup_shadow = Shadow {
        offset: [0, 6],
        blur: 20,
        spread: 0,
        color: Color32::from_black_alpha(if visuals.dark_mode { 110 } else { 36 }),
    };
    visuals.extreme_bg_color = palette.raised;
    visuals.text_edit_bg_color = Some(palette.raised);
    visuals.faint_bg_color = palette.raised;
    visuals.code_bg_color = palette.raised;
    visuals.hyperlink_color = palette.accent;
    visuals.warn_fg_color = palette.warning;
    visuals.error_fg_color = palette.danger_text;
    visuals.selection.bg_fill = palette.accent_soft;
    visuals.selection.stroke = Stroke::new(1.5, palette.accent);
    visuals.disabled_alpha = 0.45;
    visuals.interact_cursor = Some(egui::CursorIcon::PointingHand);
    let states = [
        (&mut visuals.widgets.noninteractive, palette.surface, palette.line, palette.text),
        (&mut visuals.widgets.inactive, palette.raised, palette.edge, palette.text),
        (&mut visuals.widgets.hovered, palette.raised_hover, palette.edge, palette.text),
        (&mut visuals.widgets.active, palette.raised_hover, palette.accent, palette.text),
        (&mut visuals.widgets.open, palette.raised_hover, palette.edge, palette.text),
    ];
    for (state, fill, stroke, text) in states {
        state.bg_fill = fill;
        state.weak_bg_fill = fill;
        state.bg_stroke = Stroke::new(line_width, stroke);
        state.fg_stroke = Stroke::new(1.0, text);
        state.corner_radius = corner;
        state.expansion = 0.0;
    }
    let mut style = egui::Style { visuals, ..Default::default() };
    style.text_styles = [
        (TextStyle::Small, Type::Caption.font()),
        (TextStyle::Body, Type::Body.font()),
        (TextStyle::Button, Type::Body.font()),
        (TextStyle::Heading, Type::Title.font()),
        (TextStyle::Monospace, FontId::new(12.5, FontFamily::Monospace)),
    ]
    .into();
    style.spacing.item_spacing = Vec2::new(space::S, space::S);
    style.spacing.button_padding = Vec2::new(space::M, 8.0);
    style.spacing.interact_size = Vec2::new(CONTROL_HEIGHT, CONTROL_HEIGHT);
    style.spacing.menu_margin = Margin::same(6);
    style.spacing.window_margin = Margin::same(space::XL as i8);
    style.spacing.combo_width = 0.0;
    style.spacing.combo_height = 280.0;
    style.spacing.icon_width = 16.0;
    style.spacing.scroll = egui::style::ScrollStyle {
        dormant_background_opacity: 0.0,
        dormant_handle_opacity: 0.0,
        active_background_opacity: 0.0,
        ..egui::style::ScrollStyle::thin()
    };
    style.interaction.selectable_labels = false;
    style.interaction.tooltip_delay = 0.4;
    style.animation_time = if manner.reduced_motion { 0.0 } else { 0.12 };
    style
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(color: Color32) -> f32 {
        let linear = |value: u8| {
            let value = f32::from(value) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
    }

    fn contrast(one: Color32, other: Color32) -> f32 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// Each ground that text stands on, resting and under the mouse.
    fn grounds(palette: &Palette) -> [Color32; 7] {
        let Palette { ground, side, surface, raised, raised_hover, chosen, accent_soft, .. } = *palette;
        [ground, side, surface, raised, raised_hover, chosen, accent_soft]
    }

    #[test]
    fn every_text_has_the_contrast_of_wcag_aa() {
        for palette in [LIGHT, DARK, HIGH_LIGHT, HIGH_DARK] {
            for ground in grounds(&palette) {
                for (ink, least) in [(palette.text, 7.0), (palette.text_soft, 4.5), (palette.danger_text, 4.5)] {
                    assert!(contrast(ink, ground) >= least, "{ink:?} on {ground:?}: {}", contrast(ink, ground));
                }
            }
            for (ink, ground) in [
                (palette.on_accent, palette.accent),
                (palette.on_accent, palette.accent_hover),
                (palette.on_danger, palette.danger),
                (palette.on_danger, palette.danger_hover),
                (palette.warning, palette.surface),
                (palette.accent, palette.surface),
                (palette.accent, palette.side),
            ] {
                assert!(contrast(ink, ground) >= 4.5, "{ink:?} on {ground:?}: {}", contrast(ink, ground));
            }
        }
    }

    #[test]
    fn white_icons_stand_out_on_the_buttons_of_a_call() {
        for ground in [ANSWER, ANSWER_HOVER, END, END_HOVER] {
            assert!(contrast(Color32::WHITE, ground) >= 3.0, "{ground:?}");
        }
        assert!(contrast(END, Color32::WHITE) >= 3.0, "the icon of a muted microphone");
    }

    #[test]
    fn edges_of_fields_stand_out_from_both_sides() {
        for palette in [LIGHT, DARK, HIGH_LIGHT, HIGH_DARK] {
            for ground in [palette.ground, palette.side, palette.surface, palette.raised] {
                assert!(contrast(palette.edge, ground) >= 3.0, "{ground:?}: {}", contrast(palette.edge, ground));
                assert!(contrast(palette.accent, ground) >= 3.0, "the focus ring on {ground:?}");
            }
        }
    }

    #[test]
    fn high_contrast_is_that_of_wcag_aaa_and_survives_in_the_style() {
        for (theme, palette) in [(egui::Theme::Light, HIGH_LIGHT), (egui::Theme::Dark, HIGH_DARK)] {
            for ground in grounds(&palette) {
                for ink in [palette.text, palette.text_soft, palette.danger_text, palette.edge] {
                    assert!(contrast(ink, ground) >= 7.0, "{ink:?} on {ground:?}: {}", contrast(ink, ground));
                }
            }
            let style = style(theme, Manner { high_contrast: true, reduced_motion: true });
            assert_eq!((*Palette::of_visuals(&style.visuals), style.animation_time), (palette, 0.0));
        }
        assert_eq!(*Palette::of_visuals(&style(egui::Theme::Dark, Manner::default()).visuals), DARK);
    }

    #[test]
    fn what_is_written_on_a_picture_can_be_read_on_a_white_one() {
        let ground = Color32::from_gray(255 - SCRIM.a());
        for ink in [ON_PICTURE, ON_PICTURE_SOFT] {
            assert!(contrast(ink, ground) >= 4.5, "{}", contrast(ink, ground));
        }
    }
}
