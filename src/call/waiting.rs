//! People who ring while this side calls, is rung or talks (call waiting), at most [`MAX_WAITING`] of them.

use crate::identity::PeerId;
use crate::media::MediaTime;

use super::{IncomingInvite, InviteId};

/// Invites that the person is asked about at most, beside the one that rings.
const MAX_WAITING: usize = 3;
/// Ignored invites that are remembered at most.
const MAX_IGNORED: usize = 8;

/// An invite that waits.
#[derive(Debug)]
struct WaitingInvite {
    incoming: IncomingInvite,
    /// The person does not want to be asked; the caller goes on hearing that it rings.
    ignored: bool,
}

/// Invites that wait, the first one first.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    invites: Vec<WaitingInvite>,
    /// The soft tone sounds.
    pub(super) tone: bool,
}

impl Waiting {
    /// The invites that the person is asked about.
    pub(super) fn asked(&self) -> impl Iterator<Item = &IncomingInvite> {
        self.invites.iter().filter(|waiting| !waiting.ignored).map(|waiting| &waiting.incoming)
    }

    /// Whether there is room for one more: a stranger waits where no other does, so that strangers take one place.
    pub(super) fn has_room_for(&self, contact: bool) -> bool {
        self.asked().count() < MAX_WAITING && (contact || self.asked().all(|waiting| waiting.contact))
    }

    /// Whether this invite of `from`'s waits already.
    pub(super) fn has(&self, invite: InviteId, from: PeerId) -> bool {
        self.invites.iter().any(|waiting| waiting.incoming.invite == invite && waiting.incoming.from == from)
    }

    /// Adds an invite behind the others.
    pub(super) fn push(&mut self, incoming: IncomingInvite, ignored: bool) {
        self.invites.push(WaitingInvite { incoming, ignored });
    }

    /// Adds an invite before the others.
    pub(super) fn push_front(&mut self, incoming: IncomingInvite) {
        self.invites.insert(0, WaitingInvite { incoming, ignored: false });
    }

    /// Notes that the person does not want to be asked about the first `wanted` invite; false where there is none.
    pub(super) fn ignore(&mut self, wanted: impl Fn(&IncomingInvite) -> bool) -> bool {
        let found = self.invites.iter_mut().find(|waiting| !waiting.ignored && wanted(&waiting.incoming));
        found.map(|waiting| waiting.ignored = true).is_some()
    }

    /// The oldest ignored invite, where there are too many of them.
    pub(super) fn surplus(&self) -> Option<(InviteId, PeerId)> {
        let mut ignored = self.invites.iter().filter(|waiting| waiting.ignored);
        let oldest = ignored.next().map(|waiting| (waiting.incoming.invite, waiting.incoming.from));
        oldest.filter(|_| ignored.count() >= MAX_IGNORED)
    }

    /// Takes out the first invite that is `wanted`.
    pub(super) fn take(&mut self, wanted: impl Fn(&IncomingInvite) -> bool) -> Option<IncomingInvite> {
        let at = self.invites.iter().position(|waiting| wanted(&waiting.incoming))?;
        Some(self.invites.remove(at).incoming)
    }

    /// Takes out the first `wanted` invite of those that the person is asked about.
    pub(super) fn take_asked(&mut self, wanted: impl Fn(&IncomingInvite) -> bool) -> Option<IncomingInvite> {
        let at = self.invites.iter().position(|waiting| !waiting.ignored && wanted(&waiting.incoming))?;
        Some(self.invites.remove(at).incoming)
    }

    /// When the next one has rung for long enough.
    pub(super) fn deadline(&self) -> Option<MediaTime> {
        self.invites.iter().map(|waiting| waiting.incoming.deadline()).min()
    }
}
