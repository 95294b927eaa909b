//! Dialling of one person: where they announce themselves, and when to try next. Pure; time is an argument.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::lane::Lane;
use crate::network::TokenBucket;

/// Announcements of one person that are kept: an app that crashed leaves its last one behind for a while.
const MAX_SERVICES: usize = 4;
const FIRST_DELAY: Duration = Duration::from_millis(250);
const LONGEST_DELAY: Duration = Duration::from_secs(4);
/// New announcements that are tried without waiting, a second and at once: anybody can announce this person.
const NEWS: (f64, f64) = (0.5, 3.0);
/// A connection that lasted this long was a good one.
const SETTLED: Duration = Duration::from_secs(10);
/// For so long after a renewal was asked for, this side has a reason of its own to reach them.
const RENEWAL: Duration = Duration::from_secs(30);
/// The side with the higher ID leaves the other this head start, so that one connection is made and not two.
const HEAD_START: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Service {
    fullname: String,
    addresses: Vec<SocketAddr>,
}

#[derive(Debug)]
pub(super) struct Dialing {
    /// There is a connection.
    connected: bool,
    /// Lane and first address of the dial that is under way.
    pub(super) dialing: Option<(Lane, IpAddr)>,
    /// When anything was last heard of them.
    pub(super) touched: Instant,
    /// When they were last announced at other addresses than before.
    pub(super) announced: Instant,
    services: Vec<Service>,
    /// Since a connection was a good one.
    failures: u32,
    /// Dials that failed since the latest announcement: which of them is tried first.
    turn: usize,
    news: TokenBucket,
    next_dial: Option<Instant>,
    /// When to try an announcement that came during the dial that is under way.
    after_dial: Option<Instant>,
    waits: bool,
    /// Another connection is wanted beside the present one.
    renewing: bool,
    /// This side has a reason of its own to reach them until then.
    sought_until: Option<Instant>,
}

impl Dialing {
    /// Nothing known yet. `waits`: the other side's ID is the lower one, so it dials first.
    pub(super) fn new(waits: bool, now: Instant) -> Self {
        Self {
            connected: false,
            dialing: None,
            touched: now,
            announced: now,
            services: Vec::new(),
            failures: 0,
            turn: 0,
            news: TokenBucket::new(NEWS.0, NEWS.1, now),
            next_dial: None,
            after_dial: None,
            waits,
            renewing: false,
            sought_until: None,
        }
    }

    /// They announce themselves at these addresses.
    pub(super) fn found(&mut self, fullname: String, addresses: Vec<SocketAddr>, now: Instant) {
        self.touched = now;
        let known = self.services.iter().position(|service| service.fullname == fullname);
        let unchanged = known.is_some_and(|index| self.services[index].addresses == addresses);
        if unchanged {
            return;
        }
        self.announced = now;
        // The time of a dial that is under way is over, and no reason to dial again.
        let due = self.next_dial.filter(|_| !self.services.is_empty() && self.dialing.is_none());
        if let Some(index) = known {
            self.services.remove(index);
        } else if self.services.len() >= MAX_SERVICES {
            self.services.remove(0);
        }
        self.services.push(Service { fullname, addresses });
        self.turn = 0;
        // Announcing new addresses again and again makes nobody dial again and again.
        let granted = self.news.take(now);
        let wait = if granted { Duration::ZERO } else { self.delay() };
        let wanted = now + self.head_start().max(wait);
        let at = due.map_or(wanted, |at| at.min(wanted));
        self.next_dial = Some(at);
        if granted && self.dialing.is_some() {
            self.after_dial = Some(at);
        }
    }

    /// An announcement was taken back or ran out.
    pub(super) fn lost(&mut self, fullname: &str) {
        self.services.retain(|service| service.fullname != fullname);
    }

    /// Forgets the announcements: they are no longer known to hold, and will be told anew.
    pub(super) fn forget_services(&mut self) {
        self.services.clear();
    }

