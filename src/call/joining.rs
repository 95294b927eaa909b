//! How conversations begin: by an answer, this side's or the far side's.

use std::collections::BTreeMap;

use crate::media::{MediaSet, MediaTime};

use super::state::{CallMachine, CallState};
use super::turn::Turn;
use super::{
    CallReport, Consent, Conversation, Effect, IncomingInvite, InviteId, Message, OutgoingInvite, Participant, Role,
};

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
        sends: MediaSet,
        consent: Consent,
        own: Option<OwnInvite>,
    ) -> CallState {
        let IncomingInvite { invite, conversation, from, name, streams: theirs, began, .. } = incoming;
        self.ended_invites.add_incoming(invite, from);
        let announced = self.captured(sends);
        turn.send(from, Message::Accept { invite, name: self.name.clone(), streams: announced });
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
            departed: Vec::new(),
        })
    }

    /// The callee accepted: the consent of the Invite press is handed over to the peer connection.
    pub(super) fn accepted(
        &mut self,
        turn: &mut Turn<'_>,
        outgoing: OutgoingInvite,
        name: String,
        theirs: MediaSet,
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
            departed: Vec::new(),
        };
        conversation.announce(turn, self.captured(sends));
        CallState::Conversation(conversation)
    }
}
