//! Sequence parameter sets (ITU-T H.264, 7.3.2.1.1): their picture size is read so that a stranger's stream cannot make
//! the codec allocate for an enormous picture, and the bits of `frame_num`.

use super::bits::Raw;
use super::nal_unit::{SEQUENCE_PARAMETER_SET, SUBSET_SEQUENCE_PARAMETER_SET, TYPE_MASK, nal_units};

/// True when every sequence parameter set in `annex_b` is well formed, gives a size of at most `max_side` each way, and
/// has the codec keep at most `max_kept` pixels of pictures that others refer to.
pub(super) fn all_within(annex_b: &[u8], max_side: u32, max_kept: u64) -> bool {
    nal_units(annex_b).all(|unit| match annex_b[unit].split_first() {
        Some((header, body)) if is_parameter_set(*header) => {
            SequenceParameterSet::read(body).is_some_and(|set| set.is_within(max_side, max_kept))
        }
        _ => true,
    })
}

const fn is_parameter_set(header: u8) -> bool {
    matches!(header & TYPE_MASK, SEQUENCE_PARAMETER_SET | SUBSET_SEQUENCE_PARAMETER_SET)
}

/// Contents of a sequence parameter set that matter here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SequenceParameterSet {
    /// Bits of `frame_num` in slice headers.
    pub(super) frame_num_bits: u32,
    /// Pixels before cropping.
    width: u32,
    height: u32,
    /// Pictures that are kept because others refer to them.
    references: u32,
}

/// Bytes of a set that are read: emulation prevention matters for the first ones only, and a set that needs more than
/// these is not ours.
const MOST: usize = 256;

