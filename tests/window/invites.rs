//! Who rings, who is rung, and how a call ended.

use visavis::call::InviteId;
use visavis::controller::IncomingView;

use super::*;

#[test]
fn the_buttons_of_an_incoming_call_answer_and_decline() {
    let invite = fixture::INVITE;
    for (name, command) in [
        ("Answer with video", Command::Accept { invite, audio: true, video: high() }),
        ("Answer with audio", Command::Accept { invite, audio: true, video: VideoChoice::Off }),
        ("Decline", Command::Reject { invite }),
    ] {
        let desk = Desk::new(fixture::incoming(true, true));
        desk.press(name);
        assert_eq!(desk.sent(), [command]);
    }
}

#[test]
fn enter_answers_as_the_caller_sends_and_escape_declines() {
    let invite = fixture::INVITE;
    for (with_video, video) in [(true, high()), (false, VideoChoice::Off)] {
        let desk = Desk::new(fixture::incoming(with_video, true));
        desk.settle();
        desk.key(Modifiers::NONE, Key::Enter);
        assert_eq!(desk.sent(), [Command::Accept { invite, audio: true, video }]);
    }
    let desk = Desk::new(fixture::incoming(true, true));
    desk.key(Modifiers::NONE, Key::Escape);
    assert_eq!(desk.sent(), [Command::Reject { invite }]);
}

#[test]
fn enter_typed_as_a_call_comes_in_does_not_answer_it() {
    let desk = Desk::new(fixture::idle());
    desk.harness.borrow().get_by_label("Search people").focus();
    desk.settle();
    desk.controller.put(fixture::incoming(true, true));
    desk.harness.borrow_mut().step();
    desk.harness.borrow().key_press(Key::Enter);
    desk.harness.borrow_mut().step();
    assert_eq!(desk.sent(), []);
}

#[test]
fn escape_and_clicks_that_were_meant_for_something_else_neither_answer_nor_decline() {
    let desk = Desk::new(fixture::idle());
    desk.controller.put(fixture::incoming(true, true));
    desk.harness.borrow_mut().run_steps(2);
    let answer = desk.harness.borrow().get_by_label("Answer with video").rect().center();
    let (key, modifiers) = (Key::Escape, Modifiers::NONE);
    let escape = egui::Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers };
    desk.at_once([touch(answer, true), touch(answer, false), vec![escape]].concat());
    assert_eq!(desk.sent(), []);
}

#[test]
fn whoever_goes_on_typing_under_a_call_does_not_answer_it() {
    let desk = Desk::new(fixture::incoming(true, true));
    desk.settle();
    for _ in 0..20 {
        desk.harness.borrow().key_press(Key::Z);
        desk.harness.borrow_mut().step();
        desk.harness.borrow().key_press(Key::Enter);
        desk.harness.borrow_mut().step();
    }
    assert_eq!(desk.sent(), []);
}

#[test]
fn an_incoming_call_has_the_keyboard_over_open_dialogs_and_settings() {
    let desk = Desk::new(fixture::idle());
    desk.press("Settings");
    desk.press("Add contact");
    desk.sent();
    desk.controller.put(fixture::incoming(true, true));
    desk.settle();
    desk.sent();
    desk.key(Modifiers::NONE, Key::Escape);
    assert_eq!(desk.sent(), [Command::Reject { invite: fixture::INVITE }]);
    desk.controller.put(fixture::idle());
    desk.settle();
    assert!(desk.shows("Link or ID"), "what was being typed is still there");
}

#[test]
fn a_stranger_is_marked_as_unknown_and_the_note_is_shown() {
    let desk = Desk::new(fixture::incoming(false, false));
    assert!(desk.shows("Not in your contacts"));
    assert!(desk.shows("About the garden"));
    assert!(!Desk::new(fixture::incoming(false, true)).shows("Not in your contacts"));
}

#[test]
fn an_outgoing_call_is_canceled_by_its_button_and_by_escape() {
    let desk = Desk::new(fixture::outgoing(false));
    assert!(desk.shows("Calling…"));
    desk.press("Cancel the call");
    desk.controller.put(fixture::outgoing(true));
    desk.settle();
    assert!(desk.shows("Ringing…"));
    desk.key(Modifiers::NONE, Key::Escape);
    let cancel = Command::Cancel { invite: fixture::INVITE };
    assert_eq!(desk.sent(), [cancel.clone(), cancel]);
}

