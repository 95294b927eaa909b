//! Which speaker plays: the chosen one, or the system's default while that is gone. Pure; the controller does what
//! follows.

use crate::call::DeviceKind;
use crate::store::DeviceChoice;

use super::{DeviceFault, Event};

/// Which speaker plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Plays {
    /// The chosen one, as far as is known.
    #[default]
    Chosen,
    /// The system's default, in its place.
    StandIn,
    /// The chosen one is there again and is being opened.
    Returning,
}

/// What is known of the speaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SpeakerChoice {
    plays: Plays,
    /// A thread looks for the chosen one.
    looking: bool,
}

impl SpeakerChoice {
    /// Whether another speaker than the chosen one is to play.
    pub(super) fn stands_in(&self) -> bool {
        self.plays == Plays::StandIn
    }

    /// The speaker that is asked for gave a fault; true when the default is to take the place of the `chosen` one.
    pub(super) fn is_gone(&mut self, chosen: &DeviceChoice, fault: &DeviceFault) -> bool {
        let gone = !self.stands_in() && matches!(chosen, DeviceChoice::Named(_)) && fault.is_gone();
        if gone {
            self.plays = Plays::StandIn;
        }
        gone
    }

    /// The speaker `name` plays; what is to be told of it, if it stands in for the `chosen` one or is back.
    pub(super) fn works(&mut self, chosen: &DeviceChoice, name: String) -> Option<Event> {
        let device = DeviceKind::Speaker;
        match self.plays {
            Plays::Chosen => None,
            // The chosen one is the default, and back: the next look will find it.
            Plays::StandIn if chosen.to_string() == name => None,
            Plays::StandIn => Some(Event::DeviceFallback { device, chosen: chosen.to_string(), name }),
            Plays::Returning => {
                self.plays = Plays::Chosen;
                Some(Event::DeviceRecovered { device, name })
            }
        }
    }

    /// True when a look for the chosen one is to begin.
    pub(super) fn begin_look(&mut self) -> bool {
        let begins = self.stands_in() && !self.looking;
        self.looking |= begins;
        begins
    }

    /// The look is over.
    pub(super) fn end_look(&mut self) {
        self.looking = false;
    }

    /// The look is over and found these; true when the `chosen` one is to be opened again.
    pub(super) fn found(&mut self, chosen: &DeviceChoice, names: &[String]) -> bool {
        self.end_look();
        let back = matches!(chosen, DeviceChoice::Named(name) if names.contains(name)) && self.stands_in();
        if back {
            self.plays = Plays::Returning;
        }
        back
    }

    /// The next time begins with the chosen one; true when another one was to play.
    pub(super) fn forget(&mut self) -> bool {
        std::mem::take(&mut self.plays) != Plays::Chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_stands_in_for_a_speaker_that_is_gone_until_it_is_back() {
        let chosen = DeviceChoice::Named("Headset".into());
        let mut speaker = SpeakerChoice::default();
        assert_eq!(speaker.works(&chosen, "Headset".into()), None);
        assert!(!speaker.is_gone(&chosen, &DeviceFault::Busy), "it is there");
        assert!(speaker.is_gone(&chosen, &DeviceFault::Unplugged) && speaker.stands_in());
        assert!(!speaker.is_gone(&chosen, &DeviceFault::Missing), "the default is missing, too");
        let fallback =
            Event::DeviceFallback { device: DeviceKind::Speaker, chosen: chosen.to_string(), name: "Built-in".into() };
        assert_eq!(speaker.works(&chosen, "Built-in".into()), Some(fallback));
        assert!(speaker.begin_look() && !speaker.begin_look(), "one look at a time");
        assert!(!speaker.found(&chosen, &["Built-in".into()]));
        assert!(speaker.begin_look() && speaker.found(&chosen, &["Built-in".into(), "Headset".into()]));
        let back = Event::DeviceRecovered { device: DeviceKind::Speaker, name: "Headset".into() };
        assert_eq!(speaker.works(&chosen, "Headset".into()), Some(back));
        assert!(!speaker.begin_look() && !speaker.forget());
    }

    #[test]
    fn nothing_stands_in_for_the_default_itself() {
        let mut speaker = SpeakerChoice::default();
        assert!(!speaker.is_gone(&DeviceChoice::SystemDefault, &DeviceFault::Missing));
    }
}
