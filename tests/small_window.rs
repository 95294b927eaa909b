//! The small window of a call, beside real windows of a window manager: it opens when the main window is minimized,
//! shows moving pictures, goes with the main window's return, and hangs up.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "what a failing test has to say goes to standard error")]

mod support;

use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::time::Duration;

use image::RgbImage;
use serde_json::json;
use support::display::{Display, Place};
use support::process::{Launch, SOON, Visavis};
use tempfile::TempDir;

/// Name of the person at the window; other tests' people are found on this computer, too.
const OWNER: &str = "Alice of the small window";
/// Title of the main window, and of the small one.
const MAIN: &str = "^Visavis$";
const SMALL: &str = "^Call with Bob$";

/// Distance of the hang-up button from the middle of the small window, and from its lower edge, in points.
const HANG_UP: (u32, u32) = (24, 30);

struct Window {
    program: Child,
    home: TempDir,
}

impl Window {
    fn start(display: &Display) -> Self {
        let launch = display.give_to(Launch::new(OWNER).with_synthetic_devices());
        let (mut command, _, home) = launch.command();
        let log = File::create(home.path().join("log")).expect("space on the disk");
        let program = command.stdin(Stdio::null()).stderr(log).spawn().expect("visavis starts");
        Self { program, home }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _already_gone = self.program.kill();
        let _status = self.program.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.home.path().join("log")).unwrap_or_default();
            eprintln!("---- the log of the window\n{log}");
        }
    }
}

/// Bob, whose call the window has answered.
fn in_call(display: &Display) -> Visavis {
    let mut bob = Launch::new("Bob").with_synthetic_devices().start();
    bob.say("contacts");
    let owner = bob.expect_where("contact", SOON, |contact| contact["name"] == OWNER && contact["online"] == true);
    bob.send(json!({"command": "invite", "to": owner["id"], "audio": true, "video": "low"}));
    // The scene ignores Enter for a moment.
    let answered = (0..20).any(|_| {
        display.press(&["Return"]);
        let connected = || bob.transcript().iter().any(|event| event["event"] == "first_frame").then_some(());
        support::poll(Duration::from_secs(2), connected).is_some()
    });
    assert!(answered, "Enter answers");
    bob
}

/// The part of a screen that a window takes.
fn cut(screen: &RgbImage, place: Place) -> RgbImage {
    image::imageops::crop_imm(screen, place.left, place.top, place.width, place.height).to_image()
}

/// Share of the pixels of two pictures that differ.
fn difference(one: &RgbImage, other: &RgbImage) -> f32 {
    let differ = |(one, other): &(&image::Rgb<u8>, &image::Rgb<u8>)| {
        one.0.iter().zip(other.0).any(|(one, other)| one.abs_diff(other) > 24)
    };
    one.pixels().zip(other.pixels()).filter(differ).count() as f32 / (one.width() * one.height()) as f32
}

/// Waits until the pictures in a window move.
fn expect_motion(display: &Display, place: Place) {
    let first = cut(&display.screenshot(), place);
    display
        .expect("moving pictures in the small window", SOON, |screen| difference(&cut(screen, place), &first) > 0.002);
}

#[test]
fn a_minimized_window_leaves_a_small_one_that_moves_comes_back_and_hangs_up() {
    let _machine = support::measuring();
    let Some(display) = Display::managed(1280, 800) else { return };
    let window = Window::start(&display);
    let main = display.expect_window(MAIN);
    let mut bob = in_call(&display);
    assert!(display.windows(SMALL).is_empty(), "the main window is seen");

    display.minimize(main);
    let small = display.expect_window(SMALL);
    let place = display.place_of(small);
    assert_eq!((place.width, place.height), (320, 180));
    assert!(place.left > 640 && place.top > 400, "in the lower right corner: {place:?}");
    expect_motion(&display, place);

    // It is dragged by its picture, and remembers its place.
    display.drag((place.left + 160, place.top + 60), (300, 200));
    let moved = support::poll(SOON, || (display.place_of(small).left < 300).then_some(()));
    assert!(moved.is_some(), "it is dragged: {:?}", display.place_of(small));
    let place = display.place_of(small);
    display.activate(main);
    display.expect_no_window(SMALL);
    display.minimize(main);
    let again = display.place_of(display.expect_window(SMALL));
    assert!(again.left.abs_diff(place.left) < 8 && again.top.abs_diff(place.top) < 8, "{again:?} {place:?}");

    // Esc goes back to the call.
    display.activate(display.expect_window(SMALL));
    display.press(&["Escape"]);
    display.expect_window(MAIN);
    display.expect_no_window(SMALL);

    // It hangs up by its red button.
    display.minimize(main);
    let place = display.place_of(display.expect_window(SMALL));
    assert!(bob.transcript().iter().all(|event| event["event"] != "conversation_disconnected"));
    let (across, down) = (place.left + place.width / 2 + HANG_UP.0, place.top + place.height - HANG_UP.1);
    display.point_at(across - 60, down - 40);
    display.point_at(across, down);
    display.click(across, down);
    assert_eq!(bob.expect("conversation_disconnected")["reason"], "hung_up");
    display.expect_no_window(SMALL);
    drop(window);
}
