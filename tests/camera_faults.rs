//! A webcam that is forbidden, taken, unplugged or stuck: said in words while it lasts, and over by itself afterwards,
//! before a call and in the middle of one.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::camera::Webcam;
use support::process::{Launch, SOON, Visavis, call, meet, text};

fn person_with(webcam: &Webcam, name: &str) -> Visavis {
    webcam.give_to(Launch::new(name)).option("--microphone", "none").option("--speaker", "none").start()
}

fn open_camera(person: &mut Visavis, preset: &str) {
    person.send(json!({"command": "create_stream", "audio": false, "video": preset}));
}

fn expect_picture(person: &mut Visavis) -> Value {
    person.expect_where("local_stream", SOON, |stream| stream["video"] == true && stream["camera"] == Webcam::NAME)
}

fn expect_fault(person: &mut Visavis, fault: &str) -> Value {
    let error = person.expect("device_error");
    assert_eq!((&error["device"], &error["fault"]), (&json!("camera"), &json!(fault)), "{error}");
    assert_eq!(error["code"], 40002, "{error}");
    assert!(text(&error, "message").ends_with('.'), "a sentence: {error}");
    error
}

fn expect_recovery(person: &mut Visavis) {
    let recovered = person.expect("device_recovered");
    assert_eq!((&recovered["device"], &recovered["name"]), (&json!("camera"), &json!(Webcam::NAME)), "{recovered}");
}

#[test]
fn a_webcam_gives_pictures_of_the_size_that_is_asked_for() {
    let Some(webcam) = Webcam::plug_in() else { return };
    let mut alice = person_with(&webcam, "Alice");
    for (preset, width, height) in [("standard", 640, 480), ("high-16:9", 1280, 720)] {
        open_camera(&mut alice, preset);
        let stream = alice.expect_where("local_stream", SOON, |stream| stream["width"] == width);
        assert_eq!(stream["height"], height);
    }
}

#[test]
fn a_forbidden_camera_is_said_to_be_forbidden() {
    let Some(webcam) = Webcam::plug_in() else { return };
    webcam.set_fault("deny", true);
    let mut alice = person_with(&webcam, "Alice");
    open_camera(&mut alice, "standard");
    expect_fault(&mut alice, "forbidden");
    webcam.set_fault("deny", false);
    open_camera(&mut alice, "standard");
    expect_picture(&mut alice);
}

#[test]
fn a_camera_that_another_program_holds_is_said_to_be_busy() {
    let Some(webcam) = Webcam::plug_in() else { return };
    let mut alice = person_with(&webcam, "Alice");
    open_camera(&mut alice, "standard");
    expect_picture(&mut alice);
    let mut bob = person_with(&webcam, "Bob");
    open_camera(&mut bob, "standard");
    expect_fault(&mut bob, "busy");
    alice.say("close_stream");
    alice.expect("local_stream_ended");
    open_camera(&mut bob, "standard");
    expect_picture(&mut bob);
}

#[test]
fn a_camera_that_is_not_there_is_said_to_be_missing() {
    let Some(webcam) = Webcam::plug_in() else { return };
    webcam.pull_out();
    let mut alice = person_with(&webcam, "Alice");
    open_camera(&mut alice, "standard");
    let error = expect_fault(&mut alice, "missing");
    assert!(text(&error, "message").contains(Webcam::NAME), "the name may be mistyped: {error}");
}

/// The longest time without a picture at Bob's, in ms, while `change` is made and until Alice shows `camera`.
fn longest_gap_ms(alice: &mut Visavis, bob: &mut Visavis, change: Value, camera: &str, width: u32) -> u64 {
    bob.send(json!({"command": "trace_frames", "on": true}));
    // Pictures of before, and of after.
    bob.expect("stats");
    alice.send(json!({"command": "update_settings", "settings": change}));
    alice.expect_where("local_stream", SOON, |stream| stream["camera"] == camera && stream["width"] == width);
    bob.expect_where("stats", SOON, |stats| stats["received"]["width"] == width);
    bob.expect("stats");
    bob.send(json!({"command": "trace_frames", "on": false}));
    let trace = bob.expect("frame_trace");
    let times: Vec<u64> = trace["times"].as_array().expect("times").iter().filter_map(Value::as_u64).collect();
    assert!(times.len() > 20, "{trace}");
    times.windows(2).map(|pair| (pair[1] - pair[0]) / 1000).max().expect("pictures")
}

