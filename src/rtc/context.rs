//! Commands to the peer task, and the context that the tasks of a connection share.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::connection_state::ConnectionState;
use super::event::Events;
use super::picture_streams::StreamContext;
use super::streams::FarStreams;
use super::transport::hello_verify::Cookies;
use super::transport::selected_path::SelectedPath;
use super::transport::source_gate::SourceGate;
use super::ways::Ways;
use crate::call::{Candidate, Description, Role};

/// Command of a handle to the peer task.
pub(super) enum Command {
    Restart { generation: u32 },
    RemoteDescription(Box<Description>),
    RemoteCandidate(Candidate),
}

/// The task's end of the commands.
pub(super) struct Commands {
    pub(super) waiting: mpsc::Receiver<Command>,
    /// True once one that must not be lost found no room.
    pub(super) overflowed: watch::Receiver<bool>,
}

/// State of a connection that its tasks share.
pub(super) struct Context {
    pub(super) handle: Handle,
    pub(super) ways: Ways,
    pub(super) role: Role,
    pub(super) pictures: Vec<StreamContext>,
    pub(super) events: Events,
    pub(super) state: ConnectionState,
    pub(super) gate: Arc<SourceGate>,
    pub(super) selected: Arc<SelectedPath>,
    /// Cookies of the DTLS handshake.
    pub(super) cookies: Arc<Cookies>,
    pub(super) far_streams: FarStreams,
    /// Generation of this side's latest description: its candidates bear it.
    pub(super) generation: Arc<AtomicU32>,
    /// True once `Connected` was told: packets that arrive a moment before wait for that, so that its events come after
    /// it.
    pub(super) connected: watch::Sender<bool>,
    /// How many there were.
    pub(super) interruptions: watch::Sender<u32>,
}
