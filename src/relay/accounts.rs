//! Accounts of a relay: the use of each credential, of the whole relay, and of addresses that have no allocation.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::limits::Limits;
use crate::network::{TokenBucket, network_of};

/// Requests a second of one address without an allocation, and at once.
const REQUESTS: (f64, f64) = (20.0, 40.0);
/// The same of all addresses together that may be forged: others cannot keep those away that have shown theirs.
const REQUESTS_IN_ALL: (f64, f64) = (2000.0, 4000.0);
/// Places for addresses: a fixed number, so that forged ones cost no memory. Addresses that share one share its rate.
const PLACES: usize = 4096;
/// An account without allocations is kept for this long, so that a new allocation does not refill its rates.
const KEPT: Duration = Duration::from_secs(2);

/// Use of one credential.
#[derive(Debug)]
struct Account {
    allocations: usize,
    sent: TokenBucket,
    received: TokenBucket,
    used: Instant,
}

/// Accounts of all credentials that have allocations.
#[derive(Debug)]
pub(super) struct Accounts {
    limits: Limits,
    of: HashMap<Arc<str>, Account>,
    /// Bytes of the whole relay.
    carried: TokenBucket,
}

fn bytes(bits_per_second: u64, now: Instant) -> TokenBucket {
    let rate = bits_per_second as f64 / 8.0;
    TokenBucket::new(rate, rate * Limits::BURST.as_secs_f64(), now)
}

impl Accounts {
    pub(super) fn new(limits: Limits, now: Instant) -> Self {
        Self { limits, of: HashMap::new(), carried: bytes(limits.bits_per_second, now) }
    }

    /// Allocations of a credential.
    pub(super) fn allocations(&self, username: &str) -> usize {
        self.of.get(username).map_or(0, |account| account.allocations)
    }

    /// A credential has one more allocation; false where too many accounts were used lately.
    pub(super) fn open(&mut self, username: &Arc<str>, now: Instant) -> bool {
        if !self.of.contains_key(username) && self.of.len() >= self.limits.allocations * 2 {
            return false;
        }
        let account = self.of.entry(Arc::clone(username)).or_insert_with(|| {
            let bucket = || bytes(self.limits.bits_per_second_per_credential, now);
            Account { allocations: 0, sent: bucket(), received: bucket(), used: now }
        });
        account.allocations += 1;
        account.used = now;
        true
    }

    /// A credential has one allocation less.
    pub(super) fn close(&mut self, username: &str, now: Instant) {
        if let Some(account) = self.of.get_mut(username) {
            account.allocations = account.allocations.saturating_sub(1);
            account.used = now;
        }
    }

    /// Counts a datagram of `length` bytes, headers included, from one credential to another; false where one of the
    /// rates is used up.
    pub(super) fn carry(&mut self, from: &str, to: &str, length: usize, now: Instant) -> bool {
        let length = length as f64;
        let sent = self.of.get_mut(from).is_some_and(|account| account.sent.level(now) >= length);
        let received = self.of.get_mut(to).is_some_and(|account| account.received.level(now) >= length);
        if !sent || !received || self.carried.level(now) < length {
            return false;
        }
        self.carried.spend(length);
        if let Some(account) = self.of.get_mut(from) {
            account.sent.spend(length);
        }
        if let Some(account) = self.of.get_mut(to) {
            account.received.spend(length);
        }
        true
    }

    /// Forgets accounts that are not used.
    pub(super) fn expire(&mut self, now: Instant) {
        self.of.retain(|_, account| account.allocations > 0 || now.saturating_duration_since(account.used) < KEPT);
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.of.len()
    }
}

/// Pace of the requests of addresses without an allocation, in constant memory.
#[derive(Debug)]
pub(super) struct Requests {
    places: Vec<TokenBucket>,
    all: TokenBucket,
    /// Makes the places of addresses unknown to others.
    seed: u64,
}

impl Requests {
    pub(super) fn new(secret: &[u8], now: Instant) -> Self {
        let mut hasher = DefaultHasher::new();
        secret.hash(&mut hasher);
        let bucket = |(rate, burst)| TokenBucket::new(rate, burst, now);
        let places = (0..PLACES).map(|_| bucket(REQUESTS)).collect();
        Self { places, all: bucket(REQUESTS_IN_ALL), seed: hasher.finish() }
    }

    /// Whether one more request of this address is answered, by the address's own rate.
    pub(super) fn take(&mut self, address: IpAddr, now: Instant) -> bool {
        let mut hasher = DefaultHasher::new();
        (self.seed, network_of(address)).hash(&mut hasher);
        let place = (hasher.finish() % PLACES as u64) as usize;
        self.places.get_mut(place).is_some_and(|bucket| bucket.take(now))
    }

    /// Whether one more request of an address that may be forged is answered, by the rate of all together.
    pub(super) fn take_of_all(&mut self, now: Instant) -> bool {
        self.all.take(now)
    }
}

/// Pace of the requests of one allocation.
pub(super) fn requests_of_allocation(now: Instant) -> TokenBucket {
    // A client binds a channel and asks for a permission for each candidate of the far side.
    TokenBucket::new(50.0, 200.0, now)
}
