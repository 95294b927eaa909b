//! Openings, closings and reports of this side's devices when they are wished for, exchanged and released; with the
//! test card.

use std::time::Duration;

use super::*;
use crate::controller::lanes::{Lanes, Next};
use crate::controller::system_event::SystemEvent;
use crate::controller::{Gates, SharingEnd};
use crate::device::DeviceKind;
use crate::media::Preset;
use crate::voice_processing::VoiceProcessor;

struct Rig {
    captures: CaptureSet,
    settings: Settings,
    lanes: Lanes,
}

fn rig() -> Rig {
    let (senders, lanes) = Lanes::new();
    lanes.attach();
    let sending = MediaSend::new(Arc::new(Gates::default()));
    let new_processor = Box::new(VoiceProcessor::default);
    let format = VideoFormat::of(Preset::Low, None, None);
    let captures = CaptureSet::new(Default::default(), format, new_processor, sending, senders.parts);
    let settings = Settings {
        camera: DeviceChoice::TestCard { format: None },
        microphone: DeviceChoice::None,
        ..Settings::default()
    };
    Rig { captures, settings, lanes }
}

impl Rig {
    /// Opens the camera in this format, or nothing.
    fn open(&mut self, video: Option<Preset>) {
        let streams = self.streams(video);
        self.captures.open(Consent::for_test(), streams, &self.settings);
    }

    fn open_microphone(&mut self, name: &str) {
        self.settings.microphone = DeviceChoice::Named(name.to_owned());
        self.captures.open(Consent::for_test(), MediaSet::of_call(true, false), &self.settings);
    }

    fn change(&mut self, video: Option<Preset>) {
        let streams = self.streams(video);
        self.captures.change(streams, &self.settings);
    }

    fn streams(&mut self, video: Option<Preset>) -> MediaSet {
        let video = video.map_or(VideoChoice::Off, VideoChoice::On);
        MediaSet::of_call(false, self.captures.take_format(video, &self.settings))
    }

    /// Takes events until `done` gives something.
    fn wait<T>(&mut self, mut done: impl FnMut(&mut CaptureSet, SystemEvent) -> Option<T>) -> T {
        let end = MediaTime::now() + Duration::from_secs(20);
        loop {
            match self.lanes.next(Some(end)) {
                Next::System(event) => {
                    if let Some(found) = done(&mut self.captures, event) {
                        return found;
                    }
                }
                _ => panic!("nothing came"),
            }
        }
    }

    fn wait_released(&mut self) -> Released {
        self.wait(|captures, event| match event {
            SystemEvent::DevicesClosed => captures.on_closed(),
            _ => None,
        })
    }

    fn wait_report(&mut self) -> Event {
        self.wait(|captures, event| {
            match event {
                SystemEvent::PictureSource { stream, generation, event } => {
                    drop(captures.on_picture_source(stream, generation, event))
                }
                SystemEvent::DevicesClosed => drop(captures.on_closed()),
                _ => {}
            }
            captures.report()
        })
    }

    fn sent_picture(&self) -> bool {
        self.captures.camera.sending().slot().get().0.is_some()
    }
}

#[test]
fn a_wish_while_devices_close_is_opened_afterwards() {
    let mut rig = rig();
    rig.open(Some(Preset::Low));
    assert!(matches!(rig.wait_report(), Event::LocalStream { width: 320, .. }));
    let conversation = ConversationId::from_bits(1);
    assert!(rig.captures.release(Some(conversation)).is_none(), "the camera takes a moment to close");
    rig.open(Some(Preset::Standard));
    assert!(!rig.captures.camera.is_open(), "a camera has one user");
    let released = rig.wait_released();
    assert_eq!(released.conversations, [conversation]);
    assert!(released.stream_ended);
    assert!(matches!(rig.wait_report(), Event::LocalStream { width: 640, .. }));
}

#[test]
fn a_release_waits_for_a_camera_that_was_being_exchanged() {
    let mut rig = rig();
    rig.open(Some(Preset::Low));
    rig.wait_report();
    rig.change(Some(Preset::Standard));
    assert!(rig.captures.camera.is_open() && rig.captures.camera.is_exchanged());
    assert!(rig.captures.release(None).is_none());
    assert!(!rig.captures.is_open());
    rig.wait_released();
    assert!(!rig.captures.camera.is_open() && !rig.captures.camera.is_exchanged(), "nobody wishes for them any more");
}

