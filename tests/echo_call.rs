//! The test call: Echo answers inside the program, over a real connection on this computer, and gives back one's own
//! picture and sound a moment later. It needs no network, no second computer, and no device.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use serde_json::json;
use support::process::{Launch, SOON, Visavis, prefixed, text};
use support::sound::assert_tone;

fn echo_of(person: &mut Visavis) -> String {
    person.say("contacts");
    let echo = person.expect_where("contact", SOON, |contact| contact["route"] == "local");
    assert_eq!(echo["online"], true);
    text(&echo, "id")
}

#[test]
fn echo_answers_by_itself_and_returns_picture_and_sound() {
    let _machine = support::measuring();
    let directory = tempfile::tempdir().expect("a directory");
    let heard = directory.path().join("heard.wav");
    let mut alice = Launch::new("Alice")
        .option("--camera", "test-card")
        .option("--microphone", "tone:880")
        .option("--speaker", prefixed("file:", &heard))
        .start();
    let echo = echo_of(&mut alice);
    alice.invite(&echo, json!("standard"));
    let told = alice.expect_story(&[
        "invite_accepted",
        "conversation_connecting",
        "conversation_connected",
        "participant_connected",
        "stream_added",
        "stream_added",
        "first_frame",
    ]);
    assert_eq!((&told[4]["kind"], &told[5]["kind"]), (&json!("audio"), &json!("camera")));
    assert_eq!(told[6]["participant"], json!(echo));
    assert_eq!((&told[6]["width"], &told[6]["height"]), (&json!(640), &json!(480)));
    alice.expect_where("stats", SOON, |stats| stats["received"]["frames_decoded"].as_u64() > Some(60));
    alice.say("leave");
    assert_eq!(alice.expect("conversation_disconnected")["reason"], "left");
    alice.quit();
    assert_tone(&heard, 880.0);
}

#[test]
fn echo_can_be_called_again_and_given_up_while_it_connects() {
    let _machine = support::sharing();
    let mut alice = Launch::new("Alice").with_synthetic_devices().start();
    let echo = echo_of(&mut alice);
    for _ in 0..5 {
        alice.invite(&echo, json!("low"));
        alice.expect("conversation_connecting");
        alice.say("leave");
        alice.expect("conversation_disconnected");
    }
    alice.invite(&echo, json!("low"));
    alice.expect("first_frame");
    alice.quit();
}

#[test]
fn a_screen_that_is_shared_in_mid_call_comes_back_beside_the_camera() {
    let _machine = support::measuring();
    let mut alice = Launch::new("Alice").with_synthetic_devices().start();
    let echo = echo_of(&mut alice);
    alice.invite(&echo, json!("low"));
    assert_eq!(alice.expect("first_frame")["kind"], "camera");
    alice.send(json!({"command": "share_screen", "screen": "pattern"}));
    let screen = alice.expect("first_frame");
    assert_eq!((&screen["stream"], &screen["kind"], &screen["height"]), (&json!(2), &json!("screen"), &json!(720)));
    alice.say("stop_sharing");
    let off = alice.expect_where("stream_changed", SOON, |event| event["kind"] == "screen");
    assert_eq!(off["on"], false);
    alice.quit();
}
