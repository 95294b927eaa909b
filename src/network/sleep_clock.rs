//! Sleep of the computer, told from two clocks: one stands meanwhile, the other goes on. Pure; the readings are
//! arguments.

use std::time::{Duration, Instant};

/// Difference of the clocks that counts as a sleep. Elsewhere than on Linux the second clock is the wall clock, which
/// is also set by hand.
const SLEPT: Duration = Duration::from_secs(if cfg!(target_os = "linux") { 2 } else { 10 });

/// One reading of both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// Stands while many computers sleep (CLOCK_MONOTONIC on Linux).
    awake: Instant,
    /// Goes on (CLOCK_BOOTTIME on Linux, the wall clock elsewhere).
    all: Duration,
}

impl Reading {
    /// The clocks now.
    pub(super) fn now() -> Self {
        Self { awake: Instant::now(), all: time_with_sleep() }
    }
}

#[cfg(target_os = "linux")]
fn time_with_sleep() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a `timespec` that lives through the call, which writes nothing else.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) } != 0;
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    let (false, Ok(seconds), Ok(nanos)) = (failed, seconds, nanos) else { return Duration::ZERO };
    Duration::new(seconds, nanos)
}

#[cfg(not(target_os = "linux"))]
fn time_with_sleep() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

/// See the module.
#[derive(Debug)]
pub(super) struct SleepClock {
    looked: Reading,
}

impl SleepClock {
    pub(super) const fn new(now: Reading) -> Self {
        Self { looked: now }
    }

    /// Looks again; whether the computer has slept since the last look.
    pub(super) fn look(&mut self, now: Reading) -> bool {
        let before = std::mem::replace(&mut self.looked, now);
        let awake = now.awake.saturating_duration_since(before.awake);
        now.all.saturating_sub(before.all) > awake + SLEPT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_shows_once_and_usual_time_does_not() {
        let start = Instant::now();
        let at = |awake_ms: u64, all_ms: u64| Reading {
            awake: start + Duration::from_millis(awake_ms),
            all: Duration::from_millis(1_000_000 + all_ms),
        };
        let mut clock = SleepClock::new(at(0, 0));
        assert!(!clock.look(at(2_000, 2_000)));
        assert!(!clock.look(at(62_000, 62_000)), "a process that was stopped is no computer that slept");
        assert!(clock.look(at(63_000, 93_000)), "suspended for half a minute");
        assert!(!clock.look(at(65_000, 95_000)));
        assert!(!clock.look(at(66_000, 20_000)), "a clock that was set back");
        assert!(!clock.look(at(68_000, 22_500)), "half a second of it is the reading's own");
    }

    #[test]
    fn the_clocks_of_this_computer_go_on_together() {
        let mut clock = SleepClock::new(Reading::now());
        assert!(!clock.look(Reading::now()));
    }
}
