//! People with several devices, on one route or on two.

use super::*;
use crate::identity::InvitationToken;

const SERVER: RouteKind = RouteKind::Server;

fn accept(number: u128) -> Message {
    Message::Accept { invite: InviteId::from_bits(number), name: String::new(), streams: MediaSet::of_call(true, true) }
}

fn media(number: u128) -> Message {
    let (conversation, streams) = (ConversationId::from_bits(number), MediaSet::of_call(true, false));
    Message::Media { conversation, streams }
}

fn leave(number: u128) -> Message {
    Message::Leave { conversation: ConversationId::from_bits(number) }
}

impl Rig {
    fn say(&mut self, to: PeerId, message: Message) {
        self.hub.send(to, message, self.now);
    }

    fn hear(&mut self, route: RouteKind, from: PeerId, run: &str, number: u64, message: Message) {
        self.incoming(route, from, run, Incoming::message(number, message));
    }

    /// Messages since the last look: the route, the run and the message.
    fn told(&self) -> Vec<(RouteKind, String, Message)> {
        let of = |fake: &FakeRoute| {
            let kind = fake.kind;
            fake.messages_to_runs().into_iter().map(move |(run, it)| (kind, run, it))
        };
        of(&self.lan).chain(of(&self.server)).collect()
    }
}

fn to(route: RouteKind, run: &str, message: Message) -> (RouteKind, String, Message) {
    (route, run.to_owned(), message)
}

#[test]
fn invites_and_their_end_go_to_every_device_on_every_route_and_an_answer_stops_the_others() {
    for answers in ["lap", "desk", "den"] {
        let mut rig = Rig::new();
        let bob = id_of(1);
        rig.up_on(LAN, bob, "lap");
        // The laptop is at the server, too, and rings once.
        for run in ["lap", "desk", "den"] {
            rig.up_on(SERVER, bob, run);
        }
        rig.say(bob, invite(7));
        let all = |message: &Message| {
            [(LAN, "lap"), (SERVER, "den"), (SERVER, "desk")].map(|(route, run)| to(route, run, message.clone()))
        };
        assert_eq!(rig.told(), all(&invite(7)));
        for (number, run) in (1..).zip(["lap", "desk", "den"]) {
            let route = if run == "lap" { LAN } else { SERVER };
            rig.hear(route, bob, run, number, Message::Ringing { invite: InviteId::from_bits(7) });
        }
        let cancel = Message::Cancel { invite: InviteId::from_bits(7) };
        rig.say(bob, cancel.clone());
        assert_eq!(rig.told(), all(&cancel));

        rig.hear(if answers == "lap" { LAN } else { SERVER }, bob, answers, 9, accept(7));
        let stopped = Message::AnsweredElsewhere { invite: InviteId::from_bits(7) };
        let others = all(&stopped).into_iter().filter(|(_, run, _)| run != answers);
        assert_eq!(rig.told(), others.collect::<Vec<_>>(), "{answers} answers");
    }
}

#[test]
fn messages_of_a_call_go_to_the_device_that_answered_and_not_by_the_best_route() {
    let mut rig = Rig::new();
    let bob = id_of(1);
    rig.up_on(LAN, bob, "lap");
    rig.up_on(SERVER, bob, "desk");
    rig.say(bob, invite(7));
    rig.hear(SERVER, bob, "desk", 1, accept(7));
    rig.told();
    rig.say(bob, leave(7));
    assert_eq!(rig.told(), [to(SERVER, "desk", leave(7))]);
    rig.ack(LAN, bob, "lap", u64::MAX);
    rig.hub.give_back_late_messages(rig.now + DELIVERY);
    let undelivered = SignalingEvent::Undelivered { to: bob, message: leave(7) };
    assert!(rig.events().contains(&undelivered), "the laptop cannot acknowledge it for the other");
}