#[test]
fn every_end_of_a_call_has_its_own_words_and_a_way_on() {
    let mut titles = Vec::new();
    for kind in [
        OutcomeKind::Declined,
        OutcomeKind::Busy,
        OutcomeKind::NoAnswer,
        OutcomeKind::Canceled,
        OutcomeKind::Missed,
        OutcomeKind::DeclinedHere,
        OutcomeKind::Unreachable,
        OutcomeKind::Ended(DisconnectReason::Left),
        OutcomeKind::Ended(DisconnectReason::HungUp),
        OutcomeKind::Ended(DisconnectReason::Failed),
        OutcomeKind::Ended(DisconnectReason::Lost),
    ] {
        let desk = Desk::new(fixture::ended(kind));
        let title = Words::of(Language::English, "").outcome_title(kind, "Ana Lindqvist");
        assert!(desk.shows(&title), "{title}");
        assert!(!titles.contains(&title), "{title}");
        titles.push(title);
        desk.press("Close");
        assert_eq!(desk.sent(), [Command::DismissOutcome]);
        let incoming = matches!(kind, OutcomeKind::Missed | OutcomeKind::DeclinedHere);
        desk.press(if incoming { "Call back" } else { "Call again" });
        assert!(matches!(desk.sent().as_slice(), [Command::DismissOutcome, Command::Invite { .. }]));
    }
}

#[test]
fn a_missed_call_is_told_with_the_callers_note_and_with_no_other() {
    let missed = |kind, outgoing, note: &str| {
        let mut history = fixture::idle().history.to_vec();
        (history[0].outgoing, history[0].note) = (outgoing, note.into());
        Snapshot { history: history.into(), ..fixture::ended(kind) }
    };
    assert!(Desk::new(missed(OutcomeKind::Missed, false, "Lunch at noon?")).shows("Their note: Lunch at noon?"));
    for (kind, outgoing, note) in
        [(OutcomeKind::Missed, false, " "), (OutcomeKind::Missed, true, "mine"), (OutcomeKind::Busy, false, "older")]
    {
        assert!(!Desk::new(missed(kind, outgoing, note)).shows("Their note"), "{kind:?} {note}");
    }
}

#[test]
fn calling_again_offers_what_the_call_was() {
    let desk = Desk::new(fixture::idle());
    desk.harness.borrow().get_by_label_contains("Ana Lindqvist, Online").click();
    desk.settle();
    desk.press("Call with audio");
    desk.controller.put(fixture::ended(OutcomeKind::NoAnswer));
    desk.settle();
    desk.sent();
    desk.press("Call again");
    let invite = Command::Invite { to: peer(1), user_data: String::new(), audio: true, video: VideoChoice::Off };
    assert_eq!(desk.sent(), [Command::DismissOutcome, invite]);
}

#[test]
fn what_the_pointer_rests_on_is_not_explained_above_a_dialog() {
    let desk = Desk::new(fixture::idle());
    let explained = || desk.harness.borrow().query_all_by_label("Settings").count() == 2;
    desk.harness.borrow().get_by_label("Settings").hover();
    desk.harness.borrow_mut().run_steps(8);
    assert!(explained(), "the button's name shows beside it");
    desk.controller.put(fixture::incoming(true, true));
    desk.harness.borrow_mut().run_ok();
    assert!(!explained());
}

/// A call with Ana, beside which the kitchen's tablet rings.
pub fn waiting() -> Snapshot {
    let mut snapshot = fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]);
    let CallView::Incoming(incoming) = fixture::incoming(true, false).call else { unreachable!("it rings") };
    snapshot.waiting = vec![incoming];
    snapshot
}

#[test]
fn who_rings_beside_a_call_can_be_answered_declined_and_ignored() {
    let invite = fixture::INVITE;
    for (name, command) in [
        ("End call and answer", Command::Accept { invite, audio: true, video: high() }),
        ("Decline", Command::Reject { invite }),
        ("Ignore", Command::Ignore { invite }),
    ] {
        let desk = Desk::new(waiting());
        desk.settle();
        desk.press(name);
        assert_eq!(desk.sent().pop(), Some(command));
    }
}

#[test]
fn a_click_that_was_meant_for_something_else_answers_nobody_who_rings_beside_a_call() {
    let desk = Desk::new(fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]));
    desk.settle();
    drop(desk.sent());
    desk.controller.put(waiting());
    desk.harness.borrow_mut().run_steps(2);
    let answer = desk.harness.borrow().get_by_label("End call and answer").rect().center();
    desk.at_once([touch(answer, true), touch(answer, false)].concat());
    assert_eq!(desk.sent(), []);
}

