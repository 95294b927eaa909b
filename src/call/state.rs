//! The state chart of a call: its states, and the arm for each input.
//!
//! ```text
//!                        +-----------------------------------------------------------------+
//!                        v                                                                 |
//!   press Invite  +-------------+  Invite from a peer (not unwelcome, not ended before)    |
//!   +-------------|    Idle     |-----------------------------+                            |
//!   | send Invite +-------------+                send Ringing |                            |
//!   v                    ^  ^                                 v                            |
//! +-----------+ Reject,  |  |  Cancel, press Reject,    +-----------+                      |
//! | Outgoing  | Busy,    |  |  50 s                     | Incoming  |                      |
//! | 45 s      |----------+  +---------------------------| rings     |                      |
//! +-----------+ undelivered, press Cancel or Leave, 45 s+-----------+                      |
//!   |      \                                                  |                            |
//!   |       \ Invite from the same person, whose ID is        | press Accept (or Invite    |
//!   |        \ smaller: their invite stands for both;         | to the one who rings):     |
//!   | Accept  \ send Cancel of one's own, Accept              | send Accept                |
//!   v          v                                              v                            |
//! +-------------------------------------------------------------------+  press Leave,      |
//! | Conversation                                                      |  peer's Leave,     |
//! |   each participant:                                               |  last one failed   |
//! |     Connecting 20 s --Connected--> Connected <-> Interrupted 30 s |  or lost           |
//! +-------------------------------------------------------------------+--------------------+
//!                                                                                          |
//!   beside all of these:  Closing, at most 3 s, until peers and media are closed  <--------+
//!                         then ConversationDisconnected
//! ```
//!
//! The engine gives up sooner on a connection that cannot be made: after 10 s. An interrupted one is restored in
//! `restart`.
//!
//! While it is not Idle, an Invite of anybody else waits (`call_waiting`): the caller hears that it rings, and the
//! person here may answer, which ends the present call. Three wait at most, one stranger among them, and the others
//! get Busy; a contact who invites takes the place of a stranger who rings. With do not disturb everybody gets Busy,
//! and people who ring or wait as it begins are ignored.
//! When both invite each other, the one with the smaller ID keeps waiting (and remembers the other's invite), the one
//! with the greater ID answers. Messages and engine events that name another invite or another conversation than the
//! present one change nothing. A person who is gone rings no more, is rung no more, and is waited for no more while
//! connecting; a connection that was made is left to its own interruptions, which end sooner where the far side's
//! program has ended (`far_end`).

use std::collections::BTreeSet;

use crate::identity::{PeerId, display_name};
use crate::media::{MediaSet, MediaTime};

use super::context::Context;
use super::invite::EndedInvites;
use super::rang_meanwhile::RangMeanwhile;
use super::releasing::{EndedConversations, Releasing};
use super::waiting::Waiting;
use super::{CallEnd, CallReport, Conversation, Effect, IncomingInvite, Input, OutgoingInvite};

/// Where the call stands.
#[derive(Debug, Default)]
pub enum CallState {
    /// No call.
    #[default]
    Idle,
    /// This side waits for an answer.
    Outgoing(OutgoingInvite),
    /// Somebody rings.
    Incoming(IncomingInvite),
    /// A conversation, connecting or connected.
    Conversation(Conversation),
}

/// The call of one person, as a pure machine.
#[derive(Debug)]
pub struct CallMachine {
    pub(super) me: PeerId,
    pub(super) name: String,
    pub(super) state: CallState,
    /// Streams that the devices give, once that was told; a stream that is not captured is announced to nobody.
    captures: Option<MediaSet>,
    pub(super) closing: Option<Releasing>,
    pub(super) ended_invites: EndedInvites,
    pub(super) ended_conversations: EndedConversations,
    /// People who got "busy" since the machine was last idle.
    pub(super) rang_meanwhile: RangMeanwhile,
    /// People who ring beside the present call.
    pub(super) waiting: Waiting,
    /// Nothing rings: a caller hears "busy", and has called in vain.
    pub(super) do_not_disturb: bool,
    /// Strangers whose programs of other versions were reported: each once a run.
    pub(super) rang_incompatible: BTreeSet<PeerId>,
}

impl CallMachine {
    /// An idle machine for the person `me`, who calls themself `name`.
    pub fn new(me: PeerId, name: &str) -> Self {
        Self {
            me,
            name: display_name(name),
            state: CallState::Idle,
            captures: None,
            closing: None,
            ended_invites: EndedInvites::default(),
            ended_conversations: EndedConversations::default(),
            rang_meanwhile: RangMeanwhile::default(),
            rang_incompatible: BTreeSet::new(),
            waiting: Waiting::default(),
            do_not_disturb: false,
        }
    }

    /// Changes the name that goes with the invites and answers to come.
    pub fn set_name(&mut self, name: &str) {
        self.name = display_name(name);
    }

