//! The desktop around the window: a second start that finds the first (`instance`), notifications of calls that can be
//! answered, the camera off while the screen is locked, and no sleep during a call. A face of the controller: it reads
//! snapshots and sends commands, so an answer from a notification is a press like any other.
//!
//! Linux desktops are reached over D-Bus, on threads of their own: a desktop that does not answer holds up nobody.

mod alerts;
pub mod instance;
#[cfg(target_os = "linux")]
mod linux;

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::controller::Handle;
use crate::ui::WindowHandle;

/// Wakes the desktop's thread after a new snapshot. Never waits.
#[derive(Clone, Debug)]
pub struct Bell(SyncSender<()>);

/// Waiting end of a [`Bell`].
#[derive(Debug)]
pub struct Rings(Receiver<()>);

/// A bell and its waiting end.
pub fn bell() -> (Bell, Rings) {
    let (bell, rings) = sync_channel(1);
    (Bell(bell), Rings(rings))
}

impl Bell {
    /// There is a new snapshot. One that is waited for already tells of this one, too.
    pub fn ring(&self) {
        let _ = self.0.try_send(());
    }
}

impl Rings {
    /// Waits for the next ring; false once the bell is gone.
    #[cfg(target_os = "linux")]
    fn wait(&self) -> bool {
        self.0.recv().is_ok()
    }
}

/// Attends to the desktop until the controller has ended or the bell is gone.
#[cfg(target_os = "linux")]
pub fn attend(rings: Rings, handle: Handle, window: WindowHandle, locale: String) {
    let attend = move || linux::attend(&rings, &handle, &window, &locale);
    // Without the thread calls are answered in the window alone.
    if let Err(error) = std::thread::Builder::new().name("desktop".into()).spawn(attend) {
        tracing::warn!("no thread for the desktop: {error}");
    }
}

/// Other desktops have no notifications of ours yet.
#[cfg(not(target_os = "linux"))]
pub fn attend(_rings: Rings, _handle: Handle, _window: WindowHandle, _locale: String) {}
