//! Capture set: sources of this side, and the formats of their capture. Camera -> encoder -> everybody, microphone ->
//! Opus -> everybody.
//!
//! Owned by the controller's thread. It holds the consent under which it opens devices; releasing it gives that up, and
//! the devices are closed on a thread of their own, so that a stuck driver never holds up hanging up.

mod camera;
mod closings;
mod microphone;
mod open;
mod sound_sink;

use std::sync::Arc;
use std::time::Duration;

use crate::call::{Consent, ConversationId};
use crate::capture::CameraEvent;
use crate::device::{DeviceChoice, DeviceFault};
use crate::media::{FrameSlot, LevelMeter, MediaSet, MediaTime, StreamId, StreamState, VideoFormat};
use crate::media_send::MediaSend;
use crate::microphone::SoundEvent;
use crate::store::Settings;

use super::lanes::PartSenders;
use super::{Event, VideoChoice};
use camera::{CameraSlot, CameraWish};
use closings::{Closing, Closings};
use microphone::MicrophoneSlot;

pub(super) use closings::Released;
pub(super) use microphone::NewProcessor;

/// Time for which the window says that somebody speaks and is muted.
const SPOKE_MUTED_SHOWN: Duration = Duration::from_secs(5);

/// Wish for devices.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CaptureWish {
    streams: MediaSet,
    /// The camera and its format, where one is to be open.
    camera: Option<CameraWish>,
    microphone: Option<DeviceChoice>,
}

/// Format that video is captured in.
struct CaptureFormat {
    /// The format of the latest press that named one.
    format: VideoFormat,
    /// Frames a second and kbit/s at most, as the latest `create_stream` asked; they hold for the calls after it.
    max_fps: Option<u32>,
    max_kbps: Option<u32>,
}

/// Camera and microphone of this side.
pub(super) struct CaptureSet {
    consent: Option<Consent>,
    /// The wish, while there is consent.
    wish: Option<CaptureWish>,
    camera: CameraSlot,
    microphone: MicrophoneSlot,
    closings: Closings,
    format: CaptureFormat,
    /// The latest `local_stream`.
    reported: Option<Event>,
    /// The streams that the devices give, as the state chart was told.
    told: MediaSet,
    /// The microphone is open for the settings' level meter alone.
    meter_only: bool,
    /// Until when the window says that somebody speaks here and is muted.
    spoke_muted_until: Option<MediaTime>,
}

/// Step that the settings' level meter needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MeterStep {
    /// Open these streams by a press.
    Open(MediaSet),
    /// Keep these streams open.
    Keep(MediaSet),
    /// Release everything.
    Release,
}

impl CaptureSet {
    pub(super) fn new(
        (preview, level): (Arc<FrameSlot>, Arc<LevelMeter>),
        format: VideoFormat,
        new_processor: NewProcessor,
        sending: MediaSend,
        parts: PartSenders,
    ) -> Self {
        let camera = sending.picture_send(StreamId::CAMERA);
        let pictures = [Arc::clone(&preview), Arc::clone(camera.slot())];
        Self {
            consent: None,
            wish: None,
            camera: CameraSlot::new(preview, camera, parts.system.clone()),
            closings: Closings::new(pictures, Arc::clone(&level), parts.system.clone()),
            microphone: MicrophoneSlot::new(level, new_processor, sending, parts),
            format: CaptureFormat { format, max_fps: None, max_kbps: None },
            reported: None,
            told: MediaSet::of_call(true, true),
            meter_only: false,
            spoke_muted_until: None,
        }
    }

    /// True while anything may be captured.
    pub(super) const fn is_open(&self) -> bool {
        self.consent.is_some()
    }

    /// True while devices are being closed.
    pub(super) const fn is_closing(&self) -> bool {
        self.closings.go_on()
    }

    /// The streams that are wished for, while anything may be captured.
    pub(super) fn wished(&self) -> Option<MediaSet> {
        self.wish.as_ref().map(|wish| wish.streams)
    }

    /// Has these streams open under a new consent (an earlier one is given up), once an earlier release is done.
    pub(super) fn open(&mut self, consent: Consent, streams: MediaSet, settings: &Settings) {
        self.meter_only = false;
        self.consent = Some(consent);
        self.reported = None;
        self.change(streams, settings);
    }

