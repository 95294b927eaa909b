//! Signaling client of the controller, on a thread of its own, so that media never waits for strangers' messages.

use std::collections::{HashMap, HashSet};
use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::call::Message;
use crate::identity::{InvitationToken, PeerId, ServerLink};
use crate::network::PathFinder;
use crate::signaling::{Access, DiscoveryFault, ServerStatus, SignalingClient, SignalingConfig, SignalingError};

use super::Event;
use super::directory::Directory;
use super::peer_lane::PeerLane;
use super::server_list::ServerList;

/// The client, from the start on; without one the app works on, and Echo can be called.
pub(super) struct Signaling {
    client: Option<SignalingClient>,
    servers: ServerList,
    lane: PeerLane,
    runtime: Runtime,
}

impl Signaling {
    /// Longest time that its tasks have to end.
    const END_WAIT: Duration = Duration::from_secs(1);

    /// Not started yet; its events go into `lane`.
    pub(super) fn new(lane: PeerLane) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("signaling").enable_all().build()?;
        Ok(Self { client: None, servers: ServerList::default(), lane, runtime })
    }

    /// Looks for people, and lets them find this person; the fault that keeps them from it, if there is one.
    pub(super) fn start(
        &mut self,
        config: SignalingConfig,
        directory: &Directory,
        strangers_may_ring: bool,
    ) -> Result<Option<DiscoveryFault>, SignalingError> {
        let lane = self.lane.clone();
        let client = SignalingClient::start(self.runtime.handle(), config, move |event| lane.put(event))?;
        let fault = client.discovery_fault();
        self.client = Some(client);
        self.follow(directory);
        self.set_strangers_may_ring(strangers_may_ring);
        Ok(fault)
    }

    /// Sends a message; gives it back where there is no client.
    pub(super) fn send(&self, to: PeerId, message: Message) -> Result<(), Message> {
        match &self.client {
            Some(client) => {
                client.send(to, message);
                Ok(())
            }
            None => Err(message),
        }
    }

    /// Looks for another path to a person.
    pub(super) fn renew(&self, to: PeerId) {
        if let Some(client) = &self.client {
            client.renew(to);
        }
    }

    /// The path by which a person is reached: one that carries signaling carries media, too.
    pub(super) fn path_to(&self, id: PeerId) -> Option<PathFinder> {
        self.client.as_ref().map(|client| client.path_to(id))
    }

    /// The relay of the server over which a person is reached.
    pub(super) fn relay_to(&self, id: PeerId) -> Option<Access> {
        self.client.as_ref()?.relay_to(&id)
    }

    /// Whether a person is, or was before, reached over a server.
    pub(super) fn was_over_server(&self, id: PeerId) -> bool {
        self.client.as_ref().is_some_and(|client| client.was_over_server(&id))
    }

    /// Takes over whom the directory blocks and whom it knows.
    pub(super) fn follow(&self, directory: &Directory) {
        if let Some(client) = &self.client {
            client.set_blocked(directory.blocked().clone());
            client.set_contacts(directory.contacts());
        }
    }

    /// Connects to these servers, and to no others.
    pub(super) fn set_servers(&mut self, servers: &[ServerLink]) {
        self.servers.follow(servers);
        if let Some(client) = &self.client {
            client.set_servers(servers.to_vec());
        }
    }

    /// The servers, with their statuses.
    pub(super) const fn servers(&self) -> &ServerList {
        &self.servers
    }

    /// Notes the status of a server; its event, unless the server was taken out meanwhile.
    pub(super) fn note_server(&mut self, status: ServerStatus) -> Option<Event> {
        self.servers.note(status)
    }

    /// Changes the name that others see.
    pub(super) fn set_name(&self, name: &str) {
        if let Some(client) = &self.client {
            client.set_name(name);
        }
    }

    /// Lets strangers ring, or not.
    pub(super) fn set_strangers_may_ring(&self, may: bool) {
        if let Some(client) = &self.client {
            client.set_strangers_may_ring(may);
        }
    }

    /// Tokens of invitations: those given out, and those held.
    pub(super) fn set_invitations(&self, given: HashSet<InvitationToken>, held: HashMap<PeerId, InvitationToken>) {
        if let Some(client) = &self.client {
            client.set_invitations(given, held);
        }
    }

    /// The token with which somebody has come.
    pub(super) fn invitation_of(&self, id: &PeerId) -> Option<InvitationToken> {
        self.client.as_ref()?.invitation_of(id)
    }

    /// Says goodbye.
    pub(super) fn say_goodbye(&mut self) {
        if let Some(client) = self.client.take() {
            client.close();
        }
    }

    /// Stops its thread.
    pub(super) fn end(self) {
        self.runtime.shutdown_timeout(Self::END_WAIT);
    }
}
