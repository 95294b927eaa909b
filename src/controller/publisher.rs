//! Decides when the window's snapshot is made anew: at most every 10 ms, however much happens. And who is told.

use std::sync::Arc;
use std::time::Duration;

use crate::media::{Latest, MediaTime};

use super::{HistoryEntry, Snapshot};

const AT_MOST_EVERY: Duration = Duration::from_millis(10);

/// Within which time a new picture should be drawn: at once, but told from a new snapshot, which has no delay.
pub(super) const PICTURE_SOON: Duration = Duration::from_nanos(1);

/// What is called when there is something new to draw, with the time within which it should be drawn.
pub(super) type Repaint = Arc<dyn Fn(Duration) + Send + Sync>;

/// Where snapshots go, and who is told.
pub(super) type Publication = (Arc<Latest<Arc<Snapshot>>>, Repaint);

/// Decides when a snapshot is due.
pub(super) struct Publisher {
    snapshot: Arc<Latest<Arc<Snapshot>>>,
    repaint: Repaint,
    published_at: MediaTime,
    due: Option<MediaTime>,
    /// Read from the store when it has changed, not for each snapshot.
    history: Option<Arc<[HistoryEntry]>>,
}

impl Publisher {
    pub(super) fn new(snapshot: Arc<Latest<Arc<Snapshot>>>, repaint: Repaint) -> Self {
        Self { snapshot, repaint, published_at: MediaTime::default(), due: None, history: None }
    }

    /// Publishes `snapshot` at `now`.
    pub(super) fn put(&mut self, now: MediaTime, snapshot: Snapshot) {
        self.published_at = now;
        self.due = None;
        self.snapshot.put(Arc::new(snapshot));
        (self.repaint)(Duration::ZERO);
    }

    /// The history as the window shows it; `read` is asked for it when it has changed.
    pub(super) fn history(&mut self, read: impl FnOnce() -> Arc<[HistoryEntry]>) -> Arc<[HistoryEntry]> {
        Arc::clone(self.history.get_or_insert_with(read))
    }

    /// Something changed.
    pub(super) fn mark(&mut self) {
        self.due.get_or_insert(self.published_at + AT_MOST_EVERY);
    }

    /// When the next snapshot is due.
    pub(super) const fn due(&self) -> Option<MediaTime> {
        self.due
    }

    /// For new pictures: they need a repaint, not a snapshot.
    pub(super) fn repaint(&self) -> Repaint {
        Arc::clone(&self.repaint)
    }

    /// The history has changed.
    pub(super) fn forget_history(&mut self) {
        self.history = None;
        self.mark();
    }

    /// Nothing more will be published.
    pub(super) fn close(self) {
        self.snapshot.close();
        (self.repaint)(Duration::ZERO);
    }
}
