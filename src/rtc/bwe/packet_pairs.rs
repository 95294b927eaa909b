//! Packet pairs: whether the bottleneck still carries what it did, from the spacing at which packets that left close
//! together arrive (Keshav, 1991; Dovrolis et al., 2001). Pure.
//!
//! A packet that leaves before the bottleneck is done with the one before it arrives after its own transmission time.
//! So ordinary traffic confirms the capacity that was found, or tells that there is more, without any trial.

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
/// Rates agree that differ by no more than this share, and so many of them must.
const SPREAD: f64 = 0.15;
const AGREE: f64 = 0.4;
/// Arrivals are told in steps of 250 microseconds, in seconds here.
const RESOLUTION: f64 = 0.000_3;
/// A path carries more than was known where so many pairs come faster by this factor.
const WIDER: f64 = 1.25;
const WIDER_SHARE: f64 = 0.7;

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
    /// Its second packet's bits a second of their spacing.
    bps: f64,
    /// The second packet waited for the first one.
    waited: bool,
}

/// Pairs of the last moments.
#[derive(Debug, Default)]
pub(super) struct PacketPairs {
    before: Option<(Instant, Duration)>,
    pairs: VecDeque<Pair>,
    /// The capacity that is known, in bit/s: it tells which pairs had to wait.
    known_bps: Option<f64>,
}

impl PacketPairs {
    /// The path was found full at this rate in bit/s.
    pub(super) fn found_full(&mut self, bps: f64) {
        self.known_bps.get_or_insert(bps);
    }

    /// Nothing is known of the path any more.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Takes feedback on a packet, in the order of departure.
    pub(super) fn add(&mut self, result: &PacketResult) {
        let (Some(arrival), Some(known_bps)) = (result.arrival, self.known_bps) else {
            self.before = None;
            return;
        };
        let Some((departure, at)) = self.before.replace((result.departure, arrival)) else { return };
        let bits = result.size as f64 * 8.0;
        let left = result.departure.saturating_duration_since(departure).as_secs_f64();
        let waits = known_bps <= MAX_BPS && left * known_bps < bits;
        if let Some(spacing) = arrival.checked_sub(at).filter(|_| waits) {
            let seconds = spacing.as_secs_f64().max(1e-4);
            let waited = seconds > left + RESOLUTION;
            self.pairs.truncate(PAIRS - 1);
            self.pairs.push_front(Pair { at: arrival, bps: bits / seconds, waited });
        }
    }

    /// Compares the capacity that was known with what the latest pairs tell: those that waited agree on it, or most
    /// arrive so close together that there must be more.
    pub(super) fn judge(&mut self) -> PairVerdict {
        let (Some(known_bps), Some((_, latest))) = (self.known_bps, self.before) else { return PairVerdict::Unknown };
        let mut rates = [0.0; PAIRS];
        let recent = || self.pairs.iter().take_while(|pair| latest.saturating_sub(pair.at) <= MAX_AGE);
        let count = recent().count();
        let waited = recent().filter(|pair| pair.waited).zip(&mut rates).map(|(pair, rate)| *rate = pair.bps).count();
        if count < ENOUGH_PAIRS {
            return PairVerdict::Unknown;
        }
        let rates = &mut rates[..waited];
        rates.sort_by(f64::total_cmp);
        // Cross traffic and jitter spread pairs more often than they bring them closer together.
        let rate = rates.get(waited * 3 / 4).copied().unwrap_or_default();
        let agreeing = rates.iter().filter(|bps| (*bps / rate - 1.0).abs() <= SPREAD).count();
        if agreeing as f64 >= AGREE * count as f64 {
            self.known_bps = Some(rate);
            return PairVerdict::Carries(rate);
        }
        let faster = recent().filter(|pair| pair.bps > known_bps * WIDER).count();
        if (faster as f64) < WIDER_SHARE * count as f64 {
            return PairVerdict::Unknown;
        }
        self.forget();
        PairVerdict::Wider
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::MediaTime;
    use crate::rtc::LinkEmulator;

    /// The verdict on `known` kbit/s of pairs of a small and a large packet each 33 ms over a link, less than 2 ms
    /// apart.
    fn verdict(link: &str, known: f64) -> PairVerdict {
        let start = Instant::now();
        let mut link = LinkEmulator::new(link.parse().unwrap(), 1, MediaTime::default());
        let mut pairs = PacketPairs::default();
        pairs.found_full(known * 1000.0);
        for n in 0..60_u64 {
            let micros = n / 2 * 33_000 + n % 2 * 1500 + n * 7919 % 400;
            let size = if n % 2 == 0 { 150 } else { 400 };
            let arrival = link.send(size - 28, MediaTime::from_micros(micros))[0];
            let arrival = arrival.map(|at| Duration::from_micros(at.as_micros()));
            pairs.add(&PacketResult { departure: start + Duration::from_micros(micros), size, arrival });
        }
        pairs.judge()
    }

    #[test]
    fn pairs_confirm_the_capacity_or_tell_that_there_is_more() {
        for known in [80.0, 120.0, 150.0, 170.0] {
            let PairVerdict::Carries(bps) = verdict("rate=150,delay=20", known) else { panic!("{known}") };
            assert!((bps / 150_000.0 - 1.0).abs() < 0.03, "{known}: {bps}");
        }
        match verdict("rate=4000,delay=20", 150.0) {
            PairVerdict::Carries(bps) => assert!(bps > 1e6, "{bps}: no less than they left at"),
            verdict => assert_eq!(verdict, PairVerdict::Wider),
        }
        assert_eq!(verdict("rate=150", 20_000.0), PairVerdict::Unknown, "beyond what arrivals tell");
    }

    #[test]
    fn old_pairs_tell_nothing() {
        let start = Instant::now();
        let mut pairs = PacketPairs::default();
        pairs.found_full(150_000.0);
        let arrives = |pairs: &mut PacketPairs, left_ms: u64, came_ms: u64| {
            let (departure, arrival) = (start + Duration::from_millis(left_ms), Some(Duration::from_millis(came_ms)));
            pairs.add(&PacketResult { departure, size: 300, arrival });
        };
        (0..20).for_each(|n| arrives(&mut pairs, n, n * 16));
        assert_eq!(pairs.judge(), PairVerdict::Carries(150_000.0));
        arrives(&mut pairs, 4000, 4000);
        assert_eq!(pairs.judge(), PairVerdict::Unknown);
    }
}
