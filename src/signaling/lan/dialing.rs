//! Dialling of one person: where their devices announce themselves, and when to try next. Pure; time is an argument.
//!
//! An announcement bears the name of the run of the app that makes it. So one of a run that is connected is no reason
//! to dial, and one of another run is: it may be of another device. Anybody can announce a device's addresses under
//! another name; a dial that leads to a run that is connected is not made again to the same address.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lane::Lane;
use crate::identity::DeviceId;
use crate::network::TokenBucket;

/// Announcements of one person that are kept: a few devices, and an app that crashed leaves its last one behind for a
/// while.
const MAX_SERVICES: usize = 8;
/// Addresses remembered by which dials have led to one run.
const MAX_LED: usize = 8;
const FIRST_DELAY: Duration = Duration::from_millis(250);
const LONGEST_DELAY: Duration = Duration::from_secs(4);
/// The same while another device of the person is connected: mostly the announcement is an old one, and a device that
/// is there dials this side, too.
const LONGEST_DELAY_BESIDE: Duration = Duration::from_secs(30);
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

/// A run of a person's app that is connected.
#[derive(Debug)]
pub(super) struct Connected {
    run: Arc<str>,
    /// Addresses by which dials have led to it.
    led: Vec<SocketAddr>,
    /// It says on which device it is, as one whose person may have others here.
    names_device: bool,
    /// Another connection is wanted beside the present one.
    renewing: bool,
}

#[derive(Debug)]
pub(super) struct Dialing {
    /// Runs of their app that are connected.
    connected: Vec<Connected>,
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
    /// This side has a reason of its own to reach them until then.
    sought_until: Option<Instant>,
}

impl Connected {
    /// A run on a device, and the address by which a dial has led to it.
    pub(super) fn new(run: &Arc<str>, device: Option<DeviceId>, led: Option<SocketAddr>) -> Self {
        let (run, led) = (Arc::clone(run), led.into_iter().collect());
        Self { run, led, names_device: device.is_some(), renewing: false }
    }
}

impl Service {
    /// The run of the app that announces it.
    fn run(&self) -> &str {
        self.fullname.split('.').next().unwrap_or_default()
    }
}

