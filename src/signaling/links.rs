//! Links of a route: the ways by which each run of a person's app is reached. Shared by the route's handle, which
//! sends over them, and by the route's task, which chooses them.

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
pub(super) struct Links(Mutex<HashMap<PeerId, Vec<Link>>>);

impl Links {
    fn lock(&self) -> MutexGuard<'_, HashMap<PeerId, Vec<Link>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The way that `take` queues frames for leads to this run of the person's app from now on. The one before is
    /// dropped, and what it owns with it.
    pub(super) fn put(&self, peer: PeerId, run: Arc<str>, take: impl Fn(Bytes) -> bool + Send + 'static) {
        let mut links = self.lock();
        let links = links.entry(peer).or_default();
        links.retain(|link| link.run != run);
        links.push(Link { run, take: Box::new(take) });
    }

    /// Queues a frame for this run of the person's app; false when no way leads to it, or has room. The hub may not
    /// know yet that another run is there, to which an acknowledgement would name other messages.
    pub(super) fn send(&self, to: &PeerId, run: &str, frame: Bytes) -> bool {
        let links = self.lock();
        let link = links.get(to).and_then(|links| links.iter().find(|link| *link.run == *run));
        link.is_some_and(|link| (link.take)(frame))
    }

    /// Drops the way to a run of the person's app.
    pub(super) fn close_run(&self, peer: &PeerId, run: &str) {
        let mut all = self.lock();
        if let Some(links) = all.get_mut(peer) {
            links.retain(|link| *link.run != *run);
            if links.is_empty() {
                all.remove(peer);
            }
        }
    }

    /// Drops the person's ways: connections of the local network close with a word.
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

    const FRAME: Bytes = Bytes::from_static(b"frame");

    #[test]
    fn a_frame_for_a_run_that_has_ended_reaches_no_other() {
        let (links, peer) = (Links::default(), PeerId::from_bytes([1; 32]));
        let (frames, mut sent) = tokio::sync::mpsc::channel(9);
        links.put(peer, "before".into(), |_| true);
        links.close_run(&peer, "before");
        links.put(peer, "after".into(), move |frame| frames.try_send(frame).is_ok());
        let send = |run| links.send(&peer, run, FRAME);
        assert_eq!((send("before"), send("after")), (false, true));
        assert!(sent.try_recv().is_ok() && sent.try_recv().is_err());
    }

    #[test]
    fn each_run_has_one_way_and_loses_it_alone() {
        let (links, peer) = (Links::default(), PeerId::from_bytes([1; 32]));
        links.put(peer, "desk".into(), |_| false);
        links.put(peer, "lap".into(), |_| true);
        links.put(peer, "desk".into(), |_| true);
        let reached = || ["desk", "lap"].map(|run| links.send(&peer, run, FRAME));
        assert_eq!(reached(), [true, true]);
        links.close_run(&peer, "lap");
        assert_eq!(reached(), [true, false]);
        links.close_run(&peer, "desk");
        assert!(links.lock().is_empty());
    }
}
