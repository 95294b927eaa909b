//! Numbers of reference pictures, by which a receiver knows whether a picture can be decoded after those that it has.

/// References of one stream, as far as its receiver has decoded it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReferenceChain {
    /// Bits in which the stream numbers its reference pictures; 0 before a parameter set has told.
    pub(super) number_bits: u32,
    /// Number of a picture that needs no other reference than the latest one; `None` before a keyframe.
    pub(super) next: Option<u32>,
}
