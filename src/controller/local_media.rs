//! What this side captures and sends: camera -> encoder -> everybody, microphone -> Opus -> everybody.
//!
//! Owned by the controller's thread. It holds the consent under which it opens devices; releasing it gives that up, and
//! the devices are closed on a thread of their own, so that a stuck driver never holds up hanging up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::call::{CallError, Consent, ConversationId, DeviceKind};
use crate::capture::{Camera, CameraEvent};
use crate::encoder::{AudioEncoder, VideoEncoding};
use crate::media::{FrameSlot, LevelMeter, MediaTime, VideoFormat};
use crate::microphone::{Microphone, SoundEvent, UnheardSpeech};
use crate::store::DeviceChoice;
use crate::voice_processing::VoiceProcessor;

use super::device_fault::{device_error, fault_of};
use super::fan_out::FanOut;
use super::lanes::LaneSender;
use super::system_event::SystemEvent;
use super::{DeviceFault, Event};

/// What shall be captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MediaWish {
    /// Open the microphone.
    pub(super) audio: bool,
    /// Open the camera, and how.
    pub(super) video: Option<VideoFormat>,
    /// Which camera.
    pub(super) camera: DeviceChoice,
    /// Which microphone.
    pub(super) microphone: DeviceChoice,
}

/// A device that is open or being opened.
struct Open<D, W> {
    device: D,
    /// What it was opened for: another wish opens it anew.
    wish: W,
    generation: u64,
    name: String,
    /// It has either opened or failed since it was asked for.
    resolved: bool,
    fault: Option<DeviceFault>,
}

/// What was released, when the last device is closed.
#[derive(Debug)]
pub(super) struct Released {
    /// The conversations, or the invites' that came to none, which held it.
    pub(super) conversations: Vec<ConversationId>,
    /// Something may have been captured before.
    pub(super) stream_ended: bool,
}

/// Makes what processes the sound of the microphone that is being opened.
pub(super) type NewProcessor = Box<dyn Fn() -> VoiceProcessor + Send>;

/// Camera, microphone and encoder of this side.
pub(super) struct LocalMedia {
    consent: Option<Consent>,
    /// What shall be captured, while there is consent.
    wish: Option<MediaWish>,
    camera: Option<Open<Camera, (DeviceChoice, VideoFormat)>>,
    microphone: Option<Open<Microphone, DeviceChoice>>,
    /// The system's default, in the place of a chosen microphone that is gone; that one is tried again meanwhile.
    stand_in: Option<Open<Microphone, DeviceChoice>>,
    /// The generation of the microphone whose sound is sent.
    heard: Arc<AtomicU64>,
    encoding: Option<VideoEncoding>,
    preview: Arc<FrameSlot>,
    to_encoder: Arc<FrameSlot>,
    level: Arc<LevelMeter>,
    new_processor: NewProcessor,
    fan_out: Arc<FanOut>,
    system: LaneSender<SystemEvent>,
    generation: u64,
    /// What the camera itself runs in, once it has opened.
    camera_mode: Option<(u32, u32, u32)>,
    reported: Option<Event>,
    /// Frames a second of the camera: what was asked for until it is measured.
    fps: f32,
    /// Threads that are closing devices. Nothing is opened meanwhile: a camera has one user.
    closing: u32,
    /// To be told when nothing closes any more; as many as are given up while a device takes to close.
    released: Vec<ConversationId>,
    stream_ended: bool,
}

impl LocalMedia {
    pub(super) fn new(
        preview: Arc<FrameSlot>,
        level: Arc<LevelMeter>,
        new_processor: NewProcessor,
        fan_out: Arc<FanOut>,
        system: LaneSender<SystemEvent>,
    ) -> Self {
        Self {
            consent: None,
            wish: None,
            camera: None,
            microphone: None,
            stand_in: None,
            heard: Arc::default(),
            encoding: None,
            preview,
            to_encoder: Arc::default(),
            level,
            new_processor,
            fan_out,
            system,
            generation: 0,
            camera_mode: None,
            reported: None,
            fps: 0.0,
            closing: 0,
            released: Vec::new(),
            stream_ended: false,
        }
    }

    /// True while anything may be captured.
    pub(super) const fn is_open(&self) -> bool {
        self.consent.is_some()
    }

    /// True while devices are being closed.
    pub(super) const fn is_closing(&self) -> bool {
        self.closing > 0
    }

    /// What is wished (sound, video), while anything may be captured.
    pub(super) fn wished(&self) -> Option<(bool, bool)> {
        self.wish.as_ref().map(|wish| (wish.audio, wish.video.is_some()))
    }

    /// Has open what is wished under a new consent (an earlier one is given up), once an earlier release is done.
    pub(super) fn open(&mut self, consent: Consent, wish: MediaWish) {
        self.consent = Some(consent);
        self.reported = None;
        self.change(wish);
    }

