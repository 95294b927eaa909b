//! The desktop around the window, with the real program on a display and a message bus of its own: notifications that
//! answer, missed calls, the tray, the start with the session, the screen lock, sleep, and a second start.

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
        Self::start_with(display, desktop, &[])
    }

    /// Starts it with further words.
    fn start_with(display: &Display, desktop: &Desktop, words: &[&str]) -> Self {
        Self::start_as(launch(display, desktop).log("info"), words)
    }

    fn start_as(launch: Launch, words: &[&str]) -> Self {
        let (mut command, profile, home) = launch.command();
        let log = File::create(home.path().join("log")).expect("space on the disk");
        let program = command.args(words).stdin(Stdio::null()).stderr(log).spawn().expect("visavis starts");
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

/// Closed to the tray, the program holds no device, rings, and opens a window for the answer.
#[test]
fn a_closed_window_leaves_the_program_in_the_tray_and_an_answer_opens_the_next() {
    let _machine = support::measuring();
    let (Some(display), Some(desktop)) = (Display::start(1200, 800), Desktop::start().map(Desktop::with_tray)) else {
        return;
    };
    let mut window = Window::start(&display, &desktop);
    let item = desktop.expect_item();
    item.expect_title("Visavis");
    display.ask_to_close(display.expect_window("Visavis"));
    display.expect_no_window("Visavis");
    let (mut emil, id) = caller("Emil");
    emil.invite(&id, json!(false));
    let ring = desktop.expect_notification();
    item.expect_title("Emil is calling");
    assert!(display.windows(".").is_empty(), "it rings without a window");
    desktop.press(ring.id, "answer-audio");
    emil.expect("participant_connected");
    let opened = display.expect_window("Visavis");

    // Closed in the call it asks; Enter keeps the call, Tab and Enter end it.
    display.focus("Visavis");
    let before = display.expect("the call", SOON, |screen| brightness(screen) > 0.5);
    display.ask_to_close(opened);
    display.expect("the question", SOON, |screen| differs(screen, &before));
    display.press(&["Return"]);
    item.press("Microphone", true);
    let muted = emil.expect_where("stream_changed", SOON, |event| event["kind"] == "audio");
    assert_eq!(muted["on"], false, "the call goes on");
    display.expect("the question's end", SOON, |screen| !differs(screen, &before));
    display.ask_to_close(opened);
    display.expect("the question", SOON, |screen| differs(screen, &before));
    display.press(&["Tab", "Return"]);
    emil.expect("conversation_disconnected");
    display.expect_no_window("Visavis");
    assert!(window.program.try_wait().expect("a child of this process").is_none(), "it goes on in the tray");

    item.activate();
    display.expect_window("Visavis");
    item.press("Quit", false);
    let ended = support::poll(SOON, || window.program.try_wait().expect("a child of this process"));
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
}

/// A tray that hangs holds up neither the notifications nor the end.
#[test]
fn with_a_tray_that_never_answers_calls_ring_and_the_program_ends() {
    let _machine = support::measuring();
    let (Some(display), Some(desktop)) =
        (Display::start(1200, 800), Desktop::start().map(Desktop::with_tray_that_hangs))
    else {
        return;
    };
    let window = Window::start(&display, &desktop);
    desktop.expect_item();
    let (mut emil, id) = caller("Emil of the hanging tray");
    let invite = emil.invite(&id, json!(false));
    let ring = desktop.expect_notification();
    desktop.press(ring.id, "decline");
    emil.expect_where("invite_rejected", SOON, |event| event["invite"] == *invite);
    display.expect_window("Visavis");
    window.end();
}

/// In the background, with neither a tray nor a window, nobody could end it.
#[test]
fn in_the_background_of_a_desktop_without_a_tray_a_window_is_opened() {
    let _machine = support::measuring();
    let (Some(display), Some(desktop)) = (Display::start(1200, 800), Desktop::start()) else { return };
    let window = Window::start_with(&display, &desktop, &["--background"]);
    display.expect_window("Visavis");
    window.end();
}

#[test]
fn without_a_tray_closing_the_window_ends_the_program() {
    let _machine = support::measuring();
    let (Some(display), Some(desktop)) = (Display::start(1200, 800), Desktop::start()) else { return };
    let mut window = Window::start(&display, &desktop);
    display.ask_to_close(display.expect_window("Visavis"));
    let ended = support::poll(SOON, || window.program.try_wait().expect("a child of this process"));
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
}

#[test]
fn in_the_background_calls_ring_are_missed_and_a_second_start_opens_the_window() {
    let _machine = support::measuring();
    let (Some(display), Some(desktop)) = (Display::start(1200, 800), Desktop::start().map(Desktop::with_tray)) else {
        return;
    };
    let window = Window::start_with(&display, &desktop, &["--background"]);
    let item = desktop.expect_item();
    let (mut emil, id) = caller("Emil");
    let invite = emil.invite(&id, json!(false));
    let ring = desktop.expect_notification();
    let second = window.again(&display, &desktop, &["--background"]);
    assert!(second.status.success(), "{second:?}");
    assert!(display.windows(".").is_empty(), "a second start in the background opens nothing");
    emil.send(json!({"command": "cancel", "invite": invite}));
    emil.expect("invite_canceled");
    desktop.expect_call(&Called::Close(ring.id));
    item.expect_title("Missed calls: 1");

    // Nothing rings while the person does not want to be disturbed.
    item.press("Do not disturb", false);
    item.press("Do not disturb", true);
    item.press("Do not disturb", false);
    emil.invite(&id, json!(false));
    emil.expect("invite_busy");

    let second = window.again(&display, &desktop, &[]);
    assert!(second.status.success(), "{second:?}");
    display.expect_window(r"\(2\) Visavis");
}

#[test]
fn the_start_with_the_session_is_an_entry_that_follows_its_setting() {
    let _machine = support::measuring();
    let (Some(display), Some(desktop)) = (Display::start(1200, 800), Desktop::start()) else { return };
    // Turned on before, and removed by the desktop's own means: the setting goes off.
    let profile = tempfile::tempdir().expect("a folder");
    let mut script = Launch::new(OWNER).with_synthetic_devices().profile(profile.path()).start();
    script.send(json!({"command": "update_settings", "settings": {"autostart": true, "keep_running": false}}));
    script.quit();
    let config = profile.path().join("config");
    let launched = || launch(&display, &desktop).profile(profile.path()).environment("XDG_CONFIG_HOME", &config);
    let window = Window::start_as(launched().log("info"), &["--background"]);
    let off = support::poll(SOON, || window.log().contains("autostart is off").then_some(()));
    assert!(off.is_some(), "{}", window.log());
    window.end();
    assert!(!config.join("autostart").exists());
}

/// Whether a screen has changed in more than a few places, as it does when a dialog comes up.
fn differs(screen: &image::RgbImage, before: &image::RgbImage) -> bool {
    let changed = screen.iter().zip(before.iter()).filter(|(one, other)| one.abs_diff(**other) > 24).count();
    changed * 33 > screen.len()
}

/// Mean of all colours of a screen.
fn brightness(screen: &image::RgbImage) -> f64 {
    screen.iter().map(|&value| f64::from(value)).sum::<f64>() / screen.len() as f64
}
