//! Consent is a type: opening a camera, a microphone or a peer connection demands a [`Consent`], and only the module
//! that handles local presses, `call::press`, can make one. Nothing that a peer sends can.
//!
//! The module stands below `call` and cannot name it, so the right to make a consent is handed down by a trait:
//! coherence admits one implementation of [`Grant`] for [`Granter`] in the whole program, and its witness is a type
//! that `call::press` alone can build.

/// Proof that the person at this computer pressed a control that means "capture me" or "call": opening the preview,
/// Invite, or Answer.
///
/// It cannot be cloned, its field is private, and nothing outside the local arms can build one; `tests/architecture.rs`
/// checks who names the right to.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a consent that nobody uses opens nothing"]
pub struct Consent {
    _private: (),
}

/// Right to make a [`Consent`].
pub(crate) trait Grant {
    /// Shown to make one: a type with a private field of the module that holds the right.
    type Witness;
}

/// The one holder of the right.
pub(crate) enum Granter {}

impl Consent {
    /// Made where a local press is handled, and nowhere else.
    pub(crate) const fn granted(_witness: &<Granter as Grant>::Witness) -> Self {
        Self { _private: () }
    }

    /// For unit tests of functions that demand consent.
    #[cfg(test)]
    pub(crate) const fn for_test() -> Self {
        Self { _private: () }
    }
}
