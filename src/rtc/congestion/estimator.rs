//! From reports of what arrived, and when, to the rate that may be sent. Pure; time is an argument.
//!
//! ```text
//!                       feedback
//!                          v
//! Starting --first train--> Growing <--- quiet ---+
//!                          |                      |
//!                          +-- queue grows, or loss that is not the path's own --> backed off: 85 % of what arrives
//! ```
//!
//! Starting: the first packets leave at once, and the pace at which they arrive tells what the path carries. Growing: by
//! half in each 200 ms where the path's limit is not known or was passed, by a packet each round trip near a known limit, by
//! 3 % in each 200 ms once that was found long ago; never beyond 1.5 times what arrives (1.15 near a limit), because what is
//! not sent proves nothing. Loss without a queue is the path's own (radio, a bad cable) and changes nothing while it stays
//! what it was.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::flight::FIRST_PATIENCE;
use super::loss::{LossVerdict, PathLoss};
use super::queue::PathQueue;
use super::trend::{DelayTrend, Usage};

/// The rate before the first report, bit/s.
pub(in crate::rtc) const START_BPS: u64 = 1_000_000;
/// The rate when the first report is late.
const UNHEARD_BPS: f64 = 200_000.0;
/// Bounds of the rate, bit/s.
const MIN_BPS: f64 = 80_000.0;
const MAX_BPS: f64 = 100_000_000.0;
/// Packets of the first train, at least, and how closely they must have left.
const TRAIN: usize = 6;
/// Packets of it that must arrive: a thin path has no room for more.
const TRAIN_ARRIVED: usize = 3;
/// Packets that are looked at for a train.
const FIRST: usize = 64;
const TRAIN_SPREAD: Duration = Duration::from_millis(10);
/// What is taken of the pace of the first train.
const TRAIN_SHARE: f64 = 0.8;
/// Backing off: to this share of what arrives.
const BACK_OFF: f64 = 0.85;
/// Beside the round trip and the queue, the time that a lower rate takes to show: the encoder's and the feedback's.
const SETTLING: Duration = Duration::from_millis(150);
/// A queue that is no longer than this share of what it was is draining.
const DRAINED: f64 = 0.8;
/// What follows a back-off within this time lowers the rate to no less than this share.
const AGAIN: Duration = Duration::from_secs(2);
const BACK_OFF_AGAIN: f64 = 0.7;
/// At less than this, in bit/s, one large picture makes a queue that looks like a longer path for a moment.
const WIDE: f64 = 1_000_000.0;
/// A queue of this side's own becomes shorter by more than this share of the time since the rate was lowered again.
const DRAINS: f64 = 0.1;
/// With more loss than this it is full, whosever the queue is.
const STAYS_LOSS: f64 = 0.1;
/// A back-off because of a delay that turns out to be the path's own is undone within this time.
const UNDO: Duration = Duration::from_secs(3);
/// A path that carries no more than this, in bit/s, is full at once: so it is where its first train arrived no faster.
const THIN: f64 = 500_000.0;
/// Growing where no limit is known: by this factor in each interval.
const GROWTH: f64 = 1.5;
/// The same on a very thin path (below so many bit/s) soon after a limit was found, though it was passed since: a few packets
/// had told of it, and a few more make a queue.
const GROWTH_SOON: f64 = 1.15;
const VERY_THIN: f64 = 160_000.0;
const GROWTH_INTERVAL: Duration = Duration::from_millis(200);
/// Growing where a limit was known, but not reached for a time.
const CAREFUL_GROWTH: f64 = 1.03;
const LIMIT_DOUBTFUL: Duration = Duration::from_secs(3);
/// The sending rate may exceed the receiving rate by this factor, and by this rate.
const PROVEN_FACTOR: f64 = 1.5;
const PROVEN_EXTRA_BPS: f64 = 50_000.0;
/// A rate above this share of a known limit is near it.
const NEAR_LIMIT: f64 = 0.7;
/// A known limit is passed by a rate that exceeds it by this factor.
const LIMIT_PASSED: f64 = 1.15;
/// A packet more or less within the window moves the measured rate by as much, in bit/s.
const RATE_NOISE_BPS: f64 = 20_000.0;
/// The least step of growth near a limit, in bits a response.
const LEAST_STEP: f64 = 2000.0;
/// A queue shorter than this is no reason to back off, one that is longer than modest allows no growth, and a large one is
/// a reason to back off, however steady.
pub(super) const QUEUE_SMALL: Duration = Duration::from_millis(30);
const QUEUE_MODEST: Duration = Duration::from_millis(60);
pub(super) const QUEUE_LARGE: Duration = Duration::from_millis(120);
/// Jitter looks like a queue of up to so many times its mean.
const JITTER_PEAKS: u32 = 6;
/// The time over which the rate that arrives is measured.
const RATE_WINDOW: Duration = Duration::from_millis(500);
/// Time and packets over which the outflow of a queue is measured; and the least of both.
const OUTFLOW_WINDOW: Duration = Duration::from_millis(120);
const OUTFLOW_PACKETS: usize = 8;
const LEAST_OUTFLOW_WINDOW: Duration = Duration::from_millis(40);
const LEAST_OUTFLOW_PACKETS: usize = 2;
/// Arrivals within that window at most.
const MAX_ARRIVED: usize = 8192;
/// Without feedback for this long the rate is halved, and again after as long.
const SILENCE: Duration = Duration::from_millis(1000);

