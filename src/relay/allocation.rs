//! Allocation of one client: its number, its permissions and its channels (RFC 8656, 3.3, 9 and 12).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::accounts::requests_of_allocation;
use crate::network::TokenBucket;
use crate::stun::TRANSACTION_ID;

/// Lifetime of a permission (RFC 8656, 9).
const PERMISSION: Duration = Duration::from_secs(300);
/// Lifetime of a channel (RFC 8656, 12).
const CHANNEL: Duration = Duration::from_secs(600);
/// Permissions, and channels, of an allocation at most. A far side has a handful of candidates.
pub(super) const MAX_PEERS: usize = 64;

/// An allocation.
#[derive(Debug)]
pub(super) struct Allocation {
    pub(super) username: Arc<str>,
    /// The relayed address: a number that stands for the client.
    pub(super) number: SocketAddr,
    pub(super) expires: Instant,
    /// The transaction that made it: a request that comes again has the same answer.
    pub(super) transaction: [u8; TRANSACTION_ID],
    /// When its client was heard last.
    pub(super) heard: Instant,
    pub(super) requests: TokenBucket,
    permissions: Vec<(IpAddr, Instant)>,
    channels: Vec<Channel>,
}

#[derive(Debug)]
struct Channel {
    number: u16,
    peer: SocketAddr,
    expires: Instant,
}

/// Reason for which a channel is not bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotBound {
    /// The channel is another peer's, or the peer has another channel.
    Mismatch,
    Full,
}

impl Allocation {
    pub(super) fn new(
        username: Arc<str>,
        number: SocketAddr,
        transaction: [u8; TRANSACTION_ID],
        expires: Instant,
        now: Instant,
    ) -> Self {
        let requests = requests_of_allocation(now);
        let (permissions, channels) = (Vec::new(), Vec::new());
        Self { username, number, expires, transaction, heard: now, requests, permissions, channels }
    }

    /// Permits an address for five minutes; false where too many are permitted.
    pub(super) fn permit(&mut self, peer: IpAddr, now: Instant) -> bool {
        let expires = now + PERMISSION;
        if let Some(permission) = self.permissions.iter_mut().find(|(permitted, _)| *permitted == peer) {
            permission.1 = expires;
            return true;
        }
        self.permissions.retain(|(_, expires)| *expires > now);
        let fits = self.permissions.len() < MAX_PEERS;
        if fits {
            self.permissions.push((peer, expires));
        }
        fits
    }

    /// Whether an address is permitted.
    pub(super) fn permits(&self, peer: IpAddr, now: Instant) -> bool {
        self.permissions.iter().any(|(permitted, expires)| *permitted == peer && *expires > now)
    }

    /// Binds a channel to a peer for ten minutes, and permits the peer.
    pub(super) fn bind(&mut self, number: u16, peer: SocketAddr, now: Instant) -> Result<(), NotBound> {
        self.channels.retain(|channel| channel.expires > now);
        let same = |channel: &Channel| channel.number == number && channel.peer == peer;
        if self.channels.iter().any(|channel| !same(channel) && (channel.number == number || channel.peer == peer)) {
            return Err(NotBound::Mismatch);
        }
        let known = self.channels.iter().position(same);
        if known.is_none() && self.channels.len() >= MAX_PEERS || !self.permit(peer.ip(), now) {
            return Err(NotBound::Full);
        }
        let expires = now + CHANNEL;
        match known.and_then(|place| self.channels.get_mut(place)) {
            Some(channel) => channel.expires = expires,
            None => self.channels.push(Channel { number, peer, expires }),
        }
        Ok(())
    }

    /// The peer of a channel.
    pub(super) fn peer_on(&self, number: u16, now: Instant) -> Option<SocketAddr> {
        self.channels.iter().find(|it| it.number == number && it.expires > now).map(|channel| channel.peer)
    }

    /// The channel of a peer.
    pub(super) fn channel_to(&self, peer: SocketAddr, now: Instant) -> Option<u16> {
        self.channels.iter().find(|it| it.peer == peer && it.expires > now).map(|channel| channel.number)
    }
}
