//! Events of signaling, for the controller.

use super::message::Message;
use super::route::{DiscoveryFault, RouteSet};
use super::server::ServerStatus;
use super::version::VersionSkew;
use crate::identity::PeerId;

/// Incoming events. Names and notes are fit to be shown, fields are within their documented bounds, senders are proven,
/// and no sender exceeds 50 messages a second (bursts of 200) and 1 invite a second (bursts of 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalingEvent {
    /// A message; those of one person come in the order in which they were sent.
    Received {
        /// The proven sender.
        from: PeerId,
        /// Content.
        message: Message,
    },
    /// Somebody came, went, is reached by other routes, or goes by another name.
    Presence {
        /// The person; their key is proven.
        id: PeerId,
        /// The name that they chose.
        name: String,
        /// The routes by which they can be reached now; none: they are offline.
        routes: RouteSet,
        /// The side that is too old for the other: nothing can be sent to them, although they are online.
        skew: Option<VersionSkew>,
    },
    /// The computer of somebody who was there has closed the last connection (TCP FIN or RST, or a WebSocket Close) to
    /// the device that the present call with them is at, or without one to them: their app has ended, or let go of this
    /// side. A network that fails says nothing. Comes before the [`Presence`](Self::Presence) that tells of the same
    /// loss.
    ConnectionClosed {
        /// The person.
        id: PeerId,
    },
    /// After [`ConnectionClosed`](Self::ConnectionClosed) the same run of their app is connected again: it never ended.
    /// An app that was started anew causes [`Presence`](Self::Presence) alone.
    ConnectionRestored {
        /// The person.
        id: PeerId,
    },
    /// A message that the far app did not acknowledge within 5 s.
    Undelivered {
        /// The receiver.
        to: PeerId,
        /// Which.
        message: Message,
    },
    /// The clocks of somebody's computer and of this one differ by over a minute. Nothing but the times that each shows
    /// depends on it. Told once of each person, and once in ten minutes at most.
    ClocksDiffer {
        /// The person; their key is proven.
        id: PeerId,
        /// By how many seconds their clock is ahead of this one.
        seconds_ahead: i64,
    },
    /// Fault that keeps people on this network from being found from now on; `None`: none does any more.
    Discovery(Option<DiscoveryFault>),
    /// The status of one of this side's servers changed.
    Server(ServerStatus),
}