impl Dialing {
    /// Nothing known yet. `waits`: the other side's ID is the lower one, so it dials first.
    pub(super) fn new(waits: bool, now: Instant) -> Self {
        Self {
            connected: Vec::new(),
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
        let mut services: Vec<_> = self.services.iter().rev().filter(|service| self.wants(service)).collect();
        let first = self.turn % services.len().max(1);
        services.rotate_left(first);
        services.iter().flat_map(|service| self.leading_elsewhere(service)).collect()
    }

    /// Runs that are connected for good, as things are.
    fn settled(&self) -> impl Iterator<Item = &Connected> {
        self.connected.iter().filter(|connected| !connected.renewing)
    }

    /// Whether an announcement may be of a device that is not connected, or whose connection may lead nowhere. Apps of
    /// earlier versions have one connection a person, whatever their device is.
    fn wants(&self, service: &Service) -> bool {
        !self.settled().any(|connected| !connected.names_device || *connected.run == *service.run())
    }

    /// The announced addresses that have not led to a run that is connected.
    fn leading_elsewhere(&self, service: &Service) -> impl Iterator<Item = SocketAddr> {
        let leads_there = |address: &SocketAddr| self.settled().any(|connected| connected.led.contains(address));
        service.addresses.iter().copied().filter(move |address| !leads_there(address))
    }

    /// The address that the latest announcement names first.
    pub(super) fn first_address(&self) -> Option<IpAddr> {
        self.services.last()?.addresses.first().map(|address| address.ip().to_canonical())
    }

    /// When to dial next, if at all.
    pub(super) fn dial_at(&self) -> Option<Instant> {
        let leads_elsewhere = |service: &Service| self.leading_elsewhere(service).next().is_some();
        let is_wanted = |service: &Service| self.wants(service) && leads_elsewhere(service);
        self.next_dial.filter(|_| self.dialing.is_none() && self.services.iter().any(is_wanted))
    }

    /// The connections to these runs may lead nowhere, or the network has changed: dials at once.
    pub(super) fn renew(&mut self, now: Instant, is_meant: impl Fn(&str) -> bool) {
        self.connected.iter_mut().for_each(|connected| connected.renewing |= is_meant(&connected.run));
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

    /// There is a connection to a run, a new one.
    pub(super) fn connected(&mut self, mut run: Connected, now: Instant) {
        for before in self.connected.extract_if(.., |before| before.run == run.run) {
            let known = before.led.into_iter().filter(|address| !run.led.contains(address)).take(MAX_LED - 1);
            let known: Vec<_> = known.collect();
            run.led.extend(known);
        }
        self.connected.push(run);
        self.after_dial = None;
        self.touched = now;
    }

    /// Whether there is a connection.
    pub(super) fn is_connected(&self) -> bool {
        !self.connected.is_empty()
    }

    /// The connection to a run has shown that it leads there.
    pub(super) fn note_heard(&mut self, run: &str) {
        let is_it = |connected: &&mut Connected| *connected.run == *run;
        self.connected.iter_mut().filter(is_it).for_each(|connected| connected.renewing = false);
    }

    /// Another run has the place of this one.
    pub(super) fn replaced(&mut self, run: &str) {
        self.connected.retain(|connected| *connected.run != *run);
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
        let longest = if self.is_connected() { LONGEST_DELAY_BESIDE } else { LONGEST_DELAY };
        FIRST_DELAY.saturating_mul(1 << self.failures.min(10)).min(longest)
    }

    /// Whether this side has a reason of its own to reach them now: messages wait, or the connection was to be renewed.
    pub(super) fn is_sought(&self, now: Instant) -> bool {
        self.sought_until.is_some_and(|until| until > now)
    }

    /// Dials that failed since the latest announcement.
    pub(super) const fn turn(&self) -> usize {
        self.turn
    }

    /// The connection to a run, which was there for so long, is gone.
    pub(super) fn disconnected(&mut self, run: &str, lasted: Duration, now: Instant) {
        self.replaced(run);
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
        !self.is_connected() && self.dialing.is_none() && !self.is_sought(now)
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

    /// A run of an earlier version, which does not say on which device it is.
    fn old() -> Connected {
        Connected::new(&"old".into(), None, None)
    }

    /// A run on a device, to which a dial has led by an address or not.
    fn on_device(run: &str, led: Option<SocketAddr>) -> Connected {
        Connected::new(&run.into(), Some(DeviceId::from_bytes([1; 16])), led)
    }

    #[test]
    fn each_device_is_dialed_and_none_that_is_connected() {
        let now = Instant::now();
        let mut person = Dialing::new(false, now);
        person.found("desk.local.".into(), vec![address(1)], now);
        person.connected(on_device("desk", Some(address(1))), now);
        assert_eq!(person.dial_at(), None);
        person.found("lap.local.".into(), vec![address(2)], now);
        assert_eq!((person.dial_at(), person.addresses()), (Some(now), vec![address(2)]));
        // It has dialed this side.
        person.connected(on_device("lap", None), now);
        assert_eq!(person.dial_at(), None);
        person.disconnected("desk", SETTLED, now);
        assert_eq!((person.dial_at(), person.addresses()), (Some(now + FIRST_DELAY), vec![address(1)]));
        person.replaced("lap");
        assert_eq!(person.addresses(), [address(1), address(2)], "the latest led nowhere");
    }

    #[test]
    fn an_address_that_led_to_a_connected_device_is_not_dialed_for_another_name() {
        let now = Instant::now();
        let mut person = Dialing::new(false, now);
        person.connected(on_device("desk", None), now);
        person.found("forged.local.".into(), vec![address(1), address(2)], now);
        assert_eq!(person.addresses(), [address(1), address(2)]);
        person.connected(on_device("desk", Some(address(1))), now);
        assert_eq!((person.dial_at(), person.addresses()), (Some(now), vec![address(2)]));
        person.connected(on_device("desk", Some(address(2))), now);
        assert_eq!(person.dial_at(), None);
        person.found("forged again.local.".into(), vec![address(1)], now);
        assert_eq!(person.dial_at(), None);
        for port in 10..100 {
            person.connected(on_device("desk", Some(address(port))), now);
        }
        assert_eq!(person.connected[0].led.len(), MAX_LED);
    }

    #[test]
    fn beside_a_device_that_is_connected_old_announcements_are_tried_seldom() {
        let mut now = Instant::now();
        let mut person = Dialing::new(false, now);
        person.connected(on_device("after", None), now);
        person.found("before.local.".into(), vec![address(1)], now);
        let dials = (0..10).map(|_| {
            person.dial_failed(now);
            now = person.dial_at().unwrap();
            now
        });
        let dials: Vec<_> = dials.collect();
        assert_eq!(dials[9] - dials[8], LONGEST_DELAY_BESIDE);
    }

    #[test]
    fn the_renewal_of_one_device_leaves_the_other_alone() {
        let now = Instant::now();
        let mut person = Dialing::new(false, now);
        for (run, port) in [("desk", 1), ("lap", 2)] {
            person.found(format!("{run}.local."), vec![address(port)], now);
            person.connected(on_device(run, Some(address(port))), now);
        }
        person.renew(now, |run| run == "desk");
        assert_eq!((person.dial_at(), person.addresses()), (Some(now), vec![address(1)]));
        person.renew(now, |_| true);
        assert_eq!(person.addresses(), [address(2), address(1)]);
        person.connected(on_device("lap", Some(address(2))), now);
        person.note_heard("lap");
        assert_eq!((person.dial_at(), person.addresses()), (Some(now), vec![address(1)]), "the other one is due, too");
        person.note_heard("desk");
        assert_eq!(person.dial_at(), None);
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
        person.connected(old(), now);
        assert_eq!(person.dial_at(), None);
        person.renew(now, |_| true);
        assert_eq!(person.dial_at(), Some(now), "at once, whoever has the lower ID");
        person.dial_failed(now);
        assert_eq!(person.dial_at(), Some(now + FIRST_DELAY));
        person.renew(now, |_| true);
        assert_eq!(person.dial_at(), Some(now));
        person.note_heard("old");
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
            person.connected(old(), start);
            person.networks_changed(start);
            assert_eq!(person.dial_at(), None, "nobody who is reached is dialed");
            person.renew(start, |_| true);
            assert_eq!(person.dial_at(), Some(start));
        }
    }

    #[test]
    fn a_renewal_that_leads_nowhere_ends() {
        let now = Instant::now();
        for connected in [true, false] {
            let mut person = Dialing::new(false, now);
            if connected {
                person.connected(old(), now);
            }
            person.renew(now, |_| true);
            assert!(person.is_sought(now) && !person.may_leave(now));
            if connected {
                person.disconnected("old", SETTLED, now);
            }
            assert!(person.is_sought(now), "the network may have changed");
            let later = now + RENEWAL;
            assert!(!person.is_sought(later) && person.may_leave(later) && person.is_idle(later), "{connected}");
            person.connected(old(), later);
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
        assert_eq!(person.addresses(), (92..100).rev().map(address).collect::<Vec<_>>());
        for port in 92..100 {
            assert!(!person.is_idle(now));
            person.lost(&format!("{port}"));
        }
        assert!(person.is_idle(now) && person.dial_at().is_none());
    }
}