    /// Opens, closes or reopens devices so that these streams are captured. Without consent it opens nothing.
    pub(super) fn change(&mut self, streams: MediaSet, settings: &Settings) {
        if self.consent.is_none() {
            return;
        }
        let (camera, microphone) = (&settings.camera, &settings.microphone);
        self.wish = Some(CaptureWish {
            streams,
            camera: (streams.camera() && *camera != DeviceChoice::None).then(|| (camera.clone(), self.format.format)),
            microphone: (streams.audio() && *microphone != DeviceChoice::None).then(|| microphone.clone()),
        });
        self.settle();
    }

    /// Closes the camera; the microphone stays as it is.
    pub(super) fn close_camera(&mut self, settings: &Settings) {
        if let Some(streams) = self.wished() {
            self.change(streams.with(StreamState::camera(false)), settings);
        }
    }

    /// Takes over changed settings.
    pub(super) fn follow_settings(&mut self, settings: &Settings) {
        if let Some(streams) = self.wished() {
            self.change(streams, settings);
        }
    }

    /// Closes unwanted devices; opens wanted ones, unless something still closes: then it is called again after that.
    fn settle(&mut self) {
        let Some(CaptureWish { camera, microphone, .. }) = self.wish.clone() else { return };
        let Some(consent) = &self.consent else { return };
        let closing = Closing {
            ends_pictures: camera.is_none(),
            cameras: self.camera.settle(consent, camera.as_ref(), !self.closings.go_on()),
            microphones: self.microphone.settle(microphone.as_ref()),
            encoding: None,
        };
        self.closings.begin(closing);
        if !self.closings.go_on() {
            self.camera.open_wanted(consent, camera);
            self.microphone.open_wanted(consent, microphone);
        }
    }

    /// Gives up the consent and closes everything. Output of `on_closed` at the end, or at once if nothing had to be
    /// closed.
    pub(super) fn release(&mut self, conversation: Option<ConversationId>) -> Option<Released> {
        self.meter_only = false;
        self.wish = None;
        self.reported = None;
        self.closings.note_release(conversation, self.consent.take().is_some());
        self.closings.begin(Closing {
            cameras: self.camera.take_all(),
            microphones: self.microphone.take_all(),
            encoding: self.camera.sending_mut().stop(),
            ends_pictures: true,
        });
        self.closings.take_released()
    }

    /// One of the closings is done. After the last one: opens the sources that were wished for meanwhile, and gives the
    /// release.
    pub(super) fn on_closed(&mut self) -> Option<Released> {
        if !self.closings.on_closed() {
            return None;
        }
        let released = self.closings.take_released();
        self.settle();
        released
    }

    /// Takes a camera's report; the event to pass on, if it is a fault or a recovery.
    pub(super) fn on_camera(&mut self, generation: u64, event: CameraEvent) -> Option<Event> {
        let (event, cameras) = self.camera.on_event(generation, event);
        self.closings.begin(Closing { cameras, ..Closing::default() });
        event
    }

    /// Takes a microphone's report; the event to pass on, if it is a fault or a recovery.
    pub(super) fn on_microphone(&mut self, generation: u64, event: SoundEvent) -> Option<Event> {
        let (event, microphone) = self.microphone.on_event(generation, event);
        self.closings.begin(Closing { microphones: microphone.into_iter().collect(), ..Closing::default() });
        if matches!(event, Some(Event::DeviceError { .. })) {
            self.settle();
        }
        event
    }

    /// A `local_stream` event, when every device has opened or failed and something differs from the last one.
    pub(super) fn report(&mut self) -> Option<Event> {
        let settled = !self.closings.go_on() && self.camera.is_resolved() && self.microphone.is_resolved();
        if !self.is_open() || !settled {
            return None;
        }
        let (video, microphone) = (self.camera.working(), self.microphone.working());
        let (width, height) = video.map_or((0, 0), |(_, format)| (format.width, format.height));
        let event = Event::LocalStream {
            audio: microphone.is_some(),
            video: video.is_some(),
            width,
            height,
            fps: if video.is_some() { self.camera.fps() } else { 0.0 },
            camera: video.map(|(name, _)| name.to_owned()).unwrap_or_default(),
            microphone: microphone.map(str::to_owned).unwrap_or_default(),
        };
        (self.reported.as_ref() != Some(&event)).then(|| self.reported.insert(event).clone())
    }

    /// The streams that the devices give, when that is another set than the state chart was told: a far side that waits
    /// for pictures in vain would show the last one for ever.
    pub(super) fn take_untold(&mut self, settings: &Settings) -> Option<MediaSet> {
        let audio = settings.microphone != DeviceChoice::None && self.microphone.fault().is_none();
        let camera = settings.camera != DeviceChoice::None && self.camera.fault().is_none();
        let given = MediaSet::of_call(audio, camera);
        (std::mem::replace(&mut self.told, given) != given).then_some(given)
    }

