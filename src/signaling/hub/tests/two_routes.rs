//! People who are reached by two routes at once.

use proptest::prelude::*;

use super::*;

const SERVER: RouteKind = RouteKind::Server;

#[test]
fn whoever_is_online_by_two_routes_is_one_person_and_offline_when_both_are_gone() {
    let mut rig = Rig::new();
    let peer = id_of(1);
    rig.up_on(SERVER, peer, "run");
    rig.up_on(LAN, peer, "run");
    rig.down_on(LAN, peer, true);
    assert_eq!(rig.presences(), [(peer, vec![SERVER]), (peer, vec![LAN, SERVER]), (peer, vec![SERVER])]);
    assert_eq!(rig.hub.people.len(), 1);
    rig.down_on(SERVER, peer, true);
    assert_eq!(
        rig.others(),
        [SignalingEvent::ConnectionClosed { id: peer }],
        "their app has ended, which one lost route does not say"
    );
}

#[test]
fn messages_go_by_the_best_route_and_again_by_the_other_when_it_is_lost() {
    let mut rig = Rig::new();
    let peer = id_of(1);
    rig.up_on(SERVER, peer, "run");
    rig.send(peer);
    assert_eq!((rig.server.messages(peer), rig.lan.messages(peer)), (vec![1], vec![]));
    rig.up_on(LAN, peer, "run");
    assert_eq!(rig.lan.messages(peer), [1], "the server may have lost it");
    rig.send(peer);
    rig.send(peer);
    rig.ack(LAN, peer, "run", 2);
    assert_eq!((rig.server.messages(peer), rig.lan.messages(peer)), (vec![], vec![2, 3]));
    rig.down_on(LAN, peer, false);
    assert_eq!(rig.server.messages(peer), [3], "what was not acknowledged, and nothing else");
    rig.send(peer);
    rig.ack(SERVER, peer, "run", 4);
    rig.hub.give_back_late_messages(rig.now + DELIVERY);
    assert_eq!(rig.others(), [], "nothing was lost");
}

#[test]
fn a_copy_over_the_other_route_is_read_once_and_acknowledged_over_the_best_one() {
    let mut rig = Rig::new();
    let peer = id_of(1);
    rig.up_on(SERVER, peer, "run");
    rig.up_on(LAN, peer, "run");
    for (route, number) in [(SERVER, 1), (LAN, 1), (LAN, 2), (SERVER, 2), (SERVER, 3), (LAN, 2), (LAN, 3), (LAN, 4)] {
        rig.message(route, peer, "run", number);
    }
    assert_eq!(rig.received(), 4);
    assert_eq!(rig.server.acks(peer), NONE);
    assert_eq!(rig.lan.acks(peer).last(), Some(&4));
}

#[test]
fn an_app_that_is_too_old_on_one_route_is_reached_by_another_on_which_it_is_not() {
    let mut rig = Rig::new();
    let peer = id_of(1);
    rig.versions = Versions { min: 99, max: 99 };
    rig.up_on(LAN, peer, "new app");
    rig.versions = Versions::OWN;
    rig.up_on(SERVER, peer, "old app");
    rig.send(peer);
    assert_eq!((rig.server.messages(peer), rig.lan.messages(peer)), (vec![1], vec![]));
    let last = rig.events().pop();
    assert!(matches!(last, Some(SignalingEvent::Presence { skew: None, .. })), "{last:?}");
}

/// Two hubs, and two routes between them that lose messages under way when they go down.
struct Pair {
    sides: [Rig; 2],
    ids: [PeerId; 2],
    /// Frames under way on each route, to each side.
    under_way: [[Vec<Incoming>; 2]; 2],
    is_up: [bool; 2],
    sent: u128,
    read: Vec<InviteId>,
}

const ROUTES: [RouteKind; 2] = [LAN, SERVER];

impl Pair {
    fn new() -> Self {
        let mut sides = [Rig::new(), Rig::new()];
        let other = Arc::new(Local::new(Arc::new(Identity::from_seed([8; 32])), "Other").unwrap());
        (sides[1].hub.own, sides[1].hub.local) = (other.identity.id(), other);
        let ids = [sides[0].hub.own, sides[1].hub.own];
        Self { sides, ids, under_way: Default::default(), is_up: [false; 2], sent: 0, read: Vec::new() }
    }

    /// Takes the hubs' frames onto the routes, and notes the messages that they have read.
    fn collect(&mut self) {
        for side in 0..2 {
            for (route, under_way) in self.under_way.iter_mut().enumerate() {
                let fake = if route == 0 { &self.sides[side].lan } else { &self.sides[side].server };
                fake.set_room(1000);
                for (_, _, frame) in fake.state.lock().unwrap().sent.drain(..) {
                    under_way[1 - side].extend(match frame {
                        Frame::Message { number, message, .. } => Some(Incoming::message(number, message)),
                        Frame::Ack { number } => Some(Incoming::Ack { number }),
                        _ => None,
                    });
                }
            }
            for event in self.sides[side].events() {
                match event {
                    SignalingEvent::Received { message: Message::Ringing { invite }, .. } => {
                        self.read.push(invite);
                    }
                    SignalingEvent::Undelivered { message, .. } => panic!("{message:?} came back"),
                    _ => {}
                }
            }
        }
    }

    fn set_up(&mut self, route: usize, up: bool) {
        if std::mem::replace(&mut self.is_up[route], up) == up {
            return;
        }
        self.under_way[route] = Default::default();
        for side in 0..2 {
            let far = self.ids[1 - side];
            match up {
                true => self.sides[side].up_on(ROUTES[route], far, "run"),
                false => self.sides[side].down_on(ROUTES[route], far, false),
            }
        }
        self.collect();
    }

    fn send(&mut self) {
        let message = Message::Ringing { invite: InviteId::from_bits(self.sent) };
        self.sent += 1;
        // Numbers are by the microsecond where a person was forgotten.
        self.sides[0].now += Duration::from_micros(1);
        let (to, now) = (self.ids[1], self.sides[0].now);
        self.sides[0].hub.send(to, message, now);
        self.collect();
    }

    /// One frame arrives.
    fn arrive(&mut self, route: usize, side: usize) {
        let under_way = &mut self.under_way[route][side];
        if !under_way.is_empty() {
            let incoming = under_way.remove(0);
            let far = self.ids[1 - side];
            self.sides[side].incoming(ROUTES[route], far, "run", incoming);
            self.collect();
        }
    }
}

proptest! {
    /// Any behaviour of the routes, as long as one comes back within the time for a message.
    #[test]
    fn every_message_is_read_once_and_in_order_whichever_routes_come_and_go(
        steps in prop::collection::vec((0..10_u8, 0..2_usize, 0..2_usize), 0..150),
    ) {
        let mut pair = Pair::new();
        for (step, route, side) in steps {
            match step {
                0 => pair.set_up(route, true),
                1 => pair.set_up(route, false),
                2..4 => pair.send(),
                _ => pair.arrive(route, side),
            }
        }
        pair.set_up(0, true);
        while pair.under_way.iter().flatten().any(|frames| !frames.is_empty()) {
            for (route, side) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                pair.arrive(route, side);
            }
        }
        prop_assert_eq!(&pair.read, &(0..pair.sent).map(InviteId::from_bits).collect::<Vec<_>>());
        let (to, mut sides) = (pair.ids[1], pair.sides);
        let waiting = sides[0].hub.people.get_mut(&to).map(|person| person.queue.drain().len());
        prop_assert_eq!(waiting.unwrap_or(0), 0, "all of it is acknowledged");
    }
}
