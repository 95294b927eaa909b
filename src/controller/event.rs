//! Events of the controller, one JSON object a line in `--headless`.
//!
//! The JSON names are a contract that scripts rely on: add, never rename.

use serde::{Deserialize, Serialize};

use crate::call::{ConversationId, DisconnectReason, InviteId, ParticipantStream};
use crate::device::{Change, DeviceChoice, DeviceError, DeviceFault, DeviceKind};
use crate::identity::{PeerId, ServerLink};
use crate::media::{StreamId, StreamKind, StreamState};

pub use crate::signaling::{RouteKind, ServerDetail, ServerState, VersionSkew};

use super::quality::Quality;

/// Route of media, as statistics report it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportedRoute {
    /// From computer to computer.
    #[default]
    Direct,
    /// Through a TURN server.
    Relay,
}

/// Transport between this computer and a TURN server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelayTransport {
    /// UDP.
    Udp,
    /// TLS.
    Tls,
}

/// Statistics of the media sent to one participant, over the last 2 seconds unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SentStats {
    /// Picture size in pixels; 0 without video.
    pub width: u32,
    /// Picture size in pixels; 0 without video.
    pub height: u32,
    /// Frames a second.
    pub fps: f32,
    /// Kbit/s of video payload.
    pub kbps: f32,
    /// Kbit/s that the encoder of this participant's rendition is asked for now: the settings' bit rate, as far as the
    /// paths to all who watch it carry it.
    pub asked_kbps: f32,
    /// Kbit/s that congestion control lets pass to this participant now, sound included.
    pub target_kbps: f32,
    /// Lines of the picture that this participant wishes for at most; 0: all of them.
    pub wished_lines: u32,
    /// Video frames since the start of the call.
    pub frames: u64,
    /// Packets that the far side reported lost, since the start of the call.
    pub packets_lost: u64,
    /// Packets that did not arrive at first, repaired or not, in percent.
    pub loss_percent: f32,
    /// RTT in ms.
    pub round_trip_ms: f32,
    /// Interarrival jitter that the far side reported, in ms.
    pub jitter_ms: f32,
    /// Capture to the network, in ms.
    pub delay_ms: f32,
    /// Video codec.
    pub codec: String,
    /// Direct or relay.
    pub route: ReportedRoute,
    /// Transport to the relay, where media goes through one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay_transport: Option<RelayTransport>,
}

/// Statistics of the media received from one participant, over the last 2 seconds unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReceivedStats {
    /// Picture size in pixels; 0 without video.
    pub width: u32,
    /// Picture size in pixels; 0 without video.
    pub height: u32,
    /// Decoded frames a second.
    pub fps: f32,
    /// Kbit/s of video payload.
    pub kbps: f32,
    /// Kbit/s of everything that comes: pictures, sound, repairs, reports, and the headers down to those of IPv4.
    #[serde(default)]
    pub wire_kbps: f32,
    /// Video frames assembled since the start of the call.
    pub frames: u64,
    /// Packets lost for good, since the start of the call.
    pub packets_lost: u64,
    /// Packets that did not come at first, repaired or not, in percent.
    pub loss_percent: f32,
    /// RTT in ms.
    pub round_trip_ms: f32,
    /// Interarrival jitter (RFC 3550), in ms.
    pub jitter_ms: f32,
    /// Arrival of a frame's last packet to the tile, in ms.
    pub delay_ms: f32,
    /// Estimated delay from the far side to the ear in ms: half the RTT and the buffers here.
    pub latency_ms: f32,
    /// Video codec.
    pub codec: String,
    /// Direct or relay.
    pub route: ReportedRoute,
    /// Transport to the relay, where media goes through one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay_transport: Option<RelayTransport>,
    /// Video frames decoded since the start of the call.
    pub frames_decoded: u64,
    /// Time in gaps of more than 200 ms between pictures, since the start of the call, in ms.
    pub frozen_ms: u64,
    /// Concealed sound because packets were missing, since the start of the call, in ms.
    pub audio_concealed_ms: u64,
    /// Sound that was lost and restored from later packets, since the start of the call, in ms.
    pub audio_recovered_ms: u64,
    /// From the arrival of sound to its playing, in ms, without the speaker's own delay.
    pub audio_delay_ms: u32,
    /// By how much sound is later than its picture (negative: earlier), in ms, with the speaker's delay estimated;
    /// `None` without one of them, and in the first seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub av_offset_ms: Option<f32>,
}

