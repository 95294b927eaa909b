//! `visavis bench server`: a real server with many people who speak the app's protocol, on this computer. Memory of a
//! connection, CPU of a server that has nothing to do, time of a ring, time of answers about people who are there or
//! not, and the return of everybody after the server was killed.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use crate::network::raise_open_files;
use crate::signaling::{AnswerTimes, Crowd, time_answers};

use super::figures::{in_ms, round};
use super::nodes::{NodesFigures, NodesRun};
use super::process;
use super::running_server::{RINGS_PER_SECOND, RunningServer};
use super::temporary::TemporaryDirectory;

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
    /// Nodes of the server, joined by NATS: measures rings between them, and the loss of one and of NATS, instead
    #[arg(long, value_parser = clap::value_parser!(u8).range(2..=16))]
    nodes: Option<u8>,
    /// NATS for the nodes; without it a nats-server is started
    #[arg(long, value_name = "URL", requires = "nodes")]
    nats: Option<String>,
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
        let text = runtime.block_on(self.figures());
        runtime.shutdown_background();
        writeln!(crate::cli::output::stdout(), "{}", text?)?;
        Ok(())
    }

    async fn figures(&self) -> anyhow::Result<String> {
        match self.nodes {
            None => self.text(&self.measure().await?),
            Some(nodes) => self.text(&self.measure_nodes(nodes).await?),
        }
    }

    fn text(&self, figures: &impl Serialize) -> anyhow::Result<String> {
        let text = if self.json { serde_json::to_string(figures)? } else { serde_json::to_string_pretty(figures)? };
        Ok(text)
    }

    async fn measure(&self) -> anyhow::Result<ServerFigures> {
        let folder = TemporaryDirectory::new("server")?;
        let program = self.program()?;
        let server = RunningServer::start(&program, folder.path(), "127.0.0.1:0", &[])?;
        let (pairs, absent) = (self.people.div_ceil(2) as usize, self.absent as usize);
        let patience = self.patience();

        let (start, empty) = (Instant::now(), server.usage()?);
        let mut crowd = Crowd::gather(&server.link, &[], pairs, absent, patience).await?;
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
        let server = RunningServer::start(&program, folder.path(), &listen, &[])?;
        let returns = crowd.come_back(lost, patience, |_| true).await?;
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

    /// Patience with all of the people.
    fn patience(&self) -> Duration {
        PATIENCE + Duration::from_secs(u64::from(self.people) / 100)
    }

    async fn measure_nodes(&self, count: u8) -> anyhow::Result<NodesFigures> {
        let run = NodesRun {
            program: self.program()?,
            count: count.into(),
            nats: self.nats.clone(),
            pairs: self.people.div_ceil(2) as usize,
            absent: self.absent as usize,
            rings: self.rings as usize,
            patience: self.patience(),
        };
        run.measure().await
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
