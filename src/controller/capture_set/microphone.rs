//! Microphone of this side. While the chosen one is gone, it goes on being tried and the system's default is heard in
//! its place.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::device::{Consent, DeviceChoice, DeviceFault, DeviceKind, StandIn};
use crate::media::LevelMeter;
use crate::media_send::MediaSend;
use crate::microphone::{Microphone, SoundEvent};
use crate::voice_processing::VoiceProcessor;

use super::open::Open;
use super::sound_sink::sound_sink;
use crate::controller::Event;
use crate::controller::lanes::PartSenders;
use crate::controller::system_event::SystemEvent;

const DEVICE: DeviceKind = DeviceKind::Microphone;

pub(super) type OpenMicrophone = Open<Microphone, DeviceChoice>;

/// Makes the processor for the sound of a microphone that is being opened.
pub(in crate::controller) type NewProcessor = Box<dyn Fn() -> VoiceProcessor + Send>;

/// The chosen microphone, and the one in its place.
pub(super) struct MicrophoneSlot {
    open: Option<OpenMicrophone>,
    stand_in: StandIn<OpenMicrophone>,
    /// The generation of the microphone whose sound is sent.
    heard: Arc<AtomicU64>,
    level: Arc<LevelMeter>,
    new_processor: NewProcessor,
    generation: u64,
    sending: MediaSend,
    parts: PartSenders,
}

impl MicrophoneSlot {
    pub(super) fn new(
        level: Arc<LevelMeter>,
        new_processor: NewProcessor,
        sending: MediaSend,
        parts: PartSenders,
    ) -> Self {
        Self {
            open: None,
            stand_in: StandIn::default(),
            heard: Arc::default(),
            level,
            new_processor,
            generation: 0,
            sending,
            parts,
        }
    }

    /// Its level.
    pub(super) const fn level(&self) -> &Arc<LevelMeter> {
        &self.level
    }

    /// Takes out the microphones that are not `wanted`.
    pub(super) fn settle(&mut self, wanted: Option<&DeviceChoice>) -> Vec<OpenMicrophone> {
        let mut closing: Vec<_> = self.open.take_if(|open| Some(&open.wish) != wanted).into_iter().collect();
        if self.open.is_none() {
            closing.extend(self.stand_in.end());
        }
        closing
    }

    /// Opens the microphone that is wanted, unless it is open, and the one in its place where that is wanted.
    pub(super) fn open_wanted(&mut self, consent: &Consent, wanted: Option<DeviceChoice>) {
        if let Some(choice) = wanted.filter(|_| self.open.is_none()) {
            self.stand_in = StandIn::new(choice.clone());
            self.open = Some(self.open(consent, choice));
        }
        if self.stand_in.is_wanted() {
            let device = self.open(consent, DeviceChoice::SystemDefault);
            self.stand_in.begin(device);
        }
    }

    /// Opens a microphone, which is the one to be heard from now on.
    fn open(&mut self, consent: &Consent, choice: DeviceChoice) -> OpenMicrophone {
        self.generation += 1;
        let generation = self.generation;
        self.heard.store(generation, Relaxed);
        let system = self.parts.system.clone();
        let device = Microphone::open(
            consent,
            &choice,
            Arc::clone(&self.level),
            (self.new_processor)(),
            sound_sink(self.sending.sound_sender(), Arc::clone(&self.heard), generation, self.parts.hints.clone()),
            move |event| system.send(SystemEvent::Sound { device: DEVICE, generation, event }),
        );
        let name = choice.label();
        Open::new(device, choice, generation, name)
    }

    /// Takes a microphone's report; the event to pass on, and the microphone to close.
    pub(super) fn on_event(&mut self, generation: u64, event: SoundEvent) -> (Option<Event>, Option<OpenMicrophone>) {
        if self.stand_in.device().is_some_and(|open| open.generation == generation) {
            return (self.on_stand_in(event), None);
        }
        let Some(open) = self.open.as_mut().filter(|open| open.generation == generation) else {
            return (None, None);
        };
        match event {
            SoundEvent::Opened { name } => {
                open.opened(name);
                (None, None)
            }
            SoundEvent::Fault(error) => {
                let chosen = open.wish.clone();
                let event = open.failed(&error, &chosen);
                self.stand_in.on_fault(&error.fault);
                (Some(event), None)
            }
            SoundEvent::Recovered { name } => {
                let event = open.recovered(DEVICE, name);
                self.heard.store(generation, Relaxed);
                (Some(event), self.stand_in.end())
            }
            SoundEvent::Silence { name, on } => (Some(Event::MicrophoneSilent { microphone: name, on }), None),
        }
    }

    /// Takes a report of the microphone that stands in: that it works is told, as a choice that could not be kept, and
    /// so is its end. Its own failure needs no notice beside that of the chosen one.
    fn on_stand_in(&mut self, event: SoundEvent) -> Option<Event> {
        let open = self.stand_in.device_mut()?;
        let worked = open.works();
        match event {
            SoundEvent::Opened { name } | SoundEvent::Recovered { name } => {
                open.opened(name.clone());
                let change = self.stand_in.on_opened(&name)?;
                Some(Event::of_device_change(DEVICE, change))
            }
            SoundEvent::Fault(error) => {
                let event = open.failed(&error, &DeviceChoice::SystemDefault);
                worked.then_some(event)
            }
            SoundEvent::Silence { name, on } => Some(Event::MicrophoneSilent { microphone: name, on }),
        }
    }

    /// Takes every microphone out.
    pub(super) fn take_all(&mut self) -> Vec<OpenMicrophone> {
        [self.open.take(), self.stand_in.end()].into_iter().flatten().collect()
    }

    /// True when each has opened or failed, or none is wanted.
    pub(super) fn is_resolved(&self) -> bool {
        self.devices().all(|open| open.resolved)
    }

    /// Name of the microphone that is heard, when it works.
    pub(super) fn working(&self) -> Option<&str> {
        self.devices().find(|open| open.works()).map(|open| open.name.as_str())
    }

    /// Fault of the microphone. One that stands in puts right what is wrong with the chosen one.
    pub(super) fn fault(&self) -> Option<&DeviceFault> {
        let stands_in = self.stand_in.device().is_some_and(|open| open.fault.is_none());
        self.open.as_ref().filter(|_| !stands_in)?.fault.as_ref()
    }

    fn devices(&self) -> impl Iterator<Item = &OpenMicrophone> {
        [self.open.as_ref(), self.stand_in.device()].into_iter().flatten()
    }
}

#[cfg(test)]
impl MicrophoneSlot {
    /// Generations of the chosen microphone and of the one in its place.
    pub(super) fn generations(&self) -> [Option<u64>; 2] {
        [self.open.as_ref(), self.stand_in.device()].map(|open| open.map(|open| open.generation))
    }
}
