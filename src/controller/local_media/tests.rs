//! Openings, closings and reports of this side's devices when they are wished for, exchanged and released; with the
//! test card.

use std::time::Duration;

use super::*;
use crate::controller::Gates;
use crate::controller::lanes::{Lanes, Next};
use crate::media::{MediaTime, Preset};
use crate::microphone::SoundEvent;

struct Rig {
    media: LocalMedia,
    lanes: Lanes,
}

fn rig() -> Rig {
    let (senders, lanes) = Lanes::new();
    lanes.attach();
    let sending = MediaSend::new(Arc::new(Gates::default()));
    let new_processor = Box::new(VoiceProcessor::default);
    let media = LocalMedia::new(Arc::default(), Arc::default(), new_processor, sending, senders.parts);
    Rig { media, lanes }
}

fn wish(video: Option<Preset>) -> MediaWish {
    MediaWish {
        audio: false,
        video: video.map(|preset| VideoFormat::of(preset, None, None)),
        camera: DeviceChoice::TestCard { format: None },
        microphone: DeviceChoice::None,
    }
}

impl Rig {
    fn open(&mut self, video: Option<Preset>) {
        self.media.open(Consent::for_test(), wish(video));
    }

    /// Takes events until `done` gives something.
    fn wait<T>(&mut self, mut done: impl FnMut(&mut LocalMedia, SystemEvent) -> Option<T>) -> T {
        let end = MediaTime::now() + Duration::from_secs(20);
        loop {
            match self.lanes.next(Some(end)) {
                Next::System(event) => {
                    if let Some(found) = done(&mut self.media, event) {
                        return found;
                    }
                }
                _ => panic!("nothing came"),
            }
        }
    }

    fn wait_released(&mut self) -> Released {
        self.wait(|media, event| match event {
            SystemEvent::DevicesClosed => media.on_closed(),
            _ => None,
        })
    }

    fn wait_report(&mut self) -> Event {
        self.wait(|media, event| {
            match event {
                SystemEvent::Camera { generation, event } => drop(media.on_camera(generation, event)),
                SystemEvent::DevicesClosed => drop(media.on_closed()),
                _ => {}
            }
            media.report()
        })
    }
}

#[test]
fn what_is_wished_while_devices_close_is_opened_afterwards() {
    let mut rig = rig();
    rig.open(Some(Preset::Low));
    assert!(matches!(rig.wait_report(), Event::LocalStream { width: 320, .. }));
    let conversation = ConversationId::from_bits(1);
    assert!(rig.media.release(Some(conversation)).is_none(), "the camera takes a moment to close");
    rig.open(Some(Preset::Standard));
    assert!(rig.media.camera.is_none(), "a camera has one user");
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
    rig.media.change(wish(Some(Preset::Standard)));
    assert!(rig.media.camera.is_some() && rig.media.leaving.is_some());
    assert!(rig.media.release(None).is_none());
    assert!(!rig.media.is_open());
    rig.wait_released();
    assert!(rig.media.camera.is_none() && rig.media.leaving.is_none(), "nobody wishes for them any more");
}

#[test]
fn another_camera_is_opened_before_the_one_that_is_seen_is_closed() {
    let mut rig = rig();
    rig.open(Some(Preset::Low));
    rig.wait_report();
    rig.media.change(wish(Some(Preset::Standard)));
    assert_eq!(rig.media.working_camera().map(|(_, format)| format.width), Some(320), "it is still seen");
    assert!(!rig.media.is_closing());
    rig.wait(|media, event| match event {
        SystemEvent::Camera { generation, event } => {
            drop(media.on_camera(generation, event));
            media.leaving.is_none().then_some(())
        }
        _ => None,
    });
    assert_eq!(rig.media.preview.get().0.map(|frame| frame.width()), Some(640), "the new one has given a picture");
    assert!(rig.media.is_closing());
    assert!(matches!(rig.wait_report(), Event::LocalStream { width: 640, .. }));
    assert!(rig.media.preview.get().0.is_some(), "it is left where it is");
}

#[test]
fn a_camera_that_fails_beside_the_old_one_is_tried_again_without_it() {
    let mut rig = rig();
    rig.open(Some(Preset::Low));
    rig.wait_report();
    let camera = DeviceChoice::Named("No such camera".to_owned());
    rig.media.change(MediaWish { camera, ..wish(Some(Preset::Low)) });
    let error = rig.wait(|media, event| match event {
        SystemEvent::Camera { generation, event } => media.on_camera(generation, event),
        SystemEvent::DevicesClosed => {
            assert!(media.leaving.is_none());
            drop(media.on_closed());
            assert!(media.camera.is_some(), "the second attempt");
            None
        }
        _ => None,
    });
    assert!(matches!(error, Event::DeviceError { fault: DeviceFault::Missing, .. }), "{error:?}");
    assert!(rig.media.leaving.is_none() && rig.media.working_camera().is_none());
}

