//! The arms for what the person at this computer presses: the only place where a consent is made.

use super::participant::Sends;
use super::state::{CallMachine, CallState, Turn};
use super::{
    CallEnd, CallError, CallReport, Conversation, Effect, InviteId, MAX_USER_DATA, Message, OutgoingInvite, Press,
};
use crate::call::ConversationId;
use crate::device::{Consent, Grant, Granter};
use crate::identity::PeerId;

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
    sends: Sends,
}

impl CallMachine {
    /// The person pressed something.
    pub(super) fn press(&mut self, state: CallState, turn: &mut Turn<'_>, press: Press) -> CallState {
        let command = press.command();
        match press {
            Press::OpenStream { audio, video } => {
                let state = open_stream(state, turn, Sends { audio, video });
                self.announce(state, turn)
            }
            Press::Invite { invite, conversation, to, user_data, audio, video } => {
                let new = NewInvite { invite, conversation, to, user_data, sends: Sends { audio, video } };
                self.invite(state, turn, command, new)
            }
            Press::Cancel { invite } => self.cancel(state, turn, command, invite),
            Press::Accept { invite, audio, video } => self.accept(state, turn, command, invite, Sends { audio, video }),
            Press::Reject { invite } => self.reject(state, turn, command, invite),
            Press::EnableAudio { on } => {
                let state = enable(state, turn, |sends| Sends { audio: on, ..sends });
                self.announce(state, turn)
            }
            Press::EnableVideo { on } => {
                let state = enable(state, turn, |sends| Sends { video: on, ..sends });
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
        let announced = sends.and(self.captures);
        let Sends { audio, video } = announced;
        turn.send(to, Message::Invite { invite, conversation, name: self.name.clone(), user_data, audio, video });
        turn.report(CallReport::InviteSent { invite, to, conversation });
        let Sends { audio, video } = sends;
        turn.effect(Effect::OpenMedia { consent: consent_of_press(), audio, video });
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
        sends: Sends,
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

    fn take_call(&mut self, turn: &mut Turn<'_>, incoming: super::IncomingInvite, sends: Sends) -> CallState {
        let Sends { audio, video } = sends;
        turn.effect(Effect::StopRinging);
        turn.effect(Effect::OpenMedia { consent: consent_of_press(), audio, video });
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

fn open_stream(state: CallState, turn: &mut Turn<'_>, sends: Sends) -> CallState {
    let Sends { audio, video } = sends;
    let consent = consent_of_press();
    match state {
        state @ (CallState::Idle | CallState::Incoming(_)) => {
            turn.effect(Effect::OpenPreview { consent, audio, video });
            state
        }
        CallState::Outgoing(outgoing) => {
            turn.effect(Effect::OpenMedia { consent, audio, video });
            CallState::Outgoing(OutgoingInvite { sends, ..outgoing })
        }
        CallState::Conversation(mut conversation) => {
            turn.effect(Effect::OpenMedia { consent, audio, video });
            conversation.sends = sends;
            CallState::Conversation(conversation)
        }
    }
}

fn enable(state: CallState, turn: &mut Turn<'_>, change: impl FnOnce(Sends) -> Sends) -> CallState {
    match state {
        state @ (CallState::Idle | CallState::Incoming(_)) => state,
        CallState::Outgoing(outgoing) => {
            let sends = change(outgoing.sends);
            switch_media(turn, outgoing.sends, sends);
            CallState::Outgoing(OutgoingInvite { sends, ..outgoing })
        }
        CallState::Conversation(mut conversation) => {
            let sends = change(conversation.sends);
            switch_media(turn, conversation.sends, sends);
            conversation.sends = sends;
            CallState::Conversation(conversation)
        }
    }
}

/// Opens what was switched on. A muted microphone stays open behind its gate; a camera that is off is closed.
fn switch_media(turn: &mut Turn<'_>, before: Sends, after: Sends) {
    let Sends { audio, video } = after;
    if (audio && !before.audio) || (video && !before.video) {
        turn.effect(Effect::OpenMedia { consent: consent_of_press(), audio, video });
    } else if before.video && !video {
        turn.effect(Effect::CloseCamera);
    }
}

impl Conversation {
    fn is_of_own(&self, invite: InviteId) -> bool {
        self.outgoing && self.pressed_invite == invite
    }
}
