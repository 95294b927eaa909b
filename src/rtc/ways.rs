//! Ways of a connection's datagrams: the addresses of its sockets, the servers that it asks, an emulated network, and
//! the monitor of the real ones.

use std::sync::Arc;

use super::ice_servers::IceServers;
use super::transport::host_addresses::HostAddresses;
use super::transport::runtime::Impairment;
use crate::network::NetworkMonitor;

/// Ways of a connection's datagrams.
pub(super) struct Ways {
    pub(super) addresses: HostAddresses,
    pub(super) servers: Arc<IceServers>,
    pub(super) impairment: Impairment,
    pub(super) networks: NetworkMonitor,
}