    /// Where the call stands.
    pub const fn state(&self) -> &CallState {
        &self.state
    }

    /// True while a conversation that is over still releases its devices and connections.
    pub const fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// When `Input::Deadline` is due, if ever.
    pub fn next_deadline(&self) -> Option<MediaTime> {
        let state = match &self.state {
            CallState::Idle => None,
            CallState::Outgoing(outgoing) => Some(outgoing.deadline()),
            CallState::Incoming(incoming) => Some(incoming.deadline()),
            CallState::Conversation(conversation) => conversation.deadline(),
        };
        let closing = self.closing.as_ref().map(Releasing::deadline);
        state.into_iter().chain(closing).chain(self.waiting.deadline()).min()
    }

    /// Takes one input at `now` and appends the effects, in order, to `effects`.
    pub fn step(&mut self, now: MediaTime, input: Input, effects: &mut Vec<Effect>) {
        let cx = &mut Context { now, effects };
        let state = std::mem::take(&mut self.state);
        let state = match input {
            Input::Local(press) => self.press(state, cx, press),
            Input::Peer { from, standing, message } => self.message(state, cx, from, standing, message),
            Input::Engine { conversation, peer, event } => self.engine(state, cx, conversation, peer, event),
            Input::Undelivered { to, message } => self.undelivered(state, cx, to, message),
            Input::Captures { streams } => {
                self.captures = Some(streams);
                self.announce(state, cx)
            }
            Input::Gone { peer } => {
                self.miss_waiting(cx, |waiting| waiting.from == peer);
                self.gone(state, cx, peer)
            }
            Input::FarClosed { peer } => Self::far_closed(state, cx, peer, true),
            Input::FarRestored { peer } => Self::far_closed(state, cx, peer, false),
            Input::DoNotDisturb { on } => self.follow_do_not_disturb(state, cx, on),
            Input::NetworkChanged => ask_for_restarts(state, cx, true),
            Input::MediaReleased { conversation } => {
                self.media_released(cx, conversation);
                state
            }
            Input::Deadline => self.deadline(state, cx),
        };
        self.state = self.ring_next(state, cx);
        if matches!(self.state, CallState::Idle) {
            self.rang_meanwhile.clear();
        }
    }

    /// The part of `sends` that the devices give.
    pub(super) fn captured(&self, sends: MediaSet) -> MediaSet {
        self.captures.map_or(sends, |captures| sends.and(captures))
    }

    /// Tells the others of the present conversation this side's streams, when they have changed.
    pub(super) fn announce(&self, mut state: CallState, cx: &mut Context<'_>) -> CallState {
        if let CallState::Conversation(conversation) = &mut state {
            conversation.announce(cx, self.captured(conversation.sends));
        }
        state
    }

    fn deadline(&mut self, state: CallState, cx: &mut Context<'_>) -> CallState {
        if self.closing.as_ref().is_some_and(|closing| closing.deadline() <= cx.now) {
            self.report_closed(cx);
        }
        self.waiting_deadline(cx);
        match state {
            CallState::Outgoing(outgoing) if outgoing.deadline() <= cx.now => {
                let report = CallReport::InviteTimeout { invite: outgoing.invite };
                self.withdraw(cx, &outgoing, report, CallEnd::NoAnswer)
            }
            CallState::Incoming(incoming) if incoming.deadline() <= cx.now => {
                let report = CallReport::InviteTimeout { invite: incoming.invite };
                self.end_incoming(cx, incoming, report, CallEnd::Missed)
            }
            CallState::Conversation(conversation) => {
                let mut state = self.links_deadline(cx, conversation);
                if let CallState::Conversation(conversation) = &mut state {
                    conversation.apply_held_offers(cx);
                    conversation.resend(cx);
                }
                ask_for_restarts(state, cx, false)
            }
            state @ (CallState::Idle | CallState::Outgoing(_) | CallState::Incoming(_)) => state,
        }
    }

    fn links_deadline(&mut self, cx: &mut Context<'_>, conversation: Conversation) -> CallState {
        let overdue: Vec<PeerId> = conversation
            .participants
            .iter()
            .filter(|(_, participant)| participant.gone_at().is_some_and(|at| at <= cx.now))
            .map(|(&peer, _)| peer)
            .collect();
        let mut state = CallState::Conversation(conversation);
        for peer in overdue {
            state = match state {
                CallState::Conversation(conversation) => self.connection_is_gone(cx, conversation, peer),
                over @ (CallState::Idle | CallState::Outgoing(_) | CallState::Incoming(_)) => over,
            };
        }
        state
    }
}

/// Asks every silent participant for an ICE restart: when it is time, or at once with a `changed` network.
fn ask_for_restarts(mut state: CallState, cx: &mut Context<'_>, changed: bool) -> CallState {
    if let CallState::Conversation(conversation) = &mut state {
        conversation.ask_for_restarts(cx, changed);
    }
    state
}
