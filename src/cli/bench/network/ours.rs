//! A call of two processes of this program, recorded.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::cli::bench::pair::{Call, Pair, Trace, camera, stats_of};
use crate::controller::{Event, ReceivedStats};
use crate::media::{Preset, VideoFrame};

use super::fidelity;
use super::figures::Measured;
use super::record::{Sample, SideRecord, WARM_UP_S};

/// Between two pictures that are compared with the film.
const PICTURE_INTERVAL: Duration = Duration::from_secs(2);

/// Makes a call of `seconds` over `network` and records it.
pub fn measure(
    preset: Preset,
    size: &str,
    clip: Option<&Path>,
    network: &str,
    seconds: u32,
) -> anyhow::Result<Measured> {
    let mut pair = Pair::start(&camera(size, 30, clip)?, &["--link", network])?;
    let call = pair.call(preset, 30)?;
    std::thread::sleep(Duration::from_secs(WARM_UP_S.into()));
    pair.drain_sides();
    pair.start_trace()?;
    let from = call.answered.elapsed().as_secs_f64();
    let pictures = watch(&mut pair, clip.is_some(), Duration::from_secs(seconds.saturating_sub(WARM_UP_S).into()))?;
    let window = (from, call.answered.elapsed().as_secs_f64());
    let events = pair.drain_sides();
    let traces = pair.stop_trace()?;
    let [caller, callee] = [0, 1].map(|side| record(&call, &events[side], &traces[side]));
    let psnr = clip.map_or(Ok(Vec::new()), |film| fidelity::psnr(film, pictures.iter()))?;
    Ok(Measured { setup_ms: call.setup.as_secs_f64() * 1000.0, window, sides: [caller, callee], psnr })
}

/// Lets the call go on for so long; saves pictures now and then, if they are to be compared with a film.
fn watch(pair: &mut Pair, compared: bool, length: Duration) -> anyhow::Result<Vec<VideoFrame>> {
    let end = Instant::now() + length;
    let mut files = Vec::new();
    while compared && Instant::now() + PICTURE_INTERVAL < end {
        std::thread::sleep(PICTURE_INTERVAL);
        files.extend(pair.save_pictures(files.len())?);
    }
    std::thread::sleep(end.saturating_duration_since(Instant::now()));
    // Where a picture did not come in time there is no file.
    let files = files.iter().filter_map(|file| std::fs::File::open(file).ok());
    Ok(files.filter_map(|file| fidelity::read(std::io::BufReader::new(file))).collect())
}

fn record(call: &Call, events: &[(Instant, Event)], trace: &Trace) -> SideRecord {
    let stats = events.iter().filter_map(|(at, event)| {
        let (_, received) = stats_of(event)?;
        Some((at.saturating_duration_since(call.answered).as_secs_f64(), received))
    });
    SideRecord {
        shown: trace.times.iter().map(|time| time.saturating_sub(call.answered_unix_micros) as f64 / 1e6).collect(),
        delays: trace.delays.clone(),
        samples: samples(stats),
    }
}

/// The counts of one side's reports, which give the rate since the report before. The first one only begins.
fn samples<'a>(stats: impl Iterator<Item = (f64, &'a ReceivedStats)>) -> Vec<Sample> {
    let mut samples: Vec<Sample> = Vec::new();
    for (at, received) in stats {
        let before = samples.last().copied();
        let grown = |of: fn(&Sample) -> f64, kbps: f32| {
            before.map_or(0.0, |before| of(&before) + f64::from(kbps) * (at - before.at))
        };
        samples.push(Sample {
            at,
            kbit: grown(|sample| sample.kbit, received.kbps),
            wire_kbit: grown(|sample| sample.wire_kbit, received.wire_kbps),
            concealed_ms: received.audio_concealed_ms as f64,
            sound_ms: at * 1000.0,
            lines: received.height,
        });
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_become_counts() {
        let report = |kbps| {
            let wire_kbps = kbps + 100.0;
            ReceivedStats { kbps, wire_kbps, height: 720, audio_concealed_ms: 20, ..Default::default() }
        };
        let (first, second) = (report(1000.0), report(500.0));
        let samples = samples([(2.0, &first), (2.5, &second), (3.0, &first)].into_iter());
        assert_eq!(samples.iter().map(|sample| sample.kbit).collect::<Vec<_>>(), [0.0, 250.0, 750.0]);
        assert_eq!(samples.iter().map(|sample| sample.wire_kbit).collect::<Vec<_>>(), [0.0, 300.0, 850.0]);
        assert_eq!((samples[2].sound_ms, samples[2].concealed_ms, samples[2].lines), (3000.0, 20.0, 720));
    }
}
