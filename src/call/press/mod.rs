//! The arms for what the person at this computer presses: the only place where a consent is made.

use super::state::{CallMachine, CallState};
use super::turn::Turn;
use super::{
    CallEnd, CallError, CallReport, Conversation, Effect, InviteId, MAX_USER_DATA, Message, OutgoingInvite, Press,
};
use crate::call::ConversationId;
use crate::device::{Consent, Grant, Granter};
use crate::identity::PeerId;
use crate::media::{MediaSet, StreamState};

/// Witness of a local press: nothing outside this module can make one.
pub struct LocalPress {
    _private: (),
}

impl Grant for Granter {
    type Witness = LocalPress;
}

/// Consent of the person who pressed.
const fn consent_of_press() -> Consent {
    Consent::granted(&LocalPress { _private: () })
}

/// An invite that is about to be sent.
struct NewInvite {
    invite: InviteId,
    conversation: ConversationId,
    to: PeerId,
    user_data: String,
    sends: MediaSet,
}

impl CallMachine {
    /// The person pressed something.
    pub(super) fn press(&mut self, state: CallState, turn: &mut Turn<'_>, press: Press) -> CallState {
        let command = press.command();
        match press {
            Press::OpenStream { streams } => {
                let state = open_stream(state, turn, streams);
                self.announce(state, turn)
            }
            Press::Invite { invite, conversation, to, user_data, streams } => {
                let new = NewInvite { invite, conversation, to, user_data, sends: streams };
                self.invite(state, turn, command, new)
            }
            Press::Cancel { invite } => self.cancel(state, turn, command, invite),
            Press::Accept { invite, streams } => self.accept(state, turn, command, invite, streams),
            Press::Reject { invite } => self.reject(state, turn, command, invite),
            Press::EnableStream(stream) => {
                let state = enable(state, turn, stream);
                self.announce(state, turn)
            }
            Press::Leave => match state {
                CallState::Idle => CallState::Idle,
                CallState::Outgoing(outgoing) => self.take_back(turn, &outgoing),
                CallState::Incoming(incoming) => self.decline(turn, incoming),
                CallState::Conversation(conversation) => self.hang_up(turn, conversation),
            },
        }
    }

    fn invite(&mut self, state: CallState, turn: &mut Turn<'_>, command: &'static str, new: NewInvite) -> CallState {
        match state {
            CallState::Idle => self.send_invite(turn, command, new),
            // Calling the person who rings is an answer.
            CallState::Incoming(incoming) if incoming.from == new.to => self.take_call(turn, incoming, new.sends),
            state @ (CallState::Outgoing(_) | CallState::Incoming(_) | CallState::Conversation(_)) => {
                turn.report(CallReport::CommandFailed { command, error: CallError::TooManyConversations });
                state
            }
        }
    }

    fn send_invite(&mut self, turn: &mut Turn<'_>, command: &'static str, new: NewInvite) -> CallState {
        let NewInvite { invite, conversation, to, user_data, sends } = new;
        let problem = if to == self.me {
            Some("This is your own ID. Choose somebody else to call.".to_owned())
        } else if user_data.len() > MAX_USER_DATA {
            Some(format!("The note is too long. Use at most {MAX_USER_DATA} bytes."))
        } else {
            None
        };
        if let Some(problem) = problem {
            turn.report(CallReport::CommandFailed { command, error: CallError::BadArgument(problem) });
            return CallState::Idle;
        }
        let announced = self.captured(sends);
        let name = self.name.clone();
        turn.send(to, Message::Invite { invite, conversation, name, user_data, streams: announced });
        turn.report(CallReport::InviteSent { invite, to, conversation });
        turn.effect(Effect::OpenMedia { consent: consent_of_press(), streams: sends });
        CallState::Outgoing(OutgoingInvite {
            invite,
            conversation,
            to,
            sends,
            announced,
            ringing: false,
            began: turn.now,
            consent: consent_of_press(),
            crossed: None,
        })
    }

    fn cancel(&mut self, state: CallState, turn: &mut Turn<'_>, command: &'static str, invite: InviteId) -> CallState {
        match state {
            CallState::Outgoing(outgoing) if outgoing.invite == invite => self.take_back(turn, &outgoing),
            // The answer came a moment before the press: the person does not want this call.
            CallState::Conversation(conversation) if conversation.is_of_own(invite) => self.hang_up(turn, conversation),
            state
            @ (CallState::Idle | CallState::Outgoing(_) | CallState::Incoming(_) | CallState::Conversation(_)) => {
                turn.report(CallReport::CommandFailed { command, error: invite_is_over() });
                state
            }
        }
    }

