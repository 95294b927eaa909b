//! Detection of a far program that has ended, as opposed to a far network that has failed: its computer closed the
//! signaling connection (a computer that is cut off cannot), and no media comes any more. A far side that is merely
//! silent may be back within 30 s.
//!
//! While media comes, a closed signaling connection says nothing: it may be renewed.

use std::time::Duration;

use crate::identity::PeerId;
use crate::media::MediaTime;

use super::context::Context;
use super::state::{CallMachine, CallState};
use super::{IncomingInvite, Participant, ParticipantState};

/// From the close to the end of the call, as long as nothing comes. With the time in which the close comes it is 5 s at
/// most.
const CLOSED_PATIENCE: Duration = Duration::from_secs(4);

/// Media that stops later than this after the close had another reason. The engine notices silence after 1.2 s, and
/// some media may have been on its way.
const STOPS_WITHIN: Duration = Duration::from_millis(2500);

impl Participant {
    /// When they count as failed or lost, if nothing comes.
    pub(super) fn gone_at(&self) -> Option<MediaTime> {
        match (self.state, self.closed_at) {
            (ParticipantState::Connected, _) => None,
            (ParticipantState::Interrupted { until }, Some(closed)) => Some(until.min(closed + CLOSED_PATIENCE)),
            (ParticipantState::Connecting { until } | ParticipantState::Interrupted { until }, _) => Some(until),
        }
    }

    /// Their media has stopped: a close of long ago has nothing to do with it.
    pub(super) fn forget_old_close(&mut self, now: MediaTime) {
        self.closed_at.take_if(|closed| now.since(*closed) > STOPS_WITHIN);
    }

    /// Whether an invite of theirs can only come from a new run of their program: nothing comes from the one before.
    fn has_begun_anew(&self, now: MediaTime) -> bool {
        match self.state {
            ParticipantState::Interrupted { .. } => true,
            ParticipantState::Connected => self.closed_at.is_some_and(|closed| now.since(closed) <= STOPS_WITHIN),
            ParticipantState::Connecting { .. } => false,
        }
    }
}

impl CallMachine {
    /// The computer of `peer` has closed the signaling connection, or is connected again as if it never had.
    pub(super) fn far_closed(state: CallState, cx: &Context<'_>, peer: PeerId, closed: bool) -> CallState {
        match state {
            CallState::Conversation(mut current) => {
                if let Some(participant) = current.participants.get_mut(&peer) {
                    participant.closed_at = closed.then_some(cx.now);
                }
                CallState::Conversation(current)
            }
            state @ (CallState::Idle | CallState::Outgoing(_) | CallState::Incoming(_)) => state,
        }
    }

    /// Ends a conversation whose far side has begun anew and rings: the one that it was in is lost.
    pub(super) fn end_for_new_invite(
        &mut self,
        state: CallState,
        cx: &mut Context<'_>,
        incoming: &IncomingInvite,
    ) -> CallState {
        match state {
            CallState::Conversation(current)
                if current
                    .participants
                    .get(&incoming.from)
                    .is_some_and(|participant| participant.has_begun_anew(cx.now)) =>
            {
                self.connection_is_gone(cx, current, incoming.from)
            }
            state
            @ (CallState::Idle | CallState::Outgoing(_) | CallState::Incoming(_) | CallState::Conversation(_)) => state,
        }
    }
}
