//! A greedy TCP flow beside the call: CUBIC (RFC 9438) over the same bottleneck, so that a call can be tried against
//! it.
//!
//! No datagram of it exists: it only takes its place in the bottleneck's queue. Pure; time is an argument.

use std::collections::VecDeque;
use std::time::Duration;

use crate::media::MediaTime;

/// Bytes of a segment with its headers, those of UDP left out, which the link adds to everything.
const SEGMENT: usize = 1472;
/// Segments of the first window (RFC 6928), and of the largest.
const FIRST_WINDOW: f64 = 10.0;
const MAX_WINDOW: f64 = 2000.0;
/// Constants of CUBIC (RFC 9438, 5).
const SCALE: f64 = 0.4;
const DECREASE: f64 = 0.7;
/// Later acknowledgements after which a segment counts as lost (RFC 5681, 3.2).
const DUPLICATES: u32 = 3;
/// Without any acknowledgement for this long the window begins anew (RFC 6298, Linux's least value).
const TIMEOUT: Duration = Duration::from_millis(200);

/// One flow.
#[derive(Debug)]
pub(super) struct TcpFlow {
    /// Up to when everything is done.
    at: MediaTime,
    window: f64,
    threshold: f64,
    /// Number of each segment on its way, and when its acknowledgement comes: never, where it was dropped.
    in_flight: VecDeque<(u64, Option<MediaTime>)>,
    next: u64,
    /// Losses before this number have lowered the window already.
    recovered_from: u64,
    duplicates: u32,
    /// The window before it was last lowered, and when that was.
    before: Option<(f64, MediaTime)>,
    heard_at: MediaTime,
    delivered: u64,
}

impl TcpFlow {
    /// A flow that begins at `now`.
    pub(super) fn new(now: MediaTime) -> Self {
        Self {
            at: now,
            window: FIRST_WINDOW,
            threshold: MAX_WINDOW,
            in_flight: VecDeque::new(),
            next: 0,
            recovered_from: 0,
            duplicates: 0,
            before: None,
            heard_at: now,
            delivered: 0,
        }
    }

    /// Bytes that have been acknowledged.
    pub(super) fn delivered_bytes(&self) -> u64 {
        self.delivered * SEGMENT as u64
    }

    /// When it does something next.
    pub(super) fn next_event(&self) -> MediaTime {
        if (self.in_flight.len() as f64) < self.window.floor() {
            return self.at;
        }
        let heard = self.in_flight.iter().find_map(|(_, acknowledged)| *acknowledged);
        heard.unwrap_or(self.heard_at + TIMEOUT).max(self.at)
    }

    /// Does it. `pass` says when a datagram of so many bytes that leaves at a moment is through the bottleneck; `delay`
    /// is that of each way.
    pub(super) fn step(&mut self, delay: Duration, pass: impl FnOnce(usize, MediaTime) -> Option<MediaTime>) {
        self.at = self.next_event();
        if (self.in_flight.len() as f64) < self.window.floor() {
            let acknowledged = pass(SEGMENT, self.at).map(|through| through + delay * 2);
            self.in_flight.push_back((self.next, acknowledged));
            self.next += 1;
            return;
        }
        match self.in_flight.iter().position(|(_, acknowledged)| acknowledged.is_some()) {
            Some(index) => self.acknowledged(index),
            None => self.timed_out(),
        }
    }

    fn acknowledged(&mut self, index: usize) {
        let round_trip = self.at.since(self.heard_at);
        (self.heard_at, self.delivered) = (self.at, self.delivered + 1);
        self.in_flight.remove(index);
        self.duplicates = if index > 0 { self.duplicates + 1 } else { 0 };
        if self.duplicates >= DUPLICATES {
            self.duplicates = 0;
            self.lost(index);
        } else if self.window < self.threshold {
            self.window += 1.0;
        } else {
            self.grow(round_trip);
        }
        self.window = self.window.min(MAX_WINDOW);
    }

    /// The first segments on their way were dropped.
    fn lost(&mut self, segments: usize) {
        let latest = self.in_flight.get(segments.saturating_sub(1)).map_or(0, |(number, _)| *number);
        self.in_flight.drain(..segments.min(self.in_flight.len()));
        if latest >= self.recovered_from {
            self.recovered_from = self.next;
            self.before = Some((self.window, self.at));
            self.window = (self.window * DECREASE).max(2.0);
            self.threshold = self.window;
        }
    }

    fn timed_out(&mut self) {
        self.in_flight.clear();
        self.recovered_from = self.next;
        self.before = Some((self.window, self.at));
        self.threshold = (self.window * DECREASE).max(2.0);
        self.window = 1.0;
        self.heard_at = self.at;
    }

    fn grow(&mut self, round_trip: Duration) {
        let (most, since) = *self.before.get_or_insert((self.window, self.at));
        let elapsed = (self.at.since(since) + round_trip).as_secs_f64();
        let back = (most * (1.0 - DECREASE) / SCALE).cbrt();
        let cubic = SCALE * (elapsed - back).powi(3) + most;
        let step = ((cubic - self.window) / self.window).clamp(0.01 / self.window, 0.5);
        self.window += step;
    }
}
