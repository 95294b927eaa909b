//! Every outcome of an invite and of a conversation, through the public state chart.

mod call_rig;

use call_rig::{
    ANN, BOB, CAT, Side, accept_message, accept_press, at, calling, conversation_id, id, in_call, invite_id,
    invite_press, message_to, released, ringing,
};
use visavis::call::{
    CallEnd, CallError, CallReport, CallState, DisconnectReason, Effect, EngineEvent, Input, Message,
    ParticipantStream, Press, Standing,
};
use visavis::media::{MIN_HEIGHT, MediaSet, StreamId, StreamState};

#[test]
fn a_declined_invite_ends_both_sides() {
    let mut ann = calling();
    ann.from(900, BOB, Message::Reject { invite: invite_id(1) });
    assert!(ann.reports().contains(&CallReport::InviteRejected { invite: invite_id(1) }));
    assert_eq!(ann.ends(), [CallEnd::Declined]);
    assert!(ann.effects.contains(&Effect::StopRinging));
    assert!(ann.effects.contains(&Effect::ReleaseMedia { conversation: conversation_id(1) }));

    let mut bob = ringing();
    bob.at(900, Input::Local(Press::Reject { invite: invite_id(1) }));
    assert!(bob.sent().contains(&message_to(ANN, Message::Reject { invite: invite_id(1) })));
    assert_eq!(bob.ends(), [CallEnd::DeclinedHere]);
    assert!(bob.is_idle() && ann.is_idle());
}

#[test]
fn an_invite_that_is_taken_back_is_missed_at_the_callee() {
    let mut ann = calling();
    ann.at(900, Input::Local(Press::Cancel { invite: invite_id(1) }));
    assert!(ann.sent().contains(&message_to(BOB, Message::Cancel { invite: invite_id(1) })));
    assert_eq!(ann.ends(), [CallEnd::Canceled]);

    let mut bob = ringing();
    bob.from(900, ANN, Message::Cancel { invite: invite_id(1) });
    assert!(bob.reports().contains(&CallReport::InviteCanceled { invite: invite_id(1) }));
    assert_eq!(bob.ends(), [CallEnd::Missed]);
    assert!(bob.effects.contains(&Effect::StopRinging));
}

#[test]
fn an_invite_that_another_device_answered_is_not_missed() {
    let mut bob = ringing();
    bob.from(900, ANN, Message::AnsweredElsewhere { invite: invite_id(2) });
    assert!(!bob.is_idle(), "another invite");
    bob.from(900, ANN, Message::AnsweredElsewhere { invite: invite_id(1) });
    assert!(bob.reports().contains(&CallReport::InviteAnsweredElsewhere { invite: invite_id(1) }));
    assert!(bob.effects.contains(&Effect::StopRinging));
    bob.from(950, ANN, Message::Cancel { invite: invite_id(1) });
    assert!(bob.is_idle() && bob.ends().is_empty());
}

#[test]
fn an_answer_that_another_device_forestalled_ends_and_a_call_that_stands_does_not() {
    let mut bob = ringing();
    bob.at(500, accept_press(1));
    bob.from(600, ANN, Message::AnsweredElsewhere { invite: invite_id(2) });
    bob.from(600, CAT, Message::AnsweredElsewhere { invite: invite_id(1) });
    assert!(bob.ends().is_empty(), "another invite, and another person");
    bob.from(600, ANN, Message::AnsweredElsewhere { invite: invite_id(1) });
    assert_eq!(bob.ends(), [CallEnd::Ended(DisconnectReason::HungUp)]);
    assert!(bob.effects.contains(&Effect::ReleaseMedia { conversation: conversation_id(1) }));

    let mut ann = in_call();
    ann.from(2000, BOB, Message::AnsweredElsewhere { invite: invite_id(1) });
    assert!(ann.ends().is_empty());
}

#[test]
fn nobody_answers_for_45_seconds() {
    let mut ann = calling();
    assert_eq!(ann.machine.next_deadline(), Some(at(45_000)));
    ann.at(44_999, Input::Deadline);
    assert!(ann.ends().is_empty());
    ann.at(45_000, Input::Deadline);
    assert_eq!(ann.ends(), [CallEnd::NoAnswer]);
    assert!(ann.reports().contains(&CallReport::InviteTimeout { invite: invite_id(1) }));
    assert!(ann.sent().contains(&message_to(BOB, Message::Cancel { invite: invite_id(1) })));
    assert_eq!(ann.machine.next_deadline(), None);
}

