//! What this side captures and sends: camera -> encoder -> everybody, microphone -> Opus -> everybody.
//!
//! Owned by the controller's thread. It holds the consent under which it opens devices; releasing it gives that up, and
//! the devices are closed on a thread of their own, so that a stuck driver never holds up hanging up.

mod reports;
mod sound_sink;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::call::{Consent, ConversationId};
use crate::capture::{Camera, Succession};
use crate::device::{DeviceChoice, DeviceFault, DeviceKind, StandIn};
use crate::encoder::VideoEncoding;
use crate::media::{FrameSlot, LevelMeter, MediaSet, VideoFormat};
use crate::media_send::MediaSend;
use crate::microphone::Microphone;

use crate::voice_processing::VoiceProcessor;

use super::Event;
use super::lanes::PartSenders;
use super::system_event::SystemEvent;
use sound_sink::sound_sink;

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

type OpenCamera = Open<Camera, (DeviceChoice, VideoFormat)>;
type OpenMicrophone = Open<Microphone, DeviceChoice>;

/// What is to be closed.
#[derive(Default)]
struct Closing {
    cameras: Vec<OpenCamera>,
    microphones: Vec<OpenMicrophone>,
    encoding: Option<VideoEncoding>,
    /// No pictures follow: the last one is to be seen no more.
    ends_pictures: bool,
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
    camera: Option<OpenCamera>,
    /// The camera before, which is seen until `camera` gives its first picture.
    leaving: Option<OpenCamera>,
    microphone: Option<OpenMicrophone>,
    /// The system's default, in the place of a chosen microphone that is gone; that one is tried again meanwhile.
    stand_in: StandIn<OpenMicrophone>,
    /// The generation of the microphone whose sound is sent.
    heard: Arc<AtomicU64>,
    preview: Arc<FrameSlot>,
    succession: Succession,
    level: Arc<LevelMeter>,
    new_processor: NewProcessor,
    sending: MediaSend,
    parts: PartSenders,
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
        sending: MediaSend,
        parts: PartSenders,
    ) -> Self {
        Self {
            consent: None,
            wish: None,
            camera: None,
            leaving: None,
            microphone: None,
            stand_in: StandIn::default(),
            heard: Arc::default(),
            succession: Succession::new([Arc::clone(&preview), Arc::clone(sending.pictures())]),
            preview,
            level,
            new_processor,
            sending,
            parts,
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

    /// The streams that are to be captured, while anything may be.
    pub(super) fn wished(&self) -> Option<MediaSet> {
        self.wish.as_ref().map(|wish| MediaSet::of_call(wish.audio, wish.video.is_some()))
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
        let mut closing = Closing { ends_pictures: camera.is_none(), ..Closing::default() };
        if let Some(old) = self.camera.take_if(|open| Some(&open.wish) != camera.as_ref()) {
            // Opened while the old one is still seen.
            match camera.clone().filter(|(choice, _)| self.may_follow(&old, choice)) {
                Some((choice, format)) => {
                    self.open_camera(&consent, choice, format);
                    self.leaving = Some(old);
                }
                None => closing.cameras = [Some(old), self.leaving.take()].into_iter().flatten().collect(),
            }
        }
        closing.microphones.extend(self.microphone.take_if(|open| Some(&open.wish) != microphone.as_ref()));
        if self.microphone.is_none() {
            closing.microphones.extend(self.stand_in.end());
        }
        self.close(closing);
        if self.closing == 0 {
            if let Some((choice, format)) = camera.filter(|_| self.camera.is_none()) {
                self.open_camera(&consent, choice, format);
            }
            if let Some(choice) = microphone.filter(|_| self.microphone.is_none()) {
                self.stand_in = StandIn::new(choice.clone());
                self.microphone = Some(self.open_microphone(&consent, choice));
            }
            if self.stand_in.is_wanted() {
                let device = self.open_microphone(&consent, DeviceChoice::SystemDefault);
                self.stand_in.begin(device);
            }
        }
        self.consent = Some(consent);
    }

    /// Whether the camera `choice` can be opened before `old` is closed: it is another device for sure.
    fn may_follow(&self, old: &OpenCamera, choice: &DeviceChoice) -> bool {
        let is_device = |choice: &DeviceChoice| matches!(choice, DeviceChoice::SystemDefault | DeviceChoice::Named(_));
        let other = match choice {
            DeviceChoice::Named(name) if is_device(&old.wish.0) => *name != old.name,
            choice => !is_device(choice) || !is_device(&old.wish.0),
        };
        other && old.works() && self.closing == 0 && self.leaving.is_none()
    }

    /// Another bit rate alone is the encoder's business: the camera stays open.
    fn limit_bit_rate(&mut self, wanted: Option<&(DeviceChoice, VideoFormat)>) {
        let (Some(open), Some((choice, format))) = (&mut self.camera, wanted) else { return };
        let (open_choice, open_format) = &mut open.wish;
        if open_choice == choice && (VideoFormat { max_kbps: format.max_kbps, ..*open_format }) == *format {
            *open_format = *format;
            self.sending.set_video_format(*format);
        }
    }

    fn open_camera(&mut self, consent: &Consent, choice: DeviceChoice, format: VideoFormat) {
        self.generation += 1;
        let generation = self.generation;
        let system = self.parts.system.clone();
        let device = Camera::open(consent, &choice, format, self.succession.next_camera(), move |event| {
            system.send(SystemEvent::Camera { generation, event });
        });
        self.sending.set_video_format(format);
        self.sending.fan_out().request_keyframes();
        self.fps = format.max_fps as f32;
        self.camera_mode = None;
        let name = choice.label();
        self.camera = Some(Open { device, wish: (choice, format), generation, name, resolved: false, fault: None });
    }

    /// Opens a microphone, which is the one to be heard from now on.
    fn open_microphone(&mut self, consent: &Consent, choice: DeviceChoice) -> OpenMicrophone {
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
            move |event| system.send(SystemEvent::Sound { device: DeviceKind::Microphone, generation, event }),
        );
        let name = choice.label();
        Open { device, wish: choice, generation, name, resolved: false, fault: None }
    }

    /// Gives up the consent and closes everything. What `on_closed` returns when that is done is returned here if
    /// nothing had to be closed.
    pub(super) fn release(&mut self, conversation: Option<ConversationId>) -> Option<Released> {
        self.stream_ended |= self.consent.take().is_some();
        self.wish = None;
        self.reported = None;
        self.released.extend(conversation);
        let closing = Closing {
            cameras: [self.camera.take(), self.leaving.take()].into_iter().flatten().collect(),
            microphones: [self.microphone.take(), self.stand_in.end()].into_iter().flatten().collect(),
            encoding: self.sending.stop_video(),
            ends_pictures: true,
        };
        self.close(closing);
        (self.closing == 0).then(|| self.take_released())
    }

    /// Closes devices on a thread of its own, which then sends `DevicesClosed`: a driver can take seconds. Nothing
    /// happens when there is nothing to close.
    fn close(&mut self, closing: Closing) {
        let Closing { cameras, microphones, encoding, ends_pictures } = closing;
        if cameras.is_empty() && microphones.is_empty() && encoding.is_none() {
            return;
        }
        let (system, level) = (self.parts.system.clone(), Arc::clone(&self.level));
        let (preview, to_encoder) = (Arc::clone(&self.preview), Arc::clone(self.sending.pictures()));
        let close = move || {
            if !cameras.is_empty() {
                drop(cameras);
                if ends_pictures {
                    preview.clear();
                    // Or it would be the first picture of the next call.
                    to_encoder.clear();
                }
            }
            if !microphones.is_empty() {
                drop(microphones);
                level.reset();
            }
            drop(encoding);
            system.send(SystemEvent::DevicesClosed);
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

    /// The tile of one's own picture.
    pub(super) fn preview(&self) -> &Arc<FrameSlot> {
        &self.preview
    }

    /// How loud the microphone is.
    pub(super) fn level(&self) -> &Arc<LevelMeter> {
        &self.level
    }
}

impl<D, W> Open<D, W> {
    fn works(&self) -> bool {
        self.resolved && self.fault.is_none()
    }
}

#[cfg(test)]
mod tests;
