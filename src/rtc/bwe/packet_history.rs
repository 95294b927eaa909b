//! History of sent packets by transport-wide sequence number, and the status of each (RFC 8985, 3.2; libwebrtc,
//! `transport/transport_feedback_adapter.cc`).
//!
//! A packet counts as lost once a later one has arrived; on a network that is known to reorder, once one has arrived
//! that left later by more than the reordering. Should it come nevertheless, the network reorders by more than was
//! known. Pure; time is an argument.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Packets that are remembered: several seconds.
pub(super) const REMEMBERED: usize = 4096;
/// Overtaking by less than this tells of no network that reorders.
const REORDERING: Duration = Duration::from_millis(5);
/// On one that is known to reorder, by no more than this.
const MAX_REORDERING: Duration = Duration::from_millis(150);
/// Knowledge of reordering fades to a third in this time.
const REORDERING_TIME: Duration = Duration::from_secs(10);

/// Feedback on one packet (libwebrtc's `PacketResult`).
#[derive(Clone, Copy, Debug)]
pub struct PacketResult {
    /// When it left.
    pub departure: Instant,
    /// Bytes.
    pub size: usize,
    /// On the receiver's clock; `None` when it is lost.
    pub arrival: Option<Duration>,
}

/// Sent packets whose status is remembered.
#[derive(Debug, Default)]
pub(super) struct PacketHistory {
    sent: VecDeque<Sent>,
    /// The number of the last one.
    last: u16,
    /// Packets reported missing and not judged yet, the oldest first.
    missing: VecDeque<u16>,
    /// The departure and the number of the latest packet that arrived.
    delivered: Option<(Instant, u16)>,
    /// By how much later packets have overtaken earlier ones, and when that was seen.
    reordering: Option<(Duration, Instant)>,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    departure: Instant,
    size: usize,
    status: Option<PacketStatus>,
}

/// Feedback on a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PacketStatus {
    /// The report on it was lost.
    Unreported,
    /// It was not there yet.
    Missing,
    Lost,
    Arrived,
}

/// Evaluated feedback.
#[derive(Debug, Default)]
pub(super) struct Feedback {
    /// Packets that arrived or are lost, in the order of departure.
    pub(super) results: Vec<PacketResult>,
    /// Packets that had been given up as lost, and have come.
    pub(super) overtaken: u32,
}

