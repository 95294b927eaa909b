//! The bar of a call with its menus, push to talk, and one's own picture.

use super::*;

fn ana() -> Desk<'static> {
    Desk::new(fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]))
}

fn muted() -> Snapshot {
    let mut call = fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]);
    call.local_stream.sends_audio = false;
    call
}

fn hear(on: bool) -> Command {
    Command::EnableAudio { on, participant: None }
}

/// The command that makes these settings of the fixture's.
fn settings(change: impl FnOnce(&mut Settings)) -> Command {
    let mut settings = fixture::idle().settings;
    change(&mut settings);
    Command::UpdateSettings { settings: (&settings).into() }
}

#[test]
fn devices_are_chosen_beside_their_buttons() {
    let desk = ana();
    desk.press("Choose microphone and speaker");
    assert!(desk.shows("Microphone level"));
    assert_eq!(desk.sent(), [Command::RefreshDevices]);
    desk.press("HD Webcam C920");
    desk.press("Built-in");
    let named = |name: &str| DeviceChoice::Named(name.to_owned());
    let microphone = settings(|settings| settings.microphone = named("HD Webcam C920"));
    assert_eq!(desk.sent(), [microphone, settings(|settings| settings.speaker = named("Built-in"))]);
    desk.key(Modifiers::NONE, Key::Escape);
    assert!(!desk.shows("Microphone level"));
    desk.press("Choose a camera");
    desk.press("HD Webcam C920");
    let sent = desk.sent();
    assert_eq!(sent.last(), Some(&settings(|settings| settings.camera = named("HD Webcam C920"))));
    desk.press("Audio and video settings…");
    assert!(desk.shows("Frame rate at most"));
}

#[test]
fn the_device_in_use_is_marked() {
    let mut call = fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]);
    call.settings.camera = DeviceChoice::Named("Gone".into());
    let desk = Desk::new(call);
    desk.press("Choose a camera");
    let harness = desk.harness.borrow();
    let marked = |name: &str| harness.get_by_label(name).accesskit_node().toggled();
    let on = egui::accesskit::Toggled::True;
    assert_eq!((marked("Gone (not plugged in)"), marked("System default") == Some(on)), (Some(on), false));
}

#[test]
fn the_volume_of_a_participant_is_set_by_the_keyboard_too() {
    let desk = ana();
    desk.press("Volume");
    desk.harness.borrow().get_by_role_and_label(Role::Slider, "Volume of Ana Lindqvist").focus();
    desk.settle();
    desk.key(Modifiers::NONE, Key::ArrowRight);
    let percent = Volume::from_percent(105);
    assert_eq!(desk.sent(), [Command::SetVolume { participant: peer(1), percent }]);
}

#[test]
fn whoever_is_muted_is_heard_while_space_is_held() {
    let desk = Desk::new(muted());
    desk.harness.borrow().key_down(Key::Space);
    desk.harness.borrow_mut().step();
    assert_eq!(desk.sent(), [hear(true)]);
    desk.settle();
    assert!(desk.shows("You are heard while you hold Space.") && desk.sent().is_empty());
    desk.harness.borrow().key_up(Key::Space);
    desk.harness.borrow_mut().step();
    assert_eq!(desk.sent(), [hear(false)]);
    desk.settle();
    assert!(!desk.shows("You are heard while you hold Space."));
}

#[test]
fn space_means_nothing_to_whoever_is_heard_already() {
    let desk = ana();
    desk.key(Modifiers::NONE, Key::Space);
    assert_eq!(desk.sent(), []);
}

#[test]
fn a_button_that_has_the_keyboard_keeps_space() {
    let desk = Desk::new(muted());
    desk.harness.borrow().get_by_label("Volume").focus();
    desk.settle();
    desk.key(Modifiers::NONE, Key::Space);
    assert_eq!(desk.sent(), []);
    assert!(desk.shows("Volume of Ana Lindqvist"), "it was pressed");
}

