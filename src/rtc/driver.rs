//! Drives one connection, on the peer task: descriptions and candidates in, interruptions and their end out.
//!
//! ```text
//!             ICE and DTLS are up          1.2 s of silence, an address is gone, a restart
//! Connecting --------------------> Up ----------------------------------------------------> Interrupted
//!                                   ^-----------------------------------------------------------'
//!                                     a datagram comes; after a restart, ICE is up again
//! ```
//!
//! Descriptions and candidates are applied in the order in which they come: `call` has judged that they are wanted, and
//! has put them in order.
//!
//! Silence is this side's own judgement, from when the gate last let a datagram in: the agent's is seconds late. While
//! it lasts no media is sent, and an empty receiver report (RFC 3550, 6.4.2) each 50 ms tells the far side as soon as
//! there is a path again. Where this computer has lost the address that media leave from, nobody waits for silence: the
//! connection is interrupted until the address is back, or a restart has found another path.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rtc::peer_connection::configuration::RTCOfferOptions;
use rtc::rtcp::Packet as RtcpPacket;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::receiver_report::ReceiverReport;
use tokio::sync::watch;
use tokio::time::Instant;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::peer_connection::{RTCPeerConnectionState, RTCSessionDescription};

use super::connection::EngineConnection;
use super::context::{Command, Commands, Context};
use super::deadline;
use super::event::PeerEvent;
use super::keyframe_inbox::KeyframeInbox;
use super::negotiation::candidate::{self, Reach};
use super::negotiation::description_sdp::{self, Sections};
use super::sending::{is_closed, unless_closed};
use super::streams::StreamTable;
use super::transport::link_local::LinkLocalSockets;
use crate::call::{Candidate, CandidateKind, Description, DescriptionKind, Role};
use crate::media::{MediaTime, StreamId};
use crate::network::{self, NetworkState};

/// From this side's offer, or from the far side's description, to a connection at most.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Without a datagram from the far side for this long the connection is interrupted: three keepalives are missing.
const SILENCE: Duration = Duration::from_millis(1200);
/// Between probes of an interrupted connection: the delay of noticing the end of a blackout.
const PROBE_INTERVAL: Duration = Duration::from_millis(50);

/// Inputs of the peer task, besides closing.
pub(super) struct Inputs {
    pub(super) commands: Commands,
    /// Keyframe requests that are due.
    pub(super) keyframe_requests: KeyframeInbox,
    pub(super) states: watch::Receiver<RTCPeerConnectionState>,
    pub(super) engine_task_ended: watch::Receiver<bool>,
}

/// Runs until the peer closes.
pub(super) async fn drive(mut driver: Driver, inputs: Inputs, closed: &mut watch::Receiver<bool>) {
    let Inputs { commands, mut keyframe_requests, mut states, mut engine_task_ended } = inputs;
    let Commands { waiting: mut commands, mut overflowed } = commands;
    let gate = Arc::clone(&driver.context.gate);
    let mut networks = driver.context.ways.networks.clone();
    if unless_closed(closed, driver.offer_if_offerer()).await.is_none() {
        return;
    }
    let mut next_probe = Instant::now();
    loop {
        tokio::select! {
            biased;
            () = is_closed(closed) => return,
            Ok(()) = states.changed() => {
                let state = *states.borrow_and_update();
                driver.state(state);
            }
            () = is_closed(&mut engine_task_ended), if !driver.failed => driver.fail("the engine stopped"),
            true = async { overflowed.wait_for(|overflowed| *overflowed).await.is_ok() }, if !driver.failed => {
                driver.fail("it takes no descriptions");
            }
            () = deadline::reached(driver.connect_by) => driver.fail("no connection in time"),
            () = gate.arrival(), if driver.awaits_datagram() => driver.heard(),
            state = networks.changed() => driver.networks_changed(&state),
            () = silence(|| gate.heard_at()), if driver.link == Connectivity::Up => driver.interrupt(),
            () = tokio::time::sleep_until(next_probe), if driver.awaits_datagram() => {
                next_probe = Instant::now() + PROBE_INTERVAL;
                if unless_closed(closed, driver.probe()).await.is_none() {
                    return;
                }
            }
            stream = keyframe_requests.next() => {
                if unless_closed(closed, driver.send_pli(stream)).await.is_none() {
                    return;
                }
            }
            Some(command) = commands.recv() => {
                if unless_closed(closed, driver.command(command)).await.is_none() {
                    return;
                }
            }
        }
    }
}

