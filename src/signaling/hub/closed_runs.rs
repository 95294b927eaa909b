//! Runs of far apps whose computers closed the last connection to them, also of people who are forgotten otherwise: the
//! same run that is connected again never ended.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::identity::PeerId;

/// Runs remembered.
pub(super) const MAX_CLOSED: usize = 64;
/// Runs remembered of one person.
const MAX_OF_ONE: usize = 8;

/// Runs by person; the latest is last.
#[derive(Debug, Default)]
pub(super) struct ClosedRuns(VecDeque<(PeerId, Arc<str>)>);

impl ClosedRuns {
    /// The far computer closed the last connection to this run of a person's app. Strangers who come and go push out
    /// nobody who is known.
    pub(super) fn note(&mut self, id: PeerId, instance: Arc<str>, is_known: impl Fn(&PeerId) -> bool) {
        self.0.retain(|(closed, run)| *closed != id || *run != instance);
        if self.0.iter().filter(|(closed, _)| *closed == id).count() >= MAX_OF_ONE
            && let Some(oldest) = self.0.iter().position(|(closed, _)| *closed == id)
        {
            self.0.remove(oldest);
        }
        if self.0.len() >= MAX_CLOSED {
            let stranger = self.0.iter().position(|(other, _)| !is_known(other));
            self.0.remove(stranger.unwrap_or(0));
        }
        self.0.push_back((id, instance));
    }

    /// Whether it was this run of a person's app whose computer closed the last connection, which is forgotten then.
    pub(super) fn take(&mut self, id: &PeerId, instance: &str) -> bool {
        let place = self.0.iter().position(|(closed, run)| closed == id && **run == *instance);
        place.is_some_and(|place| self.0.remove(place).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_remembered_and_strangers_push_out_nobody_who_is_known() {
        let mut closed = ClosedRuns::default();
        let id = |number: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            PeerId::from_bytes(bytes)
        };
        let is_known = |other: &PeerId| *other == id(0);
        for number in 0..3 * MAX_CLOSED {
            closed.note(id(number), "run".into(), is_known);
        }
        closed.note(id(0), "later run".into(), is_known);
        closed.note(id(0), "later run".into(), is_known);
        assert_eq!(closed.0.len(), MAX_CLOSED);
        let mut take = |number, run| closed.take(&id(number), run);
        assert_eq!((take(0, "run"), take(0, "later run"), take(0, "later run")), (true, true, false));
        assert_eq!((take(1, "run"), take(3 * MAX_CLOSED - 1, "run")), (false, true));
        for run in 0..=MAX_OF_ONE {
            closed.note(id(0), format!("{run}").into(), is_known);
        }
        let kept = (0..=MAX_OF_ONE).filter(|run| closed.take(&id(0), &format!("{run}"))).count();
        assert_eq!(kept, MAX_OF_ONE, "one person pushes out nobody else");
    }
}
