//! What the state chart does while nothing comes from somebody: it waits, asks for restarts, and ends after 30 s.

mod call_rig;

use call_rig::{
    ANN, BOB, Side, accept_press, candidate, conversation_id, id, in_call, message_to, offer, released, ringing,
};
use visavis::call::{
    CallReport, Candidate, Description, DescriptionKind, DisconnectReason, DtlsSetup, Effect, EngineEvent, Input, Link,
    Message, Press,
};

fn restart(generation: u32) -> Message {
    Message::Restart { conversation: conversation_id(1), generation, moved: false }
}

fn describe(generation: u32, kind: DescriptionKind) -> Message {
    let setup = if kind == DescriptionKind::Offer { DtlsSetup::ActPass } else { DtlsSetup::Active };
    Message::Describe {
        conversation: conversation_id(1),
        description: Description { generation, kind, setup, ..offer() },
    }
}

fn trickle(generation: u32) -> Message {
    Message::Trickle { conversation: conversation_id(1), candidate: Candidate { generation, ..candidate() } }
}

/// Ann, the caller, whose connection answers; described and connected.
fn answering() -> Side {
    let mut ann = in_call();
    ann.from(1500, BOB, describe(0, DescriptionKind::Offer));
    ann.effects.clear();
    ann
}

/// Bob, the callee, whose connection offers; described and connected.
fn offering() -> Side {
    let mut bob = ringing();
    bob.at(500, accept_press(1));
    bob.from(900, ANN, describe(0, DescriptionKind::Answer));
    bob.engine(1000, 1, ANN, EngineEvent::Connected);
    bob.effects.clear();
    bob
}

fn restarts(side: &Side) -> Vec<u32> {
    let generations = side.effects.iter().filter_map(|effect| match effect {
        Effect::RestartIce { generation, .. } => Some(*generation),
        _ => None,
    });
    generations.collect()
}

fn applied(side: &Side) -> usize {
    let applied = |effect: &&Effect| matches!(effect, Effect::ApplyDescription { .. } | Effect::ApplyCandidate { .. });
    side.effects.iter().filter(applied).count()
}

#[test]
fn an_interruption_is_told_and_so_is_its_end() {
    let mut ann = answering();
    ann.engine(2000, 1, BOB, EngineEvent::Interrupted);
    ann.engine(2500, 1, BOB, EngineEvent::Interrupted);
    ann.engine(3000, 1, BOB, EngineEvent::Connected);
    ann.engine(3001, 1, BOB, EngineEvent::Connected);
    let (conversation, participant) = (conversation_id(1), id(BOB));
    assert_eq!(
        ann.reports(),
        [CallReport::Reconnecting { conversation, participant }, CallReport::Reconnected { conversation, participant }]
    );
    let told = Message::Media { conversation: conversation_id(1), audio: true, video: true };
    assert_eq!(ann.sent(), [message_to(BOB, told)], "a short one costs one message");
    ann.at(60_000, Input::Deadline);
    assert_eq!(ann.machine.next_deadline(), None);
}

#[test]
fn an_interruption_is_lost_after_30_seconds() {
    let mut ann = answering();
    ann.engine(2000, 1, BOB, EngineEvent::Interrupted);
    while let Some(deadline) = ann.machine.next_deadline().filter(|_| !ann.is_idle()) {
        assert!(deadline.as_micros() <= 32_000_000);
        ann.at(deadline.as_micros() / 1000, Input::Deadline);
    }
    assert!(ann.sent().len() <= 15, "{}", ann.sent().len());
    released(&mut ann, 32_100, 1, BOB);
    assert_eq!(ann.disconnects(), [DisconnectReason::Lost]);
}

