//! Settings of a person, with their defaults.

use std::ops::RangeInclusive;

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use crate::call::RelayUse;
use crate::device::DeviceChoice;
use crate::identity::{MAX_SERVERS, ServerLink, display_name};
use crate::media::{Preset, VideoFormat};

use super::{TalkKey, TimeOfDay};

/// The language of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    /// Follow the system's locale.
    #[default]
    System,
    /// English.
    English,
    /// Simplified Chinese.
    SimplifiedChinese,
}

/// The colours of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Theme {
    /// Follow the system.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// Contrast of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contrast {
    /// Follow the system.
    #[default]
    System,
    /// Shades.
    Standard,
    /// Black and white with outlines; 7:1 for all text (WCAG 2.2, 1.4.6).
    High,
}

/// Motion in the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Motion {
    /// Follow the system.
    #[default]
    System,
    /// Short motions between states.
    Full,
    /// None: states change at once (WCAG 2.2, 2.3.3).
    Reduced,
}

/// How the others' pictures fill their tiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PictureFit {
    /// Filled where little of the picture is cropped, else whole.
    #[default]
    Automatic,
    /// Filled, however much is cropped.
    Fill,
    /// Whole.
    Whole,
}

/// Size of one's own picture in a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SelfViewSize {
    /// 14 % of the window's width.
    Small,
    /// 20 % of it.
    #[default]
    Medium,
    /// 30 % of it.
    Large,
}

/// Everything that a person can set. Unknown fields are ignored and missing ones take these defaults, so that a newer
/// and an older version can share a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The name that others see.
    pub display_name: String,
    /// The camera.
    pub camera: DeviceChoice,
    /// The microphone.
    pub microphone: DeviceChoice,
    /// The speaker.
    pub speaker: DeviceChoice,
    /// Remove the speaker's sound from the microphone's.
    pub echo_cancellation: bool,
    /// Take steady noise out of the microphone's sound.
    pub noise_suppression: bool,
    /// Bring one's voice to a usual loudness; the system's volume is left alone.
    pub automatic_gain: bool,
    /// The resolution preset.
    pub preset: Preset,
    /// Frames a second at most, 1..=30.
    pub max_fps: u32,
    /// Video bit rate in kbit/s at most; `None` follows the preset.
    pub max_kbps: Option<u32>,
    /// Show one's own picture mirrored (to oneself only).
    pub mirror: bool,
    /// Let people who are no contacts ring.
    pub strangers_may_ring: bool,
    /// Servers over which people are reached across the Internet, at most [`MAX_SERVERS`].
    pub servers: Vec<ServerLink>,
    /// Language of the window.
    pub language: Language,
    /// Colours of the window.
    pub theme: Theme,
    /// Contrast of the window.
    pub contrast: Contrast,
    /// Motion in the window.
    pub motion: Motion,
    /// Size of text and of everything else in the window, in percent, within [`Settings::TEXT_SIZES`]; `None`: the
    /// desktop's.
    pub text_size: Option<u16>,
    /// When the media of calls goes through the relay of a server.
    pub relay: RelayUse,
    /// Let nothing ring: calls arrive as missed.
    pub do_not_disturb: bool,
    /// Let nothing ring each day from `quiet_from` until `quiet_until`, by the local time.
    pub quiet_hours: bool,
    /// Beginning of the quiet hours.
    pub quiet_from: TimeOfDay,
    /// End of the quiet hours; before their beginning it is that of the next day.
    pub quiet_until: TimeOfDay,
    /// The speaker that rings; `None`: that of calls.
    pub ring_speaker: Option<DeviceChoice>,
    /// Volume of the ring, in percent of its usual one, 0..=100.
    pub ring_volume: u8,
    /// Go on ringing, from the desktop's tray, when the window is closed.
    pub keep_running: bool,
    /// Start in the background with the desktop session.
    pub autostart: bool,
    /// How the others' pictures fill their tiles.
    pub picture_fit: PictureFit,
    /// Show one's own picture in a call (to oneself only).
    pub self_view: bool,
    /// Size of one's own picture in a call.
    pub self_view_size: SelfViewSize,
    /// Show the call in a small window while the main window is hidden.
    pub small_window: bool,
    /// Answer, mute and hang up by the media keys of the keyboard and the headset.
    pub media_keys: bool,
    /// Key that is held to be heard while muted in a call, whatever window has the keyboard; `None`: none.
    pub talk_key: Option<TalkKey>,
    /// Show one's own picture on the home page.
    pub preview: bool,
    /// Begin and answer calls with the microphone muted.
    pub join_muted: bool,
    /// Fold the contacts who are offline; `None`: once there are many.
    pub offline_folded: Option<bool>,
    /// Hints of the first minutes that were pressed away.
    pub hints_dismissed: Vec<Hint>,
}

