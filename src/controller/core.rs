//! The core of the controller: it owns the owners, and routes between them. Requests of the state chart are carried out
//! in `effects`, a person's commands in `commands`, events of the network in `network`, deadlines in `deadlines`; the
//! window's view is made in `publish`.

mod commands;
mod deadlines;
mod devices;
mod effects;
mod invitations;
mod missed_calls;
mod network;
mod pictures;
mod publish;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::call::{CallError, ConversationId, Input, Standing};
use crate::device::DeviceKind;
use crate::identity::{Identity, PeerId};
use crate::media::{Latest, LevelMeter, MediaTime, StreamState};
use crate::media_send::MediaSend;
use crate::rtc::{Engine, PeerEvent};
use crate::store::Store;
use crate::voice_processing::VoiceProcessor;

use super::calls::Calls;
use super::capture_set::CaptureSet;
use super::device_list::DeviceList;
use super::directory::Directory;
use super::echo::{EchoContact, engine_event};
use super::lanes::PartSenders;
use super::network_runtime::NetworkRuntime;
use super::peer_lane::PeerLane;
use super::preferences::Preferences;
use super::publisher::{Publication, Publisher};
use super::remotes::{Encoding, Encodings, Heard, Remotes};
use super::ringer::Ringer;
use super::signaling::Signaling;
use super::speaker::Speaker;
use super::system_event::{Hint, SystemEvent};
use super::{Event, Gates, NoticeKind, Options, StoreFault};

/// Everything that the controller's thread owns.
pub(super) struct Core {
    preferences: Preferences,
    store: Store,
    directory: Directory,
    signaling: Signaling,
    calls: Calls,
    echo: EchoContact,
    captures: CaptureSet,
    remotes: Remotes,
    sending: MediaSend,
    devices: DeviceList,
    speaker: Speaker,
    ringer: Ringer,
    publisher: Publisher,
    /// Until when quitting waits, once it was asked for.
    quit_by: Option<MediaTime>,
    /// Ends last, after everything that runs on it.
    network: NetworkRuntime,
}

