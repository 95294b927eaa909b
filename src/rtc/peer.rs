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
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use webrtc::peer_connection::{PeerConnectionEventHandler, RTCPeerConnectionIceEvent, RTCPeerConnectionState};

use super::bwe::CongestionControl;
use super::connection::{self, Connection, Interceptors};
use super::connection_state::ConnectionState;
use super::driver::{Driver, Inputs, drive};
use super::engine::{Events, PeerEvent, PeerSinks};
use super::negotiation::candidate;
use super::pacing::Pacer;
use super::receiving::media_tap::MediaTap;
use super::receiving::{self, KeyframeRequests, VideoSignals};
use super::repair::fec::ForwardErrorCorrection;
use super::repair::nack::NackGenerator;
use super::rtcp_observer::RtcpObserver;
use super::sending::{self, MediaQueues, MediaReceivers, is_closed, unless_closed};
use super::stats::PeerStats;
use super::streams::StreamTable;
use super::transport::host_addresses::HostAddresses;
use super::transport::link_local::LinkLocalSockets;
use super::transport::runtime::{Impairment, PeerRuntime, Tasks};
use super::transport::source_gate::SourceGate;
use crate::call::Role;
use crate::call::{Candidate, Description};
use crate::media::{MediaTime, OutgoingPicture, OutgoingSound, StreamId, StreamKind, VideoBudget};

/// Streams of a call.
const STREAMS: [(StreamId, StreamKind); 2] =
    [(StreamId::AUDIO, StreamKind::Audio), (StreamId::CAMERA, StreamKind::Camera)];
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
    keyframe_requests: KeyframeRequests,
    close: watch::Sender<bool>,
    media: Arc<MediaQueues>,
    state: ConnectionState,
    gate: Arc<SourceGate>,
    /// True once a command that must not be lost found no room.
    overflowed: watch::Sender<bool>,
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

    /// Sends a video frame. Dropped before `Connected`, and until a keyframe after anything was dropped.
    pub fn send_video(&self, picture: &OutgoingPicture) {
        self.shared.media.send_video(picture);
    }

    /// Sends 20 ms of sound. Dropped before `Connected`.
    pub fn send_audio(&self, sound: &OutgoingSound) {
        self.shared.media.send_audio(sound);
    }

    /// How much video may be sent: what congestion control grants, less the sound; `None` while the connection takes
    /// none.
    pub fn video_budget(&self, wanted_kbps: u32) -> Option<VideoBudget> {
        self.shared.media.budget(wanted_kbps, MediaTime::now())
    }

    /// The share of packets that the path lost lately, 0 to 1.
    pub fn path_loss(&self) -> f64 {
        self.shared.state.path.loss().share
    }

    /// Asks the far side for a keyframe (PLI), 300 ms after the last request at the earliest.
    pub fn request_keyframe(&self) {
        // A full queue holds a request already.
        let _ = self.shared.keyframe_requests.try_send(());
    }

    /// What was counted so far.
    pub fn stats(&self) -> PeerStats {
        let Shared { state, gate, .. } = &*self.shared;
        PeerStats { datagrams_refused: gate.refused(), wire_bytes_received: gate.admitted_bytes(), ..state.stats() }
    }

    /// Stops sending at once and closes the connection; `PeerEvent::Closed` follows.
    pub fn close(&self) {
        self.shared.media.set_open(false);
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
    let (media, receivers) = sending::queues(&state, &events);
    let media = Arc::new(media);
    let (commands, command_receiver) = mpsc::channel(CANDIDATES + NEGOTIATION);
    let (keyframe_requests, keyframe_receiver) = mpsc::channel(1);
    let (close, closed) = watch::channel(false);
    let (overflowed, has_overflowed) = watch::channel(false);
    let context = Context {
        handle: handle.clone(),
        addresses,
        role,
        events,
        impairment,
        state: state.clone(),
        gate: Arc::clone(&gate),
        media: Arc::downgrade(&media),
        generation: Arc::default(),
        connected: watch::Sender::new(false),
        interruptions: watch::Sender::new(0),
    };
    let inbox = Commands { waiting: command_receiver, overflowed: has_overflowed };
    let media_ends = MediaEnds { sinks, keyframe_requests: keyframe_receiver, receivers };
    handle.spawn(run(context, inbox, closed, media_ends));
    Peer { shared: Arc::new(Shared { commands, keyframe_requests, close, media, state, gate, overflowed }) }
}

