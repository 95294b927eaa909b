//! How long packets have been on their way without a word of them. On a path that has become narrow the reports come late, or
//! not at all: whatever is sent until they come only fills the queue, and then is lost.
//!
//! A path that has become longer delays reports, too, but it is not full, and nothing is gained by waiting for it.
//! Packets from the far side tell them apart: through a full path they come spread, through a longer one at the pace at
//! which they left, after a time without anything.
//!
//! Noted on the task of the peer connection, read by the sending task and by the encoder.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::media::MediaTime;

/// Beyond the round trip without the queue, a report may take so long: three intervals, so that one lost report changes
/// nothing.
const PATIENCE: Duration = Duration::from_millis(150);
/// Where many reports are lost, two in a row are nothing, either.
const MORE_PATIENCE: Duration = Duration::from_millis(100);
/// Before any report the round trip is anybody's guess.
pub(super) const FIRST_PATIENCE: Duration = Duration::from_millis(200);
/// What is not reported for so much longer never will be.
const GIVEN_UP: Duration = Duration::from_millis(400);
/// Jitter delays reports by up to so many times its mean, both ways, but by no more than this.
const JITTER_PEAKS: u32 = 6;
const MOST_JITTER: Duration = Duration::from_millis(150);
/// A full path lets something through within this time.
const SILENT: Duration = Duration::from_millis(150);
/// A packet after a pause so long may be the first that has come by a longer path.
const PAUSE: Duration = Duration::from_millis(100);
/// While packets come steadily from the far side, a full path to it lets reports of something through within this time.
const UNREPORTED: Duration = Duration::from_millis(150);
/// After such a pause, and after a report that ends such a time, it shows within this time whether the path has become longer.
const TRIAL: Duration = Duration::from_millis(250);
/// Reports whose least round trip counts.
const REPORTS: usize = 4;
/// Departures that are remembered: more are not on their way within any patience.
const REMEMBERED: usize = 4096;

/// Since when the oldest packet is on its way, and how long that may last. In microseconds; 0: none, or never.
#[derive(Debug, Default)]
pub(in crate::rtc) struct Flight {
    oldest_us: AtomicU64,
    patience_us: AtomicU64,
    /// When something came from the far side, and when a report did.
    heard_us: AtomicU64,
    reported_us: AtomicU64,
    /// Packets from the far side come at the pace at which they left.
    steady: AtomicBool,
    /// Until when nothing is held, because the path may have become longer.
    trial_us: AtomicU64,
    /// Something was reported.
    pub(in crate::rtc) reported: Notify,
}

impl Flight {
    /// Until when nothing more is to be sent, unless a report comes before; `None` when something may.
    pub(in crate::rtc) fn held_until(&self, now: MediaTime) -> Option<MediaTime> {
        let at = |gauge: &AtomicU64| MediaTime::from_micros(gauge.load(Relaxed));
        let oldest = at(&self.oldest_us);
        let patience = Duration::from_micros(self.patience_us.load(Relaxed));
        if oldest == MediaTime::default() || now.since(oldest) <= patience || now < at(&self.trial_us) {
            return None;
        }
        let mut end = (oldest + patience + GIVEN_UP).min(at(&self.heard_us) + SILENT);
        if self.steady.load(Relaxed) {
            end = end.min(at(&self.reported_us) + UNREPORTED);
        }
        (now < end).then_some(end)
    }

    /// No report has come for long, though packets come steadily.
    fn is_unreported(&self, now: MediaTime) -> bool {
        self.steady.load(Relaxed) && now.since(MediaTime::from_micros(self.reported_us.load(Relaxed))) >= UNREPORTED
    }

    /// A packet came from the far side at `now`; `steady`, where it tells, as those before it.
    pub(super) fn heard(&self, steady: Option<bool>, now: MediaTime) {
        if now.since(MediaTime::from_micros(self.heard_us.load(Relaxed))) >= PAUSE {
            self.trial_us.store((now + TRIAL).as_micros(), Relaxed);
        }
        self.heard_us.store(now.as_micros(), Relaxed);
        if let Some(steady) = steady {
            self.steady.store(steady, Relaxed);
        }
    }
}

/// Feedback on packets in flight, out of one report.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    /// Everything through this packet has been reported, or never will be.
    pub(super) number: u16,
    /// How long ago the latest packet left that has arrived, if that is news, and how long packets wait on the path.
    pub(super) took: Option<Duration>,
    pub(super) queue: Duration,
    /// How much the delay goes back and forth.
    pub(super) jitter: Duration,
    /// Much is lost, and so are reports.
    pub(super) heavy_loss: bool,
}

/// Packets in flight.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// Numbers and departures of what is not reported yet.
    departures: VecDeque<(u16, Instant)>,
    /// The latest round trips without the queue.
    round_trips: [Option<Duration>; REPORTS],
    patience: Option<Duration>,
}

impl InFlight {
    pub(super) fn left(&mut self, number: u16, now: Instant, flight: &Flight) {
        let patience = self.patience.unwrap_or(FIRST_PATIENCE);
        let lost = |at: Instant| now.saturating_duration_since(at) >= patience + GIVEN_UP;
        while self.departures.len() == REMEMBERED || self.departures.front().is_some_and(|(_, at)| lost(*at)) {
            self.departures.pop_front();
        }
        self.departures.push_back((number, now));
        self.publish(flight);
    }