/// Feedback on one packet.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// When it left.
    pub departure: Instant,
    /// Bytes.
    pub size: usize,
    /// On the receiver's clock; `None` when it did not arrive.
    pub arrival: Option<Duration>,
}

/// Estimates what the path carries.
#[derive(Debug)]
pub struct BandwidthEstimator {
    target_bps: f64,
    /// The first train of packets has told what the path carries.
    started: bool,
    /// Reports until then.
    first: Vec<Report>,
    trend: DelayTrend,
    /// Arrival and bytes of what arrived within `RATE_WINDOW`, and whether it had to wait.
    arrived: VecDeque<(Duration, usize, bool)>,
    /// Since when no report was lost.
    whole_from: Duration,
    loss: PathLoss,
    queue: PathQueue,
    /// The rate at which the path was last found full.
    limit_bps: Option<f64>,
    changed_at: Option<Instant>,
    backed_off_at: Option<Instant>,
    /// The back-off came soon after another one.
    backed_off_again: bool,
    /// How long the queue was when the rate was last lowered.
    queue_then: Duration,
    heard_at: Option<Instant>,
    first_departure: Option<Instant>,
    departed_at: Option<Instant>,
    /// When sending began again after a pause of this side's own.
    resumed_at: Option<Instant>,
    /// Rate and limit before the delay lowered the rate, and when that was.
    before_delay: Option<(f64, Option<f64>, Instant)>,
    longer: bool,
}

impl Default for BandwidthEstimator {
    fn default() -> Self {
        Self::new()
    }
}

impl BandwidthEstimator {
    /// An estimator that knows nothing of its path yet.
    pub fn new() -> Self {
        Self {
            target_bps: START_BPS as f64,
            started: false,
            first: Vec::new(),
            trend: DelayTrend::new(),
            arrived: VecDeque::new(),
            whole_from: Duration::ZERO,
            loss: PathLoss::default(),
            queue: PathQueue::default(),
            limit_bps: None,
            changed_at: None,
            backed_off_at: None,
            backed_off_again: false,
            queue_then: Duration::ZERO,
            heard_at: None,
            first_departure: None,
            departed_at: None,
            resumed_at: None,
            before_delay: None,
            longer: false,
        }
    }

    /// What may be sent, in bit/s, headers of RTP included.
    pub fn target_bps(&self) -> u64 {
        self.target_bps as u64
    }

    /// How long packets wait on the path, by the latest report.
    pub fn queue(&self) -> Duration {
        self.queue.length()
    }

    /// What is lost.
    pub(super) fn loss(&self) -> &PathLoss {
        &self.loss
    }

    /// A packet left: without any word about the ones before, ever less is sent.
    pub fn on_departure(&mut self, now: Instant) {
        self.queue.on_departure(now);
        let paused = self.departed_at.replace(now).is_none_or(|at| now.saturating_duration_since(at) >= SILENCE / 2);
        if paused {
            // Nothing was sent, so nothing could be heard; and the path may be another one now.
            self.resumed_at = Some(now);
            self.loss.forget_interruption();
            self.queue = PathQueue::default();
            self.trend = DelayTrend::new();
        }
        let first = *self.first_departure.get_or_insert(now);
        if self.heard_at.is_none() && now.saturating_duration_since(first) > FIRST_PATIENCE {
            // The path is long, or thin. A long one makes up for it with the first report.
            self.target_bps = self.target_bps.min(UNHEARD_BPS);
        }
        let heard = self.heard_at.max(self.resumed_at).unwrap_or(now);
        let changed = self.changed_at.unwrap_or(heard).max(heard);
        if now.saturating_duration_since(changed) >= SILENCE {
            self.set(self.target_bps / 2.0, now);
            // What the path carries afterwards is to be found anew.
            self.limit_bps = None;
        }
    }