#[test]
fn whoever_rings_from_another_device_in_a_call_is_answered_there_and_the_call_stays_at_its_own() {
    let mut rig = Rig::new();
    let bob = id_of(1);
    rig.up_on(SERVER, bob, "desk");
    rig.hear(SERVER, bob, "desk", 1, invite(1));
    rig.up_on(LAN, bob, "lap");
    rig.hear(LAN, bob, "lap", 1, invite(2));
    rig.told();
    let busy = Message::Busy { invite: InviteId::from_bits(2) };
    rig.say(bob, busy.clone());
    rig.say(bob, leave(1));
    assert_eq!(rig.told(), [to(LAN, "lap", busy), to(SERVER, "desk", leave(1))]);
}

#[test]
fn a_device_that_changes_its_route_takes_its_call_along_and_another_one_does_not_get_it() {
    let mut rig = Rig::new();
    let bob = id_of(1);
    rig.hub.local.set_contacts(HashSet::from([bob]));
    rig.up_on(LAN, bob, "lap");
    rig.up_on(SERVER, bob, "desk");
    rig.hear(LAN, bob, "lap", 1, invite(1));
    rig.down_of(LAN, bob, "lap", false);
    rig.told();
    rig.say(bob, leave(1));
    assert_eq!(rig.told(), [], "the desk knows nothing of the call");
    assert_eq!(rig.server.state.lock().unwrap().sought, [bob]);
    rig.up_on(SERVER, bob, "lap");
    assert_eq!(rig.told(), [to(SERVER, "lap", leave(1))]);

    // Everything is lost for a moment, and the other device is back first.
    rig.ack(SERVER, bob, "lap", u64::MAX);
    for run in ["lap", "desk"] {
        rig.down_of(SERVER, bob, run, false);
    }
    rig.up_on(SERVER, bob, "desk");
    rig.say(bob, leave(1));
    assert_eq!(rig.told(), []);
    rig.up_on(LAN, bob, "lap");
    assert_eq!(rig.told(), [to(LAN, "lap", leave(1))]);
}

#[test]
fn an_app_that_was_started_anew_hears_of_the_call_of_its_former_run() {
    let mut rig = Rig::new();
    let bob = id_of(1);
    for (route, closes) in [(LAN, false), (SERVER, true)] {
        rig.up_on(route, bob, "before");
        rig.hear(route, bob, "before", 1, invite(1));
        if closes {
            rig.down_of(route, bob, "before", false);
        }
        rig.told();
        rig.say(bob, leave(1));
        rig.up_on(route, bob, "after");
        assert_eq!(rig.told().last(), Some(&to(route, "after", leave(1))));
        rig.ack(route, bob, "after", u64::MAX);
        rig.down_of(route, bob, "after", false);
    }
}

#[test]
fn two_devices_on_this_network_ring_and_the_first_that_answers_has_the_call() {
    for (answers, other) in [("desk", "lap"), ("lap", "desk")] {
        let mut rig = Rig::new();
        let bob = id_of(1);
        rig.up_at(LAN, bob, "desk", Some(1));
        rig.up_at(LAN, bob, "lap", Some(2));
        rig.say(bob, invite(7));
        let mut told = rig.told();
        told.sort_by(|one, other| one.1.cmp(&other.1));
        assert_eq!(told, ["desk", "lap"].map(|run| to(LAN, run, invite(7))));
        rig.hear(LAN, bob, answers, 1, accept(7));
        let elsewhere = Message::AnsweredElsewhere { invite: InviteId::from_bits(7) };
        assert_eq!(rig.told(), [to(LAN, other, elsewhere)]);
        rig.hear(LAN, bob, other, 2, accept(7));
        assert_eq!(rig.told(), [to(LAN, other, Message::AnsweredElsewhere { invite: InviteId::from_bits(7) })]);
        assert_eq!(rig.lan.state.lock().unwrap().spoken, [(bob, answers.to_owned())], "media goes there, and stays");
        rig.say(bob, media(7));
        assert_eq!(rig.told(), [to(LAN, answers, media(7))]);
        rig.ack(LAN, bob, answers, u64::MAX);

        // The other one goes: the call has nothing to do with it. Then its own one ends.
        rig.events();
        rig.down_of(LAN, bob, other, true);
        assert_eq!(rig.events(), [], "still here by the same route");
        rig.up_at(LAN, bob, other, Some(8));
        rig.events();
        rig.down_of(LAN, bob, answers, true);
        assert_eq!(rig.events(), [SignalingEvent::ConnectionClosed { id: bob }]);
        rig.up_at(LAN, bob, "third", Some(9));
        assert_eq!(rig.events(), [], "it is another device");
        rig.up_at(LAN, bob, answers, Some(7));
        assert_eq!(rig.events(), [SignalingEvent::ConnectionRestored { id: bob }]);

        // The call is over: nothing depends on its device.
        rig.say(bob, leave(7));
        rig.down_of(LAN, bob, answers, true);
        assert_eq!(rig.events(), []);
    }
}

