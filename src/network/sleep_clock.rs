//! Sleep of the computer, told from two clocks: one stands meanwhile, the other goes on. Pure; the readings are
//! arguments.

use std::time::Duration;

/// Difference of the clocks that counts as a sleep. The wall clock, the second one on other systems than Linux and
/// Windows, is also set by hand.
const SLEPT: Duration = Duration::from_secs(if cfg!(any(target_os = "linux", windows)) { 2 } else { 10 });

/// One reading of both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// Stands while the computer sleeps.
    awake: Duration,
    /// Goes on.
    all: Duration,
}

impl Reading {
    /// The clocks now.
    pub(super) fn now() -> Self {
        system::now()
    }
}

#[cfg(target_os = "linux")]
mod system {
    use super::{Duration, Reading};

    pub(super) fn now() -> Reading {
        Reading { awake: time(libc::CLOCK_MONOTONIC), all: time(libc::CLOCK_BOOTTIME) }
    }

    fn time(clock: libc::clockid_t) -> Duration {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the pointer is to a `timespec` that lives through the call, which writes nothing else.
        let failed = unsafe { libc::clock_gettime(clock, &raw mut time) } != 0;
        let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
        let (false, Ok(seconds), Ok(nanos)) = (failed, seconds, nanos) else { return Duration::ZERO };
        Duration::new(seconds, nanos)
    }
}

#[cfg(windows)]
mod system {
    use windows_sys::Win32::System::SystemInformation::GetTickCount64;
    use windows_sys::Win32::System::WindowsProgramming::QueryUnbiasedInterruptTime;

    use super::{Duration, Reading};

    pub(super) fn now() -> Reading {
        // Counts in units of 100 ns.
        let mut awake = 0;
        // SAFETY: the pointer is to a number that lives through the call; the other call takes nothing.
        let all = unsafe {
            QueryUnbiasedInterruptTime(&raw mut awake);
            GetTickCount64()
        };
        Reading { awake: Duration::from_micros(awake / 10), all: Duration::from_millis(all) }
    }
}

#[cfg(not(any(target_os = "linux", windows)))]
mod system {
    use std::sync::OnceLock;
    use std::time::{Instant, SystemTime, UNIX_EPOCH};

    use super::Reading;

    /// Many systems' monotonic clocks stand meanwhile.
    pub(super) fn now() -> Reading {
        static FIRST: OnceLock<Instant> = OnceLock::new();
        let all = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Reading { awake: FIRST.get_or_init(Instant::now).elapsed(), all }
    }
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
        let awake = now.awake.saturating_sub(before.awake);
        now.all.saturating_sub(before.all) > awake + SLEPT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_shows_once_and_usual_time_does_not() {
        let at = |awake_ms: u64, all_ms: u64| Reading {
            awake: Duration::from_millis(500_000 + awake_ms),
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
