//! `visavis bench call`: a real call between two processes on loopback, measured from outside.
//!
//! CPU is counted while nothing measures inside the processes; after that both ends trace for ten seconds how old each
//! picture is at the tile: pictures of the test card and of films carry the time of their capture, and both processes
//! read one system clock.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use crate::controller::{ReceivedStats, SentStats};

use super::figures::{Distribution, preset_of_size, round};
use super::pair::{Pair, camera, stats_of};
use super::process;

/// Options of `bench call`.
#[derive(Debug, Args)]
pub struct CallBench {
    /// Picture size: one of the presets' sizes
    #[arg(long, default_value = "1280x720")]
    size: String,
    /// Frames a second
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=30))]
    fps: u32,
    /// Seconds over which CPU is counted
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=86_400))]
    seconds: u32,
    /// Seconds of call before the counting
    #[arg(long, default_value_t = 4)]
    warm_up: u32,
    /// Send this film (a y4m file) instead of the test card
    #[arg(long, value_name = "FILE")]
    clip: Option<PathBuf>,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// The result, in the fields that other systems' measurements print too.
#[derive(Debug, Serialize)]
struct CallFigures {
    peer: &'static str,
    width: u32,
    height: u32,
    fps: f64,
    cpu_s_per_s_per_side: f64,
    rss_mb_per_side: f64,
    pss_mb_per_side: f64,
    latency_ms_p50: Option<f64>,
    latency_ms_p95: Option<f64>,
    latency_n: usize,
    latency_at: &'static str,
    setup_ms: f64,
    setup_callee_ms: f64,
    kbps: f64,
    codec: String,
    frozen_ms: u64,
    machine_busy_cores: f64,
    steal: f64,
    load1: Option<f64>,
}

const TRACE: Duration = Duration::from_secs(10);

impl CallBench {
    /// Runs the measurement and prints it.
    pub fn run(&self) -> anyhow::Result<()> {
        let figures = self.measure()?;
        let mut output = crate::cli::output::stdout();
        use std::io::Write;
        if self.json {
            writeln!(output, "{}", serde_json::to_string(&figures)?)?;
        } else {
            writeln!(output, "{}", serde_json::to_string_pretty(&figures)?)?;
        }
        Ok(())
    }

    fn measure(&self) -> anyhow::Result<CallFigures> {
        let preset = preset_of_size(&self.size)?;
        let (width, height) = preset.size();
        let mut pair = Pair::start(&camera(&self.size, self.fps, self.clip.as_deref())?, &[])?;
        let call = pair.call(preset, self.fps)?;

        std::thread::sleep(Duration::from_secs(self.warm_up.into()));
        let pids = pair.pids();
        let before = (cpu_of(pids)?, process::machine_busy_seconds()?, Instant::now());
        pair.drain().for_each(drop);
        std::thread::sleep(Duration::from_secs(self.seconds.into()));
        let elapsed = before.2.elapsed().as_secs_f64();
        let (cpu, machine) = (cpu_of(pids)?, process::machine_busy_seconds()?);
        let memory = [process::memory_mib(pids[0])?, process::memory_mib(pids[1])?];
        let stats: Vec<(SentStats, ReceivedStats)> = pair
            .drain()
            .filter_map(|event| stats_of(&event).map(|(sent, received)| (sent.clone(), received.clone())))
            .collect();

        pair.start_trace()?;
        std::thread::sleep(TRACE);
        let traces = pair.stop_trace()?;
        let delays: Distribution = traces.iter().flat_map(|trace| trace.delays.iter().copied()).collect();
        let mean = |values: &dyn Fn(&(SentStats, ReceivedStats)) -> f32| {
            stats.iter().map(|pair| f64::from(values(pair))).sum::<f64>() / stats.len().max(1) as f64
        };
        Ok(CallFigures {
            peer: "visavis",
            width,
            height,
            fps: round(mean(&|(_, received)| received.fps), 1),
            cpu_s_per_s_per_side: round((cpu - before.0) / 2.0 / elapsed, 3),
            rss_mb_per_side: round((memory[0].0 + memory[1].0) / 2.0, 1),
            pss_mb_per_side: round((memory[0].1 + memory[1].1) / 2.0, 1),
            latency_ms_p50: delays.percentile(0.5),
            latency_ms_p95: delays.percentile(0.95),
            latency_n: traces.iter().map(|trace| trace.delays.len()).sum(),
            latency_at: "capture (picture handed to the call) -> frame handed to the tile, no drawing",
            setup_ms: round(call.setup.as_secs_f64() * 1000.0, 1),
            setup_callee_ms: round(call.setup_callee.as_secs_f64() * 1000.0, 1),
            kbps: round(mean(&|(sent, _)| sent.kbps), 0),
            codec: stats.first().map(|(sent, _)| sent.codec.clone()).unwrap_or_default(),
            frozen_ms: stats.iter().map(|(_, received)| received.frozen_ms).max().unwrap_or_default(),
            machine_busy_cores: round((machine.0 - before.1.0) / elapsed, 3),
            steal: round((machine.1 - before.1.1) / elapsed, 3),
            load1: process::load_average(),
        })
    }
}

fn cpu_of(pids: [u32; 2]) -> anyhow::Result<f64> {
    Ok(process::cpu_seconds(pids[0])? + process::cpu_seconds(pids[1])?)
}
