//! Doorbell of the controller's thread.

use std::sync::{Arc, OnceLock};
use std::thread::Thread;

/// Wakes the controller's thread.
#[derive(Clone, Debug, Default)]
pub struct Doorbell(Arc<OnceLock<Thread>>);

impl Doorbell {
    /// Makes the calling thread the one that is woken.
    pub fn attach(&self) {
        let _ = self.0.set(std::thread::current());
    }

    /// Wakes the thread; a ring before it waits is not lost.
    pub fn ring(&self) {
        if let Some(thread) = self.0.get() {
            thread.unpark();
        }
    }
}
