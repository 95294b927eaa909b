//! Bandwidth estimator: from feedback on packets to the target rate (draft-ietf-rmcat-gcc-02; libwebrtc,
//! `goog_cc/goog_cc_network_control.cc`). Pure; time is an argument.
//!
//! ```text
//!                       feedback
//!                          v
//! initial probe ---------> growing <--- quiet ----+
//!                          |                      |
//!                          +-- queue grows, or congestion loss --> backed off: 85 % of what arrives
//! ```
//!
//! Loss without a queue is inherent in the path (radio, a bad cable) and changes nothing while it stays what it was.

use std::time::{Duration, Instant};

use super::acked_bitrate::AckedBitrate;
use super::aimd::AimdRateControl;
use super::in_flight::FIRST_TIMEOUT;
use super::initial_probe::InitialProbe;
use super::link_capacity::LinkCapacityEstimate;
use super::loss_based::{LossBasedEstimate, LossVerdict};
use super::packet_history::PacketResult;
use super::packet_pairs::{PacketPairs, PairVerdict};
use super::probe_bitrate::ProbeResult;
use super::probe_controller::ProbeInputs;
use super::queuing_delay::QueuingDelay;
use super::trendline::{BandwidthUsage, TrendlineEstimator};

/// The rate when the first feedback is late, bit/s.
const UNHEARD_BPS: f64 = 200_000.0;
/// Share of the first packet train's rate that is the first estimate.
const TRAIN_SHARE: f64 = 0.8;
/// At less than this, in bit/s, one large picture makes a queue that looks like a longer path for a moment.
const WIDE: f64 = 1_000_000.0;
/// With more loss than this the path is full, whosever the queue is.
const STAYS_LOSS: f64 = 0.1;
/// A back-off because of a delay that turns out to be the path's own is undone within this time.
const UNDO: Duration = Duration::from_secs(3);
/// A path that carries no more than this, in bit/s, is full at once: so it is where its first train arrived no faster.
const THIN: f64 = 500_000.0;
/// A queue shorter than this is no reason to back off, one that is longer than modest allows no growth, and a large one
/// is a reason to back off, however steady.
pub(super) const QUEUE_SMALL: Duration = Duration::from_millis(30);
const QUEUE_MODEST: Duration = Duration::from_millis(60);
pub(super) const QUEUE_LARGE: Duration = Duration::from_millis(120);
/// Jitter looks like a queue of up to so many times its mean.
const JITTER_PEAKS: u32 = 6;
/// Packet pairs tell nothing under more jitter than this.
const PAIR_JITTER: Duration = Duration::from_millis(4);
/// Without feedback for this long the rate is halved, and again after as long.
const SILENCE: Duration = Duration::from_millis(1000);

/// The rate before a delay lowered it, to be restored should the delay turn out to be the path's own.
#[derive(Clone, Copy, Debug)]
struct Before {
    bps: f64,
    capacity: LinkCapacityEstimate,
    at: Instant,
}

/// Estimates what a path carries.
#[derive(Debug, Default)]
pub struct BandwidthEstimator {
    rate: AimdRateControl,
    probe: InitialProbe,
    trend: TrendlineEstimator,
    acked: AckedBitrate,
    pairs: PacketPairs,
    loss: LossBasedEstimate,
    queue: QueuingDelay,
    heard_at: Option<Instant>,
    first_departure: Option<Instant>,
    departed_at: Option<Instant>,
    /// When sending began again after a pause of this side's own.
    resumed_at: Option<Instant>,
    before_delay: Option<Before>,
    before_timeout: Option<Before>,
    longer: bool,
}

impl BandwidthEstimator {
    /// An estimator that knows nothing of its path yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The target rate on the wire in bit/s, headers included.
    pub fn target_bps(&self) -> u64 {
        self.rate.target_bps() as u64
    }

    /// Queuing delay of the path, apart from jitter.
    pub fn queue(&self) -> Duration {
        self.queue.length()
    }

    /// Loss.
    pub(super) fn loss(&self) -> &LossBasedEstimate {
        &self.loss
    }

