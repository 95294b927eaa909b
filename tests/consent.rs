//! The promise: nobody sees or hears you before you press Answer. No matter what others send and what the network does,
//! no device and no peer connection is opened without a press.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod call_rig;

use std::collections::HashSet;

use call_rig::{Side, conversation_id, id, invite_id, invite_message, invite_press};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use visavis::call::{
    AnyDescription, CallState, ConversationId, Effect, EngineEvent, Input, InviteId, Message, Press, Role, Standing,
    Versions,
};
use visavis::media::{MediaSet, StreamId, StreamState};

const ME: u8 = 5;

#[test]
fn ringing_opens_nothing_and_sends_nothing_but_that_it_rings() {
    let mut me = Side::new(ME);
    me.from(0, 1, invite_message(1, "Ann"));
    me.from(1, 1, Message::Describe { conversation: conversation_id(1), description: call_rig::offer().into() });
    me.from(2, 1, Message::Trickle { conversation: conversation_id(1), candidate: call_rig::candidate() });
    me.from(
        3,
        1,
        Message::Accept { invite: invite_id(1), name: "Ann".to_owned(), streams: MediaSet::of_call(true, true) },
    );
    me.from(4, 1, Message::Media { conversation: conversation_id(1), streams: MediaSet::of_call(true, true) });
    me.engine(5, 1, 1, EngineEvent::Connected);
    me.engine(6, 1, 1, EngineEvent::Described(call_rig::offer()));
    assert!(!me.effects.iter().any(Effect::bears_consent));
    assert_eq!(me.sent(), [call_rig::message_to(1, Message::Ringing { invite: invite_id(1) })]);
    assert!(matches!(me.machine.state(), CallState::Incoming(_)));
}

#[test]
fn pressing_answer_opens_the_call_and_the_offer_is_this_sides() {
    let mut me = Side::new(ME);
    me.from(0, 1, invite_message(1, "Ann"));
    me.at(10, Input::Local(Press::Accept { invite: invite_id(1), streams: MediaSet::of_call(true, false) }));
    assert!(me.effects.iter().any(
        |effect| matches!(effect, Effect::OpenMedia { streams, .. } if *streams == MediaSet::of_call(true, false))
    ));
    assert!(me.effects.iter().any(|effect| matches!(effect, Effect::ConnectPeer { role: Role::Offerer, .. })));
}

#[test]
fn a_caller_is_connected_only_to_the_invited_person_who_accepts_that_invite() {
    let accept = |invite| Message::Accept { invite, name: String::new(), streams: MediaSet::of_call(true, true) };
    let mut me = Side::new(ME);
    me.at(0, Input::Local(invite_press(1, 7)));
    me.effects.clear();
    me.from(1, 8, accept(invite_id(1)));
    me.from(2, 7, accept(invite_id(2)));
    me.from(3, 7, Message::Describe { conversation: conversation_id(1), description: call_rig::offer().into() });
    assert!(me.effects.is_empty());
    me.from(4, 7, accept(invite_id(1)));
    assert_eq!(me.effects.iter().filter(|effect| effect.bears_consent()).count(), 1);
    me.effects.clear();
    me.from(5, 7, accept(invite_id(1)));
    assert!(me.effects.is_empty(), "a consent is handed over once");
}

/// Parts of messages, presses and events: few people and few identifiers, so that random sequences meet.
#[derive(Clone, Debug)]
struct Parts {
    number: u128,
    person: u8,
    standing: Standing,
    audio: bool,
    video: bool,
    text: String,
}

impl Parts {
    fn any() -> impl Strategy<Value = Self> {
        let standing = prop_oneof![Just(Standing::Contact), Just(Standing::Stranger), Just(Standing::Unwelcome)];
        (0..4_u128, 3..8_u8, standing, any::<bool>(), any::<bool>(), ".{0,40}").prop_map(
            |(number, person, standing, audio, video, text)| Self { number, person, standing, audio, video, text },
        )
    }

    fn invite(&self) -> InviteId {
        invite_id(self.number)
    }

    fn conversation(&self) -> ConversationId {
        conversation_id(self.number)
    }
}

/// Defines `$all`, one value of each variant of `$of`, and `$name`, the variant of a value. A variant that is missing
/// in the list does not compile, so that none can be left out of the tests below.
macro_rules! variants {
    ($all:ident, $name:ident, $of:ident: $parts:ident => $($variant:ident: $value:expr,)+) => {
        fn $name(value: &$of) -> &'static str {
            match value {
                $($of::$variant { .. } => stringify!($variant),)+
            }
        }

        fn $all($parts: &Parts) -> Vec<$of> {
            let all = vec![$($value),+];
            assert!(all.iter().map($name).eq([$(stringify!($variant)),+]), "each is made as it is listed");
            all
        }
    };
}

