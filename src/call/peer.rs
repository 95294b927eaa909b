//! Arms of the state chart for messages of others. Nothing here can make a consent: where a conversation begins, it is
//! one that a press left in the pending invite.

use crate::identity::{PeerId, display_name, plain_text};
use crate::media::MediaSet;

use super::context::Context;
use super::joining::OwnInvite;
use super::state::{CallMachine, CallState};
use super::{
    AnyDescription, CallEnd, CallReport, Conversation, ConversationId, Description, DisconnectReason, Effect,
    IncomingInvite, InviteId, MAX_USER_DATA, Message, OutgoingInvite, ParticipantStream, Standing,
};

impl CallMachine {
    /// A message came from `from`.
    pub(super) fn message(
        &mut self,
        state: CallState,
        cx: &mut Context<'_>,
        from: PeerId,
        standing: Standing,
        message: Message,
    ) -> CallState {
        if from == self.me {
            return state;
        }
        match message {
            Message::Invite { invite, conversation, name, user_data, streams, descriptions } => {
                let incoming = IncomingInvite {
                    invite,
                    conversation,
                    from,
                    name: display_name(&name),
                    user_data: plain_text(&user_data, MAX_USER_DATA),
                    contact: standing == Standing::Contact,
                    streams,
                    began: cx.now,
                };
                match Description::VERSIONS.common(descriptions) {
                    Ok(_) => self.invited(state, cx, incoming, standing),
                    Err(skew) => self.invited_by_other_version(state, cx, incoming, standing, skew),
                }
            }
            Message::Ringing { invite } => rings_there(state, cx, from, invite),
            Message::Accept { invite, name, streams } => match state {
                CallState::Outgoing(outgoing) if outgoing.is(invite, from) => {
                    self.accepted(cx, outgoing, display_name(&name), streams)
                }
                state @ (CallState::Idle
                | CallState::Outgoing(_)
                | CallState::Incoming(_)
                | CallState::Conversation(_)) => {
                    self.late_accept(cx, invite, from);
                    state
                }
            },
            Message::Reject { invite } => match state {
                CallState::Outgoing(outgoing) if outgoing.is(invite, from) => {
                    self.end_outgoing(cx, &outgoing, CallReport::InviteRejected { invite }, CallEnd::Declined)
                }
                state @ (CallState::Idle
                | CallState::Outgoing(_)
                | CallState::Incoming(_)
                | CallState::Conversation(_)) => state,
            },
            Message::Busy { invite } => match state {
                CallState::Outgoing(outgoing) if outgoing.is(invite, from) => {
                    self.end_outgoing(cx, &outgoing, CallReport::InviteBusy { invite }, CallEnd::Busy)
                }
                state @ (CallState::Idle
                | CallState::Outgoing(_)
                | CallState::Incoming(_)
                | CallState::Conversation(_)) => state,
            },
            Message::Cancel { invite } => self.canceled(state, cx, from, invite),
            Message::Describe { conversation, description: AnyDescription::Known(description) } => {
                in_conversation(state, conversation, |current| {
                    let Some(participant) = current.participants.get_mut(&from) else { return };
                    if let Some(described) = participant.describe(*description, cx.now) {
                        current.apply_description(cx, from, described);
                    }
                })
            }
            Message::Describe { conversation, description: AnyDescription::OtherVersion(version) } => {
                self.described_in_other_version(state, cx, (conversation, from), version)
            }
            Message::Incompatible { conversation, version } => {
                self.not_understood(state, cx, (conversation, from), version)
            }
            Message::Trickle { conversation, candidate } => in_conversation(state, conversation, |current| {
                let Some(participant) = current.participants.get_mut(&from) else { return };
                if let Some(candidate) = participant.trickle(candidate) {
                    cx.effect(Effect::ApplyCandidate { conversation, peer: from, candidate });
                }
            }),
            Message::Restart { conversation, generation, moved } => match state {
                CallState::Conversation(mut current) if current.id == conversation => {
                    current.restart_asked(cx, from, generation, moved);
                    CallState::Conversation(current)
                }
                state @ (CallState::Idle
                | CallState::Outgoing(_)
                | CallState::Incoming(_)
                | CallState::Conversation(_)) => {
                    self.late_restart(cx, conversation, from, standing);
                    state
                }
            },
            Message::Ended { conversation } => match state {
                CallState::Conversation(current) if current.id == conversation => {
                    self.connection_is_gone(cx, current, from)
                }
                state @ (CallState::Idle
                | CallState::Outgoing(_)
                | CallState::Incoming(_)
                | CallState::Conversation(_)) => state,
            },
            Message::Media { conversation, streams } => in_conversation(state, conversation, |current| {
                their_streams_changed(current, cx, from, streams);
            }),
            Message::Wish { conversation, stream, max_height } => in_conversation(state, conversation, |current| {
                if let Some(participant) = current.participants.get_mut(&from) {
                    participant.note_wish(stream, max_height);
                }
            }),
            Message::AnsweredElsewhere { invite } => match state {
                CallState::Incoming(incoming) if incoming.invite == invite && incoming.from == from => {
                    let report = CallReport::InviteAnsweredElsewhere { invite };
                    if !incoming.contact {
                        // The caller says so. A stranger's word leaves a missed call, so that they can be blocked.
                        return self.end_incoming(cx, incoming, report, CallEnd::Missed);
                    }
                    self.ended_invites.add_incoming(invite, from);
                    cx.effect(Effect::StopRinging);
                    cx.report(report);
                    CallState::Idle
                }
                // Another device of this side's key was sooner.
                CallState::Conversation(current) if current.is_unconnected_answer_to(invite) => {
                    self.participant_gone(cx, current, from, DisconnectReason::HungUp)
                }
                state @ (CallState::Idle
                | CallState::Outgoing(_)
                | CallState::Incoming(_)
                | CallState::Conversation(_)) => {
                    self.answered_elsewhere(cx, from, invite);
                    state
                }
            },
            // The controller's matter: it is about no present call.
            Message::Missed { .. } | Message::PictureWanted { .. } | Message::Picture { .. } => state,
            Message::Leave { conversation } => match state {
                CallState::Conversation(current) if current.id == conversation => {
                    self.participant_gone(cx, current, from, DisconnectReason::HungUp)
                }
                state @ (CallState::Idle
                | CallState::Outgoing(_)
                | CallState::Incoming(_)
                | CallState::Conversation(_)) => state,
            },
        }
    }