    /// A packet left: without any feedback on the ones before, ever less is sent.
    pub fn on_departure(&mut self, now: Instant) {
        self.queue.on_departure(now);
        let paused = self.departed_at.replace(now).is_none_or(|at| now.saturating_duration_since(at) >= SILENCE / 2);
        if paused {
            // Nothing was sent, so nothing could be heard; and the path may be another one now.
            self.resumed_at = Some(now);
            self.loss.forget_interruption();
            self.queue = QueuingDelay::default();
            self.trend = TrendlineEstimator::default();
            self.pairs.forget();
        }
        let first = *self.first_departure.get_or_insert(now);
        if self.heard_at.is_none() && now.saturating_duration_since(first) > FIRST_TIMEOUT {
            // The path is long, or thin. A long one makes up for it with the first feedback.
            self.rate.cap_unheard(UNHEARD_BPS);
        }
        let heard = self.heard_at.max(self.resumed_at).unwrap_or(now);
        let changed = self.rate.changed_at().unwrap_or(heard).max(heard);
        if now.saturating_duration_since(changed) >= SILENCE {
            self.rate.set(self.rate.target_bps() / 2.0, now);
            // The capacity afterwards is to be found anew.
            self.rate.forget_capacity();
            self.pairs.forget();
        }
    }

    /// Feedback never came on the packets in flight: the path has become far narrower, or interrupted (compare the
    /// retransmission timeout of RFC 6298, 5).
    pub(super) fn on_feedback_timeout(&mut self, now: Instant) {
        let before = Before { bps: self.rate.target_bps(), capacity: self.rate.capacity(), at: now };
        if before.bps > UNHEARD_BPS {
            self.before_timeout.get_or_insert(before);
            self.rate.cap_unheard(UNHEARD_BPS);
        }
    }

