//! H.264 depacketizer (RFC 6184, packetization mode 1): single NAL units, STAP-A and FU-A become Annex B.
//!
//! Everything here comes from the network: malformed payloads are errors, never panics.

use bytes::{BufMut, BytesMut};

use super::nal_unit::{FU_A, FU_END, FU_START, IDR_SLICE, SEQUENCE_PARAMETER_SET, STAP_A, START_CODE, TYPE_MASK};
use crate::codec::definition::{MalformedPayload, Payloads};

/// Appends the NAL units of one access unit's payloads to `annex_b`; true for an IDR picture.
pub(super) fn depacketize(payloads: Payloads<'_, '_>, annex_b: &mut BytesMut) -> Result<bool, MalformedPayload> {
    let mut unit = AccessUnit::default();
    for payload in payloads {
        unit.append(payload, annex_b)?;
    }
    unit.finish()
}

/// True when an access unit that decoding can start at begins with `payload`: its first NAL unit is an SPS.
pub(super) fn starts_keyframe(payload: &[u8]) -> bool {
    match payload.first().map(|byte| byte & TYPE_MASK) {
        Some(SEQUENCE_PARAMETER_SET) => true,
        Some(STAP_A) => payload.get(3).is_some_and(|byte| byte & TYPE_MASK == SEQUENCE_PARAMETER_SET),
        _ => false,
    }
}

/// Collects the payloads of one access unit.
#[derive(Debug, Default)]
struct AccessUnit {
    fragment_open: bool,
    keyframe: bool,
}

impl AccessUnit {
    /// Appends the NAL units of `payload` to `annex_b`. Empty payloads (padding) carry nothing.
    fn append(&mut self, payload: &[u8], annex_b: &mut BytesMut) -> Result<(), MalformedPayload> {
        let Some((&header, rest)) = payload.split_first() else { return Ok(()) };
        let kind = header & TYPE_MASK;
        if self.fragment_open && kind != FU_A {
            return Err(MalformedPayload);
        }
        match kind {
            1..=23 => {
                self.begin_nal(kind, annex_b);
                annex_b.put_slice(payload);
                Ok(())
            }
            STAP_A => self.append_aggregate(rest, annex_b),
            FU_A => self.append_fragment(header, rest, annex_b),
            _ => Err(MalformedPayload),
        }
    }

    /// Ends the access unit: whether it is a keyframe.
    fn finish(self) -> Result<bool, MalformedPayload> {
        if self.fragment_open { Err(MalformedPayload) } else { Ok(self.keyframe) }
    }

    fn begin_nal(&mut self, kind: u8, annex_b: &mut BytesMut) {
        self.keyframe |= kind == IDR_SLICE;
        annex_b.put_slice(&START_CODE);
    }

    fn append_aggregate(&mut self, mut units: &[u8], annex_b: &mut BytesMut) -> Result<(), MalformedPayload> {
        while !units.is_empty() {
            let (size, rest) = units.split_first_chunk::<2>().ok_or(MalformedPayload)?;
            let (unit, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*size))).ok_or(MalformedPayload)?;
            let kind = unit.first().ok_or(MalformedPayload)? & TYPE_MASK;
            if !(1..=23).contains(&kind) {
                return Err(MalformedPayload);
            }
            self.begin_nal(kind, annex_b);
            annex_b.put_slice(unit);
            units = rest;
        }
        Ok(())
    }

    fn append_fragment(&mut self, indicator: u8, rest: &[u8], annex_b: &mut BytesMut) -> Result<(), MalformedPayload> {
        let (&header, fragment) = rest.split_first().ok_or(MalformedPayload)?;
        let kind = header & TYPE_MASK;
        let starts = header & FU_START != 0;
        if starts == self.fragment_open || !(1..=23).contains(&kind) {
            return Err(MalformedPayload);
        }
        if starts {
            self.begin_nal(kind, annex_b);
            annex_b.put_u8((indicator & !TYPE_MASK) | kind);
        }
        annex_b.put_slice(fragment);
        self.fragment_open = header & FU_END == 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unit(payloads: &[&[u8]]) -> Result<(Vec<u8>, bool), MalformedPayload> {
        let mut annex_b = BytesMut::new();
        let keyframe = depacketize(&mut payloads.iter().copied(), &mut annex_b)?;
        Ok((annex_b.to_vec(), keyframe))
    }

    #[test]
    fn a_single_nal_unit_gets_a_start_code() {
        assert_eq!(unit(&[&[0x41, 9, 8]]), Ok((vec![0, 0, 0, 1, 0x41, 9, 8], false)));
    }

    #[test]
    fn an_aggregate_is_taken_apart() {
        let aggregate = [0x78, 0, 2, 0x67, 1, 0, 2, 0x65, 2];
        assert!(starts_keyframe(&aggregate));
        assert_eq!(unit(&[&aggregate]), Ok((vec![0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x65, 2], true)));
    }

    #[test]
    fn fragments_become_one_nal_unit() {
        assert_eq!(
            unit(&[&[0x7c, 0x85, 1], &[0x7c, 0x05, 2], &[0x7c, 0x45, 3]]),
            Ok((vec![0, 0, 0, 1, 0x65, 1, 2, 3], true))
        );
    }

    #[test]
    fn broken_payloads_are_refused() {
        for broken in [
            &[&[0x7c][..]][..],              // FU-A without header
            &[&[0x7c, 0x05, 1]],             // a fragment that nothing began
            &[&[0x7c, 0x85, 1]],             // a fragment that nothing ends
            &[&[0x7c, 0x85, 1], &[0x41, 1]], // another unit inside a fragmented one
            &[&[0x78, 0, 9, 0x67]],          // an aggregate longer than its payload
            &[&[0x78, 0, 0]],                // an empty unit in an aggregate
            &[&[0x78, 0]],                   // half a size
            &[&[0x1d, 1, 2, 3]],             // FU-B belongs to another mode
        ] {
            assert_eq!(unit(broken), Err(MalformedPayload), "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn no_payload_makes_it_panic(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..16)) {
            let payloads: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
            let _ = unit(&payloads);
            for payload in payloads {
                let _ = starts_keyframe(payload);
            }
        }
    }
}
