//! Speaker of this side, with all that is played on it: voices, rings and the test chime. While the chosen one is gone
//! the system's default plays in its place, and the list of devices is looked at until it is back.

use std::sync::Arc;
use std::time::Duration;

use crate::device::{Change, DeviceChoice, DeviceError, DeviceFault, DeviceKind, StandIn};
use crate::media::{LevelMeter, MediaTime};
use crate::media_receive::SharedAvSync;
use crate::playout::{AudioInput, EchoTap, ParticipantAudio, Playout, Sound, SoundEvent, list_speakers};

use super::Event;
use super::device_list::listed;
use super::lanes::SystemSender;
use super::system_event::SystemEvent;

const DEVICE: DeviceKind = DeviceKind::Speaker;

/// From the beginning of a stand-in to the first look: a chime is heard to its end.
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// Between looks for the chosen speaker.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The speaker and its playout.
pub(super) struct Speaker {
    playout: Playout,
    stand_in: StandIn<()>,
    fault: Option<DeviceFault>,
    /// Tells the reports of the speaker that is asked for from those of earlier ones.
    generation: u64,
    next_look: Option<MediaTime>,
    /// A thread lists the speakers.
    looking: bool,
    system: SystemSender,
}

impl Speaker {
    /// With the speaker `chosen`, which opens when something is played.
    pub(super) fn new(chosen: DeviceChoice, system: SystemSender) -> Self {
        let events = system.clone();
        let playout = Playout::new(move |generation, event| {
            events.send(SystemEvent::Sound { device: DEVICE, generation, event });
        });
        let generation = playout.set_speaker(&chosen);
        let stand_in = StandIn::new(chosen);
        Self { playout, stand_in, fault: None, generation, next_look: None, looking: false, system }
    }

    /// Chooses another speaker; reports of the one before are late from now on.
    pub(super) fn choose(&mut self, chosen: DeviceChoice) {
        self.stand_in = StandIn::new(chosen);
        self.next_look = None;
        self.play_on_chosen();
    }

    /// Fault of the speaker that is asked for.
    pub(super) const fn fault(&self) -> Option<&DeviceFault> {
        self.fault.as_ref()
    }

    /// Plays `sound` from its beginning.
    pub(super) fn play(&self, sound: Sound) {
        self.play_at(sound, 100);
    }

    /// Plays `sound` from its beginning, at a volume in percent.
    pub(super) fn play_at(&self, sound: Sound, volume: u8) {
        self.playout.play(sound, volume);
    }

    /// Whether `sound` is to be played.
    #[cfg(test)]
    pub(super) fn plays(&self, sound: Sound) -> bool {
        self.playout.plays(sound)
    }

    /// Stops `sound`.
    pub(super) fn stop(&self, sound: Sound) {
        self.playout.stop(sound);
    }

    /// Adds a voice, whose loudness `level` shows.
    pub(super) fn add_participant(
        &self,
        level: Arc<LevelMeter>,
        av_sync: SharedAvSync,
    ) -> (AudioInput, ParticipantAudio) {
        self.playout.add_participant(level, av_sync)
    }

    /// For the echo cancellation of microphones.
    pub(super) fn echo_tap(&self) -> EchoTap {
        self.playout.echo_tap()
    }

    /// Takes a speaker's report, unless it is about one that was chosen before; the event to tell.
    pub(super) fn on_event(&mut self, now: MediaTime, generation: u64, event: SoundEvent) -> Option<Event> {
        if generation != self.generation {
            return None;
        }
        match event {
            SoundEvent::Opened { name } => {
                self.fault = None;
                self.stand_in.on_opened(&name).map(changed)
            }
            SoundEvent::Fault(error) => self.on_fault(now, &error),
            SoundEvent::Recovered { name } => {
                self.fault = None;
                let is_chosen = self.stand_in.device().is_none();
                let recovered = || is_chosen.then(|| Change::Recovered { name: name.clone() });
                self.stand_in.on_opened(&name).or_else(recovered).map(changed)
            }
            // Microphones alone report it.
            SoundEvent::Silence { .. } => None,
        }
    }

    fn on_fault(&mut self, now: MediaTime, error: &DeviceError) -> Option<Event> {
        let known = self.fault.replace(error.fault.clone()).is_some() && self.stand_in.device().is_some();
        let event = (!known).then(|| Event::of_device_error(error, self.stand_in.chosen()));
        self.stand_in.on_fault(&error.fault);
        if self.stand_in.is_wanted() {
            self.stand_in.begin(());
            self.generation = self.playout.set_speaker(&DeviceChoice::SystemDefault);
            self.next_look = Some(now + FIRST_LOOK);
        }
        event
    }

    /// When to look for the chosen speaker.
    pub(super) const fn due(&self) -> Option<MediaTime> {
        self.next_look
    }

    /// Looks for the chosen speaker on a thread of its own, if that is due; where the speaker is not in use, the chosen
    /// one is to be tried first the next time.
    pub(super) fn on_deadline(&mut self, now: MediaTime, in_use: bool) {
        if self.next_look.is_none_or(|due| due > now) {
            return;
        }
        if !in_use {
            self.next_look = None;
            self.stand_in.end();
            return self.play_on_chosen();
        }
        self.next_look = Some(now + LOOK_EVERY);
        if self.looking {
            return;
        }
        let system = self.system.clone();
        let look = move || system.send(SystemEvent::Speakers(listed(list_speakers)));
        match std::thread::Builder::new().name("devices".into()).spawn(look) {
            Ok(_) => self.looking = true,
            Err(error) => tracing::warn!("no thread to look for the speaker on: {error}"),
        }
    }

