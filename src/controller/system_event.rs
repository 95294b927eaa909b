//! Events of the controller's own parts: devices, the engine, Echo. An event that it must hear is a [`SystemEvent`],
//! one that may be lost a [`Hint`]; each has its own lane.

use crate::call::ConversationId;
use crate::capture::CameraEvent;
use crate::device::DeviceKind;
use crate::identity::{ContactLink, PeerId, PictureError, ProfilePicture};
use crate::media::{StreamId, StreamKind};
use crate::microphone::SoundEvent;
use crate::rtc::PeerEvent;

use super::snapshot::Devices;

/// One report of a part. `generation` and `connection` tell a report of an open device or connection from a late one.
pub(super) enum SystemEvent {
    /// A report of the source of a stream of pictures.
    PictureSource {
        stream: StreamId,
        generation: u64,
        event: CameraEvent,
    },
    Sound {
        device: DeviceKind,
        generation: u64,
        event: SoundEvent,
    },
    /// A report of the speaker that only rings.
    RingSound {
        generation: u64,
        event: SoundEvent,
    },
    Engine {
        peer: PeerId,
        connection: u64,
        conversation: ConversationId,
        event: PeerEvent,
    },
    /// The first picture of one of somebody's streams is in its tile.
    FirstPicture {
        peer: PeerId,
        /// As in `Engine`.
        connection: u64,
        conversation: ConversationId,
        stream: StreamId,
        kind: StreamKind,
        /// Size in pixels.
        width: u32,
        height: u32,
    },
    /// A report of Echo's end of the connection.
    EchoEngine {
        connection: u64,
        conversation: ConversationId,
        event: PeerEvent,
    },
    /// Devices that were being closed are closed.
    DevicesClosed,
    /// This computer's networks are others, or it has slept.
    NetworksChanged,
    /// Contact that a picture of a QR code showed.
    ContactImage(Result<ContactLink, PictureError>),
    /// This person's picture, cut from a file.
    OwnPicture(Result<ProfilePicture, PictureError>),
    /// The speakers that are plugged in, looked for because the chosen one was gone.
    Speakers(Vec<String>),
    /// The list of devices has been made anew.
    Devices(Devices),
}

/// An event that is said again if it is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// Somebody speaks into the microphone while it is muted.
    SpokeMuted,
    /// The far side of a connection wants a picture of a stream that decoding can start at.
    Keyframe {
        /// The far side.
        peer: PeerId,
        /// As in `SystemEvent::Engine`.
        connection: u64,
        /// A stream of this side.
        stream: StreamId,
    },
    /// The same of Echo's end of a connection.
    EchoKeyframe {
        /// As in `SystemEvent::EchoEngine`.
        connection: u64,
        /// A stream of Echo's.
        stream: StreamId,
    },
}
