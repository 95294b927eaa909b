//! `visavis bench`: measurements that anyone can run again.

mod call;
mod child;
mod echo;
mod figures;
mod network;
mod pair;
mod process;

use clap::Subcommand;

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Two processes on this computer, a real call on the loopback interface
    Call(call::CallBench),
    /// The same over a bad network in software
    Network(network::NetworkBench),
    /// Echo cancellation in four synthetic rooms
    Echo(echo::EchoBench),
}

/// Runs one measurement and prints its result.
pub fn run(what: &Bench, common: &super::CommonOptions) -> anyhow::Result<()> {
    match what {
        Bench::Call(bench) => bench.run(),
        Bench::Network(bench) => bench.run(common.link.as_ref()),
        Bench::Echo(bench) => bench.run(),
    }
}
