//! Faults of devices.

use serde::{Deserialize, Serialize};

use super::DeviceReason;

/// Fault of a device. In JSON it is one [word](Self::word); the event's message has the reason.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", from = "String")]
pub enum DeviceFault {
    /// It does not exist.
    Missing,
    /// Another program holds it.
    Busy,
    /// The system forbids its use.
    Forbidden,
    /// It was unplugged while in use.
    Unplugged,
    /// It is open but gives nothing.
    Stalled,
    /// Anything else that is wrong with a device, or with the file that stands for one.
    Failed(DeviceReason),
}

impl DeviceFault {
    /// True when the device is not there (any more): another one may take its place.
    pub const fn is_absence(&self) -> bool {
        matches!(self, Self::Missing | Self::Unplugged)
    }

    /// The word that the `fault` of a `device_error` is.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Missing | Self::Failed(DeviceReason::FileMissing | DeviceReason::FolderMissing) => "missing",
            Self::Busy => "busy",
            Self::Forbidden | Self::Failed(DeviceReason::FileForbidden) => "forbidden",
            Self::Unplugged => "unplugged",
            Self::Stalled => "stalled",
            Self::Failed(_) => "failed",
        }
    }
}

impl From<DeviceFault> for &'static str {
    fn from(fault: DeviceFault) -> Self {
        fault.word()
    }
}

impl From<String> for DeviceFault {
    fn from(word: String) -> Self {
        match word.as_str() {
            "missing" => Self::Missing,
            "busy" => Self::Busy,
            "forbidden" => Self::Forbidden,
            "unplugged" => Self::Unplugged,
            "stalled" => Self::Stalled,
            _ => Self::Failed(DeviceReason::System(word)),
        }
    }
}