#[test]
fn another_camera_is_opened_before_the_one_that_is_seen_is_closed() {
    let mut rig = rig();
    rig.open(Some(Preset::Low));
    rig.wait_report();
    rig.change(Some(Preset::Standard));
    assert_eq!(rig.captures.working_camera().map(|(_, format)| format.width), Some(320), "it is still seen");
    assert!(!rig.captures.is_closing());
    rig.wait(|captures, event| match event {
        SystemEvent::PictureSource { stream, generation, event } => {
            drop(captures.on_picture_source(stream, generation, event));
            (!captures.camera.is_exchanged()).then_some(())
        }
        _ => None,
    });
    let seen = rig.captures.preview().get().0.map(|frame| frame.width());
    assert_eq!(seen, Some(640), "the new one has given a picture");
    assert!(rig.captures.is_closing());
    assert!(matches!(rig.wait_report(), Event::LocalStream { width: 640, .. }));
    assert!(rig.captures.preview().get().0.is_some(), "it is left where it is");
}

#[test]
fn a_camera_that_fails_beside_the_old_one_is_tried_again_without_it() {
    let mut rig = rig();
    rig.open(Some(Preset::Low));
    rig.wait_report();
    rig.settings.camera = DeviceChoice::Named("No such camera".to_owned());
    rig.change(Some(Preset::Low));
    let error = rig.wait(|captures, event| match event {
        SystemEvent::PictureSource { stream, generation, event } => {
            captures.on_picture_source(stream, generation, event)
        }
        SystemEvent::DevicesClosed => {
            assert!(!captures.camera.is_exchanged());
            drop(captures.on_closed());
            assert!(captures.camera.is_open(), "the second attempt");
            None
        }
        _ => None,
    });
    assert!(matches!(error, Event::DeviceError { fault: DeviceFault::Missing, .. }), "{error:?}");
    assert!(!rig.captures.camera.is_exchanged() && rig.captures.working_camera().is_none());
}

#[test]
fn a_release_of_nothing_is_done_at_once_and_ends_no_stream() {
    let mut rig = rig();
    let conversation = ConversationId::from_bits(2);
    let released = rig.captures.release(Some(conversation)).unwrap();
    assert_eq!((released.conversations.as_slice(), released.stream_ended), ([conversation].as_slice(), false));
    rig.open(None);
    assert!(rig.captures.release(None).unwrap().stream_ended);
}

#[test]
fn another_consent_or_bit_rate_does_not_reopen_the_camera() {
    let mut rig = rig();
    rig.open(Some(Preset::Low));
    rig.wait_report();
    let generation = rig.captures.camera.generation();
    rig.open(Some(Preset::Low));
    rig.captures.set_limits(None, Some(77));
    rig.change(Some(Preset::Low));
    assert_eq!(rig.captures.camera.generation(), generation);
    assert!(!rig.captures.is_closing());
    assert_eq!(rig.captures.working_camera().map(|(_, format)| format.max_kbps), Some(77));
}

#[test]
fn a_closed_camera_leaves_no_picture_behind() {
    let mut rig = rig();
    rig.open(Some(Preset::Low));
    rig.wait_report();
    assert!(rig.sent_picture());
    rig.change(None);
    assert!(matches!(rig.wait_report(), Event::LocalStream { video: false, .. }));
    assert!(!rig.sent_picture() && rig.captures.preview().get().0.is_none());
}

#[test]
fn without_consent_nothing_opens() {
    let mut rig = rig();
    rig.change(Some(Preset::Low));
    assert!(!rig.captures.camera.is_open() && rig.captures.wished().is_none());
}