#[test]
fn hanging_up_works_at_once_and_mute_stays_while_nobody_is_heard() {
    let mut ann = answering();
    ann.at(1800, Input::Local(Press::EnableAudio { on: false }));
    ann.engine(2000, 1, BOB, EngineEvent::Interrupted);
    ann.engine(9000, 1, BOB, EngineEvent::Connected);
    let visavis::call::CallState::Conversation(conversation) = ann.machine.state() else { panic!("the call is over") };
    assert!(!conversation.audio());
    assert!(!ann.effects.iter().any(Effect::bears_consent));
    ann.engine(10_000, 1, BOB, EngineEvent::Interrupted);
    ann.at(10_500, Input::Local(Press::Leave));
    assert!(
        ann.is_idle() && ann.sent().contains(&message_to(BOB, Message::Leave { conversation: conversation_id(1) }))
    );
}

#[test]
fn what_is_muted_while_nothing_comes_through_is_told_when_something_does() {
    let media = |audio| message_to(BOB, Message::Media { conversation: conversation_id(1), audio, video: true });
    let undelivered = || Input::Undelivered { to: id(BOB), message: media(false).1 };
    let mut ann = answering();
    ann.engine(2000, 1, BOB, EngineEvent::Interrupted);
    ann.at(2100, Input::Local(Press::EnableAudio { on: false }));
    ann.at(7100, undelivered());
    ann.effects.clear();
    ann.at(9200, Input::Deadline);
    assert!(!ann.sent().contains(&media(false)), "it waits for the link");
    ann.engine(9500, 1, BOB, EngineEvent::Connected);
    assert_eq!(ann.sent().iter().filter(|sent| **sent == media(false)).count(), 1);
    assert_eq!(ann.machine.next_deadline(), None);
    ann.effects.clear();
    ann.at(14_500, undelivered());
    ann.at(16_499, Input::Deadline);
    assert!(ann.sent().is_empty());
    assert_eq!(ann.machine.next_deadline(), Some(call_rig::at(16_500)));
    ann.at(16_500, Input::Deadline);
    assert_eq!(ann.sent(), [media(false)], "and is told until it arrives");
    assert_eq!(ann.machine.next_deadline(), None);
    let of_another = Message::Media { conversation: conversation_id(8), audio: false, video: true };
    ann.at(17_000, Input::Undelivered { to: id(BOB), message: of_another });
    assert_eq!(ann.machine.next_deadline(), None);
}

#[test]
fn either_side_asks_and_asks_again_and_a_changed_network_asks_at_once() {
    let mut ann = answering();
    ann.at(1900, Input::NetworkChanged);
    ann.engine(2000, 1, BOB, EngineEvent::Interrupted);
    ann.at(3499, Input::Deadline);
    assert!(ann.sent().is_empty());
    ann.at(3500, Input::Deadline);
    ann.at(5499, Input::Deadline);
    assert_eq!(ann.sent(), [message_to(BOB, restart(0))]);
    assert!(ann.effects.contains(&Effect::RenewRoute { peer: id(BOB) }));
    ann.at(5500, Input::Deadline);
    ann.at(5600, Input::NetworkChanged);
    let moved = Message::Restart { conversation: conversation_id(1), generation: 0, moved: true };
    assert_eq!(ann.sent()[1..], [message_to(BOB, restart(0)), message_to(BOB, moved)]);
    let mut bob = offering();
    bob.engine(2000, 1, ANN, EngineEvent::Interrupted);
    bob.at(3500, Input::Deadline);
    assert_eq!(bob.sent(), [message_to(ANN, restart(0))]);
    assert!(restarts(&bob).is_empty(), "not before it is known that messages get through");
}

