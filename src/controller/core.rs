//! The controller itself: what it owns, and how the system's events are taken. The state chart's requests are carried
//! out in `effects`, a person's commands in `commands`, news of devices in `devices`, and deadlines in `deadlines`; the
//! window's view is made in `publish`.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::runtime::Runtime;

use crate::call::{CallError, CallMachine, CallState, ConversationId, DeviceKind, Input, Link, Participant, Standing};
use crate::identity::{ContactLink, Identity, PeerId};
use crate::media::{Latest, LevelMeter, MediaSet, MediaTime, StreamId, VideoFormat};
use crate::playout::Playout;
use crate::rtc::{Engine, PeerEvent};
use crate::signaling::SignalingClient;
use crate::store::{Settings, Store};
use crate::voice_processing::{Processing, ProcessingSwitches, VoiceProcessor};

use super::absence::Absences;
use super::echo::{EchoContact, engine_event};
use super::fan_out::FanOut;
use super::frame_trace::FrameTrace;
use super::lanes::PartSenders;
use super::local_media::LocalMedia;
use super::network_watch::NetworkWatch;
use super::notices::Notices;
use super::peer_lane::PeerLane;
use super::people::People;
use super::publisher::{PICTURE_SOON, Publication, Publisher, Repaint};
use super::remote::Remote;
use super::speaker_choice::SpeakerChoice;
use super::system_event::{Hint, SystemEvent};
use super::{Devices, Event, Gates, NoticeKind, Options, Outcome, StoreFault};

/// How long the window says that somebody speaks and is muted.
const SPOKE_MUTED_SHOWN: Duration = Duration::from_secs(5);

/// What calls back for each report.
pub(super) type EventSink = Box<dyn Fn(Event) + Send>;

