//! One remote participant's connection: the handle that the controller holds, and the task that owns the connection.
//!
//! ```text
//! Peer (handle, any thread) --commands, bounded--> peer task --> webrtc crate
//!                           --media, bounded-----> sending task
//!                           --close gate-----------^ never behind anything that the far side can fill
//! webrtc crate's task --states, packets--> peer task, receiving tasks --> PeerEvents, sinks
//! ```

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::peer_connection::{
    PeerConnectionEventHandler, RTCPeerConnectionIceEvent, RTCPeerConnectionState, RTCSessionDescription,
};
use webrtc::runtime::Runtime;

use super::candidate;
use super::congestion::CongestionControl;
use super::connection::{self, Connection, Interceptors};
use super::description_sdp::{self, StreamNumbers};
use super::engine::{Events, PeerEvent, PeerSinks};
use super::media_tap::MediaTap;
use super::nack::NackGenerator;
use super::receiving::{self, KeyframeRequests};
use super::rtcp_observer::RtcpObserver;
use super::runtime::{Impairment, PeerRuntime};
use super::sending::{self, MediaQueues, MediaReceivers, is_closed, unless_closed};
use super::source_gate::SourceGate;
use super::stats::{Counters, PeerStats};
use crate::call::Role;
use crate::call::{Candidate, Description, DescriptionKind};
use crate::media::{EncodedAudio, EncodedVideo, MediaTime, VideoBudget};

/// Commands that wait for the peer task at most; more are dropped (a far side that sends hundreds of candidates).
const COMMANDS: usize = 64;
/// Candidates of the far side's that are used at most.
const MAX_CANDIDATES: usize = 16;
/// From this side's offer, or from the far side's description, to a connection at most.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// From closing to the end of the last task at most.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);
/// Between keyframe requests to the far side at least.
const PLI_INTERVAL: Duration = Duration::from_millis(300);

enum Command {
    RemoteDescription(Box<Description>),
    RemoteCandidate(Candidate),
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
    counters: Arc<Counters>,
    gate: Arc<SourceGate>,
}

impl fmt::Debug for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Peer").finish_non_exhaustive()
    }
}

impl Peer {
    /// Applies the far side's description. One that cannot be used ends in `PeerEvent::Failed`.
    pub fn set_remote_description(&self, description: Description) {
        self.command(Command::RemoteDescription(Box::new(description)));
    }

    /// Adds a candidate of the far side's; it may come before the description. Useless ones are ignored.
    pub fn add_remote_candidate(&self, candidate: Candidate) {
        self.command(Command::RemoteCandidate(candidate));
    }

    /// Sends a video frame. Dropped before `Connected`, and until a keyframe after anything was dropped.
    pub fn send_video(&self, unit: &EncodedVideo) {
        self.shared.media.send_video(unit);
    }

    /// Sends 20 ms of sound. Dropped before `Connected`.
    pub fn send_audio(&self, audio: &EncodedAudio) {
        self.shared.media.send_audio(audio);
    }

    /// How much video may be sent: what congestion control grants, less the sound.
    pub fn video_budget(&self) -> VideoBudget {
        self.shared.media.budget()
    }

    /// The share of packets that the path lost lately, 0 to 1.
    pub fn path_loss(&self) -> f64 {
        self.shared.counters.path_loss()
    }

    /// Asks the far side for a keyframe (PLI), at most every 300 ms.
    pub fn request_keyframe(&self) {
        // A full queue holds a request already.
        let _ = self.shared.keyframe_requests.try_send(());
    }

    /// Tells whether the far side's camera is on. While it is off no picture is expected, so none is missing.
    pub fn expect_video(&self, expected: bool) {
        self.shared.counters.expect_pictures(expected);
    }

    /// What was counted so far.
    pub fn stats(&self) -> PeerStats {
        self.shared.counters.snapshot(self.shared.gate.refused(), MediaTime::now())
    }

    /// Stops sending at once and closes the connection; `PeerEvent::Closed` follows.
    pub fn close(&self) {
        self.shared.media.set_open(false);
        self.shared.close.send_replace(true);
    }

