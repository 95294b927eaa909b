//! Echo: the always-present test contact. It lives inside this program, answers every invite, and returns picture and
//! sound one second later over a real peer connection, without decoding them.
//!
//! It runs a second state chart, as another person's app would: answering is its own press of Answer. It has no camera
//! and no microphone. Owned by the controller's thread; the delay line has a thread while a call lasts.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use crate::call::{
    CallMachine, CallReport, Consent, ConversationId, Effect, EngineEvent, Input, Message, Press, Role, Standing,
};
use crate::identity::PeerId;
use crate::media::{
    MediaSet, MediaTime, OutgoingPicture, OutgoingSound, PICTURE_STREAMS, ReceivedPicture, ReceivedSound, StreamId,
    StreamKind,
};
use crate::rtc::{Engine, Peer, PeerEvent, PeerSinks, PictureStreamSink};

use super::engine_lane::{EngineLane, KeyframesAsked};
use super::lanes::PartSenders;
use super::people::echo_id;
use super::system_event::{Hint, SystemEvent};

/// Delay of the media that Echo returns.
const DELAY: Duration = Duration::from_secs(1);

/// Bound of the delay line: two seconds of 30 pictures of each of two streams and 50 sound packets a second.
const MAX_DELAYED: usize = 256;

/// The test contact.
pub(super) struct EchoContact {
    me: PeerId,
    machine: CallMachine,
    connection: Option<EchoConnection>,
    connections: u64,
    engine: Engine,
    parts: PartSenders,
    /// Messages of Echo that this side has not heard yet.
    said: VecDeque<Message>,
}

struct EchoConnection {
    number: u64,
    conversation: ConversationId,
    peer: Peer,
    keyframes_asked: Arc<KeyframesAsked>,
    closed: Arc<AtomicBool>,
}

impl Drop for EchoConnection {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Release);
    }
}

impl EchoContact {
    /// `me` is the person whom Echo talks to.
    pub(super) fn new(me: PeerId, engine: Engine, parts: PartSenders) -> Self {
        let machine = CallMachine::new(echo_id(), "Echo");
        Self { me, machine, connection: None, connections: 0, engine, parts, said: VecDeque::new() }
    }

    /// Next deadline of Echo.
    pub(super) fn next_deadline(&self) -> Option<MediaTime> {
        self.machine.next_deadline()
    }

    /// A deadline may have passed.
    pub(super) fn on_deadline(&mut self, now: MediaTime) {
        self.step(now, Input::Deadline);
    }

    /// A message from this side.
    pub(super) fn receive(&mut self, now: MediaTime, message: Message) {
        // The picture that comes from Echo is this side's own, so what is wished of Echo is wished of this side.
        if let Message::Wish { .. } = message {
            return self.said.push_back(message);
        }
        self.step(now, Input::Peer { from: self.me, standing: Standing::Contact, message });
    }

    /// A report of Echo's end of the connection.
    pub(super) fn on_engine(
        &mut self,
        now: MediaTime,
        connection: u64,
        conversation: ConversationId,
        event: PeerEvent,
    ) {
        let open = self.connection.as_ref().filter(|open| open.number == connection);
        if event == PeerEvent::Closed {
            // Also of a connection whose place the next call's has taken: the chart waits for it.
            self.connection.take_if(|open| open.number == connection);
        } else {
            // Late.
            if open.is_none() {
                return;
            }
        }
        if let Some(event) = engine_event(event) {
            self.step(now, Input::Engine { conversation, peer: self.me, event });
        }
    }

    /// Echo wants a picture that decoding can start at. The picture that it sends on is this side's own: the request
    /// goes to its encoder.
    pub(super) fn on_keyframe_requested(&self, connection: u64, stream: StreamId) {
        if let Some(open) = self.connection.as_ref().filter(|open| open.number == connection) {
            open.keyframes_asked.take(stream);
            open.peer.request_keyframe(stream);
        }
    }

    /// Takes the next thing that Echo has said to this side, as if it had come over the network.
    pub(super) fn take_said(&mut self) -> Option<Message> {
        self.said.pop_front()
    }

    fn step(&mut self, now: MediaTime, input: Input) {
        let mut inputs = VecDeque::from([input]);
        let mut effects = Vec::new();
        while let Some(input) = inputs.pop_front() {
            self.machine.step(now, input, &mut effects);
            for effect in effects.drain(..) {
                inputs.extend(self.carry_out(effect));
            }
        }
    }

