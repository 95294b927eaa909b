//! Lanes of dials: each has room and, where others cause its dials, a budget of its own, so that no flood on one of them
//! holds up the others. A person's lane follows from proofs and from what this side wants, never from the contacts: else
//! the time until a dial would tell who is one.

/// Why a person is dialed; the first lane goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    /// This side wants to reach them.
    Sought,
    /// They have proved to be there.
    Proven,
    /// Somebody says that they are there: anybody can announce any number of people, at addresses that never answer.
    Unproven,
}

impl Lane {
    /// Dials under way at most.
    pub(super) const fn room(self) -> usize {
        match self {
            Self::Sought => 16,
            Self::Proven | Self::Unproven => 8,
        }
    }
}
