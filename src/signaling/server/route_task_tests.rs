use super::*;
use crate::identity::Identity;
use crate::network::NetworkMonitor;
use crate::server_protocol::Device;
use crate::signaling::local::Local;
use crate::signaling::message::Message;
use crate::signaling::route::{Incoming, RouteKind};
use crate::signaling::server::Egress;
use crate::signaling::version::Versions;

struct Rig {
    task: RouteTask,
    news: mpsc::Receiver<(RouteKind, RouteEvent)>,
    servers: [ServerLink; 2],
}

fn peer() -> PeerId {
    PeerId::from_bytes([7; 32])
}

/// A route to two servers, whose connections were never begun.
fn rig() -> Rig {
    let local = Arc::new(Local::new(Arc::new(Identity::from_seed([1; 32])), "Name").unwrap());
    let (inputs, _) = mpsc::channel(9);
    let (hub, news) = mpsc::channel(99);
    let context = Context { local, egress: Egress::default(), networks: NetworkMonitor::unchanging(), inputs };
    let reports = RouteReports::new(RouteKind::Server, hub);
    let mut task = RouteTask::new(context, reports, Arc::default(), Arc::default());
    let servers = ["a", "b"].map(|host| ServerLink::new(host, 443, b"key").unwrap());
    for (number, link) in (1..).zip(&servers) {
        task.servers.insert(link.clone(), (number, mpsc::channel(9).0));
    }
    Rig { task, news, servers }
}

impl Rig {
    async fn up(&mut self, server: u64, device: u32, run: &str) {
        let up = Up {
            peer: peer(),
            name: "Bob".to_owned(),
            instance: run.into(),
            device: None,
            versions: Versions::OWN,
            clock_ahead: None,
        };
        let link = LinkKey { server, device: Device(device) };
        self.task.input(Input::Up { link, up, take: Box::new(|_| true) }).await;
    }

    async fn down(&mut self, server: u64, device: u32) {
        self.task.input(Input::Down { link: LinkKey { server, device: Device(device) }, peer: peer() }).await;
    }

    /// News since the last time: runs of somebody's app that are up (`+`) and down (`-`).
    fn told(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        while let Ok((_, event)) = self.news.try_recv() {
            match event {
                RouteEvent::Up(up) => told.push(format!("+{}", up.instance)),
                RouteEvent::Down { instance, closed_by_far: false, .. } => told.push(format!("-{instance}")),
                _ => {}
            }
        }
        told
    }

    fn reaches(&self, run: &str) -> bool {
        self.task.links.send(&peer(), run, Bytes::new())
    }
}

#[tokio::test]
async fn each_run_of_an_app_is_up_by_its_latest_way_and_down_after_its_last() {
    let mut rig = rig();
    let nothing: [&str; 0] = [];
    rig.up(1, 5, "desk").await;
    rig.up(2, 6, "lap").await;
    assert_eq!(rig.told(), ["+desk", "+lap"]);
    rig.up(2, 8, "desk").await;
    rig.down(1, 5).await;
    assert_eq!(rig.told(), ["+desk"], "another way than the one that is taken");
    assert!(rig.reaches("desk") && rig.reaches("lap"));
    rig.up(1, 9, "lap").await;
    rig.down(1, 9).await;
    assert_eq!(rig.told(), ["+lap", "+lap"], "by its first way again");
    rig.down(2, 8).await;
    assert!(!rig.reaches("desk") && rig.reaches("lap"));
    rig.down(2, 8).await;
    rig.down(2, 6).await;
    assert_eq!(rig.told(), ["-desk", "-lap"]);
    assert!(!rig.reaches("lap"));
    rig.down(1, 5).await;
    assert_eq!(rig.told(), nothing);
}

