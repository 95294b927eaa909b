//! Packets in flight: when feedback on the oldest of them is overdue, which holds video back
//! (`crate::rtc::path::pushback`). Pure; time is an argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::media::MediaTime;
use crate::rtc::path::{GIVEN_UP, Pushback};

/// Beyond the RTT without the queue, feedback may take so long: three intervals, so that one lost packet of it changes
/// nothing.
const TIMEOUT: Duration = Duration::from_millis(150);
/// Where many of them are lost, two in a row are nothing, either.
const LOSSY_TIMEOUT: Duration = Duration::from_millis(100);
/// Before any feedback the RTT is anybody's guess.
pub(super) const FIRST_TIMEOUT: Duration = Duration::from_millis(200);
/// Jitter delays feedback by up to so many times its mean, both ways, but by no more than this.
const JITTER_PEAKS: u32 = 6;
const MAX_JITTER: Duration = Duration::from_millis(150);
/// Feedback packets whose least RTT counts.
const FEEDBACKS: usize = 4;
/// Without a packet for so long this side has paused.
const PAUSE: Duration = Duration::from_millis(500);
/// Departures that are remembered: more are not in flight within any timeout.
const REMEMBERED: usize = 4096;

/// News of packets in flight, out of one feedback packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acked {
    /// Everything through this packet has been reported, or never will be.
    pub(super) number: u16,
    /// How long ago the latest packet left that has arrived, if that is news, and how long packets wait on the path.
    pub(super) took: Option<Duration>,
    pub(super) queue: Duration,
    /// How much the delay goes back and forth.
    pub(super) jitter: Duration,
    /// Much is lost, and so is feedback.
    pub(super) heavy_loss: bool,
}

/// Packets in flight.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// Numbers and departures of packets without feedback.
    departures: VecDeque<(u16, Instant)>,
    /// The latest RTTs without the queue.
    rtts: [Option<Duration>; FEEDBACKS],
    timeout: Option<Duration>,
}

impl InFlight {
    /// A packet leaves. True where feedback on earlier ones is given up.
    pub(super) fn left(&mut self, number: u16, now: Instant, pushback: &Pushback) -> bool {
        let age = |at: Instant| now.saturating_duration_since(at);
        if self.departures.back().is_some_and(|(_, latest)| age(*latest) >= PAUSE) {
            // The far side had nothing to report: the last packets before a pause of this side's own may be lost.
            self.departures.clear();
        }
        let timeout = self.timeout.unwrap_or(FIRST_TIMEOUT);
        let lost = |at: Instant| age(at) >= timeout + GIVEN_UP;
        let mut gives_up = false;
        while self.departures.len() == REMEMBERED || self.departures.front().is_some_and(|(_, at)| lost(*at)) {
            self.departures.pop_front();
            gives_up = true;
        }
        self.departures.push_back((number, now));
        self.publish(pushback);
        gives_up && self.timeout.is_some()
    }

    /// Feedback came.
    pub(super) fn acked(&mut self, acked: Acked, now: Instant, pushback: &Pushback) {
        let is_through = |one: u16| acked.number.wrapping_sub(one) < 1 << 15;
        while self.departures.pop_front_if(|(one, _)| is_through(*one)).is_some() {}
        let at = MediaTime::of(now);
        pushback.before_feedback(at);
        if let Some(took) = acked.took {
            self.rtts.rotate_right(1);
            self.rtts[0] = Some(took.saturating_sub(acked.queue));
            let least = self.rtts.iter().flatten().min().copied().unwrap_or(took);
            let jitter = (acked.jitter * JITTER_PEAKS).min(MAX_JITTER);
            let more = if acked.heavy_loss { LOSSY_TIMEOUT } else { Duration::ZERO };
            self.timeout = Some(least + TIMEOUT + more.max(jitter));
        }
        self.publish(pushback);
        pushback.note_feedback(at);
    }

