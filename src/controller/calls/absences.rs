//! People of the present call who have gone offline, and since when. A connection that broke is often back within a
//! second; only somebody who stays away is gone. Pure; time is an argument.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::identity::PeerId;
use crate::media::MediaTime;

/// With the 4.5 s after which a silent connection counts as broken, a person who vanishes is gone within 10 s.
const RETURN_WAIT: Duration = Duration::from_secs(4);

/// People who are away, and when each counts as gone.
#[derive(Debug, Default)]
pub(super) struct Absences {
    gone_at: BTreeMap<PeerId, MediaTime>,
}

impl Absences {
    /// Somebody who takes part in the present call is away since `now`.
    pub(super) fn on_left(&mut self, id: PeerId, now: MediaTime) {
        self.gone_at.entry(id).or_insert(now + RETURN_WAIT);
    }

    /// Somebody is there.
    pub(super) fn on_returned(&mut self, id: PeerId) {
        self.gone_at.remove(&id);
    }

    /// When the next one counts as gone.
    pub(super) fn due(&self) -> Option<MediaTime> {
        self.gone_at.values().min().copied()
    }

    /// Takes out one who counts as gone by now.
    pub(super) fn take_gone(&mut self, now: MediaTime) -> Option<PeerId> {
        let gone = self.gone_at.iter().find(|&(_, &at)| at <= now).map(|(&id, _)| id)?;
        self.gone_at.remove(&gone);
        Some(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> PeerId {
        PeerId::from_bytes([byte; 32])
    }

    #[test]
    fn who_stays_away_is_gone_once_and_who_returns_is_not() {
        let at = MediaTime::from_millis;
        let mut absences = Absences::default();
        absences.on_left(id(1), at(0));
        absences.on_left(id(2), at(1_000));
        absences.on_left(id(1), at(3_000));
        assert_eq!(absences.due(), Some(at(4_000)), "the first report counts");
        assert_eq!(absences.take_gone(at(3_999)), None);
        absences.on_returned(id(2));
        assert_eq!(absences.take_gone(at(9_000)), Some(id(1)));
        assert_eq!((absences.take_gone(at(9_000)), absences.due()), (None, None));
    }
}
