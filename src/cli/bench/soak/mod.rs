//! `visavis bench soak`: a long call between two processes on loopback, which fails when anything grows: memory,
//! threads, descriptors or delay.

mod judge;

use std::io::Write;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use self::judge::{Limit, Verdict, judge};
use super::figures::{median, preset_of_size, round};
use super::pair::{Pair, camera};
use super::process;
use crate::controller::{Event, LinkProfile};

/// How long pictures are traced for one sample of the delay.
const TRACE: Duration = Duration::from_secs(1);
/// Samples that are taken at most, however long it is.
const SAMPLES: u32 = 720;
/// The longest time that a call is left alone before it is measured, in seconds: memory is taken by then, not growing.
const WARM_UP: u32 = 600;

const SIDES: [&str; 2] = ["caller", "callee"];
const MEMORY: Limit = Limit { what: "memory", unit: "MiB", per_hour: 1.0, noise: 1.5 };
const HEAP: Limit = Limit { what: "heap", ..MEMORY };
const THREADS: Limit = Limit { what: "threads", unit: "threads", per_hour: 0.0, noise: 0.5 };
const DESCRIPTORS: Limit = Limit { what: "descriptors", unit: "descriptors", per_hour: 0.0, noise: 0.5 };
const DELAY: Limit = Limit { what: "delay", unit: "ms", per_hour: 10.0, noise: 10.0 };

/// Options of `bench soak`.
#[derive(Debug, Args)]
pub struct SoakBench {
    /// Seconds of the call
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(20..=86_400))]
    seconds: u32,
    /// Picture size: one of the presets' sizes
    #[arg(long, default_value = "1280x720")]
    size: String,
}

/// Printed result.
#[derive(Debug, Serialize)]
struct Soak {
    seconds: u32,
    link: String,
    samples: usize,
    grows: bool,
    measures: Vec<Verdict>,
}

/// The samples of one measure of one side: seconds and values.
type Series = Vec<(f64, f64)>;

impl SoakBench {
    /// Makes the call over `link`, prints the result, and fails in a sentence when something grows.
    pub fn run(&self, link: Option<&LinkProfile>) -> anyhow::Result<()> {
        let link = link.map(LinkProfile::to_string).unwrap_or_default();
        let series = self.call(&link)?;
        let limits = [MEMORY, HEAP, THREADS, DESCRIPTORS, DELAY];
        let measures: Vec<Verdict> = SIDES
            .iter()
            .zip(&series)
            .flat_map(|(side, series)| {
                limits.iter().zip(series).filter_map(|(limit, series)| judge(side, limit, series))
            })
            .collect();
        let grows = measures.iter().find(|measure| measure.grows).cloned();
        let samples = series[0][0].len();
        let soak = Soak { seconds: self.seconds, link, samples, grows: grows.is_some(), measures };
        writeln!(crate::cli::output::stdout(), "{}", serde_json::to_string(&soak)?)?;
        if let Some(Verdict { side, what, unit, per_hour, limit_per_hour, .. }) = grows {
            anyhow::bail!("The {side}'s {what} grows by {per_hour} {unit} an hour; {limit_per_hour} is allowed.");
        }
        Ok(())
    }

    fn call(&self, link: &str) -> anyhow::Result<[[Series; 5]; 2]> {
        let preset = preset_of_size(&self.size)?;
        let mut pair = Pair::start(&camera(&self.size, 30, None)?, &["--link", link])?;
        pair.call(preset, 30)?;
        let warm_up = (self.seconds / 4).min(WARM_UP);
        std::thread::sleep(Duration::from_secs(warm_up.into()));
        let measured = Duration::from_secs((self.seconds - warm_up).into());
        let every = (measured / SAMPLES).max(TRACE);
        let began = Instant::now();
        let mut series: [[Series; 5]; 2] = Default::default();
        while began.elapsed() < measured {
            let next = Instant::now() + every;
            ensure_it_goes_on(&pair, began)?;
            pair.start_trace()?;
            std::thread::sleep(TRACE);
            let traces = pair.stop_trace()?;
            let at = began.elapsed().as_secs_f64();
            for (side, trace) in traces.into_iter().enumerate() {
                let counts = process::resources(pair.pids()[side])?;
                let values = [
                    Some(process::memory_mib(pair.pids()[side])?.1),
                    Some(counts.anonymous_mib),
                    Some(counts.threads),
                    Some(counts.descriptors),
                    median(trace.delays).map(|delay| round(delay, 1)),
                ];
                for (series, value) in series[side].iter_mut().zip(values) {
                    series.extend(value.map(|value| (at, value)));
                }
            }
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        Ok(series)
    }
}

fn ensure_it_goes_on(pair: &Pair, began: Instant) -> anyhow::Result<()> {
    let ended = pair.drain().any(|event| matches!(event, Event::ConversationDisconnected { .. }));
    anyhow::ensure!(!ended, "The call ended by itself after {} s of measuring.", began.elapsed().as_secs());
    Ok(())
}
