//! Ends of the program without a command: signals (events of the console on Windows), the end of the desktop session,
//! and a library that calls `exit`.
//! Each of them ends the program as `quit` does, hanging up first, and within two seconds whatever holds that up.
//!
//! A signal that was ignored when the program started (`nohup`, a background job of a script) goes on being ignored.
//! The second signal ends the program at once, as if none were handled.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::controller::{Command, Handle};

/// From the wish to end to the end, at most.
const WITHIN: Duration = Duration::from_millis(1900);

/// Interval between looks whether the controller has ended, where nobody is left to tell; and the time for the last
/// lines of the log.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Runs that are to be ended.
static RUNS: Mutex<Option<Runs>> = Mutex::new(None);

/// The signal that asked for the end; 0 before.
static ASKED: AtomicI32 = AtomicI32::new(0);

/// A running controller, and the meaning of its end.
#[derive(Clone)]
struct Runs {
    handle: Handle,
    end: Arc<dyn Fn() + Send + Sync>,
    finished: bool,
}

/// From now on a wish to end hangs up and closes everything first: `end` is called, on a thread of its own, after the
/// controller was told to quit. The guard ends that. A program that runs until it is asked to end is `finished` then,
/// with status 0; one that was to find something out is not, see [`interrupted`].
#[must_use = "without it nothing is ended in good order"]
pub fn hang_up_first(handle: &Handle, finished: bool, end: impl Fn() + Send + Sync + 'static) -> HangsUpFirst {
    *runs() = Some(Runs { handle: handle.clone(), end: Arc::new(end), finished });
    HangsUpFirst(())
}

/// See [`hang_up_first`].
#[derive(Debug)]
pub struct HangsUpFirst(());

impl Drop for HangsUpFirst {
    fn drop(&mut self) {
        *runs() = None;
    }
}

/// The exit status of a program that a signal has kept from finishing, as shells tell it: 128 and the signal's number.
pub fn interrupted() -> Option<u8> {
    let signal = ASKED.load(Ordering::Acquire);
    u8::try_from(128 + signal).ok().filter(|_| signal > 0)
}

/// Ends the process with `status` two seconds from now, unless it has ended by then: a driver that does not let go, or
/// a reader that does not read, holds up nobody.
pub fn end_soon(status: u8) {
    static BEGUN: AtomicBool = AtomicBool::new(false);
    if BEGUN.swap(true, Ordering::AcqRel) {
        return;
    }
    // Without a thread the end takes as long as it takes.
    let _ = std::thread::Builder::new().name("end".into()).spawn(move || {
        std::thread::sleep(WITHIN);
        tracing::warn!("something did not close in time");
        super::log::flush(LOOK_EVERY);
        leave(status);
    });
}

fn runs() -> MutexGuard<'static, Option<Runs>> {
    RUNS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells the running controller to end; false when none runs. Waits for nothing: a second signal must be taken
/// meanwhile.
fn quit() -> bool {
    let Some(Runs { handle, end, finished }) = runs().clone() else { return false };
    end_soon(interrupted().filter(|_| !finished).unwrap_or_default());
    let quit = move || {
        // An error means that it has ended already.
        let _ = handle.send(Command::Quit);
        end();
    };
    // Without a thread the end comes by itself.
    let _ = std::thread::Builder::new().name("quit".into()).spawn(quit);
    true
}

/// Ends the process at once, without the libraries' own last acts.
fn leave(status: u8) -> ! {
    #[cfg(unix)]
    // SAFETY: it ends the process, and nothing runs after it.
    unsafe {
        libc::_exit(status.into())
    }
    #[cfg(not(unix))]
    std::process::exit(status.into())
}

/// Takes the signals that ask for an end, and the exits of libraries, until the process ends.
#[cfg(unix)]
pub fn listen() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let taken = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|&signal| !is_ignored(signal));
    match signal_hook::iterator::Signals::new(taken) {
        Ok(mut signals) => {
            let take = move || signals.forever().for_each(take_signal);
            // Without a thread they are noticed by nobody, which the person who sends another kind of signal can mend.
            if let Err(error) = std::thread::Builder::new().name("signals".into()).spawn(take) {
                tracing::warn!("no thread for signals: {error}");
            }
        }
        Err(error) => tracing::warn!("signals end this program without a word: {error}"),
    }
    // SAFETY: `at_exit` may be called at any time, takes nothing and does not unwind.
    unsafe { libc::atexit(at_exit) };
}

/// Takes the ends that a console asks for, until the process ends.
#[cfg(windows)]
pub fn listen() {
    if let Err(error) = super::console::on_end(|| take_signal(INTERRUPTED)) {
        tracing::warn!("a console ends this program without a word: {error}");
    }
}

/// Number by which shells know Ctrl+C: that of SIGINT.
#[cfg(windows)]
const INTERRUPTED: i32 = 2;

#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action it only writes the present one, of which all bytes being zero is a value.
    let action = unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
        action.assume_init()
    };
    action.sa_sigaction == libc::SIG_IGN
}

fn take_signal(signal: i32) {
    let again = ASKED.swap(signal, Ordering::AcqRel) != 0;
    tracing::info!(signal, again, "asked to end");
    if again || !quit() {
        super::log::flush(super::log::LAST_LINES);
        end_by(signal);
    }
}

/// Ends the process as the signal does where nobody takes it.
fn end_by(signal: i32) {
    // An error means that the signal is none that ends a program, and these all are.
    #[cfg(unix)]
    let _ = signal_hook::low_level::emulate_default_handler(signal);
    #[cfg(not(unix))]
    leave(u8::try_from(128 + signal).unwrap_or(u8::MAX))
}

/// The X library ends the program when its server is gone, and asks nobody.
#[cfg(unix)]
extern "C" fn at_exit() {
    use std::time::Instant;

    use crate::controller::Unsent;

    // Its holder is in the middle of an end.
    let Ok(runs) = RUNS.try_lock() else { return };
    let Some(Runs { handle, .. }) = &*runs else { return };
    let by = Instant::now() + WITHIN;
    let mut unsent = Some(handle.press(Command::Quit));
    while handle.snapshot().is_some() && Instant::now() < by {
        if let Some(Err(Unsent::Full(again))) = unsent.take().map(|quit| handle.try_send(quit)) {
            unsent = Some(again);
        }
        std::thread::sleep(LOOK_EVERY);
    }
    leave(0);
}