    /// Opens, closes or reopens devices so that what is captured is what is wished. Without consent it opens nothing.
    pub(super) fn change(&mut self, wish: MediaWish) {
        if self.consent.is_some() {
            self.wish = Some(wish);
            self.settle();
        }
    }

    /// Closes what is not wished; opens what is, unless something still closes: then it is called again after that.
    fn settle(&mut self) {
        let Some(wish) = self.wish.clone() else { return };
        let Some(consent) = self.consent.take() else { return };
        let camera = wish.video.filter(|_| wish.camera != DeviceChoice::None).map(|format| (wish.camera, format));
        let microphone = (wish.audio && wish.microphone != DeviceChoice::None).then_some(wish.microphone);
        self.limit_bit_rate(camera.as_ref());
        let old_camera = self.camera.take_if(|open| Some(&open.wish) != camera.as_ref());
        let old_microphone = self.microphone.take_if(|open| Some(&open.wish) != microphone.as_ref());
        let old_stand_in = self.stand_in.take_if(|_| self.microphone.is_none());
        if old_camera.is_some() || old_microphone.is_some() || old_stand_in.is_some() {
            self.close(old_camera, [old_microphone, old_stand_in], None);
        }
        if self.closing == 0 {
            if let Some((choice, format)) = camera.filter(|_| self.camera.is_none()) {
                self.open_camera(&consent, choice, format);
            }
            if let Some(choice) = microphone.filter(|_| self.microphone.is_none()) {
                self.microphone = Some(self.open_microphone(&consent, choice));
            }
            if self.stand_in.is_none() && self.microphone.as_ref().is_some_and(is_gone) {
                self.stand_in = Some(self.open_microphone(&consent, DeviceChoice::SystemDefault));
            }
        }
        self.consent = Some(consent);
    }

    /// Another bit rate alone is the encoder's business: the camera stays open.
    fn limit_bit_rate(&mut self, wanted: Option<&(DeviceChoice, VideoFormat)>) {
        let (Some(open), Some((choice, format))) = (&mut self.camera, wanted) else { return };
        let (open_choice, open_format) = &mut open.wish;
        if open_choice == choice && (VideoFormat { max_kbps: format.max_kbps, ..*open_format }) == *format {
            *open_format = *format;
            if let Some(encoding) = &self.encoding {
                encoding.set_format(*format);
            }
        }
    }

    fn open_camera(&mut self, consent: &Consent, choice: DeviceChoice, format: VideoFormat) {
        self.generation += 1;
        let generation = self.generation;
        let system = self.system.clone();
        let outputs = vec![Arc::clone(&self.preview), Arc::clone(&self.to_encoder)];
        let device = Camera::open(consent, &choice, format, outputs, move |event| {
            system.send(SystemEvent::Camera { generation, event });
        });
        if let Some(encoding) = &self.encoding {
            encoding.set_format(format);
            encoding.request_keyframe();
        }
        self.fps = format.max_fps as f32;
        self.camera_mode = None;
        let name = choice.to_string();
        self.camera = Some(Open { device, wish: (choice, format), generation, name, resolved: false, fault: None });
    }

    /// Opens a microphone, which is the one to be heard from now on.
    fn open_microphone(&mut self, consent: &Consent, choice: DeviceChoice) -> Open<Microphone, DeviceChoice> {
        self.generation += 1;
        let generation = self.generation;
        self.heard.store(generation, Relaxed);
        let system = self.system.clone();
        let device = Microphone::open(
            consent,
            &choice,
            Arc::clone(&self.level),
            (self.new_processor)(),
            sound_sink(Arc::clone(&self.fan_out), Arc::clone(&self.heard), generation, self.system.clone()),
            move |event| system.send(SystemEvent::Sound { device: DeviceKind::Microphone, generation, event }),
        );
        let name = choice.to_string();
        Open { device, wish: choice, generation, name, resolved: false, fault: None }
    }

    /// The size of the latest encoded picture; `None` before there is one.
    pub(super) fn encoded_size(&self) -> Option<(u32, u32)> {
        let stats = self.encoding.as_ref()?.stats();
        (stats.width > 0).then_some((stats.width, stats.height))
    }

    /// Starts encoding what the camera gives, for a conversation.
    pub(super) fn start_sending(&mut self, format: VideoFormat) {
        if self.encoding.is_none() {
            let fan_out = Arc::clone(&self.fan_out);
            let input = Arc::clone(&self.to_encoder);
            let budget = Arc::clone(&fan_out);
            self.encoding = VideoEncoding::start(
                input,
                format,
                move || budget.video_budget(),
                move |video| fan_out.send_video(&video),
            )
            .inspect_err(|error| tracing::error!("no thread to encode video on: {error}"))
            .ok();
        }
    }

