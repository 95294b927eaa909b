//! Two people on one computer, each with a program of their own: they find each other without a server, call, answer,
//! decline, give up, collide and disappear, and each side's events tell the same story.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::process::{Launch, SOON, Visavis, call, meet, text};

/// Ten seconds are promised; a busy machine may take longer, but never the 45 s of an unanswered call.
const DEATH_IS_NOTICED: Duration = Duration::from_secs(25);

fn person(name: &str) -> Visavis {
    Launch::new(name).with_synthetic_devices().start()
}

fn two_people() -> (Visavis, Visavis) {
    let (mut alice, mut bob) = (person("Alice"), person("Bob"));
    meet(&mut alice, &mut bob);
    (alice, bob)
}

fn small() -> Value {
    json!("low")
}

/// Both sides can call again: nothing of what was before holds them.
fn assert_free_to_call(alice: &mut Visavis, bob: &mut Visavis) {
    call(alice, bob, &small());
    alice.say("leave");
    alice.expect("conversation_disconnected");
    bob.expect("conversation_disconnected");
}

#[test]
fn people_on_one_network_see_each_other_come_and_go() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = (person("Alice"), person("Bob"));
    let id = bob.id.clone();
    let contact = alice.expect_online(&id);
    assert_eq!(contact["name"], "Bob");
    bob.expect_online(&alice.id);
    assert_eq!(contact["route"], "lan");
    assert_eq!(contact["contact"], false, "nobody has added anybody");
    bob.quit();
    alice.expect_where("contact", SOON, |contact| contact["id"] == id && contact["online"] == false);
}

#[test]
fn an_answered_call_tells_the_same_story_on_both_sides() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = two_people();
    alice.send(json!({"command": "invite", "to": bob.id, "user_data": "lunch?", "audio": true, "video": "low"}));
    let sent = alice.expect_story(&["invite_sent"]).remove(0);
    assert_eq!(sent["to"], bob.id);
    let ringing = bob.expect_story(&["invite"]).remove(0);
    assert_eq!(ringing["invite"], sent["invite"]);
    assert_eq!(ringing["conversation"], sent["conversation"]);
    assert_eq!(ringing["from"], alice.id);
    assert_eq!(ringing["name"], "Alice");
    assert_eq!(ringing["user_data"], "lunch?");

    bob.accept(&text(&ringing, "invite"), small());
    let connecting = ["invite_accepted", "conversation_connecting"];
    let connected = ["conversation_connected", "participant_connected", "stream_added", "stream_added", "first_frame"];
    let (alice_id, bob_id) = (alice.id.clone(), bob.id.clone());
    for (side, other) in [(&mut alice, bob_id), (&mut bob, alice_id)] {
        let mut told = side.expect_story(&connecting);
        told.extend(side.expect_story(&connected));
        assert!(told.iter().all(|event| event["conversation"] == ringing["conversation"]), "{told:?}");
        assert_eq!(told[3]["participant"], json!(other));
        assert_eq!((&told[4]["audio"], &told[4]["video"]), (&json!(true), &json!(true)));
        assert_eq!((&told[6]["width"], &told[6]["height"]), (&json!(320), &json!(240)));
    }

    alice.say("leave");
    let ended = alice.expect("conversation_disconnected");
    assert_eq!(ended["reason"], "left");
    let gone = bob.expect_story(&["participant_disconnected", "conversation_disconnected"]);
    assert_eq!((&gone[0]["reason"], &gone[1]["reason"]), (&json!("hung_up"), &json!("hung_up")));
    alice.quit();
    bob.quit();
}

#[test]
fn the_callee_can_hang_up_too() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = two_people();
    call(&mut alice, &mut bob, &small());
    bob.say("leave");
    assert_eq!(bob.expect("conversation_disconnected")["reason"], "left");
    assert_eq!(alice.expect("participant_disconnected")["reason"], "hung_up");
    assert_eq!(alice.expect("conversation_disconnected")["reason"], "hung_up");
    assert_free_to_call(&mut alice, &mut bob);
}

