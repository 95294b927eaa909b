//! `visavis bench network`: a real call between two processes on loopback over a bad network in software, and the table of
//! such networks (`--grid`).
//!
//! Both directions are impaired in the same way. What is reported is what a person at the far end sees and hears.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::controller::LinkProfile;
use crate::controller::{ReceivedStats, SentStats};

use super::figures::{median, percentile, preset_of_size, round};
use super::pair::{Pair, camera, stats_of};

/// The networks of the table.
const GRID: [&str; 14] = [
    "",
    "loss=2,delay=25",
    "loss=5,delay=25",
    "loss=10,delay=25",
    "loss=10,burst=3,delay=25",
    "loss=20,delay=25",
    "loss=2,delay=75",
    "loss=2,delay=150",
    "delay=50,jitter=30",
    "rate=3000,step=20:500,step=40:3000,queue=200,delay=10",
    "rate=150,queue=200,delay=10",
    "delay=10,blackout=20:1.5",
    "delay=10,blackout=20:5",
    "delay=10,blackout=20:15",
];

/// How long a call settles before it is measured.
const WARM_UP: Duration = Duration::from_secs(2);

/// Options of `bench network`.
#[derive(Debug, Args)]
pub struct NetworkBench {
    /// Measure a table of networks instead of the one of --link
    #[arg(long)]
    grid: bool,
    /// Runs of each network, of which the medians are printed
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=9))]
    runs: u32,
    /// Seconds of each call
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(4..=120))]
    seconds: u32,
    /// Picture size: one of the presets' sizes
    #[arg(long, default_value = "1280x720")]
    size: String,
    /// Send this film (a y4m file) instead of the test card
    #[arg(long, value_name = "FILE")]
    clip: Option<PathBuf>,
    /// Print lines of JSON only, without the table
    #[arg(long)]
    json: bool,
}

/// One call over one network: means of both sides, of the time after the first two seconds.
#[derive(Clone, Debug, Serialize)]
struct NetworkFigures {
    peer: &'static str,
    link: String,
    seconds: u32,
    /// Pictures decoded a second.
    fps: f64,
    /// Percent of the time in gaps of more than 200 ms.
    frozen_percent: f64,
    latency_ms_p50: f64,
    latency_ms_p95: f64,
    /// Percent of the sound that was made up.
    audio_concealed_percent: f64,
    /// Video payload that arrives.
    kbps: f64,
    /// The lines of the last picture, of the smaller one of both sides.
    lines: u32,
    setup_ms: f64,
    /// Video payload that arrives at the callee, every two seconds.
    kbps_every_2_s: Vec<u32>,
}

impl NetworkBench {
    /// Runs the measurements, over `link` unless the whole table is asked for, and prints them as they come.
    pub fn run(&self, link: Option<&LinkProfile>) -> anyhow::Result<()> {
        let given = link.map(LinkProfile::to_string).unwrap_or_default();
        let networks = if self.grid { GRID.to_vec() } else { vec![given.as_str()] };
        let mut output = std::io::stdout();
        let mut rows = Vec::new();
        for network in networks {
            let mut runs = Vec::new();
            for _ in 0..self.runs {
                let figures = self.measure(network)?;
                writeln!(output, "{}", serde_json::to_string(&figures)?)?;
                runs.push(figures);
            }
            rows.extend(medians(&runs));
        }
        if !self.json {
            write!(output, "\n{}", table(&rows))?;
        }
        Ok(())
    }

