//! One remote participant's connection: the handle that the controller holds, and the life of the task that owns the
//! connection. How that task drives it is in `driver`.
//!
//! ```text
//! Peer (handle, any thread) --commands, bounded--> peer task --> webrtc crate
//!                           --media, bounded-----> sending task
//!                           --close gate-----------^ never behind anything that the far side can fill
//! webrtc crate's task --states, packets--> peer task, receiving tasks --> PeerEvents, sinks
//! ```

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use webrtc::peer_connection::{PeerConnectionEventHandler, RTCPeerConnectionIceEvent, RTCPeerConnectionState};

use super::bwe::CongestionControl;
use super::connection::{self, Connection, Interceptors};
use super::connection_state::ConnectionState;
use super::driver::{Driver, Inputs, drive};
use super::engine::{Events, PeerEvent, PeerSinks, PictureStreamSink, VideoSink};
use super::keyframe_inbox::KeyframeInbox;
use super::negotiation::candidate;
use super::pacing::Pacer;
use super::receiving::media_tap::{MediaTap, ReceivedMedia};
use super::receiving::{self, KeyframeRequests};
use super::repair::fec::ForwardErrorCorrection;
use super::repair::nack::NackGenerator;
use super::rtcp_observer::RtcpObserver;
use super::sending::{self, MediaQueues, MediaReceivers, is_closed, unless_closed};
use super::stats::PeerStats;
use super::streams::{FarStreams, StreamTable};
use super::transport::host_addresses::HostAddresses;
use super::transport::link_local::LinkLocalSockets;
use super::transport::runtime::{Impairment, PeerRuntime, Tasks};
use super::transport::source_gate::SourceGate;
use crate::call::Role;
use crate::call::{Candidate, Description};
use crate::media::{MediaTime, OutgoingPicture, OutgoingSound, ReceivedSound, StreamId, StreamKind, VideoBudget};

/// Pictures of a stream come at least this often while it is sent.
const PICTURE_PAUSES: Duration = Duration::from_secs(1);
/// Candidates that wait for the peer task at most; more are dropped (a far side that sends hundreds of them).
const CANDIDATES: usize = 64;
/// Room that candidates leave: for what the connection cannot do without. A far side gets two restarts a second.
const NEGOTIATION: usize = 64;
/// For the engine's own closing.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// From there to the end of the last task at most, before they are ended.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(3);

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

/// A handle on one connection. Clones are the same connection; it closes with the last one, too.
#[derive(Clone)]
pub struct Peer {
    shared: Arc<Shared>,
}

struct Shared {
    commands: mpsc::Sender<Command>,
    close: watch::Sender<bool>,
    pictures: Vec<PictureStream>,
    state: ConnectionState,
    gate: Arc<SourceGate>,
    /// True once a command that must not be lost found no room.
    overflowed: watch::Sender<bool>,
}

/// One stream of pictures, as the handle uses it. That of the camera carries the sound, too.
struct PictureStream {
    id: StreamId,
    state: ConnectionState,
    media: Arc<MediaQueues>,
    keyframe_requests: KeyframeRequests,
    /// When the latest picture was to be sent, in microseconds; 0 before the first.
    sent_us: AtomicU64,
}

impl PictureStream {
    fn is_sent(&self, now: MediaTime) -> bool {
        let sent = self.sent_us.load(Relaxed);
        sent != 0 && now.since(MediaTime::from_micros(sent)) < PICTURE_PAUSES
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Peer").finish_non_exhaustive()
    }
}

impl Peer {
    /// Applies the far side's description: the first one, or that of an ICE restart, of which the other fields are as in
    /// the first. One that cannot be used ends in `PeerEvent::Failed`.
    pub fn set_remote_description(&self, description: Description) {
        self.negotiate(Command::RemoteDescription(Box::new(description)));
    }

    /// Restarts ICE, on the side that offers and once connected: new credentials, sockets on the addresses that this
    /// computer has now, and a description of this `generation`. The old path is given up at once.
    pub fn restart_ice(&self, generation: u32) {
        self.negotiate(Command::Restart { generation });
    }

