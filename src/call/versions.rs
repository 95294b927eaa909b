//! Descriptions of another version than this program's. There is no call then, and both sides are told who needs a
//! newer Visavis: at the invite, which carries the caller's versions, so that nobody rings in vain.
//!
//! ```text
//! newer                                                  older
//!   |---- invite {descriptions: {min: 2, max: 3}, ..} ----->|   "You need a newer Visavis"
//!   |<--- incompatible {version: 1} ------------------------|
//!   "They need a newer Visavis"
//! ```
//!
//! A `describe` of another version than the invite said is answered in the same way.

use crate::identity::PeerId;

use super::context::Context;
use super::state::{CallMachine, CallState};
use super::{
    CallEnd, CallError, CallReport, Conversation, Description, DisconnectReason, IncomingInvite, Message, Standing,
    VersionSkew,
};

/// How a participant goes: the reason in events, and the words about the call if it ends with that.
pub(super) struct Departure {
    pub(super) reason: DisconnectReason,
    /// Report of a participant who was never connected.
    pub(super) error: CallError,
    pub(super) end: CallEnd,
}

impl From<DisconnectReason> for Departure {
    fn from(reason: DisconnectReason) -> Self {
        Self { reason, error: CallError::ParticipantFailed, end: CallEnd::Ended(reason) }
    }
}

impl Departure {
    /// The far side's descriptions are of this `version`.
    fn for_version(version: u16) -> Self {
        let reason = DisconnectReason::Failed;
        if version > Description::VERSION {
            Self { reason, error: CallError::NeedsNewerHere, end: CallEnd::NeedsNewerHere }
        } else {
            Self { reason, error: CallError::NeedsNewerThere, end: CallEnd::NeedsNewerThere }
        }
    }
}

/// Strangers with programs of other versions who are reported in one run of the program.
const MAX_STRANGERS_REPORTED: usize = 100;

impl CallMachine {
    /// The program of the caller has no version of descriptions in common with this one: nothing rings, and both
    /// are told, the caller once an invite. A contact is reported at each invite, a stranger once a run: no press is
    /// needed for it, and the reports must not fill the history.
    pub(super) fn invited_by_other_version(
        &mut self,
        state: CallState,
        cx: &mut Context<'_>,
        incoming: IncomingInvite,
        standing: Standing,
        skew: VersionSkew,
    ) -> CallState {
        let IncomingInvite { invite, conversation, from, name, .. } = incoming;
        if standing != Standing::Unwelcome && !self.ended_invites.has_rung(invite, from) {
            self.ended_invites.add_incoming(invite, from);
            cx.send(from, Message::Incompatible { conversation, version: Description::VERSION });
            let is_to_report = standing == Standing::Contact
                || (self.rang_incompatible.len() < MAX_STRANGERS_REPORTED && self.rang_incompatible.insert(from));
            if is_to_report {
                cx.report(CallReport::RangIncompatible { from, name, skew, at: cx.now });
            }
        }
        state
    }

    /// `from`'s description is of another version.
    pub(super) fn described_in_other_version(
        &mut self,
        state: CallState,
        cx: &mut Context<'_>,
        (named, from): (super::ConversationId, PeerId),
        version: u16,
    ) -> CallState {
        if let CallState::Conversation(current) = &state
            && current.id == named
            && current.is_connecting_to(from)
        {
            cx.send(from, Message::Incompatible { conversation: named, version: Description::VERSION });
        }
        self.not_understood(state, cx, (named, from), version)
    }

    /// `from`, whose descriptions are of this `version`, does not understand this side's.
    pub(super) fn not_understood(
        &mut self,
        state: CallState,
        cx: &mut Context<'_>,
        (named, from): (super::ConversationId, PeerId),
        version: u16,
    ) -> CallState {
        match state {
            CallState::Outgoing(outgoing) if outgoing.conversation == named && outgoing.to == from => {
                let Departure { error, end, .. } = Departure::for_version(version);
                let report = CallReport::InviteFailed { invite: outgoing.invite, to: from, error };
                self.end_outgoing(cx, &outgoing, report, end)
            }
            CallState::Conversation(current) if current.id == named && current.is_connecting_to(from) => {
                self.participant_gone(cx, current, from, Departure::for_version(version))
            }
            state
            @ (CallState::Idle | CallState::Outgoing(_) | CallState::Incoming(_) | CallState::Conversation(_)) => state,
        }
    }
}

impl Conversation {
    /// `peer` takes part and has not been connected yet.
    pub(super) fn is_connecting_to(&self, peer: PeerId) -> bool {
        self.participants.get(&peer).is_some_and(|participant| !participant.was_connected())
    }
}