/// Waits until nothing has come for too long since `heard`. A datagram that came meanwhile is found when the wait is
/// over, and begins another one: no datagram wakes this task.
async fn silence(heard: impl Fn() -> MediaTime) {
    loop {
        let left = SILENCE.saturating_sub(MediaTime::now().since(heard()));
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left).await;
    }
}

/// State of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Connectivity {
    Connecting,
    Up,
    Interrupted { since: MediaTime, until: End },
}

impl Connectivity {
    /// End of the interruption that begins, or goes on, where this computer has the address that media leave from, or
    /// has it no more; `None` where nothing changes by it.
    fn interruption_by(self, has_address: bool) -> Option<End> {
        match (self, has_address) {
            (Self::Up | Self::Interrupted { until: End::Datagram, .. }, false) => Some(End::Address),
            (Self::Interrupted { until: End::Address, .. }, true) => Some(End::Datagram),
            (Self::Connecting | Self::Up | Self::Interrupted { .. }, _) => None,
        }
    }
}

/// End of an interruption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// A datagram comes.
    Datagram,
    /// This computer has the address back that media left from; then a datagram.
    Address,
    /// An ICE restart ends: only the agent knows when there is a path again.
    Restart,
}

/// State of the peer task while the connection lives.
pub(super) struct Driver {
    context: Context,
    connection: EngineConnection,
    /// This side's.
    streams: StreamTable,
    /// Those of the offer.
    sections: Sections,
    link_local: Arc<LinkLocalSockets>,
    /// The far side's first description: a restart changes its ICE credentials alone.
    far: Option<Description>,
    generation: u32,
    connect_by: Option<MediaTime>,
    link: Connectivity,
    failed: bool,
}

