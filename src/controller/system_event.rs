//! What the controller's own parts tell it: devices, the engine, Echo.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::call::{ConversationId, DeviceKind, Message};
use crate::capture::CameraEvent;
use crate::identity::{ContactLink, PeerId, PictureError};
use crate::microphone::SoundEvent;
use crate::rtc::PeerEvent;

use super::lanes::LaneSender;
use super::snapshot::Devices;

/// One report of a part. `generation` and `connection` tell a report of what is open now from a late one.
pub(super) enum SystemEvent {
    Camera {
        generation: u64,
        event: CameraEvent,
    },
    Sound {
        device: DeviceKind,
        generation: u64,
        event: SoundEvent,
    },
    Engine {
        peer: PeerId,
        connection: u64,
        conversation: ConversationId,
        event: PeerEvent,
    },
    /// A report of Echo's end of the connection.
    EchoEngine {
        connection: u64,
        conversation: ConversationId,
        event: PeerEvent,
    },
    /// Echo's message to this side, as if it had come over the network.
    Echo(Message),
    /// Devices that were being closed are closed.
    DevicesClosed,
    /// Somebody speaks into the microphone while it is muted.
    SpokeMuted,
    /// What a picture of a QR code showed.
    ContactImage(Result<ContactLink, PictureError>),
    /// The speakers that are plugged in, looked for because the chosen one was gone.
    Speakers(Vec<String>),
    /// The list of what is plugged in has been made anew.
    Devices(Devices),
}

/// The way of a connection's events to the controller. A far side that asks for keyframe after keyframe cannot fill the
/// lane that all connections share.
pub(super) struct EngineLane {
    system: LaneSender<SystemEvent>,
    /// Set while a wish for a keyframe is on its way; whoever takes it resets it.
    keyframe_asked: Arc<AtomicBool>,
}

impl EngineLane {
    pub(super) fn new(system: LaneSender<SystemEvent>, keyframe_asked: Arc<AtomicBool>) -> Self {
        Self { system, keyframe_asked }
    }

    pub(super) fn send(&self, event: PeerEvent, addressed: impl FnOnce(PeerEvent) -> SystemEvent) {
        match event {
            PeerEvent::KeyframeRequested if self.keyframe_asked.swap(true, Ordering::AcqRel) => {}
            // The statistics tell the size.
            PeerEvent::FrameSizeChanged { .. } => {}
            PeerEvent::KeyframeRequested => {
                let sent = self.system.try_send(addressed(event));
                self.keyframe_asked.fetch_and(sent, Ordering::AcqRel);
            }
            event => self.system.send(addressed(event)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::lanes::{Lanes, Next};
    use crate::media::MediaTime;

    #[test]
    fn a_flood_of_keyframe_requests_leaves_room_for_what_matters() {
        let (senders, lanes) = Lanes::new();
        lanes.attach();
        let asked = Arc::new(AtomicBool::new(false));
        let lane = EngineLane::new(senders.system, Arc::clone(&asked));
        let addressed =
            |event| SystemEvent::EchoEngine { connection: 1, conversation: ConversationId::from_bits(1), event };
        for _ in 0..10_000 {
            lane.send(PeerEvent::KeyframeRequested, addressed);
            lane.send(PeerEvent::FrameSizeChanged { width: 320, height: 240 }, addressed);
        }
        lane.send(PeerEvent::Closed, addressed);
        let mut told = Vec::new();
        while let Next::System(SystemEvent::EchoEngine { event, .. }) = lanes.next(Some(MediaTime::now())) {
            told.push(event);
        }
        assert_eq!(told, [PeerEvent::KeyframeRequested, PeerEvent::Closed]);
        asked.store(false, Ordering::Release);
        lane.send(PeerEvent::KeyframeRequested, addressed);
        assert!(matches!(lanes.next(Some(MediaTime::now())), Next::System(_)), "asked for again");
    }
}
