//! Probe controller: when the path is asked whether it carries more (libwebrtc's `probe_controller.cc`).
//!
//! The estimate grows by what is sent, and where less is sent than the path carries (a still scene, pictures that a
//! narrow path had made smaller) nothing is proven. Where the encoder would send more than the target, and does not
//! fill that, a probe asks for twice the target, and for twice the result again while that is carried. A probe that
//! failed is repeated ever more seldom. Pure; time is an argument.

use std::time::{Duration, Instant};

use super::probe_bitrate::ProbeResult;
use crate::rtc::pacing::ProbeCluster;

/// A probe asks for so many times the target.
const SCALE: f64 = 2.0;
/// And for no more than so many times the rate that is wanted.
const MARGIN: f64 = 1.2;
/// The rate that is wanted must exceed the target by this factor.
const WORTH: f64 = 1.05;
/// A sender is application-limited below this share of its target (libwebrtc's `alr_detector.cc`).
const APPLICATION_LIMITED: f64 = 0.7;
/// A cluster lasts so long, and has so many packets, at least.
const DURATION: Duration = Duration::from_millis(15);
const PACKETS: usize = 5;
/// Bounds of a packet, in bytes: on a thin path a large one makes a queue.
const PACKET_BYTES: [usize; 2] = [150, 1200];
/// The next probe asks for more at once where this one arrived at so much of its rate.
const CARRIED: f64 = 0.7;
/// After a probe that told nothing new, the next one comes after this time; each time later, up to the most.
const PAUSE: Duration = Duration::from_millis(1000);
const MAX_PAUSE: Duration = Duration::from_secs(2);
const LATER: f64 = 1.2;
/// No probe so soon after the rate was lowered.
const AFTER_BACK_OFF: Duration = Duration::from_millis(2000);
/// More loss than this, or a longer queue, is no moment for a probe.
const MAX_LOSS: f64 = 0.03;
const MAX_QUEUE: Duration = Duration::from_millis(20);

/// The state of the path at a moment, as a probe has to know it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProbeInputs {
    /// The target, and the rate that the encoder would send, in bit/s on the wire.
    pub(super) target_bps: f64,
    pub(super) wanted_bps: f64,
    /// The rate that arrives (acked bitrate).
    pub(super) acked_bps: f64,
    /// Queuing delay of the path, apart from jitter.
    pub(super) queue: Duration,
    /// The share of packets that is lost now.
    pub(super) loss: f64,
    /// When the rate was last lowered.
    pub(super) backed_off_at: Option<Instant>,
}

/// Decides on probes.
#[derive(Debug)]
pub(super) struct ProbeController {
    next_id: u32,
    not_before: Option<Instant>,
    pause: Duration,
    /// The rate of the probe under way.
    asked_bps: f64,
}

impl Default for ProbeController {
    fn default() -> Self {
        Self { next_id: 0, not_before: None, pause: PAUSE, asked_bps: 0.0 }
    }
}

impl ProbeController {
    /// The probe to send now, if any. None is under way.
    pub(super) fn poll(&mut self, inputs: ProbeInputs, now: Instant) -> Option<ProbeCluster> {
        let lowered = |at: Instant| now.saturating_duration_since(at) < AFTER_BACK_OFF;
        if inputs.wanted_bps <= inputs.target_bps * WORTH
            || inputs.acked_bps > inputs.target_bps * APPLICATION_LIMITED
            || inputs.queue > MAX_QUEUE
            || inputs.loss > MAX_LOSS
            || inputs.backed_off_at.is_some_and(lowered)
            || self.not_before.is_some_and(|at| now < at)
        {
            return None;
        }
        self.asked_bps = (inputs.target_bps * SCALE).min(inputs.wanted_bps * MARGIN);
        self.next_id = self.next_id.wrapping_add(1);
        let bytes = (self.asked_bps / 8.0 * DURATION.as_secs_f64()) as usize;
        let packet_bytes = (bytes / PACKETS).clamp(PACKET_BYTES[0], PACKET_BYTES[1]);
        Some(ProbeCluster {
            id: self.next_id,
            rate_bps: self.asked_bps as u64,
            bytes: bytes.max(packet_bytes * PACKETS),
            packets: PACKETS,
            packet_bytes,
        })
    }

    /// The outcome of the latest probe.
    pub(super) fn on_result(&mut self, result: ProbeResult, now: Instant) {
        let carried = !result.saturated && result.bps.is_some_and(|bps| bps >= self.asked_bps * CARRIED);
        if carried {
            self.pause = PAUSE;
            self.not_before = None;
        } else {
            self.not_before = Some(now + self.pause);
            self.pause = self.pause.mul_f64(LATER).min(MAX_PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUTS: ProbeInputs = ProbeInputs {
        target_bps: 500e3,
        wanted_bps: 1800e3,
        acked_bps: 60e3,
        queue: Duration::ZERO,
        loss: 0.0,
        backed_off_at: None,
    };

    #[test]
    fn a_path_is_asked_for_twice_as_much_until_it_carries_what_is_wanted() {
        let now = Instant::now();
        let mut controller = ProbeController::default();
        let mut inputs = INPUTS;
        let mut asked = Vec::new();
        while let Some(cluster) = controller.poll(inputs, now) {
            asked.push(cluster.rate_bps);
            assert!(cluster.bytes as u64 >= cluster.rate_bps / 8 * 14 / 1000 && cluster.packets == 5);
            inputs.target_bps = cluster.rate_bps as f64;
            controller.on_result(ProbeResult { bps: Some(inputs.target_bps), saturated: false }, now);
        }
        assert_eq!(asked, [1_000_000, 2_000_000]);
    }

    #[test]
    fn a_path_that_carries_no_more_is_asked_ever_more_seldom() {
        let start = Instant::now();
        let mut controller = ProbeController::default();
        let mut asked = Vec::new();
        for ms in 0..40_000 {
            let now = start + Duration::from_millis(ms);
            if controller.poll(INPUTS, now).is_some() {
                asked.push(ms);
                controller.on_result(ProbeResult { bps: Some(520e3), saturated: true }, now);
            }
        }
        let pauses: Vec<u64> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(pauses[..4], [1000, 1200, 1440, 1728], "{pauses:?}");
        assert_eq!(pauses.last(), Some(&2000));
    }

    #[test]
    fn nothing_is_asked_of_a_path_that_is_full_or_loses_or_carries_enough() {
        let now = Instant::now();
        for inputs in [
            ProbeInputs { wanted_bps: 500e3, ..INPUTS },
            ProbeInputs { acked_bps: 450e3, ..INPUTS },
            ProbeInputs { queue: Duration::from_millis(30), ..INPUTS },
            ProbeInputs { loss: 0.1, ..INPUTS },
            ProbeInputs { backed_off_at: Some(now), ..INPUTS },
        ] {
            assert!(ProbeController::default().poll(inputs, now).is_none(), "{inputs:?}");
        }
    }
}
