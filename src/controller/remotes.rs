//! Remote participants of this side's calls: a connection, a tile for each stream of pictures, a voice, and the
//! statistics of them.

mod picture;
mod remote;
mod statistics;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::call::{CallError, Candidate, Consent, ConversationId, Description, Message, Participant, Role};
use crate::identity::PeerId;
use crate::media::{Latest, LevelMeter, MediaTime, PICTURE_STREAMS, StreamId, StreamKind, StreamState, Volume};
use crate::media_receive::{PictureMeter, PictureReceiver, SharedAvSync};
use crate::media_send::FanOut;
use crate::network::PathFinder;
use crate::rtc::{Engine, IceServers, Peer, PeerEvent, PeerSinks, PictureStreamSink};

use super::engine_lane::{EngineLane, KeyframesAsked};
use super::frame_trace::{FrameTrace, traced_slot};
use super::lanes::PartSenders;
use super::people::echo_id;
use super::speaker::Speaker;
use super::system_event::{Hint, SystemEvent};
use super::{Event, ParticipantView};
use picture::RemotePicture;
use remote::Remote;

pub(super) use statistics::{Encoding, Encodings};

/// Period of the reports of statistics while something runs.
const STATISTICS_EVERY: Duration = Duration::from_secs(2);
/// The same while a measurement traces frames.
const STATISTICS_EVERY_WHILE_TRACING: Duration = Duration::from_millis(500);
/// Period of the samples of a call's history.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// The participants by their IDs.
pub(super) struct Remotes {
    remotes: BTreeMap<PeerId, Remote>,
    /// Connections so far.
    connections: u64,
    engine: Engine,
    /// For calls to Echo: they never leave this computer, and work without a network.
    loopback: Engine,
    trace: Arc<FrameTrace>,
    next_statistics: Option<MediaTime>,
    parts: PartSenders,
}

/// Way of the media to a person.
pub(super) struct Way {
    /// The path that carries signaling to them, if there is one.
    pub(super) path: Option<PathFinder>,
    /// Servers of the media.
    pub(super) servers: IceServers,
}

/// A person to be connected.
#[derive(Clone, Copy)]
pub(super) struct Newcomer {
    pub(super) id: PeerId,
    pub(super) conversation: ConversationId,
    pub(super) role: Role,
}

/// Meaning of an engine's event to this side, besides its meaning to the state chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It is late: of a connection that is no more, or is being closed.
    Late,
    /// It is for the state chart alone.
    Chart,
    /// Media flows: the next picture must be one that decoding can start at.
    Flows,
    /// The connection is closed.
    Closed,
}

impl Remotes {
    /// Nobody yet; connections are made by `engine`, those to Echo by `loopback`.
    pub(super) fn new(engine: Engine, loopback: Engine, parts: PartSenders) -> Self {
        Self {
            remotes: BTreeMap::new(),
            connections: 0,
            engine,
            loopback,
            trace: Arc::default(),
            next_statistics: None,
            parts,
        }
    }

