//! Source of one stream of pictures of this side: a camera, or the test card as a shared screen. Its successor opens
//! before it is closed, where that is another device for sure.

use std::sync::Arc;

use crate::capture::{Camera, CameraEvent, Succession};
use crate::device::{Consent, DeviceChoice, DeviceFault, DeviceKind};
use crate::media::{FrameSlot, VideoFormat};
use crate::media_send::PictureSend;

use super::open::Open;
use crate::controller::Event;
use crate::controller::lanes::SystemSender;
use crate::controller::system_event::SystemEvent;

/// A device and the format that it is opened in.
pub(super) type SourceWish = (DeviceChoice, VideoFormat);
pub(super) type OpenSource = Open<Camera, SourceWish>;

/// The device that is open, and during an exchange the one before.
pub(super) struct PictureSource {
    open: Option<OpenSource>,
    /// The device before, which is seen until `open` gives its first picture.
    leaving: Option<OpenSource>,
    /// Slots of its pictures: the encoder's, and of a camera also the preview's.
    slots: Vec<Arc<FrameSlot>>,
    succession: Succession,
    /// Width, height and frames a second that the device itself runs in, once it has opened.
    device_mode: Option<(u32, u32, u32)>,
    /// Frames a second: the rate asked for until it is measured.
    fps: f32,
    generation: u64,
    sending: PictureSend,
    system: SystemSender,
}

impl PictureSource {
    pub(super) fn new(preview: Option<Arc<FrameSlot>>, sending: PictureSend, system: SystemSender) -> Self {
        let slots: Vec<_> = preview.into_iter().chain([Arc::clone(sending.slot())]).collect();
        Self {
            open: None,
            leaving: None,
            succession: Succession::new(slots.clone()),
            slots,
            device_mode: None,
            fps: 0.0,
            generation: 0,
            sending,
            system,
        }
    }

    /// Slots of its pictures.
    pub(super) fn slots(&self) -> &[Arc<FrameSlot>] {
        &self.slots
    }

    /// The sending side of its pictures.
    pub(super) const fn sending(&self) -> &PictureSend {
        &self.sending
    }

    /// The same, to be started or stopped.
    pub(super) const fn sending_mut(&mut self) -> &mut PictureSend {
        &mut self.sending
    }

    /// Takes out the devices that are not `wanted`. Its successor is opened first where it `may_open` beside it.
    pub(super) fn settle(&mut self, consent: &Consent, wanted: Option<&SourceWish>, may_open: bool) -> Vec<OpenSource> {
        self.limit_bit_rate(wanted);
        let Some(old) = self.open.take_if(|open| Some(&open.wish) != wanted) else { return Vec::new() };
        match wanted.filter(|(choice, _)| may_open && self.leaving.is_none() && is_another_device(&old, choice)) {
            Some(wish) => {
                self.open(consent, wish.clone());
                self.leaving = Some(old);
                Vec::new()
            }
            None => [Some(old), self.leaving.take()].into_iter().flatten().collect(),
        }
    }

    /// Another bit rate alone is the encoder's business: the device stays open.
    fn limit_bit_rate(&mut self, wanted: Option<&SourceWish>) {
        let (Some(open), Some((choice, format))) = (&mut self.open, wanted) else { return };
        let (open_choice, open_format) = &mut open.wish;
        if open_choice == choice && (VideoFormat { max_kbps: format.max_kbps, ..*open_format }) == *format {
            *open_format = *format;
            self.sending.set_format(*format);
        }
    }

    /// Opens the device that is wanted, unless it is open.
    pub(super) fn open_wanted(&mut self, consent: &Consent, wanted: Option<SourceWish>) {
        if let Some(wish) = wanted.filter(|_| self.open.is_none()) {
            self.open(consent, wish);
        }
    }

    fn open(&mut self, consent: &Consent, wish: SourceWish) {
        self.generation += 1;
        let generation = self.generation;
        let (system, stream) = (self.system.clone(), self.sending.stream());
        let (choice, format) = &wish;
        let device = Camera::open(consent, choice, *format, self.succession.next_camera(), move |event| {
            system.send(SystemEvent::PictureSource { stream, generation, event });
        });
        self.sending.set_format(*format);
        self.sending.request_keyframes();
        self.fps = format.max_fps as f32;
        self.device_mode = None;
        let name = choice.label();
        self.open = Some(Open::new(device, wish, generation, name));
    }

