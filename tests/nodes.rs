//! Two nodes of one server, joined by NATS, on two computers of an Internet in software: real processes. People at
//! different nodes see each other and call, by one node's relay where there is no direct way; a node or NATS ends.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "figures are for people")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::internet::{Families, Internet, Nat, Router, SERVER_NAME};
use support::nats::Nats;
use support::network::Computer;
use support::poll;
use support::process::{Launch, SOON, Visavis, call};
use support::server::{Server, visavis_server};

/// Starts of an app until it has come to the wanted node: each picks one of two by chance.
const TRIES: usize = 24;
/// Pictures that have to come before a route is taken for the call's.
const SOME_PICTURES: u64 = 20;
/// After it people of a node that has gone are offline to others, and some time for a busy machine.
const SILENT: Duration = Duration::from_secs(12);

/// A server of two nodes. The apps' router has a network with one computer each.
struct World {
    nodes: [Option<Server>; 2],
    nats: Option<Nats>,
    data: [PathBuf; 2],
    routers: Vec<Router>,
    /// The second node's computer; the first one's is the Internet's server.
    other: Computer,
    internet: Internet,
    _folder: tempfile::TempDir,
}

impl World {
    /// `None`, with the reason printed, where this machine cannot. Nothing is started yet but NATS.
    fn build(nats: Nat) -> Option<Self> {
        let internet = Internet::build()?;
        let other = internet.computer().expect("a computer of the second node");
        let bus = Nats::start_on(&internet.server)?;
        let routers: Vec<_> =
            [10, 20].map(|number| internet.router(nats, Families::V4, number).expect("a router")).into();
        let folder = tempfile::tempdir().expect("a folder");
        let data = ["one", "two"].map(|name| folder.path().join(name));
        std::fs::create_dir(&data[1]).expect("a folder");
        let copy = data[1].join("server.key");
        let mut export = Command::new(visavis_server());
        let exported = export.args(["key", "export"]).arg(copy).arg("--data").arg(&data[0]).status();
        assert!(exported.expect("visavis-server starts").success());
        Some(Self { nodes: [None, None], nats: Some(bus), data, routers, other, internet, _folder: folder })
    }

    fn node(&self, at: usize) -> &Computer {
        if at == 0 { &self.internet.server } else { &self.other }
    }

    fn start_node(&mut self, at: usize) {
        let url = Nats::url(&self.internet.server);
        let node = Server::start_node(self.node(at), SERVER_NAME, &self.data[at], &url);
        self.nodes[at] = Some(node);
    }

    fn kill_node(&mut self, at: usize) {
        self.nodes[at].take().expect("a running node").kill();
    }

    fn figure(&self, at: usize, name: &str) -> u64 {
        Server::metric(self.node(at), name)
    }

    /// A computer behind a router that knows both nodes by the server's name.
    fn computer(&self, router: usize) -> Computer {
        let computer = self.routers[router].computer().expect("a computer");
        computer.knows(&self.other.address, SERVER_NAME);
        computer
    }

    /// An app that has come to a node.
    fn person(&self, name: &str, computer: &Computer, node: usize) -> Visavis {
        let link = self.nodes.iter().flatten().next().expect("a node").link.clone();
        let folder = self.data[0].with_file_name(name);
        for _ in 0..TRIES {
            let before = self.figure(node, "visavis_connections");
            let launch = Launch::new(name).with_synthetic_devices().option("--server", &link).profile(&folder);
            let mut person = computer.give_all_to(launch).start();
            person.expect_where("server", SOON, |server| server["state"] == "online");
            if self.figure(node, "visavis_connections") > before {
                return person;
            }
            person.quit();
        }
        panic!("{name} never came to node {node}");
    }
}

fn befriend(one: &mut Visavis, other: &mut Visavis) {
    one.send(json!({"command": "add_contact", "link": other.link}));
    other.send(json!({"command": "add_contact", "link": one.link}));
    expect_both_online(one, other);
}

fn expect_both_online(one: &mut Visavis, other: &mut Visavis) {
    let (one_id, other_id) = (one.id.clone(), other.id.clone());
    for (side, id) in [(one, other_id), (other, one_id)] {
        side.expect_online(&id);
    }
}

fn frames(stats: &Value) -> u64 {
    stats["received"]["frames_decoded"].as_u64().unwrap_or_default()
}

fn hang_up(one: &mut Visavis, other: &mut Visavis) {
    one.say("leave");
    one.expect("conversation_disconnected");
    other.expect("conversation_disconnected");
}

fn ring(caller: &mut Visavis, callee: &mut Visavis) -> Duration {
    let start = Instant::now();
    let invite = caller.invite(&callee.id.clone(), json!(false));
    callee.expect_where("invite", SOON, |rung| rung["invite"] == json!(invite));
    let took = start.elapsed();
    caller.send(json!({"command": "cancel", "invite": invite}));
    for side in [caller, callee] {
        side.expect_where("invite_canceled", SOON, |event| event["invite"] == json!(invite));
    }
    took
}

/// A call whose media goes through a relay by this transport, both ways; it is hung up.
fn call_by_relay(transport: &str, caller: &mut Visavis, callee: &mut Visavis) {
    call(caller, callee, &json!("low"));
    for side in [&mut *caller, &mut *callee] {
        let stats = side.expect_where("stats", SOON, |stats| frames(stats) > SOME_PICTURES);
        for part in ["sent", "received"] {
            let route = (&stats[part]["route"], &stats[part]["relay_transport"]);
            assert_eq!(route, (&json!("relay"), &json!(transport)), "{stats}");
        }
    }
    hang_up(callee, caller);
}

