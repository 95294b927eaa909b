//! The desktop around the window, with the real program on a display and a message bus of its own: notifications that
//! answer, missed calls, the screen lock, sleep, and a second start.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "what a failing test has to say goes to standard error")]

mod desktop_rig;
mod support;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};

use desktop_rig::{Called, Desktop};
use serde_json::json;
use support::display::Display;
use support::process::{Launch, SOON, Visavis};
use tempfile::TempDir;

/// A window that nobody looks at: on a display without a window manager it has not got the keyboard.
struct Window {
    program: Child,
    profile: PathBuf,
    home: Option<TempDir>,
}

/// Name of the person at the window; other tests' people are found on this computer, too.
const OWNER: &str = "Delia of the desktop";

impl Window {
    fn start(display: &Display, desktop: &Desktop) -> Self {
        let (mut command, profile, home) = launch(display, desktop).log("info").command();
        let log = File::create(home.path().join("log")).expect("space on the disk");
        let program = command.stdin(Stdio::null()).stderr(log).spawn().expect("visavis starts");
        Self { program, profile, home: Some(home) }
    }

    /// Starts it again with further words, waits for its end.
    fn again(&self, display: &Display, desktop: &Desktop, words: &[&str]) -> Output {
        let (mut command, _, _home) = launch(display, desktop).profile(&self.profile).command();
        command.args(words).output().expect("visavis starts")
    }

    fn log(&self) -> String {
        let log = self.home.as_ref().map(|home| fs::read_to_string(home.path().join("log")));
        log.and_then(Result::ok).unwrap_or_default()
    }

    /// Ends it in good order; the folder of its profile.
    fn end(mut self) -> TempDir {
        let log = self.log();
        self.stop().unwrap_or_else(|| panic!("it has not ended well: {log}"));
        self.home.take().expect("taken once")
    }

    /// Asks it to end; `None` where it does not, with status 0.
    fn stop(&mut self) -> Option<()> {
        // SAFETY: the process is a child of this one that has not been waited for.
        unsafe { libc::kill(self.program.id() as i32, libc::SIGTERM) };
        let ended = support::poll(SOON, || self.program.try_wait().expect("a child of this process"));
        ended.filter(std::process::ExitStatus::success).map(|_| ())
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- the log of the window\n{}", self.log());
        }
        let _already_gone = self.program.kill();
        let _status = self.program.wait();
    }
}

fn launch(display: &Display, desktop: &Desktop) -> Launch {
    desktop.give_to(display.give_to(Launch::new(OWNER).with_synthetic_devices()))
}

/// Somebody who sees the person at the window, and that person's ID.
fn caller(name: &str) -> (Visavis, String) {
    let mut caller = Launch::new(name).with_synthetic_devices().start();
    caller.say("contacts");
    let seen = caller.expect_where("contact", SOON, |contact| contact["name"] == OWNER && contact["online"] == true);
    let id = seen["id"].as_str().expect("an ID").to_owned();
    (caller, id)
}

#[test]
fn a_notification_answers_the_lock_closes_the_camera_and_the_computer_stays_awake() {
    let _machine = support::measuring();
    let (Some(display), Some(desktop)) = (Display::start(1200, 800), Desktop::start()) else { return };
    let _window = Window::start(&display, &desktop);
    let (mut emil, id) = caller("Emil <b>");
    let invite = emil.invite(&id, json!("low"));
    let shown = desktop.expect_notification();
    assert_eq!((shown.title.as_str(), shown.urgency, shown.time_ms), ("Emil <b>", 2, 0));
    assert_eq!(shown.actions, ["answer-video", "decline", "answer-audio", "default"]);
    assert!(shown.body.contains("Not in your contacts"), "{}", shown.body);
    desktop.press(shown.id, "answer-video");
    emil.expect_where("invite_accepted", SOON, |event| event["invite"] == *invite);
    let mut closed_and_awake = vec![Called::Close(shown.id), Called::Inhibit];
    while !closed_and_awake.is_empty() {
        let found = desktop.expect(|call| closed_and_awake.iter().position(|wanted| *wanted == call));
        closed_and_awake.remove(found);
    }
    emil.expect("first_frame");
    desktop.lock_screen();
    let is_camera_off = |event: &serde_json::Value| event["kind"] == "camera" && event["on"] == false;
    let changed = emil.expect_where("stream_changed", SOON, is_camera_off);
    assert_eq!(changed["audio"], true, "sound goes on");
    emil.say("leave");
    desktop.expect_call(&Called::UnInhibit);
}

#[test]
fn presses_count_from_the_program_that_shows_the_notification_alone() {
    let _machine = support::measuring();
    let (Some(display), Some(desktop)) = (Display::start(1200, 800), Desktop::start()) else { return };
    let _window = Window::start(&display, &desktop);
    let (mut emil, id) = caller("Emil");
    let invite = emil.invite(&id, json!(false));
    let shown = desktop.expect_notification();
    desktop.forge_press(shown.id, "answer-audio");
    desktop.press(shown.id + 1, "answer-audio");
    desktop.press(shown.id, "decline");
    let answer = emil.expect_any(&["invite_accepted", "invite_rejected"], SOON);
    assert_eq!((&answer["event"], &answer["invite"]), (&json!("invite_rejected"), &json!(invite)));
}

#[test]
fn a_call_in_vain_leaves_a_notification() {
    let _machine = support::measuring();
    let (Some(display), Some(desktop)) = (Display::start(1200, 800), Desktop::start()) else { return };
    let _window = Window::start(&display, &desktop);
    let (mut emil, id) = caller("Emil");
    let invite = emil.invite(&id, json!(false));
    let ring = desktop.expect_notification();
    assert_eq!(ring.actions.first().map(String::as_str), Some("answer-audio"), "as it was offered");
    emil.send(json!({"command": "cancel", "invite": invite}));
    desktop.expect_call(&Called::Close(ring.id));
    let missed = desktop.expect_notification();
    assert_eq!((missed.title.as_str(), missed.urgency), ("You missed a call from Emil", 1));
}

#[test]
fn a_second_start_hands_its_link_to_the_first_which_asks() {
    let _machine = support::measuring();
    let (Some(display), Some(desktop)) = (Display::start(1200, 800), Desktop::start()) else { return };
    let (emil, window) = (Launch::new("Emil").with_synthetic_devices().start(), Window::start(&display, &desktop));
    display.focus("Visavis");
    display.expect("the window", SOON, |screen| brightness(screen) > 60.0);
    let before = brightness(&display.screenshot());
    let plain = window.again(&display, &desktop, &[]);
    assert!(plain.status.success(), "{plain:?}");
    let wrong = window.again(&display, &desktop, &["docter"]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    let linked = window.again(&display, &desktop, &[&emil.link]);
    assert!(linked.status.success() && linked.stderr.is_empty(), "{linked:?}");

    // The dialog dims the window; nobody is added without a press.
    display.expect("the dialog", SOON, |screen| brightness(screen) < 0.9 * before);
    display.press(&["Return"]);
    display.expect("the dialog's end", SOON, |screen| brightness(screen) > 0.95 * before);
    let profile = window.end();
    let mut owner = Launch::new(OWNER).with_synthetic_devices().profile(&profile.path().join("profile")).start();
    owner.say("contacts");
    owner.expect_where("contact", SOON, |contact| contact["id"] == *emil.id && contact["contact"] == true);
}

/// Mean of all colours of a screen.
fn brightness(screen: &image::RgbImage) -> f64 {
    screen.iter().map(|&value| f64::from(value)).sum::<f64>() / screen.len() as f64
}
