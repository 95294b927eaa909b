use super::*;
use crate::identity::Identity;
use crate::network::NetworkMonitor;
use crate::server_protocol::Device;
use crate::signaling::local::Local;
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
        self.up_with(server, device, run, |_| true).await;
    }

    async fn up_with(
        &mut self,
        server: u64,
        device: u32,
        run: &str,
        take: impl Fn(Bytes) -> bool + Send + Sync + 'static,
    ) {
        let up = Up {
            peer: peer(),
            name: "Bob".to_owned(),
            instance: run.into(),
            versions: Versions::OWN,
            clock_ahead: None,
        };
        let link = LinkKey { server, device: Device(device) };
        self.task.input(Input::Up { link, up, take: Box::new(take) }).await;
    }

    async fn down(&mut self, server: u64, device: u32) {
        self.task.input(Input::Down { link: LinkKey { server, device: Device(device) }, peer: peer() }).await;
    }

    /// News since the last time: the run that somebody is reached at, or none.
    fn told(&mut self) -> Vec<Option<String>> {
        let mut told = Vec::new();
        while let Ok((_, event)) = self.news.try_recv() {
            match event {
                RouteEvent::Up(up) => told.push(Some(up.instance.to_string())),
                RouteEvent::Down { closed_by_far: false, .. } => told.push(None),
                _ => {}
            }
        }
        told
    }
}

#[tokio::test]
async fn a_person_is_up_by_the_latest_way_and_down_after_the_last() {
    let mut rig = rig();
    rig.up(1, 5, "first").await;
    rig.up(2, 6, "second").await;
    assert_eq!(rig.told(), [Some("first".into()), Some("second".into())]);
    rig.down(1, 5).await;
    assert_eq!(rig.told(), [], "another way than the one that is taken");
    rig.up(1, 7, "third").await;
    rig.down(1, 7).await;
    assert_eq!(rig.told(), [Some("third".into()), Some("second".into())]);
    rig.down(2, 6).await;
    rig.down(2, 6).await;
    assert_eq!(rig.told(), [None]);
    assert!(!rig.task.links.send(&peer(), "second", Bytes::new()));
}

#[tokio::test]
async fn a_run_that_comes_back_to_a_server_has_left_its_old_connection() {
    let mut rig = rig();
    for (server, device) in [(1, 5), (2, 6), (1, 7)] {
        rig.up(server, device, "run").await;
    }
    rig.told();
    rig.down(1, 7).await;
    assert_eq!(rig.told(), [Some("run".into())], "by the other server, and not by the dead connection");
    rig.down(2, 6).await;
    assert_eq!(rig.told(), [None]);
    rig.down(1, 5).await;
    assert_eq!(rig.told(), []);
}

#[tokio::test]
async fn whoever_speaks_is_answered_where_they_are() {
    let mut rig = rig();
    rig.up(1, 5, "first").await;
    rig.up(1, 6, "second").await;
    rig.told();
    let link = LinkKey { server: 1, device: Device(5) };
    let received = |incoming| Input::Received { link, peer: peer(), instance: "first".into(), incoming };
    let invite = crate::call::InviteId::from_bits(1);
    let message = |message| Incoming::Message { number: 1, message: Some(message) };
    for by_itself in [Incoming::Ack { number: 1 }, message(Message::Ringing { invite })] {
        rig.task.input(received(by_itself)).await;
        assert_eq!(rig.told(), [], "the app does that without its person");
    }
    rig.task.input(received(message(Message::Reject { invite }))).await;
    assert_eq!(rig.told(), [Some("first".into())]);
    rig.up(1, 7, "third").await;
    assert_eq!(rig.told(), [], "a device that comes online takes nothing over");
    assert!(rig.task.links.send(&peer(), "first", Bytes::new()));
    rig.down(1, 5).await;
    assert_eq!(rig.told(), [Some("third".into())], "the latest of the others");
}

#[tokio::test]
async fn a_frame_for_the_other_devices_reaches_each_of_them_once() {
    let mut rig = rig();
    let (frames, mut sent) = mpsc::channel(9);
    for (server, device, run) in [(1, 5, "first"), (1, 6, "second"), (2, 7, "second"), (2, 8, "third")] {
        let frames = frames.clone();
        rig.up_with(server, device, run, move |_| frames.try_send((device, run)).is_ok()).await;
    }
    let frame = Bytes::from_static(b"frame");
    let command = Command::SendToOthers { peer: peer(), run: "third".into(), frame };
    rig.task.command(command).await;
    let mut told = Vec::new();
    while let Ok(taken) = sent.try_recv() {
        told.push(taken);
    }
    assert_eq!(told, [(7, "second"), (5, "first")]);
}

#[tokio::test]
async fn a_server_that_is_taken_out_takes_its_ways_and_late_news_along() {
    let mut rig = rig();
    rig.up(1, 5, "first").await;
    rig.up(2, 6, "second").await;
    rig.told();
    rig.task.set_servers(vec![rig.servers[0].clone()]).await;
    assert_eq!(rig.told(), [Some("first".into())]);
    rig.up(2, 8, "late").await;
    let late = ServerStatus::new(&rig.servers[1], ServerState::Offline, None);
    rig.task.input(Input::Status { server: 2, status: late }).await;
    assert!(rig.told().is_empty() && rig.news.try_recv().is_err());
}
