//! The window as a screen reader finds it: the real program on a display, read and pressed over AT-SPI alone.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "what a failing test has to say goes to standard error")]

mod screen_reader_rig;
mod support;

use std::fs::{self, File};
use std::process::{Child, Stdio};

use screen_reader_rig::{Nobody, Object, ScreenReader};
use serde_json::json;
use support::bus::SessionBus;
use support::display::Display;
use support::process::{Launch, SOON, Visavis};
use tempfile::TempDir;

/// Name of the person at the window; other tests' people are found on this computer, too.
const OWNER: &str = "Rhea who reads by ear";
const CALLER: &str = "Emil for the screen reader";

/// The program with its window.
struct Window {
    program: Child,
    home: TempDir,
}

impl Window {
    fn start(launch: Launch) -> Self {
        let (mut command, _, home) = launch.environment("LANG", "C").command();
        let log = File::create(home.path().join("log")).expect("space on the disk");
        let program = command.stdin(Stdio::null()).stderr(log).spawn().expect("visavis starts");
        Self { program, home }
    }

    /// Ends it in good order.
    fn end(&mut self) {
        // SAFETY: the process is a child of this one that has not been waited for.
        unsafe { libc::kill(self.program.id() as i32, libc::SIGTERM) };
        let ended = support::poll(SOON, || self.program.try_wait().expect("a child of this process"));
        assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).expect("its standard error")
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _already_gone = self.program.kill();
        let _status = self.program.wait();
        if std::thread::panicking() {
            eprintln!("---- the log of the window\n{}", self.log());
        }
    }
}

/// Everything that the keyboard reaches, and the window itself, has a name and a role.
fn expect_all_told(screen: &str, reader: &ScreenReader) {
    let objects = reader.objects();
    let reached: Vec<&Object> = objects.iter().filter(|object| object.is_focusable()).collect();
    assert!(reached.len() > 2, "{screen}: {objects:#?}");
    let windows: Vec<&Object> = objects.iter().filter(|object| object.is_window()).collect();
    assert_eq!(windows.len(), 1, "{screen}: {objects:#?}");
    let untold: Vec<_> = reached.into_iter().chain(windows).filter(|object| !object.is_told()).collect();
    assert!(untold.is_empty(), "{screen}: {untold:#?}");
}

/// Somebody who sees the person at the window, and that person's ID.
fn caller() -> (Visavis, String) {
    let mut caller = Launch::new(CALLER).with_synthetic_devices().start();
    caller.say("contacts");
    let seen = caller.expect_where("contact", SOON, |contact| contact["name"] == OWNER && contact["online"] == true);
    let id = seen["id"].as_str().expect("an ID").to_owned();
    (caller, id)
}

#[test]
fn a_call_is_heard_answered_and_hung_up_by_a_screen_reader() {
    let (Some(display), Some(reader)) = (Display::start(1200, 800), ScreenReader::start()) else { return };
    let launch = Launch::new(OWNER).with_synthetic_devices();
    let _window = Window::start(reader.give_to(display.give_to(launch)));
    reader.expect_name("Search people");
    expect_all_told("home", &reader);
    let label = "Frame rate at most";
    let is_open = || reader.objects().iter().any(|object| object.name.contains(label));
    reader.press("Settings", || is_open().then_some(()));
    expect_all_told("settings", &reader);
    reader.press("Close", || (!is_open()).then_some(()));

    let (mut emil, id) = caller();
    let invite = emil.invite(&id, json!(false));
    reader.expect_announcements(&[CALLER, "would like an audio call"]);
    reader.expect_name("Decline");
    expect_all_told("a ring", &reader);
    reader.press("Answer with audio", || reader.objects().iter().any(|object| object.name == "Hang up").then_some(()));
    emil.expect_where("invite_accepted", SOON, |event| event["invite"] == *invite);
    emil.expect("participant_connected");
    expect_all_told("a call", &reader);
    let is_home = || reader.objects().iter().any(|object| object.name == "Search people");
    reader.press("Hang up", || is_home().then_some(()));
    emil.expect("conversation_disconnected");
}

/// A bus without AT-SPI is an ordinary thing, of which a person who starts the program from a terminal hears nothing.
#[test]
fn where_there_is_no_at_spi_the_terminal_stays_silent() {
    let (Some(display), Some(bus)) = (Display::start(1200, 800), SessionBus::start()) else { return };
    let nobody = Nobody::on(&bus);
    let launch = Launch::new(OWNER).with_synthetic_devices().log("warn");
    let mut window = Window::start(bus.give_to(display.give_to(launch)));
    display.expect_window("Visavis");
    nobody.expect_asked();
    window.end();
    assert_eq!(window.log(), "");
}