#[test]
fn a_click_on_who_has_just_given_up_answers_nobody_whose_card_moves_up() {
    let mut both = waiting();
    let second = IncomingView { invite: InviteId::from_bits(77), peer: peer(2), ..both.waiting[0].clone() };
    both.waiting.push(second.clone());
    let desk = Desk::new(both);
    desk.harness.borrow_mut().run_steps(60);
    let mut cards: Vec<_> =
        desk.harness.borrow().query_all_by_label("End call and answer").map(|card| card.rect().center()).collect();
    cards.sort_by(|one, other| one.y.total_cmp(&other.y));
    drop(desk.sent());
    desk.controller.put(Snapshot { waiting: vec![second], ..waiting() });
    desk.harness.borrow_mut().run_steps(2);
    desk.at_once([touch(cards[0], true), touch(cards[0], false)].concat());
    assert_eq!(desk.sent(), []);
    desk.harness.borrow_mut().run_steps(60);
    desk.at_once([touch(cards[0], true), touch(cards[0], false)].concat());
    assert!(matches!(desk.sent().pop(), Some(Command::Accept { invite, .. }) if invite == InviteId::from_bits(77)));
}

#[test]
fn the_buttons_of_a_card_stand_in_one_row() {
    for language in [Language::English, Language::SimplifiedChinese] {
        let mut snapshot = waiting();
        snapshot.settings.language = language;
        let (desk, words) = (Desk::new(snapshot), Words::of(language, ""));
        desk.settle();
        let middle = |text| desk.harness.borrow().get_by_label(words.get(text)).rect().center().y;
        let [answer, decline, ignore] = [Text::WaitingAnswer, Text::Decline, Text::WaitingIgnore].map(middle);
        assert!((answer - decline).abs() < 4.0 && (answer - ignore).abs() < 4.0, "{answer} {decline} {ignore}");
    }
}

const CHORD: Modifiers = Modifiers { shift: true, ..Modifiers::COMMAND };

#[test]
fn a_second_caller_is_answered_and_declined_by_the_chords_that_the_card_names() {
    let invite = fixture::INVITE;
    for (key, command) in
        [(Key::A, Command::Accept { invite, audio: true, video: high() }), (Key::D, Command::Reject { invite })]
    {
        let desk = Desk::new(waiting());
        assert!(desk.shows("Ctrl+Shift+A answers, Ctrl+Shift+D declines"));
        desk.settle();
        desk.key(CHORD, key);
        assert_eq!(desk.sent().pop(), Some(command));
    }
}

#[test]
fn keys_that_may_be_meant_for_the_call_do_nothing_to_a_second_caller() {
    let desk = Desk::new(waiting());
    desk.settle();
    drop(desk.sent());
    for key in [Key::Enter, Key::Escape, Key::Space, Key::A, Key::D] {
        desk.key(Modifiers::NONE, key);
    }
    assert_eq!(desk.sent(), []);
    let desk = Desk::new(fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]));
    desk.settle();
    drop(desk.sent());
    desk.controller.put(waiting());
    desk.harness.borrow_mut().run_steps(2);
    let chord = |key| egui::Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers: CHORD };
    desk.at_once(vec![chord(Key::A), chord(Key::D)]);
    assert_eq!(desk.sent(), [], "nor does a chord before the card can have been seen");
}

#[test]
fn the_chords_are_those_of_the_first_card() {
    let mut both = waiting();
    let second = IncomingView { invite: InviteId::from_bits(77), peer: peer(2), ..both.waiting[0].clone() };
    both.waiting.push(second);
    let desk = Desk::new(both);
    desk.settle();
    assert_eq!(desk.harness.borrow().query_all_by_label_contains("Ctrl+Shift+A").count(), 1);
    desk.key(CHORD, Key::D);
    assert_eq!(desk.sent().pop(), Some(Command::Reject { invite: fixture::INVITE }));
}

#[test]
fn tab_comes_first_to_a_second_callers_card_from_wherever_the_keyboard_is() {
    for focused in [None, Some("Turn the camera off"), Some("Hang up")] {
        let desk = Desk::new(fixture::call(vec![fixture::participant(1, "Ana Lindqvist", true)]));
        if let Some(name) = focused {
            desk.harness.borrow().get_by_role_and_label(Role::Button, name).focus();
            desk.settle();
        }
        desk.controller.put(waiting());
        desk.settle();
        assert!(focused.is_none_or(|name| desk.has_focus(name)), "the card takes nothing away");
        for name in ["End call and answer", "Decline", "Ignore"] {
            desk.key(Modifiers::NONE, Key::Tab);
            assert!(desk.has_focus(name), "{name} from {focused:?}");
        }
        desk.key(Modifiers::NONE, Key::Tab);
        assert!(!desk.has_focus("End call and answer"), "then Tab goes on to the call");
    }
}
