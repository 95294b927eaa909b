//! Connection limits of a listener, by address and altogether. Time is an argument. Shared by the listener and the
//! connections that hold its permits.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::TokenBucket;
use super::address::network_of;

/// Bounds of a listener. An address is an IPv4 address, or the /64 of an IPv6 address.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionBounds {
    /// Connections at a time.
    pub open: usize,
    /// Those from one address.
    pub open_per_address: usize,
    /// Connections at a time whose far side has proven nothing.
    pub unproven: usize,
    /// Those from one address.
    pub unproven_per_address: usize,
    /// New connections a second from one address.
    pub new_per_second: u32,
    /// New connections from one address at once after a pause.
    pub new_at_once: u32,
    /// Addresses that are remembered; more than `open`, so that one of them always has no connection.
    pub addresses: usize,
}

/// Connections that a listener serves within its bounds.
#[derive(Debug)]
pub struct ConnectionLimits {
    bounds: ConnectionBounds,
    state: Mutex<Addresses>,
}

#[derive(Debug, Default)]
struct Addresses {
    each: HashMap<IpAddr, Address>,
    open: usize,
    unproven: usize,
}

#[derive(Debug)]
struct Address {
    open: usize,
    unproven: usize,
    fresh: TokenBucket,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    limits: Arc<ConnectionLimits>,
    address: IpAddr,
    proven: bool,
}

impl ConnectionLimits {
    /// Nobody is connected yet.
    pub fn new(bounds: ConnectionBounds) -> Arc<Self> {
        Arc::new(Self { bounds, state: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Addresses> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from `address`, unless there are too many.
    pub fn admit(self: &Arc<Self>, address: IpAddr, now: Instant) -> Option<Permit> {
        let address = network_of(address);
        let bounds = &self.bounds;
        let mut state = self.lock();
        if state.open >= bounds.open || state.unproven >= bounds.unproven {
            return None;
        }
        if !state.each.contains_key(&address) && state.each.len() >= bounds.addresses {
            state.forget_quietest();
        }
        let entry = state.each.entry(address).or_insert_with(|| Address {
            open: 0,
            unproven: 0,
            fresh: TokenBucket::new(bounds.new_per_second.into(), bounds.new_at_once.into(), now),
        });
        let full = entry.open >= bounds.open_per_address || entry.unproven >= bounds.unproven_per_address;
        if full || !entry.fresh.take(now) {
            return None;
        }
        entry.open += 1;
        entry.unproven += 1;
        state.open += 1;
        state.unproven += 1;
        Some(Permit { limits: self.clone(), address, proven: false })
    }
}

impl Addresses {
    /// One connection less that has proven nothing.
    fn note_proven(&mut self, address: &IpAddr) {
        self.unproven -= 1;
        if let Some(entry) = self.each.get_mut(address) {
            entry.unproven -= 1;
        }
    }

    /// There is one: fewer connections are open than addresses are remembered.
    fn forget_quietest(&mut self) {
        let idle = self.each.iter().filter(|(_, entry)| entry.open == 0);
        if let Some(address) = idle.min_by_key(|(_, entry)| entry.fresh.last_used()).map(|(address, _)| *address) {
            self.each.remove(&address);
        }
    }
}

impl Permit {
    /// The far side has proven who it is.
    pub fn proven(&mut self) {
        if !self.proven {
            self.proven = true;
            self.limits.lock().note_proven(&self.address);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.limits.lock();
        if !self.proven {
            state.note_proven(&self.address);
        }
        state.open -= 1;
        if let Some(entry) = state.each.get_mut(&self.address) {
            entry.open -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    const BOUNDS: ConnectionBounds = ConnectionBounds {
        open: 320,
        open_per_address: 32,
        unproven: 64,
        unproven_per_address: 8,
        new_per_second: 10,
        new_at_once: 40,
        addresses: 1024,
    };

    #[test]
    fn connections_are_limited_by_address_and_altogether() {
        let start = Instant::now();
        let limits = ConnectionLimits::new(BOUNDS);
        let from = |last: u8| IpAddr::from([192, 0, 2, last]);
        let mut held: Vec<_> = (0..100).filter_map(|_| limits.admit(from(1), start)).collect();
        assert_eq!(held.len(), BOUNDS.unproven_per_address);
        held.extend((2..100).filter_map(|last| limits.admit(from(last), start)));
        assert_eq!(held.len(), BOUNDS.unproven);
        held.iter_mut().for_each(Permit::proven);
        held.extend((2..100).filter_map(|last| limits.admit(from(last), start)));
        assert_eq!(held.len(), 2 * BOUNDS.unproven);
        held.iter_mut().for_each(Permit::proven);
        let mut of_one = Vec::new();
        while let Some(mut permit) = limits.admit(from(1), start) {
            permit.proven();
            of_one.push(permit);
        }
        assert_eq!(of_one.len() + BOUNDS.unproven_per_address, BOUNDS.open_per_address);
        held.extend(of_one);
        drop(held);
        let state = limits.lock();
        assert_eq!((state.open, state.unproven), (0, 0));
        assert!(state.each.values().all(|entry| (entry.open, entry.unproven) == (0, 0)));
    }

    #[test]
    fn one_ipv6_network_counts_as_one_address() {
        let limits = ConnectionLimits::new(BOUNDS);
        let now = Instant::now();
        let held: Vec<_> = (0..100_u16)
            .filter_map(|host| limits.admit(Ipv6Addr::new(0xfd00, 0, 0, 1, 0, 0, 0, host).into(), now))
            .collect();
        assert_eq!(held.len(), BOUNDS.unproven_per_address);
    }
}
