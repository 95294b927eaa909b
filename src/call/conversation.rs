//! A conversation: connecting until the first participant is connected, connected until the last is gone.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::identity::PeerId;
use crate::media::MediaTime;

use super::participant::{Participant, Sends};
use super::state::{CallMachine, CallState, Turn};
use super::{
    CallReport, Consent, ConversationId, DisconnectReason, Effect, IncomingInvite, InviteId, Link, Message,
    OutgoingInvite, Role,
};

/// From the news that a word about this side's streams did not arrive to the next try.
const TELL_AGAIN: Duration = Duration::from_secs(2);

/// A conversation and its participants.
#[derive(Debug)]
pub struct Conversation {
    pub(super) id: ConversationId,
    /// The invite that led to it, and the name under which this side's person knows it.
    pub(super) invite: InviteId,
    pub(super) pressed_invite: InviteId,
    pub(super) outgoing: bool,
    pub(super) began: MediaTime,
    pub(super) connected_at: Option<MediaTime>,
    /// What this side means to send, and what the others were told.
    pub(super) sends: Sends,
    pub(super) announced: Sends,
    pub(super) participants: BTreeMap<PeerId, Participant>,
}

impl Conversation {
    /// Its name.
    pub const fn id(&self) -> ConversationId {
        self.id
    }

    /// When the first participant was connected; before that, the conversation is connecting.
    pub const fn connected_at(&self) -> Option<MediaTime> {
        self.connected_at
    }

    /// This side means to send sound.
    pub const fn audio(&self) -> bool {
        self.sends.audio
    }

    /// This side means to send video.
    pub const fn video(&self) -> bool {
        self.sends.video
    }

    /// The others.
    pub fn participants(&self) -> impl Iterator<Item = (PeerId, &Participant)> {
        self.participants.iter().map(|(&peer, participant)| (peer, participant))
    }

    /// Lines of this side's picture that are of use to somebody: the most that anybody wishes for; `None` (all of them)
    /// while somebody has not said.
    pub fn video_wish(&self) -> Option<u32> {
        let wishes: Option<Vec<u32>> = self.participants.values().map(|participant| participant.wish).collect();
        wishes?.into_iter().max()
    }

    pub(super) fn deadline(&self) -> Option<MediaTime> {
        self.participants.values().filter_map(Participant::deadline).min()
    }

    /// Tells the others what this side sends: what it means to, as far as that is captured.
    pub(super) fn announce(&mut self, turn: &mut Turn<'_>, captures: Sends) {
        let sends = self.sends.and(captures);
        if std::mem::replace(&mut self.announced, sends) == sends {
            return;
        }
        let peers: Vec<PeerId> = self.participants.keys().copied().collect();
        peers.into_iter().for_each(|peer| self.tell(turn, peer));
    }

    /// Tells `peer` what was announced last.
    fn tell(&mut self, turn: &mut Turn<'_>, peer: PeerId) {
        if let Some(participant) = self.participants.get_mut(&peer) {
            participant.retell_at = None;
            let Sends { audio, video } = self.announced;
            turn.send(peer, Message::Media { conversation: self.id, audio, video });
        }
    }

    /// What `peer` was told of this side's streams did not arrive: it is told again a little later.
    pub(super) fn untold(&mut self, turn: &Turn<'_>, peer: PeerId) {
        if let Some(participant) = self.participants.get_mut(&peer) {
            participant.retell_at = Some(turn.now + TELL_AGAIN);
        }
    }

    /// Tells again whoever it is time for; while nothing comes from them, that waits for the link.
    pub(super) fn tell_again(&mut self, turn: &mut Turn<'_>) {
        let due = |participant: &Participant| {
            participant.link == Link::Connected && participant.retell_at.is_some_and(|at| at <= turn.now)
        };
        let peers: Vec<PeerId> =
            self.participants.iter().filter(|(_, participant)| due(participant)).map(|(&peer, _)| peer).collect();
        peers.into_iter().for_each(|peer| self.tell(turn, peer));
    }

