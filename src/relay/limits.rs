//! Limits of a relay.

use std::fmt;
use std::time::Duration;

/// How much a relay carries, for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Allocations in all.
    pub allocations: usize,
    /// Allocations of one credential: one a connection and address family, and one more while ICE restarts.
    pub allocations_per_credential: usize,
    /// Bits a second of relayed data in all as it leaves, with the headers of TURN, UDP and IPv4; counted once.
    pub bits_per_second: u64,
    /// The same of one credential, each way.
    pub bits_per_second_per_credential: u64,
}

impl Default for Limits {
    /// For a home's uplink.
    fn default() -> Self {
        Self {
            allocations: 20,
            allocations_per_credential: 8,
            bits_per_second: 50_000_000,
            bits_per_second_per_credential: 6_000_000,
        }
    }
}

impl Limits {
    /// Lifetime of an allocation that is not refreshed. Shorter than the 600 s that RFC 8656, 3.2, recommends: the
    /// clients refresh each 60 s, and those that have moved to another network never say so.
    pub const LIFETIME: Duration = Duration::from_secs(180);
    /// Time for which a limit on bits may be exceeded, after a pause.
    pub(super) const BURST: Duration = Duration::from_millis(500);
}

/// Configuration of a relay.
#[derive(Clone)]
pub struct Config {
    /// Shared by the relay and whoever mints credentials; nobody else may know it. At least 16 random bytes.
    pub secret: Vec<u8>,
    /// Realm of the credentials (RFC 8489, 9.2).
    pub realm: String,
    /// Limits.
    pub limits: Limits,
}

impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Config")
            .field("realm", &self.realm)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
