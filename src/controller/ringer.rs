//! Ringtone: on the speaker of calls, or on one of its own, at a volume of its own. While that one fails, the speaker
//! of calls rings: a headset that is unplugged must not cost a call.

use crate::device::DeviceChoice;
use crate::playout::{Playout, Sound, SoundEvent};

use super::lanes::SystemSender;
use super::speaker::Speaker;
use super::system_event::SystemEvent;

/// The ringtone and the speaker of its own.
pub(super) struct Ringer {
    own: Option<OwnSpeaker>,
    volume: u8,
    rings: bool,
    system: SystemSender,
}

struct OwnSpeaker {
    playout: Playout,
    choice: DeviceChoice,
    /// Tells the reports of the speaker that is asked for from those of earlier ones.
    generation: u64,
    fails: bool,
}

impl Ringer {
    /// Rings on the speaker of calls, until it is told otherwise.
    pub(super) const fn new(system: SystemSender) -> Self {
        Self { own: None, volume: 100, rings: false, system }
    }

    /// Follows the settings: the speaker of its own, and the volume in percent. A ring that sounds goes on there.
    pub(super) fn follow(&mut self, choice: Option<&DeviceChoice>, volume: u8, calls: &Speaker) {
        if self.own.as_ref().map(|own| &own.choice) == choice && self.volume == volume {
            return;
        }
        let rings = self.rings;
        self.stop(calls);
        self.volume = volume;
        self.own = choice.map(|choice| OwnSpeaker::new(choice.clone(), self.own.take(), &self.system));
        if rings {
            self.ring(calls);
        }
    }

    /// Begins to ring.
    pub(super) fn ring(&mut self, calls: &Speaker) {
        self.rings = true;
        if let Some(own) = &self.own {
            own.playout.play(Sound::Ringtone, self.volume);
        }
        if self.own.as_ref().is_none_or(|own| own.fails) {
            calls.play_at(Sound::Ringtone, self.volume);
        }
    }

    /// Rings no more.
    pub(super) fn stop(&mut self, calls: &Speaker) {
        self.rings = false;
        if let Some(own) = &self.own {
            own.playout.stop(Sound::Ringtone);
        }
        calls.stop(Sound::Ringtone);
    }

    /// Takes a report of the speaker of its own, unless it is about one that was chosen before.
    pub(super) fn on_event(&mut self, generation: u64, event: &SoundEvent, calls: &Speaker) {
        let Some(own) = self.own.as_mut().filter(|own| own.generation == generation) else { return };
        let fails = match event {
            SoundEvent::Fault(error) => {
                tracing::info!("the speaker that rings: {error:?}");
                true
            }
            SoundEvent::Opened { .. } | SoundEvent::Recovered { .. } => false,
            SoundEvent::Silence { .. } => return,
        };
        if std::mem::replace(&mut own.fails, fails) == fails || !self.rings {
            return;
        }
        if fails {
            calls.play_at(Sound::Ringtone, self.volume);
        } else {
            calls.stop(Sound::Ringtone);
        }
    }
}

impl OwnSpeaker {
    /// With the threads of the one before, if there was one.
    fn new(choice: DeviceChoice, before: Option<Self>, system: &SystemSender) -> Self {
        let playout = before.map_or_else(
            || {
                let events = system.clone();
                Playout::new(move |generation, event| events.send(SystemEvent::RingSound { generation, event }))
            },
            |before| before.playout,
        );
        let generation = playout.set_speaker(&choice);
        Self { playout, choice, generation, fails: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::lanes::Lanes;
    use crate::device::{DeviceFault, DeviceKind};

    #[test]
    fn the_speaker_of_calls_rings_while_the_other_one_fails() {
        let system = || Lanes::new().0.parts.system;
        let calls = Speaker::new(DeviceChoice::None, system());
        let mut ringer = Ringer::new(system());
        let rings_on_calls = || calls.plays(Sound::Ringtone);
        ringer.ring(&calls);
        assert!(rings_on_calls());
        ringer.follow(Some(&DeviceChoice::None), 50, &calls);
        assert!(!rings_on_calls(), "it rings on the other one");
        let generation = ringer.own.as_ref().unwrap().generation;
        let fault = SoundEvent::Fault(DeviceFault::Missing.of(DeviceKind::Speaker));
        ringer.on_event(generation + 1, &fault, &calls);
        assert!(!rings_on_calls(), "late");
        ringer.on_event(generation, &fault, &calls);
        assert!(rings_on_calls());
        ringer.on_event(generation, &SoundEvent::Opened { name: "Box".into() }, &calls);
        assert!(!rings_on_calls());
        ringer.stop(&calls);
        ringer.on_event(generation, &fault, &calls);
        assert!(!rings_on_calls(), "nobody rings");
        ringer.ring(&calls);
        assert!(rings_on_calls(), "it is known to fail");
        ringer.follow(None, 100, &calls);
        assert!(rings_on_calls() && ringer.own.is_none());
        ringer.stop(&calls);
        assert!(!rings_on_calls());
    }
}
