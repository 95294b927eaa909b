//! Real devices: the camera against the V4L2 device of `tests/support/fakecam.c`; `odd_device_tests` has those that
//! other people's bug reports are about.
//!
//! The V4L2 device works by LD_PRELOAD, so each test starts this very test binary again, with one ignored test (a
//! child), which plugs the fake camera in and out by writing files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use turbojpeg::{Compressor, Image, PixelFormat, Subsamp};

use super::camera_tests::{DEVICE, TIMEOUT, format, open};
use super::*;
use crate::device::DeviceFault;
use crate::media::{Preset, VideoFormat, VideoFrame};

/// Builds the fake device once a run, beside the test binary.
fn fake_device() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let folder = std::env::current_exe().unwrap().parent().unwrap().to_owned();
        let built = folder.join(format!("libfakecam-{}.so", std::process::id()));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/fakecam.c");
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-o"])
            .args([&built, &source])
            .args(["-ldl", "-lpthread"])
            .status()
            .expect("a C compiler");
        assert!(status.success(), "the fake camera could not be built");
        let library = folder.join("libfakecam.so");
        fs::rename(built, &library).unwrap();
        library
    })
}

/// Runs an ignored test of the capture module in a process that sees the fake cameras.
pub fn run_with_fake_cameras(child: &str) {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["dev", "ctl", "sys/video0", "sys/video1"] {
        fs::create_dir_all(dir.path().join(folder)).unwrap();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("capture::{child}"), "--ignored", "--nocapture"])
        .env("LD_PRELOAD", fake_device())
        .env("FAKECAM_DIR", dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "{child} failed");
}

#[test]
fn every_format_of_a_device_gives_its_pictures() {
    run_with_fake_cameras("device_tests::child_formats");
}

#[test]
fn a_device_that_is_unplugged_comes_back_by_itself() {
    run_with_fake_cameras("device_tests::child_unplug");
}

#[test]
fn a_busy_and_a_forbidden_device_are_told_apart_and_recover() {
    run_with_fake_cameras("device_tests::child_busy_and_forbidden");
}

#[test]
fn a_stalled_device_is_noticed_recovers_and_can_be_closed() {
    run_with_fake_cameras("device_tests::child_stall");
}

#[test]
fn cameras_can_be_closed_at_any_moment() {
    run_with_fake_cameras("device_tests::child_close");
}

#[test]
fn a_driver_that_hangs_costs_one_thread_and_recovers() {
    run_with_fake_cameras("device_tests::child_hang");
}

#[test]
fn without_a_device_it_is_missing_until_it_is_plugged_in() {
    run_with_fake_cameras("device_tests::child_missing");
}

#[test]
fn cameras_are_listed_with_their_modes_and_listing_disturbs_nobody() {
    run_with_fake_cameras("device_tests::child_list");
}

// ---- the children ----

pub const NAME: &str = "Fake HD Webcam";

/// The fake cameras of this process; `None` when the test was not started by its parent.
pub struct Rig(pub PathBuf);

impl Rig {
    pub fn here() -> Option<Self> {
        std::env::var_os("FAKECAM_DIR").map(|dir| Self(dir.into()))
    }

    /// Plugs in `/dev/videoN`, whole at once.
    pub fn plug(&self, number: u32, formats: &str) {
        fs::write(self.0.join(format!("sys/video{number}/name")), NAME).unwrap();
        let spec = self.0.join(format!("spec{number}"));
        fs::write(&spec, format!("name {NAME}\n{formats}")).unwrap();
        fs::rename(spec, self.0.join(format!("dev/video{number}"))).unwrap();
    }

    pub fn unplug(&self, number: u32) {
        fs::remove_file(self.0.join(format!("dev/video{number}"))).unwrap();
    }

    pub fn set(&self, control: &str) {
        fs::write(self.0.join("ctl").join(control), "").unwrap();
    }

    pub fn unset(&self, control: &str) {
        fs::remove_file(self.0.join("ctl").join(control)).unwrap();
    }
}

/// The frame's number in the fake camera's own strip: 32 cells of width / 32, 16 lines high.
pub fn sequence(frame: &VideoFrame) -> u32 {
    let width = frame.width() as usize;
    let row = &frame.planes().0[8 * width..9 * width];
    (0..32).fold(0, |sequence, cell| sequence << 1 | u32::from(row[cell * width / 32 + width / 64] > 126))
}

pub fn expect_scrolling_bars(frame: &VideoFrame, tolerance: u8) {
    const BARS: [[u8; 3]; 8] = [
        [235, 128, 128],
        [210, 16, 146],
        [170, 166, 16],
        [145, 54, 34],
        [106, 202, 222],
        [81, 90, 240],
        [41, 240, 110],
        [16, 128, 128],
    ];
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let sequence = sequence(frame) as usize;
    let (y, u, v) = frame.planes();
    for row in [32, height / 2, height - 2] {
        for x in (0..width).step_by(2) {
            let bar = BARS[(x + sequence * 4) * 8 / width % 8];
            let chroma = row / 2 * width / 2 + x / 2;
            let found = [y[row * width + x], u[chroma], v[chroma]];
            let worst = found.iter().zip(bar).map(|(&a, b)| u8::abs_diff(a, b)).max().unwrap();
            assert!(worst <= tolerance, "{found:?} instead of {bar:?} at {x},{row} of picture {sequence}");
        }
    }
}

