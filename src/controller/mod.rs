//! The controller: one thread that owns the call state, the signaling client, the engine and the devices.
//!
//! The window and `--headless` are two faces of it: both send [`Command`]s; one reads the [`Snapshot`], the other the
//! [`Event`]s.

mod absence;
mod command;
mod commands;
mod core;
mod deadlines;
mod device_fault;
mod devices;
mod echo;
mod effects;
mod event;
mod fan_out;
mod frame_trace;
mod handle;
mod lanes;
mod local_media;
mod network;
mod network_watch;
mod notices;
mod options;
mod peer_lane;
mod people;
mod publish;
mod publisher;
mod quality;
mod remote;
mod run;
mod snapshot;
mod speaker_choice;
mod statistics;
mod system_event;

pub use crate::rtc::LinkProfile;
pub use command::{Command, VideoChoice};
pub use device_fault::device_sentence;
pub use event::{DeviceFault, Event, ReceivedStats, Route, RouteKind, SentStats, VersionSkew};
pub use handle::{ControllerGone, Gates, Handle, Pressed, Unsent};
pub use options::Options;
pub use people::echo_id;
pub use quality::{CallSample, Quality, quality};
pub use run::Controller;
pub use snapshot::{
    CallView, CameraInfo, ConversationStatus, ConversationView, Devices, HistoryEntry, IncomingView, LocalStreamView,
    Me, Notice, NoticeKind, Outcome, OutcomeKind, OutgoingView, ParticipantView, Person, PersonKind, Snapshot,
    StoreFault,
};
