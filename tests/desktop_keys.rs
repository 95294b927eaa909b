//! Keys that work a call while another window has the keyboard, with the real program on a display and a message bus of
//! its own: media keys and push to talk.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "what a failing test has to say goes to standard error")]

mod desktop_rig;
mod support;

use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::time::Duration;

use desktop_rig::Desktop;
use serde_json::{Value, json};
use support::display::Display;
use support::process::{Launch, SOON, Visavis};
use tempfile::TempDir;

/// Name of the person at the window; other tests' people are found on this computer, too.
const OWNER: &str = "Klara of the keys";

struct Window {
    program: Child,
    home: TempDir,
}

impl Window {
    fn start(launch: Launch) -> Self {
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
fn media_keys_answer_mute_and_hang_up_and_tell_no_name() {
    let _machine = support::measuring();
    let (Some(display), Some(desktop)) = (Display::start(1200, 800), Desktop::start()) else { return };
    let _window = Window::start(launch(&display, &desktop));
    let (mut emil, id) = caller("Emil of the headset");
    assert!(!desktop.has_player(), "the keys belong to other programs");
    let invite = emil.invite(&id, json!("low"));
    let player = desktop.expect_player();
    player.expect_status("Stopped");
    assert!(!player.metadata().contains("Emil"), "{}", player.metadata());
    // A ring is not answered in its first second.
    let answered = support::poll(SOON, || {
        player.press("PlayPause");
        let accepted = |event: &Value| event["event"] == "invite_accepted" && event["invite"] == *invite;
        support::poll(Duration::from_millis(300), || emil.transcript().iter().any(accepted).then_some(()))
    });
    assert!(answered.is_some(), "the headset's button answers");
    emil.expect("participant_connected");
    // A second press that came before the answer was told has muted.
    player.press("Pause");
    player.expect_status("Paused");
    let muted = emil.transcript().len();
    player.press("Play");
    player.expect_status("Playing");
    player.press("PlayPause");
    player.expect_status("Paused");
    player.press("PlayPause");
    player.expect_status("Playing");
    let heard = |event: &Value| event["event"] == "stream_changed" && event["kind"] == "audio" && event["on"] == true;
    let told = support::poll(SOON, || emil.transcript().iter().skip(muted).any(heard).then_some(()));
    assert!(told.is_some(), "the other side is told");
    assert!(!player.metadata().contains("Emil"), "{}", player.metadata());
    player.press("Stop");
    assert_eq!(emil.expect("conversation_disconnected")["reason"], "hung_up");
    desktop.expect_no_player();
}

/// A window of another program has the keyboard, and gets the key, too.
#[test]
fn a_key_that_is_held_in_another_window_talks() {
    let _machine = support::measuring();
    let (Some(display), Some(desktop)) = (Display::managed(1200, 800), Desktop::start()) else { return };
    let profile = tempfile::tempdir().expect("a folder");
    let mut script = Launch::new(OWNER).with_synthetic_devices().profile(profile.path()).start();
    script.send(json!({"command": "update_settings", "settings": {"talk_key": "f8"}}));
    script.quit();
    let _window = Window::start(launch(&display, &desktop).profile(profile.path()));
    display.activate(display.expect_window("^Visavis$"));
    let (mut emil, id) = caller("Emil of the talk");
    emil.invite(&id, json!(false));
    // The scene ignores Enter for a moment.
    let answered = (0..20).any(|_| {
        display.press(&["Return"]);
        let connected = |event: &Value| event["event"] == "participant_connected";
        support::poll(Duration::from_secs(2), || emil.transcript().iter().any(connected).then_some(())).is_some()
    });
    assert!(answered, "Enter answers");
    let player = desktop.expect_player();
    player.expect_status("Playing");
    player.press("PlayPause");
    player.expect_status("Paused");
    let other = display.open_other_window();
    display.activate(other.window);
    let active = support::poll(SOON, || (display.active_title() == "Other").then_some(()));
    assert!(active.is_some(), "another window has the keyboard: {}", display.active_title());
    let before = emil.transcript().len();
    // A key that is held before the listening begins is not heard.
    let heard = support::poll(SOON, || {
        display.hold("F8");
        let talks = support::poll(Duration::from_secs(1), || player.says("Playing").then_some(()));
        if talks.is_none() {
            display.release("F8");
        }
        talks
    });
    assert!(heard.is_some(), "it talks while the key is held");
    display.release("F8");
    player.expect_status("Paused");
    let told = |on: bool| {
        let is_told =
            |event: &Value| event["event"] == "stream_changed" && event["kind"] == "audio" && event["on"] == on;
        support::poll(SOON, || emil.transcript().iter().skip(before).any(is_told).then_some(()))
    };
    assert!(told(true).is_some() && told(false).is_some(), "the other side is told of both");
    // Other keys, and whoever is heard already, are left alone.
    display.press(&["F7"]);
    player.press("PlayPause");
    player.expect_status("Playing");
    let before = emil.transcript().len();
    display.press(&["F8"]);
    // The next press of the player comes behind the one of the key.
    player.press("Stop");
    emil.expect("conversation_disconnected");
    let muted = |event: &Value| event["event"] == "stream_changed" && event["kind"] == "audio" && event["on"] == false;
    assert!(!emil.transcript().iter().skip(before).any(muted), "whoever is heard is left alone");
}
