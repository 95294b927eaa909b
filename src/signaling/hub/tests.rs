//! The hub's decisions, without sockets: the tests play the connections.

use std::sync::Mutex;

use super::*;
use crate::call::InviteId;
use crate::identity::Identity;
use crate::media::MediaSet;

struct Rig {
    hub: Hub,
    events: Arc<Mutex<Vec<SignalingEvent>>>,
    now: Instant,
    connections: u64,
    /// Path of the connections that come up.
    path: Option<Path>,
    letters: u64,
    /// Offset of the far clock that the hello of the next connection shows.
    clock_ahead: Option<i64>,
}

fn id_of(seed: u32) -> PeerId {
    let mut bytes = [1; 32];
    bytes[..4].copy_from_slice(&seed.to_be_bytes());
    Identity::from_seed(bytes).id()
}

/// A person whose ID is above (or below) the rig's own.
fn neighbour(rig: &Rig, above: bool) -> PeerId {
    (0..).map(id_of).find(|id| (*id > rig.hub.own) == above && *id != rig.hub.own).unwrap()
}

impl Rig {
    fn new() -> Self {
        let local = Arc::new(Local::new(Arc::new(Identity::from_seed([9; 32])), "Me").unwrap());
        let events = Arc::new(Mutex::new(Vec::new()));
        let (reports, _) = mpsc::channel(1);
        let sink = events.clone();
        let hub = Hub::new(local, Arc::new(move |event| sink.lock().unwrap().push(event)), reports);
        Self { hub, events, now: Instant::now(), connections: 0, path: None, letters: 0, clock_ahead: None }
    }

    fn up(&mut self, peer: PeerId, instance: &str, dialed: bool) -> mpsc::Receiver<Letter> {
        let (letters, taken) = mpsc::channel(8);
        self.connections += 1;
        // What a dial does first.
        if dialed {
            self.hub.dialing += 1;
        }
        let (name, instance, connection) = ("Peer".to_owned(), instance.into(), self.connections);
        let (path, clock_ahead) = (self.path, self.clock_ahead);
        let up = Up { connection, peer, name, instance, dialed, path, clock_ahead, letters };
        self.hub.input(Input::Up(up), self.now);
        taken
    }

    /// A letter over a connection of that person's.
    fn letter(&mut self, connection: u64, peer: PeerId, instance: &str, number: u64) {
        let instance = instance.into();
        self.hub.input(Input::Letter { connection, peer, instance, number, message: ringing() }, self.now);
    }

    fn invite_100_times(&mut self, peer: PeerId) {
        for number in 0..100 {
            let (invite, conversation) = (InviteId::from_bits(number), crate::call::ConversationId::from_bits(number));
            let (name, user_data) = (String::new(), String::new());
            let message =
                Message::Invite { invite, conversation, name, user_data, streams: MediaSet::of_call(true, true) };
            self.letters += 1;
            let (instance, number) = ("run".into(), self.letters);
            self.hub.input(Input::Letter { connection: 1, peer, instance, number, message }, self.now);
        }
    }

    fn presences(&self) -> Vec<(PeerId, bool)> {
        let mut events = self.events.lock().unwrap();
        let presence = |event| match event {
            SignalingEvent::Presence { id, online, .. } => Some((id, online)),
            _ => None,
        };
        events.drain(..).filter_map(presence).collect()
    }
}

fn numbers(letters: &mut mpsc::Receiver<Letter>) -> Vec<u64> {
    std::iter::from_fn(|| letters.try_recv().ok()).map(|letter| letter.number).collect()
}

fn ringing() -> Message {
    Message::Ringing { invite: InviteId::from_bits(1) }
}

#[test]
fn of_two_connections_opened_at_once_both_sides_keep_the_lower_ids() {
    for (above, own_first) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut rig = Rig::new();
        let peer = neighbour(&rig, above);
        let first = rig.up(peer, "same", own_first);
        let second = rig.up(peer, "same", !own_first);
        let (own, theirs) = if own_first { (first, second) } else { (second, first) };
        assert_eq!((own.is_closed(), theirs.is_closed()), (!above, above));
        assert_eq!(rig.presences(), [(peer, true)]);
        assert_eq!(rig.hub.dialing, 0);
    }
}

