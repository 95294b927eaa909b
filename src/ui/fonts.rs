//! The fonts that are part of the program: Inter for Latin, Greek and Cyrillic, Noto Sans SC for Chinese.
//!
//! All are subsets (scripts/subset-fonts.py) that lie in the executable and are used where they lie; nothing is parsed
//! before a glyph is wanted. Other letters come from the system's fonts, which another thread finds.

use std::sync::Arc;

use eframe::egui::{
    FontData, FontDefinitions, FontFamily,
    epaint::text::{FontTweak, VariationCoords},
};

const LATIN: &[u8] = include_bytes!("../../assets/fonts/Inter-subset.ttf");
const CHINESE: &[u8] = include_bytes!("../../assets/fonts/NotoSansSC-subset.otf");
/// The common characters alone: the others of a name are drawn in the regular weight.
const CHINESE_BOLD: &[u8] = include_bytes!("../../assets/fonts/NotoSansSC-Bold-subset.otf");

const REGULAR: &str = "inter";
const SEMIBOLD: &str = "inter-semibold";
const HAN: &str = "noto-sans-sc";
const HAN_BOLD: &str = "noto-sans-sc-bold";

/// The family of names, headings and buttons.
pub fn semibold() -> FontFamily {
    FontFamily::Name(SEMIBOLD.into())
}

/// The window's fonts.
pub fn definitions() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let heavy = FontTweak { coords: VariationCoords::new([(*b"wght", 600.0)]), ..FontTweak::default() };
    fonts.font_data.insert(REGULAR.into(), Arc::new(FontData::from_static(LATIN)));
    fonts.font_data.insert(SEMIBOLD.into(), Arc::new(FontData::from_static(LATIN).tweak(heavy)));
    fonts.font_data.insert(HAN.into(), Arc::new(FontData::from_static(CHINESE)));
    fonts.font_data.insert(HAN_BOLD.into(), Arc::new(FontData::from_static(CHINESE_BOLD)));
    let built_in = fonts.families.get(&FontFamily::Proportional).cloned().unwrap_or_default();
    let family = |first: &[&str]| first.iter().map(|&name| name.to_owned()).chain(built_in.clone()).collect();
    fonts.families.insert(FontFamily::Proportional, family(&[REGULAR, HAN]));
    fonts.families.insert(semibold(), family(&[SEMIBOLD, HAN_BOLD, HAN]));
    if let Some(monospace) = fonts.families.get_mut(&FontFamily::Monospace) {
        monospace.push(HAN.to_owned());
    }
    fonts
}

#[cfg(test)]
mod tests {
    use eframe::egui::{Color32, FontId};

    use super::*;

    /// Sum of all coverage in the glyph atlas once `text` has been laid out.
    fn ink(text: &str, family: &FontFamily) -> u64 {
        let mut ink = 0;
        let setup = |ctx: &eframe::egui::Context| ctx.set_fonts(definitions());
        let mut harness = egui_kittest::Harness::builder().with_context_setup(setup).build_ui(|ui| {
            let _galley =
                ui.painter().layout_no_wrap(text.to_owned(), FontId::new(40.0, family.clone()), Color32::WHITE);
            ink = ui.fonts_mut(|fonts| fonts.image().pixels.iter().map(|pixel| u64::from(pixel.a())).sum());
        });
        harness.run();
        drop(harness);
        ink
    }

    #[test]
    fn chinese_headings_are_bolder_than_running_text() {
        let of = |family: FontFamily| ink("设置通话", &family) - ink("", &family);
        let (regular, bold) = (of(FontFamily::Proportional), of(semibold()));
        assert!(regular > 0 && bold * 10 > regular * 12, "{bold} of {regular}");
    }
}
