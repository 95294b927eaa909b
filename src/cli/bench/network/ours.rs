//! A call of two Visavis processes, recorded.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::cli::bench::namespaces::Began;
use crate::cli::bench::pair::{Pair, Trace, camera, stats_of};
use crate::controller::{Event, ReceivedStats};
use crate::media::{Preset, VideoFrame};

use super::fidelity;
use super::figures::Measured;
use super::place::Place;
use super::record::{Sample, SideRecord, WARM_UP_S};

/// Between two pictures that are compared with the film.
const PICTURE_INTERVAL: Duration = Duration::from_secs(2);

/// Options of the calls of a Visavis program.
#[derive(Clone, Debug)]
pub struct Ours {
    /// The program.
    pub program: PathBuf,
    /// Size and rate of its pictures.
    pub preset: Preset,
    /// The film that both sides send; the test card without one.
    pub film: Option<PathBuf>,
}

impl Ours {
    /// Makes a call of `seconds` and records it.
    pub fn measure(&self, place: &Place<'_>, seconds: u32) -> anyhow::Result<Measured> {
        let mut pair = self.start(place)?;
        let call = pair.call(self.preset, 30)?;
        let (began, moves) = place.begin(|| Began { at: call.answered, unix_micros: call.answered_unix_micros })?;
        std::thread::sleep(Duration::from_secs(WARM_UP_S.into()));
        pair.drain_sides();
        pair.start_trace()?;
        let from = Instant::now();
        let end = from + Duration::from_secs(seconds.saturating_sub(WARM_UP_S).into());
        let mut files = Vec::new();
        let before = match place.settled_at() {
            Some(settled_at) => {
                self.watch(&mut pair, &mut files, began.at + Duration::from_secs_f64(settled_at))?;
                let before = pair.stop_trace()?;
                pair.start_trace()?;
                Some(before)
            }
            None => None,
        };
        self.watch(&mut pair, &mut files, end)?;
        let window = (from - began.at, began.at.elapsed());
        moves.finish()?;
        let events = pair.drain_sides();
        let traces = pair.stop_trace()?;
        let sides =
            [0, 1].map(|side| record(began, &events[side], before.as_ref().map(|before| &before[side]), &traces[side]));
        Ok(Measured {
            setup_ms: call.setup.as_secs_f64() * 1000.0,
            began,
            window: (window.0.as_secs_f64(), window.1.as_secs_f64()),
            sides,
            psnr: self.psnr(&files)?,
        })
    }

    fn start(&self, place: &Place<'_>) -> anyhow::Result<Pair> {
        let (width, height) = self.preset.size();
        let camera = camera(&format!("{width}x{height}"), 30, self.film.as_deref())?;
        match place {
            Place::Loopback(link) => {
                let arguments = ["--bind", "127.0.0.1", "--link", &link.to_string()];
                Pair::start_program(&self.program, None, &camera, &arguments)
            }
            Place::Hosts(pair) => Pair::start_program(&self.program, Some(pair.hosts), &camera, &[]),
        }
    }

    /// The PSNR of saved pictures against the film, in dB. Where a picture did not come in time there is no file.
    fn psnr(&self, files: &[PathBuf]) -> anyhow::Result<Vec<f64>> {
        let Some(film) = &self.film else { return Ok(Vec::new()) };
        let pictures = files.iter().filter_map(|file| File::open(file).ok());
        let pictures: Vec<VideoFrame> = pictures.filter_map(|file| fidelity::read(BufReader::new(file))).collect();
        fidelity::psnr(film, pictures.iter())
    }

    /// Lets the call go on until `end`; saves pictures now and then, if they are to be compared with a film.
    fn watch(&self, pair: &mut Pair, files: &mut Vec<PathBuf>, end: Instant) -> anyhow::Result<()> {
        while self.film.is_some() && Instant::now() + PICTURE_INTERVAL < end {
            std::thread::sleep(PICTURE_INTERVAL);
            files.extend(pair.save_pictures(files.len())?);
        }
        std::thread::sleep(end.saturating_duration_since(Instant::now()));
        Ok(())
    }
}

/// The record of one side from its events and its trace, and from the trace `before` a move was settled, if there is
/// one.
fn record(began: Began, events: &[(Instant, Event)], before: Option<&Trace>, trace: &Trace) -> SideRecord {
    let stats = events.iter().filter_map(|(at, event)| {
        let (_, received) = stats_of(event)?;
        Some((at.saturating_duration_since(began.at).as_secs_f64(), received))
    });
    let traces = || before.into_iter().chain([trace]);
    let times = traces().flat_map(|trace| &trace.times);
    SideRecord {
        shown: times.map(|time| time.saturating_sub(began.unix_micros) as f64 / 1e6).collect(),
        delays: traces().flat_map(|trace| &trace.delays).copied().collect(),
        settled_delays: before.map(|_| trace.delays.clone()).unwrap_or_default(),
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
