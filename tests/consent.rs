//! The promise: nobody sees or hears you before you press Answer. Whatever others send and whatever the network does, no
//! device and no peer connection is opened without a press.

mod call_rig;

use call_rig::{Side, conversation_id, id, invite_id, invite_message, invite_press};
use proptest::prelude::*;
use visavis::call::{CallState, Effect, EngineEvent, Input, Message, Press, Role, Standing};

const ME: u8 = 5;

#[test]
fn ringing_opens_nothing_and_sends_nothing_but_that_it_rings() {
    let mut me = Side::new(ME);
    me.from(0, 1, invite_message(1, "Ann"));
    me.from(1, 1, Message::Describe { conversation: conversation_id(1), description: call_rig::offer() });
    me.from(2, 1, Message::Trickle { conversation: conversation_id(1), candidate: call_rig::candidate() });
    me.from(3, 1, Message::Accept { invite: invite_id(1), name: "Ann".to_owned(), audio: true, video: true });
    me.from(4, 1, Message::Media { conversation: conversation_id(1), audio: true, video: true });
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
    me.at(10, Input::Local(Press::Accept { invite: invite_id(1), audio: true, video: false }));
    assert!(me.effects.iter().any(|effect| matches!(effect, Effect::OpenMedia { audio: true, video: false, .. })));
    assert!(me.effects.iter().any(|effect| matches!(effect, Effect::ConnectPeer { role: Role::Offerer, .. })));
}

#[test]
fn a_caller_is_connected_only_to_the_invited_person_who_accepts_that_invite() {
    let accept = |invite| Message::Accept { invite, name: String::new(), audio: true, video: true };
    let mut me = Side::new(ME);
    me.at(0, Input::Local(invite_press(1, 7)));
    me.effects.clear();
    me.from(1, 8, accept(invite_id(1)));
    me.from(2, 7, accept(invite_id(2)));
    me.from(3, 7, Message::Describe { conversation: conversation_id(1), description: call_rig::offer() });
    assert!(me.effects.is_empty());
    me.from(4, 7, accept(invite_id(1)));
    assert_eq!(me.effects.iter().filter(|effect| effect.bears_consent()).count(), 1);
    me.effects.clear();
    me.from(5, 7, accept(invite_id(1)));
    assert!(me.effects.is_empty(), "a consent is handed over once");
}

/// Few people and few identifiers, so that random sequences meet.
fn a_message() -> impl Strategy<Value = Message> {
    let invite = (0..4u128).prop_map(invite_id);
    let conversation = (0..4u128).prop_map(conversation_id);
    (0..11u8, invite, conversation, any::<bool>(), any::<bool>(), ".{0,40}").prop_map(
        |(kind, invite, conversation, audio, video, text)| match kind {
            0 | 1 => Message::Invite { invite, conversation, name: text.clone(), user_data: text, audio, video },
            2 => Message::Ringing { invite },
            3 => Message::Accept { invite, name: text, audio, video },
            4 => Message::Reject { invite },
            5 => Message::Cancel { invite },
            6 => Message::Busy { invite },
            7 => Message::Describe { conversation, description: call_rig::offer() },
            8 => Message::Trickle { conversation, candidate: call_rig::candidate() },
            9 => Message::Restart { conversation, generation: u32::from(video), moved: audio },
            _ if audio => Message::Media { conversation, audio, video },
            _ => Message::Leave { conversation },
        },
    )
}

fn a_far_input() -> impl Strategy<Value = Input> {
    let event = prop_oneof![
        Just(EngineEvent::Connected),
        Just(EngineEvent::Interrupted),
        Just(EngineEvent::Failed),
        Just(EngineEvent::Closed),
        Just(EngineEvent::Described(call_rig::offer())),
        Just(EngineEvent::Gathered(call_rig::candidate())),
    ];
    let standing = prop_oneof![Just(Standing::Contact), Just(Standing::Stranger), Just(Standing::Unwelcome)];
    prop_oneof![
        6 => (3..8u8, standing, a_message())
            .prop_map(|(from, standing, message)| Input::Peer { from: id(from), standing, message }),
        2 => (0..4u128, 3..8u8, event)
            .prop_map(|(number, peer, event)| Input::Engine { conversation: conversation_id(number), peer: id(peer), event }),
        1 => (3..8u8, a_message()).prop_map(|(to, message)| Input::Undelivered { to: id(to), message }),
        1 => any::<(bool, bool)>().prop_map(|(audio, video)| Input::Captures { audio, video }),
        1 => (3..8u8).prop_map(|peer| Input::Gone { peer: id(peer) }),
        1 => (3..8u8).prop_map(|peer| Input::FarClosed { peer: id(peer) }),
        1 => (3..8u8).prop_map(|peer| Input::FarRestored { peer: id(peer) }),
        1 => (0..4u128).prop_map(|number| Input::MediaReleased { conversation: conversation_id(number) }),
        1 => Just(Input::NetworkChanged),
        1 => Just(Input::Deadline),
    ]
}

fn a_press() -> impl Strategy<Value = Input> {
    (0..8u8, 0..4u128, 3..8u8, any::<bool>(), any::<bool>()).prop_map(|(kind, number, to, audio, video)| {
        let invite = invite_id(number);
        Input::Local(match kind {
            0 => Press::OpenStream { audio, video },
            1 => invite_press(number, to),
            2 => Press::Cancel { invite },
            3 | 4 => Press::Accept { invite, audio, video },
            5 => Press::Reject { invite },
            6 => Press::EnableVideo { on: video },
            _ => Press::Leave,
        })
    })
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

    /// From any state that presses and messages can reach, an input from elsewhere opens no device, and no connection but
    /// the one to the person whom this side invited and whose answer is waited for.
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
