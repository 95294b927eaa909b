//! Publisher: events as they happen, and the window's view: the snapshot, made anew at most every 10 ms however much
//! happens, the quiet notes in it, and the word to the window that there is something to draw.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::media::{Latest, MediaTime};

use super::notices::Notices;
use super::{Event, HistoryEntry, Notice, Snapshot};

/// Between two snapshots, at least.
const AT_MOST_EVERY: Duration = Duration::from_millis(10);

/// Change that the window is to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repaint {
    /// A new snapshot: the layout may change.
    Layout,
    /// A new picture or level.
    Picture,
    /// A new picture of one's own beside those of others: two streams out of phase would be drawn sixty times a second,
    /// so it is drawn together with theirs.
    OwnPicture,
    /// A new picture of one's own that nobody else's is drawn with: a mirror needs no more than 15 a second.
    Mirror,
}

/// Callback for each event.
pub(super) type EventSink = Box<dyn Fn(Event) + Send>;

/// The word to the window; called from several threads.
pub(super) type OnChange = Arc<dyn Fn(Repaint) + Send + Sync>;

/// Where events and snapshots go.
pub(super) struct Publication {
    /// Gets each event.
    pub(super) events: EventSink,
    /// The snapshots' slot.
    pub(super) snapshot: Arc<Latest<Arc<Snapshot>>>,
    /// The word to the window.
    pub(super) on_change: OnChange,
}

/// History as the window shows it.
#[derive(Clone, Debug)]
pub(super) struct ShownHistory {
    /// The calls, latest first.
    pub(super) calls: Arc<[HistoryEntry]>,
    /// Missed calls that nobody has looked at, of every call that is kept.
    pub(super) missed: u32,
}

/// Tells events, and decides when a snapshot is due.
pub(super) struct Publisher {
    events: EventSink,
    snapshot: Arc<Latest<Arc<Snapshot>>>,
    on_change: OnChange,
    published_at: MediaTime,
    due: Option<MediaTime>,
    /// Read from the store when it has changed, not for each snapshot.
    history: Option<ShownHistory>,
    notices: Notices,
    /// Pictures of others may be on screen.
    others_drawn: Arc<AtomicBool>,
}

impl Publisher {
    pub(super) fn new(Publication { events, snapshot, on_change }: Publication) -> Self {
        Self {
            events,
            snapshot,
            on_change,
            published_at: MediaTime::default(),
            due: None,
            history: None,
            notices: Notices::default(),
            others_drawn: Arc::default(),
        }
    }

    /// Tells an event.
    pub(super) fn report(&self, event: Event) {
        (self.events)(event);
    }

    /// Publishes `snapshot` at `now`.
    pub(super) fn put(&mut self, now: MediaTime, snapshot: Snapshot) {
        self.published_at = now;
        self.due = None;
        self.snapshot.put(Arc::new(snapshot));
        (self.on_change)(Repaint::Layout);
    }

    /// The history as the window shows it; `read` is asked for it when it has changed.
    pub(super) fn history(&mut self, read: impl FnOnce() -> ShownHistory) -> ShownHistory {
        self.history.get_or_insert_with(read).clone()
    }

    /// The history has changed.
    pub(super) fn forget_history(&mut self) {
        self.history = None;
        self.mark();
    }

    /// Something changed.
    pub(super) fn mark(&mut self) {
        self.due.get_or_insert(self.published_at + AT_MOST_EVERY);
    }

    /// When the next snapshot is due.
    pub(super) const fn due(&self) -> Option<MediaTime> {
        self.due
    }

    /// The notes at the window's edge, about to be changed.
    pub(super) fn notices(&mut self) -> &mut Notices {
        self.mark();
        &mut self.notices
    }

    /// The notes as the window shows them, oldest first.
    pub(super) fn noted(&self) -> Vec<Notice> {
        self.notices.list()
    }

    /// Notice of a new picture or level of others: it needs a repaint, not a snapshot.
    pub(super) fn picture_notice(&self) -> impl Fn() + Clone + Send + Sync + 'static {
        let on_change = Arc::clone(&self.on_change);
        move || on_change(Repaint::Picture)
    }

    /// Notice of a new picture of one's own.
    pub(super) fn own_picture_notice(&self) -> impl Fn() + Send + Sync + 'static {
        let (on_change, others_drawn) = (Arc::clone(&self.on_change), Arc::clone(&self.others_drawn));
        move || on_change(if others_drawn.load(Ordering::Relaxed) { Repaint::OwnPicture } else { Repaint::Mirror })
    }

    /// Notes whether pictures of others may be on screen.
    pub(super) fn set_others_drawn(&self, drawn: bool) {
        self.others_drawn.store(drawn, Ordering::Relaxed);
    }

    /// Nothing more will be published.
    pub(super) fn close(self) {
        self.snapshot.close();
        (self.on_change)(Repaint::Layout);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn ones_own_picture_waits_for_those_of_others_while_there_are_any() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        let on_change = move |repaint| heard.lock().unwrap().push(repaint);
        let (events, snapshot) = (Box::new(drop), Arc::new(Latest::new()));
        let mut publisher = Publisher::new(Publication { events, snapshot, on_change: Arc::new(on_change) });
        let (own, others) = (publisher.own_picture_notice(), publisher.picture_notice());
        own();
        publisher.set_others_drawn(true);
        own();
        others();
        assert_eq!(*told.lock().unwrap(), [Repaint::Mirror, Repaint::OwnPicture, Repaint::Picture]);
        assert_eq!(publisher.due(), None, "pictures need no snapshot");
        publisher.notices().forget_silence();
        assert_eq!(publisher.due(), Some(MediaTime::default() + AT_MOST_EVERY));
    }
}
