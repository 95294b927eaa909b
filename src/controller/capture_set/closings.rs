//! Closings of devices on threads of their own: a driver can take seconds. Nothing is opened meanwhile, since a camera
//! has one user.

use std::sync::Arc;

use crate::call::ConversationId;
use crate::controller::lanes::SystemSender;
use crate::controller::system_event::SystemEvent;
use crate::encoder::VideoEncoding;
use crate::media::{FrameSlot, LevelMeter};

use super::microphone::OpenMicrophone;
use super::picture_source::OpenSource;

/// Devices to be closed.
#[derive(Default)]
pub(super) struct ClosingDevices {
    pub(super) sources: Vec<OpenSource>,
    pub(super) microphones: Vec<OpenMicrophone>,
    pub(super) encodings: Vec<VideoEncoding>,
    /// Slots of the pictures that none follow: the last one is to be seen no more.
    pub(super) ended: Vec<Arc<FrameSlot>>,
}

/// Release of the devices, complete with the last one.
#[derive(Debug)]
pub(in crate::controller) struct Released {
    /// The conversations, or the invites' that came to none, which held it.
    pub(in crate::controller) conversations: Vec<ConversationId>,
    /// Something may have been captured before.
    pub(in crate::controller) stream_ended: bool,
}

/// The closings that go on, and who is told of their end.
pub(super) struct Closings {
    running: u32,
    /// As many as are given up while a device takes to close.
    conversations: Vec<ConversationId>,
    stream_ended: bool,
    level: Arc<LevelMeter>,
    system: SystemSender,
}

impl Closings {
    pub(super) const fn new(level: Arc<LevelMeter>, system: SystemSender) -> Self {
        Self { running: 0, conversations: Vec::new(), stream_ended: false, level, system }
    }

    /// True while devices are being closed.
    pub(super) const fn go_on(&self) -> bool {
        self.running > 0
    }

    /// Notes the release that the next closing completes.
    pub(super) fn note_release(&mut self, conversation: Option<ConversationId>, stream_ended: bool) {
        self.conversations.extend(conversation);
        self.stream_ended |= stream_ended;
    }

    /// Closes devices; `DevicesClosed` tells the end. Nothing happens when there is nothing to close.
    pub(super) fn begin(&mut self, closing: ClosingDevices) {
        let ClosingDevices { sources, microphones, encodings, ended } = closing;
        if sources.is_empty() && microphones.is_empty() && encodings.is_empty() {
            return;
        }
        let (system, level) = (self.system.clone(), Arc::clone(&self.level));
        let close = move || {
            if !sources.is_empty() {
                drop(sources);
                // Or the last one would be the first picture of the next call.
                ended.iter().for_each(|slot| slot.clear());
            }
            if !microphones.is_empty() {
                drop(microphones);
                level.reset();
            }
            drop(encodings);
            system.send(SystemEvent::DevicesClosed);
        };
        match std::thread::Builder::new().name("release".into()).spawn(close) {
            Ok(_) => self.running += 1,
            // The devices are dropped with the closure: slower, but closed.
            Err(error) => tracing::warn!("no thread to close the devices on: {error}"),
        }
    }

    /// One of the closings is done; true when it was the last.
    pub(super) const fn on_closed(&mut self) -> bool {
        self.running = self.running.saturating_sub(1);
        self.running == 0
    }

    /// The release, once nothing closes any more.
    pub(super) fn take_released(&mut self) -> Option<Released> {
        (!self.go_on()).then(|| Released {
            conversations: std::mem::take(&mut self.conversations),
            stream_ended: std::mem::take(&mut self.stream_ended),
        })
    }
}