#[test]
fn the_device_of_a_call_that_is_over_ends_no_later_call_at_another() {
    for ended_by_far in [false, true] {
        let mut rig = Rig::new();
        let bob = id_of(1);
        rig.up_at(LAN, bob, "desk", Some(1));
        rig.up_at(LAN, bob, "lap", Some(2));
        rig.say(bob, invite(1));
        rig.hear(LAN, bob, "desk", 1, accept(1));
        if ended_by_far {
            rig.hear(LAN, bob, "desk", 2, leave(1));
        } else {
            rig.say(bob, leave(1));
        }
        rig.say(bob, invite(2));
        rig.hear(LAN, bob, "lap", 1, accept(2));
        rig.events();
        rig.down_of(LAN, bob, "desk", true);
        assert_eq!(rig.events(), [], "the call is at the laptop");
        rig.down_of(LAN, bob, "lap", true);
        assert_eq!(rig.others(), [SignalingEvent::ConnectionClosed { id: bob }]);
    }
}

#[test]
fn a_device_without_the_call_that_closes_last_does_not_end_it() {
    let mut rig = Rig::new();
    let bob = id_of(1);
    rig.hub.local.set_contacts(HashSet::from([bob]));
    rig.up_at(LAN, bob, "desk", Some(1));
    rig.up_at(LAN, bob, "lap", Some(2));
    rig.say(bob, invite(1));
    rig.hear(LAN, bob, "desk", 1, accept(1));
    rig.down_of(LAN, bob, "desk", false);
    rig.down_of(LAN, bob, "lap", true);
    assert!(!rig.events().contains(&SignalingEvent::ConnectionClosed { id: bob }), "the desk fell silent alone");
    // The desk's app is started anew, and closes before it has said anything.
    rig.up_at(LAN, bob, "desk again", Some(1));
    rig.events();
    rig.down_of(LAN, bob, "desk again", true);
    assert_eq!(rig.others(), [SignalingEvent::ConnectionClosed { id: bob }]);
}

#[test]
fn a_restarted_device_hears_of_its_call_and_another_one_does_not_although_they_were_never_up_together() {
    for route in [LAN, SERVER] {
        let mut rig = Rig::new();
        let bob = id_of(1);
        rig.hub.local.set_contacts(HashSet::from([bob]));
        rig.up_at(route, bob, "before", Some(1));
        rig.hear(route, bob, "before", 1, invite(1));
        rig.down_of(route, bob, "before", false);
        rig.told();
        rig.say(bob, leave(1));
        rig.up_at(route, bob, "phone", Some(2));
        assert_eq!(rig.told(), [], "it would acknowledge the end of a call that it does not know");
        rig.hear(route, bob, "phone", 1, leave(1));
        let received = SignalingEvent::Received { from: bob, message: leave(1) };
        assert!(!rig.events().contains(&received), "it cannot end the call either");
        rig.up_at(route, bob, "after", Some(1));
        assert_eq!(rig.told(), [to(route, "after", leave(1))]);
        rig.hear(route, bob, "after", 1, leave(1));
        assert!(rig.events().contains(&received));
    }
}

