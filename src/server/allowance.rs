//! Allowances of a connection and of a box: letters, bytes, changes of presence, and letters to those who do not watch
//! the sender. Pure; time is an argument.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::network::TokenBucket;
use crate::server_protocol::{BoxId, Limits};

/// Boxes that one connection watches at most.
pub(super) const MAX_WATCHES: usize = 1000;
/// Letters a second of one connection, and at once after a pause.
const LETTERS: (u32, u32) = (50, 200);
/// Bytes of letters a second of one connection, and at once.
const BYTES: (f64, f64) = (64.0 * 1024.0, 512.0 * 1024.0);
/// Boxes that a connection begins or ends to watch a second, and at once: all of them, twice.
const CHANGES: (f64, f64) = (10.0, 2.0 * MAX_WATCHES as f64);
/// Letters of one box to boxes that do not watch it: a second and at once, and an hour.
const KNOCKS: (f64, f64) = (1.0, 5.0);
const KNOCKS_AN_HOUR: u32 = 30;
/// Senders of such letters that are remembered. Each needs a new key and its proof, and is forgotten once its allowance
/// is whole again, after an hour at most.
const MAX_KNOCKERS: usize = 100_000;

/// The bounds of a connection, as a welcome tells them.
pub(super) const LIMITS: Limits = Limits {
    watches: MAX_WATCHES as u32,
    letters_per_second: LETTERS.0,
    letters_at_once: LETTERS.1,
    unwatched_letters_per_hour: KNOCKS_AN_HOUR,
};

/// Allowance of one connection. Nothing over it is lost: it is read later, so that the sender has to wait.
#[derive(Debug)]
pub(super) struct Allowance {
    letters: TokenBucket,
    bytes: TokenBucket,
    changes: TokenBucket,
}

impl Allowance {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            letters: TokenBucket::new(LETTERS.0.into(), LETTERS.1.into(), now),
            bytes: TokenBucket::new(BYTES.0, BYTES.1, now),
            changes: TokenBucket::new(CHANGES.0, CHANGES.1, now),
        }
    }

    /// A letter of so many bytes was read; how long until the next one is.
    pub(super) fn take_letter(&mut self, bytes: usize, now: Instant) -> Option<Duration> {
        let wait = spend(&mut self.letters, 1.0, now).max(spend(&mut self.bytes, bytes as f64, now));
        Some(wait).filter(|wait| !wait.is_zero())
    }

    /// A message that names so many boxes was read; how long until the next one is.
    pub(super) fn take_changes(&mut self, boxes: usize, now: Instant) -> Option<Duration> {
        // An empty one is not free either.
        Some(spend(&mut self.changes, boxes.max(1) as f64, now)).filter(|wait| !wait.is_zero())
    }
}

fn spend(bucket: &mut TokenBucket, count: f64, now: Instant) -> Duration {
    bucket.level(now);
    bucket.spend(count);
    bucket.wait_for(1.0, now)
}

/// Allowances of boxes for letters to those who do not watch them. They outlive connections: a sender who comes back
/// has no new one.
#[derive(Debug, Default)]
pub(super) struct KnockAllowances {
    senders: HashMap<BoxId, [TokenBucket; 2]>,
    /// Senders at the last look for whole allowances.
    swept_at: usize,
}

impl KnockAllowances {
    /// Whether one more letter of this sender may pass.
    pub(super) fn take(&mut self, from: BoxId, now: Instant) -> bool {
        if !self.senders.contains_key(&from) && !self.has_room(now) {
            return false;
        }
        let [soon, hourly] = self.senders.entry(from).or_insert_with(|| {
            let hour = f64::from(KNOCKS_AN_HOUR);
            [TokenBucket::new(KNOCKS.0, KNOCKS.1, now), TokenBucket::new(hour / 3600.0, hour, now)]
        });
        let may = soon.level(now) >= 1.0 && hourly.level(now) >= 1.0;
        if may {
            soon.spend(1.0);
            hourly.spend(1.0);
        }
        may
    }

    /// Forgets whole allowances where the senders have doubled since the last time; false where there are too many.
    fn has_room(&mut self, now: Instant) -> bool {
        if self.senders.len() >= MAX_KNOCKERS || self.senders.len() >= 1024.max(2 * self.swept_at) {
            self.senders.retain(|_, [_, hourly]| hourly.level(now) < f64::from(KNOCKS_AN_HOUR));
            self.swept_at = self.senders.len();
        }
        self.senders.len() < MAX_KNOCKERS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailbox(number: u32) -> BoxId {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        BoxId::from_bytes(bytes)
    }

    #[test]
    fn letters_over_the_rate_wait_by_number_and_by_bytes() {
        let now = Instant::now();
        let mut allowance = Allowance::new(now);
        let free = (0..1000).take_while(|_| allowance.take_letter(512, now).is_none()).count();
        assert_eq!(free, LETTERS.1 as usize - 1);
        assert_eq!(allowance.take_letter(512, now), Some(Duration::from_millis(40)));
        let mut allowance = Allowance::new(now);
        let free = (0..1000).take_while(|_| allowance.take_letter(64 * 1024, now).is_none()).count();
        assert_eq!(free, 7, "half a megabyte");
        let later = now + Duration::from_secs(60);
        assert_eq!(allowance.take_letter(512, later), None);
    }

    #[test]
    fn all_boxes_are_watched_at_once_and_watching_and_unwatching_on_and_on_waits() {
        let now = Instant::now();
        let mut allowance = Allowance::new(now);
        assert_eq!(allowance.take_changes(500, now), None);
        assert_eq!(allowance.take_changes(500, now), None);
        let free = (0..5000).take_while(|_| allowance.take_changes(0, now).is_none()).count();
        assert_eq!(free, MAX_WATCHES - 1);
    }

    #[test]
    fn knocks_are_limited_by_the_second_and_by_the_hour_of_each_sender() {
        let start = Instant::now();
        let mut knocks = KnockAllowances::default();
        let passed =
            |knocks: &mut KnockAllowances, from, at| (0..100).filter(|_| knocks.take(mailbox(from), at)).count();
        assert_eq!(passed(&mut knocks, 1, start), 5);
        assert_eq!(passed(&mut knocks, 1, start + Duration::from_secs(1)), 1);
        assert_eq!(passed(&mut knocks, 2, start), 5, "another one's are their own");
        let in_an_hour: usize =
            (2..3600).map(|second| passed(&mut knocks, 1, start + Duration::from_secs(second))).sum();
        assert!((24..=54).contains(&in_an_hour), "{in_an_hour}");
    }

    #[test]
    fn senders_are_forgotten_once_their_allowance_is_whole_and_bounded_until_then() {
        let start = Instant::now();
        let mut knocks = KnockAllowances::default();
        for number in 0..MAX_KNOCKERS as u32 {
            assert!(knocks.take(mailbox(number), start));
        }
        assert!(!knocks.take(mailbox(u32::MAX), start));
        assert!(knocks.take(mailbox(7), start), "who is known is none more");
        let later = start + Duration::from_secs(300);
        assert!(knocks.take(mailbox(u32::MAX), later));
        assert_eq!(knocks.senders.len(), 1);
    }
}