/// Everything that the controller's thread owns.
pub(super) struct Core {
    pub(super) options: Options,
    pub(super) identity: Arc<Identity>,
    pub(super) store: Store,
    pub(super) settings: Settings,
    pub(super) people: People,
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
    pub(super) playout: Playout,
    pub(super) processing: Arc<ProcessingSwitches>,
    pub(super) engine: Engine,
    /// For calls to Echo: they never leave this computer, and work without a network.
    pub(super) loopback: Engine,
    pub(super) remotes: BTreeMap<PeerId, Remote>,
    pub(super) connections: u64,
    pub(super) fan_out: Arc<FanOut>,
    pub(super) gates: Arc<Gates>,
    pub(super) trace: Arc<FrameTrace>,
    pub(super) signaling: Option<SignalingClient>,
    pub(super) devices: Devices,
    /// A thread lists the devices; another look was asked for meanwhile.
    pub(super) listing: bool,
    pub(super) list_again: bool,
    /// A thread looks for a contact in a picture.
    pub(super) reading_image: bool,
    pub(super) speaker_fault: Option<super::DeviceFault>,
    pub(super) speaker: SpeakerChoice,
    /// Tells the reports of the speaker that is asked for from those of earlier ones.
    pub(super) speaker_generation: u64,
    pub(super) outcome: Option<Outcome>,
    pub(super) notices: Notices,
    pub(super) publisher: Publisher,
    /// Somebody else's pictures may be on screen.
    pub(super) in_call: Arc<AtomicBool>,
    pub(super) parts: PartSenders,
    pub(super) peers: PeerLane,
    events: EventSink,
    pub(super) next_statistics: Option<MediaTime>,
    /// Until when quitting waits, once it was asked for.
    pub(super) quit_by: Option<MediaTime>,
    /// What the state chart is still to be told; not empty only within `step`.
    inputs: VecDeque<Input>,
    stepping: bool,
    /// A thread of signaling's own: whatever strangers send, media never waits for it.
    pub(super) signaling_runtime: Runtime,
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
        (snapshot, on_change): Publication,
    ) -> anyhow::Result<Self> {
        let runtime = network_runtime("network", 2)?;
        let signaling_runtime = network_runtime("signaling", 1)?;
        let mut settings = store.settings()?;
        options.override_settings(&mut settings);
        let settings = settings.within_limits();
        let mut people = People::default();
        people.set_contacts(store.contacts()?, store.blocked()?);
        let engine = Engine::new(runtime.handle().clone(), options.bind).with_link(options.link.clone());
        let loopback = Engine::new(runtime.handle().clone(), Some(Ipv4Addr::LOCALHOST.into()));
        let fan_out = Arc::new(FanOut::new(Arc::clone(&gates)));
        let trace = Arc::new(FrameTrace::default());
        let in_call = Arc::new(AtomicBool::new(false));
        let preview = Arc::new(Latest::with_notice(own_picture_notice(&on_change, &in_call)));
        let sound_events = parts.system.clone();
        let playout = Playout::new(move |generation, event| {
            sound_events.send(SystemEvent::Sound { device: DeviceKind::Speaker, generation, event });
        });
        let processing = Arc::new(ProcessingSwitches::new(processing_of(&settings)));
        let new_processor = {
            let (processing, tap) = (Arc::clone(&processing), playout.echo_tap());
            Box::new(move || VoiceProcessor::new(Arc::clone(&processing), tap.connect()))
        };
        let repaint = Arc::clone(&on_change);
        let level = Arc::new(LevelMeter::with_notice(move || repaint(PICTURE_SOON)));
        let mut core = Self {
            machine: CallMachine::new(identity.id(), &settings.display_name),
            echo: EchoContact::new(identity.id(), loopback.clone(), parts.clone()),
            media: LocalMedia::new(preview, level, new_processor, Arc::clone(&fan_out), parts.clone()),
            captures: MediaSet::of_call(true, true),
            format: VideoFormat::of(settings.preset, Some(settings.max_fps), settings.max_kbps),
            limits: (None, None),
            meter_only: false,
            spoke_muted_until: None,
            playout,
            processing,
            remotes: BTreeMap::new(),
            connections: 0,
            signaling: None,
            devices: Devices::default(),
            listing: false,
            list_again: false,
            reading_image: false,
            speaker_fault: None,
            speaker: SpeakerChoice::default(),
            speaker_generation: 0,
            outcome: None,
            notices: Notices::default(),
            publisher: Publisher::new(snapshot, on_change),
            in_call,
            next_statistics: None,
            absences: Absences::default(),
            network_watch: NetworkWatch::default(),
            quit_by: None,
            inputs: VecDeque::new(),
            stepping: false,
            options,
            identity,
            store,
            settings,
            people,
            engine,
            loopback,
            fan_out,
            gates,
            trace,
            parts,
            peers,
            events,
            signaling_runtime,
            runtime,
        };
        core.set_speaker(core.settings.speaker.clone());
        core.note_faults_of_the_profile();
        core.publish_now();
        Ok(core)
    }

    /// On the controller's thread, before the first event.
    pub(super) fn begin(&mut self) {
        self.list_devices();
        self.report(Event::Ready {
            id: self.identity.id(),
            name: self.settings.display_name.clone(),
            link: self.link(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        });
        self.start_signaling();
        let contacts: Vec<Event> = self.people.contact_events().collect();
        contacts.into_iter().for_each(|event| self.report(event));
        if let Some(fault) = self.store.fault() {
            let error = CallError::BadArgument(fault.to_string());
            self.report(Event::Error { code: error.code(), message: error.to_string(), command: String::new() });
        }
        self.publish_now();
    }

    /// Notes the faults of the folder that the person should know of from the start.
    fn note_faults_of_the_profile(&mut self) {
        if self.options.profile.others_can_write() {
            self.notices.add(NoticeKind::Store(StoreFault::OthersCanWrite));
        }
        if let Some(fault) = self.store.fault() {
            self.notices.add(NoticeKind::Store(fault.into()));
        }
    }

    /// This person's `visavis:` link.
    pub(super) fn link(&self) -> String {
        ContactLink::new(self.identity.id(), &self.settings.display_name).to_string()
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
            self.fan_out.set_wishes(wishes);
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
            SystemEvent::Sound { generation, event, .. } => self.on_speaker(generation, event),
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
                self.reading_image = false;
                self.finish_command("add_contact_image", |core| core.add_contact_of_image(read));
            }
            SystemEvent::Speakers(names) => self.on_speakers(&names),
            SystemEvent::Devices(devices) => {
                self.devices = devices;
                self.listing = false;
                if self.list_again {
                    self.list_devices();
                }
            }
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
                    self.fan_out.request_keyframe(peer);
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
                self.fan_out.request_keyframe(peer);
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
        let Self { signaling, media, playout, remotes, runtime, signaling_runtime, publisher, .. } = self;
        if let Some(signaling) = signaling {
            signaling.close();
        }
        drop((media, remotes, playout));
        publisher.close();
        for runtime in [signaling_runtime, runtime] {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
    }
}

fn network_runtime(name: &str, threads: usize) -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).thread_name(name).enable_all().build()
}

/// One's own pictures ride on the drawing of the others' while there are any: two streams out of phase would be drawn
/// sixty times a second.
fn own_picture_notice(repaint: &Repaint, in_call: &Arc<AtomicBool>) -> impl Fn() + Send + Sync + 'static {
    const RIDE: Duration = Duration::from_millis(40);
    let (repaint, in_call) = (Arc::clone(repaint), Arc::clone(in_call));
    move || repaint(if in_call.load(Ordering::Relaxed) { RIDE } else { PICTURE_SOON })
}

/// What is to be done to the microphone's sound, by the settings.
pub(super) const fn processing_of(settings: &Settings) -> Processing {
    Processing {
        echo_cancellation: settings.echo_cancellation,
        noise_suppression: settings.noise_suppression,
        automatic_gain: settings.automatic_gain,
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
