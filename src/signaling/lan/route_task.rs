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
use super::input::{Command, Context, Input, NewLink};
use super::listener::note_panic;
use super::paths::Paths;
use crate::identity::PeerId;
use crate::network::{NetworkMonitor, NetworkState};
use crate::signaling::links::Links;
use crate::signaling::route::RouteEvent;

/// When nothing else is due. Only bounds the sleep.
const IDLE: Duration = Duration::from_secs(3600);

/// The connection by which a person is reached.
#[derive(Debug)]
struct Link {
    connection: u64,
    /// The far app's run.
    instance: Arc<str>,
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
    current: HashMap<PeerId, Link>,
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
        let lost: Vec<_> = self.current.iter().filter(|(_, link)| is_lost(link)).map(|(peer, _)| *peer).collect();
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
                if self.is_current(connection, &peer) {
                    self.table.heard(&peer);
                }
            }
            Input::Down { connection, peer, closed_by_far } => {
                let instance = self.down(connection, peer, now)?;
                return Some((RouteEvent::Down { peer, instance, closed_by_far }, None));
            }
            Input::DialFailed { peer } => self.table.dial_failed(&peer, now),
        }
        None
    }

    /// Takes a connection, or drops it, which closes it.
    ///
    /// Where both sides opened one to the other, both keep the one that the lower ID opened. Otherwise the latest
    /// counts, since the app at the other end may have crashed and come back, or may have lost the way by which it was
    /// connected.
    fn proven(&mut self, link: NewLink, now: Instant) -> Option<News> {
        let NewLink { connection, up, dialed, path, frames, taken } = link;
        let peer = up.peer;
        if dialed {
            self.table.dial_led(&peer);
        }
        let is_double = self.current.get(&peer).is_some_and(|current| {
            let at_once = now.saturating_duration_since(current.since) <= HANDSHAKE;
            current.instance == up.instance && current.dialed != dialed && at_once
        });
        let opened_by_lower = dialed == (self.context.local.identity.id() < peer);
        if is_double && !opened_by_lower {
            if dialed {
                self.table.dial_was_needless(peer, now);
            }
            return None;
        }
        let (instance, local) = (up.instance.clone(), path.map(|path| path.local.ip()));
        let link = Link { connection, instance, dialed, since: now, local, sleeps: self.sleeps };
        self.current.insert(peer, link);
        self.links.put_alone(peer, up.instance.clone(), move |frame| frames.try_send(frame).is_ok());
        self.table.connected(peer, path.map(|path| path.remote.ip()), now);
        if let Some(path) = path {
            self.paths.note(peer, path, |other| self.current.contains_key(other));
        }
        Some((RouteEvent::Up(up), Some(taken)))
    }

    /// A connection is gone; the run of the app that was reached by it, where the person was.
    fn down(&mut self, connection: u64, peer: PeerId, now: Instant) -> Option<Arc<str>> {
        if !self.is_current(connection, &peer) {
            return None;
        }
        self.links.close(&peer);
        let link = self.current.remove(&peer)?;
        self.table.disconnected(&peer, now.saturating_duration_since(link.since), now);
        Some(link.instance)
    }

    fn is_current(&self, connection: u64, peer: &PeerId) -> bool {
        self.current.get(peer).is_some_and(|link| link.connection == connection)
    }

    fn dial_whoever_is_due(&mut self, now: Instant) {
        while let Some(due) = self.table.take_due(now) {
            let budget = self.table.budget(due.lane).cloned();
            self.dials.spawn(dial(Dial { peer: due.peer, addresses: due.addresses, budget }, self.context.clone()));
        }
    }
}

#[cfg(test)]
mod tests;
