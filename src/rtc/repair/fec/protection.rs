//! Number of FEC packets for a block: as few as keep pictures from waiting, and from freezing, at the present loss,
//! burst length and RTT.

use std::time::Duration;

use super::block::MAX_SOURCES;
use crate::rtc::bwe::HEAVY_LOSS;
use crate::rtc::path::PathLoss;

/// Loss below which nothing is protected: RTX does.
const MIN_LOSS: f64 = 0.003;
/// RTX are counted on for at most so much of the time until a gap counts as frozen, beside the time in which the next
/// frame would have come.
const RTX_BUDGET: Duration = Duration::from_millis(160);
/// Time of an RTX beside the RTT.
const REQUEST_MARGIN: Duration = Duration::from_millis(15);
/// Share of blocks that may wait for RTX, and share that may come too late even then.
const MAY_WAIT: f64 = 0.15;
const MAY_FREEZE: f64 = 0.0005;
/// Repairs for a source at most.
const MAX_PER_SOURCE: usize = 1;
/// More loss than this is not protected against.
const MAX_LOSS: f64 = 0.5;
/// Packets that leave between a request and its repetition, or a repair and its: a run of losses may take both.
const BETWEEN_COPIES: i32 = 3;

/// Repair packets for a block of `sources` packets.
pub(super) fn repairs_for(sources: usize, loss: PathLoss, round_trip: Duration) -> usize {
    if loss.share < MIN_LOSS {
        return 0;
    }
    let chance = Gilbert::of(loss);
    let requests = RTX_BUDGET.as_micros() / (round_trip + REQUEST_MARGIN).as_micros().max(1);
    let copy_lost = chance.copy_lost(BETWEEN_COPIES);
    let answer_lost = chance.any_lost(loss.run) * if loss.share > HEAVY_LOSS { copy_lost } else { 1.0 };
    let request_fails = (chance.loss * copy_lost + answer_lost).min(1.0).powi(requests.min(8) as i32);
    let mut lost = Lost::of(chance, sources.min(MAX_SOURCES));
    let most = sources * MAX_PER_SOURCE;
    for repairs in 0..most {
        let waits = lost.chance_of_more(repairs);
        if waits <= MAY_WAIT && waits * request_fails <= MAY_FREEZE {
            return repairs;
        }
        lost.another_packet();
    }
    most
}

/// A path that loses every packet in its bad state, and none in its good one (Gilbert, 1960).
#[derive(Clone, Copy, Debug)]
struct Gilbert {
    /// The chance of a loss.
    loss: f64,
    /// Probability of a loss behind a packet that came, and behind one that was lost.
    after_good: f64,
    after_bad: f64,
}

impl Gilbert {
    fn of(loss: PathLoss) -> Self {
        let share = loss.share.min(MAX_LOSS);
        // Runs are no shorter than where losses are independent.
        let run = loss.run.max(1.0 / (1.0 - share));
        Self { loss: share, after_good: share / (run * (1.0 - share)), after_bad: 1.0 - 1.0 / run }
    }

    /// The chance that the copy of a lost packet is lost, too, where `between` others leave before it.
    fn copy_lost(self, between: i32) -> f64 {
        self.loss + (1.0 - self.loss) * (self.after_bad - self.after_good).powi(between + 1)
    }

    /// The chance that any of so many packets is lost: the packets of a run come again together.
    fn any_lost(self, packets: f64) -> f64 {
        1.0 - (1.0 - self.loss) * (1.0 - self.after_good).powf((packets - 1.0).max(0.0))
    }
}

/// How likely it is that so many packets of a block are lost, the last one of them or not.
struct Lost {
    path: Gilbert,
    /// By the number of losses; more than there can be repairs for are left out.
    good: [f64; MAX_SOURCES + 1],
    bad: [f64; MAX_SOURCES + 1],
}

impl Lost {
    /// For blocks of `packets`.
    fn of(path: Gilbert, packets: usize) -> Self {
        let mut lost = Self { path, good: [0.0; MAX_SOURCES + 1], bad: [0.0; MAX_SOURCES + 1] };
        (lost.good[0], lost.bad[1]) = (1.0 - path.loss, path.loss);
        (1..packets).for_each(|_| lost.another_packet());
        lost
    }

    fn another_packet(&mut self) {
        for losses in (0..=MAX_SOURCES).rev() {
            let (good, bad) = (self.good[losses], self.bad[losses]);
            self.good[losses] = good * (1.0 - self.path.after_good) + bad * (1.0 - self.path.after_bad);
            self.bad[losses] = losses
                .checked_sub(1)
                .map_or(0.0, |fewer| self.good[fewer] * self.path.after_good + self.bad[fewer] * self.path.after_bad);
        }
    }

    /// The chance that more than `most` are lost.
    fn chance_of_more(&self, most: usize) -> f64 {
        let at_most: f64 = self.good.iter().zip(&self.bad).take(most + 1).map(|(good, bad)| good + bad).sum();
        (1.0 - at_most).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repairs(share: f64, round_trip_ms: u64) -> usize {
        in_runs(share, 1.0, round_trip_ms)
    }

    fn in_runs(share: f64, run: f64, round_trip_ms: u64) -> usize {
        repairs_for(6, PathLoss { share, run }, Duration::from_millis(round_trip_ms))
    }

    #[test]
    fn a_clean_path_and_one_that_repairs_in_time_cost_nothing() {
        assert_eq!((repairs(0.0, 300), repairs(0.001, 300), repairs(0.02, 50)), (0, 0, 0));
    }

    #[test]
    fn the_longer_a_repair_takes_the_more_is_sent_ahead() {
        assert_eq!([20, 50, 150, 300].map(|round_trip| repairs(0.02, round_trip)), [0, 0, 2, 2]);
        assert_eq!([0.02, 0.05, 0.1, 0.2].map(|loss| repairs(loss, 50)), [0, 1, 1, 4]);
        assert_eq!([1.0, 1.5, 2.0, 3.0].map(|run| in_runs(0.1, run, 50)), [1, 2, 2, 3]);
    }

    #[test]
    fn the_chance_is_the_binomial_one_where_losses_are_independent() {
        let chance =
            |packets, most, share| Lost::of(Gilbert::of(PathLoss { share, run: 1.0 }), packets).chance_of_more(most);
        assert!((chance(6, 0, 0.02) - (1.0 - 0.98_f64.powi(6))).abs() < 1e-12);
        assert!((chance(2, 1, 0.1) - 0.01).abs() < 1e-12);
        assert!(chance(3, 3, 0.5).abs() < 1e-12);
    }

    #[test]
    fn the_chance_is_that_of_the_link_where_they_come_in_runs() {
        use crate::media::MediaTime;
        use crate::rtc::LinkEmulator;

        const BLOCKS: usize = 50_000;
        let mut link = LinkEmulator::new("loss=10,burst=3".parse().unwrap(), 1, MediaTime::default());
        let mut lost = || usize::from(link.send(1000, MediaTime::default())[0].is_none());
        let blocks: Vec<usize> = (0..BLOCKS).map(|_| (0..8).map(|_| lost()).sum()).collect();
        let chance = Lost::of(Gilbert::of(PathLoss { share: 0.1, run: 3.0 }), 8);
        for most in 0..6 {
            let share = blocks.iter().filter(|lost| **lost > most).count() as f64 / BLOCKS as f64;
            assert!((chance.chance_of_more(most) - share).abs() < 0.005, "{most}: {share}");
        }
    }
}
