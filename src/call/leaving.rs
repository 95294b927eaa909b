//! Presses that end more than one thing: hang up, block somebody, end the program.

use crate::identity::PeerId;

use super::context::Context;
use super::state::{CallMachine, CallState};
use super::{CallEnd, InviteId};

impl CallMachine {
    /// Hangs up, or takes this side's invite back. Somebody who rings is not declined: they may have waited, and have
    /// come up as it was pressed.
    pub(super) fn leave(&mut self, state: CallState, cx: &mut Context<'_>) -> CallState {
        match state {
            state @ (CallState::Idle | CallState::Incoming(_)) => state,
            CallState::Outgoing(outgoing) => self.take_back(cx, &outgoing),
            CallState::Conversation(conversation) => self.hang_up(cx, conversation),
        }
    }

    /// The program ends: everybody who rings or waits has called in vain. Callers who were ignored hear nothing.
    pub(super) fn leave_for_good(&mut self, state: CallState, cx: &mut Context<'_>) -> CallState {
        if let CallState::Incoming(incoming) = self.leave(state, cx) {
            self.decline(cx, incoming, CallEnd::Missed);
        }
        let asked: Vec<InviteId> = self.waiting.asked().map(|waiting| waiting.invite).collect();
        for invite in asked {
            self.decline_waiting(cx, invite, CallEnd::Missed);
        }
        self.miss_waiting(cx, |_| true);
        CallState::Idle
    }

    /// Ends the call with `peer`, and each of their invites, whether the person is asked about it or not.
    pub(super) fn block(&mut self, state: CallState, cx: &mut Context<'_>, peer: PeerId) -> CallState {
        let asked = self.waiting.asked().find(|waiting| waiting.from == peer).map(|waiting| waiting.invite);
        if let Some(invite) = asked {
            self.decline_waiting(cx, invite, CallEnd::DeclinedHere);
        }
        self.miss_waiting(cx, |waiting| waiting.from == peer);
        match state {
            CallState::Incoming(incoming) if incoming.from == peer => self.decline(cx, incoming, CallEnd::DeclinedHere),
            CallState::Outgoing(outgoing) if outgoing.to == peer => self.take_back(cx, &outgoing),
            CallState::Conversation(conversation) if conversation.participants.contains_key(&peer) => {
                self.hang_up(cx, conversation)
            }
            state
            @ (CallState::Idle | CallState::Outgoing(_) | CallState::Incoming(_) | CallState::Conversation(_)) => state,
        }
    }
}