    /// Media flows to and from `peer`, for the first time or again.
    pub(super) fn link_is_up(&mut self, turn: &mut Turn<'_>, peer: PeerId) {
        let Some(participant) = self.participants.get_mut(&peer) else { return };
        let first = match participant.link {
            Link::Connecting { .. } => true,
            Link::Connected | Link::Interrupted { .. } => false,
        };
        let conversation = self.id;
        if participant.is_up(turn.now) {
            turn.report(CallReport::Reconnected { conversation, participant: peer });
            // What was announced meanwhile, or just before, may have been lost.
            self.tell(turn, peer);
        }
        let Some(participant) = self.participants.get(&peer).filter(|_| first) else { return };
        if self.connected_at.is_none() {
            self.connected_at = Some(turn.now);
            turn.report(CallReport::ConversationConnected { conversation });
        }
        let Sends { audio, video } = participant.sends;
        let name = participant.name.clone();
        turn.report(CallReport::ParticipantConnected { conversation, participant: peer, name });
        turn.report(CallReport::StreamAdded { conversation, participant: peer, audio, video });
    }
}

/// The invite of this side's that gave way to the far side's.
pub(super) struct OwnInvite {
    pub(super) invite: InviteId,
    pub(super) began: MediaTime,
}

impl CallMachine {
    /// Answers `incoming` with a consent that a press made: the callee's way into a conversation, and the way of the
    /// one whose own invite gives way when both invited each other.
    pub(super) fn answer(
        &mut self,
        turn: &mut Turn<'_>,
        incoming: IncomingInvite,
        sends: Sends,
        consent: Consent,
        own: Option<OwnInvite>,
    ) -> CallState {
        let IncomingInvite { invite, conversation, from, name, sends: theirs, began, .. } = incoming;
        self.ended_invites.add_incoming(invite, from);
        let announced = sends.and(self.captures);
        let Sends { audio, video } = announced;
        turn.send(from, Message::Accept { invite, name: self.name.clone(), audio, video });
        let outgoing = own.is_some();
        let OwnInvite { invite: pressed_invite, began } = own.unwrap_or(OwnInvite { invite, began });
        turn.report(CallReport::InviteAccepted { invite: pressed_invite, conversation });
        turn.report(CallReport::ConversationConnecting { conversation });
        turn.effect(Effect::ConnectPeer { consent, conversation, peer: from, role: Role::Offerer });
        let participant = Participant::new(name, theirs, Role::Offerer, turn.now);
        CallState::Conversation(Conversation {
            id: conversation,
            invite,
            pressed_invite,
            outgoing,
            began,
            connected_at: None,
            sends,
            announced,
            participants: BTreeMap::from([(from, participant)]),
        })
    }

    /// The callee accepted: the consent of the Invite press is handed over to the peer connection.
    pub(super) fn accepted(
        &mut self,
        turn: &mut Turn<'_>,
        outgoing: OutgoingInvite,
        name: String,
        theirs: Sends,
    ) -> CallState {
        let OutgoingInvite { invite, conversation, to, sends, announced, ringing, began, consent, crossed } = outgoing;
        if let Some(crossed) = crossed {
            self.ended_invites.add_incoming(crossed.invite, crossed.from);
        }
        if ringing {
            turn.effect(Effect::StopRinging);
        }
        turn.report(CallReport::InviteAccepted { invite, conversation });
        turn.report(CallReport::ConversationConnecting { conversation });
        turn.effect(Effect::ConnectPeer { consent, conversation, peer: to, role: Role::Answerer });
        let participant = Participant::new(name, theirs, Role::Answerer, turn.now);
        let mut conversation = Conversation {
            id: conversation,
            invite,
            pressed_invite: invite,
            outgoing: true,
            began,
            connected_at: None,
            sends,
            announced,
            participants: BTreeMap::from([(to, participant)]),
        };
        conversation.announce(turn, self.captures);
        CallState::Conversation(conversation)
    }

    /// A participant is gone for `reason`; with the last one the conversation ends.
    pub(super) fn participant_gone(
        &mut self,
        turn: &mut Turn<'_>,
        mut conversation: Conversation,
        peer: PeerId,
        reason: DisconnectReason,
    ) -> CallState {
        let id = conversation.id;
        let Some(participant) = conversation.participants.get(&peer) else {
            return CallState::Conversation(conversation);
        };
        if participant.was_connected() {
            turn.report(CallReport::ParticipantDisconnected { conversation: id, participant: peer, reason });
        } else if reason == DisconnectReason::Failed {
            let error = super::CallError::ParticipantFailed;
            turn.report(CallReport::ParticipantFailed { conversation: id, participant: peer, error });
        }
        if conversation.participants.len() > 1 {
            conversation.participants.remove(&peer);
            self.ended_conversations.add(id, peer);
            turn.effect(Effect::ClosePeer { conversation: id, peer });
            return CallState::Conversation(conversation);
        }
        self.end_conversation(turn, conversation, reason)
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
}
