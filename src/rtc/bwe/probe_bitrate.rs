//! Result of a probe: the rate at which its packets arrived (libwebrtc's `probe_bitrate_estimator.cc`).
//!
//! Owned by congestion control; time is an argument.

use std::time::{Duration, Instant};

use crate::rtc::pacing::ProbeCluster;

/// Share of a cluster's packets that must have arrived.
const MIN_ARRIVED: f64 = 0.8;
/// A rate of arrival below this share of the rate of departure is the path's.
const SATURATED: f64 = 0.9;
/// Share of it that the path certainly carries.
const UTILIZED: f64 = 0.95;
/// Arrival this much faster than departure tells nothing: the packets waited together.
const MAX_FASTER: f64 = 2.0;
/// Without word of a packet for this long after the last one left, or without any packet, the probe is over.
const FEEDBACK_TIMEOUT: Duration = Duration::from_secs(1);
/// Packets of a cluster that are looked at.
const MAX_PACKETS: usize = 256;

/// The outcome of a probe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ProbeResult {
    /// Rate that the path certainly carries; `None` where the probe gave none.
    pub(super) bps: Option<f64>,
    /// The path carries no more than this.
    pub(super) saturated: bool,
}

/// Packets of the latest probe.
#[derive(Debug, Default)]
pub(super) struct ProbeBitrate {
    cluster: Option<ProbeCluster>,
    begun_at: Option<Instant>,
    packets: Vec<Sent>,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    number: u16,
    size: usize,
    departure: Instant,
    /// On the receiver's clock.
    arrival: Option<Duration>,
    reported: bool,
}

impl ProbeBitrate {
    /// A probe begins; the one before is forgotten.
    pub(super) fn begin(&mut self, cluster: ProbeCluster, now: Instant) {
        (self.cluster, self.begun_at) = (Some(cluster), Some(now));
        self.packets.clear();
    }

    /// No word of the latest probe has come yet.
    pub(super) fn is_under_way(&self) -> bool {
        self.cluster.is_some()
    }

    /// A packet of the cluster `id` left with a transport-wide number.
    pub(super) fn left(&mut self, id: u32, number: u16, size: usize, departure: Instant) {
        if self.cluster.is_some_and(|cluster| cluster.id == id) && self.packets.len() < MAX_PACKETS {
            self.packets.push(Sent { number, size, departure, arrival: None, reported: false });
        }
    }

    /// Whether a packet of the latest probe left at `departure`, so many bytes large.
    pub(super) fn has_sent(&self, departure: Instant, size: usize) -> bool {
        self.packets.iter().any(|packet| (packet.departure, packet.size) == (departure, size))
    }

    /// A report names a packet.
    pub(super) fn reported(&mut self, number: u16, arrival: Option<Duration>) {
        if let Some(packet) = self.packets.iter_mut().find(|packet| packet.number == number) {
            packet.reported = true;
            packet.arrival = packet.arrival.or(arrival);
        }
    }

    /// The outcome, once.
    pub(super) fn take_result(&mut self, now: Instant) -> Option<ProbeResult> {
        let cluster = self.cluster?;
        let bytes = self.packets.iter().map(|packet| packet.size).sum();
        let all_left = cluster.has_left(self.packets.len(), bytes);
        let told = all_left && self.packets.iter().all(|packet| packet.reported);
        let latest = self.packets.last().map(|last| last.departure).or(self.begun_at);
        let over = latest.is_none_or(|at| now.saturating_duration_since(at) >= FEEDBACK_TIMEOUT);
        if !told && !over {
            return None;
        }
        self.cluster = None;
        Some(rate(&self.packets))
    }
}

fn rate(packets: &[Sent]) -> ProbeResult {
    let nothing = ProbeResult { bps: None, saturated: false };
    let arrived: Vec<_> = packets.iter().filter_map(|packet| Some((packet.arrival?, packet))).collect();
    let enough = (packets.len() as f64 * MIN_ARRIVED).ceil() as usize;
    let (Some(first), Some(last)) =
        (arrived.iter().min_by_key(|(at, _)| *at), arrived.iter().max_by_key(|(at, _)| *at))
    else {
        return nothing;
    };
    if arrived.len() < enough.max(2) {
        return nothing;
    }
    let bytes: usize = arrived.iter().map(|(_, packet)| packet.size).sum();
    let left = |(_, packet): &(Duration, &Sent)| packet.departure;
    let (Some(began), Some(ended)) = (arrived.iter().map(left).min(), arrived.iter().map(left).max()) else {
        return nothing;
    };
    // Of those that left together, one is the last.
    let last_left = arrived.iter().rev().find(|one| left(one) == ended).map_or(0, |(_, packet)| packet.size);
    let bps = |bytes: usize, time: Duration| bytes as f64 * 8.0 / time.as_secs_f64().max(0.000_5);
    let sent = bps(bytes - last_left, ended.saturating_duration_since(began));
    let received = bps(bytes - first.1.size, last.0.saturating_sub(first.0));
    if received > sent * MAX_FASTER {
        return nothing;
    }
    let saturated = received < sent * SATURATED;
    ProbeResult { bps: Some(if saturated { received * UTILIZED } else { sent.min(received) }), saturated }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: ProbeCluster =
        ProbeCluster { id: 3, rate_bps: 2_000_000, bytes: 5000, packets: 5, packet_bytes: 1000 };

    /// A probe of 2 Mbit/s over a path that carries `kbps` and loses every `lost`-th packet.
    fn probe(kbps: u64, lost: u64) -> Option<ProbeResult> {
        let start = Instant::now();
        let mut probe = ProbeBitrate::default();
        probe.begin(CLUSTER, start);
        let mut idle = 0;
        for n in 0..10 {
            let left = n * 4000;
            probe.left(3, 65_530_u16.wrapping_add(n as u16), 1000, start + Duration::from_micros(left));
            idle = idle.max(left) + 8_000_000 / kbps;
            let arrival = (n % lost != lost - 1).then(|| Duration::from_micros(idle));
            probe.reported(65_530_u16.wrapping_add(n as u16), arrival);
        }
        probe.take_result(start + Duration::from_millis(100))
    }

    #[test]
    fn a_wide_path_carries_what_was_sent_and_a_narrow_one_what_it_carries() {
        let wide = probe(10_000, 100).unwrap();
        assert!(!wide.saturated && (wide.bps.unwrap() / 2e6 - 1.0).abs() < 0.05, "{wide:?}");
        let narrow = probe(700, 100).unwrap();
        assert!(narrow.saturated && (narrow.bps.unwrap() / 665e3 - 1.0).abs() < 0.05, "{narrow:?}");
    }

    #[test]
    fn a_probe_that_was_lost_tells_nothing() {
        assert_eq!(probe(10_000, 2), Some(ProbeResult { bps: None, saturated: false }));
        assert!(probe(10_000, 8).unwrap().bps.is_some(), "but one that lost a packet does");
        let start = Instant::now();
        let mut probe = ProbeBitrate::default();
        assert!(!probe.is_under_way() && probe.take_result(start).is_none());
        probe.begin(CLUSTER, start);
        probe.left(2, 1, 1000, start);
        (0..5).for_each(|n| probe.left(3, n, 1000, start));
        assert_eq!((probe.packets.len(), probe.take_result(start + FEEDBACK_TIMEOUT / 2)), (5, None));
        assert!(probe.take_result(start + FEEDBACK_TIMEOUT).is_some_and(|result| result.bps.is_none()));
        assert!(probe.take_result(start + FEEDBACK_TIMEOUT * 2).is_none(), "once");
    }
}
