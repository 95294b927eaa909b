//! Devices of calls: the device of a person that each call with them is at. Its messages go there, wherever the person
//! is reached otherwise. Pure; a person's state in the hub owns it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::runs::Runs;
use crate::call::{ConversationId, InviteId, Message};

/// Calls remembered of one person, the latest.
const MAX_CALLS: usize = 8;
/// Other devices remembered of one call.
const MAX_OTHERS: usize = 8;

/// Place of a message among the devices that its call is or was at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It comes from the device of its call, or is about no call that is known.
    AtCall,
    /// It comes from a device that another one of the same person has forestalled.
    Forestalled,
    /// One device is busy, and others ring.
    BusyAlone,
}

/// A call by the two names that its messages give it.
#[derive(Debug)]
struct Call {
    invite: InviteId,
    conversation: ConversationId,
    /// The run of the far app that rang, or that answered first. `None`: all of their devices ring.
    device: Option<Arc<str>>,
    /// Runs that were up beside it: other devices, unless they say that they are on the same one.
    others: Vec<Arc<str>>,
    /// Runs that were up when this side's invite went out, and those of them that are busy.
    rung: Vec<Arc<str>>,
    busy: Vec<Arc<str>>,
    /// One side has hung up, declined or taken it back.
    has_ended: bool,
}

/// Calls with one person; the latest is last.
#[derive(Debug, Default)]
pub(super) struct CallDevices(VecDeque<Call>);

impl CallDevices {
    /// This side sends a message to them, while these runs are up.
    pub(super) fn sent(&mut self, message: &Message, up: &[Arc<str>]) {
        self.note(message, up);
        self.note_end(message);
    }

    /// A message of theirs came from the device of the run `from`, while these runs were up.
    pub(super) fn received(&mut self, message: &Message, from: &Arc<str>, up: &[Arc<str>], runs: &Runs) -> Place {
        let place = self.place(message, from, up, runs);
        if place == Place::AtCall {
            self.note_end(message);
        }
        place
    }

    /// Place of a message of theirs, which may give its call a device.
    fn place(&mut self, message: &Message, from: &Arc<str>, up: &[Arc<str>], runs: &Runs) -> Place {
        if !message.is_automatic() {
            self.note(message, &[]);
        }
        let Some(call) = self.0.iter_mut().rev().find(|call| call.is_of(message)) else { return Place::AtCall };
        match (message, &call.device) {
            (Message::Busy { .. }, None) => {
                if call.busy.len() <= MAX_OTHERS && !call.busy.contains(from) {
                    call.busy.push(Arc::clone(from));
                }
                return if call.is_busy(up) { Place::AtCall } else { Place::BusyAlone };
            }
            (Message::Busy { .. }, Some(device)) if device != from => return Place::BusyAlone,
            (message, _) if message.is_automatic() => return Place::AtCall,
            // Whoever rings may do so from any device.
            (Message::Invite { .. }, Some(_)) => return Place::AtCall,
            (_, Some(device)) if device != from && call.is_elsewhere(device, from, runs) => return Place::Forestalled,
            (_, Some(device)) => {
                // The app was started anew.
                if runs.share_device(device, from) == Some(true) {
                    call.device = Some(Arc::clone(from));
                }
                return Place::AtCall;
            }
            (_, None) => {}
        }
        call.device = Some(Arc::clone(from));
        call.others = up.iter().filter(|run| *run != from).take(MAX_OTHERS).cloned().collect();
        Place::AtCall
    }

    /// The invite that rings no more, now that these runs alone are up: each of them that rang is busy. Told once.
    pub(super) fn take_busy(&mut self, up: &[Arc<str>]) -> Option<InviteId> {
        let is_it = |call: &&mut Call| call.device.is_none() && !call.busy.is_empty() && call.is_busy(up);
        let call = self.0.iter_mut().rev().find(is_it)?;
        call.busy.clear();
        call.has_ended = true;
        Some(call.invite)
    }

