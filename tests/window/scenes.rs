//! Scenes around a call: who rings and who is rung, with one's own picture, and the note at the end.

use super::*;

const OWN: &str = "Your picture: click to swap, drag to move";

fn rung(known: bool) -> Desk<'static> {
    Desk::new(fixture::incoming(true, known))
}

#[test]
fn a_ring_takes_the_whole_window_and_its_buttons_have_names() {
    let desk = rung(true);
    for name in ["Decline", "Answer with audio", "Answer with video"] {
        let harness = desk.harness.borrow();
        let button = harness.get_by_role_and_label(Role::Button, name).rect();
        assert!(button.width() >= 68.0 && button.height() >= 68.0, "{name}: {button:?}");
    }
    assert!(!desk.shows("Search people") && !desk.shows("Block"), "home is not beside it, and a contact is welcome");
    desk.controller.put(fixture::idle());
    desk.settle();
    assert!(desk.shows("Search people"));
    desk.controller.put(fixture::outgoing(true));
    desk.settle();
    assert!(desk.shows("Ringing…") && !desk.shows("Search people"));
}

#[test]
fn the_buttons_of_a_ring_are_reached_in_the_order_in_which_they_stand() {
    let desk = rung(false);
    let places = ["Block", "Decline", "Answer with audio", "Answer with video"]
        .map(|name| desk.harness.borrow().get_by_role_and_label(Role::Button, name).rect().center().x);
    assert!(places.is_sorted());
    for name in ["Block", "Decline", "Answer with audio", "Answer with video"] {
        desk.key(Modifiers::NONE, Key::Tab);
        let harness = desk.harness.borrow();
        assert!(harness.get_by_role_and_label(Role::Button, name).is_focused(), "{name}");
    }
}

#[test]
fn a_stranger_is_declined_and_blocked_by_one_press() {
    let desk = rung(false);
    desk.press("Block");
    let block = Command::BlockContact { id: peer(6), on: true };
    assert_eq!(desk.sent(), [Command::Reject { invite: fixture::INVITE }, block]);
}

#[test]
fn microphone_and_camera_can_be_turned_off_while_it_rings_there() {
    let desk = Desk::new(fixture::outgoing(true));
    desk.press("Mute the microphone");
    desk.press("Turn the camera off");
    assert_eq!(
        desk.sent(),
        [Command::EnableAudio { on: false, participant: None }, Command::EnableVideo { on: false, participant: None }]
    );
}

#[test]
fn everything_of_a_ring_is_inside_the_smallest_window() {
    for language in [Language::English, Language::SimplifiedChinese] {
        let mut snapshot = fixture::incoming(true, false);
        snapshot.settings.language = language;
        let size = Vec2::new(720.0, 480.0);
        let desk = Desk::sized(snapshot, size);
        let harness = desk.harness.borrow();
        let window = egui::Rect::from_min_size(egui::Pos2::ZERO, size);
        let buttons = By::new().role(Role::Button);
        let places: Vec<egui::Rect> = harness.query_all(buttons).map(|button| button.rect()).collect();
        assert_eq!(places.len(), 4);
        for (index, place) in places.iter().enumerate() {
            assert!(window.contains_rect(*place), "{place:?}");
            assert!(places[..index].iter().all(|other| !other.intersects(*place)), "{place:?}");
        }
        let note = harness.get_by_label_contains("About the garden").rect();
        assert!(window.contains_rect(note) && places.iter().all(|place| !place.intersects(note)), "{note:?}");
    }
}

/// From a third of the picture's height to three quarters there are eyes, nose and mouth of whoever sits before a
/// camera.
#[test]
fn nothing_lies_over_the_middle_of_ones_face_while_it_rings() {
    let namesake = |mut snapshot: Snapshot| {
        let CallView::Incoming(incoming) = &mut snapshot.call else { unreachable!("it rings") };
        incoming.namesake = Some("Kitchen tablet".into());
        snapshot
    };
    let scenes = [
        fixture::incoming(true, true),
        fixture::incoming(false, false),
        namesake(fixture::incoming(true, false)),
        fixture::outgoing(true),
    ];
    for (width, height) in [(1100.0, 720.0), (1920.0, 1080.0), (720.0, 480.0), (640.0, 480.0), (360.0, 300.0)] {
        for language in [Language::English, Language::SimplifiedChinese] {
            for mut snapshot in scenes.clone() {
                snapshot.settings.language = language;
                let desk = Desk::sized(snapshot, Vec2::new(width, height));
                let harness = desk.harness.borrow();
                let window = harness.ctx.content_rect();
                // As a picture of 16:9 is fitted in: cropped a little, or whole.
                let whole = window.width() * 9.0 / 16.0;
                let drawn = if whole < 0.73 * window.height() { whole } else { whole.max(window.height()) };
                let at = |share: f32| window.center().y + (share - 0.5) * drawn;
                let parts = By::new().predicate(|node| [Role::Label, Role::Button].contains(&node.role()));
                let mut count = 0;
                for part in harness.query_all(parts) {
                    let (place, name) = (part.rect(), part.accesskit_node().label());
                    count += 1;
                    assert!(window.expand(0.5).contains_rect(place), "{width}x{height}: {name:?} at {place:?}");
                    let clear = place.bottom() <= at(0.33) || place.top() >= at(0.74);
                    assert!(clear, "{width}x{height}: {name:?} at {place:?} in {window:?}");
                }
                assert!(count >= 5, "{count}");
            }
        }
    }
}