impl PacketHistory {
    pub(super) fn add(&mut self, number: u16, departure: Instant, size: usize) {
        if number != self.last.wrapping_add(1) {
            self.sent.clear();
            self.missing.clear();
        }
        if self.sent.len() == REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent { departure, size, status: None });
        self.last = number;
    }

    /// The bytes before `number`, back to what was reported last, of which no report told. Each counts once.
    pub(super) fn unreported_before(&mut self, number: u16) -> usize {
        let back = usize::from(self.last.wrapping_sub(number)) + 1;
        let end = self.sent.len().saturating_sub(back);
        let mut bytes = 0;
        for sent in self.sent.range_mut(..end).rev().take_while(|sent| sent.status.is_none()) {
            sent.status = Some(PacketStatus::Unreported);
            bytes += sent.size;
        }
        bytes
    }

    /// Takes a report on packets: the number of each, and its arrival if it has come. Reports repeat what is missing,
    /// and where packets overtake each other they say later that a missing one has come. Bytes that have counted
    /// without a report are none any more.
    pub(super) fn report(&mut self, packets: impl Iterator<Item = (u16, Option<Duration>)>, now: Instant) -> Feedback {
        let mut feedback = Feedback::default();
        let mut reports = Vec::new();
        let mut overtaken_by = Duration::ZERO;
        for (number, arrival) in packets {
            let Some(sent) = self.sent_as(number) else { continue };
            let before = sent.status;
            if before == Some(PacketStatus::Arrived)
                || (arrival.is_none() && matches!(before, Some(PacketStatus::Missing | PacketStatus::Lost)))
            {
                continue;
            }
            let size = if before == Some(PacketStatus::Unreported) { 0 } else { sent.size };
            let departure = sent.departure;
            let Some(_) = arrival else {
                sent.status = Some(PacketStatus::Missing);
                if before == Some(PacketStatus::Unreported) {
                    sent.size = 0;
                }
                if self.missing.len() < REMEMBERED {
                    self.missing.push_back(number);
                }
                continue;
            };
            sent.status = Some(PacketStatus::Arrived);
            if matches!(before, Some(PacketStatus::Missing | PacketStatus::Lost)) {
                feedback.overtaken += u32::from(before == Some(PacketStatus::Lost));
                let later = self.delivered.map_or(Duration::ZERO, |(at, _)| at.saturating_duration_since(departure));
                overtaken_by = overtaken_by.max(later);
            }
            if self.delivered.is_none_or(|(_, latest)| number.wrapping_sub(latest) < 1 << 15) {
                self.delivered = Some((departure, number));
            }
            reports.push((number, PacketResult { departure, size, arrival }));
        }
        if overtaken_by > self.reordering(now) {
            self.reordering = Some((overtaken_by.min(MAX_REORDERING), now));
        }
        self.judge(&mut reports, now);
        // Many leave at one moment: only their numbers tell which are lost in a row.
        reports.sort_by_key(|(number, _)| Reverse(self.last.wrapping_sub(*number)));
        feedback.results = reports.into_iter().map(|(_, report)| report).collect();
        feedback
    }

    /// Adds what is certainly lost.
    fn judge(&mut self, reports: &mut Vec<(u16, PacketResult)>, now: Instant) {
        let (Some((delivered, latest)), reordering) = (self.delivered, self.reordering(now)) else { return };
        for _ in 0..self.missing.len() {
            let Some(number) = self.missing.pop_front() else { return };
            let Some(sent) = self.sent_as(number).filter(|sent| sent.status == Some(PacketStatus::Missing)) else {
                continue;
            };
            let overtaken = latest.wrapping_sub(number) < 1 << 15;
            let waits = reordering > REORDERING && delivered.saturating_duration_since(sent.departure) <= reordering;
            if !overtaken || waits {
                self.missing.push_back(number);
                continue;
            }
            sent.status = Some(PacketStatus::Lost);
            reports.push((number, PacketResult { departure: sent.departure, size: sent.size, arrival: None }));
        }
    }

    /// A packet may be overtaken by those that left so much later.
    pub(super) fn reordering(&self, now: Instant) -> Duration {
        let known = self.reordering.map_or(Duration::ZERO, |(by, at)| {
            let elapsed = now.saturating_duration_since(at).as_secs_f64();
            by.mul_f64((-elapsed / REORDERING_TIME.as_secs_f64()).exp())
        });
        known.max(REORDERING)
    }

    fn sent_as(&mut self, number: u16) -> Option<&mut Sent> {
        let back = usize::from(self.last.wrapping_sub(number));
        let index = self.sent.len().checked_sub(back + 1)?;
        self.sent.get_mut(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// A packet each 10 ms, of 100 bytes.
    fn sent(first: u16, count: u16, start: Instant) -> PacketHistory {
        let mut history = PacketHistory::default();
        for n in 0..count {
            history.add(first.wrapping_add(n), start + MS(u64::from(n) * 10), 100);
        }
        history
    }

    /// Feedback of packets that have come, or not: which arrived, which are lost, by when they left in ms, and how many
    /// came that had been lost.
    fn told(history: &mut PacketHistory, packets: &[(u16, bool)], start: Instant) -> (Vec<u64>, Vec<u64>, u32) {
        let packets = packets.iter().map(|(number, came)| (*number, came.then_some(Duration::ZERO)));
        let feedback = history.report(packets, start + MS(1000));
        let left = |came: bool| {
            let these = feedback.results.iter().filter(|report| report.arrival.is_some() == came);
            these.map(|report| report.departure.saturating_duration_since(start).as_millis() as u64).collect()
        };
        (left(true), left(false), feedback.overtaken)
    }

    #[test]
    fn what_left_is_found_by_its_number_across_the_wrap_and_no_more_is_kept_than_that() {
        let start = Instant::now();
        let mut history = sent(60_000, 10_000, start);
        let number = |n: usize| 60_000_u16.wrapping_add(n as u16);
        let mut found = |n: usize| !told(&mut history, &[(number(n), true)], start).0.is_empty();
        assert_eq!((found(9_999), found(9_999 - REMEMBERED + 1), found(9_999 - REMEMBERED)), (true, true, false));
        assert!(!found(10_000), "it has not left yet");
        assert!(!found(9_999), "an arrival counts once");
    }

    #[test]
    fn what_is_missing_is_lost_once_what_left_later_has_come_and_counts_once() {
        let start = Instant::now();
        let mut history = sent(65_534, 6, start);
        assert_eq!(
            told(&mut history, &[(65_534, true), (65_535, false), (0, true)], start),
            (vec![0, 20], vec![10], 0)
        );
        assert_eq!(told(&mut history, &[(65_535, false), (0, true)], start), (vec![], vec![], 0), "no news");
        assert_eq!(told(&mut history, &[(1, false)], start), (vec![], vec![], 0), "nothing later has come");
        assert_eq!(told(&mut history, &[(1, true), (2, true)], start), (vec![30, 40], vec![], 0), "it was on its way");
        assert_eq!(told(&mut history, &[(1, false), (65_535, false)], start), (vec![], vec![], 0));
    }

    #[test]
    fn what_left_at_one_moment_is_told_in_the_order_of_its_numbers() {
        let start = Instant::now();
        let mut history = PacketHistory::default();
        (0..8).for_each(|n| history.add(n, start + MS(if n == 7 { 10 } else { 0 }), usize::from(n)));
        let packets = (0..8).map(|n| (n, (n % 2 == 1).then_some(Duration::ZERO)));
        let told = history.report(packets, start + MS(60)).results;
        let numbers: Vec<_> = told.iter().map(|report| report.size).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn a_network_that_reorders_is_known_by_what_came_after_it_was_given_up() {
        let start = Instant::now();
        for (overtaken_by, then_patient) in [(2_u16, 20), (6, 60)] {
            let mut history = sent(0, 40, start);
            let later: Vec<_> = (1..=overtaken_by).map(|n| (n, true)).collect();
            assert_eq!(told(&mut history, &[&[(0, false)], &later[..]].concat(), start).1, [0], "given up");
            assert_eq!(told(&mut history, &[(0, true)], start).2, 1, "and taken back");
            assert_eq!(history.reordering(start + MS(1000)), MS(then_patient));
            let patient: Vec<_> = (21..=20 + overtaken_by).map(|n| (n, true)).collect();
            let (_, lost, _) = told(&mut history, &[&[(20, false)], &patient[..]].concat(), start);
            assert_eq!(lost, [0; 0], "it may come yet");
            assert_eq!(told(&mut history, &[(20, true)], start), (vec![200], vec![], 0));
            let faded = history.reordering(start + Duration::from_secs(60));
            assert_eq!(faded, REORDERING);
        }
    }

    #[test]
    fn what_no_report_names_counts_once_however_late_its_report_comes() {
        let start = Instant::now();
        let mut history = sent(0, 10, start);
        told(&mut history, &[(0, true)], start);
        assert_eq!((history.unreported_before(5), history.unreported_before(5)), (400, 0));
        let size = |feedback: Feedback| feedback.results.iter().map(|report| report.size).collect::<Vec<_>>();
        assert_eq!(size(history.report([(3, Some(Duration::ZERO))].into_iter(), start)), [0]);
        assert_eq!(size(history.report([(6, Some(Duration::ZERO))].into_iter(), start)), [100]);
    }
}
