//! Clocks of media: the monotonic clock of this process, passed as an argument to whatever can be tested without it,
//! and the wall clock of a far side.

use std::ops::{Add, Sub};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A moment on the process's monotonic clock, in microseconds since the clock was first read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaTime(u64);

impl MediaTime {
    /// The present moment.
    pub fn now() -> Self {
        Self::of(Instant::now())
    }

    /// The moment that `instant` is; zero for one before the clock's start.
    pub fn of(instant: Instant) -> Self {
        static EPOCH: OnceLock<Instant> = OnceLock::new();
        let epoch = EPOCH.get_or_init(|| instant);
        Self(instant.saturating_duration_since(*epoch).as_micros() as u64)
    }

    /// A moment given in microseconds since the clock's start.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// A moment given in milliseconds since the clock's start.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1000)
    }

    /// Microseconds since the clock's start.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Milliseconds since the clock's start, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1000
    }

    /// The time from `earlier` to `self`; zero when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for MediaTime {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_micros() as u64))
    }
}

impl Sub<Duration> for MediaTime {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration.as_micros() as u64))
    }
}

/// A moment on the wall clock of a sender (NTP, RFC 5905), in microseconds, as its sender reports tell it (RFC 3550,
/// 6.4.1).
///
/// The clock is another computer's: only the difference of two such moments of one sender means anything here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NtpTime(i64);

impl NtpTime {
    /// A moment in NTP's 32.32 fixed point.
    pub const fn from_ntp(ntp: u64) -> Self {
        let (seconds, fraction) = (ntp >> 32, ntp & 0xffff_ffff);
        Self((seconds * 1_000_000 + ((fraction * 1_000_000) >> 32)) as i64)
    }

    /// The moment `micros` later, or earlier where that is negative.
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.wrapping_add(micros))
    }

    /// Microseconds from here to `local`, but for the offset of the two clocks.
    pub const fn micros_to(self, local: MediaTime) -> i64 {
        (local.0 as i64).wrapping_sub(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntp_times_are_read_to_the_microsecond() {
        let half_past = NtpTime::from_ntp((3_900_000_000 << 32) | (1 << 31));
        assert_eq!(half_past, NtpTime::from_ntp(3_900_000_000 << 32).plus_micros(500_000));
        assert_eq!(NtpTime::from_ntp(1 << 32).micros_to(MediaTime::from_millis(1500)), 500_000);
    }
}
