//! Flood limits: token buckets for each sender and each connection. Pure; time is an argument. Owned by the hub
//! (messages) and by the connections (frames, bytes).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::identity::PeerId;
use crate::network::TokenBucket;

const MAX_SENDERS: usize = 1024;

/// Rate of the frames that are read of one connection: 200 a second (bursts of 800) of a contact or of a person who is
/// called or answered; 100 (bursts of 400) of anybody else, and of all these together 1000. More is not refused: it is
/// not read yet.
#[derive(Debug)]
pub(super) struct Pace {
    known: bool,
    bucket: TokenBucket,
    /// All was used up, and there is not enough again for it to be worth reading.
    waits: bool,
}

impl Pace {
    /// Frames that are read at once after a pause: a few hundred connections that wake for one frame each cost more
    /// than the frames.
    const WORTHWHILE: f64 = 20.0;
    /// A pause while strangers send too much altogether.
    const CROWDED: Duration = Duration::from_millis(200);

    pub(super) fn new(known: bool, now: Instant) -> Self {
        let bucket = if known { TokenBucket::new(200.0, 800.0, now) } else { TokenBucket::new(100.0, 400.0, now) };
        Self { known, bucket, waits: false }
    }

    /// Bucket of all together who are nobody to this side.
    pub(super) fn of_strangers(now: Instant) -> TokenBucket {
        TokenBucket::new(1000.0, 2000.0, now)
    }

    /// How long nothing more is read; `None`: the next frame is.
    pub(super) fn pause(&mut self, known: bool, strangers: &mut TokenBucket, now: Instant) -> Option<Duration> {
        if known != self.known {
            *self = Self::new(known, now);
        }
        let wanted = if self.waits { Self::WORTHWHILE } else { 1.0 };
        self.waits = self.bucket.level(now) < wanted;
        let crowded = !known && strangers.level(now) < 1.0;
        let own_pause = self.waits.then(|| self.bucket.wait_for(Self::WORTHWHILE, now));
        own_pause.or_else(|| crowded.then_some(Self::CROWDED))
    }

    /// A frame was read.
    pub(super) fn read(&mut self, strangers: &mut TokenBucket) {
        self.bucket.spend(1.0);
        if !self.known {
            strangers.spend(1.0);
        }
    }
}

/// How many messages reach the call code: 1 new invite a second and 50 others from one sender, and 5 invites a second
/// from all who are no contacts together, so that many keys ring no more than few.
#[derive(Debug)]
pub(super) struct Admission {
    senders: HashMap<PeerId, Budget>,
    strangers_invites: TokenBucket,
}

#[derive(Debug)]
struct Budget {
    invites: TokenBucket,
    others: TokenBucket,
    /// Answers to invites that did not pass.
    refusals: TokenBucket,
}

impl Admission {
    pub(super) fn new(now: Instant) -> Self {
        Self { senders: HashMap::new(), strangers_invites: TokenBucket::new(5.0, 20.0, now) }
    }

    /// Whether a message from this sender may pass.
    pub(super) fn admit(&mut self, from: PeerId, invite: bool, contact: bool, now: Instant) -> bool {
        if !self.senders.contains_key(&from) && self.senders.len() >= MAX_SENDERS {
            self.forget_quietest();
        }
        let budget = self.senders.entry(from).or_insert_with(|| Budget {
            invites: TokenBucket::new(1.0, 5.0, now),
            others: TokenBucket::new(50.0, 200.0, now),
            refusals: TokenBucket::new(1.0, 5.0, now),
        });
        match (invite, contact) {
            (false, _) => budget.others.take(now),
            (true, true) => budget.invites.take(now),
            (true, false) => budget.invites.take(now) && self.strangers_invites.take(now),
        }
    }

    /// Whether the sender of an invite that did not pass is told so. Only for senders that `admit` knows.
    pub(super) fn answer_refused(&mut self, to: PeerId, now: Instant) -> bool {
        self.senders.get_mut(&to).is_some_and(|budget| budget.refusals.take(now))
    }