/// Ten pictures, red on the left and blue on the right, with a strip at the top that gets brighter.
fn motion_jpeg(width: usize, height: usize) -> Vec<u8> {
    (0..10)
        .flat_map(|number: u8| {
            let pixels: Vec<u8> = (0..width * height)
                .flat_map(|index| match (index % width, index / width) {
                    (_, y) if y < 32 => [50 + 20 * number; 3],
                    (x, _) if x < width / 2 => [255, 0, 0],
                    _ => [0, 0, 255],
                })
                .collect();
            let mut compressor = Compressor::new().unwrap();
            compressor.set_subsamp(Subsamp::Sub2x1).unwrap();
            let image = Image { pixels: &pixels[..], width, pitch: width * 3, height, format: PixelFormat::RGB };
            compressor.compress_to_vec(image).unwrap()
        })
        .collect()
}

fn expect_red_and_blue(frame: &VideoFrame) {
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let (y, u, v) = frame.planes();
    for (x, expected) in [(width / 4, [81, 90, 240]), (width * 3 / 4, [41, 240, 110])] {
        let chroma = height / 4 * width / 2 + x / 2;
        let found = [y[height / 2 * width + x], u[chroma], v[chroma]];
        let worst = found.iter().zip(expected).map(|(&a, b)| u8::abs_diff(a, b)).max().unwrap();
        assert!(worst <= 4, "{found:?} instead of {expected:?}");
    }
}

#[track_caller]
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < TIMEOUT, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
#[ignore = "started by every_format_of_a_device_gives_its_pictures"]
fn child_formats() {
    let Some(rig) = Rig::here() else { return };
    for (fourcc, width, height) in
        [("YUYV", 640, 480), ("YUYV", 1280, 720), ("NV12", 1280, 720), ("MJPG", 640, 480), ("MJPG", 1280, 720)]
    {
        let motion = motion_jpeg(width as usize, height as usize);
        fs::write(rig.0.join(format!("ctl/video0.{width}x{height}.mjpg")), motion).unwrap();
        rig.plug(0, &format!("fmt {fourcc} {width}x{height} 30\n"));
        let open = open(NAME, format(width, height));
        assert_eq!(open.expect_opened(), (NAME.to_owned(), Some((width, height, 30))));
        let mut changes = 0;
        let mut last = None;
        for _ in 0..40 {
            let picture = open.picture();
            assert_eq!((picture.width(), picture.height()), (width, height));
            let mark = if fourcc == "MJPG" {
                expect_red_and_blue(&picture);
                u32::from(picture.planes().0[8 * width as usize])
            } else {
                expect_scrolling_bars(&picture, 0);
                let mark = sequence(&picture);
                assert!(last.is_none_or(|last| mark > last), "{mark} after {last:?}");
                mark
            };
            changes += u32::from(last.is_some_and(|last| last != mark));
            last = Some(mark);
        }
        assert!(changes >= 38, "the picture moves: {changes}");
        println!("{fourcc} {width}x{height}: {:.1} fps", open.camera.measured_fps());
        open.camera.close();
        rig.unplug(0);
    }
}

#[test]
#[ignore = "started by a_device_that_is_unplugged_comes_back_by_itself"]
fn child_unplug() {
    let Some(rig) = Rig::here() else { return };
    rig.plug(0, "fmt YUYV 640x480 30\n");
    let open = open("default", format(640, 480));
    open.expect_opened();
    for _ in 0..2 {
        open.picture();
        rig.unplug(0);
        open.expect_fault(DeviceFault::Unplugged.of(DEVICE));
        rig.plug(0, "fmt YUYV 640x480 30\n");
        open.expect_recovery();
    }
    open.camera.close();
    assert!(open.events.try_recv().is_err(), "each fault was reported once");
}

#[test]
#[ignore = "started by a_busy_and_a_forbidden_device_are_told_apart_and_recover"]
fn child_busy_and_forbidden() {
    let Some(rig) = Rig::here() else { return };
    rig.plug(0, "fmt YUYV 640x480 30\n");
    for (control, fault) in
        [("video0.busy", DeviceFault::Busy.of(DEVICE)), ("video0.deny", DeviceFault::Forbidden.of(DEVICE))]
    {
        rig.set(control);
        let open = open(NAME, format(640, 480));
        open.expect_fault(fault);
        rig.unset(control);
        open.expect_recovery();
    }
}

