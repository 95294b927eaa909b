//! Push to talk by a key that is held in any window: whoever is muted in a call is heard meanwhile. Pure.

use super::phase::Phase;

/// Whether the key is held to talk.
#[derive(Debug, Default)]
pub(super) struct Talk {
    talking: bool,
}

impl Talk {
    /// Whether sound is to be sent after a press or a release, if either changes that. A release mutes nobody who was
    /// heard already when the key was pressed.
    pub(super) fn hold(&mut self, held: bool, phase: Phase) -> Option<bool> {
        let begins = held && phase == Phase::InCall { heard: false };
        if held == self.talking || (held && !begins) {
            return None;
        }
        self.talking = held;
        matches!(phase, Phase::InCall { .. }).then_some(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MUTED: Phase = Phase::InCall { heard: false };
    const HEARD: Phase = Phase::InCall { heard: true };

    #[test]
    fn whoever_is_muted_is_heard_while_the_key_is_held_however_often_it_repeats() {
        let mut talk = Talk::default();
        assert_eq!(talk.hold(true, MUTED), Some(true));
        assert_eq!((talk.hold(true, MUTED), talk.hold(true, HEARD)), (None, None), "the key repeats");
        assert_eq!(talk.hold(false, HEARD), Some(false));
        assert_eq!(talk.hold(false, MUTED), None);
    }

    #[test]
    fn a_release_mutes_nobody_who_was_heard_and_outside_of_a_call_nothing_happens() {
        let mut talk = Talk::default();
        assert_eq!((talk.hold(true, HEARD), talk.hold(false, HEARD)), (None, None));
        for phase in [Phase::Idle, Phase::Calling] {
            assert_eq!((talk.hold(true, phase), talk.hold(false, phase)), (None, None));
        }
        assert_eq!(talk.hold(true, MUTED), Some(true));
        assert_eq!(talk.hold(false, Phase::Idle), None, "the call ended before the release");
        assert_eq!(talk.hold(true, MUTED), Some(true), "and the next begins anew");
    }
}
