//! Invites, pending until one of their outcomes: accepted, rejected, canceled, busy, timeout or failed.

use std::collections::VecDeque;
use std::time::Duration;

use crate::identity::PeerId;
use crate::media::{MediaSet, MediaTime};

use super::{Consent, ConversationId, InviteId};

/// How long the caller waits for an answer.
pub const OUTGOING_TIMEOUT: Duration = Duration::from_secs(45);
/// How long the callee rings when the caller says no more: a little longer, so that the caller's own end comes first.
pub const INCOMING_TIMEOUT: Duration = Duration::from_secs(50);

/// An invite of this side's that waits for an answer.
#[derive(Debug)]
pub struct OutgoingInvite {
    pub(super) invite: InviteId,
    pub(super) conversation: ConversationId,
    pub(super) to: PeerId,
    /// Streams that this side wants to send now, and those that the invite named.
    pub(super) sends: MediaSet,
    pub(super) announced: MediaSet,
    pub(super) ringing: bool,
    pub(super) began: MediaTime,
    /// Made by the press; handed over once, to the peer connection.
    pub(super) consent: Consent,
    /// Their invite, when it crossed this one on the way and this one wins.
    pub(super) crossed: Option<IncomingInvite>,
}

impl OutgoingInvite {
    /// Its name.
    pub const fn invite(&self) -> InviteId {
        self.invite
    }

    /// The conversation that it invites to.
    pub const fn conversation(&self) -> ConversationId {
        self.conversation
    }

    /// ID of the person.
    pub const fn to(&self) -> PeerId {
        self.to
    }

    /// True once the callee's app has said that it rings.
    pub const fn ringing(&self) -> bool {
        self.ringing
    }

    /// This side's streams, on where it means to send.
    pub const fn sends(&self) -> MediaSet {
        self.sends
    }

    pub(super) fn deadline(&self) -> MediaTime {
        self.began + OUTGOING_TIMEOUT
    }
}

/// An invite that waits for this side's answer.
#[derive(Clone, Debug)]
pub struct IncomingInvite {
    pub(super) invite: InviteId,
    pub(super) conversation: ConversationId,
    pub(super) from: PeerId,
    pub(super) name: String,
    pub(super) user_data: String,
    pub(super) contact: bool,
    pub(super) streams: MediaSet,
    pub(super) began: MediaTime,
}

impl IncomingInvite {
    /// Its name.
    pub const fn invite(&self) -> InviteId {
        self.invite
    }

    /// The conversation that it invites to.
    pub const fn conversation(&self) -> ConversationId {
        self.conversation
    }

    /// The caller.
    pub const fn from(&self) -> PeerId {
        self.from
    }

    /// The name that they chose.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The note that came with it.
    pub fn user_data(&self) -> &str {
        &self.user_data
    }

    /// Whether they are a contact.
    pub const fn is_contact(&self) -> bool {
        self.contact
    }

    /// Whether they want to send video.
    pub fn with_video(&self) -> bool {
        self.streams.camera()
    }

    pub(super) fn deadline(&self) -> MediaTime {
        self.began + INCOMING_TIMEOUT
    }
}

/// The invites that ended lately, so that a late Accept is answered and a repeated invite does not ring again.
#[derive(Debug, Default)]
pub(super) struct EndedInvites {
    latest: VecDeque<EndedInvite>,
}

#[derive(Debug)]
struct EndedInvite {
    invite: InviteId,
    peer: PeerId,
    /// The latest of this side's own invites.
    conversation: Option<ConversationId>,
}

impl EndedInvites {
    const KEPT: usize = 32;

    pub(super) fn add_outgoing(&mut self, outgoing: &OutgoingInvite) {
        self.add(EndedInvite { invite: outgoing.invite, peer: outgoing.to, conversation: Some(outgoing.conversation) });
    }

    pub(super) fn add_incoming(&mut self, invite: InviteId, from: PeerId) {
        self.add(EndedInvite { invite, peer: from, conversation: None });
    }

    fn add(&mut self, ended: EndedInvite) {
        if self.latest.len() >= Self::KEPT {
            self.latest.pop_front();
        }
        self.latest.push_back(ended);
    }

    /// Whether this invite of `from`'s rang before.
    pub(super) fn has_rung(&self, invite: InviteId, from: PeerId) -> bool {
        self.latest.iter().any(|ended| ended.invite == invite && ended.peer == from && ended.conversation.is_none())
    }

    /// The conversation of an invite to `to` that ended without being accepted; each is given once.
    pub(super) fn take_outgoing(&mut self, invite: InviteId, to: PeerId) -> Option<ConversationId> {
        let at = self
            .latest
            .iter()
            .position(|ended| ended.invite == invite && ended.peer == to && ended.conversation.is_some())?;
        self.latest.remove(at)?.conversation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_ended_invites_is_bounded() {
        let peer = PeerId::from_bytes([1; 32]);
        let mut ended = EndedInvites::default();
        for number in 0..10_000 {
            ended.add_incoming(InviteId::from_bits(number), peer);
        }
        assert_eq!(ended.latest.len(), EndedInvites::KEPT);
        assert!(ended.has_rung(InviteId::from_bits(9_999), peer));
        assert!(!ended.has_rung(InviteId::from_bits(9_999), PeerId::from_bytes([2; 32])));
    }
}
