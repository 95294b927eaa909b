//! Task of the route: takes the reports of discovery, dials and connections; decides whom to dial and which connection
//! to a person to keep; tells the hub who is up. It owns all of this, so nothing here but the links is locked.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::connection::HANDSHAKE;
use super::dial::{Dial, dial};
use super::dial_table::DialTable;
use super::dialing::Connected;
use super::input::{Command, Context, Input, NewLink};
use super::listener::note_panic;
use super::paths::Paths;
use crate::identity::{DeviceId, PeerId};
use crate::network::{NetworkMonitor, NetworkState};
use crate::signaling::links::Links;
use crate::signaling::route::RouteEvent;

/// When nothing else is due. Only bounds the sleep.
const IDLE: Duration = Duration::from_secs(3600);
/// Devices of one person that are connected at a time.
const MAX_DEVICES: usize = 8;

/// Link: the connection by which a device of a person is reached.
#[derive(Debug)]
struct Link {
    connection: u64,
    /// The far app's run.
    instance: Arc<str>,
    device: Option<DeviceId>,
    /// Whether this side opened it.
    dialed: bool,
    since: Instant,
    /// This side's address.
    local: Option<IpAddr>,
    /// Sleeps of the computer before.
    sleeps: u32,
}

/// News for the hub, and the people to tell once the hub has them.
type News = (RouteEvent, Option<oneshot::Sender<()>>);

pub(super) struct LanTask {
    context: Context,
    links: Arc<Links>,
    paths: Arc<Paths>,
    /// Links by person, one a device; whoever has none is not there.
    current: HashMap<PeerId, Vec<Link>>,
    table: DialTable,
    dials: JoinSet<()>,
    /// Sleeps of the computer so far.
    sleeps: u32,
}

impl LanTask {
    pub(super) fn new(context: Context, links: Arc<Links>, paths: Arc<Paths>) -> Self {
        let table = DialTable::new(context.local.identity.id(), Instant::now());
        Self { context, links, paths, current: HashMap::new(), table, dials: JoinSet::new(), sleeps: 0 }
    }