    fn invited(
        &mut self,
        state: CallState,
        cx: &mut Context<'_>,
        incoming: IncomingInvite,
        standing: Standing,
    ) -> CallState {
        let from = incoming.from;
        // A conversation that still closes must not be mistaken for the new one.
        let reused = self.closing.as_ref().is_some_and(|closing| closing.conversation() == incoming.conversation);
        if reused || self.ended_invites.has_rung(incoming.invite, from) {
            return state;
        }
        match state {
            // Both invited each other, so both pressed: one of the two invites stands for both, whatever the standing.
            CallState::Outgoing(mut outgoing) if outgoing.to == from => {
                if self.me < from {
                    outgoing.crossed = Some(incoming);
                    CallState::Outgoing(outgoing)
                } else {
                    self.give_way(cx, outgoing, incoming)
                }
            }
            state if standing == Standing::Unwelcome => state,
            state => {
                let state = self.end_for_new_invite(state, cx, &incoming);
                self.ring_or_busy(state, cx, incoming)
            }
        }
    }

    fn ring_or_busy(&mut self, state: CallState, cx: &mut Context<'_>, incoming: IncomingInvite) -> CallState {
        let from = incoming.from;
        match state {
            state
                if self.do_not_disturb
                    && !rings_with(&state, &incoming)
                    && !self.waiting.has(incoming.invite, from) =>
            {
                self.ended_invites.add_incoming(incoming.invite, from);
                self.busy(cx, &state, incoming);
                state
            }
            // Ignored before, and invited anew.
            CallState::Idle if self.waiting.has(incoming.invite, from) => {
                cx.send(from, Message::Ringing { invite: incoming.invite });
                CallState::Idle
            }
            CallState::Idle => {
                self.forget_waiting(cx, from);
                ring(cx, incoming, true)
            }
            CallState::Incoming(ringing) if ringing.from == from && ringing.invite == incoming.invite => {
                cx.send(from, Message::Ringing { invite: incoming.invite });
                CallState::Incoming(ringing)
            }
            // Their app began anew: the new invite takes the place of the old one.
            CallState::Incoming(ringing) if ringing.from == from => {
                self.ended_invites.add_incoming(ringing.invite, from);
                cx.report(CallReport::InviteCanceled { invite: ringing.invite });
                ring(cx, incoming, false)
            }
            // Anybody can ring without end; none of that keeps a contact from being heard.
            CallState::Incoming(ringing) if incoming.contact && !ringing.contact => {
                self.give_place(cx, ringing);
                ring(cx, incoming, false)
            }
            state @ (CallState::Outgoing(_) | CallState::Incoming(_) | CallState::Conversation(_)) => {
                self.wait_or_busy(&state, cx, incoming);
                state
            }
        }
    }

    /// A stranger who rings gives their place to a contact: for them this side is busy, here they have called in vain.
    pub(super) fn give_place(&mut self, cx: &mut Context<'_>, ringing: IncomingInvite) {
        let IncomingInvite { invite, from, name, user_data: note, contact, began, .. } = ringing;
        self.ended_invites.add_incoming(invite, from);
        cx.send(from, Message::Busy { invite });
        cx.report(CallReport::InviteCanceled { invite });
        if self.rang_meanwhile.note(from, contact, cx.now) {
            cx.report(CallReport::RangInVain { from, name, note, contact, at: began });
        }
    }

