//! Loss-based estimate: how much of the loss is inherent in the path (radio, a bad cable), and how much tells of
//! congestion (draft-ietf-rmcat-gcc-02, 6; compare the inherent loss of libwebrtc's `goog_cc/loss_based_bwe_v2.cc`).
//! Pure; time is an argument.
//!
//! ```text
//! loss beyond inherent loss --> the rate is lowered, on trial --+-- loss fell by half: the path was full
//!                                                                '-- it did not: it is inherent, the rate returns
//! ```

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::packet_history::PacketResult;
use crate::rtc::path::PathLoss;

/// Loss above inherent loss by this much, and by so many standard deviations of chance, is congestion.
const EXCESS: f64 = 0.05;
const DEVIATIONS: f64 = 3.0;
/// No path loses more by itself.
const MAX_INHERENT: f64 = 0.5;
/// Loss of a path without any so far.
const MIN: f64 = 0.02;
/// Packets that tell anything of loss.
const ENOUGH_PACKETS: u32 = 30;
/// The time over which loss is measured (longer where few packets are sent), and that over which inherent loss is.
const WINDOW: Duration = Duration::from_millis(1000);
const INHERENT_TIME: Duration = Duration::from_secs(8);
/// The time over which the loss counts that repairs are made for.
const TYPICAL_TIME: Duration = Duration::from_secs(4);
/// A path that begins to lose is known by the latest packets: so many of them, of which so many losses are taken for
/// chance.
const ONSETS: [(usize, u32); 3] = [(25, 1), (50, 2), (LATEST, 3)];
const LATEST: usize = 100;
/// They count where they tell of so many times the loss that is known.
const ONSET_FACTOR: f64 = 2.0;

/// Lone losses that are assumed beside those measured: a few losses tell little of how long runs are.
const ASSUMED_LONE: f64 = 4.0;

/// Tells inherent loss from that of congestion.
#[derive(Debug, Default)]
pub(super) struct LossBasedEstimate {
    /// When reports came, and how many packets were lost of how many.
    fates: VecDeque<(Instant, u32, u32)>,
    /// Inherent loss, and when it was last averaged.
    inherent: Option<(f64, Instant)>,
    trial: Option<Trial>,
    /// Packets lost, and packets, of the last seconds; the older, the less they count.
    lost: f64,
    all: f64,
    /// Runs of losses among them, and whether one may go on.
    runs: f64,
    in_run: bool,
    counted_at: Option<Instant>,
    /// Loss of each of the latest packets, the latest first.
    latest: VecDeque<bool>,
}

/// A rate that was lowered to see whether less is lost then.
#[derive(Clone, Copy, Debug)]
struct Trial {
    began: Instant,
    /// Loss beyond inherent loss before.
    excess: f64,
    bps_before: f64,
}

/// Loss-based part of the estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum LossVerdict {
    /// Nothing.
    Usual,
    /// This share of what is sent is lost, and that is clearly more than the path itself loses.
    Congested(f64),
    /// A lower rate did not help: the rate before was right.
    Reverted(f64),
}

impl LossBasedEstimate {
    /// The share of packets that were lost lately, whatever the reason; 0 while too few packets tell.
    pub(super) fn recent(&self) -> f64 {
        let (lost, all) = self.lost_of();
        let recent = if all < ENOUGH_PACKETS { 0.0 } else { f64::from(lost) / f64::from(all) };
        recent.max(self.onset())
    }

    /// The share of the latest packets that were certainly lost for a reason: it rises with the first losses.
    fn onset(&self) -> f64 {
        let share = |(packets, chance): (usize, u32)| {
            let lost = self.latest.iter().take(packets).filter(|lost| **lost).count();
            (lost as f64 - f64::from(chance)).max(0.0) / packets as f64
        };
        ONSETS.into_iter().map(share).fold(0.0, f64::max)
    }

    /// So many packets that counted as lost have come: they were only overtaken.
    pub(super) fn take_back(&mut self, count: u32) {
        let mut left = count;
        for (_, lost, _) in self.fates.iter_mut().rev() {
            let taken = left.min(*lost);
            (*lost, left) = (*lost - taken, left - taken);
        }
        self.lost = (self.lost - f64::from(count)).max(0.0);
        self.runs = (self.runs - f64::from(count)).max(0.0);
        self.latest.iter_mut().filter(|lost| **lost).take(count as usize).for_each(|lost| *lost = false);
    }

