//! Beginnings of conversations: by an answer, this side's or the far side's.

use std::collections::BTreeMap;

use crate::media::{MediaSet, MediaTime};

use super::context::Context;
use super::state::{CallMachine, CallState};
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
        cx: &mut Context<'_>,
        incoming: IncomingInvite,
        sends: MediaSet,
        consent: Consent,
        own: Option<OwnInvite>,
    ) -> CallState {
        let IncomingInvite { invite, conversation, from, name, streams: theirs, began, .. } = incoming;
        self.ended_invites.add_incoming(invite, from);
        let announced = self.captured(sends);
        cx.send(from, Message::Accept { invite, name: self.name.clone(), streams: announced });
        let outgoing = own.is_some();
        let OwnInvite { invite: pressed_invite, began } = own.unwrap_or(OwnInvite { invite, began });
        cx.report(CallReport::InviteAccepted { invite: pressed_invite, conversation });
        cx.report(CallReport::ConversationConnecting { conversation });
        cx.effect(Effect::ConnectPeer { consent, conversation, peer: from, role: Role::Offerer });
        let participant = Participant::new(name, theirs, Role::Offerer, cx.now);
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
        cx: &mut Context<'_>,
        outgoing: OutgoingInvite,
        name: String,
        theirs: MediaSet,
    ) -> CallState {
        let OutgoingInvite { invite, conversation, to, sends, announced, ringing, began, consent, crossed } = outgoing;
        if let Some(crossed) = crossed {
            self.ended_invites.add_incoming(crossed.invite, crossed.from);
        }
        if ringing {
            cx.effect(Effect::StopRinging);
        }
        cx.report(CallReport::InviteAccepted { invite, conversation });
        cx.report(CallReport::ConversationConnecting { conversation });
        cx.effect(Effect::ConnectPeer { consent, conversation, peer: to, role: Role::Answerer });
        let participant = Participant::new(name, theirs, Role::Answerer, cx.now);
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
        conversation.announce(cx, self.captured(sends));
        CallState::Conversation(conversation)
    }
}
