//! State of the network path of one peer connection: RTT, loss, queuing delay, sending rate and congestion pushback.
//!
//! ```text
//! bwe (transport-wide feedback), rtcp_observer (report echoes) --write--> PathState --read--> pacer, NACK, FEC, RED,
//! driver (ICE restart), selected_path (another pair) ---------reset--> PathState           budgets, jitter buffer
//! ```
//!
//! A new path begins with nothing known (RFC 9000, 9.4): figures of the old one say nothing of it. Written
//! by the tasks of the connection, read by any thread without a lock.

mod far;
mod pushback;
mod rtt;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::media::MediaTime;

pub(super) use far::FarCapabilities;
pub(super) use pushback::{GIVEN_UP, Pushback};
use rtt::RttEstimator;

/// The rate of a path of which nothing is known, bit/s.
pub(super) const START_BPS: u64 = 1_000_000;

/// Packet loss of a path over the last seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct PathLoss {
    /// The share of packets that are lost, 0 to 1.
    pub(super) share: f64,
    /// The mean length of a run of losses, in packets; 1 / (1 - share) where losses are independent.
    pub(super) run: f64,
}

/// The present path of one peer connection.
#[derive(Debug, Default)]
pub(super) struct PathState {
    /// Locked for a moment by the tasks of the connection alone; the gauges beside it are its outputs.
    rtt: Mutex<RttEstimator>,
    rtt_us: AtomicU64,
    min_rtt_us: AtomicU64,
    rtt_variation_us: AtomicU64,
    changes: AtomicU32,
    wire_bps: AtomicU64,
    media_bps: AtomicU64,
    queuing_delay_us: AtomicU64,
    loss_ppm: AtomicU32,
    loss_run_milli: AtomicU32,
    pushback: Pushback,
}

impl PathState {
    /// Smoothed RTT (RFC 6298); zero before the first sample.
    pub(super) fn rtt(&self) -> Duration {
        Duration::from_micros(self.rtt_us.load(Relaxed))
    }

    /// Least RTT of the path; zero before the first sample.
    #[cfg(test)]
    pub(super) fn min_rtt(&self) -> Duration {
        Duration::from_micros(self.min_rtt_us.load(Relaxed))
    }

    /// Mean deviation of the RTT (RTTVAR of RFC 6298).
    pub(super) fn rtt_variation(&self) -> Duration {
        Duration::from_micros(self.rtt_variation_us.load(Relaxed))
    }

    /// Total target rate on the wire in bit/s, every header included: media, RTX, FEC and probes share it. 0 before
    /// anything was sent.
    pub(super) fn wire_bps(&self) -> u64 {
        self.wire_bps.load(Relaxed)
    }

    /// Share of the target that is left for new media, in bit/s, headers included. 0 before anything was sent.
    pub(super) fn media_bps(&self) -> u64 {
        self.media_bps.load(Relaxed)
    }

    /// Time that packets wait in the queues of the path, by the latest feedback.
    pub(super) fn queuing_delay(&self) -> Duration {
        Duration::from_micros(self.queuing_delay_us.load(Relaxed))
    }

    /// Loss in the sending direction over the last seconds.
    pub(super) fn loss(&self) -> PathLoss {
        PathLoss {
            share: f64::from(self.loss_ppm.load(Relaxed)) / 1e6,
            run: f64::from(self.loss_run_milli.load(Relaxed)) / 1000.0,
        }
    }

    /// Until when congestion pushback holds video back, unless feedback comes before; `None` when it may leave.
    pub(super) fn held_until(&self, now: MediaTime) -> Option<MediaTime> {
        self.pushback.held_until(now)
    }

    /// How often packets have taken another path.
    pub(super) fn changes(&self) -> u32 {
        self.changes.load(Relaxed)
    }

