//! The desktop around the window: a second start that finds the first (`instance`), notifications of calls that can be
//! answered, the camera off while the screen is locked, and no sleep during a call. A face of the controller: it reads
//! snapshots and sends commands, so an answer from a notification is a press like any other.
//!
//! Linux desktops are reached over D-Bus, on threads of their own: a desktop that does not answer holds up nobody.

mod alerts;
mod bell;
pub mod instance;
#[cfg(target_os = "linux")]
mod linux;

pub use bell::{Bell, Rings, bell};

use std::thread::JoinHandle;

use crate::controller::Handle;
use crate::ui::WindowHandle;

/// Attends to the desktop until the controller has ended or the bell is gone.
///
/// The thread takes a notification that still rings away before it ends.
#[cfg(target_os = "linux")]
pub fn attend(rings: Rings, handle: Handle, window: WindowHandle, locale: String) -> Option<JoinHandle<()>> {
    let attend = move || linux::attend(&rings, &handle, &window, &locale);
    // Without the thread calls are answered in the window alone.
    let started = std::thread::Builder::new().name("desktop".into()).spawn(attend);
    started.inspect_err(|error| tracing::warn!("no thread for the desktop: {error}")).ok()
}

/// Other desktops have no notifications of ours yet.
#[cfg(not(target_os = "linux"))]
pub fn attend(_rings: Rings, _handle: Handle, _window: WindowHandle, _locale: String) -> Option<JoinHandle<()>> {
    None
}
