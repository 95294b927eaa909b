//! One step of the state chart while it is taken: the time, and the effects so far.

use crate::identity::PeerId;
use crate::media::MediaTime;

use super::{CallReport, Effect, Message};

/// One turn of the machine: the time, and the effects so far.
pub(super) struct Context<'a> {
    pub(super) now: MediaTime,
    pub(super) effects: &'a mut Vec<Effect>,
}

impl Context<'_> {
    pub(super) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(super) fn send(&mut self, to: PeerId, message: Message) {
        self.effects.push(Effect::Send { to, message });
    }

    pub(super) fn report(&mut self, report: CallReport) {
        self.effects.push(Effect::Report(report));
    }
}
