//! How many repair packets protect a block: as few as keep pictures from waiting, and from freezing, at the present loss and
//! round trip.

use std::time::Duration;

use crate::rtc::congestion::HEAVY_LOSS;

/// Loss below which nothing is protected: a repair on request does.
const LEAST_LOSS: f64 = 0.003;
/// Repairs on request are counted on for at most so much of the time until a gap counts as frozen, beside the time in
/// which the next frame would have come.
const PATIENCE: Duration = Duration::from_millis(160);
/// What a repair on request takes beside the round trip.
const REQUEST_MARGIN: Duration = Duration::from_millis(15);
/// Of so many blocks one may wait for a repair on request, and one may come too late even then.
const MAY_WAIT: f64 = 0.15;
const MAY_FREEZE: f64 = 0.001;
/// Repairs for a source at most.
const MOST_PER_SOURCE: usize = 1;

/// Repair packets for a block of `sources` packets where this share of packets is lost, each independently of the others.
pub(super) fn repairs_for(sources: usize, loss: f64, round_trip: Duration) -> usize {
    if loss < LEAST_LOSS {
        return 0;
    }
    let loss = loss.min(0.5);
    let requests = PATIENCE.as_micros() / (round_trip + REQUEST_MARGIN).as_micros().max(1);
    let copies = if loss > HEAVY_LOSS { 2 } else { 1 };
    let request_fails = loss.powi(requests.min(8) as i32 * copies);
    let suffices = |repairs: &usize| {
        let waits = chance_of_more(sources + repairs, *repairs, loss);
        waits <= MAY_WAIT && waits * request_fails <= MAY_FREEZE
    };
    let most = sources * MOST_PER_SOURCE;
    (0..most).find(suffices).unwrap_or(most)
}

/// The chance that of `packets` more than `most` are lost (binomial distribution).
fn chance_of_more(packets: usize, most: usize, loss: f64) -> f64 {
    let mut exactly = (1.0 - loss).powi(packets as i32);
    let mut at_most = exactly;
    for lost in 1..=most.min(packets) {
        exactly *= (packets - lost + 1) as f64 / lost as f64 * loss / (1.0 - loss);
        at_most += exactly;
    }
    (1.0 - at_most).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repairs(loss: f64, round_trip_ms: u64) -> usize {
        repairs_for(6, loss, Duration::from_millis(round_trip_ms))
    }

    #[test]
    fn a_clean_path_and_one_that_repairs_in_time_cost_nothing() {
        assert_eq!((repairs(0.0, 300), repairs(0.001, 300), repairs(0.02, 50)), (0, 0, 0));
    }

    #[test]
    fn the_longer_a_repair_takes_the_more_is_sent_ahead() {
        assert_eq!([20, 50, 150, 300].map(|round_trip| repairs(0.02, round_trip)), [0, 0, 2, 2]);
        assert_eq!([0.02, 0.05, 0.1, 0.2].map(|loss| repairs(loss, 50)), [0, 1, 1, 3]);
    }

    #[test]
    fn the_chance_is_the_binomial_one() {
        assert!((chance_of_more(6, 0, 0.02) - (1.0 - 0.98_f64.powi(6))).abs() < 1e-12);
        assert!((chance_of_more(2, 1, 0.1) - 0.01).abs() < 1e-12);
        assert!(chance_of_more(3, 3, 0.5).abs() < 1e-12);
    }
}
