//! Pictures between the sending path and their departure, as the sending path, the encoder's budget and the pacer see
//! them.
//!
//! Shared by the sending task, the encoder's thread and the task of the connection; held for a moment by each.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::probe::ProbeCluster;
use crate::media::MediaTime;

/// Pictures that may wait behind the one that leaves before the sending path keeps the next ones.
const ROOM: usize = 2;
/// A picture that waits for longer has got lost on its way to the pacer, and keeps nothing from following.
const LOST_AFTER: Duration = Duration::from_secs(2);
/// A picture that leaves for longer has lost its end on its way to the pacer. A large keyframe on a thin path takes
/// seconds.
const ENDLESS_AFTER: Duration = Duration::from_secs(10);
/// Pictures that would take longer than this to leave come too late: a smaller keyframe in their place is seen sooner.
const MAX_BACKLOG: Duration = Duration::from_millis(300);
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

/// The mark of the first packet of a keyframe: a custom attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rtc) struct KeyframeStart;

#[derive(Debug)]
struct Entry {
    picture: QueuedPicture,
    entered_at: MediaTime,
    /// The first packet has left.
    leaves: bool,
    /// Bytes of payload that have left.
    left_bytes: usize,
}

impl Entry {
    fn is(&self, ssrc: u32, rtp_timestamp: u32) -> bool {
        (self.picture.ssrc, self.picture.rtp_timestamp) == (ssrc, rtp_timestamp)
    }

    fn waits(&self, now: MediaTime) -> bool {
        !self.leaves && now.since(self.entered_at) < LOST_AFTER
    }
}

/// The pictures of one connection that wait for their turn or leave.
#[derive(Debug, Default)]
pub(in crate::rtc) struct PacerQueue {
    /// In the order in which they leave.
    pictures: Mutex<VecDeque<Entry>>,
    /// A probe that is to leave.
    probe: Mutex<Option<ProbeCluster>>,
    /// Streams whose packets are not to leave any more.
    given_up: Mutex<Vec<u32>>,
    /// Told when there may be room again.
    room: watch::Sender<()>,
}

impl PacerQueue {
    /// Notes a picture whose packets go to the pacer at `now`.
    pub(in crate::rtc) fn enter(&self, picture: QueuedPicture, now: MediaTime) {
        let mut pictures = self.pictures();
        if pictures.len() == MAX_PICTURES {
            pictures.pop_front();
        }
        pictures.push_back(Entry { picture, entered_at: now, leaves: false, left_bytes: 0 });
    }

    /// Forgets a picture whose packets the connection did not take.
    pub(in crate::rtc) fn withdraw(&self, ssrc: u32, rtp_timestamp: u32) {
        self.pictures().retain(|entry| !entry.is(ssrc, rtp_timestamp));
        self.room.send_replace(());
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
        self.pictures().iter().filter(|entry| entry.waits(now)).count()
    }

    /// When the next picture may come if nothing leaves before, as seen at `now`.
    pub(in crate::rtc) fn room_by(&self, now: MediaTime) -> MediaTime {
        // The last one behind which there is room is the first one of those that wait to be given up.
        let pictures = self.pictures();
        let last = pictures.iter().rev().filter(|entry| entry.waits(now)).nth(ROOM - 1);
        last.map_or(now, |entry| entry.entered_at + LOST_AFTER)
    }

    /// Notices that there may be room again, for one stream's sending path: each gets them all.
    pub(in crate::rtc) fn room(&self) -> watch::Receiver<()> {
        self.room.subscribe()
    }

    /// A keyframe of a stream waits or leaves at `now`.
    pub(in crate::rtc) fn holds_keyframe(&self, ssrc: u32, now: MediaTime) -> bool {
        let leaves = |entry: &Entry| entry.leaves && now.since(entry.entered_at) < ENDLESS_AFTER;
        let is_its = |entry: &Entry| entry.picture.keyframe && entry.picture.ssrc == ssrc;
        self.pictures().iter().any(|entry| is_its(entry) && (entry.waits(now) || leaves(entry)))
    }