/// A hint of the first minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hint {
    /// Others see this name.
    Name,
    /// The ways to add somebody.
    Adding,
    /// Echo, for a first try.
    Echo,
}

impl Hint {
    /// Every hint, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Name, Self::Adding, Self::Echo];
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            display_name: String::new(),
            camera: DeviceChoice::SystemDefault,
            microphone: DeviceChoice::SystemDefault,
            speaker: DeviceChoice::SystemDefault,
            echo_cancellation: true,
            noise_suppression: true,
            automatic_gain: true,
            preset: Preset::HighWide,
            max_fps: 30,
            max_kbps: None,
            mirror: true,
            strangers_may_ring: true,
            servers: Vec::new(),
            language: Language::System,
            theme: Theme::System,
            contrast: Contrast::System,
            motion: Motion::System,
            text_size: None,
            relay: RelayUse::Auto,
            do_not_disturb: false,
            quiet_hours: false,
            quiet_from: TimeOfDay::of_minutes(22 * 60),
            quiet_until: TimeOfDay::of_minutes(7 * 60),
            ring_speaker: None,
            ring_volume: 100,
            keep_running: true,
            autostart: false,
            preview: true,
            join_muted: false,
            offline_folded: None,
            hints_dismissed: Vec::new(),
            picture_fit: PictureFit::Automatic,
            self_view: true,
            self_view_size: SelfViewSize::Medium,
            small_window: true,
            media_keys: true,
            talk_key: None,
        }
    }
}

impl Settings {
    /// Text sizes in percent that leave every screen usable.
    pub const TEXT_SIZES: RangeInclusive<u16> = 80..=200;

    /// The settings in a JSON object; a value that cannot be read gives way to its default. False when there was one.
    pub(crate) fn read_leniently(json: &str) -> (Self, bool) {
        let Ok(mut saved) = serde_json::from_str::<Map<String, Value>>(json) else { return (Self::default(), false) };
        let Ok(Value::Object(mut readable)) = serde_json::to_value(Self::default()) else {
            return (Self::default(), false);
        };
        let mut whole = true;
        // Each by itself: how long it takes grows with what is saved, and not with its square.
        for (name, value) in &mut readable {
            let Some(saved) = saved.remove(name) else { continue };
            let alone = Map::from_iter([(name.clone(), saved.clone())]);
            match Self::deserialize(Value::Object(alone)) {
                Ok(_) => *value = saved,
                Err(_) => whole = false,
            }
        }
        match Self::deserialize(Value::Object(readable)) {
            Ok(settings) => (settings, whole),
            Err(_) => (Self::default(), false),
        }
    }

    /// The same settings made usable: a name fit to be shown, numbers within their ranges.
    pub fn within_limits(self) -> Self {
        let kbps = VideoFormat::KBPS_RANGE;
        let mut servers = Vec::new();
        for server in self.servers {
            if servers.len() < MAX_SERVERS && !servers.contains(&server) {
                servers.push(server);
            }
        }
        let hints = Hint::ALL.into_iter().filter(|hint| self.hints_dismissed.contains(hint)).collect();
        Self {
            servers,
            hints_dismissed: hints,
            display_name: display_name(&self.display_name),
            max_fps: self.max_fps.clamp(1, 30),
            ring_volume: self.ring_volume.min(100),
            text_size: self.text_size.map(|percent| percent.clamp(*Self::TEXT_SIZES.start(), *Self::TEXT_SIZES.end())),
            max_kbps: self.max_kbps.map(|wish| wish.clamp(*kbps.start(), *kbps.end())),
            ..self
        }
    }
}