variants! { messages, message_name, Message: parts =>
    Invite: Message::Invite {
        invite: parts.invite(),
        conversation: parts.conversation(),
        name: parts.text.clone(),
        user_data: parts.text.clone(),
        streams: MediaSet::of_call(parts.audio, parts.video),
        descriptions: Versions { min: u16::from(!parts.video), max: parts.person.into() }
    },
    Ringing: Message::Ringing { invite: parts.invite() },
    Accept: Message::Accept {
        invite: parts.invite(),
        name: parts.text.clone(),
        streams: MediaSet::of_call(parts.audio, parts.video)
    },
    Reject: Message::Reject { invite: parts.invite() },
    Cancel: Message::Cancel { invite: parts.invite() },
    Busy: Message::Busy { invite: parts.invite() },
    Describe: Message::Describe {
        conversation: parts.conversation(),
        description: if parts.audio { call_rig::offer().into() } else { AnyDescription::OtherVersion(2) },
    },
    Trickle: Message::Trickle { conversation: parts.conversation(), candidate: call_rig::candidate() },
    Restart: Message::Restart {
        conversation: parts.conversation(),
        generation: u32::from(parts.video),
        moved: parts.audio,
    },
    Ended: Message::Ended { conversation: parts.conversation() },
    Media: Message::Media { conversation: parts.conversation(), streams: MediaSet::of_call(parts.audio, parts.video) },
    Wish: Message::Wish {
        conversation: parts.conversation(),
        stream: StreamId::new(parts.number as u8),
        max_height: parts.text.len() as u32 * 36,
    },
    Incompatible: Message::Incompatible { conversation: parts.conversation(), version: parts.person.into() },
    AnsweredElsewhere: Message::AnsweredElsewhere { invite: parts.invite() },
    Missed: Message::Missed { ago_s: parts.person.into() },
    PictureWanted: Message::PictureWanted { have: parts.audio.then(|| parts.text.clone()) },
    Picture: Message::Picture { picture: None },
    Leave: Message::Leave { conversation: parts.conversation() },
}

variants! { presses, press_name, Press: parts =>
    OpenStream: Press::OpenStream { streams: MediaSet::of_call(parts.audio, parts.video) },
    Invite: invite_press(parts.number, parts.person),
    Cancel: Press::Cancel { invite: parts.invite() },
    Accept: Press::Accept { invite: parts.invite(), streams: MediaSet::of_call(parts.audio, parts.video) },
    Reject: Press::Reject { invite: parts.invite() },
    Ignore: Press::Ignore { invite: parts.invite() },
    EnableStream: Press::EnableStream(match parts.number {
        0 => StreamState::audio(parts.audio),
        1 => StreamState::camera(parts.video),
        _ => StreamState::screen(parts.video),
    }),
    Leave: Press::Leave,
    LeaveForGood: Press::LeaveForGood,
    Block: Press::Block { peer: id(parts.person) },
}

variants! { engine_events, engine_event_name, EngineEvent: _parts =>
    Described: EngineEvent::Described(call_rig::offer()),
    Gathered: EngineEvent::Gathered(call_rig::candidate()),
    Connected: EngineEvent::Connected,
    Interrupted: EngineEvent::Interrupted,
    Failed: EngineEvent::Failed,
    Closed: EngineEvent::Closed,
}

/// `one` of what `all` gives.
fn pick<T: Clone>(all: &[T], one: &prop::sample::Index) -> T {
    one.get(all).clone()
}

fn a_message() -> impl Strategy<Value = (Parts, Message)> {
    let any_kind = (Parts::any(), any::<prop::sample::Index>()).prop_map(|(parts, one)| {
        let message = pick(&messages(&parts), &one);
        (parts, message)
    });
    // More of those that get a call going.
    let opening = (Parts::any(), any::<bool>()).prop_map(|(parts, invite)| {
        let message = messages(&parts).swap_remove(if invite { 0 } else { 2 });
        (parts, message)
    });
    prop_oneof![3 => any_kind, 1 => opening]
}

fn a_press() -> impl Strategy<Value = Input> {
    (Parts::any(), any::<prop::sample::Index>()).prop_map(|(parts, one)| Input::Local(pick(&presses(&parts), &one)))
}

/// Any input but a press; that none is left out is tested below.
fn a_far_input() -> impl Strategy<Value = Input> {
    let from_a_peer = a_message().prop_map(|(Parts { person, standing, .. }, message)| Input::Peer {
        from: id(person),
        standing,
        message,
    });
    let of_the_engine = (Parts::any(), any::<prop::sample::Index>()).prop_map(|(parts, one)| Input::Engine {
        conversation: parts.conversation(),
        peer: id(parts.person),
        event: pick(&engine_events(&parts), &one),
    });
    prop_oneof![
        6 => from_a_peer,
        2 => of_the_engine,
        1 => a_message().prop_map(|(parts, message)| Input::Undelivered { to: id(parts.person), message }),
        1 => any::<(bool, bool)>().prop_map(|(audio, video)| Input::Captures { streams: MediaSet::of_call(audio, video) }),
        1 => (3..8_u8).prop_map(|peer| Input::Gone { peer: id(peer) }),
        1 => (3..8_u8).prop_map(|peer| Input::FarClosed { peer: id(peer) }),
        1 => (3..8_u8).prop_map(|peer| Input::FarRestored { peer: id(peer) }),
        1 => (0..4_u128).prop_map(|number| Input::MediaReleased { conversation: conversation_id(number) }),
        1 => any::<bool>().prop_map(|on| Input::DoNotDisturb { on }),
        1 => Just(Input::NetworkChanged),
        1 => Just(Input::Deadline),
    ]
}

