//! The arms for what others send. Nothing here can make a consent: where a conversation begins, it is one that a press
//! left in the pending invite.

use crate::identity::{PeerId, display_name, plain_text};
use crate::media::MediaSet;

use super::joining::OwnInvite;
use super::state::{CallMachine, CallState};
use super::turn::Turn;
use super::{
    AnyDescription, CallEnd, CallReport, Conversation, ConversationId, DisconnectReason, Effect, IncomingInvite,
    InviteId, MAX_USER_DATA, Message, OutgoingInvite, Standing,
};

/// People who are reported as having rung during one call.
const MAX_RANG_MEANWHILE: usize = 16;

impl CallMachine {
    /// A message came from `from`.
    pub(super) fn message(
        &mut self,
        state: CallState,
        turn: &mut Turn<'_>,
        from: PeerId,
        standing: Standing,
        message: Message,
    ) -> CallState {
        if from == self.me {
            return state;
        }
        match message {
            Message::Invite { invite, conversation, name, user_data, streams } => {
                let incoming = IncomingInvite {
                    invite,
                    conversation,
                    from,
                    name: display_name(&name),
                    user_data: plain_text(&user_data, MAX_USER_DATA),
                    contact: standing == Standing::Contact,
                    streams,
                    began: turn.now,
                };
                self.invited(state, turn, incoming, standing)
            }
            Message::Ringing { invite } => rings_there(state, turn, from, invite),
            Message::Accept { invite, name, streams } => match state {
                CallState::Outgoing(outgoing) if outgoing.is(invite, from) => {
                    self.accepted(turn, outgoing, display_name(&name), streams)
                }
                state @ (CallState::Idle
                | CallState::Outgoing(_)
                | CallState::Incoming(_)
                | CallState::Conversation(_)) => {
                    self.late_accept(turn, invite, from);
                    state
                }
            },
            Message::Reject { invite } => match state {
                CallState::Outgoing(outgoing) if outgoing.is(invite, from) => {
                    self.end_outgoing(turn, &outgoing, CallReport::InviteRejected { invite }, CallEnd::Declined)
                }
                state @ (CallState::Idle
                | CallState::Outgoing(_)
                | CallState::Incoming(_)
                | CallState::Conversation(_)) => state,
            },
            Message::Busy { invite } => match state {
                CallState::Outgoing(outgoing) if outgoing.is(invite, from) => {
                    self.end_outgoing(turn, &outgoing, CallReport::InviteBusy { invite }, CallEnd::Busy)
                }
                state @ (CallState::Idle
                | CallState::Outgoing(_)
                | CallState::Incoming(_)
                | CallState::Conversation(_)) => state,
            },
            Message::Cancel { invite } => self.canceled(state, turn, from, invite),
            Message::Describe { conversation, description: AnyDescription::Known(description) } => {
                in_conversation(state, conversation, |current| {
                    let Some(participant) = current.participants.get_mut(&from) else { return };
                    if let Some(described) = participant.describe(*description, turn.now) {
                        current.apply_description(turn, from, described);
                    }
                })
            }
            Message::Describe { conversation, description: AnyDescription::OtherVersion(version) } => {
                self.described_in_other_version(state, turn, (conversation, from), version)
            }
            Message::Incompatible { conversation, version } => {
                self.not_understood(state, turn, (conversation, from), version)
            }
            Message::Trickle { conversation, candidate } => in_conversation(state, conversation, |current| {
                let Some(participant) = current.participants.get_mut(&from) else { return };
                if let Some(candidate) = participant.trickle(candidate) {
                    turn.effect(Effect::ApplyCandidate { conversation, peer: from, candidate });
                }
            }),
            Message::Restart { conversation, generation, moved } => match state {
                CallState::Conversation(mut current) if current.id == conversation => {
                    current.restart_asked(turn, from, generation, moved);
                    CallState::Conversation(current)
                }
                state @ (CallState::Idle
                | CallState::Outgoing(_)
                | CallState::Incoming(_)
                | CallState::Conversation(_)) => {
                    self.late_restart(turn, conversation, from, standing);
                    state
                }
            },
            Message::Ended { conversation } => match state {
                CallState::Conversation(current) if current.id == conversation => {
                    self.link_is_gone(turn, current, from)
                }
                state @ (CallState::Idle
                | CallState::Outgoing(_)
                | CallState::Incoming(_)
                | CallState::Conversation(_)) => state,
            },
            Message::Media { conversation, streams } => in_conversation(state, conversation, |current| {
                their_streams_changed(current, turn, from, streams);
            }),
            Message::Wish { conversation, stream, max_height } => in_conversation(state, conversation, |current| {
                if let Some(participant) = current.participants.get_mut(&from) {
                    participant.note_wish(stream, max_height);
                }
            }),
            Message::Leave { conversation } => match state {
                CallState::Conversation(current) if current.id == conversation => {
                    self.participant_gone(turn, current, from, DisconnectReason::HungUp)
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
        turn: &mut Turn<'_>,
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
                    self.give_way(turn, outgoing, incoming)
                }
            }
            state if standing == Standing::Unwelcome => state,
            state => {
                let state = self.end_for_new_invite(state, turn, &incoming);
                self.ring_or_busy(state, turn, incoming)
            }
        }
    }

