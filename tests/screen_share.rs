//! A screen that is shared in a call of two programs: two streams of pictures of one person, each with its own events,
//! statistics and end.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::process::{Launch, SOON, Visavis, call, meet};

const CAMERA: u8 = 1;
const SCREEN: u8 = 2;

/// Two people in a call of small pictures; the first is the caller.
fn two_in_a_call() -> (Visavis, Visavis) {
    let person = |name: &str| Launch::new(name).with_synthetic_devices().start();
    let (mut presenter, mut viewer) = (person("Presenter"), person("Viewer"));
    meet(&mut presenter, &mut viewer);
    call(&mut presenter, &mut viewer, &json!("low"));
    (presenter, viewer)
}

/// The presenter shares the test card, up to the first picture of it at the viewer.
fn share(presenter: &mut Visavis, viewer: &mut Visavis) {
    presenter.send(json!({"command": "share_screen", "screen": "pattern"}));
    assert_eq!(presenter.expect("sharing")["on"], true);
    let first = viewer.expect_where("first_frame", SOON, |event| event["stream"] == SCREEN);
    assert_eq!((&first["kind"], &first["participant"]), (&json!("screen"), &json!(presenter.id)));
    assert_eq!((&first["width"], &first["height"]), (&json!(1280), &json!(720)));
}

/// Waits for statistics by which pictures of this stream come at some pace.
fn assert_flows(viewer: &mut Visavis, stream: u8) {
    let flows = |stats: &Value| stats["stream"] == stream && stats["received"]["fps"].as_f64() > Some(5.0);
    viewer.expect_where("stats", SOON, flows);
}

/// The end of sharing, as the one who shared is told of it.
fn assert_ended(presenter: &mut Visavis, reason: &str) {
    let sharing = presenter.expect("sharing");
    assert_eq!((&sharing["on"], &sharing["reason"]), (&json!(false), &json!(reason)));
}

/// Waits until the viewer is told that a stream of the presenter went on or off.
fn expect_stream(viewer: &mut Visavis, event: &str, kind: &str, on: bool) -> Value {
    viewer.expect_where(event, SOON, |changed| changed["kind"] == kind && changed["on"] == on)
}

#[test]
fn a_shared_screen_flows_beside_the_camera_until_it_is_stopped() {
    let _machine = support::measuring();
    let (mut presenter, mut viewer) = two_in_a_call();
    // Twice, over the connection of the beginning.
    for told in ["stream_added", "stream_changed"] {
        presenter.send(json!({"command": "share_screen", "screen": "pattern"}));
        let added = expect_stream(&mut viewer, told, "screen", true);
        assert_eq!((&added["stream"], &added["participant"]), (&json!(SCREEN), &json!(presenter.id)));
        assert_eq!((&added["audio"], &added["video"]), (&json!(true), &json!(true)), "the camera stays on");
        if told == "stream_added" {
            let first = viewer.expect("first_frame");
            assert_eq!((&first["stream"], &first["kind"]), (&json!(SCREEN), &json!("screen")));
            assert_eq!((&first["width"], &first["height"]), (&json!(1280), &json!(720)));
        }
        assert_eq!(presenter.expect("sharing")["on"], true);
        assert_flows(&mut viewer, SCREEN);
        assert_flows(&mut viewer, CAMERA);
        presenter.say("stop_sharing");
        assert_ended(&mut presenter, "stopped");
        expect_stream(&mut viewer, "stream_changed", "screen", false);
        assert_flows(&mut viewer, CAMERA);
    }
    presenter.say("stop_sharing");
    let error = presenter.expect("error");
    assert_eq!((&error["code"], &error["command"]), (&json!(40001), &json!("stop_sharing")), "{error}");
}

#[test]
fn the_end_of_a_call_ends_sharing_and_the_next_call_begins_without() {
    let _machine = support::measuring();
    let (mut presenter, mut viewer) = two_in_a_call();
    for (leaves_first, reason) in [("presenter", "left"), ("viewer", "hung_up")] {
        share(&mut presenter, &mut viewer);
        let side = if leaves_first == "presenter" { &mut presenter } else { &mut viewer };
        side.say("leave");
        assert_ended(&mut presenter, "call_ended");
        assert_eq!(presenter.expect("conversation_disconnected")["reason"], reason);
        viewer.expect("conversation_disconnected");
        presenter.send(json!({"command": "share_screen", "screen": "pattern"}));
        let error = presenter.expect("error");
        assert_eq!((&error["code"], &error["command"]), (&json!(40001), &json!("share_screen")), "outside a call");
        let before = viewer.transcript().len();
        call(&mut presenter, &mut viewer, &json!("low"));
        assert_flows(&mut viewer, CAMERA);
        let screens = viewer.transcript().split_off(before).into_iter().filter(|event| event["kind"] == "screen");
        assert_eq!(screens.collect::<Vec<_>>(), Vec::<Value>::new());
    }
    // The end of the program while a screen is shared.
    share(&mut presenter, &mut viewer);
    presenter.quit();
    assert_eq!(viewer.expect("conversation_disconnected")["reason"], "hung_up");
    viewer.quit();
}

#[test]
fn a_screen_and_a_camera_come_and_go_without_each_other() {
    let _machine = support::measuring();
    let (mut presenter, mut viewer) = two_in_a_call();
    share(&mut presenter, &mut viewer);
    let choose = |presenter: &mut Visavis, camera: &str| {
        presenter.send(json!({"command": "update_settings", "settings": {"camera": camera}}));
    };
    choose(&mut presenter, "file:/nonexistent/film.y4m");
    assert_eq!(presenter.expect("device_error")["device"], "camera");
    expect_stream(&mut viewer, "stream_changed", "camera", false);
    assert_flows(&mut viewer, SCREEN);
    choose(&mut presenter, "test-card");
    expect_stream(&mut viewer, "stream_changed", "camera", true);
    assert_flows(&mut viewer, CAMERA);
    // The camera in another format, off and on; the screen goes on through all of it.
    presenter.send(json!({"command": "create_stream", "video": "standard"}));
    viewer.expect_where("stats", SOON, |stats| stats["stream"] == CAMERA && stats["received"]["height"] == 480);
    presenter.send(json!({"command": "enable_video", "on": false}));
    expect_stream(&mut viewer, "stream_changed", "camera", false);
    assert_flows(&mut viewer, SCREEN);
    presenter.say("stop_sharing");
    assert_ended(&mut presenter, "stopped");
    expect_stream(&mut viewer, "stream_changed", "screen", false);
    presenter.send(json!({"command": "enable_video", "on": true}));
    expect_stream(&mut viewer, "stream_changed", "camera", true);
    assert_flows(&mut viewer, CAMERA);
    let ends = presenter.transcript().into_iter().filter(|event| event["event"] == "sharing" && event["on"] == false);
    assert_eq!(ends.count(), 1);
}
