//! The flag that ends a capture thread, which can also be waited on, so that a thread that paces itself ends at once.

use std::sync::{Condvar, Mutex, PoisonError};

use crate::media::MediaTime;

/// Set once, from any thread.
#[derive(Debug, Default)]
pub struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Ends every thread that looks at the flag or waits on it.
    pub fn set(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// True once `set` was called.
    pub fn is_set(&self) -> bool {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `deadline`, or until the flag is set; true when it is set.
    pub fn wait_until(&self, deadline: MediaTime) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = deadline.since(MediaTime::now());
        let (stopped, _) =
            self.changed.wait_timeout_while(stopped, wait, |stopped| !*stopped).unwrap_or_else(PoisonError::into_inner);
        *stopped
    }
}