    /// Packets take another path from now on: an ICE restart has ended, or the ICE agent has selected another pair of
    /// addresses (`transport/selected_path.rs`).
    pub(super) fn changed(&self) {
        self.with_rtt(|rtt| *rtt = RttEstimator::default());
        self.queuing_delay_us.store(0, Relaxed);
        self.set_target(START_BPS, START_BPS);
        self.pushback.forget();
        self.set_loss(PathLoss::default());
        self.changes.fetch_add(1, Relaxed);
    }

    /// Transport-wide feedback came `took` after the latest packet that it names had left.
    pub(super) fn rtt_of_feedback(&self, took: Duration) {
        self.with_rtt(|rtt| rtt.feedback(took));
    }

    /// The same, of a path that has become longer at once.
    pub(super) fn rtt_restarts(&self, took: Duration) {
        self.with_rtt(|rtt| {
            *rtt = RttEstimator::default();
            rtt.feedback(took);
        });
    }

    /// The echo of a sender report came (RFC 3550, 6.4.1), `took` without the time that the far side held it.
    pub(super) fn rtt_of_report(&self, took: Duration) {
        self.with_rtt(|rtt| rtt.sample(took));
    }

    pub(super) fn set_loss(&self, loss: PathLoss) {
        self.loss_ppm.store((loss.share * 1e6) as u32, Relaxed);
        self.loss_run_milli.store((loss.run * 1000.0) as u32, Relaxed);
    }

    /// Sets the target in bit/s: the total on the wire, and the share of new media.
    pub(super) fn set_target(&self, wire_bps: u64, media_bps: u64) {
        self.wire_bps.store(wire_bps, Relaxed);
        self.media_bps.store(media_bps, Relaxed);
    }

    pub(super) fn set_queuing_delay(&self, delay: Duration) {
        self.queuing_delay_us.store(delay.as_micros() as u64, Relaxed);
    }

    /// The gauges of congestion pushback, for their writer.
    pub(super) fn pushback(&self) -> &Pushback {
        &self.pushback
    }

    fn with_rtt(&self, update: impl FnOnce(&mut RttEstimator)) {
        let mut rtt = self.rtt.lock().unwrap_or_else(PoisonError::into_inner);
        update(&mut rtt);
        let micros = |time: Option<Duration>| time.map_or(0, |time| (time.as_micros() as u64).max(1));
        self.rtt_us.store(micros(rtt.smoothed()), Relaxed);
        self.min_rtt_us.store(micros(rtt.min()), Relaxed);
        self.rtt_variation_us.store(rtt.variation().as_micros() as u64, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn a_new_path_begins_with_nothing_known() {
        let path = PathState::default();
        for took in [90, 50, 70] {
            path.rtt_of_report(MS(took));
        }
        path.set_loss(PathLoss { share: 0.1, run: 2.0 });
        path.set_queuing_delay(MS(40));
        path.set_target(9_000_000, 8_000_000);
        let at = MediaTime::from_millis;
        path.pushback().heard(None, at(1000));
        path.pushback().end_trial();
        path.pushback().set_in_flight(Some(at(800)), MS(200));
        assert!(path.held_until(at(1010)).is_some());
        assert_eq!((path.min_rtt(), path.changes()), (MS(50), 0));
        assert!(path.rtt() > MS(50) && path.rtt() < MS(90) && path.rtt_variation() > Duration::ZERO);
        assert_eq!((path.loss(), path.queuing_delay()), (PathLoss { share: 0.1, run: 2.0 }, MS(40)));
        path.changed();
        assert_eq!(
            (path.rtt(), path.min_rtt(), path.rtt_variation()),
            (Duration::ZERO, Duration::ZERO, Duration::ZERO)
        );
        assert_eq!((path.loss().share, path.queuing_delay(), path.changes()), (0.0, Duration::ZERO, 1));
        assert_eq!((path.wire_bps(), path.media_bps(), path.held_until(at(1010))), (START_BPS, START_BPS, None));
        path.rtt_of_report(MS(300));
        assert_eq!(path.rtt(), MS(300), "the first sample of the new path counts whole");
    }
}
