//! `visavis bench network`: a real call between two processes on loopback over a bad network in software, the same call
//! between two Chromiums, the table of such networks (`--grid`), that of paths which change in mid-call (`--changes`),
//! and that of calls between hosts of their own (`--namespaces`).
//!
//! Both directions are impaired in the same way. The report describes pictures and sound at the far end.

mod changes;
mod dips;
pub mod fidelity;
mod figures;
mod hosts;
mod media_figures;
mod ours;
mod place;
mod record;
mod table;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use crate::controller::LinkProfile;
use crate::media::Preset;

use super::chromium::{self, Chromium};
use super::figures::preset_of_size;
use super::film;
use super::temporary::TemporaryDirectory;

pub use figures::Measured;
pub use place::Place;
pub use record::{Sample, SideRecord, WARM_UP_S};

use changes::{CHANGES, ChangeFigures};
use figures::NetworkFigures;
use hosts::{HostFigures, ROWS};
use ours::Ours;

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

/// Options of `bench network`.
#[derive(Debug, Args)]
pub struct NetworkBench {
    /// Measure a table of networks instead of the one of --link
    #[arg(long)]
    grid: bool,
    /// Measure a table of paths that change in mid-call, each in a call of 31 seconds
    #[arg(long, conflicts_with_all = ["grid", "seconds"])]
    changes: bool,
    /// Measure a table of calls between hosts of their own, as root on Linux, each in a call of 31 seconds: reordering,
    /// a move to another network, two calls or a TCP flow on one bottleneck
    #[arg(long, conflicts_with_all = ["grid", "changes", "seconds"])]
    namespaces: bool,
    /// Only this row of the table, from 1 on
    #[arg(long, value_name = "NUMBER")]
    row: Option<usize>,
    /// Runs of each network, of which the medians are printed
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=9))]
    runs: u32,
    /// Seconds of each call
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(4..=120))]
    seconds: u32,
    /// Picture size: one of the presets' sizes
    #[arg(long, default_value = "1280x720")]
    size: String,
    /// Send this film (a y4m file) instead of the test card, or beside Chromium of one that is made for it
    #[arg(long, value_name = "FILE")]
    clip: Option<PathBuf>,
    /// Measure Chromium, too, over the same networks (--grid and --changes do where it is installed)
    #[arg(long)]
    with_chromium: bool,
    /// Measure Visavis alone
    #[arg(long, conflicts_with = "with_chromium")]
    without_chromium: bool,
    /// Measure Chromium alone
    #[arg(long, conflicts_with_all = ["with_chromium", "without_chromium", "program"])]
    only_chromium: bool,
    /// Visavis's program that makes the calls, where it is not this one
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Print lines of JSON only, without the table
    #[arg(long)]
    json: bool,
}

impl NetworkBench {
    /// Runs the measurements, over `link` unless a whole table is asked for, and prints them as they come.
    pub fn run(&self, link: Option<&LinkProfile>) -> anyhow::Result<()> {
        let has_networks = self.grid || self.namespaces;
        anyhow::ensure!(
            link.is_none() || !has_networks,
            "--grid and --namespaces have networks of their own; leave out --link or these."
        );
        anyhow::ensure!(
            self.row.is_none() || (link.is_none() && (has_networks || self.changes)),
            "--row chooses a row of --grid, --changes or --namespaces; add one of these, without --link."
        );
        let preset = preset_of_size(&self.size)?;
        let chromium = self.chromium()?;
        let folder = TemporaryDirectory::new("film")?;
        let film = self.film(chromium.is_some(), preset, folder.path())?;
        let chromium = chromium.zip(film.clone()).map(|(program, film)| Chromium::new(program, film, preset));
        let program = self.program.clone().map_or_else(std::env::current_exe, Ok)?;
        let ours = (!self.only_chromium).then_some(Ours { program, preset, film });
        let runner = Runner { bench: self, ours, chromium };
        let table = if self.changes {
            runner.changes(link)?
        } else if self.namespaces {
            runner.hosts()?
        } else {
            runner.networks(link)?
        };
        if !self.json {
            write!(crate::cli::output::stdout(), "\n{table}")?;
        }
        Ok(())
    }

    /// Chromium, when it is to be measured.
    fn chromium(&self) -> anyhow::Result<Option<PathBuf>> {
        let table = self.grid || self.changes || self.namespaces;
        let needed = self.with_chromium || self.only_chromium;
        let option = if self.only_chromium { "--only-chromium" } else { "--with-chromium" };
        let wanted = needed || (table && !self.without_chromium);
        let program = wanted.then(chromium::find).flatten();
        anyhow::ensure!(
            program.is_some() || !needed,
            "Chromium is not installed here; install it, or leave {option} out."
        );
        Ok(program)
    }

