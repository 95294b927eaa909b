//! The network's side of the controller: signaling is started here, and its events are taken.

use std::sync::Arc;

use crate::call::{CallError, Input, Message, Standing};
use crate::identity::{DeviceId, PeerId};
use crate::media::MediaTime;
use crate::network::ProxyRules;
use crate::signaling::{DiscoveryFault, ServerStatus, SignalingConfig, SignalingEvent};

use super::Core;
use crate::controller::people::Presence;
use crate::controller::{Event, NoticeKind};

const NO_NETWORK: &str = "People on this network cannot be found. Check the network and start again.";
const NO_MULTICAST: &str = "People on this network cannot be found: the network or the system does not let Visavis look for \
                            them. Check the network; Visavis goes on trying.";
const PORT_TAKEN: &str = "People on this network cannot be found: another program keeps network port 5353 to itself. Close \
                          that program; Visavis goes on trying.";
const PORT_TAKEN_IN_PART: &str = "Some people on this network may not be found: another program keeps network port 5353 to \
                                  itself, for IPv4 or for IPv6. Close that program; Visavis goes on trying.";

impl Core {
    /// Looks for people on this network, and lets them find this person.
    pub(super) fn start_signaling(&mut self) {
        let config = SignalingConfig {
            identity: Arc::clone(self.directory.identity()),
            device: DeviceId::of_profile(self.preferences.options().profile.dir()),
            name: self.preferences.settings().display_name.clone(),
            bind: self.preferences.options().bind,
            networks: self.network.monitor(),
            proxies: ProxyRules::from_environment(),
        };
        let strangers_may_ring = self.preferences.settings().strangers_may_ring;
        match self.signaling.start(config, &self.directory, strangers_may_ring) {
            Ok(fault) => {
                if fault.is_some() {
                    self.on_discovery(fault);
                }
                self.follow_servers();
                self.follow_invitations();
            }
            Err(error) => {
                // The app works on: Echo can be called, and contacts are shown offline.
                tracing::debug!("signaling: {error}");
                self.network_fault(NO_NETWORK, NoticeKind::NoNetwork);
            }
        }
    }

    /// Says in the log, to scripts and in the window why people cannot be found.
    fn network_fault(&mut self, message: &str, notice: NoticeKind) {
        tracing::warn!("{message}");
        self.report(Event::Error {
            code: CallError::InviteFailed.code(),
            message: message.to_owned(),
            command: String::new(),
        });
        self.publisher.notices().add(notice);
        self.publisher.mark();
    }

    /// Takes an event of signaling.
    pub(in crate::controller) fn on_signaling(&mut self, event: SignalingEvent) {
        // Whoever rings now would only hold up the end.
        if self.is_quitting() {
            return;
        }
        match event {
            SignalingEvent::Received { from, message } => {
                if message.is_invite() {
                    // Invitations expire while the app runs.
                    if self.signaling.invitation_of(&from).is_some() {
                        self.follow_invitations();
                    }
                    // The clock of deadlines stands still while the computer sleeps, and quiet hours may have begun.
                    self.follow_do_not_disturb();
                }
                let is_invited = self.signaling.invitation_of(&from).is_some();
                let may_ring = self.preferences.settings().strangers_may_ring || is_invited;
                let standing = self.directory.standing(from, may_ring);
                if standing == Standing::Unwelcome && message.is_invite() {
                    tracing::debug!("The invite of a person who may not ring is ignored");
                }
                match message {
                    Message::Missed { ago_s } => self.on_missed_call(from, standing, ago_s),
                    Message::PictureWanted { have } => self.on_picture_wanted(from, standing, have.as_deref()),
                    Message::Picture { picture } => self.on_picture(from, standing, picture),
                    message => self.step(Input::Peer { from, standing, message }),
                }
            }
            SignalingEvent::Presence { id, name, routes, skew } => {
                let before = self.directory.name_of(id, None);
                if self.directory.keep_chosen_name(&self.store, id, &name) {
                    self.signaling.follow(&self.directory);
                    self.note_new_name(id, before);
                }
                // Whoever has gone may be getting the newer app, and whoever is back has it.
                if skew.is_none() && !routes.is_empty() {
                    self.publisher.notices().forget_skew(id);
                }
                self.calls.note_presence(id, !routes.is_empty(), MediaTime::now());
                if skew.is_none() && !routes.is_empty() && self.directory.is_contact(id) {
                    self.tell_missed_call(id);
                }
                let was_online = self.directory.is_online(id);
                if let Some(event) = self.directory.set_presence(id, Presence { name, routes, skew }) {
                    self.report(event);
                    self.publisher.mark();
                }
                if !was_online && self.directory.is_online(id) && self.directory.is_contact(id) {
                    self.ask_for_picture(id);
                }
            }
            SignalingEvent::ConnectionClosed { id } => self.step(Input::FarClosed { peer: id }),
            SignalingEvent::ConnectionRestored { id } => self.step(Input::FarRestored { peer: id }),
            SignalingEvent::Undelivered { to, message } => {
                self.remotes.on_undelivered(to, &message);
                self.on_undelivered_notice(to, &message);
                self.step(Input::Undelivered { to, message });
            }
            SignalingEvent::ClocksDiffer { id, seconds_ahead } => self.clocks_differ(id, seconds_ahead),
            SignalingEvent::Discovery(fault) => self.on_discovery(fault),
            SignalingEvent::Server(status) => self.on_server(status),
        }
    }

    /// Notes once that a contact who had a name, and was given none here, calls themselves otherwise now.
    fn note_new_name(&mut self, id: PeerId, before: String) {
        let name = self.directory.name_of(id, None);
        if before != name && before != id.short() {
            self.publisher.notices().add(NoticeKind::ContactRenamed { before, name });
        }
    }

    /// Connects to the servers of the settings, and to no others.
    pub(super) fn follow_servers(&mut self) {
        let servers = &self.preferences.settings().servers;
        self.signaling.set_servers(servers);
        self.publisher.mark();
    }

    fn on_server(&mut self, status: ServerStatus) {
        if let Some(event) = self.signaling.note_server(status) {
            self.report(event);
            self.publisher.mark();
        }
    }

    /// Says why people cannot be found from now on, or takes it back.
    fn on_discovery(&mut self, fault: Option<DiscoveryFault>) {
        self.publisher.notices().forget_discovery();
        self.publisher.mark();
        match fault {
            Some(DiscoveryFault::PortTaken) => self.network_fault(PORT_TAKEN, NoticeKind::PortTaken { entirely: true }),
            Some(DiscoveryFault::PortTakenInPart) => {
                self.network_fault(PORT_TAKEN_IN_PART, NoticeKind::PortTaken { entirely: false });
            }
            Some(DiscoveryFault::NoMulticast) => self.network_fault(NO_MULTICAST, NoticeKind::NoNetwork),
            None => tracing::info!("people on this network can be looked for again"),
        }
    }

    /// Nothing fails by it, but the two sides see other times for the same call.
    fn clocks_differ(&mut self, id: PeerId, seconds_ahead: i64) {
        tracing::warn!("Somebody's clock and this computer's differ by more than a minute. Calls work all the same.");
        let name = self.directory.name_of(id, None);
        self.report(Event::ClocksDiffer { id, name: name.clone(), seconds_ahead });
        self.publisher.notices().add(NoticeKind::ClocksDiffer { name });
        self.publisher.mark();
    }
}
