//! Calls of this side: the state chart with the inputs that wait for it, the people of the call who have gone offline,
//! the watch on this computer's addresses, and the outcome that the window shows.
//!
//! ```text
//! Core::step -> enqueue -> advance -> effects -> Core::carry_out -> (further inputs) -> advance ...
//! ```

mod absences;
mod network_watch;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use crate::call::{
    CallError, CallMachine, CallState, ConversationId, Effect, IncomingInvite, Input, InviteId, Participant,
    ParticipantState,
};
use crate::identity::PeerId;
use crate::media::{MediaSet, MediaTime, StreamId};

use super::Outcome;
use super::people::echo_id;
use absences::Absences;
use network_watch::NetworkWatch;

/// The state chart and the parts of the present call.
pub(super) struct Calls {
    machine: CallMachine,
    /// Inputs that wait for the state chart; not empty only within a step.
    inputs: VecDeque<Input>,
    stepping: bool,
    /// Why the latest press was refused, until that is told.
    refusal: Option<CallError>,
    outcome: Option<Outcome>,
    absences: Absences,
    network_watch: NetworkWatch,
}

impl Calls {
    /// Calls of the person `me`, whose name others see.
    pub(super) fn new(me: PeerId, name: &str) -> Self {
        Self {
            machine: CallMachine::new(me, name),
            inputs: VecDeque::new(),
            stepping: false,
            refusal: None,
            outcome: None,
            absences: Absences::default(),
            network_watch: NetworkWatch::default(),
        }
    }

    /// Changes the name that others see.
    pub(super) fn set_name(&mut self, name: &str) {
        self.machine.set_name(name);
    }

    /// State of the chart.
    pub(super) fn state(&self) -> &CallState {
        self.machine.state()
    }

    /// Queues an input; false while a step goes on, which takes it in its turn. So inputs that follow from an effect
    /// wait until the effects before it are done, and each input finds the world as the chart believes it to be.
    pub(super) fn enqueue(&mut self, input: Input) -> bool {
        self.inputs.push_back(input);
        !std::mem::replace(&mut self.stepping, true)
    }

    /// Takes the next input; the effects that follow from it. `None` ends the step.
    pub(super) fn advance(&mut self, now: MediaTime) -> Option<Vec<Effect>> {
        let input = self.inputs.pop_front();
        self.stepping = input.is_some();
        let mut effects = Vec::new();
        self.machine.step(now, input?, &mut effects);
        Some(effects)
    }

    /// Watches this computer's addresses for as long as somebody in the call is not heard. `addresses` gives those of
    /// the moment.
    pub(super) fn watch_network(&mut self, addresses: impl FnOnce() -> Vec<IpAddr>) {
        let CallState::Conversation(conversation) = self.machine.state() else {
            return self.network_watch.end();
        };
        let interrupted =
            |(_, participant): (_, &Participant)| matches!(participant.state(), ParticipantState::Interrupted { .. });
        let interrupted = conversation.participants().any(interrupted);
        self.network_watch.follow(interrupted, addresses);
    }

    /// This computer's networks are others.
    pub(super) fn networks_changed(&mut self) {
        self.network_watch.networks_changed();
    }

    /// True when the addresses are due to be looked at and are others than before.
    pub(super) fn addresses_changed(&mut self, addresses: impl FnOnce() -> Vec<IpAddr>) -> bool {
        self.network_watch.due().is_some() && self.network_watch.look(addresses())
    }

    /// Notes that somebody is there, or is not: a participant who stays away is gone.
    pub(super) fn note_presence(&mut self, id: PeerId, present: bool, now: MediaTime) {
        if present {
            self.absences.on_returned(id);
        } else if self.takes_part(id) || self.waiting_of(id).is_some() {
            self.absences.on_left(id, now);
        }
    }

    /// Takes out somebody who counts as gone by now.
    pub(super) fn take_gone(&mut self, now: MediaTime) -> Option<PeerId> {
        self.absences.take_gone(now)
    }

    /// When something of this is due.
    pub(super) fn due(&self) -> Option<MediaTime> {
        [self.machine.next_deadline(), self.absences.due(), self.network_watch.due()].into_iter().flatten().min()
    }

    /// True when a deadline of the state chart has passed.
    pub(super) fn is_due(&self, now: MediaTime) -> bool {
        self.machine.next_deadline().is_some_and(|deadline| deadline <= now)
    }

    /// Lets the deadline of what is still released pass now: nothing more is waited for. The effects that follow.
    pub(super) fn expire(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some(deadline) = self.machine.next_deadline().filter(|_| self.machine.is_closing()) {
            self.machine.step(deadline, Input::Deadline, &mut effects);
        }
        effects
    }

    /// True when there is no call, and nothing of the latest one is left to be released.
    pub(super) fn is_over(&self) -> bool {
        self.is_idle() && !self.machine.is_closing()
    }

