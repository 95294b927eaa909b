//! Recovery of an interrupted connection: by itself, or by an ICE restart (RFC 8445, 9), whichever comes first.
//!
//! ```text
//! answerer                          offerer
//!    |<---------- Restart ------------- |    either side asks: 1.5 s into an interruption, at once when its addresses
//!    |----------- Restart ------------->|    change, and again every 2 s; the answerer's word, asked or not, is the
//!    |<- offer of the next generation --|    start
//!    |----------- answer -------------->|    and candidates both ways
//! ```
//!
//! Candidates that overtake their description wait for it. An offer that comes within half a second of another waits,
//! too, and only the latest of them is answered.
//!
//! The engine gives up the old path when it restarts. So the offer is made only when a message has just come from the
//! far side: as long as messages do not get through either, the old path is all there is, and may come back.

use std::time::Duration;

use crate::identity::PeerId;
use crate::media::MediaTime;

use super::context::Context;
use super::participant::{Described, INTERRUPTED_TIMEOUT};
use super::restarts::RESTART_INTERVAL;
use super::state::CallMachine;
use super::{CallReport, Conversation, ConversationId, Effect, Message, Participant, ParticipantState, Role, Standing};

/// From the beginning of an interruption to the first wish for a restart: most blackouts are over before.
const ASK_AFTER: Duration = Duration::from_millis(1500);
/// Between wishes.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// A restart that was answered is left this long to find a path before there is another one.
const RESTART_PATIENCE: Duration = Duration::from_secs(5);
/// A wish that comes this soon after the end of an interruption may be of before: messages are kept for 5 s.
const LATE_WISH: Duration = Duration::from_secs(6);

impl Participant {
    /// Which of the connection's descriptions is the latest.
    pub(super) const fn generation(&self) -> u32 {
        self.restarts.generation
    }

    /// When a restart is to be asked for.
    pub(super) const fn ask_at(&self) -> Option<MediaTime> {
        self.restarts.ask_at
    }

    /// When an offer that came too soon is due.
    pub(super) fn held_until(&self) -> Option<MediaTime> {
        self.restarts.held_until()
    }

    /// Media flows, for the first time or again; true when it is again.
    pub(super) fn on_connected(&mut self, now: MediaTime) -> bool {
        let again = self.is_interrupted();
        self.state = ParticipantState::Connected;
        self.closed_at = None;
        self.restarts.stop_asking();
        if again {
            self.restarts.resumed_at = Some(now);
        }
        again
    }

    const fn is_interrupted(&self) -> bool {
        match self.state {
            ParticipantState::Interrupted { .. } => true,
            ParticipantState::Connecting { .. } | ParticipantState::Connected => false,
        }
    }

    /// Whether a wish for a restart that comes at `now` is a present one.
    fn may_restart(&self, now: MediaTime) -> bool {
        match self.state {
            ParticipantState::Connecting { .. } => false,
            ParticipantState::Interrupted { .. } => true,
            // Nothing may come through in one direction alone.
            ParticipantState::Connected => self.restarts.resumed_at.is_none_or(|at| now.since(at) >= LATE_WISH),
        }
    }

    /// Whether none is under way that may still find a path, as one to addresses of before somebody has `moved` cannot.
    fn has_waited(&self, now: MediaTime, moved: bool) -> bool {
        let patience = match (moved, self.is_described()) {
            (true, _) => RESTART_INTERVAL,
            (false, true) => RESTART_PATIENCE,
            (false, false) => ASK_AGAIN,
        };
        self.restarts.began.is_none_or(|at| now.since(at) >= patience)
    }
}

impl Conversation {
    /// Nothing comes from `peer` any more.
    pub(super) fn link_is_interrupted(&mut self, cx: &mut Context<'_>, peer: PeerId) {
        let Some(participant) = self.participants.get_mut(&peer) else { return };
        if participant.state != ParticipantState::Connected {
            return;
        }
        participant.state = ParticipantState::Interrupted { until: cx.now + INTERRUPTED_TIMEOUT };
        participant.forget_old_close(cx.now);
        participant.restarts.ask_at = Some(cx.now + ASK_AFTER);
        cx.report(CallReport::Reconnecting { conversation: self.id, participant: peer });
    }

    /// Asks for restarts that are due; at once for all interruptions when this computer's addresses have `changed`.
    pub(super) fn ask_for_restarts(&mut self, cx: &mut Context<'_>, changed: bool) {
        let conversation = self.id;
        for (&peer, participant) in &mut self.participants {
            let due = participant.ask_at().is_some_and(|at| changed || at <= cx.now);
            if !due || !participant.is_interrupted() {
                continue;
            }
            if changed {
                // A restart that is under way is with the old addresses.
                participant.restarts.began = None;
            }
            participant.restarts.ask_at = Some(cx.now + ASK_AGAIN);
            cx.effect(Effect::RenewRoute { peer });
            let generation = participant.generation();
            cx.send(peer, Message::Restart { conversation, generation, moved: changed });
        }
    }

    /// Applies the offers that came too soon and are due.
    pub(super) fn apply_held_offers(&mut self, cx: &mut Context<'_>) {
        let now = cx.now;
        let due = self
            .participants
            .iter_mut()
            .filter_map(|(&peer, participant)| participant.describe_held(now).map(|described| (peer, described)));
        for (peer, described) in due.collect::<Vec<_>>() {
            self.apply_description(cx, peer, described);
        }
    }

    /// Has the engine apply a description, and the candidates that waited for it.
    pub(super) fn apply_description(&self, cx: &mut Context<'_>, peer: PeerId, described: Described) {
        let conversation = self.id;
        let Described { description, early } = described;
        cx.effect(Effect::ApplyDescription { conversation, peer, description });
        for candidate in early {
            cx.effect(Effect::ApplyCandidate { conversation, peer, candidate });
        }
    }

    /// `peer` asks for a restart, or is ready for one.
    pub(super) fn restart_asked(&mut self, cx: &mut Context<'_>, peer: PeerId, generation: u32, moved: bool) {
        let conversation = self.id;
        let Some(participant) = self.participants.get_mut(&peer) else { return };
        if !participant.may_restart(cx.now) {
            return;
        }
        match participant.role {
            Role::Answerer => {
                let generation = participant.generation();
                cx.send(peer, Message::Restart { conversation, generation, moved: false });
            }
            Role::Offerer if generation <= participant.generation() && participant.has_waited(cx.now, moved) => {
                let generation = participant.begin_restart(cx.now);
                cx.effect(Effect::RestartIce { conversation, peer, generation });
            }
            Role::Offerer => {}
        }
    }
}

impl CallMachine {
    /// Somebody wants to restore a connection of a conversation that is not the present one: for them it is to be over,
    /// too. A contact may mean one of before this program's start. Strangers with whom there was none hear nothing.
    pub(super) fn late_restart(
        &self,
        cx: &mut Context<'_>,
        conversation: ConversationId,
        from: PeerId,
        standing: Standing,
    ) {
        if standing == Standing::Contact || self.ended_conversations.was_in(conversation, from) {
            cx.send(from, Message::Ended { conversation });
        }
    }
}