    /// Takes a device's report; the event to pass on, and the devices to close.
    pub(super) fn on_event(&mut self, generation: u64, event: CameraEvent) -> (Option<Event>, Vec<OpenSource>) {
        let Some(open) = self.open.as_mut().filter(|open| open.generation == generation) else {
            return (None, Vec::new());
        };
        match event {
            CameraEvent::Opened { name, device_mode, .. } => {
                open.opened(name);
                self.device_mode = device_mode;
                (None, self.leaving.take().into_iter().collect())
            }
            // It may want what the one before still has (the room on a bus): tried again without that, before a word is
            // said. A camera of the past is not left on for want of a new one.
            CameraEvent::Fault(_) if self.leaving.is_some() => (None, self.take_all()),
            CameraEvent::Fault(error) => {
                let chosen = open.wish.0.clone();
                (Some(open.failed(&error, &chosen)), Vec::new())
            }
            CameraEvent::Recovered { name } => (Some(open.recovered(DeviceKind::Camera, name)), Vec::new()),
        }
    }

    /// Takes every device out.
    pub(super) fn take_all(&mut self) -> Vec<OpenSource> {
        [self.open.take(), self.leaving.take()].into_iter().flatten().collect()
    }

    /// True when it has opened or failed, or none is wanted.
    pub(super) fn is_resolved(&self) -> bool {
        self.open.as_ref().is_none_or(|open| open.resolved)
    }

    /// Name and format of the device that is seen, when it works.
    pub(super) fn working(&self) -> Option<(&str, VideoFormat)> {
        let open = if self.is_resolved() { self.open.as_ref() } else { self.leaving.as_ref() };
        open.filter(|open| open.works()).map(|open| (open.name.as_str(), open.wish.1))
    }

    /// Width, height and frames a second that the working device itself runs in, where it has a mode of its own.
    pub(super) fn device_mode(&self) -> Option<(u32, u32, u32)> {
        self.working().and(self.device_mode)
    }

    /// Fault of the device.
    pub(super) fn fault(&self) -> Option<&DeviceFault> {
        self.open.as_ref()?.fault.as_ref()
    }

    /// Frames a second to report.
    pub(super) const fn fps(&self) -> f32 {
        self.fps
    }

    /// Frames a second that the device really gives.
    pub(super) fn measured_fps(&self) -> f32 {
        self.open.as_ref().map_or(0.0, |open| open.device.measured_fps())
    }

    /// Takes the measured rate for the next report, when it is clearly another one than was reported last.
    pub(super) fn measure(&mut self) {
        let measured = self.measured_fps();
        if measured > 0.0 && (measured - self.fps).abs() > self.fps * 0.1 {
            self.fps = (measured * 10.0).round() / 10.0;
        }
    }
}

/// True when the device `choice` can be opened before `old` is closed: it is another device for sure.
fn is_another_device(old: &OpenSource, choice: &DeviceChoice) -> bool {
    let is_device = |choice: &DeviceChoice| matches!(choice, DeviceChoice::SystemDefault | DeviceChoice::Named(_));
    let other = match choice {
        DeviceChoice::Named(name) if is_device(&old.wish.0) => *name != old.name,
        choice => !is_device(choice) || !is_device(&old.wish.0),
    };
    other && old.works()
}

#[cfg(test)]
impl PictureSource {
    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// True while another device takes the place of the one that is seen.
    pub(super) const fn is_exchanged(&self) -> bool {
        self.leaving.is_some()
    }

    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Outputs;
    use crate::controller::Gates;
    use crate::controller::lanes::Lanes;
    use crate::media::{Preset, StreamId};
    use crate::media_send::MediaSend;

    fn open(outputs: Outputs, choice: DeviceChoice, name: &str) -> OpenSource {
        let format = VideoFormat::of(Preset::Low, None, None);
        let device = Camera::open(&Consent::for_test(), &DeviceChoice::None, format, outputs, |_| {});
        let mut open = Open::new(device, (choice, format), 1, String::new());
        open.opened(name.to_owned());
        open
    }

    #[test]
    fn one_device_is_closed_before_it_is_opened_again() {
        let named = |name: &str| DeviceChoice::Named(name.to_owned());
        let sending = MediaSend::new(Arc::new(Gates::default())).picture_send(StreamId::CAMERA);
        let mut slot = PictureSource::new(None, sending, Lanes::new().0.parts.system);
        let mut follows = |old, choice: &DeviceChoice, works: bool| {
            let mut old = open(slot.succession.next_camera(), old, "Desk");
            old.fault = (!works).then_some(DeviceFault::Stalled);
            is_another_device(&old, choice)
        };
        assert!(follows(named("Desk"), &named("Door"), true));
        assert!(follows(DeviceChoice::SystemDefault, &named("Door"), true));
        assert!(follows(named("Desk"), &DeviceChoice::TestCard { format: None }, true));
        assert!(!follows(DeviceChoice::SystemDefault, &named("Desk"), true));
        assert!(!follows(named("Desk"), &named("Desk"), true), "in another format");
        assert!(!follows(named("Desk"), &DeviceChoice::SystemDefault, true), "which may be the same");
        assert!(!follows(named("Desk"), &named("Door"), false), "there is no picture to hold");
    }
}
