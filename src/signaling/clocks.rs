//! Clocks of two computers, and when their difference is worth a word.

/// Clocks that differ by no more than this, in milliseconds, are not worth a word.
const CLOCKS_AGREE_MS: u64 = 60_000;

/// Whether a clock that is ahead of another by so many milliseconds, or behind where it is negative, is worth a word.
pub const fn clocks_differ(ahead_ms: i64) -> bool {
    ahead_ms.unsigned_abs() > CLOCKS_AGREE_MS
}
