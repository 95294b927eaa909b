//! Ends: the outcomes of an invite, and the release of a conversation's resources. A conversation is reported as
//! disconnected only when its sockets and devices are closed; a new call may begin meanwhile.

use crate::identity::PeerId;
use crate::media::MediaTime;

use super::context::Context;
use super::releasing::Releasing;
use super::state::{CallMachine, CallState};
use super::versions::Departure;
use super::{
    CallEnd, CallRecord, CallReport, Conversation, ConversationId, DisconnectReason, Effect, IncomingInvite, Message,
    OutgoingInvite, Participant, RecordedParticipant,
};

impl CallMachine {
    /// Ends an invite of this side's without a conversation.
    pub(super) fn end_outgoing(
        &mut self,
        cx: &mut Context<'_>,
        outgoing: &OutgoingInvite,
        report: CallReport,
        end: CallEnd,
    ) -> CallState {
        self.ended_invites.add_outgoing(outgoing);
        if outgoing.ringing {
            cx.effect(Effect::StopRinging);
        }
        cx.effect(Effect::ReleaseMedia { conversation: outgoing.conversation });
        cx.report(report);
        let to = RecordedParticipant { peer: outgoing.to, name: String::new() };
        record_unanswered(cx, (to, String::new()), true, outgoing.began, end);
        CallState::Idle
    }

    /// Takes back an invite of this side's: by a press, or because nobody answered.
    pub(super) fn withdraw(
        &mut self,
        cx: &mut Context<'_>,
        outgoing: &OutgoingInvite,
        report: CallReport,
        end: CallEnd,
    ) -> CallState {
        cx.send(outgoing.to, Message::Cancel { invite: outgoing.invite });
        if let Some(crossed) = &outgoing.crossed {
            self.ended_invites.add_incoming(crossed.invite, crossed.from);
            cx.send(crossed.from, Message::Reject { invite: crossed.invite });
        }
        self.end_outgoing(cx, outgoing, report, end)
    }

    /// Stops ringing without an answer.
    pub(super) fn end_incoming(
        &mut self,
        cx: &mut Context<'_>,
        incoming: IncomingInvite,
        report: CallReport,
        end: CallEnd,
    ) -> CallState {
        let IncomingInvite { invite, from, name, user_data, began, .. } = incoming;
        self.ended_invites.add_incoming(invite, from);
        cx.effect(Effect::StopRinging);
        cx.report(report);
        record_unanswered(cx, (RecordedParticipant { peer: from, name }, user_data), false, began, end);
        CallState::Idle
    }

    /// This side hangs up: at once, whatever the far side does.
    pub(super) fn hang_up(&mut self, cx: &mut Context<'_>, conversation: Conversation) -> CallState {
        let id = conversation.id;
        for (&peer, participant) in &conversation.participants {
            cx.send(peer, Message::Leave { conversation: id });
            if participant.was_connected() {
                let reason = DisconnectReason::Left;
                cx.report(CallReport::ParticipantDisconnected { conversation: id, participant: peer, reason });
            }
        }
        self.end_conversation(cx, conversation, DisconnectReason::Left.into())
    }

    /// Closes everything that the conversation holds; `ConversationDisconnected` follows when all of it is closed.
    pub(super) fn end_conversation(
        &mut self,
        cx: &mut Context<'_>,
        conversation: Conversation,
        Departure { reason, end, .. }: Departure,
    ) -> CallState {
        let Conversation { id, outgoing, began, connected_at, participants, mut departed, .. } = conversation;
        for &peer in participants.keys() {
            self.ended_conversations.add(id, peer);
            cx.effect(Effect::ClosePeer { conversation: id, peer });
        }
        cx.effect(Effect::ReleaseMedia { conversation: id });
        let present = participants.iter().map(|(&peer, participant)| participant.recorded(peer));
        departed.extend(present);
        let ended_at = cx.now;
        let note = String::new();
        let record = CallRecord { participants: departed, outgoing, began, connected_at, ended_at, end, note };
        cx.report(CallReport::CallEnded(record));
        // One conversation at a time is waited for: an earlier one that still is not released counts as done now.
        self.report_closed(cx);
        self.closing = Some(Releasing::new(id, reason, participants.into_keys(), cx.now));
        CallState::Idle
    }

    /// A participant is gone for `reason`; with the last one the conversation ends.
    pub(super) fn participant_gone(
        &mut self,
        cx: &mut Context<'_>,
        mut conversation: Conversation,
        peer: PeerId,
        departure: impl Into<Departure>,
    ) -> CallState {
        let (id, departure) = (conversation.id, departure.into());
        let reason = departure.reason;
        let Some(participant) = conversation.participants.get(&peer) else {
            return CallState::Conversation(conversation);
        };
        if participant.was_connected() {
            cx.report(CallReport::ParticipantDisconnected { conversation: id, participant: peer, reason });
        } else if reason == DisconnectReason::Failed {
            let error = departure.error.clone();
            cx.report(CallReport::ParticipantFailed { conversation: id, participant: peer, error });
        }
        if conversation.participants.len() > 1 {
            conversation.depart(peer);
            self.ended_conversations.add(id, peer);
            cx.effect(Effect::ClosePeer { conversation: id, peer });
            return CallState::Conversation(conversation);
        }
        self.end_conversation(cx, conversation, departure)
    }

    /// The connection to a participant is gone: failed if it never was there, lost otherwise.
    pub(super) fn connection_is_gone(
        &mut self,
        cx: &mut Context<'_>,
        conversation: Conversation,
        peer: PeerId,
    ) -> CallState {
        let reason = match conversation.participants.get(&peer).map(Participant::was_connected) {
            Some(true) => DisconnectReason::Lost,
            Some(false) => DisconnectReason::Failed,
            None => return CallState::Conversation(conversation),
        };
        self.participant_gone(cx, conversation, peer, reason)
    }

    pub(super) fn media_released(&mut self, cx: &mut Context<'_>, conversation: ConversationId) {
        if let Some(closing) = self.closing.as_mut().filter(|closing| closing.conversation == conversation) {
            closing.media_open = false;
            self.report_when_released(cx);
        }
    }

    pub(super) fn peer_closed(&mut self, cx: &mut Context<'_>, conversation: ConversationId, peer: PeerId) {
        if let Some(closing) = self.closing.as_mut().filter(|closing| closing.conversation == conversation) {
            closing.peers_open.remove(&peer);
            self.report_when_released(cx);
        }
    }

    fn report_when_released(&mut self, cx: &mut Context<'_>) {
        if self.closing.as_ref().is_some_and(|closing| !closing.media_open && closing.peers_open.is_empty()) {
            self.report_closed(cx);
        }
    }

    /// Reports the conversation that is being released as disconnected, if there is one.
    pub(super) fn report_closed(&mut self, cx: &mut Context<'_>) {
        if let Some(Releasing { conversation, reason, .. }) = self.closing.take() {
            cx.report(CallReport::ConversationDisconnected { conversation, reason });
        }
    }
}

/// Reports the record of an invite that no conversation followed.
fn record_unanswered(
    cx: &mut Context<'_>,
    (participant, note): (RecordedParticipant, String),
    outgoing: bool,
    began: MediaTime,
    end: CallEnd,
) {
    let (participants, ended_at) = (vec![participant], cx.now);
    let record = CallRecord { participants, outgoing, began, connected_at: None, ended_at, end, note };
    cx.report(CallReport::CallEnded(record));
}
