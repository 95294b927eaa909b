//! The controller itself: what it owns, and how the system's events are taken. The state chart's requests are carried
//! out in `effects`, a person's commands in `commands`, news of devices in `devices`, and deadlines in `deadlines`; the
//! window's view is made in `publish`.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::runtime::{Builder, Runtime};

use crate::call::{CallError, CallMachine, CallState, ConversationId, Input, Link, Participant, Standing};
use crate::device::DeviceKind;
use crate::identity::{Identity, PeerId};
use crate::media::{Latest, LevelMeter, MediaSet, MediaTime, StreamId, VideoFormat};
use crate::media_send::MediaSend;
use crate::rtc::{Engine, PeerEvent};
use crate::store::Store;
use crate::voice_processing::{ProcessingSwitches, VoiceProcessor};

use super::absence::Absences;
use super::device_list::DeviceList;
use super::directory::Directory;
use super::echo::{EchoContact, engine_event};
use super::frame_trace::FrameTrace;
use super::lanes::PartSenders;
use super::local_media::LocalMedia;
use super::network_watch::NetworkWatch;
use super::peer_lane::PeerLane;
use super::preferences::Preferences;
use super::publisher::{Publication, Publisher};
use super::remote::Remote;
use super::signaling::Signaling;
use super::speaker::Speaker;
use super::system_event::{Hint, SystemEvent};
use super::{Event, Gates, NoticeKind, Options, Outcome, StoreFault};

/// How long the window says that somebody speaks and is muted.
const SPOKE_MUTED_SHOWN: Duration = Duration::from_secs(5);

/// What calls back for each report.
pub(super) type EventSink = Box<dyn Fn(Event) + Send>;

/// Everything that the controller's thread owns.
pub(super) struct Core {
    pub(super) preferences: Preferences,
    pub(super) store: Store,
    pub(super) directory: Directory,
    pub(super) signaling: Signaling,
    pub(super) absences: Absences,
    pub(super) network_watch: NetworkWatch,
    pub(super) machine: CallMachine,
    pub(super) echo: EchoContact,
    pub(super) media: LocalMedia,
    /// Sound and pictures that the devices give, as the state chart was told.
    pub(super) captures: MediaSet,
    /// What video is captured at: of the latest press that named one.
    pub(super) format: VideoFormat,
    /// Frames a second and kbit/s at most, as the latest `create_stream` asked; they hold for the calls after it.
    pub(super) limits: (Option<u32>, Option<u32>),
    /// The microphone is open for the settings' level meter alone.
    pub(super) meter_only: bool,
    /// Until when the window says that somebody speaks here and is muted.
    pub(super) spoke_muted_until: Option<MediaTime>,
    pub(super) processing: Arc<ProcessingSwitches>,
    pub(super) engine: Engine,
    /// For calls to Echo: they never leave this computer, and work without a network.
    pub(super) loopback: Engine,
    pub(super) remotes: BTreeMap<PeerId, Remote>,
    pub(super) connections: u64,
    pub(super) sending: MediaSend,
    pub(super) gates: Arc<Gates>,
    pub(super) trace: Arc<FrameTrace>,
    pub(super) devices: DeviceList,
    pub(super) speaker: Speaker,
    pub(super) outcome: Option<Outcome>,
    pub(super) publisher: Publisher,
    pub(super) parts: PartSenders,
    events: EventSink,
    pub(super) next_statistics: Option<MediaTime>,
    /// Until when quitting waits, once it was asked for.
    pub(super) quit_by: Option<MediaTime>,
    /// What the state chart is still to be told; not empty only within `step`.
    inputs: VecDeque<Input>,
    stepping: bool,
    /// Ends last, after everything that runs on it.
    pub(super) runtime: Runtime,
}