#[test]
fn a_microphone_that_stood_in_and_is_gone_too_is_told() {
    let mut rig = rig();
    rig.open_microphone("No such microphone");
    let missing = || SoundEvent::Fault(DeviceFault::Missing.of(DeviceKind::Microphone));
    let unplugged = || SoundEvent::Fault(DeviceFault::Unplugged.of(DeviceKind::Microphone));
    let [Some(chosen), None] = rig.captures.microphone.generations() else { panic!("one is open") };
    assert!(matches!(rig.captures.on_microphone(chosen, missing()), Some(Event::DeviceError { .. })));
    let [_, Some(stand_in)] = rig.captures.microphone.generations() else { panic!("one stands in") };
    assert_eq!(rig.captures.on_microphone(stand_in, missing()), None, "nothing is there, as was said");
    let works = |name: &str| SoundEvent::Recovered { name: name.to_owned() };
    assert!(matches!(rig.captures.on_microphone(stand_in, works("Built-in")), Some(Event::DeviceFallback { .. })));
    let gone = rig.captures.on_microphone(stand_in, unplugged());
    assert!(matches!(gone, Some(Event::DeviceError { fault: DeviceFault::Unplugged, .. })), "{gone:?}");
    assert!(rig.captures.microphone_fault().is_some() && rig.captures.working_microphone().is_none());
}

#[test]
fn a_microphone_that_gives_only_zeros_is_told_and_works_all_the_same() {
    let mut rig = rig();
    rig.open_microphone("Interface");
    let [Some(generation), None] = rig.captures.microphone.generations() else { panic!("one is open") };
    rig.captures.on_microphone(generation, SoundEvent::Opened { name: "Interface".to_owned() });
    for on in [true, false] {
        let told = rig.captures.on_microphone(generation, SoundEvent::Silence { name: "Interface".to_owned(), on });
        assert_eq!(told, Some(Event::MicrophoneSilent { microphone: "Interface".to_owned(), on }));
    }
    assert_eq!((rig.captures.working_microphone(), rig.captures.microphone_fault()), (Some("Interface"), None));
}

#[test]
fn the_mode_that_the_camera_itself_runs_in_is_known_while_it_is_open() {
    let mut rig = rig();
    rig.settings.camera = DeviceChoice::TestCard { format: Some((320, 240, 10)) };
    rig.open(Some(Preset::Standard));
    assert_eq!(rig.captures.camera_mode(), None, "it is still opening");
    rig.wait_report();
    assert_eq!(rig.captures.camera_mode(), Some((320, 240, 10)));
    rig.change(None);
    assert_eq!(rig.captures.camera_mode(), None);
}

#[test]
fn the_level_meter_opens_the_microphone_alone_and_closes_it_again() {
    let mut rig = rig();
    assert_eq!(rig.captures.meter_step(false), None);
    assert_eq!(rig.captures.meter_step(true), Some(MeterStep::Open(MediaSet::of_call(true, false))));
    rig.open_microphone("Headset");
    rig.captures.set_meter_only(true);
    assert_eq!((rig.captures.meter_step(true), rig.captures.meter_step(false)), (None, Some(MeterStep::Release)));
    rig.captures.change(MediaSet::of_call(true, true), &rig.settings);
    assert_eq!(rig.captures.meter_step(false), Some(MeterStep::Keep(MediaSet::of_call(false, true))));
}

#[test]
fn the_streams_that_the_devices_give_are_told_once() {
    let mut rig = rig();
    let without_sound = MediaSet::of_call(false, true).with(StreamState::screen(true));
    assert_eq!(rig.captures.take_untold(&rig.settings), Some(without_sound), "no microphone is chosen");
    assert_eq!(rig.captures.take_untold(&rig.settings), None);
}

impl Rig {
    /// Opens the camera and shares a screen, until both give pictures.
    fn share(&mut self) {
        let call = self.streams(Some(Preset::Low));
        self.captures.choose_screen(SharedScreen::Pattern);
        self.captures.open(Consent::for_test(), call.with(StreamState::screen(true)), &self.settings);
        assert_eq!(self.captures.report_sharing(), None, "it is still opening");
        self.wait_for_source(|captures| {
            captures.camera.working().is_some() && captures.screen.source().working().is_some()
        });
        assert_eq!(self.captures.report_sharing(), Some(Event::Sharing { on: true, reason: None }));
        assert_eq!(self.captures.report_sharing(), None, "told once");
    }

    /// Takes reports of sources and of closings until `done`.
    fn wait_for_source(&mut self, done: impl Fn(&CaptureSet) -> bool) {
        self.wait(|captures, event| {
            match event {
                SystemEvent::PictureSource { stream, generation, event } => {
                    drop(captures.on_picture_source(stream, generation, event));
                }
                SystemEvent::DevicesClosed => drop(captures.on_closed()),
                _ => {}
            }
            done(captures).then_some(())
        });
    }

