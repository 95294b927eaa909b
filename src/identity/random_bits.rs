//! Values of 128 random bits, and their text: 32 hexadecimal digits.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

/// Bytes of a value.
pub(super) const LEN: usize = 16;

/// New bits; `None` where the system has no random numbers.
pub(super) fn random() -> Option<[u8; LEN]> {
    let mut bits = [0; LEN];
    getrandom::fill(&mut bits).ok().map(|()| bits)
}

/// Bits as text.
pub(super) fn to_text(bits: &[u8; LEN]) -> String {
    HEXLOWER.encode(bits)
}

/// The bits of a text, in lower or upper case; `None` where it is anything else.
pub(super) fn of_text(text: &str) -> Option<[u8; LEN]> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
}
