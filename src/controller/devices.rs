//! This computer's devices, as the controller keeps them: what is plugged in, what is captured, and what is to be said of a
//! device that fails or comes back.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::call::{CallState, ConversationId, DeviceKind, Input, Press};
use crate::media::{MediaSet, StreamState};
use crate::microphone::SoundEvent;
use crate::store::DeviceChoice;

use super::core::Core;
use super::device_fault::{device_error, fault_of};
use super::local_media::{MediaWish, Released};
use super::system_event::SystemEvent;
use super::{Devices, Event, NoticeKind};

impl Core {
    /// Lists what is plugged in, on a thread of its own: sound servers can take their time.
    pub(super) fn list_devices(&mut self) {
        self.list_again = self.listing;
        if self.listing {
            return;
        }
        let system = self.parts.system.clone();
        let list = move || {
            system.send(SystemEvent::Devices(Devices {
                cameras: listed(crate::capture::list_cameras),
                microphones: listed(crate::microphone::list_microphones),
                speakers: listed(crate::playout::list_speakers),
            }));
        };
        match std::thread::Builder::new().name("devices".into()).spawn(list) {
            Ok(_) => self.listing = true,
            Err(error) => tracing::warn!("no thread to list the devices on: {error}"),
        }
    }

    /// What is to be captured, by the settings.
    pub(super) fn wish(&self, streams: MediaSet) -> MediaWish {
        MediaWish {
            audio: streams.audio(),
            video: streams.camera().then_some(self.format),
            camera: self.settings.camera.clone(),
            microphone: self.settings.microphone.clone(),
        }
    }

    /// The microphone stays as it is.
    pub(super) fn close_camera(&mut self) {
        if let Some(streams) = self.media.wished() {
            self.change_media(streams.with(StreamState::camera(false)));
        }
    }

    /// Has open what the settings say of these streams, under the consent that there is.
    pub(super) fn change_media(&mut self, streams: MediaSet) {
        let wish = self.wish(streams);
        self.media.change(wish);
        self.report_local_stream();
    }

    pub(super) fn release_media(&mut self, conversation: Option<ConversationId>) {
        self.meter_only = false;
        // An event of a microphone that is closed comes too late.
        self.notices.forget_silence();
        if let Some(released) = self.media.release(conversation) {
            self.on_released(released);
        }
    }

    /// Opens the microphone for its level meter, when nothing else has it open; closing it again is the other half.
    pub(super) fn watch_microphone(&mut self, on: bool) {
        if !matches!(self.machine.state(), CallState::Idle | CallState::Incoming(_)) {
            return;
        }
        let wished = self.media.wished().unwrap_or_default();
        if on && !wished.audio() {
            self.step(Input::Local(Press::OpenStream { streams: MediaSet::of_call(true, wished.camera()) }));
            self.meter_only = true;
        } else if !on && self.meter_only && wished.camera() {
            self.meter_only = false;
            self.change_media(MediaSet::of_call(false, true));
        } else if !on && self.meter_only {
            self.release_media(None);
        }
    }

    /// Tells the state chart which devices there are to send from: a far side that waits for pictures in vain would show
    /// the last one for ever.
    pub(super) fn follow_devices(&mut self) {
        let (camera, microphone) = self.media.faults();
        let audio = self.settings.microphone != DeviceChoice::None && microphone.is_none();
        let video = self.settings.camera != DeviceChoice::None && camera.is_none();
        let streams = MediaSet::of_call(audio, video);
        if std::mem::replace(&mut self.captures, streams) != streams {
            self.step(Input::Captures { streams });
        }
    }

    /// Reports what is captured, when that is known and something has changed.
    pub(super) fn report_local_stream(&mut self) {
        self.follow_devices();
        if self.media.working_microphone().is_none() {
            self.notices.forget_silence();
        }
        if let Some(event) = self.media.report() {
            self.report(event);
        }
        if self.media.is_open() {
            self.schedule_statistics();
        }
    }

    pub(super) fn on_released(&mut self, released: Released) {
        if released.stream_ended {
            self.report(Event::LocalStreamEnded {});
        }
        for conversation in released.conversations {
            self.step(Input::MediaReleased { conversation });
        }
    }

