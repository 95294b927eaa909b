//! Events of a peer connection, and the sinks of its media.

use std::sync::Arc;

use crate::call::{Candidate, Description};
use crate::media::{PictureSink, SoundSink, StreamId, StreamKind};

/// Sinks of the media that a peer receives. They are finished before `PeerEvent::Closed`.
pub struct PeerSinks {
    /// Sinks of the streams of pictures, one for each that this side can send and take.
    pub pictures: Vec<PictureStreamSink>,
    /// Sink of the sound.
    pub audio: Box<dyn SoundSink>,
}

/// A stream of pictures, and the sink of its received pictures.
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

/// Event of a peer. Called on tokio tasks: must not block.
#[derive(Clone, Debug, PartialEq)]
pub enum PeerEvent {
    /// For the far side. Comes before any candidate.
    LocalDescription(Description),
    /// For the far side.
    LocalCandidate(Candidate),
    /// ICE and DTLS are up: media can flow.
    Connected,
    /// The next frame of a stream for this peer must be a keyframe: the far side asked, the connection is new, or
    /// frames had to be dropped.
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
