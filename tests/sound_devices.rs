//! A real sound server without hardware: what is spoken into a microphone on one side comes out of a speaker on the
//! other, and a microphone that is unplugged is missed in words and comes back by itself.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::process::{Launch, SOON, Visavis, call, meet, prefixed, text};
use support::sound::{SoundServer, assert_tone, longest_silence_ms, read_wave, write_speech, write_tone};

const MICROPHONE: &str = "Visavis-Test-Microphone";
const OTHER_MICROPHONE: &str = "Visavis-Other-Microphone";
const OTHER_SPEAKER: &str = "Visavis-Other-Speaker";

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
    choose(&mut alice, "default", "default");
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

/// Gives these devices to `person`, and nothing done to the microphone's sound.
fn choose(person: &mut Visavis, microphone: &str, speaker: &str) {
    person.send(json!({"command": "update_settings", "settings": {
        "display_name": "Alice", "camera": "none", "microphone": microphone, "speaker": speaker,
        "echo_cancellation": false, "noise_suppression": false, "automatic_gain": false
    }}));
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
    choose(&mut alice, "default", "default");
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
fn another_microphone_and_speaker_in_mid_call_leave_no_long_silence() {
    let _machine = support::measuring();
    let Some(mut server) = SoundServer::start() else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let spoken = directory.path().join("spoken.wav");
    write_tone(&spoken, 1000.0, 120);
    let _first = server.plug_in_microphone(MICROPHONE);
    let _second = server.plug_in_other_microphone("other", OTHER_MICROPHONE);
    let _speaker = server.plug_in_other_speaker("others", OTHER_SPEAKER);
    server.prefer_the_first();
    server.feed_microphone(&spoken);
    server.feed("other", &spoken);

    let launch = Launch::new("Alice").option("--camera", "none");
    let mut alice = server.give_to(launch.option("--microphone", MICROPHONE).option("--speaker", "default")).start();
    let heard = directory.path().join("bob.wav");
    let mut bob = Launch::new("Bob")
        .option("--camera", "none")
        .option("--microphone", "tone:700")
        .option("--speaker", prefixed("file:", &heard))
        .start();
    // A tone is steady: what takes noise out would take it out.
    choose(&mut alice, MICROPHONE, "default");
    meet(&mut alice, &mut bob);
    bob.invite(&alice.id, json!(false));
    let invite = alice.expect_invite_from(&bob.id);
    alice.accept(&invite, json!(false));
    alice.expect_where("local_stream", SOON, |stream| stream["microphone"] == MICROPHONE);
    bob.expect("stats");
    for microphone in [OTHER_MICROPHONE, MICROPHONE] {
        choose(&mut alice, microphone, OTHER_SPEAKER);
        alice.expect_where("local_stream", SOON, |stream| stream["microphone"] == microphone);
        bob.expect("stats");
    }
    bob.expect("stats");
    hang_up(&mut alice, &mut bob);
    bob.quit();
    assert_tone(&heard, 1000.0);
    let silence = longest_silence_ms(&heard, 1000.0);
    println!("longest silence around a change of microphone: {silence} ms");
    assert!(silence <= 300, "{silence} ms of silence");
}

#[test]
fn the_default_stands_in_for_a_chosen_microphone_and_speaker_that_are_pulled_out() {
    let _machine = support::measuring();
    let Some(mut server) = SoundServer::start() else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let spoken = directory.path().join("spoken.wav");
    write_tone(&spoken, 1000.0, 120);
    let _default = server.plug_in_microphone(MICROPHONE);
    let microphone = server.plug_in_other_microphone("other", OTHER_MICROPHONE);
    let speaker = server.plug_in_other_speaker("others", OTHER_SPEAKER);
    server.prefer_the_first();
    server.feed_microphone(&spoken);

    let launch = Launch::new("Alice").option("--camera", "none");
    let mut alice =
        server.give_to(launch.option("--microphone", OTHER_MICROPHONE).option("--speaker", OTHER_SPEAKER)).start();
    let heard = directory.path().join("bob.wav");
    let mut bob = Launch::new("Bob")
        .option("--camera", "none")
        .option("--microphone", "tone:700")
        .option("--speaker", prefixed("file:", &heard))
        .start();
    // A tone is steady: what takes noise out would take it out.
    choose(&mut alice, OTHER_MICROPHONE, OTHER_SPEAKER);
    meet(&mut alice, &mut bob);
    alice.invite(&bob.id, json!(false));
    let invite = bob.expect_invite_from(&alice.id);
    bob.accept(&invite, json!(false));
    alice.expect_where("local_stream", SOON, |stream| stream["microphone"] == OTHER_MICROPHONE);
    alice.expect("stats");

    server.pull_out(microphone);
    let gone = alice.expect_where("device_error", SOON, |error| error["device"] == "microphone");
    assert_eq!(gone["fault"], "unplugged", "{gone}");
    let instead = alice.expect_where("device_fallback", SOON, |instead| instead["device"] == "microphone");
    assert_eq!((&instead["chosen"], &instead["name"]), (&json!(OTHER_MICROPHONE), &json!(MICROPHONE)), "{instead}");
    alice.expect_where("local_stream", SOON, |stream| stream["microphone"] == MICROPHONE);
    server.pull_out([speaker]);
    let instead = alice.expect_where("device_fallback", SOON, |instead| instead["device"] == "speaker");
    assert_eq!(instead["chosen"], OTHER_SPEAKER, "{instead}");
    let recording = server.record_speaker(&directory.path().join("alice.wav"));
    alice.expect("stats");
    alice.expect("stats");
    assert_tone(&recording.finish(), 700.0);

    let _speaker = server.plug_in_other_speaker("others", OTHER_SPEAKER);
    alice.expect_where("device_recovered", SOON, |back| back["device"] == "speaker" && back["name"] == OTHER_SPEAKER);
    let _microphone = server.plug_in_other_microphone("other", OTHER_MICROPHONE);
    alice.expect_where("device_recovered", SOON, |back| back["name"] == OTHER_MICROPHONE);
    alice.expect_where("local_stream", SOON, |stream| stream["microphone"] == OTHER_MICROPHONE);
    let muted = bob.transcript().iter().any(|event| event["event"] == "stream_changed");
    assert!(!muted, "the far side is told of no microphone that is missing: {:#?}", bob.transcript());
    hang_up(&mut alice, &mut bob);
    bob.quit();
    assert_tone(&heard, 1000.0);
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
