//! Dialling of one person: where their devices announce themselves, and when to try next. Pure; time is an argument.
//!
//! An announcement bears the name of the run of the app that makes it. So one of a run that is connected is no reason
//! to dial, and one of another run is: it may be of another device. Anybody can announce a person under other names, at
//! a device's addresses or at their own, from which they pass bytes on to it. So a dial that leads to a run that is
//! connected is given up before it displaces that connection, and the address is not dialed for another name while the
//! connection stands (for the latest eight such addresses). Such announcements do make dials of other devices that are
//! not connected rarer, up to one in 30 s.

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
    /// Whether its hello says on which device it is: then the person may have others here.
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

    /// A dial of this address has led to a run that is connected.
    pub(super) fn led(&mut self, run: &str, address: SocketAddr) {
        let Some(connected) = self.connected.iter_mut().find(|connected| *connected.run == *run) else { return };
        connected.led.retain(|known| *known != address);
        connected.led.insert(0, address);
        connected.led.truncate(MAX_LED);
    }

    /// Runs that need no other connection, as things are.
    pub(super) fn settled_runs(&self) -> Vec<Arc<str>> {
        self.settled().map(|connected| Arc::clone(&connected.run)).collect()
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
mod tests;
