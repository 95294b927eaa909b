//! Send queue of one person: messages in order, each kept until the far app has acknowledged it or it is too late.
//! Pure; time is an argument. Owned by the hub.
//!
//! An acknowledgement is a frame inside the sealed records, so it comes from the far app and not from the carrier of
//! the records. Messages that were under way on a route that went down, or on another route than the best one now, are
//! sent again, all and in order, with the same numbers: whichever copy comes second is dropped there (`inbox`), so
//! nothing is lost and nothing comes twice.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::message::Message;
use super::route::RouteKind;

/// After this long a message is given back as undelivered.
pub(super) const DELIVERY: Duration = Duration::from_secs(5);
const MAX_MESSAGES: usize = 256;
const MAX_BYTES: usize = 512 * 1024;

/// State of a message that is not acknowledged yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delivery {
    /// No route has taken it, or the one that had taken it is down.
    Pending,
    /// A route has taken it.
    Sent(RouteKind),
}

#[derive(Debug)]
struct Entry {
    number: u64,
    /// Its frame.
    frame: Bytes,
    message: Message,
    delivery: Delivery,
    deadline: Instant,
}

#[derive(Debug, Default)]
pub(super) struct SendQueue {
    entries: VecDeque<Entry>,
    bytes: usize,
}

impl SendQueue {
    /// Queues a message; gives it back when too much waits already. `number` grows from message to message.
    pub(super) fn push(&mut self, number: u64, frame: Bytes, message: Message, now: Instant) -> Result<(), Message> {
        if self.entries.len() >= MAX_MESSAGES || self.bytes + frame.len() > MAX_BYTES {
            return Err(message);
        }
        self.bytes += frame.len();
        let deadline = now + DELIVERY;
        self.entries.push_back(Entry { number, frame, message, delivery: Delivery::Pending, deadline });
        Ok(())
    }

    /// Sends over `route`, in order and for as long as `take` takes them, the messages that it has not taken yet;
    /// whether it has taken all.
    pub(super) fn send_over(&mut self, route: RouteKind, mut take: impl FnMut(Bytes) -> bool) -> bool {
        let sent = Delivery::Sent(route);
        for entry in self.entries.iter_mut().skip_while(|entry| entry.delivery == sent) {
            if !take(entry.frame.clone()) {
                return false;
            }
            entry.delivery = sent;
        }
        true
    }

    /// The far app has read every message up to this number.
    pub(super) fn acknowledged(&mut self, number: u64) {
        let is_read = |entry: &Entry| entry.number <= number && entry.delivery != Delivery::Pending;
        while self.entries.front().is_some_and(is_read) {
            self.pop();
        }
    }

    /// The route has gone down or is up anew: messages that it had taken are pending again.
    pub(super) fn route_lost(&mut self, route: RouteKind) {
        let lost = Delivery::Sent(route);
        for entry in self.entries.iter_mut().filter(|entry| entry.delivery == lost) {
            entry.delivery = Delivery::Pending;
        }
    }

    /// Takes out the messages that are too late.
    pub(super) fn expired(&mut self, now: Instant) -> Vec<Message> {
        let mut late = Vec::new();
        while self.next_deadline().is_some_and(|deadline| deadline <= now) {
            late.extend(self.pop());
        }
        late
    }

    /// When the next message will be too late.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.entries.front().map(|entry| entry.deadline)
    }

    /// When the last message will be too late.
    pub(super) fn last_deadline(&self) -> Option<Instant> {
        self.entries.back().map(|entry| entry.deadline)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes everything out.
    pub(super) fn drain(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.pop()).collect()
    }

    fn pop(&mut self) -> Option<Message> {
        let entry = self.entries.pop_front()?;
        self.bytes -= entry.frame.len();
        Some(entry.message)
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

    fn filled(count: u64, now: Instant) -> SendQueue {
        let mut queue = SendQueue::default();
        for number in 1..=count {
            queue.push(number, frame(number), message(number.into()), now).unwrap();
        }
        queue
    }

    fn sent(queue: &mut SendQueue, route: RouteKind, room: usize) -> Vec<u64> {
        let mut numbers = Vec::new();
        queue.send_over(route, |frame| {
            let has_room = numbers.len() < room;
            if has_room {
                numbers.push(u64::from_be_bytes(frame[..].try_into().unwrap()));
            }
            has_room
        });
        numbers
    }

    #[test]
    fn messages_go_once_in_order_and_again_after_their_route_was_lost() {
        let mut queue = filled(4, Instant::now());
        assert_eq!(sent(&mut queue, LAN, 2), [1, 2]);
        assert_eq!(sent(&mut queue, LAN, 1), [3]);
        queue.acknowledged(1);
        queue.route_lost(SERVER);
        assert!(sent(&mut queue, LAN, 0).is_empty());
        queue.route_lost(LAN);
        assert_eq!(sent(&mut queue, LAN, 9), [2, 3, 4]);
        queue.acknowledged(u64::MAX);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_better_route_takes_everything_that_is_not_acknowledged_from_the_first_on() {
        let mut queue = filled(3, Instant::now());
        assert_eq!(sent(&mut queue, SERVER, 9), [1, 2, 3]);
        queue.acknowledged(1);
        assert_eq!(sent(&mut queue, LAN, 1), [2]);
        assert_eq!(sent(&mut queue, LAN, 9), [3]);
        queue.acknowledged(2);
        queue.route_lost(LAN);
        assert_eq!(sent(&mut queue, SERVER, 9), [3], "the server's own copy may have been dropped behind the other");
        queue.acknowledged(3);
        assert!(queue.is_empty());
    }

    #[test]
    fn nothing_is_acknowledged_before_it_is_sent() {
        let mut queue = filled(2, Instant::now());
        queue.acknowledged(u64::MAX);
        assert_eq!(sent(&mut queue, LAN, 1), [1]);
        queue.acknowledged(u64::MAX);
        assert_eq!(sent(&mut queue, LAN, 9), [2]);
    }

    #[test]
    fn late_messages_come_back_in_order() {
        let start = Instant::now();
        let mut queue = filled(2, start);
        queue.push(3, frame(3), message(3), start + Duration::from_secs(1)).unwrap();
        assert!(queue.expired(start + DELIVERY - Duration::from_millis(1)).is_empty());
        assert_eq!(queue.expired(start + DELIVERY), [message(1), message(2)]);
        assert_eq!(queue.drain(), [message(3)]);
        assert_eq!((queue.bytes, queue.last_deadline()), (0, None));
    }

    #[test]
    fn messages_that_wait_are_bounded_in_number_and_bytes() {
        let now = Instant::now();
        let mut queue = filled(MAX_MESSAGES as u64, now);
        assert_eq!(queue.push(999, frame(999), message(7), now), Err(message(7)));
        let mut queue = SendQueue::default();
        let large = Bytes::from(vec![0; 60_000]);
        let taken = (0..100).filter(|&number| queue.push(number, large.clone(), message(1), now).is_ok()).count();
        assert_eq!(taken, MAX_BYTES / 60_000);
    }
}
