//! Clock drift between the far microphone and the speaker here, both nominally 48 kHz. It is estimated from the slope
//! of the delay of sound, and removed by resampling.

use std::time::Duration;

use super::delay_histogram::DelayHistogram;
use crate::media::MediaTime;

/// Learns the drift, and holds the delay where it is wanted.
///
/// A Kalman filter of the delay in the buffer, taken once a second, and of its slope. The effect of this control itself
/// is taken out, so the slope is the drift, whatever delay is wanted. On an even path it is known after some seconds,
/// with jitter after a minute.
#[derive(Debug)]
pub(super) struct DriftControl {
    /// Since when, and the least lag of played sound since then: of the pulls of a second it has the least jitter.
    second: Option<(MediaTime, i64)>,
    /// Delay in the buffer, in microseconds; unknown after a step.
    waits: Option<f64>,
    /// The slope of that in microseconds a second, which are millionths.
    drift: f64,
    /// Covariance of the two: of the delay, of both, of the drift.
    covariance: [f64; 3],
    speed: f64,
}

impl Default for DriftControl {
    fn default() -> Self {
        let covariance = [0.0, 0.0, Self::UNKNOWN * Self::UNKNOWN];
        Self { second: None, waits: None, drift: 0.0, covariance, speed: 0.0 }
    }
}

impl DriftControl {
    const SECOND: Duration = Duration::from_secs(1);
    /// Seconds in which a delay that is not as wanted becomes so.
    const RETURN: f64 = 20.0;
    /// The most that is made good, in millionths: crystals differ by 100, bad ones by 300, and the ear takes 3000 for
    /// the same pitch.
    const MAX: f64 = 500.0;
    /// How far off a drift may be of which nothing is known, and how far it changes in a second, in millionths.
    const UNKNOWN: f64 = 150.0;
    const CHANGE: f64 = 0.3;
    /// How far off what is measured may be on an even path, in microseconds, and what share of the jitter adds to it.
    const NOISE: f64 = 300.0;
    const NOISE_OF_JITTER: f64 = 0.2;
    /// Deviation beyond noise, in microseconds, that is another path's delay and not drift.
    const STEP: f64 = 5_000.0;

    /// How much faster than it was recorded sound should be played, in millionths.
    pub(super) fn speed_ppm(&self) -> f64 {
        self.speed
    }

    /// The delay was changed by other means, or is not known for a while.
    pub(super) fn interrupt(&mut self) {
        (self.second, self.waits) = (None, None);
    }

    /// Takes in that sound which is played at `now` has this `lag`, while sound arrives as `arrivals` say and should
    /// wait for `wanted` microseconds.
    pub(super) fn note(&mut self, lag: i64, arrivals: &DelayHistogram, wanted: i64, now: MediaTime) {
        let (since, least) = self.second.map_or((now, lag), |(since, least)| (since, least.min(lag)));
        let elapsed = now.since(since);
        if elapsed < Self::SECOND {
            self.second = Some((since, least));
            return;
        }
        self.second = Some((now, lag));
        let noise = Self::NOISE + Self::NOISE_OF_JITTER * arrivals.jitter_micros();
        self.measure((least - arrivals.median()) as f64, noise, elapsed.as_secs_f64());
        let surplus = (least - arrivals.least() - wanted) as f64;
        self.speed = (self.drift + surplus / Self::RETURN).clamp(-Self::MAX, Self::MAX);
    }

    /// One step of the filter: `waits` was measured `elapsed` seconds after the time before, give or take `noise`.
    fn measure(&mut self, waits: f64, noise: f64, elapsed: f64) {
        let [position, both, slope] = self.covariance;
        let slope = slope + (Self::CHANGE * elapsed).powi(2);
        let (position, both) = (position + elapsed * (2.0 * both + elapsed * slope), both + elapsed * slope);
        let sum = position + noise * noise;
        let expected = self.waits.map(|before| before + (self.drift - self.speed) * elapsed);
        let Some(expected) = expected.filter(|expected| (waits - expected).abs() < Self::STEP + 3.0 * sum.sqrt())
        else {
            self.waits = Some(waits);
            self.covariance = [noise * noise, 0.0, slope];
            return;
        };
        let off = (waits - expected) / sum;
        self.waits = Some(expected + position * off);
        self.drift = (self.drift + both * off).clamp(-Self::MAX, Self::MAX);
        let left = 1.0 - position / sum;
        self.covariance = [position * left, both * left, slope - both * both / sum];
    }
}
