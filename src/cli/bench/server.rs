//! `visavis bench server`: a real server with many people who speak the app's protocol, on this computer. Memory of a
//! connection, CPU of a server that has nothing to do, time of a ring, time of answers about people who are there or
//! not, and the return of everybody after the server was killed.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::identity::ServerLink;
use crate::network::raise_open_files;
use crate::signaling::{AnswerTimes, Crowd, time_answers};

use super::figures::{Distribution, round};
use super::process;
use super::temporary::TemporaryDirectory;

/// Rings a second.
const RINGS_PER_SECOND: u32 = 50;
/// Patience with people who come, all together, and one more for each hundred.
const PATIENCE: Duration = Duration::from_secs(30);
/// Files and sockets of a process beside its connections.
const OTHER_FILES: u64 = 200;

/// Options of `bench server`.
#[derive(Debug, Args)]
pub struct ServerBench {
    /// People, in pairs who know each other
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2..=20_000))]
    people: u32,
    /// Contacts of each person who are never there
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=900))]
    absent: u32,
    /// Seconds in which nobody does anything
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// Rings, 50 a second
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rings: u32,
    /// Letters to each of a contact, a stranger and nobody
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    answers: u32,
    /// Another program than the visavis-server beside this one
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// The result.
#[derive(Debug, Serialize)]
struct ServerFigures {
    people: u32,
    watches: u32,
    gather_s: f64,
    gather_cpu_ms_per_person: f64,
    rss_mib_empty: f64,
    rss_mib: f64,
    rss_kib_per_person: f64,
    idle_cpu_percent: f64,
    ring_ms_p50: Option<f64>,
    ring_ms_p99: Option<f64>,
    rings_lost: usize,
    answer_us_contact: Option<f64>,
    answer_us_stranger: Option<f64>,
    answer_us_absent: Option<f64>,
    return_ms_p50: Option<f64>,
    return_ms_p99: Option<f64>,
    return_ms_max: Option<f64>,
    met_ms_p50: Option<f64>,
    met_ms_p99: Option<f64>,
    return_server_cpu_s: f64,
    return_people_cpu_s: f64,
    return_machine_busy_s: f64,
    rss_mib_after: f64,
    load1: Option<f64>,
}

impl ServerBench {
    /// Runs the measurement and prints it.
    pub fn run(&self) -> anyhow::Result<()> {
        let wanted = u64::from(self.people) + OTHER_FILES;
        let limit = raise_open_files(wanted);
        anyhow::ensure!(
            limit >= wanted,
            "This system lets a program have {limit} files and sockets open, and {wanted} are needed. Try fewer --people, \
             or raise the limit (ulimit -n)."
        );
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let figures = runtime.block_on(self.measure());
        runtime.shutdown_background();
        let figures = figures?;
        let text = if self.json { serde_json::to_string(&figures)? } else { serde_json::to_string_pretty(&figures)? };
        writeln!(crate::cli::output::stdout(), "{text}")?;
        Ok(())
    }

