//! Bell of the desktop's thread: it wakes after a new snapshot, or when the tray comes or goes, and nobody waits for
//! it.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Weak};

#[cfg(target_os = "linux")]
use std::{sync::mpsc::RecvTimeoutError, time::Duration};

/// Wakes the desktop's thread after a new snapshot. Never waits.
#[derive(Clone, Debug)]
pub struct Bell(Arc<SyncSender<()>>);

/// The same for parts of the desktop's thread, which ends although they have it.
#[derive(Clone, Debug)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "other desktops are told nothing yet"))]
pub(super) struct InnerBell(Weak<SyncSender<()>>);

/// Waiting end of a [`Bell`].
#[derive(Debug)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "other desktops are told nothing yet"))]
pub struct Rings {
    rings: Receiver<()>,
    bell: InnerBell,
}

/// A bell and its waiting end.
pub fn bell() -> (Bell, Rings) {
    let (bell, rings) = sync_channel(1);
    let bell = Arc::new(bell);
    let inner = InnerBell(Arc::downgrade(&bell));
    (Bell(bell), Rings { rings, bell: inner })
}

impl Bell {
    /// There is a new snapshot. One that is waited for already tells of this one, too.
    pub fn ring(&self) {
        let _ = self.0.try_send(());
    }
}

#[cfg(target_os = "linux")]
impl InnerBell {
    /// As [`Bell::ring`].
    pub(super) fn ring(&self) {
        let _ = self.0.upgrade().map(|bell| bell.try_send(()));
    }
}

impl Rings {
    /// The bell, for parts of the desktop's thread.
    #[cfg(target_os = "linux")]
    pub(super) fn bell(&self) -> InnerBell {
        self.bell.clone()
    }

    /// Waits for the next ring, for so long at most where it is said; false once the bell is gone.
    #[cfg(target_os = "linux")]
    pub(super) fn wait(&self, within: Option<Duration>) -> bool {
        match within {
            Some(within) => self.rings.recv_timeout(within) != Err(RecvTimeoutError::Disconnected),
            None => self.rings.recv().is_ok(),
        }
    }
}
