//! Opening of the window where the environment is wrong, and its end with its desktop session.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "what a failing test has to say goes to standard error")]

mod support;

use std::fs::{self, File};
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::json;
use support::display::Display;
use support::process::{Launch, SOON, Visavis};
use tempfile::TempDir;

const TITLE: &str = "Visavis";

/// A window on a display of its own.
struct Open {
    program: Child,
    home: TempDir,
}

impl Open {
    fn start(display: &Display, launch: Launch) -> Self {
        let (mut command, _, home) = display.give_to(launch).log("info").command();
        let log = File::create(home.path().join("log")).expect("space on the disk");
        let program = command.stdin(Stdio::null()).stderr(log).spawn().expect("visavis starts");
        display.focus(TITLE);
        Self { program, home }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    fn signal(&self, signal: i32) {
        // SAFETY: the process is a child of this one that has not been waited for.
        assert_eq!(unsafe { libc::kill(self.program.id() as i32, signal) }, 0);
    }

    fn wait(&mut self) -> ExitStatus {
        let status = support::poll(SOON, || self.program.try_wait().expect("a child of this process"));
        status.unwrap_or_else(|| panic!("it has not ended: {}", self.log()))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let _already_gone = self.program.kill();
        let _status = self.program.wait();
        if std::thread::panicking() {
            eprintln!("---- the log of the window\n{}", self.log());
        }
    }
}

fn person(name: &str) -> Launch {
    Launch::new(name).with_synthetic_devices()
}

/// A window that is rung by Bob and answers; he, in the call.
fn window_in_call(display: &Display) -> (Open, Visavis) {
    let window = Open::start(display, person("Alice"));
    let mut bob = person("Bob").start();
    bob.say("contacts");
    let alice = bob.expect_where("contact", SOON, |contact| contact["name"] == "Alice" && contact["online"] == true);
    bob.send(json!({"command": "invite", "to": alice["id"], "audio": true, "video": "low"}));
    // The dialog ignores Enter for a moment.
    let answered = (0..20).any(|_| {
        display.press(&["Return"]);
        let connected = || bob.transcript().iter().any(|event| event["event"] == "first_frame").then_some(());
        support::poll(Duration::from_secs(2), connected).is_some()
    });
    assert!(answered, "Enter answers: {}", window.log());
    (window, bob)
}

#[test]
fn a_signal_to_the_window_hangs_up() {
    let _machine = support::measuring();
    let Some(display) = Display::start(1200, 800) else { return };
    let (mut window, mut bob) = window_in_call(&display);
    window.signal(libc::SIGTERM);
    assert_eq!(bob.expect("conversation_disconnected")["reason"], "hung_up");
    assert_eq!(window.wait().code(), Some(0));
}

#[test]
fn the_end_of_the_display_hangs_up() {
    let _machine = support::measuring();
    let Some(display) = Display::start(1200, 800) else { return };
    let (mut window, mut bob) = window_in_call(&display);
    drop(display);
    assert_eq!(bob.expect("conversation_disconnected")["reason"], "hung_up");
    assert_eq!(window.wait().code(), Some(0));
}

#[test]
fn an_environment_that_names_what_is_not_there_opens_the_window_all_the_same() {
    let _machine = support::measuring();
    let Some(display) = Display::start(1200, 800) else { return };
    let folder = tempfile::tempdir().expect("a directory");
    // A socket that a compositor leaves behind when it is killed.
    drop(std::os::unix::net::UnixListener::bind(folder.path().join("wayland-9")).expect("a socket"));
    for (name, value) in [
        ("WAYLAND_DISPLAY", "wayland-0"),
        ("WAYLAND_DISPLAY", "wayland-9"),
        ("WAYLAND_SOCKET", "77"),
        ("WINIT_X11_SCALE_FACTOR", "0"),
        ("WINIT_X11_SCALE_FACTOR", "abc"),
        ("WINIT_X11_SCALE_FACTOR", "-2"),
    ] {
        let launch = person("Alice").environment("XDG_RUNTIME_DIR", folder.path()).environment(name, value);
        let mut window = Open::start(&display, launch);
        assert!(window.log().contains(name), "{name}={value}: {}", window.log());
        assert!(!window.log().contains("panicked"), "{name}={value}: {}", window.log());
        window.signal(libc::SIGINT);
        assert_eq!(window.wait().code(), Some(0), "{name}={value}");
    }
}
