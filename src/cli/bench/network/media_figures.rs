//! Figures of pictures and sound that each measurement of calls over a network has.

use serde::Serialize;

use super::record::SideRecord;
use crate::cli::bench::figures::{Distribution, median, round};

/// Pictures and sound as the far ends get them: means of all sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MediaFigures {
    /// Pictures shown a second.
    pub fps: f64,
    /// Percent of the time in gaps of more than 200 ms.
    pub frozen_percent: f64,
    /// From capture to the tile.
    pub latency_ms_p50: f64,
    /// The same for the slowest twentieth.
    pub latency_ms_p95: f64,
    /// Concealed sound in percent.
    pub audio_concealed_percent: f64,
    /// Video payload that arrives on each side.
    pub kbps: f64,
}

impl MediaFigures {
    /// The figures of `sides`, each with the window that counts, in seconds since its clock started; `concealed` gives
    /// the percentage of the sound.
    pub fn of<'a>(
        sides: impl Iterator<Item = (&'a SideRecord, (f64, f64))> + Clone,
        concealed: fn(&SideRecord, (f64, f64)) -> f64,
    ) -> Self {
        let mean = |of: fn(&SideRecord, (f64, f64)) -> f64| {
            let sides = sides.clone().map(|(side, window)| of(side, window));
            sides.clone().sum::<f64>() / sides.count().max(1) as f64
        };
        let delays: Distribution = sides.clone().flat_map(|(side, _)| side.delays.iter().copied()).collect();
        Self {
            fps: round(mean(SideRecord::fps), 1),
            frozen_percent: round(mean(SideRecord::frozen_percent), 2),
            latency_ms_p50: delays.percentile(0.5).unwrap_or_default(),
            latency_ms_p95: delays.percentile(0.95).unwrap_or_default(),
            audio_concealed_percent: round(mean(concealed), 2),
            kbps: round(mean(SideRecord::kbps), 0),
        }
    }

    /// The median of each figure of some runs, each for itself; zeros of no run.
    pub fn medians<'a>(runs: impl Iterator<Item = &'a Self> + Clone) -> Self {
        let middle = |of: fn(&Self) -> f64| median(runs.clone().map(of)).unwrap_or_default();
        Self {
            fps: middle(|run| run.fps),
            frozen_percent: middle(|run| run.frozen_percent),
            latency_ms_p50: middle(|run| run.latency_ms_p50),
            latency_ms_p95: middle(|run| run.latency_ms_p95),
            audio_concealed_percent: middle(|run| run.audio_concealed_percent),
            kbps: middle(|run| run.kbps),
        }
    }
}