    /// Works until the route's handle is dropped. Connections that this side opened end with it.
    pub(super) async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        mut inputs: mpsc::Receiver<Input>,
        mut networks: NetworkMonitor,
    ) {
        self.sleeps = networks.state().sleeps;
        loop {
            let now = Instant::now();
            let due = self.table.next_due(now).unwrap_or(now + IDLE);
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.command(command, Instant::now()),
                    None => break,
                },
                Some(input) = inputs.recv() => {
                    if let Some((event, taken)) = self.input(input, Instant::now()) {
                        self.context.hub.tell(event).await;
                        // It closes by itself when it is gone already.
                        let _ = taken.map(|taken| taken.send(()));
                    }
                }
                Some(ended) = self.dials.join_next() => note_panic(ended),
                state = networks.changed() => self.networks_changed(&state, Instant::now()),
                () = sleep_until(due.into()) => {}
            }
            self.dial_whoever_is_due(Instant::now());
        }
        drop(inputs);
        self.links.close_all();
        while self.dials.join_next().await.is_some() {}
    }

    fn command(&mut self, command: Command, now: Instant) {
        match command {
            Command::Seek { peer, until } => self.table.seek(peer, until, now),
            Command::Renew(peer) => self.table.renew(peer, now),
        }
    }

    /// Connections from an address that is gone lead nowhere, and those of before a sleep may be forgotten elsewhere:
    /// others are opened beside them, as often as the networks change until one stands. People who are not connected
    /// may be reached now.
    fn networks_changed(&mut self, state: &NetworkState, now: Instant) {
        self.sleeps = state.sleeps;
        let is_lost = |link: &Link| link.local.is_some_and(|local| state.has_lost(local, link.sleeps));
        let all = self.current.iter().flat_map(|(peer, links)| links.iter().map(|link| (*peer, link)));
        let lost = all.filter(|(_, link)| is_lost(link)).map(|(peer, link)| (peer, Arc::clone(&link.instance)));
        let lost: Vec<_> = lost.collect();
        self.table.networks_changed(&lost, now);
    }

    fn input(&mut self, input: Input, now: Instant) -> Option<News> {
        match input {
            Input::Found { fullname, peer, addresses } => self.table.found(fullname, peer, addresses, now),
            Input::Lost { fullname } => self.table.lost(&fullname, now),
            Input::DiscoveryRestarted => self.table.forget_services(now),
            Input::Discovery(fault) => return Some((RouteEvent::Discovery(fault), None)),
            Input::Proven(link) => return self.proven(link, now),
            Input::Heard { connection, peer } => {
                if let Some(run) = self.run_of(connection, &peer) {
                    self.table.heard(&peer, &run);
                }
            }
            Input::Down { connection, peer, closed_by_far } => {
                let instance = self.down(connection, peer, now)?;
                return Some((RouteEvent::Down { peer, instance, closed_by_far }, None));
            }
            Input::Led { peer, run, address } => self.table.led(&peer, &run, address),
            Input::DialFailed { peer } => self.table.dial_failed(&peer, now),
        }
        None
    }

    /// Takes a connection, or drops it, which closes it. Each device of a person has one.
    ///
    /// Where both sides opened one to the other, both keep the one that the lower ID opened. Otherwise the latest
    /// counts, since the app at the other end may have crashed and come back, or may have lost the way by which it was
    /// connected.
    fn proven(&mut self, link: NewLink, now: Instant) -> Option<News> {
        let NewLink { connection, up, dialed, path, frames, taken } = link;
        let (peer, instance, device) = (up.peer, Arc::clone(&up.instance), up.device);
        if dialed {
            self.table.dial_led(&peer);
        }
        let links = self.current.get(&peer).map_or(&[][..], Vec::as_slice);
        let is_double = links.iter().find(|current| current.instance == instance).is_some_and(|current| {
            current.dialed != dialed && now.saturating_duration_since(current.since) <= HANDSHAKE
        });
        let opened_by_lower = dialed == (self.context.local.identity.id() < peer);
        let is_replaced = |link: &Link| link.instance == instance || link.device == device;
        let is_over_limit = links.iter().filter(|link| !is_replaced(link)).count() >= MAX_DEVICES;
        if is_double && !opened_by_lower || is_over_limit {
            if dialed {
                self.table.dial_was_needless(peer, now);
            }
            return None;
        }
        let links = self.current.entry(peer).or_default();
        for ended in links.extract_if(.., |link| is_replaced(link)) {
            if ended.instance != instance {
                self.links.close_run(&peer, &ended.instance);
                self.table.replaced(&peer, &ended.instance);
            }
        }
        let local = path.map(|path| path.local.ip());
        let sleeps = self.sleeps;
        links.push(Link { connection, instance: Arc::clone(&instance), device, dialed, since: now, local, sleeps });
        self.links.put(peer, Arc::clone(&instance), move |frame| frames.try_send(frame).is_ok());
        let remote = path.map(|path| path.remote);
        self.table.connected(peer, Connected::new(&instance, device, remote.filter(|_| dialed)), remote, now);
        if let Some(path) = path {
            self.paths.note(peer, &instance, path, |peer, run| {
                self.current.get(peer).is_some_and(|links| links.iter().any(|link| *link.instance == *run))
            });
        }
        Some((RouteEvent::Up(up), Some(taken)))
    }

    /// A connection is gone; the run of the app that was reached by it, where one was.
    fn down(&mut self, connection: u64, peer: PeerId, now: Instant) -> Option<Arc<str>> {
        let links = self.current.get_mut(&peer)?;
        let place = links.iter().position(|link| link.connection == connection)?;
        let link = links.remove(place);
        if links.is_empty() {
            self.current.remove(&peer);
        }
        self.links.close_run(&peer, &link.instance);
        self.table.disconnected(&peer, &link.instance, now.saturating_duration_since(link.since), now);
        Some(link.instance)
    }

    /// The run that is reached by a connection, where that leads to somebody now.
    fn run_of(&self, connection: u64, peer: &PeerId) -> Option<Arc<str>> {
        let link = self.current.get(peer)?.iter().find(|link| link.connection == connection)?;
        Some(Arc::clone(&link.instance))
    }

    fn dial_whoever_is_due(&mut self, now: Instant) {
        while let Some(due) = self.table.take_due(now) {
            let (budget, connected) = (self.table.budget(due.lane).cloned(), self.table.settled(&due.peer));
            let to = Dial { peer: due.peer, addresses: due.addresses, connected, budget };
            self.dials.spawn(dial(to, self.context.clone()));
        }
    }
}

#[cfg(test)]
mod tests;
