//! Phase of a call, as far as keys outside of the window act on it.

use crate::call::InviteId;
use crate::controller::{CallView, Snapshot};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nobody calls.
    Idle,
    /// Somebody rings here.
    Ringing(InviteId),
    /// It rings there.
    Calling,
    /// In a call, muted or not.
    InCall {
        /// Sound is sent.
        heard: bool,
    },
}

impl Phase {
    /// The phase of a snapshot.
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        match &snapshot.call {
            CallView::Idle => Self::Idle,
            CallView::Incoming(incoming) => Self::Ringing(incoming.invite),
            CallView::Outgoing(_) => Self::Calling,
            CallView::Conversation(_) => Self::InCall { heard: snapshot.local_stream.sends_audio },
        }
    }
}
