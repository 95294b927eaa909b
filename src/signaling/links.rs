//! Links of a route: the way by which each person is reached. Shared by the route's handle, which sends over them, and
//! by the route's task, which chooses them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::identity::PeerId;

/// Queues a frame; false where there is no room.
type Take = Box<dyn Fn(Bytes) -> bool + Send>;

struct Link {
    /// The far app's run.
    run: Arc<str>,
    take: Take,
}

#[derive(Default)]
pub(super) struct Links(Mutex<HashMap<PeerId, Link>>);

impl Links {
    fn lock(&self) -> MutexGuard<'_, HashMap<PeerId, Link>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The way that `take` queues frames for, to this run of the far app, is the person's from now on. The one before
    /// is dropped, and what it owns with it.
    pub(super) fn put(&self, peer: PeerId, run: Arc<str>, take: impl Fn(Bytes) -> bool + Send + 'static) {
        self.lock().insert(peer, Link { run, take: Box::new(take) });
    }

    /// Queues a frame for the person; false when there is none to this run, or no room. The hub may not know
    /// yet that another run is there, to which an acknowledgement would name other messages.
    pub(super) fn send(&self, to: &PeerId, run: &str, frame: Bytes) -> bool {
        let links = self.lock();
        links.get(to).is_some_and(|link| *link.run == *run && (link.take)(frame))
    }

    /// Drops the person's way: a connection of the local network closes with a word.
    pub(super) fn close(&self, peer: &PeerId) {
        self.lock().remove(peer);
    }

    /// Drops everybody's.
    pub(super) fn close_all(&self) {
        self.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_for_a_run_that_has_ended_reaches_no_other() {
        let (links, peer) = (Links::default(), PeerId::from_bytes([1; 32]));
        let (frames, mut sent) = tokio::sync::mpsc::channel(9);
        links.put(peer, "after".into(), move |frame| frames.try_send(frame).is_ok());
        let send = |run| links.send(&peer, run, Bytes::from_static(b"frame"));
        assert_eq!((send("before"), send("after")), (false, true));
        assert!(sent.try_recv().is_ok() && sent.try_recv().is_err());
    }
}