/// Settings that are to change, by their names in JSON; the others stay as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SettingsChange(#[serde(deserialize_with = "readable")] Map<String, Value>);

/// An object whose values fit the settings that they name.
fn readable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    let change = Map::deserialize(deserializer)?;
    Settings::deserialize(Value::Object(change.clone())).map_err(de::Error::custom)?;
    Ok(change)
}

impl SettingsChange {
    /// A switch turned on or off.
    pub fn one(name: &str, on: bool) -> Self {
        Self(Map::from_iter([(name.to_owned(), Value::Bool(on))]))
    }

    /// Makes it this change and then `later`.
    pub fn extend(&mut self, later: &Self) {
        self.0.extend(later.0.clone());
    }

    /// `settings` with this change.
    pub fn applied_to(&self, settings: &Settings) -> Settings {
        let changed = serde_json::to_value(settings).and_then(|mut all| {
            if let Value::Object(all) = &mut all {
                all.extend(self.0.clone());
            }
            serde_json::from_value(all)
        });
        // It fits: that was looked at when it was read.
        changed.unwrap_or_else(|_| settings.clone())
    }
}

impl From<&Settings> for SettingsChange {
    /// All of them.
    fn from(settings: &Settings) -> Self {
        match serde_json::to_value(settings) {
            Ok(Value::Object(all)) => Self(all),
            _ => Self(Map::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_leaves_alone_what_it_does_not_name() {
        let camera = DeviceChoice::Named("Desk".to_owned());
        let settings = Settings { camera: camera.clone(), max_kbps: Some(900), mirror: false, ..Settings::default() };
        let change = |json: &str| serde_json::from_str::<SettingsChange>(json);
        let changed = change(r#"{"microphone": "tone:700", "max_kbps": null, "of_a_newer_version": 1}"#).unwrap();
        let microphone = DeviceChoice::Tone { hertz: 700 };
        assert_eq!(changed.applied_to(&settings), Settings { microphone, max_kbps: None, ..settings.clone() });
        assert_eq!(change("{}").unwrap().applied_to(&settings), settings);
        assert!(change(r#"{"max_fps": "many"}"#).is_err() && change("[]").is_err());
        assert_eq!(SettingsChange::from(&settings).applied_to(&Settings::default()), settings);
    }

    #[test]
    fn any_number_of_unknown_fields_is_passed_over_in_a_time_that_grows_with_it() {
        let unknown: String = (0..100_000).map(|number| format!("\"of_2031_{number}\":[{number},{{}}],")).collect();
        let json = format!(r#"{{{unknown}"max_fps":15,"theme":"solarized","max_kbps":null,"display_name":"Ann"}}"#);
        let (settings, whole) = Settings::read_leniently(&json);
        assert_eq!(settings, Settings { max_fps: 15, display_name: "Ann".to_owned(), ..Settings::default() });
        assert!(!whole);
        assert_eq!(Settings::read_leniently(&json.replace("\"solarized\"", "\"dark\"")).0.theme, Theme::Dark);
        for damaged in ["", "[]", "{", "null", &"[".repeat(100_000), r#"{"max_fps":1e999}"#] {
            assert_eq!(Settings::read_leniently(damaged), (Settings::default(), false), "{damaged:.20}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_made_usable() {
        let wild = Settings {
            display_name: format!(" \u{202e}Ann\n{}", "x".repeat(1000)),
            max_fps: 0,
            max_kbps: Some(u32::MAX),
            text_size: Some(1000),
            ..Settings::default()
        };
        let tame = wild.within_limits();
        assert!(tame.display_name.starts_with("Ann x") && tame.display_name.chars().count() <= 64);
        assert_eq!((tame.max_fps, tame.max_kbps, tame.text_size), (1, Some(8000), Some(200)));
        assert_eq!(tame.clone().within_limits(), tame);
    }
}