impl Core {
    pub(super) fn new(
        options: Options,
        identity: Arc<Identity>,
        store: Store,
        gates: Arc<Gates>,
        (parts, peers): (PartSenders, PeerLane),
        publication: Publication,
    ) -> anyhow::Result<Self> {
        let network = NetworkRuntime::start(parts.system.clone())?;
        let preferences = Preferences::new(options, &store)?;
        let options = preferences.options();
        let directory = Directory::new(identity, &store, parts.system.clone())?;
        let me = directory.me();
        let engine = Engine::new(network.handle(), options.bind).with_link(options.link.clone());
        let engine = engine.with_networks(network.monitor());
        let loopback = Engine::new(network.handle(), Some(Ipv4Addr::LOCALHOST.into()));
        let sending = MediaSend::new(gates);
        let publisher = Publisher::new(publication);
        let preview = Arc::new(Latest::with_notice(publisher.own_picture_notice()));
        let speaker = Speaker::new(preferences.settings().speaker.clone(), parts.system.clone());
        let new_processor = {
            let (processing, tap) = (Arc::clone(preferences.processing()), speaker.echo_tap());
            Box::new(move || VoiceProcessor::new(Arc::clone(&processing), tap.connect()))
        };
        let level = Arc::new(LevelMeter::with_notice(publisher.picture_notice()));
        let mut core = Self {
            calls: Calls::new(me, &preferences.settings().display_name),
            echo: EchoContact::new(me, loopback.clone(), parts.clone()),
            captures: CaptureSet::new(
                (preview, level),
                preferences.video_format(),
                new_processor,
                sending.clone(),
                parts.clone(),
            ),
            signaling: Signaling::new(peers)?,
            devices: DeviceList::new(parts.system.clone()),
            speaker,
            ringer: Ringer::new(parts.system.clone()),
            publisher,
            remotes: Remotes::new(engine, loopback, parts),
            quit_by: None,
            preferences,
            store,
            directory,
            sending,
            network,
        };
        core.note_faults_of_the_profile();
        core.follow_ring_settings();
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
        self.follow_do_not_disturb();
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
    fn link(&self) -> String {
        let settings = self.preferences.settings();
        self.directory.own_link(&settings.display_name, settings.servers.first()).to_string()
    }

    /// Lets nothing ring, or again, as the settings and the time of day say.
    fn follow_do_not_disturb(&mut self) {
        if let Some(on) = self.preferences.follow_do_not_disturb(MediaTime::now()) {
            self.step(Input::DoNotDisturb { on });
            self.report(Event::DoNotDisturb { on });
        }
    }

    fn follow_ring_settings(&mut self) {
        let settings = self.preferences.settings();
        self.ringer.follow(settings.ring_speaker.as_ref(), settings.ring_volume, &self.speaker);
    }

    /// Tells the faces.
    fn report(&self, event: Event) {
        self.publisher.report(event);
    }

    /// Steps the state chart and carries its effects out.
    fn step(&mut self, input: Input) {
        if !self.calls.enqueue(input) {
            return;
        }
        while let Some(effects) = self.calls.advance(MediaTime::now()) {
            self.sending.gates().follow(self.calls.sends());
            self.sending.fan_out().set_wishes(self.calls.wishes());
            effects.into_iter().for_each(|effect| self.carry_out(effect));
        }
        if !self.sending.gates().is_muted() {
            self.captures.end_spoke_muted();
        }
        self.calls.watch_network(|| self.remotes.addresses());
        self.publisher.mark();
    }

    /// Where the addresses that connections use are others, and somebody is not heard, tells the state chart.
    fn look_at_networks(&mut self) {
        if self.calls.addresses_changed(|| self.remotes.addresses()) {
            self.step(Input::NetworkChanged);
        }
    }

    pub(super) fn on_system(&mut self, event: SystemEvent) {
        match event {
            SystemEvent::PictureSource { stream, generation, event } => {
                if let Some(fault) = self.captures.on_picture_source(stream, generation, event) {
                    self.device_event(fault);
                }
                self.report_local_stream();
            }
            SystemEvent::Sound { device: DeviceKind::Microphone, generation, event } => {
                if let Some(fault) = self.captures.on_microphone(generation, event) {
                    self.device_event(fault);
                }
                self.report_local_stream();
            }
            SystemEvent::Sound { generation, event, .. } => {
                if let Some(event) = self.speaker.on_event(MediaTime::now(), generation, event) {
                    self.device_event(event);
                }
            }
            SystemEvent::RingSound { generation, event } => self.ringer.on_event(generation, &event, &self.speaker),
            SystemEvent::Engine { peer, connection, conversation, event } => {
                self.on_engine(peer, connection, conversation, event);
            }
            SystemEvent::FirstPicture { peer: participant, connection, conversation, stream, kind, width, height } => {
                if self.remotes.is_open(participant, connection) {
                    self.report(Event::FirstFrame { conversation, participant, stream, kind, width, height });
                }
            }
            SystemEvent::EchoEngine { connection, conversation, event } => {
                self.echo.on_engine(MediaTime::now(), connection, conversation, event);
                self.hear_echo();
            }
            SystemEvent::DevicesClosed => {
                if let Some(released) = self.captures.on_closed() {
                    self.on_released(released);
                    self.report_local_stream();
                }
            }
            SystemEvent::ContactImage(read) => {
                self.directory.on_picture_read();
                self.finish_command("add_contact_image", |core| core.add_contact_of_image(read));
            }
            SystemEvent::OwnPicture(read) => {
                self.directory.on_picture_read();
                self.finish_command("set_profile_picture", |core| core.on_own_picture_read(read));
            }
            SystemEvent::NetworksChanged => {
                self.calls.networks_changed();
                self.look_at_networks();
            }
            SystemEvent::Speakers(names) => self.speaker.on_plugged_in(&names),
            SystemEvent::Devices(devices) => self.devices.on_listed(devices),
        }
        self.publisher.mark();
    }

    pub(super) fn on_hint(&mut self, hint: Hint) {
        match hint {
            Hint::SpokeMuted if self.sending.gates().is_muted() => {
                self.captures.note_spoke_muted(MediaTime::now());
                self.report(Event::SpeakingMuted {});
            }
            Hint::SpokeMuted => {}
            Hint::Keyframe { peer, connection, stream } => {
                if self.remotes.take_keyframe_request(peer, connection, stream) {
                    self.sending.fan_out().request_keyframe(peer, stream);
                }
            }
            Hint::EchoKeyframe { connection, stream } => self.echo.on_keyframe_requested(connection, stream),
        }
        self.publisher.mark();
    }

    /// Takes Echo's messages.
    fn hear_echo(&mut self) {
        while let Some(message) = self.echo.take_said() {
            self.step(Input::Peer { from: super::echo_id(), standing: Standing::Contact, message });
        }
    }

    fn on_engine(&mut self, peer: PeerId, connection: u64, conversation: ConversationId, event: PeerEvent) {
        match self.remotes.on_engine(peer, connection, &event) {
            Heard::Late => return,
            Heard::Chart => {}
            Heard::Flows => self.sending.fan_out().request_keyframe_of_each(peer),
            Heard::Closed => self.update_fan_out(),
        }
        if let Some(event) = engine_event(event) {
            self.step(Input::Engine { conversation, peer, event });
        }
    }

    /// Sends to those who are connected now.
    fn update_fan_out(&self) {
        let peers = self.remotes.peers();
        self.publisher.set_others_drawn(!peers.is_empty());
        self.sending.set_peers(peers);
    }

    /// Takes the statistics, and runs the work at their pace.
    fn take_statistics(&mut self, now: MediaTime) {
        self.captures.measure();
        self.report_local_stream();
        self.tell_wishes();
        let sends = self.calls.sends().unwrap_or_default();
        let pictures = sends.iter().filter(|stream| stream.kind.is_video());
        let encodings: Encodings = pictures.map(|stream| (stream.id, self.encoding(stream))).collect();
        let (connected, captures) = (self.calls.connected(), self.captures.is_open());
        let events = self.remotes.take_statistics(now, connected, &encodings, self.sending.fan_out(), captures);
        events.into_iter().for_each(|event| self.report(event));
        self.publisher.mark();
    }

    fn encoding(&self, stream: StreamState) -> Encoding {
        let Some((format, (width, height))) = self.captures.encoded(stream.id) else { return Encoding::default() };
        if !stream.on {
            return Encoding { width, height, ..Encoding::default() };
        }
        let wanted_kbps = format.max_kbps as f32;
        Encoding { width, height, wanted_kbps, asked_kbps: wanted_kbps, wished_lines: 0 }
    }

    /// Closes the rest: signaling says goodbye, devices close, the runtime stops.
    pub(super) fn end(self) {
        let Self { mut signaling, captures, speaker, ringer, remotes, network, publisher, .. } = self;
        signaling.say_goodbye();
        drop((captures, remotes, ringer, speaker));
        publisher.close();
        signaling.end();
        network.end();
    }
}

/// Seconds since 1970 of a moment of media time in the past.
fn unix_seconds(at: MediaTime) -> i64 {
    let ago = MediaTime::now().since(at);
    let then = SystemTime::now().checked_sub(ago).unwrap_or(UNIX_EPOCH);
    then.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

#[cfg(test)]
mod tests;