    /// So many bytes left of which no report came: it was lost, though they may have arrived.
    pub(super) fn on_lost_report(&mut self, bytes: usize) {
        if let Some(&(at, _, _)) = self.arrived.back() {
            self.note_arrival(at, (bytes as f64 * (1.0 - self.loss.recent())) as usize, false);
            self.whole_from = at;
        }
    }

    fn note_arrival(&mut self, at: Duration, bytes: usize, waited: bool) {
        if self.arrived.len() >= MAX_ARRIVED {
            self.arrived.pop_front();
        }
        self.arrived.push_back((at, bytes, waited));
    }

    /// So many packets that were reported lost have come: they were only overtaken.
    pub(super) fn on_overtaken(&mut self, count: u32) {
        self.loss.take_back(count);
    }

    /// How long the packet waited that arrived last.
    pub(super) fn queue_of_latest(&self) -> Duration {
        self.queue.of_latest()
    }

    /// By how much the delay goes back and forth.
    pub(super) fn jitter(&self) -> Duration {
        self.queue.jitter()
    }

    /// The far side reported on some packets, in the order of departure.
    pub fn on_feedback(&mut self, reports: &[Report], round_trip: Duration, now: Instant) {
        if reports.is_empty() {
            return;
        }
        let heard_at = self.heard_at.replace(now);
        // What left before a pause says nothing of the path after it.
        let left_before = |report: &Report| self.resumed_at.is_some_and(|resumed| report.departure < resumed);
        let reports = &reports[reports.partition_point(left_before)..];
        if reports.is_empty() {
            return;
        }
        for report in reports {
            if let Some(arrival) = report.arrival {
                self.trend.add(report.departure, arrival);
                // A far side whose clock runs backwards is not to fill the memory.
                if self.arrived.back().is_some_and(|(at, ..)| *at > arrival + RATE_WINDOW) {
                    self.arrived.clear();
                }
                let waited = self.queue.wait(report).is_some_and(|wait| wait >= QUEUE_SMALL);
                self.note_arrival(arrival, report.size, waited);
            }
        }
        if self.queue.measure(reports, self.target_bps < WIDE, now) {
            self.path_is_longer(now);
        }
        let verdict = self.loss.judge(reports, self.backed_off_at, self.queue_beyond_jitter() >= QUEUE_MODEST, now);
        if !self.started && self.first.len() < FIRST && self.start(reports, now) {
            return;
        }
        if heard_at.max(self.resumed_at).is_some_and(|at| now.saturating_duration_since(at) > SILENCE / 2) {
            self.loss.forget_interruption();
            self.limit_bps = None;
            return;
        }
        if let Some(received) = self.received_bps() {
            self.follow(verdict, received, round_trip, now);
        }
    }

    /// True once when the path turned out to have become longer.
    pub(super) fn take_longer(&mut self) -> bool {
        std::mem::take(&mut self.longer)
    }

    /// Lowers or raises the rate by what the delay and the loss say.
    fn follow(&mut self, verdict: LossVerdict, received: f64, round_trip: Duration, now: Instant) {
        let queue = self.queue_beyond_jitter();
        let fills = self.trend.usage() == Usage::Over && queue >= QUEUE_SMALL;
        let to_be_seen = self.target_bps >= WIDE && self.queue.is_to_be_seen();
        match verdict {
            _ if fills || queue >= QUEUE_LARGE => {
                if !to_be_seen && self.has_settled(round_trip, now) && !self.drains(queue, now) {
                    // While a queue stands, what comes out of it tells at once what the path carries now.
                    let received = self.outflow_bps().map_or(received, |outflow| outflow.min(received));
                    if self.stays_whatever_is_sent(queue, now) {
                        self.queue.rebase(now);
                        self.path_is_longer(now);
                        return;
                    }
                    let before = (self.target_bps, self.limit_bps, now);
                    if self.back_off(received, queue, now) {
                        self.loss.forget_onset();
                        let recent =
                            |(_, _, at): &(f64, Option<f64>, Instant)| now.saturating_duration_since(*at) < UNDO;
                        self.before_delay = self.before_delay.filter(recent).or(Some(before));
                    }
                }
            }
            LossVerdict::Congested(loss) => {
                if self.has_settled(round_trip, now) {
                    let before = self.target_bps;
                    self.back_off(received.max(before * (1.0 - loss)), queue, now);
                    self.loss.try_less(loss, before, now);
                }
            }
            LossVerdict::Acquitted(before) => {
                self.limit_bps = None;
                self.set(self.target_bps.max(before), now);
            }
            LossVerdict::Usual if self.trend.usage() == Usage::Normal && queue < QUEUE_MODEST => {
                self.grow(received, round_trip, now);
            }
            // Full, as it has been before: what is beyond that only lengthens the queue.
            LossVerdict::Usual if self.limit_bps.is_some() && queue >= QUEUE_MODEST && received < self.target_bps => {
                self.set(received, now);
            }
            LossVerdict::Usual => {}
        }
    }

