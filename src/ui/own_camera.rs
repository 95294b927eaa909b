//! State of one's own camera on home: whether it is wanted, and when it opens again, because every call closes it.
//!
//! Only opening the window and the preview's buttons ask for it; no action of a peer does.

use std::sync::Arc;

use crate::controller::{CallView, Command, HistoryEntry, Snapshot, VideoChoice};
use crate::device::DeviceChoice;

use super::scene::Scene;

/// State of one's own camera between frames.
#[derive(Debug)]
pub struct OwnCamera {
    wanted: bool,
    /// It shall open: the window has opened, or a call that had taken it is over.
    due: bool,
    /// A call has taken the devices: whether this side sent video when it was last seen.
    taken: Option<bool>,
    /// This side has called or answered, with or without video, when the history was this one: such a call can be over
    /// between two drawings, and only another history tells.
    pressed: Option<(Arc<[HistoryEntry]>, bool)>,
}

impl OwnCamera {
    /// For a window that opens with or without a preview.
    pub const fn new(wanted: bool) -> Self {
        Self { wanted, due: true, taken: None, pressed: None }
    }

    /// Whether the camera shall be open now, even if it is not yet.
    pub fn is_wanted(&self, snapshot: &Snapshot) -> bool {
        match snapshot.call {
            CallView::Idle | CallView::Incoming(_) => self.wanted,
            CallView::Outgoing(_) | CallView::Conversation(_) => snapshot.local_stream.sends_video,
        }
    }

    /// Follows the state of the call; true when a call that had taken the devices is just over.
    pub fn follow(&mut self, snapshot: &Snapshot) -> bool {
        match snapshot.call {
            CallView::Outgoing(_) | CallView::Conversation(_) => {
                self.taken = Some(snapshot.local_stream.sends_video);
                self.pressed = None;
                false
            }
            CallView::Incoming(_) => false,
            CallView::Idle => {
                let unseen = self.pressed.take_if(|(history, _)| !Arc::ptr_eq(history, &snapshot.history));
                let Some(with_video) = self.taken.take().or(unseen.map(|(_, video)| video)) else { return false };
                self.wanted &= with_video;
                self.due = true;
                true
            }
        }
    }

    /// Opens the camera when that is due and there is one to open.
    pub fn open(&mut self, scene: &mut Scene<'_>) {
        let idle = matches!(scene.snapshot.call, CallView::Idle);
        self.due &= self.wanted;
        if idle && self.due && scene.snapshot.settings.camera != DeviceChoice::None {
            scene.open_camera();
        }
    }

    /// Notes the requests of the person.
    pub fn note(&mut self, command: &Command, snapshot: &Snapshot) {
        match command {
            Command::CreateStream { video, .. } => (self.wanted, self.due) = (*video != VideoChoice::Off, false),
            Command::CloseStream => self.wanted = false,
            Command::Invite { video, .. } | Command::Accept { video, .. } => {
                self.pressed = Some((Arc::clone(&snapshot.history), *video != VideoChoice::Off));
            }
            _ => {}
        }
    }
}
