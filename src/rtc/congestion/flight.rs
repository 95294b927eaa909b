//! How long packets have been on their way without a word of them. On a path that has become narrow the reports come late, or
//! not at all: whatever is sent until they come only fills the queue, and then is lost.
//!
//! Noted on the task of the peer connection, read by the sending task and by the encoder.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::queue::LeastOf;
use crate::media::MediaTime;

/// Beyond the least round trip, a report may take so long: three intervals, so that one lost report changes nothing.
const PATIENCE: Duration = Duration::from_millis(150);
/// Where many reports are lost, two in a row are nothing, either.
const MORE_PATIENCE: Duration = Duration::from_millis(100);
/// Before any report the round trip is anybody's guess.
pub(super) const FIRST_PATIENCE: Duration = Duration::from_millis(200);
/// What is not reported for so much longer never will be.
const GIVEN_UP: Duration = Duration::from_millis(400);
/// The least round trip of this time counts.
const ROUND_TRIP_WINDOW: Duration = Duration::from_secs(10);
/// Departures that are remembered: more are not on their way within any patience.
const REMEMBERED: usize = 4096;

/// Since when the oldest packet is on its way, and how long that may last. In microseconds; 0: none.
#[derive(Debug, Default)]
pub(in crate::rtc) struct Flight {
    oldest_us: AtomicU64,
    patience_us: AtomicU64,
    /// Something was reported.
    pub(in crate::rtc) reported: Notify,
}

impl Flight {
    /// Until when nothing more is to be sent, unless a report comes before; `None` when something may.
    pub(in crate::rtc) fn held_until(&self, now: MediaTime) -> Option<MediaTime> {
        let oldest = self.oldest_us.load(Relaxed);
        let patience = Duration::from_micros(self.patience_us.load(Relaxed));
        let end = MediaTime::from_micros(oldest) + patience + GIVEN_UP;
        let late = now.since(MediaTime::from_micros(oldest)) > patience;
        (oldest != 0 && late && now < end).then_some(end)
    }
}

/// What is on its way.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// Numbers and departures of what is not reported yet.
    departures: VecDeque<(u16, Instant)>,
    round_trip: LeastOf,
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

    /// Everything through the packet `number`, which left at `departure` if that is news, has been reported, or never will
    /// be. `heavy_loss`: so are reports lost.
    pub(super) fn reported(
        &mut self,
        number: u16,
        departure: Option<Instant>,
        heavy_loss: bool,
        now: Instant,
        flight: &Flight,
    ) {
        let is_through = |one: u16| number.wrapping_sub(one) < 1 << 15;
        while self.departures.pop_front_if(|(one, _)| is_through(*one)).is_some() {}
        if let Some(at) = departure {
            let took = now.saturating_duration_since(at);
            if self.patience.is_some_and(|patience| took >= patience + GIVEN_UP) {
                // It was given up, and has come: the path has become longer.
                self.round_trip = LeastOf::default();
            }
            let least = self.round_trip.note(took.as_secs_f64(), now, ROUND_TRIP_WINDOW);
            let more = if heavy_loss { MORE_PATIENCE } else { Duration::ZERO };
            self.patience = Some(Duration::from_secs_f64(least) + PATIENCE + more);
        }
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

    #[test]
    fn a_late_report_holds_what_follows_until_it_comes_or_is_given_up() {
        let start = Instant::now();
        let (flight, mut in_flight) = (Flight::default(), InFlight::default());
        let held = |flight: &Flight, ms: u64| flight.held_until(MediaTime::of(start) + MS(ms)).is_some();
        in_flight.left(65_535, start, &flight);
        in_flight.left(0, start + MS(10), &flight);
        in_flight.reported(0, Some(start + MS(10)), false, start + MS(50), &flight);
        assert!(!held(&flight, 5000), "nothing is on its way");
        in_flight.left(1, start + MS(100), &flight);
        in_flight.left(2, start + MS(200), &flight);
        // The round trip of 40 ms, and 150 ms of patience.
        assert!(!held(&flight, 289) && held(&flight, 291));
        in_flight.reported(1, Some(start + MS(100)), false, start + MS(300), &flight);
        assert!(!held(&flight, 300) && held(&flight, 391));
        assert!(held(&flight, 789) && !held(&flight, 791), "given up");
        in_flight.left(3, start + MS(1000), &flight);
        assert!(!held(&flight, 1100), "what was given up is forgotten");
    }

    #[test]
    fn a_path_that_becomes_much_longer_is_soon_no_reason_to_hold() {
        let start = Instant::now();
        let (flight, mut in_flight) = (Flight::default(), InFlight::default());
        // A packet of sound each 20 ms, a report each 60 ms, and after 2 s a round trip of 900 ms instead of 40.
        let mut held_ms = [0; 3];
        for ms in (0..24_000).step_by(20) {
            let now = start + MS(ms);
            in_flight.left((ms / 20) as u16, now, &flight);
            let round_trip = if ms < 2000 { 40 } else { 900 };
            if ms % 60 == 0 && ms > round_trip && !(2000..=2900).contains(&ms) {
                let left = ms - round_trip;
                in_flight.reported((left / 20) as u16, Some(start + MS(left)), false, now, &flight);
            }
            if flight.held_until(MediaTime::of(now)).is_some() {
                held_ms[(ms / 8000) as usize] += 20;
            }
        }
        assert!((600..1200).contains(&held_ms[0]) && held_ms[1..] == [0, 0], "{held_ms:?}");
    }
}