    /// The rate was lowered again and again for a delay that did not become shorter: that is not this side's queue.
    fn stays_whatever_is_sent(&self, queue: Duration, now: Instant) -> bool {
        let told = self.backed_off_again && self.target_bps >= WIDE;
        let Some(at) = self.backed_off_at.filter(|_| told) else { return false };
        let fall = now.saturating_duration_since(at).mul_f64(DRAINS);
        queue + fall > self.queue_then && queue < self.queue_then + QUEUE_SMALL && self.loss.recent() < STAYS_LOSS
    }

    /// The delay that has risen is the path's own: nothing that was made of it counts.
    fn path_is_longer(&mut self, now: Instant) {
        self.trend = DelayTrend::new();
        self.longer = true;
        if let Some((bps, limit, at)) = self.before_delay.take()
            && now.saturating_duration_since(at) < UNDO
        {
            self.limit_bps = limit;
            self.set(self.target_bps.max(bps), now);
        }
        self.backed_off_again = false;
    }

    /// How long packets certainly wait on the path.
    pub(super) fn queue_beyond_jitter(&self) -> Duration {
        self.queue.length().saturating_sub(self.queue.jitter() * JITTER_PEAKS)
    }

    /// What was changed before has had the time to show.
    fn has_settled(&self, round_trip: Duration, now: Instant) -> bool {
        let response = SETTLING + round_trip + self.queue.length();
        self.backed_off_at.is_none_or(|at| now.saturating_duration_since(at) >= response)
    }

    /// The lower rate suffices: the queue is shorter than it was, and will be gone.
    fn drains(&mut self, queue: Duration, now: Instant) -> bool {
        let drains = queue < self.queue_then.mul_f64(DRAINED);
        if drains {
            self.queue_then = queue;
            self.backed_off_at = Some(now);
        }
        drains
    }

    /// The pace at which a train of packets arrived that left together, such as those of the first keyframe; false when what
    /// was reported so far tells of none.
    fn start(&mut self, reports: &[Report], now: Instant) -> bool {
        self.first.extend_from_slice(reports);
        let reports = &self.first;
        let train_from = |from: usize| {
            let last = reports.get(from + TRAIN - 1)?.departure;
            let first = reports[from].departure;
            (last.saturating_duration_since(first) <= TRAIN_SPREAD).then_some(from)
        };
        let Some(from) = (0..reports.len()).find_map(train_from) else { return false };
        let first = reports[from].departure;
        let train = reports[from..]
            .iter()
            .take_while(|report| report.departure.saturating_duration_since(first) <= TRAIN_SPREAD)
            .filter_map(|report| Some((report.arrival?, report.size)));
        let (mut count, mut bytes, mut span) = (0, 0, (Duration::MAX, Duration::ZERO));
        for (arrival, size) in train {
            // The first packet only starts the clock.
            bytes += if count == 0 { 0 } else { size };
            count += 1;
            span = (span.0.min(arrival), span.1.max(arrival));
        }
        if count < TRAIN_ARRIVED {
            return false;
        }
        self.started = true;
        self.first = Vec::new();
        let seconds = span.1.saturating_sub(span.0).as_secs_f64().max(0.000_1);
        let pace = bytes as f64 * 8.0 / seconds;
        if pace < THIN {
            self.limit_bps = Some(pace);
            self.backed_off_at = Some(now);
        }
        self.set(pace * TRAIN_SHARE, now);
        true
    }