#[test]
fn one_device_is_closed_before_it_is_opened_again() {
    let device = |name: &str| DeviceChoice::Named(name.to_owned());
    let mut rig = rig();
    rig.open(Some(Preset::Low));
    rig.wait_report();
    let follows = |old: DeviceChoice, found: &str, choice: DeviceChoice, rig: &mut Rig| {
        let mut open = rig.media.camera.take().unwrap();
        (open.wish.0, open.name) = (old, found.to_owned());
        let follows = rig.media.may_follow(&open, &choice);
        rig.media.camera = Some(open);
        follows
    };
    assert!(follows(device("Desk"), "Desk", device("Door"), &mut rig));
    assert!(follows(DeviceChoice::SystemDefault, "Desk", device("Door"), &mut rig));
    assert!(!follows(DeviceChoice::SystemDefault, "Desk", device("Desk"), &mut rig));
    assert!(!follows(device("Desk"), "Desk", device("Desk"), &mut rig), "in another format");
    assert!(!follows(device("Desk"), "Desk", DeviceChoice::SystemDefault, &mut rig), "which may be the same");
    rig.media.camera.as_mut().unwrap().fault = Some(DeviceFault::Stalled);
    assert!(!follows(device("Desk"), "Desk", device("Door"), &mut rig), "there is no picture to hold");
}

#[test]
fn a_release_of_nothing_is_done_at_once_and_ends_no_stream() {
    let mut rig = rig();
    let conversation = ConversationId::from_bits(2);
    let released = rig.media.release(Some(conversation)).unwrap();
    assert_eq!((released.conversations.as_slice(), released.stream_ended), ([conversation].as_slice(), false));
    rig.open(None);
    assert!(rig.media.release(None).unwrap().stream_ended);
}

#[test]
fn another_consent_or_bit_rate_does_not_reopen_the_camera() {
    let mut rig = rig();
    rig.open(Some(Preset::Low));
    rig.wait_report();
    let generation = rig.media.camera.as_ref().unwrap().generation;
    rig.open(Some(Preset::Low));
    let mut slower = wish(Some(Preset::Low));
    slower.video = Some(VideoFormat::of(Preset::Low, None, Some(77)));
    rig.media.change(slower);
    assert_eq!(rig.media.camera.as_ref().unwrap().generation, generation);
    assert!(!rig.media.is_closing());
    assert_eq!(rig.media.camera.as_ref().unwrap().wish.1.max_kbps, 77);
}

#[test]
fn a_closed_camera_leaves_no_picture_behind() {
    let mut rig = rig();
    rig.open(Some(Preset::Low));
    rig.wait_report();
    assert!(rig.media.sending.pictures().get().0.is_some());
    rig.media.change(wish(None));
    assert!(matches!(rig.wait_report(), Event::LocalStream { video: false, .. }));
    assert!(rig.media.sending.pictures().get().0.is_none() && rig.media.preview.get().0.is_none());
}

#[test]
fn without_consent_nothing_opens() {
    let mut rig = rig();
    rig.media.change(wish(Some(Preset::Low)));
    assert!(rig.media.camera.is_none() && rig.media.wished().is_none());
}

#[test]
fn a_microphone_that_stood_in_and_is_gone_too_is_told() {
    let mut rig = rig();
    let microphone = DeviceChoice::Named("No such microphone".to_owned());
    rig.media.open(Consent::for_test(), MediaWish { audio: true, microphone, ..wish(None) });
    let missing = || SoundEvent::Fault(DeviceFault::Missing.of(DeviceKind::Microphone));
    let unplugged = || SoundEvent::Fault(DeviceFault::Unplugged.of(DeviceKind::Microphone));
    let chosen = rig.media.microphone.as_ref().unwrap().generation;
    assert!(matches!(rig.media.on_microphone(chosen, missing()), Some(Event::DeviceError { .. })));
    let stand_in = rig.media.stand_in.device().unwrap().generation;
    assert_eq!(rig.media.on_microphone(stand_in, missing()), None, "nothing is there, as was said");
    let works = |name: &str| SoundEvent::Recovered { name: name.to_owned() };
    assert!(matches!(rig.media.on_microphone(stand_in, works("Built-in")), Some(Event::DeviceFallback { .. })));
    let gone = rig.media.on_microphone(stand_in, unplugged());
    assert!(matches!(gone, Some(Event::DeviceError { fault: DeviceFault::Unplugged, .. })), "{gone:?}");
    assert!(rig.media.faults().1.is_some() && rig.media.working_microphone().is_none());
}

#[test]
fn a_microphone_that_gives_only_zeros_is_told_and_works_all_the_same() {
    let mut rig = rig();
    let microphone = DeviceChoice::Named("Interface".to_owned());
    rig.media.open(Consent::for_test(), MediaWish { audio: true, microphone, ..wish(None) });
    let generation = rig.media.microphone.as_ref().unwrap().generation;
    rig.media.on_microphone(generation, SoundEvent::Opened { name: "Interface".to_owned() });
    for on in [true, false] {
        let told = rig.media.on_microphone(generation, SoundEvent::Silence { name: "Interface".to_owned(), on });
        assert_eq!(told, Some(Event::MicrophoneSilent { microphone: "Interface".to_owned(), on }));
    }
    assert_eq!((rig.media.working_microphone(), rig.media.faults()), (Some("Interface"), (None, None)));
}

#[test]
fn the_mode_that_the_camera_itself_runs_in_is_known_while_it_is_open() {
    let mut rig = rig();
    let camera = DeviceChoice::TestCard { format: Some((320, 240, 10)) };
    rig.media.open(Consent::for_test(), MediaWish { camera, ..wish(Some(Preset::Standard)) });
    assert_eq!(rig.media.camera_mode(), None, "it is still opening");
    rig.wait_report();
    assert_eq!(rig.media.camera_mode(), Some((320, 240, 10)));
    rig.media.change(wish(None));
    assert_eq!(rig.media.camera_mode(), None);
}
