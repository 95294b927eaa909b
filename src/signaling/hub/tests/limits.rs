//! Limits of people, and of their messages and invites.

use super::*;

#[test]
fn strangers_are_bounded_and_never_push_out_contacts() {
    let mut rig = Rig::new();
    let (contact, another) = (id_of(1_000_000), id_of(1_000_001));
    rig.hub.local.set_contacts(HashSet::from([contact]));
    rig.up(contact, "c");
    for stranger in 0..MAX_PEOPLE as u32 + 50 {
        rig.up(id_of(stranger), "s");
    }
    assert_eq!(rig.hub.people.len(), MAX_PEOPLE);
    let last: Vec<_> = (MAX_PEOPLE as u32 - 1..MAX_PEOPLE as u32 + 50).map(id_of).collect();
    assert_eq!(rig.lan.closed(), last, "there is no more room for strangers");
    rig.hub.local.set_contacts(HashSet::from([contact, another]));
    rig.presences();
    rig.up(another, "c");
    let made_room = rig.lan.closed();
    assert_eq!(made_room.len(), 1, "a stranger makes room for a contact");
    assert_eq!(rig.presences(), [(made_room[0], vec![]), (another, vec![LAN])]);
    let wanted = id_of(2_000_000);
    rig.send(wanted);
    assert_eq!(rig.lan.closed().len(), 1, "and for somebody whom this side writes to");
    assert!([contact, another, wanted].iter().all(|id| rig.hub.people.contains_key(id)));
    assert_eq!(rig.hub.people.len(), MAX_PEOPLE);
}

#[test]
fn messages_of_unknown_kinds_count_like_others() {
    let mut rig = Rig::new();
    let peer = id_of(1);
    rig.up(peer, "run");
    for number in 1..=1000 {
        rig.incoming(LAN, peer, "run", Incoming::Message { number, message: None, token: None });
    }
    assert_eq!((rig.lan.closed_runs(), rig.lan.closed()), (vec![(peer, "run".to_owned())], vec![]));
}

#[test]
fn an_invite_over_the_limit_is_answered_busy_a_bounded_number_of_times() {
    let mut rig = Rig::new();
    let peer = id_of(1);
    rig.up(peer, "run");
    rig.invite_100_times(peer);
    assert_eq!((rig.received(), rig.lan.messages(peer).len()), (5, 5));
    rig.hub.give_back_late_messages(rig.now + DELIVERY);
    let busy: Vec<_> = rig
        .events()
        .into_iter()
        .filter_map(|event| match event {
            SignalingEvent::Undelivered { message: Message::Busy { invite }, .. } => Some(invite),
            _ => None,
        })
        .collect();
    assert_eq!(busy, (5..10).map(InviteId::from_bits).collect::<Vec<_>>(), "the invites that did not pass");
}

#[test]
fn a_stranger_who_may_not_ring_hears_nothing_however_often_they_do() {
    let mut rig = Rig::new();
    rig.hub.local.strangers_welcome.store(false, Ordering::Relaxed);
    let peer = id_of(1);
    rig.up(peer, "run");
    rig.invite_100_times(peer);
    assert!(rig.lan.messages(peer).is_empty());
    rig.hub.local.set_contacts(HashSet::from([peer]));
    rig.invite_100_times(peer);
    assert_eq!(rig.lan.messages(peer).len(), 5, "a contact may ring, and hears that it is too often");
}

#[test]
fn whoever_goes_on_over_the_limit_is_cut_once() {
    let mut rig = Rig::new();
    let peer = id_of(1);
    rig.up(peer, "run");
    for number in 1..=1000 {
        rig.message(LAN, peer, "run", number);
    }
    assert_eq!((rig.received(), rig.lan.closed_runs()), (200, vec![(peer, "run".to_owned())]));
}

#[test]
fn a_device_that_goes_on_over_the_limit_is_cut_and_the_others_of_its_person_stay() {
    for route in [LAN, RouteKind::Server] {
        let mut rig = Rig::new();
        let peer = id_of(1);
        rig.up_at(route, peer, "desk", Some(1));
        rig.up_at(route, peer, "lap", Some(2));
        for number in 1..=1000 {
            rig.message(route, peer, "lap", number);
        }
        let fake = if route == LAN { &rig.lan } else { &rig.server };
        assert_eq!((fake.closed_runs(), fake.closed()), (vec![(peer, "lap".to_owned())], vec![]));
    }
}
