//! The hub's decisions, without routes of flesh and blood: the tests play them.

use std::sync::Mutex;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::super::numbers::Numbers;
use super::super::send_queue::DELIVERY;
use super::super::version::VersionSkew;
use super::closed_runs::MAX_CLOSED;
use super::*;
use crate::call::InviteId;
use crate::identity::Identity;
use crate::media::MediaSet;

mod two_routes;

/// A route whose far ends are the test's.
#[derive(Clone)]
struct FakeRoute {
    kind: RouteKind,
    state: Arc<Mutex<FakeState>>,
}

struct FakeState {
    sent: Vec<(PeerId, Frame)>,
    sought: Vec<PeerId>,
    renewed: Vec<PeerId>,
    closed: Vec<PeerId>,
    /// Frames for the devices but for a run.
    to_others: Vec<(String, Frame)>,
    /// Frames that it still takes.
    room: usize,
    /// The run that it leads to, if only one.
    run: Option<&'static str>,
}

impl Route for FakeRoute {
    fn kind(&self) -> RouteKind {
        self.kind
    }

    fn send(&self, to: &PeerId, run: &str, frame: Bytes) -> bool {
        let mut state = self.state.lock().unwrap();
        let has_room = state.room > 0 && state.run.is_none_or(|there| there == run);
        if has_room {
            state.room -= 1;
            state.sent.push((*to, Frame::decode(&frame).unwrap()));
        }
        has_room
    }

    fn send_to_others(&self, _: &PeerId, run: &str, frame: Bytes) {
        self.state.lock().unwrap().to_others.push((run.to_owned(), Frame::decode(&frame).unwrap()));
    }

    fn seek(&self, peer: PeerId, _: Instant) {
        self.state.lock().unwrap().sought.push(peer);
    }

    fn renew(&self, peer: PeerId) {
        self.state.lock().unwrap().renewed.push(peer);
    }

    fn close(&self, peer: &PeerId) {
        self.state.lock().unwrap().closed.push(*peer);
    }
}

impl FakeRoute {
    fn new(kind: RouteKind) -> Self {
        let (sent, sought, renewed, closed, to_others) = Default::default();
        let state = FakeState { sent, sought, renewed, closed, to_others, room: 1000, run: None };
        Self { kind, state: Arc::new(Mutex::new(state)) }
    }

    fn set_room(&self, room: usize) {
        self.state.lock().unwrap().room = room;
    }

    /// Messages sent to a person since the last look, by number, and acknowledgements.
    fn sent(&self, to: PeerId) -> (Vec<u64>, Vec<u64>) {
        let (mut messages, mut acks) = (Vec::new(), Vec::new());
        for (id, frame) in self.state.lock().unwrap().sent.extract_if(.., |(id, _)| *id == to) {
            match frame {
                Frame::Message { number, .. } => messages.push(number),
                Frame::Ack { number } => acks.push(number),
                frame => panic!("{frame:?} to {id}"),
            }
        }
        (messages, acks)
    }

    fn messages(&self, to: PeerId) -> Vec<u64> {
        self.sent(to).0
    }

    fn acks(&self, to: PeerId) -> Vec<u64> {
        self.sent(to).1
    }

    fn closed(&self) -> Vec<PeerId> {
        std::mem::take(&mut self.state.lock().unwrap().closed)
    }
}

struct Rig {
    hub: Hub,
    lan: FakeRoute,
    server: FakeRoute,
    events: Arc<Mutex<Vec<SignalingEvent>>>,
    now: Instant,
    numbers: u64,
    /// Versions and offset of the far clock that the next hello shows.
    versions: Versions,
    clock_ahead: Option<i64>,
}

fn id_of(seed: u32) -> PeerId {
    let mut bytes = [1; 32];
    bytes[..4].copy_from_slice(&seed.to_be_bytes());
    Identity::from_seed(bytes).id()
}

fn ringing() -> Message {
    Message::Ringing { invite: InviteId::from_bits(1) }
}

