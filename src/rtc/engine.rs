//! Engine: makes peer connections.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::runtime::Handle;

use super::event::{PeerEvent, PeerSinks};
use super::ice_servers::IceServers;
use super::peer::{self, Peer};
use super::transport::host_addresses::HostAddresses;
use super::transport::link::LinkProfile;
use super::transport::runtime::Impairment;
use super::ways::Ways;
use crate::call::{Consent, Role};
use crate::network::{NetworkMonitor, PathFinder};

/// Makes peer connections.
#[derive(Clone)]
pub struct Engine {
    runtime: Handle,
    addresses: HostAddresses,
    servers: Arc<IceServers>,
    impairment: Impairment,
    networks: NetworkMonitor,
}

impl fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine whose tasks run on `runtime`.
    ///
    /// With `bind`, media uses that address only (a loopback address connects within this computer); without, the
    /// addresses of this computer's networks, or loopback when it has none. No servers are used, and no changes of
    /// networks are followed.
    pub fn new(runtime: Handle, bind: Option<IpAddr>) -> Self {
        let addresses = HostAddresses { bind, ..HostAddresses::default() };
        let (servers, impairment) = (Arc::default(), Impairment::default());
        Self { runtime, addresses, servers, impairment, networks: NetworkMonitor::unchanging() }
    }

    /// Opens a connection to one participant. Returns at once; everything else comes through `events`.
    ///
    /// An offerer makes its description at once, an answerer waits for `Peer::set_remote_description`.
    pub fn connect(
        &self,
        _consent: &Consent,
        role: Role,
        sinks: PeerSinks,
        events: impl Fn(PeerEvent) + Send + Sync + 'static,
    ) -> Peer {
        let ways = Ways {
            addresses: self.addresses.clone(),
            servers: Arc::clone(&self.servers),
            impairment: self.impairment.clone(),
            networks: self.networks.from_now(),
        };
        peer::start(&self.runtime, ways, role, sinks, Arc::new(events))
    }

    /// The addresses that connections made now would use; those of calls that go on may be others.
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.addresses.list().iter().map(SocketAddr::ip).collect()
    }

    /// The same for connections to one person, whom signaling reaches by `path`: media takes that first.
    pub fn along(&self, path: PathFinder) -> Self {
        let addresses = HostAddresses { path: Some(path), ..self.addresses.clone() };
        Self { addresses, ..self.clone() }
    }

    /// The same for connections that use these servers, too.
    pub fn with_servers(&self, servers: IceServers) -> Self {
        let addresses = HostAddresses { with_servers: !servers.is_empty(), ..self.addresses.clone() };
        Self { addresses, servers: Arc::new(servers), ..self.clone() }
    }

    /// The same, whose connections notice at once when an address that they use is gone.
    pub fn with_networks(self, networks: NetworkMonitor) -> Self {
        Self { networks, ..self }
    }

    /// The same, but packets sent go through a bad network in software.
    pub fn with_link(self, link: Option<LinkProfile>) -> Self {
        Self { impairment: Impairment { link, ..self.impairment }, ..self }
    }

    /// For tests: loses the datagrams that `loses` says, below SRTP.
    #[cfg(test)]
    pub(super) fn with_impairment(self, loses: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Self {
        Self { impairment: Impairment { loses: Some(Arc::new(loses)), ..self.impairment }, ..self }
    }
}
