//! `visavis bench call`: a real call between two processes on loopback, measured from outside.
//!
//! CPU is counted while nothing measures inside the processes; after that both ends trace for ten seconds how old each
//! picture is at the tile: pictures of the test card and of films carry the time of their capture, and both processes read
//! one system clock.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use crate::controller::{Command, Event, ReceivedStats, SentStats, VideoChoice};
use crate::media::Preset;
use crate::store::DeviceChoice;

use super::child::HeadlessChild;
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

const PATIENCE: Duration = Duration::from_secs(20);
const TRACE: Duration = Duration::from_secs(10);

impl CallBench {
    /// Runs the measurement and prints it.
    pub fn run(&self) -> anyhow::Result<()> {
        let figures = self.measure()?;
        let mut output = std::io::stdout().lock();
        use std::io::Write;
        if self.json {
            writeln!(output, "{}", serde_json::to_string(&figures)?)?;
        } else {
            writeln!(output, "{}", serde_json::to_string_pretty(&figures)?)?;
        }
        Ok(())
    }

    fn preset(&self) -> anyhow::Result<Preset> {
        Preset::ALL
            .into_iter()
            .find(|preset| {
                let (width, height) = preset.size();
                self.size == format!("{width}x{height}")
            })
            .ok_or_else(|| {
                anyhow::anyhow!("{} is no preset's size; use 1280x720, 640x480, 640x360 or another.", self.size)
            })
    }

    fn camera(&self, width: u32, height: u32) -> anyhow::Result<String> {
        let Some(clip) = &self.clip else { return Ok(format!("test-card:{width}x{height}@{}", self.fps)) };
        anyhow::ensure!(clip.is_file(), "{} is no file; give a film in y4m to --clip.", clip.display());
        Ok(DeviceChoice::File(clip.clone()).to_string())
    }

    fn measure(&self) -> anyhow::Result<CallFigures> {
        let preset = self.preset()?;
        let (width, height) = preset.size();
        let (first, second) = (ProfileDirectory::new("a")?, ProfileDirectory::new("b")?);
        let camera = self.camera(width, height)?;
        let arguments =
            ["--bind", "127.0.0.1", "--camera", &camera, "--microphone", "tone", "--speaker", "none", "--log", "error"];
        let mut caller = HeadlessChild::start(&first.0, &arguments)?;
        let mut callee = HeadlessChild::start(&second.0, &arguments)?;
        let (setup, setup_callee) = call(&mut caller, &mut callee, preset, self.fps)?;

        std::thread::sleep(Duration::from_secs(self.warm_up.into()));
        let pids = [caller.pid(), callee.pid()];
        let before = (cpu_of(pids)?, process::machine_busy_seconds()?, Instant::now());
        caller.drain().for_each(drop);
        callee.drain().for_each(drop);
        std::thread::sleep(Duration::from_secs(self.seconds.into()));
        let elapsed = before.2.elapsed().as_secs_f64();
        let (cpu, machine) = (cpu_of(pids)?, process::machine_busy_seconds()?);
        let memory = [process::memory_mib(pids[0])?, process::memory_mib(pids[1])?];
        let stats: Vec<(SentStats, ReceivedStats)> =
            caller.drain().chain(callee.drain()).filter_map(stats_of).collect();

        let mut delays = trace(&mut caller, &mut callee)?;
        delays.sort_by(f64::total_cmp);
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
            latency_ms_p50: percentile(&delays, 0.5),
            latency_ms_p95: percentile(&delays, 0.95),
            latency_n: delays.len(),
            latency_at: "capture (picture handed to the call) -> frame handed to the tile, no drawing",
            setup_ms: round(setup.as_secs_f64() * 1000.0, 1),
            setup_callee_ms: round(setup_callee.as_secs_f64() * 1000.0, 1),
            kbps: round(mean(&|(sent, _)| sent.kbps), 0),
            codec: stats.first().map(|(sent, _)| sent.codec.clone()).unwrap_or_default(),
            frozen_ms: stats.iter().map(|(_, received)| received.frozen_ms).max().unwrap_or_default(),
            machine_busy_cores: round((machine.0 - before.1.0) / elapsed, 3),
            steal: round((machine.1 - before.1.1) / elapsed, 3),
            load1: process::load_average(),
        })
    }
}