    fn command(&self, command: Command) {
        if self.shared.commands.try_send(command).is_err() {
            tracing::debug!("a command to a peer was dropped");
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
    bind: Option<IpAddr>,
    role: Role,
    sinks: PeerSinks,
    events: Events,
    impairment: Impairment,
) -> Peer {
    let counters = Arc::new(Counters::default());
    let gate = Arc::new(SourceGate::default());
    let (media, receivers) = sending::queues(Arc::clone(&counters), &events);
    let media = Arc::new(media);
    let (commands, command_receiver) = mpsc::channel(COMMANDS);
    let (keyframe_requests, keyframe_receiver) = mpsc::channel(1);
    let (close, closed) = watch::channel(false);
    let context = Context {
        handle: handle.clone(),
        bind,
        role,
        sinks,
        events,
        impairment,
        counters: Arc::clone(&counters),
        gate: Arc::clone(&gate),
        media: Arc::downgrade(&media),
        keyframe_requests: keyframe_requests.clone(),
        connected: watch::Sender::new(false),
    };
    handle.spawn(run(context, command_receiver, keyframe_receiver, closed, receivers));
    Peer { shared: Arc::new(Shared { commands, keyframe_requests, close, media, counters, gate }) }
}

struct Context {
    handle: Handle,
    bind: Option<IpAddr>,
    role: Role,
    sinks: PeerSinks,
    events: Events,
    impairment: Impairment,
    counters: Arc<Counters>,
    gate: Arc<SourceGate>,
    media: std::sync::Weak<MediaQueues>,
    keyframe_requests: KeyframeRequests,
    /// True once `Connected` was told: what arrives a moment before waits for that, so that its events come after it.
    connected: watch::Sender<bool>,
}

/// The whole life of a connection: opens it, drives it until it is closed, and lets go of everything.
async fn run(
    context: Context,
    commands: mpsc::Receiver<Command>,
    keyframe_requests: mpsc::Receiver<()>,
    mut closed: watch::Receiver<bool>,
    receivers: MediaReceivers,
) {
    let events = Arc::clone(&context.events);
    let (runtime, mut tasks_ended) =
        PeerRuntime::new(context.handle.clone(), Arc::clone(&context.gate), context.impairment.clone());
    match open(&context, &runtime, receivers, closed.clone()).await {
        Ok((connection, states, streams)) => {
            let engine = Arc::clone(&connection.engine);
            let driver = Driver::new(context, connection, streams);
            let inputs = Inputs { commands, keyframe_requests, states, driver_ended: runtime.driver_ended() };
            drive(driver, inputs, &mut closed).await;
            if let Err(error) = engine.close().await {
                tracing::debug!(%error, "closing a connection");
            }
        }
        Err(error) => {
            tracing::debug!(%error, "a connection could not be opened");
            events(PeerEvent::Failed { detail: "it could not be opened" });
            is_closed(&mut closed).await;
        }
    }
    drop(runtime);
    if tokio::time::timeout(RELEASE_TIMEOUT, tasks_ended.wait()).await.is_err() {
        tracing::error!("a closed connection does not let go of everything");
    }
    events(PeerEvent::Closed);
}

async fn open(
    context: &Context,
    runtime: &Arc<PeerRuntime>,
    receivers: MediaReceivers,
    closed: watch::Receiver<bool>,
) -> Result<(Connection, mpsc::Receiver<RTCPeerConnectionState>, StreamNumbers), webrtc::error::Error> {
    let random = random_numbers()?;
    let streams = StreamNumbers {
        audio: (random[0] as u32 | 1) & !2,
        video: (random[1] as u32 | 2) & !1,
        rtx: random[2] as u32 | 3,
    };
    let (states, state_receiver) = mpsc::channel(16);
    let observer = RtcpObserver::new(Arc::clone(&context.counters), streams.video, {
        let events = Arc::clone(&context.events);
        move || events(PeerEvent::KeyframeRequested)
    });
    let (tap, received) = MediaTap::new();
    let interceptors = Interceptors {
        observer,
        congestion: CongestionControl::new(Arc::clone(&context.counters)),
        nack_generator: NackGenerator::new(Arc::clone(&context.counters), streams.video),
        tap,
    };
    let handler = Arc::new(Handler { events: Arc::clone(&context.events), states });
    let runtime_dyn = Arc::clone(runtime) as Arc<dyn Runtime>;
    let connection = connection::open(context.bind, streams, interceptors, handler, runtime_dyn).await?;
    let sound = Arc::clone(&context.sinks.audio);
    let connected = || context.connected.subscribe();
    runtime.track(receiving::receive_audio(received.audio, connected(), sound, Arc::clone(&context.counters)));
    runtime.track(receiving::receive_video(
        received.video,
        connected(),
        context.sinks.video.clone(),
        Arc::clone(&context.counters),
        Arc::clone(&context.events),
        context.keyframe_requests.clone(),
    ));
    runtime.track(sending::run(
        receivers,
        closed,
        Arc::clone(&connection.video),
        Arc::clone(&connection.audio),
        streams,
        Arc::clone(&context.counters),
        [random[3], random[4]],
    ));
    Ok((connection, state_receiver, streams))
}

fn random_numbers() -> Result<[u64; 5], webrtc::error::Error> {
    let mut numbers = [0; 5];
    for number in &mut numbers {
        *number = getrandom::u64().map_err(|error| webrtc::error::Error::Other(error.to_string()))?;
    }
    Ok(numbers)
}

/// What the peer task listens to, besides closing.
struct Inputs {
    commands: mpsc::Receiver<Command>,
    keyframe_requests: mpsc::Receiver<()>,
    states: mpsc::Receiver<RTCPeerConnectionState>,
    driver_ended: watch::Receiver<bool>,
}

async fn drive(mut driver: Driver, inputs: Inputs, closed: &mut watch::Receiver<bool>) {
    let Inputs { mut commands, mut keyframe_requests, mut states, mut driver_ended } = inputs;
    driver.offer_if_offerer().await;
    let mut next_pli = Instant::now();
    loop {
        tokio::select! {
            biased;
            () = is_closed(closed) => return,
            Some(state) = states.recv() => driver.state(state),
            () = is_closed(&mut driver_ended), if !driver.failed => driver.fail("the engine stopped"),
            () = timeout_at(driver.connect_by) => driver.fail("no connection in time"),
            Some(()) = async { tokio::time::sleep_until(next_pli).await; keyframe_requests.recv().await } => {
                next_pli = Instant::now() + PLI_INTERVAL;
                if unless_closed(closed, driver.send_pli()).await.is_none() {
                    return;
                }
            }
            Some(command) = commands.recv() => driver.command(command).await,
        }
    }
}

async fn timeout_at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// What the peer task knows while the connection lives.
struct Driver {
    context: Context,
    connection: Connection,
    streams: StreamNumbers,
    far_video: Option<u32>,
    /// Candidates that came before the description; then `None`.
    early_candidates: Option<Vec<Candidate>>,
    candidates: usize,
    connect_by: Option<Instant>,
    connected: bool,
    failed: bool,
}

impl Driver {
    fn new(context: Context, connection: Connection, streams: StreamNumbers) -> Self {
        Self {
            context,
            connection,
            streams,
            far_video: None,
            early_candidates: Some(Vec::new()),
            candidates: 0,
            connect_by: None,
            connected: false,
            failed: false,
        }
    }

    fn emit(&self, event: PeerEvent) {
        (self.context.events)(event);
    }

    fn fail(&mut self, detail: &'static str) {
        self.connect_by = None;
        self.set_media_open(false);
        if !std::mem::replace(&mut self.failed, true) {
            self.emit(PeerEvent::Failed { detail });
        }
    }

    fn set_media_open(&self, open: bool) {
        if let Some(media) = self.context.media.upgrade() {
            media.set_open(open);
        }
    }

    async fn offer_if_offerer(&mut self) {
        if self.context.role == Role::Answerer {
            return;
        }
        self.connect_by = Some(Instant::now() + CONNECT_TIMEOUT);
        if let Err(detail) = self.describe(DescriptionKind::Offer).await {
            tracing::debug!(detail, "a connection could not be offered");
            self.fail("its own description");
        }
    }

    /// Makes this side's description, tells it, and starts gathering.
    async fn describe(&mut self, kind: DescriptionKind) -> Result<(), String> {
        let engine = &self.connection.engine;
        let own = match kind {
            DescriptionKind::Offer => engine.create_offer(None).await,
            DescriptionKind::Answer => engine.create_answer(None).await,
        }
        .map_err(|error| format!("describing this side: {error}"))?;
        let description = description_sdp::from_own_sdp(kind, &own.sdp, self.streams)
            .map_err(|error| format!("describing this side: {error}"))?;
        self.context
            .gate
            .set_local_credentials(&description.ice_ufrag, &description.ice_pwd)
            .map_err(|error| format!("guarding the sockets: {error}"))?;
        // Before gathering begins, so that it comes before any candidate.
        self.emit(PeerEvent::LocalDescription(description));
        engine.set_local_description(own).await.map_err(|error| format!("applying the own description: {error}"))
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::RemoteDescription(description) => {
                if let Err(detail) = self.remote_description(&description).await {
                    // It may quote addresses and credentials.
                    tracing::debug!(detail, "a description could not be used");
                    self.fail("the far side's description");
                }
            }
            Command::RemoteCandidate(candidate) => match &mut self.early_candidates {
                Some(early) if early.len() < MAX_CANDIDATES => early.push(candidate),
                Some(_) => {}
                None => self.remote_candidate(&candidate).await,
            },
        }
    }

    async fn remote_description(&mut self, description: &Description) -> Result<(), String> {
        let wanted = match self.context.role {
            Role::Offerer => DescriptionKind::Answer,
            Role::Answerer => DescriptionKind::Offer,
        };
        if description.kind != wanted || self.early_candidates.is_none() {
            tracing::debug!("a description that was not expected is ignored");
            return Ok(());
        }
        let unusable = |error: &dyn fmt::Display| format!("the far side's description: {error}");
        let sdp = description_sdp::to_sdp(description).map_err(|error| unusable(&error))?;
        let remote = match description.kind {
            DescriptionKind::Offer => RTCSessionDescription::offer(sdp),
            DescriptionKind::Answer => RTCSessionDescription::answer(sdp),
        }
        .map_err(|error| unusable(&error))?;
        self.connection.engine.set_remote_description(remote).await.map_err(|error| unusable(&error))?;
        self.far_video = Some(description.video_ssrc);
        self.context.counters.far_takes_copies.store(description.audio_red, Relaxed);
        self.connect_by = Some(Instant::now() + CONNECT_TIMEOUT);
        let early = self.early_candidates.take().unwrap_or_default();
        if self.context.role == Role::Answerer {
            self.describe(DescriptionKind::Answer).await?;
        }
        for candidate in &early {
            self.remote_candidate(candidate).await;
        }
        Ok(())
    }

    async fn remote_candidate(&mut self, candidate: &Candidate) {
        let Some(init) = candidate::to_engine(candidate, self.connection.loopback) else {
            tracing::debug!("an unusable candidate is ignored");
            return;
        };
        if self.candidates >= MAX_CANDIDATES {
            return;
        }
        self.candidates += 1;
        if let Err(error) = self.connection.engine.add_ice_candidate(init).await {
            tracing::debug!(%error, "a candidate was refused");
        }
    }

    fn state(&mut self, state: RTCPeerConnectionState) {
        match state {
            RTCPeerConnectionState::Connected if !self.failed => {
                self.connect_by = None;
                self.connected = true;
                self.emit(PeerEvent::Connected);
                self.set_media_open(true);
                self.context.connected.send_replace(true);
            }
            RTCPeerConnectionState::Disconnected if !self.failed => {
                // What is sent now would be lost, and would hold up the others; `Connected` goes on with a keyframe.
                self.set_media_open(false);
                self.emit(PeerEvent::Interrupted);
            }
            RTCPeerConnectionState::Failed => self.fail("the connection failed"),
            _ => {}
        }
    }

    async fn send_pli(&self) {
        let Some(media_ssrc) = self.far_video.filter(|_| self.connected) else { return };
        let pli = PictureLossIndication { sender_ssrc: self.streams.video, media_ssrc };
        if let Err(error) = self.connection.video.write_rtcp(vec![Box::new(pli)]).await {
            tracing::debug!(%error, "a keyframe request was not sent");
        }
    }
}

/// What the webrtc crate calls, on its own task.
struct Handler {
    events: Events,
    states: mpsc::Sender<RTCPeerConnectionState>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        if let Some(candidate) = candidate::from_engine(&event.candidate) {
            (self.events)(PeerEvent::LocalCandidate(candidate));
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        if self.states.try_send(state).is_err() {
            tracing::debug!("a change of the state came after the end");
        }
    }
}