#[test]
fn a_declined_call_ends_on_both_sides() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = two_people();
    let invite = alice.invite(&bob.id, small());
    bob.expect_invite_from(&alice.id);
    bob.send(json!({"command": "reject", "invite": invite}));
    let rejected = alice.expect_story(&["invite_rejected"]);
    assert_eq!(rejected[0]["invite"], json!(invite));
    assert_free_to_call(&mut alice, &mut bob);
}

#[test]
fn a_canceled_call_stops_ringing() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = two_people();
    let invite = alice.invite(&bob.id, small());
    bob.expect_invite_from(&alice.id);
    alice.send(json!({"command": "cancel", "invite": invite}));
    for side in [&mut alice, &mut bob] {
        let canceled = side.expect_story(&["invite_canceled"]);
        assert_eq!(canceled[0]["invite"], json!(invite));
    }
    assert_free_to_call(&mut alice, &mut bob);
}

#[test]
fn an_answer_that_comes_too_late_is_refused_in_words() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = two_people();
    let invite = alice.invite(&bob.id, small());
    bob.expect_invite_from(&alice.id);
    alice.send(json!({"command": "cancel", "invite": invite}));
    bob.expect("invite_canceled");
    bob.accept(&invite, small());
    let error = bob.expect("error");
    assert_eq!((&error["code"], &error["command"]), (&json!(40001), &json!("accept")), "{error}");
    alice.expect("invite_canceled");
    alice.expect_none("conversation_connecting", Duration::from_secs(1));
}

#[test]
fn a_third_caller_rings_beside_the_call_is_declined_and_with_do_not_disturb_hears_busy() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = two_people();
    let mut carol = person("Carol");
    meet(&mut carol, &mut bob);
    call(&mut alice, &mut bob, &small());
    let invite = carol.invite(&bob.id, small());
    let second = bob.expect_where("invite", SOON, |event| event["from"] == *carol.id);
    assert_eq!((&second["waiting"], &second["invite"]), (&json!(true), &json!(invite)));
    bob.send(json!({"command": "reject", "invite": invite}));
    carol.expect_where("invite_rejected", SOON, |event| event["invite"] == *invite);
    bob.send(json!({"command": "update_settings", "settings": {"do_not_disturb": true}}));
    bob.expect_where("do_not_disturb", SOON, |event| event["on"] == true);
    let invite = carol.invite(&bob.id, small());
    carol.expect_where("invite_busy", SOON, |event| event["invite"] == *invite);
    bob.expect_where("missed_call", SOON, |event| event["from"] == *carol.id);
    assert_pictures_flow(&mut alice);
    assert_pictures_flow(&mut bob);
}

fn assert_pictures_flow(side: &mut Visavis) {
    let [before, after] = [(); 2].map(|()| {
        let stats = side.expect("stats");
        stats["received"]["frames_decoded"].as_u64().unwrap_or_else(|| panic!("{stats}"))
    });
    assert!(after > before, "{}: pictures stopped: {before} decoded, then {after}", side.name);
}

#[test]
fn a_call_that_nobody_answers_ends_by_itself_on_both_sides() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = two_people();
    let invite = alice.invite(&bob.id, small());
    bob.expect_invite_from(&alice.id);
    let limit = Duration::from_secs(60);
    assert_eq!(alice.expect_story_within(limit, &["invite_timeout"])[0]["invite"], json!(invite));
    let over = bob.expect_any(&["invite_timeout", "invite_canceled"], limit);
    assert_eq!(over["invite"], json!(invite));
    assert_free_to_call(&mut alice, &mut bob);
}

#[test]
fn two_people_who_call_each_other_at_once_meet_in_one_call() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = two_people();
    let (to_bob, to_alice) = (bob.id.clone(), alice.id.clone());
    alice.send(json!({"command": "invite", "to": to_bob, "video": "low"}));
    bob.send(json!({"command": "invite", "to": to_alice, "video": "low"}));
    let there = text(&alice.expect("first_frame"), "conversation");
    let here = text(&bob.expect("first_frame"), "conversation");
    assert_eq!(there, here);
    for side in [&alice, &bob] {
        let connected = side.transcript().iter().filter(|event| event["event"] == "conversation_connected").count();
        assert_eq!(connected, 1, "{} is in one conversation", side.name);
    }
    alice.say("leave");
    alice.expect("conversation_disconnected");
    bob.expect("conversation_disconnected");
    assert_free_to_call(&mut alice, &mut bob);
}

