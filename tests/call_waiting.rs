//! People who ring while this side calls, is rung or talks; do not disturb; and rings that are ignored.

mod call_rig;

use call_rig::{
    ANN, BOB, CAT, Side, accept_message, accept_press, calling, conversation_id, id, in_call, invite_id,
    invite_message, invite_press, message_to, released, ringing,
};
use visavis::call::{
    CallEnd, CallReport, CallState, DisconnectReason, Effect, EngineEvent, Input, InviteId, Message, Press, Standing,
};
use visavis::identity::PeerId;

const DAN: u8 = 4;
const EVE: u8 = 5;

fn waiting(side: &Side) -> Vec<InviteId> {
    side.machine.waiting().map(visavis::call::IncomingInvite::invite).collect()
}

fn rings_for(to: u8, invite: u128) -> (PeerId, Message) {
    message_to(to, Message::Ringing { invite: invite_id(invite) })
}

fn busy(to: u8, invite: u128) -> (PeerId, Message) {
    message_to(to, Message::Busy { invite: invite_id(invite) })
}

/// The ends and notes of calls that waited and were not answered.
fn waited_in_vain(side: &Side) -> Vec<(CallEnd, String)> {
    let reports = side.reports().into_iter();
    let ended = reports.filter_map(|report| match report {
        CallReport::WaitingEnded(record) => Some((record.end, record.note)),
        _ => None,
    });
    ended.collect()
}

fn ann_talks_and_cat_rings() -> Side {
    let mut ann = in_call();
    ann.from(2_000, CAT, invite_message(2, "Cat"));
    ann
}

#[test]
fn a_second_call_rings_there_and_softly_here_whatever_goes_on() {
    for (mut side, tone) in [(calling(), true), (ringing(), false), (in_call(), true)] {
        side.effects.clear();
        side.from(2_000, CAT, invite_message(2, "Cat"));
        side.from(2_100, CAT, invite_message(2, "Cat"));
        assert_eq!(side.sent(), [rings_for(CAT, 2), rings_for(CAT, 2)], "and a repeated invite rings on");
        let told = side.reports();
        assert!(matches!(&told[..], [CallReport::Invite { waiting: true, .. }]), "{told:?}");
        assert_eq!(waiting(&side), [invite_id(2)]);
        assert_eq!(side.effects.contains(&Effect::StartWaitingTone), tone, "a ringtone that sounds is enough");
        assert!(!side.effects.contains(&Effect::StartRinging) && !side.effects.iter().any(Effect::bears_consent));
    }
}

#[test]
fn an_answer_ends_the_first_call_and_takes_the_second() {
    let mut ann = ann_talks_and_cat_rings();
    ann.effects.clear();
    ann.at(3_000, accept_press(2));
    assert!(matches!(ann.machine.state(), CallState::Conversation(call) if call.id() == conversation_id(2)));
    assert_eq!(ann.ends(), [CallEnd::Ended(DisconnectReason::Left)]);
    let sent = ann.sent();
    assert_eq!(sent[0], message_to(BOB, Message::Leave { conversation: conversation_id(1) }));
    assert!(matches!(&sent[1], (to, Message::Accept { invite, .. }) if *to == id(CAT) && *invite == invite_id(2)));
    assert!(ann.effects.contains(&Effect::StopWaitingTone) && waiting(&ann).is_empty());
    released(&mut ann, 3_100, 1, BOB);
    ann.engine(3_500, 2, CAT, EngineEvent::Connected);
    assert_eq!(ann.disconnects(), [DisconnectReason::Left], "the first alone");
}