impl Rig {
    fn new() -> Self {
        let now = Instant::now();
        let mut local = Local::new(Arc::new(Identity::from_seed([9; 32])), "Me").unwrap();
        local.numbers = Numbers::starting_with(1, now);
        let local = Arc::new(local);
        let events = Arc::new(Mutex::new(Vec::new()));
        let sink = events.clone();
        let (lan, server) = (FakeRoute::new(RouteKind::Lan), FakeRoute::new(RouteKind::Server));
        let routes: Vec<Box<dyn Route>> = vec![Box::new(lan.clone()), Box::new(server.clone())];
        let hub = Hub::new(local, Arc::new(move |event| sink.lock().unwrap().push(event)), routes);
        Self { hub, lan, server, events, now, numbers: 0, versions: Versions::OWN, clock_ahead: None }
    }

    fn up_on(&mut self, route: RouteKind, peer: PeerId, run: &str) {
        let (name, instance) = ("Peer".to_owned(), run.into());
        let up = Up { peer, name, instance, versions: self.versions, clock_ahead: self.clock_ahead };
        self.hub.on_route(route, RouteEvent::Up(up), self.now);
    }

    fn up(&mut self, peer: PeerId, run: &str) {
        self.up_on(RouteKind::Lan, peer, run);
    }

    fn down_on(&mut self, route: RouteKind, peer: PeerId, closed_by_far: bool) {
        self.hub.on_route(route, RouteEvent::Down { peer, closed_by_far }, self.now);
    }

    fn down(&mut self, peer: PeerId, closed_by_far: bool) {
        self.down_on(RouteKind::Lan, peer, closed_by_far);
    }

    fn incoming(&mut self, route: RouteKind, peer: PeerId, run: &str, incoming: Incoming) {
        self.hub.on_route(route, RouteEvent::Received { peer, instance: run.into(), incoming }, self.now);
    }

    fn message(&mut self, route: RouteKind, peer: PeerId, run: &str, number: u64) {
        self.incoming(route, peer, run, Incoming::Message { number, message: Some(ringing()) });
    }

    fn ack(&mut self, route: RouteKind, peer: PeerId, run: &str, number: u64) {
        self.incoming(route, peer, run, Incoming::Ack { number });
    }

    fn send(&mut self, to: PeerId) {
        self.hub.send(to, ringing(), self.now);
    }

    fn invite_100_times(&mut self, peer: PeerId) {
        for number in 0..100 {
            let (invite, conversation) = (InviteId::from_bits(number), crate::call::ConversationId::from_bits(number));
            let (name, user_data) = (String::new(), String::new());
            let streams = MediaSet::of_call(true, true);
            let message = Message::Invite {
                invite,
                conversation,
                name,
                user_data,
                streams,
                descriptions: crate::call::Description::VERSIONS,
            };
            self.numbers += 1;
            let incoming = Incoming::Message { number: self.numbers, message: Some(message) };
            self.incoming(RouteKind::Lan, peer, "run", incoming);
        }
    }

    fn events(&self) -> Vec<SignalingEvent> {
        self.events.lock().unwrap().drain(..).collect()
    }

    fn presences(&self) -> Vec<(PeerId, Vec<RouteKind>)> {
        let presence = |event| match event {
            SignalingEvent::Presence { id, routes, .. } => Some((id, routes.iter().collect())),
            _ => None,
        };
        self.events().into_iter().filter_map(presence).collect()
    }

    /// The events other than presence.
    fn others(&self) -> Vec<SignalingEvent> {
        self.events().into_iter().filter(|event| !matches!(event, SignalingEvent::Presence { .. })).collect()
    }

    fn received(&self) -> usize {
        self.events().iter().filter(|event| matches!(event, SignalingEvent::Received { .. })).count()
    }
}

const LAN: RouteKind = RouteKind::Lan;
const NONE: [u64; 0] = [];

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
    rig.incoming(LAN, peer, "run", Incoming::Message { number: 3, message: None });
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
fn messages_of_unknown_kinds_count_like_others() {
    let mut rig = Rig::new();
    let peer = id_of(1);
    rig.up(peer, "run");
    for number in 1..=1000 {
        rig.incoming(LAN, peer, "run", Incoming::Message { number, message: None });
    }
    assert_eq!(rig.lan.closed(), [peer]);
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
    assert_eq!((rig.received(), rig.lan.closed()), (200, vec![peer]));
}

