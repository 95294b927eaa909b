//! Watch on changes of this computer's addresses while somebody in the call is not heard. Nothing is looked at as long
//! as the media flows: an address that goes takes the media with it. Pure; time and addresses are arguments.

use std::net::IpAddr;
use std::time::Duration;

use crate::media::MediaTime;

/// Between looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The addresses that the call's connections were made with, and when to look at those of the moment.
#[derive(Debug, Default)]
pub(super) struct NetworkWatch {
    /// Sorted; of the call's beginning, of the end of the latest interruption, or of the latest look.
    known: Option<Vec<IpAddr>>,
    due: Option<MediaTime>,
}

impl NetworkWatch {
    /// Follows a call: somebody in it is not heard, or everybody is. `addresses` gives those of the moment.
    pub(super) fn follow(&mut self, interrupted: bool, now: MediaTime, addresses: impl FnOnce() -> Vec<IpAddr>) {
        if self.known.is_none() || (!interrupted && self.due.is_some()) {
            self.known = Some(sorted(addresses()));
            self.due = None;
        }
        if interrupted && self.due.is_none() {
            self.due = Some(now);
        }
    }

    /// There is no call.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    /// When to look.
    pub(super) const fn due(&self) -> Option<MediaTime> {
        self.due
    }

    /// Looks at the `addresses` of the moment; true when they are others than before, and lead somewhere.
    pub(super) fn look(&mut self, now: MediaTime, addresses: Vec<IpAddr>) -> bool {
        self.due = Some(now + LOOK_EVERY);
        let addresses = sorted(addresses);
        let leads_somewhere = addresses.iter().any(|address| !address.is_loopback());
        let changed = self.known.as_ref() != Some(&addresses);
        self.known = Some(addresses);
        changed && leads_somewhere
    }
}

fn sorted(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    addresses.sort_unstable();
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_looked_at_only_while_somebody_is_not_heard() {
        let at = MediaTime::from_millis;
        let home = || vec![IpAddr::from([192, 0, 2, 7]), IpAddr::from([192, 0, 2, 3])];
        let mut watch = NetworkWatch::default();
        watch.follow(false, at(0), home);
        assert_eq!(watch.due(), None);
        watch.follow(true, at(5_000), || unreachable!("those of before the interruption are known"));
        assert_eq!(watch.due(), Some(at(5_000)), "at once");
        assert!(!watch.look(at(5_000), home().into_iter().rev().collect()), "in whatever order");
        watch.follow(true, at(5_500), home);
        assert_eq!(watch.due(), Some(at(7_000)));
        assert!(watch.look(at(7_000), vec![IpAddr::from([192, 0, 2, 9])]));
        assert!(!watch.look(at(9_000), vec![IpAddr::from([192, 0, 2, 9])]), "told once");
        assert!(!watch.look(at(11_000), vec![IpAddr::from([127, 0, 0, 1])]), "no network");
        assert!(watch.look(at(13_000), home()));
        watch.follow(false, at(13_500), home);
        assert_eq!(watch.due(), None);
        watch.follow(true, at(20_000), home);
        assert!(!watch.look(at(20_000), home()), "the call has gone on with these");
        watch.end();
        assert_eq!(watch.due(), None);
    }
}
