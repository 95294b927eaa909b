//! Arms of the state chart for presses of the person at this computer: the only place where a consent is made.

use super::context::Context;
use super::state::{CallMachine, CallState};
use super::{
    CallEnd, CallError, CallReport, Conversation, Description, Effect, InviteId, MAX_USER_DATA, Message,
    OutgoingInvite, Press,
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
    pub(super) fn press(&mut self, state: CallState, cx: &mut Context<'_>, press: Press) -> CallState {
        match press {
            Press::OpenStream { streams } => {
                let state = open_stream(state, cx, streams);
                self.announce(state, cx)
            }
            Press::Invite { invite, conversation, to, user_data, streams } => {
                let new = NewInvite { invite, conversation, to, user_data, sends: streams };
                self.invite(state, cx, new)
            }
            Press::Cancel { invite } => self.cancel(state, cx, invite),
            Press::Accept { invite, streams } => self.accept(state, cx, invite, streams),
            Press::Reject { invite } => self.reject(state, cx, invite),
            Press::Ignore { invite } => self.ignore(state, cx, invite).unwrap_or_else(|state| {
                cx.report(CallReport::PressRefused { error: invite_is_over() });
                state
            }),
            Press::EnableStream(stream) => {
                let state = enable(state, cx, stream);
                self.announce(state, cx)
            }
            Press::Leave => self.leave(state, cx),
            Press::LeaveForGood => self.leave_for_good(state, cx),
            Press::Block { peer } => self.block(state, cx, peer),
        }
    }

    fn invite(&mut self, state: CallState, cx: &mut Context<'_>, new: NewInvite) -> CallState {
        match state {
            // Calling the person whose ring was ignored is an answer, too.
            CallState::Idle => match self.waiting.take(|waiting| waiting.from == new.to) {
                Some(incoming) => self.take_call(cx, incoming, new.sends),
                None => self.send_invite(cx, new),
            },
            // Calling the person who rings is an answer.
            CallState::Incoming(incoming) if incoming.from == new.to => self.take_call(cx, incoming, new.sends),
            state @ (CallState::Outgoing(_) | CallState::Incoming(_) | CallState::Conversation(_)) => {
                cx.report(CallReport::PressRefused { error: CallError::TooManyConversations });
                state
            }
        }
    }

    fn send_invite(&mut self, cx: &mut Context<'_>, new: NewInvite) -> CallState {
        let NewInvite { invite, conversation, to, user_data, sends } = new;
        let problem = if to == self.me {
            Some("This is your own ID. Choose somebody else to call.".to_owned())
        } else if user_data.len() > MAX_USER_DATA {
            Some(format!("The note is too long. Use at most {MAX_USER_DATA} bytes."))
        } else {
            None
        };
        if let Some(problem) = problem {
            cx.report(CallReport::PressRefused { error: CallError::BadArgument(problem) });
            return CallState::Idle;
        }
        let announced = self.captured(sends);
        let (name, descriptions) = (self.name.clone(), Description::VERSIONS);
        cx.send(to, Message::Invite { invite, conversation, name, user_data, streams: announced, descriptions });
        cx.report(CallReport::InviteSent { invite, to, conversation });
        cx.effect(Effect::OpenMedia { consent: consent_of_press(), streams: sends });
        CallState::Outgoing(OutgoingInvite {
            invite,
            conversation,
            to,
            sends,
            announced,
            ringing: false,
            began: cx.now,
            consent: consent_of_press(),
            crossed: None,
        })
    }

    fn cancel(&mut self, state: CallState, cx: &mut Context<'_>, invite: InviteId) -> CallState {
        match state {
            CallState::Outgoing(outgoing) if outgoing.invite == invite => self.take_back(cx, &outgoing),
            // The answer came a moment before the press: the person does not want this call.
            CallState::Conversation(conversation) if conversation.is_of_own(invite) => self.hang_up(cx, conversation),
            state
            @ (CallState::Idle | CallState::Outgoing(_) | CallState::Incoming(_) | CallState::Conversation(_)) => {
                cx.report(CallReport::PressRefused { error: invite_is_over() });
                state
            }
        }
    }

    pub(super) fn take_back(&mut self, cx: &mut Context<'_>, outgoing: &OutgoingInvite) -> CallState {
        let report = CallReport::InviteCanceled { invite: outgoing.invite };
        self.withdraw(cx, outgoing, report, CallEnd::Canceled)
    }

    fn accept(&mut self, state: CallState, cx: &mut Context<'_>, invite: InviteId, sends: MediaSet) -> CallState {
        match state {
            CallState::Incoming(incoming) if incoming.invite == invite => self.take_call(cx, incoming, sends),
            // A second press of Answer.
            CallState::Conversation(conversation) if conversation.invite == invite => {
                CallState::Conversation(conversation)
            }
            state
            @ (CallState::Idle | CallState::Outgoing(_) | CallState::Incoming(_) | CallState::Conversation(_)) => {
                match self.make_way(state, cx, invite) {
                    Ok(incoming) => self.take_call(cx, incoming, sends),
                    Err(state) => {
                        cx.report(CallReport::PressRefused { error: invite_is_over() });
                        state
                    }
                }
            }
        }
    }

    fn take_call(&mut self, cx: &mut Context<'_>, incoming: super::IncomingInvite, sends: MediaSet) -> CallState {
        cx.effect(Effect::StopRinging);
        cx.effect(Effect::OpenMedia { consent: consent_of_press(), streams: sends });
        self.answer(cx, incoming, sends, consent_of_press(), None)
    }

    fn reject(&mut self, state: CallState, cx: &mut Context<'_>, invite: InviteId) -> CallState {
        match state {
            CallState::Incoming(incoming) if incoming.invite == invite => {
                self.decline(cx, incoming, CallEnd::DeclinedHere)
            }
            state
            @ (CallState::Idle | CallState::Outgoing(_) | CallState::Incoming(_) | CallState::Conversation(_)) => {
                self.decline_waiting(cx, invite, CallEnd::DeclinedHere);
                state
            }
        }
    }

    /// Tells the caller of an invite that waits that it is declined; here it ends as `end`.
    pub(super) fn decline_waiting(&mut self, cx: &mut Context<'_>, invite: InviteId, end: CallEnd) {
        let waiting = self.waiting.asked().find(|waiting| waiting.invite == invite).map(|waiting| waiting.from);
        let Some(from) = waiting else {
            return cx.report(CallReport::PressRefused { error: invite_is_over() });
        };
        cx.send(from, Message::Reject { invite });
        let report = |invite| CallReport::InviteRejected { invite };
        self.end_waiting(cx, |waiting| waiting.invite == invite, report, end);
    }

    /// Tells the caller of the invite that rings that it is declined; here it ends as `end`.
    pub(super) fn decline(&mut self, cx: &mut Context<'_>, incoming: super::IncomingInvite, end: CallEnd) -> CallState {
        let invite = incoming.invite;
        cx.send(incoming.from, Message::Reject { invite });
        self.end_incoming(cx, incoming, CallReport::InviteRejected { invite }, end)
    }
}