    async fn measure(&self) -> anyhow::Result<ServerFigures> {
        let folder = TemporaryDirectory::new("server")?;
        let program = self.program()?;
        let server = RunningServer::start(&program, folder.path(), "127.0.0.1:0")?;
        let (pairs, absent) = (self.people.div_ceil(2) as usize, self.absent as usize);
        let patience = PATIENCE + Duration::from_secs(u64::from(self.people) / 100);

        let (start, empty) = (Instant::now(), server.usage()?);
        let mut crowd = Crowd::gather(&server.link, pairs, absent, patience).await?;
        let people = 2 * pairs as u32;
        let gather = start.elapsed();
        crowd.rest(Duration::from_secs(2)).await;
        let gathered = server.usage()?;
        let idle = Instant::now();
        crowd.rest(Duration::from_secs(self.seconds.into())).await;
        let rested = server.usage()?;
        let idle_cpu_percent = 100.0 * (rested.cpu_s - gathered.cpu_s) / idle.elapsed().as_secs_f64();

        let rings = crowd.ring(self.rings as usize, RINGS_PER_SECOND).await;
        let stranger = crowd.id(0).context("nobody is there")?;
        let answers = time_answers(&server.link, &stranger, self.answers as usize).await.map_err(anyhow::Error::msg)?;
        let AnswerTimes { contact, stranger, absent } = answers;
        let [answer_us_contact, answer_us_stranger, answer_us_absent] =
            [contact, stranger, absent].map(|times| in_ms(&times).median().map(|ms| round(1000.0 * ms, 0)));

        let own = std::process::id();
        let (busy, people_cpu_s) = (process::machine_busy_seconds()?.0, process::cpu_seconds(own)?);
        let listen = server.listen.clone();
        let lost = server.kill()?;
        let server = RunningServer::start(&program, folder.path(), &listen)?;
        let returns = crowd.come_back(lost, patience).await?;
        let return_machine_busy_s = process::machine_busy_seconds()?.0 - busy;
        let return_people_cpu_s = process::cpu_seconds(own)? - people_cpu_s;
        let back = server.usage()?;
        let (ring, online, met) = (in_ms(&rings.times), in_ms(&returns.online), in_ms(&returns.met));
        Ok(ServerFigures {
            people,
            watches: self.absent + 1,
            gather_s: round(gather.as_secs_f64(), 1),
            gather_cpu_ms_per_person: round(1000.0 * (gathered.cpu_s - empty.cpu_s) / f64::from(people), 2),
            rss_mib_empty: round(empty.rss_mib, 1),
            rss_mib: round(rested.rss_mib, 1),
            rss_kib_per_person: round(1024.0 * (rested.rss_mib - empty.rss_mib) / f64::from(people), 1),
            idle_cpu_percent: round(idle_cpu_percent, 2),
            ring_ms_p50: ring.percentile(0.5),
            ring_ms_p99: ring.percentile(0.99),
            rings_lost: rings.lost,
            answer_us_contact,
            answer_us_stranger,
            answer_us_absent,
            return_ms_p50: online.percentile(0.5),
            return_ms_p99: online.percentile(0.99),
            return_ms_max: online.percentile(1.0),
            met_ms_p50: met.percentile(0.5),
            met_ms_p99: met.percentile(0.99),
            return_server_cpu_s: round(back.cpu_s, 2),
            return_people_cpu_s: round(return_people_cpu_s, 2),
            return_machine_busy_s: round(return_machine_busy_s, 2),
            rss_mib_after: round(back.rss_mib, 1),
            load1: process::load_average(),
        })
    }

    fn program(&self) -> anyhow::Result<PathBuf> {
        let beside = || Ok::<_, std::io::Error>(std::env::current_exe()?.with_file_name("visavis-server"));
        let program = self.program.clone().map_or_else(beside, Ok)?;
        anyhow::ensure!(
            program.is_file(),
            "{} is missing; build it (cargo build --release --bin visavis-server), or name it with --program.",
            program.display()
        );
        Ok(program)
    }
}

fn in_ms(times: &[Duration]) -> Distribution {
    times.iter().map(|time| time.as_secs_f64() * 1000.0).collect()
}

/// A `visavis-server` process; killed when dropped.
struct RunningServer {
    process: Child,
    link: ServerLink,
    listen: String,
}

/// Its CPU time so far, and its resident memory.
struct Usage {
    cpu_s: f64,
    rss_mib: f64,
}

/// The fields of the first line that are needed.
#[derive(Deserialize)]
struct Ready {
    link: ServerLink,
    listen: String,
}

impl RunningServer {
    fn start(program: &Path, data: &Path, listen: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command.args(["--json", "--listen", listen, "--data"]).arg(data);
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

    fn usage(&self) -> anyhow::Result<Usage> {
        let pid = self.process.id();
        Ok(Usage { cpu_s: process::cpu_seconds(pid)?, rss_mib: process::memory_mib(pid)?.0 })
    }

    /// Kills it without a chance to say anything; when that was.
    fn kill(mut self) -> anyhow::Result<Instant> {
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
