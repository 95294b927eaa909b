//! Watchdog of a device: whether it works, from the beats of its callback and from the reports of the system.
//!
//! Shared between the device's real-time thread (writes atomics) and the thread that opened it (reads them). The
//! decision is pure: time is an argument.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use cpal::ErrorKind;

use super::direction::Direction;
use super::event::SoundEvent;
use crate::device::{DeviceError, DeviceFault, DeviceReason, FaultLog};
use crate::media::MediaTime;

/// How long a device that failed is left alone before the next attempt.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// Interval between comparisons of an open device with the system's present list. The sound server moves a stream whose
/// device went away to another one without a word, so this bounds how long a chosen microphone can be a different one.
pub(crate) const WATCH: Duration = Duration::from_millis(500);

/// How long closing waits for a device to be released.
pub(crate) const DONE_WAIT: Duration = Duration::from_secs(2);

/// Failure at our own end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The stream, or anything else.
    Other = 4,
    /// No space is left for a recording.
    DiskFull = 5,
    /// The recording is as long as it can be.
    RecordingFull = 6,
}

impl Failure {
    /// The reason that the stored number stands for.
    fn reason(number: u8) -> DeviceReason {
        match number {
            5 => DeviceReason::DiskFull,
            6 => DeviceReason::RecordingFull,
            _ => DeviceReason::System("the stream ended".to_owned()),
        }
    }
}

/// The signs of life of one open device.
#[derive(Debug, Default)]
pub(crate) struct Heart {
    beats: AtomicU64,
    fault: AtomicU8,
    /// Greatest number of sample frames that one callback, but the first, asked for or gave since it was looked at.
    largest: AtomicUsize,
    /// Sample frames for which the callback found no sound, or no room.
    missed: AtomicU64,
    /// Latency between the callback and the air that the system reports, in microseconds; 0 where it reports none.
    latency_us: AtomicU32,
    detached: AtomicBool,
}

impl Heart {
    /// The greatest latency that is believed.
    const MAX_LATENCY: Duration = Duration::from_secs(1);

    /// One callback of `frames` sample frames, of which `missed` had no sound or no room; true for the first one, which
    /// fills the device's own buffer and so says nothing about the size of the others.
    pub(crate) fn beat(&self, frames: usize, missed: usize) -> bool {
        if self.beats.fetch_add(1, Ordering::Relaxed) == 0 {
            return true;
        }
        self.largest.fetch_max(frames, Ordering::Relaxed);
        if missed > 0 {
            self.missed.fetch_add(missed as u64, Ordering::Relaxed);
        }
        false
    }

    /// Callbacks so far.
    pub(crate) fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// Sample frames in the largest callback since this was asked before; 0 without one.
    pub(crate) fn take_largest(&self) -> usize {
        self.largest.swap(0, Ordering::Relaxed)
    }

    /// Sample frames without sound, or without room, so far.
    pub(crate) fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// Notes the delay that the system reports between this callback and the air.
    pub(crate) fn note_latency(&self, latency: Duration) {
        // More is a clock that jumped, not a device.
        if latency <= Self::MAX_LATENCY {
            self.latency_us.store(latency.as_micros() as u32, Ordering::Relaxed);
        }
    }

    /// Output delay between the latest callback and the air; `None` where the system gives none.
    pub(crate) fn latency(&self) -> Option<Duration> {
        let micros = self.latency_us.load(Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(micros.into()))
    }

    /// Notes a report of the system about a running stream, on any thread. Xruns, a refused real-time priority and a
    /// default that moved by itself are no faults.
    pub(crate) fn report(&self, kind: ErrorKind) {
        let fault = match kind {
            ErrorKind::Xrun | ErrorKind::RealtimeDenied | ErrorKind::DeviceChanged => return,
            ErrorKind::DeviceNotAvailable | ErrorKind::HostUnavailable | ErrorKind::StreamInvalidated => 1,
            ErrorKind::DeviceBusy => 2,
            ErrorKind::PermissionDenied => 3,
            _ => 4,
        };
        self.fault.store(fault, Ordering::Release);
    }

    /// Notes a failure of our own end of the stream.
    pub(crate) fn report_failure(&self, failure: Failure) {
        self.fault.store(failure as u8, Ordering::Release);
    }

    /// Error that the system reported.
    pub(crate) fn fault(&self, direction: Direction) -> Option<DeviceError> {
        let device = direction.kind();
        match self.fault.load(Ordering::Acquire) {
            0 => None,
            1 => Some(DeviceFault::Unplugged.of(device)),
            2 => Some(DeviceFault::Busy.of(device)),
            3 => Some(DeviceFault::Forbidden.of(device)),
            failure => Some(DeviceFault::Failed(Failure::reason(failure)).of(device)),
        }
    }

    /// Tells the far end of the ring that the device is given up.
    pub(crate) fn detach(&self) {
        self.detached.store(true, Ordering::Release);
    }

    /// True once the device is given up.
    pub(crate) fn is_detached(&self) -> bool {
        self.detached.load(Ordering::Acquire)
    }
}

/// The largest period that a device took of late: one huge period must not delay the sound for ever after.
#[derive(Debug, Default)]
pub(crate) struct CallbackPeriod {
    latest: usize,
    before: usize,
    since: MediaTime,
}

impl CallbackPeriod {
    const WINDOW: Duration = Duration::from_secs(2);

    /// Notes a period of `frames` (0: none); the largest one of the last 2 to 4 s.
    pub(crate) fn note(&mut self, frames: usize, now: MediaTime) -> usize {
        if now.since(self.since) >= Self::WINDOW {
            *self = Self { latest: 0, before: self.latest, since: now };
        }
        self.latest = self.latest.max(frames);
        self.latest.max(self.before)
    }
}

