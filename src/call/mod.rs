//! The call: invites, conversations, participants, and the pure state chart that moves them.
//!
//! No clock, no I/O, no thread, no randomness: [`CallMachine::step`] takes the time and one [`Input`] and returns
//! [`Effect`]s; the controller's thread owns the machine and carries them out.

mod call_waiting;
mod candidate;
mod closing;
mod context;
mod conversation;
mod description;
mod early_candidates;
mod effect;
mod engine;
mod error;
mod far_end;
mod ice;
mod ids;
mod input;
mod invite;
mod joining;
mod leaving;
mod message;
mod participant;
mod peer;
mod press;
mod rang_meanwhile;
mod relay_use;
mod releasing;
mod report;
mod restart;
mod restarts;
#[cfg(test)]
mod several_tests;
mod state;
mod version_range;
mod versions;
mod waiting;

pub use crate::device::Consent;
pub use candidate::{Candidate, CandidateKind};
pub use conversation::Conversation;
pub use description::{
    AnyDescription, BadDescription, DescribedStream, Description, DescriptionKind, DtlsSetup, FecScheme, StreamSsrcs,
};
pub use effect::{Effect, Role};
pub use error::{CallError, DisconnectReason};
pub use ice::{BadText, Fingerprint, Foundation, HelloCookie, IcePwd, IceUfrag};
pub use ids::{ConversationId, InviteId};
pub use input::{EngineEvent, Input, Press, Standing};
pub use invite::{INCOMING_TIMEOUT, IncomingInvite, OUTGOING_TIMEOUT, OutgoingInvite};
pub use message::{MAX_USER_DATA, Message};
pub use participant::{Participant, ParticipantState};
pub use relay_use::{NoRelayUse, RelayUse};
pub use report::{CallEnd, CallRecord, CallReport, ParticipantStream, RecordedParticipant};
pub use state::{CallMachine, CallState};
pub use version_range::{VersionSkew, Versions};