#[test]
fn an_answer_takes_ones_own_invite_back() {
    let mut ann = calling();
    ann.from(2_000, CAT, invite_message(2, "Cat"));
    ann.effects.clear();
    ann.at(3_000, accept_press(2));
    assert_eq!(ann.sent()[0], message_to(BOB, Message::Cancel { invite: invite_id(1) }));
    assert_eq!(ann.ends(), [CallEnd::Canceled]);
    // An answer that was on its way is refused as any late one.
    ann.from(3_010, BOB, accept_message(1));
    assert!(ann.sent().contains(&message_to(BOB, Message::Leave { conversation: conversation_id(1) })));
    assert!(matches!(ann.machine.state(), CallState::Conversation(call) if call.id() == conversation_id(2)));
}

#[test]
fn a_decline_tells_the_second_caller_and_the_first_call_goes_on() {
    let mut ann = ann_talks_and_cat_rings();
    ann.effects.clear();
    ann.at(3_000, Input::Local(Press::Reject { invite: invite_id(2) }));
    assert_eq!(ann.sent(), [message_to(CAT, Message::Reject { invite: invite_id(2) })]);
    assert_eq!(waited_in_vain(&ann), [(CallEnd::DeclinedHere, "lunch?".to_owned())]);
    assert!(ann.effects.contains(&Effect::StopWaitingTone) && ann.ends().is_empty());
    ann.effects.clear();
    ann.from(3_100, CAT, invite_message(2, "Cat"));
    assert!(ann.effects.is_empty(), "a late copy does not ring again");
}

#[test]
fn a_ring_that_is_ignored_tells_the_caller_nothing_and_is_a_missed_call() {
    for (mut side, invite, from) in [(ann_talks_and_cat_rings(), 2, CAT), (ringing(), 1, ANN)] {
        side.effects.clear();
        let state_before = side.is_idle();
        side.at(3_000, Input::Local(Press::Ignore { invite: invite_id(invite) }));
        assert!(side.sent().is_empty() && waiting(&side).is_empty());
        assert!(side.effects.contains(&Effect::StopWaitingTone) || side.effects.contains(&Effect::StopRinging));
        side.from(3_100, from, invite_message(invite, "Cat"));
        assert_eq!(side.sent(), [rings_for(from, invite)], "it rings on there and not here");
        assert!(!side.effects.contains(&Effect::StartRinging), "{state_before}");
        side.from(9_000, from, Message::Cancel { invite: invite_id(invite) });
        assert_eq!(waited_in_vain(&side), [(CallEnd::Missed, "lunch?".to_owned())]);
    }
    let mut bob = ringing();
    bob.at(3_000, Input::Local(Press::Ignore { invite: invite_id(9) }));
    assert!(matches!(bob.reports().last(), Some(CallReport::PressRefused { .. })));
}

#[test]
fn calling_somebody_whose_ring_was_ignored_is_an_answer() {
    let mut bob = ringing();
    bob.at(3_000, Input::Local(Press::Ignore { invite: invite_id(1) }));
    bob.effects.clear();
    bob.at(4_000, Input::Local(invite_press(7, ANN)));
    assert!(matches!(bob.machine.state(), CallState::Conversation(call) if call.id() == conversation_id(1)));
    assert!(matches!(&bob.sent()[..], [(_, Message::Accept { .. })]));
}

#[test]
fn the_second_caller_gives_up_rings_out_or_is_gone() {
    let cancel =
        Input::Peer { from: id(CAT), standing: Standing::Contact, message: Message::Cancel { invite: invite_id(2) } };
    for (ms, input) in [(5_000, cancel), (52_000, Input::Deadline), (8_000, Input::Gone { peer: id(CAT) })] {
        let mut ann = ann_talks_and_cat_rings();
        ann.effects.clear();
        ann.at(ms, input.clone());
        assert_eq!(waited_in_vain(&ann), [(CallEnd::Missed, "lunch?".to_owned())], "{input:?}");
        assert!(ann.ends().is_empty() && waiting(&ann).is_empty() && !ann.is_idle());
        assert!(ann.effects.contains(&Effect::StopWaitingTone));
    }
}