    /// Takes the list of the speakers that are plugged in now.
    pub(super) fn on_plugged_in(&mut self, names: &[String]) {
        self.looking = false;
        if self.stand_in.on_found(names).is_some() {
            self.next_look = None;
            self.play_on_chosen();
        }
    }

    fn play_on_chosen(&mut self) {
        self.generation = self.playout.set_speaker(self.stand_in.chosen());
    }
}

fn changed(change: Change) -> Event {
    Event::of_device_change(DEVICE, change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::lanes::Lanes;

    const NOW: MediaTime = MediaTime::from_millis(1_000);

    fn named(name: &str) -> DeviceChoice {
        DeviceChoice::Named(name.to_owned())
    }

    fn speaker() -> Speaker {
        Speaker::new(named("Old speaker"), Lanes::new().0.parts.system)
    }

    fn unplugged() -> SoundEvent {
        SoundEvent::Fault(DeviceFault::Unplugged.of(DEVICE))
    }

    fn opened(name: &str) -> SoundEvent {
        SoundEvent::Opened { name: name.to_owned() }
    }

    fn recovered(name: &str) -> SoundEvent {
        SoundEvent::Recovered { name: name.to_owned() }
    }

    #[test]
    fn a_late_fault_of_the_speaker_before_is_not_charged_to_the_new_one() {
        let mut speaker = speaker();
        let old = speaker.generation;
        speaker.choose(named("New speaker"));
        let new = speaker.generation;
        assert_ne!(old, new);
        for late in [unplugged(), opened("Old speaker"), unplugged(), recovered("Old speaker")] {
            assert_eq!(speaker.on_event(NOW, old, late), None, "nothing is told");
        }
        assert!(speaker.fault().is_none() && speaker.stand_in.device().is_none() && speaker.due().is_none());

        assert!(matches!(speaker.on_event(NOW, new, unplugged()), Some(Event::DeviceError { device: DEVICE, .. })));
        assert!(speaker.stand_in.device().is_some(), "the default takes its place");
        // An event of the chosen one after that is late, too.
        let stand_in = speaker.generation;
        assert_ne!(stand_in, new);
        assert_eq!(speaker.on_event(NOW, new, recovered("New speaker")), None);
        assert!(matches!(speaker.on_event(NOW, stand_in, opened("Built-in")), Some(Event::DeviceFallback { .. })));
    }

    #[test]
    fn the_same_speaker_chosen_again_goes_on_being_heard() {
        let mut speaker = speaker();
        let generation = speaker.generation;
        speaker.choose(named("Old speaker"));
        assert_eq!(speaker.generation, generation);
        assert!(matches!(speaker.on_event(NOW, generation, unplugged()), Some(Event::DeviceError { .. })));
    }

    #[test]
    fn the_chosen_speaker_is_looked_for_while_something_is_played_and_tried_first_after_that() {
        let mut speaker = speaker();
        let chosen = speaker.generation;
        drop(speaker.on_event(NOW, chosen, unplugged()));
        assert_eq!(speaker.due(), Some(NOW + FIRST_LOOK));
        speaker.on_deadline(NOW, true);
        assert!(!speaker.looking, "not yet");
        let at = NOW + FIRST_LOOK;
        speaker.on_deadline(at, true);
        assert!(speaker.looking && speaker.due() == Some(at + LOOK_EVERY));
        speaker.on_plugged_in(&["Built-in".to_owned()]);
        assert!(!speaker.looking && speaker.stand_in.device().is_some());
        speaker.on_plugged_in(&["Old speaker".to_owned()]);
        assert!(speaker.stand_in.device().is_none() && speaker.due().is_none());
        let told = speaker.on_event(at, speaker.generation, opened("Old speaker"));
        assert!(matches!(told, Some(Event::DeviceRecovered { .. })), "{told:?}");

        drop(speaker.on_event(at, speaker.generation, unplugged()));
        let stand_in = speaker.generation;
        speaker.on_deadline(at + FIRST_LOOK, false);
        assert!(speaker.stand_in.device().is_none() && speaker.due().is_none());
        assert_ne!(speaker.generation, stand_in, "the chosen one is asked for");
    }

    #[test]
    fn a_fault_of_the_stand_in_is_told_once_and_its_recovery_as_a_fallback() {
        let mut speaker = speaker();
        drop(speaker.on_event(NOW, speaker.generation, unplugged()));
        let stand_in = speaker.generation;
        let missing = || SoundEvent::Fault(DeviceFault::Missing.of(DEVICE));
        assert_eq!(speaker.on_event(NOW, stand_in, missing()), None, "as was said of the chosen one");
        assert_eq!(speaker.on_event(NOW, stand_in, missing()), None);
        assert!(matches!(speaker.on_event(NOW, stand_in, recovered("Built-in")), Some(Event::DeviceFallback { .. })));
        let told = speaker.on_event(NOW, stand_in, missing());
        assert!(matches!(told, Some(Event::DeviceError { fault: DeviceFault::Missing, .. })), "{told:?}");
    }
}