#[test]
fn another_camera_in_mid_call_leaves_no_long_gap() {
    let _machine = support::measuring();
    let Some(webcam) = Webcam::plug_in() else { return };
    webcam.plug_in_another();
    let mut alice = person_with(&webcam, "Alice");
    let mut bob = Launch::new("Bob").with_synthetic_devices().start();
    meet(&mut alice, &mut bob);
    call(&mut alice, &mut bob, &json!("standard"));
    let to = |camera: &str| json!({"camera": camera});
    let gaps = [
        longest_gap_ms(&mut alice, &mut bob, to(Webcam::OTHER_NAME), Webcam::OTHER_NAME, 640),
        longest_gap_ms(&mut alice, &mut bob, to("test-card"), "test-card", 640),
        longest_gap_ms(&mut alice, &mut bob, to(Webcam::NAME), Webcam::NAME, 640),
        // The same device in another mode must be closed first.
        longest_gap_ms(&mut alice, &mut bob, json!({"preset": "low"}), Webcam::NAME, 320),
    ];
    println!("longest gaps around changes of camera: {gaps:?} ms");
    assert!(gaps.iter().all(|&gap| gap <= 300), "{gaps:?} ms without a picture");
}

#[test]
fn a_camera_unplugged_in_a_call_comes_back_by_itself() {
    let Some(webcam) = Webcam::plug_in() else { return };
    let mut alice = person_with(&webcam, "Alice");
    let mut bob = Launch::new("Bob").with_synthetic_devices().start();
    meet(&mut alice, &mut bob);
    call(&mut alice, &mut bob, &json!("standard"));
    let before = decoded(&mut bob);
    webcam.pull_out();
    expect_fault(&mut alice, "unplugged");
    bob.expect_where("stream_changed", SOON, |changed| changed["video"] == false);
    webcam.plug_back_in();
    expect_recovery(&mut alice);
    bob.expect_where("stream_changed", SOON, |changed| changed["video"] == true);
    bob.expect_where("stats", SOON, |stats| stats["received"]["frames_decoded"].as_u64() > Some(before + 60));
    assert!(
        !alice.transcript().iter().any(|event| event["event"] == "conversation_disconnected"),
        "the call goes on without the camera"
    );
}

#[test]
fn a_camera_that_is_stuck_is_noticed_and_comes_back_by_itself() {
    let Some(webcam) = Webcam::plug_in() else { return };
    let mut alice = person_with(&webcam, "Alice");
    open_camera(&mut alice, "standard");
    expect_picture(&mut alice);
    webcam.set_fault("stall", true);
    expect_fault(&mut alice, "stalled");
    webcam.set_fault("stall", false);
    expect_recovery(&mut alice);
    alice.quit();
}

#[test]
fn a_stuck_camera_does_not_hold_up_hanging_up_or_quitting() {
    let Some(webcam) = Webcam::plug_in() else { return };
    let mut alice = person_with(&webcam, "Alice");
    let mut bob = Launch::new("Bob").with_synthetic_devices().start();
    meet(&mut alice, &mut bob);
    call(&mut alice, &mut bob, &json!("standard"));
    webcam.set_fault("stall", true);
    alice.say("leave");
    alice.expect("conversation_disconnected");
    alice.quit();
}

fn decoded(person: &mut Visavis) -> u64 {
    let stats = person.expect("stats");
    stats["received"]["frames_decoded"].as_u64().unwrap_or_else(|| panic!("{stats}"))
}