#[test]
fn a_caller_that_dies_is_noticed_and_the_callee_is_free_again() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = two_people();
    call(&mut alice, &mut bob, &small());
    alice.kill();
    assert_noticed_as_lost(&mut bob);
    let mut carol = person("Carol");
    meet(&mut carol, &mut bob);
    assert_free_to_call(&mut carol, &mut bob);
}

#[test]
fn a_callee_that_dies_is_noticed_and_the_caller_is_free_again() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = two_people();
    call(&mut alice, &mut bob, &small());
    bob.kill();
    assert_noticed_as_lost(&mut alice);
    let mut carol = person("Carol");
    meet(&mut carol, &mut alice);
    assert_free_to_call(&mut alice, &mut carol);
}

fn assert_noticed_as_lost(side: &mut Visavis) {
    // Five seconds are promised, a busy machine may take longer; a network that is gone gets thirty.
    let limit = Duration::from_secs(15);
    let gone = side.expect_where("participant_disconnected", limit, |_| true);
    assert_eq!(gone["reason"], "lost");
    assert_eq!(side.expect_where("conversation_disconnected", limit, |_| true)["reason"], "lost");
}

#[test]
fn whoever_died_in_a_call_may_come_back_and_ring_at_once() {
    let _machine = support::sharing();
    let profile = tempfile::tempdir().expect("a directory");
    let start = || Launch::new("Alice").with_synthetic_devices().profile(profile.path()).start();
    let (mut alice, mut bob) = (start(), person("Bob"));
    meet(&mut alice, &mut bob);
    call(&mut alice, &mut bob, &small());
    alice.kill();
    let mut alice = start();
    alice.expect_online(&bob.id);
    alice.invite(&bob.id, small());
    // It is not told that Bob is busy with the call of before, which is over by now or ends for this.
    let invite = bob.expect_invite_from(&alice.id);
    bob.accept(&invite, small());
    alice.expect("first_frame");
    let lost = |event: &Value| event["event"] == "participant_disconnected" && event["reason"] == "lost";
    assert!(bob.transcript().iter().any(lost), "the call of before");
}

#[test]
fn a_ringing_caller_that_dies_does_not_ring_for_ever() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = two_people();
    let invite = alice.invite(&bob.id, small());
    bob.expect_invite_from(&alice.id);
    alice.kill();
    let over = bob.expect_story_within(DEATH_IS_NOTICED, &["invite_canceled"]);
    assert_eq!(over[0]["invite"], json!(invite));
    let mut carol = person("Carol");
    meet(&mut carol, &mut bob);
    assert_free_to_call(&mut carol, &mut bob);
}

#[test]
fn a_callee_that_dies_while_it_rings_is_not_waited_for() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = two_people();
    let invite = alice.invite(&bob.id, small());
    bob.expect_invite_from(&alice.id);
    bob.kill();
    let failed = alice.expect_story_within(DEATH_IS_NOTICED, &["invite_failed"]);
    assert_eq!((&failed[0]["invite"], &failed[0]["code"]), (&json!(invite), &json!(40201)));
    let mut carol = person("Carol");
    meet(&mut carol, &mut alice);
    assert_free_to_call(&mut alice, &mut carol);
}

#[test]
fn muting_and_the_camera_switch_are_seen_on_the_other_side() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = two_people();
    call(&mut alice, &mut bob, &small());
    for (command, on, audio, video) in [
        ("enable_audio", false, false, true),
        ("enable_video", false, false, false),
        ("enable_video", true, false, true),
        ("enable_audio", true, true, true),
    ] {
        alice.send(json!({"command": command, "on": on}));
        bob.expect_where("stream_changed", SOON, |changed| changed["audio"] == audio && changed["video"] == video);
    }
    assert_pictures_flow(&mut bob);
}