    /// Plays on this speaker from now on; what comes of an earlier one is late.
    pub(super) fn set_speaker(&mut self, choice: DeviceChoice) {
        self.speaker_generation = self.playout.set_speaker(&choice);
    }

    /// Takes a speaker's report, unless it is about one that was chosen before.
    pub(super) fn on_speaker(&mut self, generation: u64, event: SoundEvent) {
        if generation != self.speaker_generation {
            return;
        }
        match event {
            SoundEvent::Opened { name } => {
                self.speaker_fault = None;
                if let Some(event) = self.speaker.works(&self.settings.speaker, name) {
                    self.device_event(event);
                }
            }
            SoundEvent::Fault(error) => {
                let fault = fault_of(&error);
                let news = self.speaker_fault.replace(fault.clone()).is_none() || !self.speaker.stands_in();
                if news {
                    self.device_event(device_error(DeviceKind::Speaker, &error, &self.settings.speaker));
                }
                if self.speaker.is_gone(&self.settings.speaker, &fault) {
                    self.set_speaker(DeviceChoice::SystemDefault);
                    // They find the end of this, too.
                    self.schedule_statistics();
                }
            }
            SoundEvent::Recovered { name } => {
                self.speaker_fault = None;
                let back = Event::DeviceRecovered { device: DeviceKind::Speaker, name: name.clone() };
                let told = self.speaker.works(&self.settings.speaker, name);
                let event = told.or_else(|| (!self.speaker.stands_in()).then_some(back));
                event.into_iter().for_each(|event| self.device_event(event));
            }
            // Microphones alone report it.
            SoundEvent::Silence { .. } => {}
        }
    }

    /// While another speaker stands in for the chosen one: looks whether that is there again, on a thread of its own.
    pub(super) fn look_for_speaker(&mut self) {
        if !self.speaker.begin_look() {
            return;
        }
        let system = self.parts.system.clone();
        let look = move || system.send(SystemEvent::Speakers(listed(crate::playout::list_speakers)));
        if let Err(error) = std::thread::Builder::new().name("devices".into()).spawn(look) {
            tracing::warn!("no thread to look for the speaker on: {error}");
            self.speaker.end_look();
        }
    }

    /// These speakers are there now.
    pub(super) fn on_speakers(&mut self, names: &[String]) {
        if self.speaker.found(&self.settings.speaker, names) {
            self.set_speaker(self.settings.speaker.clone());
        }
    }

    /// Nothing is played any more: the chosen speaker is to be tried first at the next time.
    pub(super) fn forget_speaker_stand_in(&mut self) {
        if self.speaker.forget() {
            self.set_speaker(self.settings.speaker.clone());
        }
    }

    /// Reports a device's fault or recovery, and notes it at the window's edge.
    pub(super) fn device_event(&mut self, event: Event) {
        match &event {
            Event::DeviceError { device, fault, .. } => {
                self.notices.forget_device(*device);
                self.notices.add(NoticeKind::Device { device: *device, fault: fault.clone() });
            }
            Event::DeviceFallback { device, chosen, name } => {
                self.notices.forget_device(*device);
                let (device, chosen, name) = (*device, chosen.clone(), name.clone());
                self.notices.add(NoticeKind::DeviceFallback { device, chosen, name });
            }
            Event::DeviceRecovered { device, name } => {
                self.notices.forget_device(*device);
                self.notices.add(NoticeKind::DeviceBack { device: *device, name: name.clone() });
            }
            Event::MicrophoneSilent { microphone, on } => {
                self.notices.forget_silence();
                if *on {
                    self.notices.add(NoticeKind::MicrophoneSilent { name: microphone.clone() });
                }
            }
            _ => {}
        }
        self.report(event);
    }
}

/// Devices that `list` finds; none where a driver's library panics: the controller waits for the end of each look.
fn listed<T>(list: impl FnOnce() -> Vec<T>) -> Vec<T> {
    catch_unwind(AssertUnwindSafe(list)).unwrap_or_else(|_| {
        tracing::warn!("the devices of a kind cannot be listed");
        Vec::new()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_the_devices_ends_whatever_a_driver_does() {
        assert_eq!(listed(|| vec!["one"]), ["one"]);
        assert!(listed::<String>(|| panic!("as the test wants it")).is_empty());
    }
}
