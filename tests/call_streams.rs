//! Streams by identity in a call: a screen beside the camera, through the state chart.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod call_rig;

use call_rig::{ANN, BOB, Side, accept_message, calling, conversation_id, id, in_call, invite_id, message_to, ringing};
use visavis::call::{CallReport, CallState, Effect, EngineEvent, Input, Message, ParticipantStream, Press};
use visavis::media::{MIN_HEIGHT, MediaSet, StreamId, StreamKind, StreamState};

fn media(streams: MediaSet) -> Message {
    Message::Media { conversation: conversation_id(1), streams }
}

fn enable(stream: StreamState) -> Input {
    Input::Local(Press::EnableStream(stream))
}

/// A call's two streams and a screen.
fn with_screen(on: bool) -> MediaSet {
    MediaSet::of_call(true, true).with(StreamState::screen(on))
}

/// Added and changed streams, in the order of the reports.
fn told(side: &Side) -> Vec<(bool, StreamState, MediaSet)> {
    let reports = side.reports().into_iter();
    reports
        .filter_map(|report| match report {
            CallReport::StreamAdded(ParticipantStream { participant, stream, streams, .. })
                if participant == id(BOB) =>
            {
                Some((true, stream, streams))
            }
            CallReport::StreamChanged(ParticipantStream { participant, stream, streams, .. })
                if participant == id(BOB) =>
            {
                Some((false, stream, streams))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn a_screen_is_shared_beside_the_camera_and_told_to_the_others() {
    let mut ann = in_call();
    ann.at(2000, enable(StreamState::screen(true)));
    assert!(matches!(ann.effects[0], Effect::OpenMedia { streams, .. } if streams == with_screen(true)));
    assert_eq!(ann.sent(), [message_to(BOB, media(with_screen(true)))]);
    ann.effects.clear();
    ann.at(3000, enable(StreamState::camera(false)));
    let alone = with_screen(true).with(StreamState::camera(false));
    assert_eq!(ann.sent(), [message_to(BOB, media(alone))]);
    assert!(ann.effects.contains(&Effect::CloseStream { stream: StreamId::CAMERA }), "and the screen stays");
    ann.effects.clear();
    ann.at(4000, enable(StreamState::screen(false)));
    assert!(ann.effects.contains(&Effect::CloseStream { stream: StreamId::SCREEN }));
    let CallState::Conversation(conversation) = ann.machine.state() else { panic!("no call") };
    assert!(conversation.sends().audio() && !conversation.sends().sends(StreamKind::Screen));
}

#[test]
fn each_of_their_streams_is_added_once_and_its_changes_are_its_own() {
    let mut ann = calling();
    ann.from(1000, BOB, accept_message(1));
    ann.engine(1500, 1, BOB, EngineEvent::Connected);
    let call = MediaSet::of_call(true, false);
    assert_eq!(told(&ann), [(true, StreamState::audio(true), call), (true, StreamState::camera(false), call)]);
    ann.effects.clear();
    let shared = call.with(StreamState::screen(true));
    for _ in 0..2 {
        ann.from(2000, BOB, media(shared));
    }
    assert_eq!(told(&ann), [(true, StreamState::screen(true), shared)]);
    ann.effects.clear();
    let muted = shared.with(StreamState::audio(false));
    ann.from(3000, BOB, media(muted));
    // A side that names a stream no more does not send it.
    ann.from(4000, BOB, media(MediaSet::of_call(false, false)));
    assert_eq!(
        told(&ann),
        [
            (false, StreamState::audio(false), muted),
            (false, StreamState::screen(false), MediaSet::of_call(false, false)),
        ]
    );
    assert!(!ann.effects.iter().any(Effect::bears_consent), "their streams open nothing here");
}

#[test]
fn a_device_that_fails_is_off_in_its_stream_alone() {
    let mut ann = in_call();
    ann.at(2000, enable(StreamState::screen(true)));
    ann.effects.clear();
    ann.at(2500, Input::Captures { streams: with_screen(true).with(StreamState::camera(false)) });
    assert_eq!(ann.sent(), [message_to(BOB, media(with_screen(true).with(StreamState::camera(false))))]);
    ann.effects.clear();
    ann.at(2600, Input::Captures { streams: MediaSet::of_call(true, true) });
    assert_eq!(ann.sent(), [message_to(BOB, media(with_screen(false)))], "the screen is captured no more");
}

#[test]
fn wishes_are_of_one_stream() {
    let mut ann = in_call();
    let wish = |side: &Side, stream| match side.machine.state() {
        CallState::Conversation(conversation) => conversation.participants().next().expect("Bob").1.wish(stream),
        _ => panic!("no call"),
    };
    let conversation = conversation_id(1);
    ann.from(2000, BOB, Message::Wish { conversation, stream: StreamId::SCREEN, max_height: 1080 });
    assert_eq!((wish(&ann, StreamId::SCREEN), wish(&ann, StreamId::CAMERA)), (Some(1080), None));
    ann.from(2001, BOB, Message::Wish { conversation, stream: StreamId::CAMERA, max_height: 7 });
    assert_eq!((wish(&ann, StreamId::SCREEN), wish(&ann, StreamId::CAMERA)), (Some(1080), Some(MIN_HEIGHT)));
}

#[test]
fn an_answer_may_name_a_screen_from_the_start() {
    let mut bob = ringing();
    bob.at(500, Input::Local(Press::Accept { invite: invite_id(1), streams: with_screen(true) }));
    let accepted = |(to, message): (_, Message)| match message {
        Message::Accept { streams, .. } if to == id(ANN) => Some(streams),
        _ => None,
    };
    assert_eq!(bob.sent().into_iter().find_map(accepted), Some(with_screen(true)));
}
