//! Interruptions in the state chart, while nothing comes from somebody: it waits, asks for restarts, and ends after 30
//! s.

mod call_rig;

use call_rig::{
    ANN, BOB, Side, accept_press, candidate, conversation_id, id, in_call, message_to, offer, released, ringing,
};
use visavis::call::{
    CallReport, Candidate, Description, DescriptionKind, DisconnectReason, DtlsSetup, Effect, EngineEvent, Input,
    Message, ParticipantState, Press,
};
use visavis::media::{MediaSet, StreamState};

fn restart(generation: u32) -> Message {
    Message::Restart { conversation: conversation_id(1), generation, moved: false }
}

fn describe(generation: u32, kind: DescriptionKind) -> Message {
    let setup = if kind == DescriptionKind::Offer { DtlsSetup::ActPass } else { DtlsSetup::Active };
    Message::Describe {
        conversation: conversation_id(1),
        description: Description { generation, kind, setup, ..offer() }.into(),
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
    applied_generations(side).len()
}

/// Generations of the descriptions and candidates that were applied, in order.
fn applied_generations(side: &Side) -> Vec<u32> {
    let generations = side.effects.iter().filter_map(|effect| match effect {
        Effect::ApplyDescription { description, .. } => Some(description.generation),
        Effect::ApplyCandidate { candidate, .. } => Some(candidate.generation),
        _ => None,
    });
    generations.collect()
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
    let told = Message::Media { conversation: conversation_id(1), streams: MediaSet::of_call(true, true) };
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
    ann.at(1800, Input::Local(Press::EnableStream(StreamState::audio(false))));
    ann.engine(2000, 1, BOB, EngineEvent::Interrupted);
    ann.engine(9000, 1, BOB, EngineEvent::Connected);
    let visavis::call::CallState::Conversation(conversation) = ann.machine.state() else { panic!("the call is over") };
    assert!(!conversation.sends().audio());
    assert!(!ann.effects.iter().any(Effect::bears_consent));
    ann.engine(10_000, 1, BOB, EngineEvent::Interrupted);
    ann.at(10_500, Input::Local(Press::Leave));
    assert!(
        ann.is_idle() && ann.sent().contains(&message_to(BOB, Message::Leave { conversation: conversation_id(1) }))
    );
}

#[test]
fn what_is_muted_while_nothing_comes_through_is_told_when_something_does() {
    let media = |audio| {
        message_to(BOB, Message::Media { conversation: conversation_id(1), streams: MediaSet::of_call(audio, true) })
    };
    let undelivered = || Input::Undelivered { to: id(BOB), message: media(false).1 };
    let mut ann = answering();
    ann.engine(2000, 1, BOB, EngineEvent::Interrupted);
    ann.at(2100, Input::Local(Press::EnableStream(StreamState::audio(false))));
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
    let of_another = Message::Media { conversation: conversation_id(8), streams: MediaSet::of_call(false, true) };
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
    ann.from(2200, BOB, describe(1, DescriptionKind::Offer));
    assert_eq!(applied(&ann), 1);
    ann.from(2300, BOB, describe(1, DescriptionKind::Offer));
    ann.from(2300, BOB, describe(0, DescriptionKind::Offer));
    ann.from(2300, BOB, describe(2, DescriptionKind::Answer));
    ann.from(2300, BOB, trickle(0));
    assert_eq!(applied(&ann), 1);
    assert_eq!(ann.machine.next_deadline(), None);
}

#[test]
fn candidates_that_overtake_their_offer_follow_it() {
    let mut ann = answering();
    // Those of the present description were used up; that is no matter for those of the next one.
    (0..200).for_each(|_| ann.from(2000, BOB, trickle(0)));
    ann.effects.clear();
    ann.from(2100, BOB, trickle(1));
    ann.from(2101, BOB, trickle(2));
    ann.from(2102, BOB, trickle(1));
    assert_eq!(applied(&ann), 0, "they wait for their offer");
    ann.from(2200, BOB, describe(1, DescriptionKind::Offer));
    assert_eq!(applied_generations(&ann), [1, 1, 1], "the offer, then its candidates");
    assert!(matches!(ann.effects[0], Effect::ApplyDescription { .. }));
    ann.from(2800, BOB, describe(2, DescriptionKind::Offer));
    assert_eq!(applied_generations(&ann), [1, 1, 1, 2, 2]);
}

#[test]
fn of_offers_that_come_too_soon_the_latest_is_applied_after_the_interval() {
    let mut ann = answering();
    ann.engine(1900, 1, BOB, EngineEvent::Interrupted);
    ann.from(2000, BOB, describe(1, DescriptionKind::Offer));
    ann.from(2100, BOB, describe(2, DescriptionKind::Offer));
    ann.from(2150, BOB, trickle(3));
    ann.from(2200, BOB, describe(3, DescriptionKind::Offer));
    ann.from(2250, BOB, describe(2, DescriptionKind::Offer));
    ann.from(2300, BOB, trickle(3));
    assert_eq!(applied_generations(&ann), [1]);
    assert_eq!(ann.machine.next_deadline(), Some(call_rig::at(2500)));
    ann.at(2499, Input::Deadline);
    assert_eq!(applied_generations(&ann), [1]);
    ann.at(2500, Input::Deadline);
    assert_eq!(applied_generations(&ann), [1, 3, 3, 3]);
    ann.from(2600, BOB, trickle(3));
    ann.from(3000, BOB, describe(4, DescriptionKind::Offer));
    assert_eq!(applied_generations(&ann), [1, 3, 3, 3, 3, 4], "after the interval it is applied at once");
}

#[test]
fn an_offer_that_waits_is_forgotten_with_its_connection() {
    let mut ann = answering();
    ann.from(2000, BOB, describe(1, DescriptionKind::Offer));
    ann.from(2100, BOB, describe(2, DescriptionKind::Offer));
    ann.engine(2200, 1, BOB, EngineEvent::Closed);
    ann.at(2500, Input::Deadline);
    assert_eq!(applied_generations(&ann), [1]);
}

#[test]
fn a_flood_of_restarts_and_candidates_is_bounded() {
    let mut ann = answering();
    for step in 0..10_000_u64 {
        ann.from(3000 + step, BOB, describe(100 + step as u32, DescriptionKind::Offer));
        (0..4).for_each(|_| ann.from(3000 + step, BOB, trickle(200 + step as u32)));
        ann.at(3000 + step, Input::Deadline);
    }
    let generations = applied_generations(&ann);
    assert!(generations.is_sorted());
    let offers = generations.chunk_by(|one, next| one == next).count();
    assert!((19..=21).contains(&offers), "one in 500 ms: {offers}");
    assert!(generations.chunk_by(|one, next| one == next).all(|restart| restart.len() <= 1 + 32));
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
        if call.participants().all(|(_, participant)| participant.state() == ParticipantState::Connected)));
}
