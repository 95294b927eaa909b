//! How things end: an invite's outcomes, and the release of what a conversation held. A conversation is reported as
//! disconnected only when its sockets and devices are closed; a new call may begin meanwhile.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::identity::PeerId;
use crate::media::MediaTime;

use super::state::{CallMachine, CallState, Turn};
use super::{
    CallEnd, CallRecord, CallReport, Conversation, ConversationId, DisconnectReason, Effect, IncomingInvite, Message,
    OutgoingInvite,
};

/// How long a release may take before it is reported as done.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(3);

/// A conversation that is over but still releases what it held.
#[derive(Debug)]
pub(super) struct Closing {
    conversation: ConversationId,
    reason: DisconnectReason,
    media_open: bool,
    peers_open: BTreeSet<PeerId>,
    deadline: MediaTime,
}

impl Closing {
    pub(super) const fn deadline(&self) -> MediaTime {
        self.deadline
    }

    pub(super) const fn conversation(&self) -> ConversationId {
        self.conversation
    }
}

/// The conversations that ended lately, so that whoever was in one and tries to restore it hears that it is over.
#[derive(Debug, Default)]
pub(super) struct EndedConversations {
    latest: VecDeque<(ConversationId, PeerId)>,
}

impl EndedConversations {
    const KEPT: usize = 32;

    pub(super) fn add(&mut self, conversation: ConversationId, peer: PeerId) {
        if self.latest.len() >= Self::KEPT {
            self.latest.pop_front();
        }
        self.latest.push_back((conversation, peer));
    }

    /// Whether `peer` was in this conversation.
    pub(super) fn was_in(&self, conversation: ConversationId, peer: PeerId) -> bool {
        self.latest.contains(&(conversation, peer))
    }
}

impl CallMachine {
    /// Ends an invite of this side's without a conversation.
    pub(super) fn end_outgoing(
        &mut self,
        turn: &mut Turn<'_>,
        outgoing: &OutgoingInvite,
        report: CallReport,
        end: CallEnd,
    ) -> CallState {
        self.ended_invites.add_outgoing(outgoing);
        if outgoing.ringing {
            turn.effect(Effect::StopRinging);
        }
        turn.effect(Effect::ReleaseMedia { conversation: outgoing.conversation });
        turn.report(report);
        turn.report(CallReport::CallEnded(CallRecord {
            peer: outgoing.to,
            name: String::new(),
            outgoing: true,
            began: outgoing.began,
            connected_at: None,
            ended_at: turn.now,
            end,
        }));
        CallState::Idle
    }

    /// Takes back an invite of this side's: by a press, or because nobody answered.
    pub(super) fn withdraw(
        &mut self,
        turn: &mut Turn<'_>,
        outgoing: &OutgoingInvite,
        report: CallReport,
        end: CallEnd,
    ) -> CallState {
        turn.send(outgoing.to, Message::Cancel { invite: outgoing.invite });
        if let Some(crossed) = &outgoing.crossed {
            self.ended_invites.add_incoming(crossed.invite, crossed.from);
            turn.send(crossed.from, Message::Reject { invite: crossed.invite });
        }
        self.end_outgoing(turn, outgoing, report, end)
    }

    /// Stops ringing without an answer.
    pub(super) fn end_incoming(
        &mut self,
        turn: &mut Turn<'_>,
        incoming: IncomingInvite,
        report: CallReport,
        end: CallEnd,
    ) -> CallState {
        let IncomingInvite { invite, from, name, began, .. } = incoming;
        self.ended_invites.add_incoming(invite, from);
        turn.effect(Effect::StopRinging);
        turn.report(report);
        turn.report(CallReport::CallEnded(CallRecord {
            peer: from,
            name,
            outgoing: false,
            began,
            connected_at: None,
            ended_at: turn.now,
            end,
        }));
        CallState::Idle
    }

    /// This side hangs up: at once, whatever the far side does.
    pub(super) fn hang_up(&mut self, turn: &mut Turn<'_>, conversation: Conversation) -> CallState {
        let id = conversation.id;
        for (&peer, participant) in &conversation.participants {
            turn.send(peer, Message::Leave { conversation: id });
            if participant.was_connected() {
                let reason = DisconnectReason::Left;
                turn.report(CallReport::ParticipantDisconnected { conversation: id, participant: peer, reason });
            }
        }
        self.end_conversation(turn, conversation, DisconnectReason::Left)
    }

    /// Closes everything that the conversation holds; `ConversationDisconnected` follows when all of it is closed.
    pub(super) fn end_conversation(
        &mut self,
        turn: &mut Turn<'_>,
        conversation: Conversation,
        reason: DisconnectReason,
    ) -> CallState {
        let Conversation { id, outgoing, began, connected_at, participants, .. } = conversation;
        for &peer in participants.keys() {
            self.ended_conversations.add(id, peer);
            turn.effect(Effect::ClosePeer { conversation: id, peer });
        }
        turn.effect(Effect::ReleaseMedia { conversation: id });
        if let Some((&peer, participant)) = participants.first_key_value() {
            turn.report(CallReport::CallEnded(CallRecord {
                peer,
                name: participant.name.clone(),
                outgoing,
                began,
                connected_at,
                ended_at: turn.now,
                end: CallEnd::Ended(reason),
            }));
        }
        // One conversation at a time is waited for: an earlier one that still is not released counts as done now.
        self.report_closed(turn);
        self.closing = Some(Closing {
            conversation: id,
            reason,
            media_open: true,
            peers_open: participants.into_keys().collect(),
            deadline: turn.now + RELEASE_TIMEOUT,
        });
        CallState::Idle
    }

    pub(super) fn media_released(&mut self, turn: &mut Turn<'_>, conversation: ConversationId) {
        if let Some(closing) = self.closing.as_mut().filter(|closing| closing.conversation == conversation) {
            closing.media_open = false;
            self.report_when_released(turn);
        }
    }

    pub(super) fn peer_closed(&mut self, turn: &mut Turn<'_>, conversation: ConversationId, peer: PeerId) {
        if let Some(closing) = self.closing.as_mut().filter(|closing| closing.conversation == conversation) {
            closing.peers_open.remove(&peer);
            self.report_when_released(turn);
        }
    }

    fn report_when_released(&mut self, turn: &mut Turn<'_>) {
        if self.closing.as_ref().is_some_and(|closing| !closing.media_open && closing.peers_open.is_empty()) {
            self.report_closed(turn);
        }
    }

    /// Reports the conversation that is being released as disconnected, if there is one.
    pub(super) fn report_closed(&mut self, turn: &mut Turn<'_>) {
        if let Some(Closing { conversation, reason, .. }) = self.closing.take() {
            turn.report(CallReport::ConversationDisconnected { conversation, reason });
        }
    }
}