fn is_joined(world: &World) {
    let joined = poll(SOON, || (0..2).all(|at| world.figure(at, "visavis_nodes") == 1).then_some(()));
    joined.expect("the two nodes are joined");
}

#[test]
fn people_at_two_nodes_call_by_one_relay_and_a_killed_nodes_people_come_back_by_the_other() {
    let _machine = support::sharing();
    let Some(mut world) = World::build(Nat::Symmetric) else { return };
    (0..2).for_each(|at| world.start_node(at));
    is_joined(&world);
    let computers = [0, 1].map(|router| world.computer(router));
    let mut alice = world.person("Node-Alice", &computers[0], 0);
    let mut bob = world.person("Node-Bob", &computers[1], 1);
    befriend(&mut alice, &mut bob);
    assert!(ring(&mut alice, &mut bob) < SOON && ring(&mut bob, &mut alice) < SOON);

    call_by_relay("udp", &mut alice, &mut bob);

    world.kill_node(0);
    let killed = Instant::now();
    alice.expect_where("server", SOON, |server| server["state"] == "online");
    assert_eq!(world.figure(1, "visavis_connections"), 2);
    ring(&mut alice, &mut bob);
    eprintln!("Alice was seen by the other node {:.1} s after hers was killed", killed.elapsed().as_secs_f64());
    // Half of all pairs have their first relay at the node that is gone.
    call_by_relay("udp", &mut alice, &mut bob);

    world.start_node(0);
    is_joined(&world);
    let mut carol = world.person("Node-Carol", &world.computer(0), 0);
    befriend(&mut carol, &mut bob);
    ring(&mut bob, &mut carol);
}

#[test]
fn people_at_two_nodes_whose_networks_pass_port_443_alone_call_by_one_relay() {
    let _machine = support::sharing();
    let Some(mut world) = World::build(Nat::Port443) else { return };
    (0..2).for_each(|at| world.start_node(at));
    is_joined(&world);
    let computers = [0, 1].map(|router| world.computer(router));
    let mut alice = world.person("Port-Alice", &computers[0], 0);
    let mut bob = world.person("Port-Bob", &computers[1], 1);
    befriend(&mut alice, &mut bob);
    call_by_relay("tls", &mut alice, &mut bob);
}

#[test]
fn without_nats_each_node_serves_its_own_people_and_with_it_again_all() {
    let _machine = support::sharing();
    let Some(mut world) = World::build(Nat::Home) else { return };
    (0..2).for_each(|at| world.start_node(at));
    is_joined(&world);
    let computers = [0, 1].map(|router| world.computer(router));
    let mut alice = world.person("Nats-Alice", &computers[0], 0);
    let mut bob = world.person("Nats-Bob", &computers[1], 1);
    let mut carol = world.person("Nats-Carol", &computers[1], 0);
    befriend(&mut alice, &mut bob);
    befriend(&mut alice, &mut carol);
    call(&mut alice, &mut bob, &json!("low"));

    world.nats.take().expect("NATS runs").kill();
    let bob_id = bob.id.clone();
    let is_offline = |contact: &Value| contact["id"] == bob_id && contact["online"] == false;
    alice.expect_where("contact", SILENT, is_offline);
    assert_eq!(world.figure(0, "visavis_nodes"), 0);
    // The call goes on, and people of one node are still rung.
    let before = frames(&alice.expect("stats"));
    alice.expect_where("stats", SOON, |stats| frames(stats) > before + 60);
    let carol_id = carol.id.clone();
    carol.invite(&alice.id.clone(), json!(false));
    alice.expect_invite_from(&carol_id);

    world.nats = Nats::start_on(&world.internet.server);
    is_joined(&world);
    alice.expect_online(&bob_id);
    let ended = |side: &Visavis| side.transcript().iter().any(|it| it["event"] == "conversation_disconnected");
    assert!(!ended(&alice) && !ended(&bob));
    hang_up(&mut alice, &mut bob);
}

#[test]
fn a_node_starts_without_nats_and_says_what_is_wrong_with_its_options() {
    let folder = tempfile::tempdir().unwrap();
    let run = |options: &[&str]| {
        let mut command = Command::new(visavis_server());
        command.args(options).args(["--listen", "127.0.0.1:0", "--relay-port", "0", "--data"]).arg(folder.path());
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let absent: &Path = &folder.path().join("absent");
    let absent = absent.to_str().unwrap();
    for (options, words) in [
        (&["--nats", "http://["][..], "is not one of NATS"),
        (&["--nats", "nats://127.0.0.1:1", "--nats-credentials", absent], "could not be read"),
        (&["--nats", "tls://127.0.0.1:1", "--nats-ca", absent], "could not be read"),
    ] {
        let (status, said) = run(options);
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains(words) && !said.contains("panicked"), "{said}");
    }
    let server = Server::start_with(folder.path(), "127.0.0.1:0", &["--nats", "nats://127.0.0.1:1"]);
    // Its end takes longer than the first tries.
    let log = server.end();
    assert!(log.contains("NATS is not reached") && log.lines().count() == 1, "said once: {log}");
    assert!(!log.contains("127.0.0.1"), "{log}");
}
