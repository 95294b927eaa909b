//! Snapshot of everything that the window draws: immutable, and replaced whole whenever something changes.

use std::sync::Arc;

pub use crate::capture::CameraInfo;
pub use crate::signaling::ServerStatus;

use crate::call::{ConversationId, InviteId};
use crate::device::{DeviceFault, DeviceKind};
use crate::identity::{PeerId, PictureError, ProfilePicture, ServerLink};
use crate::media::{FrameSlot, LevelMeter, MediaTime, StreamId, StreamKind, Volume};
use crate::store::{Settings, StoreError};

use super::event::{ReceivedStats, RouteKind, SentStats, VersionSkew};
use super::quality::{CallSample, Quality};

pub use crate::call::CallEnd as OutcomeKind;

/// Everything that the window shows. Pictures are not in it: each tile has a slot that always holds the latest one.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// This person's own card.
    pub me: Me,
    /// Echo, contacts, people found on this network, and blocked strangers; favourites first, then whoever is online,
    /// then by name ([`sort_key`](crate::identity::sort_key)).
    pub people: Vec<Person>,
    /// Calls of the past, latest first.
    pub history: Arc<[HistoryEntry]>,
    /// Missed calls that have not been seen.
    pub missed: u32,
    /// The settings in force.
    pub settings: Settings,
    /// Devices that are plugged in.
    pub devices: Devices,
    /// State of the capture.
    pub local_stream: LocalStreamView,
    /// The present call.
    pub call: CallView,
    /// Callers who wait beside the present call, the first one first.
    pub waiting: Vec<IncomingView>,
    /// Nothing rings now: do not disturb, by its switch or by the time of day.
    pub do_not_disturb: bool,
    /// Outcome of the last call, until it is dismissed or another call begins.
    pub outcome: Option<Outcome>,
    /// Servers over which people elsewhere are reached, in the order of the settings.
    pub servers: Vec<ServerStatus>,
    /// Quiet notes at the window's edge, oldest first.
    pub notices: Vec<Notice>,
}

/// This person's own card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me {
    /// The public ID.
    pub id: PeerId,
    /// The display name.
    pub name: String,
    /// The picture that contacts are shown.
    pub picture: Option<ProfilePicture>,
    /// The `visavis:` link to give to others.
    pub link: String,
    /// The latest link whose holder may ring once.
    pub invitation: Option<String>,
}

/// Relation of a person to this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonKind {
    /// In the contact list.
    Contact,
    /// Found on this network, a stranger.
    Nearby,
    /// A blocked stranger who is not to be found now.
    Blocked,
    /// The test contact that answers inside the app.
    Echo,
}

/// Somebody who can be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their public ID.
    pub id: PeerId,
    /// The name shown: the one given here, else the one they chose. For Echo it is empty: the catalogue names it.
    pub name: String,
    /// Contact, stranger or Echo.
    pub kind: PersonKind,
    /// True when they can be rung now.
    pub online: bool,
    /// By which route, when online.
    pub route: Option<RouteKind>,
    /// The side that needs a newer Visavis before the two can call each other, where the person is there.
    pub needs_newer: Option<VersionSkew>,
    /// True when everything from them is refused.
    pub blocked: bool,
    /// True for a contact whose safety number was compared.
    pub verified: bool,
    /// True for a contact who is listed before the others.
    pub favourite: bool,
    /// True for a contact whose name another one has, too.
    pub shares_name: bool,
    /// The picture that a contact shows.
    pub picture: Option<ProfilePicture>,
}

/// A call of the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Its number, by which it is forgotten.
    pub number: i64,
    /// How often in a row the person rang in vain since somebody looked, where they did; else 1.
    pub times: u32,
    /// With whom.
    pub peer: PeerId,
    /// Their name then.
    pub name: String,
    /// True when this side called.
    pub outgoing: bool,
    /// Its beginning, in seconds since 1970 (UTC).
    pub at_unix_s: i64,
    /// Time connected, in seconds; 0 when they never were.
    pub duration_s: u32,
    /// Its end.
    pub ended: Outcome,
    /// False for a missed call that nobody has looked at.
    pub seen: bool,
    /// The caller's note, of a call that was not answered here; else empty.
    pub note: String,
}

