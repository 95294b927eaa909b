//! Wakes a capture thread out of a system call that waits for a camera which gives nothing.
//!
//! The V4L2 backend waits in `poll` without a limit and cannot be told to stop. A signal makes the call return `EINTR`,
//! so that the thread can close the device. The signal is SIGURG, which does nothing in programs that ignore it, sent
//! to that thread alone. Elsewhere than on Unix nothing is sent, and a stuck thread is left behind (see `camera`).

use std::thread::JoinHandle;

/// Interrupts the wait of `thread`, if it waits; a signal that comes just before the wait is lost, so send again.
#[cfg(unix)]
pub fn interrupt(thread: &JoinHandle<()>) {
    use std::os::unix::thread::JoinHandleExt;
    use std::sync::Once;

    extern "C" fn ignore(_signal: libc::c_int) {}

    static HANDLER: Once = Once::new();
    HANDLER.call_once(|| {
        // SAFETY: an all-zero sigaction is a valid one (no flags, so without SA_RESTART); the handler does nothing,
        // which is safe in a signal context; both pointers are valid for the call.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = ignore as *const () as libc::sighandler_t;
            libc::sigaction(libc::SIGURG, &action, std::ptr::null_mut());
        }
    });
    // SAFETY: the thread has been neither joined nor detached while its handle is borrowed, so its id is valid.
    unsafe {
        libc::pthread_kill(thread.as_pthread_t(), libc::SIGURG);
    }
}

/// Nothing can be interrupted here.
#[cfg(not(unix))]
pub fn interrupt(_thread: &JoinHandle<()>) {}