    /// A run is up, beside these.
    pub(super) fn up(&mut self, run: &Arc<str>, beside: &[Arc<str>]) {
        for call in &mut self.0 {
            let is_beside = call.device.as_ref().is_some_and(|device| device != run && beside.contains(device));
            if is_beside && !call.others.contains(run) && call.others.len() < MAX_OTHERS {
                call.others.push(Arc::clone(run));
            }
        }
    }

    /// The device that a message to them is for. `None`: any.
    pub(super) fn device_for(&self, message: &Message) -> Option<&Arc<str>> {
        let is_for_all = message.is_for_all_devices();
        self.0.iter().rev().find(|call| !is_for_all && call.is_of(message))?.device.as_ref()
    }

    /// Whether `run` may be a later run of the app at `device`: both are on one device, or, where one of them does not
    /// say, the two were never up together. An app that was started anew is to hear of the call of its former run, and
    /// another device is not.
    pub(super) fn may_follow(&self, device: &str, run: &Arc<str>, runs: &Runs) -> bool {
        !self.0.iter().any(|call| call.device.as_deref() == Some(device) && call.is_elsewhere(device, run, runs))
    }

    /// The device that the present call is at: the latest that has not ended.
    pub(super) fn present_device(&self) -> Option<&Arc<str>> {
        self.0.iter().rev().find(|call| !call.has_ended)?.device.as_ref()
    }

    /// Whether there was no call.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn note_end(&mut self, message: &Message) {
        if message.ends_call()
            && let Some(call) = self.0.iter_mut().rev().find(|call| call.is_of(message))
        {
            call.has_ended = true;
        }
    }

    fn note(&mut self, message: &Message, rung: &[Arc<str>]) {
        let Message::Invite { invite, conversation, .. } = *message else { return };
        if self.0.iter().any(|known| known.invite == invite) {
            return;
        }
        if self.0.len() >= MAX_CALLS {
            self.0.pop_front();
        }
        let rung = rung.iter().take(MAX_OTHERS + 1).cloned().collect();
        let (device, others, busy, has_ended) = (None, Vec::new(), Vec::new(), false);
        self.0.push_back(Call { invite, conversation, device, others, rung, busy, has_ended });
    }
}

impl Call {
    fn is_of(&self, message: &Message) -> bool {
        message.invite_id() == Some(self.invite) || message.conversation_id() == Some(self.conversation)
    }

    /// Whether `run` is on another device than the run that has the call.
    fn is_elsewhere(&self, device: &str, run: &Arc<str>, runs: &Runs) -> bool {
        runs.share_device(device, run).map_or_else(|| self.others.contains(run), |shared| !shared)
    }

