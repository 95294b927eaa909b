//! Devices of a call: what is captured, and the notices of a device that fails or comes back.

use crate::call::{CallState, ConversationId, Input, Press};
use crate::device::DeviceChoice;
use crate::media::{MediaSet, StreamState};

use super::core::Core;
use super::local_media::{MediaWish, Released};
use super::{Event, NoticeKind};

impl Core {
    /// What is to be captured, by the settings.
    pub(super) fn wish(&self, streams: MediaSet) -> MediaWish {
        MediaWish {
            audio: streams.audio(),
            video: streams.camera().then_some(self.format),
            camera: self.preferences.settings().camera.clone(),
            microphone: self.preferences.settings().microphone.clone(),
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
        self.publisher.notices().forget_silence();
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
        let audio = self.preferences.settings().microphone != DeviceChoice::None && microphone.is_none();
        let video = self.preferences.settings().camera != DeviceChoice::None && camera.is_none();
        let streams = MediaSet::of_call(audio, video);
        if std::mem::replace(&mut self.captures, streams) != streams {
            self.step(Input::Captures { streams });
        }
    }

    /// Reports what is captured, when that is known and something has changed.
    pub(super) fn report_local_stream(&mut self) {
        self.follow_devices();
        if self.media.working_microphone().is_none() {
            self.publisher.notices().forget_silence();
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
