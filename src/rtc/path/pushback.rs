//! Congestion pushback: holds video back while feedback on the oldest packet in flight is overdue (compare the
//! congestion window pushback of libwebrtc, `goog_cc/congestion_window_pushback_controller.cc`).
//!
//! On a path that has become narrow feedback comes late, or not at all: packets that are sent until it comes only fill
//! the queue, and then are lost. A path that has become longer delays feedback, too, but it is not full, and a wait
//! gains nothing there. Packets from the far side tell them apart: through a full path they come spread, through a
//! longer one at the pace at which they left, after a time without anything.
//!
//! Written on the task of the peer connection, read by the sending task and by the encoder.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::media::MediaTime;

/// Feedback that is overdue for so much longer never comes.
pub(in crate::rtc) const GIVEN_UP: Duration = Duration::from_millis(400);
/// A full path lets something through within this time.
const SILENT: Duration = Duration::from_millis(150);
/// A packet after a pause so long may be the first that has come by a longer path.
const PAUSE: Duration = Duration::from_millis(100);
/// While packets come steadily from the far side, a full path to it lets feedback on something through within this
/// time.
const NO_FEEDBACK: Duration = Duration::from_millis(150);
/// After such a pause, and after feedback that ends such a time, it shows within this time whether the path is longer.
const TRIAL: Duration = Duration::from_millis(250);

/// Gauges of the packets in flight, in microseconds; 0: none, or never.
#[derive(Debug, Default)]
pub(in crate::rtc) struct Pushback {
    /// When the oldest packet without feedback left, and how long feedback may take.
    oldest_us: AtomicU64,
    timeout_us: AtomicU64,
    /// When something came from the far side, and when feedback did.
    heard_us: AtomicU64,
    feedback_us: AtomicU64,
    /// Packets from the far side come at the pace at which they left.
    steady: AtomicBool,
    /// Until when nothing is held, because the path may have become longer.
    trial_us: AtomicU64,
}

impl Pushback {
    /// Until when video waits, unless feedback comes before; `None` when it may leave.
    pub(in crate::rtc) fn held_until(&self, now: MediaTime) -> Option<MediaTime> {
        let at = |gauge: &AtomicU64| MediaTime::from_micros(gauge.load(Relaxed));
        let oldest = at(&self.oldest_us);
        let timeout = Duration::from_micros(self.timeout_us.load(Relaxed));
        if oldest == MediaTime::default() || now.since(oldest) <= timeout || now < at(&self.trial_us) {
            return None;
        }
        let mut end = (oldest + timeout + GIVEN_UP).min(at(&self.heard_us) + SILENT);
        if self.steady.load(Relaxed) {
            end = end.min(at(&self.feedback_us) + NO_FEEDBACK);
        }
        (now < end).then_some(end)
    }

    /// Packets from the far side come at the pace at which they left.
    pub(in crate::rtc) fn is_steady(&self) -> bool {
        self.steady.load(Relaxed)
    }

    /// A packet came from the far side at `now`; `steady`, where it tells, as those before it.
    pub(in crate::rtc) fn heard(&self, steady: Option<bool>, now: MediaTime) {
        if now.since(MediaTime::from_micros(self.heard_us.load(Relaxed))) >= PAUSE {
            self.begin_trial(now);
        }
        self.heard_us.store(now.as_micros(), Relaxed);
        if let Some(steady) = steady {
            self.steady.store(steady, Relaxed);
        }
    }

    /// Feedback comes at `now`; `note_feedback` follows once it is evaluated.
    pub(in crate::rtc) fn before_feedback(&self, now: MediaTime) {
        let overdue = now.since(MediaTime::from_micros(self.feedback_us.load(Relaxed))) >= NO_FEEDBACK;
        if self.steady.load(Relaxed) && overdue {
            self.begin_trial(now);
        }
    }

    /// Feedback came at `now`.
    pub(in crate::rtc) fn note_feedback(&self, now: MediaTime) {
        self.feedback_us.store(now.as_micros(), Relaxed);
    }

    /// When the oldest packet without feedback left, and how long feedback may take.
    pub(in crate::rtc) fn set_in_flight(&self, oldest: Option<MediaTime>, timeout: Duration) {
        self.oldest_us.store(oldest.map_or(0, |at| at.as_micros().max(1)), Relaxed);
        self.timeout_us.store(timeout.as_micros() as u64, Relaxed);
    }

    /// Forgets a path: nothing is in flight on the one that follows, and nothing was heard there.
    pub(in crate::rtc) fn forget(&self) {
        for gauge in [&self.oldest_us, &self.timeout_us, &self.heard_us, &self.feedback_us, &self.trial_us] {
            gauge.store(0, Relaxed);
        }
        self.steady.store(false, Relaxed);
    }

    /// For a moment nothing is held.
    fn begin_trial(&self, now: MediaTime) {
        self.trial_us.store((now + TRIAL).as_micros(), Relaxed);
    }

    /// Ends the trial.
    #[cfg(test)]
    pub(in crate::rtc) fn end_trial(&self) {
        self.trial_us.store(0, Relaxed);
    }
}