#[tokio::test]
async fn a_run_that_comes_back_to_a_server_has_left_its_old_connection() {
    let mut rig = rig();
    for (server, device) in [(1, 5), (2, 6), (1, 7)] {
        rig.up(server, device, "run").await;
    }
    rig.told();
    rig.down(1, 7).await;
    assert_eq!(rig.told(), ["+run"], "by the other server, and not by the dead connection");
    rig.down(2, 6).await;
    assert_eq!(rig.told(), ["-run"]);
    rig.down(1, 5).await;
    assert!(rig.told().is_empty());
}

#[tokio::test]
async fn a_run_is_answered_by_the_way_that_it_speaks_by_and_the_relay_is_that_servers() {
    let mut rig = rig();
    rig.up(1, 5, "desk").await;
    rig.up(2, 6, "desk").await;
    rig.up(2, 7, "lap").await;
    rig.told();
    let link = LinkKey { server: 1, device: Device(5) };
    let received = |incoming| Input::Received { link, peer: peer(), instance: "desk".into(), incoming };
    let invite = crate::call::InviteId::from_bits(1);
    let message = |message| Incoming::message(1, message);
    for by_itself in [Incoming::Ack { number: 1 }, message(Message::Ringing { invite })] {
        rig.task.input(received(by_itself)).await;
        assert!(rig.told().is_empty(), "the app does that without its person");
        assert_eq!(rig.task.relays.server_of(&peer()), Some(2));
    }
    rig.task.input(received(message(Message::Reject { invite }))).await;
    assert_eq!(rig.told(), ["+desk"]);
    assert_eq!(rig.task.relays.server_of(&peer()), Some(1));
    rig.up(2, 8, "third").await;
    assert_eq!(rig.task.relays.server_of(&peer()), Some(1), "a device that comes online takes nothing over");
    rig.down(1, 5).await;
    assert_eq!(rig.told(), ["+third", "+desk"], "by its other way");
    assert_eq!(rig.task.relays.server_of(&peer()), Some(2));
}

#[tokio::test]
async fn a_server_that_is_taken_out_takes_its_ways_and_late_news_along() {
    let mut rig = rig();
    rig.up(1, 5, "first").await;
    rig.up(2, 6, "second").await;
    rig.told();
    rig.task.set_servers(vec![rig.servers[0].clone()]).await;
    assert_eq!(rig.told(), ["-second"]);
    rig.up(2, 8, "late").await;
    let late = ServerStatus::new(&rig.servers[1], ServerState::Offline, None);
    rig.task.input(Input::Status { server: 2, status: late }).await;
    assert!(rig.told().is_empty() && rig.news.try_recv().is_err());
}

#[tokio::test]
async fn a_device_that_names_another_run_each_time_it_greets_is_one_run() {
    let mut rig = rig();
    for run in 0..1000 {
        rig.up(1, 5, &run.to_string()).await;
        let expected = if run == 0 { vec!["+0".to_owned()] } else { vec![format!("-{}", run - 1), format!("+{run}")] };
        assert_eq!(rig.told(), expected);
    }
    assert!(rig.reaches("999") && !rig.reaches("998"));
    assert_eq!(rig.task.ways[&peer()].len(), 1);
}

#[tokio::test]
async fn a_run_with_another_way_stays_when_a_device_at_one_server_names_another() {
    let mut rig = rig();
    rig.up(1, 5, "first").await;
    rig.up(2, 6, "first").await;
    rig.told();
    rig.up(2, 6, "second").await;
    assert_eq!(rig.told(), ["+first", "+second"]);
    assert!(rig.reaches("first") && rig.reaches("second"));
}

#[tokio::test]
async fn few_runs_of_one_person_are_reached_at_a_time() {
    let mut rig = rig();
    for device in 0..30 {
        rig.up(1 + u64::from(device % 2), device, &device.to_string()).await;
    }
    let told = rig.told();
    let (up, down) = (told.iter().filter(|it| it.starts_with('+')), told.iter().filter(|it| it.starts_with('-')));
    assert_eq!(up.count() - down.count(), MAX_RUNS);
    assert_eq!(rig.task.ways[&peer()].len(), MAX_RUNS);
    assert!(rig.reaches("29") && rig.reaches("22") && !rig.reaches("21"));
}
