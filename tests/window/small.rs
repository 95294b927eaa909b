//! The small window of a call, here drawn inside of the main one.

use super::*;

fn ana() -> Desk<'static> {
    Desk::new(fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]))
}

#[test]
fn p_moves_the_call_into_the_small_window_which_mutes_hides_and_hangs_up() {
    let desk = ana();
    desk.key(Modifiers::NONE, Key::P);
    assert!(desk.shows("The call is in the small window") && desk.shows("Small window"));
    assert!(!desk.shows("More") && !desk.shows("Volume"), "the bar is gone");
    desk.sent();
    desk.press("Mute the microphone");
    desk.press("Turn the camera off");
    desk.press("Hang up");
    let sent = desk.sent();
    let pressed = [
        Command::EnableAudio { on: false, participant: None },
        Command::EnableVideo { on: false, participant: None },
        Command::Leave,
    ];
    for wanted in &pressed {
        assert!(sent.contains(wanted), "{wanted:?}: {sent:?}");
    }
}

#[test]
fn closing_the_small_window_brings_the_call_back_and_hangs_up_nobody() {
    let desk = ana();
    desk.key(Modifiers::NONE, Key::P);
    desk.press("Close the small window");
    assert!(!desk.shows("The call is in the small window") && desk.shows("Volume"));
    assert!(!desk.sent().contains(&Command::Leave));
}

#[test]
fn the_setting_is_on_and_can_be_turned_off() {
    let desk = ana();
    desk.press("More");
    desk.press("Settings");
    desk.harness.borrow().get_by_label("Small window while in a call").click_accesskit();
    desk.settle();
    let turned_off = |command: &Command| match command {
        Command::UpdateSettings { settings } => !settings.applied_to(&fixture::idle().settings).small_window,
        _ => false,
    };
    assert!(desk.sent().iter().any(turned_off));
}