#[test]
fn clocks_that_differ_are_told_of_once_of_each_person_and_not_often() {
    let mut rig = Rig::new();
    let start = rig.now;
    let people: Vec<_> = (0..3).map(id_of).collect();
    let mut told = Vec::new();
    for (seconds, person, ahead) in [
        (0, 0, Some(90)),
        (1, 1, Some(-86_400)),
        (2, 2, None),
        (700, 0, Some(90)),
        (701, 1, Some(-86_400)),
        (702, 2, Some(3_000_000_000)),
        (1400, 2, Some(3_000_000_000)),
    ] {
        (rig.now, rig.clock_ahead) = (start + Duration::from_secs(seconds), ahead);
        rig.up(people[person], "run");
        told.extend(rig.others());
    }
    let expected = [(0, 90), (1, -86_400), (2, 3_000_000_000)]
        .map(|(person, seconds_ahead)| SignalingEvent::ClocksDiffer { id: people[person], seconds_ahead });
    assert_eq!(told, expected);
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

#[test]
fn whoever_is_blocked_keeps_the_connection_and_is_neither_seen_nor_heard() {
    let mut rig = Rig::new();
    let peer = id_of(1);
    rig.up(peer, "run");
    assert_eq!(rig.presences(), [(peer, vec![LAN])]);
    rig.send(peer);
    rig.hub.set_blocked(HashSet::from([peer]));
    let (name, routes) = ("Peer".to_owned(), RouteSet::default());
    assert_eq!(
        rig.events(),
        [
            SignalingEvent::Undelivered { to: peer, message: ringing() },
            SignalingEvent::Presence { id: peer, name, routes, skew: None }
        ]
    );
    assert!(rig.lan.closed().is_empty(), "they would notice");
    rig.message(LAN, peer, "run", 1);
    assert_eq!(rig.lan.sent(peer), (vec![1], vec![1]), "and where nothing is acknowledged");
    rig.incoming(LAN, peer, "run", Incoming::Name("Another".into()));
    rig.down(peer, true);
    rig.clock_ahead = Some(90);
    rig.up(peer, "run");
    rig.invite_100_times(peer);
    rig.hub.set_blocked(HashSet::from([peer, id_of(7)]));
    assert_eq!(rig.events(), []);
    assert!(rig.lan.messages(peer).is_empty() && rig.lan.closed().is_empty(), "nothing is answered");
    rig.send(peer);
    assert_eq!(rig.events(), [SignalingEvent::Undelivered { to: peer, message: ringing() }]);
}

#[test]
fn whoever_is_no_longer_blocked_and_is_there_is_shown() {
    let mut rig = Rig::new();
    let (here, away) = (id_of(1), id_of(2));
    rig.hub.set_blocked(HashSet::from([here, away]));
    rig.up(here, "run");
    assert_eq!(rig.presences(), []);
    rig.hub.set_blocked(HashSet::new());
    assert_eq!(rig.presences(), [(here, vec![LAN])]);
    rig.send(here);
    assert_eq!(rig.lan.messages(here).len(), 1);
    rig.message(LAN, here, "run", 1);
    assert_eq!(rig.received(), 1);
}

#[test]
fn a_name_is_told_once_and_of_those_who_are_there() {
    let mut rig = Rig::new();
    let peer = id_of(1);
    rig.up(peer, "run");
    rig.events();
    for name in ["Ann", "Ann", "Ann B."] {
        rig.incoming(LAN, peer, "run", Incoming::Name(name.into()));
    }
    assert_eq!(rig.presences().len(), 2);
    rig.down(peer, false);
    rig.events();
    rig.incoming(LAN, peer, "run", Incoming::Name("late".into()));
    assert_eq!(rig.events(), []);
}

#[test]
fn a_connection_that_the_far_computer_closed_is_told_apart_from_one_that_fell_silent() {
    let mut rig = Rig::new();
    let peer = id_of(1);
    rig.up(peer, "run 1");
    rig.down(peer, false);
    rig.up(peer, "run 1");
    assert_eq!(rig.others(), [], "a network that failed says nothing of the app");
    rig.down(peer, true);
    assert_eq!(rig.others(), [SignalingEvent::ConnectionClosed { id: peer }]);
}

#[test]
fn only_the_same_run_of_the_far_app_restores_a_connection_that_was_closed() {
    let mut rig = Rig::new();
    let peer = id_of(1);
    let (closed, restored) =
        (SignalingEvent::ConnectionClosed { id: peer }, SignalingEvent::ConnectionRestored { id: peer });
    for (number, run, expected) in [
        (1, "run 1", &[][..]),
        (2, "run 1", &[closed.clone(), restored.clone()]),
        (3, "run 2", std::slice::from_ref(&closed)),
        (4, "run 2", &[closed.clone(), restored]),
    ] {
        rig.up(peer, run);
        assert_eq!(rig.others(), expected, "connection {number}");
        rig.down(peer, true);
    }
}

#[test]
fn a_connection_that_was_closed_is_restored_also_where_nobody_announces_that_person() {
    let mut rig = Rig::new();
    let peer = id_of(1);
    rig.hub.local.set_contacts(HashSet::from([peer]));
    rig.up(peer, "run");
    rig.down(peer, true);
    assert!(rig.hub.people.is_empty());
    for stranger in 0..2 * MAX_CLOSED as u32 {
        let stranger = id_of(1_000_000 + stranger);
        rig.up(stranger, "run");
        rig.down(stranger, true);
    }
    rig.up(peer, "run");
    let told = rig.others();
    assert_eq!(told.first(), Some(&SignalingEvent::ConnectionClosed { id: peer }));
    assert_eq!(told.last(), Some(&SignalingEvent::ConnectionRestored { id: peer }));
}

#[test]
fn an_app_without_a_common_version_is_shown_as_such_and_nothing_is_said_to_it() {
    let skews = [(1, VersionSkew::FarIsOlder), (2, VersionSkew::FarIsOlder), (99, VersionSkew::OwnIsOlder)];
    for (version, expected) in skews {
        let mut rig = Rig::new();
        let peer = id_of(1);
        rig.send(peer);
        rig.versions = Versions { min: version, max: version };
        rig.up(peer, "run");
        let undelivered = SignalingEvent::Undelivered { to: peer, message: ringing() };
        let (name, routes) = ("Peer".to_owned(), [LAN].into_iter().collect());
        let shown = SignalingEvent::Presence { id: peer, name, routes, skew: Some(expected) };
        assert_eq!(rig.events(), [shown, undelivered.clone()], "version {version}");
        rig.send(peer);
        assert_eq!(rig.events(), [undelivered], "at once");
        rig.message(LAN, peer, "run", 1);
        assert_eq!((rig.events(), rig.lan.sent(peer)), (vec![], (vec![], vec![])));
        // They have got a version that is understood.
        rig.versions = Versions { min: 1, max: 99 };
        rig.up(peer, "next run");
        let told = rig.events();
        assert!(matches!(told[..], [SignalingEvent::Presence { skew: None, .. }]), "{told:?}");
        rig.send(peer);
        assert_eq!(rig.lan.messages(peer).len(), 1);
    }
}

#[test]
fn invites_and_their_end_go_to_every_device_and_an_answer_stops_the_others() {
    let mut rig = Rig::new();
    let bob = id_of(1);
    let invite = InviteId::from_bits(7);
    rig.up_on(RouteKind::Server, bob, "desk");
    rig.send(bob);
    rig.hub.send(bob, Message::Cancel { invite }, rig.now);
    let told = |rig: &Rig| std::mem::take(&mut rig.server.state.lock().unwrap().to_others);
    let canceled = told(&rig);
    assert!(matches!(&canceled[..], [(run, Frame::Message { message: Message::Cancel { .. }, .. })] if run == "desk"));
    let last = rig.server.messages(bob).last().copied();
    rig.incoming(
        RouteKind::Server,
        bob,
        "lap",
        Incoming::Message { number: 9, message: Some(Message::Reject { invite }) },
    );
    let stopped = told(&rig);
    let [(run, Frame::Message { number, message })] = &stopped[..] else { panic!("{stopped:?}") };
    assert_eq!((run.as_str(), message), ("lap", &Message::AnsweredElsewhere { invite }));
    assert!(Some(*number) > last, "numbers grow");
    rig.send(bob);
    assert!(rig.server.messages(bob).iter().all(|after| after > number));
}