#[test]
fn the_offerer_restarts_when_a_message_shows_that_the_far_side_is_there() {
    let mut bob = offering();
    bob.engine(2000, 1, ANN, EngineEvent::Interrupted);
    bob.from(2100, ANN, restart(0));
    assert_eq!(restarts(&bob), [1]);
    bob.from(2200, ANN, restart(0));
    assert_eq!(restarts(&bob), [1], "it is under way");
    bob.from(4200, ANN, restart(0));
    assert_eq!(restarts(&bob), [1, 2], "nobody has answered");
    bob.effects.clear();
    bob.from(4300, ANN, describe(1, DescriptionKind::Answer));
    bob.from(4300, ANN, trickle(1));
    assert_eq!(applied(&bob), 0, "late");
    bob.from(4400, ANN, trickle(2));
    bob.from(4500, ANN, describe(2, DescriptionKind::Answer));
    bob.from(4500, ANN, describe(2, DescriptionKind::Answer));
    bob.from(4600, ANN, trickle(2));
    assert_eq!(applied(&bob), 3);
    bob.from(6500, ANN, restart(2));
    assert!(restarts(&bob).is_empty(), "it was answered, and is given time");
    bob.from(9300, ANN, restart(2));
    assert_eq!(restarts(&bob), [3]);
    bob.from(9350, ANN, describe(3, DescriptionKind::Answer));
    for ms in [9799, 9800, 9801] {
        bob.from(ms, ANN, Message::Restart { conversation: conversation_id(1), generation: 3, moved: true });
    }
    assert_eq!(restarts(&bob), [3, 4], "they have moved since");
    bob.from(9400, ANN, restart(77));
    bob.engine(9900, 1, ANN, EngineEvent::Described(Description { generation: 2, ..offer() }));
    assert!(!bob.sent().iter().any(|(_, message)| matches!(message, Message::Describe { .. })), "of another restart");
}

#[test]
fn a_wish_that_comes_late_does_not_disturb_a_call_that_goes_on() {
    let mut bob = offering();
    bob.engine(2000, 1, ANN, EngineEvent::Interrupted);
    bob.engine(7000, 1, ANN, EngineEvent::Connected);
    bob.from(7100, ANN, restart(0));
    assert!(restarts(&bob).is_empty());
    bob.from(12_999, ANN, restart(0));
    assert!(restarts(&bob).is_empty());
    bob.from(13_000, ANN, restart(0));
    assert_eq!(restarts(&bob), [1], "they do not hear this side, though it hears them");
}

#[test]
fn the_answerer_replies_and_takes_newer_offers_alone() {
    let mut ann = answering();
    ann.from(2000, BOB, restart(0));
    assert_eq!(ann.sent(), [message_to(BOB, restart(0))]);
    ann.from(2100, BOB, trickle(1));
    assert_eq!(applied(&ann), 0, "waits for its offer");
    ann.from(2200, BOB, describe(1, DescriptionKind::Offer));
    assert_eq!(applied(&ann), 2);
    ann.from(2300, BOB, describe(1, DescriptionKind::Offer));
    ann.from(2300, BOB, describe(0, DescriptionKind::Offer));
    ann.from(2300, BOB, trickle(0));
    ann.from(2400, BOB, describe(2, DescriptionKind::Offer));
    assert_eq!(applied(&ann), 2, "old, and too soon");
    ann.from(2800, BOB, describe(9, DescriptionKind::Offer));
    assert_eq!(applied(&ann), 3);
    ann.effects.clear();
    for step in 0..10_000_u64 {
        ann.from(3000 + step, BOB, describe(100 + step as u32, DescriptionKind::Offer));
    }
    assert!(applied(&ann) <= 20, "a flood of restarts is bounded");
}

#[test]
fn who_asks_for_a_conversation_that_is_over_is_told() {
    let mut ann = answering();
    ann.at(2000, Input::Local(Press::Leave));
    ann.effects.clear();
    ann.from(2100, BOB, restart(0));
    assert_eq!(ann.sent(), [message_to(BOB, Message::Ended { conversation: conversation_id(1) })]);
    let mut bob = offering();
    bob.engine(2000, 1, ANN, EngineEvent::Interrupted);
    bob.from(2200, ANN, Message::Ended { conversation: conversation_id(8) });
    assert!(!bob.is_idle());
    bob.from(2200, ANN, Message::Ended { conversation: conversation_id(1) });
    released(&mut bob, 2300, 1, ANN);
    assert_eq!(bob.disconnects(), [DisconnectReason::Lost], "nobody has hung up on him");
    let mut other = answering();
    other.from(2000, BOB, Message::Restart { conversation: conversation_id(8), generation: 0, moved: false });
    assert!(!other.is_idle());
    assert!(matches!(other.machine.state(), visavis::call::CallState::Conversation(call)
        if call.participants().all(|(_, participant)| participant.link() == Link::Connected)));
}