    /// True when nobody calls and nobody is called.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.state(), CallState::Idle)
    }

    /// This side's streams, on where it means to send; `None` outside a call.
    pub(super) fn sends(&self) -> Option<MediaSet> {
        match self.state() {
            CallState::Idle | CallState::Incoming(_) => None,
            CallState::Outgoing(outgoing) => Some(outgoing.sends()),
            CallState::Conversation(conversation) => Some(conversation.sends()),
        }
    }

    /// Lines of each of this side's pictures that are of use to each of the others, where they have said it.
    pub(super) fn wishes(&self) -> impl Iterator<Item = (PeerId, &BTreeMap<StreamId, u32>)> {
        let conversation = match self.state() {
            CallState::Conversation(conversation) => Some(conversation),
            CallState::Idle | CallState::Outgoing(_) | CallState::Incoming(_) => None,
        };
        let others = conversation.into_iter().flat_map(|conversation| conversation.participants());
        others.map(|(id, one)| (id, one.wishes()))
    }

    /// Callers who wait beside the present call.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &IncomingInvite> {
        self.machine.waiting()
    }

    /// The invite of this person that waits.
    pub(super) fn waiting_of(&self, id: PeerId) -> Option<InviteId> {
        self.waiting().find(|waiting| waiting.from() == id).map(IncomingInvite::invite)
    }

    /// True while the person is asked about this invite: it rings, or waits.
    pub(super) fn asks_about(&self, invite: InviteId) -> bool {
        let rings = matches!(self.state(), CallState::Incoming(incoming) if incoming.invite() == invite);
        rings || self.waiting().any(|waiting| waiting.invite() == invite)
    }

    /// True when the present call is with the test contact alone.
    pub(super) fn is_with_echo(&self) -> bool {
        !self.is_idle() && self.takes_part(echo_id())
    }

    /// True when the present call, or the ringing for it, is with this person.
    pub(super) fn takes_part(&self, id: PeerId) -> bool {
        match self.state() {
            CallState::Idle => false,
            CallState::Outgoing(outgoing) => outgoing.to() == id,
            CallState::Incoming(incoming) => incoming.from() == id,
            CallState::Conversation(conversation) => conversation.participants().any(|(peer, _)| peer == id),
        }
    }

    /// The conversation, once somebody in it is connected.
    pub(super) fn connected(&self) -> Option<ConversationId> {
        match self.state() {
            CallState::Conversation(call) if call.connected_at().is_some() => Some(call.id()),
            _ => None,
        }
    }

    /// The state chart has refused a press.
    pub(super) fn note_refusal(&mut self, error: CallError) {
        self.refusal = Some(error);
    }

    /// Takes the refusal of the press that was just made; `Ok` where it was carried out.
    pub(super) fn take_refusal(&mut self) -> Result<(), CallError> {
        self.refusal.take().map_or(Ok(()), Err)
    }

    /// Outcome of the latest call, while the window shows it.
    pub(super) const fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// Takes the outcome away.
    pub(super) fn take_outcome(&mut self) -> Option<Outcome> {
        self.outcome.take()
    }

    /// Shows how a call ended, or no more.
    pub(super) fn set_outcome(&mut self, outcome: Option<Outcome>) {
        self.outcome = outcome;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{InviteId, Press};

    fn invite(to: PeerId) -> Input {
        Input::Local(Press::Invite {
            invite: InviteId::from_bits(1),
            conversation: ConversationId::from_bits(1),
            to,
            user_data: String::new(),
            streams: MediaSet::of_call(true, false),
        })
    }

    #[test]
    fn an_input_within_a_step_waits_for_its_turn() {
        let (me, other) = (PeerId::from_bytes([1; 32]), PeerId::from_bytes([2; 32]));
        let now = MediaTime::from_millis(1);
        let mut calls = Calls::new(me, "Ann");
        assert!(calls.enqueue(invite(other)));
        assert!(calls.advance(now).is_some_and(|effects| !effects.is_empty()));
        assert!(calls.takes_part(other) && !calls.is_idle());
        assert!(!calls.enqueue(Input::Local(Press::Leave)), "the step goes on");
        assert!(calls.advance(now).is_some() && calls.advance(now).is_none());
        assert!(calls.is_idle() && calls.enqueue(invite(other)), "the next step");
    }

    #[test]
    fn only_people_of_the_call_are_missed() {
        let (me, other, stranger) =
            (PeerId::from_bytes([1; 32]), PeerId::from_bytes([2; 32]), PeerId::from_bytes([3; 32]));
        let at = MediaTime::from_millis;
        let mut calls = Calls::new(me, "Ann");
        calls.enqueue(invite(other));
        while calls.advance(at(0)).is_some() {}
        calls.note_presence(stranger, false, at(0));
        calls.note_presence(other, false, at(0));
        calls.note_presence(other, true, at(10));
        assert_eq!(calls.take_gone(at(60_000)), None, "back in time");
        calls.note_presence(other, false, at(20));
        assert_eq!((calls.take_gone(at(60_000)), calls.take_gone(at(60_000))), (Some(other), None));
    }
}
