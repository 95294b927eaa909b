//! The state chart and a far side whose computer closes the signaling connection: its program has ended, unless media
//! goes on coming.

mod call_rig;

use call_rig::{
    ANN, BOB, Side, accept_press, conversation_id, id, in_call, invite_id, invite_message, released, ringing,
};
use visavis::call::{
    CallEnd, CallReport, CallState, DisconnectReason, EngineEvent, Input, Message, ParticipantState, Standing,
};

const CLOSED: Input = Input::FarClosed { peer: id_of_bob() };
const RESTORED: Input = Input::FarRestored { peer: id_of_bob() };

const fn id_of_bob() -> visavis::identity::PeerId {
    visavis::identity::PeerId::from_bytes([BOB; 32])
}

fn lost(side: &mut Side, ms: u64) {
    released(side, ms, 1, BOB);
    assert_eq!(side.disconnects(), [DisconnectReason::Lost]);
    assert_eq!(side.ends(), [CallEnd::Ended(DisconnectReason::Lost)]);
}

/// Runs every deadline up to `until`; when the call ended, in ms.
fn ended_at(side: &mut Side, until: u64) -> Option<u64> {
    loop {
        if side.is_idle() {
            return side.reports().iter().find_map(|report| match report {
                CallReport::CallEnded(record) => Some(record.ended_at.as_millis()),
                _ => None,
            });
        }
        let due = side.machine.next_deadline().map(|at| at.as_millis()).filter(|&ms| ms <= until)?;
        side.at(due, Input::Deadline);
    }
}

#[test]
fn a_program_that_was_killed_is_lost_within_five_seconds() {
    let mut ann = in_call();
    ann.at(10_000, CLOSED);
    ann.engine(11_200, 1, BOB, EngineEvent::Interrupted);
    assert_eq!(ended_at(&mut ann, 60_000), Some(14_000));
    lost(&mut ann, 14_010);
}

#[test]
fn the_silence_may_be_noticed_before_the_close() {
    let mut ann = in_call();
    ann.engine(10_000, 1, BOB, EngineEvent::Interrupted);
    ann.at(10_700, CLOSED);
    assert_eq!(ended_at(&mut ann, 60_000), Some(14_700));
    lost(&mut ann, 14_710);
}

#[test]
fn a_network_that_is_gone_keeps_its_thirty_seconds() {
    let mut ann = in_call();
    ann.engine(10_000, 1, BOB, EngineEvent::Interrupted);
    // They are away, and nobody has closed anything.
    ann.at(18_500, Input::Gone { peer: id(BOB) });
    assert_eq!(ended_at(&mut ann, 60_000), Some(40_000));
}

#[test]
fn a_late_close_makes_an_interruption_no_longer() {
    let mut ann = in_call();
    ann.engine(10_000, 1, BOB, EngineEvent::Interrupted);
    ann.at(38_500, CLOSED);
    assert_eq!(ended_at(&mut ann, 60_000), Some(40_000));
}

#[test]
fn a_call_whose_media_goes_on_does_not_need_signaling() {
    let mut ann = in_call();
    ann.at(10_000, CLOSED);
    assert_eq!(ended_at(&mut ann, 3_600_000), None);
    // Half a minute later the network fails for a while: that has nothing to do with it.
    ann.engine(40_000, 1, BOB, EngineEvent::Interrupted);
    assert_eq!(ended_at(&mut ann, 69_999), None);
    ann.engine(69_999, 1, BOB, EngineEvent::Connected);
    assert_eq!(ended_at(&mut ann, 3_600_000), None);
}

#[test]
fn media_that_comes_again_and_a_connection_that_is_restored_end_the_suspicion() {
    let mut ann = in_call();
    ann.at(10_000, CLOSED);
    ann.engine(11_200, 1, BOB, EngineEvent::Interrupted);
    ann.engine(12_000, 1, BOB, EngineEvent::Connected);
    ann.engine(12_300, 1, BOB, EngineEvent::Interrupted);
    assert_eq!(ended_at(&mut ann, 42_299), None, "this interruption is another one");

    let mut ann = in_call();
    ann.at(10_000, CLOSED);
    ann.engine(11_200, 1, BOB, EngineEvent::Interrupted);
    ann.at(13_000, RESTORED);
    assert_eq!(ended_at(&mut ann, 60_000), Some(41_200));
}

#[test]
fn what_others_close_ends_nothing() {
    let mut ann = in_call();
    ann.engine(10_000, 1, BOB, EngineEvent::Interrupted);
    ann.at(10_100, Input::FarClosed { peer: id(9) });
    assert_eq!(ended_at(&mut ann, 39_999), None);
    let mut nobody = Side::new(ANN);
    nobody.at(0, CLOSED);
    assert!(nobody.is_idle() && nobody.effects.is_empty());
}

#[test]
fn whoever_begins_anew_may_ring_at_once_and_the_old_call_is_lost() {
    // Killed and started again before the silence is noticed; killed, and noticed; a computer that lost its power.
    for (closed, interrupted) in [(Some(10_000), None), (Some(10_000), Some(11_200)), (None, Some(10_000))] {
        let mut ann = in_call();
        if let Some(ms) = closed {
            ann.at(ms, CLOSED);
        }
        if let Some(ms) = interrupted {
            ann.engine(ms, 1, BOB, EngineEvent::Interrupted);
        }
        ann.from(12_000, BOB, invite_message(2, "Bob"));
        assert_eq!(ann.ends(), [CallEnd::Ended(DisconnectReason::Lost)], "{closed:?} {interrupted:?}");
        let CallState::Incoming(incoming) = ann.machine.state() else { panic!("it rings") };
        assert_eq!((incoming.invite(), incoming.from()), (invite_id(2), id(BOB)));
        assert!(!ann.sent().iter().any(|(_, message)| matches!(message, Message::Busy { .. })));
        ann.at(12_500, accept_press(2));
        assert!(matches!(ann.machine.state(), CallState::Conversation(call) if call.id() == conversation_id(2)));
    }
}

#[test]
fn an_invite_ends_no_call_that_goes_on() {
    let mut ann = in_call();
    ann.from(10_000, BOB, invite_message(2, "Bob"));
    ann.at(20_000, CLOSED);
    ann.from(25_000, BOB, invite_message(3, "Bob"));
    assert!(ann.ends().is_empty());
    let busy = ann.sent().iter().filter(|(_, message)| matches!(message, Message::Busy { .. })).count();
    assert_eq!(busy, 2, "media goes on: somebody plays with the protocol");

    // Unwelcome by now: they may not ring, and what they send ends nothing.
    let mut ann = in_call();
    ann.engine(10_000, 1, BOB, EngineEvent::Interrupted);
    let message = invite_message(2, "Bob");
    ann.at(10_500, Input::Peer { from: id(BOB), standing: Standing::Unwelcome, message });
    assert!(ann.ends().is_empty());
}

#[test]
fn a_callee_that_closes_while_connecting_is_left_to_its_own_time() {
    let mut bob = ringing();
    bob.at(500, accept_press(1));
    bob.at(600, Input::FarClosed { peer: id(ANN) });
    let CallState::Conversation(call) = bob.machine.state() else { panic!("connecting") };
    let link = call.participants().next().map(|(_, ann)| ann.state());
    assert!(matches!(link, Some(ParticipantState::Connecting { until }) if until.as_millis() == 20_500));
}
