//! Manual pages and shell completions of both programs, written into a folder by `scripts/package`.

#![allow(clippy::print_stderr, reason = "a tool of the build")]

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

use clap::{Command, CommandFactory};
use clap_complete::Shell;

fn main() -> ExitCode {
    let Some(folder) = env::args_os().nth(1) else {
        eprintln!("usage: manual FOLDER");
        return ExitCode::from(2);
    };
    let programs = [visavis::cli::Arguments::command(), visavis::server::Arguments::command()];
    match programs.into_iter().try_for_each(|program| write(program, folder.as_ref())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("manual: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes `man1/PROGRAM.1`, one page for all subcommands of a kind beside it, and the completions of three shells.
fn write(mut program: Command, folder: &Path) -> io::Result<()> {
    let name = program.get_name().to_owned();
    let pages = folder.join("man1");
    fs::create_dir_all(&pages)?;
    clap_mangen::generate_to(program.clone(), &pages)?;
    for (shell, place) in [(Shell::Bash, "bash"), (Shell::Zsh, "zsh"), (Shell::Fish, "fish")] {
        let place = folder.join(place);
        fs::create_dir_all(&place)?;
        clap_complete::generate_to(shell, &mut program, &name, place)?;
    }
    Ok(())
}
