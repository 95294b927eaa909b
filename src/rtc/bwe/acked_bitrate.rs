//! Acked bitrate: the rate at which packets arrive at the far side (libwebrtc,
//! `goog_cc/acknowledged_bitrate_estimator.cc`), and the delivery rate of a standing queue (compare
//! draft-cheng-iccrg-delivery-rate-estimation).

use std::collections::VecDeque;
use std::time::Duration;

/// The time over which the acked bitrate is measured.
const WINDOW: Duration = Duration::from_millis(500);
/// Arrivals within that window at most.
const MAX_ARRIVALS: usize = 8192;
/// Time and packets over which the delivery rate of a queue is measured; and the least of both.
const DELIVERY_WINDOW: Duration = Duration::from_millis(120);
const DELIVERY_PACKETS: usize = 8;
const MIN_DELIVERY_WINDOW: Duration = Duration::from_millis(40);
const MIN_DELIVERY_PACKETS: usize = 2;

#[derive(Clone, Copy, Debug)]
struct Arrival {
    /// On the receiver's clock.
    at: Duration,
    bytes: usize,
    /// The packet waited in a queue.
    queued: bool,
}

/// Rates of what arrived lately.
#[derive(Debug, Default)]
pub(super) struct AckedBitrate {
    arrivals: VecDeque<Arrival>,
    /// Since when no feedback was lost.
    complete_since: Duration,
}

impl AckedBitrate {
    /// A packet arrived, in the order of departure; `queued` where it waited on the path.
    pub(super) fn add(&mut self, at: Duration, bytes: usize, queued: bool) {
        // A far side whose clock runs backwards is not to fill the memory.
        if self.arrivals.back().is_some_and(|latest| latest.at > at + WINDOW) {
            self.arrivals.clear();
        }
        if self.arrivals.len() >= MAX_ARRIVALS {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(Arrival { at, bytes, queued });
    }

    /// Feedback on so many bytes was lost, which arrived as far as is known.
    pub(super) fn add_unreported(&mut self, bytes: usize) {
        if let Some(&Arrival { at, .. }) = self.arrivals.back() {
            self.add(at, bytes, false);
            self.complete_since = at;
        }
    }

    /// The acked bitrate in bit/s; `None` while too little arrived.
    pub(super) fn bitrate_bps(&mut self) -> Option<f64> {
        let latest = self.arrivals.back()?.at;
        while self.arrivals.front().is_some_and(|first| latest.saturating_sub(first.at) > WINDOW) {
            self.arrivals.pop_front();
        }
        let span = latest.saturating_sub(self.arrivals.front()?.at);
        if span < WINDOW / 4 {
            return None;
        }
        let bytes: usize = self.arrivals.iter().skip(1).map(|arrival| arrival.bytes).sum();
        Some(bytes as f64 * 8.0 / span.as_secs_f64())
    }

    /// The rate in bit/s at which the latest packets came out of a queue. While packets wait, nothing of the link's
    /// capacity is unused, so two of them tell it.
    pub(super) fn delivery_rate_bps(&self) -> Option<f64> {
        let latest = self.arrivals.back()?.at;
        let (mut bytes, mut count, mut rate) = (0, 0, None);
        for arrival in self.arrivals.iter().rev() {
            let span = latest.saturating_sub(arrival.at);
            if span >= MIN_DELIVERY_WINDOW && count >= MIN_DELIVERY_PACKETS {
                rate = Some(bytes as f64 * 8.0 / span.as_secs_f64());
            }
            let measured = span >= DELIVERY_WINDOW && count >= DELIVERY_PACKETS;
            if measured || arrival.at <= self.complete_since || !arrival.queued {
                break;
            }
            bytes += arrival.bytes;
            count += 1;
        }
        rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn the_rate_is_that_of_the_last_half_second() {
        let mut acked = AckedBitrate::default();
        for n in 0..5_u64 {
            acked.add(MS(1000 + n * 20), 1000, false);
        }
        assert_eq!(acked.bitrate_bps(), None, "too short a time");
        for n in 5..100 {
            acked.add(MS(1000 + n * 20), if n < 60 { 5000 } else { 1000 }, false);
        }
        assert!((acked.bitrate_bps().unwrap() / 400_000.0 - 1.0).abs() < 0.01, "1000 bytes each 20 ms");
        acked.add_unreported(25_000);
        assert!((acked.bitrate_bps().unwrap() / 800_000.0 - 1.0).abs() < 0.01, "what no feedback named");
    }

    #[test]
    fn the_delivery_rate_is_that_of_packets_that_waited() {
        let mut acked = AckedBitrate::default();
        acked.add(MS(1000), 1000, false);
        for n in 0..2 {
            acked.add(MS(1050 + n * 50), 1000, true);
        }
        assert!((acked.delivery_rate_bps().unwrap() / 160_000.0 - 1.0).abs() < 0.01, "1000 bytes each 50 ms");
        acked.add(MS(1110), 1000, false);
        assert_eq!(acked.delivery_rate_bps(), None, "the latest did not wait");
    }

    #[test]
    fn a_hostile_clock_does_not_fill_the_memory() {
        let mut acked = AckedBitrate::default();
        for n in 0..40_000_u64 {
            acked.add(MS(64 * ((1 << 24) - n)), 1200, false);
            assert!(acked.arrivals.len() <= MAX_ARRIVALS);
        }
    }
}
