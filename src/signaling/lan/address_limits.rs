//! Connection limits of the listener, by address and altogether. Time is an argument. Shared by the listener and the
//! connections that hold its permits.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::signaling::flood::TokenBucket;

const MAX_ADDRESSES: usize = 1024;
/// Connections from one address at a time.
const MAX_PER_ADDRESS: usize = 32;
/// Connections from everywhere at a time.
const MAX_INBOUND: usize = 320;
/// Unproven connections among these.
const MAX_UNPROVEN: usize = 64;
/// Unproven connections from one address.
const MAX_UNPROVEN_PER_ADDRESS: usize = 8;

/// Connections that the listener serves: 32 at a time and 10 new ones a second from one address (one /64 of IPv6), 320
/// at a time altogether, and 64 of these (8 from one address) before they have proven who they are.
#[derive(Debug)]
pub(super) struct AddressLimits {
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
pub(super) struct Permit {
    limits: Arc<AddressLimits>,
    address: IpAddr,
    proven: bool,
}

impl AddressLimits {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Addresses> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from `address`, unless there are too many.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr, now: Instant) -> Option<Permit> {
        let address = network_of(address);
        let mut state = self.lock();
        if state.open >= MAX_INBOUND || state.unproven >= MAX_UNPROVEN {
            return None;
        }
        if !state.each.contains_key(&address) && state.each.len() >= MAX_ADDRESSES {
            state.forget_quietest();
        }
        let entry = state.each.entry(address).or_insert_with(|| Address {
            open: 0,
            unproven: 0,
            fresh: TokenBucket::new(10.0, 40.0, now),
        });
        let full = entry.open >= MAX_PER_ADDRESS || entry.unproven >= MAX_UNPROVEN_PER_ADDRESS;
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
    fn is_proven(&mut self, address: &IpAddr) {
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
    pub(super) fn proven(&mut self) {
        if !self.proven {
            self.proven = true;
            self.limits.lock().is_proven(&self.address);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.limits.lock();
        if !self.proven {
            state.is_proven(&self.address);
        }
        state.open -= 1;
        if let Some(entry) = state.each.get_mut(&self.address) {
            entry.open -= 1;
        }
    }
}

/// Unit of the limits on addresses: an IPv4 address, or the /64 of an IPv6 address.
pub(super) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_limited_by_address_and_altogether() {
        let start = Instant::now();
        let limits = AddressLimits::new();
        let from = |last: u8| IpAddr::from([192, 0, 2, last]);
        let mut held: Vec<_> = (0..100).filter_map(|_| limits.admit(from(1), start)).collect();
        assert_eq!(held.len(), MAX_UNPROVEN_PER_ADDRESS);
        held.extend((2..100).filter_map(|last| limits.admit(from(last), start)));
        assert_eq!(held.len(), MAX_UNPROVEN);
        held.iter_mut().for_each(Permit::proven);
        held.extend((2..100).filter_map(|last| limits.admit(from(last), start)));
        assert_eq!(held.len(), 2 * MAX_UNPROVEN);
        held.iter_mut().for_each(Permit::proven);
        let mut of_one = Vec::new();
        while let Some(mut permit) = limits.admit(from(1), start) {
            permit.proven();
            of_one.push(permit);
        }
        assert_eq!(of_one.len() + MAX_UNPROVEN_PER_ADDRESS, MAX_PER_ADDRESS);
        held.extend(of_one);
        drop(held);
        let state = limits.lock();
        assert_eq!((state.open, state.unproven), (0, 0));
        assert!(state.each.values().all(|entry| (entry.open, entry.unproven) == (0, 0)));
    }

    #[test]
    fn one_ipv6_network_counts_as_one_address() {
        let limits = AddressLimits::new();
        let now = Instant::now();
        let held: Vec<_> = (0..100_u16)
            .filter_map(|host| limits.admit(Ipv6Addr::new(0xfd00, 0, 0, 1, 0, 0, 0, host).into(), now))
            .collect();
        assert_eq!(held.len(), MAX_UNPROVEN_PER_ADDRESS);
    }
}
