//! A conversation: connecting until the first participant is connected, connected until the last is gone.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::identity::PeerId;
use crate::media::{MediaSet, MediaTime};

use super::context::Context;
use super::participant::Participant;
use super::{CallReport, ConversationId, InviteId, Message, ParticipantState, ParticipantStream, RecordedParticipant};

/// From the news that a word about this side's streams did not arrive to the next try.
const RESEND_AFTER: Duration = Duration::from_secs(2);

/// Participants who are gone and are remembered for the record of the call.
const MAX_DEPARTED: usize = 32;

/// A conversation and its participants.
#[derive(Debug)]
pub struct Conversation {
    pub(super) id: ConversationId,
    /// The invite that led to it, and the name under which this side's person knows it.
    pub(super) invite: InviteId,
    pub(super) pressed_invite: InviteId,
    pub(super) outgoing: bool,
    pub(super) began: MediaTime,
    pub(super) connected_at: Option<MediaTime>,
    /// Streams that this side means to send, and those that the others were told of.
    pub(super) sends: MediaSet,
    pub(super) announced: MediaSet,
    pub(super) participants: BTreeMap<PeerId, Participant>,
    /// Those who took part and are gone, for the record; the latest few.
    pub(super) departed: Vec<RecordedParticipant>,
}

impl Conversation {
    /// Its name.
    pub const fn id(&self) -> ConversationId {
        self.id
    }

    /// When the first participant was connected; before that, the conversation is connecting.
    pub const fn connected_at(&self) -> Option<MediaTime> {
        self.connected_at
    }

    /// This side's streams, on where it means to send.
    pub const fn sends(&self) -> MediaSet {
        self.sends
    }

    /// The others.
    pub fn participants(&self) -> impl Iterator<Item = (PeerId, &Participant)> {
        self.participants.iter().map(|(&peer, participant)| (peer, participant))
    }

    pub(super) fn deadline(&self) -> Option<MediaTime> {
        self.participants.values().filter_map(Participant::deadline).min()
    }

    /// Announces this side's streams: those of its intent that are `captured`.
    pub(super) fn announce(&mut self, cx: &mut Context<'_>, captured: MediaSet) {
        if std::mem::replace(&mut self.announced, captured) == captured {
            return;
        }
        let peers: Vec<PeerId> = self.participants.keys().copied().collect();
        peers.into_iter().for_each(|peer| self.tell(cx, peer));
    }

    /// Sends `peer` the latest announcement.
    fn tell(&mut self, cx: &mut Context<'_>, peer: PeerId) {
        if let Some(participant) = self.participants.get_mut(&peer) {
            participant.resend_at = None;
            cx.send(peer, Message::Media { conversation: self.id, streams: self.announced });
        }
    }

    /// Handles an undelivered message to `peer` about this side's streams: it is sent again a little later.
    pub(super) fn resend_later(&mut self, cx: &Context<'_>, peer: PeerId) {
        if let Some(participant) = self.participants.get_mut(&peer) {
            participant.resend_at = Some(cx.now + RESEND_AFTER);
        }
    }

    /// Sends again the messages that are due; while nothing comes from a person, that waits for the connection.
    pub(super) fn resend(&mut self, cx: &mut Context<'_>) {
        let due = |participant: &Participant| {
            participant.state == ParticipantState::Connected && participant.resend_at.is_some_and(|at| at <= cx.now)
        };
        let peers: Vec<PeerId> =
            self.participants.iter().filter(|(_, participant)| due(participant)).map(|(&peer, _)| peer).collect();
        peers.into_iter().for_each(|peer| self.tell(cx, peer));
    }

    /// Takes a participant out, and remembers them for the record.
    pub(super) fn depart(&mut self, peer: PeerId) {
        if let Some(participant) = self.participants.remove(&peer) {
            self.departed.retain(|one| one.peer != peer);
            if self.departed.len() >= MAX_DEPARTED {
                self.departed.remove(0);
            }
            self.departed.push(participant.recorded(peer));
        }
    }

    /// Media flows to and from `peer`, for the first time or again.
    pub(super) fn on_connected(&mut self, cx: &mut Context<'_>, peer: PeerId) {
        let Some(participant) = self.participants.get_mut(&peer) else { return };
        let first = match participant.state {
            ParticipantState::Connecting { .. } => true,
            ParticipantState::Connected | ParticipantState::Interrupted { .. } => false,
        };
        let conversation = self.id;
        if participant.on_connected(cx.now) {
            cx.report(CallReport::Reconnected { conversation, participant: peer });
            // What was announced meanwhile, or just before, may have been lost.
            self.tell(cx, peer);
        }
        let Some(participant) = self.participants.get(&peer).filter(|_| first) else { return };
        if self.connected_at.is_none() {
            self.connected_at = Some(cx.now);
            cx.report(CallReport::ConversationConnected { conversation });
        }
        let (streams, name) = (participant.streams, participant.name.clone());
        cx.report(CallReport::ParticipantConnected { conversation, participant: peer, name });
        for stream in streams.iter() {
            cx.report(CallReport::StreamAdded(ParticipantStream { conversation, participant: peer, stream, streams }));
        }
    }
}
