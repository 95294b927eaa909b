//! The server that a measurement starts.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::Context;
use serde::Deserialize;

use super::process;
use crate::identity::ServerLink;

/// Rings a second.
pub(super) const RINGS_PER_SECOND: u32 = 50;

/// A `visavis-server` process; killed when dropped.
pub(super) struct RunningServer {
    process: Child,
    pub(super) link: ServerLink,
    pub(super) listen: String,
}

/// Its CPU time so far, and its resident memory.
pub(super) struct Usage {
    pub(super) cpu_s: f64,
    pub(super) rss_mib: f64,
}

/// The fields of the first line that are needed.
#[derive(Deserialize)]
struct Ready {
    link: ServerLink,
    listen: String,
}

impl RunningServer {
    /// Starts it with its key in the folder `data`, and further options.
    pub(super) fn start(program: &Path, data: &Path, listen: &str, options: &[&str]) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command.args(["--json", "--relay-port", "0", "--listen", listen, "--data"]).arg(data).args(options);
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} could not be started", program.display()))?;
        let mut output = BufReader::new(process.stdout.take().context("no standard output")?);
        let mut line = String::new();
        let read = output.read_line(&mut line).map_err(anyhow::Error::from);
        let ready = read.and_then(|_| Ok(serde_json::from_str::<Ready>(&line)?));
        let Ready { link, listen } =
            ready.context("The server did not start; its own words are above").inspect_err(|_| {
                let _already_gone = process.kill();
                let _status = process.wait();
            })?;
        // Its further lines are read, so that it never waits for a reader.
        std::thread::Builder::new()
            .name("figures".into())
            .spawn(move || output.lines().map_while(Result::ok).count())?;
        Ok(Self { process, link, listen })
    }

    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        let pid = self.process.id();
        Ok(Usage { cpu_s: process::cpu_seconds(pid)?, rss_mib: process::memory_mib(pid)?.0 })
    }

    /// Kills it without a chance to say anything; when that was.
    pub(super) fn kill(mut self) -> anyhow::Result<Instant> {
        let at = Instant::now();
        self.process.kill()?;
        self.process.wait()?;
        Ok(at)
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        let _already_gone = self.process.kill();
        let _status = self.process.wait();
    }
}
