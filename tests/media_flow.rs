//! What goes in on one side comes out on the other, in pictures a second and in tones: 1280x720 at 30 between two
//! programs on one computer, and the sound of each heard by the other.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::process::{Launch, SOON, Visavis, call, meet, prefixed};
use support::sound::{assert_tone, loudest_tone, write_speech};

/// Fewer pictures a second than are sent, so that a hiccup of a busy machine does not fail a build that keeps up.
const ENOUGH_FPS: f64 = 28.0;

#[test]
fn high_definition_arrives_whole_and_without_a_gap() {
    let _machine = support::measuring();
    let person = |name| Launch::new(name).with_synthetic_devices().start();
    let (mut alice, mut bob) = (person("Alice"), person("Bob"));
    meet(&mut alice, &mut bob);
    call(&mut alice, &mut bob, &json!("high-16:9"));
    for side in [&mut alice, &mut bob] {
        assert_steady_stretch(side);
    }
    alice.say("leave");
    alice.expect("conversation_disconnected");
    bob.expect("conversation_disconnected");
}

/// Somewhere in the next minute lie six seconds with enough pictures and no freeze. A machine may be busy for a while;
/// a program that cannot keep up never has such a stretch.
fn assert_steady_stretch(side: &mut Visavis) {
    let mut reports: Vec<Value> = Vec::new();
    while reports.len() < 30 {
        reports.push(side.expect("stats"));
        let [.., before, _, _, after] = reports.as_slice() else { continue };
        let seconds = (number(after, "/t_ms") - number(before, "/t_ms")) / 1000.0;
        let grown = |field| number(after, field) - number(before, field);
        let fps = grown("/received/frames_decoded") / seconds;
        let whole_size = after["received"]["width"] == 1280 && after["received"]["height"] == 720;
        let unbroken = grown("/received/frozen_ms") == 0.0 && grown("/received/audio_concealed_ms") < 200.0;
        if whole_size && unbroken && fps >= ENOUGH_FPS {
            assert_eq!(after["received"]["route"], "direct");
            return;
        }
    }
    panic!("{}: no six seconds with {ENOUGH_FPS} whole pictures a second and no freeze", side.name);
}

fn number(report: &Value, pointer: &str) -> f64 {
    report.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{report} has no number {pointer}"))
}

#[test]
fn the_picture_of_a_person_can_be_saved_but_replaces_nothing() {
    let _machine = support::sharing();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("bob.y4m");
    let person = |name| Launch::new(name).with_synthetic_devices().start();
    let (mut alice, mut bob) = (person("Alice"), person("Bob"));
    meet(&mut alice, &mut bob);
    let save = json!({"command": "save_picture", "participant": bob.id, "path": file});
    alice.send(save.clone());
    assert_eq!(alice.expect("error")["command"], "save_picture", "there is no call yet");
    call(&mut alice, &mut bob, &json!("low"));
    alice.send(save.clone());
    assert_eq!(alice.expect("picture_saved")["path"], json!(file));
    let bytes = std::fs::read(&file).expect("the file");
    let header = b"YUV4MPEG2 W320 H240 F30:1 Ip A1:1 C420jpeg\nFRAME\n";
    assert_eq!((&bytes[..header.len()], bytes.len()), (&header[..], header.len() + 320 * 240 * 3 / 2));
    alice.send(save);
    assert_eq!(alice.expect("error")["command"], "save_picture", "the file exists");
    assert_eq!(std::fs::read(&file).expect("the file"), bytes);
}

