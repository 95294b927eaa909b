//! Initial probe: the pace at which the first packet train arrives tells what a new path carries (compare the initial
//! window of RFC 6928, and libwebrtc, `goog_cc/probe_bitrate_estimator.cc`).
//!
//! The train is the first keyframe, a small one, in packets that are small as well (`stream/video_send.rs`).

use std::time::Duration;

use super::packet_history::PacketResult;

/// Packets of the train, at least, and how closely they must have left.
pub(in crate::rtc) const TRAIN: usize = 6;
const TRAIN_SPREAD: Duration = Duration::from_millis(10);
/// Packets of it that must arrive: a thin path has no room for more.
const TRAIN_ARRIVED: usize = 3;
/// As many tell of a thin path before the others are reported, where they left so closely, and carry so many bytes
/// behind the first one.
const BURST_SPREAD: Duration = Duration::from_millis(3);
const BURST_BYTES: usize = 600;
/// A path that carries no more than this, in bit/s, is full at once: so it is where its first train arrived no faster.
pub(super) const THIN: f64 = 500_000.0;
/// Packets in which a train is looked for.
const MAX_PACKETS: usize = 64;
/// After so many packets of this size at least, in bytes, without a train there will be none. Those of sound are
/// smaller.
const MAX_CHANCES: usize = 64;
const CHANCE_BYTES: usize = 300;

/// Looks for the first train.
#[derive(Debug, Default)]
pub(super) struct InitialProbe {
    over: bool,
    chances: usize,
    packets: Vec<PacketResult>,
}

impl InitialProbe {
    /// The pace in bit/s at which the first train arrived, once; `None` while the feedback so far tells of none.
    pub(super) fn add(&mut self, results: &[PacketResult]) -> Option<f64> {
        if self.over {
            return None;
        }
        self.packets.extend_from_slice(results);
        self.chances += results.iter().filter(|result| result.size >= CHANCE_BYTES).count();
        let thin = || self.pace(TRAIN_ARRIVED, BURST_SPREAD, BURST_BYTES).filter(|pace| *pace < THIN);
        let pace = self.pace(TRAIN, TRAIN_SPREAD, 0).or_else(thin);
        self.over = pace.is_some() || self.chances >= MAX_CHANCES;
        let kept = if self.over { 0 } else { MAX_PACKETS };
        self.packets.drain(..self.packets.len().saturating_sub(kept));
        pace
    }

    /// A train has told the pace of the path, or there was none.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// The pace of the first `count` packets or more that left within `spread`, with `least` bytes behind the first.
    fn pace(&self, count: usize, spread: Duration, least: usize) -> Option<f64> {
        let packets = &self.packets;
        let train_from = |from: usize| {
            let last = packets.get(from + count - 1)?.departure;
            let first = packets[from].departure;
            (last.saturating_duration_since(first) <= spread).then_some(from)
        };
        let from = (0..packets.len()).find_map(train_from)?;
        let first = packets[from].departure;
        let train = packets[from..]
            .iter()
            .take_while(|packet| packet.departure.saturating_duration_since(first) <= spread)
            .filter_map(|packet| Some((packet.arrival?, packet.size)));
        let (mut count, mut bytes, mut span) = (0, 0, (Duration::MAX, Duration::ZERO));
        for (arrival, size) in train {
            // The first packet only starts the clock.
            bytes += if count == 0 { 0 } else { size };
            count += 1;
            span = (span.0.min(arrival), span.1.max(arrival));
        }
        let seconds = span.1.saturating_sub(span.0).as_secs_f64().max(0.000_1);
        (count >= TRAIN_ARRIVED && bytes >= least).then(|| bytes as f64 * 8.0 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// A result of `size` bytes that left `left_ms` after `start`.
    fn packet(start: Instant, size: usize, left_ms: u64, arrived_ms: u64) -> PacketResult {
        PacketResult {
            departure: start + Duration::from_millis(left_ms),
            size,
            arrival: Some(Duration::from_millis(1000 + arrived_ms)),
        }
    }

    #[test]
    fn the_first_train_tells_its_pace_once() {
        let start = Instant::now();
        let mut probe = InitialProbe::default();
        let lone: Vec<_> = (0..5).map(|n| packet(start, 1250, n * 20, n * 20)).collect();
        assert_eq!(probe.add(&lone), None, "lone packets make no train");
        let train: Vec<_> = (0..8).map(|n| packet(start, 1250, 200, 200 + n * 10)).collect();
        assert!(!probe.is_over());
        assert!((probe.add(&train).unwrap() / 1e6 - 1.0).abs() < 1e-6);
        assert_eq!((probe.add(&train), probe.is_over()), (None, true));
    }

    #[test]
    fn three_packets_tell_of_a_thin_path_and_of_no_other() {
        let start = Instant::now();
        let pace = |size: usize, gap_ms: u64| {
            let packets: Vec<_> = (0..3).map(|n| packet(start, size, 0, n * gap_ms)).collect();
            let mut probe = InitialProbe::default();
            (probe.add(&packets).map(f64::round), probe.is_over())
        };
        assert_eq!(pace(500, 25), (Some(160_000.0), true));
        assert_eq!(pace(500, 7), (None, false), "571 kbit/s");
        assert_eq!(pace(140, 25), (None, false), "packets of sound, which jitter has spread");
    }

    #[test]
    fn sound_is_no_chance_and_pictures_without_a_train_are_looked_at_for_a_while() {
        let start = Instant::now();
        let mut probe = InitialProbe::default();
        for n in 0..1000 {
            assert_eq!(probe.add(&[packet(start, 150, n * 20, n * 20)]), None);
            assert!(!probe.is_over() && probe.packets.len() <= MAX_PACKETS);
        }
        let over = (0..200).find(|&n| {
            assert_eq!(probe.add(&[packet(start, 1000, 20_000 + n * 33, 20_000 + n * 33)]), None);
            probe.is_over()
        });
        assert_eq!(over, Some(MAX_CHANCES as u64 - 1));
    }
}
