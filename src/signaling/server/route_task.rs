//! Task of the route: one connection a server, and the way by which each person is reached over them. It owns all of
//! this, so nothing here but the links and the relays is locked.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::connection::Connection;
use super::input::{Command, Context, Input, LinkKey, Request};
use super::relays::Relays;
use super::status::{ServerDetail, ServerState, ServerStatus};
use super::tls;
use crate::identity::{MAX_SERVERS, PeerId, ServerLink};
use crate::signaling::links::Links;
use crate::signaling::route::{Incoming, RouteEvent, RouteReports, Up};

/// Runs of one person's app that are reached at a time. Those over it push out the one that has been up the longest.
const MAX_RUNS: usize = 8;
/// Requests that wait for one connection.
const REQUESTS: usize = 256;

/// A way to a run of somebody's app.
struct Way {
    link: LinkKey,
    up: Up,
    take: Arc<dyn Fn(Bytes) -> bool + Send + Sync>,
    /// They have spoken by it: the relay of its server is the one of their call.
    spoke: bool,
}

pub(super) struct RouteTask {
    context: Context,
    hub: RouteReports,
    links: Arc<Links>,
    relays: Arc<Relays>,
    servers: HashMap<ServerLink, (u64, mpsc::Sender<Request>)>,
    /// The ways to each person. Each run is reached by its last one, and the relay of the very last is taken.
    ways: HashMap<PeerId, Vec<Way>>,
    connections: JoinSet<()>,
    last_server: u64,
}

impl RouteTask {
    pub(super) fn new(context: Context, hub: RouteReports, links: Arc<Links>, relays: Arc<Relays>) -> Self {
        let (servers, ways, connections) = (HashMap::new(), HashMap::new(), JoinSet::new());
        Self { context, hub, links, relays, servers, ways, connections, last_server: 0 }
    }