/// Why a screen is shared no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharingEnd {
    /// This side's person stopped it.
    Stopped,
    /// The call ended.
    CallEnded,
    /// The source gives no pictures; tries go on, and another event tells that one succeeded.
    Failed,
}

/// One of a participant's streams in an event, and whether the participant sends sound and a camera's pictures at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are documented in docs/automation.md")]
pub struct StreamReport {
    pub conversation: ConversationId,
    pub participant: PeerId,
    pub audio: bool,
    pub video: bool,
    pub stream: StreamId,
    pub kind: StreamKind,
    pub on: bool,
}

impl From<ParticipantStream> for StreamReport {
    fn from(report: ParticipantStream) -> Self {
        let ParticipantStream { conversation, participant, stream, streams } = report;
        let StreamState { id: stream, kind, on } = stream;
        Self { conversation, participant, audio: streams.audio(), video: streams.camera(), stream, kind, on }
    }
}

/// One report of the controller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields are documented in docs/automation.md")]
pub enum Event {
    /// The controller runs.
    Ready { id: PeerId, name: String, link: String, version: String },
    /// A contact, or a person found on this network, and whether they can be rung.
    Contact {
        id: PeerId,
        name: String,
        online: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        route: Option<RouteKind>,
        /// The side that needs a newer Visavis, where the person is there but cannot be rung for that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        needs_newer: Option<VersionSkew>,
        /// False for a person who was found on this network and is no contact.
        contact: bool,
        /// The safety number was compared.
        #[serde(default)]
        verified: bool,
        /// They show a profile picture.
        #[serde(default)]
        picture: bool,
        /// Absent for Echo, for people who are no contacts, and where no command asked about this one contact.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        safety_number: Option<String>,
    },
    /// This person's own profile picture has changed; whether there is one.
    ProfilePicture { set: bool },
    /// Camera and microphone are open (or changed).
    LocalStream { audio: bool, video: bool, width: u32, height: u32, fps: f32, camera: String, microphone: String },
    /// Camera and microphone are closed.
    LocalStreamEnded {},
    /// The invite is on its way.
    InviteSent { invite: InviteId, to: PeerId, conversation: ConversationId },
    /// Somebody invites this side.
    Invite {
        invite: InviteId,
        from: PeerId,
        name: String,
        user_data: String,
        conversation: ConversationId,
        contact: bool,
        /// It waits beside the present call, which an answer ends.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        waiting: bool,
    },
    /// A link that was asked for: its holder may ring once, although strangers may not.
    Invitation { link: String },
    /// Somebody who is no contact rings under a contact's name: the contact has another key now, or somebody pretends
    /// to be them. An `invite` event follows.
    KeyChanged { id: PeerId, previous: PeerId },
    /// Somebody called in vain: a contact, while this side was not there, who tells it now; or anybody, with do not
    /// disturb or beside too many who wait.
    MissedCall { from: PeerId, name: String, at_unix_s: i64 },
    /// The callee accepted (caller), or this side did (callee).
    InviteAccepted { invite: InviteId, conversation: ConversationId },
    /// Declined.
    InviteRejected { invite: InviteId },
    /// Taken back by the caller.
    InviteCanceled { invite: InviteId },
    /// Another device of this side's identity has answered or declined.
    InviteAnsweredElsewhere { invite: InviteId },
    /// The callee does not want to be disturbed, or too many wait there.
    InviteBusy { invite: InviteId },
    /// Nobody answered within 45 s.
    InviteTimeout { invite: InviteId },
    /// Nothing rings from now on, or again: by the switch, or by the time of day.
    DoNotDisturb { on: bool },
    /// It could not be delivered.
    InviteFailed { invite: InviteId, code: u32, message: String },
    /// A connection is being made.
    ConversationConnecting { conversation: ConversationId },
    /// The first participant is connected.
    ConversationConnected { conversation: ConversationId },
    /// Media can flow to and from a participant.
    ParticipantConnected { conversation: ConversationId, participant: PeerId, name: String },
    /// One of a participant's streams is here.
    StreamAdded(StreamReport),
    /// One of a participant's streams went on or off: muted, camera off or on, a screen shared no more, a device lost
    /// or back.
    StreamChanged(StreamReport),
    /// A screen of this side is shared, or no longer.
    Sharing {
        on: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<SharingEnd>,
    },
    /// The first decoded picture of a stream.
    FirstFrame {
        conversation: ConversationId,
        participant: PeerId,
        stream: StreamId,
        kind: StreamKind,
        width: u32,
        height: u32,
    },
    /// Every 2 s in a call, for each stream of pictures that a side has in it.
    Stats {
        conversation: ConversationId,
        participant: PeerId,
        stream: StreamId,
        kind: StreamKind,
        quality: Quality,
        sent: Box<SentStats>,
        received: Box<ReceivedStats>,
    },
    /// Nothing comes from a participant any more; the connection is being restored, for 30 s at most.
    Reconnecting { conversation: ConversationId, participant: PeerId },
    /// The connection to a participant is restored.
    Reconnected { conversation: ConversationId, participant: PeerId },
    /// A participant's connection could not be made.
    ParticipantFailed { conversation: ConversationId, participant: PeerId, code: u32, message: String },
    /// A participant is gone.
    ParticipantDisconnected { conversation: ConversationId, participant: PeerId, reason: DisconnectReason },
    /// The conversation is over and everything it held is released.
    ConversationDisconnected { conversation: ConversationId, reason: DisconnectReason },
    /// A device did something wrong.
    DeviceError { device: DeviceKind, fault: DeviceFault, code: u32, message: String },
    /// The device that was chosen is gone, and the system's default is used until it is back.
    DeviceFallback { device: DeviceKind, chosen: String, name: String },
    /// The device that had gone wrong works again.
    DeviceRecovered { device: DeviceKind, name: String },
    /// The microphone works and has given nothing but zeros for four seconds since it was opened (`on`), or does so no
    /// more.
    MicrophoneSilent { microphone: String, on: bool },
    /// Somebody speaks at this side while it is muted; at most once in ten seconds.
    SpeakingMuted {},
    /// Notes of `trace_frames`: the counter of each picture that could be read and the microseconds from its capture to
    /// the tile; and when each picture came there, in microseconds of Unix time.
    FrameTrace {
        shown: Vec<(u16, u64)>,
        #[serde(default)]
        times: Vec<u64>,
    },
    /// The picture of a participant's tile is in the file.
    PictureSaved { participant: PeerId, stream: StreamId, path: std::path::PathBuf },
    /// A person's clock and this computer's differ by over a minute; told once of each. Calls work all the same.
    ClocksDiffer { id: PeerId, name: String, seconds_ahead: i64 },
    /// The status of one of this side's servers.
    Server {
        link: ServerLink,
        state: ServerState,
        detail: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        round_trip_ms: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clock_offset_ms: Option<i64>,
    },
    /// The link of a contact who was just added names a server that this side does not use; `add_server` would.
    ServerOffered { id: PeerId, name: String, link: ServerLink },
    /// A command could not be carried out.
    Error { code: u32, message: String, command: String },
}

impl Event {
    /// The report of `error` of the `chosen` device.
    pub(super) fn of_device_error(error: &DeviceError, chosen: &DeviceChoice) -> Self {
        let DeviceError { device, fault } = error;
        let message = error.sentence(chosen);
        Self::DeviceError { device: *device, fault: fault.clone(), code: DeviceError::CODE, message }
    }

    /// The report of another sound device that serves from now on.
    pub(super) fn of_device_change(device: DeviceKind, change: Change) -> Self {
        match change {
            Change::Fallback { chosen, name } => Self::DeviceFallback { device, chosen, name },
            Change::Recovered { name } => Self::DeviceRecovered { device, name },
        }
    }
}