#[test]
fn a_dial_beside_a_connection_that_is_kept_is_not_made_again_at_once() {
    let mut rig = Rig::new();
    let peer = neighbour(&rig, false);
    rig.announce(peer, &[at(7, 9000)], 10);
    let kept = rig.up(peer, "same", false);
    rig.hub.command(Command::Renew(peer), rig.now);
    let dialed = rig.up(peer, "same", true);
    assert!(!kept.is_closed() && dialed.is_closed());
    assert!(rig.hub.dial_now(rig.now).is_none());
    let later = rig.now + Duration::from_secs(1);
    assert!(rig.hub.dial_now(later).is_some_and(|due| due.peer == peer), "the connection may lead nowhere");
}

#[test]
fn an_app_that_came_back_replaces_its_former_connection_and_gets_what_was_not_read() {
    let mut rig = Rig::new();
    let peer = neighbour(&rig, true);
    let mut before = rig.up(peer, "before", true);
    rig.hub.send(peer, ringing(), rig.now);
    rig.hub.send(peer, ringing(), rig.now);
    assert_eq!(numbers(&mut before), [1, 2]);
    rig.hub.input(Input::Acknowledged { connection: 1, peer, number: 1 }, rig.now);
    let mut after = rig.up(peer, "after", false);
    assert!(before.is_closed());
    assert_eq!(numbers(&mut after), [2]);
    // What the old connection still reports changes nothing.
    rig.hub.input(Input::Acknowledged { connection: 1, peer, number: 2 }, rig.now);
    rig.hub.input(Input::Down { connection: 1, peer, closed_by_far: true }, rig.now);
    assert_eq!(rig.presences(), [(peer, true)]);
    rig.hub.input(Input::Down { connection: 2, peer, closed_by_far: false }, rig.now);
    assert_eq!(rig.presences(), [(peer, false)]);
}

#[test]
fn strangers_are_bounded_and_never_push_out_contacts() {
    let mut rig = Rig::new();
    let contact = id_of(1_000_000);
    rig.hub.local.set_contacts(HashSet::from([contact]));
    let first = rig.up(contact, "c", false);
    let strangers: Vec<_> = (0..MAX_PEERS as u32 + 50).map(id_of).collect();
    let held: Vec<_> = strangers.iter().map(|id| rig.up(*id, "s", false)).collect();
    assert_eq!(rig.hub.peers.len(), MAX_PEERS);
    assert!(!first.is_closed());
    assert!(held[MAX_PEERS].is_closed(), "there is no more room for strangers");
    let another = id_of(1_000_001);
    rig.hub.local.set_contacts(HashSet::from([contact, another]));
    let second = rig.up(another, "c", false);
    assert!(!second.is_closed(), "a stranger makes room for a contact");
    for number in 0..1000 {
        let fullname = format!("{number}");
        rig.hub.found(fullname, id_of(2_000_000 + number), vec![([127, 0, 0, 1], 40_000).into()], rig.now);
    }
    assert_eq!(rig.hub.peers.len(), MAX_PEERS);
    assert!(!first.is_closed() && !second.is_closed());
}

#[test]
fn a_late_message_comes_back_and_its_receiver_is_forgotten() {
    let mut rig = Rig::new();
    let peer = neighbour(&rig, true);
    rig.hub.send(peer, ringing(), rig.now);
    assert_eq!(rig.hub.next_due(rig.now), Some(rig.now + crate::signaling::outbox::PATIENCE));
    rig.hub.do_what_is_due(rig.now + crate::signaling::outbox::PATIENCE);
    assert_eq!(*rig.events.lock().unwrap(), [SignalingEvent::Undelivered { to: peer, message: ringing() }]);
    assert!(rig.hub.peers.is_empty());
}

