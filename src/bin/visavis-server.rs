//! The server: arguments, the log, signals, and then `visavis::server`.

use std::process::ExitCode;

use clap::Parser;
use tokio::sync::oneshot;
use visavis::cli;
use visavis::server::{Arguments, run};

fn main() -> ExitCode {
    // Clap exits with status 2 on wrong options.
    let arguments = Arguments::parse();
    cli::exit_code(serve(arguments))
}

fn serve(arguments: Arguments) -> anyhow::Result<()> {
    cli::start_log(&arguments.log)?;
    let (end, ends) = oneshot::channel();
    end_by_signal(end)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(run(arguments, async {
        // Without a handler of signals nothing ends it but the system.
        if ends.await.is_err() {
            std::future::pending::<()>().await;
        }
    }));
    runtime.shutdown_background();
    Ok(ended?)
}

/// The first signal ends the server in good order, the second at once.
#[cfg(unix)]
fn end_by_signal(end: oneshot::Sender<()>) -> std::io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        let mut end = Some(end);
        for signal in signals.forever() {
            match end.take() {
                Some(end) => drop(end.send(())),
                None => drop(signal_hook::low_level::emulate_default_handler(signal)),
            }
        }
    })?;
    Ok(())
}

/// The first Ctrl+C, or another end that the console asks for, ends the server in good order, the second at once.
#[cfg(windows)]
fn end_by_signal(end: oneshot::Sender<()>) -> std::io::Result<()> {
    let mut end = Some(end);
    cli::console::on_end(move || match end.take() {
        Some(end) => drop(end.send(())),
        None => std::process::exit(1),
    })
}