    /// Whether each of these runs that it rang at is busy.
    fn is_busy(&self, up: &[Arc<str>]) -> bool {
        self.rung.iter().filter(|run| up.contains(run)).all(|run| self.busy.contains(run))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Description;
    use crate::identity::DeviceId;
    use crate::media::MediaSet;

    fn invite(number: u128) -> Message {
        let (invite, conversation) = (InviteId::from_bits(number), ConversationId::from_bits(number));
        let (name, user_data, streams) = (String::new(), String::new(), MediaSet::of_call(true, true));
        Message::Invite { invite, conversation, name, user_data, streams, descriptions: Description::VERSIONS }
    }

    fn ringing(number: u128) -> Message {
        Message::Ringing { invite: InviteId::from_bits(number) }
    }

    fn reject(number: u128) -> Message {
        Message::Reject { invite: InviteId::from_bits(number) }
    }

    fn accept(number: u128) -> Message {
        let (invite, streams) = (InviteId::from_bits(number), MediaSet::of_call(true, true));
        Message::Accept { invite, name: String::new(), streams }
    }

    fn media(number: u128) -> Message {
        Message::Media { conversation: ConversationId::from_bits(number), streams: MediaSet::of_call(true, false) }
    }

    fn leave(number: u128) -> Message {
        Message::Leave { conversation: ConversationId::from_bits(number) }
    }

    /// A message comes from somebody whose runs do not say where they are.
    fn hear(calls: &mut CallDevices, message: &Message, from: &Arc<str>, up: &[Arc<str>]) -> Place {
        calls.received(message, from, up, &Runs::default())
    }

    fn may_follow(calls: &CallDevices, device: &str, run: &Arc<str>) -> bool {
        calls.may_follow(device, run, &Runs::default())
    }

    fn runs<const N: usize>(names: [&str; N]) -> [Arc<str>; N] {
        names.map(Arc::from)
    }

    #[test]
    fn a_call_is_at_the_device_that_answered_first() {
        let (mut calls, [desk, lap]) = (CallDevices::default(), runs(["desk", "lap"]));
        let both = [Arc::clone(&desk), Arc::clone(&lap)];
        calls.sent(&invite(1), &[]);
        hear(&mut calls, &ringing(1), &lap, &both);
        assert_eq!(calls.device_for(&leave(1)), None, "an app rings by itself");
        assert_eq!(hear(&mut calls, &reject(1), &desk, &both), Place::AtCall);
        assert_eq!(hear(&mut calls, &reject(1), &lap, &both), Place::Forestalled);
        assert_eq!(hear(&mut calls, &ringing(1), &lap, &both), Place::AtCall);
        assert_eq!(hear(&mut calls, &leave(1), &"later".into(), &both), Place::AtCall);
        assert_eq!(calls.device_for(&leave(1)), Some(&desk));
        assert_eq!(calls.device_for(&Message::Cancel { invite: InviteId::from_bits(1) }), None, "all of them stop");
        assert_eq!(calls.device_for(&leave(2)), None);
        assert!(!may_follow(&calls, "desk", &lap) && may_follow(&calls, "desk", &"later".into()));
    }

    #[test]
    fn a_person_is_busy_once_every_device_that_rang_and_is_up_says_so() {
        let busy = Message::Busy { invite: InviteId::from_bits(1) };
        let [desk, lap, late] = runs(["desk", "lap", "late"]);
        let up = [Arc::clone(&desk), Arc::clone(&lap)];
        let mut calls = CallDevices::default();
        calls.sent(&invite(1), &up);
        assert_eq!(hear(&mut calls, &busy, &desk, &up), Place::BusyAlone);
        assert_eq!(calls.take_busy(&up), None, "the laptop rings");
        assert_eq!(calls.device_for(&leave(1)), None);
        let all = [Arc::clone(&desk), Arc::clone(&lap), Arc::clone(&late)];
        assert_eq!(hear(&mut calls, &busy, &lap, &all), Place::AtCall, "the late one did not ring");

        let mut calls = CallDevices::default();
        calls.sent(&invite(1), &up);
        hear(&mut calls, &busy, &desk, &up);
        assert_eq!(calls.take_busy(std::slice::from_ref(&desk)), Some(InviteId::from_bits(1)), "the laptop is gone");
        assert_eq!(calls.take_busy(std::slice::from_ref(&desk)), None);

        let mut calls = CallDevices::default();
        calls.sent(&invite(1), &up);
        hear(&mut calls, &reject(1), &lap, &up);
        assert_eq!(hear(&mut calls, &busy, &desk, &up), Place::BusyAlone, "the person has answered at the other");
        calls.sent(&invite(2), &[]);
        let of_second = Message::Busy { invite: InviteId::from_bits(2) };
        assert_eq!(hear(&mut calls, &of_second, &desk, &up), Place::AtCall, "nobody was up when it was sent");
    }

    #[test]
    fn whoever_rings_is_answered_at_that_device_although_a_call_is_at_another() {
        let (mut calls, [desk, lap]) = (CallDevices::default(), runs(["desk", "lap"]));
        calls.sent(&invite(1), &[]);
        hear(&mut calls, &reject(1), &desk, std::slice::from_ref(&desk));
        calls.up(&lap, &[Arc::clone(&desk)]);
        hear(&mut calls, &invite(2), &lap, &[Arc::clone(&desk), Arc::clone(&lap)]);
        let busy = Message::Busy { invite: InviteId::from_bits(2) };
        assert_eq!((calls.device_for(&busy), calls.device_for(&leave(1))), (Some(&lap), Some(&desk)));
        assert!(!may_follow(&calls, "desk", &lap) && !may_follow(&calls, "lap", &desk));
    }

    #[test]
    fn a_restarted_app_is_followed_and_another_device_never_is_whenever_they_come() {
        let [before, after, lap, old] = runs(["before", "after", "lap", "old"]);
        let mut devices = Runs::default();
        for (run, device) in [(&before, 1), (&after, 1), (&lap, 2)] {
            devices.note(run, Some(DeviceId::from_bytes([device; 16])));
        }
        // A server takes the ended run for one that is up, beside the new one.
        for beside in [vec![], vec![Arc::clone(&before)]] {
            let mut calls = CallDevices::default();
            calls.sent(&invite(1), &[]);
            assert_eq!(calls.received(&accept(1), &before, std::slice::from_ref(&before), &devices), Place::AtCall);
            for run in [&after, &lap, &old] {
                calls.up(run, &beside);
            }
            assert!(calls.may_follow("before", &after, &devices), "{beside:?}");
            assert!(!calls.may_follow("before", &lap, &devices), "it came while the other was away: {beside:?}");
            assert_eq!(calls.may_follow("before", &old, &devices), beside.is_empty(), "it does not say where it is");
            assert_eq!(calls.present_device(), Some(&before));
            let from = [&after, &lap].map(|run| calls.received(&media(1), run, &beside, &devices));
            assert_eq!(from, [Place::AtCall, Place::Forestalled], "{beside:?}");
            assert_eq!((calls.device_for(&leave(1)), calls.present_device()), (Some(&after), Some(&after)));
            assert_eq!(calls.received(&leave(1), &lap, &beside, &devices), Place::Forestalled);
            assert_eq!(calls.present_device(), Some(&after), "the other device ends nothing");
            assert_eq!(calls.received(&leave(1), &after, &beside, &devices), Place::AtCall);
            assert_eq!(calls.present_device(), None);
        }
    }

    #[test]
    fn the_present_call_is_the_latest_that_neither_side_has_ended() {
        let [desk, lap] = runs(["desk", "lap"]);
        let both = [Arc::clone(&desk), Arc::clone(&lap)];
        let (invite_id, conversation) = (InviteId::from_bits(2), ConversationId::from_bits(2));
        for (end, is_sent) in [
            (leave(2), true),
            (leave(2), false),
            (reject(2), true),
            (Message::Busy { invite: invite_id }, true),
            (Message::Cancel { invite: invite_id }, false),
            (Message::Ended { conversation }, true),
            (Message::Incompatible { conversation, version: 1 }, false),
        ] {
            let mut calls = CallDevices::default();
            calls.sent(&invite(1), &both);
            assert_eq!(calls.present_device(), None, "all of them ring");
            hear(&mut calls, &accept(1), &desk, &both);
            hear(&mut calls, &invite(2), &lap, &both);
            assert_eq!(calls.present_device(), Some(&lap));
            if is_sent {
                calls.sent(&end, &[]);
            } else {
                hear(&mut calls, &end, &lap, &both);
            }
            assert_eq!(calls.present_device(), Some(&desk), "{end:?}");
            calls.sent(&leave(1), &[]);
            assert_eq!(calls.present_device(), None, "{end:?}");
            assert_eq!(calls.device_for(&leave(1)), Some(&desk), "its last words go there all the same");
        }
    }

    #[test]
    fn few_calls_are_remembered_and_only_those_that_somebody_rang_for() {
        let (mut calls, [desk]) = (CallDevices::default(), runs(["desk"]));
        hear(&mut calls, &leave(9), &desk, &[]);
        assert!(calls.is_empty());
        for number in 0..3 * MAX_CALLS as u128 {
            hear(&mut calls, &invite(number), &desk, &[]);
        }
        assert_eq!(calls.0.len(), MAX_CALLS);
        assert_eq!((calls.device_for(&leave(0)), calls.device_for(&leave(23))), (None, Some(&desk)));
        for number in 0..2 * MAX_OTHERS {
            calls.up(&format!("{number}").into(), std::slice::from_ref(&desk));
        }
        assert!(calls.0.iter().all(|call| call.others.len() == MAX_OTHERS));
    }
}
