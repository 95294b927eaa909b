//! Calls with a program whose descriptions are of another version: there is none, and both people are told why.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod call_rig;

use call_rig::{BOB, Side, accept_message, calling, conversation_id, id, in_call, message_to, released};
use visavis::call::{
    AnyDescription, CallEnd, CallError, CallReport, Description, DisconnectReason, Effect, EngineEvent, Message,
};

fn describe(version: u32) -> Message {
    Message::Describe { conversation: conversation_id(1), description: AnyDescription::OtherVersion(version) }
}

fn incompatible(version: u32) -> Message {
    Message::Incompatible { conversation: conversation_id(1), version }
}

/// Ann, whose invite Bob has accepted.
fn connecting() -> Side {
    let mut ann = calling();
    ann.from(1000, BOB, accept_message(1));
    ann.effects.clear();
    ann
}

fn failures(side: &Side) -> Vec<CallError> {
    let reports = side.reports().into_iter();
    reports
        .filter_map(|report| match report {
            CallReport::ParticipantFailed { error, .. } => Some(error),
            _ => None,
        })
        .collect()
}

#[test]
fn a_newer_description_ends_the_call_with_words_and_is_answered() {
    let mut ann = connecting();
    ann.from(1100, BOB, describe(Description::VERSION + 1));
    assert_eq!(ann.sent(), [message_to(BOB, incompatible(Description::VERSION))]);
    assert_eq!(failures(&ann), [CallError::NeedsNewerHere]);
    assert_eq!(ann.ends(), [CallEnd::NeedsNewerHere]);
    assert!(ann.is_idle() && !ann.effects.iter().any(Effect::bears_consent));
    released(&mut ann, 1200, 1, BOB);
    assert_eq!(ann.disconnects(), [DisconnectReason::Failed]);
}

#[test]
fn an_older_program_is_told_apart_from_a_newer_one() {
    for (message, end, error) in [
        (describe(Description::VERSION - 1), CallEnd::NeedsNewerThere, CallError::NeedsNewerThere),
        (incompatible(Description::VERSION - 1), CallEnd::NeedsNewerThere, CallError::NeedsNewerThere),
        (incompatible(Description::VERSION + 1), CallEnd::NeedsNewerHere, CallError::NeedsNewerHere),
    ] {
        let mut ann = connecting();
        ann.from(1100, BOB, message.clone());
        assert_eq!((ann.ends(), failures(&ann)), (vec![end], vec![error]), "{message:?}");
        let answered = ann.sent().iter().any(|(_, sent)| matches!(sent, Message::Incompatible { .. }));
        assert_eq!(answered, matches!(message, Message::Describe { .. }), "an answer is not answered");
    }
}

#[test]
fn words_about_versions_disturb_no_call_that_is_connected_and_no_other_one() {
    let mut ann = in_call();
    ann.from(2000, BOB, describe(9));
    ann.from(2001, BOB, incompatible(9));
    assert!(ann.effects.is_empty() && !ann.is_idle());

    let mut ann = connecting();
    ann.from(1100, 7, incompatible(9));
    ann.from(1101, BOB, Message::Incompatible { conversation: conversation_id(2), version: 9 });
    assert!(ann.effects.is_empty());
    ann.engine(1200, 1, BOB, EngineEvent::Connected);
    let connected = |report: &CallReport| matches!(report, CallReport::ParticipantConnected { participant, .. } if *participant == id(BOB));
    assert!(ann.reports().iter().any(connected));
}