    fn take_back(&mut self, turn: &mut Turn<'_>, outgoing: &OutgoingInvite) -> CallState {
        let report = CallReport::InviteCanceled { invite: outgoing.invite };
        self.withdraw(turn, outgoing, report, CallEnd::Canceled)
    }

    fn accept(
        &mut self,
        state: CallState,
        turn: &mut Turn<'_>,
        command: &'static str,
        invite: InviteId,
        sends: MediaSet,
    ) -> CallState {
        match state {
            CallState::Incoming(incoming) if incoming.invite == invite => self.take_call(turn, incoming, sends),
            // A second press of Answer.
            CallState::Conversation(conversation) if conversation.invite == invite => {
                CallState::Conversation(conversation)
            }
            state
            @ (CallState::Idle | CallState::Outgoing(_) | CallState::Incoming(_) | CallState::Conversation(_)) => {
                turn.report(CallReport::CommandFailed { command, error: invite_is_over() });
                state
            }
        }
    }

    fn take_call(&mut self, turn: &mut Turn<'_>, incoming: super::IncomingInvite, sends: MediaSet) -> CallState {
        turn.effect(Effect::StopRinging);
        turn.effect(Effect::OpenMedia { consent: consent_of_press(), streams: sends });
        self.answer(turn, incoming, sends, consent_of_press(), None)
    }

    fn reject(&mut self, state: CallState, turn: &mut Turn<'_>, command: &'static str, invite: InviteId) -> CallState {
        match state {
            CallState::Incoming(incoming) if incoming.invite == invite => self.decline(turn, incoming),
            state
            @ (CallState::Idle | CallState::Outgoing(_) | CallState::Incoming(_) | CallState::Conversation(_)) => {
                turn.report(CallReport::CommandFailed { command, error: invite_is_over() });
                state
            }
        }
    }

    fn decline(&mut self, turn: &mut Turn<'_>, incoming: super::IncomingInvite) -> CallState {
        let invite = incoming.invite;
        turn.send(incoming.from, Message::Reject { invite });
        self.end_incoming(turn, incoming, CallReport::InviteRejected { invite }, CallEnd::DeclinedHere)
    }
}

fn invite_is_over() -> CallError {
    CallError::BadArgument("This invite is over.".to_owned())
}

fn open_stream(state: CallState, turn: &mut Turn<'_>, sends: MediaSet) -> CallState {
    let consent = consent_of_press();
    match state {
        state @ (CallState::Idle | CallState::Incoming(_)) => {
            turn.effect(Effect::OpenPreview { consent, streams: sends });
            state
        }
        CallState::Outgoing(outgoing) => {
            turn.effect(Effect::OpenMedia { consent, streams: sends });
            CallState::Outgoing(OutgoingInvite { sends, ..outgoing })
        }
        CallState::Conversation(mut conversation) => {
            turn.effect(Effect::OpenMedia { consent, streams: sends });
            conversation.sends = sends;
            CallState::Conversation(conversation)
        }
    }
}

fn enable(state: CallState, turn: &mut Turn<'_>, stream: StreamState) -> CallState {
    match state {
        state @ (CallState::Idle | CallState::Incoming(_)) => state,
        CallState::Outgoing(outgoing) => {
            let sends = outgoing.sends.with(stream);
            switch_media(turn, outgoing.sends, sends);
            CallState::Outgoing(OutgoingInvite { sends, ..outgoing })
        }
        CallState::Conversation(mut conversation) => {
            let sends = conversation.sends.with(stream);
            switch_media(turn, conversation.sends, sends);
            conversation.sends = sends;
            CallState::Conversation(conversation)
        }
    }
}

/// Opens what was switched on. A muted microphone stays open behind its gate; a camera that is off is closed.
fn switch_media(turn: &mut Turn<'_>, before: MediaSet, after: MediaSet) {
    if after.changes(before).any(|stream| stream.on) {
        turn.effect(Effect::OpenMedia { consent: consent_of_press(), streams: after });
        return;
    }
    for stream in after.changes(before).filter(|stream| stream.kind.is_video() && before.is_on(stream.id)) {
        turn.effect(Effect::CloseStream { stream: stream.id });
    }
}

impl Conversation {
    fn is_of_own(&self, invite: InviteId) -> bool {
        self.outgoing && self.pressed_invite == invite
    }
}
