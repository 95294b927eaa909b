//! The desktop app: arguments, then the window, or `--headless`, or a subcommand.

// Without a console window beside the program's own.
#![cfg_attr(windows, windows_subsystem = "windows")]

use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

use clap::Parser;
use visavis::cli::{self, Arguments, ending};
use visavis::controller::{Controller, Handle, Options, Repaint};
use visavis::desktop;
use visavis::desktop::instance::{self, Listening, Request};
use visavis::store::{Language, ProfileError};
use visavis::ui::{self, Closed, WindowEnd, WindowHandle, WindowOptions, WindowRequest, Words};

fn main() -> ExitCode {
    share_one_heap();
    #[cfg(windows)]
    cli::console::join_console();
    // Clap exits with status 2 on wrong options.
    let arguments = Arguments::parse();
    #[cfg(unix)]
    let wrong = {
        let opens_window = arguments.subcommand.is_none() && !arguments.headless;
        // SAFETY: this process has no second thread yet.
        if opens_window { unsafe { cli::correct_environment() } } else { Vec::new() }
    };
    if let Err(error) = cli::start_log(&arguments.common.log) {
        return cli::exit_code(Err(error));
    }
    #[cfg(unix)]
    wrong.iter().for_each(|why| tracing::warn!("{why}"));
    ending::listen();
    match &arguments.subcommand {
        Some(action) => cli::run(action, &arguments.common),
        None if arguments.headless => cli::exit_code(arguments.common.open().and_then(cli::run_headless)),
        None => {
            let done = open_or_hand_over(arguments);
            #[cfg(windows)]
            let done = done.inspect_err(|error| cli::console::show_where_unread(&error.to_string()));
            cli::exit_code(done)
        }
    }
}

/// Opens the window; or, where one is open with this profile, asks that one to come to the front.
fn open_or_hand_over(arguments: Arguments) -> anyhow::Result<()> {
    let request = Request { link: arguments.open, background: arguments.background };
    let named = arguments.common.profile.is_some();
    let error = match arguments.common.open() {
        Ok(options) => return run_with_window(options, named, request),
        Err(error) => error,
    };
    let in_use = matches!(error.downcast_ref(), Some(ProfileError::InUse));
    if let Some(profile) = arguments.common.profile_dir().filter(|_| in_use) {
        match instance::hand_over(&profile, &request) {
            Ok(()) => return Ok(()),
            Err(why) => tracing::info!("the running window does not answer: {why}"),
        }
    }
    Err(in_words(&error).into())
}

/// A start that failed, in one sentence for a person.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct StartError(String);

/// Why the window does not open, in the system's language.
fn in_words(error: &anyhow::Error) -> StartError {
    tracing::debug!("{error:?}");
    StartError(Words::of(Language::System, &ui::system_locale()).start_error(error))
}

/// Runs a controller with its window, or without one in the background, until the person ends it and everything is
/// released. `named`: the command line names the profile.
fn run_with_window(options: Options, named: bool, request: Request) -> anyhow::Result<()> {
    let profile = options.profile.dir().to_owned();
    let window_options = WindowOptions { profile: Some(profile.clone()), ..WindowOptions::default() };
    let (window, end) = ui::window_handle();
    let end = Rc::new(end);
    let (bell, rings) = desktop::bell();
    let repaint = window.clone();
    let events = |event| tracing::trace!(?event);
    let on_change = move |change| {
        repaint.repaint(change);
        if change == Repaint::Layout {
            bell.ring();
        }
    };
    let controller = Controller::start(options, events, on_change).map_err(|error| in_words(&error))?;
    let handle = controller.handle().clone();
    if let Some(link) = request.link {
        window.ask(WindowRequest::AddContact(link));
    }
    let named = if named { profile.canonicalize().ok() } else { None };
    let attends = desktop::attend(rings, handle.clone(), window.clone(), window_options.locale.clone(), named);
    let second_starts = listen_for_second_starts(&profile, window.clone());
    // A window closes by itself when it finds that the controller has ended.
    let hangs_up = ending::hang_up_first(&handle, true, move || window.ask(WindowRequest::Quit));
    let closed = show_windows(&window_options, &handle, &end, request.background);
    // A start from now on is a window of its own: this one shows nothing any more.
    drop(second_starts);
    ending::end_soon(0);
    controller.quit();
    if attends.is_some_and(|thread| thread.join().is_err()) {
        tracing::error!("the desktop's thread ended badly");
    }
    drop(hangs_up);
    match closed {
        // The desktop session has ended under the window.
        Err(error) if end.was_open() => tracing::info!("{error}"),
        Err(error) => {
            tracing::info!("{error}");
            anyhow::bail!("No window can be opened here. Start Visavis on a desktop, or use --headless or echo-test.");
        }
        Ok(()) => {}
    }
    Ok(())
}

/// Opens one window after the other, as long as each is closed to the tray, until the program is to end.
fn show_windows(
    options: &WindowOptions,
    handle: &Handle,
    end: &Rc<WindowEnd>,
    background: bool,
) -> Result<(), eframe::Error> {
    let mut waits = background;
    while !waits || end.wait() {
        if handle.snapshot().is_none() || ui::run(options, handle, end)? == Closed::Quit {
            break;
        }
        waits = true;
    }
    Ok(())
}

/// Without a listener a second start says that the profile is in use, and no more is lost.
fn listen_for_second_starts(profile: &Path, window: WindowHandle) -> Option<Listening> {
    let take = move |request: Request| match request {
        Request { link: Some(link), .. } => window.ask(WindowRequest::AddContact(link)),
        Request { background: true, .. } => {}
        Request { .. } => window.ask(WindowRequest::Raise),
    };
    instance::listen(profile, take).inspect_err(|error| tracing::info!("second starts are not heard: {error}")).ok()
}

/// Makes all threads share one heap. Each call starts and ends some threads; with glibc's heap for each of them the
/// program grows to over twice its size within twenty calls, all of it holes. Nothing on the path of media allocates
/// enough to wait for another thread.
fn share_one_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: sets one number of the allocator, before this process has a second thread.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}
