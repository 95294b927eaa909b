//! Choice of connections, and dials of people who are gone: the tests play the connections.

use tokio::net::TcpListener;

use super::*;
use crate::identity::{DeviceId, Identity};
use crate::network::{LocalAddress, Path, Standing};
use crate::signaling::local::Local;
use crate::signaling::route::{RouteKind, RouteReports, Up};
use crate::signaling::version::Versions;

mod timing;

struct Rig {
    task: LanTask,
    now: Instant,
    connections: u64,
    /// The device that the next far app says it is on.
    device: Option<DeviceId>,
    inputs: mpsc::Receiver<Input>,
}

/// The test's end of a connection.
struct Far {
    frames: mpsc::Receiver<bytes::Bytes>,
    taken: oneshot::Receiver<()>,
    news: Option<News>,
}

impl Far {
    fn is_closed(&self) -> bool {
        self.frames.is_closed()
    }
}

fn id_of(seed: u32) -> PeerId {
    let mut bytes = [1; 32];
    bytes[..4].copy_from_slice(&seed.to_be_bytes());
    Identity::from_seed(bytes).id()
}

fn at(last: u8, port: u16) -> std::net::SocketAddr {
    ([192, 0, 2, last], port).into()
}

impl Rig {
    fn new() -> Self {
        Self::of(Local::new(Arc::new(Identity::from_seed([9; 32])), "Me").unwrap())
    }

    fn of(local: Local) -> Self {
        let (lan, inputs) = mpsc::channel(8);
        let (hub, _) = mpsc::channel(1);
        let context = Context { local: Arc::new(local), lan, hub: RouteReports::new(RouteKind::Lan, hub) };
        let task = LanTask::new(context, Arc::default(), Arc::default());
        Self { task, now: Instant::now(), connections: 0, device: None, inputs }
    }

    /// A person whose ID is above (or below) the rig's own.
    fn neighbour(&self, above: bool) -> PeerId {
        let own = self.task.context.local.identity.id();
        (0..).map(id_of).find(|id| (*id > own) == above && *id != own).unwrap()
    }

    /// Announced long enough ago that they are due, on either side.
    fn announce(&mut self, peer: PeerId, address: std::net::SocketAddr) {
        let (fullname, addresses) = (format!("{peer}"), vec![address]);
        self.task.input(Input::Found { fullname, peer, addresses }, self.now - Duration::from_secs(10));
    }

    fn connect(&mut self, peer: PeerId, run: &str, dialed: bool) -> Far {
        if dialed {
            self.announce(peer, at(7, 9000));
            self.task.table.renew(peer, self.now);
            assert!(self.task.table.take_due(self.now).is_some_and(|due| due.peer == peer), "it has dialed");
        }
        self.connect_from(peer, run, dialed, at(7, 9000))
    }

    fn connect_from(&mut self, peer: PeerId, run: &str, dialed: bool, remote: std::net::SocketAddr) -> Far {
        self.connections += 1;
        let (frames, far_frames) = mpsc::channel(8);
        let (taken, far_taken) = oneshot::channel();
        let (name, instance, versions) = ("Peer".to_owned(), run.into(), Versions::OWN);
        let link = NewLink {
            connection: self.connections,
            up: Up { peer, name, instance, device: self.device, versions, clock_ahead: None },
            dialed,
            path: Some(Path::new(at(1, 1), remote)),
            frames,
            taken,
        };
        let news = self.task.input(Input::Proven(link), self.now);
        Far { frames: far_frames, taken: far_taken, news }
    }

    /// Whether the hub is told that the person is down.
    fn down(&mut self, connection: u64, peer: PeerId) -> bool {
        let news = self.task.input(Input::Down { connection, peer, closed_by_far: true }, self.now);
        matches!(news, Some((RouteEvent::Down { closed_by_far: true, .. }, None)))
    }
}

#[test]
fn of_two_connections_opened_at_once_both_sides_keep_the_lower_ids() {
    for (above, own_first) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut rig = Rig::new();
        let peer = rig.neighbour(above);
        let first = rig.connect(peer, "same", own_first);
        let second = rig.connect(peer, "same", !own_first);
        let (own, theirs) = if own_first { (first, second) } else { (second, first) };
        assert_eq!((own.is_closed(), theirs.is_closed()), (!above, above));
        let kept = if above { own } else { theirs };
        assert!(matches!(&kept.news, Some((RouteEvent::Up(up), Some(_))) if up.peer == peer));
    }
}

