//! An interceptor: one step of packets between the application and the network.

use std::collections::VecDeque;
use std::time::Instant;

use rtc::interceptor::{Interceptor, StreamInfo, TaggedPacket};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

/// Packets that a stage passes on, in order: towards the application, and towards the network.
#[derive(Default)]
pub(super) struct StageContext {
    pub(super) reads: VecDeque<TaggedPacket>,
    pub(super) writes: VecDeque<TaggedPacket>,
}

/// Handling of a packet by an interceptor. The default implementation forwards every packet. Time is an argument.
pub(super) trait Stage: Send + Sync {
    /// A packet comes from the network; it goes on if it is put into `passing`.
    fn read(&mut self, packet: TaggedPacket, passing: &mut StageContext) {
        passing.reads.push_back(packet);
    }

    /// A packet leaves; it goes on if it is put into `passing`.
    fn write(&mut self, packet: TaggedPacket, passing: &mut StageContext) {
        passing.writes.push_back(packet);
    }

    /// When `timeout` wants to be called.
    fn next_timeout(&self) -> Option<Instant> {
        None
    }

    /// Time has come to `now`.
    fn timeout(&mut self, _now: Instant, _passing: &mut StageContext) {}

    /// A stream of this side's begins.
    fn bind_local(&mut self, _stream: &StreamInfo) {}

    /// A stream of this side's ends.
    fn unbind_local(&mut self, _stream: &StreamInfo) {}

    /// A stream of the far side's begins.
    fn bind_remote(&mut self, _stream: &StreamInfo) {}

    /// A stream of the far side's ends.
    fn unbind_remote(&mut self, _stream: &StreamInfo) {}
}

/// A stage with its queues: an interceptor of the engine.
pub(super) struct Staged<S> {
    stage: S,
    passing: StageContext,
}

impl<S: Stage> Staged<S> {
    pub(super) fn new(stage: S) -> Self {
        Self { stage, passing: StageContext::default() }
    }
}

impl<S: Stage> Protocol<TaggedPacket, TaggedPacket, ()> for Staged<S> {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.stage.read(packet, &mut self.passing);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.passing.reads.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.stage.write(packet, &mut self.passing);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.passing.writes.pop_front()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.stage.timeout(now, &mut self.passing);
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.stage.next_timeout()
    }
}

impl<S: Stage> Interceptor for Staged<S> {
    fn bind_local_stream(&mut self, stream: &StreamInfo) {
        self.stage.bind_local(stream);
    }

    fn unbind_local_stream(&mut self, stream: &StreamInfo) {
        self.stage.unbind_local(stream);
    }

    fn bind_remote_stream(&mut self, stream: &StreamInfo) {
        self.stage.bind_remote(stream);
    }

    fn unbind_remote_stream(&mut self, stream: &StreamInfo) {
        self.stage.unbind_remote(stream);
    }
}