#[test]
fn an_invite_over_the_limit_is_answered_busy_a_bounded_number_of_times() {
    let mut rig = Rig::new();
    let peer = neighbour(&rig, true);
    let mut letters = rig.up(peer, "p", false);
    rig.invite_100_times(peer);
    let invites = rig.events.lock().unwrap().iter().filter(|it| matches!(it, SignalingEvent::Received { .. })).count();
    assert_eq!((invites, numbers(&mut letters).len()), (5, 5));
    rig.hub.do_what_is_due(rig.now + crate::signaling::outbox::PATIENCE);
    let events = rig.events.lock().unwrap();
    let busy: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            SignalingEvent::Undelivered { message: Message::Busy { invite }, .. } => Some(*invite),
            _ => None,
        })
        .collect();
    assert_eq!(busy, (5..10).map(InviteId::from_bits).collect::<Vec<_>>(), "the invites that did not pass");
}

#[test]
fn a_stranger_who_may_not_ring_hears_nothing_however_often_they_do() {
    let mut rig = Rig::new();
    rig.hub.local.strangers_welcome.store(false, Ordering::Relaxed);
    let peer = neighbour(&rig, true);
    let mut letters = rig.up(peer, "p", false);
    rig.invite_100_times(peer);
    assert!(numbers(&mut letters).is_empty());
    rig.hub.local.set_contacts(HashSet::from([peer]));
    rig.invite_100_times(peer);
    assert_eq!(numbers(&mut letters).len(), 5, "a contact may ring, and hears that it is too often");
}

fn at(last: u8, port: u16) -> SocketAddr {
    ([192, 0, 2, last], port).into()
}

impl Rig {
    /// Announced long enough ago that they are due, whoever has the lower ID.
    fn announce(&mut self, id: PeerId, addresses: &[SocketAddr], seconds_ago: u64) {
        let found_at = self.now - Duration::from_secs(seconds_ago);
        self.hub.found(format!("{id}"), id, addresses.to_vec(), found_at);
    }

    /// Connects to a contact at this address and loses them again.
    fn meet_once(&mut self, contact: PeerId, address: SocketAddr) {
        self.path = Some(Path::new(at(1, 1), address));
        let _letters = self.up(contact, "c", false);
        self.hub.input(Input::Down { connection: self.connections, peer: contact, closed_by_far: false }, self.now);
        self.path = None;
    }

    /// Whom it would dial, one after the other.
    fn order(&mut self) -> Vec<(PeerId, bool)> {
        let mut order = Vec::new();
        while let Some(due) = self.hub.dial_now(self.now) {
            let peer = self.hub.peer(due.peer, self.now);
            (peer.dialing, peer.trusted_dial) = (true, due.trusted);
            order.push((due.peer, due.trusted));
        }
        order
    }
}

#[tokio::test]
async fn dials_that_hang_leave_room_for_contacts_where_they_were_met_before() {
    let mut rig = Rig::new();
    let (contact, elsewhere) = (id_of(1_000_000), id_of(1_000_001));
    rig.hub.set_contacts(HashSet::from([contact, elsewhere]));
    for stranger in 0..100 {
        rig.announce(id_of(stranger), &[at((stranger % 250) as u8, 9000)], 10);
    }
    rig.hub.do_what_is_due(rig.now);
    assert_eq!(rig.hub.dialing, MAX_UNPROVEN_DIALS);
    assert_eq!(rig.hub.next_due(rig.now), None, "nobody else has room");
    rig.meet_once(contact, at(77, 5));
    rig.now += Duration::from_secs(5);
    rig.announce(contact, &[at(77, 4000)], 2);
    rig.announce(elsewhere, &[at(78, 4000)], 2);
    rig.hub.do_what_is_due(rig.now);
    assert_eq!((rig.hub.dialing, rig.hub.peers[&contact].dialing), (MAX_UNPROVEN_DIALS + 1, true));
    assert!(!rig.hub.peers[&elsewhere].dialing, "anybody may have announced them there");
}

#[test]
fn who_is_a_contact_does_not_show_at_an_address_that_proves_nothing() {
    for others in [0, 3, 60] {
        // The same announcements, once of a contact and once of a stranger.
        let order = |is_contact: bool| {
            let mut rig = Rig::new();
            rig.now += Duration::from_secs(1000);
            let asked_about = id_of(1_000_000);
            if is_contact {
                rig.hub.set_contacts(HashSet::from([asked_about]));
            }
            for other in 0..others {
                rig.announce(id_of(other), &[at(other as u8, 9000)], 20 + 2 * u64::from(other));
            }
            rig.announce(asked_about, &[at(200, 4711)], 10);
            rig.order()
        };
        assert_eq!(order(true), order(false), "{others} others");
    }
}

