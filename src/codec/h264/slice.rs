//! Slices (ITU-T H.264, 7.3.3): which of them are references, and which reference pictures they need.
//!
//! `frame_num` grows by one after each picture that others refer to (7.4.3). A picture whose number follows the latest
//! reference that came needs nothing that is missing, if no keyframe is: pictures with `nal_ref_idc` 0 alone, those of
//! the highest temporal layer. A keyframe begins the numbers anew.

use super::bits::Raw;
use super::nal_unit::{FU_A, FU_START, IDR_SLICE, REF_IDC_MASK, SEQUENCE_PARAMETER_SET, SLICE, TYPE_MASK, nal_units};
use super::parameter_set::SequenceParameterSet;
use crate::codec::references::ReferenceChain;

/// Bytes of a slice header up to `frame_num`: three codes, each of at most 63 bits, and 16 bits.
const HEADER: usize = 26;

/// True for a payload of a slice that no picture refers to.
pub(super) fn is_discardable(payload: &[u8]) -> bool {
    let kind = match payload {
        [indicator, header, ..] if indicator & TYPE_MASK == FU_A => header & TYPE_MASK,
        [header, ..] => header & TYPE_MASK,
        [] => return false,
    };
    kind == SLICE && payload[0] & REF_IDC_MASK == 0
}

/// True for an access unit that no picture refers to: its first slice is none that one refers to.
pub(super) fn is_discardable_unit(annex_b: &[u8]) -> bool {
    let mut slices = nal_units(annex_b).map(|unit| &annex_b[unit]).filter(|unit| is_slice(unit));
    slices.next().is_some_and(is_discardable)
}

/// Notes an access unit that was decoded.
pub(super) fn note(chain: &mut ReferenceChain, annex_b: &[u8]) {
    for unit in nal_units(annex_b).map(|unit| &annex_b[unit]) {
        match unit.first().map(|header| header & TYPE_MASK) {
            Some(SEQUENCE_PARAMETER_SET) => {
                let set = SequenceParameterSet::read(&unit[1..]);
                chain.number_bits = set.map_or(0, |set| set.frame_num_bits);
            }
            Some(kind @ (SLICE | IDR_SLICE)) => {
                chain.is_layered = kind == SLICE && (chain.is_layered || is_discardable(unit));
                if !is_discardable(unit) {
                    chain.next = frame_num(&unit[1..], chain.number_bits).map(|number| next(number, chain.number_bits));
                }
                return;
            }
            _ => {}
        }
    }
}

/// True when a picture begins with `payload` that can be decoded after those that were noted.
pub(super) fn follows(chain: &ReferenceChain, payload: &[u8]) -> bool {
    let slice = match payload {
        [indicator, header, rest @ ..] if indicator & TYPE_MASK == FU_A => {
            (header & FU_START != 0 && header & TYPE_MASK == SLICE).then_some(rest)
        }
        [header, rest @ ..] => (header & TYPE_MASK == SLICE).then_some(rest),
        [] => None,
    };
    chain.next.is_some() && slice.and_then(|slice| frame_num(slice, chain.number_bits)) == chain.next
}

const fn next(number: u32, bits: u32) -> u32 {
    (number + 1) & ((1 << bits) - 1)
}

fn is_slice(unit: &[u8]) -> bool {
    unit.first().is_some_and(|header| matches!(header & TYPE_MASK, SLICE | IDR_SLICE))
}