#[test]
fn each_side_hears_the_tone_of_the_other() {
    let _machine = support::measuring();
    let directory = tempfile::tempdir().expect("a directory");
    let person = |name: &str, hertz: u32| {
        let heard = directory.path().join(format!("{name}.wav"));
        let launch = Launch::new(name).option("--camera", "test-card").option("--microphone", format!("tone:{hertz}"));
        (launch.option("--speaker", prefixed("file:", &heard)).start(), heard)
    };
    let (mut alice, heard_by_alice) = person("Alice", 440);
    let (mut bob, heard_by_bob) = person("Bob", 1000);
    meet(&mut alice, &mut bob);
    call(&mut alice, &mut bob, &json!("low"));
    for _ in 0..3 {
        alice.expect("stats");
    }
    alice.say("leave");
    alice.expect("conversation_disconnected");
    bob.expect("conversation_disconnected");
    alice.quit();
    bob.quit();
    assert_tone(&heard_by_alice, 1000.0);
    assert_tone(&heard_by_bob, 440.0);
}

/// Higher than every partial of the ringtone, which is in Bob's recording too.
const MUTED_HERTZ: f32 = 3000.0;

#[test]
fn a_muted_microphone_is_not_heard() {
    let _machine = support::measuring();
    let directory = tempfile::tempdir().expect("a directory");
    let heard = directory.path().join("bob.wav");
    let mut alice = Launch::new("Alice")
        .option("--camera", "test-card")
        .option("--microphone", format!("tone:{MUTED_HERTZ}"))
        .option("--speaker", "none")
        .start();
    let mut bob = Launch::new("Bob")
        .option("--camera", "none")
        .option("--microphone", "none")
        .option("--speaker", prefixed("file:", &heard))
        .start();
    meet(&mut alice, &mut bob);
    alice.invite(&bob.id, json!("low"));
    let invite = bob.expect_invite_from(&alice.id);
    // Muted before the answer: not one packet of the tone may be sent. Lines are taken in order, so that she is muted
    // once the next one, which is no command, has been refused.
    alice.send(json!({"command": "enable_audio", "on": false}));
    alice.say("are you muted?");
    alice.expect_any(&["error"], SOON);
    bob.accept(&invite, json!(false));
    bob.expect("first_frame");
    bob.expect_where("stats", SOON, |stats| number(stats, "/received/frames_decoded") > 100.0);
    assert_tone_heard(&heard, |amplitude| amplitude < 0.01, "the muted tone was heard");
    // And the ear that heard nothing is not deaf.
    alice.send(json!({"command": "enable_audio", "on": true}));
    bob.expect_where("stream_changed", SOON, |changed| changed["audio"] == true);
    for _ in 0..2 {
        bob.expect("stats");
    }
    alice.quit();
    bob.expect("conversation_disconnected");
    bob.quit();
    assert_tone_heard(&heard, |amplitude| amplitude > 0.1, "the tone was not heard");
}

#[test]
fn who_speaks_while_muted_is_told() {
    let _machine = support::sharing();
    let directory = tempfile::tempdir().expect("a directory");
    let spoken = directory.path().join("spoken.wav");
    write_speech(&spoken, 20);
    let mut alice = Launch::new("Alice")
        .option("--camera", "test-card")
        .option("--microphone", prefixed("file:", &spoken))
        .option("--speaker", "none")
        .start();
    let mut bob = Launch::new("Bob").with_synthetic_devices().start();
    meet(&mut alice, &mut bob);
    call(&mut alice, &mut bob, &json!("low"));
    bob.send(json!({"command": "enable_audio", "on": false}));
    alice.expect_where("stream_changed", SOON, |changed| changed["audio"] == false);
    alice.send(json!({"command": "enable_audio", "on": false}));
    alice.expect("speaking_muted");
    // His is a steady tone, which is no speech.
    let is_said = |event: &Value| event["event"] == "speaking_muted";
    assert!(!bob.transcript().iter().any(is_said), "{:#?}", bob.transcript());
    alice.say("leave");
    alice.expect("conversation_disconnected");
    bob.expect("conversation_disconnected");
}

fn assert_tone_heard(recording: &Path, wanted: impl Fn(f32) -> bool, otherwise: &str) {
    let amplitude = loudest_tone(recording, MUTED_HERTZ);
    assert!(wanted(amplitude), "{otherwise}: {amplitude} of full scale");
}