    /// A report came.
    pub(super) fn reported(&mut self, word: Word, now: Instant, flight: &Flight) {
        let is_through = |one: u16| word.number.wrapping_sub(one) < 1 << 15;
        while self.departures.pop_front_if(|(one, _)| is_through(*one)).is_some() {}
        let at = MediaTime::of(now);
        if flight.is_unreported(at) {
            flight.trial_us.store((at + TRIAL).as_micros(), Relaxed);
        }
        if let Some(took) = word.took {
            self.round_trips.rotate_right(1);
            self.round_trips[0] = Some(took.saturating_sub(word.queue));
            let least = self.round_trips.iter().flatten().min().copied().unwrap_or(took);
            let jitter = (word.jitter * JITTER_PEAKS).min(MOST_JITTER);
            let more = if word.heavy_loss { MORE_PATIENCE } else { Duration::ZERO };
            self.patience = Some(least + PATIENCE + more.max(jitter));
        }
        flight.reported_us.store(at.as_micros(), Relaxed);
        self.publish(flight);
        flight.reported.notify_one();
    }

    fn publish(&self, flight: &Flight) {
        let oldest = self.departures.front().map_or(0, |(_, at)| MediaTime::of(*at).as_micros().max(1));
        flight.oldest_us.store(oldest, Relaxed);
        flight.patience_us.store(self.patience.unwrap_or(FIRST_PATIENCE).as_micros() as u64, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn word(number: u16, took: u64, queue: u64) -> Word {
        Word { number, took: Some(MS(took)), queue: MS(queue), jitter: Duration::ZERO, heavy_loss: false }
    }

    #[test]
    fn a_late_report_holds_what_follows_until_it_comes_or_is_given_up() {
        let start = Instant::now();
        let (flight, mut in_flight) = (Flight::default(), InFlight::default());
        // Something comes all the time, though not steadily.
        let held = |flight: &Flight, ms: u64| {
            let at = MediaTime::of(start) + MS(ms);
            flight.heard(Some(false), at);
            flight.trial_us.store(0, Relaxed);
            flight.held_until(at).is_some()
        };
        in_flight.left(65_535, start, &flight);
        in_flight.left(0, start + MS(10), &flight);
        in_flight.reported(word(0, 40, 0), start + MS(50), &flight);
        assert!(!held(&flight, 5000), "nothing is on its way");
        in_flight.left(1, start + MS(100), &flight);
        in_flight.left(2, start + MS(200), &flight);
        // The round trip of 40 ms, and 150 ms of patience.
        assert!(!held(&flight, 289) && held(&flight, 291));
        in_flight.reported(word(1, 200, 160), start + MS(300), &flight);
        assert!(!held(&flight, 300) && held(&flight, 391));
        assert!(held(&flight, 789) && !held(&flight, 791), "given up");
        in_flight.left(3, start + MS(1000), &flight);
        assert!(!held(&flight, 1100), "what was given up is forgotten");
    }

    /// How long pictures are held, in ms, of 4 s each: of sound both ways each 20 ms, and a report each 50 ms, over a path that
    /// takes `ways` ms, there and back, instead of 20 after the first second.
    fn held_ms(ways: [u64; 2]) -> [u64; 3] {
        let start = Instant::now();
        let (flight, mut in_flight) = (Flight::default(), InFlight::default());
        let way = |n: usize, left: u64| if left < 1000 { 20 } else { ways[n] };
        let mut held = [0; 3];
        let mut steps = 0;
        for ms in 0..12_000 {
            let now = start + MS(ms);
            if ms % 20 == 0 {
                in_flight.left((ms / 20) as u16, now, &flight);
            }
            let comes = |n: usize| (0..=1000).find(|took| *took <= ms && way(n, ms - took) == *took);
            if let Some(back) = comes(1) {
                let left = ms - back;
                if left % 20 == 7 {
                    let gap = (1000..1020).contains(&left);
                    steps = if gap { 0 } else { steps + 1 };
                    flight.heard(Some(steps >= 2), MediaTime::of(now));
                }
                if left % 50 == 0
                    && let Some(there) = (0..20).find_map(|late| {
                        let at = left.checked_sub(late)?;
                        (0..=1000)
                            .find(|took| *took <= at && way(0, at - took) == *took && (at - took).is_multiple_of(20))
                            .map(|took| took + late)
                    })
                {
                    in_flight.reported(word(((left - there) / 20) as u16, there + back, 0), now, &flight);
                }
            }
            held[(ms / 4000) as usize] += u64::from(flight.held_until(MediaTime::of(now)).is_some());
        }
        held
    }

    #[test]
    fn a_path_that_becomes_longer_holds_nothing() {
        for ways in [[20, 20], [120, 120], [320, 320], [20, 320], [320, 20]] {
            let held = held_ms(ways);
            assert!(held[0] <= 40 && held[1..] == [0, 0], "{ways:?}: {held:?}");
        }
    }
}
