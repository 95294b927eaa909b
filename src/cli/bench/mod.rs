//! `visavis bench`: measurements that anyone can run again.

mod call;
mod child;
mod chromium;
mod echo;
mod figures;
pub(crate) mod film;
mod namespaces;
mod network;
mod nodes;
mod pair;
mod process;
mod running_server;
mod server;
mod soak;
mod temporary;

use clap::Subcommand;

/// The measurement.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Two processes on this computer, a real call on the loopback interface
    Call(call::CallBench),
    /// The same over a bad network in software
    Network(network::NetworkBench),
    /// A long call; fails when memory, threads, descriptors or delay grow
    Soak(soak::SoakBench),
    /// Write the film that stands for a camera in comparisons
    Film(film::FilmBench),
    /// Echo cancellation in four synthetic rooms
    Echo(echo::EchoBench),
    /// A server with many people
    Server(server::ServerBench),
}

/// Runs one measurement and prints its result.
pub fn run(what: &Bench, common: &super::options::CommonOptions) -> anyhow::Result<()> {
    let takes_link = matches!(what, Bench::Network(_) | Bench::Soak(_));
    anyhow::ensure!(
        common.link.is_none() || takes_link,
        "--link is for bench network and bench soak; leave it out here."
    );
    match what {
        Bench::Call(bench) => bench.run(),
        Bench::Network(bench) => bench.run(common.link.as_ref()),
        Bench::Soak(bench) => bench.run(common.link.as_ref()),
        Bench::Film(bench) => bench.run(),
        Bench::Echo(bench) => bench.run(),
        Bench::Server(bench) => bench.run(),
    }
}
