//! Watch on the addresses of a call's connections while somebody in the call is not heard. Nothing is looked at as long
//! as the media flows. Pure; addresses are arguments.

use std::net::IpAddr;

use crate::media::MediaTime;

/// The addresses that the call's connections were made with, and whether to look at those of the moment.
#[derive(Debug, Default)]
pub(super) struct NetworkWatch {
    /// Sorted; of the call's beginning, of the end of the latest interruption, or of the latest look.
    known: Option<Vec<IpAddr>>,
    /// Somebody is not heard.
    interrupted: bool,
    is_due: bool,
}

impl NetworkWatch {
    /// Follows a call: somebody in it is not heard, or everybody is. `addresses` gives those of the moment.
    pub(super) fn follow(&mut self, interrupted: bool, addresses: impl FnOnce() -> Vec<IpAddr>) {
        if self.known.is_none() || (!interrupted && self.interrupted) {
            self.known = Some(sorted(addresses()));
        }
        self.is_due = interrupted && (self.is_due || !self.interrupted);
        self.interrupted = interrupted;
    }

    /// There is no call.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    /// This computer's networks are others.
    pub(super) const fn networks_changed(&mut self) {
        self.is_due = self.interrupted;
    }

    /// When to look: at once, if at all.
    pub(super) fn due(&self) -> Option<MediaTime> {
        self.is_due.then(MediaTime::default)
    }

    /// Looks at the `addresses` of the moment; true when they are others than before, and lead somewhere.
    pub(super) fn look(&mut self, addresses: Vec<IpAddr>) -> bool {
        self.is_due = false;
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
        let home = || vec![IpAddr::from([192, 0, 2, 7]), IpAddr::from([192, 0, 2, 3])];
        let mut watch = NetworkWatch::default();
        watch.networks_changed();
        watch.follow(false, home);
        watch.networks_changed();
        assert_eq!(watch.due(), None);
        watch.follow(true, || unreachable!("those of before the interruption are known"));
        assert_eq!(watch.due(), Some(MediaTime::default()), "at once");
        assert!(!watch.look(home().into_iter().rev().collect()), "in whatever order");
        watch.follow(true, home);
        assert_eq!(watch.due(), None, "no other networks");
        watch.networks_changed();
        watch.follow(true, home);
        assert!(watch.due().is_some() && watch.look(vec![IpAddr::from([192, 0, 2, 9])]));
        assert!(!watch.look(vec![IpAddr::from([192, 0, 2, 9])]), "told once");
        assert!(!watch.look(vec![IpAddr::from([127, 0, 0, 1])]), "no network");
        assert!(watch.look(home()));
        watch.networks_changed();
        watch.follow(false, home);
        assert_eq!(watch.due(), None);
        watch.follow(true, home);
        assert!(!watch.look(home()), "the call has gone on with these");
        watch.end();
        watch.networks_changed();
        assert_eq!(watch.due(), None);
    }
}