    /// Works until the route's handle is dropped; then the connections close with a word.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>, mut inputs: mpsc::Receiver<Input>) {
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.command(command).await,
                    None => break,
                },
                Some(input) = inputs.recv() => self.input(input).await,
                Some(ended) = self.connections.join_next() => if ended.is_err_and(|error| error.is_panic()) {
                    tracing::error!("the task of a server's connection panicked");
                },
            }
        }
        self.links.close_all();
        self.servers.clear();
        // Their last inputs are nobody's any more, and must not hold them up.
        drop(inputs);
        while self.connections.join_next().await.is_some() {}
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::SetServers(servers) => self.set_servers(servers).await,
            Command::Seek { peer, until } => self.ask_all(|| Request::Seek { peer, until }),
            Command::Renew(peer) => self.ask_all(|| Request::Renew(peer)),
            Command::Close(peer) => self.ask_all(|| Request::Close(peer)),
            Command::CloseRun(peer, run) => self.ask_all(|| Request::CloseRun(peer, Arc::clone(&run))),
        }
    }

    fn ask_all(&self, request: impl Fn() -> Request) {
        self.servers.values().for_each(|(_, requests)| ask(requests, request()));
    }

    /// Connects to these servers, and to no others.
    async fn set_servers(&mut self, wanted: Vec<ServerLink>) {
        let is_unwanted = |link: &ServerLink| !wanted.contains(link);
        let gone: Vec<_> = self.servers.keys().filter(|link| is_unwanted(link)).cloned().collect();
        for link in gone {
            if let Some((number, requests)) = self.servers.remove(&link) {
                // Where no request has room, the end of all senders tells the same.
                let _ = requests.try_send(Request::End);
                self.leave(number).await;
            }
        }
        for link in wanted.into_iter().take(MAX_SERVERS) {
            if !self.servers.contains_key(&link) {
                self.connect(link).await;
            }
        }
    }

    async fn connect(&mut self, link: ServerLink) {
        let tls = match tls::client_config(&link) {
            Ok(tls) => Arc::new(tls),
            Err(error) => {
                tracing::error!(%error, "TLS cannot be set up");
                let status = ServerStatus::new(&link, ServerState::Offline, Some(ServerDetail::without_tls(&link)));
                self.hub.tell(RouteEvent::Server(status)).await;
                return;
            }
        };
        self.last_server += 1;
        let (requests, receiver) = mpsc::channel(REQUESTS);
        self.servers.insert(link.clone(), (self.last_server, requests.clone()));
        let connection = Connection {
            link,
            tls,
            number: self.last_server,
            context: self.context.clone(),
            requests: receiver,
            to_self: requests.downgrade(),
            networks: self.context.networks.from_now(),
        };
        self.connections.spawn(connection.run());
    }

    async fn input(&mut self, input: Input) {
        match input {
            Input::Up { link, up, take } if self.is_connected(link.server) => self.up(link, up, take.into()).await,
            Input::Received { link, peer, instance, incoming } => {
                if shows_device(&incoming) {
                    self.take_way_of(link, peer).await;
                }
                self.hub.tell(RouteEvent::Received { peer, instance, incoming }).await;
            }
            Input::Down { link, peer } => self.down(peer, |other| *other == link).await,
            Input::Status { server, status } if self.is_connected(server) => {
                self.hub.tell(RouteEvent::Server(status)).await;
            }
            Input::Access { server, access } if self.is_connected(server) => self.relays.set(server, access),
            // News of a server that was taken out meanwhile.
            Input::Up { .. } | Input::Status { .. } | Input::Access { .. } => {}
        }
    }

    fn is_connected(&self, server: u64) -> bool {
        self.servers.values().any(|(number, _)| *number == server)
    }

    async fn up(&mut self, link: LinkKey, up: Up, take: Arc<dyn Fn(Bytes) -> bool + Send + Sync>) {
        // The far app began anew, or the server gave its number to another device: the run before is not reached by it.
        if self.ways.get(&up.peer).is_some_and(|ways| has_other_run(ways, link, &up.instance)) {
            self.down(up.peer, |other| *other == link).await;
        }
        if let Some(longest) = self.ways.get(&up.peer).and_then(|ways| run_over_the_limit(ways, &up.instance)) {
            self.leave_run(up.peer, &longest).await;
        }
        let ways = self.ways.entry(up.peer).or_default();
        // A run of an app has one connection to a server: the one before is dead, whatever the server still believes.
        ways.retain(|way| way.link.server != link.server || way.up.instance != up.instance);
        // Another device that comes online does not take a call over from the one that they speak at.
        let keeps = ways.last().is_some_and(|way| way.spoke && way.up.instance != up.instance);
        let (peer, run) = (up.peer, Arc::clone(&up.instance));
        ways.insert(ways.len() - usize::from(keeps), Way { link, up, take, spoke: false });
        if !keeps {
            self.relays.note_way(peer, link.server);
        }
        self.take_last_way_to(peer, &run).await;
    }

    /// A person is where they spoke last.
    async fn take_way_of(&mut self, link: LinkKey, peer: PeerId) {
        let Some(ways) = self.ways.get_mut(&peer) else { return };
        let Some(place) = ways.iter().position(|way| way.link == link) else { return };
        let way = ways.remove(place);
        let run = Arc::clone(&way.up.instance);
        let is_taken = !ways[place..].iter().any(|later| later.up.instance == run);
        ways.push(Way { spoke: true, ..way });
        self.relays.note_way(peer, link.server);
        if !is_taken {
            self.take_last_way_to(peer, &run).await;
        }
    }

    /// Tells the hub that a run of somebody's app is reached, by the last of its ways.
    async fn take_last_way_to(&mut self, peer: PeerId, run: &str) {
        let ways = self.ways.get(&peer).map_or(&[][..], Vec::as_slice);
        let Some(way) = ways.iter().rfind(|way| *way.up.instance == *run) else { return };
        let (up, take) = (way.up.clone(), Arc::clone(&way.take));
        self.links.put(peer, Arc::clone(&up.instance), move |frame| take(frame));
        self.hub.tell(RouteEvent::Up(up)).await;
    }

    /// A run of somebody's app is not reached any more.
    async fn leave_run(&mut self, peer: PeerId, run: &str) {
        let ways = self.ways.get(&peer).map_or(&[][..], Vec::as_slice);
        let links: Vec<_> = ways.iter().filter(|way| *way.up.instance == *run).map(|way| way.link).collect();
        self.down(peer, |link| links.contains(link)).await;
    }

    /// The ways that `is_gone` lead to somebody no more.
    async fn down(&mut self, peer: PeerId, is_gone: impl Fn(&LinkKey) -> bool) {
        let Some(ways) = self.ways.get_mut(&peer) else { return };
        let taken = |ways: &[Way], run: &str| ways.iter().rfind(|way| *way.up.instance == *run).map(|way| way.link);
        let mut runs: Vec<_> = ways.iter().map(|way| Arc::clone(&way.up.instance)).collect();
        runs.sort_unstable();
        runs.dedup();
        let before: Vec<_> = runs.iter().map(|run| taken(ways, run)).collect();
        ways.retain(|way| !is_gone(&way.link));
        let after: Vec<_> = runs.iter().map(|run| taken(ways, run)).collect();
        match ways.last() {
            Some(last) => self.relays.note_way(peer, last.link.server),
            None => drop(self.ways.remove(&peer)),
        }
        for ((run, before), after) in runs.into_iter().zip(before).zip(after) {
            match after {
                Some(_) if after == before => {}
                Some(_) => self.take_last_way_to(peer, &run).await,
                None => {
                    self.links.close_run(&peer, &run);
                    // A server that lies, or a network that fails, says as much: it is no sign that the far app has
                    // ended.
                    let down = RouteEvent::Down { peer, instance: run, closed_by_far: false };
                    self.hub.tell(down).await;
                }
            }
        }
    }

    /// Nobody is reached over this server any more.
    async fn leave(&mut self, server: u64) {
        self.relays.set(server, None);
        let people: Vec<_> = self.ways.keys().copied().collect();
        for peer in people {
            self.down(peer, |link| link.server == server).await;
        }
    }
}

/// Whether a link led to another run than this one.
fn has_other_run(ways: &[Way], link: LinkKey, run: &str) -> bool {
    ways.iter().any(|way| way.link == link && *way.up.instance != *run)
}

/// The run that has been up the longest, where `run` is one more than may be up.
fn run_over_the_limit(ways: &[Way], run: &str) -> Option<Arc<str>> {
    let mut runs: Vec<&Arc<str>> = Vec::new();
    for way in ways {
        if !runs.contains(&&way.up.instance) {
            runs.push(&way.up.instance);
        }
    }
    let is_new = runs.iter().all(|other| ***other != *run);
    (is_new && runs.len() >= MAX_RUNS).then(|| Arc::clone(runs[0]))
}

/// Whether a frame shows which of a person's devices they are at.
fn shows_device(incoming: &Incoming) -> bool {
    match incoming {
        Incoming::Message { message, .. } => message.as_ref().is_none_or(|message| !message.is_automatic()),
        Incoming::Ack { .. } | Incoming::Name(_) => false,
    }
}

fn ask(requests: &mpsc::Sender<Request>, request: Request) {
    if requests.try_send(request).is_err() {
        tracing::debug!("the connection to a server has too much to do");
    }
}

#[cfg(test)]
#[path = "route_task_tests.rs"]
mod tests;
