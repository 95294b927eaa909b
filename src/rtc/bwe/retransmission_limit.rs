//! Limits of retransmissions: the rate that repairs take, and which requests (NACK, RFC 4585, 6.2.1) are answered.
//! Pure; time is an argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rtc::rtcp::transport_feedbacks::transport_layer_nack::{
    NackPair, TransportLayerNack, nack_pairs_from_sequence_numbers,
};

/// Rate of repairs of one kind, averaged over half a second.
#[derive(Debug, Default)]
pub(super) struct RepairRate {
    bytes_per_second: f64,
    at: Option<Instant>,
}

impl RepairRate {
    const TIME: Duration = Duration::from_millis(500);

    /// A packet left at `now`, which was such a repair of so many bytes (0: none).
    pub(super) fn add(&mut self, bytes: usize, now: Instant) {
        let elapsed = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.at = Some(now);
        self.bytes_per_second *= (-elapsed.as_secs_f64() / Self::TIME.as_secs_f64()).exp();
        self.bytes_per_second += bytes as f64 / Self::TIME.as_secs_f64();
    }

    /// In bit/s.
    pub(super) fn bps(&self) -> u64 {
        (self.bytes_per_second * 8.0) as u64
    }
}

/// Answers each request once in an RTT. A far side that does not know of a queue on the way asks again before the
/// answer can be there; answering each time would only lengthen the queue.
#[derive(Debug, Default)]
pub(super) struct RetransmissionLimit {
    /// When each packet was last asked for and granted; the oldest first.
    granted: VecDeque<(u16, Instant)>,
}

impl RetransmissionLimit {
    /// Packets that are granted in that time at most.
    const MAX_GRANTED: usize = 512;

    /// `request` without what was granted within `again` before `now`; `None` when nothing is left of it.
    pub(super) fn grant(
        &mut self,
        request: &TransportLayerNack,
        again: Duration,
        now: Instant,
    ) -> Option<TransportLayerNack> {
        while self.granted.front().is_some_and(|(_, at)| now.saturating_duration_since(*at) >= again) {
            self.granted.pop_front();
        }
        let mut granted = Vec::new();
        for number in request.nacks.iter().flat_map(NackPair::packet_list) {
            if self.granted.len() == Self::MAX_GRANTED {
                break;
            }
            if !self.granted.iter().any(|(one, _)| *one == number) {
                self.granted.push_back((number, now));
                granted.push(number);
            }
        }
        let nacks = nack_pairs_from_sequence_numbers(&granted);
        (!granted.is_empty()).then_some(TransportLayerNack { nacks, ..*request })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repair_is_granted_once_until_its_answer_can_have_come() {
        let start = Instant::now();
        let mut requests = RetransmissionLimit::default();
        let mut granted = |numbers: &[u16], millis| {
            let request =
                TransportLayerNack { sender_ssrc: 1, media_ssrc: 2, nacks: nack_pairs_from_sequence_numbers(numbers) };
            let granted = requests.grant(&request, Duration::from_millis(200), start + Duration::from_millis(millis));
            granted.map_or(Vec::new(), |nack| nack.nacks.iter().flat_map(NackPair::packet_list).collect())
        };
        assert_eq!(granted(&[65_535, 0, 40], 0), [65_535, 0, 40]);
        assert_eq!(granted(&[0, 40, 0, 40], 35), [0; 0]);
        assert_eq!(granted(&[0, 41], 70), [41]);
        assert_eq!(granted(&[0, 41], 210), [0]);
    }

    #[test]
    fn the_rate_is_that_of_the_last_half_second_or_so() {
        let start = Instant::now();
        let mut rate = RepairRate::default();
        for n in 0..300 {
            rate.add(if n < 200 { 1000 } else { 0 }, start + Duration::from_millis(n * 10));
            if n == 199 {
                assert!((rate.bps() as f64 / 800_000.0 - 1.0).abs() < 0.05, "{}", rate.bps());
            }
        }
        assert!(rate.bps() < 150_000, "{}", rate.bps());
    }
}