#[test]
fn an_app_that_begins_to_say_where_it_is_is_a_later_run_of_one_that_did_not() {
    let mut rig = Rig::new();
    let bob = id_of(1);
    rig.up_on(LAN, bob, "old version");
    rig.hear(LAN, bob, "old version", 1, invite(1));
    rig.down_of(LAN, bob, "old version", false);
    rig.told();
    rig.say(bob, leave(1));
    rig.up_at(LAN, bob, "new version", Some(1));
    assert_eq!(rig.told(), [to(LAN, "new version", leave(1))]);
}

#[test]
fn an_invite_shows_the_token_and_nothing_else_does() {
    let token = InvitationToken::from_bytes([7; 16]);
    let mut rig = Rig::new();
    let bob = id_of(1);
    rig.up(bob, "desk");
    rig.hub.local.invitations().set(HashSet::new(), HashMap::from([(bob, token)]));
    rig.say(bob, invite(7));
    rig.say(bob, leave(7));
    let tokens: Vec<_> = rig
        .lan
        .state
        .lock()
        .unwrap()
        .sent
        .iter()
        .map(|(_, _, frame)| match frame {
            Frame::Message { token, .. } => token.clone(),
            frame => panic!("{frame:?}"),
        })
        .collect();
    assert_eq!(tokens, [Some(token.to_string()), None], "nothing else needs it");
}

#[test]
fn a_token_admits_the_first_who_rings_with_it_and_nobody_who_is_blocked() {
    let token = InvitationToken::from_bytes([7; 16]);
    let mut rig = Rig::new();
    let [ann, bob, eve] = [1, 2, 3].map(id_of);
    rig.hub.local.invitations().set(HashSet::from([token]), HashMap::new());
    rig.hub.local.strangers_welcome.store(false, Ordering::Relaxed);
    rig.hub.set_blocked(HashSet::from([eve]));
    [ann, bob, eve].into_iter().for_each(|person| rig.up(person, "run"));
    let mut show = |from, number, message| {
        assert!(!rig.hub.local.may_ring(&from), "{number}");
        rig.incoming(LAN, from, "run", Incoming::Message { number, message, token: Some(token) });
        (rig.hub.local.may_ring(&from), rig.hub.local.invitations().of_guest(&from))
    };
    assert_eq!(show(eve, 1, Some(invite(1))), (false, None), "she is blocked");
    assert_eq!(show(bob, 1, Some(ringing())), (false, None), "nobody rings");
    assert_eq!(show(bob, 2, Some(leave(1))), (false, None), "nobody rings");
    assert_eq!(show(bob, 3, None), (false, None), "of an unknown kind");
    assert_eq!(show(ann, 1, Some(invite(2))), (true, Some(token)));
    assert_eq!(show(bob, 4, Some(invite(3))), (false, None), "she came first");
}

#[test]
fn each_device_is_acknowledged_by_its_own_way() {
    let mut rig = Rig::new();
    let bob = id_of(1);
    rig.up_on(LAN, bob, "lap");
    rig.up_on(SERVER, bob, "desk");
    for (route, run, number) in [(LAN, "lap", 4), (SERVER, "desk", 9), (LAN, "lap", 5), (SERVER, "desk", 9)] {
        rig.message(route, bob, run, number);
    }
    assert_eq!((rig.lan.acks(bob), rig.server.acks(bob)), (vec![4, 5], vec![9, 9]));
    assert_eq!(rig.received(), 3);
}