#[test]
fn a_caller_who_vanished_stops_ringing_and_is_missed() {
    let mut bob = ringing();
    bob.at(45_000, Input::Deadline);
    assert!(bob.ends().is_empty());
    bob.at(50_000, Input::Deadline);
    assert_eq!(bob.ends(), [CallEnd::Missed]);
    assert!(bob.effects.contains(&Effect::StopRinging));
}

#[test]
fn busy_and_unreachable_are_told_apart() {
    let mut ann = calling();
    ann.from(100, BOB, Message::Busy { invite: invite_id(1) });
    assert_eq!(ann.ends(), [CallEnd::Busy]);

    let mut ann = Side::new(ANN);
    ann.at(0, Input::Local(invite_press(1, BOB)));
    let message = ann.sent()[0].1.clone();
    ann.at(50, Input::Undelivered { to: id(BOB), message });
    assert_eq!(ann.ends(), [CallEnd::Unreachable]);
    let (invite, to, error) = (invite_id(1), id(BOB), CallError::InviteFailed);
    assert!(ann.reports().contains(&CallReport::InviteFailed { invite, to, error }));
}

#[test]
fn unwelcome_people_get_no_reply_at_all() {
    let mut bob = Side::new(BOB);
    let message = call_rig::invite_message(1, "Ann");
    bob.at(0, Input::Peer { from: id(ANN), standing: Standing::Unwelcome, message });
    assert!(bob.effects.is_empty());
    let mut bob = in_call();
    let message = call_rig::invite_message(9, "Cat");
    bob.at(2000, Input::Peer { from: id(CAT), standing: Standing::Unwelcome, message });
    assert!(bob.effects.is_empty());
}

#[test]
fn hanging_up_acts_at_once_and_is_reported_when_all_is_released() {
    let mut ann = in_call();
    ann.at(5000, Input::Local(Press::Leave));
    assert!(ann.is_idle());
    assert_eq!(ann.sent(), [message_to(BOB, Message::Leave { conversation: conversation_id(1) })]);
    assert_eq!(ann.ends(), [CallEnd::Ended(DisconnectReason::Left)]);
    assert!(ann.disconnects().is_empty());
    ann.engine(5100, 1, BOB, EngineEvent::Closed);
    assert!(ann.disconnects().is_empty());
    ann.at(5200, Input::MediaReleased { conversation: conversation_id(1) });
    assert_eq!(ann.disconnects(), [DisconnectReason::Left]);
    ann.at(9000, Input::Deadline);
    assert_eq!(ann.disconnects().len(), 1);
}

#[test]
fn a_release_that_hangs_is_reported_after_3_seconds() {
    let mut ann = in_call();
    ann.at(5000, Input::Local(Press::Leave));
    assert_eq!(ann.machine.next_deadline(), Some(at(8000)));
    ann.at(8000, Input::Deadline);
    assert_eq!(ann.disconnects(), [DisconnectReason::Left]);
}

#[test]
fn leave_hangs_up_and_takes_back_and_declines_nobody() {
    let mut ann = calling();
    ann.at(100, Input::Local(Press::Leave));
    assert_eq!(ann.ends(), [CallEnd::Canceled]);
    let mut bob = ringing();
    bob.at(100, Input::Local(Press::Leave));
    assert!(bob.ends().is_empty() && matches!(bob.machine.state(), CallState::Incoming(_)));
    bob.at(200, Input::Local(Press::LeaveForGood));
    assert_eq!(bob.ends(), [CallEnd::Missed]);
    assert!(bob.is_idle() && bob.sent().contains(&message_to(ANN, Message::Reject { invite: invite_id(1) })));
    let mut nobody = Side::new(CAT);
    nobody.at(100, Input::Local(Press::Leave));
    assert!(nobody.effects.is_empty());
}

#[test]
fn the_far_side_hangs_up() {
    let mut ann = in_call();
    ann.from(5000, BOB, Message::Leave { conversation: conversation_id(1) });
    released(&mut ann, 5100, 1, BOB);
    assert_eq!(ann.disconnects(), [DisconnectReason::HungUp]);
    assert_eq!(ann.ends(), [CallEnd::Ended(DisconnectReason::HungUp)]);
}