    /// Lines of the pictures that camera and screen give.
    fn lines(&self) -> [Option<u32>; 2] {
        let lines = |source: &PictureSource| source.working().map(|(_, format)| format.height);
        [lines(&self.captures.camera), lines(self.captures.screen.source())]
    }

    /// True while a picture of the screen waits for its encoder.
    fn screen_waits(&self) -> bool {
        self.captures.screen.source().sending().slot().get().0.is_some()
    }
}

/// The `sharing` event of an end.
fn ended(reason: SharingEnd) -> Option<Event> {
    Some(Event::Sharing { on: false, reason: Some(reason) })
}

#[test]
fn a_screen_is_captured_beside_the_camera_and_ends_alone() {
    let mut rig = rig();
    rig.share();
    assert_eq!(rig.lines(), [Some(240), Some(720)]);
    assert_eq!(rig.captures.encoded(StreamId::SCREEN).map(|(format, _)| format.max_fps), Some(15));
    rig.captures.close_stream(StreamId::SCREEN, &rig.settings);
    assert_eq!(rig.captures.report_sharing(), ended(SharingEnd::Stopped));
    rig.wait_for_source(|captures| !captures.is_closing());
    assert_eq!(rig.lines(), [Some(240), None]);
    assert!(rig.sent_picture() && !rig.screen_waits(), "its last picture is not the first one of another share");
}

#[test]
fn a_release_ends_sharing_and_the_next_call_begins_without() {
    let mut rig = rig();
    rig.share();
    assert!(rig.captures.release(None).is_none());
    assert_eq!(rig.captures.report_sharing(), ended(SharingEnd::CallEnded));
    rig.wait_released();
    assert_eq!(rig.lines(), [None, None]);
    assert!(!rig.sent_picture() && !rig.screen_waits());
    let streams = rig.streams(Some(Preset::Low)).with(StreamState::screen(true));
    rig.captures.open(Consent::for_test(), streams, &rig.settings);
    rig.wait_for_source(|captures| captures.camera.working().is_some());
    assert!(!rig.captures.screen.source().is_open(), "no screen was chosen in this call");
    assert_eq!(rig.captures.report_sharing(), None);
}

#[test]
fn a_screen_goes_on_while_the_camera_is_lost_and_the_other_way_round() {
    let mut rig = rig();
    rig.share();
    let camera = rig.captures.camera.generation();
    let fault = |device| CameraEvent::Fault(DeviceFault::Unplugged.of(device));
    let told = rig.captures.on_picture_source(StreamId::CAMERA, camera, fault(DeviceKind::Camera));
    assert!(matches!(told, Some(Event::DeviceError { device: DeviceKind::Camera, .. })), "{told:?}");
    let given = |camera, screen| MediaSet::of_call(false, camera).with(StreamState::screen(screen));
    assert_eq!(rig.captures.take_untold(&rig.settings), Some(given(false, true)));
    assert!(rig.captures.encoded(StreamId::SCREEN).is_some());

    let screen = rig.captures.screen.source().generation();
    let told = rig.captures.on_picture_source(StreamId::SCREEN, screen, fault(DeviceKind::Camera));
    assert_eq!(told, None, "it is no camera");
    assert_eq!(rig.captures.report_sharing(), ended(SharingEnd::Failed));
    assert_eq!(rig.captures.take_untold(&rig.settings), Some(given(false, false)));
    let back = || CameraEvent::Recovered { name: "test-card".to_owned() };
    rig.captures.on_picture_source(StreamId::SCREEN, screen, back());
    assert_eq!(rig.captures.report_sharing(), Some(Event::Sharing { on: true, reason: None }));
    assert_eq!(rig.captures.take_untold(&rig.settings), Some(given(false, true)));
}

#[test]
fn a_screen_that_is_shared_while_a_camera_closes_is_opened_afterwards() {
    let mut rig = rig();
    rig.open(Some(Preset::Low));
    rig.wait_report();
    rig.change(None);
    rig.captures.choose_screen(SharedScreen::Pattern);
    let streams = rig.streams(None).with(StreamState::screen(true));
    rig.captures.change(streams, &rig.settings);
    assert!(!rig.captures.screen.source().is_open());
    rig.wait_for_source(|captures| captures.screen.source().working().is_some());
    assert_eq!(rig.lines(), [None, Some(720)]);
}
