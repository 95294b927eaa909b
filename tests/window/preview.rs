//! The preview: when the camera opens for it, and the words in the place of its picture.

use super::*;

/// What opens the camera to see oneself.
fn preview() -> Command {
    Command::CreateStream { audio: false, video: high(), max_fps: None, max_kbps: None }
}

/// The press that shows the preview, or not, is remembered.
fn kept(on: bool) -> Command {
    // Of the snapshot, which still has the former value.
    let settings = Settings { preview: on, ..fixture::idle().settings };
    Command::UpdateSettings { settings: (&settings).into() }
}

#[test]
fn the_preview_opens_with_the_window_and_only_once() {
    let desk = Desk::with_preview(fixture::idle());
    assert_eq!(desk.sent(), [preview()]);
    desk.settle();
    assert_eq!(desk.sent(), []);
}

#[test]
fn until_the_camera_is_open_it_is_said_to_be_starting() {
    let desk = Desk::with_preview(camera_off(fixture::idle()));
    assert!(desk.shows("Your camera is starting…"));
    desk.controller.put(fixture::idle());
    desk.settle();
    desk.press("Turn off the camera");
    desk.controller.put(camera_off(fixture::idle()));
    desk.settle();
    assert!(desk.shows("Your camera is off"));
}

#[test]
fn a_camera_that_was_turned_off_stays_off_when_somebody_rings_in_vain() {
    let desk = Desk::with_preview(fixture::idle());
    desk.press("Turn off the camera");
    assert_eq!(desk.sent(), [preview(), Command::CloseStream, kept(false)]);
    desk.controller.put(camera_off(fixture::incoming(true, true)));
    desk.settle();
    desk.controller.put(camera_off(fixture::ended(OutcomeKind::Missed)));
    desk.settle();
    assert_eq!(desk.sent(), []);
}

#[test]
fn the_preview_opens_again_after_a_call_with_video() {
    let desk = Desk::with_preview(fixture::idle());
    desk.controller.put(fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]));
    desk.settle();
    assert_eq!(desk.sent(), [preview()]);
    desk.controller.put(fixture::idle());
    desk.settle();
    assert_eq!(desk.sent(), [preview()]);
}

#[test]
fn a_call_with_audio_gives_the_preview_back() {
    let desk = Desk::with_preview(fixture::idle());
    let mut call = fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]);
    call.local_stream.sends_video = false;
    desk.controller.put(call);
    desk.settle();
    desk.controller.put(camera_off(fixture::idle()));
    desk.settle();
    assert_eq!(desk.sent(), [preview(), preview()]);
    assert!(desk.shows("Your camera is starting…"));
}

#[test]
fn a_camera_that_was_turned_off_stays_off_after_a_call_and_after_a_restart() {
    let desk = Desk::with_preview(fixture::idle());
    desk.press("Turn off the camera");
    let mut off = camera_off(fixture::idle());
    off.settings.preview = false;
    desk.controller.put(Snapshot {
        local_stream: camera_off(fixture::idle()).local_stream,
        ..fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)])
    });
    desk.settle();
    desk.controller.put(off.clone());
    desk.settle();
    assert_eq!(desk.sent(), [preview(), Command::CloseStream, kept(false)]);
    let again = Desk::with_preview(off);
    assert_eq!(again.sent(), []);
    assert!(again.shows("Your camera is off"));
    again.press("Turn on the camera");
    assert_eq!(again.sent(), [kept(true), preview()]);
}

#[test]
fn without_a_camera_a_test_picture_takes_its_place() {
    let mut snapshot = camera_off(fixture::idle());
    snapshot.local_stream.camera_fault = Some(DeviceFault::Missing);
    let desk = Desk::new(snapshot);
    desk.press("Use a test picture");
    let settings = Settings { camera: DeviceChoice::TestCard { format: None }, ..fixture::idle().settings };
    assert_eq!(desk.sent(), [Command::UpdateSettings { settings: (&settings).into() }, preview()]);
}

#[test]
fn calls_begin_muted_once_the_microphones_button_was_pressed() {
    let desk = Desk::new(fixture::idle());
    desk.harness.borrow().get_by_label("Begin calls muted").click_accesskit();
    desk.settle();
    let settings = Settings { join_muted: true, ..fixture::idle().settings };
    assert_eq!(desk.sent(), [Command::UpdateSettings { settings: (&settings).into() }]);
    desk.controller.put(Snapshot { settings, ..fixture::idle() });
    desk.settle();
    desk.press("Try the echo test");
    assert!(matches!(desk.sent().as_slice(), [Command::Invite { audio: false, .. }]));
}

#[test]
fn the_preview_opens_again_after_a_call_that_was_over_between_two_drawings() {
    let desk = Desk::with_preview(fixture::idle());
    desk.press("Try the echo test");
    assert!(matches!(desk.sent().as_slice(), [Command::CreateStream { .. }, Command::Invite { .. }]));
    desk.controller.put(fixture::ended(OutcomeKind::Busy));
    desk.settle();
    assert_eq!(desk.sent(), [preview()]);
}

#[test]
fn a_camera_at_fault_is_explained_in_place_of_the_picture() {
    let mut snapshot = fixture::idle();
    snapshot.local_stream.camera_fault = Some(DeviceFault::Busy);
    let desk = Desk::new(snapshot);
    assert!(desk.shows("The camera is used by another program."));
    desk.press("Open settings");
    assert!(desk.sent().contains(&Command::WatchMicrophone { on: true }));
}
