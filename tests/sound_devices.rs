//! A real sound server without hardware: what is spoken into a microphone on one side comes out of a speaker on the
//! other, and a microphone that is unplugged is missed in words and comes back by itself.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::process::{Launch, SOON, call, meet, prefixed, text};
use support::sound::{assert_tone, longest_silence_ms, read_wave, write_speech};
use support::sound_call::{BOB_HZ, MICROPHONE, SPOKEN_HZ, SoundCall, SoundStage};

const OTHER_MICROPHONE: &str = "Visavis-Other-Microphone";
const OTHER_SPEAKER: &str = "Visavis-Other-Speaker";

#[test]
fn sound_passes_from_a_microphone_to_a_speaker_both_ways() {
    let _machine = support::measuring();
    let Some(mut stage) = SoundStage::set() else { return };
    stage.speak_into(&["mic"]);
    let mut call = stage.enter("default", "default");
    let recording = stage.server.record_speaker(&stage.path("alice.wav"));
    call.connect();
    call.go_on(4);
    let heard_by_bob = call.end();
    assert_tone(&recording.finish(), BOB_HZ);
    assert_tone(&heard_by_bob, SPOKEN_HZ);
}

#[test]
fn what_the_speaker_plays_goes_back_only_without_echo_cancellation() {
    let _machine = support::measuring();
    let Some(stage) = SoundStage::set() else { return };
    let spoken = stage.path("spoken.wav");
    write_speech(&spoken, 60);
    let _room = stage.server.echo_into_microphone(60);
    let mut call = stage.enter_processed("default", "default", prefixed("file:", &spoken));
    call.connect();
    call.go_on(7);
    let cancelled = last_seconds(call.heard_by_bob(), 5);
    call.stop_processing();
    call.go_on(5);
    let returned = last_seconds(call.heard_by_bob(), 5);
    call.end();
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
    let Some(stage) = SoundStage::set() else { return };
    let plugs = stage.server.plug_in_other_microphone("other", OTHER_MICROPHONE);
    stage.server.prefer_the_first();
    let mut call = stage.enter(OTHER_MICROPHONE, "default");
    call.connect();

    stage.server.pull_out(plugs);
    let error = call.alice.expect_where("device_error", SOON, |error| error["device"] == "microphone");
    assert_eq!(error["fault"], "unplugged", "{error}");
    assert!(text(&error, "message").ends_with('.'), "a sentence: {error}");
    let _plugs = stage.server.plug_in_other_microphone("other", OTHER_MICROPHONE);
    let is_back = |back: &Value| back["device"] == "microphone" && back["name"] == OTHER_MICROPHONE;
    call.alice.expect_where("device_recovered", SOON, is_back);
    call.end();
}

#[test]
fn another_microphone_in_mid_call_leaves_no_long_silence() {
    let _machine = support::measuring();
    let Some(mut stage) = SoundStage::set() else { return };
    let _second = stage.server.plug_in_other_microphone("other", OTHER_MICROPHONE);
    stage.server.prefer_the_first();
    stage.speak_into(&["mic", "other"]);
    let mut call = stage.enter(MICROPHONE, "default");
    call.connect();
    for microphone in [OTHER_MICROPHONE, MICROPHONE] {
        call.change(json!({"microphone": microphone}));
        call.alice.expect_where("local_stream", SOON, |stream| stream["microphone"] == microphone);
        call.go_on(1);
    }
    call.go_on(1);
    let heard = call.end();
    assert_tone(&heard, SPOKEN_HZ);
    let silence = longest_silence_ms(&heard, SPOKEN_HZ);
    println!("longest silence around a change of microphone: {silence} ms");
    assert!(silence <= 300, "{silence} ms of silence");
}

#[test]
fn another_speaker_in_mid_call_leaves_no_long_silence() {
    let _machine = support::measuring();
    let Some(stage) = SoundStage::set() else { return };
    // Two ways to one loudspeaker, so that one recording holds both.
    let speakers = [("left", "Visavis-Left-Speaker"), ("right", "Visavis-Right-Speaker")];
    for (name, description) in speakers {
        stage.server.plug_in_way_to_the_speaker(name, description);
    }
    let mut call = stage.enter("default", speakers[0].1);
    call.connect();
    let recording = stage.server.record_speaker(&stage.path("alice.wav"));
    call.go_on(1);
    for (_, speaker) in [speakers[1], speakers[0]] {
        call.change(json!({"speaker": speaker}));
        call.go_on(2);
    }
    let heard = recording.finish();
    call.end();
    let silence = longest_silence_ms(&heard, BOB_HZ);
    println!("longest silence around a change of speaker: {silence} ms");
    assert!(silence <= 300, "{silence} ms of silence");
}

#[test]
fn the_default_stands_in_for_a_chosen_microphone_and_speaker_that_are_pulled_out() {
    let _machine = support::measuring();
    let Some(mut stage) = SoundStage::set() else { return };
    let microphone = stage.server.plug_in_other_microphone("other", OTHER_MICROPHONE);
    let speaker = stage.server.plug_in_other_speaker("others", OTHER_SPEAKER);
    stage.server.prefer_the_first();
    stage.speak_into(&["mic"]);
    let mut call = stage.enter(OTHER_MICROPHONE, OTHER_SPEAKER);
    call.connect();
    call.alice.expect("stats");
    let SoundCall { alice, .. } = &mut call;

    stage.server.pull_out(microphone);
    let gone = alice.expect_where("device_error", SOON, |error| error["device"] == "microphone");
    assert_eq!(gone["fault"], "unplugged", "{gone}");
    let instead = alice.expect_where("device_fallback", SOON, |instead| instead["device"] == "microphone");
    assert_eq!((&instead["chosen"], &instead["name"]), (&json!(OTHER_MICROPHONE), &json!(MICROPHONE)), "{instead}");
    alice.expect_where("local_stream", SOON, |stream| stream["microphone"] == MICROPHONE);
    stage.server.pull_out([speaker]);
    let instead = alice.expect_where("device_fallback", SOON, |instead| instead["device"] == "speaker");
    assert_eq!(instead["chosen"], OTHER_SPEAKER, "{instead}");
    let recording = stage.server.record_speaker(&stage.path("alice.wav"));
    alice.expect("stats");
    alice.expect("stats");
    assert_tone(&recording.finish(), BOB_HZ);

    let _speaker = stage.server.plug_in_other_speaker("others", OTHER_SPEAKER);
    alice.expect_where("device_recovered", SOON, |back| back["device"] == "speaker" && back["name"] == OTHER_SPEAKER);
    let _microphone = stage.server.plug_in_other_microphone("other", OTHER_MICROPHONE);
    alice.expect_where("device_recovered", SOON, |back| back["name"] == OTHER_MICROPHONE);
    alice.expect_where("local_stream", SOON, |stream| stream["microphone"] == OTHER_MICROPHONE);
    let told = call.bob.transcript();
    let muted = told.iter().any(|event| event["event"] == "stream_changed");
    assert!(!muted, "the far side is told of no microphone that is missing: {told:#?}");
    assert_tone(&call.end(), SPOKEN_HZ);
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
    alice.say("leave");
    alice.expect("conversation_disconnected");
    bob.expect("conversation_disconnected");
}
