//! Cameras as other people's bug reports have them: odd frame rates, sizes as ranges, missing lists, the state that
//! another program left, formats of all kinds with padded rows, damaged buffers, and odd neighbours in `/dev`.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::time::Duration;

use nokhwa::utils::{CameraFormat, FrameFormat, RequestedFormat, RequestedFormatType, Resolution};

use super::camera_tests::{DEVICE, format, open};
use super::convert::Converter;
use super::device::Device;
use super::device_tests::{NAME, Rig, expect_scrolling_bars, run_with_fake_cameras, sequence};
use super::finding::{Finding, Node};
use super::mode::{CameraMode, Encoding, FrameRate};
use super::*;
use crate::device::{DeviceError, DeviceFault, DeviceReason};
use crate::media::VideoFrame;

#[test]
fn every_format_and_padding_gives_the_same_picture() {
    run_with_fake_cameras("odd_device_tests::child_formats");
}

#[test]
fn any_rate_and_any_range_of_sizes_is_used() {
    run_with_fake_cameras("odd_device_tests::child_modes");
}

#[test]
fn the_state_that_another_program_left_does_not_matter() {
    run_with_fake_cameras("odd_device_tests::child_state");
}

#[test]
fn damaged_buffers_are_skipped_and_too_many_are_told() {
    run_with_fake_cameras("odd_device_tests::child_damaged");
}

#[test]
fn odd_names_in_dev_are_left_alone() {
    run_with_fake_cameras("odd_device_tests::child_neighbours");
}

#[test]
fn a_camera_that_cannot_be_read_is_listed_and_refused_with_its_reason() {
    run_with_fake_cameras("odd_device_tests::child_unreadable");
}

#[test]
fn nokhwas_own_backend_reads_a_common_camera() {
    run_with_fake_cameras("odd_device_tests::child_native");
}

#[test]
fn the_backend_of_ours_answers_nokhwas_own_calls() {
    run_with_fake_cameras("odd_device_tests::child_plugged");
}

// ---- the children ----

fn reason(reason: DeviceReason) -> DeviceError {
    DeviceFault::Failed(reason).of(DEVICE)
}

/// Opens the camera at the size of `mode`, sees it run in that mode, and gives its next pictures to `judge`.
#[track_caller]
fn expect_mode(rig: &Rig, spec: &str, wanted: (u32, u32), mode: (u32, u32, u32), judge: impl Fn(&VideoFrame)) {
    rig.plug(0, spec);
    let open = open(NAME, format(wanted.0, wanted.1));
    assert_eq!(open.expect_opened(), (NAME.to_owned(), Some(mode)), "{spec}");
    let mut last = None;
    for _ in 0..5 {
        let picture = open.picture();
        assert_eq!((picture.width(), picture.height()), wanted, "{spec}");
        judge(&picture);
        // A picture that was scaled has no legible number.
        if wanted == (mode.0, mode.1) {
            let number = sequence(&picture);
            assert!(last.is_none_or(|last| number > last), "{number} after {last:?}: {spec}");
            last = Some(number);
        }
    }
    open.camera.close();
    rig.unplug(0);
}

fn nothing(_: &VideoFrame) {}

#[test]
#[ignore = "started by every_format_and_padding_gives_the_same_picture"]
fn child_formats() {
    let Some(rig) = Rig::here() else { return };
    for format in [
        "YUYV", "YVYU", "UYVY", "VYUY", "NV12", "NV21", "NV16", "NV61", "YU12", "YV12", "422P", "RGB3", "BGR3", "XB24",
        "AB24", "XR24", "AR24", "BGR4",
    ] {
        // RGB is rounded on its way there and on its way back.
        let tolerance = if format.contains(['R', 'B']) { 2 } else { 0 };
        let bars = |picture: &VideoFrame| expect_scrolling_bars(picture, tolerance);
        expect_mode(&rig, &format!("fmt {format} 640x480 30\n"), (640, 480), (640, 480, 30), bars);
        for stride in [64, 96] {
            let spec = format!("fmt {format} 400x300 30\nstride {stride}\n");
            expect_mode(&rig, &spec, (400, 300), (400, 300, 30), bars);
        }
    }
    for stride in ["", "stride 64\n"] {
        let grey = |picture: &VideoFrame| {
            let (y, u, v) = picture.planes();
            assert!(u.iter().chain(v).all(|&chroma| chroma == 128));
            let row: Vec<u8> = y.chunks_exact(400).nth(150).unwrap().to_vec();
            assert!([235, 210, 170, 145, 106, 81, 41, 16].iter().all(|bar| row.contains(bar)), "{row:?}");
            assert!(y.chunks_exact(400).skip(16).all(|other| other == row), "no row is sheared");
        };
        expect_mode(&rig, &format!("fmt GREY 400x300 30\n{stride}"), (400, 300), (400, 300, 30), grey);
    }
}

