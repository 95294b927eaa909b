//! Cameras with odd formats, padded rows, damaged buffers, odd names and odd neighbours: what the far side sees of
//! them, and what is said of those that cannot be used.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use support::camera::Webcam;
use support::process::{Launch, Visavis, call, meet, text, visavis};

const WIDTH: usize = 640;
const HEIGHT: usize = 480;
/// The luma of the fake camera's eight bars, from left to right.
const BARS: [u8; 8] = [235, 210, 170, 145, 106, 81, 41, 16];

fn person_with(webcam: &Webcam, camera: &str) -> Visavis {
    let launch =
        Launch::new("Alice").option("--camera", camera).option("--microphone", "none").option("--speaker", "none");
    webcam.environment().into_iter().fold(launch, |launch, (name, value)| launch.environment(name, value)).start()
}

/// Pictures of a call with the camera, two seconds apart, as they are on the far side's screen: their luma.
fn seen_by_the_far_side(webcam: &Webcam, count: usize) -> Vec<Vec<u8>> {
    let directory = tempfile::tempdir().expect("a directory");
    let mut alice = person_with(webcam, "default");
    let mut bob = Launch::new("Bob").with_synthetic_devices().start();
    meet(&mut alice, &mut bob);
    call(&mut alice, &mut bob, &json!("standard"));
    // The first pictures are coarse.
    bob.expect("stats");
    let mut look = |number| {
        bob.expect("stats");
        save(&mut bob, &alice.id, &directory.path().join(format!("{number}.y4m")))
    };
    (0..count).map(&mut look).collect()
}

/// The luma of the picture that `person` sees of somebody.
fn save(person: &mut Visavis, of: &str, file: &Path) -> Vec<u8> {
    person.send(json!({"command": "save_picture", "participant": of, "path": file}));
    person.expect("picture_saved");
    let bytes = std::fs::read(file).expect("the file");
    let header = format!("YUV4MPEG2 W{WIDTH} H{HEIGHT} F30:1 Ip A1:1 C420jpeg\nFRAME\n");
    assert!(bytes.starts_with(header.as_bytes()), "{}", String::from_utf8_lossy(&bytes[..60]));
    bytes[header.len()..][..WIDTH * HEIGHT].to_vec()
}

/// Upright bars in their order: rows far from each other are alike, and all eight colours are there.
fn expect_upright_bars(luma: &[u8], what: &str) {
    let row = |y: usize| &luma[y * WIDTH..(y + 1) * WIDTH];
    let middle = row(HEIGHT / 2);
    for y in [60, 120, 180, 300, 360, 420, 470] {
        let off = row(y).iter().zip(middle).map(|(&a, &b)| u64::from(a.abs_diff(b))).sum::<u64>() / WIDTH as u64;
        assert!(off <= 6, "{what}: row {y} is another one, {off} off a pixel");
    }
    for bar in BARS {
        let pixels = middle.iter().filter(|luma| luma.abs_diff(bar) <= 8).count();
        assert!(pixels >= WIDTH / 16, "{what}: {pixels} pixels of a bar of {bar}");
    }
}

#[test]
fn padded_rows_reach_the_far_side_upright() {
    let _machine = support::sharing();
    let Some(webcam) = Webcam::plug_in() else { return };
    for lines in
        ["fmt UYVY 600x450 30\nstride 64\n", "fmt NV21 600x450 30\nstride 128\n", "fmt BGR3 600x450 30\nstride 64\n"]
    {
        webcam.become_another(b"Padded\n", lines);
        for luma in seen_by_the_far_side(&webcam, 1) {
            expect_upright_bars(&luma, lines);
        }
    }
}

#[test]
fn damaged_buffers_never_reach_the_far_side() {
    let _machine = support::sharing();
    let Some(webcam) = Webcam::plug_in() else { return };
    for lines in ["fmt YUYV 640x480 30\nerrbuf\n", "fmt YU12 640x480 30\nflagbuf\n"] {
        webcam.become_another(b"Damaged\n", lines);
        let mut last = 0;
        for luma in seen_by_the_far_side(&webcam, 3) {
            expect_upright_bars(&luma, lines);
            let strip = &luma[8 * WIDTH..9 * WIDTH];
            let number = (0..32)
                .fold(0_u32, |number, cell| number << 1 | u32::from(strip[cell * WIDTH / 32 + WIDTH / 64] > 126));
            assert!(number > last && number % 2 == 0, "{lines}: {number} after {last}, and the odd ones are damaged");
            last = number;
        }
    }
}

/// The cameras as `visavis devices` prints them, without a panic on standard error.
fn listed_cameras(webcam: &Webcam) -> String {
    let output = Command::new(visavis()).arg("devices").envs(webcam.environment()).output().expect("visavis starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !errors.contains("panicked"), "{errors}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.split("  also:").next().expect("the cameras").to_owned()
}

#[test]
fn a_camera_of_formats_that_cannot_be_read_is_told_with_them() {
    let _machine = support::sharing();
    let Some(webcam) = Webcam::plug_in() else { return };
    for (lines, formats) in
        [("fmt H264 1280x720 30\n", "H264"), ("fmt HEVC 640x480 30\nfmt BA81 640x480 30\n", "HEVC, BA81")]
    {
        webcam.become_another(b"Coder\n", lines);
        let listed = listed_cameras(&webcam);
        assert!(listed.contains("  Coder  (") && listed.contains(formats) && !listed.contains("found"), "{listed}");
        for choice in ["default", "Coder"] {
            let mut alice = person_with(&webcam, choice);
            alice.send(json!({"command": "create_stream", "audio": false, "video": "standard"}));
            let error = alice.expect("device_error");
            let message = text(&error, "message");
            assert!(message.contains(formats) && !message.contains("found"), "{error}");
            assert_eq!((&error["device"], &error["fault"]), (&json!("camera"), &json!("failed")));
        }
    }
}

#[test]
fn odd_names_and_odd_neighbours_do_no_harm() {
    let _machine = support::sharing();
    let Some(webcam) = Webcam::plug_in() else { return };
    webcam.become_another(b"Cam\x1b]0;owned\x07\x1b[31m \xe9\n", "fmt YUYV 640x480 1001/30000\n");
    for name in [&b"video-webcam"[..], b"video-dec0", b"video99999999999999999999", b"video\xe9"] {
        webcam.add_neighbour(OsStr::from_bytes(name));
    }
    assert_eq!(listed_cameras(&webcam), "Cameras:\n  Cam]0;owned[31m \u{fffd}  (640x480@30)\n");
    // The printed name is the one to choose it by.
    let mut alice = person_with(&webcam, "Cam]0;owned[31m \u{fffd}");
    alice.send(json!({"command": "create_stream", "audio": false, "video": "standard"}));
    assert_eq!(alice.expect("local_stream")["video"], true);
    alice.quit();
}