    /// Feedback on so many bytes was lost, though they may have arrived.
    pub(super) fn on_lost_feedback(&mut self, bytes: usize) {
        self.acked.add_unreported((bytes as f64 * (1.0 - self.loss.recent())) as usize);
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

    /// The far side reported on packets of a probe alone: they say nothing of the target, but it is no silence.
    pub(super) fn on_probe_feedback(&mut self, now: Instant) {
        self.heard_at = Some(now);
    }

    /// The far side reported on some packets, in the order of departure.
    pub fn on_feedback(&mut self, results: &[PacketResult], rtt: Duration, now: Instant) {
        if results.is_empty() {
            return;
        }
        let heard_at = self.heard_at.replace(now);
        // Packets that left before a pause say nothing of the path after it.
        let left_before = |result: &PacketResult| self.resumed_at.is_some_and(|resumed| result.departure < resumed);
        let results = &results[results.partition_point(left_before)..];
        if results.is_empty() {
            return;
        }
        let capacity = self.rate.capacity().bps();
        for result in results {
            self.pairs.add(result);
            if let Some(arrival) = result.arrival {
                self.trend.add(result.departure, arrival);
                let queued = self.queue.wait(result).is_some_and(|wait| wait >= QUEUE_SMALL);
                self.acked.add(arrival, result.size, queued);
            }
        }
        if self.queue.measure(results, self.rate.target_bps() < WIDE, capacity, now) {
            self.path_is_longer(now);
        }
        let left_since = |before: &Before| results.last().is_some_and(|latest| latest.departure >= before.at);
        if let Some(before) = self.before_timeout.take_if(|before| left_since(before))
            && self.queue.length() < QUEUE_SMALL
        {
            // The path was interrupted, and is what it was.
            self.rate.restore(before.bps, before.capacity, now);
        }
        let answered = self.rate.backed_off_at();
        let verdict = self.loss.judge(results, answered, self.queue_beyond_jitter() >= QUEUE_MODEST, now);
        if let Some(pace) = self.probe.add(results) {
            if pace < THIN {
                self.rate.found_full(pace, now);
            }
            self.rate.set(pace * TRAIN_SHARE, now);
            return;
        }
        if heard_at.max(self.resumed_at).is_some_and(|at| now.saturating_duration_since(at) > SILENCE / 2) {
            self.loss.forget_interruption();
            self.rate.forget_capacity();
            self.pairs.forget();
            return;
        }
        if let Some(acked) = self.acked.bitrate_bps() {
            self.follow(verdict, acked, rtt, now);
        }
    }

    /// A probe has told what the path carries.
    pub(super) fn on_probe(&mut self, result: ProbeResult, now: Instant) {
        if let Some(bps) = result.bps {
            self.rate.probed(bps, result.saturated, now);
        }
    }

    /// The state of the path for a decision on a probe, where the encoder would have `wanted_bps` sent.
    pub(super) fn probe_inputs(&mut self, wanted_bps: f64) -> Option<ProbeInputs> {
        Some(ProbeInputs {
            target_bps: self.rate.target_bps(),
            wanted_bps,
            acked_bps: self.acked.bitrate_bps()?,
            queue: self.queue.length(),
            loss: self.loss.recent(),
            backed_off_at: self.rate.backed_off_at(),
        })
    }

    /// True once when the path turned out to have become longer.
    pub(super) fn take_longer(&mut self) -> bool {
        std::mem::take(&mut self.longer)
    }

    /// Lowers or raises the rate by what the delay and the loss say.
    fn follow(&mut self, verdict: LossVerdict, acked: f64, rtt: Duration, now: Instant) {
        let queue = self.queue_beyond_jitter();
        let fills = self.trend.usage() == BandwidthUsage::Over && queue >= QUEUE_SMALL;
        match verdict {
            _ if fills || queue >= QUEUE_LARGE => self.follow_delay(acked, queue, rtt, now),
            LossVerdict::Congested(loss) => {
                if self.rate.has_settled(rtt, self.queue.length(), now) {
                    let before = self.rate.target_bps();
                    if self.rate.back_off(acked.max(before * (1.0 - loss)), queue, now) {
                        self.loss.clear();
                    }
                    self.loss.try_less(loss, before, now);
                }
            }
            LossVerdict::Reverted(before) => self.rate.restore(before, LinkCapacityEstimate::default(), now),
            LossVerdict::Usual if self.trend.usage() == BandwidthUsage::Normal && queue < QUEUE_MODEST => {
                let pairs = self.pair_verdict();
                self.rate.grow(acked, pairs, rtt, now);
            }
            // Full, as it has been before: what is beyond that only lengthens the queue.
            LossVerdict::Usual
                if self.rate.capacity().is_known() && queue >= QUEUE_MODEST && acked < self.rate.target_bps() =>
            {
                self.rate.set(acked, now);
            }
            LossVerdict::Usual => {}
        }
    }

    /// Compares the capacity that was found with what packet pairs tell; jitter tells nothing.
    fn pair_verdict(&mut self) -> PairVerdict {
        if let Some(bps) = self.rate.capacity().bps() {
            self.pairs.found_full(bps);
        }
        if self.queue.jitter() < PAIR_JITTER { self.pairs.judge() } else { PairVerdict::Unknown }
    }

    /// Lowers the rate for a queue that grows or is large.
    fn follow_delay(&mut self, acked: f64, queue: Duration, rtt: Duration, now: Instant) {
        let wide = self.rate.target_bps() >= WIDE;
        let to_be_seen = wide && self.queue.is_to_be_seen();
        if to_be_seen || !self.rate.has_settled(rtt, self.queue.length(), now) || self.rate.update_draining(queue, now)
        {
            return;
        }
        // While a queue stands, its delivery rate tells at once what the path carries now.
        let acked = self.acked.delivery_rate_bps().map_or(acked, |delivery| delivery.min(acked));
        let stays = self.rate.queue_ignores_the_rate(queue, QUEUE_SMALL, now);
        if wide && stays && self.loss.recent() < STAYS_LOSS {
            self.queue.rebase(now);
            self.path_is_longer(now);
            return;
        }
        let before = Before { bps: self.rate.target_bps(), capacity: self.rate.capacity(), at: now };
        if self.rate.back_off(acked, queue, now) {
            // Each loss counts once.
            self.loss.clear();
            self.loss.forget_onset();
            let recent = |before: &Before| now.saturating_duration_since(before.at) < UNDO;
            self.before_delay = self.before_delay.filter(recent).or(Some(before));
        }
    }

    /// The delay that has risen is the path's own: nothing that was made of it counts.
    fn path_is_longer(&mut self, now: Instant) {
        self.trend = TrendlineEstimator::default();
        self.longer = true;
        if let Some(before) = self.before_delay.take()
            && now.saturating_duration_since(before.at) < UNDO
        {
            self.rate.restore(before.bps, before.capacity, now);
        }
        self.rate.forget_back_offs();
    }

    /// How long packets certainly wait on the path.
    pub(super) fn queue_beyond_jitter(&self) -> Duration {
        self.queue.length().saturating_sub(self.queue.jitter() * JITTER_PEAKS)
    }
}

#[cfg(test)]
#[path = "estimator_tests.rs"]
mod tests;
