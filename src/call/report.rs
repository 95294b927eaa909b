//! Reports of the state chart, in the words of the automation contract, and the record of a call for the history.

use serde::{Deserialize, Serialize};

use crate::identity::PeerId;
use crate::media::{MediaSet, MediaTime, StreamState};

use super::{CallError, ConversationId, DisconnectReason, InviteId, VersionSkew};

/// How a call ended; each has its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallEnd {
    /// The callee declined.
    Declined,
    /// The callee was in another call, or did not want to be disturbed.
    Busy,
    /// Nobody answered in time (caller's side).
    NoAnswer,
    /// This side took the invite back.
    Canceled,
    /// The caller gave up before this side answered.
    Missed,
    /// This side declined.
    DeclinedHere,
    /// The invite could not be delivered.
    Unreachable,
    /// Ended: hung up, failed or lost.
    Ended(DisconnectReason),
    /// Not connected: the far side's program is newer, and this one does not understand it.
    NeedsNewerHere,
    /// Not connected: the far side's program is older, and does not understand this one.
    NeedsNewerThere,
}

/// One of the others in a call that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedParticipant {
    /// The person.
    pub peer: PeerId,
    /// The name that they chose; empty when they never said it.
    pub name: String,
}

/// A call that is over, for the history and for the words about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRecord {
    /// Everybody else who took part or was to, in the order of their coming; at least one.
    pub participants: Vec<RecordedParticipant>,
    /// True when this side called.
    pub outgoing: bool,
    /// When it was invited or began to ring.
    pub began: MediaTime,
    /// When media began to flow, if it did.
    pub connected_at: Option<MediaTime>,
    /// When it ended.
    pub ended_at: MediaTime,
    /// How.
    pub end: CallEnd,
    /// The caller's note, of a call that was not answered here; else empty.
    pub note: String,
}

impl CallRecord {
    /// Whole seconds in which they were connected.
    pub fn connected_seconds(&self) -> u32 {
        let connected = self.connected_at.map_or(std::time::Duration::ZERO, |at| self.ended_at.since(at));
        u32::try_from(connected.as_secs()).unwrap_or(u32::MAX)
    }
}

/// A stream of a participant, one of `streams`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParticipantStream {
    /// In which conversation.
    pub conversation: ConversationId,
    /// The owner of the stream.
    pub participant: PeerId,
    /// The stream, as it is now.
    pub stream: StreamState,
    /// All of the participant's streams.
    pub streams: MediaSet,
}

/// One report. All but the last six have an event of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of the controller's events")]
pub enum CallReport {
    /// The invite is on its way.
    InviteSent { invite: InviteId, to: PeerId, conversation: ConversationId },
    /// Somebody invites this side.
    Invite {
        invite: InviteId,
        from: PeerId,
        name: String,
        user_data: String,
        conversation: ConversationId,
        contact: bool,
        /// It waits beside the present call.
        waiting: bool,
    },
    /// The callee accepted (caller), or this side did (callee). The conversation can differ from the one that was
    /// reported as sent: when both invited each other, one of the two invites stands for both.
    InviteAccepted { invite: InviteId, conversation: ConversationId },
    /// Declined.
    InviteRejected { invite: InviteId },
    /// Taken back by the caller.
    InviteCanceled { invite: InviteId },
    /// Another device of this side's key has answered or declined.
    InviteAnsweredElsewhere { invite: InviteId },
    /// The callee is in another call, or does not want to be disturbed.
    InviteBusy { invite: InviteId },
    /// Nobody answered in time.
    InviteTimeout { invite: InviteId },
    /// It could not be delivered.
    InviteFailed { invite: InviteId, to: PeerId, error: CallError },
    /// A connection is being made.
    ConversationConnecting { conversation: ConversationId },
    /// The first participant is connected.
    ConversationConnected { conversation: ConversationId },
    /// Media can flow to and from a participant.
    ParticipantConnected { conversation: ConversationId, participant: PeerId, name: String },
    /// A participant's stream is here.
    StreamAdded(ParticipantStream),
    /// A participant's stream went on or off: muted, camera off or on, a screen shared no more, a device lost or back.
    StreamChanged(ParticipantStream),
    /// Nothing comes from a participant any more; the connection is being restored, for 30 s at most.
    Reconnecting { conversation: ConversationId, participant: PeerId },
    /// The connection to a participant is restored.
    Reconnected { conversation: ConversationId, participant: PeerId },
    /// A participant's connection could not be made.
    ParticipantFailed { conversation: ConversationId, participant: PeerId, error: CallError },
    /// A participant who was connected is gone.
    ParticipantDisconnected { conversation: ConversationId, participant: PeerId, reason: DisconnectReason },
    /// The conversation is over and everything that it held is released.
    ConversationDisconnected { conversation: ConversationId, reason: DisconnectReason },
    /// A press could not be carried out. Event `error`, with the command that it came from.
    PressRefused { error: CallError },
    /// The callee's app rings. No event: the outgoing view shows it.
    InviteRinging { invite: InviteId },
    /// Somebody rang in vain and got "busy", with do not disturb or beside too many others: a missed call in the
    /// history.
    RangInVain { from: PeerId, name: String, note: String, contact: bool, at: MediaTime },
    /// A call that waited beside another one is over without an answer: a line in the history.
    WaitingEnded(CallRecord),
    /// Somebody rang whose program has no version of descriptions in common with this one: a quiet note, and a line in
    /// the history.
    RangIncompatible { from: PeerId, name: String, skew: VersionSkew, at: MediaTime },
    /// The call is over: the words about it, and a line in the history. Comes at once, before things are released.
    CallEnded(CallRecord),
}
