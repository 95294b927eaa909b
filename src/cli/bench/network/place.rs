//! Place of a measured call: where its two sides are, and the network between them.

use crate::cli::bench::namespaces::{Began, HostPair, Move};
use crate::controller::LinkProfile;

/// Time after a move in which the queues of the new path may settle, in seconds.
const SETTLING: f64 = 2.0;

/// Place of one call.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// The loopback interface, with a link in both directions: Visavis impairs what it sends, a relay what Chromium
    /// sends.
    Loopback(&'a LinkProfile),
    /// Two hosts, joined by a link.
    Hosts(HostPair<'a>),
}

impl Place<'_> {
    /// Starts the clock of a call, now between hosts; on the loopback interface the link began at `link_began`.
    pub fn begin(&self, link_began: impl FnOnce() -> Began) -> anyhow::Result<(Began, Move)> {
        match self {
            Place::Loopback(_) => Ok((link_began(), Move::none())),
            Place::Hosts(pair) => pair.begin(),
        }
    }

    /// When the queues after the move of a host must be gone, in seconds since the start of the clock.
    pub fn settled_at(&self) -> Option<f64> {
        match self {
            Place::Loopback(_) => None,
            Place::Hosts(pair) => Some(pair.moves_at()? + SETTLING),
        }
    }
}