    fn measure(&self, network: &str) -> anyhow::Result<NetworkFigures> {
        let preset = preset_of_size(&self.size)?;
        let camera = camera(&self.size, 30, self.clip.as_deref())?;
        let mut pair = Pair::start(&camera, &["--link", network])?;
        let (setup, _) = pair.call(preset, 30)?;
        std::thread::sleep(WARM_UP);
        pair.drain().for_each(drop);
        pair.trace(true)?;
        let measured = Duration::from_secs(self.seconds.into()).saturating_sub(WARM_UP);
        std::thread::sleep(measured);
        let sides = pair.drain_sides().map(|events| events.into_iter().filter_map(stats_of).collect::<Vec<_>>());
        let delays = pair.trace(false)?;
        let [caller, callee] = &sides;
        let mean = |of: &dyn Fn(&Side) -> f64| (of(caller) + of(callee)) / 2.0;
        let lines = |side: &Side| side.last().map_or(0, |(_, received)| received.height);
        Ok(NetworkFigures {
            peer: "visavis",
            link: network.to_owned(),
            seconds: self.seconds,
            fps: round(mean(&|side| rate_of(side, |received| received.frames_decoded)), 1),
            frozen_percent: round(mean(&|side| rate_of(side, |received| received.frozen_ms) / 10.0), 2),
            latency_ms_p50: percentile(&delays, 0.5).unwrap_or_default(),
            latency_ms_p95: percentile(&delays, 0.95).unwrap_or_default(),
            audio_concealed_percent: round(
                mean(&|side| rate_of(side, |received| received.audio_concealed_ms) / 10.0),
                2,
            ),
            kbps: round(mean(&|side| mean_of(side, |received| received.kbps)), 0),
            lines: lines(caller).min(lines(callee)),
            setup_ms: round(setup.as_secs_f64() * 1000.0, 0),
            kbps_every_2_s: callee.iter().map(|(_, received)| received.kbps as u32).collect(),
        })
    }
}

/// The reports of one side, each two seconds after the one before.
type Side = Vec<(SentStats, ReceivedStats)>;

/// By how much a count grows in a second, from the first report to the last one.
fn rate_of(side: &Side, count: impl Fn(&ReceivedStats) -> u64) -> f64 {
    let [(_, first), .., (_, last)] = side.as_slice() else { return 0.0 };
    count(last).saturating_sub(count(first)) as f64 / (2.0 * (side.len() - 1) as f64)
}

fn mean_of(side: &Side, value: impl Fn(&ReceivedStats) -> f32) -> f64 {
    side.iter().map(|(_, received)| f64::from(value(received))).sum::<f64>() / side.len().max(1) as f64
}

/// The median of each figure, each for itself; `None` of no run.
fn medians(runs: &[NetworkFigures]) -> Option<NetworkFigures> {
    let middle = |of: &dyn Fn(&NetworkFigures) -> f64| median(runs.iter().map(of).collect()).unwrap_or_default();
    let first = runs.first()?;
    Some(NetworkFigures {
        fps: middle(&|run| run.fps),
        frozen_percent: middle(&|run| run.frozen_percent),
        latency_ms_p50: middle(&|run| run.latency_ms_p50),
        latency_ms_p95: middle(&|run| run.latency_ms_p95),
        audio_concealed_percent: middle(&|run| run.audio_concealed_percent),
        kbps: middle(&|run| run.kbps),
        lines: middle(&|run| f64::from(run.lines)) as u32,
        setup_ms: middle(&|run| run.setup_ms),
        ..first.clone()
    })
}

/// The rows as a Markdown table.
fn table(rows: &[NetworkFigures]) -> String {
    let mut text =
        "| Network | Frames a second | Frozen (%) | Delay, median (ms) | Delay, 95 % (ms) | Sound made up (%) | \
                    kbit/s | Lines |\n|-|-|-|-|-|-|-|-|\n"
            .to_owned();
    for row in rows {
        let network = if row.link.is_empty() { "clean" } else { &row.link };
        text += &format!(
            "| {network} | {} | {} | {} | {} | {} | {} | {} |\n",
            row.fps,
            row.frozen_percent,
            row.latency_ms_p50,
            row.latency_ms_p95,
            row.audio_concealed_percent,
            row.kbps,
            row.lines
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(fps: f64) -> NetworkFigures {
        NetworkFigures {
            peer: "visavis",
            link: "loss=2".into(),
            seconds: 60,
            fps,
            frozen_percent: 0.5,
            latency_ms_p50: 30.0,
            latency_ms_p95: 60.0,
            audio_concealed_percent: 1.0,
            kbps: 1500.0,
            lines: 720,
            setup_ms: 100.0,
            kbps_every_2_s: vec![1500],
        }
    }

    #[test]
    fn every_network_of_the_table_can_be_read() {
        for network in GRID {
            assert!(network.parse::<LinkProfile>().is_ok(), "{network}");
        }
    }

    #[test]
    fn the_table_holds_the_median_of_the_runs() {
        let row = medians(&[figures(30.0), figures(20.0), figures(29.0)]).unwrap();
        assert!(table(&[row]).ends_with("| loss=2 | 29 | 0.5 | 30 | 60 | 1 | 1500 | 720 |\n"));
        assert!(medians(&[]).is_none());
    }
}