    fn publish(&self, pushback: &Pushback) {
        let oldest = self.departures.front().map(|(_, at)| MediaTime::of(*at));
        pushback.set_in_flight(oldest, self.timeout.unwrap_or(FIRST_TIMEOUT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn acked(number: u16, took: u64, queue: u64) -> Acked {
        Acked { number, took: Some(MS(took)), queue: MS(queue), jitter: Duration::ZERO, heavy_loss: false }
    }

    #[test]
    fn a_late_report_holds_what_follows_until_it_comes_or_is_given_up() {
        let start = Instant::now();
        let (pushback, mut in_flight) = (Pushback::default(), InFlight::default());
        // Something comes all the time, though not steadily.
        let held = |pushback: &Pushback, ms: u64| {
            let at = MediaTime::of(start) + MS(ms);
            pushback.heard(Some(false), at);
            pushback.end_trial();
            pushback.held_until(at).is_some()
        };
        in_flight.left(65_535, start, &pushback);
        in_flight.left(0, start + MS(10), &pushback);
        in_flight.acked(acked(0, 40, 0), start + MS(50), &pushback);
        assert!(!held(&pushback, 5000), "nothing is on its way");
        in_flight.left(1, start + MS(100), &pushback);
        in_flight.left(2, start + MS(200), &pushback);
        // The round trip of 40 ms, and 150 ms of timeout.
        assert!(!held(&pushback, 289) && held(&pushback, 291));
        in_flight.acked(acked(1, 200, 160), start + MS(300), &pushback);
        assert!(!held(&pushback, 300) && held(&pushback, 391));
        assert!(held(&pushback, 789) && !held(&pushback, 791), "given up");
        in_flight.left(3, start + MS(1000), &pushback);
        assert!(!held(&pushback, 1100), "what was given up is forgotten");
    }

    #[test]
    fn a_pause_of_this_sides_own_is_no_missing_feedback() {
        let start = Instant::now();
        // The last packet before the pause was lost: nobody ever tells of it.
        for then in [650, 700, 1300, 5000] {
            let (pushback, mut in_flight) = (Pushback::default(), InFlight::default());
            in_flight.left(0, start, &pushback);
            in_flight.acked(acked(0, 40, 0), start + MS(50), &pushback);
            in_flight.left(1, start + MS(100), &pushback);
            assert!(!in_flight.left(2, start + MS(then), &pushback), "after {then} ms");
            let at = MediaTime::of(start) + MS(then + 10);
            pushback.heard(Some(false), at);
            pushback.end_trial();
            assert_eq!(pushback.held_until(at), None, "after {then} ms");
        }
        let (pushback, mut in_flight) = (Pushback::default(), InFlight::default());
        in_flight.left(0, start, &pushback);
        in_flight.acked(acked(0, 40, 0), start + MS(50), &pushback);
        let given_up: Vec<bool> =
            (1..40).map(|n: u64| in_flight.left(n as u16, start + MS(100 + n * 20), &pushback)).collect();
        assert!(!given_up[0] && given_up[38], "without a pause it is missing");
    }

    /// How long pictures are held, in ms, of 4 s each: of sound both ways each 20 ms, and a report each 50 ms, over a
    /// path that takes `ways` ms, there and back, instead of 20 after the first second.
    fn held_ms(ways: [u64; 2]) -> [u64; 3] {
        let start = Instant::now();
        let (pushback, mut in_flight) = (Pushback::default(), InFlight::default());
        let way = |n: usize, left: u64| if left < 1000 { 20 } else { ways[n] };
        let mut held = [0; 3];
        let mut steps = 0;
        for ms in 0..12_000 {
            let now = start + MS(ms);
            if ms % 20 == 0 {
                in_flight.left((ms / 20) as u16, now, &pushback);
            }
            let comes = |n: usize| (0..=1000).find(|took| *took <= ms && way(n, ms - took) == *took);
            if let Some(back) = comes(1) {
                let left = ms - back;
                if left % 20 == 7 {
                    let gap = (1000..1020).contains(&left);
                    steps = if gap { 0 } else { steps + 1 };
                    pushback.heard(Some(steps >= 2), MediaTime::of(now));
                }
                if left % 50 == 0
                    && let Some(there) = (0..20).find_map(|late| {
                        let at = left.checked_sub(late)?;
                        (0..=1000)
                            .find(|took| *took <= at && way(0, at - took) == *took && (at - took).is_multiple_of(20))
                            .map(|took| took + late)
                    })
                {
                    in_flight.acked(acked(((left - there) / 20) as u16, there + back, 0), now, &pushback);
                }
            }
            held[(ms / 4000) as usize] += u64::from(pushback.held_until(MediaTime::of(now)).is_some());
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
