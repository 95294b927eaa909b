//! H.264 packetizer (RFC 6184, packetization mode 1): NAL units become single NAL unit packets and FU-A.

use bytes::{BufMut, Bytes, BytesMut};

use super::nal_unit::{FU_A, FU_END, FU_START, TYPE_MASK, nal_units};

/// Bytes before each part of a NAL unit.
const FU_HEADERS: usize = 2;

/// Gives the payloads of one access unit to `each`. Small NAL units are parts of the encoder's own memory.
pub(super) fn packetize(access_unit: &Bytes, max_payload: usize, each: &mut dyn FnMut(Bytes)) {
    // Fragments need two bytes before each piece, so they are copied: all into one piece of memory.
    let mut memory = BytesMut::with_capacity(access_unit.len() + access_unit.len() / max_payload * 4 + 64);
    for unit in nal_units(access_unit) {
        let unit = access_unit.slice(unit);
        if unit.len() > max_payload {
            fragment(&unit, max_payload, &mut memory, each);
        } else if !unit.is_empty() {
            each(unit);
        }
    }
}

fn fragment(unit: &[u8], max_payload: usize, memory: &mut BytesMut, each: &mut dyn FnMut(Bytes)) {
    let Some((&header, body)) = unit.split_first() else { return };
    let pieces = body.chunks(max_payload - FU_HEADERS);
    let last = pieces.len() - 1;
    for (number, piece) in pieces.enumerate() {
        let start = if number == 0 { FU_START } else { 0 };
        let end = if number == last { FU_END } else { 0 };
        memory.put_slice(&[header & !TYPE_MASK | FU_A, start | end | header & TYPE_MASK]);
        memory.put_slice(piece);
        each(memory.split().freeze());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::depacketizer::depacketize;
    use super::*;

    fn payloads(units: &[Vec<u8>], max_payload: usize) -> (Vec<u8>, Vec<Bytes>) {
        let annex_b: Vec<u8> = units.iter().flat_map(|unit| [&[0, 0, 0, 1][..], unit].concat()).collect();
        let mut payloads = Vec::new();
        packetize(&Bytes::from(annex_b.clone()), max_payload, &mut |payload| payloads.push(payload));
        (annex_b, payloads)
    }

    #[test]
    fn a_large_unit_becomes_fragments_that_say_where_it_begins_and_ends() {
        let (_, payloads) = payloads(&[vec![0x67, 1], vec![0x65, 1, 2, 3, 4, 5]], 4);
        let expected: [&[u8]; 4] = [&[0x67, 1], &[0x7c, 0x85, 1, 2], &[0x7c, 0x05, 3, 4], &[0x7c, 0x45, 5]];
        assert_eq!(payloads, expected);
    }

    proptest! {
        #[test]
        fn what_is_packetized_is_put_together_again(
            units in prop::collection::vec((1_u8..=23, prop::collection::vec(1_u8.., 1..4000)), 1..5),
            max_payload in 3_usize..1500,
        ) {
            let units: Vec<_> = units.into_iter().map(|(kind, body)| [vec![0x60 | kind], body].concat()).collect();
            let (annex_b, payloads) = payloads(&units, max_payload);
            prop_assert!(payloads.iter().all(|payload| payload.len() <= max_payload));
            let mut again = BytesMut::new();
            let is_keyframe = depacketize(&mut payloads.iter().map(|payload| &payload[..]), &mut again);
            prop_assert_eq!(is_keyframe, Ok(units.iter().any(|unit| unit[0] & TYPE_MASK == 5)));
            prop_assert_eq!(&again[..], &annex_b[..]);
        }

        #[test]
        fn no_bytes_make_it_panic(data in prop::collection::vec(0_u8..3, 0..200), max_payload in 3_usize..20) {
            packetize(&Bytes::from(data), max_payload, &mut |payload| assert!(payload.len() <= max_payload));
        }
    }
}
