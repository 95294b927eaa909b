//! Histogram of the relative delays of sound, and the target delay that follows from it.

use std::collections::VecDeque;

use crate::media::{MediaTime, SAMPLE_RATE};

/// The delay of sound counts from the arrival of the fastest of so many packets, those of the last two seconds.
pub const RECENT_PACKETS: usize = 100;

/// Measures arrivals against the media's own clock.
///
/// The lag of a packet is its arrival less its media time; the fastest of the last seconds is the path's own delay, and
/// the buffer is for the rest.
#[derive(Debug)]
pub(super) struct DelayHistogram {
    last: Option<(u32, MediaTime)>,
    /// Lag of the last packet, in microseconds from an arbitrary start.
    lag: i64,
    /// Lags of the last two seconds or so.
    lags: VecDeque<i64>,
    jitter_micros: f64,
    /// Share of the packets by how much later than the fastest one they came, one bucket each 5 ms; old ones fade.
    shares: [f32; Self::BUCKETS],
    count: u32,
    target_micros: i64,
}

impl Default for DelayHistogram {
    fn default() -> Self {
        Self {
            last: None,
            lag: 0,
            lags: VecDeque::with_capacity(RECENT_PACKETS),
            jitter_micros: 0.0,
            shares: [0.0; Self::BUCKETS],
            count: 0,
            target_micros: Self::START_MICROS,
        }
    }
}

impl DelayHistogram {
    const BUCKET_MICROS: i64 = 5_000;
    const BUCKETS: usize = 60;
    /// Packets after which one has faded to a third: 10 s of sound.
    const MEMORY: u32 = 500;
    /// Packets before the measure counts.
    const ENOUGH: u32 = 25;
    /// A lag that changes by more is a new clock, not jitter.
    const NEW_CLOCK: u64 = 2_000_000;
    const START_MICROS: i64 = 40_000;
    const MIN_MICROS: i64 = 10_000;
    /// Delay that is as bad as one percent of the sound coming too late.
    const MICROS_A_PERCENT: f32 = 25_000.0;

    /// Notes the arrival of a packet.
    pub(super) fn note(&mut self, rtp_timestamp: u32, now: MediaTime) {
        let Some((last_timestamp, last_at)) = self.last else {
            self.last = Some((rtp_timestamp, now));
            self.lags.push_back(0);
            return;
        };
        let step = step(last_timestamp, last_at, rtp_timestamp, now);
        if step.unsigned_abs() > Self::NEW_CLOCK {
            *self = Self { last: Some((rtp_timestamp, now)), ..Self::default() };
            self.lags.push_back(0);
            return;
        }
        self.last = Some((rtp_timestamp, now));
        self.jitter_micros += (step.unsigned_abs() as f64 - self.jitter_micros) / 16.0;
        self.lag += step;
        if self.lags.len() == RECENT_PACKETS {
            self.lags.pop_front();
        }
        self.lags.push_back(self.lag);
        self.count_late(self.lag);
    }

    /// Notes that a lost packet was recovered at `now`, out of a later packet.
    pub(super) fn note_restored(&mut self, rtp_timestamp: u32, now: MediaTime) {
        if let Some(lag) = self.lag_at(rtp_timestamp, now) {
            self.count_late(lag);
        }
    }

    fn count_late(&mut self, lag: i64) {
        let late = lag - self.least();
        self.count = (self.count + 1).min(Self::MEMORY);
        let weight = 1.0 / self.count as f32;
        for share in &mut self.shares {
            *share *= 1.0 - weight;
        }
        let bucket = (late.max(0) / Self::BUCKET_MICROS) as usize;
        self.shares[bucket.min(Self::BUCKETS - 1)] += weight;
        if self.count >= Self::ENOUGH {
            self.target_micros = self.target_delay();
        }
    }

    /// The delay for which delay and late sound together are least.
    fn target_delay(&self) -> i64 {
        let (mut best, mut least) = (Self::MIN_MICROS, f32::MAX);
        let mut late = 1.0;
        for (bucket, share) in self.shares.iter().enumerate() {
            late -= share;
            let delay = (bucket as i64 + 1) * Self::BUCKET_MICROS;
            let cost = delay as f32 + late * 100.0 * Self::MICROS_A_PERCENT;
            if cost < least {
                (best, least) = (delay, cost);
            }
        }
        best.max(Self::MIN_MICROS)
    }

    /// By how much a packet comes later at `now` than the fastest one did, in microseconds; `None` before any came.
    pub(super) fn delay_at(&self, rtp_timestamp: u32, now: MediaTime) -> Option<i64> {
        Some(self.lag_at(rtp_timestamp, now)? - self.least())
    }

    /// The lag of a packet that were to arrive, or is played, at `now`, in microseconds from an arbitrary start; `None`
    /// before any came.
    pub(super) fn lag_at(&self, rtp_timestamp: u32, now: MediaTime) -> Option<i64> {
        let (last_timestamp, last_at) = self.last?;
        let step = step(last_timestamp, last_at, rtp_timestamp, now);
        (step.unsigned_abs() <= Self::NEW_CLOCK).then_some(self.lag + step)
    }

    /// The lag of the fastest of the last two seconds.
    pub(super) fn least(&self) -> i64 {
        self.lags.iter().copied().min().unwrap_or(self.lag)
    }

    /// The median lag of the last two seconds: what scatters around it moves it less than the fastest one.
    pub(super) fn median(&self) -> i64 {
        let mut lags = [0; RECENT_PACKETS];
        let count = self.lags.len().min(RECENT_PACKETS);
        for (copy, lag) in lags.iter_mut().zip(&self.lags) {
            *copy = *lag;
        }
        if count == 0 { self.lag } else { *lags[..count].select_nth_unstable(count / 2).1 }
    }

    /// From the arrival of the fastest packet to its playing, in microseconds, that the buffer should keep.
    pub(super) fn target_micros(&self) -> i64 {
        self.target_micros
    }

    /// Interarrival jitter (RFC 3550 section 6.4.1), in microseconds.
    pub(super) fn jitter_micros(&self) -> f64 {
        self.jitter_micros
    }
}

/// By how much more time than media went by between two packets, in microseconds.
fn step(last_timestamp: u32, last_at: MediaTime, rtp_timestamp: u32, now: MediaTime) -> i64 {
    let media = i64::from(rtp_timestamp.wrapping_sub(last_timestamp) as i32) * 1_000_000 / i64::from(SAMPLE_RATE);
    (now.as_micros() as i64).saturating_sub(last_at.as_micros() as i64).saturating_sub(media)
}