#[test]
fn a_dial_beside_a_connection_that_is_kept_is_not_made_again_at_once() {
    let mut rig = Rig::new();
    let peer = rig.neighbour(false);
    let kept = rig.connect(peer, "same", false);
    rig.announce(peer, at(7, 9000));
    let mut dialed = rig.connect(peer, "same", true);
    assert!(!kept.is_closed() && dialed.is_closed() && dialed.news.is_none());
    assert_eq!(dialed.taken.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    assert!(rig.task.table.take_due(rig.now).is_none());
    let later = rig.now + Duration::from_secs(1);
    assert!(rig.task.table.take_due(later).is_some_and(|due| due.peer == peer), "the connection may lead nowhere");
}

#[test]
fn an_app_that_came_back_replaces_its_former_connection_which_says_nothing_any_more() {
    let mut rig = Rig::new();
    let peer = rig.neighbour(true);
    let mut before = rig.connect(peer, "before", true);
    assert!(rig.task.links.send(&peer, "before", bytes::Bytes::from_static(b"1")));
    assert!(before.frames.try_recv().is_ok());
    let after = rig.connect(peer, "after", false);
    assert!(before.is_closed() && !after.is_closed());
    assert!(!rig.down(1, peer), "another one has its place");
    assert!(rig.down(2, peer) && after.is_closed());
    assert!(!rig.task.links.send(&peer, "after", bytes::Bytes::from_static(b"2")));
}

#[test]
fn devices_of_one_person_stand_beside_each_other_and_a_restarted_app_replaces_its_own() {
    let mut rig = Rig::new();
    let peer = rig.neighbour(true);
    let on = |rig: &mut Rig, number: u8, run: &str| {
        rig.device = Some(DeviceId::from_bytes([number; 16]));
        rig.connect(peer, run, false)
    };
    let (desk, lap) = (on(&mut rig, 1, "desk"), on(&mut rig, 2, "lap"));
    let reached =
        |rig: &Rig, runs: [&str; 2]| runs.map(|run| rig.task.links.send(&peer, run, bytes::Bytes::from_static(b"1")));
    assert_eq!((desk.is_closed(), lap.is_closed(), reached(&rig, ["desk", "lap"])), (false, false, [true; 2]));
    let again = on(&mut rig, 1, "desk again");
    assert_eq!((desk.is_closed(), lap.is_closed(), again.is_closed()), (true, false, false));
    assert_eq!(reached(&rig, ["desk", "lap"]), [false, true]);
    assert!(!rig.down(1, peer) && rig.down(2, peer));
    assert_eq!(reached(&rig, ["lap", "desk again"]), [false, true], "each goes alone");
    let others: Vec<_> = (10..30).map(|number| on(&mut rig, number, &format!("{number}"))).collect();
    assert_eq!(others.iter().filter(|far| !far.is_closed()).count(), MAX_DEVICES - 1);
    assert!(!again.is_closed(), "more devices push out none");
    assert_eq!(rig.task.current[&peer].len(), MAX_DEVICES);
}

#[test]
fn a_device_that_is_not_connected_is_dialed_beside_one_that_is() {
    let mut rig = Rig::new();
    let peer = rig.neighbour(true);
    rig.device = Some(DeviceId::from_bytes([1; 16]));
    let _desk = rig.connect(peer, "desk", false);
    let found = |rig: &mut Rig, run: &str, last: u8| {
        let (fullname, addresses) = (format!("{run}._visavis._tcp.local."), vec![at(last, 9000)]);
        rig.task.input(Input::Found { fullname, peer, addresses }, rig.now - Duration::from_secs(10));
    };
    found(&mut rig, "desk", 7);
    assert!(rig.task.table.take_due(rig.now).is_none());
    found(&mut rig, "lap", 8);
    let due = rig.task.table.take_due(rig.now).unwrap();
    assert_eq!((due.peer, due.addresses), (peer, vec![at(8, 9000)]));
    rig.device = Some(DeviceId::from_bytes([2; 16]));
    let _lap = rig.connect_from(peer, "lap", true, at(8, 9000));
    assert!(rig.task.table.take_due(rig.now).is_none());
}

#[test]
fn a_dial_that_led_to_a_connected_device_through_somebody_else_is_not_made_again() {
    let mut rig = Rig::new();
    let peer = rig.neighbour(true);
    rig.device = Some(DeviceId::from_bytes([1; 16]));
    let desk = rig.connect(peer, "desk", false);
    rig.announce(peer, at(8, 9000));
    assert!(rig.task.table.take_due(rig.now).is_some_and(|due| due.addresses == [at(8, 9000)]));
    assert_eq!(rig.task.table.settled(&peer), ["desk".into()]);
    rig.task.input(Input::Led { peer, run: "desk".into(), address: at(8, 9000) }, rig.now);
    rig.task.input(Input::DialFailed { peer }, rig.now);
    assert_eq!((rig.task.table.next_due(rig.now), desk.is_closed()), (None, false));
    assert!(rig.down(1, peer));
    assert!(rig.task.table.next_due(rig.now).is_some(), "it may lead there now");
}

#[test]
fn a_connection_that_the_hub_closes_is_told_of_as_down_once_it_has_ended() {
    let mut rig = Rig::new();
    let peer = rig.neighbour(true);
    let far = rig.connect(peer, "run", false);
    rig.task.links.close(&peer);
    assert!(far.is_closed());
    assert!(rig.down(1, peer) && !rig.down(1, peer));
}

#[test]
fn only_the_present_connection_shows_that_it_leads_to_the_person() {
    let mut rig = Rig::new();
    let peer = rig.neighbour(true);
    let _before = rig.connect(peer, "before", false);
    let _after = rig.connect(peer, "after", false);
    rig.announce(peer, at(7, 9000));
    rig.task.command(Command::Renew(peer), rig.now);
    rig.task.input(Input::Heard { connection: 1, peer }, rig.now);
    assert!(rig.task.table.next_due(rig.now).is_some());
    rig.task.input(Input::Heard { connection: 2, peer }, rig.now);
    assert!(rig.task.table.next_due(rig.now).is_none());
}

#[test]
fn the_path_of_the_present_connection_is_known() {
    let mut rig = Rig::new();
    let peer = rig.neighbour(true);
    assert_eq!(rig.task.paths.to(&peer), None);
    let _far = rig.connect(peer, "run", false);
    assert_eq!(rig.task.paths.to(&peer), Some(Path::new(at(1, 1), at(7, 9000))));
}

#[test]
fn connections_from_an_address_that_is_gone_and_those_of_before_a_sleep_are_opened_anew() {
    let state = |last: u8, sleeps| {
        let ip = at(last, 0).ip();
        let own = LocalAddress { ip, prefix: 24, interface: 2, standing: Standing::Other, point_to_point: false };
        NetworkState { addresses: [own].into(), sleeps }
    };
    for (networks, lost) in [(state(1, 0), false), (state(2, 0), true), (state(1, 1), true)] {
        let mut rig = Rig::new();
        let peer = rig.neighbour(true);
        let _far = rig.connect(peer, "run", false);
        rig.announce(peer, at(7, 9000));
        for _ in 0..2 {
            rig.task.networks_changed(&networks, rig.now);
            assert_eq!(rig.task.table.next_due(rig.now), lost.then_some(rig.now), "{networks:?}");
        }
        if lost {
            assert!(rig.task.table.take_due(rig.now).is_some_and(|due| due.peer == peer));
            assert_eq!(rig.task.table.next_due(rig.now), None, "it is under way");
            rig.task.networks_changed(&state(3, networks.sleeps), rig.now);
            assert_eq!(rig.task.table.next_due(rig.now), Some(rig.now), "maybe in a network that is gone");
        }
    }
}

/// A clock that cannot be read: every hello panics.
fn broken_clock() -> std::time::SystemTime {
    panic!("the clock is broken, as the test wants it");
}

#[tokio::test]
async fn a_dial_that_panics_is_over_and_is_made_again() {
    let identity = Arc::new(Identity::from_seed([9; 32]));
    let mut rig = Rig::of(Local::with_clock(identity, "Me", broken_clock).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let far = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move { tokio_tungstenite::accept_async(stream).await });
        }
    });
    let peer = id_of(7);
    let (fullname, addresses) = ("p".to_owned(), vec![address]);
    rig.task.input(Input::Found { fullname, peer, addresses }, rig.now);
    for _ in 0..3 {
        rig.now += Duration::from_secs(10);
        rig.task.dial_whoever_is_due(rig.now);
        assert_eq!(rig.task.table.next_due(rig.now), None, "it is under way");
        let input = rig.inputs.recv().await.unwrap();
        assert!(matches!(input, Input::DialFailed { peer: failed } if failed == peer), "{input:?}");
        rig.task.input(input, rig.now);
        assert!(rig.task.table.next_due(rig.now).is_some());
    }
    far.abort();
}
