//! Presence and devices in the state chart: people who are there or gone, devices that work or do not.

mod call_rig;

use call_rig::{
    ANN, BOB, CAT, Side, accept_message, accept_press, calling, conversation_id, id, in_call, invite_id, invite_press,
    message_to, released, ringing,
};
use visavis::call::{CallEnd, CallError, CallReport, DisconnectReason, Effect, EngineEvent, Input, Message, Press};
use visavis::media::{MediaSet, StreamState};

#[test]
fn whoever_is_gone_rings_no_more_and_is_rung_no_more() {
    let mut bob = ringing();
    bob.at(900, Input::Gone { peer: id(CAT) });
    assert!(bob.ends().is_empty());
    bob.at(1000, Input::Gone { peer: id(ANN) });
    assert!(bob.reports().contains(&CallReport::InviteCanceled { invite: invite_id(1) }));
    assert_eq!(bob.ends(), [CallEnd::Missed]);
    assert!(bob.effects.contains(&Effect::StopRinging));

    let mut ann = calling();
    ann.at(1000, Input::Gone { peer: id(BOB) });
    let (invite, to, error) = (invite_id(1), id(BOB), CallError::InviteFailed);
    assert!(ann.reports().contains(&CallReport::InviteFailed { invite, to, error }));
    assert_eq!(ann.ends(), [CallEnd::Unreachable]);
    assert!(ann.sent().contains(&message_to(BOB, Message::Cancel { invite: invite_id(1) })), "in case they return");
}

#[test]
fn whoever_is_gone_while_connecting_has_failed_and_a_connected_call_goes_on() {
    let mut ann = calling();
    ann.from(1000, BOB, accept_message(1));
    ann.at(1100, Input::Gone { peer: id(BOB) });
    released(&mut ann, 1200, 1, BOB);
    assert_eq!(ann.disconnects(), [DisconnectReason::Failed]);

    let mut ann = in_call();
    ann.at(2000, Input::Gone { peer: id(BOB) });
    ann.engine(3000, 1, BOB, EngineEvent::Interrupted);
    ann.at(4000, Input::Gone { peer: id(BOB) });
    assert!(ann.ends().is_empty() && !ann.is_idle());
}

#[test]
fn what_no_device_gives_is_announced_to_nobody() {
    let media = |audio, video| {
        message_to(BOB, Message::Media { conversation: conversation_id(1), streams: MediaSet::of_call(audio, video) })
    };
    let mut ann = in_call();
    ann.at(2000, Input::Captures { streams: MediaSet::of_call(true, false) });
    ann.at(2001, Input::Captures { streams: MediaSet::of_call(true, false) });
    ann.at(2002, Input::Local(Press::EnableStream(StreamState::audio(false))));
    ann.at(2003, Input::Captures { streams: MediaSet::of_call(true, true) });
    assert_eq!(ann.sent(), [media(true, false), media(false, false), media(false, true)]);
    assert!(!ann.effects.iter().any(Effect::bears_consent), "a device that comes back opens nothing by itself");

    let mut bob = ringing();
    bob.at(100, Input::Captures { streams: MediaSet::of_call(true, false) });
    bob.at(500, accept_press(1));
    let accept =
        Message::Accept { invite: invite_id(1), name: "Person 2".to_owned(), streams: MediaSet::of_call(true, false) };
    assert!(bob.sent().contains(&message_to(ANN, accept)));

    let mut ann = Side::new(ANN);
    ann.at(0, Input::Captures { streams: MediaSet::of_call(false, true) });
    ann.at(0, Input::Local(invite_press(1, BOB)));
    assert!(matches!(ann.sent()[0].1, Message::Invite { streams, .. } if streams == MediaSet::of_call(false, true)));
    ann.at(10, Input::Captures { streams: MediaSet::of_call(true, true) });
    ann.from(1000, BOB, accept_message(1));
    assert!(ann.sent().contains(&media(true, true)), "what has changed while it rang");
}
