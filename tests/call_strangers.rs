//! Limits of strangers towards somebody who is free, rung, or in a call.

mod call_rig;

use call_rig::{
    ANN, BOB, CAT, Side, accept_press, conversation_id, id, in_call, invite_id, invite_message, message_to, released,
};
use visavis::call::{CallReport, CallState, Effect, EngineEvent, Input, Message, Standing};

fn stranger(side: &mut Side, ms: u64, from: u8, message: Message) {
    side.at(ms, Input::Peer { from: id(from), standing: Standing::Stranger, message });
}

fn rings(side: &Side) -> Option<u8> {
    match side.machine.state() {
        CallState::Incoming(incoming) => (0..=u8::MAX).find(|&number| id(number) == incoming.from()),
        _ => None,
    }
}

fn busy(to: u8, invite: u128) -> (visavis::identity::PeerId, Message) {
    message_to(to, Message::Busy { invite: invite_id(invite) })
}

#[test]
fn a_contact_takes_the_place_of_a_stranger_who_rings() {
    let mut bob = Side::new(BOB);
    stranger(&mut bob, 0, CAT, invite_message(1, "Cat"));
    assert_eq!(rings(&bob), Some(CAT));
    bob.effects.clear();
    bob.from(1_000, ANN, invite_message(2, "Ann"));
    assert_eq!(rings(&bob), Some(ANN));
    assert_eq!(
        bob.sent(),
        [busy(CAT, 1), message_to(ANN, Message::Ringing { invite: invite_id(2) })],
        "the stranger hears busy, the contact rings"
    );
    let told = bob.reports();
    assert!(told.contains(&CallReport::InviteCanceled { invite: invite_id(1) }));
    let missed = |report: &&CallReport| matches!(report, CallReport::RangInVain { from, contact: false, .. } if *from == id(CAT));
    assert_eq!(told.iter().filter(missed).count(), 1, "and is a missed call");
    assert!(!bob.effects.contains(&Effect::StopRinging), "the tone goes on");
    // A press for the stranger answers nobody else.
    bob.effects.clear();
    bob.at(1_100, accept_press(1));
    assert!(!bob.effects.iter().any(Effect::bears_consent));
    assert_eq!(rings(&bob), Some(ANN));
    bob.at(2_000, accept_press(2));
    assert!(matches!(bob.machine.state(), CallState::Conversation(call) if call.id() == conversation_id(2)));
}

#[test]
fn a_hundred_strangers_that_ring_without_end_keep_no_contact_out() {
    let mut bob = Side::new(BOB);
    for number in 0..100 {
        stranger(&mut bob, number * 10, 10 + number as u8, invite_message(u128::from(number), "Who"));
    }
    bob.from(1_000, ANN, invite_message(500, "Ann"));
    for number in 0..100 {
        stranger(&mut bob, 1_001 + number, 10 + number as u8, invite_message(1_000 + u128::from(number), "Who"));
    }
    assert_eq!(rings(&bob), Some(ANN));
    assert!(!bob.sent().contains(&busy(ANN, 500)));
}

#[test]
fn nobody_else_takes_a_place() {
    // A stranger does not take a stranger's; contacts take no contact's, nor a call's, and wait.
    let mut bob = Side::new(BOB);
    stranger(&mut bob, 0, CAT, invite_message(1, "Cat"));
    stranger(&mut bob, 10, 9, invite_message(2, "Dan"));
    assert_eq!(rings(&bob), Some(CAT));
    assert!(bob.sent().contains(&busy(9, 2)));

    let mut bob = Side::new(BOB);
    bob.from(0, ANN, invite_message(1, "Ann"));
    stranger(&mut bob, 10, CAT, invite_message(2, "Cat"));
    bob.from(20, 9, invite_message(3, "Dan"));
    assert_eq!(rings(&bob), Some(ANN));
    assert_eq!(bob.machine.waiting().count(), 2);

    let mut ann = in_call();
    ann.from(2_000, CAT, invite_message(2, "Cat"));
    assert!(ann.machine.waiting().count() == 1 && ann.ends().is_empty());
}

#[test]
fn a_stranger_who_gave_place_does_not_ring_with_the_same_invite_again() {
    let mut bob = Side::new(BOB);
    stranger(&mut bob, 0, CAT, invite_message(1, "Cat"));
    bob.from(100, ANN, invite_message(2, "Ann"));
    bob.from(200, ANN, Message::Cancel { invite: invite_id(2) });
    stranger(&mut bob, 300, CAT, invite_message(1, "Cat"));
    assert!(bob.is_idle());
    stranger(&mut bob, 400, CAT, invite_message(3, "Cat"));
    assert_eq!(rings(&bob), Some(CAT), "a new one rings");
}

#[test]
fn a_stranger_learns_nothing_about_conversations() {
    let restart = |number| Message::Restart { conversation: conversation_id(number), generation: 0, moved: false };
    let mut bob = Side::new(BOB);
    for number in 0..1_000 {
        stranger(&mut bob, number, CAT, restart(u128::from(number)));
    }
    assert!(bob.sent().is_empty());
    let mut ann = in_call();
    stranger(&mut ann, 2_000, CAT, restart(1));
    stranger(&mut ann, 2_001, CAT, restart(2));
    ann.at(2_002, Input::Peer { from: id(CAT), standing: Standing::Unwelcome, message: restart(7) });
    assert!(ann.sent().is_empty(), "neither of the present one");
    ann.from(3_000, BOB, Message::Leave { conversation: conversation_id(1) });
    released(&mut ann, 3_100, 1, BOB);
    ann.effects.clear();
    stranger(&mut ann, 4_000, CAT, restart(1));
    assert!(ann.sent().is_empty(), "nor of one that is over");
}

#[test]
fn whoever_was_in_a_call_hears_that_it_is_over_and_so_does_any_contact() {
    let restart = Message::Restart { conversation: conversation_id(1), generation: 0, moved: false };
    let ended = |to| message_to(to, Message::Ended { conversation: conversation_id(1) });
    // A stranger who was accepted, slept, and comes back.
    for standing in [Standing::Stranger, Standing::Unwelcome] {
        let mut bob = Side::new(BOB);
        stranger(&mut bob, 0, CAT, invite_message(1, "Cat"));
        bob.at(100, accept_press(1));
        bob.engine(500, 1, CAT, EngineEvent::Connected);
        bob.at(1_000, Input::Local(visavis::call::Press::Leave));
        released(&mut bob, 1_100, 1, CAT);
        bob.effects.clear();
        bob.at(40_000, Input::Peer { from: id(CAT), standing, message: restart.clone() });
        assert_eq!(bob.sent(), [ended(CAT)], "{standing:?}");
    }
    // This program was started anew and remembers no call.
    let mut bob = Side::new(BOB);
    bob.from(0, ANN, restart);
    assert_eq!(bob.sent(), [ended(ANN)]);
}
