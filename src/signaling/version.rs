//! Versions of signaling: the range that each side's hello carries, and the one that both sides then speak.
//!
//! Hellos and confirms, and the envelopes and records around them, stay as they are in every later version: with them
//! two sides prove their keys to each other, and then know whether a common version exists. Where none does, the
//! connection stays up, so that presence is true, but carries no messages (`docs/decisions/version-negotiation.md`).

pub use crate::call::{VersionSkew, Versions};

/// The first version whose hello tells the versions. Nothing is said to apps of before it, and they are not dialed.
pub(super) const FIRST_NEGOTIATED: u16 = 3;

impl Versions {
    /// The versions of signaling that this app speaks.
    pub const OWN: Self = Self { min: 3, max: 3 };
}
