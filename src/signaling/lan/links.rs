//! Links: the connection by which each person is reached. Shared by the route's handle, which sends over them, and by the
//! route's task, which chooses them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::identity::PeerId;

#[derive(Debug, Default)]
pub(super) struct Links(Mutex<HashMap<PeerId, mpsc::Sender<Bytes>>>);

impl Links {
    fn lock(&self) -> MutexGuard<'_, HashMap<PeerId, mpsc::Sender<Bytes>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that takes `frames` is the person's from now on; the one before closes.
    pub(super) fn put(&self, peer: PeerId, frames: mpsc::Sender<Bytes>) {
        self.lock().insert(peer, frames);
    }

    /// Queues a frame on the person's connection; false when there is none, or no room.
    pub(super) fn send(&self, to: &PeerId, frame: Bytes) -> bool {
        self.lock().get(to).is_some_and(|frames| frames.try_send(frame).is_ok())
    }

    /// Has the person's connection close with a word.
    pub(super) fn close(&self, peer: &PeerId) {
        self.lock().remove(peer);
    }

    /// Has every connection close with a word.
    pub(super) fn close_all(&self) {
        self.lock().clear();
    }
}
