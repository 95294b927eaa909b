//! `visavis bench`: measurements that anyone can run again.

mod call;
mod child;
mod process;

use clap::Subcommand;

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Two processes on this computer, a real call on the loopback interface
    Call(call::CallBench),
}

/// Runs one measurement and prints its result.
pub fn run(what: &Bench) -> anyhow::Result<()> {
    match what {
        Bench::Call(bench) => bench.run(),
    }
}
