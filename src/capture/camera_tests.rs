//! The camera end to end, with synthetic devices; `device_tests` has real ones.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use super::*;
use crate::device::{Consent, DeviceChoice, DeviceError, DeviceFault, DeviceKind, DeviceReason};
use crate::media::{FrameSlot, VideoFormat, VideoFrame};

/// Longer than anything here takes on a busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(30);
pub const DEVICE: DeviceKind = DeviceKind::Camera;

pub struct Open {
    pub camera: Camera,
    pub slot: Arc<FrameSlot>,
    pub events: Receiver<CameraEvent>,
}

pub fn open(choice: &str, format: VideoFormat) -> Open {
    let slot = Arc::new(FrameSlot::new());
    let (sender, events) = sync_channel(64);
    let choice = DeviceChoice::from(choice.to_owned());
    let camera = Camera::open(
        &Consent::for_test(),
        &choice,
        format,
        Succession::new([Arc::clone(&slot)]).next_camera(),
        move |event| {
            sender.try_send(event).unwrap();
        },
    );
    Open { camera, slot, events }
}

impl Open {
    pub fn event(&self) -> CameraEvent {
        self.events.recv_timeout(TIMEOUT).expect("an event of the camera")
    }

    pub fn picture(&self) -> Arc<VideoFrame> {
        self.slot.take_timeout(TIMEOUT).expect("a picture of the camera")
    }

    #[track_caller]
    pub fn expect_opened(&self) -> (String, Option<(u32, u32, u32)>) {
        match self.event() {
            CameraEvent::Opened { name, device_mode, .. } => (name, device_mode),
            other => panic!("{other:?} instead of Opened"),
        }
    }

    #[track_caller]
    pub fn expect_fault(&self, expected: DeviceError) {
        assert_eq!(self.event(), CameraEvent::Fault(expected));
    }

    #[track_caller]
    pub fn expect_recovery(&self) {
        let (name, _) = self.expect_opened();
        assert_eq!(self.event(), CameraEvent::Recovered { name });
        self.slot.clear();
        self.picture();
    }
}

pub const fn format(width: u32, height: u32) -> VideoFormat {
    VideoFormat { width, height, max_fps: 30, max_kbps: 1000 }
}

#[test]
fn the_test_card_fills_every_slot_with_numbered_pictures() {
    let slots: Vec<_> = (0..2).map(|_| Arc::new(FrameSlot::new())).collect();
    let choice = DeviceChoice::TestCard { format: None };
    let camera = Camera::open(
        &Consent::for_test(),
        &choice,
        format(320, 180),
        Succession::new(slots.clone()).next_camera(),
        |_| {},
    );
    let mut last = None;
    for _ in 0..5 {
        let picture = slots[0].take_timeout(TIMEOUT).unwrap();
        assert_eq!((picture.width(), picture.height()), (320, 180));
        let counter = barcode::read(&picture).unwrap();
        assert!(last.is_none_or(|last| counter > last), "{counter} after {last:?}");
        last = Some(counter);
    }
    assert!(slots[1].take_timeout(TIMEOUT).is_some());
    camera.close();
    slots[0].take();
    assert!(slots[0].take_timeout(Duration::from_millis(200)).is_none(), "nothing is delivered after closing");
}

#[test]
fn a_test_card_of_its_own_size_is_fitted_like_a_camera() {
    let card = open("test-card:320x240@25", format(640, 360));
    assert_eq!(card.expect_opened(), ("test-card:320x240@25".to_owned(), Some((320, 240, 25))));
    let picture = card.picture();
    assert_eq!((picture.width(), picture.height()), (640, 360));
    assert!(barcode::read(&picture).is_some(), "the number is on the delivered picture");
}

#[test]
fn no_camera_opens_nothing() {
    let none = open("none", format(640, 480));
    assert_eq!(none.camera.measured_fps(), 0.0);
    assert!(none.events.recv().is_err(), "nobody is left to report anything");
}

fn write_y4m(path: &Path, pictures: u8) {
    let mut file = b"YUV4MPEG2 W64 H48 F30:1 C420jpeg\n".to_vec();
    for picture in 0..pictures {
        file.extend(b"FRAME\n");
        file.extend(std::iter::repeat_n(100 + picture, 64 * 48 * 3 / 2));
    }
    // The recording was cut off.
    file.extend(b"FRAME\n12345");
    fs::write(path, file).unwrap();
}

#[test]
fn a_file_is_played_in_a_loop() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("two pictures.y4m");
    write_y4m(&path, 2);
    let file = open(&format!("file:{}", path.display()), format(320, 240));
    assert_eq!(file.expect_opened().1, Some((64, 48, 30)));
    let mut turns = 0;
    let mut last = 0;
    while turns < 3 {
        let picture = file.picture();
        assert!(super::barcode::read(&picture).is_some(), "it carries its number, as the test card does");
        // Beneath the barcodes the film is as it was.
        let luma = picture.planes().0.last().copied().unwrap();
        assert!(luma == 100 || luma == 101);
        turns += u32::from(luma < last);
        last = luma;
    }
}

#[test]
fn a_file_that_cannot_be_played_is_a_fault_until_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clip.y4m");
    let file = open(&format!("file:{}", path.display()), format(320, 240));
    file.expect_fault(DeviceFault::Failed(DeviceReason::FileMissing).of(DEVICE));
    fs::write(dir.path().join("bad"), "YUV4MPEG2 W64 H48 C444\n").unwrap();
    fs::rename(dir.path().join("bad"), &path).unwrap();
    match file.event() {
        CameraEvent::Fault(DeviceError { fault: DeviceFault::Failed(reason), .. }) => {
            assert_eq!(reason, DeviceReason::PictureFormat("444".to_owned()));
        }
        other => panic!("{other:?}"),
    }
    let good = dir.path().join("good");
    write_y4m(&good, 1);
    fs::rename(&good, &path).unwrap();
    file.expect_recovery();

    let directory = open(&format!("file:{}", dir.path().display()), format(320, 240));
    directory.expect_fault(DeviceFault::Failed(DeviceReason::Folder).of(DEVICE));
}