/// Finds out that callbacks have stopped.
#[derive(Debug)]
pub(crate) struct Stall {
    beats: u64,
    since: MediaTime,
}

impl Stall {
    const AFTER: Duration = Duration::from_secs(2);

    pub(crate) fn new(now: MediaTime) -> Self {
        Self { beats: 0, since: now }
    }

    /// True when `beats` has not grown for 2 s.
    pub(crate) fn check(&mut self, beats: u64, now: MediaTime) -> bool {
        if beats != self.beats {
            *self = Self { beats, since: now };
        }
        now.since(self.since) >= Self::AFTER
    }
}

/// Turns outcomes into events, each change once.
#[derive(Debug, Default)]
pub(crate) struct SoundLog {
    faults: FaultLog,
    open: Option<String>,
}

impl SoundLog {
    /// The device failed.
    pub(crate) fn failed(&mut self, error: DeviceError) -> Option<SoundEvent> {
        self.open = None;
        self.faults.fail(&error.fault).then_some(SoundEvent::Fault(error))
    }

    /// Sound flows through the device `name`.
    pub(crate) fn works(&mut self, name: &str) -> Option<SoundEvent> {
        if self.faults.recover() {
            self.open = Some(name.to_owned());
            return Some(SoundEvent::Recovered { name: name.to_owned() });
        }
        if self.open.as_deref() == Some(name) {
            return None;
        }
        self.open = Some(name.to_owned());
        Some(SoundEvent::Opened { name: name.to_owned() })
    }

    /// The device was closed on purpose, or another one was chosen: its faults are forgotten.
    pub(crate) fn closed(&mut self) {
        *self = Self::default();
    }
}

/// A flag that a thread raises when it is done, for a wait that is bounded (joining a thread is not).
#[derive(Debug, Default)]
pub(crate) struct Done {
    done: Mutex<bool>,
    raised: Condvar,
}

impl Done {
    pub(crate) fn raise(&self) {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.raised.notify_all();
    }

    /// Waits at most `limit`; false when it was not raised in that time.
    pub(crate) fn wait(&self, limit: Duration) -> bool {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let (done, _) =
            self.raised.wait_timeout_while(done, limit, |done| !*done).unwrap_or_else(PoisonError::into_inner);
        *done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::DeviceKind;

    #[test]
    fn a_stall_is_two_seconds_without_a_callback() {
        let mut stall = Stall::new(MediaTime::from_millis(0));
        assert!(!stall.check(1, MediaTime::from_millis(1900)));
        assert!(!stall.check(1, MediaTime::from_millis(3899)));
        assert!(stall.check(1, MediaTime::from_millis(3900)));
        assert!(!stall.check(2, MediaTime::from_millis(3901)), "it goes again");
    }

    #[test]
    fn a_huge_bite_is_forgotten_after_some_seconds() {
        let mut period = CallbackPeriod::default();
        let largest = [(480, 1), (24_000, 10), (480, 1000), (480, 2100), (480, 4200), (480, 4300)]
            .map(|(frames, millis)| period.note(frames, MediaTime::from_millis(millis)));
        assert_eq!(largest, [480, 24_000, 24_000, 24_000, 480, 480]);
    }

    #[test]
    fn each_change_is_reported_once() {
        let device = DeviceKind::Microphone;
        let mut log = SoundLog::default();
        assert_eq!(log.works("Headset"), Some(SoundEvent::Opened { name: "Headset".into() }));
        assert_eq!(log.works("Headset"), None);
        let unplugged = DeviceFault::Unplugged.of(device);
        assert_eq!(log.failed(unplugged.clone()), Some(SoundEvent::Fault(unplugged)));
        assert_eq!(log.failed(DeviceFault::Missing.of(device)), None, "unplugged and missing is one thing");
        let unplugged = DeviceFault::Unplugged.of(device);
        assert_eq!(log.failed(unplugged), None, "it was found for a moment, and nothing was heard of it");
        let busy = DeviceFault::Busy.of(device);
        assert_eq!(log.failed(busy.clone()), Some(SoundEvent::Fault(busy.clone())));
        assert_eq!(log.failed(busy), None);
        assert_eq!(log.works("Headset"), Some(SoundEvent::Recovered { name: "Headset".into() }));
        assert_eq!(log.works("Speakers"), Some(SoundEvent::Opened { name: "Speakers".into() }));
    }

    #[test]
    fn a_latency_is_believed_when_it_can_be() {
        let heart = Heart::default();
        heart.note_latency(Duration::ZERO);
        assert_eq!(heart.latency(), None, "the system does not know");
        for millis in [200, 5000] {
            heart.note_latency(Duration::from_millis(millis));
            assert_eq!(heart.latency(), Some(Duration::from_millis(200)));
        }
    }

    #[test]
    fn harmless_reports_are_no_faults() {
        let heart = Heart::default();
        heart.report(ErrorKind::Xrun);
        heart.report(ErrorKind::RealtimeDenied);
        assert_eq!(heart.fault(Direction::Output), None);
        heart.report_failure(Failure::DiskFull);
        let full = DeviceFault::Failed(DeviceReason::DiskFull).of(DeviceKind::Speaker);
        assert_eq!(heart.fault(Direction::Output), Some(full));
        heart.report(ErrorKind::DeviceNotAvailable);
        assert_eq!(heart.fault(Direction::Output), Some(DeviceFault::Unplugged.of(DeviceKind::Speaker)));
    }
}