#[test]
fn the_other_side_is_told_of_no_video_where_there_is_no_camera() {
    let _machine = support::sharing();
    let mut alice = Launch::new("Alice")
        .option("--camera", "none")
        .option("--microphone", "tone:440")
        .option("--speaker", "none")
        .start();
    let mut bob = person("Bob");
    meet(&mut alice, &mut bob);
    alice.invite(&bob.id, small());
    let invite = bob.expect_invite_from(&alice.id);
    bob.accept(&invite, small());
    let added = bob.expect("stream_added");
    assert_eq!((&added["audio"], &added["video"]), (&json!(true), &json!(false)));
    // A camera that is chosen in mid-call is announced, and one that is not there is not.
    let choose = |alice: &mut Visavis, camera: &str| {
        alice.send(json!({"command": "update_settings", "settings": {
            "display_name": "Alice", "camera": camera, "microphone": "tone:440", "speaker": "none", "preset": "low"
        }}));
    };
    choose(&mut alice, "test-card");
    bob.expect_where("stream_changed", SOON, |changed| changed["video"] == true);
    bob.expect("first_frame");
    choose(&mut alice, "file:/nonexistent/film.y4m");
    bob.expect_where("stream_changed", SOON, |changed| changed["video"] == false);
}

#[test]
fn a_second_call_is_refused_while_one_goes_on() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = two_people();
    let mut carol = person("Carol");
    meet(&mut alice, &mut carol);
    call(&mut alice, &mut bob, &small());
    alice.send(json!({"command": "invite", "to": carol.id, "video": "low"}));
    let error = alice.expect("error");
    assert_eq!((&error["code"], &error["command"]), (&json!(40205), &json!("invite")), "{error}");
    carol.expect_none("invite", Duration::from_secs(1));
}

#[test]
fn a_person_who_is_not_there_cannot_be_invited() {
    let _machine = support::sharing();
    let (mut alice, bob) = two_people();
    let id = bob.id.clone();
    alice.send(json!({"command": "add_contact", "link": bob.link}));
    alice.expect_where("contact", SOON, |contact| contact["id"] == id && contact["contact"] == true);
    bob.quit();
    alice.expect_where("contact", SOON, |contact| contact["id"] == id && contact["online"] == false);
    alice.send(json!({"command": "invite", "to": id, "video": "low"}));
    let failed = alice.expect("invite_failed");
    assert_eq!(failed["code"], 40201, "{failed}");
}

#[test]
fn the_camera_can_be_turned_on_in_a_call_that_began_with_sound_alone() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = two_people();
    alice.invite(&bob.id, json!(false));
    let invite = bob.expect_invite_from(&alice.id);
    bob.accept(&invite, json!(false));
    let added = alice.expect("stream_added");
    assert_eq!((&added["audio"], &added["video"]), (&json!(true), &json!(false)));
    bob.expect("stream_added");
    alice.send(json!({"command": "enable_video", "on": true}));
    expect_video_to_begin(&mut bob);
    // The other way of opening a stream in a call.
    bob.send(json!({"command": "create_stream", "video": "low"}));
    let frame = expect_video_to_begin(&mut alice);
    assert_eq!((&frame["width"], &frame["height"]), (&json!(320), &json!(240)));
}

/// Waits for the word that the far camera is on and for its first picture, which come by different ways and so in
/// either order; the event of the picture.
fn expect_video_to_begin(side: &mut Visavis) -> Value {
    let (mut told, mut first_frame) = (false, None);
    while !told || first_frame.is_none() {
        let event = side.expect_any(&["stream_changed", "first_frame"], SOON);
        if event["event"] == "first_frame" {
            first_frame = Some(event);
        } else {
            told |= event["video"] == true;
        }
    }
    first_frame.expect("the loop ends with it")
}

#[test]
fn a_camera_that_was_turned_off_comes_back_by_opening_the_stream_again() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = two_people();
    call(&mut alice, &mut bob, &small());
    alice.send(json!({"command": "enable_video", "on": false}));
    bob.expect_where("stream_changed", SOON, |changed| changed["video"] == false);
    alice.expect_where("local_stream", SOON, |stream| stream["video"] == false);
    alice.send(json!({"command": "create_stream", "video": "standard"}));
    bob.expect_where("stream_changed", SOON, |changed| changed["video"] == true);
    bob.expect_where("stats", SOON, |stats| stats["received"]["width"] == 640);
    assert_pictures_flow(&mut bob);
}

