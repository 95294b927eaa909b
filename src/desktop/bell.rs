//! Bell of the desktop's thread: it wakes after a new snapshot, and nobody waits for it.

#[cfg(target_os = "linux")]
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
#[cfg(target_os = "linux")]
use std::time::Duration;

/// Wakes the desktop's thread after a new snapshot. Never waits.
#[derive(Clone, Debug)]
pub struct Bell(SyncSender<()>);

/// Waiting end of a [`Bell`].
#[derive(Debug)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "other desktops are told nothing yet"))]
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
    /// Waits for the next ring, for so long at most where it is said; false once the bell is gone.
    #[cfg(target_os = "linux")]
    pub(super) fn wait(&self, within: Option<Duration>) -> bool {
        match within {
            Some(within) => self.0.recv_timeout(within) != Err(RecvTimeoutError::Disconnected),
            None => self.0.recv().is_ok(),
        }
    }
}