#[test]
fn a_long_note_scrolls_above_the_face() {
    let mut snapshot = fixture::incoming(true, true);
    let CallView::Incoming(incoming) = &mut snapshot.call else { unreachable!("it rings") };
    incoming.user_data = "A note as long as an invite may carry it. ".repeat(24);
    let desk = Desk::new(snapshot);
    let harness = desk.harness.borrow();
    let scrolled = harness.query_all_by_role(Role::ScrollView).map(|view| view.rect()).collect::<Vec<_>>();
    assert!(scrolled.iter().all(|view| view.bottom() < 0.3 * 720.0), "{scrolled:?}");
    assert!(desk.shows("Their note: A note as long"));
}

#[test]
fn settings_are_closed_when_it_rings_and_the_microphone_with_them() {
    let desk = Desk::new(fixture::idle());
    desk.press("Settings");
    desk.sent();
    desk.controller.put(fixture::incoming(true, true));
    desk.settle();
    assert!(!desk.shows("Frame rate at most"));
    assert_eq!(desk.sent(), [Command::WatchMicrophone { on: false }]);
}

#[test]
fn a_call_is_dark_in_every_theme() {
    let light = |mut snapshot: Snapshot| {
        snapshot.settings.theme = Theme::Light;
        snapshot
    };
    let desk = Desk::new(light(fixture::idle()));
    let theme = || desk.harness.borrow().ctx.theme();
    assert_eq!(theme(), egui::Theme::Light);
    for call in [
        fixture::incoming(true, true),
        fixture::outgoing(true),
        fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]),
    ] {
        desk.controller.put(light(call));
        desk.settle();
        assert_eq!(theme(), egui::Theme::Dark);
    }
    desk.controller.put(light(fixture::idle()));
    desk.settle();
    assert_eq!(theme(), egui::Theme::Light);
}

fn ended(number: u8, name: &str, duration_s: u32) -> Snapshot {
    let kind = NoticeKind::CallEnded { peer: peer(number), name: name.into(), duration_s };
    Snapshot { notices: vec![Notice { number: 3, kind }], ..fixture::idle() }
}

#[test]
fn the_end_of_a_call_is_a_note_of_four_seconds() {
    let desk = Desk::new(fixture::idle());
    desk.controller.put(ended(1, "Ana Lindqvist", 754));
    // A step is a quarter of a second.
    desk.harness.borrow_mut().run_steps(16);
    assert!(desk.shows("Ana Lindqvist, 12 min") && !desk.shows("Add to contacts") && desk.sent().is_empty());
    desk.harness.borrow_mut().run_steps(2);
    assert_eq!(desk.sent(), [Command::DismissNotice { notice: 3 }]);
    assert!(Desk::new(ended(0, "Echo", 42)).shows("Echo test, 42 s"));
    assert!(Desk::new(ended(1, "Ana Lindqvist", 0)).shows("Ana Lindqvist hung up"), "before it was connected");
}

#[test]
fn a_stranger_can_be_added_from_the_note_at_the_end() {
    let desk = Desk::new(ended(6, "Kitchen tablet", 61));
    desk.press("Add to contacts");
    let add = Command::AddContact { link: peer(6).to_string() };
    assert_eq!(desk.sent(), [add, Command::DismissNotice { notice: 3 }]);
}

#[test]
fn a_missed_call_is_called_back_and_an_own_one_again() {
    assert!(Desk::new(fixture::ended(OutcomeKind::Missed)).shows("Call back"));
    assert!(Desk::new(fixture::ended(OutcomeKind::NoAnswer)).shows("Call again"));
}

#[test]
fn ones_own_picture_moves_to_its_corner_when_the_call_connects_unless_motion_is_reduced() {
    let connected = || fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]);
    let connecting = || {
        let mut call = fixture::conversation(vec![fixture::participant(1, "Ana Lindqvist", true)]);
        (call.status, call.connected_at) = (ConversationStatus::Connecting, None);
        Snapshot { call: CallView::Conversation(call), ..connected() }
    };
    let size = Vec2::new(1100.0, 720.0);
    let rest = Desk::new(connected()).harness.borrow().get_by_label(OWN).rect();
    for reduced in [false, true] {
        let desk = Desk::paced(connecting(), size, false, 0.05);
        assert!(!desk.shows(OWN), "it fills the window");
        let time = if reduced { 0.0 } else { 0.12 };
        desk.harness.borrow().ctx.all_styles_mut(|style| style.animation_time = time);
        desk.controller.put(connected());
        desk.harness.borrow_mut().run_steps(2);
        let width = || desk.harness.borrow().get_by_label(OWN).rect().width();
        assert_eq!(width() > 1.5 * rest.width(), !reduced, "{}", width());
        desk.harness.borrow_mut().run_steps(6);
        assert!((width() - rest.width()).abs() < 1.0, "within a quarter of a second");
    }
}