#[test]
fn another_preset_in_mid_call_arrives_on_the_other_side() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = two_people();
    call(&mut alice, &mut bob, &small());
    bob.expect_where("stats", SOON, |stats| stats["received"]["width"] == 320);
    alice.send(json!({"command": "update_settings", "settings": {
        "display_name": "Alice", "camera": "test-card", "microphone": "tone:440", "speaker": "none",
        "preset": "standard-16:9", "max_fps": 0
    }}));
    alice.expect_where("local_stream", SOON, |stream| stream["width"] == 640 && stream["height"] == 360);
    bob.expect_where("stats", SOON, |stats| stats["received"]["width"] == 640 && stats["received"]["height"] == 360);
}

#[test]
fn the_same_person_can_be_called_again_before_the_last_call_is_released() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = two_people();
    for _ in 0..3 {
        let conversation = call(&mut alice, &mut bob, &small());
        alice.say("leave");
        let left = std::time::Instant::now();
        alice.send(json!({"command": "invite", "to": bob.id, "video": "low"}));
        let over = alice.expect("conversation_disconnected");
        assert_eq!((&over["conversation"], &over["reason"]), (&json!(conversation), &json!("left")));
        assert!(left.elapsed() < SOON);
        let invite = bob.expect_invite_from(&alice.id);
        bob.accept(&invite, small());
        alice.expect("first_frame");
        bob.expect("first_frame");
        assert_pictures_flow(&mut bob);
        bob.say("leave");
        bob.expect("conversation_disconnected");
        alice.expect("conversation_disconnected");
    }
}

#[test]
fn a_preview_works_after_a_call_was_declined() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = two_people();
    let invite = alice.invite(&bob.id, small());
    bob.expect_invite_from(&alice.id);
    bob.send(json!({"command": "reject", "invite": invite}));
    assert_eq!(bob.expect("invite_rejected")["invite"], json!(invite));
    alice.expect("invite_rejected");
    bob.send(json!({"command": "create_stream", "video": "low"}));
    bob.expect_where("local_stream", SOON, |stream| stream["video"] == true && stream["audio"] == true);
    bob.say("close_stream");
    bob.expect("local_stream_ended");
    assert_free_to_call(&mut alice, &mut bob);
}

#[test]
fn a_second_press_of_answer_does_not_unmute() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = two_people();
    let invite = alice.invite(&bob.id, small());
    bob.expect_invite_from(&alice.id);
    bob.accept(&invite, small());
    bob.expect("first_frame");
    bob.send(json!({"command": "enable_audio", "on": false}));
    alice.expect_where("stream_changed", SOON, |changed| changed["audio"] == false);
    bob.accept(&invite, small());
    alice.expect_none("stream_changed", Duration::from_secs(2));
}

#[test]
fn a_blocked_person_is_not_called_and_blocking_ends_their_ringing() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = two_people();
    alice.invite(&bob.id, small());
    bob.expect_invite_from(&alice.id);
    bob.send(json!({"command": "block_contact", "id": alice.id, "on": true}));
    bob.expect("invite_rejected");
    bob.send(json!({"command": "invite", "to": alice.id, "video": "low"}));
    let error = bob.expect("error");
    assert_eq!((&error["code"], &error["command"]), (&json!(40001), &json!("invite")), "{error}");
}

#[test]
fn quitting_with_a_preview_open_closes_it_first() {
    let mut alice = person("Alice");
    alice.send(json!({"command": "create_stream", "video": "low"}));
    alice.expect("local_stream");
    alice.close_input();
    assert_eq!(alice.wait(SOON).code(), Some(0));
    alice.expect("local_stream_ended");
}

