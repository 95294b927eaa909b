//! NAL units (ITU-T H.264, 7.3.1) and the byte stream that separates them (annex B).

/// Start code before each NAL unit that is written.
pub(super) const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// Mask of the type in the first byte of a NAL unit.
pub(super) const TYPE_MASK: u8 = 0x1f;
/// Mask of `nal_ref_idc` in it: 0 in slices that no picture refers to.
pub(super) const REF_IDC_MASK: u8 = 0x60;
/// Types of NAL units (table 7-1).
pub(super) const SLICE: u8 = 1;
pub(super) const IDR_SLICE: u8 = 5;
pub(super) const SEQUENCE_PARAMETER_SET: u8 = 7;
pub(super) const SUBSET_SEQUENCE_PARAMETER_SET: u8 = 15;
/// Packets of several NAL units, and of a part of one (RFC 6184, table 1).
pub(super) const STAP_A: u8 = 24;
pub(super) const FU_A: u8 = 28;
/// Bits of an FU header: the first and the last part.
pub(super) const FU_START: u8 = 0x80;
pub(super) const FU_END: u8 = 0x40;

/// The NAL units between the start codes of a byte stream, as ranges of it.
pub(super) fn nal_units(stream: &[u8]) -> impl Iterator<Item = std::ops::Range<usize>> {
    let mut begin = find_start_code(stream, 0).map(|code| code + 3);
    std::iter::from_fn(move || {
        let from = begin?;
        let code = find_start_code(stream, from);
        begin = code.map(|code| code + 3);
        let unit = &stream[from..code.unwrap_or(stream.len())];
        // A NAL unit never ends in a zero byte (7.4.1): those before a start code belong to that.
        let length = unit.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        Some(from..from + length)
    })
}

/// Where the next three bytes 0, 0, 1 begin, from `at` on.
fn find_start_code(stream: &[u8], mut at: usize) -> Option<usize> {
    while let Some(window) = stream.get(at..at + 3) {
        if window == [0, 0, 1] {
            return Some(at);
        }
        at += if window[2] > 1 { 3 } else { 1 };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_what_stands_between_start_codes_without_trailing_zeros() {
        let units = |stream: &[u8]| nal_units(stream).map(|unit| stream[unit].to_vec()).collect::<Vec<_>>();
        assert_eq!(units(&[9, 0, 0, 0, 1, 7, 1, 0, 0, 1, 8, 0, 0, 0, 1, 5, 2, 0]), [&[7, 1][..], &[8], &[5, 2]]);
        assert_eq!(units(&[0, 0, 1, 0, 0, 1, 5]), [&[][..], &[5]]);
        assert_eq!(units(&[0, 0, 2, 1]).len(), 0);
        assert_eq!((units(&[]).len(), units(&[0, 0, 1])), (0, vec![vec![]]));
    }
}