/// `frame_num` of a slice header where that is the first of its picture.
fn frame_num(slice: &[u8], number_bits: u32) -> Option<u32> {
    if number_bits == 0 {
        return None;
    }
    let (raw, _) = Raw::<HEADER>::of(slice);
    let mut bits = raw.bits();
    let first_macroblock = bits.exp_golomb()?;
    // Type of the slice, and its picture parameter set.
    bits.exp_golomb()?;
    bits.exp_golomb()?;
    let number = bits.take(number_bits)?;
    (first_macroblock == 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The first slice of a picture, of type P, with this `frame_num` of four bits.
    fn slice(header: u8, frame_num: u8) -> Vec<u8> {
        // The codes of three zeros (first macroblock, type, picture parameter set), `frame_num`, and the rest.
        let bits = 0b1110_0000_0000_0000 | u16::from(frame_num & 15) << 9 | 0x155;
        [vec![header], bits.to_be_bytes().to_vec(), vec![0x99]].concat()
    }

    fn access_unit(header: u8, frame_num: u8) -> Vec<u8> {
        [vec![0, 0, 0, 1], slice(header, frame_num)].concat()
    }

    fn begun() -> ReferenceChain {
        ReferenceChain { number_bits: 4, next: Some(1), is_layered: false }
    }

    #[test]
    fn pictures_that_nobody_refers_to_are_told_by_their_headers() {
        assert!(
            is_discardable(&slice(0x01, 1)) && !is_discardable(&slice(0x61, 1)) && !is_discardable(&slice(0x21, 1))
        );
        assert!(is_discardable(&[0x1c, 0x81, 9]) && is_discardable(&[0x1c, 0x41, 9]) && !is_discardable(&[0x7c, 0x81]));
        assert!(!is_discardable(&[]) && !is_discardable(&[0x07]) && !is_discardable(&[0x1c]), "no slice");
        assert!(is_discardable_unit(&access_unit(0x01, 1)) && !is_discardable_unit(&access_unit(0x61, 1)));
        assert!(!is_discardable_unit(&[0, 0, 1, 0x67, 1]) && !is_discardable_unit(&[]));
    }

    #[test]
    fn a_picture_follows_whatever_was_lost_between_unless_a_reference_was() {
        let mut chain = begun();
        assert!(follows(&chain, &slice(0x01, 1)) && follows(&chain, &slice(0x61, 1)), "the one or the other is next");
        note(&mut chain, &access_unit(0x01, 1));
        assert!(follows(&chain, &slice(0x61, 1)), "a discardable picture counts for nothing");
        note(&mut chain, &access_unit(0x61, 1));
        assert!(!follows(&chain, &slice(0x61, 1)) && !follows(&chain, &slice(0x61, 3)), "a reference is missing");
        for number in 2..40_u8 {
            assert!(follows(&chain, &slice(0x61, number % 16)), "{number}");
            note(&mut chain, &access_unit(0x61, number % 16));
        }
    }

    #[test]
    fn packets_may_be_missing_in_a_layered_stream_as_long_as_a_keyframe_among_them_would_be_more() {
        let mut chain = begun();
        let lacked = |chain: &ReferenceChain| (0..100).filter(|missing| chain.can_lack(*missing)).count();
        for number in 1..15 {
            note(&mut chain, &access_unit(0x61, number));
            assert_eq!(lacked(&chain), 0, "one layer");
        }
        note(&mut chain, &access_unit(0x01, 15));
        assert_eq!(lacked(&chain), 15);
        note(&mut chain, &access_unit(0x61, 15));
        assert_eq!(lacked(&chain), 0, "sixteen references are numbered alike, too");
        (0..3).for_each(|number| note(&mut chain, &access_unit(0x61, number)));
        assert_eq!(lacked(&chain), 3);
        note(&mut chain, &access_unit(0x65, 0));
        (1..5).for_each(|number| note(&mut chain, &access_unit(0x61, number)));
        assert_eq!(lacked(&chain), 0, "a keyframe begins anew");
    }

    #[test]
    fn parts_of_slices_and_streams_without_parameter_sets_follow_nothing() {
        let chain = begun();
        let part = |header: u8| [&[0x7c, header][..], &slice(0x61, 1)[1..]].concat();
        assert!(follows(&chain, &part(0x81)) && !follows(&chain, &part(0x01)) && !follows(&chain, &part(0x41)));
        let second = [0x61, 0b0101_1000, 0x80, 0x99];
        assert!(!follows(&chain, &second), "another slice of a picture");
        assert!(!follows(&chain, &slice(0x65, 1)) && !follows(&chain, &slice(0x67, 1)) && !follows(&chain, &[]));
        let mut unknown = ReferenceChain::default();
        note(&mut unknown, &access_unit(0x65, 0));
        assert!(!follows(&unknown, &slice(0x61, 1)));
    }

    #[test]
    fn emulation_prevention_is_no_part_of_a_number() {
        // A `frame_num` of 16 bits, all zero behind the first three: a byte of 3 stands after two zero bytes.
        let chain = ReferenceChain { number_bits: 16, next: Some(0), is_layered: false };
        assert!(follows(&chain, &[0x61, 0xe0, 0x00, 0x00, 0x03, 0x01]));
        assert!(follows(&ReferenceChain { next: Some(1), ..chain }, &[0x61, 0xe0, 0x00, 0x20, 0x01]));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(data in prop::collection::vec(any::<u8>(), 0..60), bits in 0_u32..17) {
            let mut chain = ReferenceChain { number_bits: bits, next: Some(1), is_layered: false };
            let _ = (is_discardable(&data), is_discardable_unit(&data), follows(&chain, &data));
            note(&mut chain, &data);
            note(&mut chain, &[&[0, 0, 1, 0x67][..], &data, &[0, 0, 1, 0x65], &data].concat());
            let _ = follows(&chain, &data);
        }
    }
}
