//! RTP sequence numbers (RFC 3550, 5.1) counted on where 16 bits wrap.

/// The count of a stream's first packet: far from zero, so that packets that come before it still count upwards.
pub const fn first_count(sequence: u16) -> u64 {
    (1 << 32) + sequence as u64
}

/// The count nearest to `near` of a packet with that number.
pub const fn count_near(near: u64, sequence: u16) -> u64 {
    let distance = sequence.wrapping_sub(near as u16) as i16;
    near.saturating_add_signed(distance as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_on_across_the_wrap_in_both_directions() {
        let first = first_count(65_534);
        let counts = [65_535, 0, 5, 65_533].map(|sequence| count_near(first, sequence) as i64 - first as i64);
        assert_eq!(counts, [1, 2, 7, -1]);
        assert_eq!(count_near(first + 2, 65_535), first + 1);
        assert_eq!(count_near(0, 65_535), 0, "there is nothing before zero");
    }
}
