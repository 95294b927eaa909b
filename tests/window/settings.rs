//! The settings, on home and in a call.

use super::*;

#[test]
fn the_meter_lives_on_when_a_call_ends_under_the_settings() {
    let desk = Desk::new(fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]));
    desk.press("More");
    desk.press("Settings");
    desk.sent();
    desk.controller.put(fixture::idle());
    desk.settle();
    assert_eq!(desk.sent(), [Command::WatchMicrophone { on: true }]);
    desk.harness.borrow().get_by_label("Turn off the camera").click_accesskit();
    desk.settle();
    let preview = Settings { preview: false, ..fixture::idle().settings };
    let kept = Command::UpdateSettings { settings: (&preview).into() };
    assert_eq!(desk.sent(), [Command::CloseStream, kept, Command::WatchMicrophone { on: true }]);
}

#[test]
fn settings_change_in_mid_call_and_at_once() {
    let desk = Desk::new(fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]));
    desk.press("More");
    desk.press("Settings");
    assert_eq!(desk.sent(), [Command::RefreshDevices, Command::WatchMicrophone { on: true }]);
    assert!(desk.shows("Your camera gives 1280 × 720 at 30 fps."));
    desk.press("Mirror my picture");
    let settings = Settings { mirror: false, ..fixture::idle().settings };
    assert_eq!(desk.sent(), [Command::UpdateSettings { settings: (&settings).into() }]);
    desk.key(Modifiers::NONE, Key::Escape);
    assert_eq!(desk.sent(), [Command::WatchMicrophone { on: false }]);
}

#[test]
fn a_setting_is_chosen_from_its_list() {
    let desk = Desk::new(fixture::idle());
    desk.press("Settings");
    desk.press("Resolution: 1280 × 720");
    desk.press("640 × 360");
    let settings = Settings { preset: Preset::StandardWide, ..fixture::idle().settings };
    assert!(desk.sent().contains(&Command::UpdateSettings { settings: (&settings).into() }));
}

#[test]
fn escape_closes_the_dialog_before_the_settings_behind_it() {
    let desk = Desk::new(fixture::idle());
    desk.press("Settings");
    desk.press("Add contact");
    desk.sent();
    desk.key(Modifiers::NONE, Key::Escape);
    assert!(!desk.shows("Link or ID") && desk.shows("Frame rate at most"));
    desk.key(Modifiers::NONE, Key::Escape);
    assert!(!desk.shows("Frame rate at most"));
}

#[test]
fn what_the_camera_really_gives_is_shown_beside_what_was_asked_for() {
    let mut snapshot = fixture::idle();
    snapshot.local_stream.camera_mode = Some((640, 480, 30));
    let desk = Desk::new(snapshot);
    desk.press("Settings");
    assert!(desk.shows("You asked for 1280 × 720; your camera gives 640 × 480 at 30 fps."));
    desk.press("Resolution: 1280 × 720");
    assert!(desk.shows("1920 × 1080 (more than your camera gives)"));
}

#[test]
fn hanging_up_stays_possible_beside_the_settings() {
    for size in [Vec2::new(720.0, 480.0), Vec2::new(1100.0, 720.0)] {
        let desk = Desk::sized(fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]), size);
        desk.press("More");
        desk.press("Settings");
        desk.harness.borrow().get_by_role_and_label(Role::Button, "Hang up").click();
        desk.settle();
        assert_eq!(desk.sent().last(), Some(&Command::Leave), "{size:?}");
    }
}

#[test]
fn the_processing_of_the_microphone_has_a_switch_each() {
    let newcomer = fixture::idle().settings;
    let desk = Desk::sized(fixture::idle(), Vec2::new(1100.0, 1600.0));
    desk.press("Settings");
    desk.sent();
    desk.press("Echo cancellation");
    desk.press("Noise suppression");
    desk.press("Automatic gain");
    let sent = [
        Settings { echo_cancellation: false, ..newcomer.clone() },
        Settings { noise_suppression: false, ..newcomer.clone() },
        Settings { automatic_gain: false, ..newcomer },
    ];
    assert_eq!(desk.sent(), sent.map(|settings| Command::UpdateSettings { settings: (&settings).into() }));
}

#[test]
fn servers_are_listed_with_their_status_and_removed() {
    let link = |host: &str| ServerLink::new(host, 443, b"key").unwrap();
    let online = ServerStatus {
        round_trip_ms: Some(23),
        ..ServerStatus::new(&link("calls.example.org"), ServerState::Online, None)
    };
    let refused = ServerStatus::new(&link("203.0.113.5"), ServerState::Refused, Some(ServerDetail::OtherKey));
    let desk = Desk::new(Snapshot { servers: vec![online, refused], ..fixture::idle() });
    desk.press("Settings");
    desk.sent();
    assert!(desk.shows("calls.example.org:443") && desk.shows("Online, 23 ms away"));
    assert!(desk.shows("The server has another key than its link says."));
    desk.harness.borrow().get_by_label("Remove…: 203.0.113.5:443").click_accesskit();
    desk.settle();
    assert_eq!(desk.sent(), [Command::RemoveServer { link: link("203.0.113.5").to_string() }]);
}

#[test]
fn the_server_of_a_new_contact_is_used_only_when_that_is_pressed() {
    let link = ServerLink::new("calls.example.org", 443, b"key").unwrap();
    let kind = NoticeKind::ServerOffered { name: "Ana".into(), link: link.clone() };
    let desk = Desk::new(Snapshot { notices: vec![Notice { number: 5, kind }], ..fixture::idle() });
    assert!(desk.shows("Ana is reached over the server calls.example.org:443.") && desk.sent().is_empty());
    desk.press("Use this server");
    assert_eq!(desk.sent(), [Command::AddServer { link: link.to_string() }]);
}

#[test]
fn the_program_cannot_be_kept_running_where_there_is_no_tray_and_the_reason_is_told() {
    let desk = Desk::sized(fixture::idle(), Vec2::new(1100.0, 2400.0));
    desk.press("Settings");
    desk.sent();
    let name = "Keep running when the window is closed";
    {
        let harness = desk.harness.borrow();
        let switch = harness.get_by_role_and_label(Role::Switch, name);
        let node = switch.accesskit_node();
        assert!(node.is_disabled() && node.toggled() == Some(egui::accesskit::Toggled::False));
        let why = node.data().description().map(str::to_owned);
        assert_eq!(why.as_deref(), Some("This desktop shows no tray, so closing the window quits."));
    }
    desk.press(name);
    assert_eq!(desk.sent(), []);
}
