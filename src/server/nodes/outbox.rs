//! Outbox: messages for other nodes that NATS is to take. It never waits and has a bound; more is dropped, and the
//! nodes that miss a message begin their link anew.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::cluster::Publication;

/// Messages, and bytes of them, that wait.
const MAX_MESSAGES: usize = 8192;
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// A fuller outbox has no room for messages that can wait.
const ROOM: usize = MAX_MESSAGES / 8;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::server) struct Outbox {
    waiting: Mutex<Waiting>,
    changed: Notify,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Publication>,
    bytes: usize,
}

impl Outbox {
    /// Takes a message, or drops it where too much waits.
    pub(in crate::server) fn put(&self, publication: Publication) {
        let mut waiting = self.lock();
        let bytes = waiting.bytes + publication.message.len();
        if bytes > MAX_BYTES || waiting.messages.len() >= MAX_MESSAGES {
            self.drop_one();
            return;
        }
        waiting.bytes = bytes;
        waiting.messages.push_back(publication);
        self.changed.notify_one();
    }

    /// Whether little waits.
    pub(in crate::server) fn has_room(&self) -> bool {
        let waiting = self.lock();
        waiting.messages.len() < ROOM && waiting.bytes < MAX_BYTES / 8
    }

    /// Messages that were dropped, since the start.
    pub(in crate::server) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Notes a message that was dropped.
    pub(super) fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// The next message.
    pub(super) async fn next(&self) -> Publication {
        loop {
            if let Some(publication) = self.take() {
                return publication;
            }
            self.changed.notified().await;
        }
    }

    fn take(&self) -> Option<Publication> {
        let mut waiting = self.lock();
        let publication = waiting.messages.pop_front()?;
        waiting.bytes -= publication.message.len();
        Some(publication)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::server::nodes::cluster::Destination;

    fn message(size: usize) -> Publication {
        Publication { to: Destination::All, message: Bytes::from(vec![0; size]) }
    }

    #[tokio::test]
    async fn it_is_bounded_by_number_and_by_bytes_and_drops_the_newest() {
        let outbox = Outbox::default();
        (0..MAX_MESSAGES + 3).for_each(|number| outbox.put(message(number % 7)));
        assert_eq!((outbox.dropped(), outbox.has_room()), (3, false));
        for number in 0..MAX_MESSAGES {
            assert_eq!(outbox.next().await.message.len(), number % 7);
        }
        assert!(outbox.has_room());
        (0..5).for_each(|_| outbox.put(message(1024 * 1024)));
        assert_eq!((outbox.dropped(), outbox.lock().bytes), (4, MAX_BYTES));
    }
}