    /// Adds a candidate of the far side's latest description. Useless ones are ignored.
    pub fn add_remote_candidate(&self, candidate: Candidate) {
        let commands = &self.shared.commands;
        let fits = commands.capacity() > NEGOTIATION && commands.try_send(Command::RemoteCandidate(candidate)).is_ok();
        if !fits {
            tracing::debug!("a candidate is dropped: too many wait");
        }
    }

    /// Sends a picture of a stream. Dropped before `Connected`, until a keyframe after anything was dropped, and where the
    /// far side does not know the stream.
    pub fn send_video(&self, stream: StreamId, picture: &OutgoingPicture) {
        if let Some(pictures) = self.pictures(stream) {
            pictures.sent_us.store(picture.captured_at.as_micros().max(1), Relaxed);
            pictures.media.send_video(picture);
        }
    }

    /// Sends 20 ms of sound. Dropped before `Connected`.
    pub fn send_audio(&self, sound: &OutgoingSound) {
        if let Some(carrier) = self.shared.pictures.iter().find(|one| one.id == StreamId::CAMERA) {
            carrier.media.send_audio(sound);
        }
    }

    /// How much may be sent of a stream of pictures: an equal share, with the others that are sent now, of what congestion
    /// control grants, less the sound; `None` while the connection takes none.
    pub fn video_budget(&self, stream: StreamId) -> Option<VideoBudget> {
        let now = MediaTime::now();
        let budget = self.pictures(stream)?.media.budget(now)?;
        let others = self.shared.pictures.iter().filter(|one| one.id != stream && one.is_sent(now)).count();
        Some(share_of(budget, others))
    }

    /// The share of packets that the path lost lately, 0 to 1.
    pub fn path_loss(&self) -> f64 {
        self.shared.state.path.loss().share
    }

    /// Asks the far side for a keyframe (PLI) of a stream, at most every 300 ms.
    pub fn request_keyframe(&self, stream: StreamId) {
        if let Some(pictures) = self.pictures(stream) {
            // A full queue holds a request already.
            let _ = pictures.keyframe_requests.try_send(());
        }
    }

    /// Tells whether the far side sends pictures in a stream. While it does not, none is expected, so none is missing.
    pub fn expect_video(&self, stream: StreamId, expected: bool) {
        if let Some(pictures) = self.pictures(stream) {
            pictures.state.counters.expect_pictures(expected);
        }
    }

    /// Counts and gauges of the connection, its sound and its camera.
    pub fn stats(&self) -> PeerStats {
        let Shared { state, gate, .. } = &*self.shared;
        PeerStats {
            datagrams_refused: gate.refused(),
            wire_bytes_received: gate.admitted_bytes(),
            ..state.stats(MediaTime::now())
        }
    }

    /// Counts and gauges of one stream of pictures; `None` for one that there is not.
    pub fn stream_stats(&self, stream: StreamId) -> Option<PeerStats> {
        self.pictures(stream).map(|pictures| pictures.state.stats(MediaTime::now()))
    }

    fn pictures(&self, stream: StreamId) -> Option<&PictureStream> {
        self.shared.pictures.iter().find(|one| one.id == stream)
    }

    /// Stops sending at once and closes the connection; `PeerEvent::Closed` follows.
    pub fn close(&self) {
        self.shared.pictures.iter().for_each(|pictures| pictures.media.set_open(false));
        self.shared.close.send_replace(true);
    }

    /// Sends what must not be lost; a connection that cannot take it fails.
    fn negotiate(&self, command: Command) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.shared.commands.try_send(command) {
            self.shared.overflowed.send_replace(true);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.close.send_replace(true);
    }
}

/// What of a budget is one stream's where so many others are sent, too.
fn share_of(budget: VideoBudget, others: usize) -> VideoBudget {
    if budget.kbps == VideoBudget::UNLIMITED.kbps {
        return budget;
    }
    VideoBudget { kbps: budget.kbps / (others as u32 + 1), ..budget }
}