#[test]
fn of_two_devices_that_accept_the_first_has_the_call_and_the_other_hears_so() {
    let mut rig = Rig::new();
    let bob = id_of(1);
    rig.up_on(SERVER, bob, "desk");
    rig.up_on(SERVER, bob, "lap");
    rig.say(bob, invite(7));
    rig.hear(SERVER, bob, "desk", 1, accept(7));
    let (elsewhere, conversation) =
        (Message::AnsweredElsewhere { invite: InviteId::from_bits(7) }, ConversationId::from_bits(7));
    assert_eq!(rig.told().last(), Some(&to(SERVER, "lap", elsewhere.clone())));
    rig.events();
    let restart = Message::Restart { conversation, generation: 1, moved: false };
    let ended = Message::Ended { conversation };
    let reject = Message::Reject { invite: InviteId::from_bits(7) };
    let answers =
        [(accept(7), Some(elsewhere)), (restart, Some(ended.clone())), (leave(7), None), (ended, None), (reject, None)];
    for (number, (message, answer)) in (1..).zip(answers) {
        rig.hear(SERVER, bob, "lap", number, message.clone());
        let expected: Vec<_> = answer.into_iter().map(|answer| to(SERVER, "lap", answer)).collect();
        assert_eq!(rig.told(), expected, "{message:?}");
        assert_eq!(rig.events(), [], "{message:?} of the laptop is none of the desk's");
    }
    rig.hear(SERVER, bob, "desk", 2, leave(7));
    assert_eq!(rig.events(), [SignalingEvent::Received { from: bob, message: leave(7) }]);
}

#[test]
fn one_device_that_is_busy_leaves_the_others_ringing() {
    for lap_goes in [false, true] {
        let mut rig = Rig::new();
        let bob = id_of(1);
        rig.up_on(SERVER, bob, "desk");
        rig.up_on(LAN, bob, "lap");
        rig.say(bob, invite(7));
        rig.told();
        rig.events();
        let busy = Message::Busy { invite: InviteId::from_bits(7) };
        rig.hear(SERVER, bob, "desk", 1, busy.clone());
        assert_eq!((rig.told(), rig.events()), (vec![], vec![]), "the laptop rings");
        if lap_goes {
            rig.down_of(LAN, bob, "lap", false);
        } else {
            rig.hear(LAN, bob, "lap", 1, busy.clone());
        }
        let received = SignalingEvent::Received { from: bob, message: busy };
        assert_eq!(rig.events().into_iter().filter(|event| *event == received).count(), 1);
    }
}

#[test]
fn a_blocked_person_stops_no_device_from_ringing() {
    let mut rig = Rig::new();
    let bob = id_of(1);
    rig.up_on(SERVER, bob, "desk");
    rig.up_on(SERVER, bob, "lap");
    rig.say(bob, invite(7));
    rig.hub.set_blocked(HashSet::from([bob]));
    rig.told();
    rig.hear(SERVER, bob, "desk", 1, accept(7));
    assert_eq!(rig.told(), []);
}

#[test]
fn no_message_to_a_device_overtakes_another_whatever_room_there_is() {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut rig = Rig::new();
        let bob = id_of(1);
        for run in ["desk", "lap", "den"] {
            rig.up_on(SERVER, bob, run);
        }
        let mut last = HashMap::new();
        for call in 1..12 {
            rig.server.set_room(random.usize(0..5));
            rig.say(bob, invite(call));
            let run = *random.choice(&["desk", "lap", "den"]).unwrap();
            rig.hear(SERVER, bob, run, call as u64, accept(call));
            rig.say(bob, leave(call));
            if random.bool() {
                rig.server.set_room(1000);
            }
            rig.now += ROOM_AGAIN;
            rig.hub.send_refused(rig.now);
            for (_, run, frame) in rig.server.state.lock().unwrap().sent.drain(..) {
                let Frame::Message { number, .. } = frame else { continue };
                let before = last.insert(run, number);
                assert!(before.is_none_or(|before| before < number), "seed {seed}");
            }
        }
    }
}
