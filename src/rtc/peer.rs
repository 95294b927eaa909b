//! Connection of one remote participant: the handle that the controller holds, and the life of the task that owns the
//! connection. The task's work is in `driver`.
//!
//! ```text
//! Peer (handle, any thread) --commands, bounded--> peer task --> webrtc crate
//!                           --media, bounded-----> sending task
//!                           --close gate-----------^ never behind anything that the far side can fill
//! webrtc crate's task --states, packets--> peer task, receiving tasks --> PeerEvents, sinks
//! ```

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use webrtc::peer_connection::{PeerConnectionEventHandler, RTCPeerConnectionIceEvent, RTCPeerConnectionState};

use super::connection::{self, EngineConnection};
use super::connection_state::ConnectionState;
use super::context::{Command, Commands, Context};
use super::driver::{Driver, Inputs, drive};
use super::event::{Events, PeerEvent, PeerSinks};
use super::keyframe_inbox::KeyframeInbox;
use super::negotiation::candidate;
use super::picture_streams::{self, PictureStream, StreamEnds, share_of};
use super::receiving::{self, VideoSignals};
use super::sending::{self, is_closed, unless_closed};
use super::stats::PeerStats;
use super::streams::{FarStreams, StreamTable};
use super::transport::hello_verify::Cookies;
use super::transport::link_local::LinkLocalSockets;
use super::transport::runtime::{PeerRuntime, Tasks};
use super::transport::selected_path::SelectedPath;
use super::transport::source_gate::SourceGate;
use super::ways::Ways;
use crate::call::Role;
use crate::call::{Candidate, Description};
use crate::media::{MediaTime, OutgoingPicture, OutgoingSound, SoundSink, StreamId, StreamKind, VideoBudget};

/// Candidates that wait for the peer task at most; more are dropped (a far side that sends hundreds of them).
const CANDIDATES: usize = 64;
/// Room that candidates leave for the commands that a connection cannot do without. A far side gets two restarts a
/// second.
const NEGOTIATION: usize = 64;
/// For the engine's own closing.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// From there to the end of the last task at most, before they are ended.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(3);

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

impl fmt::Debug for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Peer").finish_non_exhaustive()
    }
}

impl Peer {
    /// Applies the far side's description: the first one, or that of an ICE restart, of which the other fields are as
    /// in the first. One that cannot be used ends in `PeerEvent::Failed`.
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

    /// Sends a picture of a stream. Dropped before `Connected`, until a keyframe after anything was dropped, and where
    /// the far side does not know the stream.
    pub fn send_video(&self, stream: StreamId, picture: &OutgoingPicture) {
        if let Some(pictures) = self.pictures(stream) {
            pictures.send(picture);
        }
    }

    /// Sends 20 ms of sound. Dropped before `Connected`.
    pub fn send_audio(&self, sound: &OutgoingSound) {
        if let Some(carrier) = self.shared.pictures.iter().find(|one| one.id == StreamId::CAMERA) {
            carrier.media.send_audio(sound);
        }
    }

    /// How much may be sent of a stream of pictures, of which so much is wanted: an equal share, with the others that
    /// are sent now, of the rate that congestion control allows, less the sound; `None` while the connection takes
    /// none.
    pub fn video_budget(&self, stream: StreamId, wanted_kbps: u32) -> Option<VideoBudget> {
        let now = MediaTime::now();
        let budget = self.pictures(stream)?.media.budget(wanted_kbps, now)?;
        let others = self.shared.pictures.iter().filter(|one| one.id != stream && one.is_sent(now)).count();
        Some(share_of(budget, others))
    }

    /// Bit rate that congestion control grants all streams of pictures together at `now`, in kbit/s, `u32::MAX` before
    /// it is known; `None` while the connection takes none.
    pub fn granted_kbps(&self, now: MediaTime) -> Option<u32> {
        self.pictures(StreamId::CAMERA)?.media.granted_kbps(now)
    }

    /// The share of packets that the path lost lately, 0 to 1.
    pub fn path_loss(&self) -> f64 {
        self.shared.state.path.loss().share
    }

    /// Asks the far side for a keyframe (PLI) of a stream, 300 ms after the last request at the earliest.
    pub fn request_keyframe(&self, stream: StreamId) {
        if let Some(pictures) = self.pictures(stream) {
            // A full queue holds a request already.
            let _ = pictures.keyframe_requests.try_send(());
        }
    }

    /// Counts and gauges of the connection, its sound and its camera.
    pub fn stats(&self) -> PeerStats {
        let Shared { state, gate, .. } = &*self.shared;
        PeerStats {
            datagrams_refused: gate.refused(),
            wire_bytes_received: gate.admitted_bytes(),
            route: gate.route(),
            ..state.stats()
        }
    }

    /// Counts and gauges of one stream of pictures; `None` for one that there is not.
    pub fn stream_stats(&self, stream: StreamId) -> Option<PeerStats> {
        self.pictures(stream).map(|pictures| pictures.state.stats())
    }

    fn pictures(&self, stream: StreamId) -> Option<&PictureStream> {
        self.shared.pictures.iter().find(|one| one.id == stream)
    }

    /// Stops sending at once and closes the connection; `PeerEvent::Closed` follows.
    pub fn close(&self) {
        for PictureStream { media, .. } in &self.shared.pictures {
            media.set_open(false);
            media.set_sound_open(false);
        }
        self.shared.close.send_replace(true);
    }