impl Driver {
    pub(super) fn new(
        context: Context,
        connection: EngineConnection,
        streams: StreamTable,
        link_local: Arc<LinkLocalSockets>,
    ) -> Self {
        Self {
            context,
            connection,
            streams,
            sections: Sections::new(),
            link_local,
            far: None,
            generation: 0,
            connect_by: None,
            link: Connectivity::Connecting,
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

    /// Lets media through to the far side, in the streams that it knows, or drops it.
    fn set_media_open(&self, open: bool) {
        let knows = |id| self.far.as_ref().is_some_and(|far| far.stream(id).is_some());
        for stream in &self.context.pictures {
            if let Some(media) = stream.media.upgrade() {
                media.set_open(open && knows(stream.id));
                // Sound travels with the camera's queues, and goes on where the far side knows no camera.
                media.set_sound_open(open);
            }
        }
    }

    async fn offer_if_offerer(&mut self) {
        if self.context.role == Role::Answerer {
            return;
        }
        self.connect_by = Some(MediaTime::now() + CONNECT_TIMEOUT);
        self.sections = self.streams.iter().map(|stream| (stream.id, stream.kind)).collect();
        if let Err(error) = self.add_tracks().await {
            tracing::debug!(error, "a connection could not be offered");
            return self.fail("its own description");
        }
        self.offer(None).await;
    }

    /// Gives the engine the tracks of this side's streams for which there is a media section.
    async fn add_tracks(&self) -> Result<(), String> {
        let streams = self.streams.in_sections(&self.sections);
        self.connection.add_tracks(&streams).await.map_err(|error| format!("the tracks: {error}"))
    }

    async fn offer(&mut self, options: Option<RTCOfferOptions>) {
        if let Err(detail) = self.describe(DescriptionKind::Offer, options).await {
            tracing::debug!(detail, "a connection could not be offered");
            self.fail("its own description");
        }
    }

    /// Makes this side's description, tells it, and starts gathering.
    async fn describe(&mut self, kind: DescriptionKind, options: Option<RTCOfferOptions>) -> Result<(), String> {
        let engine = &self.connection.engine;
        let own = match kind {
            DescriptionKind::Offer => engine.create_offer(options).await,
            DescriptionKind::Answer => engine.create_answer(None).await,
        }
        .map_err(|error| format!("describing this side: {error}"))?;
        let mut description =
            description_sdp::from_own_sdp((kind, self.generation), &own.sdp, self.streams.in_sections(&self.sections))
                .map_err(|error| format!("describing this side: {error}"))?;
        description.dtls_cookie = if self.generation == 0 { self.context.cookies.own() } else { None };
        self.context.generation.store(self.generation, std::sync::atomic::Ordering::Relaxed);
        self.context
            .gate
            .set_local_credentials(description.ice_ufrag.as_str(), description.ice_pwd.as_str())
            .map_err(|error| format!("guarding the sockets: {error}"))?;
        // Before gathering begins, so that it comes before any candidate.
        self.emit(PeerEvent::LocalDescription(description));
        engine.set_local_description(own).await.map_err(|error| format!("applying the own description: {error}"))
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::Restart { generation } => self.restart(generation).await,
            Command::RemoteDescription(description) => {
                if let Err(detail) = self.remote_description(&description).await {
                    // It may quote addresses and credentials.
                    tracing::debug!(detail, "a description could not be used");
                    self.fail("the far side's description");
                }
            }
            Command::RemoteCandidate(candidate) => self.remote_candidate(&candidate).await,
        }
    }

    /// Offers the next generation.
    async fn restart(&mut self, generation: u32) {
        if self.context.role == Role::Answerer || self.link == Connectivity::Connecting || generation <= self.generation
        {
            tracing::debug!("a restart that was not expected is ignored");
            return;
        }
        self.begin_generation(generation);
        self.offer(Some(RTCOfferOptions { ice_restart: true })).await;
    }

    fn begin_generation(&mut self, generation: u32) {
        tracing::info!(generation, "ICE restarts");
        self.generation = generation;
        self.interrupted(End::Restart);
    }

    async fn remote_description(&mut self, description: &Description) -> Result<(), String> {
        let unusable = |error: &dyn fmt::Display| format!("the far side's description: {error}");
        if self.far.is_none() && self.context.role == Role::Answerer {
            self.sections = description_sdp::sections_of(&description.streams);
            self.add_tracks().await?;
        }
        let sdp = description_sdp::to_sdp(description, &self.sections);
        let remote = match description.kind {
            DescriptionKind::Offer => RTCSessionDescription::offer(sdp),
            DescriptionKind::Answer => RTCSessionDescription::answer(sdp),
        }
        .map_err(|error| unusable(&error))?;
        let first = self.far.is_none();
        if first {
            self.far = Some(description.clone());
            description.dtls_cookie.iter().for_each(|cookie| self.context.cookies.set_far(cookie));
        } else if self.context.role == Role::Answerer {
            self.begin_generation(description.generation);
        }
        let (ufrag, password) = (description.ice_ufrag.as_str(), description.ice_pwd.as_str());
        self.context.gate.set_far_credentials(self.context.role, ufrag, password).map_err(|error| unusable(&error))?;
        self.context.gate.set_far_streams(description.ssrcs());
        self.context.far_streams.set(&description.streams);
        self.connection.engine.set_remote_description(remote).await.map_err(|error| unusable(&error))?;
        self.context.state.far.follow(description);
        if first {
            self.connect_by = Some(MediaTime::now() + CONNECT_TIMEOUT);
        }
        if self.context.role == Role::Answerer {
            self.describe(DescriptionKind::Answer, None).await?;
        }
        Ok(())
    }

    async fn remote_candidate(&mut self, candidate: &Candidate) {
        let Some(init) = candidate::to_engine(candidate, &self.reach()) else {
            tracing::debug!("an unusable candidate is ignored");
            return;
        };
        let address = SocketAddr::new(candidate.address, candidate.port);
        self.context.gate.note_far_candidate(address, candidate.kind == CandidateKind::Relay);
        if let Err(error) = self.connection.engine.add_ice_candidate(init).await {
            tracing::debug!(%error, "a candidate was refused");
        }
    }

    /// Addresses that may be reached now. This computer's own addresses are the far side's only where that is on this
    /// computer, which its signaling connection proves; without word of such a connection nothing speaks against it.
    fn reach(&self) -> Reach {
        let elsewhere = self.context.ways.addresses.path.as_ref().map(|path| {
            let own = network::local_addresses();
            let here = path().is_some_and(|path| path.stays_here(&own));
            if here { Vec::new() } else { own }
        });
        let own = elsewhere.unwrap_or_default();
        let relay_only = self.context.ways.servers.relay_only();
        Reach { loopback: self.connection.loopback, link_local: self.link_local.any(), own, relay_only }
    }

    fn state(&mut self, state: RTCPeerConnectionState) {
        if self.failed {
            return;
        }
        match (state, self.link) {
            (RTCPeerConnectionState::Connected, Connectivity::Connecting) => {
                self.connect_by = None;
                self.link = Connectivity::Up;
                self.emit(PeerEvent::Connected);
                self.set_media_open(true);
                self.context.connected.send_replace(true);
            }
            (RTCPeerConnectionState::Connected, Connectivity::Interrupted { .. }) => self.resume(),
            // ICE has restarted.
            (RTCPeerConnectionState::Connecting, Connectivity::Up | Connectivity::Interrupted { .. }) => {
                self.interrupted(End::Restart)
            }
            (RTCPeerConnectionState::Failed, _) => self.fail("the connection failed"),
            _ => {}
        }
    }

    /// Only a datagram is missing: no restart is under way, whose end the agent tells.
    fn awaits_datagram(&self) -> bool {
        !self.failed && matches!(self.link, Connectivity::Interrupted { until: End::Datagram, .. })
    }

    fn interrupt(&mut self) {
        self.interrupted(End::Datagram);
    }

    /// This computer's networks are others.
    fn networks_changed(&mut self, networks: &NetworkState) {
        // The relay may have an address of its own that is left; if not, silence tells.
        if self.context.gate.lose_direct_address(|own| networks.has(own)) {
            return;
        }
        let has_address = self.context.selected.local().is_none_or(|own| networks.has(own));
        if let Some(end) = self.link.interruption_by(has_address) {
            tracing::info!(has_address, "the address that media leave from is gone, or back");
            self.interrupted(end);
        }
    }

    fn interrupted(&mut self, until: End) {
        let since = match self.link {
            Connectivity::Interrupted { since, .. } => since,
            Connectivity::Connecting | Connectivity::Up => MediaTime::now(),
        };
        let news = self.link == Connectivity::Up && !self.failed;
        self.link = Connectivity::Interrupted { since, until };
        self.context.gate.await_arrival(until == End::Datagram);
        if until == End::Restart {
            self.context.selected.forget();
        }
        // What is sent now would be lost, and would hold up the others; it goes on with a keyframe.
        self.set_media_open(false);
        if news {
            self.context.interruptions.send_modify(|count| *count = count.wrapping_add(1));
            self.emit(PeerEvent::Interrupted);
        }
    }

    /// A datagram has come.
    fn heard(&mut self) {
        if let Connectivity::Interrupted { since, .. } = self.link
            && self.context.gate.heard_at() > since
        {
            self.resume();
        }
    }

    fn resume(&mut self) {
        if matches!(self.link, Connectivity::Interrupted { until: End::Restart, .. }) {
            self.context.state.path.changed();
        }
        self.link = Connectivity::Up;
        self.context.gate.await_arrival(false);
        self.context.gate.hear();
        self.emit(PeerEvent::Resumed);
        self.set_media_open(true);
    }

    async fn send_pli(&self, stream: StreamId) {
        if self.link != Connectivity::Up {
            return;
        }
        let Some(far) = self.far.as_ref().and_then(|far| far.stream(stream)) else { return };
        let (sender_ssrc, media_ssrc) = (self.streams.reporter(), far.ssrcs.media);
        self.send_rtcp(Box::new(PictureLossIndication { sender_ssrc, media_ssrc })).await;
    }

    async fn probe(&self) {
        self.send_rtcp(Box::new(ReceiverReport { ssrc: self.streams.reporter(), ..Default::default() })).await;
    }

    async fn send_rtcp(&self, packet: Box<dyn RtcpPacket>) {
        let Some(track) = self.connection.any_track() else { return };
        if let Err(error) = track.write_rtcp(vec![packet]).await {
            tracing::debug!(%error, "a report was not sent");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_gone_interrupts_at_once_and_one_that_is_back_waits_for_a_datagram() {
        let interrupted = |until| Connectivity::Interrupted { since: MediaTime::default(), until };
        for (link, gone, back) in [
            (Connectivity::Connecting, None, None),
            (Connectivity::Up, Some(End::Address), None),
            (interrupted(End::Datagram), Some(End::Address), None),
            (interrupted(End::Address), None, Some(End::Datagram)),
            (interrupted(End::Restart), None, None),
        ] {
            assert_eq!((link.interruption_by(false), link.interruption_by(true)), (gone, back), "{link:?}");
        }
    }
}
