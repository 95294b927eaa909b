//! Budget of one lane of dials: how often this computer opens connections, to each address and, where anybody can name
//! any number of them, to all together. Anybody on the network can announce people at any address, and must not scan a
//! neighbour through this computer. Pure; time is an argument. Shared by the route's task and the dials that it starts.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::network::TokenBucket;

/// Attempts a second to all addresses together, and at once after a pause: the people of an office are met within
/// seconds.
const ALL: (f64, f64) = (5.0, 16.0);
/// The same for one address: several people may share it.
const EACH: (f64, f64) = (1.0, 5.0);
/// Addresses remembered at most.
const MAX_ADDRESSES: usize = 1024;

#[derive(Debug)]
pub(super) struct DialBudget(Mutex<State>);

#[derive(Debug)]
struct State {
    /// None where addresses do not compete: those where people have proved to be.
    all: Option<TokenBucket>,
    each: HashMap<IpAddr, Address>,
}

#[derive(Debug)]
struct Address {
    attempts: TokenBucket,
    dialed: Instant,
}

impl DialBudget {
    /// Budget of each address and of all together.
    pub(super) fn shared(now: Instant) -> Self {
        Self::of(Some(TokenBucket::new(ALL.0, ALL.1, now)))
    }

    /// Budget of each address alone.
    pub(super) fn each() -> Self {
        Self::of(None)
    }

    fn of(all: Option<TokenBucket>) -> Self {
        Self(Mutex::new(State { all, each: HashMap::new() }))
    }

    /// When an attempt at `address` may be made, which is now or later.
    pub(super) fn free_at(&self, address: IpAddr, now: Instant) -> Instant {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let each = state.each.get(&address.to_canonical()).map_or(now, |address| address.attempts.free_at(now));
        state.all.as_ref().map_or(now, |all| all.free_at(now)).max(each)
    }

    /// When `address` was tried last, if that is remembered.
    pub(super) fn dialed(&self, address: IpAddr) -> Option<Instant> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.each.get(&address.to_canonical()).map(|address| address.dialed)
    }

    /// Whether an attempt at `address` may be made now; it counts as made.
    pub(super) fn take(&self, address: IpAddr, now: Instant) -> bool {
        let address = address.to_canonical();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let State { all, each } = &mut *state;
        let free = |bucket: &TokenBucket| bucket.free_at(now) <= now;
        if !all.as_ref().is_none_or(free) || !each.get(&address).is_none_or(|entry| free(&entry.attempts)) {
            return false;
        }
        if !each.contains_key(&address) && each.len() >= MAX_ADDRESSES {
            let oldest = each.iter().min_by_key(|(_, entry)| entry.dialed).map(|(address, _)| *address);
            oldest.and_then(|oldest| each.remove(&oldest));
        }
        let entry = each
            .entry(address)
            .or_insert_with(|| Address { attempts: TokenBucket::new(EACH.0, EACH.1, now), dialed: now });
        entry.dialed = now;
        // Spent by the same measure as `free_at`: a rounding error must not make an attempt free.
        for bucket in all.iter_mut().chain([&mut entry.attempts]) {
            bucket.level(now);
            bucket.spend(1.0);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn one_address_is_tried_once_a_second_and_all_together_five_times() {
        let start = Instant::now();
        let budget = DialBudget::shared(start);
        let at = |ms: u64| start + Duration::from_millis(ms);
        let one = (0..10_000).filter(|ms| budget.take(address(1), at(*ms))).count();
        assert!((14..=15).contains(&one), "{one}");
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        while budget.take(address(1), at(10_000)) {}
        assert!(!budget.take(mapped, at(10_000)), "the same address, written otherwise");
        let later = 20_000;
        let many = (0..10_000).filter(|ms| budget.take(address((ms % 250) as u8), at(later + *ms))).count();
        assert!((60..=66).contains(&many), "{many}");
    }

    #[test]
    fn addresses_that_do_not_compete_are_each_tried_as_if_alone() {
        let start = Instant::now();
        let budget = DialBudget::each();
        for last in 0..200 {
            assert_eq!((0..10).filter(|_| budget.take(address(last), start)).count(), EACH.1 as usize);
        }
    }

    #[test]
    fn it_says_when_there_is_room_again() {
        let start = Instant::now();
        let budget = DialBudget::shared(start);
        assert_eq!((budget.free_at(address(1), start), budget.dialed(address(1))), (start, None));
        while budget.take(address(1), start) {}
        assert_eq!(budget.free_at(address(1), start), start + Duration::from_secs(1));
        assert_eq!(budget.free_at(address(2), start), start, "another one");
        assert_eq!(budget.dialed(address(1)), Some(start));
    }

    #[test]
    fn it_remembers_a_bounded_number_of_addresses() {
        let start = Instant::now();
        let budget = DialBudget::shared(start);
        for number in 0..5000_u32 {
            budget.take(IpAddr::from(number.to_be_bytes()), start + Duration::from_secs(u64::from(number)));
        }
        assert_eq!(budget.0.lock().unwrap().each.len(), MAX_ADDRESSES);
        assert!(budget.dialed(IpAddr::from(4999_u32.to_be_bytes())).is_some());
    }
}
