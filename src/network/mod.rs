//! This computer's addresses, ranked by use: which of them lead to other people, for media and for announcements alike.
//! Asked for anew each time, since networks come and go; a monitor tells when they do. Sends nothing. Also the limits
//! that every listener keeps (token buckets, and connections by address), and the proxies by which servers are reached.

mod address;
mod connection_limits;
mod gateway;
mod interface;
mod keep_alive;
mod monitor;
mod open_files;
mod proxy;
mod rank;
mod route_events;
mod sleep_clock;
mod token_bucket;

pub use address::{
    LocalAddress, Path, PathFinder, Standing, canonical, is_own, is_reserved, is_scoped, network_of, scoped, source_for,
};
pub use connection_limits::{ConnectionBounds, ConnectionLimits, Permit};
pub use gateway::Gateway;
pub use keep_alive::{KEEP_ALIVE_ENDS, keep_alive};
pub use monitor::{NetworkMonitor, NetworkState};
pub use open_files::raise_open_files;
pub use proxy::{Proxy, ProxyError, ProxyRules, ProxySettingError};
pub use rank::ranked;
pub use token_bucket::TokenBucket;

/// The addresses that this computer has now, those that lead to other people first. Empty where they cannot be listed.
pub fn local_addresses() -> Vec<LocalAddress> {
    ranked(interface::list())
}
