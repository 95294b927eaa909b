//! Routes: the ways by which signaling reaches people. A route carries frames to and from people who have proven their
//! key on it, and reports who is up. The hub knows routes by the [`Route`] trait alone, and no address of any of them.
//!
//! ```text
//! hub -- seek, renew --------> route -- opaque messages: a hello, a hello, a confirm, then records --> far route
//!     -- send(ID, run, frame)> (seals with the session of that person)
//!     <- Up, Received, Down --
//! ```
//!
//! `lan` and `server` are the routes of signaling. Echo, inside this program, is reached without signaling: its
//! presence is [`RouteKind::Local`], for good.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::message::Message;
use super::server::ServerStatus;
use super::version::Versions;
use crate::identity::{DeviceId, InvitationToken, PeerId};

/// Kind of a route; the best comes first. There is one route of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteKind {
    /// Inside this program: the Echo contact, which no signaling leads to.
    Local,
    /// This network.
    Lan,
    /// A Visavis server.
    Server,
}

/// Set of the routes over which a person is online: their presence.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct RouteSet(u8);

impl RouteKind {
    const ALL: [Self; 3] = [Self::Local, Self::Lan, Self::Server];

    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// Whether a run of an app takes the place of another one on the same device there.
    pub(super) const fn has_one_run_a_device(self) -> bool {
        match self {
            Self::Local | Self::Lan => true,
            Self::Server => false,
        }
    }
}

impl RouteSet {
    /// Adds a route.
    pub const fn insert(&mut self, kind: RouteKind) {
        self.0 |= kind.bit();
    }

    /// Whether a route is in the set.
    pub const fn contains(self, kind: RouteKind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// Whether the person is offline.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The best of the routes, by which messages go.
    pub fn best(self) -> Option<RouteKind> {
        self.iter().next()
    }

    /// The routes, the best first.
    pub fn iter(self) -> impl Iterator<Item = RouteKind> {
        RouteKind::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}

impl FromIterator<RouteKind> for RouteSet {
    fn from_iter<T: IntoIterator<Item = RouteKind>>(kinds: T) -> Self {
        let mut set = Self::default();
        kinds.into_iter().for_each(|kind| set.insert(kind));
        set
    }
}

impl fmt::Debug for RouteSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

/// Fault that keeps people from being found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiscoveryFault {
    /// Another program holds the port of multicast DNS (UDP 5353) and does not share it: nobody is found.
    PortTaken,
    /// The same for IPv4 or IPv6 alone: some people may not be found.
    PortTakenInPart,
    /// The network or the system takes no multicast, or the search has stopped: nobody is found.
    NoMulticast,
}

/// One way to reach people, as the hub sees it. No call blocks. The connections of a route close when it is dropped.
pub(super) trait Route: Send {
    /// Its kind.
    fn kind(&self) -> RouteKind;

    /// Queues a frame for this run of the app of a person who is up; frames to one run arrive in order or not at all.
    /// `false` where the route takes no more now, or does not lead to it any more: then the frame is not sent.
    fn send(&self, to: &PeerId, run: &str, frame: Bytes) -> bool;

    /// Asks to reach a person who is not up, because messages to them wait until then.
    fn seek(&self, peer: PeerId, until: Instant);

    /// They have spoken at this run of their app: media takes the path to it.
    fn spoke(&self, peer: &PeerId, run: &str);

    /// Asks for new connections to a person: the present ones may lead nowhere any more.
    fn renew(&self, peer: PeerId);

    /// Closes the connections to a person; [`RouteEvent::Down`] follows.
    fn close(&self, peer: &PeerId);

    /// Closes the connection to this run of a person's app; [`RouteEvent::Down`] follows.
    fn close_run(&self, peer: &PeerId, run: &str);
}

/// A person who has proven their key on a route.
#[derive(Clone, Debug)]
pub(super) struct Up {
    pub(super) peer: PeerId,
    pub(super) name: String,
    /// The far app's random name, of this run of it.
    pub(super) instance: Arc<str>,
    /// The device that it runs on, where it says so.
    pub(super) device: Option<DeviceId>,
    pub(super) versions: Versions,
    /// By how many seconds their clock is ahead of this computer's, when that is worth a word.
    pub(super) clock_ahead: Option<i64>,
}

/// A frame that came within its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// A message within its bounds; `None`: of a kind that a later version knows. With the token that they show.
    Message { number: u64, message: Option<Message>, token: Option<InvitationToken> },
    /// Acknowledgement of every message up to this one.
    Ack { number: u64 },
    /// They go by another name.
    Name(String),
}

#[cfg(test)]
impl Incoming {
    /// A message without a token.
    pub(super) const fn message(number: u64, message: Message) -> Self {
        Self::Message { number, message: Some(message), token: None }
    }
}

/// News of a route.
#[derive(Debug)]
pub(super) enum RouteEvent {
    /// A run of somebody's app is up, or is up anew: unacknowledged messages may be lost. On the local network another
    /// run on the same device is down with this.
    Up(Up),
    /// A frame of somebody who is or was up, and the run of the app that sent it.
    Received { peer: PeerId, instance: Arc<str>, incoming: Incoming },
    /// A run of somebody's app is down; whether it was the far computer that ended it.
    Down { peer: PeerId, instance: Arc<str>, closed_by_far: bool },
    /// Fault that keeps people from being found now, if any.
    Discovery(Option<DiscoveryFault>),
    /// A server's status changed.
    Server(ServerStatus),
}

/// A route's way to tell the hub.
#[derive(Clone, Debug)]
pub(super) struct RouteReports {
    kind: RouteKind,
    hub: mpsc::Sender<(RouteKind, RouteEvent)>,
}

impl RouteReports {
    pub(super) const fn new(kind: RouteKind, hub: mpsc::Sender<(RouteKind, RouteEvent)>) -> Self {
        Self { kind, hub }
    }

    /// Tells the hub, after a wait while it has much to do; false when there is no hub any more.
    pub(super) async fn tell(&self, event: RouteEvent) -> bool {
        self.hub.send((self.kind, event)).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_route_of_a_set_is_the_nearest() {
        assert_eq!(RouteSet::default().best(), None);
        let both: RouteSet = [RouteKind::Server, RouteKind::Lan].into_iter().collect();
        assert_eq!((both.best(), both.is_empty()), (Some(RouteKind::Lan), false));
        assert_eq!(both.iter().collect::<Vec<_>>(), [RouteKind::Lan, RouteKind::Server]);
        assert!(!both.contains(RouteKind::Local));
    }
}