pub(super) struct Context {
    handle: Handle,
    pub(super) addresses: HostAddresses,
    pub(super) role: Role,
    pub(super) events: Events,
    impairment: Impairment,
    pub(super) state: ConnectionState,
    pub(super) gate: Arc<SourceGate>,
    pub(super) media: Weak<MediaQueues>,
    /// Of this side's latest description: its candidates bear it.
    pub(super) generation: Arc<AtomicU32>,
    /// True once `Connected` was told: what arrives a moment before waits for that, so that its events come after it.
    pub(super) connected: watch::Sender<bool>,
    /// How many there were.
    pub(super) interruptions: watch::Sender<u32>,
}

/// What the tasks of the connection's media take with them.
struct MediaEnds {
    sinks: PeerSinks,
    /// Of the handles.
    keyframe_requests: mpsc::Receiver<()>,
    receivers: MediaReceivers,
}

/// The whole life of a connection: opens it, drives it until it is closed, and lets go of everything.
async fn run(context: Context, commands: Commands, mut closed: watch::Receiver<bool>, media_ends: MediaEnds) {
    let events = Arc::clone(&context.events);
    let (runtime, tasks) =
        PeerRuntime::new(context.handle.clone(), Arc::clone(&context.gate), context.impairment.clone());
    // A full queue holds a request already.
    let (plis, pli_receiver) = mpsc::channel(1);
    let open = open(&context, &runtime, media_ends, plis, closed.clone());
    match unless_closed(&mut closed, open).await {
        Some(Ok((connection, states, streams))) => {
            let engine = Arc::clone(&connection.engine);
            let driver = Driver::new(context, connection, streams, runtime.link_local());
            let inputs =
                Inputs { commands, plis: pli_receiver, states, engine_task_ended: runtime.engine_task_ended() };
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
    media_ends: MediaEnds,
    plis: KeyframeRequests,
    closed: watch::Receiver<bool>,
) -> Result<(Connection, watch::Receiver<RTCPeerConnectionState>, StreamTable), webrtc::error::Error> {
    let random = [random_number()?, random_number()?];
    let table = StreamTable::under_random_ssrcs(&STREAMS, || random_number().map(|number| number as u32))?;
    let streams = table.of_call();
    // The latest state is the one that holds.
    let (states, state_receiver) = watch::channel(RTCPeerConnectionState::New);
    let observer = RtcpObserver::new(&context.state, (streams.video, streams.audio), {
        let events = Arc::clone(&context.events);
        move || events(PeerEvent::KeyframeRequested { stream: StreamId::CAMERA })
    })
    .telling_reporters({
        let gate = Arc::clone(&context.gate);
        move |ssrc| gate.confirm_reporter(ssrc)
    });
    let (tap, received) = MediaTap::new();
    let interceptors = Interceptors {
        observer,
        congestion: CongestionControl::new(&context.state, {
            let events = Arc::clone(&context.events);
            move || events(PeerEvent::KeyframeRequested { stream: StreamId::CAMERA })
        }),
        nack_generator: NackGenerator::new(&context.state, streams.video),
        fec: ForwardErrorCorrection::new(&context.state),
        pacer: Pacer::new(&context.state),
        tap,
    };
    let handler = Arc::new(Handler {
        events: Arc::clone(&context.events),
        generation: Arc::clone(&context.generation),
        link_local: runtime.link_local(),
        states,
    });
    let connection = connection::open(context.addresses.clone(), &table, interceptors, handler, runtime).await?;
    let MediaEnds { sinks, keyframe_requests, receivers } = media_ends;
    let connected = || context.connected.subscribe();
    runtime.track(receiving::receive_audio(
        received.audio,
        connected(),
        sinks.audio,
        Arc::clone(&context.state.counters),
    ));
    runtime.track(receiving::receive_video(
        received.video,
        VideoSignals { connected: connected(), interruptions: context.interruptions.subscribe(), keyframe_requests },
        sinks.video,
        context.state.clone(),
        plis,
    ));
    let track = |id| connection.track(id).cloned().ok_or(webrtc::error::Error::ErrUnknownType);
    runtime.track(sending::run(
        receivers,
        closed,
        track(StreamId::CAMERA)?,
        track(StreamId::AUDIO)?,
        streams,
        context.state.clone(),
        random,
    ));
    Ok((connection, state_receiver, table))
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
        let events: Events = Arc::new(|_| {});
        let (media, _receivers) = sending::queues(&state, &events);
        let (commands, waiting) = mpsc::channel(CANDIDATES + NEGOTIATION);
        let (keyframe_requests, _) = mpsc::channel(1);
        let (overflowed, has_overflowed) = watch::channel(false);
        let shared = Shared {
            commands,
            keyframe_requests,
            close: watch::channel(false).0,
            media: Arc::new(media),
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