    /// Answers `incoming` in the place of this side's own invite to the same person.
    pub(super) fn give_way(
        &mut self,
        cx: &mut Context<'_>,
        outgoing: OutgoingInvite,
        incoming: IncomingInvite,
    ) -> CallState {
        cx.send(outgoing.to, Message::Cancel { invite: outgoing.invite });
        if outgoing.ringing {
            cx.effect(Effect::StopRinging);
        }
        self.ended_invites.add_outgoing(&outgoing);
        let OutgoingInvite { invite, began, sends, consent, .. } = outgoing;
        self.answer(cx, incoming, sends, consent, Some(OwnInvite { invite, began }))
    }

    pub(super) fn busy(&mut self, cx: &mut Context<'_>, state: &CallState, incoming: IncomingInvite) {
        let IncomingInvite { invite, from, name, user_data: note, contact, .. } = incoming;
        cx.send(from, Message::Busy { invite });
        let takes_part = match state {
            CallState::Conversation(conversation) => conversation.participants.contains_key(&from),
            CallState::Idle | CallState::Outgoing(_) | CallState::Incoming(_) => false,
        };
        if !takes_part && self.rang_meanwhile.note(from, contact, cx.now) {
            cx.report(CallReport::RangInVain { from, name, note, contact, at: cx.now });
        }
    }

    fn canceled(&mut self, state: CallState, cx: &mut Context<'_>, from: PeerId, invite: InviteId) -> CallState {
        match state {
            CallState::Incoming(incoming) if incoming.invite == invite && incoming.from == from => {
                self.end_incoming(cx, incoming, CallReport::InviteCanceled { invite }, CallEnd::Missed)
            }
            CallState::Outgoing(mut outgoing) => {
                outgoing.crossed.take_if(|crossed| crossed.invite == invite && crossed.from == from);
                self.waiting_canceled(cx, from, invite);
                CallState::Outgoing(outgoing)
            }
            // The caller gave up while the answer was on its way.
            CallState::Conversation(current) if current.is_unconnected_answer_to(invite) => {
                self.participant_gone(cx, current, from, DisconnectReason::HungUp)
            }
            state @ (CallState::Idle | CallState::Incoming(_) | CallState::Conversation(_)) => {
                self.waiting_canceled(cx, from, invite);
                state
            }
        }
    }

    /// Somebody answers an invite that is over: they are told that nobody is there.
    fn late_accept(&mut self, cx: &mut Context<'_>, invite: InviteId, from: PeerId) {
        if let Some(conversation) = self.ended_invites.take_outgoing(invite, from) {
            cx.send(from, Message::Leave { conversation });
        }
    }
}

fn ring(cx: &mut Context<'_>, incoming: IncomingInvite, start: bool) -> CallState {
    let invite = incoming.invite;
    cx.send(incoming.from, Message::Ringing { invite });
    cx.report(incoming.report(false));
    if start {
        cx.effect(Effect::StartRinging);
    }
    CallState::Incoming(incoming)
}

/// Whether this very invite rings already.
fn rings_with(state: &CallState, incoming: &IncomingInvite) -> bool {
    match state {
        CallState::Incoming(ringing) => ringing.invite == incoming.invite && ringing.from == incoming.from,
        CallState::Idle | CallState::Outgoing(_) | CallState::Conversation(_) => false,
    }
}

fn rings_there(state: CallState, cx: &mut Context<'_>, from: PeerId, invite: InviteId) -> CallState {
    match state {
        CallState::Outgoing(mut outgoing) if outgoing.is(invite, from) => {
            if !outgoing.ringing {
                outgoing.ringing = true;
                cx.report(CallReport::InviteRinging { invite });
                cx.effect(Effect::StartRingBack);
            }
            CallState::Outgoing(outgoing)
        }
        state @ (CallState::Idle | CallState::Outgoing(_) | CallState::Incoming(_) | CallState::Conversation(_)) => {
            state
        }
    }
}

/// Lets `act` on the present conversation if it is the one that a message names.
fn in_conversation(state: CallState, named: ConversationId, act: impl FnOnce(&mut Conversation)) -> CallState {
    match state {
        CallState::Conversation(mut current) if current.id == named => {
            act(&mut current);
            CallState::Conversation(current)
        }
        state @ (CallState::Idle | CallState::Outgoing(_) | CallState::Incoming(_) | CallState::Conversation(_)) => {
            state
        }
    }
}

fn their_streams_changed(current: &mut Conversation, cx: &mut Context<'_>, from: PeerId, streams: MediaSet) {
    let conversation = current.id;
    let Some(participant) = current.participants.get_mut(&from) else { return };
    let before = std::mem::replace(&mut participant.streams, streams);
    // Until they are connected, `StreamAdded` will tell it.
    if !participant.was_connected() {
        return;
    }
    for stream in streams.changes(before) {
        let changed = ParticipantStream { conversation, participant: from, stream, streams };
        cx.report(match before.get(stream.id) {
            Some(_) => CallReport::StreamChanged(changed),
            None => CallReport::StreamAdded(changed),
        });
    }
}

impl OutgoingInvite {
    fn is(&self, invite: InviteId, to: PeerId) -> bool {
        self.invite == invite && self.to == to
    }
}

impl Conversation {
    fn is_unconnected_answer_to(&self, invite: InviteId) -> bool {
        self.invite == invite && self.connected_at.is_none()
    }
}
