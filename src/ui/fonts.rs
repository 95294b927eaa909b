//! The fonts that are part of the program: Inter for Latin, Greek and Cyrillic, Noto Sans SC for Chinese.
//!
//! Both are subsets (scripts/subset-fonts.py) that lie in the executable and are used where they lie; nothing is parsed
//! before a glyph is wanted. Other letters come from the system's fonts, which another thread finds.

use std::sync::Arc;

use eframe::egui::{
    FontData, FontDefinitions, FontFamily,
    epaint::text::{FontTweak, VariationCoords},
};

const LATIN: &[u8] = include_bytes!("../../assets/fonts/Inter-subset.ttf");
const CHINESE: &[u8] = include_bytes!("../../assets/fonts/NotoSansSC-subset.otf");

const REGULAR: &str = "inter";
const SEMIBOLD: &str = "inter-semibold";
const HAN: &str = "noto-sans-sc";

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
    let built_in = fonts.families.get(&FontFamily::Proportional).cloned().unwrap_or_default();
    let family = |first: &str| [first, HAN].into_iter().map(str::to_owned).chain(built_in.clone()).collect::<Vec<_>>();
    fonts.families.insert(FontFamily::Proportional, family(REGULAR));
    fonts.families.insert(semibold(), family(SEMIBOLD));
    if let Some(monospace) = fonts.families.get_mut(&FontFamily::Monospace) {
        monospace.push(HAN.to_owned());
    }
    fonts
}
