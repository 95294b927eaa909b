//! Lane of one connection's events to the controller.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::rtc::PeerEvent;

use super::lanes::PartSenders;
use super::system_event::{Hint, SystemEvent};

/// The way of a connection's events to the controller. A far side that asks for keyframe after keyframe cannot fill the
/// lane that all connections share.
pub(super) struct EngineLane {
    parts: PartSenders,
    /// Set while a wish for a keyframe is on its way; whoever takes it resets it.
    keyframe_asked: Arc<AtomicBool>,
    /// The wish for a keyframe.
    keyframe: Hint,
}

impl EngineLane {
    pub(super) fn new(parts: PartSenders, keyframe_asked: Arc<AtomicBool>, keyframe: Hint) -> Self {
        Self { parts, keyframe_asked, keyframe }
    }

    pub(super) fn send(&self, event: PeerEvent, addressed: impl FnOnce(PeerEvent) -> SystemEvent) {
        match event {
            PeerEvent::KeyframeRequested { .. } => {
                if !self.keyframe_asked.swap(true, Ordering::AcqRel) {
                    let sent = self.parts.hints.offer(self.keyframe);
                    self.keyframe_asked.fetch_and(sent, Ordering::AcqRel);
                }
            }
            PeerEvent::LocalDescription(_)
            | PeerEvent::LocalCandidate(_)
            | PeerEvent::Connected
            | PeerEvent::Interrupted
            | PeerEvent::Resumed
            | PeerEvent::Failed { .. }
            | PeerEvent::Closed => self.parts.system.send(addressed(event)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::ConversationId;
    use crate::controller::lanes::{Lanes, Next};
    use crate::media::{MediaTime, StreamId};

    fn addressed(event: PeerEvent) -> SystemEvent {
        SystemEvent::EchoEngine { connection: 1, conversation: ConversationId::from_bits(1), event }
    }

    #[test]
    fn a_flood_of_keyframe_requests_leaves_room_for_what_matters() {
        let (senders, lanes) = Lanes::new();
        lanes.attach();
        let asked = Arc::new(AtomicBool::new(false));
        let keyframe = Hint::EchoKeyframe { connection: 1 };
        let lane = EngineLane::new(senders.parts, Arc::clone(&asked), keyframe);
        for _ in 0..10_000 {
            lane.send(PeerEvent::KeyframeRequested { stream: StreamId::CAMERA }, addressed);
        }
        lane.send(PeerEvent::Closed, addressed);
        let now = || lanes.next(Some(MediaTime::now()));
        assert!(matches!(now(), Next::System(SystemEvent::EchoEngine { event: PeerEvent::Closed, .. })));
        assert!(matches!(now(), Next::Hint(hint) if hint == keyframe));
        assert!(matches!(now(), Next::Deadline), "asked for once");
        asked.store(false, Ordering::Release);
        lane.send(PeerEvent::KeyframeRequested { stream: StreamId::CAMERA }, addressed);
        assert!(matches!(now(), Next::Hint(_)), "asked for again");
    }

    #[test]
    fn what_becomes_of_a_connection_is_heard_however_many_hints_wait() {
        let (senders, lanes) = Lanes::new();
        lanes.attach();
        while senders.parts.hints.offer(Hint::SpokeMuted) {}
        let asked = Arc::new(AtomicBool::new(false));
        let lane = EngineLane::new(senders.parts, Arc::clone(&asked), Hint::EchoKeyframe { connection: 1 });
        lane.send(PeerEvent::KeyframeRequested { stream: StreamId::CAMERA }, addressed);
        assert!(!asked.load(Ordering::Acquire), "what was lost may be asked for again");
        let told =
            [PeerEvent::Connected, PeerEvent::Interrupted, PeerEvent::Failed { detail: "a test" }, PeerEvent::Closed];
        for _ in 0..1_000 {
            told.clone().into_iter().for_each(|event| lane.send(event, addressed));
        }
        for _ in 0..1_000 {
            for told in &told {
                let next = lanes.next(None);
                assert!(matches!(next, Next::System(SystemEvent::EchoEngine { event, .. }) if event == *told));
            }
        }
    }
}