#[test]
fn when_the_first_call_ends_by_itself_the_second_rings_as_any() {
    let mut ann = ann_talks_and_cat_rings();
    ann.effects.clear();
    ann.from(5_000, BOB, Message::Leave { conversation: conversation_id(1) });
    assert!(matches!(ann.machine.state(), CallState::Incoming(incoming) if incoming.invite() == invite_id(2)));
    let starts = |effect: &&Effect| **effect == Effect::StartRinging;
    assert_eq!(ann.effects.iter().filter(starts).count(), 1);
    assert!(ann.effects.contains(&Effect::StopWaitingTone));
    ann.at(6_000, accept_press(2));
    assert!(matches!(ann.machine.state(), CallState::Conversation(call) if call.id() == conversation_id(2)));
}

#[test]
fn both_end_at_once_in_either_order() {
    let leave = Message::Leave { conversation: conversation_id(1) };
    let cancel = Message::Cancel { invite: invite_id(2) };
    for first_ends_first in [true, false] {
        let mut ann = ann_talks_and_cat_rings();
        let both = [(BOB, leave.clone()), (CAT, cancel.clone())];
        let order = if first_ends_first { [0, 1] } else { [1, 0] };
        for (from, message) in order.map(|one| both[one].clone()) {
            ann.from(5_000, from, message);
        }
        released(&mut ann, 5_100, 1, BOB);
        assert!(ann.is_idle() && waiting(&ann).is_empty(), "{first_ends_first}");
        let rang = ann.effects.iter().filter(|effect| **effect == Effect::StartRinging).count();
        assert_eq!(rang, usize::from(first_ends_first));
        ann.at(6_000, accept_press(2));
        assert!(ann.is_idle(), "nobody is there to be answered");
    }
}

#[test]
fn whoever_is_called_and_calls_is_answered_although_somebody_waits() {
    // Ann calls Bob, Cat waits, and Bob's own invite crosses Ann's: one of the two stands for both.
    let mut ann = calling();
    ann.from(2_000, CAT, invite_message(2, "Cat"));
    ann.from(2_100, BOB, invite_message(3, "Bob"));
    ann.from(2_200, BOB, accept_message(1));
    assert!(matches!(ann.machine.state(), CallState::Conversation(call) if call.id() == conversation_id(1)));
    assert_eq!(waiting(&ann), [invite_id(2)]);
    let mut bob = Side::new(BOB);
    bob.at(0, Input::Local(invite_press(1, ANN)));
    bob.from(100, CAT, invite_message(2, "Cat"));
    bob.from(200, ANN, invite_message(3, "Ann"));
    assert!(matches!(bob.machine.state(), CallState::Conversation(call) if call.id() == conversation_id(3)));
    assert_eq!(waiting(&bob), [invite_id(2)]);
}

#[test]
fn three_wait_in_their_order_and_a_fourth_hears_busy() {
    let mut ann = in_call();
    for (invite, from) in [(2, CAT), (3, DAN), (4, EVE), (5, 6)] {
        ann.from(2_000, from, invite_message(invite, "Somebody"));
    }
    assert_eq!(waiting(&ann), [2, 3, 4].map(invite_id));
    assert!(ann.sent().contains(&busy(6, 5)));
    assert!(
        ann.reports().iter().any(|report| matches!(report, CallReport::RangInVain { note, .. } if note == "lunch?"))
    );
    // Dan is answered; Cat and Eve go on waiting, and ring in their order.
    ann.at(3_000, accept_press(3));
    assert_eq!(waiting(&ann), [2, 4].map(invite_id));
    ann.from(4_000, DAN, Message::Leave { conversation: conversation_id(3) });
    assert!(matches!(ann.machine.state(), CallState::Incoming(incoming) if incoming.invite() == invite_id(2)));
    ann.at(5_000, Input::Local(Press::Reject { invite: invite_id(2) }));
    assert!(matches!(ann.machine.state(), CallState::Incoming(incoming) if incoming.invite() == invite_id(4)));
}