    /// Gives up the pictures of a stream where they would take too long to leave at `bps`: they were made for a path
    /// that has become narrower since. True where that was so: a keyframe must follow. A keyframe is never given up.
    pub(in crate::rtc) fn give_up_overdue(&self, ssrc: u32, bps: u64, now: MediaTime) -> bool {
        let mut pictures = self.pictures();
        let its =
            || pictures.iter().filter(|entry| entry.picture.ssrc == ssrc && now.since(entry.entered_at) < LOST_AFTER);
        let left = |entry: &Entry| entry.picture.bytes.saturating_sub(entry.left_bytes) as u64 * 8;
        let bits = its().map(left).sum::<u64>();
        let overdue =
            bits as f64 > bps as f64 * MAX_BACKLOG.as_secs_f64() && its().all(|entry| !entry.picture.keyframe);
        if overdue {
            pictures.retain(|entry| entry.picture.ssrc != ssrc);
            drop(pictures);
            self.given_up.lock().unwrap_or_else(PoisonError::into_inner).push(ssrc);
            self.room.send_replace(());
        }
        overdue
    }

    /// A stream whose packets are not to leave any more, once for each time that it was given up.
    pub(super) fn take_given_up(&self) -> Option<u32> {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// A keyframe of a stream waits for its turn: no packet that left before is of use.
    pub(in crate::rtc) fn keyframe_waits(&self, ssrc: u32, now: MediaTime) -> bool {
        let is_its = |entry: &Entry| entry.picture.keyframe && entry.picture.ssrc == ssrc;
        self.pictures().iter().any(|entry| is_its(entry) && entry.waits(now))
    }

    /// A packet of a picture comes to the pacer. True where the picture is a keyframe: it replaces the pictures of its
    /// stream that came before it, unless one of those is a keyframe, which is seen sooner.
    pub(super) fn supersede(&self, ssrc: u32, rtp_timestamp: u32) -> bool {
        let mut pictures = self.pictures();
        let Some(index) = pictures.iter().position(|entry| entry.is(ssrc, rtp_timestamp)) else { return false };
        let is_its_keyframe = |entry: &Entry| entry.picture.keyframe && entry.picture.ssrc == ssrc;
        let replaces = is_its_keyframe(&pictures[index]) && !pictures.range(..index).any(is_its_keyframe);
        if replaces {
            drop_before(&mut pictures, index, ssrc);
            drop(pictures);
            self.room.send_replace(());
        }
        replaces
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

    /// So many bytes of a picture leave.
    pub(super) fn note_left(&self, ssrc: u32, rtp_timestamp: u32, bytes: usize) {
        if let Some(entry) = self.pictures().iter_mut().find(|entry| entry.is(ssrc, rtp_timestamp)) {
            entry.left_bytes += bytes;
        }
    }

    /// A packet of a picture leaves: the pictures of its stream before it have left. True when a keyframe begins.
    pub(super) fn begin(&self, ssrc: u32, rtp_timestamp: u32) -> bool {
        let mut pictures = self.pictures();
        let Some(index) = pictures.iter().position(|entry| entry.is(ssrc, rtp_timestamp)) else { return false };
        let begins_keyframe = !pictures[index].leaves && pictures[index].picture.keyframe;
        drop_before(&mut pictures, index, ssrc);
        if let Some(entry) = pictures.iter_mut().find(|entry| entry.is(ssrc, rtp_timestamp)) {
            entry.leaves = true;
        }
        drop(pictures);
        self.room.send_replace(());
        begins_keyframe
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
        self.room.send_replace(());
    }

    fn pictures(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.pictures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets the pictures of a stream before the one at `index`.
fn drop_before(pictures: &mut VecDeque<Entry>, index: usize, ssrc: u32) {
    let mut place = 0;
    pictures.retain(|entry| {
        place += 1;
        place > index || entry.picture.ssrc != ssrc
    });
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
    fn there_is_room_by_the_time_at_which_one_of_those_that_wait_is_given_up() {
        let queue = PacerQueue::default();
        assert_eq!(queue.room_by(NOW), NOW);
        let later = |ms| NOW + Duration::from_millis(ms);
        [0, 10, 20].into_iter().for_each(|ms| queue.enter(picture(1, ms as u32), later(ms)));
        assert_eq!(queue.room_by(later(30)), later(10) + LOST_AFTER);
        assert!(queue.has_room(later(10) + LOST_AFTER) && !queue.has_room(later(9) + LOST_AFTER));
    }

    #[test]
    fn the_sending_paths_of_all_streams_hear_of_room() {
        let queue = PacerQueue::default();
        let mut paths = [queue.room(), queue.room()];
        let mut heard = || {
            let heard = paths.iter().all(|path| path.has_changed().unwrap());
            paths.iter_mut().for_each(|path| path.mark_unchanged());
            heard
        };
        assert!(!heard());
        queue.enter(picture(1, 10), NOW);
        queue.begin(1, 10);
        assert!(heard());
        queue.withdraw(1, 10);
        assert!(heard());
        queue.forget(1);
        assert!(heard());
    }

    #[test]
    fn a_keyframe_is_held_until_it_has_left_or_got_lost() {
        let key = |timestamp| QueuedPicture { keyframe: true, ..picture(1, timestamp) };
        let queue = PacerQueue::default();
        queue.enter(key(10), NOW);
        assert!(queue.holds_keyframe(1, NOW) && !queue.holds_keyframe(2, NOW), "it is the other stream's");
        assert!(!queue.holds_keyframe(1, NOW + LOST_AFTER), "it never came to the pacer");
        assert_eq!([queue.begin(1, 10), queue.begin(1, 10)], [true, false], "its first packet");
        assert!(queue.holds_keyframe(1, NOW + LOST_AFTER), "it leaves slowly");
        assert!(!queue.holds_keyframe(1, NOW + ENDLESS_AFTER));
        queue.enter(picture(1, 20), NOW);
        assert!(!queue.begin(1, 20) && !queue.holds_keyframe(1, NOW), "its end never came");
        queue.enter(key(30), NOW);
        queue.withdraw(1, 30);
        assert!(!queue.holds_keyframe(1, NOW), "the connection did not take it");
    }

    #[test]
    fn pictures_that_would_take_too_long_to_leave_are_given_up_but_no_keyframe() {
        let of = |ssrc, timestamp, keyframe, bytes| QueuedPicture { keyframe, bytes, ..picture(ssrc, timestamp) };
        let queue = PacerQueue::default();
        for (ssrc, timestamp, bytes) in [(1, 10, 3000), (2, 10, 9000), (1, 20, 3000)] {
            queue.enter(of(ssrc, timestamp, false, bytes), NOW);
        }
        queue.begin(1, 10);
        assert!(!queue.give_up_overdue(1, 170_000, NOW), "48 kbit of the stream take 300 ms at 160 kbit/s");
        assert!(!queue.give_up_overdue(1, 80_000, NOW + LOST_AFTER), "they got lost");
        assert_eq!(queue.take_given_up(), None);
        queue.note_left(1, 10, 1000);
        assert!(!queue.give_up_overdue(1, 150_000, NOW), "40 kbit are left");
        assert!(queue.give_up_overdue(1, 130_000, NOW));
        assert_eq!((queue.take_given_up(), queue.take_given_up(), queue.waiting(NOW)), (Some(1), None, 1));
        queue.enter(of(1, 30, true, 9000), NOW);
        assert!(!queue.give_up_overdue(1, 1000, NOW), "a keyframe may take its time");
        assert!(queue.keyframe_waits(1, NOW) && !queue.keyframe_waits(2, NOW));
        queue.begin(1, 30);
        assert!(!queue.keyframe_waits(1, NOW));
    }

    #[test]
    fn a_keyframe_replaces_the_pictures_of_its_stream_that_came_before_it() {
        let queue = PacerQueue::default();
        for (ssrc, timestamp) in [(1, 10), (2, 10), (1, 20)] {
            queue.enter(picture(ssrc, timestamp), NOW);
        }
        assert!(!queue.supersede(1, 20) && queue.waiting(NOW) == 3);
        queue.enter(QueuedPicture { keyframe: true, ..picture(1, 30) }, NOW);
        assert!(queue.supersede(1, 30) && queue.waiting(NOW) == 2, "it, and the picture of the other stream");
        assert_eq!((queue.finish(1, 10), queue.finish(1, 20)), (None, None));
        queue.enter(QueuedPicture { keyframe: true, ..picture(1, 40) }, NOW);
        assert!(!queue.supersede(1, 40) && queue.finish(1, 30).is_some(), "the first of two keyframes is seen sooner");
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