#[test]
fn a_contact_announced_beside_a_proven_address_is_dialed_there_alone_at_first() {
    let mut rig = Rig::new();
    let contact = id_of(1_000_000);
    rig.hub.set_contacts(HashSet::from([contact]));
    rig.meet_once(contact, at(77, 5));
    rig.now += Duration::from_secs(10);
    rig.hub.found("real".into(), contact, vec![at(77, 4000)], rig.now);
    rig.hub.found("forged".into(), contact, vec![at(200, 4711)], rig.now);
    rig.now += Duration::from_secs(5);
    let due = rig.hub.dial_now(rig.now).unwrap();
    assert_eq!((due.trusted, due.addresses), (true, vec![at(77, 4000)]));
}

#[test]
fn of_those_who_are_due_the_proven_come_first_and_then_whoever_waits_longest() {
    let mut rig = Rig::new();
    let (older, newer, contact) = (neighbour(&rig, true), id_of(1_000_000), id_of(1_000_001));
    rig.hub.set_contacts(HashSet::from([contact]));
    rig.now += Duration::from_secs(60);
    for (id, last, seconds) in [(newer, 3, 20), (older, 4, 30)] {
        rig.announce(id, &[at(last, 9)], seconds);
    }
    rig.path = Some(Path::new(at(1, 1), at(5, 1)));
    let letters = rig.up(contact, "c", false);
    drop(letters);
    rig.hub.input(
        Input::Down { connection: rig.connections, peer: contact, closed_by_far: false },
        rig.now - Duration::from_secs(50),
    );
    rig.announce(contact, &[at(5, 9)], 40);
    assert_eq!(rig.order(), [(contact, true), (older, false), (newer, false)]);
}

#[test]
fn many_announcements_scan_nobody() {
    let mut rig = Rig::new();
    let start = rig.now;
    let mut attempts = 0;
    // Fifty people, each at ever new ports of one neighbour who refuses at once.
    for tenth in 0..100_u16 {
        rig.now = start + Duration::from_millis(u64::from(tenth) * 100);
        for person in 0..50 {
            rig.hub.found(format!("{person}-{tenth}"), id_of(person), vec![at(7, 2000 + tenth)], rig.now);
        }
        while let Some(due) = rig.hub.dial_now(rig.now) {
            rig.hub.budget.take(due.addresses[0].ip(), rig.now);
            attempts += 1;
            rig.hub.peer(due.peer, rig.now).dial_failed(rig.now);
        }
    }
    assert!((10..=16).contains(&attempts), "{attempts} in 10 s");
}

#[test]
fn what_was_announced_is_forgotten_when_people_are_looked_for_anew() {
    let mut rig = Rig::new();
    let (there, gone) = (neighbour(&rig, true), id_of(1_000_000));
    let _letters = rig.up(there, "t", false);
    rig.announce(there, &[at(2, 9)], 10);
    rig.announce(gone, &[at(3, 9)], 10);
    rig.hub.input(Input::DiscoveryRestarted, rig.now);
    assert_eq!(rig.hub.peers.keys().collect::<Vec<_>>(), [&there]);
    assert!(rig.hub.peers[&there].addresses().is_empty());
    rig.presences();
    rig.hub.input(Input::Discovery(Some(DiscoveryFault::PortTaken)), rig.now);
    assert_eq!(*rig.events.lock().unwrap(), [SignalingEvent::Discovery(Some(DiscoveryFault::PortTaken))]);
}

#[test]
fn clocks_that_differ_are_told_of_once_of_each_person_and_not_often() {
    let mut rig = Rig::new();
    let start = rig.now;
    let people: Vec<_> = (0..3).map(id_of).collect();
    let mut held = Vec::new();
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
        held.push(rig.up(people[person], "run", false));
        told.extend(endings(&rig));
    }
    let expected = [(0, 90), (1, -86_400), (2, 3_000_000_000)]
        .map(|(person, seconds_ahead)| SignalingEvent::ClocksDiffer { id: people[person], seconds_ahead });
    assert_eq!(told, expected);
}

