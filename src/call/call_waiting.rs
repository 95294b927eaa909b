//! Arms of the state chart for people who ring while this side calls, is rung or talks. The callers hear that it
//! rings; here a card asks, with a soft tone. An answer ends the present call. When that ends by itself, the first who
//! waits rings as anybody does.

use crate::identity::PeerId;

use super::context::Context;
use super::state::{CallMachine, CallState};
use super::{CallEnd, CallRecord, CallReport, Effect, IncomingInvite, InviteId, Message, RecordedParticipant};

impl CallMachine {
    /// Callers who wait while something else goes on, the first one first.
    pub fn waiting(&self) -> impl Iterator<Item = &IncomingInvite> {
        self.waiting.asked()
    }

    /// Lets `incoming` wait beside the present call, or tells the caller that this side is busy: to people of the
    /// present call, and where too many wait.
    pub(super) fn wait_or_busy(&mut self, state: &CallState, cx: &mut Context<'_>, incoming: IncomingInvite) {
        let (invite, from) = (incoming.invite, incoming.from);
        if self.waiting.has(invite, from) {
            return cx.send(from, Message::Ringing { invite });
        }
        self.forget_waiting(cx, from);
        if !incoming.contact && matches!(state, CallState::Incoming(ringing) if !ringing.contact) {
            return self.busy(cx, state, incoming);
        }
        if incoming.contact
            && !self.waiting.has_room_for(true)
            && let Some(stranger) = self.waiting.take_asked(|waiting| !waiting.contact)
        {
            self.give_place(cx, stranger);
        }
        if takes_part(state, from) || !self.waiting.has_room_for(incoming.contact) {
            return self.busy(cx, state, incoming);
        }
        cx.send(from, Message::Ringing { invite });
        cx.report(incoming.report(true));
        self.waiting.push(incoming, false);
    }

    /// Forgets the earlier invite of somebody whose app began anew: the new one takes its place.
    pub(super) fn forget_waiting(&mut self, cx: &mut Context<'_>, from: PeerId) {
        if let Some(earlier) = self.waiting.take(|waiting| waiting.from == from) {
            self.ended_invites.add_incoming(earlier.invite, from);
            cx.report(CallReport::InviteCanceled { invite: earlier.invite });
        }
    }

    /// The caller of a waiting invite has given up.
    pub(super) fn waiting_canceled(&mut self, cx: &mut Context<'_>, from: PeerId, invite: InviteId) {
        self.miss_waiting(cx, |waiting| waiting.invite == invite && waiting.from == from);
    }

    /// Takes out the waiting invite that is to be answered, and ends what goes on: a call, one's own invite. Somebody
    /// who rings waits.
    #[expect(clippy::result_large_err, reason = "the state goes back by value, as in the whole chart")]
    pub(super) fn make_way(
        &mut self,
        state: CallState,
        cx: &mut Context<'_>,
        invite: InviteId,
    ) -> Result<IncomingInvite, CallState> {
        let Some(incoming) = self.waiting.take(|waiting| waiting.invite == invite) else { return Err(state) };
        match state {
            CallState::Idle => {}
            CallState::Outgoing(outgoing) => drop(self.take_back(cx, &outgoing)),
            CallState::Incoming(ringing) => self.waiting.push_front(ringing),
            CallState::Conversation(conversation) => drop(self.hang_up(cx, conversation)),
        }
        Ok(incoming)
    }

    /// The person does not want to be asked about an invite: nothing rings here any more, and the caller is told
    /// nothing.
    #[expect(clippy::result_large_err, reason = "the state goes back by value, as in the whole chart")]
    pub(super) fn ignore(
        &mut self,
        state: CallState,
        cx: &mut Context<'_>,
        invite: InviteId,
    ) -> Result<CallState, CallState> {
        match state {
            CallState::Incoming(incoming) if incoming.invite == invite => Ok(self.ignore_ringing(cx, incoming)),
            state
            @ (CallState::Idle | CallState::Outgoing(_) | CallState::Incoming(_) | CallState::Conversation(_)) => {
                if self.waiting.ignore(|waiting| waiting.invite == invite) {
                    self.end_surplus(cx);
                    Ok(state)
                } else {
                    Err(state)
                }
            }
        }
    }

    /// Lets nothing ring from now on, or again. A call or an invite of this side's goes on; people who ring or wait are
    /// ignored, so that none of them rings aloud later.
    pub(super) fn follow_do_not_disturb(&mut self, state: CallState, cx: &mut Context<'_>, on: bool) -> CallState {
        self.do_not_disturb = on;
        if !on {
            return state;
        }
        while self.waiting.ignore(|_| true) {}
        match state {
            CallState::Incoming(incoming) => self.ignore_ringing(cx, incoming),
            state @ (CallState::Idle | CallState::Outgoing(_) | CallState::Conversation(_)) => state,
        }
    }