    /// The next encoded picture shall be one that decoding can start at.
    pub(super) fn request_keyframe(&self) {
        if let Some(encoding) = &self.encoding {
            encoding.request_keyframe();
        }
    }

    /// Gives up the consent and closes everything. What `on_closed` returns when that is done is returned here if
    /// nothing had to be closed.
    pub(super) fn release(&mut self, conversation: Option<ConversationId>) -> Option<Released> {
        self.stream_ended |= self.consent.take().is_some();
        self.wish = None;
        self.reported = None;
        self.released.extend(conversation);
        let (camera, microphones, encoding) =
            (self.camera.take(), [self.microphone.take(), self.stand_in.take()], self.encoding.take());
        if camera.is_some() || microphones.iter().any(Option::is_some) || encoding.is_some() {
            self.close(camera, microphones, encoding);
        }
        (self.closing == 0).then(|| self.take_released())
    }

    /// Closes devices on a thread of its own, which then sends `DevicesClosed`: a driver can take seconds.
    fn close(
        &mut self,
        camera: Option<Open<Camera, (DeviceChoice, VideoFormat)>>,
        microphones: [Option<Open<Microphone, DeviceChoice>>; 2],
        encoding: Option<VideoEncoding>,
    ) {
        let (system, level) = (self.system.clone(), Arc::clone(&self.level));
        let (preview, to_encoder) = (Arc::clone(&self.preview), Arc::clone(&self.to_encoder));
        let close = move || {
            if camera.is_some() {
                drop(camera);
                preview.clear();
                // Or it would be the first picture of the next call.
                to_encoder.clear();
            }
            if microphones.iter().any(Option::is_some) {
                drop(microphones);
                level.reset();
            }
            drop(encoding);
            system.send_surely(SystemEvent::DevicesClosed);
        };
        match std::thread::Builder::new().name("release".into()).spawn(close) {
            Ok(_) => self.closing += 1,
            // What was to be closed is dropped with the closure: slower, but closed.
            Err(error) => tracing::warn!("no thread to close the devices on: {error}"),
        }
    }

    /// One of the closings is done. After the last one: opens what was asked for meanwhile, and says what was released.
    pub(super) fn on_closed(&mut self) -> Option<Released> {
        self.closing = self.closing.saturating_sub(1);
        if self.closing > 0 {
            return None;
        }
        self.settle();
        Some(self.take_released())
    }

    fn take_released(&mut self) -> Released {
        Released {
            conversations: std::mem::take(&mut self.released),
            stream_ended: std::mem::take(&mut self.stream_ended),
        }
    }

    /// Takes a camera's report; the event to pass on, if it is a fault or a recovery.
    pub(super) fn on_camera(&mut self, generation: u64, event: CameraEvent) -> Option<Event> {
        let open = self.camera.as_mut().filter(|open| open.generation == generation)?;
        open.resolved = true;
        match event {
            CameraEvent::Opened { name, device_mode, .. } => {
                open.name = name;
                open.fault = None;
                self.camera_mode = device_mode;
                None
            }
            CameraEvent::Fault(error) => Some(fault(open, DeviceKind::Camera, &error)),
            CameraEvent::Recovered { name } => Some(recovered(open, DeviceKind::Camera, name)),
        }
    }

