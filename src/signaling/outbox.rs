//! Letters that wait to reach one person: in order, kept until the far side has read them or it is too late. Pure; time
//! is an argument. Owned by the hub, one a person.
//!
//! A letter that was under way when a connection broke is sent again, with the same number, over the next one: whichever
//! copy comes second is passed over there (see `inbox`), so nothing is lost and nothing comes twice.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::Message;

/// After this long a message is given back as undelivered.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
const MAX_LETTERS: usize = 256;
const MAX_BYTES: usize = 512 * 1024;

/// One message.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    /// Grows from letter to letter of one run of this app, whoever it is for.
    pub(super) number: u64,
    /// Body of its record.
    pub(super) body: Bytes,
}

#[derive(Debug)]
struct Entry {
    letter: Letter,
    message: Message,
    deadline: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    entries: VecDeque<Entry>,
    /// How many of them, from the front, the present connection has taken.
    taken: usize,
    bytes: usize,
}

impl Outbox {
    /// Queues a message; gives it back when too much waits already.
    pub(super) fn push(&mut self, letter: Letter, message: Message, now: Instant) -> Result<(), Message> {
        if self.entries.len() >= MAX_LETTERS || self.bytes + letter.body.len() > MAX_BYTES {
            return Err(message);
        }
        self.bytes += letter.body.len();
        self.entries.push_back(Entry { letter, message, deadline: now + PATIENCE });
        Ok(())
    }

    /// Hands letters over in order for as long as `take` takes them.
    pub(super) fn hand_over(&mut self, mut take: impl FnMut(Letter) -> bool) {
        while let Some(entry) = self.entries.get(self.taken) {
            if !take(entry.letter.clone()) {
                break;
            }
            self.taken += 1;
        }
    }

    /// The far side has read everything up to this number.
    pub(super) fn acknowledged(&mut self, number: u64) {
        while self.taken > 0 && self.entries.front().is_some_and(|entry| entry.letter.number <= number) {
            self.pop();
        }
    }

    /// The connection is gone: what was not acknowledged is to be sent again.
    pub(super) fn connection_lost(&mut self) {
        self.taken = 0;
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

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes everything out.
    pub(super) fn drain(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.pop()).collect()
    }

    fn pop(&mut self) -> Option<Message> {
        let entry = self.entries.pop_front()?;
        self.taken = self.taken.saturating_sub(1);
        self.bytes -= entry.letter.body.len();
        Some(entry.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::InviteId;

    fn message(number: u128) -> Message {
        Message::Ringing { invite: InviteId::from_bits(number) }
    }

    fn letter(number: u64, bytes: usize) -> Letter {
        Letter { number, body: vec![0; bytes].into() }
    }

    fn filled(count: u64, now: Instant) -> Outbox {
        let mut outbox = Outbox::default();
        for number in 1..=count {
            outbox.push(letter(number, 1), message(number.into()), now).unwrap();
        }
        outbox
    }

    fn handed_over(outbox: &mut Outbox, room: usize) -> Vec<u64> {
        let mut numbers = Vec::new();
        outbox.hand_over(|letter| {
            let room_left = numbers.len() < room;
            if room_left {
                numbers.push(letter.number);
            }
            room_left
        });
        numbers
    }

    #[test]
    fn letters_go_once_in_order_and_again_after_a_broken_connection() {
        let mut outbox = filled(4, Instant::now());
        assert_eq!(handed_over(&mut outbox, 2), [1, 2]);
        assert_eq!(handed_over(&mut outbox, 1), [3]);
        outbox.acknowledged(1);
        outbox.connection_lost();
        assert_eq!(handed_over(&mut outbox, 9), [2, 3, 4]);
        outbox.acknowledged(u64::MAX);
        assert!(outbox.is_empty());
    }

    #[test]
    fn nothing_is_acknowledged_before_it_is_sent() {
        let mut outbox = filled(2, Instant::now());
        outbox.acknowledged(u64::MAX);
        assert_eq!(handed_over(&mut outbox, 9), [1, 2]);
    }

    #[test]
    fn late_messages_come_back_in_order() {
        let start = Instant::now();
        let mut outbox = filled(2, start);
        outbox.push(letter(3, 1), message(3), start + Duration::from_secs(1)).unwrap();
        assert!(outbox.expired(start + PATIENCE - Duration::from_millis(1)).is_empty());
        assert_eq!(outbox.expired(start + PATIENCE), [message(1), message(2)]);
        assert_eq!(outbox.drain(), [message(3)]);
        assert_eq!(outbox.bytes, 0);
    }

    #[test]
    fn what_waits_is_bounded_in_number_and_bytes() {
        let now = Instant::now();
        let mut outbox = filled(MAX_LETTERS as u64, now);
        assert_eq!(outbox.push(letter(999, 1), message(7), now), Err(message(7)));
        let mut outbox = Outbox::default();
        let taken = (0..100).filter(|&number| outbox.push(letter(number, 60_000), message(1), now).is_ok()).count();
        assert_eq!(taken, MAX_BYTES / 60_000);
    }
}
