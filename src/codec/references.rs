//! Numbers of reference pictures, by which a receiver knows whether a picture can be decoded after those that it has.

/// References of one stream, as far as its receiver has decoded it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReferenceChain {
    /// Bits in which the stream numbers its reference pictures; 0 before a parameter set has told.
    pub(super) number_bits: u32,
    /// Number of a picture that needs no other reference than the latest one; `None` before a keyframe.
    pub(super) next: Option<u32>,
    /// A picture that no other refers to has come since the keyframe: the stream has temporal layers.
    pub(super) is_layered: bool,
}

impl ReferenceChain {
    /// True where `missing` packets before a picture that follows are of pictures alone that no other refers to.
    /// Numbers begin at 0 with each keyframe, so one among the missing, and the references between it and the picture,
    /// would be as many packets as the number of the picture, at least.
    pub fn can_lack(&self, missing: usize) -> bool {
        self.is_layered && self.next.is_some_and(|next| missing < next as usize)
    }
}
