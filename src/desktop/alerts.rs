//! Alerts: the news of each snapshot for the desktop. Pure.

use crate::call::InviteId;
use crate::controller::{CallView, HistoryEntry, IncomingView, OutcomeKind, Snapshot};

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Alert {
    /// Somebody rings.
    Ring(IncomingView),
    /// Nobody rings any more.
    RingEnded,
    /// Somebody has called in vain.
    Missed(HistoryEntry),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Alerts {
    ring: Option<InviteId>,
    /// The greatest number of a call that was seen, since the first snapshot: a later call has a greater one, even if
    /// it began earlier.
    seen: Option<i64>,
}

impl Alerts {
    /// The alerts of a snapshot. A window that has the person's `attention` shows all of this itself; somebody who does
    /// not want to be disturbed finds missed calls later.
    pub(super) fn follow(&mut self, snapshot: &Snapshot, attention: bool) -> Vec<Alert> {
        let rings = match &snapshot.call {
            CallView::Incoming(incoming) => Some(incoming),
            CallView::Idle | CallView::Outgoing(_) | CallView::Conversation(_) => snapshot.waiting.first(),
        };
        let mut alerts = self.ring_alerts(rings, attention);
        alerts.extend(self.missed_alerts(&snapshot.history, attention || snapshot.do_not_disturb));
        alerts
    }

    fn ring_alerts(&mut self, ringing: Option<&IncomingView>, attention: bool) -> Vec<Alert> {
        let mut alerts = Vec::new();
        if self.ring.is_some() && self.ring != ringing.map(|incoming| incoming.invite) {
            self.ring = None;
            alerts.push(Alert::RingEnded);
        }
        if let Some(incoming) = ringing.filter(|_| self.ring.is_none() && !attention) {
            self.ring = Some(incoming.invite);
            alerts.push(Alert::Ring(incoming.clone()));
        }
        alerts
    }

    fn missed_alerts(&mut self, history: &[HistoryEntry], quiet: bool) -> Vec<Alert> {
        let mut alerts = Vec::new();
        if let Some(seen) = self.seen
            && !quiet
        {
            let new = history.iter().filter(|call| call.number > seen);
            alerts.extend(new.filter(|call| is_missed(call)).cloned().map(Alert::Missed));
        }
        let latest = history.iter().map(|call| call.number).max().unwrap_or_default();
        self.seen = Some(self.seen.unwrap_or_default().max(latest));
        alerts
    }
}

fn is_missed(call: &HistoryEntry) -> bool {
    !call.seen && !call.outgoing && call.ended.kind == OutcomeKind::Missed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::Outcome;
    use crate::identity::PeerId;

    fn incoming(number: u128) -> IncomingView {
        IncomingView {
            invite: InviteId::from_bits(number),
            peer: PeerId::from_bytes([7; 32]),
            name: "Ada".into(),
            user_data: String::new(),
            known: true,
            namesake: None,
            with_video: true,
        }
    }

    fn past(at_unix_s: i64, kind: OutcomeKind) -> HistoryEntry {
        let (peer, name) = (PeerId::from_bytes([7; 32]), "Ada".to_owned());
        let ended = Outcome { peer, name: name.clone(), kind };
        HistoryEntry {
            number: at_unix_s,
            times: 1,
            peer,
            name,
            outgoing: false,
            at_unix_s,
            duration_s: 0,
            ended,
            seen: false,
            note: String::new(),
        }
    }

    #[test]
    fn a_ring_is_told_once_and_its_end_once() {
        let mut alerts = Alerts::default();
        assert_eq!(alerts.ring_alerts(Some(&incoming(1)), false), [Alert::Ring(incoming(1))]);
        assert_eq!(alerts.ring_alerts(Some(&incoming(1)), false), []);
        let next = [Alert::RingEnded, Alert::Ring(incoming(2))];
        assert_eq!(alerts.ring_alerts(Some(&incoming(2)), false), next, "a contact takes a stranger's place");
        assert_eq!(alerts.ring_alerts(None, true), [Alert::RingEnded]);
        assert_eq!(alerts.ring_alerts(None, false), []);
    }

    #[test]
    fn a_window_with_attention_needs_no_notification_until_it_loses_it() {
        let mut alerts = Alerts::default();
        assert_eq!(alerts.ring_alerts(Some(&incoming(1)), true), []);
        assert_eq!(alerts.ring_alerts(Some(&incoming(1)), false), [Alert::Ring(incoming(1))]);
    }

    #[test]
    fn missed_calls_are_told_as_they_come_and_not_those_of_before() {
        let mut alerts = Alerts::default();
        let mut told = |history: &[HistoryEntry]| alerts.missed_alerts(history, false);
        let (old, new) = (past(1, OutcomeKind::Missed), past(2, OutcomeKind::Missed));
        assert_eq!(told(std::slice::from_ref(&old)), []);
        assert_eq!(told(std::slice::from_ref(&old)), []);
        assert_eq!(told(&[new.clone(), old.clone()]), [Alert::Missed(new.clone())]);
        assert_eq!(told(&[past(3, OutcomeKind::Canceled), new.clone(), old]), []);
        assert_eq!(told(&[new]), [], "the history was shortened to a call that was told");
        assert_eq!(told(&[]), []);
        let (earlier, call) = (past(7, OutcomeKind::Missed), past(9, OutcomeKind::Canceled));
        let earlier = HistoryEntry { number: 10, ..earlier };
        assert_eq!(told(std::slice::from_ref(&call)), []);
        assert_eq!(told(&[call.clone(), earlier.clone()]), [Alert::Missed(earlier.clone())], "told late by their app");
        assert_eq!(told(&[call, earlier, past(5, OutcomeKind::Missed)]), [], "an older one, for which there is room");
    }
}
