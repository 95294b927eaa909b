//! Initial probe: the pace at which the first packet train arrives tells what a new path carries (compare the initial
//! window of RFC 6928, and libwebrtc, `goog_cc/probe_bitrate_estimator.cc`).

use std::time::Duration;

use super::packet_history::PacketResult;

/// Packets of the train, at least, and how closely they must have left.
const TRAIN: usize = 6;
const TRAIN_SPREAD: Duration = Duration::from_millis(10);
/// Packets of it that must arrive: a thin path has no room for more.
const TRAIN_ARRIVED: usize = 3;
/// Packets that are looked at for a train.
const MAX_PACKETS: usize = 64;

/// Looks for the first train, such as that of the first keyframe.
#[derive(Debug, Default)]
pub(super) struct InitialProbe {
    done: bool,
    packets: Vec<PacketResult>,
}

impl InitialProbe {
    /// The pace in bit/s at which the first train arrived, once; `None` while the feedback so far tells of none.
    pub(super) fn add(&mut self, results: &[PacketResult]) -> Option<f64> {
        if self.done || self.packets.len() >= MAX_PACKETS {
            return None;
        }
        self.packets.extend_from_slice(results);
        let pace = self.pace()?;
        self.done = true;
        self.packets = Vec::new();
        Some(pace)
    }

    fn pace(&self) -> Option<f64> {
        let packets = &self.packets;
        let train_from = |from: usize| {
            let last = packets.get(from + TRAIN - 1)?.departure;
            let first = packets[from].departure;
            (last.saturating_duration_since(first) <= TRAIN_SPREAD).then_some(from)
        };
        let from = (0..packets.len()).find_map(train_from)?;
        let first = packets[from].departure;
        let train = packets[from..]
            .iter()
            .take_while(|packet| packet.departure.saturating_duration_since(first) <= TRAIN_SPREAD)
            .filter_map(|packet| Some((packet.arrival?, packet.size)));
        let (mut count, mut bytes, mut span) = (0, 0, (Duration::MAX, Duration::ZERO));
        for (arrival, size) in train {
            // The first packet only starts the clock.
            bytes += if count == 0 { 0 } else { size };
            count += 1;
            span = (span.0.min(arrival), span.1.max(arrival));
        }
        let seconds = span.1.saturating_sub(span.0).as_secs_f64().max(0.000_1);
        (count >= TRAIN_ARRIVED).then(|| bytes as f64 * 8.0 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn the_first_train_tells_its_pace_once() {
        let start = Instant::now();
        let packet = |left_ms: u64, arrived_ms: u64| PacketResult {
            departure: start + Duration::from_millis(left_ms),
            size: 1250,
            arrival: Some(Duration::from_millis(1000 + arrived_ms)),
        };
        let mut probe = InitialProbe::default();
        let lone: Vec<_> = (0..5).map(|n| packet(n * 20, n * 20)).collect();
        assert_eq!(probe.add(&lone), None, "sound makes no train");
        let train: Vec<_> = (0..8).map(|n| packet(200, 200 + n * 10)).collect();
        assert!((probe.add(&train).unwrap() / 1e6 - 1.0).abs() < 1e-6);
        assert_eq!(probe.add(&train), None);
    }
}