    /// Sends a command that must not be lost; a connection that cannot take it fails.
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
pub(super) fn start(handle: &Handle, ways: Ways, role: Role, sinks: PeerSinks, events: Events) -> Peer {
    let state = ConnectionState::default();
    let gate = Arc::new(SourceGate::with_servers(ways.servers.of_gate()));
    let (commands, command_receiver) = mpsc::channel(CANDIDATES + NEGOTIATION);
    let (close, closed) = watch::channel(false);
    let (overflowed, has_overflowed) = watch::channel(false);
    let PeerSinks { pictures, audio: sound } = sinks;
    let (mut handles, mut streams, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for sink in pictures {
        let (handle, context, stream_ends) = picture_streams::stream(sink, &state, &events);
        handles.push(handle);
        streams.push(context);
        ends.push(stream_ends);
    }
    // A ClientHello to a relayed address of this side comes wrapped, and is not held back.
    let cookies = if ways.servers.relays.is_empty() { Cookies::draw() } else { Cookies::default() };
    let context = Context {
        handle: handle.clone(),
        ways,
        role,
        pictures: streams,
        events,
        state: state.clone(),
        gate: Arc::clone(&gate),
        selected: Arc::new(SelectedPath::new(Arc::clone(&state.path))),
        cookies: Arc::new(cookies),
        far_streams: FarStreams::default(),
        generation: Arc::default(),
        connected: watch::Sender::new(false),
        interruptions: watch::Sender::new(0),
    };
    let inbox = Commands { waiting: command_receiver, overflowed: has_overflowed };
    handle.spawn(run(context, inbox, closed, (ends, sound)));
    Peer { shared: Arc::new(Shared { commands, close, pictures: handles, state, gate, overflowed }) }
}

/// The whole life of a connection: opens it, drives it until it is closed, and lets go of everything.
async fn run(
    context: Context,
    commands: Commands,
    mut closed: watch::Receiver<bool>,
    media: (Vec<StreamEnds>, Box<dyn SoundSink>),
) {
    let events = Arc::clone(&context.events);
    let impairment = context.ways.impairment.clone();
    let stream = context.ways.servers.stream().map(|stream| stream.connector.clone());
    let (gate, cookies) = (Arc::clone(&context.gate), Arc::clone(&context.cookies));
    let (handle, selected) = (context.handle.clone(), Arc::clone(&context.selected));
    let (runtime, tasks) = PeerRuntime::new(handle, gate, selected, cookies, impairment, stream);
    let mut keyframe_requests = KeyframeInbox::default();
    let open = open(&context, &runtime, media, &mut keyframe_requests, closed.clone());
    match unless_closed(&mut closed, open).await {
        Some(Ok((connection, states, streams))) => {
            let engine = Arc::clone(&connection.engine);
            let driver = Driver::new(context, connection, streams, runtime.link_local());
            let inputs = Inputs { commands, keyframe_requests, states, engine_task_ended: runtime.engine_task_ended() };
            drive(driver, inputs, &mut closed).await;
            runtime.begin_closing();
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
        // Nobody holds a connection that was opened by halves: its tasks would not end by themselves.
        None => tasks.abort(),
    }
    drop(runtime);
    release(tasks).await;
    events(PeerEvent::Closed);
}

/// Waits until every task has let go of its resources; ends those that take too long.
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
    (ends, sound): (Vec<StreamEnds>, Box<dyn SoundSink>),
    keyframe_requests: &mut KeyframeInbox,
    closed: watch::Receiver<bool>,
) -> Result<(EngineConnection, watch::Receiver<RTCPeerConnectionState>, StreamTable), webrtc::error::Error> {
    let mut sections = vec![(StreamId::AUDIO, StreamKind::Audio)];
    sections.extend(context.pictures.iter().map(|stream| (stream.id, stream.kind)));
    let table = StreamTable::under_random_ssrcs(&sections, || random_number().map(|number| number as u32))?;
    // The latest state is the one that holds.
    let (states, state_receiver) = watch::channel(RTCPeerConnectionState::New);
    let (far, gate) = (&context.far_streams, Arc::clone(&context.gate));
    let (interceptors, received) =
        picture_streams::interceptors(&context.pictures, &context.state, &table, (far, gate));
    let handler = Arc::new(Handler {
        events: Arc::clone(&context.events),
        generation: Arc::clone(&context.generation),
        link_local: runtime.link_local(),
        states,
    });
    let connection = connection::open(&context.ways, &context.cookies, &table, interceptors, handler, runtime).await?;
    let connected = || context.connected.subscribe();
    let (sound_packets, mut arrivals) = received.into_queues();
    runtime.track(receiving::receive_audio(sound_packets, connected(), sound, Arc::clone(&context.state.counters)));
    let audio = connection.track(StreamId::AUDIO).cloned().ok_or(webrtc::error::Error::ErrUnknownType)?;
    for StreamEnds { id, sink, receivers, requests } in ends {
        let stream = context.pictures.iter().find(|stream| stream.id == id);
        let queue = arrivals.iter().position(|(one, _)| *one == id).map(|index| arrivals.swap_remove(index).1);
        let (Some(stream), Some(queue), Some(track)) = (stream, queue, connection.track(id)) else { continue };
        let signals = VideoSignals {
            connected: connected(),
            interruptions: context.interruptions.subscribe(),
            keyframe_requests: requests,
        };
        let plis = keyframe_requests.of_stream(id);
        runtime.track(receiving::receive_video(queue, signals, sink, stream.state.clone(), plis));
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

fn random_number() -> Result<u64, webrtc::error::Error> {
    getrandom::u64().map_err(|error| webrtc::error::Error::Other(error.to_string()))
}

/// Callbacks of the webrtc crate, on its own task.
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