    /// The step by which the level meter is shown, or is no more: the microphone opens for it when nothing else has it
    /// open.
    pub(super) fn meter_step(&self, on: bool) -> Option<MeterStep> {
        let wished = self.wished().unwrap_or_default();
        match (on, self.meter_only, wished.camera()) {
            (true, ..) if !wished.audio() => Some(MeterStep::Open(MediaSet::of_call(true, wished.camera()))),
            (false, true, true) => Some(MeterStep::Keep(MediaSet::of_call(false, true))),
            (false, true, false) => Some(MeterStep::Release),
            _ => None,
        }
    }

    /// Notes whether the microphone is open for the level meter alone.
    pub(super) const fn set_meter_only(&mut self, meter_only: bool) {
        self.meter_only = meter_only;
    }

    /// The format that video is captured in.
    pub(super) const fn format(&self) -> VideoFormat {
        self.format.format
    }

    /// Starts encoding the pictures that somebody is sent.
    pub(super) fn start_encoding(&mut self) {
        let format = self.format();
        self.camera.sending_mut().start(format);
    }

    /// Size of the latest encoded picture of a stream; `None` before there is one.
    pub(super) fn encoded_size(&self) -> Option<(u32, u32)> {
        self.camera.sending().encoded_size()
    }

    /// Bounds the formats of the calls from now on.
    pub(super) const fn set_limits(&mut self, max_fps: Option<u32>, max_kbps: Option<u32>) {
        (self.format.max_fps, self.format.max_kbps) = (max_fps, max_kbps);
    }

    /// Takes over the format of changed settings, without bounds.
    pub(super) const fn set_format(&mut self, format: VideoFormat) {
        self.format = CaptureFormat { format, max_fps: None, max_kbps: None };
    }

    /// Notes how video shall be captured; true when there shall be any.
    pub(super) fn take_format(&mut self, video: VideoChoice, settings: &Settings) -> bool {
        let VideoChoice::On(preset) = video else { return false };
        let max_fps = self.format.max_fps.unwrap_or(settings.max_fps);
        let max_kbps = self.format.max_kbps.or(settings.max_kbps);
        self.format.format = VideoFormat::of(preset, Some(max_fps), max_kbps);
        true
    }

    /// Somebody speaks here and is muted.
    pub(super) fn note_spoke_muted(&mut self, now: MediaTime) {
        self.spoke_muted_until = Some(now + SPOKE_MUTED_SHOWN);
    }

    /// True while the window says that somebody speaks here and is muted.
    pub(super) const fn spoke_muted(&self) -> bool {
        self.spoke_muted_until.is_some()
    }

    /// When that ends.
    pub(super) const fn spoke_muted_until(&self) -> Option<MediaTime> {
        self.spoke_muted_until
    }

    /// Ends that: it was said long enough, or nobody is muted.
    pub(super) const fn end_spoke_muted(&mut self) {
        self.spoke_muted_until = None;
    }

    /// Name and format of the camera that is seen, when it works.
    pub(super) fn working_camera(&self) -> Option<(&str, VideoFormat)> {
        self.camera.working()
    }

    /// Width, height and frames a second that the working camera itself runs in, where it has a mode of its own.
    pub(super) fn camera_mode(&self) -> Option<(u32, u32, u32)> {
        self.camera.device_mode()
    }

    /// Name of the microphone, when it works.
    pub(super) fn working_microphone(&self) -> Option<&str> {
        self.microphone.working()
    }

    /// Takes the camera's measured rate for the next report.
    pub(super) fn measure(&mut self) {
        self.camera.measure();
    }

    /// Frames a second that the camera really gives.
    pub(super) fn measured_fps(&self) -> f32 {
        self.camera.measured_fps()
    }

    /// Fault of the camera.
    pub(super) fn camera_fault(&self) -> Option<&DeviceFault> {
        self.camera.fault()
    }

    /// Fault of the microphone.
    pub(super) fn microphone_fault(&self) -> Option<&DeviceFault> {
        self.microphone.fault()
    }

    /// The tile of one's own picture.
    pub(super) const fn preview(&self) -> &Arc<FrameSlot> {
        self.camera.preview()
    }

    /// Level of the microphone.
    pub(super) const fn level(&self) -> &Arc<LevelMeter> {
        self.microphone.level()
    }
}

#[cfg(test)]
mod tests;
