//! Pictures between the sending path and their departure, as the sending path, the encoder's budget and the pacer see them.
//!
//! Shared by the sending task, the encoder's thread and the task of the connection; held for a moment by each.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::probe::ProbeCluster;
use crate::media::MediaTime;

/// Pictures that may wait behind the one that leaves before the sending path keeps what follows.
const ROOM: usize = 2;
/// A picture that waits for longer has got lost on its way to the pacer, and keeps nothing from following.
const LOST_AFTER: Duration = Duration::from_secs(2);
/// Pictures that are remembered at most: of a connection that takes none.
const MAX_PICTURES: usize = 32;

/// A picture whose packets are in the pacer's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rtc) struct QueuedPicture {
    /// Its stream.
    pub(in crate::rtc) ssrc: u32,
    /// Its RTP timestamp.
    pub(in crate::rtc) rtp_timestamp: u32,
    pub(in crate::rtc) keyframe: bool,
    pub(in crate::rtc) captured_at: MediaTime,
    /// Size of the access unit, in bytes.
    pub(in crate::rtc) bytes: usize,
}

#[derive(Debug)]
struct Entry {
    picture: QueuedPicture,
    entered_at: MediaTime,
    /// The first packet has left.
    leaves: bool,
}

impl Entry {
    fn is(&self, ssrc: u32, rtp_timestamp: u32) -> bool {
        (self.picture.ssrc, self.picture.rtp_timestamp) == (ssrc, rtp_timestamp)
    }
}

/// The pictures of one connection that wait for their turn or leave.
#[derive(Debug, Default)]
pub(in crate::rtc) struct PacerQueue {
    /// In the order in which they leave.
    pictures: Mutex<VecDeque<Entry>>,
    /// A probe that is to leave.
    probe: Mutex<Option<ProbeCluster>>,
    /// Told when there is room again.
    pub(in crate::rtc) room: Notify,
}

impl PacerQueue {
    /// Notes a picture whose packets go to the pacer at `now`.
    pub(in crate::rtc) fn enter(&self, picture: QueuedPicture, now: MediaTime) {
        let mut pictures = self.pictures();
        if pictures.len() == MAX_PICTURES {
            pictures.pop_front();
        }
        pictures.push_back(Entry { picture, entered_at: now, leaves: false });
    }

    /// Forgets a picture whose packets the connection did not take.
    pub(in crate::rtc) fn withdraw(&self, ssrc: u32, rtp_timestamp: u32) {
        self.pictures().retain(|entry| !entry.is(ssrc, rtp_timestamp));
        self.room.notify_one();
    }

    /// Asks for a probe; the pacer begins it with the feedback that has led to it.
    pub(in crate::rtc) fn request_probe(&self, cluster: ProbeCluster) {
        *self.probe.lock().unwrap_or_else(PoisonError::into_inner) = Some(cluster);
    }

    /// The probe that is to leave.
    pub(super) fn take_probe(&self) -> Option<ProbeCluster> {
        self.probe.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Pictures of which nothing has left yet at `now`.
    pub(in crate::rtc) fn waiting(&self, now: MediaTime) -> usize {
        let waits = |entry: &&Entry| !entry.leaves && now.since(entry.entered_at) < LOST_AFTER;
        self.pictures().iter().filter(waits).count()
    }

    /// The next picture may come.
    pub(in crate::rtc) fn has_room(&self, now: MediaTime) -> bool {
        self.waiting(now) < ROOM
    }

    /// No picture waits or leaves.
    #[cfg(test)]
    pub(in crate::rtc) fn is_empty(&self) -> bool {
        self.pictures().is_empty()
    }

    /// The first packet of a picture leaves: those of its stream before it have left.
    pub(super) fn begin(&self, ssrc: u32, rtp_timestamp: u32) {
        let mut pictures = self.pictures();
        let Some(index) = pictures.iter().position(|entry| entry.is(ssrc, rtp_timestamp)) else { return };
        let mut place = 0;
        pictures.retain(|entry| {
            place += 1;
            place > index || entry.picture.ssrc != ssrc
        });
        if let Some(entry) = pictures.iter_mut().find(|entry| entry.is(ssrc, rtp_timestamp)) {
            entry.leaves = true;
        }
        drop(pictures);
        self.room.notify_one();
    }

    /// The last packet of a picture leaves.
    pub(super) fn finish(&self, ssrc: u32, rtp_timestamp: u32) -> Option<QueuedPicture> {
        let mut pictures = self.pictures();
        let index = pictures.iter().position(|entry| entry.is(ssrc, rtp_timestamp))?;
        pictures.remove(index).map(|entry| entry.picture)
    }

    /// Nothing of a stream will leave any more.
    pub(super) fn forget(&self, ssrc: u32) {
        self.pictures().retain(|entry| entry.picture.ssrc != ssrc);
        self.room.notify_one();
    }

    fn pictures(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.pictures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: MediaTime = MediaTime::from_millis(5000);

    fn picture(ssrc: u32, rtp_timestamp: u32) -> QueuedPicture {
        QueuedPicture { ssrc, rtp_timestamp, keyframe: false, captured_at: MediaTime::default(), bytes: 1 }
    }

    #[test]
    fn there_is_room_until_two_pictures_wait_behind_the_one_that_leaves() {
        let queue = PacerQueue::default();
        queue.enter(picture(1, 10), NOW);
        queue.begin(1, 10);
        queue.enter(picture(1, 20), NOW);
        assert!(queue.has_room(NOW) && queue.waiting(NOW) == 1);
        queue.enter(picture(1, 30), NOW);
        assert!(!queue.has_room(NOW));
        assert!(queue.has_room(NOW + LOST_AFTER), "they never came to the pacer");
        assert_eq!(queue.finish(1, 10), Some(picture(1, 10)));
        queue.begin(1, 20);
        assert!(queue.has_room(NOW) && queue.finish(1, 10).is_none());
    }

    #[test]
    fn a_picture_whose_end_never_comes_is_forgotten_once_the_next_one_leaves() {
        let queue = PacerQueue::default();
        for (ssrc, timestamp) in [(1, 10), (2, 10), (1, 20)] {
            queue.enter(picture(ssrc, timestamp), NOW);
        }
        queue.begin(1, 20);
        assert_eq!((queue.finish(1, 10), queue.waiting(NOW)), (None, 1), "the other stream's waits");
        queue.withdraw(2, 10);
        queue.forget(1);
        assert!(queue.is_empty());
        (0..100).for_each(|timestamp| queue.enter(picture(1, timestamp), NOW));
        assert_eq!(queue.waiting(NOW), MAX_PICTURES);
    }
}
