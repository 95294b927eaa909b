//! Numbers, acknowledgements, and messages that are sent again or come back.

use super::*;

#[test]
fn an_app_that_came_back_gets_what_its_former_run_did_not_read() {
    let mut rig = Rig::new();
    let peer = id_of(1);
    rig.up(peer, "before");
    rig.send(peer);
    rig.send(peer);
    assert_eq!(rig.lan.messages(peer), [1, 2]);
    rig.ack(LAN, peer, "before", 1);
    rig.up(peer, "after");
    assert_eq!(rig.lan.messages(peer), [2]);
    // The old connection's last words change nothing.
    rig.ack(LAN, peer, "before", 2);
    assert_eq!(rig.presences(), [(peer, vec![LAN])]);
    rig.down(peer, false);
    assert_eq!(rig.presences(), [(peer, vec![])]);
    rig.up(peer, "after");
    assert_eq!(rig.lan.messages(peer), [2]);
    rig.ack(LAN, peer, "after", 2);
    rig.up(peer, "after");
    assert_eq!(rig.lan.messages(peer), NONE);
}

#[test]
fn no_number_tells_a_person_how_much_is_said_to_others() {
    let numbers_of_one = |sent_to_others: usize| {
        let mut rig = Rig::new();
        let (one, other) = (id_of(1), id_of(2));
        rig.up(one, "run");
        rig.up(other, "run");
        for _ in 0..3 {
            (0..sent_to_others).for_each(|_| rig.send(other));
            rig.send(one);
        }
        rig.lan.messages(one)
    };
    assert_eq!(numbers_of_one(0), numbers_of_one(50));
}

#[test]
fn the_numbers_of_a_person_who_was_forgotten_go_on_growing() {
    let mut rig = Rig::new();
    let peer = id_of(1);
    rig.up(peer, "run");
    rig.send(peer);
    let before = rig.lan.messages(peer)[0];
    rig.ack(LAN, peer, "run", before);
    rig.down(peer, false);
    assert!(!rig.hub.people.contains_key(&peer));
    rig.now += Duration::from_secs(1);
    rig.up(peer, "run");
    rig.send(peer);
    assert!(rig.lan.messages(peer)[0] > before, "their app remembers the last one, and reads no copy of it");
}

#[test]
fn a_late_message_comes_back_and_its_receiver_is_forgotten() {
    let mut rig = Rig::new();
    let peer = id_of(1);
    rig.send(peer);
    assert_eq!(rig.lan.state.lock().unwrap().sought, [peer]);
    assert_eq!(rig.hub.next_due(), Some(rig.now + DELIVERY));
    rig.hub.give_back_late_messages(rig.now + DELIVERY);
    assert_eq!(rig.events(), [SignalingEvent::Undelivered { to: peer, message: ringing() }]);
    assert!(rig.hub.people.is_empty());
}

#[test]
fn a_message_that_the_far_app_does_not_acknowledge_comes_back_although_the_route_is_up() {
    let mut rig = Rig::new();
    let peer = id_of(1);
    rig.up(peer, "run");
    rig.send(peer);
    rig.send(peer);
    rig.ack(LAN, peer, "run", 1);
    rig.hub.give_back_late_messages(rig.now + DELIVERY);
    assert_eq!(rig.others(), [SignalingEvent::Undelivered { to: peer, message: ringing() }]);
}

#[test]
fn every_message_is_acknowledged_once_read_a_copy_too_and_when_there_is_room_again() {
    let mut rig = Rig::new();
    let peer = id_of(1);
    rig.up(peer, "run");
    for number in [1, 2, 2] {
        rig.message(LAN, peer, "run", number);
    }
    rig.incoming(LAN, peer, "run", Incoming::Message { number: 3, message: None, token: None });
    assert_eq!((rig.lan.acks(peer), rig.received()), (vec![1, 2, 2, 3], 2));
    rig.lan.set_room(0);
    rig.message(LAN, peer, "run", 4);
    rig.message(LAN, peer, "run", 5);
    assert_eq!(rig.hub.next_due(), Some(rig.now + ROOM_AGAIN), "although nothing else happens");
    rig.hub.send_refused(rig.now + ROOM_AGAIN);
    rig.lan.set_room(9);
    rig.hub.send_refused(rig.now + ROOM_AGAIN);
    assert_eq!(rig.lan.acks(peer), NONE, "not all the time");
    rig.hub.send_refused(rig.now + 2 * ROOM_AGAIN);
    assert_eq!((rig.lan.acks(peer), rig.hub.next_due()), (vec![5], None));
    // A message of a run that has ended is not acknowledged to the next one, whose numbers begin anew.
    rig.up(peer, "later run");
    rig.message(LAN, peer, "run", 6);
    assert_eq!(rig.lan.acks(peer), NONE);
}

#[test]
fn a_message_that_a_full_route_refused_is_sent_when_there_is_room_again() {
    let mut rig = Rig::new();
    let peer = id_of(1);
    rig.up(peer, "run");
    rig.lan.set_room(1);
    rig.send(peer);
    rig.send(peer);
    rig.lan.set_room(9);
    assert_eq!(rig.lan.messages(peer), [1]);
    rig.hub.send_refused(rig.now + ROOM_AGAIN);
    assert_eq!(rig.lan.messages(peer), [2]);
}

#[test]
fn no_acknowledgement_reaches_a_run_that_did_not_send_the_message() {
    let mut rig = Rig::new();
    let peer = id_of(1);
    rig.up(peer, "before");
    // The route leads to the next run before the hub has heard so.
    rig.lan.state.lock().unwrap().run = Some("after");
    rig.message(LAN, peer, "before", 5);
    rig.hub.send_refused(rig.now + ROOM_AGAIN);
    rig.up(peer, "after");
    rig.hub.send_refused(rig.now + 2 * ROOM_AGAIN);
    assert_eq!((rig.lan.acks(peer), rig.hub.next_due()), (vec![], None));
}

#[test]
fn a_message_that_was_sent_again_over_the_next_connection_is_read_once() {
    let mut rig = Rig::new();
    let peer = id_of(1);
    rig.up(peer, "run 1");
    rig.message(LAN, peer, "run 1", 1);
    rig.message(LAN, peer, "run 1", 2);
    rig.up(peer, "run 1");
    rig.message(LAN, peer, "run 1", 2);
    rig.message(LAN, peer, "run 1", 3);
    // A message that was still under way on the first.
    rig.message(LAN, peer, "run 1", 3);
    rig.up(peer, "run 2");
    rig.message(LAN, peer, "run 2", 1);
    assert_eq!(rig.received(), 4, "1, 2 and 3 of the first run, 1 of the second");
}