#[test]
fn an_answer_to_who_waits_leaves_who_rings_waiting() {
    let mut bob = ringing();
    bob.from(1_000, CAT, invite_message(2, "Cat"));
    bob.at(2_000, accept_press(2));
    assert!(matches!(bob.machine.state(), CallState::Conversation(call) if call.id() == conversation_id(2)));
    assert_eq!(waiting(&bob), [invite_id(1)]);
}

#[test]
fn an_app_that_begins_anew_rings_with_its_new_invite_alone() {
    let mut ann = ann_talks_and_cat_rings();
    ann.from(3_000, CAT, invite_message(3, "Cat"));
    assert_eq!(waiting(&ann), [invite_id(3)]);
    assert!(ann.reports().contains(&CallReport::InviteCanceled { invite: invite_id(2) }));
    assert!(waited_in_vain(&ann).is_empty());
}

#[test]
fn one_stranger_waits_and_gives_way_to_contacts() {
    let stranger = |side: &mut Side, from: u8, invite: u128| {
        let message = invite_message(invite, "Who");
        side.at(2_000, Input::Peer { from: id(from), standing: Standing::Stranger, message });
    };
    let mut ann = in_call();
    stranger(&mut ann, 20, 20);
    stranger(&mut ann, 21, 21);
    assert_eq!(waiting(&ann), [invite_id(20)]);
    assert!(ann.sent().contains(&busy(21, 21)));
    for (invite, from) in [(2, CAT), (3, DAN), (4, EVE)] {
        ann.from(2_000, from, invite_message(invite, "Somebody"));
    }
    assert_eq!(waiting(&ann), [2, 3, 4].map(invite_id));
    assert!(ann.sent().contains(&busy(20, 20)));
}

#[test]
fn with_do_not_disturb_nothing_rings_and_each_call_is_missed_once() {
    for mut side in [Side::new(ANN), calling(), in_call()] {
        side.at(1_900, Input::DoNotDisturb { on: true });
        let idle = side.is_idle();
        side.effects.clear();
        side.from(2_000, CAT, invite_message(2, "Cat"));
        assert_eq!(side.sent(), [busy(CAT, 2)]);
        assert!(matches!(&side.reports()[..], [CallReport::RangInVain { note, .. }] if note == "lunch?"));
        side.effects.clear();
        side.from(2_100, CAT, invite_message(2, "Cat"));
        assert!(side.effects.is_empty(), "a copy of the same invite");
        assert_eq!((side.is_idle(), waiting(&side)), (idle, Vec::new()));
        side.at(2_900, Input::DoNotDisturb { on: false });
        side.from(3_000, CAT, invite_message(3, "Cat"));
        assert!(side.sent().contains(&rings_for(CAT, 3)));
    }
    // The person who is called and calls is let through.
    let mut ann = calling();
    ann.at(50, Input::DoNotDisturb { on: true });
    ann.from(100, BOB, invite_message(9, "Bob"));
    assert!(ann.sent().iter().all(|(_, message)| !matches!(message, Message::Busy { .. })));
}

