//! How things end: an invite's outcomes, and the release of what a conversation held. A conversation is reported as
//! disconnected only when its sockets and devices are closed; a new call may begin meanwhile.

use crate::identity::PeerId;

use super::releasing::Releasing;
use super::state::{CallMachine, CallState};
use super::turn::Turn;
use super::versions::Departure;
use super::{
    CallEnd, CallRecord, CallReport, Conversation, ConversationId, DisconnectReason, Effect, IncomingInvite, Message,
    OutgoingInvite, Participant, RecordedParticipant,
};

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
            participants: vec![RecordedParticipant { peer: outgoing.to, name: String::new() }],
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
            participants: vec![RecordedParticipant { peer: from, name }],
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
        self.end_conversation(turn, conversation, DisconnectReason::Left.into())
    }

    /// Closes everything that the conversation holds; `ConversationDisconnected` follows when all of it is closed.
    pub(super) fn end_conversation(
        &mut self,
        turn: &mut Turn<'_>,
        conversation: Conversation,
        Departure { reason, end, .. }: Departure,
    ) -> CallState {
        let Conversation { id, outgoing, began, connected_at, participants, mut departed, .. } = conversation;
        for &peer in participants.keys() {
            self.ended_conversations.add(id, peer);
            turn.effect(Effect::ClosePeer { conversation: id, peer });
        }
        turn.effect(Effect::ReleaseMedia { conversation: id });
        let present = participants.iter().map(|(&peer, participant)| participant.recorded(peer));
        departed.extend(present);
        let ended_at = turn.now;
        let record = CallRecord { participants: departed, outgoing, began, connected_at, ended_at, end };
        turn.report(CallReport::CallEnded(record));
        // One conversation at a time is waited for: an earlier one that still is not released counts as done now.
        self.report_closed(turn);
        self.closing = Some(Releasing::new(id, reason, participants.into_keys(), turn.now));
        CallState::Idle
    }

    /// A participant is gone for `reason`; with the last one the conversation ends.
    pub(super) fn participant_gone(
        &mut self,
        turn: &mut Turn<'_>,
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
            turn.report(CallReport::ParticipantDisconnected { conversation: id, participant: peer, reason });
        } else if reason == DisconnectReason::Failed {
            let error = departure.error.clone();
            turn.report(CallReport::ParticipantFailed { conversation: id, participant: peer, error });
        }
        if conversation.participants.len() > 1 {
            conversation.depart(peer);
            self.ended_conversations.add(id, peer);
            turn.effect(Effect::ClosePeer { conversation: id, peer });
            return CallState::Conversation(conversation);
        }
        self.end_conversation(turn, conversation, departure)
    }

    /// The connection to a participant is gone: failed if it never was there, lost otherwise.
    pub(super) fn link_is_gone(&mut self, turn: &mut Turn<'_>, conversation: Conversation, peer: PeerId) -> CallState {
        let reason = match conversation.participants.get(&peer).map(Participant::was_connected) {
            Some(true) => DisconnectReason::Lost,
            Some(false) => DisconnectReason::Failed,
            None => return CallState::Conversation(conversation),
        };
        self.participant_gone(turn, conversation, peer, reason)
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
        if let Some(Releasing { conversation, reason, .. }) = self.closing.take() {
            turn.report(CallReport::ConversationDisconnected { conversation, reason });
        }
    }
}
