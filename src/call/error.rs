//! Errors of calls and of the commands that ask for them, by their numbers in the events.

use serde::{Deserialize, Serialize};

use super::VersionSkew;

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
    /// The side that needs a newer Visavis, where that is the reason.
    pub const fn skew(&self) -> Option<VersionSkew> {
        match self {
            Self::OwnNeedsNewer(_) | Self::NeedsNewerHere => Some(VersionSkew::OwnIsOlder),
            Self::FarNeedsNewer(_) | Self::NeedsNewerThere => Some(VersionSkew::FarIsOlder),
            Self::BadArgument(_) | Self::InviteFailed | Self::ParticipantFailed | Self::TooManyConversations => None,
        }
    }

    /// The seed's number for this error.
    pub const fn code(&self) -> u32 {
        match self {
            Self::BadArgument(_) => 40001,
            Self::InviteFailed | Self::FarNeedsNewer(_) | Self::OwnNeedsNewer(_) => 40201,
            Self::ParticipantFailed | Self::NeedsNewerHere | Self::NeedsNewerThere => 40204,
            Self::TooManyConversations => 40205,
        }
    }
}
