//! Calls with a program whose descriptions are of another version: there is none, and both people are told why.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod call_rig;

use call_rig::{
    BOB, Side, accept_message, calling, conversation_id, id, in_call, invite_id, invite_message, message_to, released,
};
use visavis::call::{
    AnyDescription, CallEnd, CallError, CallReport, Description, DisconnectReason, Effect, EngineEvent, Input, Message,
    Standing, VersionSkew, Versions,
};

fn describe(version: u16) -> Message {
    Message::Describe { conversation: conversation_id(1), description: AnyDescription::OtherVersion(version) }
}

fn incompatible(version: u16) -> Message {
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

/// Bob's invite, by a program that understands descriptions of these versions.
fn invite(understood: Versions) -> Message {
    match invite_message(1, "Bob") {
        Message::Invite { invite, conversation, name, user_data, streams, .. } => {
            Message::Invite { invite, conversation, name, user_data, streams, descriptions: understood }
        }
        _ => panic!("no invite"),
    }
}

fn later() -> Versions {
    Versions { min: Description::VERSION + 1, max: Description::VERSION + 3 }
}

#[test]
fn nobody_rings_whose_program_could_not_describe_the_call_and_both_are_told() {
    for (understood, expected) in [(later(), VersionSkew::OwnIsOlder), (Versions::default(), VersionSkew::FarIsOlder)] {
        for mut ann in [Side::new(call_rig::ANN), in_call()] {
            let was_idle = ann.is_idle();
            ann.effects.clear();
            // A message may come twice.
            for at in [2000, 2001] {
                ann.from(at, BOB, invite(understood));
            }
            assert_eq!(ann.sent(), [message_to(BOB, incompatible(Description::VERSION))], "once");
            let reports = ann.reports();
            let [CallReport::RangIncompatible { from, skew, .. }] = &reports[..] else { panic!("{reports:?}") };
            assert_eq!((*from, *skew), (id(BOB), expected));
            assert_eq!(ann.is_idle(), was_idle);
            assert!(!ann.effects.iter().any(Effect::bears_consent));
        }
    }
}

#[test]
fn an_unwelcome_invite_of_another_version_reveals_nothing() {
    let mut ann = Side::new(call_rig::ANN);
    ann.at(1000, Input::Peer { from: id(BOB), standing: Standing::Unwelcome, message: invite(later()) });
    assert!(ann.effects.is_empty() && ann.is_idle());
}

#[test]
fn a_range_with_a_version_in_common_rings() {
    let mut ann = Side::new(call_rig::ANN);
    ann.from(1000, BOB, invite(Versions { min: 0, max: 9 }));
    assert_eq!(ann.sent(), [message_to(BOB, Message::Ringing { invite: invite_id(1) })]);
}

#[test]
fn the_caller_hears_at_the_invite_that_a_side_needs_a_newer_program() {
    for (version, end, error) in [
        (Description::VERSION - 1, CallEnd::NeedsNewerThere, CallError::NeedsNewerThere),
        (Description::VERSION + 1, CallEnd::NeedsNewerHere, CallError::NeedsNewerHere),
    ] {
        let mut ann = calling();
        ann.from(900, 7, incompatible(version));
        assert!(!ann.is_idle(), "of somebody else");
        ann.effects.clear();
        ann.from(1000, BOB, incompatible(version));
        let failed = CallReport::InviteFailed { invite: invite_id(1), to: id(BOB), error };
        assert!(ann.reports().contains(&failed));
        assert_eq!(ann.ends(), [end]);
        assert!(ann.is_idle());
    }
}