#[test]
fn a_connection_that_is_not_made_in_20_seconds_has_failed() {
    let mut ann = calling();
    ann.from(1000, BOB, accept_message(1));
    ann.at(20_999, Input::Deadline);
    assert!(ann.ends().is_empty());
    ann.at(21_000, Input::Deadline);
    released(&mut ann, 21_100, 1, BOB);
    assert!(ann.reports().contains(&CallReport::ParticipantFailed {
        conversation: conversation_id(1),
        participant: id(BOB),
        error: CallError::ParticipantFailed
    }));
    assert_eq!(ann.disconnects(), [DisconnectReason::Failed]);
}

#[test]
fn a_failure_is_failed_before_and_lost_after_the_connection() {
    let mut bob = ringing();
    bob.at(500, accept_press(1));
    bob.engine(900, 1, ANN, EngineEvent::Failed);
    released(&mut bob, 1000, 1, ANN);
    assert_eq!(bob.disconnects(), [DisconnectReason::Failed]);

    let mut ann = in_call();
    ann.engine(9000, 1, BOB, EngineEvent::Failed);
    released(&mut ann, 9100, 1, BOB);
    assert_eq!(ann.disconnects(), [DisconnectReason::Lost]);
}

#[test]
fn an_answer_that_cannot_be_delivered_fails_the_call() {
    let mut bob = ringing();
    bob.at(500, accept_press(1));
    let accept = bob.sent().into_iter().map(|(_, message)| message).find(|m| matches!(m, Message::Accept { .. }));
    bob.at(600, Input::Undelivered { to: id(ANN), message: accept.unwrap() });
    released(&mut bob, 700, 1, ANN);
    assert_eq!(bob.disconnects(), [DisconnectReason::Failed]);
}

#[test]
fn an_answer_without_a_receipt_does_not_end_a_call_that_is_connected() {
    let mut bob = ringing();
    bob.at(500, accept_press(1));
    let accept = bob.sent().into_iter().map(|(_, message)| message).find(|m| matches!(m, Message::Accept { .. }));
    bob.engine(600, 1, ANN, EngineEvent::Connected);
    bob.effects.clear();
    bob.at(5500, Input::Undelivered { to: id(ANN), message: accept.unwrap() });
    assert!(bob.effects.is_empty());
}

#[test]
fn the_goodbye_may_come_after_the_connection_is_closed() {
    let mut ann = in_call();
    ann.engine(2000, 1, BOB, EngineEvent::Closed);
    assert!(ann.ends().is_empty());
    ann.from(2100, BOB, Message::Leave { conversation: conversation_id(1) });
    assert_eq!(ann.ends(), [CallEnd::Ended(DisconnectReason::HungUp)]);

    let mut ann = in_call();
    ann.engine(2000, 1, BOB, EngineEvent::Closed);
    ann.at(4000, Input::Deadline);
    assert_eq!(ann.ends(), [CallEnd::Ended(DisconnectReason::Lost)]);
}

#[test]
fn a_late_answer_is_told_that_nobody_is_there() {
    let mut ann = calling();
    ann.at(900, Input::Local(Press::Cancel { invite: invite_id(1) }));
    ann.effects.clear();
    ann.from(950, BOB, accept_message(1));
    assert_eq!(ann.sent(), [message_to(BOB, Message::Leave { conversation: conversation_id(1) })]);
    assert!(ann.is_idle());

    let mut bob = ringing();
    bob.at(900, accept_press(1));
    bob.from(950, ANN, Message::Cancel { invite: invite_id(1) });
    bob.from(960, ANN, Message::Leave { conversation: conversation_id(1) });
    assert_eq!(bob.ends(), [CallEnd::Ended(DisconnectReason::HungUp)]);
}

#[test]
fn cancel_pressed_as_the_answer_arrives_ends_the_call() {
    let mut ann = calling();
    ann.from(1000, BOB, accept_message(1));
    ann.at(1001, Input::Local(Press::Cancel { invite: invite_id(1) }));
    assert_eq!(ann.ends(), [CallEnd::Ended(DisconnectReason::Left)]);
    assert!(ann.sent().contains(&message_to(BOB, Message::Leave { conversation: conversation_id(1) })));
}