#[test]
fn whoever_rings_or_waits_as_do_not_disturb_begins_is_ignored_and_missed() {
    let mut bob = ringing();
    bob.from(1_000, CAT, invite_message(2, "Cat"));
    bob.effects.clear();
    bob.at(2_000, Input::DoNotDisturb { on: true });
    assert!(bob.is_idle() && waiting(&bob).is_empty());
    assert!(bob.effects.contains(&Effect::StopRinging) && bob.sent().is_empty(), "and nobody is told");
    bob.from(2_100, ANN, invite_message(1, "Ann"));
    assert_eq!(bob.sent(), [rings_for(ANN, 1)], "a copy of the invite");
    bob.at(2_200, Input::DoNotDisturb { on: false });
    assert!(bob.is_idle() && !bob.effects.contains(&Effect::StartRinging), "it stays ignored");
    bob.from(3_000, ANN, Message::Cancel { invite: invite_id(1) });
    bob.at(60_000, Input::Deadline);
    assert_eq!(waited_in_vain(&bob).iter().map(|(end, _)| *end).collect::<Vec<_>>(), [CallEnd::Missed; 2]);

    let mut ann = ann_talks_and_cat_rings();
    ann.effects.clear();
    ann.at(3_000, Input::DoNotDisturb { on: true });
    assert!(ann.effects.contains(&Effect::StopWaitingTone) && !ann.is_idle(), "the call goes on");
    ann.from(4_000, BOB, Message::Leave { conversation: conversation_id(1) });
    assert!(ann.is_idle() && !ann.effects.contains(&Effect::StartRinging));
    ann.at(5_000, accept_press(2));
    assert!(matches!(ann.machine.state(), CallState::Conversation(_)), "whoever was ignored can be answered");
}

#[test]
fn hanging_up_as_the_far_side_does_declines_nobody_who_waits() {
    let leave = Message::Leave { conversation: conversation_id(1) };
    for (theirs_first, presses) in [(true, 1), (false, 1), (false, 2), (true, 2)] {
        let mut ann = ann_talks_and_cat_rings();
        if theirs_first {
            ann.from(5_000, BOB, leave.clone());
        }
        for press in 0..presses {
            ann.at(5_001 + press, Input::Local(Press::Leave));
        }
        if !theirs_first {
            ann.from(5_010, BOB, leave.clone());
        }
        let rings = matches!(ann.machine.state(), CallState::Incoming(cat) if cat.invite() == invite_id(2));
        assert!(rings, "{theirs_first}, {presses} presses");
        assert!(!ann.sent().contains(&message_to(CAT, Message::Reject { invite: invite_id(2) })));
        assert_eq!(ann.ends().len(), 1, "the call alone");
    }
    // One's own invite that is declined as it is taken back.
    let mut ann = calling();
    ann.from(2_000, CAT, invite_message(2, "Cat"));
    ann.from(3_000, BOB, Message::Reject { invite: invite_id(1) });
    ann.at(3_001, Input::Local(Press::Leave));
    assert!(matches!(ann.machine.state(), CallState::Incoming(_)));
}

#[test]
fn at_the_programs_end_whoever_rings_waits_or_was_ignored_is_missed() {
    let mut ann = ann_talks_and_cat_rings();
    ann.from(2_100, DAN, invite_message(3, "Dan"));
    ann.at(2_200, Input::Local(Press::Ignore { invite: invite_id(3) }));
    ann.effects.clear();
    ann.at(3_000, Input::Local(Press::LeaveForGood));
    assert!(ann.is_idle() && waiting(&ann).is_empty());
    assert_eq!(ann.ends(), [CallEnd::Ended(DisconnectReason::Left)]);
    assert_eq!(waited_in_vain(&ann).iter().map(|(end, _)| *end).collect::<Vec<_>>(), [CallEnd::Missed; 2]);
    assert!(ann.sent().contains(&message_to(CAT, Message::Reject { invite: invite_id(2) })));
    assert!(ann.sent().iter().all(|(to, _)| *to != id(DAN)), "who was ignored hears nothing");
    released(&mut ann, 3_100, 1, BOB);
    assert_eq!(ann.machine.next_deadline(), None);
}

