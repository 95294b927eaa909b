//! `visavis bench server --nodes`: several nodes of one server, joined by NATS. Rings between people at different
//! nodes, the loss of a node, and the loss of NATS.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;

use super::figures::{in_ms, round};
use super::process;
use super::running_server::{RINGS_PER_SECOND, RunningServer};
use super::temporary::TemporaryDirectory;
use crate::signaling::Crowd;

/// Without NATS: longer than the silence after which a node is gone.
const WITHOUT_NATS: Duration = Duration::from_secs(6);
/// For a nats-server to listen.
const NATS_STARTS: Duration = Duration::from_secs(10);

/// A measurement.
pub(super) struct NodesRun {
    pub(super) program: PathBuf,
    pub(super) count: usize,
    /// URL of a NATS server that is there.
    pub(super) nats: Option<String>,
    pub(super) pairs: usize,
    pub(super) absent: usize,
    pub(super) rings: usize,
    pub(super) patience: Duration,
}

/// The result.
#[derive(Debug, Serialize)]
pub(super) struct NodesFigures {
    people: usize,
    watches: usize,
    nodes: usize,
    gather_s: f64,
    rss_mib: f64,
    ring_ms_p50: Option<f64>,
    ring_ms_p99: Option<f64>,
    rings_lost: usize,
    node_people: usize,
    node_return_ms_p50: Option<f64>,
    node_return_ms_p99: Option<f64>,
    node_return_ms_max: Option<f64>,
    node_met_ms_p99: Option<f64>,
    node_others_lost: usize,
    nats_met_ms_p50: Option<f64>,
    nats_met_ms_p99: Option<f64>,
    nats_met_ms_max: Option<f64>,
    nats_others_lost: Option<usize>,
    load1: Option<f64>,
}

impl NodesRun {
    pub(super) async fn measure(&self) -> anyhow::Result<NodesFigures> {
        let folder = TemporaryDirectory::new("nodes")?;
        let mut nats = self.nats.is_none().then(|| Nats::start(&free_address()?)).transpose()?;
        let url = self.nats.clone().or_else(|| nats.as_ref().map(Nats::url)).context("no NATS")?;
        let mut nodes = self.start(folder.path(), &url)?;
        let addresses =
            nodes.iter().map(|node| Ok(node.listen.parse()?)).collect::<anyhow::Result<Vec<SocketAddr>>>()?;
        let link = nodes.first().context("no node")?.link.clone();

        let start = Instant::now();
        let mut crowd = Crowd::gather(&link, &addresses, self.pairs, self.absent, self.patience).await?;
        let gather = start.elapsed();
        crowd.rest(Duration::from_secs(2)).await;
        let usages = nodes.iter().map(RunningServer::usage).collect::<anyhow::Result<Vec<_>>>()?;
        let rss_mib = usages.iter().map(|usage| usage.rss_mib).fold(0.0, f64::max);
        let rings = crowd.ring(self.rings, RINGS_PER_SECOND).await;

        let is_of_first = |place| Crowd::node_of(place, self.count) == 0;
        let people = 2 * self.pairs;
        let node_people = (0..people).filter(|place| is_of_first(*place)).count();
        let lost = nodes.remove(0).kill()?;
        let returns = crowd.come_back(lost, self.patience, is_of_first).await?;
        let node_others_lost = returns.online.len() - node_people;

        let mut nats_returns = None;
        if let Some(running) = nats.take() {
            let address = running.kill()?;
            let killed = Instant::now();
            crowd.rest(WITHOUT_NATS).await;
            let _nats = Nats::start(&address)?;
            let back = Instant::now();
            // Pairs of one node have lost nothing.
            let met = crowd.come_back(back, self.patience, |_| false).await?;
            let others_lost = crowd.came_since(killed);
            nats_returns = Some((met, others_lost));
        }
        let (ring, online, met) = (in_ms(&rings.times), in_ms(&returns.online), in_ms(&returns.met));
        let nats_met = in_ms(nats_returns.as_ref().map_or(&[], |(returns, _)| &returns.met));
        Ok(NodesFigures {
            people,
            watches: self.absent + 1,
            nodes: self.count,
            gather_s: round(gather.as_secs_f64(), 1),
            rss_mib: round(rss_mib, 1),
            ring_ms_p50: ring.percentile(0.5),
            ring_ms_p99: ring.percentile(0.99),
            rings_lost: rings.lost,
            node_people,
            node_return_ms_p50: online.percentile(0.5),
            node_return_ms_p99: online.percentile(0.99),
            node_return_ms_max: online.percentile(1.0),
            node_met_ms_p99: met.percentile(0.99),
            node_others_lost,
            nats_met_ms_p50: nats_met.percentile(0.5),
            nats_met_ms_p99: nats_met.percentile(0.99),
            nats_met_ms_max: nats_met.percentile(1.0),
            nats_others_lost: nats_returns.map(|(_, lost)| lost),
            load1: process::load_average(),
        })
    }

    /// Starts the nodes, all with the key that the first one makes.
    fn start(&self, folder: &Path, nats: &str) -> anyhow::Result<Vec<RunningServer>> {
        let mut nodes = Vec::new();
        for number in 0..self.count {
            let data = folder.join(number.to_string());
            if number > 0 {
                std::fs::create_dir(&data)?;
                std::fs::copy(folder.join("0/server.key"), data.join("server.key"))?;
            }
            nodes.push(RunningServer::start(&self.program, &data, "127.0.0.1:0", &["--nats", nats])?);
        }
        Ok(nodes)
    }
}

/// An address of this computer that nobody listens at.
fn free_address() -> std::io::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// A `nats-server` process; killed when dropped.
struct Nats {
    process: Child,
    address: String,
}

impl Nats {
    fn start(address: &str) -> anyhow::Result<Self> {
        let (host, port) = address.rsplit_once(':').context("no port")?;
        let mut command = Command::new("nats-server");
        command.args(["--addr", host, "--port", port]);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = process.context("nats-server could not be started; install it, or name a server with --nats")?;
        let nats = Self { process, address: address.to_owned() };
        let until = Instant::now() + NATS_STARTS;
        while std::net::TcpStream::connect(address).is_err() {
            anyhow::ensure!(Instant::now() < until, "nats-server does not listen at {address}.");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(nats)
    }

    fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Kills it; its address.
    fn kill(mut self) -> anyhow::Result<String> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(self.address.clone())
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _already_gone = self.process.kill();
        let _status = self.process.wait();
    }
}