#[test]
fn late_and_foreign_messages_change_nothing() {
    let mut ann = in_call();
    let before = format!("{:?}", ann.machine.state());
    let stale = [
        Message::Leave { conversation: conversation_id(8) },
        Message::Media { conversation: conversation_id(8), streams: MediaSet::of_call(false, false) },
        Message::Describe { conversation: conversation_id(8), description: call_rig::offer().into() },
        Message::Trickle { conversation: conversation_id(8), candidate: call_rig::candidate() },
        Message::Wish { conversation: conversation_id(8), stream: StreamId::CAMERA, max_height: 360 },
        Message::Cancel { invite: invite_id(8) },
        Message::Reject { invite: invite_id(1) },
        Message::Busy { invite: invite_id(1) },
        Message::Ringing { invite: invite_id(1) },
        accept_message(8),
        accept_message(1),
    ];
    let foreign = [
        Message::Leave { conversation: conversation_id(1) },
        Message::Media { conversation: conversation_id(1), streams: MediaSet::of_call(false, false) },
        Message::Describe { conversation: conversation_id(1), description: call_rig::offer().into() },
        Message::Trickle { conversation: conversation_id(1), candidate: call_rig::candidate() },
        Message::Wish { conversation: conversation_id(1), stream: StreamId::CAMERA, max_height: 360 },
        Message::Cancel { invite: invite_id(1) },
        accept_message(1),
    ];
    for message in stale {
        ann.from(2000, BOB, message);
    }
    for message in foreign {
        ann.from(2000, CAT, message);
    }
    for event in [EngineEvent::Failed, EngineEvent::Closed, EngineEvent::Described(call_rig::offer())] {
        ann.engine(2000, 8, BOB, event.clone());
        ann.engine(2000, 1, CAT, event);
    }
    assert!(ann.effects.is_empty(), "{:?}", ann.effects);
    assert_eq!(format!("{:?}", ann.machine.state()), before);
}

#[test]
fn the_same_invite_rings_once_and_a_newer_one_takes_its_place() {
    let mut bob = ringing();
    bob.from(100, ANN, call_rig::invite_message(1, "Ann"));
    bob.from(200, ANN, call_rig::invite_message(2, "Ann"));
    assert_eq!(bob.effects.iter().filter(|effect| **effect == Effect::StartRinging).count(), 1);
    assert!(bob.reports().contains(&CallReport::InviteCanceled { invite: invite_id(1) }));
    assert!(matches!(bob.machine.state(), CallState::Incoming(incoming) if incoming.invite() == invite_id(2)));
    bob.at(300, Input::Local(Press::Reject { invite: invite_id(2) }));
    bob.effects.clear();
    bob.from(400, ANN, call_rig::invite_message(1, "Ann"));
    bob.from(400, ANN, call_rig::invite_message(2, "Ann"));
    assert!(bob.effects.is_empty(), "an invite that is over does not ring again");
}

#[test]
fn a_second_invite_in_a_call_is_refused_here() {
    for mut side in [calling(), in_call()] {
        side.effects.clear();
        side.at(2000, Input::Local(invite_press(5, CAT)));
        let error = CallError::TooManyConversations;
        assert_eq!(side.reports(), [CallReport::PressRefused { error }]);
        assert!(side.sent().is_empty());
    }
}

#[test]
fn bad_arguments_are_refused_with_a_sentence() {
    let mut ann = Side::new(ANN);
    ann.at(0, Input::Local(invite_press(1, ANN)));
    ann.at(0, accept_press(4));
    ann.at(0, Input::Local(Press::Reject { invite: invite_id(4) }));
    ann.at(0, Input::Local(Press::Cancel { invite: invite_id(4) }));
    let failures = ann.reports();
    assert_eq!(failures.len(), 4);
    for failure in failures {
        assert!(matches!(failure, CallReport::PressRefused { error: CallError::BadArgument(_) }));
    }
    assert!(ann.is_idle());
}

