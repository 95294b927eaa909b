//! Consent is a type: opening the camera, the microphone or a peer connection demands a [`Consent`], and only the local
//! arms of the state chart can make one. Nothing that a peer sends can: this file is a child of `press`, and the
//! function that makes a consent is visible to its parent alone.

/// Proof that the person at this computer pressed something that means "capture me" or "call": opening the preview,
/// Invite, or Answer.
///
/// It cannot be cloned, and nothing outside the local arms can build one:
///
/// ```compile_fail
/// let consent = visavis::call::Consent { _private: () };
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a consent that nobody uses opens nothing"]
pub struct Consent {
    _private: (),
}

impl Consent {
    /// Made where a local press is handled, and nowhere else.
    pub(super) const fn of_local_press() -> Self {
        Self { _private: () }
    }

    /// For unit tests of what demands consent.
    #[cfg(test)]
    pub(crate) const fn for_test() -> Self {
        Self { _private: () }
    }
}
