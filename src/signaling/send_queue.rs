//! Send queue of one person: messages in order, each kept until the far app has acknowledged it or it is too late.
//! Pure; time is an argument. Owned by the hub.
//!
//! An acknowledgement is a frame inside the sealed records, so it comes from the far app and not from the carrier of
//! the records. Messages that were under way on a route that went down, or on another way than the best one now, are
//! sent again, with all that follow them to the same device, in order and with the same numbers: whichever copy comes
//! second is dropped there (`inbox`), so nothing is lost and nothing comes twice.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::message::Message;
use super::route::RouteKind;

/// After this long a message is given back as undelivered.
pub(super) const DELIVERY: Duration = Duration::from_secs(5);
const MAX_MESSAGES: usize = 256;
const MAX_BYTES: usize = 512 * 1024;

/// A way to a device of the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) route: RouteKind,
    /// The run of the far app.
    pub(super) run: Arc<str>,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    /// Its frame.
    frame: Bytes,
    /// `None`: a copy of another entry's, for one more device, which nobody waits for.
    message: Option<Message>,
    /// The device that it is for. `None`: any.
    device: Option<Arc<str>>,
    /// The way that has taken it. `None`: no way has, or the one that had is lost.
    sent: Option<Way>,
    deadline: Instant,
}

/// Messages that were not sent by [`SendQueue::send`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sending {
    /// A way had no room for one.
    pub(super) is_refused: bool,
    /// Until when the last one is to be delivered to which no way leads.
    pub(super) without_way: Option<Instant>,
}

#[derive(Debug, Default)]
pub(super) struct SendQueue {
    entries: VecDeque<Entry>,
    bytes: usize,
}

impl SendQueue {
    /// Queues a message for a device, or for any; gives it back when too much waits already. `number` grows from
    /// message to message.
    pub(super) fn push(
        &mut self,
        (number, frame): (u64, Bytes),
        message: Message,
        device: Option<Arc<str>>,
        now: Instant,
    ) -> Result<(), Message> {
        if !self.has_room(&frame) {
            return Err(message);
        }
        self.add((number, frame), Some(message), device, now);
        Ok(())
    }

    /// Queues a frame for one more device, behind all that goes there. Where too much waits, or the device goes, it is
    /// dropped: an app that misses one rings or stops by itself.
    pub(super) fn push_copy(&mut self, (number, frame): (u64, Bytes), device: Arc<str>, now: Instant) {
        if self.has_room(&frame) {
            self.add((number, frame), None, Some(device), now);
        }
    }

    fn has_room(&self, frame: &Bytes) -> bool {
        self.entries.len() < MAX_MESSAGES && self.bytes + frame.len() <= MAX_BYTES
    }

    fn add(&mut self, (number, frame): (u64, Bytes), message: Option<Message>, device: Option<Arc<str>>, now: Instant) {
        self.bytes += frame.len();
        self.entries.push_back(Entry { number, frame, message, device, sent: None, deadline: now + DELIVERY });
    }

    /// Sends the messages that the way to their device has not taken yet, in order and for as long as `take` takes
    /// them.
    pub(super) fn send(
        &mut self,
        way_to: impl Fn(Option<&str>) -> Option<Way>,
        mut take: impl FnMut(&Way, Bytes) -> bool,
    ) -> Sending {
        let (mut sending, mut begun, mut full) = (Sending::default(), Vec::new(), Vec::new());
        for entry in &mut self.entries {
            // A message for any device stays with the one that it was sent to.
            let device = entry.device.as_ref().or(entry.sent.as_ref().map(|way| &way.run));
            let Some(way) = way_to(device.map(|run| &**run)) else {
                if entry.message.is_some() {
                    sending.without_way = Some(entry.deadline);
                }
                continue;
            };
            // A later run of the app has not rung.
            if entry.message.is_none() && device.is_some_and(|run| *run != way.run) {
                continue;
            }
            let is_there = entry.sent.as_ref() == Some(&way) && !begun.contains(&way);
            if is_there || full.contains(&way) {
                continue;
            }
            if take(&way, entry.frame.clone()) {
                entry.sent = Some(way.clone());
                begun.push(way);
            } else {
                sending.is_refused = true;
                full.push(way);
            }
        }
        sending
    }

