//! `visavis bench network`: a real call between two processes on loopback over a bad network in software, the same call
//! between two Chromiums, the table of such networks (`--grid`), and that of paths which change in mid-call
//! (`--changes`).
//!
//! Both directions are impaired in the same way. The report describes pictures and sound at the far end.

mod changes;
mod dips;
pub mod fidelity;
mod figures;
mod ours;
mod record;
mod table;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::controller::LinkProfile;
use crate::media::Preset;

use super::chromium::{self, Chromium};
use super::figures::preset_of_size;
use super::film;
use super::temporary::TemporaryDirectory;

pub use figures::Measured;
pub use record::{Sample, SideRecord, WARM_UP_S};

use changes::{CHANGES, ChangeFigures};
use figures::NetworkFigures;

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
    /// Print lines of JSON only, without the table
    #[arg(long)]
    json: bool,
}

impl NetworkBench {
    /// Runs the measurements, over `link` unless the whole table is asked for, and prints them as they come.
    pub fn run(&self, link: Option<&LinkProfile>) -> anyhow::Result<()> {
        anyhow::ensure!(link.is_none() || !self.grid, "--grid has networks of its own; leave out --link or --grid.");
        let preset = preset_of_size(&self.size)?;
        let program = self.chromium()?;
        let folder = TemporaryDirectory::new("film")?;
        let film = self.film(program.is_some(), preset, folder.path())?;
        let chromium = program.zip(film.clone()).map(|(program, film)| Chromium::new(program, film, preset));
        let runner = Runner { bench: self, preset, film, chromium };
        let table = if self.changes { runner.changes(link)? } else { runner.networks(link)? };
        if !self.json {
            write!(crate::cli::output::stdout(), "\n{table}")?;
        }
        Ok(())
    }

    /// Chromium, when it is to be measured.
    fn chromium(&self) -> anyhow::Result<Option<PathBuf>> {
        let wanted = self.with_chromium || ((self.grid || self.changes) && !self.without_chromium);
        let program = wanted.then(chromium::find).flatten();
        anyhow::ensure!(
            program.is_some() || !self.with_chromium,
            "Chromium is not installed here; install it, or leave --with-chromium out."
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
}

/// The measurement to make, and its means.
struct Runner<'a> {
    bench: &'a NetworkBench,
    preset: Preset,
    film: Option<PathBuf>,
    chromium: Option<Chromium>,
}

impl Runner<'_> {
    /// Measures the table of networks, or `link`. The table.
    fn networks(&self, link: Option<&LinkProfile>) -> anyhow::Result<String> {
        let given = link.map(LinkProfile::to_string).unwrap_or_default();
        let networks = if self.bench.grid { GRID.to_vec() } else { vec![given.as_str()] };
        let mut rows = Vec::new();
        for network in networks {
            let seconds = self.bench.seconds;
            let link: LinkProfile = network.parse()?;
            let figures = |peer, call: &Measured| NetworkFigures::of(peer, network, &link, seconds, call);
            let (ours, theirs) = self.measured(network, seconds, &figures)?;
            rows.extend(NetworkFigures::medians(&ours).map(|ours| (ours, NetworkFigures::medians(&theirs))));
        }
        Ok(table::table(&rows))
    }

    /// Measures the table of changes, or that of `link`. The table.
    fn changes(&self, link: Option<&LinkProfile>) -> anyhow::Result<String> {
        let given = link.map(LinkProfile::to_string);
        let changes = given.as_deref().map_or_else(|| CHANGES.to_vec(), |given| vec![(given, given)]);
        let mut rows = Vec::new();
        for (name, network) in changes {
            let link: LinkProfile = network.parse()?;
            let figures = |peer, call: &Measured| ChangeFigures::of(peer, name, &link, call);
            let (ours, theirs) = self.measured(network, changes::SECONDS, &figures)?;
            rows.extend(ChangeFigures::medians(&ours).map(|ours| (ours, ChangeFigures::medians(&theirs))));
        }
        Ok(changes::table(&rows))
    }

    /// The figures of all runs over a network, ours and Chromium's, each printed as a line of JSON when it is there.
    fn measured<T: Serialize>(
        &self,
        network: &str,
        seconds: u32,
        figures: &dyn Fn(&'static str, &Measured) -> T,
    ) -> anyhow::Result<(Vec<T>, Vec<T>)> {
        let mut output = crate::cli::output::stdout();
        let mut printed = |peer, call: &Measured| {
            let figures = figures(peer, call);
            writeln!(output, "{}", serde_json::to_string(&figures)?)?;
            anyhow::Ok(figures)
        };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..self.bench.runs {
            let call = ours::measure(self.preset, &self.bench.size, self.film.as_deref(), network, seconds)?;
            ours.push(printed("visavis", &call)?);
            if let Some(chromium) = &self.chromium {
                theirs.push(printed("chromium", &chromium.measure(&network.parse()?, seconds)?)?);
            }
        }
        Ok((ours, theirs))
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
