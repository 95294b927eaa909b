//! One `visavis --headless` process that a measurement drives, as a user's script would.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command as Process, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::namespaces::Host;
use crate::controller::{Command, Event};

/// Events read ahead of the measurement.
const MAX_WAITING: usize = 4096;

/// A headless process with its own profile; killed when dropped.
pub struct HeadlessChild {
    process: Child,
    input: ChildStdin,
    events: Receiver<(Instant, Event)>,
}

impl HeadlessChild {
    /// Starts `program` with the profile in `directory` and further `arguments`, on `host` where there is one.
    pub fn start(program: &Path, host: Option<&Host>, directory: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        let mut command = Process::new(program);
        command.arg("--headless").arg("--profile").arg(directory).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let process = match host {
            Some(host) => host.enter(|| command.spawn()),
            None => command.spawn(),
        };
        let mut process = process.with_context(|| format!("{} could not be started", program.display()))?;
        let input = process.stdin.take().context("no standard input")?;
        let output = process.stdout.take().context("no standard output")?;
        let (sender, events) = sync_channel(MAX_WAITING);
        std::thread::Builder::new().name("events".into()).spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let at = Instant::now();
                if let Ok(event) = serde_json::from_str(&line)
                    && sender.send((at, event)).is_err()
                {
                    return;
                }
            }
        })?;
        Ok(Self { process, input, events })
    }

    /// The process's number.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Sends a command.
    pub fn send(&mut self, command: &Command) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(command)?;
        line.push(b'\n');
        self.input.write_all(&line)?;
        self.input.flush()?;
        Ok(())
    }

    /// Waits for the first event that `pick` takes, dropping those before it; returns its result and the moment when
    /// the event was read.
    pub fn wait<T>(
        &self,
        what: &str,
        timeout: Duration,
        mut pick: impl FnMut(Event) -> Option<T>,
    ) -> anyhow::Result<(Instant, T)> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok((at, event)) => {
                    if let Some(picked) = pick(event) {
                        return Ok((at, picked));
                    }
                }
                Err(RecvTimeoutError::Timeout) => anyhow::bail!("{what} did not come within {timeout:?}"),
                Err(RecvTimeoutError::Disconnected) => anyhow::bail!("the process ended before {what} came"),
            }
        }
    }

    /// The events that have come so far, and when each was read.
    pub fn drain(&self) -> impl Iterator<Item = (Instant, Event)> + '_ {
        self.events.try_iter()
    }
}

impl Drop for HeadlessChild {
    fn drop(&mut self) {
        let _ = self.send(&Command::Quit);
        for _ in 0..40 {
            if matches!(self.process.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