#[test]
#[ignore = "started by a_stalled_device_is_noticed_recovers_and_can_be_closed"]
fn child_stall() {
    let Some(rig) = Rig::here() else { return };
    rig.plug(0, "fmt YUYV 640x480 30\n");
    let first = open(NAME, format(640, 480));
    first.expect_opened();
    rig.set("video0.stall");
    first.expect_fault(DeviceFault::Stalled.of(DEVICE));
    rig.unset("video0.stall");
    first.expect_recovery();

    // Closed while it gives nothing: the device must be free for the next program.
    rig.set("video0.stall");
    first.slot.clear();
    while first.slot.take_timeout(Duration::from_millis(500)).is_some() {}
    first.camera.close();
    rig.unset("video0.stall");
    let second = open(NAME, format(640, 480));
    second.expect_opened();
    second.picture();
}

#[test]
#[ignore = "started by cameras_can_be_closed_at_any_moment"]
fn child_close() {
    let Some(rig) = Rig::here() else { return };
    let resources = || ["task", "fd"].map(|kind| fs::read_dir(format!("/proc/self/{kind}")).unwrap().count());
    rig.plug(0, "fmt YUYV 640x480 30\n");
    let before = resources();
    for choice in [NAME, "test-card"] {
        for moment in [0, 1, 2, 5, 10, 20, 40, 80] {
            let open = open(choice, format(640, 480));
            open.slot.take_timeout(Duration::from_millis(moment));
            open.camera.close();
            // The system takes a moment to forget a thread that has ended.
            eventually("threads and files are given back", || resources() == before);
        }
    }
    open(NAME, format(640, 480)).expect_opened();
}

#[test]
#[ignore = "started by a_driver_that_hangs_costs_one_thread_and_recovers"]
fn child_hang() {
    let Some(rig) = Rig::here() else { return };
    let threads = || fs::read_dir("/proc/self/task").unwrap().count();
    rig.plug(0, "fmt YUYV 640x480 30\n");
    let open = open(NAME, format(640, 480));
    open.expect_opened();
    let working = threads();
    rig.set("video0.hang");
    open.expect_fault(DeviceFault::Stalled.of(DEVICE));
    // Time for it to be given up, and for several attempts after that.
    assert!(open.events.recv_timeout(Duration::from_secs(6)).is_err(), "it was said already");
    assert!(threads() <= working, "no thread is added for each attempt");
    rig.unset("video0.hang");
    open.expect_recovery();

    rig.set("video0.hang");
    open.slot.clear();
    while open.slot.take_timeout(Duration::from_millis(500)).is_some() {}
    open.camera.close();
    assert!(open.slot.take().is_none());
    rig.unset("video0.hang");
    assert!(
        open.slot.take_timeout(Duration::from_millis(500)).is_none(),
        "a thread that was given up delivers nothing"
    );
}

#[test]
#[ignore = "started by without_a_device_it_is_missing_until_it_is_plugged_in"]
fn child_missing() {
    let Some(rig) = Rig::here() else { return };
    let any = open("default", format(640, 480));
    any.expect_fault(DeviceFault::Missing.of(DEVICE));
    // A node without pictures, as a webcam has for its metadata, is no camera.
    rig.plug(0, "");
    rig.plug(1, "fmt MJPG 320x240 30\nfmt YUYV 640x480 30\n");
    any.expect_recovery();
    let other = open("Another camera", format(640, 480));
    other.expect_fault(DeviceFault::Missing.of(DEVICE));
}

#[test]
#[ignore = "started by cameras_are_listed_with_their_modes_and_listing_disturbs_nobody"]
fn child_list() {
    let Some(rig) = Rig::here() else { return };
    assert_eq!(list_cameras(), []);
    rig.plug(0, "fmt YUYV 640x480 30 15\nfmt MJPG 640x480 30\nfmt MJPG 1280x720 30\n");
    rig.plug(1, "");
    let modes = vec![(1280, 720, 30), (640, 480, 30), (640, 480, 15)];
    let expected = [CameraInfo { name: NAME.to_owned(), modes, fault: None }];
    assert_eq!(list_cameras(), expected);
    let open = open(NAME, VideoFormat::of(Preset::Standard, None, None));
    assert_eq!(open.expect_opened().1, Some((640, 480, 30)));
    for _ in 0..3 {
        assert_eq!(list_cameras(), expected);
        open.picture();
    }
    open.camera.close();
    rig.set("video0.deny");
    assert_eq!(list_cameras(), expected, "what is known of a camera is kept");
    rig.unplug(0);
    rig.unplug(1);
    assert_eq!(list_cameras(), []);
    rig.plug(0, "fmt YUYV 640x480 30\n");
    let forbidden = Some(DeviceFault::Forbidden.of(DEVICE));
    assert_eq!(list_cameras(), [CameraInfo { name: NAME.to_owned(), modes: Vec::new(), fault: forbidden }]);
    rig.unset("video0.deny");
    assert_eq!(list_cameras()[0].modes, [(640, 480, 30)]);

    rig.plug(1, "fmt YUYV 320x240 30\n");
    let twin = format!("{NAME} (2)");
    let names: Vec<String> = list_cameras().into_iter().map(|camera| camera.name).collect();
    assert_eq!(names, [NAME, &twin]);
    let second = self::open(&twin, format(320, 240));
    assert_eq!(second.expect_opened(), (twin, Some((320, 240, 30))));
}