/// Makes the call; returns the time from Answer to the later, and to the callee's, first decoded picture.
fn call(
    caller: &mut HeadlessChild,
    callee: &mut HeadlessChild,
    preset: Preset,
    fps: u32,
) -> anyhow::Result<(Duration, Duration)> {
    let ready = |event| if let Event::Ready { id, .. } = event { Some(id) } else { None };
    let (_, caller_id) = caller.wait("ready", PATIENCE, ready)?;
    let (_, callee_id) = callee.wait("ready", PATIENCE, ready)?;
    caller.wait("the callee's presence", PATIENCE, |event| {
        matches!(event, Event::Contact { id, online: true, .. } if id == callee_id).then_some(())
    })?;
    let stream =
        Command::CreateStream { audio: true, video: VideoChoice::On(preset), max_fps: Some(fps), max_kbps: None };
    for side in [&mut *caller, &mut *callee] {
        side.send(&stream)?;
        side.wait("local_stream", PATIENCE, |event| matches!(event, Event::LocalStream { .. }).then_some(()))?;
    }
    let video = VideoChoice::On(preset);
    caller.send(&Command::Invite { to: callee_id, user_data: String::new(), audio: true, video })?;
    let (_, invite) = callee.wait("the invite", PATIENCE, |event| match event {
        Event::Invite { invite, from, .. } if from == caller_id => Some(invite),
        _ => None,
    })?;
    let answered = Instant::now();
    callee.send(&Command::Accept { invite, audio: true, video })?;
    let first_frame = |event| matches!(event, Event::FirstFrame { .. }).then_some(());
    let (at_callee, ()) = callee.wait("the callee's first picture", PATIENCE, first_frame)?;
    let (at_caller, ()) = caller.wait("the caller's first picture", PATIENCE, first_frame)?;
    Ok((at_callee.max(at_caller) - answered, at_callee - answered))
}

/// Traces the pictures for a while; their delays in ms from capture to tile, both directions.
fn trace(caller: &mut HeadlessChild, callee: &mut HeadlessChild) -> anyhow::Result<Vec<f64>> {
    for on in [true, false] {
        for side in [&mut *caller, &mut *callee] {
            side.send(&Command::TraceFrames { on })?;
        }
        if on {
            std::thread::sleep(TRACE);
        }
    }
    let traced = |event| match event {
        Event::FrameTrace { shown } => Some(shown),
        _ => None,
    };
    let (_, shown) = callee.wait("the trace", PATIENCE, traced)?;
    let mut delays = delays(&shown);
    let (_, shown) = caller.wait("the trace", PATIENCE, traced)?;
    delays.extend(self::delays(&shown));
    Ok(delays)
}

/// The delays in ms; those that can only be a misread picture are left out.
fn delays(shown: &[(u16, u64)]) -> Vec<f64> {
    shown.iter().map(|(_, micros)| *micros as f64 / 1000.0).filter(|&ms| ms < 2500.0).collect()
}

fn stats_of(event: Event) -> Option<(SentStats, ReceivedStats)> {
    match event {
        Event::Stats { sent, received, .. } => Some((*sent, *received)),
        _ => None,
    }
}

fn cpu_of(pids: [u32; 2]) -> anyhow::Result<f64> {
    Ok(process::cpu_seconds(pids[0])? + process::cpu_seconds(pids[1])?)
}

fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let index = ((sorted.len() as f64 * share) as usize).min(sorted.len().checked_sub(1)?);
    sorted.get(index).map(|&value| round(value, 1))
}

fn round(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

/// A profile for one measurement, removed afterwards.
struct ProfileDirectory(std::path::PathBuf);

impl ProfileDirectory {
    fn new(side: &str) -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("visavis-bench-{}-{side}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for ProfileDirectory {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::debug!("a measurement's profile stays behind: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_in_milliseconds_and_misread_ones_are_left_out() {
        assert_eq!(delays(&[(1, 10_000), (2, 12_000), (3, 6_500_000), (4, 1_500)]), [10.0, 12.0, 1.5]);
    }

    #[test]
    fn percentiles_of_nothing_are_nothing() {
        assert_eq!(percentile(&[], 0.5), None);
        assert_eq!(percentile(&[1.0, 2.0, 3.0], 0.5), Some(2.0));
        assert_eq!(percentile(&[1.0, 2.0, 3.0], 0.95), Some(3.0));
    }
}