#[test]
#[ignore = "started by any_rate_and_any_range_of_sizes_is_used"]
fn child_modes() {
    let Some(rig) = Rig::here() else { return };
    for (spec, wanted, mode) in [
        ("fmt NV12 1280x720 1001/30000\nfmt NV12 1920x1080 1001/60000\n", (1280, 720), (1280, 720, 30)),
        ("fmt NV12 1280x720 1001/60000\n", (1280, 720), (1280, 720, 60)),
        ("fmt YUYV 640x480 256/7680\n", (640, 480), (640, 480, 30)),
        ("fmt YUYV 640x480 2/15\n", (640, 480), (640, 480, 8)),
        ("fmt YUYV 640x480 30\nnoival\n", (640, 480), (640, 480, 30)),
        ("fmt YUYV 640x480 30\nnoparm\nnoival\n", (640, 480), (640, 480, 30)),
        ("fmt YUYV 640x480 30\nnosize\n", (640, 480), (640, 480, 30)),
        ("fmt YUYV 640x480 30\ncontival\n", (640, 480), (640, 480, 30)),
        ("fmt YUYV 640x480 30\nstepival 1/25 1/5\n", (640, 480), (640, 480, 25)),
        ("fmt YUYV 640x480 30\nfmt YUYV 320x240 30\nfixed\n", (320, 240), (640, 480, 30)),
        ("step YUYV 1280 720 1280 720 1 1\n", (1280, 720), (1280, 720, 30)),
        ("step YUYV 1280 720 1280 720 0 0\n", (640, 480), (1280, 720, 30)),
        ("step YUYV 16 16 1920 1080 2 2\n", (640, 480), (640, 480, 30)),
        ("step UYVY 0 0 4294967295 4294967295 0 0\n", (640, 360), (640, 360, 30)),
        ("step YU12 160 120 1600 1200 160 120\n", (320, 180), (640, 360, 30)),
        ("step YUYV 64 64 500 300 64 64\n", (640, 480), (448, 256, 30)),
    ] {
        expect_mode(&rig, spec, wanted, mode, nothing);
    }
}

#[test]
#[ignore = "started by the_state_that_another_program_left_does_not_matter"]
fn child_state() {
    let Some(rig) = Rig::here() else { return };
    for start in
        ["YUYV 320x240 2/15", "YUYV 640x480 1001/30000", "H264 1280x720 1/30", "YU12 640x480 0/0", "BG10 9x9 7/3"]
    {
        let spec = format!("fmt YUYV 640x480 30\nfmt YUYV 320x240 2/15\nstart {start}\n");
        expect_mode(&rig, &spec, (640, 480), (640, 480, 30), |picture| expect_scrolling_bars(picture, 0));
    }
}

#[test]
#[ignore = "started by damaged_buffers_are_skipped_and_too_many_are_told"]
fn child_damaged() {
    let Some(rig) = Rig::here() else { return };
    for (format, damage) in
        [("YUYV", "errbuf"), ("YUYV", "flagbuf"), ("YUYV", "shortbuf"), ("NV12", "flagbuf"), ("BGR3", "shortbuf")]
    {
        let spec = format!("fmt {format} 640x480 30\n{damage}\n");
        expect_mode(&rig, &spec, (640, 480), (640, 480, 30), |picture| {
            assert_eq!(sequence(picture) % 2, 0, "the odd ones are damaged: {spec}");
            expect_scrolling_bars(picture, 2);
        });
    }
    rig.plug(0, "fmt YUYV 640x480 60\nflagbuf all\n");
    let open = open(NAME, format(640, 480));
    open.expect_fault(reason(DeviceReason::DamagedPictures));
    assert!(open.slot.take_timeout(Duration::ZERO).is_none(), "nothing of them is shown");
}

#[test]
#[ignore = "started by odd_names_in_dev_are_left_alone"]
fn child_neighbours() {
    let Some(rig) = Rig::here() else { return };
    rig.plug(0, "fmt YUYV 640x480 30\n");
    let dev = rig.0.join("dev");
    for name in ["video-webcam", "video-dec0", "video99999999999999999999999", "video", "video01", "videocam", "v4l"] {
        fs::write(dev.join(name), "").unwrap();
    }
    fs::write(dev.join(OsStr::from_bytes(b"video\xe9")), "").unwrap();
    fs::write(dev.join(OsStr::from_bytes(b"caf\xe9")), "").unwrap();
    symlink("video0", dev.join("video7")).unwrap();
    let listed: Vec<_> = list_cameras().into_iter().map(|camera| (camera.name, camera.modes)).collect();
    assert_eq!(listed, [(NAME.to_owned(), vec![(640, 480, 30)])]);
    let open = open("default", format(640, 480));
    open.expect_opened();
    open.picture();
}

