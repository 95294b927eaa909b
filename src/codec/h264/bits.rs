//! Bits of the syntax of NAL units (ITU-T H.264, 7.2, 9.1).

/// The first bytes of a NAL unit without the bytes that prevent the emulation of start codes (7.4.1).
pub(super) struct Raw<const MAX_BYTES: usize> {
    bytes: [u8; MAX_BYTES],
    length: usize,
}

impl<const MAX_BYTES: usize> Raw<MAX_BYTES> {
    /// Takes up to `MAX_BYTES` bytes of `escaped`; false as the second value where there are more.
    pub(super) fn of(escaped: &[u8]) -> (Self, bool) {
        let mut raw = Self { bytes: [0; MAX_BYTES], length: 0 };
        let mut zeros = 0;
        for &byte in escaped {
            if zeros >= 2 && byte == 3 {
                zeros = 0;
                continue;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            let Some(place) = raw.bytes.get_mut(raw.length) else { return (raw, false) };
            *place = byte;
            raw.length += 1;
        }
        (raw, true)
    }

    /// Its bits.
    pub(super) fn bits(&self) -> Bits<'_> {
        Bits { bytes: self.bytes.get(..self.length).unwrap_or_default(), position: 0 }
    }
}

/// Reads bits from the highest of the first byte on.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl Bits<'_> {
    /// The next `count` (at most 32) bits.
    pub(super) fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0_u32;
        for _ in 0..count {
            let byte = self.bytes.get(self.position / 8)?;
            let bit = byte >> (7 - self.position % 8) & 1;
            value = value << 1 | u32::from(bit);
            self.position += 1;
        }
        Some(value)
    }

    /// An unsigned Exp-Golomb code (9.1).
    pub(super) fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.take(1)? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1_u32 << zeros) - 1 + self.take(zeros)?)
    }
}
