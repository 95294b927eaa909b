//! A real sound server without hardware: what is spoken into a microphone on one side comes out of a speaker on the
//! other, and a microphone that is unplugged is missed in words and comes back by itself.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::process::{Launch, SOON, Visavis, call, meet, prefixed, text};
use support::sound::{SoundServer, assert_tone, read_wave, write_speech, write_tone};

const MICROPHONE: &str = "Visavis-Test-Microphone";

fn hang_up(leaver: &mut Visavis, other: &mut Visavis) {
    leaver.say("leave");
    leaver.expect("conversation_disconnected");
    other.expect("conversation_disconnected");
}

#[test]
fn sound_passes_from_a_microphone_to_a_speaker_both_ways() {
    let _machine = support::measuring();
    let Some(mut server) = SoundServer::start() else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let spoken = directory.path().join("spoken.wav");
    write_tone(&spoken, 1000.0, 120);
    let _microphone = server.plug_in_microphone(MICROPHONE);
    server.feed_microphone(&spoken);

    let launch = Launch::new("Alice").option("--camera", "none");
    let mut alice = server.give_to(launch.option("--microphone", "default").option("--speaker", "default")).start();
    let heard_by_bob = directory.path().join("bob.wav");
    let mut bob = Launch::new("Bob")
        .option("--camera", "test-card")
        .option("--microphone", "tone:700")
        .option("--speaker", prefixed("file:", &heard_by_bob))
        .start();
    // A tone is steady: what takes noise out would take it out.
    alice.send(settings_of_alice(false));
    meet(&mut alice, &mut bob);
    let recording = server.record_speaker(&directory.path().join("alice.wav"));
    alice.invite(&bob.id, json!(false));
    let invite = bob.expect_invite_from(&alice.id);
    bob.accept(&invite, json!("low"));
    for _ in 0..4 {
        bob.expect("stats");
    }
    hang_up(&mut alice, &mut bob);
    let heard_by_alice = recording.finish();
    bob.quit();
    assert_tone(&heard_by_alice, 700.0);
    assert_tone(&heard_by_bob, 1000.0);
}

/// Alice's settings, with everything or nothing done to the microphone's sound.
fn settings_of_alice(processed: bool) -> Value {
    json!({"command": "update_settings", "settings": {
        "display_name": "Alice", "camera": "none", "microphone": "default", "speaker": "default",
        "echo_cancellation": processed, "noise_suppression": processed, "automatic_gain": processed
    }})
}

#[test]
fn what_the_speaker_plays_goes_back_only_without_echo_cancellation() {
    let _machine = support::measuring();
    let Some(server) = SoundServer::start() else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let spoken = directory.path().join("spoken.wav");
    write_speech(&spoken, 60);
    let _microphone = server.plug_in_microphone(MICROPHONE);
    let _room = server.echo_into_microphone(60);
    let launch = Launch::new("Alice").option("--camera", "none");
    let mut alice = server.give_to(launch.option("--microphone", "default").option("--speaker", "default")).start();
    let heard_by_bob = directory.path().join("bob.wav");
    let mut bob = Launch::new("Bob")
        .option("--camera", "test-card")
        .option("--microphone", prefixed("file:", &spoken))
        .option("--speaker", prefixed("file:", &heard_by_bob))
        .start();
    meet(&mut alice, &mut bob);
    alice.invite(&bob.id, json!(false));
    let invite = bob.expect_invite_from(&alice.id);
    bob.accept(&invite, json!("low"));
    for _ in 0..7 {
        bob.expect("stats");
    }
    let cancelled = last_seconds(&heard_by_bob, 5);
    alice.send(settings_of_alice(false));
    for _ in 0..5 {
        bob.expect("stats");
    }
    let returned = last_seconds(&heard_by_bob, 5);
    hang_up(&mut alice, &mut bob);
    bob.quit();
    assert!(returned > 0.01, "without cancellation Bob hears himself: {returned}");
    assert!(cancelled < returned / 10.0, "{cancelled} of full scale comes back, {returned} without cancellation");
}

/// Root mean square, of full scale 1, of the end of a recording that goes on.
fn last_seconds(recording: &std::path::Path, seconds: usize) -> f32 {
    let (samples, rate) = read_wave(recording);
    let end = &samples[samples.len().saturating_sub(seconds * rate as usize)..];
    (end.iter().map(|sample| sample * sample).sum::<f32>() / end.len() as f32).sqrt()
}

#[test]
fn a_chosen_microphone_that_is_unplugged_is_missed_and_comes_back() {
    let _machine = support::measuring();
    let Some(server) = SoundServer::start() else { return };
    let plugs = server.plug_in_microphone(MICROPHONE);
    let launch = Launch::new("Alice").option("--camera", "test-card");
    let mut alice = server.give_to(launch.option("--microphone", MICROPHONE).option("--speaker", "default")).start();
    let mut bob = Launch::new("Bob").with_synthetic_devices().start();
    meet(&mut alice, &mut bob);
    // Open before the call, which keeps it open: what is not open yet cannot be unplugged.
    alice.send(json!({"command": "create_stream", "video": "low"}));
    alice.expect_where("local_stream", SOON, |stream| stream["microphone"] == MICROPHONE);
    call(&mut alice, &mut bob, &json!("low"));

    server.pull_out(plugs);
    let error = alice.expect_where("device_error", SOON, |error| error["device"] == "microphone");
    assert_eq!(error["fault"], "unplugged", "{error}");
    assert!(text(&error, "message").ends_with('.'), "a sentence: {error}");
    let _plugs = server.plug_in_microphone(MICROPHONE);
    alice.expect_where("device_recovered", SOON, |back| back["device"] == "microphone");
    hang_up(&mut alice, &mut bob);
}

#[test]
fn without_any_sound_device_the_call_still_shows_pictures() {
    let _machine = support::sharing();
    let nowhere = tempfile::tempdir().expect("a directory");
    let mut alice = Launch::new("Alice")
        .option("--camera", "test-card")
        .option("--microphone", "default")
        .option("--speaker", "default")
        .environment("XDG_RUNTIME_DIR", nowhere.path())
        .environment("PULSE_SERVER", "unix:/nonexistent")
        .start();
    let mut bob = Launch::new("Bob").with_synthetic_devices().start();
    meet(&mut alice, &mut bob);
    call(&mut alice, &mut bob, &json!("low"));
    let is_said = |event: &Value| event["event"] == "device_error" && event["device"] == "microphone";
    let said = support::poll(SOON, || alice.transcript().iter().any(is_said).then_some(()));
    assert!(said.is_some(), "the missing microphone is said: {:#?}", alice.transcript());
    hang_up(&mut alice, &mut bob);
}
