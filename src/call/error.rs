//! Every way in which a call or its devices can go wrong, with the codes of the seed.

use serde::{Deserialize, Serialize};

use super::DeviceReason;

/// Which device an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// The camera.
    Camera,
    /// The microphone.
    Microphone,
    /// The speaker.
    Speaker,
}

impl DeviceKind {
    /// What it is called in English.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Microphone => "microphone",
            Self::Speaker => "speaker",
        }
    }
}

/// Why a conversation ended, or a participant left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisconnectReason {
    /// This side hung up.
    Left,
    /// The far side hung up.
    HungUp,
    /// The connection could not be made.
    Failed,
    /// The connection was made and then lost.
    Lost,
}

/// An error that a person is told about: one plain sentence each, with what to do next (`Display` is the English one;
/// the window's catalogue has the others, chosen by variant).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// 40001: a command, a link or an identifier that cannot be used.
    #[error("{0}")]
    BadArgument(String),
    /// 40002: the device does not exist (any more).
    #[error("The {} was not found. Plug it in, or choose another one in Settings.", device.word())]
    DeviceMissing {
        /// Which one.
        device: DeviceKind,
    },
    /// 40002: another program holds the device.
    #[error("The {} is used by another program. Close that program, or choose another one in Settings.", device.word())]
    DeviceBusy {
        /// Which one.
        device: DeviceKind,
    },
    /// 40002: the system does not let this program use the device.
    #[error("This computer does not let Visavis use the {}. Allow it in the system's privacy settings.", device.word())]
    DeviceForbidden {
        /// Which one.
        device: DeviceKind,
    },
    /// 40002: the device was unplugged while in use.
    #[error("The {} was unplugged. Plug it in again and it comes back by itself.", device.word())]
    DeviceUnplugged {
        /// Which one.
        device: DeviceKind,
    },
    /// 40002: the device is open but gives nothing.
    #[error("The {} gives no data. Visavis keeps trying; if it lasts, unplug it and plug it in again.", device.word())]
    DeviceStalled {
        /// Which one.
        device: DeviceKind,
    },
    /// 40002: anything else that is wrong with a device or with the file that stands for one.
    #[error("The {} could not be used: {reason}. {}", device.word(), reason.remedy().sentence(*device))]
    DeviceFailed {
        /// Which one.
        device: DeviceKind,
        /// Why.
        reason: DeviceReason,
    },
    /// 40201: the invite could not be delivered.
    #[error("This person cannot be reached now. Try again when they are online.")]
    InviteFailed,
    /// 40201: the far side's app speaks no version that this one does.
    #[error("{0} needs a newer Visavis before you can call each other.")]
    FarNeedsNewer(String),
    /// 40201: the same, where this side's app is the older one.
    #[error("You need a newer Visavis to call {0}.")]
    OwnNeedsNewer(String),
    /// 40204: media could not flow to or from a participant.
    #[error("The connection to the other side could not be made. Check both networks and call again.")]
    ParticipantFailed,
    /// 40204: this program is too old for the far side's.
    #[error("You need a newer Visavis to call this person. Install the latest version, then call again.")]
    NeedsNewerHere,
    /// 40204: the far side's program is too old for this one.
    #[error("This person needs a newer Visavis to talk with you. Ask them to install the latest version.")]
    NeedsNewerThere,
    /// 40205: a call is going on already.
    #[error("You are in a call already. Hang up first.")]
    TooManyConversations,
}

impl CallError {
    /// The seed's number for this error.
    pub const fn code(&self) -> u32 {
        match self {
            Self::BadArgument(_) => 40001,
            Self::DeviceMissing { .. }
            | Self::DeviceBusy { .. }
            | Self::DeviceForbidden { .. }
            | Self::DeviceUnplugged { .. }
            | Self::DeviceStalled { .. }
            | Self::DeviceFailed { .. } => 40002,
            Self::InviteFailed | Self::FarNeedsNewer(_) | Self::OwnNeedsNewer(_) => 40201,
            Self::ParticipantFailed | Self::NeedsNewerHere | Self::NeedsNewerThere => 40204,
            Self::TooManyConversations => 40205,
        }
    }
}
