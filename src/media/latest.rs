//! The single-slot mailbox between two stages: the latest value wins.
//!
//! It exists because a call is live: a consumer that falls behind wants the newest picture, not a queue of old ones,
//! and memory must not grow. One lock is held for a move of the value, never for work on it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::VideoFrame;

/// The latest picture of a stream, for a tile or an encoder.
pub type FrameSlot = Latest<Arc<VideoFrame>>;

/// A slot for one value. Putting replaces the value; closing wakes every waiter.
pub struct Latest<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    on_put: Option<Box<dyn Fn() + Send + Sync>>,
}

struct State<T> {
    value: Option<T>,
    /// Counts puts, so that a reader can tell whether there is something newer than it has seen.
    version: u64,
    closed: bool,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> std::fmt::Debug for Latest<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Latest").field("version", &self.version()).finish_non_exhaustive()
    }
}

impl<T> Latest<T> {
    /// An empty slot.
    pub fn new() -> Self {
        Self {
            state: Mutex::new(State { value: None, version: 0, closed: false }),
            filled: Condvar::new(),
            on_put: None,
        }
    }

    /// An empty slot that calls `on_put` after each put, on the putting thread (a window asks for a repaint there).
    pub fn with_notice(on_put: impl Fn() + Send + Sync + 'static) -> Self {
        Self { on_put: Some(Box::new(on_put)), ..Self::new() }
    }

    /// Puts `value` in place of the present one, and returns that. After `close` the value is dropped.
    pub fn put(&self, value: T) -> Option<T> {
        let replaced = {
            let mut state = self.lock();
            if state.closed {
                return None;
            }
            state.version += 1;
            state.value.replace(value)
        };
        self.filled.notify_all();
        if let Some(on_put) = &self.on_put {
            on_put();
        }
        replaced
    }

    /// Takes the value out, if there is one.
    pub fn take(&self) -> Option<T> {
        self.lock().value.take()
    }

    /// Waits up to `timeout` for a value and takes it out; `None` after the time or once the slot is closed.
    pub fn take_timeout(&self, timeout: Duration) -> Option<T> {
        let state = self.lock();
        let (mut state, _) = self
            .filled
            .wait_timeout_while(state, timeout, |state| state.value.is_none() && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        state.value.take()
    }

    /// Empties the slot; a tile then shows no picture. Counts as a change and gives notice.
    pub fn clear(&self) {
        {
            let mut state = self.lock();
            state.value = None;
            state.version += 1;
        }
        if let Some(on_put) = &self.on_put {
            on_put();
        }
    }

    /// How many times the slot has changed: another number means another value.
    pub fn version(&self) -> u64 {
        self.lock().version
    }

    /// Closes the slot for good: it drops its value, takes no more, and wakes every waiter.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.value = None;
        drop(state);
        self.filled.notify_all();
    }

    /// True after `close`.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Latest<T> {
    /// A copy of the value and its version, leaving it in place (several readers, as a tile and its thumbnail).
    pub fn get(&self) -> (Option<T>, u64) {
        let state = self.lock();
        (state.value.clone(), state.version)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn the_latest_value_wins() {
        let slot = Latest::new();
        assert_eq!(slot.put(1), None);
        assert_eq!(slot.put(2), Some(1));
        assert_eq!(slot.get(), (Some(2), 2));
        assert_eq!(slot.take(), Some(2));
        assert_eq!(slot.take(), None);
    }

    #[test]
    fn closing_wakes_a_waiter_and_refuses_values() {
        let slot = Arc::new(Latest::<u32>::new());
        let waiter = std::thread::spawn({
            let slot = Arc::clone(&slot);
            move || slot.take_timeout(Duration::from_secs(60))
        });
        slot.close();
        assert_eq!(waiter.join().ok().flatten(), None);
        assert_eq!(slot.put(1), None);
        assert_eq!(slot.take(), None);
    }

    #[test]
    fn each_put_gives_notice() {
        let notices = Arc::new(AtomicUsize::new(0));
        let slot = Latest::with_notice({
            let notices = Arc::clone(&notices);
            move || {
                notices.fetch_add(1, Ordering::Relaxed);
            }
        });
        slot.put('a');
        slot.put('b');
        slot.clear();
        assert_eq!(notices.load(Ordering::Relaxed), 3);
    }
}