    fn ring_or_busy(&mut self, state: CallState, turn: &mut Turn<'_>, incoming: IncomingInvite) -> CallState {
        let from = incoming.from;
        match state {
            CallState::Idle => ring(turn, incoming, true),
            CallState::Incoming(ringing) if ringing.from == from && ringing.invite == incoming.invite => {
                turn.send(from, Message::Ringing { invite: incoming.invite });
                CallState::Incoming(ringing)
            }
            // Their app began anew: the new invite takes the place of the old one.
            CallState::Incoming(ringing) if ringing.from == from => {
                self.ended_invites.add_incoming(ringing.invite, from);
                turn.report(CallReport::InviteCanceled { invite: ringing.invite });
                ring(turn, incoming, false)
            }
            // Anybody can ring without end; none of that keeps a contact from being heard.
            CallState::Incoming(ringing) if incoming.contact && !ringing.contact => {
                self.give_place(turn, ringing);
                ring(turn, incoming, false)
            }
            state @ (CallState::Outgoing(_) | CallState::Incoming(_) | CallState::Conversation(_)) => {
                self.busy(turn, &state, incoming);
                state
            }
        }
    }

    /// A stranger who rings gives their place to a contact: for them this side is busy, here they have called in vain.
    fn give_place(&mut self, turn: &mut Turn<'_>, ringing: IncomingInvite) {
        let IncomingInvite { invite, from, name, contact, began, .. } = ringing;
        self.ended_invites.add_incoming(invite, from);
        turn.send(from, Message::Busy { invite });
        turn.report(CallReport::InviteCanceled { invite });
        if self.rang_meanwhile.insert(from) {
            turn.report(CallReport::RangDuringCall { from, name, contact, at: began });
        }
    }

    /// Answers `incoming` in the place of this side's own invite to the same person.
    pub(super) fn give_way(
        &mut self,
        turn: &mut Turn<'_>,
        outgoing: OutgoingInvite,
        incoming: IncomingInvite,
    ) -> CallState {
        turn.send(outgoing.to, Message::Cancel { invite: outgoing.invite });
        if outgoing.ringing {
            turn.effect(Effect::StopRinging);
        }
        self.ended_invites.add_outgoing(&outgoing);
        let OutgoingInvite { invite, began, sends, consent, .. } = outgoing;
        self.answer(turn, incoming, sends, consent, Some(OwnInvite { invite, began }))
    }

    fn busy(&mut self, turn: &mut Turn<'_>, state: &CallState, incoming: IncomingInvite) {
        let IncomingInvite { invite, from, name, contact, .. } = incoming;
        turn.send(from, Message::Busy { invite });
        let takes_part = match state {
            CallState::Conversation(conversation) => conversation.participants.contains_key(&from),
            CallState::Idle | CallState::Outgoing(_) | CallState::Incoming(_) => false,
        };
        if !takes_part && self.rang_meanwhile.len() < MAX_RANG_MEANWHILE && self.rang_meanwhile.insert(from) {
            turn.report(CallReport::RangDuringCall { from, name, contact, at: turn.now });
        }
    }

    fn canceled(&mut self, state: CallState, turn: &mut Turn<'_>, from: PeerId, invite: InviteId) -> CallState {
        match state {
            CallState::Incoming(incoming) if incoming.invite == invite && incoming.from == from => {
                self.end_incoming(turn, incoming, CallReport::InviteCanceled { invite }, CallEnd::Missed)
            }
            CallState::Outgoing(mut outgoing) => {
                outgoing.crossed.take_if(|crossed| crossed.invite == invite && crossed.from == from);
                CallState::Outgoing(outgoing)
            }
            // The caller gave up while the answer was on its way.
            CallState::Conversation(current) if current.is_unconnected_answer_to(invite) => {
                self.participant_gone(turn, current, from, DisconnectReason::HungUp)
            }
            state @ (CallState::Idle | CallState::Incoming(_) | CallState::Conversation(_)) => state,
        }
    }

    /// Somebody answers an invite that is over: they are told that nobody is there.
    fn late_accept(&mut self, turn: &mut Turn<'_>, invite: InviteId, from: PeerId) {
        if let Some(conversation) = self.ended_invites.take_outgoing(invite, from) {
            turn.send(from, Message::Leave { conversation });
        }
    }
}

fn ring(turn: &mut Turn<'_>, incoming: IncomingInvite, start: bool) -> CallState {
    let invite = incoming.invite;
    turn.send(incoming.from, Message::Ringing { invite });
    turn.report(CallReport::Invite {
        invite,
        from: incoming.from,
        name: incoming.name.clone(),
        user_data: incoming.user_data.clone(),
        conversation: incoming.conversation,
        contact: incoming.contact,
    });
    if start {
        turn.effect(Effect::StartRinging);
    }
    CallState::Incoming(incoming)
}

fn rings_there(state: CallState, turn: &mut Turn<'_>, from: PeerId, invite: InviteId) -> CallState {
    match state {
        CallState::Outgoing(mut outgoing) if outgoing.is(invite, from) => {
            if !outgoing.ringing {
                outgoing.ringing = true;
                turn.report(CallReport::InviteRinging { invite });
                turn.effect(Effect::StartRingBack);
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

fn their_streams_changed(current: &mut Conversation, turn: &mut Turn<'_>, from: PeerId, streams: MediaSet) {
    let conversation = current.id;
    let Some(participant) = current.participants.get_mut(&from) else { return };
    let before = std::mem::replace(&mut participant.streams, streams);
    // Until they are connected, `StreamAdded` will tell it.
    if !participant.was_connected() {
        return;
    }
    for stream in streams.changes(before) {
        turn.report(match before.get(stream.id) {
            Some(_) => CallReport::StreamChanged { conversation, participant: from, stream, streams },
            None => CallReport::StreamAdded { conversation, participant: from, stream, streams },
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