#[test]
fn switching_camera_and_microphone_is_told_to_the_others() {
    let mut ann = in_call();
    ann.at(2000, Input::Local(Press::EnableStream(StreamState::camera(false))));
    ann.at(2001, Input::Local(Press::EnableStream(StreamState::audio(false))));
    ann.at(2002, Input::Local(Press::EnableStream(StreamState::audio(false))));
    let media = |audio, video| {
        message_to(BOB, Message::Media { conversation: conversation_id(1), streams: MediaSet::of_call(audio, video) })
    };
    assert_eq!(ann.sent(), [media(true, false), media(false, false)]);
    assert!(ann.effects.contains(&Effect::CloseStream { stream: StreamId::CAMERA }));
    ann.effects.clear();
    ann.at(2003, Input::Local(Press::EnableStream(StreamState::camera(true))));
    let camera_alone = MediaSet::of_call(false, true);
    assert!(matches!(ann.effects[0], Effect::OpenMedia { streams, .. } if streams == camera_alone));

    ann.effects.clear();
    for _ in 0..2 {
        ann.from(3000, BOB, Message::Media { conversation: conversation_id(1), streams: camera_alone });
    }
    let (conversation, participant, streams) = (conversation_id(1), id(BOB), camera_alone);
    let changed = |stream| CallReport::StreamChanged(ParticipantStream { conversation, participant, stream, streams });
    assert_eq!(ann.reports(), [changed(StreamState::audio(false)), changed(StreamState::camera(true))], "each once");
}

#[test]
fn early_candidates_wait_for_the_description() {
    let mut ann = calling();
    ann.from(1000, BOB, accept_message(1));
    ann.effects.clear();
    ann.from(1001, BOB, Message::Trickle { conversation: conversation_id(1), candidate: call_rig::candidate() });
    assert!(ann.effects.is_empty());
    let mut answer = call_rig::offer();
    answer.kind = visavis::call::DescriptionKind::Answer;
    ann.from(1002, BOB, Message::Describe { conversation: conversation_id(1), description: answer.into() });
    assert!(ann.effects.is_empty(), "the caller waits for an offer");
    for _ in 0..2 {
        ann.from(
            1002,
            BOB,
            Message::Describe { conversation: conversation_id(1), description: call_rig::offer().into() },
        );
    }
    assert!(matches!(ann.effects[..], [Effect::ApplyDescription { .. }, Effect::ApplyCandidate { .. }]));
}

#[test]
fn a_new_call_may_begin_while_the_last_one_still_closes() {
    let mut ann = in_call();
    ann.at(5000, Input::Local(Press::Leave));
    ann.from(5001, BOB, call_rig::invite_message(3, "Bob"));
    ann.at(5002, accept_press(3));
    // The old connection's end is not the new one's.
    ann.engine(5003, 1, BOB, EngineEvent::Closed);
    ann.engine(5004, 3, BOB, EngineEvent::Connected);
    ann.at(5005, Input::MediaReleased { conversation: conversation_id(1) });
    assert_eq!(ann.disconnects(), [DisconnectReason::Left]);
    assert!(
        matches!(ann.machine.state(), CallState::Conversation(current) if current.connected_at() == Some(at(5004)))
    );
}

#[test]
fn the_one_who_gives_way_withdraws_its_own_invite_first() {
    let mut bob = Side::new(BOB);
    bob.at(0, Input::Local(invite_press(2, ANN)));
    bob.effects.clear();
    bob.from(10, ANN, call_rig::invite_message(1, "Ann"));
    let accept =
        Message::Accept { invite: invite_id(1), name: "Person 2".to_owned(), streams: MediaSet::of_call(true, true) };
    assert_eq!(bob.sent(), [message_to(ANN, Message::Cancel { invite: invite_id(2) }), message_to(ANN, accept)]);
    assert!(
        bob.reports().contains(&CallReport::InviteAccepted { invite: invite_id(2), conversation: conversation_id(1) })
    );
    // Cancel of the invite as this side knows it still ends the call.
    bob.at(20, Input::Local(Press::Cancel { invite: invite_id(2) }));
    assert_eq!(bob.ends(), [CallEnd::Ended(DisconnectReason::Left)]);
}

#[test]
fn the_latest_wish_for_this_sides_picture_holds() {
    let mut ann = in_call();
    let wish = |side: &Side| match side.machine.state() {
        CallState::Conversation(conversation) => {
            conversation.participants().next().expect("Bob").1.wish(StreamId::CAMERA)
        }
        _ => panic!("no call"),
    };
    assert_eq!(wish(&ann), None, "who says nothing wants everything");
    for (lines, held) in [(720, 720), (360, 360), (0, MIN_HEIGHT), (u32::MAX, u32::MAX)] {
        ann.from(
            2000,
            BOB,
            Message::Wish { conversation: conversation_id(1), stream: StreamId::CAMERA, max_height: lines },
        );
        assert_eq!(wish(&ann), Some(held));
    }
    assert!(ann.effects.is_empty(), "nothing is asked of anybody: {:?}", ann.effects);
}