    /// Lowers the rate below what arrives; false where it is that low.
    fn back_off(&mut self, received: f64, queue: Duration, now: Instant) -> bool {
        let lower = received * BACK_OFF;
        let again = self.backed_off_at.is_some_and(|at| now.saturating_duration_since(at) < AGAIN);
        let lower = if again { lower.max(self.target_bps * BACK_OFF_AGAIN) } else { lower };
        let lowers = lower < self.target_bps;
        if lowers {
            self.backed_off_again = again;
            self.limit_bps = Some(received);
            self.backed_off_at = Some(now);
            self.queue_then = queue;
            // Each loss counts once.
            self.loss.clear();
            self.set(lower, now);
        }
        lowers
    }

    fn grow(&mut self, received: f64, round_trip: Duration, now: Instant) {
        if self.limit_bps.is_some_and(|limit| received > limit * LIMIT_PASSED + RATE_NOISE_BPS) {
            self.limit_bps = None;
        }
        let doubtful = self.backed_off_at.is_none_or(|at| now.saturating_duration_since(at) > LIMIT_DOUBTFUL);
        if doubtful && self.limit_bps.is_some_and(|limit| received < limit * NEAR_LIMIT) {
            // Little has been wanted since, so nothing is known of the limit now.
            self.limit_bps = None;
        }
        let elapsed =
            self.changed_at.map_or(GROWTH_INTERVAL, |at| now.saturating_duration_since(at)).min(GROWTH_INTERVAL);
        let grown = match self.limit_bps {
            // The limit was found long ago: it may be another one now.
            Some(_) if doubtful => {
                self.target_bps * CAREFUL_GROWTH.powf(elapsed.as_secs_f64() / GROWTH_INTERVAL.as_secs_f64())
            }
            // A packet, or a hundredth, in each round trip and the time that feedback takes.
            Some(limit) if self.target_bps > limit * NEAR_LIMIT => {
                let response = round_trip + Duration::from_millis(100);
                let step = (self.target_bps / 100.0).clamp(LEAST_STEP, 9600.0);
                self.target_bps + step * elapsed.as_secs_f64() / response.as_secs_f64()
            }
            _ => {
                let growth = if doubtful || self.target_bps >= VERY_THIN { GROWTH } else { GROWTH_SOON };
                self.target_bps * growth.powf(elapsed.as_secs_f64() / GROWTH_INTERVAL.as_secs_f64())
            }
        };
        let proven = match self.limit_bps {
            // Near a limit the encoder may leave room now and fill it later, all at once.
            Some(_) => received * LIMIT_PASSED + 2.0 * RATE_NOISE_BPS,
            None => received * PROVEN_FACTOR + PROVEN_EXTRA_BPS,
        };
        let target = self.target_bps.max(grown.min(proven));
        self.set(target, now);
    }

    fn set(&mut self, bps: f64, now: Instant) {
        self.target_bps = bps.clamp(MIN_BPS, MAX_BPS);
        self.changed_at = Some(now);
    }

    /// The rate at which the latest packets came out of a queue: while packets wait, nothing of what the path carries is unused,
    /// so two of them tell.
    fn outflow_bps(&self) -> Option<f64> {
        let latest = self.arrived.back()?.0;
        let (mut bytes, mut count, mut outflow) = (0, 0, None);
        for &(at, size, waited) in self.arrived.iter().rev() {
            let span = latest.saturating_sub(at);
            if span >= LEAST_OUTFLOW_WINDOW && count >= LEAST_OUTFLOW_PACKETS {
                outflow = Some(bytes as f64 * 8.0 / span.as_secs_f64());
            }
            if (span >= OUTFLOW_WINDOW && count >= OUTFLOW_PACKETS) || at <= self.whole_from || !waited {
                break;
            }
            bytes += size;
            count += 1;
        }
        outflow
    }

    /// The rate at which packets arrived lately.
    fn received_bps(&mut self) -> Option<f64> {
        let latest = self.arrived.back()?.0;
        while self.arrived.front().is_some_and(|(at, ..)| latest.saturating_sub(*at) > RATE_WINDOW) {
            self.arrived.pop_front();
        }
        let earliest = self.arrived.front()?.0;
        let span = latest.saturating_sub(earliest);
        if span < RATE_WINDOW / 4 {
            return None;
        }
        let bytes: usize = self.arrived.iter().skip(1).map(|(_, size, _)| size).sum();
        Some(bytes as f64 * 8.0 / span.as_secs_f64())
    }
}

#[cfg(test)]
#[path = "estimator_tests.rs"]
mod tests;
