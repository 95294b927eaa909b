//! Crowd: many people at one server, each with the app's own connection to it (dial, proof, watches, sessions, backoff)
//! and nothing else of an app. For measurements of a server. The people are pairs who know each other; every connection
//! runs on a task of its own.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout_at};

use super::connection::Connection;
use super::egress::Egress;
use super::input::{Context, Input, Request};
use super::status::ServerState;
use super::tls;
use crate::call::{ConversationId, InviteId};
use crate::identity::{EnvelopeError, Identity, PeerId, ServerLink};
use crate::media::MediaSet;
use crate::network::NetworkMonitor;
use crate::signaling::frame::Frame;
use crate::signaling::local::Local;
use crate::signaling::message::Message;
use crate::signaling::route::Incoming;
use crate::signaling::version::Versions;

/// People who dial at once, at the start.
const AT_ONCE: usize = 100;
const REQUESTS: usize = 16;
const INPUTS: usize = 16_384;
/// For the last rings of a series.
const LAST_RINGS: Duration = Duration::from_secs(5);

/// Why a measurement with a crowd failed.
#[derive(Debug, thiserror::Error)]
pub enum CrowdError {
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}.")]
    Tls(#[from] rustls::Error),
    /// No random numbers, or no envelope.
    #[error("{0}.")]
    Envelope(#[from] EnvelopeError),
    /// The server does not let all of them in.
    #[error("Only {ready} of {people} people were ready after {seconds} s. Try fewer, or give it a faster computer.")]
    NotReady {
        /// Those who were.
        ready: usize,
        /// All of them.
        people: usize,
        /// The patience with them.
        seconds: u64,
    },
}

/// Times of invites from app to app.
#[derive(Debug, Default)]
pub struct Rings {
    /// From the caller's app to the callee's, sealing and opening included.
    pub times: Vec<Duration>,
    /// Those that did not arrive.
    pub lost: usize,
}

/// Times after a server was lost.
#[derive(Debug, Default)]
pub struct Returns {
    /// Until each person was let in again.
    pub online: Vec<Duration>,
    /// Until each person's contact was online again, with a new session.
    pub met: Vec<Duration>,
}

/// See the module.
pub struct Crowd {
    people: Vec<Person>,
    inputs: mpsc::Receiver<Input>,
    /// Invites on their way: number and start.
    rung: HashMap<u64, Instant>,
    arrived: Vec<Duration>,
    last_ring: u64,
    connections: JoinSet<()>,
    networks: NetworkMonitor,
}

type Take = Box<dyn Fn(Bytes) -> bool + Send + Sync>;

struct Person {
    id: PeerId,
    /// Ends the connection when it is dropped.
    _requests: mpsc::Sender<Request>,
    online: Option<Instant>,
    /// Since when their contact is online, and the way to them.
    met: Option<(Instant, Take)>,
}

impl Crowd {
    /// Pairs of people who come to a server; each also watches the boxes of `absent` contacts who never come. They come
    /// from addresses of their own in 127.0.0.0/8, because a server limits the connections of one address. Where the
    /// server has several `nodes`, neighbours come to different ones ([`node_of`](Self::node_of)), and to the next ones
    /// where theirs does not answer.
    ///
    /// # Errors
    ///
    /// Where not all are let in within `patience`.
    pub async fn gather(
        link: &ServerLink,
        nodes: &[SocketAddr],
        pairs: usize,
        absent: usize,
        patience: Duration,
    ) -> Result<Self, CrowdError> {
        let (to_self, inputs) = mpsc::channel(INPUTS);
        let mut crowd = Self {
            people: Vec::new(),
            inputs,
            rung: HashMap::new(),
            arrived: Vec::new(),
            last_ring: 0,
            connections: JoinSet::new(),
            networks: NetworkMonitor::unchanging(),
        };
        let until = Instant::now() + patience;
        let mut chance = fastrand::Rng::with_seed(1);
        let identities: Vec<_> = (0..2 * pairs).map(|_| Arc::new(Identity::from_seed(seed(&mut chance)))).collect();
        for (place, identity) in identities.iter().enumerate() {
            let friend = identities.get(place ^ 1).map(|friend| friend.id());
            let strangers = (0..absent).map(|_| PeerId::from_bytes(seed(&mut chance)));
            let local = Local::new(Arc::clone(identity), "Somebody")?;
            local.set_contacts(friend.into_iter().chain(strangers).collect());
            crowd.add(link, nodes, place, local, &to_self)?;
            if crowd.people.len().is_multiple_of(AT_ONCE) || crowd.people.len() == identities.len() {
                crowd.expect(until, patience, |_, person| person.online.is_some()).await?;
            }
        }
        crowd.expect(until, patience, |_, person| person.met.is_some()).await?;
        Ok(crowd)
    }

    fn add(
        &mut self,
        link: &ServerLink,
        nodes: &[SocketAddr],
        place: usize,
        local: Local,
        inputs: &mpsc::Sender<Input>,
    ) -> Result<(), CrowdError> {
        let (requests, receiver) = mpsc::channel(REQUESTS);
        let id = local.identity.id();
        let mut given = nodes.to_vec();
        given.rotate_left(Self::node_of(place, nodes.len()));
        let egress = Egress { bind: Some(address(place)), given: given.into(), ..Egress::default() };
        let networks = self.networks.from_now();
        let connection = Connection {
            link: link.clone(),
            tls: Arc::new(tls::client_config(link)?),
            number: place as u64,
            context: Context { local: Arc::new(local), egress, networks: networks.clone(), inputs: inputs.clone() },
            requests: receiver,
            to_self: requests.downgrade(),
            networks,
        };
        self.connections.spawn(connection.run());
        self.people.push(Person { id, _requests: requests, online: None, met: None });
        Ok(())
    }

    /// The node, of so many, that somebody comes to first.
    pub const fn node_of(place: usize, nodes: usize) -> usize {
        if nodes == 0 { 0 } else { place % nodes }
    }

    /// Somebody's ID; pairs stand beside each other.
    pub fn id(&self, place: usize) -> Option<PeerId> {
        self.people.get(place).map(|person| person.id)
    }

    /// Leaves everybody alone for so long.
    pub async fn rest(&mut self, time: Duration) {
        self.wait(Instant::now() + time, |_| false).await;
    }

    /// Has people ring their contacts, one after another, evenly in time.
    pub async fn ring(&mut self, rings: usize, per_second: u32) -> Rings {
        let mut turns = interval(Duration::from_secs(1) / per_second.max(1));
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut chance = fastrand::Rng::with_seed(2);
        let mut unsent = 0;
        for _ in 0..rings {
            let turn = turns.tick();
            tokio::pin!(turn);
            loop {
                tokio::select! {
                    _ = &mut turn => break,
                    Some(input) = self.inputs.recv() => self.take(input),
                }
            }
            unsent += usize::from(!self.ring_once(chance.usize(..self.people.len())));
        }
        self.wait(Instant::now() + LAST_RINGS, |crowd| crowd.rung.is_empty()).await;
        let lost = unsent + std::mem::take(&mut self.rung).len();
        Rings { times: std::mem::take(&mut self.arrived), lost }
    }

    /// False where the caller has no way to their contact.
    fn ring_once(&mut self, place: usize) -> bool {
        self.last_ring += 1;
        let number = self.last_ring;
        let message = Message::Invite {
            invite: InviteId::from_bits(number.into()),
            conversation: ConversationId::from_bits(number.into()),
            name: "Somebody".to_owned(),
            user_data: String::new(),
            streams: MediaSet::of_call(true, true),
            descriptions: Versions::default(),
        };
        let Some(frame) = Frame::message(number, message).encode() else { return false };
        let Some((_, take)) = self.people.get(place).and_then(|person| person.met.as_ref()) else { return false };
        self.rung.insert(number, Instant::now());
        take(frame.into())
    }

    /// Waits until everybody who lost the server at `lost`, or a node of it, is back, and everybody has met their
    /// contact; times of those who had to come back or to meet anew.
    ///
    /// # Errors
    ///
    /// Where not all are back within `patience`.
    pub async fn come_back(
        &mut self,
        lost: Instant,
        patience: Duration,
        has_lost: impl Fn(usize) -> bool,
    ) -> Result<Returns, CrowdError> {
        let until = Instant::now() + patience;
        let has_lost: Vec<_> = (0..self.people.len()).map(has_lost).collect();
        let is_lost = |place: usize| has_lost.get(place).copied().unwrap_or_default();
        let is_back = |place, person: &Person| person.online.is_some_and(|at| at > lost || !is_lost(place));
        self.expect(until, patience, is_back).await?;
        let has_met = |place: usize, person: &Person| {
            person.met.as_ref().is_some_and(|(at, _)| *at > lost || !is_lost(place) && !is_lost(place ^ 1))
        };
        self.expect(until, patience, has_met).await?;
        let after = |at: Instant| at.checked_duration_since(lost).filter(|time| !time.is_zero());
        Ok(Returns {
            online: self.people.iter().filter_map(|person| person.online).filter_map(after).collect(),
            met: self.people.iter().filter_map(|person| person.met.as_ref()).filter_map(|(at, _)| after(*at)).collect(),
        })
    }

    /// People who were let in after `time`: they had lost their connection.
    pub fn came_since(&self, time: Instant) -> usize {
        self.people.iter().filter(|person| person.online.is_none_or(|at| at > time)).count()
    }

    async fn expect(
        &mut self,
        until: Instant,
        patience: Duration,
        is_ready: impl Fn(usize, &Person) -> bool,
    ) -> Result<(), CrowdError> {
        // The whole crowd is looked at again only once those are ready who were not.
        let mut missing = 0;
        let all = self.wait(until, |crowd| {
            while crowd.people.get(missing).is_some_and(|person| is_ready(missing, person)) {
                missing += 1;
            }
            missing == crowd.people.len()
                && crowd.people.iter().enumerate().all(|(place, person)| is_ready(place, person))
        });
        if all.await {
            return Ok(());
        }
        let ready = self.people.iter().enumerate().filter(|(place, person)| is_ready(*place, person)).count();
        Err(CrowdError::NotReady { ready, people: self.people.len(), seconds: patience.as_secs() })
    }

    /// Takes news until `is_done` or until then; whether it is done.
    async fn wait(&mut self, until: Instant, mut is_done: impl FnMut(&Self) -> bool) -> bool {
        while !is_done(self) {
            match timeout_at(until.into(), self.inputs.recv()).await {
                Ok(Some(input)) => self.take(input),
                Ok(None) | Err(_) => return false,
            }
        }
        true
    }

    fn take(&mut self, input: Input) {
        let now = Instant::now();
        let place = match &input {
            Input::Up { link, .. } | Input::Received { link, .. } | Input::Down { link, .. } => link.server,
            Input::Status { server, .. } | Input::Access { server, .. } => *server,
        };
        let Some(person) = usize::try_from(place).ok().and_then(|place| self.people.get_mut(place)) else { return };
        match input {
            Input::Status { status, .. } => {
                person.online = (status.state == ServerState::Online).then_some(now);
            }
            Input::Up { take, .. } => person.met = Some((now, take)),
            Input::Down { .. } => person.met = None,
            Input::Received { incoming: Incoming::Message { number, .. }, .. } => {
                self.arrived.extend(self.rung.remove(&number).map(|rung| now.saturating_duration_since(rung)));
            }
            Input::Received { .. } | Input::Access { .. } => {}
        }
    }
}

fn seed(chance: &mut fastrand::Rng) -> [u8; 32] {
    std::array::from_fn(|_| chance.u8(..))
}

/// An address of this computer for each person.
fn address(place: usize) -> IpAddr {
    let [.., a, b] = place.to_be_bytes();
    Ipv4Addr::new(127, 1, a, b).into()
}
