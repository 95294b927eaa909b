//! The command line: options, subcommands, and the faces of the controller that need no window.

mod address;
// It measures by the tools of Unix: processes, namespaces, load.
#[cfg(unix)]
pub(crate) mod bench;
mod command_line;
#[cfg(windows)]
pub mod console;
mod devices;
// Windows has one desktop, which no variable chooses.
#[cfg(unix)]
mod display_environment;
mod doctor;
mod echo_test;
pub mod ending;
mod headless;
mod identity;
mod log;
mod options;
mod output;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::identity::ContactLink;

pub use address::parse_bind;
#[cfg(unix)]
pub use display_environment::correct_environment;
pub use headless::run as run_headless;
pub use log::start_log;
pub use options::CommonOptions;

/// Visavis: video calls from desktop to desktop. Without a subcommand it opens its window.
#[derive(Debug, Parser)]
#[command(name = "visavis", version, about)]
pub struct Arguments {
    /// Options of every way to start.
    #[command(flatten)]
    pub common: CommonOptions,
    /// No window: JSON commands on standard input, JSON events on standard output
    #[arg(long)]
    pub headless: bool,
    /// No window until somebody asks for it: the desktop's tray and notifications tell of calls
    #[arg(long, conflicts_with = "headless")]
    pub background: bool,
    /// Link of a person to add (`visavis:...`); the window asks first
    #[arg(value_name = "LINK", value_parser = parse_contact_link, conflicts_with = "headless")]
    pub open: Option<String>,
    /// Action instead of the window.
    #[command(subcommand)]
    pub subcommand: Option<Action>,
}

/// A text with a link in it, as it is: the window shows it before anybody is added.
fn parse_contact_link(text: &str) -> Result<String, &'static str> {
    match ContactLink::find_in(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("this is neither a subcommand nor the link of a person"),
    }
}

/// Action instead of the window.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// List cameras, microphones and speakers
    Devices,
    /// Check each part that a call needs, one line each
    Doctor,
    /// Print this profile's ID and link
    Id,
    /// Back up this profile's identity, or bring one back
    Identity {
        /// The action.
        #[command(subcommand)]
        what: identity::IdentityAction,
    },
    /// Call the Echo contact without a window and tell in plain words how it went
    EchoTest {
        /// Seconds of statistics
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..=3600))]
        seconds: u32,
    },
    /// Measure
    #[cfg(unix)]
    Bench {
        /// The measurement.
        #[command(subcommand)]
        what: bench::Bench,
    },
}

/// Exit status that shells give of a program that ended because nobody read its output (128 and the number of SIGPIPE).
const UNREAD: u8 = 128 + 13;

/// Carries out a subcommand; the caller has opened the log.
pub fn run(action: &Action, common: &CommonOptions) -> ExitCode {
    match action {
        Action::Devices => exit_code(devices::run()),
        Action::Id => exit_code(identity::run(common)),
        Action::Identity { what } => exit_code(identity::carry_out(what, common)),
        Action::Doctor => verdict(doctor::run(common)),
        Action::EchoTest { seconds } => verdict(echo_test::run(common, *seconds)),
        #[cfg(unix)]
        Action::Bench { what } => verdict(bench::run(what, common)),
    }
}

/// As `exit_code`, of a subcommand whose exit status is its result: one that could not finish has not succeeded.
fn verdict(done: anyhow::Result<()>) -> ExitCode {
    match (&done, ending::interrupted()) {
        (Err(_), Some(status)) => ExitCode::from(status),
        (Err(error), None) if output::is_unread(error) => ExitCode::from(UNREAD),
        _ => exit_code(done),
    }
}

/// Exit status 0, or 1 with the error's one sentence on standard error. A reader of standard output that has gone needs
/// nothing more.
pub fn exit_code(done: anyhow::Result<()>) -> ExitCode {
    let code = match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_unread(&error) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::debug!("{error:?}");
            log::tell(&format!("visavis: {error}"));
            ExitCode::FAILURE
        }
    };
    log::flush(log::LAST_LINES);
    code
}