/// Starts the peer task.
pub(super) fn start(
    handle: &Handle,
    addresses: HostAddresses,
    role: Role,
    sinks: PeerSinks,
    events: Events,
    impairment: Impairment,
) -> Peer {
    let state = ConnectionState::default();
    let gate = Arc::new(SourceGate::default());
    let (commands, command_receiver) = mpsc::channel(CANDIDATES + NEGOTIATION);
    let (close, closed) = watch::channel(false);
    let (overflowed, has_overflowed) = watch::channel(false);
    let PeerSinks { pictures: picture_sinks, audio: sound } = sinks;
    let (mut handles, mut streams, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for PictureStreamSink { id, kind, sink } in picture_sinks {
        let state = if id == StreamId::CAMERA { state.clone() } else { state.of_further_stream() };
        let of_all = Arc::clone(&events);
        let events: Events = Arc::new(move |event| of_all(event.of_stream(id)));
        let (media, receivers) = sending::queues(&state, &events);
        let media = Arc::new(media);
        let (keyframe_requests, requests) = mpsc::channel(1);
        ends.push(StreamEnds { id, receivers, requests });
        let (weak, requesting) = (Arc::downgrade(&media), keyframe_requests.clone());
        streams.push(StreamContext { id, kind, sink, state: state.clone(), events, media: weak, requesting });
        handles.push(PictureStream { id, state, media, keyframe_requests, sent_us: AtomicU64::new(0) });
    }
    let context = Context {
        handle: handle.clone(),
        addresses,
        role,
        sound,
        pictures: streams,
        events,
        impairment,
        state: state.clone(),
        gate: Arc::clone(&gate),
        far_streams: FarStreams::default(),
        generation: Arc::default(),
        connected: watch::Sender::new(false),
        interruptions: watch::Sender::new(0),
    };
    let inbox = Commands { waiting: command_receiver, overflowed: has_overflowed };
    handle.spawn(run(context, inbox, closed, ends));
    Peer { shared: Arc::new(Shared { commands, close, pictures: handles, state, gate, overflowed }) }
}

pub(super) struct Context {
    handle: Handle,
    pub(super) addresses: HostAddresses,
    pub(super) role: Role,
    sound: Arc<dyn Fn(ReceivedSound) + Send + Sync>,
    pub(super) pictures: Vec<StreamContext>,
    pub(super) events: Events,
    impairment: Impairment,
    pub(super) state: ConnectionState,
    pub(super) gate: Arc<SourceGate>,
    pub(super) far_streams: FarStreams,
    /// Of this side's latest description: its candidates bear it.
    pub(super) generation: Arc<AtomicU32>,
    /// True once `Connected` was told: what arrives a moment before waits for that, so that its events come after it.
    pub(super) connected: watch::Sender<bool>,
    /// How many there were.
    pub(super) interruptions: watch::Sender<u32>,
}

/// One stream of pictures, as the peer task knows it.
pub(super) struct StreamContext {
    pub(super) id: StreamId,
    kind: StreamKind,
    sink: VideoSink,
    state: ConnectionState,
    /// Its events; held here, for its queues hold it weakly.
    events: Events,
    pub(super) media: Weak<MediaQueues>,
    requesting: KeyframeRequests,
}

impl StreamContext {
    /// What tells that a keyframe of the stream is wanted.
    fn on_keyframe_request(&self) -> impl Fn() + Send + Sync + 'static {
        let (events, stream) = (Arc::clone(&self.events), self.id);
        move || events(PeerEvent::KeyframeRequested { stream })
    }
}

/// The far ends of the queues of one stream of pictures.
struct StreamEnds {
    id: StreamId,
    receivers: MediaReceivers,
    requests: mpsc::Receiver<()>,
}

/// The whole life of a connection: opens it, drives it until it is closed, and lets go of everything.
async fn run(context: Context, commands: Commands, mut closed: watch::Receiver<bool>, ends: Vec<StreamEnds>) {
    let events = Arc::clone(&context.events);
    let (runtime, tasks) =
        PeerRuntime::new(context.handle.clone(), Arc::clone(&context.gate), context.impairment.clone());
    let (mut receivers, mut keyframe_requests) = (Vec::new(), KeyframeInbox::default());
    for StreamEnds { id, receivers: of_stream, requests } in ends {
        receivers.push((id, of_stream));
        keyframe_requests.add(id, requests);
    }
    let open = open(&context, &runtime, receivers, closed.clone());
    match unless_closed(&mut closed, open).await {
        Some(Ok((connection, states, streams))) => {
            let engine = Arc::clone(&connection.engine);
            let driver = Driver::new(context, connection, streams, runtime.link_local());
            let inputs = Inputs { commands, keyframe_requests, states, engine_task_ended: runtime.engine_task_ended() };
            drive(driver, inputs, &mut closed).await;
            match tokio::time::timeout(CLOSE_TIMEOUT, engine.close()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "closing a connection"),
                Err(_) => tracing::debug!("a connection does not close by itself"),
            }
        }
        Some(Err(error)) => {
            tracing::debug!(%error, "a connection could not be opened");
            events(PeerEvent::Failed { detail: "it could not be opened" });
            is_closed(&mut closed).await;
        }
        // Nobody holds what was opened by halves: its tasks would not end by themselves.
        None => tasks.abort(),
    }
    drop(runtime);
    release(tasks).await;
    events(PeerEvent::Closed);
}

