//! The desktop app: arguments, then the window, or `--headless`, or a subcommand.

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use visavis::cli::{self, Arguments, ending};
use visavis::controller::{Controller, Options, Repaint};
use visavis::desktop;
use visavis::desktop::instance::{self, Listening, Request};
use visavis::store::{Language, ProfileError};
use visavis::ui::{self, WindowHandle, WindowOptions, WindowRequest, Words};

fn main() -> ExitCode {
    share_one_heap();
    // Clap exits with status 2 on wrong options.
    let arguments = Arguments::parse();
    let opens_window = arguments.subcommand.is_none() && !arguments.headless;
    // SAFETY: this process has no second thread yet.
    let wrong = if opens_window { unsafe { cli::correct_environment() } } else { Vec::new() };
    if let Err(error) = cli::start_log(&arguments.common.log) {
        return cli::exit_code(Err(error));
    }
    wrong.iter().for_each(|why| tracing::warn!("{why}"));
    ending::listen();
    match &arguments.subcommand {
        Some(action) => cli::run(action, &arguments.common),
        None if arguments.headless => cli::exit_code(arguments.common.open().and_then(cli::run_headless)),
        None => cli::exit_code(open_or_hand_over(arguments)),
    }
}

/// Opens the window; or, where one is open with this profile, asks that one to come to the front.
fn open_or_hand_over(arguments: Arguments) -> anyhow::Result<()> {
    let request = Request { link: arguments.open };
    let error = match arguments.common.open() {
        Ok(options) => return open_window(options, request),
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

/// Opens the window on a controller of its own; returns when it has been closed and everything is released.
fn open_window(options: Options, request: Request) -> anyhow::Result<()> {
    let (mut controller, mut hangs_up, mut second_starts, mut attends) = (None, None, None, None);
    let profile = Some(options.profile.dir().to_owned());
    let window_options = WindowOptions { profile, ..WindowOptions::default() };
    let locale = window_options.locale.clone();
    let closed = ui::run(window_options, |window| {
        let profile = options.profile.dir().to_owned();
        let (bell, rings) = desktop::bell();
        let repaint = window.clone();
        let events = |event| tracing::trace!(?event);
        let on_change = move |change| {
            repaint.repaint(change);
            if change == Repaint::Layout {
                bell.ring();
            }
        };
        let started = Controller::start(options, events, on_change).map_err(|error| in_words(&error))?;
        let handle = started.handle().clone();
        attends = desktop::attend(rings, handle.clone(), window.clone(), locale);
        if let Some(link) = request.link {
            window.ask(WindowRequest::AddContact(link));
        }
        second_starts = listen_for_second_starts(&profile, window);
        // The window closes by itself when it finds that the controller has ended.
        hangs_up = Some(ending::hang_up_first(&handle, true, || {}));
        controller = Some(started);
        Ok::<_, StartError>(handle)
    });
    let opened = controller.is_some();
    // A start from now on is a window of its own: this one shows nothing any more.
    drop(second_starts);
    if let Some(controller) = controller {
        ending::end_soon(0);
        controller.quit();
    }
    if attends.is_some_and(|thread| thread.join().is_err()) {
        tracing::error!("the desktop's thread ended badly");
    }
    drop(hangs_up);
    match closed {
        Err(eframe::Error::AppCreation(error)) => anyhow::bail!("{error}"),
        // The desktop session has ended under the window.
        Err(error) if opened => tracing::info!("{error}"),
        Err(error) => {
            tracing::info!("{error}");
            anyhow::bail!("No window can be opened here. Start Visavis on a desktop, or use --headless or echo-test.");
        }
        Ok(()) => {}
    }
    Ok(())
}

/// Without a listener a second start says that the profile is in use, and no more is lost.
fn listen_for_second_starts(profile: &Path, window: WindowHandle) -> Option<Listening> {
    let take = move |request: Request| {
        window.ask(request.link.map_or(WindowRequest::Raise, WindowRequest::AddContact));
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
