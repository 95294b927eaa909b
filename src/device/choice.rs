//! Choices of devices, as the command line, the settings and the commands write them.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Choice of a device. Its text form reads back as the same choice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum DeviceChoice {
    /// The system's default (`default`).
    #[default]
    SystemDefault,
    /// No device at all (`none`).
    None,
    /// The moving test card (`test-card[:WxH@FPS]`); without a size, the size that is asked for. A camera.
    TestCard {
        /// Fixed width, height and frames a second, if given.
        format: Option<(u32, u32, u32)>,
    },
    /// A steady tone (`tone[:HZ]`, 440 Hz unless given). A microphone.
    Tone {
        /// Frequency in Hz.
        hertz: u32,
    },
    /// A file (`file:PATH`): y4m as a camera, wav as a microphone; as a speaker, a wav file that is written.
    File(PathBuf),
    /// A device by the name that the system gives it (`NAME`, or `device:NAME` where the name alone reads as one of the
    /// above).
    Named(String),
}

impl DeviceChoice {
    const DEFAULT_HERTZ: u32 = 440;
    const NAMED: &'static str = "device:";

    /// The name to show before the system has said one: that of a device without its prefix.
    pub fn label(&self) -> String {
        match self {
            Self::Named(name) => name.clone(),
            choice => choice.to_string(),
        }
    }

    /// True for the device that the system calls `name`.
    pub fn is_named(&self, name: &str) -> bool {
        matches!(self, Self::Named(chosen) if chosen == name)
    }
}

impl From<String> for DeviceChoice {
    fn from(text: String) -> Self {
        match text.as_str() {
            "" | "default" => return Self::SystemDefault,
            "none" => return Self::None,
            "test-card" => return Self::TestCard { format: None },
            "tone" => return Self::Tone { hertz: Self::DEFAULT_HERTZ },
            _ => {}
        }
        if let Some(format) = text.strip_prefix("test-card:").and_then(parse_card_format) {
            return Self::TestCard { format: Some(format) };
        }
        if let Some(hertz) = text.strip_prefix("tone:").and_then(|hertz| hertz.parse().ok()) {
            return Self::Tone { hertz };
        }
        if let Some(path) = text.strip_prefix("file:") {
            return Self::File(path.into());
        }
        match text.strip_prefix(Self::NAMED) {
            Some(name) => Self::Named(name.to_owned()),
            None => Self::Named(text),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.to_owned().into())
    }
}

fn parse_card_format(text: &str) -> Option<(u32, u32, u32)> {
    let (size, fps) = text.split_once('@').unwrap_or((text, "30"));
    let (width, height) = size.split_once('x')?;
    let (width, height, fps) = (width.parse().ok()?, height.parse().ok()?, fps.parse().ok()?);
    ((2..=4096).contains(&width) && (2..=4096).contains(&height) && (1..=120).contains(&fps))
        .then_some((width, height, fps))
}

impl From<DeviceChoice> for String {
    fn from(choice: DeviceChoice) -> Self {
        choice.to_string()
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SystemDefault => formatter.write_str("default"),
            Self::None => formatter.write_str("none"),
            Self::TestCard { format: None } => formatter.write_str("test-card"),
            Self::TestCard { format: Some((width, height, fps)) } => {
                write!(formatter, "test-card:{width}x{height}@{fps}")
            }
            Self::Tone { hertz } => write!(formatter, "tone:{hertz}"),
            Self::File(path) => write!(formatter, "file:{}", path.display()),
            Self::Named(name) if Self::from(name.clone()).is_named(name) => formatter.write_str(name),
            Self::Named(name) => write!(formatter, "{}{name}", Self::NAMED),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn choices_are_found_again_from_their_text() {
        for text in [
            "default",
            "none",
            "test-card",
            "test-card:1280x720@30",
            "tone:1000",
            "file:/tmp/a b.y4m",
            "Fake HD Webcam",
            "device:default",
            "test-card:1x1@1",
        ] {
            assert_eq!(DeviceChoice::from(text.to_owned()).to_string(), text);
        }
        assert_eq!(DeviceChoice::from("tone".to_owned()), DeviceChoice::Tone { hertz: 440 });
    }

    #[test]
    fn a_device_is_found_again_whatever_the_system_calls_it() {
        for name in ["", "default", "none", "tone", "tone:5", "test-card", "test-card:640x480@30", "file:x", "device:x"]
        {
            let choice = DeviceChoice::Named(name.to_owned());
            assert_eq!(DeviceChoice::from(choice.to_string()), choice);
            assert_eq!(choice.label(), name);
        }
    }

    proptest! {
        #[test]
        fn every_name_reads_back_as_itself(name in "(device:|tone:|file:|test-card:)?.{0,12}") {
            let choice = DeviceChoice::Named(name);
            prop_assert_eq!(DeviceChoice::from(choice.to_string()), choice);
        }
    }
}