    /// Lets the invite that rings wait unasked about.
    fn ignore_ringing(&mut self, cx: &mut Context<'_>, incoming: IncomingInvite) -> CallState {
        cx.effect(Effect::StopRinging);
        self.waiting.push(incoming, true);
        self.end_surplus(cx);
        CallState::Idle
    }

    /// Ends the oldest of too many ignored invites, as missed calls; their callers hear that it rings until they give
    /// up.
    fn end_surplus(&mut self, cx: &mut Context<'_>) {
        while let Some((invite, from)) = self.waiting.surplus() {
            self.waiting_canceled(cx, from, invite);
        }
    }

    /// Ends waiting invites that are `over`, as missed calls.
    pub(super) fn miss_waiting(&mut self, cx: &mut Context<'_>, over: impl Fn(&IncomingInvite) -> bool) {
        self.end_waiting(cx, over, |invite| CallReport::InviteCanceled { invite }, CallEnd::Missed);
    }

    /// Ends waiting invites that are `over`.
    pub(super) fn end_waiting(
        &mut self,
        cx: &mut Context<'_>,
        over: impl Fn(&IncomingInvite) -> bool,
        report: impl Fn(InviteId) -> CallReport,
        end: CallEnd,
    ) {
        while let Some(incoming) = self.waiting.take(&over) {
            let IncomingInvite { invite, from, name, user_data: note, began, .. } = incoming;
            self.ended_invites.add_incoming(invite, from);
            cx.report(report(invite));
            let participants = vec![RecordedParticipant { peer: from, name }];
            let (outgoing, connected_at, ended_at) = (false, None, cx.now);
            let record = CallRecord { participants, outgoing, began, connected_at, ended_at, end, note };
            cx.report(CallReport::WaitingEnded(record));
        }
    }

    /// Forgets a waiting invite that another device of this side's key has answered; a stranger's word leaves a missed
    /// call.
    pub(super) fn answered_elsewhere(&mut self, cx: &mut Context<'_>, from: PeerId, invite: InviteId) {
        let report = |invite| CallReport::InviteAnsweredElsewhere { invite };
        let is_it = |waiting: &IncomingInvite| waiting.invite == invite && waiting.from == from;
        let strangers = |waiting: &IncomingInvite| is_it(waiting) && !waiting.contact;
        self.end_waiting(cx, strangers, report, CallEnd::Missed);
        if self.waiting.take(is_it).is_some() {
            self.ended_invites.add_incoming(invite, from);
            cx.report(report(invite));
        }
    }

    /// Ends waiting invites that have rung for long enough.
    pub(super) fn waiting_deadline(&mut self, cx: &mut Context<'_>) {
        let now = cx.now;
        let report = |invite| CallReport::InviteTimeout { invite };
        self.end_waiting(cx, |waiting| waiting.deadline() <= now, report, CallEnd::Missed);
    }

    /// After each step: once nothing else goes on the first who waits rings, and the soft tone follows.
    pub(super) fn ring_next(&mut self, state: CallState, cx: &mut Context<'_>) -> CallState {
        let state = match state {
            CallState::Idle => match self.waiting.take_asked(|_| true) {
                Some(incoming) => {
                    cx.effect(Effect::StartRinging);
                    CallState::Incoming(incoming)
                }
                None => CallState::Idle,
            },
            state @ (CallState::Outgoing(_) | CallState::Incoming(_) | CallState::Conversation(_)) => state,
        };
        let sounds_already = matches!(state, CallState::Incoming(_));
        let tone = !sounds_already && self.waiting.asked().next().is_some();
        if std::mem::replace(&mut self.waiting.tone, tone) != tone {
            cx.effect(if tone { Effect::StartWaitingTone } else { Effect::StopWaitingTone });
        }
        state
    }
}

/// Whether `peer` is in the present conversation.
fn takes_part(state: &CallState, peer: PeerId) -> bool {
    match state {
        CallState::Conversation(conversation) => conversation.participants.contains_key(&peer),
        CallState::Idle | CallState::Outgoing(_) | CallState::Incoming(_) => false,
    }
}

impl IncomingInvite {
    /// The report that it rings, or waits.
    pub(super) fn report(&self, waiting: bool) -> CallReport {
        CallReport::Invite {
            invite: self.invite,
            from: self.from,
            name: self.name.clone(),
            user_data: self.user_data.clone(),
            conversation: self.conversation,
            contact: self.contact,
            waiting,
        }
    }
}