#[test]
#[ignore = "started by a_camera_that_cannot_be_read_is_listed_and_refused_with_its_reason"]
fn child_unreadable() {
    let Some(rig) = Rig::here() else { return };
    for (spec, formats) in [
        ("fmt H264 1280x720 30\n", "H264"),
        ("fmt BG10 640x480 30\nfmt HEVC 640x480 30\n", "BG10, HEVC"),
        ("fmt YUYV 8000x6000 5\n", "YUYV 8000x6000"),
    ] {
        rig.plug(0, spec);
        let fault = reason(DeviceReason::CameraFormats(formats.to_owned()));
        let listed = CameraInfo { name: NAME.to_owned(), modes: Vec::new(), fault: Some(fault.clone()) };
        assert_eq!(list_cameras(), [listed]);
        for choice in [NAME, "default"] {
            open(choice, format(640, 480)).expect_fault(fault.clone());
        }
        rig.unplug(0);
        assert_eq!(list_cameras(), []);
    }
    // One that works beside it is taken, and its own trouble tells more.
    rig.plug(0, "fmt H264 1280x720 30\n");
    rig.plug(1, "fmt YUYV 640x480 30\n");
    assert_eq!(open("default", format(640, 480)).expect_opened().1, Some((640, 480, 30)));
    rig.set("video1.busy");
    open("default", format(640, 480)).expect_fault(DeviceFault::Busy.of(DEVICE));
}

#[test]
#[ignore = "started by nokhwas_own_backend_reads_a_common_camera"]
fn child_native() {
    let Some(rig) = Rig::here() else { return };
    rig.plug(0, "fmt YUYV 640x480 30\nfmt NV12 320x240 15\n");
    let node = Node { index: 0, name: NAME.to_owned() };
    assert_eq!(native::nodes(), std::slice::from_ref(&node));
    let idle = native::Idle::open(&node).unwrap();
    let modes = [mode(Encoding::Yuyv, 640, 480, 30), mode(Encoding::Nv12, 320, 240, 15)];
    assert_eq!(idle.look().unwrap(), Finding::Modes(modes.to_vec()));
    let mut device = Device::start(idle.set(&modes[1..]).unwrap(), node.name.clone()).unwrap();
    assert_eq!(device.mode(), modes[1]);
    let raw = device.next().unwrap().unwrap();
    let mut frame = VideoFrame::black(320, 240);
    Converter::default().convert(raw, &mut frame).unwrap();
    expect_scrolling_bars(&frame, 0);
    drop(device);

    rig.plug(0, "fmt H264 640x480 30\n");
    let unreadable = native::Idle::open(&node).unwrap().look().unwrap();
    assert_eq!(unreadable, Finding::Unusable("unknown formats".to_owned()));
}

#[test]
#[ignore = "started by the_backend_of_ours_answers_nokhwas_own_calls"]
fn child_plugged() {
    let Some(rig) = Rig::here() else { return };
    rig.plug(0, "fmt YUYV 640x480 1001/30000\nfmt UYVY 640x480 30\nfmt NV12 400x300 15\nstride 64\n");
    let node = Node { index: 0, name: NAME.to_owned() };
    let idle = v4l2::Idle::open(&node).unwrap();
    let mut set = idle.set(&[mode(Encoding::Uyvy, 640, 480, 30)]).unwrap();
    assert_eq!((set.mode.encoding, set.layout.stride), (Encoding::Uyvy, 1280));
    let camera = &mut set.camera;
    let formats = [
        CameraFormat::new(Resolution::new(640, 480), FrameFormat::YUYV, 30),
        CameraFormat::new(Resolution::new(400, 300), FrameFormat::NV12, 15),
    ];
    assert_eq!(camera.call(nokhwa::Camera::compatible_camera_formats).unwrap(), formats);
    assert!(camera.call(nokhwa::Camera::frame_raw).is_err(), "the stream is not open");
    let request = RequestedFormat::with_formats(RequestedFormatType::Exact(formats[1]), &[FrameFormat::NV12]);
    assert_eq!(camera.call(|camera| camera.set_camera_requset(request)).unwrap(), formats[1]);
    for _ in 0..2 {
        camera.call(nokhwa::Camera::open_stream).unwrap();
        let bytes = camera.call(nokhwa::Camera::frame_raw).unwrap();
        assert!(matches!(bytes, Cow::Borrowed(bytes) if bytes.len() == 448 * 300 * 3 / 2), "whole, and not copied");
        camera.call(nokhwa::Camera::stop_stream).unwrap();
    }
    rig.unplug(0);
    assert!(camera.call(nokhwa::Camera::open_stream).is_err());
    drop(set);
}

const fn mode(encoding: Encoding, width: u32, height: u32, fps: u32) -> CameraMode {
    CameraMode { encoding, width, height, rate: FrameRate::whole(fps) }
}