    /// This run of the far app has read every message to it up to this number.
    pub(super) fn acknowledged(&mut self, run: &str, number: u64) {
        let bytes = &mut self.bytes;
        self.entries.retain(|entry| {
            let is_read = entry.number <= number && entry.sent.as_ref().is_some_and(|way| *way.run == *run);
            *bytes -= if is_read { entry.frame.len() } else { 0 };
            !is_read
        });
    }

    /// A way is lost, or is there anew: messages that it had taken are to be sent again.
    pub(super) fn way_lost(&mut self, way: &Way) {
        for entry in self.entries.iter_mut().filter(|entry| entry.sent.as_ref() == Some(way)) {
            entry.sent = None;
        }
    }

    /// Takes out the messages that are too late.
    pub(super) fn expired(&mut self, now: Instant) -> Vec<Message> {
        let mut late = Vec::new();
        while self.next_deadline().is_some_and(|deadline| deadline <= now) {
            late.extend(self.pop().and_then(|entry| entry.message));
        }
        late
    }

    /// When the next message will be too late.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.entries.front().map(|entry| entry.deadline)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes everything out.
    pub(super) fn drain(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.pop()).filter_map(|entry| entry.message).collect()
    }

    fn pop(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        self.bytes -= entry.frame.len();
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::InviteId;

    const LAN: RouteKind = RouteKind::Lan;
    const SERVER: RouteKind = RouteKind::Server;

    fn message(number: u128) -> Message {
        Message::Ringing { invite: InviteId::from_bits(number) }
    }

    /// A frame that holds its number.
    fn frame(number: u64) -> Bytes {
        Bytes::copy_from_slice(&number.to_be_bytes())
    }

    fn push_for(queue: &mut SendQueue, number: u64, device: Option<&str>, now: Instant) {
        queue.push((number, frame(number)), message(number.into()), device.map(Arc::from), now).unwrap();
    }

    fn filled(count: u64, now: Instant) -> SendQueue {
        let mut queue = SendQueue::default();
        (1..=count).for_each(|number| push_for(&mut queue, number, None, now));
        queue
    }

    fn way(route: RouteKind, run: &str) -> Way {
        Way { route, run: run.into() }
    }

    /// Numbers sent to the one device there is, over a route that has room for so many.
    fn sent(queue: &mut SendQueue, route: RouteKind, room: usize) -> Vec<u64> {
        let mut numbers = Vec::new();
        queue.send(
            |_| Some(way(route, "run")),
            |_, frame| {
                let has_room = numbers.len() < room;
                if has_room {
                    numbers.push(u64::from_be_bytes(frame[..].try_into().unwrap()));
                }
                has_room
            },
        );
        numbers
    }

    #[test]
    fn messages_go_once_in_order_and_again_after_their_way_was_lost() {
        let mut queue = filled(4, Instant::now());
        assert_eq!(sent(&mut queue, LAN, 2), [1, 2]);
        assert_eq!(sent(&mut queue, LAN, 1), [3]);
        queue.acknowledged("run", 1);
        queue.way_lost(&way(SERVER, "run"));
        queue.way_lost(&way(LAN, "another"));
        assert!(sent(&mut queue, LAN, 0).is_empty());
        queue.way_lost(&way(LAN, "run"));
        assert_eq!(sent(&mut queue, LAN, 9), [2, 3, 4]);
        queue.acknowledged("another", u64::MAX);
        assert!(!queue.is_empty());
        queue.acknowledged("run", u64::MAX);
        assert_eq!((queue.is_empty(), queue.bytes), (true, 0));
    }

    #[test]
    fn a_better_route_takes_everything_that_is_not_acknowledged_from_the_first_on() {
        let mut queue = filled(3, Instant::now());
        assert_eq!(sent(&mut queue, SERVER, 9), [1, 2, 3]);
        queue.acknowledged("run", 1);
        assert_eq!(sent(&mut queue, LAN, 1), [2]);
        assert_eq!(sent(&mut queue, LAN, 9), [3]);
        queue.acknowledged("run", 2);
        queue.way_lost(&way(LAN, "run"));
        assert_eq!(sent(&mut queue, SERVER, 9), [3], "the server's own copy may have been dropped behind the other");
        queue.acknowledged("run", 3);
        assert!(queue.is_empty());
    }

    #[test]
    fn each_device_gets_its_own_messages_and_a_full_way_holds_up_no_other() {
        let (mut queue, now) = (SendQueue::default(), Instant::now());
        for (number, device) in [(1, "desk"), (2, "lap"), (3, "desk"), (4, "gone"), (5, "lap")] {
            push_for(&mut queue, number, Some(device), now);
        }
        let mut sent = Vec::new();
        let way_to = |device: Option<&str>| match device {
            Some("desk") => Some(way(SERVER, "desk")),
            Some("lap") => Some(way(LAN, "lap")),
            _ => None,
        };
        let take = |way: &Way, frame: Bytes| {
            let has_room = *way.run == *"lap";
            sent.extend(has_room.then(|| u64::from_be_bytes(frame[..].try_into().unwrap())));
            has_room
        };
        let sending = queue.send(way_to, take);
        assert_eq!((sent, sending), (vec![2, 5], Sending { is_refused: true, without_way: Some(now + DELIVERY) }));
        queue.send(way_to, |_, _| true);
        queue.acknowledged("lap", 5);
        assert_eq!(queue.drain(), [message(1), message(3), message(4)], "the other device has not read its own");
    }

    #[test]
    fn a_copy_keeps_its_place_is_nobodys_and_is_not_for_a_later_run() {
        let (mut queue, now) = (SendQueue::default(), Instant::now());
        push_for(&mut queue, 1, Some("lap"), now);
        queue.push_copy((2, frame(2)), "lap".into(), now);
        queue.push_copy((2, frame(2)), "before".into(), now);
        let way_to = |device: Option<&str>| Some(way(LAN, if device == Some("lap") { "lap" } else { "after" }));
        assert_eq!(queue.send(way_to, |_, _| false), Sending { is_refused: true, without_way: None });
        let mut sent = Vec::new();
        queue.send(way_to, |way, frame| {
            sent.push((way.run.to_string(), u64::from_be_bytes(frame[..].try_into().unwrap())));
            true
        });
        assert_eq!(sent, [("lap".to_owned(), 1), ("lap".to_owned(), 2)]);
        assert_eq!(queue.send(|_| None, |_, _| true), Sending { is_refused: false, without_way: Some(now + DELIVERY) });
        assert_eq!(queue.expired(now + DELIVERY), [message(1)]);
        assert_eq!((queue.is_empty(), queue.bytes), (true, 0));
        let large = Bytes::from(vec![0; 60_000]);
        (0..100).for_each(|number| queue.push_copy((number, large.clone()), "lap".into(), now));
        assert_eq!(queue.entries.len(), MAX_BYTES / 60_000);
    }

    #[test]
    fn nothing_is_acknowledged_before_it_is_sent() {
        let mut queue = filled(2, Instant::now());
        queue.acknowledged("run", u64::MAX);
        assert_eq!(sent(&mut queue, LAN, 1), [1]);
        queue.acknowledged("run", u64::MAX);
        assert_eq!(sent(&mut queue, LAN, 9), [2]);
    }

    #[test]
    fn late_messages_come_back_in_order() {
        let start = Instant::now();
        let mut queue = filled(2, start);
        push_for(&mut queue, 3, None, start + Duration::from_secs(1));
        assert!(queue.expired(start + DELIVERY - Duration::from_millis(1)).is_empty());
        assert_eq!(queue.expired(start + DELIVERY), [message(1), message(2)]);
        assert_eq!(queue.drain(), [message(3)]);
        assert_eq!((queue.bytes, queue.next_deadline()), (0, None));
    }

    #[test]
    fn messages_that_wait_are_bounded_in_number_and_bytes() {
        let now = Instant::now();
        let mut queue = filled(MAX_MESSAGES as u64, now);
        assert_eq!(queue.push((999, frame(999)), message(7), None, now), Err(message(7)));
        let mut queue = SendQueue::default();
        let large = Bytes::from(vec![0; 60_000]);
        let mut push = |number| queue.push((number, large.clone()), message(1), None, now).is_ok();
        assert_eq!((0..100).filter(|&number| push(number)).count(), MAX_BYTES / 60_000);
    }
}
