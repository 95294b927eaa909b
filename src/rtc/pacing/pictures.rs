//! Pictures between the sending path and their departure, as the sending path, the encoder's budget and the pacer see them.
//!
//! Shared by the sending task, the encoder's thread and the task of the connection; held for a moment by each.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::probe::ProbeCluster;
use crate::media::MediaTime;

/// Pictures that may wait behind the one that leaves before the sending path keeps what follows.
const ROOM: usize = 2;
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

/// The pictures of one connection that wait for their turn or leave.
#[derive(Debug, Default)]
pub(in crate::rtc) struct PacerQueue {
    /// In the order in which they leave, and whether their first packet has left.
    pictures: Mutex<VecDeque<(QueuedPicture, bool)>>,
    /// A probe that is to leave.
    probe: Mutex<Option<ProbeCluster>>,
    /// Told when there is room again.
    pub(in crate::rtc) room: Notify,
}

impl PacerQueue {
    /// Notes a picture whose packets go to the pacer now.
    pub(in crate::rtc) fn enter(&self, picture: QueuedPicture) {
        let mut pictures = self.pictures();
        if pictures.len() == MAX_PICTURES {
            pictures.pop_front();
        }
        pictures.push_back((picture, false));
    }

    /// Forgets a picture whose packets the connection did not take.
    pub(in crate::rtc) fn withdraw(&self, ssrc: u32, rtp_timestamp: u32) {
        self.pictures().retain(|(picture, _)| (picture.ssrc, picture.rtp_timestamp) != (ssrc, rtp_timestamp));
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

    /// Pictures of which nothing has left yet.
    pub(in crate::rtc) fn waiting(&self) -> usize {
        self.pictures().iter().filter(|(_, leaves)| !leaves).count()
    }

    /// The next picture may come.
    pub(in crate::rtc) fn has_room(&self) -> bool {
        self.waiting() < ROOM
    }

    /// No picture waits or leaves.
    #[cfg(test)]
    pub(in crate::rtc) fn is_empty(&self) -> bool {
        self.pictures().is_empty()
    }

    /// The first packet of a picture leaves: those of its stream before it have left.
    pub(super) fn begin(&self, ssrc: u32, rtp_timestamp: u32) {
        let mut pictures = self.pictures();
        let is_it = |picture: &QueuedPicture| (picture.ssrc, picture.rtp_timestamp) == (ssrc, rtp_timestamp);
        let Some(index) = pictures.iter().position(|(picture, _)| is_it(picture)) else { return };
        let mut place = 0;
        pictures.retain(|(picture, _)| {
            place += 1;
            place > index || picture.ssrc != ssrc
        });
        if let Some((_, leaves)) = pictures.iter_mut().find(|(picture, _)| is_it(picture)) {
            *leaves = true;
        }
        drop(pictures);
        self.room.notify_one();
    }

    /// The last packet of a picture leaves.
    pub(super) fn finish(&self, ssrc: u32, rtp_timestamp: u32) -> Option<QueuedPicture> {
        let mut pictures = self.pictures();
        let is_it = |picture: &QueuedPicture| (picture.ssrc, picture.rtp_timestamp) == (ssrc, rtp_timestamp);
        let index = pictures.iter().position(|(picture, _)| is_it(picture))?;
        pictures.remove(index).map(|(picture, _)| picture)
    }

    /// Nothing of a stream will leave any more.
    pub(super) fn forget(&self, ssrc: u32) {
        self.pictures().retain(|(picture, _)| picture.ssrc != ssrc);
        self.room.notify_one();
    }

    fn pictures(&self) -> MutexGuard<'_, VecDeque<(QueuedPicture, bool)>> {
        self.pictures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(ssrc: u32, rtp_timestamp: u32) -> QueuedPicture {
        QueuedPicture { ssrc, rtp_timestamp, keyframe: false, captured_at: MediaTime::default(), bytes: 1 }
    }

    #[test]
    fn there_is_room_until_two_pictures_wait_behind_the_one_that_leaves() {
        let queue = PacerQueue::default();
        queue.enter(picture(1, 10));
        queue.begin(1, 10);
        queue.enter(picture(1, 20));
        assert!(queue.has_room() && queue.waiting() == 1);
        queue.enter(picture(1, 30));
        assert!(!queue.has_room());
        assert_eq!(queue.finish(1, 10), Some(picture(1, 10)));
        queue.begin(1, 20);
        assert!(queue.has_room() && queue.finish(1, 10).is_none());
    }

    #[test]
    fn a_picture_whose_end_never_comes_is_forgotten_once_the_next_one_leaves() {
        let queue = PacerQueue::default();
        for (ssrc, timestamp) in [(1, 10), (2, 10), (1, 20)] {
            queue.enter(picture(ssrc, timestamp));
        }
        queue.begin(1, 20);
        assert_eq!((queue.finish(1, 10), queue.waiting()), (None, 1), "the other stream's waits");
        queue.withdraw(2, 10);
        queue.forget(1);
        assert!(queue.is_empty());
        (0..100).for_each(|timestamp| queue.enter(picture(1, timestamp)));
        assert_eq!(queue.waiting(), MAX_PICTURES);
    }
}