    /// Where to dial, the latest announcement first. After each failure another one comes first: anybody can announce
    /// addresses in this person's name that take all the time there is.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        let mut services: Vec<_> = self.services.iter().rev().collect();
        let first = self.turn % services.len().max(1);
        services.rotate_left(first);
        services.iter().flat_map(|service| service.addresses.iter().copied()).collect()
    }

    /// The address that the latest announcement names first.
    pub(super) fn first_address(&self) -> Option<IpAddr> {
        self.services.last()?.addresses.first().map(|address| address.ip().to_canonical())
    }

    /// When to dial next, if at all.
    pub(super) fn dial_at(&self) -> Option<Instant> {
        let wanted = (!self.connected || self.renewing) && self.dialing.is_none() && !self.services.is_empty();
        self.next_dial.filter(|_| wanted)
    }

    /// The present connection may lead nowhere, or the network has changed: dials at once.
    pub(super) fn renew(&mut self, now: Instant) {
        self.renewing = self.connected;
        self.seek(now + RENEWAL);
        self.failures = 0;
        self.turn = 0;
        self.next_dial = Some(now);
    }

    /// This computer has other networks. A dial that is under way may wait for an answer in one that is gone: another
    /// one goes beside it.
    pub(super) fn networks_changed(&mut self, now: Instant) {
        self.dialing = None;
        self.failures = 0;
        self.turn = 0;
        let at = now + self.head_start();
        self.next_dial = self.next_dial.map(|before| before.min(at));
    }

    /// This side has a reason of its own to reach them until then.
    pub(super) fn seek(&mut self, until: Instant) {
        self.sought_until = self.sought_until.max(Some(until));
    }

    /// There is a connection, a new one.
    pub(super) fn connected(&mut self, now: Instant) {
        self.connected = true;
        self.after_dial = None;
        self.touched = now;
        self.note_heard();
    }

    /// The connection has shown that it leads to them.
    pub(super) const fn note_heard(&mut self) {
        self.renewing = false;
    }

    /// A dial or a young connection failed.
    pub(super) fn dial_failed(&mut self, now: Instant) {
        self.dialing = None;
        let news = self.after_dial.take();
        self.next_dial = Some(news.unwrap_or_else(|| now + self.delay()));
        self.failures = self.failures.saturating_add(1);
        self.turn = if news.is_some() { 0 } else { self.turn.wrapping_add(1) };
    }

    /// Until the next dial after one that fails now.
    fn delay(&self) -> Duration {
        FIRST_DELAY.saturating_mul(1 << self.failures.min(10)).min(LONGEST_DELAY)
    }

    /// Whether this side has a reason of its own to reach them now: messages wait, or the connection was to be renewed.
    pub(super) fn is_sought(&self, now: Instant) -> bool {
        self.sought_until.is_some_and(|until| until > now)
    }

    /// Dials that failed since the latest announcement.
    pub(super) const fn turn(&self) -> usize {
        self.turn
    }

    /// The connection, which was there for so long, is gone.
    pub(super) fn disconnected(&mut self, lasted: Duration, now: Instant) {
        self.connected = false;
        self.renewing = false;
        self.touched = now;
        if lasted >= SETTLED {
            self.failures = 0;
        }
        let dialing = self.dialing;
        self.dial_failed(now);
        self.dialing = dialing;
        self.next_dial = self.next_dial.map(|at| at + self.head_start());
    }

    /// Whether others may have its place.
    pub(super) fn may_leave(&self, now: Instant) -> bool {
        !self.connected && self.dialing.is_none() && !self.is_sought(now)
    }

    /// Nothing worth remembering is left.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        self.may_leave(now) && self.services.is_empty()
    }

    fn head_start(&self) -> Duration {
        if self.waits { HEAD_START } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn the_lower_id_dials_at_once_and_the_higher_a_little_later() {
        let now = Instant::now();
        for (waits, expected) in [(false, now), (true, now + HEAD_START)] {
            let mut person = Dialing::new(waits, now);
            assert_eq!(person.dial_at(), None);
            person.found("a".into(), vec![address(1)], now);
            assert_eq!(person.dial_at(), Some(expected));
        }
    }

    #[test]
    fn failing_dials_become_rare_and_a_new_announcement_is_tried_at_once() {
        let start = Instant::now();
        let mut person = Dialing::new(false, start);
        person.found("a".into(), vec![address(1)], start);
        let mut now = start;
        let mut delays = Vec::new();
        for _ in 0..10 {
            person.dial_failed(now);
            let next = person.dial_at().unwrap();
            delays.push(next - now);
            now = next;
        }
        assert_eq!(delays[0], FIRST_DELAY);
        assert_eq!(delays[9], LONGEST_DELAY);
        person.dial_failed(now);
        person.found("a".into(), vec![address(1)], now);
        assert_eq!(person.dial_at(), Some(now + LONGEST_DELAY), "the same announcement again is no news");
        person.found("b".into(), vec![address(2)], now);
        assert_eq!(person.dial_at(), Some(now));
        assert_eq!(person.addresses(), [address(2), address(1)]);
        person.dial_failed(now);
        assert_eq!(person.addresses(), [address(1), address(2)], "what led nowhere is not tried first again");
    }

    #[test]
    fn an_announcement_that_comes_during_a_dial_is_tried_as_soon_as_that_has_failed() {
        let start = Instant::now();
        let mut person = Dialing::new(false, start);
        person.found("a".into(), vec![address(1)], start);
        (0..5).for_each(|_| person.dial_failed(start));
        person.dialing = Some((Lane::Proven, address(1).ip()));
        person.found("b".into(), vec![address(2)], start);
        let over = start + Duration::from_secs(3);
        person.dial_failed(over);
        assert!(person.dial_at().is_some_and(|at| at <= over));
        assert_eq!(person.addresses()[0], address(2));
        person.dial_failed(over);
        assert_eq!(person.dial_at(), Some(over + LONGEST_DELAY));
    }

    #[test]
    fn announcements_without_end_do_not_make_dials_without_end() {
        let start = Instant::now();
        let mut person = Dialing::new(false, start);
        let mut dials = 0;
        // A new port each 100 ms for a minute, none of which answers.
        for tenth in 0..600_u64 {
            let now = start + Duration::from_millis(tenth * 100);
            person.found(format!("{tenth}"), vec![address(tenth as u16)], now);
            if person.dial_at().is_some_and(|at| at <= now) {
                dials += 1;
                person.dial_failed(now);
            }
        }
        assert!((15..=50).contains(&dials), "{dials}");
    }

    #[test]
    fn announcements_without_end_during_dials_do_not_make_dials_without_end() {
        for waits in [false, true] {
            let start = Instant::now();
            let mut person = Dialing::new(waits, start);
            let mut dials = 0;
            // A new port each 10 ms for a minute; each dial is under way for 50 ms, and fails.
            let mut over = None;
            for hundredth in 0..6000_u64 {
                let now = start + Duration::from_millis(hundredth * 10);
                person.found(format!("{hundredth}"), vec![address(hundredth as u16)], now);
                if over.is_some_and(|over| over <= now) {
                    over = None;
                    person.dial_failed(now);
                }
                if person.dial_at().is_some_and(|at| at <= now) {
                    dials += 1;
                    person.dialing = Some((Lane::Sought, address(1).ip()));
                    over = Some(now + Duration::from_millis(50));
                }
            }
            assert!((15..=50).contains(&dials), "{dials}, waits: {waits}");
        }
    }

    #[test]
    fn a_connection_that_may_lead_nowhere_is_dialed_beside_until_one_does() {
        let now = Instant::now();
        let mut person = Dialing::new(true, now);
        person.found("a".into(), vec![address(1)], now);
        person.connected(now);
        assert_eq!(person.dial_at(), None);
        person.renew(now);
        assert_eq!(person.dial_at(), Some(now), "at once, whoever has the lower ID");
        person.dial_failed(now);
        assert_eq!(person.dial_at(), Some(now + FIRST_DELAY));
        person.renew(now);
        assert_eq!(person.dial_at(), Some(now));
        person.note_heard();
        assert_eq!(person.dial_at(), None);
    }

    #[test]
    fn another_network_makes_a_person_be_dialed_at_once_whatever_is_under_way() {
        for waits in [false, true] {
            let start = Instant::now();
            let mut person = Dialing::new(waits, start);
            person.found("a".into(), vec![address(1)], start);
            (0..9).for_each(|_| person.dial_failed(start));
            assert!(person.dial_at() >= Some(start + LONGEST_DELAY));
            person.dialing = Some((Lane::Proven, address(1).ip()));
            person.networks_changed(start);
            assert_eq!(person.dial_at(), Some(start + person.head_start()));
            person.connected(start);
            person.networks_changed(start);
            assert_eq!(person.dial_at(), None, "nobody who is reached is dialed");
            person.renew(start);
            assert_eq!(person.dial_at(), Some(start));
        }
    }

    #[test]
    fn a_renewal_that_leads_nowhere_ends() {
        let now = Instant::now();
        for connected in [true, false] {
            let mut person = Dialing::new(false, now);
            if connected {
                person.connected(now);
            }
            person.renew(now);
            assert!(person.is_sought(now) && !person.may_leave(now));
            if connected {
                person.disconnected(SETTLED, now);
            }
            assert!(person.is_sought(now), "the network may have changed");
            let later = now + RENEWAL;
            assert!(!person.is_sought(later) && person.may_leave(later) && person.is_idle(later), "{connected}");
            person.connected(later);
            person.found("a".into(), vec![address(1)], later);
            assert_eq!(person.dial_at(), None, "the next connection is not the one to renew");
        }
    }

    #[test]
    fn a_person_is_sought_until_their_messages_are_too_late() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let mut person = Dialing::new(false, now);
        assert!(!person.is_sought(now) && person.is_idle(now));
        person.seek(at(5));
        person.seek(at(3));
        assert!(person.is_sought(at(4)) && !person.is_idle(at(4)) && !person.may_leave(at(4)));
        assert!(!person.is_sought(at(5)) && person.is_idle(at(5)));
    }

    #[test]
    fn announcements_are_bounded_and_forgotten() {
        let now = Instant::now();
        let mut person = Dialing::new(false, now);
        for port in 1..100 {
            person.found(format!("{port}"), vec![address(port)], now);
        }
        assert_eq!(person.addresses(), [address(99), address(98), address(97), address(96)]);
        for port in 96..100 {
            assert!(!person.is_idle(now));
            person.lost(&format!("{port}"));
        }
        assert!(person.is_idle(now) && person.dial_at().is_none());
    }
}