variants! { inputs, input_name, Input: parts =>
    Local: Input::Local(Press::Leave),
    Peer: Input::Peer {
        from: id(parts.person),
        standing: parts.standing,
        message: Message::Leave { conversation: parts.conversation() },
    },
    Engine: Input::Engine {
        conversation: parts.conversation(),
        peer: id(parts.person),
        event: EngineEvent::Connected,
    },
    Undelivered: Input::Undelivered {
        to: id(parts.person),
        message: Message::Leave { conversation: parts.conversation() },
    },
    Gone: Input::Gone { peer: id(parts.person) },
    FarClosed: Input::FarClosed { peer: id(parts.person) },
    FarRestored: Input::FarRestored { peer: id(parts.person) },
    Captures: Input::Captures { streams: MediaSet::of_call(parts.audio, parts.video) },
    DoNotDisturb: Input::DoNotDisturb { on: parts.audio },
    NetworkChanged: Input::NetworkChanged,
    MediaReleased: Input::MediaReleased { conversation: parts.conversation() },
    Deadline: Input::Deadline,
}

/// The tests below would prove little if their inputs did not meet: here every kind of message, press and event comes
/// in every state that it can matter in.
#[test]
fn the_random_inputs_come_in_every_kind_and_in_every_state() {
    let mut runner = TestRunner::deterministic();
    let input = prop_oneof![1 => a_press(), 3 => a_far_input()];
    let sequences = prop::collection::vec(input, 1..120);
    let mut met = HashSet::new();
    for _ in 0..400 {
        let mut me = Side::new(ME);
        for (ms, input) in sequences.new_tree(&mut runner).unwrap().current().into_iter().enumerate() {
            let state = match me.machine.state() {
                CallState::Idle => "idle",
                CallState::Outgoing(_) => "outgoing",
                CallState::Incoming(_) => "incoming",
                CallState::Conversation(_) => "conversation",
            };
            let name = match &input {
                Input::Local(press) => press_name(press),
                Input::Peer { message, .. } => message_name(message),
                Input::Engine { event, .. } => engine_event_name(event),
                _ => "",
            };
            met.insert((input_name(&input), name, state));
            me.at(ms as u64 * 700, input);
        }
    }
    let parts = Parts::any().new_tree(&mut runner).unwrap().current();
    let named = |kind: &Input| match kind {
        Input::Local(_) => presses(&parts).iter().map(press_name).collect(),
        Input::Peer { .. } => messages(&parts).iter().map(message_name).collect(),
        Input::Engine { .. } => engine_events(&parts).iter().map(engine_event_name).collect(),
        _ => vec![""],
    };
    for input in &inputs(&parts) {
        for name in named(input) {
            for state in ["idle", "outgoing", "incoming", "conversation"] {
                let kind = input_name(input);
                assert!(met.contains(&(kind, name, state)), "{kind} {name} never came while {state}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn what_others_send_never_opens_anything(inputs in prop::collection::vec(a_far_input(), 1..120)) {
        let mut me = Side::new(ME);
        for (ms, input) in inputs.into_iter().enumerate() {
            me.at(ms as u64 * 700, input);
        }
        prop_assert!(!me.effects.iter().any(Effect::bears_consent));
    }

    /// From any state that presses and messages can reach, an input from elsewhere opens no device, and no connection
    /// but the one to the person whom this side invited and whose answer is waited for.
    #[test]
    fn only_presses_make_consent(
        inputs in prop::collection::vec(prop_oneof![1 => a_press(), 3 => a_far_input()], 1..120),
    ) {
        let mut me = Side::new(ME);
        let mut invites_pressed = 0;
        let mut connections_as_caller = 0;
        for (ms, input) in inputs.into_iter().enumerate() {
            let waits_for = match me.machine.state() {
                CallState::Outgoing(outgoing) => Some(outgoing.to()),
                _ => None,
            };
            let local = matches!(input, Input::Local(_));
            invites_pressed += usize::from(matches!(input, Input::Local(Press::Invite { .. })));
            me.effects.clear();
            me.at(ms as u64 * 700, input);
            for effect in me.effects.iter().filter(|effect| !local && effect.bears_consent()) {
                match effect {
                    Effect::ConnectPeer { peer, .. } => {
                        prop_assert_eq!(Some(*peer), waits_for);
                        connections_as_caller += 1;
                    }
                    other => prop_assert!(false, "{:?} without a press", other),
                }
            }
            prop_assert!(me.effects.len() < 64);
            prop_assert!(format!("{:?}", me.machine).len() < 40_000, "memory is bounded");
        }
        prop_assert!(connections_as_caller <= invites_pressed);
    }
}
