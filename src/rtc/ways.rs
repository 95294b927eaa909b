//! Ways of a connection's datagrams: the addresses of its sockets, the servers that it asks, and an emulated network.

use std::sync::Arc;

use super::ice_servers::IceServers;
use super::transport::host_addresses::HostAddresses;
use super::transport::runtime::Impairment;

/// Ways of a connection's datagrams.
pub(super) struct Ways {
    pub(super) addresses: HostAddresses,
    pub(super) servers: Arc<IceServers>,
    pub(super) impairment: Impairment,
}
