//! The hub's decisions, without routes of flesh and blood: the tests play them.

use std::sync::Mutex;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::super::numbers::Numbers;
use super::super::send_queue::DELIVERY;
use super::super::version::VersionSkew;
use super::closed_runs::MAX_CLOSED;
use super::*;
use crate::call::{ConversationId, Description, InviteId};
use crate::identity::{DeviceId, Identity};
use crate::media::MediaSet;

mod delivery;
mod devices;
mod limits;
mod two_routes;

/// A route whose far ends are the test's.
#[derive(Clone)]
struct FakeRoute {
    kind: RouteKind,
    state: Arc<Mutex<FakeState>>,
}

struct FakeState {
    /// To whom, to which run of their app.
    sent: Vec<(PeerId, String, Frame)>,
    sought: Vec<PeerId>,
    renewed: Vec<PeerId>,
    closed: Vec<PeerId>,
    closed_runs: Vec<(PeerId, String)>,
    /// Runs at which people have spoken.
    spoken: Vec<(PeerId, String)>,
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
            state.sent.push((*to, run.to_owned(), Frame::decode(&frame).unwrap()));
        }
        has_room
    }

    fn spoke(&self, peer: &PeerId, run: &str) {
        self.state.lock().unwrap().spoken.push((*peer, run.to_owned()));
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

    fn close_run(&self, peer: &PeerId, run: &str) {
        self.state.lock().unwrap().closed_runs.push((*peer, run.to_owned()));
    }
}

impl FakeRoute {
    fn new(kind: RouteKind) -> Self {
        let (sent, sought, renewed, closed, closed_runs, spoken) = Default::default();
        let state = FakeState { sent, sought, renewed, closed, closed_runs, spoken, room: 1000, run: None };
        Self { kind, state: Arc::new(Mutex::new(state)) }
    }

    fn set_room(&self, room: usize) {
        self.state.lock().unwrap().room = room;
    }

    /// Messages sent to a person since the last look, by number, and acknowledgements.
    fn sent(&self, to: PeerId) -> (Vec<u64>, Vec<u64>) {
        let (mut messages, mut acks) = (Vec::new(), Vec::new());
        for (id, _, frame) in self.state.lock().unwrap().sent.extract_if(.., |(id, ..)| *id == to) {
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

    /// Messages since the last look, each with the run that it went to.
    fn messages_to_runs(&self) -> Vec<(String, Message)> {
        let message = |(_, run, frame)| match frame {
            Frame::Message { message, .. } => Some((run, message)),
            _ => None,
        };
        self.state.lock().unwrap().sent.drain(..).filter_map(message).collect()
    }

    fn closed(&self) -> Vec<PeerId> {
        std::mem::take(&mut self.state.lock().unwrap().closed)
    }

    fn closed_runs(&self) -> Vec<(PeerId, String)> {
        std::mem::take(&mut self.state.lock().unwrap().closed_runs)
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

fn invite(number: u128) -> Message {
    let (invite, conversation) = (InviteId::from_bits(number), ConversationId::from_bits(number));
    let (name, user_data, streams) = (String::new(), String::new(), MediaSet::of_call(true, true));
    Message::Invite { invite, conversation, name, user_data, streams, descriptions: Description::VERSIONS }
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
        self.up_at(route, peer, run, None);
    }

    /// A run that says on which device it is.
    fn up_at(&mut self, route: RouteKind, peer: PeerId, run: &str, device: Option<u8>) {
        let (name, instance) = ("Peer".to_owned(), run.into());
        let device = device.map(|number| DeviceId::from_bytes([number; 16]));
        let up = Up { peer, name, instance, device, versions: self.versions, clock_ahead: self.clock_ahead };
        self.hub.on_route(route, RouteEvent::Up(up), self.now);
    }

    fn up(&mut self, peer: PeerId, run: &str) {
        self.up_on(RouteKind::Lan, peer, run);
    }

    fn down_of(&mut self, route: RouteKind, peer: PeerId, run: &str, closed_by_far: bool) {
        let down = RouteEvent::Down { peer, instance: run.into(), closed_by_far };
        self.hub.on_route(route, down, self.now);
    }

    /// The run that is up there goes down.
    fn down_on(&mut self, route: RouteKind, peer: PeerId, closed_by_far: bool) {
        let person = self.hub.people.get_mut(&peer).expect("they are up");
        let run = person.up().into_iter().find(|run| person.on(route, run).is_some()).expect("they are up there");
        self.down_of(route, peer, &run, closed_by_far);
    }

    fn down(&mut self, peer: PeerId, closed_by_far: bool) {
        self.down_on(LAN, peer, closed_by_far);
    }

    fn incoming(&mut self, route: RouteKind, peer: PeerId, run: &str, incoming: Incoming) {
        self.hub.on_route(route, RouteEvent::Received { peer, instance: run.into(), incoming }, self.now);
    }

    fn message(&mut self, route: RouteKind, peer: PeerId, run: &str, number: u64) {
        self.incoming(route, peer, run, Incoming::message(number, ringing()));
    }

    fn ack(&mut self, route: RouteKind, peer: PeerId, run: &str, number: u64) {
        self.incoming(route, peer, run, Incoming::Ack { number });
    }

    fn send(&mut self, to: PeerId) {
        self.hub.send(to, ringing(), self.now);
    }

    fn invite_100_times(&mut self, peer: PeerId) {
        for number in 0..100 {
            let message = invite(number);
            self.numbers += 1;
            let incoming = Incoming::message(self.numbers, message);
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
