//! Text size, and windows that are small for it.

use super::*;

const LONG: &str = "Wilhelmina Featherstonehaugh-Montgomery";

fn at(percent: u16, mut snapshot: Snapshot) -> Snapshot {
    snapshot.settings.text_size = Some(percent);
    snapshot
}

fn text_size(snapshot: &Snapshot, text_size: Option<u16>) -> Command {
    let settings = Settings { text_size, ..snapshot.settings.clone() };
    Command::UpdateSettings { settings: (&settings).into() }
}

fn call() -> Snapshot {
    fixture::call(vec![fixture::participant(1, LONG, true)])
}

#[test]
fn keys_and_the_settings_change_one_text_size() {
    let usual = fixture::idle();
    let desk = Desk::new(usual.clone());
    for (key, size) in [(Key::Plus, Some(110)), (Key::Equals, Some(110)), (Key::Minus, Some(90))] {
        desk.key(Modifiers::COMMAND, key);
        assert_eq!(desk.sent(), [text_size(&usual, size)], "{key:?}");
    }
    desk.key(Modifiers::COMMAND, Key::Num0);
    assert_eq!(desk.sent(), [], "it is the usual one");

    let large = at(200, fixture::idle());
    let desk = Desk::sized(large.clone(), Vec2::new(2200.0, 6000.0));
    desk.key(Modifiers::COMMAND, Key::Plus);
    assert_eq!(desk.sent(), [], "there is none above");
    desk.key(Modifiers::COMMAND, Key::Num0);
    assert_eq!(desk.sent(), [text_size(&large, None)]);
    desk.press("Settings");
    desk.sent();
    desk.press("Text size: 200 %");
    desk.press("80 %");
    assert_eq!(desk.sent(), [text_size(&large, Some(80))]);
}

/// A step from a size that no list offers goes to the next one that is offered.
#[test]
fn a_text_size_from_elsewhere_has_neighbours() {
    let odd = at(130, fixture::idle());
    for (key, size) in [(Key::Plus, 150), (Key::Minus, 125)] {
        let desk = Desk::new(odd.clone());
        desk.key(Modifiers::COMMAND, key);
        assert_eq!(desk.sent(), [text_size(&odd, Some(size))]);
    }
}

/// Every screen at twice the size, in the usual and in a small window, and in the smallest one at the usual size: the
/// text is as large as was asked for, nothing to press reaches over the edges, and the ends of a call are in reach.
#[test]
fn every_screen_keeps_the_text_size_and_its_buttons() {
    for (percent, size) in [(200, (1100.0, 720.0)), (200, (640.0, 480.0)), (100, (360.0, 300.0))] {
        for language in [Language::English, Language::SimplifiedChinese] {
            for (mut snapshot, pressed) in [
                (fixture::idle(), vec![]),
                (fixture::outgoing(true), vec![Text::CancelCall, Text::Mute, Text::CameraOff]),
                (
                    fixture::incoming(true, false),
                    vec![Text::Decline, Text::AnswerAudio, Text::AnswerVideo, Text::Block],
                ),
                (fixture::ended(OutcomeKind::Unreachable), vec![]),
                (call(), vec![Text::HangUp, Text::Mute, Text::CameraOff, Text::MoreInCall]),
            ] {
                snapshot.settings.language = language;
                if let CallView::Incoming(view) = &mut snapshot.call {
                    (view.name, view.user_data) = (LONG.into(), "a long note ".repeat(80));
                }
                let desk = Desk::sized(at(percent, snapshot), size.into());
                let harness = desk.harness.borrow();
                assert_eq!(harness.ctx.zoom_factor(), f32::from(percent) / 100.0, "{size:?}");
                let window = harness.ctx.content_rect().expand(0.5);
                for button in harness.query_all_by_role(Role::Button) {
                    let across = button.rect().x_range();
                    assert!(window.left() <= across.min && across.max <= window.right(), "{size:?}: {button:?}");
                }
                for key in pressed {
                    let words = Words::of(language, "").get(key);
                    let place = harness.get_by_role_and_label(Role::Button, words).rect();
                    assert!(window.contains_rect(place), "{size:?}: {words} at {place:?}");
                }
            }
        }
    }
}

#[test]
fn a_small_call_has_in_its_menu_whatever_the_bar_has_no_room_for() {
    let desk =
        Desk::sized(fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]), Vec2::new(360.0, 300.0));
    for absent in ["Volume", "Choose microphone and speaker", "Hide Ana Lindqvist’s picture"] {
        assert!(desk.harness.borrow().query_by_label(absent).is_none(), "{absent}");
    }
    desk.press("More");
    for there in ["Volume of Ana Lindqvist", "Microphone level", "Statistics"] {
        assert!(desk.shows(there), "{there}");
    }
    desk.harness.borrow().get_by_role_and_label(Role::Button, "Hide Ana Lindqvist’s picture").click_accesskit();
    desk.settle();
    assert_eq!(desk.sent(), [Command::EnableVideo { on: false, participant: Some(peer(1)) }]);
    desk.harness.borrow().get_by_role_and_label(Role::Button, "Safety number…").click_accesskit();
    desk.settle();
    assert!(desk.shows("Safety number with Ana Lindqvist"));
    desk.press("Hang up");
    assert_eq!(desk.sent(), [Command::Leave]);
}

/// Tab brings every button of a dialog that is higher than its window into sight.
#[test]
fn a_dialog_scrolls_to_whatever_has_the_keyboard() {
    for (percent, size) in [(200, Vec2::new(640.0, 480.0)), (100, Vec2::new(360.0, 300.0))] {
        let desk = Desk::sized(at(percent, fixture::idle()), size);
        desk.press("Show people and calls");
        desk.press("Add contact");
        let window = desk.harness.borrow().ctx.content_rect();
        let mut seen = Vec::new();
        for _ in 0..8 {
            desk.key(Modifiers::NONE, Key::Tab);
            let harness = desk.harness.borrow();
            let focused = harness.query_all(By::new().predicate(|node| node.is_focused())).last().expect("a focus");
            let name = focused.accesskit_node().label().unwrap_or_default();
            assert!(window.contains_rect(focused.rect()), "{size:?}: {name} at {:?}", focused.rect());
            seen.push(name);
        }
        assert!(seen.contains(&"Cancel".to_owned()), "{seen:?}");
    }
}