    /// Film that both programs send; `None` where ours sends its test card. A film for the comparison is made in
    /// `folder`.
    fn film(&self, compared: bool, preset: Preset, folder: &Path) -> anyhow::Result<Option<PathBuf>> {
        if !compared || self.clip.is_some() {
            return Ok(self.clip.clone());
        }
        let file = folder.join("film.y4m");
        film::write(&file, preset.size())?;
        Ok(Some(file))
    }

    /// The rows of a table that are to be measured.
    fn rows<T: Copy>(&self, all: &[T]) -> anyhow::Result<Vec<T>> {
        let Some(number) = self.row else { return Ok(all.to_vec()) };
        let row = number.checked_sub(1).and_then(|index| all.get(index));
        row.map(|row| vec![*row]).with_context(|| format!("The table has the rows 1 to {}.", all.len()))
    }
}

/// The measurement to make, and its means.
struct Runner<'a> {
    bench: &'a NetworkBench,
    ours: Option<Ours>,
    chromium: Option<Chromium>,
}

/// Makes one call at a place.
type Call<'a> = &'a (dyn Fn(&Place<'_>) -> anyhow::Result<Measured> + Sync);

impl Runner<'_> {
    /// Measures the table of networks, or `link`. The table.
    fn networks(&self, link: Option<&LinkProfile>) -> anyhow::Result<String> {
        let given = link.map(LinkProfile::to_string).unwrap_or_default();
        let networks = if self.bench.grid { self.bench.rows(&GRID)? } else { vec![given.as_str()] };
        let seconds = self.bench.seconds;
        let mut rows = Vec::new();
        for network in networks {
            let link: LinkProfile = network.parse()?;
            rows.extend(self.measured(seconds, NetworkFigures::medians, &|peer, call| {
                Ok(NetworkFigures::of(peer, network, &link, seconds, &call(&Place::Loopback(&link))?))
            })?);
        }
        Ok(table::table(&rows))
    }

    /// Measures the table of changes, or that of `link`. The table.
    fn changes(&self, link: Option<&LinkProfile>) -> anyhow::Result<String> {
        let given = link.map(LinkProfile::to_string);
        let changes = match given.as_deref() {
            Some(given) => vec![(given, given)],
            None => self.bench.rows(&CHANGES)?,
        };
        let mut rows = Vec::new();
        for (name, network) in changes {
            let link: LinkProfile = network.parse()?;
            rows.extend(self.measured(changes::SECONDS, ChangeFigures::medians, &|peer, call| {
                Ok(ChangeFigures::of(peer, name, &link, &call(&Place::Loopback(&link))?))
            })?);
        }
        Ok(changes::table(&rows))
    }

    /// Measures the table of calls between hosts of their own. The table.
    fn hosts(&self) -> anyhow::Result<String> {
        let mut rows = Vec::new();
        for row in self.bench.rows(&ROWS)? {
            rows.extend(self.measured(changes::SECONDS, HostFigures::medians, &|peer, call| row.measure(peer, call))?);
        }
        Ok(hosts::table(&rows))
    }

    /// The medians of all runs of calls of `seconds`, of each program that is measured. The figures of each run are
    /// printed as a line of JSON when they are there.
    fn measured<T: Serialize>(
        &self,
        seconds: u32,
        medians: fn(&[T]) -> Option<T>,
        figures: &dyn Fn(&'static str, Call<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<Option<(T, Option<T>)>> {
        let mut output = crate::cli::output::stdout();
        let mut printed = |peer, call: Call<'_>| {
            let figures = figures(peer, call)?;
            writeln!(output, "{}", serde_json::to_string(&figures)?)?;
            anyhow::Ok(figures)
        };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..self.bench.runs {
            if let Some(visavis) = &self.ours {
                ours.push(printed("visavis", &|place| visavis.measure(place, seconds))?);
            }
            if let Some(chromium) = &self.chromium {
                theirs.push(printed("chromium", &|place| chromium.measure(place, seconds))?);
            }
        }
        let (ours, theirs) = (medians(&ours), medians(&theirs));
        Ok(match ours {
            Some(ours) => Some((ours, theirs)),
            None => theirs.map(|theirs| (theirs, None)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_of_the_table_can_be_read() {
        for network in GRID {
            assert!(network.parse::<LinkProfile>().is_ok(), "{network}");
        }
    }
}