    /// The share of packets that the path loses by itself, over the last seconds.
    pub(super) fn inherent(&self) -> f64 {
        self.inherent.map_or(0.0, |(own, _)| own)
    }

    /// The loss of the last seconds, without what was lost while packets waited.
    pub(super) fn typical(&self) -> PathLoss {
        // Too few tell nothing.
        let loss = self.lost / self.all.max(f64::from(ENOUGH_PACKETS));
        // Once the loss is known, its ups and downs are chance.
        let onset = self.onset();
        let loss = if onset > loss * ONSET_FACTOR { onset } else { loss };
        // Loss on trial may be congestion, once inherent loss is known.
        let known = self.trial.is_some() && self.inherent() * ONSET_FACTOR > loss;
        let loss = if known { loss.min(self.inherent()) } else { loss };
        PathLoss { share: loss, run: (self.lost + ASSUMED_LONE) / (self.runs + ASSUMED_LONE) }
    }

    fn lost_of(&self) -> (u32, u32) {
        self.fates.iter().fold((0, 0), |(lost, all), fate| (lost + fate.1, all + fate.2))
    }

    /// Takes the latest report. While packets are `queued`, what is lost is lost for want of room, and says nothing of
    /// the path's random loss.
    pub(super) fn judge(
        &mut self,
        reports: &[PacketResult],
        answered: Option<Instant>,
        queued: bool,
        now: Instant,
    ) -> LossVerdict {
        // Packets that left before a trial say nothing of it, nor do those before the latest back-off, which answered
        // them.
        let since = self.trial.map(|trial| trial.began).max(answered);
        let counts = |report: &&PacketResult| since.is_none_or(|since| report.departure >= since);
        let (mut lost, mut all, mut runs) = (0, 0, 0);
        for report in reports.iter().filter(counts) {
            let is_lost = report.arrival.is_none();
            (lost, all) = (lost + u32::from(is_lost), all + 1);
            let goes_on = std::mem::replace(&mut self.in_run, is_lost);
            runs += u32::from(is_lost && !goes_on);
        }
        self.fates.push_back((now, lost, all));
        if queued {
            self.trial = None;
        } else {
            self.count(lost, all, runs, now);
            for report in reports.iter().filter(counts) {
                self.latest.push_front(report.arrival.is_none());
            }
            self.latest.truncate(LATEST);
        }
        self.forget(now);
        let (lost, all) = self.lost_of();
        if all < ENOUGH_PACKETS {
            return LossVerdict::Usual;
        }
        let loss = f64::from(lost) / f64::from(all);
        if let Some(trial) = self.trial.take() {
            if loss - self.inherent().min(MAX_INHERENT) > trial.excess / 2.0 {
                self.inherent = Some((loss.max(self.inherent()), now));
                return LossVerdict::Reverted(trial.bps_before);
            }
            return LossVerdict::Usual;
        }
        let own = if queued { self.inherent() } else { self.average(loss, now) }.min(MAX_INHERENT);
        let usual = own.max(MIN);
        let chance = (usual * (1.0 - usual) / f64::from(all)).sqrt();
        if loss - own > EXCESS + DEVIATIONS * chance { LossVerdict::Congested(loss) } else { LossVerdict::Usual }
    }

    fn count(&mut self, lost: u32, all: u32, runs: u32, now: Instant) {
        let elapsed = self.counted_at.replace(now).map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let kept = (-elapsed.as_secs_f64() / TYPICAL_TIME.as_secs_f64()).exp();
        self.lost = self.lost * kept + f64::from(lost);
        self.all = self.all * kept + f64::from(all);
        self.runs = self.runs * kept + f64::from(runs);
    }

    /// Inherent loss before this report, which counts from now on.
    fn average(&mut self, loss: f64, now: Instant) -> f64 {
        // To be learnt, not assumed: the first loss may be that of a path that is full from the start.
        let (own, since) = self.inherent.unwrap_or((0.0, now));
        let weight = now.saturating_duration_since(since).as_secs_f64() / INHERENT_TIME.as_secs_f64();
        self.inherent = Some((own + (loss - own) * weight.min(1.0), now));
        own
    }