#[test]
fn blocking_somebody_ends_their_ring_their_call_and_what_was_ignored() {
    let block = |peer: u8| Input::Local(Press::Block { peer: id(peer) });
    let mut ann = ann_talks_and_cat_rings();
    ann.from(2_100, DAN, invite_message(3, "Dan"));
    ann.at(2_200, Input::Local(Press::Ignore { invite: invite_id(3) }));
    ann.effects.clear();
    ann.at(3_000, block(DAN));
    assert_eq!(waited_in_vain(&ann), [(CallEnd::Missed, "lunch?".to_owned())]);
    assert!(ann.sent().is_empty() && waiting(&ann) == [invite_id(2)]);
    ann.at(3_100, block(CAT));
    assert_eq!(ann.sent(), [message_to(CAT, Message::Reject { invite: invite_id(2) })]);
    assert!(!ann.is_idle(), "the call with somebody else goes on");
    ann.at(3_200, Input::Local(invite_press(7, DAN)));
    ann.at(3_300, block(BOB));
    assert!(ann.is_idle() && ann.ends() == [CallEnd::Ended(DisconnectReason::Left)]);
    let mut bob = ringing();
    bob.at(1_000, block(ANN));
    assert_eq!(bob.ends(), [CallEnd::DeclinedHere]);
    let mut ann = calling();
    ann.at(1_000, block(BOB));
    assert_eq!(ann.ends(), [CallEnd::Canceled]);
}

#[test]
fn ignored_rings_take_no_place_and_are_few() {
    let mut ann = in_call();
    for number in 10..30_u8 {
        let invite = u128::from(number);
        ann.from(2_000, number, invite_message(invite, "Somebody"));
        assert_eq!(waiting(&ann), [invite_id(invite)], "there is room again");
        ann.at(2_000, Input::Local(Press::Ignore { invite: invite_id(invite) }));
    }
    assert_eq!(waited_in_vain(&ann).len(), 20 - 8, "the oldest end early");
    ann.at(60_000, Input::Deadline);
    assert_eq!(waited_in_vain(&ann).len(), 20);
    // A contact takes the place of a stranger who waits, not of one who was ignored.
    let mut ann = in_call();
    for invite in [20, 21] {
        let input = Input::Peer {
            from: id(invite),
            standing: Standing::Stranger,
            message: invite_message(invite.into(), "Stranger"),
        };
        ann.at(2_000, input);
        if invite == 20 {
            ann.at(2_000, Input::Local(Press::Ignore { invite: invite_id(20) }));
        }
    }
    for (invite, from) in [(2, CAT), (3, DAN), (4, EVE)] {
        ann.from(2_100, from, invite_message(invite, "Somebody"));
    }
    assert_eq!(waiting(&ann), [2, 3, 4].map(invite_id));
    assert!(ann.sent().contains(&busy(21, 21)) && !ann.sent().contains(&busy(20, 20)));
}

#[test]
fn a_contact_who_finds_the_line_busy_again_leaves_their_new_note() {
    let mut ann = in_call();
    for number in 10..13_u8 {
        ann.from(2_000, number, invite_message(number.into(), "Somebody"));
    }
    for stranger in 100..140_u8 {
        let message = invite_message(stranger.into(), "Stranger");
        ann.at(2_100, Input::Peer { from: id(stranger), standing: Standing::Stranger, message });
    }
    let in_vain = |side: &Side| {
        let reports = side.reports().into_iter();
        reports.filter(|report| matches!(report, CallReport::RangInVain { contact: true, .. })).count()
    };
    ann.from(3_000, CAT, invite_message(50, "Cat"));
    assert_eq!(in_vain(&ann), 1, "however many strangers have rung");
    ann.from(3_100, CAT, invite_message(50, "Cat"));
    assert_eq!(in_vain(&ann), 1, "a copy");
    ann.from(20_000, CAT, invite_message(51, "Cat"));
    assert_eq!(in_vain(&ann), 2);
}

#[test]
fn a_call_that_waits_and_was_answered_elsewhere_goes_without_a_trace() {
    let mut ann = ann_talks_and_cat_rings();
    ann.from(3_000, CAT, Message::AnsweredElsewhere { invite: invite_id(2) });
    assert!(ann.reports().contains(&CallReport::InviteAnsweredElsewhere { invite: invite_id(2) }));
    assert!(waited_in_vain(&ann).is_empty() && waiting(&ann).is_empty());
}
