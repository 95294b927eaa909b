//! Lane of one connection's events to the controller.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::media::{MAX_STREAMS, StreamId};
use crate::rtc::PeerEvent;

use super::lanes::PartSenders;
use super::system_event::{Hint, SystemEvent};

const _: () = assert!(MAX_STREAMS <= u8::BITS as usize);

/// Requests of a connection for keyframes that are on their way: a bit for each stream by its number. Further requests
/// of a stream are the same. The taker of a request resets its bit.
#[derive(Debug, Default)]
pub(super) struct KeyframesAsked(AtomicU8);

impl KeyframesAsked {
    /// Notes a request; false where one of this stream is on its way already, and for a stream that cannot be.
    fn ask(&self, stream: StreamId) -> bool {
        let bit = Self::bit(stream);
        self.0.fetch_or(bit, Ordering::AcqRel) & bit != bit
    }

    /// Takes the request of a stream.
    pub(super) fn take(&self, stream: StreamId) {
        self.0.fetch_and(!Self::bit(stream), Ordering::AcqRel);
    }

    fn bit(stream: StreamId) -> u8 {
        1_u8.checked_shl(stream.number().into()).unwrap_or(0)
    }
}

/// The way of a connection's events to the controller. A far side that asks for keyframe after keyframe cannot fill the
/// lane that all connections share.
pub(super) struct EngineLane<K> {
    parts: PartSenders,
    asked: Arc<KeyframesAsked>,
    /// The request for a keyframe of a stream.
    keyframe: K,
}

impl<K: Fn(StreamId) -> Hint> EngineLane<K> {
    pub(super) fn new(parts: PartSenders, asked: Arc<KeyframesAsked>, keyframe: K) -> Self {
        Self { parts, asked, keyframe }
    }

    pub(super) fn send(&self, event: PeerEvent, addressed: impl FnOnce(PeerEvent) -> SystemEvent) {
        match event {
            PeerEvent::KeyframeRequested { stream } => {
                if self.asked.ask(stream) && !self.parts.hints.offer((self.keyframe)(stream)) {
                    self.asked.take(stream);
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
    use crate::media::MediaTime;

    fn keyframe(stream: StreamId) -> Hint {
        Hint::EchoKeyframe { connection: 1, stream }
    }

    fn addressed(event: PeerEvent) -> SystemEvent {
        SystemEvent::EchoEngine { connection: 1, conversation: ConversationId::from_bits(1), event }
    }

    #[test]
    fn a_flood_of_keyframe_requests_leaves_room_for_what_matters() {
        let (senders, lanes) = Lanes::new();
        lanes.attach();
        let asked = Arc::new(KeyframesAsked::default());
        let lane = EngineLane::new(senders.parts, Arc::clone(&asked), keyframe);
        for _ in 0..10_000 {
            lane.send(PeerEvent::KeyframeRequested { stream: StreamId::SCREEN }, addressed);
            lane.send(PeerEvent::KeyframeRequested { stream: StreamId::CAMERA }, addressed);
            lane.send(PeerEvent::KeyframeRequested { stream: StreamId::new(200) }, addressed);
        }
        lane.send(PeerEvent::Closed, addressed);
        let now = || lanes.next(Some(MediaTime::now()));
        assert!(matches!(now(), Next::System(SystemEvent::EchoEngine { event: PeerEvent::Closed, .. })));
        assert!(matches!(now(), Next::Hint(hint) if hint == keyframe(StreamId::SCREEN)));
        assert!(matches!(now(), Next::Hint(hint) if hint == keyframe(StreamId::CAMERA)));
        assert!(matches!(now(), Next::Deadline), "each asked for once");
        asked.take(StreamId::CAMERA);
        lane.send(PeerEvent::KeyframeRequested { stream: StreamId::SCREEN }, addressed);
        lane.send(PeerEvent::KeyframeRequested { stream: StreamId::CAMERA }, addressed);
        assert!(matches!(now(), Next::Hint(hint) if hint == keyframe(StreamId::CAMERA)), "asked for again");
        assert!(matches!(now(), Next::Deadline), "the other one is still on its way");
    }

    #[test]
    fn what_becomes_of_a_connection_is_heard_however_many_hints_wait() {
        let (senders, lanes) = Lanes::new();
        lanes.attach();
        while senders.parts.hints.offer(Hint::SpokeMuted) {}
        let asked = Arc::new(KeyframesAsked::default());
        let lane = EngineLane::new(senders.parts, Arc::clone(&asked), keyframe);
        lane.send(PeerEvent::KeyframeRequested { stream: StreamId::CAMERA }, addressed);
        assert!(asked.ask(StreamId::CAMERA), "what was lost may be asked for again");
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
