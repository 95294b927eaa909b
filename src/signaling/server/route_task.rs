//! Task of the route: one connection a server, and the way by which each person is reached over them. It owns all of
//! this, so nothing here but the links and the relays is locked.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::connection::Connection;
use super::input::{Command, Context, Input, LinkKey, Request};
use super::pin;
use super::relays::Relays;
use super::status::{ServerDetail, ServerState, ServerStatus};
use crate::identity::{MAX_SERVERS, PeerId, ServerLink};
use crate::signaling::links::Links;
use crate::signaling::message::Message;
use crate::signaling::route::{Incoming, RouteEvent, RouteReports, Up};

/// Requests that wait for one connection.
const REQUESTS: usize = 256;

/// A way to somebody.
struct Way {
    link: LinkKey,
    up: Up,
    take: Arc<dyn Fn(Bytes) -> bool + Send + Sync>,
    /// They have spoken by it, and mean to be reached there.
    spoke: bool,
}

pub(super) struct RouteTask {
    context: Context,
    hub: RouteReports,
    links: Arc<Links>,
    relays: Arc<Relays>,
    servers: HashMap<ServerLink, (u64, mpsc::Sender<Request>)>,
    /// The ways to each person; the last one is taken.
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
            Command::Renew(peer) => {
                let Some(way) = self.ways.get(&peer).and_then(|ways| ways.last()) else { return };
                let server = self.servers.values().find(|(number, _)| *number == way.link.server);
                if let Some((_, requests)) = server {
                    ask(requests, Request::Renew);
                }
            }
            Command::SendToOthers { peer, run, frame } => self.send_to_others(&peer, &run, &frame),
            Command::Close(peer) => self.ask_all(|| Request::Close(peer)),
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
        let tls = match pin::client_config(&link) {
            Ok(tls) => Arc::new(tls),
            Err(error) => {
                tracing::error!(%error, "TLS cannot be set up");
                let status = ServerStatus::new(&link, ServerState::Offline, Some(ServerDetail::NoTls));
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
                if moves(&incoming) {
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
        let ways = self.ways.entry(up.peer).or_default();
        // A run of an app has one connection to a server: the one before is dead, whatever the server still believes.
        ways.retain(|way| way.link.server != link.server || way.up.instance != up.instance);
        // Another device that comes online does not take a call over from the one that they speak at.
        let keeps = ways.last().is_some_and(|way| way.spoke && way.up.instance != up.instance);
        let peer = up.peer;
        ways.insert(ways.len() - usize::from(keeps), Way { link, up, take, spoke: false });
        if !keeps {
            self.take_last_way(peer).await;
        }
    }

    /// Queues a frame once for each run of somebody's app but this one.
    fn send_to_others(&self, peer: &PeerId, run: &str, frame: &Bytes) {
        let mut sent = vec![run];
        for way in self.ways.get(peer).into_iter().flatten().rev() {
            let other = &*way.up.instance;
            if !sent.contains(&other) && (way.take)(frame.clone()) {
                sent.push(other);
            }
        }
    }

    /// A person is where they spoke last.
    async fn take_way_of(&mut self, link: LinkKey, peer: PeerId) {
        let Some(ways) = self.ways.get_mut(&peer) else { return };
        let Some(place) = ways.iter().position(|way| way.link == link) else { return };
        let is_last = place + 1 == ways.len();
        let way = ways.remove(place);
        ways.push(Way { spoke: true, ..way });
        if !is_last {
            self.take_last_way(peer).await;
        }
    }

    /// Tells the hub that somebody is reached by the last of their ways.
    async fn take_last_way(&mut self, peer: PeerId) {
        let Some(Way { link, up, take, .. }) = self.ways.get(&peer).and_then(|ways| ways.last()) else { return };
        let (up, take) = (up.clone(), Arc::clone(take));
        self.relays.note_way(peer, link.server);
        self.links.put(peer, Arc::clone(&up.instance), move |frame| take(frame));
        self.hub.tell(RouteEvent::Up(up)).await;
    }

    /// The ways that `is_gone` lead to somebody no more.
    async fn down(&mut self, peer: PeerId, is_gone: impl Fn(&LinkKey) -> bool) {
        let Some(ways) = self.ways.get_mut(&peer) else { return };
        let before = ways.last().map(|way| way.link);
        ways.retain(|way| !is_gone(&way.link));
        match ways.last().map(|way| way.link) {
            Some(after) if Some(after) == before => {}
            Some(_) => self.take_last_way(peer).await,
            None => {
                self.ways.remove(&peer);
                self.links.close(&peer);
                // A server that lies, or a network that fails, says as much: it is no sign that the far app has ended.
                self.hub.tell(RouteEvent::Down { peer, closed_by_far: false }).await;
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

/// Whether a frame shows which of a person's devices they are at: all of them ring and acknowledge by themselves.
fn moves(incoming: &Incoming) -> bool {
    match incoming {
        Incoming::Message { message: Some(Message::Ringing { .. }), .. } => false,
        Incoming::Message { .. } => true,
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
