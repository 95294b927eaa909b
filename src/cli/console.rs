//! The console of Windows: a program of the window has none of its own, and joins that of the command line which has
//! started it; and the ends that a console asks for.

use std::io;
use std::os::windows::io::AsRawHandle;
use std::ptr;

use tokio::runtime::Builder;
use tokio::signal::windows;
use windows_sys::Win32::Globalization::CP_UTF8;
use windows_sys::Win32::System::Console::{ATTACH_PARENT_PROCESS, AttachConsole, SetConsoleOutputCP};
use windows_sys::Win32::UI::WindowsAndMessaging::{MB_ICONERROR, MessageBoxW};
use windows_sys::w;

/// Joins the console of the program that has started this one, where it has one: its streams show this program's
/// output, as UTF-8. Streams that lead elsewhere stay as they are.
pub fn join_console() {
    // SAFETY: neither call takes memory of this process. A failure means that there is no console to show anything.
    unsafe {
        AttachConsole(ATTACH_PARENT_PROCESS);
        SetConsoleOutputCP(CP_UTF8);
    }
}

/// Shows the reason why there is no window in a message of its own, and waits until it is closed, where standard error
/// leads nowhere: a start by a double click would end without a word.
pub fn show_where_unread(sentence: &str) {
    if !io::stderr().as_raw_handle().is_null() {
        return;
    }
    let text: Vec<u16> = sentence.encode_utf16().chain([0]).collect();
    // SAFETY: both texts end with a zero and live until the call returns; no window owns the message.
    unsafe {
        MessageBoxW(ptr::null_mut(), text.as_ptr(), w!("Visavis"), MB_ICONERROR);
    }
}

/// Calls `take`, on a thread of its own, each time Ctrl+C or Ctrl+Break is pressed, the console is closed, or the
/// person signs out. The system ends the process some seconds after the latter ones.
///
/// # Errors
///
/// Those of starting the thread, and of the system where it tells of no such events.
pub fn on_end(mut take: impl FnMut() + Send + 'static) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let (mut interrupt, mut stop) = (windows::ctrl_c()?, windows::ctrl_break()?);
    let (mut close, mut logoff, mut shutdown) =
        (windows::ctrl_close()?, windows::ctrl_logoff()?, windows::ctrl_shutdown()?);
    drop(entered);
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = stop.recv() => {}
                    _ = close.recv() => {}
                    _ = logoff.recv() => {}
                    _ = shutdown.recv() => {}
                }
                take();
            }
        });
    })?;
    Ok(())
}