    fn forget_quietest(&mut self) {
        let last_used = |budget: &Budget| budget.invites.last_used().max(budget.others.last_used());
        let quietest = self.senders.iter().min_by_key(|(_, budget)| last_used(budget)).map(|(id, _)| *id);
        if let Some(id) = quietest {
            self.senders.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u32) -> PeerId {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.to_be_bytes());
        PeerId::from_bytes(key)
    }

    /// Frames that are read within ten seconds of so many people who each send more than is read.
    fn frames_read(known: bool, people: usize) -> u32 {
        let start = Instant::now();
        let mut strangers = Pace::of_strangers(start);
        let mut paces: Vec<_> = (0..people).map(|_| Pace::new(known, start)).collect();
        let mut frames = 0;
        for now in (0..1000).map(|tick| start + Duration::from_millis(10 * tick)) {
            for pace in &mut paces {
                while pace.pause(known, &mut strangers, now).is_none() {
                    pace.read(&mut strangers);
                    frames += 1;
                }
            }
        }
        frames
    }

    #[test]
    fn frames_are_read_no_faster_than_the_pace() {
        assert!((400 + 900..=400 + 1000).contains(&frames_read(false, 1)), "{}", frames_read(false, 1));
        assert!((800 + 1900..=800 + 2000).contains(&frames_read(true, 1)), "{}", frames_read(true, 1));
    }

    #[test]
    fn a_hundred_strangers_are_read_no_faster_than_ten() {
        let (ten, hundred) = (frames_read(false, 10), frames_read(false, 100));
        assert!(ten <= 12_000 && hundred <= 12_000, "{ten} and {hundred}");
        assert!(hundred >= 11_000, "{hundred}");
        assert!(frames_read(true, 100) > 200_000, "contacts are no strangers");
    }

    #[test]
    fn whoever_is_called_is_read_at_a_contacts_pace_from_then_on() {
        let now = Instant::now();
        let (mut pace, mut strangers) = (Pace::new(false, now), Pace::of_strangers(now));
        while pace.pause(false, &mut strangers, now).is_none() {
            pace.read(&mut strangers);
        }
        strangers.spend(1e6);
        assert_eq!(pace.pause(true, &mut strangers, now), None);
        assert!(pace.pause(false, &mut strangers, now).is_some());
    }

    #[test]
    fn many_keys_ring_no_more_than_few_and_contacts_still_do() {
        let start = Instant::now();
        let mut admission = Admission::new(start);
        let rung = |admission: &mut Admission, at| {
            (0..3000).filter(|&key| admission.admit(peer(key), true, false, at)).count()
        };
        assert_eq!(rung(&mut admission, start), 20);
        assert_eq!(rung(&mut admission, start + Duration::from_secs(1)), 5);
        assert!(admission.admit(peer(7777), true, true, start + Duration::from_secs(1)));
        assert!(admission.senders.len() <= MAX_SENDERS);
    }

    #[test]
    fn one_senders_messages_are_limited_apart_from_their_invites() {
        let start = Instant::now();
        let mut admission = Admission::new(start);
        assert_eq!((0..1000).filter(|_| admission.admit(peer(1), false, true, start)).count(), 200);
        assert_eq!((0..1000).filter(|_| admission.admit(peer(1), true, true, start)).count(), 5);
        assert!(admission.admit(peer(2), false, false, start));
    }

    #[test]
    fn answers_to_refused_invites_are_limited_too() {
        let start = Instant::now();
        let mut admission = Admission::new(start);
        assert!(!admission.answer_refused(peer(1), start), "nobody is answered who sent nothing");
        admission.admit(peer(1), true, false, start);
        assert_eq!((0..1000).filter(|_| admission.answer_refused(peer(1), start)).count(), 5);
        assert!(admission.answer_refused(peer(1), start + Duration::from_secs(1)));
    }
}
