//! Wake: signs that connections may lead nowhere any more, although nothing has failed yet: the computer slept, or its
//! addresses changed. Pure; clocks and addresses are arguments.

use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

/// The wall clock went ahead of the monotonic one by this much, which stands while many computers sleep.
const SLEPT: Duration = Duration::from_secs(10);

/// A sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// The computer slept, or its wall clock was set.
    Slept,
    /// These are its addresses now.
    Addresses(Vec<IpAddr>),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Wake {
    looked: (Instant, SystemTime),
    addresses: Vec<IpAddr>,
}

impl Wake {
    pub(super) const fn new(now: Instant, wall: SystemTime, addresses: Vec<IpAddr>) -> Self {
        Self { looked: (now, wall), addresses }
    }

    /// Looks again; the sign since the last look, if there is one.
    pub(super) fn look(&mut self, now: Instant, wall: SystemTime, mut addresses: Vec<IpAddr>) -> Option<Sign> {
        let (before, wall_before) = std::mem::replace(&mut self.looked, (now, wall));
        let passed = now.saturating_duration_since(before);
        let slept = wall.duration_since(wall_before).is_ok_and(|wall_passed| wall_passed > passed + SLEPT);
        addresses.sort_unstable();
        let changed = addresses != self.addresses;
        self.addresses.clone_from(&addresses);
        match (slept, changed) {
            (true, _) => Some(Sign::Slept),
            (false, true) => Some(Sign::Addresses(addresses)),
            (false, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_and_changes_of_address_show_and_usual_time_does_not() {
        let (now, wall) = (Instant::now(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000));
        let later = |seconds| (now + Duration::from_secs(seconds), wall + Duration::from_secs(seconds));
        let addresses = |last: u8| vec![IpAddr::from([192, 0, 2, last])];
        let mut wake = Wake::new(now, wall, addresses(1));
        let (now, wall) = later(2);
        assert_eq!(wake.look(now, wall, addresses(1)), None);
        assert_eq!(wake.look(now, wall + Duration::from_secs(9), addresses(1)), None);
        assert_eq!(wake.look(now, wall + Duration::from_secs(60), addresses(1)), Some(Sign::Slept));
        assert_eq!(wake.look(now, wall, addresses(1)), None, "a clock that was set back");
        assert_eq!(wake.look(now, wall, addresses(2)), Some(Sign::Addresses(addresses(2))));
        assert_eq!(wake.look(now, wall, addresses(2)), None);
    }
}
