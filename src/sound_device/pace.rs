//! The clock of sources and sinks that have none: a tone, a file, a recorder, no speaker at all.
//!
//! Deadlines are absolute, so that a late wake-up is followed by a shorter wait and the pace stays exactly 20 ms a
//! frame.

use std::time::Duration;

use crate::media::{FRAME_SAMPLES, MediaTime, SAMPLE_RATE};

/// Gives the times of frames, 20 ms apart.
#[derive(Debug)]
pub(crate) struct Pace {
    start: MediaTime,
    frames: u64,
}

impl Pace {
    /// After a halt longer than this (a suspended computer), the pace starts anew instead of catching up.
    const MAX_LATE: Duration = Duration::from_millis(500);
    const FRAME_MICROS: u64 = FRAME_SAMPLES as u64 * 1_000_000 / SAMPLE_RATE as u64;

    /// A pace whose first frame is due at `now`.
    pub(crate) fn new(now: MediaTime) -> Self {
        Self { start: now, frames: 0 }
    }

    /// When the next frame is due.
    pub(crate) fn due_at(&self) -> MediaTime {
        self.start + Duration::from_micros(self.frames * Self::FRAME_MICROS)
    }

    /// Takes the next frame if it is due at `now`: its exact time; otherwise how long to wait.
    pub(crate) fn take(&mut self, now: MediaTime) -> Result<MediaTime, Duration> {
        let due = self.due_at();
        if now < due {
            return Err(due.since(now));
        }
        if now.since(due) > Self::MAX_LATE {
            *self = Self::new(now);
        }
        let at = self.due_at();
        self.frames += 1;
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_wake_ups_do_not_slow_the_pace() {
        let mut pace = Pace::new(MediaTime::from_millis(1000));
        let mut now = MediaTime::from_millis(1000);
        let mut taken = 0;
        while now < MediaTime::from_millis(11_000) {
            match pace.take(now) {
                Ok(at) => {
                    assert_eq!(at, MediaTime::from_millis(1000 + 20 * taken));
                    taken += 1;
                }
                Err(wait) => now = now + wait + Duration::from_millis(7),
            }
        }
        assert_eq!(taken, 500);
    }

    #[test]
    fn after_a_long_halt_the_pace_starts_anew() {
        let mut pace = Pace::new(MediaTime::from_millis(0));
        assert!(pace.take(MediaTime::from_millis(0)).is_ok());
        let woken = MediaTime::from_millis(60_000);
        assert_eq!(pace.take(woken), Ok(woken));
        assert_eq!(pace.take(woken), Err(Duration::from_millis(20)), "no burst of 3000 frames");
    }
}
