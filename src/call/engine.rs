//! Arms of the state chart for events of peer connections and routes. Nothing here can make a consent.

use crate::identity::PeerId;

use super::context::Context;
use super::state::{CallMachine, CallState};
use super::{
    CallEnd, CallError, CallReport, Candidate, ConversationId, Description, EngineEvent, Message, OutgoingInvite,
};

impl CallMachine {
    /// A peer connection did something; only that of a participant in the present conversation moves it.
    pub(super) fn engine(
        &mut self,
        state: CallState,
        cx: &mut Context<'_>,
        conversation: ConversationId,
        peer: PeerId,
        event: EngineEvent,
    ) -> CallState {
        if event == EngineEvent::Closed {
            self.peer_closed(cx, conversation, peer);
        }
        let mut current = match state {
            CallState::Conversation(current) if current.id == conversation => current,
            other
            @ (CallState::Idle | CallState::Outgoing(_) | CallState::Incoming(_) | CallState::Conversation(_)) => {
                return other;
            }
        };
        let Some(participant) = current.participants.get_mut(&peer) else {
            return CallState::Conversation(current);
        };
        match event {
            // Of a generation that is over: late.
            EngineEvent::Described(Description { generation, .. })
            | EngineEvent::Gathered(Candidate { generation, .. })
                if generation < participant.generation() => {}
            EngineEvent::Described(description) => {
                cx.send(peer, Message::Describe { conversation, description: description.into() });
            }
            EngineEvent::Gathered(candidate) => cx.send(peer, Message::Trickle { conversation, candidate }),
            EngineEvent::Connected => current.on_connected(cx, peer),
            EngineEvent::Interrupted => current.link_is_interrupted(cx, peer),
            EngineEvent::Closed => participant.close_soon(cx.now),
            EngineEvent::Failed => return self.connection_is_gone(cx, current, peer),
        }
        CallState::Conversation(current)
    }

    /// No route took a message.
    pub(super) fn undelivered(
        &mut self,
        state: CallState,
        cx: &mut Context<'_>,
        to: PeerId,
        message: Message,
    ) -> CallState {
        match (state, message) {
            (CallState::Outgoing(outgoing), Message::Invite { invite, .. })
                if outgoing.invite == invite && outgoing.to == to =>
            {
                self.invite_undelivered(cx, outgoing)
            }
            (CallState::Conversation(current), Message::Accept { invite, .. })
                if current.invite == invite && current.is_connecting_to(to) =>
            {
                self.connection_is_gone(cx, current, to)
            }
            (CallState::Conversation(current), Message::Describe { conversation, .. })
                if current.id == conversation && current.is_connecting_to(to) =>
            {
                self.connection_is_gone(cx, current, to)
            }
            (CallState::Conversation(mut current), Message::Media { conversation, .. })
                if current.id == conversation =>
            {
                current.resend_later(cx, to);
                CallState::Conversation(current)
            }
            // What else does not arrive is made good by a deadline of the far side's.
            (
                state,
                Message::Invite { .. }
                | Message::Ringing { .. }
                | Message::Accept { .. }
                | Message::Reject { .. }
                | Message::Cancel { .. }
                | Message::Busy { .. }
                | Message::Describe { .. }
                | Message::Trickle { .. }
                | Message::Restart { .. }
                | Message::Ended { .. }
                | Message::Media { .. }
                | Message::Wish { .. }
                | Message::Incompatible { .. }
                | Message::AnsweredElsewhere { .. }
                | Message::Missed { .. }
                | Message::PictureWanted { .. }
                | Message::Picture { .. }
                | Message::Leave { .. },
            ) => state,
        }
    }

    /// Somebody is not there any more. Only who has not been connected is given up: media may flow on without
    /// signaling.
    pub(super) fn gone(&mut self, state: CallState, cx: &mut Context<'_>, peer: PeerId) -> CallState {
        match state {
            CallState::Outgoing(outgoing) if outgoing.to == peer => {
                let (invite, to, error) = (outgoing.invite, outgoing.to, CallError::InviteFailed);
                let report = CallReport::InviteFailed { invite, to, error };
                self.withdraw(cx, &outgoing, report, CallEnd::Unreachable)
            }
            CallState::Incoming(incoming) if incoming.from == peer => {
                let report = CallReport::InviteCanceled { invite: incoming.invite };
                self.end_incoming(cx, incoming, report, CallEnd::Missed)
            }
            CallState::Conversation(current) if current.is_connecting_to(peer) => {
                self.connection_is_gone(cx, current, peer)
            }
            state
            @ (CallState::Idle | CallState::Outgoing(_) | CallState::Incoming(_) | CallState::Conversation(_)) => state,
        }
    }

    /// The callee was not reached. If their own invite came meanwhile, it is answered: both pressed Invite.
    fn invite_undelivered(&mut self, cx: &mut Context<'_>, mut outgoing: OutgoingInvite) -> CallState {
        match outgoing.crossed.take() {
            Some(crossed) => self.give_way(cx, outgoing, crossed),
            None => {
                let (invite, to, error) = (outgoing.invite, outgoing.to, CallError::InviteFailed);
                let report = CallReport::InviteFailed { invite, to, error };
                self.end_outgoing(cx, &outgoing, report, CallEnd::Unreachable)
            }
        }
    }
}