fn invite_is_over() -> CallError {
    CallError::BadArgument("This invite is over.".to_owned())
}

fn open_stream(state: CallState, cx: &mut Context<'_>, sends: MediaSet) -> CallState {
    let consent = consent_of_press();
    match state {
        state @ (CallState::Idle | CallState::Incoming(_)) => {
            cx.effect(Effect::OpenPreview { consent, streams: sends });
            state
        }
        CallState::Outgoing(outgoing) => {
            cx.effect(Effect::OpenMedia { consent, streams: sends });
            CallState::Outgoing(OutgoingInvite { sends, ..outgoing })
        }
        CallState::Conversation(mut conversation) => {
            cx.effect(Effect::OpenMedia { consent, streams: sends });
            conversation.sends = sends;
            CallState::Conversation(conversation)
        }
    }
}

fn enable(state: CallState, cx: &mut Context<'_>, stream: StreamState) -> CallState {
    match state {
        state @ (CallState::Idle | CallState::Incoming(_)) => state,
        CallState::Outgoing(outgoing) => {
            let sends = outgoing.sends.with(stream);
            switch_media(cx, outgoing.sends, sends);
            CallState::Outgoing(OutgoingInvite { sends, ..outgoing })
        }
        CallState::Conversation(mut conversation) => {
            let sends = conversation.sends.with(stream);
            switch_media(cx, conversation.sends, sends);
            conversation.sends = sends;
            CallState::Conversation(conversation)
        }
    }
}

/// Opens the device that was switched on. A muted microphone stays open behind its gate; a camera that is off is
/// closed.
fn switch_media(cx: &mut Context<'_>, before: MediaSet, after: MediaSet) {
    if after.changes(before).any(|stream| stream.on) {
        cx.effect(Effect::OpenMedia { consent: consent_of_press(), streams: after });
        return;
    }
    for stream in after.changes(before).filter(|stream| stream.kind.is_video() && before.is_on(stream.id)) {
        cx.effect(Effect::CloseStream { stream: stream.id });
    }
}

impl Conversation {
    fn is_of_own(&self, invite: InviteId) -> bool {
        self.outgoing && self.pressed_invite == invite
    }
}
