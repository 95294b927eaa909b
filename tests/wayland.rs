//! The window on Wayland, with a real compositor and a message bus of its own: it opens, rings and is answered from the
//! notification, goes to the tray and comes back; a key of the portal of global shortcuts talks.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "what a failing test has to say goes to standard error")]

mod desktop_rig;
mod support;

use std::fs::{self, File};
use std::process::{Child, Stdio};

use desktop_rig::{Called, Desktop};
use serde_json::{Value, json};
use support::process::{Launch, SOON, Visavis};
use support::wayland::Compositor;
use tempfile::TempDir;

/// Name of the person at the window; other tests' people are found on this computer, too.
const OWNER: &str = "Wanda of Wayland";
const APP: &str = "org.visavis.Visavis";
const TITLE: &str = "Visavis";

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

/// Somebody who sees the person at the window, and that person's ID.
fn caller(name: &str) -> (Visavis, String) {
    let mut caller = Launch::new(name).with_synthetic_devices().start();
    caller.say("contacts");
    let seen = caller.expect_where("contact", SOON, |contact| contact["name"] == OWNER && contact["online"] == true);
    let id = seen["id"].as_str().expect("an ID").to_owned();
    (caller, id)
}

fn expect_heard(caller: &mut Visavis, on: bool) {
    let is_sound = |event: &Value| event["kind"] == "audio" && event["on"] == on;
    caller.expect_where("stream_changed", SOON, is_sound);
}

#[test]
fn a_window_on_wayland_is_answered_talks_by_a_global_shortcut_and_comes_back_from_the_tray() {
    let _machine = support::measuring();
    let (Some(compositor), Some(desktop)) =
        (Compositor::start(), Desktop::start().map(|desktop| desktop.with_tray().with_shortcuts()))
    else {
        return;
    };
    let profile = tempfile::tempdir().expect("a folder");
    let mut script = Launch::new(OWNER).with_synthetic_devices().profile(profile.path()).start();
    script.send(json!({"command": "update_settings", "settings": {"talk_key": "f8"}}));
    script.quit();
    let launch = Launch::new(OWNER).with_synthetic_devices().profile(profile.path());
    let mut window = Window::start(desktop.give_to(compositor.give_to(launch)));
    compositor.expect_window(APP, TITLE, true);
    let wanted = Called::Shortcut("push-to-talk".into(), "F8".into());
    let (mut item, mut asked) = (None, false);
    let item = desktop.expect(|call| {
        match call {
            Called::Item(name) => item = Some(name),
            call => asked |= call == wanted,
        }
        item.take_if(|_| asked)
    });
    let item = desktop.item(item);

    let (mut emil, id) = caller("Emil of Wayland");
    emil.invite(&id, json!("low"));
    let ring = desktop.expect_notification();
    desktop.press(ring.id, "answer-video");
    emil.expect("first_frame");
    let player = desktop.expect_player();
    player.press("PlayPause");
    expect_heard(&mut emil, false);
    desktop.hold_shortcut("another", true);
    desktop.hold_shortcut("push-to-talk", true);
    expect_heard(&mut emil, true);
    desktop.hold_shortcut("push-to-talk", false);
    expect_heard(&mut emil, false);
    emil.say("leave");
    desktop.expect_no_player();

    compositor.ask_to_close(APP);
    compositor.expect_window(APP, TITLE, false);
    assert!(window.program.try_wait().expect("a child of this process").is_none(), "it goes on in the tray");
    item.activate();
    compositor.expect_window(APP, TITLE, true);
    item.press("Quit", false);
    let ended = support::poll(SOON, || window.program.try_wait().expect("a child of this process"));
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
}