/// End of a call; each kind has its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// With whom.
    pub peer: PeerId,
    /// Their name.
    pub name: String,
    /// Kind of end.
    pub kind: OutcomeKind,
}

/// Devices that can be chosen in the settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Devices {
    /// Cameras with the modes that each really gives.
    pub cameras: Vec<CameraInfo>,
    /// Names of microphones.
    pub microphones: Vec<String>,
    /// Names of speakers.
    pub speakers: Vec<String>,
}

/// State of the capture of this side.
#[derive(Clone, Debug)]
pub struct LocalStreamView {
    /// The microphone is open and its sound is sent in a call.
    pub audio: bool,
    /// The camera is open.
    pub video: bool,
    /// This side means to send sound, whether or not its microphone works; false outside a call.
    pub sends_audio: bool,
    /// This side means to send video, whether or not its camera works; false outside a call.
    pub sends_video: bool,
    /// Size of the pictures.
    pub width: u32,
    /// Size of the pictures.
    pub height: u32,
    /// This side has just spoken although it is muted.
    pub spoke_muted: bool,
    /// Measured frames a second.
    pub fps: f32,
    /// Width, height and frames a second that the camera itself runs in; `None` when closed, and for a test card that
    /// is drawn to any size.
    pub camera_mode: Option<(u32, u32, u32)>,
    /// Name of the camera; empty when closed.
    pub camera: String,
    /// Name of the microphone; empty when closed.
    pub microphone: String,
    /// The latest picture, not mirrored.
    pub preview: Arc<FrameSlot>,
    /// Level of the microphone.
    pub level: Arc<LevelMeter>,
    /// Fault of the camera.
    pub camera_fault: Option<DeviceFault>,
    /// Fault of the microphone.
    pub microphone_fault: Option<DeviceFault>,
    /// Fault of the speaker.
    pub speaker_fault: Option<DeviceFault>,
}

/// The present call.
#[derive(Clone, Debug)]
pub enum CallView {
    /// Nothing.
    Idle,
    /// This side waits for an answer.
    Outgoing(OutgoingView),
    /// Somebody rings.
    Incoming(IncomingView),
    /// A conversation.
    Conversation(ConversationView),
}

/// An invite of this side's that waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingView {
    /// Its name.
    pub invite: InviteId,
    /// The callee.
    pub peer: PeerId,
    /// Their name.
    pub name: String,
    /// True once the callee's app has said that it rings.
    pub ringing: bool,
}

/// An invite that waits for this side's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingView {
    /// Its name.
    pub invite: InviteId,
    /// The caller.
    pub peer: PeerId,
    /// The name shown for them.
    pub name: String,
    /// The note that came with the invite.
    pub user_data: String,
    /// False when the caller is no contact: shown as unknown.
    pub known: bool,
    /// The contact with another key whose name the caller goes by.
    pub namesake: Option<String>,
    /// True when the caller wants to send video.
    pub with_video: bool,
}

/// State of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConversationStatus {
    /// A connection is being made.
    Connecting,
    /// Media flows.
    Connected,
}

/// A conversation and its participants.
#[derive(Clone, Debug)]
pub struct ConversationView {
    /// Its name.
    pub conversation: ConversationId,
    /// Connecting or connected.
    pub status: ConversationStatus,
    /// Time at which it became connected.
    pub connected_at: Option<MediaTime>,
    /// The others.
    pub participants: Vec<ParticipantView>,
}

/// A remote person, their pictures and their voice.
#[derive(Clone, Debug)]
pub struct ParticipantView {
    /// Their public ID.
    pub id: PeerId,
    /// The name shown.
    pub name: String,
    /// Nothing comes from them just now; the connection is being restored.
    pub reconnecting: bool,
    /// They send sound (not muted over there).
    pub audio: bool,
    /// Silenced here only.
    pub muted_here: bool,
    /// Hidden here only.
    pub hidden_here: bool,
    /// How loud they are heard here.
    pub volume: Volume,
    /// Their streams of pictures, sent or not, in the order of the identifiers.
    pub pictures: Vec<PictureView>,
    /// Level of their voice.
    pub level: Arc<LevelMeter>,
    /// Quality of the call with them.
    pub quality: Quality,
    /// The last minute of it, a second each, the latest last.
    pub history: Arc<[CallSample]>,
}

