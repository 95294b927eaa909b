//! The desktop around the window: a second start that finds the first (`instance`), notifications of calls that can be
//! answered, an item in the tray that outlives the window, the start with the session, the camera off while the screen
//! is locked, media keys, push to talk in other windows, and no sleep during a call. A face of the controller: it reads
//! snapshots and sends commands, so an answer from a notification is a press like any other.
//!
//! Linux desktops are reached over D-Bus, on threads of their own: a desktop that does not answer holds up nobody.

#[cfg(target_os = "linux")]
mod alerts;
#[cfg(target_os = "linux")]
mod autostart;
mod bell;
pub mod instance;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod media_keys;
#[cfg(target_os = "linux")]
mod phase;
mod profile_digest;
#[cfg(target_os = "linux")]
mod talk;

pub use bell::{Bell, Rings, bell};

use std::path::PathBuf;
use std::thread::JoinHandle;

use crate::controller::Handle;
use crate::ui::WindowHandle;

/// Attends to the desktop until the controller has ended or the bell is gone.
///
/// `profile` is the folder that the command line named, if it did: the start with the session names it, too.
///
/// The thread takes a notification that still rings away before it ends. Where no desktop is reached, it opens a
/// window: a program without one could be neither seen nor ended.
#[cfg(target_os = "linux")]
pub fn attend(
    rings: Rings,
    handle: Handle,
    window: WindowHandle,
    locale: String,
    profile: Option<PathBuf>,
) -> Option<JoinHandle<()>> {
    let attend = move || linux::attend(&rings, &handle, &window, &locale, profile.as_deref());
    // Without the thread calls are answered in the window alone.
    let started = std::thread::Builder::new().name("desktop".into()).spawn(attend);
    started.inspect_err(|error| tracing::warn!("no thread for the desktop: {error}")).ok()
}

/// Other desktops have no notifications of ours yet.
#[cfg(not(target_os = "linux"))]
pub fn attend(
    _rings: Rings,
    _handle: Handle,
    window: WindowHandle,
    _locale: String,
    _profile: Option<PathBuf>,
) -> Option<JoinHandle<()>> {
    window.ask(crate::ui::WindowRequest::Raise);
    None
}
