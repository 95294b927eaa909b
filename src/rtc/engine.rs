//! The door of the engine: makes peers, and names what goes in and what comes out.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::runtime::Handle;

use super::peer::{self, Peer};
use super::transport::host_addresses::HostAddresses;
use super::transport::link::LinkProfile;
use super::transport::runtime::Impairment;
use crate::call::{Candidate, Consent, Description, Role};
use crate::media::{PictureSink, SoundSink, StreamId, StreamKind};
use crate::network::PathFinder;

/// Sinks of the media that a peer receives. They are finished before `PeerEvent::Closed`.
pub struct PeerSinks {
    /// Sinks of the streams of pictures, one for each that this side can send and take.
    pub pictures: Vec<PictureStreamSink>,
    /// Sink of the sound.
    pub audio: Box<dyn SoundSink>,
}

/// A stream of pictures, and where what is received in it goes.
pub struct PictureStreamSink {
    /// Which stream.
    pub id: StreamId,
    /// Its source.
    pub kind: StreamKind,
    /// Sink of its pictures.
    pub sink: Box<dyn PictureSink>,
}

impl PictureStreamSink {
    /// The cameras of a call.
    pub fn camera(sink: impl PictureSink + 'static) -> Self {
        Self { id: StreamId::CAMERA, kind: StreamKind::Camera, sink: Box::new(sink) }
    }

    /// The shared screens of a call.
    pub fn screen(sink: impl PictureSink + 'static) -> Self {
        Self { id: StreamId::SCREEN, kind: StreamKind::Screen, sink: Box::new(sink) }
    }
}

/// What happens to a peer. Called on tokio tasks: must not block.
#[derive(Clone, Debug, PartialEq)]
pub enum PeerEvent {
    /// For the far side. Comes before any candidate.
    LocalDescription(Description),
    /// For the far side.
    LocalCandidate(Candidate),
    /// ICE and DTLS are up: media can flow.
    Connected,
    /// The next frame of a stream for this peer must be a keyframe: the far side asked, the connection is new, or frames
    /// had to be dropped.
    KeyframeRequested {
        /// Which stream of this side.
        stream: StreamId,
    },
    /// Nothing has come from the far side for 1.2 s, or ICE restarts; the engine keeps trying until it is closed.
    Interrupted,
    /// The far side is heard again after an interruption: media flows.
    Resumed,
    /// The connection could not be made, or is lost for good. `close` is still needed.
    Failed {
        /// For the log: in general terms, without addresses and keys.
        detail: &'static str,
    },
    /// After `close`: sockets, tasks and sinks are gone. The last event.
    Closed,
}

impl PeerEvent {
    /// The event as one of `stream`, if it is about a stream.
    pub(super) fn of_stream(self, stream: StreamId) -> Self {
        match self {
            Self::KeyframeRequested { .. } => Self::KeyframeRequested { stream },
            event => event,
        }
    }
}

/// The owner's closure, held by the peer task until it has told `Closed`.
pub(super) type Events = Arc<dyn Fn(PeerEvent) + Send + Sync>;

/// Makes peer connections.
#[derive(Clone)]
pub struct Engine {
    runtime: Handle,
    addresses: HostAddresses,
    impairment: Impairment,
}

impl fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine whose tasks run on `runtime`.
    ///
    /// With `bind`, media uses that address only (a loopback address connects within this computer); without, the
    /// addresses of this computer's networks, or loopback when it has none. No servers are needed.
    pub fn new(runtime: Handle, bind: Option<IpAddr>) -> Self {
        Self { runtime, addresses: HostAddresses { bind, path: None }, impairment: Impairment::default() }
    }

    /// Opens a connection to one participant. Returns at once; everything else comes through `events`.
    ///
    /// An offerer makes its description at once, an answerer waits for `Peer::set_remote_description`.
    pub fn connect(
        &self,
        _consent: &Consent,
        role: Role,
        sinks: PeerSinks,
        events: impl Fn(PeerEvent) + Send + Sync + 'static,
    ) -> Peer {
        peer::start(&self.runtime, self.addresses.clone(), role, sinks, Arc::new(events), self.impairment.clone())
    }

    /// The addresses that connections made now would use; those of calls that go on may be others.
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.addresses.list().iter().map(SocketAddr::ip).collect()
    }

    /// The same for connections to one person, whom signaling reaches by `path`: media takes that first.
    pub fn along(&self, path: PathFinder) -> Self {
        let addresses = HostAddresses { path: Some(path), ..self.addresses.clone() };
        Self { runtime: self.runtime.clone(), addresses, impairment: self.impairment.clone() }
    }

    /// The same, but what is sent goes through a bad network in software.
    pub fn with_link(self, link: Option<LinkProfile>) -> Self {
        Self { impairment: Impairment { link, ..self.impairment }, ..self }
    }

    /// For tests: loses the datagrams that `loses` says, below SRTP.
    #[cfg(test)]
    pub(super) fn with_impairment(self, loses: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Self {
        Self { impairment: Impairment { loses: Some(Arc::new(loses)), ..self.impairment }, ..self }
    }
}
