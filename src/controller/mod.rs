//! The controller: one thread that owns the call state, the signaling client, the engine and the devices.
//!
//! The window and `--headless` are two faces of it: both send [`Command`]s; one reads the [`Snapshot`], the other the
//! [`Event`]s.

mod calls;
mod capture_set;
mod command;
mod core;
mod device_list;
mod directory;
mod do_not_disturb;
mod doorbell;
mod echo;
mod engine_lane;
mod event;
mod frame_trace;
mod handle;
mod lanes;
mod network_runtime;
mod notices;
mod options;
mod peer_lane;
mod people;
mod pictures;
mod preferences;
mod publisher;
mod quality;
mod relays;
mod remotes;
mod ringer;
mod run;
mod server_list;
mod signaling;
mod snapshot;
mod speaker;
mod system_event;

pub use crate::media_send::Gates;
pub use crate::rtc::LinkProfile;
pub use command::{Command, SharedScreen, VideoChoice};
pub use event::{
    Event, ReceivedStats, RelayTransport, ReportedRoute, RouteKind, SentStats, ServerDetail, ServerState, SharingEnd,
    StreamReport, VersionSkew,
};
pub use handle::{ControllerGone, Handle, Pressed, Unsent};
pub use options::Options;
pub use people::echo_id;
pub use publisher::Repaint;
pub use quality::{CallSample, Quality, quality};
pub use run::Controller;
pub use snapshot::{
    CallView, CameraInfo, ConversationStatus, ConversationView, Devices, HistoryEntry, IncomingView, LocalStreamView,
    Me, Notice, NoticeKind, Outcome, OutcomeKind, OutgoingView, ParticipantView, Person, PersonKind, PictureView,
    ServerStatus, Snapshot, StoreFault,
};
