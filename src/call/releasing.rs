//! A conversation that is over and still releases its devices and connections, and the memory of those before.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::identity::PeerId;
use crate::media::MediaTime;

use super::{ConversationId, DisconnectReason};

/// How long a release may take before it is reported as done.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(3);

/// A conversation that is over but still releases its devices and connections.
#[derive(Debug)]
pub(super) struct Releasing {
    pub(super) conversation: ConversationId,
    pub(super) reason: DisconnectReason,
    pub(super) media_open: bool,
    pub(super) peers_open: BTreeSet<PeerId>,
    deadline: MediaTime,
}

impl Releasing {
    /// The release of the devices of `conversation` and of its connections to `peers`.
    pub(super) fn new(
        conversation: ConversationId,
        reason: DisconnectReason,
        peers: impl IntoIterator<Item = PeerId>,
        now: MediaTime,
    ) -> Self {
        let (peers_open, deadline) = (peers.into_iter().collect(), now + RELEASE_TIMEOUT);
        Self { conversation, reason, media_open: true, peers_open, deadline }
    }

    pub(super) const fn deadline(&self) -> MediaTime {
        self.deadline
    }

    pub(super) const fn conversation(&self) -> ConversationId {
        self.conversation
    }
}

/// The conversations that ended lately, so that a person who was in one and tries to restore it hears that it is over.
#[derive(Debug, Default)]
pub(super) struct EndedConversations {
    latest: VecDeque<(ConversationId, PeerId)>,
}

impl EndedConversations {
    const KEPT: usize = 32;

    pub(super) fn add(&mut self, conversation: ConversationId, peer: PeerId) {
        if self.latest.len() >= Self::KEPT {
            self.latest.pop_front();
        }
        self.latest.push_back((conversation, peer));
    }

    /// Whether `peer` was in this conversation.
    pub(super) fn was_in(&self, conversation: ConversationId, peer: PeerId) -> bool {
        self.latest.contains(&(conversation, peer))
    }
}
