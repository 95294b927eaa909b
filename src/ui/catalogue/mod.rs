//! Every word that the window shows, in each language; no other file of the window holds a text for people.
//!
//! Sits under all of the drawing code and knows nothing of it. A language is a function with an exhaustive match, so
//! that a missing text does not compile.

mod en;
mod reasons;
mod start;
mod text;
mod zh;

pub use text::Text;

use crate::controller::{OutcomeKind, VersionSkew};
use crate::device::{DeviceChoice, DeviceFault, DeviceKind, DeviceReason};
use crate::identity::PictureError;
use crate::store::Language;

/// The languages that the catalogue has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tongue {
    English,
    SimplifiedChinese,
}

/// The words of one language. Cheap to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    tongue: Tongue,
}

impl Words {
    /// The words of `language`; [`Language::System`] follows `locale` (as `zh_CN.UTF-8`), English unless it is Chinese.
    pub fn of(language: Language, locale: &str) -> Self {
        let tongue = match language {
            Language::English => Tongue::English,
            Language::SimplifiedChinese => Tongue::SimplifiedChinese,
            Language::System if locale.to_ascii_lowercase().starts_with("zh") => Tongue::SimplifiedChinese,
            Language::System => Tongue::English,
        };
        Self { tongue }
    }

    /// The text of a key, with its places in braces unfilled.
    pub fn get(self, key: Text) -> &'static str {
        match self.tongue {
            Tongue::English => en::text(key),
            Tongue::SimplifiedChinese => zh::text(key),
        }
    }

    /// The text of a key with each `{place}` filled.
    pub fn fill(self, key: Text, places: &[(&str, &str)]) -> String {
        places
            .iter()
            .fold(self.get(key).to_owned(), |text, (place, value)| text.replace(&format!("{{{place}}}"), value))
    }

    /// The text of a key with its `{name}` filled.
    pub fn with_name(self, key: Text, name: &str) -> String {
        self.fill(key, &[("name", name)])
    }

    /// Sentence that says which side needs a newer Visavis for calls with the named person.
    pub fn needs_newer(self, skew: VersionSkew, name: &str) -> String {
        self.with_name(
            match skew {
                VersionSkew::FarIsOlder => Text::TheyNeedNewerHint,
                VersionSkew::OwnIsOlder => Text::YouNeedNewerHint,
            },
            name,
        )
    }

    /// Sentence about a fault of the chosen device; it names the device where the name may be at fault.
    pub fn device_fault(self, device: DeviceKind, fault: &DeviceFault, chosen: &DeviceChoice) -> String {
        let text = match (fault, chosen) {
            (DeviceFault::Missing, DeviceChoice::Named(name)) => {
                return self.with_name(Text::device_not_found(device), name);
            }
            (DeviceFault::Missing, _) => Text::device_missing(device),
            (DeviceFault::Busy, _) => Text::device_busy(device),
            (DeviceFault::Forbidden, _) => Text::device_forbidden(device),
            (DeviceFault::Unplugged, _) => Text::device_unplugged(device),
            (DeviceFault::Stalled, _) => Text::device_stalled(device),
            (DeviceFault::Failed(reason), _) => return self.device_reason(device, reason, chosen),
        };
        self.get(text).to_owned()
    }

    /// Why the chosen device, or the file that stands for it, cannot be used, and the way on.
    fn device_reason(self, device: DeviceKind, reason: &DeviceReason, chosen: &DeviceChoice) -> String {
        let file = match chosen {
            DeviceChoice::File(path) => Some(path.as_path()),
            _ => None,
        };
        match self.tongue {
            Tongue::English => reasons::english(device, reason, file),
            Tongue::SimplifiedChinese => reasons::chinese(device, reason, file),
        }
    }

    /// Why no contact was found in a picture, and the way on.
    pub fn bad_picture(self, error: &PictureError) -> String {
        match self.tongue {
            Tongue::English => error.to_string(),
            Tongue::SimplifiedChinese => reasons::chinese_picture(error),
        }
    }

    /// How a call ended, in a few words: a heading.
    pub fn outcome_title(self, kind: OutcomeKind, name: &str) -> String {
        self.with_name(text::outcome_title(kind), name)
    }

    /// Sentence about the end of a call, and the remedy.
    pub fn outcome_detail(self, kind: OutcomeKind, name: &str) -> String {
        self.with_name(text::outcome_detail(kind), name)
    }

    /// How a call ended, in one or two words for a list.
    pub fn outcome_brief(self, kind: OutcomeKind) -> &'static str {
        self.get(text::outcome_brief(kind))
    }
}

/// The locale that the environment names, as POSIX orders the variables; empty when there is none.
pub fn system_locale() -> String {
    ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .filter_map(|variable| std::env::var(variable).ok())
        .find(|value| !value.is_empty())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn places(text: &str) -> BTreeSet<String> {
        text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(place, _)| place.to_owned()).collect()
    }

    #[test]
    fn both_languages_have_every_text_with_the_same_places() {
        let (english, chinese) = (Words::of(Language::English, ""), Words::of(Language::SimplifiedChinese, ""));
        for &key in Text::ALL {
            assert!(!english.get(key).is_empty() && !chinese.get(key).is_empty(), "{key:?}");
            assert_eq!(places(english.get(key)), places(chinese.get(key)), "{key:?}");
        }
    }

    #[test]
    fn the_system_language_follows_the_locale() {
        for (locale, tongue) in [
            ("zh_CN.UTF-8", Tongue::SimplifiedChinese),
            ("zh-Hans", Tongue::SimplifiedChinese),
            ("de_DE.UTF-8", Tongue::English),
            ("C", Tongue::English),
            ("", Tongue::English),
        ] {
            assert_eq!(Words::of(Language::System, locale).tongue, tongue, "{locale}");
        }
    }

    #[test]
    fn the_way_to_the_settings_is_another_one_in_the_settings() {
        for language in [Language::English, Language::SimplifiedChinese] {
            let words = Words::of(language, "");
            for device in [DeviceKind::Camera, DeviceKind::Microphone, DeviceKind::Speaker] {
                for choice in [DeviceChoice::SystemDefault, DeviceChoice::Named("X".into())] {
                    let text = words.device_fault(device, &DeviceFault::Missing, &choice);
                    assert!(text.contains(words.get(Text::InSettings)), "{text}");
                }
            }
        }
    }

    #[test]
    fn places_are_filled() {
        let words = Words::of(Language::English, "");
        assert_eq!(words.with_name(Text::WaitingCall, "Ana"), "Ana is calling");
    }
}
