//! Capture set: sources of this side, and the formats of their capture. Camera and shared screen -> an encoder each ->
//! everybody, microphone -> Opus -> everybody.
//!
//! Owned by the controller's thread. It holds the consent under which it opens devices; releasing it gives that up, and
//! the devices are closed on a thread of their own, so that a stuck driver never holds up hanging up.

mod closings;
mod microphone;
mod open;
mod picture_source;
mod screen_share;
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
use super::{Event, SharedScreen, VideoChoice};
use closings::{ClosingDevices, Closings};
use microphone::MicrophoneSlot;
use picture_source::{PictureSource, SourceWish};
use screen_share::ScreenShare;

pub(super) use closings::Released;
pub(super) use microphone::NewProcessor;

/// Time for which the window says that somebody speaks and is muted.
const SPOKE_MUTED_SHOWN: Duration = Duration::from_secs(5);

/// Wish for devices.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CaptureWish {
    streams: MediaSet,
    /// The camera and its format, where one is to be open.
    camera: Option<SourceWish>,
    /// The shared screen and its format, where one is to be open.
    screen: Option<SourceWish>,
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

/// Camera, shared screen and microphone of this side.
pub(super) struct CaptureSet {
    consent: Option<Consent>,
    /// The wish, while there is consent.
    wish: Option<CaptureWish>,
    /// The tile of one's own picture.
    preview: Arc<FrameSlot>,
    camera: PictureSource,
    screen: ScreenShare,
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
        let [camera, screen] = [StreamId::CAMERA, StreamId::SCREEN].map(|stream| sending.picture_send(stream));
        Self {
            consent: None,
            wish: None,
            camera: PictureSource::new(Some(Arc::clone(&preview)), camera, parts.system.clone()),
            preview,
            screen: ScreenShare::new(PictureSource::new(None, screen, parts.system.clone())),
            closings: Closings::new(Arc::clone(&level), parts.system.clone()),
            microphone: MicrophoneSlot::new(level, new_processor, sending, parts),
            format: CaptureFormat { format, max_fps: None, max_kbps: None },
            reported: None,
            told: MediaSet::of_call(true, true).with(StreamState::screen(true)),
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
            screen: self.screen.wish(streams),
            microphone: (streams.audio() && *microphone != DeviceChoice::None).then(|| microphone.clone()),
        });
        self.settle();
    }

    /// The screen to share from now on.
    pub(super) const fn choose_screen(&mut self, screen: SharedScreen) {
        self.screen.choose(Some(screen));
    }

    /// Closes the source of one stream of pictures; the others stay as they are.
    pub(super) fn close_stream(&mut self, stream: StreamId, settings: &Settings) {
        if let Some(streams) = self.wished() {
            let off = streams.get(stream).map(|state| StreamState { on: false, ..state });
            self.change(off.map_or(streams, |off| streams.with(off)), settings);
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
        let Some(CaptureWish { camera, screen, microphone, .. }) = self.wish.clone() else { return };
        let Some(consent) = &self.consent else { return };
        let may_open = !self.closings.go_on();
        let mut closing =
            ClosingDevices { microphones: self.microphone.settle(microphone.as_ref()), ..ClosingDevices::default() };
        for (source, wanted) in [(&mut self.camera, &camera), (self.screen.source_mut(), &screen)] {
            closing.sources.extend(source.settle(consent, wanted.as_ref(), may_open));
            if wanted.is_none() {
                closing.ended.extend_from_slice(source.slots());
            }
        }
        if screen.is_none() {
            closing.encodings.extend(self.screen.source_mut().sending_mut().stop());
        }
        self.closings.begin(closing);
        if !self.closings.go_on() {
            self.camera.open_wanted(consent, camera);
            self.microphone.open_wanted(consent, microphone);
            if let Some((_, format)) = screen {
                self.screen.source_mut().sending_mut().start(format);
            }
            self.screen.source_mut().open_wanted(consent, screen);
        }
    }

    /// Gives up the consent and closes everything. Output of `on_closed` at the end, or at once if nothing had to be
    /// closed.
    pub(super) fn release(&mut self, conversation: Option<ConversationId>) -> Option<Released> {
        self.meter_only = false;
        self.wish = None;
        self.reported = None;
        self.closings.note_release(conversation, self.consent.take().is_some());
        self.screen.choose(None);
        let mut closing = ClosingDevices { microphones: self.microphone.take_all(), ..ClosingDevices::default() };
        for source in [&mut self.camera, self.screen.source_mut()] {
            closing.sources.extend(source.take_all());
            closing.encodings.extend(source.sending_mut().stop());
            closing.ended.extend_from_slice(source.slots());
        }
        self.closings.begin(closing);
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

    /// Takes the report of a source of pictures; the event to pass on, if it is a fault or a recovery of the camera.
    /// Those of the screen are told by `report_sharing`.
    pub(super) fn on_picture_source(&mut self, stream: StreamId, generation: u64, event: CameraEvent) -> Option<Event> {
        let is_screen = stream == StreamId::SCREEN;
        let source = if is_screen { self.screen.source_mut() } else { &mut self.camera };
        let (event, sources) = source.on_event(generation, event);
        self.closings.begin(ClosingDevices { sources, ..ClosingDevices::default() });
        event.filter(|_| !is_screen)
    }

    /// Takes a microphone's report; the event to pass on, if it is a fault or a recovery.
    pub(super) fn on_microphone(&mut self, generation: u64, event: SoundEvent) -> Option<Event> {
        let (event, microphone) = self.microphone.on_event(generation, event);
        self.closings
            .begin(ClosingDevices { microphones: microphone.into_iter().collect(), ..ClosingDevices::default() });
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

    /// A `sharing` event, when sharing a screen has begun or ended since the last one.
    pub(super) fn report_sharing(&mut self) -> Option<Event> {
        let wished = self.wish.as_ref().is_some_and(|wish| wish.screen.is_some());
        self.screen.report(wished, self.is_open())
    }

    /// The streams that the devices give, when that is another set than the state chart was told: a far side that waits
    /// for pictures in vain would show the last one for ever.
    pub(super) fn take_untold(&mut self, settings: &Settings) -> Option<MediaSet> {
        let audio = settings.microphone != DeviceChoice::None && self.microphone.fault().is_none();
        let camera = settings.camera != DeviceChoice::None && self.camera.fault().is_none();
        let given = MediaSet::of_call(audio, camera).with(StreamState::screen(self.screen.source().fault().is_none()));
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

    /// Format of a stream's pictures, and the size of the latest encoded one; `None` while its source does not work.
    pub(super) fn encoded(&self, stream: StreamId) -> Option<(VideoFormat, (u32, u32))> {
        let source = if stream == StreamId::SCREEN { self.screen.source() } else { &self.camera };
        let (_, format) = source.working()?;
        Some((format, source.sending().encoded_size().unwrap_or((format.width, format.height))))
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
        &self.preview
    }

    /// Level of the microphone.
    pub(super) const fn level(&self) -> &Arc<LevelMeter> {
        self.microphone.level()
    }
}

#[cfg(test)]
mod tests;