/// One stream of pictures of a remote person, and the stream of the same identifier the other way.
#[derive(Clone, Debug)]
pub struct PictureView {
    /// Which of their streams.
    pub stream: StreamId,
    /// Its source.
    pub kind: StreamKind,
    /// They send it now.
    pub on: bool,
    /// The latest picture.
    pub slot: Arc<FrameSlot>,
    /// Statistics of the media sent to them.
    pub sent: SentStats,
    /// Statistics of the media received from them.
    pub received: ReceivedStats,
}

/// A quiet note at the window's edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its number, for dismissing it.
    pub number: u64,
    /// Its content.
    pub kind: NoticeKind,
}

/// Content of a notice; the catalogue has the words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// Something is wrong with a device.
    Device {
        /// The device.
        device: DeviceKind,
        /// Its fault.
        fault: DeviceFault,
    },
    /// No device of these kinds is plugged in, of two at least.
    DevicesMissing {
        /// No camera.
        camera: bool,
        /// No microphone.
        microphone: bool,
        /// No speaker.
        speaker: bool,
    },
    /// A chosen device is gone, and the system's default is used until it is back.
    DeviceFallback {
        /// The device.
        device: DeviceKind,
        /// Its name.
        chosen: String,
        /// The device in its place.
        name: String,
    },
    /// The microphone works and gives nothing but silence.
    MicrophoneSilent {
        /// Its name.
        name: String,
    },
    /// A device works again.
    DeviceBack {
        /// The device.
        device: DeviceKind,
        /// Its name.
        name: String,
    },
    /// A call is over, as one of the two wished.
    CallEnded {
        /// The other person.
        peer: PeerId,
        /// Their name.
        name: String,
        /// Time connected, in seconds.
        duration_s: u32,
    },
    /// A call has failed, or came to nothing, while somebody else rings already.
    CallFailed(Outcome),
    /// A contact was added.
    ContactAdded {
        /// The contact.
        id: PeerId,
        /// Their name.
        name: String,
    },
    /// A contact calls themselves by another name.
    ContactRenamed {
        /// The name shown until now.
        before: String,
        /// The name from now on.
        name: String,
    },
    /// A contact's link names a server that this side does not use.
    ServerOffered {
        /// The contact's name.
        name: String,
        /// The server.
        link: ServerLink,
    },
    /// The link or ID that was given holds no usable ID.
    BadLink,
    /// The picture that was given shows no contact's code.
    BadPicture(PictureError),
    /// The link is one's own.
    OwnLink,
    /// Something could not be saved or read.
    Store(StoreFault),
    /// People on this network cannot be looked for.
    NoNetwork,
    /// Another program holds the port by which people are found: for all of them, or for some.
    PortTaken {
        /// Nobody can be found.
        entirely: bool,
    },
    /// A person's clock and this computer's differ by over a minute. Calls work all the same.
    ClocksDiffer {
        /// Their name.
        name: String,
    },
    /// A call needs a newer Visavis on one side.
    NeedsNewer {
        /// The other person.
        peer: PeerId,
        /// The other person's name.
        name: String,
        /// The side.
        skew: VersionSkew,
    },
}

/// Why something could not be saved or read; the catalogue has the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFault {
    /// No space is left.
    DiskFull,
    /// The folder cannot be written.
    NotWritable,
    /// The disk fails.
    DiskFailed,
    /// Others can write to the folder.
    OthersCanWrite,
    /// A newer version made the data.
    MadeByNewerVersion,
    /// The data are damaged.
    Damaged,
    /// The data are lost.
    Emptied,
    /// Something else stands in the place of a file.
    NotAFile,
    /// Another program holds them.
    Busy,
    /// Anything else.
    Other,
}

impl From<&StoreError> for StoreFault {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::DiskFull(_) => Self::DiskFull,
            StoreError::NotWritable(_) => Self::NotWritable,
            StoreError::DiskFailed(_) => Self::DiskFailed,
            StoreError::MadeByNewerVersion => Self::MadeByNewerVersion,
            StoreError::Damaged(_) => Self::Damaged,
            StoreError::Emptied => Self::Emptied,
            StoreError::NotAFile { .. } => Self::NotAFile,
            StoreError::Busy(_) => Self::Busy,
            StoreError::Other(_) => Self::Other,
        }
    }
}