    fn forget(&mut self, now: Instant) {
        let mut kept = self.lost_of().1;
        while let Some(&(at, _, some)) = self.fates.front()
            && now.saturating_duration_since(at) > WINDOW
            && kept.saturating_sub(some) >= ENOUGH_PACKETS
        {
            kept -= some;
            self.fates.pop_front();
        }
    }

    /// The rate was lowered from `bps_before` for `loss` alone: whether that helps is to be seen.
    pub(super) fn try_less(&mut self, loss: f64, bps_before: f64, now: Instant) {
        self.clear();
        self.trial = Some(Trial { began: now, excess: loss - self.inherent().min(MAX_INHERENT), bps_before });
    }

    /// Nothing passed for a time: what was lost then says nothing of now.
    pub(super) fn forget_interruption(&mut self) {
        self.clear();
        (self.lost, self.all, self.runs) = (0.0, 0.0, 0.0);
        self.latest.clear();
    }

    /// Takes the latest loss as loss in a queue.
    pub(super) fn forget_onset(&mut self) {
        self.latest.clear();
    }

    /// Takes the loss so far as answered.
    pub(super) fn clear(&mut self) {
        self.fates.clear();
        self.trial = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second of reports, each of 10 packets of which the first `lost` were lost.
    fn second(loss: &mut LossBasedEstimate, start: Instant, from_ms: u64, lost: usize) -> Vec<LossVerdict> {
        (0..20)
            .map(|n| {
                let now = start + Duration::from_millis(from_ms + n * 50);
                let arrival = |packet| (packet >= lost).then_some(Duration::from_secs(1));
                let reports: Vec<_> = (0..10)
                    .map(|packet| PacketResult { departure: now, size: 1000, arrival: arrival(packet) })
                    .collect();
                loss.judge(&reports, None, false, now)
            })
            .collect()
    }

    #[test]
    fn a_lower_rate_that_does_not_help_is_taken_back() {
        let start = Instant::now();
        let mut loss = LossBasedEstimate::default();
        assert!(second(&mut loss, start, 0, 2).contains(&LossVerdict::Congested(0.2)));
        loss.try_less(0.2, 1e6, start + Duration::from_secs(1));
        assert!(second(&mut loss, start, 1000, 2).contains(&LossVerdict::Reverted(1e6)));
        assert!(second(&mut loss, start, 2000, 2).iter().all(|verdict| *verdict == LossVerdict::Usual));
        assert!((loss.inherent() - 0.2).abs() < 0.01, "{}", loss.inherent());
    }

    #[test]
    fn the_length_of_runs_is_measured_across_reports_and_few_losses_tell_nothing_of_it() {
        let start = Instant::now();
        let run = |pattern: &[bool], times: u64| {
            let mut loss = LossBasedEstimate::default();
            for n in 0..times {
                let now = start + Duration::from_millis(n * 20);
                let report = |lost: &bool| PacketResult {
                    departure: now,
                    size: 1000,
                    arrival: (!lost).then_some(Duration::ZERO),
                };
                // In two reports.
                let (first, second) = pattern.split_at(pattern.len() / 2);
                for half in [first, second] {
                    loss.judge(&half.iter().map(report).collect::<Vec<_>>(), None, false, now);
                }
            }
            loss.typical().run
        };
        assert!((run(&[false, false, false, true, true, true, false, false], 200) - 3.0).abs() < 0.1);
        assert!((run(&[true, false, false, true, false, false, true, false], 200) - 1.0).abs() < 0.01);
        assert!(run(&[false, true, true, true, true, false], 1) < 2.0);
    }

    #[test]
    fn a_lower_rate_that_helps_stays() {
        let start = Instant::now();
        let mut loss = LossBasedEstimate::default();
        second(&mut loss, start, 0, 2);
        loss.try_less(0.2, 1e6, start + Duration::from_secs(1));
        assert!(second(&mut loss, start, 1000, 0).iter().all(|verdict| *verdict == LossVerdict::Usual));
        let anew = second(&mut loss, start, 2000, 3);
        assert!(anew.iter().any(|verdict| matches!(verdict, LossVerdict::Congested(_))), "what comes anew counts");
    }
}