impl Core {
    pub(super) fn new(
        options: Options,
        identity: Arc<Identity>,
        store: Store,
        gates: Arc<Gates>,
        (parts, peers): (PartSenders, PeerLane),
        events: EventSink,
        publication: Publication,
    ) -> anyhow::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("network").enable_all().build()?;
        let preferences = Preferences::new(options, &store)?;
        let options = preferences.options();
        let directory = Directory::new(identity, &store, parts.system.clone())?;
        let me = directory.me();
        let engine = Engine::new(runtime.handle().clone(), options.bind).with_link(options.link.clone());
        let loopback = Engine::new(runtime.handle().clone(), Some(Ipv4Addr::LOCALHOST.into()));
        let sending = MediaSend::new(Arc::clone(&gates));
        let trace = Arc::new(FrameTrace::default());
        let publisher = Publisher::new(publication);
        let preview = Arc::new(Latest::with_notice(publisher.own_picture_notice()));
        let speaker = Speaker::new(preferences.settings().speaker.clone(), parts.system.clone());
        let processing = Arc::new(ProcessingSwitches::new(preferences.processing()));
        let new_processor = {
            let (processing, tap) = (Arc::clone(&processing), speaker.echo_tap());
            Box::new(move || VoiceProcessor::new(Arc::clone(&processing), tap.connect()))
        };
        let level = Arc::new(LevelMeter::with_notice(publisher.picture_notice()));
        let mut core = Self {
            machine: CallMachine::new(me, &preferences.settings().display_name),
            echo: EchoContact::new(me, loopback.clone(), parts.clone()),
            media: LocalMedia::new(preview, level, new_processor, sending.clone(), parts.clone()),
            captures: MediaSet::of_call(true, true),
            format: preferences.video_format(),
            limits: (None, None),
            meter_only: false,
            spoke_muted_until: None,
            processing,
            remotes: BTreeMap::new(),
            connections: 0,
            signaling: Signaling::new(peers)?,
            devices: DeviceList::new(parts.system.clone()),
            speaker,
            outcome: None,
            publisher,
            next_statistics: None,
            absences: Absences::default(),
            network_watch: NetworkWatch::default(),
            quit_by: None,
            inputs: VecDeque::new(),
            stepping: false,
            preferences,
            store,
            directory,
            engine,
            loopback,
            sending,
            gates,
            trace,
            parts,
            events,
            runtime,
        };
        core.note_faults_of_the_profile();
        core.publish_now();
        Ok(core)
    }

    /// On the controller's thread, before the first event.
    pub(super) fn begin(&mut self) {
        self.devices.refresh();
        self.report(Event::Ready {
            id: self.directory.me(),
            name: self.preferences.settings().display_name.clone(),
            link: self.link(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        });
        self.start_signaling();
        self.directory.contact_events().into_iter().for_each(|event| self.report(event));
        if let Some(fault) = self.store.fault() {
            let error = CallError::BadArgument(fault.to_string());
            self.report(Event::Error { code: error.code(), message: error.to_string(), command: String::new() });
        }
        self.publish_now();
    }

    /// Notes the faults of the folder that the person should know of from the start.
    fn note_faults_of_the_profile(&mut self) {
        if self.preferences.options().profile.others_can_write() {
            self.publisher.notices().add(NoticeKind::Store(StoreFault::OthersCanWrite));
        }
        if let Some(fault) = self.store.fault() {
            self.publisher.notices().add(NoticeKind::Store(fault.into()));
        }
    }

    /// This person's `visavis:` link.
    pub(super) fn link(&self) -> String {
        self.directory.own_link(&self.preferences.settings().display_name)
    }

    /// Tells the faces.
    pub(super) fn report(&self, event: Event) {
        (self.events)(event);
    }

    /// Moves the state chart and does what it asks for. What follows from an effect waits until the effects before it
    /// are done, so that each input finds the world as the chart believes it to be.
    pub(super) fn step(&mut self, input: Input) {
        self.inputs.push_back(input);
        if std::mem::replace(&mut self.stepping, true) {
            return;
        }
        let mut effects = Vec::new();
        while let Some(input) = self.inputs.pop_front() {
            self.machine.step(MediaTime::now(), input, &mut effects);
            self.gates.follow(self.sends());
            self.follow_wishes();
            for effect in effects.drain(..) {
                self.carry_out(effect);
            }
        }
        self.stepping = false;
        if !self.gates.is_muted() {
            self.spoke_muted_until = None;
        }
        self.watch_network();
        self.publisher.mark();
    }

    /// Watches this computer's addresses for as long as somebody in the call is not heard.
    fn watch_network(&mut self) {
        let CallState::Conversation(conversation) = self.machine.state() else {
            return self.network_watch.end();
        };
        let interrupted = |(_, participant): (_, &Participant)| matches!(participant.link(), Link::Interrupted { .. });
        let interrupted = conversation.participants().any(interrupted);
        self.network_watch.follow(interrupted, MediaTime::now(), || self.engine.addresses());
    }

    /// This side's streams, on where it means to send; `None` outside a call.
    pub(super) fn sends(&self) -> Option<MediaSet> {
        match self.machine.state() {
            CallState::Idle | CallState::Incoming(_) => None,
            CallState::Outgoing(outgoing) => Some(outgoing.sends()),
            CallState::Conversation(conversation) => Some(conversation.sends()),
        }
    }

    /// Tells the fan-out how many lines of this side's picture are of use to each of the others.
    fn follow_wishes(&self) {
        if let CallState::Conversation(conversation) = self.machine.state() {
            let wishes = conversation.participants().map(|(id, one)| (id, one.wish(StreamId::CAMERA)));
            self.sending.fan_out().set_wishes(wishes);
        }
    }

    pub(super) fn on_system(&mut self, event: SystemEvent) {
        match event {
            SystemEvent::Camera { generation, event } => {
                if let Some(fault) = self.media.on_camera(generation, event) {
                    self.device_event(fault);
                }
                self.report_local_stream();
            }
            SystemEvent::Sound { device: DeviceKind::Microphone, generation, event } => {
                if let Some(fault) = self.media.on_microphone(generation, event) {
                    self.device_event(fault);
                }
                self.report_local_stream();
            }
            SystemEvent::Sound { generation, event, .. } => {
                if let Some(event) = self.speaker.on_event(MediaTime::now(), generation, event) {
                    self.device_event(event);
                }
            }
            SystemEvent::Engine { peer, connection, conversation, event } => {
                self.on_engine(peer, connection, conversation, event);
            }
            SystemEvent::EchoEngine { connection, conversation, event } => {
                self.echo.on_engine(MediaTime::now(), connection, conversation, event);
                self.hear_echo();
            }
            SystemEvent::DevicesClosed => {
                if let Some(released) = self.media.on_closed() {
                    self.on_released(released);
                    self.report_local_stream();
                }
            }
            SystemEvent::ContactImage(read) => {
                self.directory.on_picture_read();
                self.finish_command("add_contact_image", |core| core.add_contact_of_image(read));
            }
            SystemEvent::Speakers(names) => self.speaker.on_plugged_in(&names),
            SystemEvent::Devices(devices) => self.devices.on_listed(devices),
        }
        self.publisher.mark();
    }

    pub(super) fn on_hint(&mut self, hint: Hint) {
        match hint {
            Hint::SpokeMuted if self.gates.is_muted() => {
                self.spoke_muted_until = Some(MediaTime::now() + SPOKE_MUTED_SHOWN);
                self.report(Event::SpeakingMuted {});
            }
            Hint::SpokeMuted => {}
            Hint::Keyframe { peer, connection } => {
                let remote = self.remotes.get(&peer).filter(|remote| remote.connection == connection);
                if let Some(remote) = remote.filter(|remote| !remote.closing) {
                    remote.keyframe_asked.store(false, Ordering::Release);
                    self.sending.fan_out().request_keyframe(peer);
                }
            }
            Hint::EchoKeyframe { connection } => self.echo.on_keyframe_requested(connection),
        }
        self.publisher.mark();
    }

    /// Hears what Echo has said.
    pub(super) fn hear_echo(&mut self) {
        while let Some(message) = self.echo.take_said() {
            self.step(Input::Peer { from: super::echo_id(), standing: Standing::Contact, message });
        }
    }

    fn on_engine(&mut self, peer: PeerId, connection: u64, conversation: ConversationId, event: PeerEvent) {
        let remote = self.remotes.get(&peer).filter(|remote| remote.connection == connection);
        match (&event, remote) {
            (PeerEvent::Closed, Some(_)) => {
                self.remotes.remove(&peer);
                self.update_fan_out();
            }
            // Of a connection whose place another call with the same person has taken: the chart waits for it.
            (PeerEvent::Closed, None) => {}
            (_, None) => return,
            (_, Some(remote)) if remote.closing => return,
            (PeerEvent::Connected | PeerEvent::Resumed, Some(remote)) => {
                remote.keyframe_asked.store(false, Ordering::Release);
                self.sending.fan_out().request_keyframe(peer);
            }
            (&PeerEvent::FirstFrame { width, height }, Some(_)) => {
                self.report(Event::FirstFrame { conversation, participant: peer, width, height });
            }
            _ => {}
        }
        let Some(event) = engine_event(event) else { return };
        self.step(Input::Engine { conversation, peer, event });
    }

    /// Closes what is left: signaling says goodbye, devices close, the runtime stops.
    pub(super) fn end(self) {
        let Self { mut signaling, media, speaker, remotes, runtime, publisher, .. } = self;
        signaling.say_goodbye();
        drop((media, remotes, speaker));
        publisher.close();
        signaling.end();
        runtime.shutdown_timeout(Duration::from_secs(1));
    }
}

/// Seconds since 1970 of a moment of media time in the past.
pub(super) fn unix_seconds(at: MediaTime) -> i64 {
    let ago = MediaTime::now().since(at);
    let then = SystemTime::now().checked_sub(ago).unwrap_or(UNIX_EPOCH);
    then.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

#[cfg(test)]
#[path = "core_tests.rs"]
mod tests;