#[test]
fn a_window_that_loses_the_keyboard_mutes_again() {
    let desk = Desk::new(muted());
    desk.harness.borrow().key_down(Key::Space);
    desk.harness.borrow_mut().step();
    desk.harness.borrow_mut().input_mut().focused = false;
    desk.harness.borrow_mut().step();
    assert_eq!(desk.sent(), [hear(true), hear(false)]);
}

#[test]
fn ones_own_picture_is_hidden_and_sized_and_the_others_fitted() {
    let desk = ana();
    desk.press("More");
    desk.press("Large");
    desk.press("Whole");
    desk.press("Hide my picture");
    assert_eq!(
        desk.sent(),
        [
            settings(|settings| settings.self_view_size = SelfViewSize::Large),
            settings(|settings| settings.picture_fit = PictureFit::Whole),
            settings(|settings| settings.self_view = false),
        ]
    );
    let own = "Your picture: click to swap, drag to move";
    let width = |size| {
        let mut call = fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]);
        call.settings.self_view_size = size;
        Desk::new(call).harness.borrow().get_by_label(own).rect().width()
    };
    let widths = [SelfViewSize::Small, SelfViewSize::Medium, SelfViewSize::Large].map(width);
    assert!(widths.is_sorted() && widths[0] < widths[1] && widths[1] < widths[2], "{widths:?}");
    let mut hidden = fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]);
    hidden.settings.self_view = false;
    let desk = Desk::new(hidden);
    assert!(!desk.shows(own));
    desk.press("More");
    assert!(desk.shows("Show my picture") && !desk.shows("Large"));
}

#[test]
fn quality_is_told_once() {
    let desk = ana();
    let told = || desk.harness.borrow().query_all_by_label("Good connection").count();
    assert_eq!(told(), 1, "on the tile");
    desk.key(Modifiers::COMMAND, Key::I);
    assert_eq!(told(), 1, "in the statistics");
}

#[test]
fn echo_has_no_connection_to_judge() {
    let mut echo = fixture::participant(0, "", true);
    echo.quality = Quality::Poor;
    assert!(!Desk::new(fixture::call(vec![echo])).shows("connection"));
}

#[test]
fn the_marks_of_a_tile_stay_clear_of_ones_own_picture() {
    let mut who = fixture::participant(1, "Ana Lindqvist", true);
    who.audio = false;
    let desk = Desk::new(fixture::call(vec![who]));
    let own = || {
        let harness = desk.harness.borrow();
        harness.get_by_role_and_label(Role::Button, "Your picture: click to swap, drag to move").rect()
    };
    let from = own().center();
    let to = egui::pos2(120.0, 640.0);
    desk.at_once(touch(from, true));
    desk.at_once(vec![egui::Event::PointerMoved(to)]);
    desk.at_once(touch(to, false));
    desk.settle();
    assert!(own().left() < 100.0, "it was dragged: {:?}", own());
    let harness = desk.harness.borrow();
    for mark in ["Ana Lindqvist is muted", "Good connection"] {
        let place = harness.get_by_label(mark).rect();
        assert!(!place.intersects(own()), "{mark}: {place:?} {:?}", own());
    }
}

#[test]
fn the_pictures_stand_in_the_room_that_open_settings_leave() {
    let desk = ana();
    let widest = || {
        let harness = desk.harness.borrow();
        let pictures = harness.output().shapes.iter().filter_map(|clipped| match &clipped.shape {
            egui::Shape::Callback(callback) => Some(callback.rect),
            _ => None,
        });
        pictures.max_by(|one, other| one.width().total_cmp(&other.width())).expect("a picture")
    };
    let whole = widest();
    desk.press("More");
    desk.press("Settings");
    let settings = desk.harness.borrow().get_by_label("Refresh devices").rect();
    let beside = widest();
    assert!(beside.right() < settings.left() && beside.left() == whole.left(), "{beside:?} {settings:?}");
}
