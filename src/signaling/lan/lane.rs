//! Lanes of dials: each has room and, where others cause its dials, a budget of its own, so that no flood on one of
//! them holds up the others, and no address has more than a small part of it. A person's lane follows from proofs and
//! from what this side wants, never from the contacts: else the time until a dial would tell who is one.

/// Why a person is dialed; the first lane goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Lane {
    /// This side wants to reach them.
    Sought,
    /// They have proved to be there.
    Proven,
    /// Somebody says that they are there: anybody can announce any number of people, at addresses that never answer.
    Unproven,
}

impl Lane {
    /// Dials under way at most. Dials that hang, three seconds each, leave room: for two at each of 64 addresses where
    /// people have proved to be, and elsewhere for all that the lane's budget grants in that time.
    pub(super) const fn room(self) -> usize {
        match self {
            Self::Sought => 16,
            Self::Proven => 128,
            Self::Unproven => 32,
        }
    }

    /// Dials under way at one address at most, where others cause them.
    pub(super) const fn room_at_one_address(self) -> usize {
        match self {
            Self::Sought => Self::Sought.room(),
            Self::Proven | Self::Unproven => 2,
        }
    }
}