#[test]
fn a_letter_that_was_sent_again_over_the_next_connection_is_read_once() {
    let mut rig = Rig::new();
    let peer = neighbour(&rig, true);
    let first = rig.up(peer, "run 1", false);
    rig.letter(1, peer, "run 1", 1);
    rig.letter(1, peer, "run 1", 2);
    let second = rig.up(peer, "run 1", false);
    rig.letter(2, peer, "run 1", 2);
    rig.letter(2, peer, "run 1", 3);
    // A letter that was still under way on the first.
    rig.letter(1, peer, "run 1", 3);
    let third = rig.up(peer, "run 2", false);
    rig.letter(3, peer, "run 2", 1);
    let received = endings(&rig).iter().filter(|event| matches!(event, SignalingEvent::Received { .. })).count();
    assert_eq!(received, 4, "1, 2 and 3 of the first run, 1 of the second");
    drop((first, second, third));
}

#[test]
fn whoever_is_blocked_keeps_the_connection_and_is_neither_seen_nor_heard() {
    let mut rig = Rig::new();
    let peer = neighbour(&rig, true);
    let before = rig.up(peer, "run", false);
    assert_eq!(rig.presences(), [(peer, true)]);
    rig.hub.send(peer, ringing(), rig.now);
    rig.hub.set_blocked(HashSet::from([peer]));
    assert_eq!(
        rig.events.lock().unwrap().drain(..).collect::<Vec<_>>(),
        [
            SignalingEvent::Undelivered { to: peer, message: ringing() },
            SignalingEvent::Presence { id: peer, name: "Peer".into(), online: false, route: PresenceRoute::Lan }
        ]
    );
    assert!(!before.is_closed(), "they would notice");
    rig.letter(1, peer, "run", 1);
    rig.hub.input(Input::Name { connection: 1, peer, name: "Another".into() }, rig.now);
    rig.hub.input(Input::Down { connection: 1, peer, closed_by_far: true }, rig.now);
    rig.clock_ahead = Some(90);
    let mut again = rig.up(peer, "run", false);
    assert!(!again.is_closed());
    rig.invite_100_times(peer);
    rig.hub.set_blocked(HashSet::from([peer, id_of(7)]));
    assert_eq!(*rig.events.lock().unwrap(), []);
    assert!(numbers(&mut again).is_empty(), "nothing is answered");
    rig.hub.send(peer, ringing(), rig.now);
    assert_eq!(endings(&rig), [SignalingEvent::Undelivered { to: peer, message: ringing() }]);
}

#[test]
fn whoever_is_no_longer_blocked_and_is_there_is_shown() {
    let mut rig = Rig::new();
    let (here, away) = (neighbour(&rig, true), neighbour(&rig, false));
    rig.hub.set_blocked(HashSet::from([here, away]));
    let mut letters = rig.up(here, "run", false);
    assert_eq!(rig.presences(), []);
    rig.hub.set_blocked(HashSet::new());
    assert_eq!(rig.presences(), [(here, true)]);
    rig.hub.send(here, ringing(), rig.now);
    assert_eq!(numbers(&mut letters).len(), 1);
    rig.letter(1, here, "run", 1);
    assert!(matches!(endings(&rig)[..], [SignalingEvent::Received { .. }]));
}

#[tokio::test]
async fn whoever_is_blocked_is_dialed_like_anybody() {
    let mut rig = Rig::new();
    let peer = neighbour(&rig, true);
    rig.hub.set_blocked(HashSet::from([peer]));
    rig.hub.found("p".into(), peer, vec![([127, 0, 0, 1], 9).into()], rig.now);
    rig.hub.do_what_is_due(rig.now);
    assert!(rig.hub.peers[&peer].dialing);
}

/// A clock that cannot be read: whatever says hello panics.
fn broken_clock() -> std::time::SystemTime {
    panic!("the clock is broken, as the test wants it");
}

