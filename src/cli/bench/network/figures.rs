//! Figures of a call over a bad network: pictures and sound as the far end gets them.

use serde::Serialize;

use super::dips::{dips, narrowest};
use super::media_figures::MediaFigures;
use super::record::SideRecord;
use crate::cli::bench::figures::{median, round};
use crate::cli::bench::namespaces::Began;
use crate::controller::LinkProfile;

/// One call over one network: means of both sides, of the time after the first two seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NetworkFigures {
    /// The program.
    pub peer: &'static str,
    /// The network, in words.
    pub link: String,
    /// How long the call was.
    pub seconds: u32,
    /// Pictures and sound.
    #[serde(flatten)]
    pub media: MediaFigures,
    /// The lines of the last picture, of the smaller one of both sides.
    pub lines: u32,
    /// PSNR of the luma of shown pictures against the film (dB, median), where there is a film and they have its size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psnr_db: Option<f64>,
    /// From Answer (Chromium: the offer) to the later first picture.
    pub setup_ms: f64,
    /// From the end of a blackout to the next picture, the slowest time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_to_picture: Option<f64>,
    /// From the end of a blackout or a dip of the rate to 90 % of the rate before, the slowest time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_back_to_90_percent: Option<f64>,
    /// Percent of a bottleneck's capacity that arrives where it is narrowest, everything and its headers counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity_used_percent: Option<f64>,
    /// Video payload that arrives at the callee, every two seconds.
    pub kbps_every_2_s: Vec<u32>,
}

/// A call as it was measured.
#[derive(Debug)]
pub struct Measured {
    /// From Answer, or the offer, to the later first picture, in ms.
    pub setup_ms: f64,
    /// When its clock started, which is that of the link's changes.
    pub began: Began,
    /// From when to when it counts, in seconds since then.
    pub window: (f64, f64),
    /// The caller and the callee.
    pub sides: [SideRecord; 2],
    /// PSNR of pictures of both sides, in dB.
    pub psnr: Vec<f64>,
}

impl Measured {
    /// The mean of a figure of both sides.
    pub fn mean(&self, of: &dyn Fn(&SideRecord) -> f64) -> f64 {
        self.sides.iter().map(of).sum::<f64>() / self.sides.len() as f64
    }
}

impl NetworkFigures {
    /// The figures of a call of `peer` over `link`, called `name`.
    pub fn of(peer: &'static str, name: &str, link: &LinkProfile, seconds: u32, call: &Measured) -> Self {
        let Measured { setup_ms, window, sides, psnr, .. } = call;
        let (window, end) = (*window, window.1);
        let mean = |of: &dyn Fn(&SideRecord) -> f64| call.mean(of);
        let dips = dips(link, end);
        let slowest = |times: &mut dyn Iterator<Item = f64>| times.reduce(f64::max).map(|time| round(time, 2));
        let blackouts = dips.iter().filter(|dip| dip.blackout);
        Self {
            peer,
            link: name.to_owned(),
            seconds,
            media: MediaFigures::of(sides.iter().map(|side| (side, window)), |side, _| side.concealed_percent()),
            lines: sides[0].lines().min(sides[1].lines()),
            psnr_db: median(psnr.iter().copied()).map(|db| round(db, 1)),
            setup_ms: round(*setup_ms, 0),
            seconds_to_picture: slowest(&mut blackouts.map(|dip| mean(&|side| side.seconds_to_picture(dip, end)))),
            seconds_back_to_90_percent: slowest(&mut dips.iter().map(|dip| mean(&|side| side.seconds_back(dip, end)))),
            capacity_used_percent: narrowest(link, window)
                .map(|(piece, kbps)| round(mean(&|side| side.wire_kbps(piece)) / kbps * 100.0, 1)),
            kbps_every_2_s: every_2_s(&sides[1], window),
        }
    }

    /// The median of each figure of some runs, each for itself; `None` of no run.
    pub fn medians(runs: &[Self]) -> Option<Self> {
        let middle = |of: &dyn Fn(&Self) -> f64| median(runs.iter().map(of)).unwrap_or_default();
        let middle_if_any = |of: &dyn Fn(&Self) -> Option<f64>| median(runs.iter().filter_map(of));
        let first = runs.first()?;
        Some(Self {
            media: MediaFigures::medians(runs.iter().map(|run| &run.media)),
            lines: middle(&|run| f64::from(run.lines)) as u32,
            psnr_db: middle_if_any(&|run| run.psnr_db),
            setup_ms: middle(&|run| run.setup_ms),
            seconds_to_picture: middle_if_any(&|run| run.seconds_to_picture),
            seconds_back_to_90_percent: middle_if_any(&|run| run.seconds_back_to_90_percent),
            capacity_used_percent: middle_if_any(&|run| run.capacity_used_percent),
            ..first.clone()
        })
    }
}

impl AsRef<MediaFigures> for NetworkFigures {
    fn as_ref(&self) -> &MediaFigures {
        &self.media
    }
}

fn every_2_s(side: &SideRecord, (from, to): (f64, f64)) -> Vec<u32> {
    let count = ((to - from) / 2.0).max(0.0) as u32;
    (0..count).map(|n| from + 2.0 * f64::from(n)).map(|at| side.kbps((at, at + 2.0)).max(0.0) as u32).collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::cli::bench::network::record::Sample;

    /// Some figures of `peer`, at so many frames a second.
    pub fn figures(peer: &'static str, fps: f64) -> NetworkFigures {
        let sample = |at: f64| Sample {
            at,
            kbit: at * 1500.0,
            wire_kbit: at * 1600.0,
            concealed_ms: at * 10.0,
            sound_ms: at * 1000.0,
            lines: 720,
        };
        let side = SideRecord {
            shown: (0..60 * fps as u32).map(|n| f64::from(n) / fps).collect(),
            delays: vec![30.0, 60.0],
            settled_delays: Vec::new(),
            samples: (0..=120).map(|half| sample(f64::from(half) / 2.0)).collect(),
        };
        let call = Measured {
            setup_ms: 100.4,
            began: Began::now(),
            window: (2.0, 60.0),
            sides: [side.clone(), side],
            psnr: vec![40.0, 38.0, 39.04],
        };
        NetworkFigures::of(peer, "blackout=20:5", &"rate=2000,blackout=20:5".parse().unwrap(), 60, &call)
    }

    #[test]
    fn the_figures_are_those_of_both_sides() {
        let figures = figures("visavis", 30.0);
        let MediaFigures { fps, frozen_percent, latency_ms_p50, audio_concealed_percent, kbps, .. } = figures.media;
        assert_eq!((fps, frozen_percent, kbps, figures.lines), (30.0, 0.0, 1500.0, 720));
        assert_eq!((latency_ms_p50, audio_concealed_percent, figures.setup_ms), (60.0, 1.0, 100.0));
        assert_eq!((figures.seconds_to_picture, figures.seconds_back_to_90_percent), (Some(0.0), Some(0.0)));
        assert_eq!((figures.psnr_db, figures.capacity_used_percent), (Some(39.0), Some(80.0)));
        assert_eq!(figures.kbps_every_2_s, [1500; 29]);
    }

    #[test]
    fn medians_are_of_each_figure_and_there_is_none_of_nothing() {
        let runs = [30.0, 20.0, 29.0].map(|fps| figures("visavis", fps));
        assert_eq!(NetworkFigures::medians(&runs).unwrap().media.fps, 29.0);
        assert!(NetworkFigures::medians(&[]).is_none());
    }
}
