//! Packet pairs: whether the bottleneck still carries what it did, from the spacing at which packets that left close together
//! arrive (Keshav, 1991; Dovrolis et al., 2001). Pure.
//!
//! A packet that leaves before the bottleneck is done with the one before it arrives after its own transmission time. So
//! ordinary traffic confirms the capacity that was found, or tells that there is more, without any trial.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::packet_history::PacketResult;

/// Pairs that are remembered, and those that tell.
const PAIRS: usize = 16;
const ENOUGH_PAIRS: usize = 8;
/// Older ones are forgotten.
const MAX_AGE: Duration = Duration::from_secs(2);
/// Beyond this capacity, in bit/s, packets come closer together than arrivals are measured.
const MAX_BPS: f64 = 6_000_000.0;
/// This share of the pairs must agree.
const AGREE: f64 = 0.6;
/// Rates agree that differ by no more than this share.
const SPREAD: f64 = 0.25;

/// Capacity of the bottleneck, as pairs tell it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum PairVerdict {
    /// Too few pairs, or they disagree.
    Unknown,
    /// The path carries this rate in bit/s.
    Carries(f64),
    /// The path carries more than was known.
    Wider,
}

#[derive(Clone, Copy, Debug)]
struct Pair {
    /// On the receiver's clock.
    at: Duration,
    bits: f64,
    seconds: f64,
}

/// Pairs of the last moments.
#[derive(Debug, Default)]
pub(super) struct PacketPairs {
    before: Option<(Instant, Duration)>,
    pairs: VecDeque<Pair>,
}

impl PacketPairs {
    /// Takes feedback on a packet, in the order of departure, on a path that is known to carry `capacity_bps`.
    pub(super) fn add(&mut self, result: &PacketResult, capacity_bps: f64) {
        let Some(arrival) = result.arrival else {
            self.before = None;
            return;
        };
        let Some((departure, at)) = self.before.replace((result.departure, arrival)) else { return };
        let bits = result.size as f64 * 8.0;
        let left = result.departure.saturating_duration_since(departure).as_secs_f64();
        let waits = capacity_bps <= MAX_BPS && left * capacity_bps < bits;
        if let Some(spacing) = arrival.checked_sub(at).filter(|_| waits) {
            self.pairs.truncate(PAIRS - 1);
            self.pairs.push_front(Pair { at: arrival, bits, seconds: spacing.as_secs_f64().max(1e-4) });
        }
    }

    /// Compares the capacity that was known with what the latest pairs tell.
    pub(super) fn judge(&self, capacity_bps: f64) -> PairVerdict {
        let Some(latest) = self.pairs.front() else { return PairVerdict::Unknown };
        let recent = || self.pairs.iter().take_while(|pair| latest.at.saturating_sub(pair.at) <= MAX_AGE);
        let (count, bits, seconds) = recent()
            .fold((0, 0.0, 0.0), |(count, bits, seconds), pair| (count + 1, bits + pair.bits, seconds + pair.seconds));
        if count < ENOUGH_PAIRS {
            return PairVerdict::Unknown;
        }
        let rate = bits / seconds;
        let agree = |of: &dyn Fn(f64) -> bool| {
            let agreeing = recent().filter(|pair| of(pair.bits / pair.seconds)).count();
            agreeing as f64 >= AGREE * f64::from(count)
        };
        if agree(&|bps| bps > capacity_bps * (1.0 + SPREAD)) && rate > capacity_bps * (1.0 + SPREAD) {
            PairVerdict::Wider
        } else if agree(&|bps| (bps / rate - 1.0).abs() <= SPREAD) {
            PairVerdict::Carries(rate)
        } else {
            PairVerdict::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::MediaTime;
    use crate::rtc::LinkEmulator;

    /// The verdict on `known` kbit/s of pairs of a small and a large packet each 33 ms over a link, less than 2 ms apart.
    fn verdict(link: &str, known: f64) -> PairVerdict {
        let start = Instant::now();
        let mut link = LinkEmulator::new(link.parse().unwrap(), 1, MediaTime::default());
        let mut pairs = PacketPairs::default();
        for n in 0..60_u64 {
            let at = n / 2 * 33_000 + n % 2 * 1500 + n * 7919 % 400;
            let size = if n % 2 == 0 { 150 } else { 400 };
            let arrival =
                link.send(size - 28, MediaTime::from_micros(at))[0].map(|at| Duration::from_micros(at.as_micros()));
            pairs.add(&PacketResult { departure: start + Duration::from_micros(at), size, arrival }, known * 1000.0);
        }
        pairs.judge(known * 1000.0)
    }

    #[test]
    fn pairs_confirm_the_capacity_or_tell_that_there_is_more() {
        for known in [120.0, 150.0, 170.0] {
            let PairVerdict::Carries(bps) = verdict("rate=150,delay=20", known) else { panic!("{known}") };
            assert!((bps / 150_000.0 - 1.0).abs() < 0.03, "{known}: {bps}");
        }
        assert_eq!(verdict("rate=4000,delay=20", 150.0), PairVerdict::Wider);
        assert_eq!(verdict("rate=150", 20_000.0), PairVerdict::Unknown, "beyond what arrivals tell");
    }
}