    /// This computer's addresses, as connections use them.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        self.engine.addresses()
    }

    /// True when no connection is open or being closed.
    pub(super) fn is_empty(&self) -> bool {
        self.remotes.is_empty()
    }

    /// The connections that are sent to.
    pub(super) fn peers(&self) -> Vec<(PeerId, Peer)> {
        let open = self.remotes.iter().filter(|(_, remote)| !remote.is_closing());
        open.map(|(&id, remote)| (id, remote.peer().clone())).collect()
    }

    /// Connects somebody by a way. Their voice goes to `speaker`; `notice` is called for each new picture or level.
    /// Sound is kept with the camera's pictures.
    pub(super) fn connect(
        &mut self,
        consent: &Consent,
        newcomer: Newcomer,
        way: Way,
        speaker: &Speaker,
        notice: impl Fn() + Clone + Send + Sync + 'static,
    ) {
        let Newcomer { id, conversation, role } = newcomer;
        self.connections += 1;
        let connection = self.connections;
        let level = Arc::new(LevelMeter::with_notice(notice.clone()));
        let av_sync = SharedAvSync::default();
        let (input, audio) = speaker.add_participant(Arc::clone(&level), av_sync.clone());
        let (mut pictures, mut picture_sinks) = (Vec::new(), Vec::new());
        for (stream, kind) in PICTURE_STREAMS {
            let (slot, av_sync) = match kind {
                StreamKind::Camera => (traced_slot(&self.trace, notice.clone()), Some(av_sync.clone())),
                StreamKind::Audio | StreamKind::Screen => (Arc::new(Latest::with_notice(notice.clone())), None),
            };
            let parts = self.parts.clone();
            let first = move |width, height| {
                let peer = id;
                let first = SystemEvent::FirstPicture { peer, connection, conversation, stream, kind, width, height };
                parts.system.send(first);
            };
            let meter = PictureMeter::default();
            let sink = PictureReceiver::new(Arc::clone(&slot), meter.clone(), av_sync, first);
            picture_sinks.push(PictureStreamSink { id: stream, kind, sink: Box::new(sink) });
            pictures.push(RemotePicture::new((stream, kind), slot, meter));
        }
        let sinks = PeerSinks { pictures: picture_sinks, audio: Box::new(input) };
        let keyframes_asked = Arc::new(KeyframesAsked::default());
        let keyframe = move |stream| Hint::Keyframe { peer: id, connection, stream };
        let system = EngineLane::new(self.parts.clone(), Arc::clone(&keyframes_asked), keyframe);
        let engine = match way.path {
            _ if id == echo_id() => self.loopback.clone(),
            Some(path) => self.engine.along(path).with_servers(way.servers),
            None => self.engine.with_servers(way.servers),
        };
        let peer = engine.connect(consent, role, sinks, move |event| {
            system.send(event, |event| SystemEvent::Engine { peer: id, connection, conversation, event });
        });
        let remote = Remote::new((connection, conversation), peer, pictures, (level, audio), keyframes_asked);
        self.remotes.insert(id, remote);
    }

    /// The far side's description.
    pub(super) fn apply_description(&self, id: PeerId, description: Description) {
        if let Some(remote) = self.remotes.get(&id) {
            remote.peer().set_remote_description(description);
        }
    }

    /// A candidate of the far side.
    pub(super) fn apply_candidate(&self, id: PeerId, candidate: Candidate) {
        if let Some(remote) = self.remotes.get(&id) {
            remote.peer().add_remote_candidate(candidate);
        }
    }

    /// Restarts ICE for a connection (RFC 8445, 9).
    pub(super) fn restart_ice(&self, id: PeerId, generation: u32) {
        if let Some(remote) = self.remotes.get(&id) {
            remote.peer().restart_ice(generation);
        }
    }

    /// Closes the connection with somebody; false when there is none in this conversation.
    pub(super) fn close(&mut self, conversation: ConversationId, id: PeerId) -> bool {
        let remote = self.remotes.get_mut(&id).filter(|remote| remote.conversation() == conversation);
        remote.map(Remote::close).is_some()
    }

    /// One of somebody's streams went on or off.
    pub(super) fn on_stream_changed(&mut self, id: PeerId, stream: StreamState) {
        if let Some(remote) = self.remotes.get_mut(&id) {
            remote.on_stream_changed(stream);
        }
    }

    /// Takes an event of the engine about the connection of this number.
    pub(super) fn on_engine(&mut self, id: PeerId, connection: u64, event: &PeerEvent) -> Heard {
        let remote = self.remotes.get(&id).filter(|remote| remote.connection() == connection);
        match (event, remote) {
            (PeerEvent::Closed, Some(_)) => {
                self.remotes.remove(&id);
                Heard::Closed
            }
            // Another call with the same person has taken its connection's place: the chart waits for this one's end.
            (PeerEvent::Closed, None) => Heard::Chart,
            (_, None) => Heard::Late,
            (_, Some(remote)) if remote.is_closing() => Heard::Late,
            (PeerEvent::Connected | PeerEvent::Resumed, Some(remote)) => {
                remote.take_keyframe_requests();
                Heard::Flows
            }
            _ => Heard::Chart,
        }
    }

    /// True when the connection of this number is open, and not being closed.
    pub(super) fn is_open(&self, id: PeerId, connection: u64) -> bool {
        self.open(id, connection).is_some()
    }

    /// Takes the request of a connection for a keyframe of a stream; false when it is late.
    pub(super) fn take_keyframe_request(&self, id: PeerId, connection: u64, stream: StreamId) -> bool {
        self.open(id, connection).map(|remote| remote.take_keyframe_request(stream)).is_some()
    }

    fn open(&self, id: PeerId, connection: u64) -> Option<&Remote> {
        self.remotes.get(&id).filter(|remote| remote.connection() == connection && !remote.is_closing())
    }

    /// Silences somebody here, or lets them be heard again.
    pub(super) fn set_muted_here(&mut self, id: PeerId, muted: bool) -> Result<(), CallError> {
        self.member(id)?.set_muted_here(muted);
        Ok(())
    }

    /// Sets how loud somebody in the call is heard here; false when they are not in it.
    pub(super) fn set_volume(&mut self, id: PeerId, volume: Volume) -> bool {
        self.remotes.get_mut(&id).map(|remote| remote.set_volume(volume)).is_some()
    }

    /// Hides somebody's pictures here, or shows them again.
    pub(super) fn set_hidden_here(&mut self, id: PeerId, hidden: bool) -> Result<(), CallError> {
        self.member(id)?.set_hidden_here(hidden);
        Ok(())
    }

    /// Notes how many lines of one of somebody's pictures are of use here.
    pub(super) fn set_wish(&mut self, id: PeerId, stream: StreamId, lines: u32) -> Result<(), CallError> {
        self.member(id)?.picture(stream)?.set_wish(lines);
        Ok(())
    }

    /// Writes the picture of one of somebody's tiles into a new file.
    pub(super) fn save_picture(&mut self, id: PeerId, stream: StreamId, path: &Path) -> Result<(), CallError> {
        self.member(id)?.save_picture(stream, path)
    }

    fn member(&mut self, id: PeerId) -> Result<&mut Remote, CallError> {
        let not_here = || CallError::BadArgument("This person is not in the call.".to_owned());
        self.remotes.get_mut(&id).ok_or_else(not_here)
    }

    /// Messages that tell people in the conversation how many lines of their pictures are of use here, for those who
    /// have not heard it yet.
    pub(super) fn take_pending_wishes(&mut self, conversation: ConversationId) -> Vec<(PeerId, Message)> {
        let members = self.remotes.iter_mut().filter(|(_, remote)| remote.conversation() == conversation);
        let message = |(stream, max_height)| Message::Wish { conversation, stream, max_height };
        members.flat_map(|(&id, remote)| remote.take_pending_wishes().map(move |wish| (id, message(wish)))).collect()
    }

    /// A wish that did not arrive is told again with the next statistics.
    pub(super) fn on_undelivered(&mut self, to: PeerId, message: &Message) {
        if let (Message::Wish { stream, .. }, Some(remote)) = (message, self.remotes.get_mut(&to))
            && let Ok(picture) = remote.picture(*stream)
        {
            picture.resend_wish();
        }
    }

    /// A participant as the window shows them.
    pub(super) fn view(&self, id: PeerId, name: String, participant: &Participant) -> Option<ParticipantView> {
        Some(self.remotes.get(&id)?.view(id, name, participant))
    }

    /// Begins to note the pictures that are shown; the first statistics come at once, not when the slower ones would.
    pub(super) fn start_trace(&mut self, now: MediaTime) {
        self.trace.start();
        let soon = now + self.reported_every();
        self.next_statistics = self.next_statistics.map(|due| due.min(soon));
    }

    /// Ends the notes; the event that reports them.
    pub(super) fn stop_trace(&self) -> Event {
        self.trace.stop()
    }

    /// Statistics run while a stream or a call does.
    pub(super) fn schedule_statistics(&mut self, now: MediaTime) {
        let every = self.reported_every();
        self.next_statistics.get_or_insert(now + every);
    }

    /// When statistics are due.
    pub(super) const fn statistics_due(&self) -> Option<MediaTime> {
        self.next_statistics
    }

    /// Takes the statistics of the `connected` conversation, and makes them due again while `captures` or connections
    /// are open; the events that report them.
    pub(super) fn take_statistics(
        &mut self,
        now: MediaTime,
        connected: Option<ConversationId>,
        encodings: &Encodings,
        fan_out: &FanOut,
        captures: bool,
    ) -> Vec<Event> {
        let reported_every = self.reported_every();
        let members = self.remotes.iter_mut().filter(|(_, remote)| Some(remote.conversation()) == connected);
        let reports = members
            .flat_map(|(&id, remote)| {
                let encodings = encodings.for_participant(fan_out, id);
                remote.sample_if_due(now, SAMPLE_EVERY, &encodings);
                remote.measure_if_due(now, reported_every, id, &encodings)
            })
            .collect();
        let every = if connected.is_some() { SAMPLE_EVERY.min(reported_every) } else { reported_every };
        self.next_statistics = (captures || !self.is_empty()).then(|| now + every);
        reports
    }

    fn reported_every(&self) -> Duration {
        if self.trace.is_on() { STATISTICS_EVERY_WHILE_TRACING } else { STATISTICS_EVERY }
    }
}