/// Waits until every task has let go of what it holds; ends those that take too long.
async fn release(mut tasks: Tasks) {
    if tokio::time::timeout(RELEASE_TIMEOUT, tasks.ended()).await.is_err() {
        tracing::error!("a closed connection does not let go of everything by itself");
        tasks.abort();
        let _ = tokio::time::timeout(RELEASE_TIMEOUT, tasks.ended()).await;
    }
}

async fn open(
    context: &Context,
    runtime: &Arc<PeerRuntime>,
    receivers: Vec<(StreamId, MediaReceivers)>,
    closed: watch::Receiver<bool>,
) -> Result<(Connection, watch::Receiver<RTCPeerConnectionState>, StreamTable), webrtc::error::Error> {
    let mut sections = vec![(StreamId::AUDIO, StreamKind::Audio)];
    sections.extend(context.pictures.iter().map(|stream| (stream.id, stream.kind)));
    let table = StreamTable::under_random_ssrcs(&sections, || random_number().map(|number| number as u32))?;
    // The latest state is the one that holds.
    let (states, state_receiver) = watch::channel(RTCPeerConnectionState::New);
    let (interceptors, received) = interceptors(context, &table);
    let handler = Arc::new(Handler {
        events: Arc::clone(&context.events),
        generation: Arc::clone(&context.generation),
        link_local: runtime.link_local(),
        states,
    });
    let connection = connection::open(context.addresses.clone(), &table, interceptors, handler, runtime).await?;
    let (sound, connected) = (Arc::clone(&context.sound), || context.connected.subscribe());
    let (sound_packets, mut picture_packets) = received.into_queues();
    runtime.track(receiving::receive_audio(sound_packets, connected(), sound, Arc::clone(&context.state.counters)));
    let audio = connection.track(StreamId::AUDIO).cloned().ok_or(webrtc::error::Error::ErrUnknownType)?;
    for (id, receivers) in receivers {
        let Some(stream) = context.pictures.iter().find(|stream| stream.id == id) else { continue };
        let Some(index) = picture_packets.iter().position(|(one, _)| *one == id) else { continue };
        let (Some(track), (_, packets)) = (connection.track(id), picture_packets.swap_remove(index)) else { continue };
        runtime.track(receiving::receive_video(
            packets,
            (connected(), context.interruptions.subscribe()),
            stream.sink.clone(),
            stream.state.clone(),
            Arc::clone(&stream.events),
            stream.requesting.clone(),
        ));
        runtime.track(sending::run(
            receivers,
            closed.clone(),
            Arc::clone(track),
            Arc::clone(&audio),
            table.with_sound(id),
            stream.state.clone(),
            [random_number()?, random_number()?],
        ));
    }
    Ok((connection, state_receiver, table))
}