#[tokio::test]
async fn a_dial_that_panics_is_over_and_is_made_again() {
    let identity = Arc::new(Identity::from_seed([9; 32]));
    let local = Arc::new(Local::with_clock(identity, "Me", broken_clock).unwrap());
    let (reports, mut inputs) = mpsc::channel(8);
    let mut hub = Hub::new(local, Arc::new(|_| {}), reports);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let far = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move { tokio_tungstenite::accept_async(stream).await });
        }
    });
    let peer = id_of(7);
    let mut now = Instant::now();
    hub.found("p".into(), peer, vec![address], now);
    for _ in 0..3 {
        now += Duration::from_secs(10);
        hub.do_what_is_due(now);
        assert_eq!((hub.dialing, hub.peers[&peer].dialing), (1, true));
        let input = inputs.recv().await.unwrap();
        assert!(matches!(input, Input::DialFailed { peer: failed } if failed == peer), "{input:?}");
        hub.input(input, now);
        assert_eq!((hub.dialing, hub.peers[&peer].dialing), (0, false));
    }
    far.abort();
}

/// The events other than presence.
fn endings(rig: &Rig) -> Vec<SignalingEvent> {
    let mut events = rig.events.lock().unwrap();
    events.drain(..).filter(|event| !matches!(event, SignalingEvent::Presence { .. })).collect()
}

#[test]
fn a_connection_that_the_far_computer_closed_is_told_apart_from_one_that_fell_silent() {
    let mut rig = Rig::new();
    let peer = neighbour(&rig, true);
    let silent = rig.up(peer, "run 1", false);
    rig.hub.input(Input::Down { connection: 1, peer, closed_by_far: false }, rig.now);
    let same_run = rig.up(peer, "run 1", false);
    assert_eq!(endings(&rig), [], "a network that failed says nothing of the app");
    rig.hub.input(Input::Down { connection: 2, peer, closed_by_far: true }, rig.now);
    assert_eq!(endings(&rig), [SignalingEvent::ConnectionClosed { id: peer }]);
    drop((silent, same_run));
}

#[test]
fn only_the_same_run_of_the_far_app_restores_a_connection_that_was_closed() {
    let mut rig = Rig::new();
    let peer = neighbour(&rig, true);
    rig.hub.found("p".into(), peer, vec![([127, 0, 0, 1], 9).into()], rig.now);
    let mut held = Vec::new();
    let (closed, restored) =
        (SignalingEvent::ConnectionClosed { id: peer }, SignalingEvent::ConnectionRestored { id: peer });
    for (number, run, expected) in [
        (1, "run 1", &[][..]),
        (2, "run 1", &[closed.clone(), restored.clone()]),
        (3, "run 2", std::slice::from_ref(&closed)),
        (4, "run 2", &[closed.clone(), restored]),
    ] {
        held.push(rig.up(peer, run, false));
        assert_eq!(endings(&rig), expected, "connection {number}");
        rig.hub.input(Input::Down { connection: number, peer, closed_by_far: true }, rig.now);
    }
}

#[test]
fn a_connection_that_was_closed_is_restored_also_where_nobody_announces_that_person() {
    let mut rig = Rig::new();
    let peer = neighbour(&rig, true);
    rig.hub.local.set_contacts(HashSet::from([peer]));
    let first = rig.up(peer, "run", false);
    rig.hub.input(Input::Down { connection: 1, peer, closed_by_far: true }, rig.now);
    assert!(rig.hub.peers.is_empty());
    for stranger in 0..2 * MAX_CLOSED as u32 {
        let stranger = id_of(1_000_000 + stranger);
        let _letters = rig.up(stranger, "run", false);
        let connection = rig.connections;
        rig.hub.input(Input::Down { connection, peer: stranger, closed_by_far: true }, rig.now);
    }
    assert_eq!(rig.hub.closed.len(), MAX_CLOSED);
    let second = rig.up(peer, "run", false);
    let told = endings(&rig);
    assert_eq!(told.first(), Some(&SignalingEvent::ConnectionClosed { id: peer }));
    assert_eq!(told.last(), Some(&SignalingEvent::ConnectionRestored { id: peer }));
    drop((first, second));
}
