//! What the devices say of themselves, and what is said of them: faults, recoveries, and the `local_stream` event.

use std::sync::atomic::Ordering::Relaxed;

use crate::capture::CameraEvent;
use crate::device::{DeviceChoice, DeviceError, DeviceFault, DeviceKind};
use crate::media::VideoFormat;
use crate::microphone::SoundEvent;

use super::{Closing, LocalMedia, Open};
use crate::controller::Event;

impl LocalMedia {
    /// Takes a camera's report; the event to pass on, if it is a fault or a recovery.
    pub(in crate::controller) fn on_camera(&mut self, generation: u64, event: CameraEvent) -> Option<Event> {
        let open = self.camera.as_mut().filter(|open| open.generation == generation)?;
        open.resolved = true;
        match event {
            CameraEvent::Opened { name, device_mode, .. } => {
                open.name = name;
                open.fault = None;
                self.camera_mode = device_mode;
                let cameras = self.leaving.take().into_iter().collect();
                self.close(Closing { cameras, ..Closing::default() });
                None
            }
            // It may want what the one before still has (the room on a bus): tried again without that, before a word is
            // said. A camera of the past is not left on for want of a new one.
            CameraEvent::Fault(_) if self.leaving.is_some() => {
                let cameras = [self.camera.take(), self.leaving.take()].into_iter().flatten().collect();
                self.close(Closing { cameras, ..Closing::default() });
                None
            }
            CameraEvent::Fault(error) => {
                let chosen = open.wish.0.clone();
                Some(fault(open, &error, &chosen))
            }
            CameraEvent::Recovered { name } => Some(recovered(open, DeviceKind::Camera, name)),
        }
    }

    /// Takes a microphone's report; the event to pass on, if it is a fault or a recovery.
    pub(in crate::controller) fn on_microphone(&mut self, generation: u64, event: SoundEvent) -> Option<Event> {
        if self.stand_in.device().is_some_and(|open| open.generation == generation) {
            return self.on_stand_in(event);
        }
        let open = self.microphone.as_mut().filter(|open| open.generation == generation)?;
        open.resolved = true;
        match event {
            SoundEvent::Opened { name } => {
                open.name = name;
                open.fault = None;
                None
            }
            SoundEvent::Fault(error) => {
                let chosen = open.wish.clone();
                let event = fault(open, &error, &chosen);
                self.stand_in.on_fault(&error.fault);
                self.settle();
                Some(event)
            }
            SoundEvent::Recovered { name } => {
                let event = recovered(open, DeviceKind::Microphone, name);
                self.heard.store(generation, Relaxed);
                if let Some(stand_in) = self.stand_in.end() {
                    self.close(Closing { microphones: vec![stand_in], ..Closing::default() });
                }
                Some(event)
            }
            SoundEvent::Silence { name, on } => Some(Event::MicrophoneSilent { microphone: name, on }),
        }
    }

    /// What becomes of the microphone that stands in: that it works is told, as a choice that could not be kept, and so
    /// is its end. That it never worked needs no word beside those about the chosen one.
    fn on_stand_in(&mut self, event: SoundEvent) -> Option<Event> {
        let open = self.stand_in.device_mut()?;
        let worked = std::mem::replace(&mut open.resolved, true) && open.fault.is_none();
        match event {
            SoundEvent::Opened { name } | SoundEvent::Recovered { name } => {
                open.name.clone_from(&name);
                open.fault = None;
                let change = self.stand_in.on_opened(&name)?;
                Some(Event::of_device_change(DeviceKind::Microphone, change))
            }
            SoundEvent::Fault(error) => {
                let event = fault(open, &error, &DeviceChoice::SystemDefault);
                worked.then_some(event)
            }
            SoundEvent::Silence { name, on } => Some(Event::MicrophoneSilent { microphone: name, on }),
        }
    }

    /// A `local_stream` event, when every device has opened or failed and something differs from the last one.
    pub(in crate::controller) fn report(&mut self) -> Option<Event> {
        self.consent.as_ref()?;
        let settled = self.closing == 0
            && self.camera.as_ref().is_none_or(|open| open.resolved)
            && self.microphone.as_ref().is_none_or(|open| open.resolved)
            && self.stand_in.device().is_none_or(|open| open.resolved);
        if !settled {
            return None;
        }
        let (video, microphone) = (self.working_camera(), self.working_microphone());
        let (width, height) = video.map_or((0, 0), |(_, format)| (format.width, format.height));
        let event = Event::LocalStream {
            audio: microphone.is_some(),
            video: video.is_some(),
            width,
            height,
            fps: if video.is_some() { self.fps } else { 0.0 },
            camera: video.map(|(name, _)| name.to_owned()).unwrap_or_default(),
            microphone: microphone.map(str::to_owned).unwrap_or_default(),
        };
        (self.reported.as_ref() != Some(&event)).then(|| self.reported.insert(event).clone())
    }

    /// Name and format of the camera that is seen, when it works.
    pub(in crate::controller) fn working_camera(&self) -> Option<(&str, VideoFormat)> {
        let opening = self.camera.as_ref().is_some_and(|open| !open.resolved);
        let open = if opening { self.leaving.as_ref() } else { self.camera.as_ref() };
        open.filter(|open| open.works()).map(|open| (open.name.as_str(), open.wish.1))
    }

    /// Width, height and frames a second that the working camera itself runs in, where it has a mode of its own.
    pub(in crate::controller) fn camera_mode(&self) -> Option<(u32, u32, u32)> {
        self.working_camera().and(self.camera_mode)
    }

    /// Name of the microphone, when it works.
    pub(in crate::controller) fn working_microphone(&self) -> Option<&str> {
        let open =
            [self.microphone.as_ref(), self.stand_in.device()].into_iter().flatten().find(|open| open.works())?;
        Some(&open.name)
    }

    /// Takes the camera's measured rate for the next report, when it is clearly another one than was reported last.
    pub(in crate::controller) fn measure(&mut self) {
        let measured = self.measured_fps();
        if measured > 0.0 && (measured - self.fps).abs() > self.fps * 0.1 {
            self.fps = (measured * 10.0).round() / 10.0;
        }
    }

    /// Frames a second that the camera really gives.
    pub(in crate::controller) fn measured_fps(&self) -> f32 {
        self.camera.as_ref().map_or(0.0, |open| open.device.measured_fps())
    }

    /// Faults of camera and microphone. A microphone that stands in puts right what is wrong with the chosen one.
    pub(in crate::controller) fn faults(&self) -> (Option<DeviceFault>, Option<DeviceFault>) {
        let stands_in = self.stand_in.device().is_some_and(|open| open.fault.is_none());
        let microphone = self.microphone.as_ref().filter(|_| !stands_in).and_then(|open| open.fault.clone());
        (self.camera.as_ref().and_then(|open| open.fault.clone()), microphone)
    }
}

fn fault<D, W>(open: &mut Open<D, W>, error: &DeviceError, chosen: &DeviceChoice) -> Event {
    open.fault = Some(error.fault.clone());
    Event::of_device_error(error, chosen)
}

fn recovered<D, W>(open: &mut Open<D, W>, device: DeviceKind, name: String) -> Event {
    open.fault = None;
    open.name.clone_from(&name);
    Event::DeviceRecovered { device, name }
}