    /// Takes a microphone's report; the event to pass on, if it is a fault or a recovery.
    pub(super) fn on_microphone(&mut self, generation: u64, event: SoundEvent) -> Option<Event> {
        if self.stand_in.as_ref().is_some_and(|open| open.generation == generation) {
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
                let event = fault(open, DeviceKind::Microphone, &error);
                self.settle();
                Some(event)
            }
            SoundEvent::Recovered { name } => {
                let event = recovered(open, DeviceKind::Microphone, name);
                self.heard.store(generation, Relaxed);
                if let Some(stand_in) = self.stand_in.take() {
                    self.close(None, [Some(stand_in), None], None);
                }
                Some(event)
            }
        }
    }

    /// What becomes of the microphone that stands in: that it works is told, as a choice that could not be kept, and so
    /// is its end. That it never worked needs no word beside those about the chosen one.
    fn on_stand_in(&mut self, event: SoundEvent) -> Option<Event> {
        let open = self.stand_in.as_mut()?;
        let worked = std::mem::replace(&mut open.resolved, true) && open.fault.is_none();
        match event {
            SoundEvent::Opened { name } | SoundEvent::Recovered { name } => {
                open.name.clone_from(&name);
                open.fault = None;
                let chosen = self.microphone.as_ref()?.wish.to_string();
                // The chosen one is the default, and back: its own thread will say so.
                let other = name != chosen;
                other.then_some(Event::DeviceFallback { device: DeviceKind::Microphone, chosen, name })
            }
            SoundEvent::Fault(error) => {
                let event = fault(open, DeviceKind::Microphone, &error);
                worked.then_some(event)
            }
        }
    }

    /// A `local_stream` event, when every device has opened or failed and something differs from the last one.
    pub(super) fn report(&mut self) -> Option<Event> {
        self.consent.as_ref()?;
        let settled = self.closing == 0
            && self.camera.as_ref().is_none_or(|open| open.resolved)
            && self.microphone.as_ref().is_none_or(|open| open.resolved)
            && self.stand_in.as_ref().is_none_or(|open| open.resolved);
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

    /// Name and format of the camera, when it works.
    pub(super) fn working_camera(&self) -> Option<(&str, VideoFormat)> {
        let open = self.camera.as_ref().filter(|open| open.resolved && open.fault.is_none())?;
        Some((&open.name, open.wish.1))
    }

    /// Width, height and frames a second that the working camera itself runs in, where it has a mode of its own.
    pub(super) fn camera_mode(&self) -> Option<(u32, u32, u32)> {
        self.working_camera().and(self.camera_mode)
    }

    /// Name of the microphone, when it works.
    pub(super) fn working_microphone(&self) -> Option<&str> {
        let works = |open: &&Open<Microphone, DeviceChoice>| open.resolved && open.fault.is_none();
        let open = [&self.microphone, &self.stand_in].into_iter().flatten().find(works)?;
        Some(&open.name)
    }

    /// Takes the camera's measured rate for the next report, when it is clearly another one than was reported last.
    pub(super) fn measure(&mut self) {
        let measured = self.measured_fps();
        if measured > 0.0 && (measured - self.fps).abs() > self.fps * 0.1 {
            self.fps = (measured * 10.0).round() / 10.0;
        }
    }

    /// Frames a second that the camera really gives.
    pub(super) fn measured_fps(&self) -> f32 {
        self.camera.as_ref().map_or(0.0, |open| open.device.measured_fps())
    }

    /// What is wrong with camera and microphone. A microphone that stands in puts right what is wrong with the chosen one.
    pub(super) fn faults(&self) -> (Option<DeviceFault>, Option<DeviceFault>) {
        let stands_in = self.stand_in.as_ref().is_some_and(|open| open.fault.is_none());
        let microphone = self.microphone.as_ref().filter(|_| !stands_in).and_then(|open| open.fault);
        (self.camera.as_ref().and_then(|open| open.fault), microphone)
    }

    /// The tile of one's own picture.
    pub(super) fn preview(&self) -> &Arc<FrameSlot> {
        &self.preview
    }

    /// How loud the microphone is.
    pub(super) fn level(&self) -> &Arc<LevelMeter> {
        &self.level
    }
}

/// True of a device that was chosen by its name and is not there.
fn is_gone<D>(open: &Open<D, DeviceChoice>) -> bool {
    matches!(open.wish, DeviceChoice::Named(_)) && open.fault.is_some_and(DeviceFault::is_gone)
}

fn fault<D, W>(open: &mut Open<D, W>, device: DeviceKind, error: &CallError) -> Event {
    open.fault = Some(fault_of(error));
    device_error(device, error)
}

fn recovered<D, W>(open: &mut Open<D, W>, device: DeviceKind, name: String) -> Event {
    open.fault = None;
    open.name.clone_from(&name);
    Event::DeviceRecovered { device, name }
}

/// What the microphone's thread does with each 20 ms: encode and send, unless another microphone is heard in its place or
/// nobody would hear it.
fn sound_sink(
    fan_out: Arc<FanOut>,
    heard: Arc<AtomicU64>,
    generation: u64,
    system: LaneSender<SystemEvent>,
) -> impl FnMut(&[f32], MediaTime) + Send + 'static {
    let mut encoder: Option<AudioEncoder> = None;
    let mut unheard = UnheardSpeech::default();
    move |samples, captured_at| {
        if heard.load(Relaxed) != generation {
            return;
        }
        if unheard.note(samples, fan_out.is_muted(), captured_at) {
            system.send(SystemEvent::SpokeMuted);
        }
        if fan_out.sound_is_idle() {
            return;
        }
        if encoder.is_none() {
            encoder = AudioEncoder::new().inspect_err(|error| tracing::error!("no Opus encoder: {error}")).ok();
        }
        let Some(encoder) = &mut encoder else { return };
        if let Err(error) = encoder.set_expected_loss(fan_out.path_loss_percent()) {
            tracing::debug!("the protection of sound could not be set: {error}");
        }
        match encoder.encode(samples, captured_at) {
            Ok(audio) => fan_out.send_audio(&audio),
            Err(error) => tracing::warn!("a sound frame could not be encoded: {error}"),
        }
    }
}

#[cfg(test)]
#[path = "local_media_tests.rs"]
mod tests;