#[test]
fn statistics_tell_how_the_call_goes_and_how_much_of_the_picture_the_other_draws() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = two_people();
    call(&mut alice, &mut bob, &json!("low"));
    let told = alice.expect_where("stats", SOON, |stats| stats["quality"] == "good");
    let (sent, received) = (&told["sent"], &told["received"]);
    assert_eq!((&sent["asked_kbps"], &sent["wished_lines"]), (&json!(300.0), &json!(0)), "{told}");
    assert!(sent["target_kbps"].as_f64() > Some(300.0) && sent["loss_percent"].is_number(), "{told}");
    assert!(received["latency_ms"].as_f64() > Some(0.0) && received["loss_percent"].is_number(), "{told}");
    let wish = |lines: u32| json!({"command": "wish_video", "participant": alice.id, "lines": lines});
    let (large, least) = (wish(360), wish(0));
    bob.send(large);
    alice.expect_where("stats", SOON, |stats| stats["sent"]["wished_lines"] == 360);
    bob.send(least);
    alice.expect_where("stats", SOON, |stats| stats["sent"]["wished_lines"] == 180);
    bob.send(json!({"command": "wish_video", "participant": bob.id, "lines": 360}));
    assert_eq!(bob.expect("error")["command"], "wish_video");
}

/// Waits until `side` tells that the contact `id` shows a profile picture, or none.
fn expect_picture(side: &mut Visavis, id: &str, shown: bool) {
    side.expect_where("contact", SOON, |contact| contact["id"] == id && contact["picture"] == shown);
}

#[test]
fn contacts_see_each_others_profile_pictures_and_nobody_else_does() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = two_people();
    let folder = tempfile::tempdir().expect("a directory");
    let photograph = folder.path().join("alice.png");
    image::RgbImage::from_pixel(640, 480, image::Rgb([200, 80, 80])).save(&photograph).expect("space on the disk");

    alice.send(json!({"command": "set_profile_picture", "path": folder.path().join("none.png")}));
    assert_eq!(alice.expect("error")["command"], "set_profile_picture");
    alice.send(json!({"command": "set_profile_picture", "path": photograph}));
    assert_eq!(alice.expect("profile_picture")["set"], true);

    // Bob adds Alice, who does not know him: he is shown nothing, however often he asks.
    let (alice_id, bob_id) = (alice.id.clone(), bob.id.clone());
    bob.send(json!({"command": "add_contact", "link": alice_id}));
    bob.expect_where("contact", SOON, |contact| contact["id"] == alice_id && contact["contact"] == true);
    bob.send(json!({"command": "set_profile_picture", "path": photograph}));
    bob.expect("profile_picture");
    // Alice adds Bob: each shows the other a picture now.
    alice.send(json!({"command": "add_contact", "link": bob_id}));
    let added = alice.expect_where("contact", SOON, |contact| contact["id"] == bob_id && contact["contact"] == true);
    assert_eq!(added["picture"], false, "the picture that came before was a stranger's");
    expect_picture(&mut bob, &alice_id, true);
    expect_picture(&mut alice, &bob_id, true);

    // A change is shown at once to whoever is there, and to whoever was away when they are back.
    bob.say("remove_profile_picture");
    expect_picture(&mut alice, &bob_id, false);
    alice.quit();
    bob.expect_where("contact", SOON, |contact| contact["id"] == alice_id && contact["online"] == false);
    bob.say("contacts");
    expect_picture(&mut bob, &alice_id, true);
    bob.quit();
}

#[test]
fn the_cameras_picture_becomes_the_profile_picture_and_outlives_a_restart() {
    let _machine = support::sharing();
    let profile = tempfile::tempdir().expect("a directory");
    let start = || Launch::new("Alice").with_synthetic_devices().profile(profile.path()).start();
    let mut alice = start();
    alice.say("take_profile_picture");
    let error = alice.expect("error");
    assert_eq!((&error["command"], &error["code"]), (&json!("take_profile_picture"), &json!(40001)));
    alice.send(json!({"command": "create_stream", "video": "low"}));
    alice.expect("local_stream");
    let taken = (0..50).any(|_| {
        alice.say("take_profile_picture");
        alice.expect_any(&["error", "profile_picture"], SOON)["event"] == "profile_picture"
    });
    assert!(taken, "a picture comes soon after the camera is open");
    alice.quit();
    let store = visavis::store::Store::open(profile.path()).expect("the profile");
    assert!(store.own_picture().expect("readable").is_some_and(|picture| picture.decode().is_some()));
}
