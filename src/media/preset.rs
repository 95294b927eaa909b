//! The resolution presets of the settings panel, and the video format that follows from one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A resolution preset, by the names that the automation contract and the settings use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Preset {
    /// 320x240.
    Low,
    /// 320x180.
    LowWide,
    /// 640x480, also written `true`.
    #[default]
    Standard,
    /// 640x360.
    StandardWide,
    /// 1280x720.
    HighWide,
    /// 1920x1080.
    FullWide,
}

impl Preset {
    /// Every preset, from small to large.
    pub const ALL: [Self; 6] =
        [Self::LowWide, Self::Low, Self::StandardWide, Self::Standard, Self::HighWide, Self::FullWide];

    /// The name in settings, commands and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::LowWide => "low-16:9",
            Self::Standard => "standard",
            Self::StandardWide => "standard-16:9",
            Self::HighWide => "high-16:9",
            Self::FullWide => "full-16:9",
        }
    }

    /// Width and height in pixels.
    pub const fn size(self) -> (u32, u32) {
        match self {
            Self::Low => (320, 240),
            Self::LowWide => (320, 180),
            Self::Standard => (640, 480),
            Self::StandardWide => (640, 360),
            Self::HighWide => (1280, 720),
            Self::FullWide => (1920, 1080),
        }
    }

    /// The bit rate in kbit/s that the preset may use unless the user sets another.
    pub const fn default_max_kbps(self) -> u32 {
        match self {
            Self::Low => 300,
            Self::LowWide => 250,
            Self::Standard => 800,
            Self::StandardWide => 600,
            Self::HighWide => 1500,
            Self::FullWide => 3000,
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A preset name that is none of `Preset::ALL`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no resolution preset; use low, low-16:9, standard, standard-16:9, high-16:9 or full-16:9")]
pub struct ParsePresetError(String);

impl FromStr for Preset {
    type Err = ParsePresetError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|preset| preset.name() == name).ok_or_else(|| ParsePresetError(name.to_owned()))
    }
}

impl Serialize for Preset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Preset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Format that the camera is asked for and the encoder is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VideoFormat {
    /// Width in pixels, even.
    pub width: u32,
    /// Height in pixels, even.
    pub height: u32,
    /// Frames a second at most.
    pub max_fps: u32,
    /// Bit rate in kbit/s at most.
    pub max_kbps: u32,
}

impl VideoFormat {
    /// The least and greatest bit rate that can be asked for, in kbit/s.
    pub const KBPS_RANGE: std::ops::RangeInclusive<u32> = 50..=8000;

    /// The format of `preset`; `max_fps` (default 30) and `max_kbps` (default by preset) are held to 1..=30 and
    /// `KBPS_RANGE`.
    pub fn of(preset: Preset, max_fps: Option<u32>, max_kbps: Option<u32>) -> Self {
        let (width, height) = preset.size();
        Self {
            width,
            height,
            max_fps: max_fps.unwrap_or(30).clamp(1, 30),
            max_kbps: max_kbps
                .unwrap_or_else(|| preset.default_max_kbps())
                .clamp(*Self::KBPS_RANGE.start(), *Self::KBPS_RANGE.end()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_found_again_by_its_name() {
        for preset in Preset::ALL {
            assert_eq!(preset.name().parse(), Ok(preset));
        }
        assert!("huge".parse::<Preset>().is_err());
    }

    #[test]
    fn wishes_are_held_to_what_the_encoder_takes() {
        let format = VideoFormat::of(Preset::HighWide, Some(240), Some(1));
        assert_eq!(format, VideoFormat { width: 1280, height: 720, max_fps: 30, max_kbps: 50 });
    }
}