    /// Carries the chart's effects out; returns the inputs that follow at once.
    fn carry_out(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Send { message, .. } => self.said.push_back(message),
            Effect::Report(CallReport::Invite { invite, .. }) => {
                return Some(Input::Local(Press::Accept { invite, streams: MediaSet::of_call(true, true) }));
            }
            // The far side's screen is shared back.
            Effect::Report(CallReport::StreamAdded(theirs) | CallReport::StreamChanged(theirs))
                if theirs.stream.kind == StreamKind::Screen =>
            {
                return Some(Input::Local(Press::EnableStream(theirs.stream)));
            }
            Effect::ConnectPeer { consent, conversation, role, .. } => self.connect(&consent, conversation, role),
            Effect::ApplyDescription { description, .. } => {
                if let Some(open) = &self.connection {
                    open.peer.set_remote_description(description);
                }
            }
            Effect::ApplyCandidate { candidate, .. } => {
                if let Some(open) = &self.connection {
                    open.peer.add_remote_candidate(candidate);
                }
            }
            Effect::RestartIce { generation, .. } => {
                if let Some(open) = &self.connection {
                    open.peer.restart_ice(generation);
                }
            }
            Effect::ClosePeer { conversation, peer } => match &self.connection {
                Some(open) if open.conversation == conversation => open.peer.close(),
                Some(_) | None => return Some(Input::Engine { conversation, peer, event: EngineEvent::Closed }),
            },
            Effect::ReleaseMedia { conversation } => return Some(Input::MediaReleased { conversation }),
            Effect::OpenPreview { .. }
            | Effect::OpenMedia { .. }
            | Effect::CloseStream { .. }
            | Effect::RenewRoute { .. }
            | Effect::StartRinging
            | Effect::StartRingBack
            | Effect::StopRinging
            | Effect::StartWaitingTone
            | Effect::StopWaitingTone
            | Effect::Report(_) => {}
        }
        None
    }

    fn connect(&mut self, consent: &Consent, conversation: ConversationId, role: Role) {
        self.connections += 1;
        let number = self.connections;
        let (delayed, waiting) = sync_channel(MAX_DELAYED);
        let picture_sink = |(id, kind)| {
            let line = delayed.clone();
            let sink = move |picture: ReceivedPicture| {
                delay(&line, Delayed::Picture(id, returned_picture(picture)));
                true
            };
            PictureStreamSink { id, kind, sink: Box::new(sink) }
        };
        let pictures = PICTURE_STREAMS.into_iter().map(picture_sink).collect();
        let sound = move |sound: ReceivedSound| delay(&delayed, Delayed::Sound(returned_sound(sound)));
        let sinks = PeerSinks { pictures, audio: Box::new(sound) };
        let keyframes_asked = Arc::new(KeyframesAsked::default());
        let keyframe = move |stream| Hint::EchoKeyframe { connection: number, stream };
        let system = EngineLane::new(self.parts.clone(), Arc::clone(&keyframes_asked), keyframe);
        let peer = self.engine.connect(consent, role, sinks, move |event| {
            system.send(event, |event| SystemEvent::EchoEngine { connection: number, conversation, event });
        });
        let closed = Arc::new(AtomicBool::new(false));
        let line = DelayLine { waiting, peer: peer.clone(), closed: Arc::clone(&closed) };
        if let Err(error) = std::thread::Builder::new().name("echo".into()).spawn(move || line.run()) {
            tracing::error!("no thread for Echo: {error}");
        }
        self.connection = Some(EchoConnection { number, conversation, peer, keyframes_asked, closed });
    }
}

/// Event of the engine in the state chart's terms; `None` where the chart has none.
pub(super) fn engine_event(event: PeerEvent) -> Option<EngineEvent> {
    match event {
        PeerEvent::LocalDescription(description) => Some(EngineEvent::Described(description)),
        PeerEvent::LocalCandidate(candidate) => Some(EngineEvent::Gathered(candidate)),
        PeerEvent::Connected | PeerEvent::Resumed => Some(EngineEvent::Connected),
        PeerEvent::Interrupted => Some(EngineEvent::Interrupted),
        PeerEvent::Failed { detail } => {
            tracing::info!("a connection failed: {detail}");
            Some(EngineEvent::Failed)
        }
        PeerEvent::Closed => Some(EngineEvent::Closed),
        PeerEvent::KeyframeRequested { .. } => None,
    }
}

enum Delayed {
    Picture(StreamId, OutgoingPicture),
    Sound(OutgoingSound),
}

/// The received picture as Echo sends it: its arrival here counts as its capture.
fn returned_picture(received: ReceivedPicture) -> OutgoingPicture {
    let ReceivedPicture { codec, data, keyframe, arrived_at, .. } = received;
    OutgoingPicture { codec, data, keyframe, captured_at: arrived_at }
}

/// The same of sound.
fn returned_sound(received: ReceivedSound) -> OutgoingSound {
    OutgoingSound { data: received.data, captured_at: received.arrived_at }
}

fn delay(line: &SyncSender<(MediaTime, Delayed)>, item: Delayed) {
    // A full line means that the far end is not being served: what is lost is repaired by a keyframe request.
    let _ = line.try_send((MediaTime::now() + DELAY, item));
}

/// Holds received media for a second, then sends them back.
struct DelayLine {
    waiting: Receiver<(MediaTime, Delayed)>,
    peer: Peer,
    closed: Arc<AtomicBool>,
}

impl DelayLine {
    fn run(self) {
        for (due, item) in &self.waiting {
            std::thread::sleep(due.since(MediaTime::now()));
            if self.closed.load(Ordering::Acquire) {
                return;
            }
            match item {
                Delayed::Picture(stream, picture) => self.peer.send_video(stream, &picture),
                Delayed::Sound(sound) => self.peer.send_audio(&sound),
            }
        }
    }
}