impl SequenceParameterSet {
    /// Reads a set behind its first byte; `None` for one of a profile that was never negotiated, and for a malformed
    /// one.
    pub(super) fn read(set: &[u8]) -> Option<Self> {
        let (raw, true) = Raw::<MOST>::of(set) else { return None };
        let mut bits = raw.bits();
        let profile = bits.take(8)?;
        bits.take(16)?;
        bits.exp_golomb()?;
        if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
            return None;
        }
        let frame_num_bits = bits.exp_golomb().filter(|&beyond_4| beyond_4 <= 12)? + 4;
        match bits.exp_golomb()? {
            0 => {
                bits.exp_golomb()?;
            }
            1 => {
                bits.take(1)?;
                bits.exp_golomb()?;
                bits.exp_golomb()?;
                for _ in 0..bits.exp_golomb().filter(|&count| count <= 255)? {
                    bits.exp_golomb()?;
                }
            }
            2 => {}
            _ => return None,
        }
        let references = bits.exp_golomb()?;
        bits.take(1)?;
        let width = bits.exp_golomb()?.checked_add(1)?.checked_mul(16)?;
        let map_units = bits.exp_golomb()?.checked_add(1)?.checked_mul(16)?;
        let frames_only = bits.take(1)?;
        let height = map_units.checked_mul(2 - frames_only)?;
        Some(Self { frame_num_bits, width, height, references })
    }

    /// True where a decoder allocates no more than this. The product of three sizes that a stranger chose can exceed 64
    /// bits, which is more than any bound.
    fn is_within(&self, max_side: u32, max_kept: u64) -> bool {
        let pixels = u64::from(self.width) * u64::from(self.height);
        let kept = pixels.checked_mul(self.references.max(1).into());
        self.width <= max_side && self.height <= max_side && kept.is_some_and(|kept| kept <= max_kept)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A baseline parameter set for a picture of the given macroblocks.
    fn parameter_set(width_mbs: u32, height_mbs: u32) -> Vec<u8> {
        with_references(width_mbs, height_mbs, 1)
    }

    fn with_references(width_mbs: u32, height_mbs: u32, references: u32) -> Vec<u8> {
        let mut bits = String::new();
        let mut golomb = |value: u32| {
            let binary = format!("{:b}", value + 1);
            bits.push_str(&"0".repeat(binary.len() - 1));
            bits.push_str(&binary);
        };
        for value in [0, 0, 2, references] {
            golomb(value);
        }
        bits.push('0');
        let mut golomb = |value: u32| {
            let binary = format!("{:b}", value + 1);
            bits.push_str(&"0".repeat(binary.len() - 1));
            bits.push_str(&binary);
        };
        golomb(width_mbs - 1);
        golomb(height_mbs - 1);
        bits.push_str("1100001");
        while !bits.len().is_multiple_of(8) {
            bits.push('0');
        }
        let mut bytes = vec![0, 0, 0, 1, 0x67, 66, 0xc0, 31];
        bytes.extend(
            bits.as_bytes().chunks(8).map(|chunk| chunk.iter().fold(0_u8, |byte, &bit| byte << 1 | (bit - b'0'))),
        );
        bytes
    }

    #[test]
    fn the_size_of_a_baseline_parameter_set_is_read() {
        let expected = SequenceParameterSet { frame_num_bits: 4, width: 1280, height: 720, references: 1 };
        assert_eq!(SequenceParameterSet::read(&parameter_set(80, 45)[5..]), Some(expected));
    }

    #[test]
    fn enormous_and_broken_sets_are_refused() {
        let accepted = |unit: &[u8]| all_within(unit, 1920, 1920 * 1088 * 4);
        assert!(accepted(&parameter_set(120, 68)));
        assert!(!accepted(&parameter_set(121, 2)));
        assert!(!accepted(&parameter_set(2, 121)));
        assert!(accepted(&with_references(120, 68, 4)) && accepted(&with_references(80, 45, 9)));
        assert!(!accepted(&with_references(120, 68, 5)) && !accepted(&with_references(120, 120, 16)));
        assert!(!accepted(&[0, 0, 1, 0x67, 66]));
        assert!(!accepted(&[0, 0, 1, 0x67]));
        assert!(accepted(&[0, 0, 1, 0x65, 1, 2, 3]));
    }

    /// Sides and references as long as their codes allow: the product of each two or three of them exceeds 64 bits.
    #[test]
    fn sizes_whose_product_exceeds_any_integer_are_refused() {
        const SIDE: u32 = (1 << 28) - 1;
        const REFERENCES: u32 = u32::MAX - 1;
        for (width, height, references) in
            [(SIDE, SIDE, 2), (SIDE, SIDE, REFERENCES), (120, SIDE, REFERENCES), (SIDE, 68, REFERENCES)]
        {
            let set = with_references(width, height, references);
            let (width, height) = (width * 16, height * 16);
            let expected = SequenceParameterSet { frame_num_bits: 4, width, height, references };
            assert_eq!(SequenceParameterSet::read(&set[5..]), Some(expected));
            assert!(!all_within(&set, 1920, 1920 * 1088 * 4));
            assert!(!all_within(&set, u32::MAX, u64::MAX), "more than any bound");
        }
        let largest = with_references(120, 68, REFERENCES);
        assert!(all_within(&largest, u32::MAX, u64::MAX) && !all_within(&largest, 1920, 1920 * 1088 * 4));
        // Found by the fuzzer.
        let found = [
            [0, 0, 1, 0x67, 0, 0, 0, 0, 0x2a, 0x06, 0x80, 0x80, 0, 0, 0, 0xff].as_slice(),
            &[0xce, 0, 0, 0, 0, 0, 0x50, 0x50, 0x50, 0x50, 0x50, 0x50, 0x50, 0x50, 0x50],
        ];
        assert!(!all_within(&found.concat(), 1920, 1920 * 1088 * 4));
    }

    proptest! {
        #[test]
        fn a_set_within_its_bounds_is_accepted_and_no_other(
            width in prop_oneof![1_u32..=200, 1_u32..1 << 28],
            height in prop_oneof![1_u32..=200, 1_u32..1 << 28],
            references in prop_oneof![0_u32..=16, 0_u32..u32::MAX],
        ) {
            let kept = u128::from(width) * u128::from(height) * 256 * u128::from(references.max(1));
            let within = width.max(height) <= 120 && kept <= 1920 * 1088 * 4;
            prop_assert_eq!(all_within(&with_references(width, height, references), 1920, 1920 * 1088 * 4), within);
        }

        #[test]
        fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300), set in any::<bool>()) {
            if set {
                bytes.splice(0..0, [0, 0, 1, 0x67, 66, 0xc0, 31]);
            }
            let _ = all_within(&bytes, 1920, 1 << 24);
        }
    }
}
