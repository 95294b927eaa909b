//! Devices of a call: the capture set's steps, and the notices of a device that fails or comes back.

use crate::call::{CallState, ConversationId, Input, Press};
use crate::media::{MediaSet, MediaTime};

use super::Core;
use crate::controller::capture_set::{MeterStep, Released};
use crate::controller::{Event, NoticeKind};

impl Core {
    /// Has these streams open by the settings, under the consent that there is.
    pub(super) fn change_media(&mut self, streams: MediaSet) {
        self.captures.change(streams, self.preferences.settings());
        self.report_local_stream();
    }

    /// Closes camera, screen and microphone.
    pub(super) fn release_media(&mut self, conversation: Option<ConversationId>) {
        // An event of a microphone that is closed comes too late.
        self.publisher.notices().forget_silence();
        let released = self.captures.release(conversation);
        self.report_sharing();
        if let Some(released) = released {
            self.on_released(released);
        }
    }

    /// Opens the microphone for its level meter, when nothing else has it open; closing it again is the other half.
    pub(super) fn watch_microphone(&mut self, on: bool) {
        if !matches!(self.calls.state(), CallState::Idle | CallState::Incoming(_)) {
            return;
        }
        match self.captures.meter_step(on) {
            Some(MeterStep::Open(streams)) => {
                self.step(Input::Local(Press::OpenStream { streams }));
                self.captures.set_meter_only(true);
            }
            Some(MeterStep::Keep(streams)) => {
                self.captures.set_meter_only(false);
                self.change_media(streams);
            }
            Some(MeterStep::Release) => self.release_media(None),
            None => {}
        }
    }

    /// Tells the state chart which streams there are to send from.
    pub(super) fn follow_devices(&mut self) {
        if let Some(streams) = self.captures.take_untold(self.preferences.settings()) {
            self.step(Input::Captures { streams });
        }
    }

    /// Reports the capture, when it is known and has changed.
    pub(super) fn report_local_stream(&mut self) {
        self.follow_devices();
        if self.captures.working_microphone().is_none() {
            self.publisher.notices().forget_silence();
        }
        if let Some(event) = self.captures.report() {
            self.report(event);
        }
        self.report_sharing();
        if self.captures.is_open() {
            self.remotes.schedule_statistics(MediaTime::now());
        }
    }

    /// Reports that a screen is shared, or no longer.
    fn report_sharing(&mut self) {
        if let Some(event) = self.captures.report_sharing() {
            self.report(event);
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

    /// Reports a device's fault or recovery, and notes it at the window's edge.
    pub(super) fn device_event(&mut self, event: Event) {
        match &event {
            Event::DeviceError { device, fault, .. } => {
                self.publisher.notices().forget_device(*device);
                self.publisher.notices().add(NoticeKind::Device { device: *device, fault: fault.clone() });
            }
            Event::DeviceFallback { device, chosen, name } => {
                self.publisher.notices().forget_device(*device);
                let (device, chosen, name) = (*device, chosen.clone(), name.clone());
                self.publisher.notices().add(NoticeKind::DeviceFallback { device, chosen, name });
            }
            Event::DeviceRecovered { device, name } => {
                self.publisher.notices().forget_device(*device);
                self.publisher.notices().add(NoticeKind::DeviceBack { device: *device, name: name.clone() });
            }
            Event::MicrophoneSilent { microphone, on } => {
                self.publisher.notices().forget_silence();
                if *on {
                    self.publisher.notices().add(NoticeKind::MicrophoneSilent { name: microphone.clone() });
                }
            }
            _ => {}
        }
        self.report(event);
    }
}
