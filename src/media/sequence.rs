//! Unwrapping of RTP sequence numbers (RFC 3550, 5.1) from 16 to 64 bits.

/// The unwrapped number of a stream's first packet: far from zero, so that packets that come before it have one, too.
pub const fn first_unwrapped(sequence: u16) -> u64 {
    (1 << 32) + sequence as u64
}

/// The unwrapped number of a packet, the one nearest to `near`.
pub const fn unwrap_sequence(near: u64, sequence: u16) -> u64 {
    let distance = sequence.wrapping_sub(near as u16) as i16;
    near.saturating_add_signed(distance as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_on_across_the_wrap_in_both_directions() {
        let first = first_unwrapped(65_534);
        let counts = [65_535, 0, 5, 65_533].map(|sequence| unwrap_sequence(first, sequence) as i64 - first as i64);
        assert_eq!(counts, [1, 2, 7, -1]);
        assert_eq!(unwrap_sequence(first + 2, 65_535), first + 1);
        assert_eq!(unwrap_sequence(0, 65_535), 0, "there is nothing before zero");
    }
}