/// This side's interceptors of a connection, and the queues that received media comes out of.
fn interceptors(context: &Context, table: &StreamTable) -> (Interceptors, ReceivedMedia) {
    let (state, gate) = (&context.state, Arc::clone(&context.gate));
    let call = table.with_sound(StreamId::CAMERA);
    let camera = context.pictures.iter().find(|stream| stream.id == StreamId::CAMERA);
    let on_keyframe_request = || {
        let request = camera.map(StreamContext::on_keyframe_request);
        move || request.iter().for_each(|request| request())
    };
    let mut observer = RtcpObserver::new(state, (call.video, call.audio), on_keyframe_request())
        .of_streams(context.far_streams.clone())
        .telling_reporters(move |ssrc| gate.confirm_reporter(ssrc));
    let mut congestion = CongestionControl::new(state, on_keyframe_request());
    let mut pacer = Pacer::new(state);
    let (tap, mut received) = MediaTap::new();
    let mut tap = tap.of_streams(context.far_streams.clone());
    for stream in context.pictures.iter().filter(|stream| stream.id != StreamId::CAMERA) {
        let ssrc = table.with_sound(stream.id).video;
        observer = observer.with_video((stream.id, ssrc), &stream.state, stream.on_keyframe_request());
        congestion = congestion.with_video(ssrc, &stream.state, stream.on_keyframe_request());
        pacer = pacer.with_video(ssrc, &stream.state);
        received.further.push((stream.id, tap.add_stream(stream.id)));
    }
    let nack_generator = NackGenerator::new(state, table.reporter());
    let fec = ForwardErrorCorrection::new(state);
    (Interceptors { observer, congestion, nack_generator, fec, pacer, tap }, received)
}

fn random_number() -> Result<u64, webrtc::error::Error> {
    getrandom::u64().map_err(|error| webrtc::error::Error::Other(error.to_string()))
}

/// What the webrtc crate calls, on its own task.
struct Handler {
    events: Events,
    generation: Arc<AtomicU32>,
    link_local: Arc<LinkLocalSockets>,
    states: watch::Sender<RTCPeerConnectionState>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        let (generation, told) = (self.generation.load(Relaxed), |address| self.link_local.told(address));
        if let Some(candidate) = candidate::from_engine(&event.candidate, generation, told) {
            (self.events)(PeerEvent::LocalCandidate(candidate));
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.states.send_replace(state);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::call::CandidateKind;

    /// A handle whose task does not get to its commands.
    fn held_up() -> (Peer, Commands) {
        let state = ConnectionState::default();
        let (commands, waiting) = mpsc::channel(CANDIDATES + NEGOTIATION);
        let (overflowed, has_overflowed) = watch::channel(false);
        let shared = Shared {
            commands,
            close: watch::channel(false).0,
            pictures: Vec::new(),
            state,
            gate: Arc::default(),
            overflowed,
        };
        (Peer { shared: Arc::new(shared) }, Commands { waiting, overflowed: has_overflowed })
    }

    fn candidate() -> Candidate {
        Candidate {
            generation: 0,
            foundation: "1".try_into().unwrap(),
            priority: 1,
            address: IpAddr::from([192, 0, 2, 1]),
            port: 5000,
            kind: CandidateKind::Host,
        }
    }

    fn description(generation: u32) -> Description {
        Description { generation, ..Description::for_test() }
    }

    #[test]
    fn streams_that_are_sent_together_share_what_the_path_carries() {
        let budget = VideoBudget { kbps: 900, ..VideoBudget::UNLIMITED };
        assert_eq!([0, 1, 2].map(|others| share_of(budget, others).kbps), [900, 450, 300]);
        assert_eq!(share_of(VideoBudget::UNLIMITED, 1), VideoBudget::UNLIMITED, "before anything is known");
    }

    #[test]
    fn a_flood_of_candidates_leaves_room_for_descriptions_and_restarts() {
        let (peer, Commands { mut waiting, overflowed }) = held_up();
        (0..10_000).for_each(|_| peer.add_remote_candidate(candidate()));
        peer.set_remote_description(description(1));
        peer.restart_ice(2);
        let mut commands = std::iter::from_fn(|| waiting.try_recv().ok());
        let candidates = commands.by_ref().take_while(|command| matches!(command, Command::RemoteCandidate(_)));
        assert_eq!(candidates.count(), CANDIDATES, "and the description behind them");
        assert!(matches!(commands.next(), Some(Command::Restart { generation: 2 })));
        assert!(!*overflowed.borrow());
    }

    #[test]
    fn a_connection_that_takes_no_description_is_to_fail() {
        let (peer, commands) = held_up();
        for generation in 0..(CANDIDATES + NEGOTIATION) as u32 {
            peer.set_remote_description(description(generation));
        }
        assert!(!*commands.overflowed.borrow(), "there is room for so many");
        peer.restart_ice(1);
        assert!(*commands.overflowed.borrow());
    }
}
