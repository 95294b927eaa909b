//! Settings of the window's language and appearance: colours, contrast, text size, motion, the small window.

use eframe::egui::Ui;

use crate::store::{Contrast, Language, Motion, Settings, Theme};

use super::buttons::{segments, switch_row};
use super::catalogue::{Text, Words};
use super::fields::{drop_down, label};
use super::fit;
use super::scene::Scene;
use super::theme::space;

/// Draws the rows; changes go into `settings`.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, settings: &mut Settings) {
    let words = scene.words;
    let languages = [
        (Language::System, Text::LanguageSystem),
        (Language::English, Text::LanguageEnglish),
        (Language::SimplifiedChinese, Text::LanguageChinese),
    ];
    choice(ui, words, Text::LanguageLabel, &mut settings.language, languages);
    let themes = [(Theme::System, Text::ThemeSystem), (Theme::Light, Text::ThemeLight), (Theme::Dark, Text::ThemeDark)];
    choice(ui, words, Text::ThemeLabel, &mut settings.theme, themes);
    let contrasts = [
        (Contrast::System, Text::ThemeSystem),
        (Contrast::Standard, Text::ContrastStandard),
        (Contrast::High, Text::ContrastHigh),
    ];
    choice(ui, words, Text::ContrastLabel, &mut settings.contrast, contrasts);
    text_size(ui, scene, settings);
    let motions =
        [(Motion::System, Text::ThemeSystem), (Motion::Full, Text::MotionFull), (Motion::Reduced, Text::MotionReduced)];
    choice(ui, words, Text::MotionLabel, &mut settings.motion, motions);
    ui.add_space(space::XS);
    let (title, detail) = (words.get(Text::SmallWindowWhile), words.get(Text::SmallWindowDetail));
    switch_row(ui, &mut settings.small_window, title, detail);
}

/// Three values of a setting beside each other, under its name.
pub(super) fn choice<T: Copy + PartialEq>(
    ui: &mut Ui,
    words: Words,
    name: Text,
    value: &mut T,
    values: [(T, Text); 3],
) {
    label(ui, words.get(name));
    if let Some(chosen) = segments(ui, words.get(name), *value, &values.map(|(value, key)| (value, words.get(key)))) {
        *value = chosen;
    }
}

/// The text sizes that are offered, and one from elsewhere among them.
fn text_size(ui: &mut Ui, scene: &Scene<'_>, settings: &mut Settings) {
    let mut sizes = fit::TEXT_SIZES.to_vec();
    sizes.extend(settings.text_size.filter(|size| !fit::TEXT_SIZES.contains(size)));
    sizes.sort_unstable();
    let choices: Vec<Option<u16>> = std::iter::once(None).chain(sizes.into_iter().map(Some)).collect();
    let name = |size: &Option<u16>| match size {
        Some(percent) => scene.words.fill(Text::Percent, &[("value", &percent.to_string())]),
        None => scene.words.fill(Text::TextSizeSystem, &[("value", &fit::system_percent(scene.desktop).to_string())]),
    };
    let names: Vec<String> = choices.iter().map(name).collect();
    let current = choices.iter().position(|size| *size == settings.text_size);
    let shown = name(&settings.text_size);
    if let Some(chosen) = drop_down(ui, scene.text(Text::TextSizeLabel), &shown, &names, current)
        && let Some(size) = choices.get(chosen)
    {
        settings.text_size = *size;
    }
}
