//! The state chart of a call: which state it is in, and which arm takes an input.
//!
//! ```text
//!                        +-----------------------------------------------------------------+
//!                        v                                                                 |
//!   press Invite  +-------------+  Invite from a peer (not unwelcome, not ended before)    |
//!   +-------------|    Idle     |-----------------------------+                            |
//!   | send Invite +-------------+                send Ringing |                            |
//!   v                    ^  ^                                 v                            |
//! +-----------+ Reject,  |  |  Cancel, press Reject or  +-----------+                      |
//! | Outgoing  | Busy,    |  |  Leave, 50 s              | Incoming  |                      |
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
//! While it is not Idle, an Invite of anybody else gets Busy; but a contact who invites takes the place of a stranger
//! who rings. When both invite each other, the one with the smaller ID keeps waiting (and remembers the other's
//! invite), the one with the greater ID answers. Messages and engine events that name another invite or another
//! conversation than the present one change nothing. A person who is gone rings no more, is rung no more, and is waited
//! for no more while connecting; a connection that was made is left to its own interruptions, which end sooner where
//! the far side's program has ended (`far_end`).

use std::collections::BTreeSet;

use crate::identity::{PeerId, display_name};
use crate::media::{MediaSet, MediaTime};

use super::invite::EndedInvites;
use super::releasing::{EndedConversations, Releasing};
use super::turn::Turn;
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
    /// Streams whose devices work, once that was told; the others are announced to nobody.
    captures: Option<MediaSet>,
    pub(super) closing: Option<Releasing>,
    pub(super) ended_invites: EndedInvites,
    pub(super) ended_conversations: EndedConversations,
    /// People who got "busy" since the machine was last idle: each is reported once.
    pub(super) rang_meanwhile: BTreeSet<PeerId>,
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
            rang_meanwhile: BTreeSet::new(),
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

    /// True while a conversation that is over still releases what it held.
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
        state.into_iter().chain(closing).min()
    }

    /// Takes one input at `now` and appends what to do, in order, to `effects`.
    pub fn step(&mut self, now: MediaTime, input: Input, effects: &mut Vec<Effect>) {
        let turn = &mut Turn { now, effects };
        let state = std::mem::take(&mut self.state);
        self.state = match input {
            Input::Local(press) => self.press(state, turn, press),
            Input::Peer { from, standing, message } => self.message(state, turn, from, standing, message),
            Input::Engine { conversation, peer, event } => self.engine(state, turn, conversation, peer, event),
            Input::Undelivered { to, message } => self.undelivered(state, turn, to, message),
            Input::Captures { streams } => {
                self.captures = Some(streams);
                self.announce(state, turn)
            }
            Input::Gone { peer } => self.gone(state, turn, peer),
            Input::FarClosed { peer } => Self::far_closed(state, turn, peer, true),
            Input::FarRestored { peer } => Self::far_closed(state, turn, peer, false),
            Input::NetworkChanged => ask_for_restarts(state, turn, true),
            Input::MediaReleased { conversation } => {
                self.media_released(turn, conversation);
                state
            }
            Input::Deadline => self.deadline(state, turn),
        };
        if matches!(self.state, CallState::Idle) {
            self.rang_meanwhile.clear();
        }
    }

    /// The streams of `sends` whose devices work.
    pub(super) fn captured(&self, sends: MediaSet) -> MediaSet {
        self.captures.map_or(sends, |captures| sends.and(captures))
    }

    /// Tells the others of the present conversation what this side sends, when that is news.
    pub(super) fn announce(&self, mut state: CallState, turn: &mut Turn<'_>) -> CallState {
        if let CallState::Conversation(conversation) = &mut state {
            conversation.announce(turn, self.captured(conversation.sends));
        }
        state
    }

    fn deadline(&mut self, state: CallState, turn: &mut Turn<'_>) -> CallState {
        if self.closing.as_ref().is_some_and(|closing| closing.deadline() <= turn.now) {
            self.report_closed(turn);
        }
        match state {
            CallState::Outgoing(outgoing) if outgoing.deadline() <= turn.now => {
                let report = CallReport::InviteTimeout { invite: outgoing.invite };
                self.withdraw(turn, &outgoing, report, CallEnd::NoAnswer)
            }
            CallState::Incoming(incoming) if incoming.deadline() <= turn.now => {
                let report = CallReport::InviteTimeout { invite: incoming.invite };
                self.end_incoming(turn, incoming, report, CallEnd::Missed)
            }
            CallState::Conversation(conversation) => {
                let mut state = self.links_deadline(turn, conversation);
                if let CallState::Conversation(conversation) = &mut state {
                    conversation.apply_held_offers(turn);
                    conversation.tell_again(turn);
                }
                ask_for_restarts(state, turn, false)
            }
            state @ (CallState::Idle | CallState::Outgoing(_) | CallState::Incoming(_)) => state,
        }
    }

    fn links_deadline(&mut self, turn: &mut Turn<'_>, conversation: Conversation) -> CallState {
        let overdue: Vec<PeerId> = conversation
            .participants
            .iter()
            .filter(|(_, participant)| participant.gone_at().is_some_and(|at| at <= turn.now))
            .map(|(&peer, _)| peer)
            .collect();
        let mut state = CallState::Conversation(conversation);
        for peer in overdue {
            state = match state {
                CallState::Conversation(conversation) => self.link_is_gone(turn, conversation, peer),
                over @ (CallState::Idle | CallState::Outgoing(_) | CallState::Incoming(_)) => over,
            };
        }
        state
    }
}

/// Asks whoever nothing comes from for an ICE restart: when it is time, or at once with a `changed` network.
fn ask_for_restarts(mut state: CallState, turn: &mut Turn<'_>, changed: bool) -> CallState {
    if let CallState::Conversation(conversation) = &mut state {
        conversation.ask_for_restarts(turn, changed);
    }
    state
}
