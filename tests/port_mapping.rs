//! A server at home whose router maps ports: it asks for its two by PCP, apps outside reach it by them, and they are
//! gone with it. The router's program is a real one.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::internet::{Families, Internet, Nat};
use support::network::Computer;
use support::poll;
use support::port_mapper::PortMapper;
use support::process::{Launch, SOON, Visavis, call};
use support::server::Server;

/// Pictures that have to come before a route is taken for the call's.
const SOME_PICTURES: u64 = 20;

fn person(name: &str, computer: &Computer, server: &Server) -> Visavis {
    let launch = Launch::new(name).with_synthetic_devices().option("--server", &server.link);
    let mut person = computer.give_all_to(launch).start();
    person.expect_where("server", SOON, |server| server["state"] == "online");
    person
}

#[test]
fn a_server_behind_a_router_asks_for_its_ports_is_reached_by_them_and_gives_them_back() {
    let _machine = support::sharing();
    let Some(internet) = Internet::build() else { return };
    let home = internet.router(Nat::MapsPorts, Families::V4, 10).expect("a home");
    let Some(_mapper) = PortMapper::start_on(&home, 10) else { return };
    let computer = home.computer().expect("a computer");
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start_as(&computer, home.address(), folder.path());
    let both = ["10.0.10.2:3478", "10.0.10.2:443"];
    poll(SOON, || (PortMapper::mapped(&home) == both).then_some(())).expect("both ports are mapped");

    // Two others whose routers leave no way but the relay, over UDP.
    let routers = [20, 30].map(|number| internet.router(Nat::Symmetric, Families::V4, number).expect("a home"));
    let [near, far] = routers.each_ref().map(|router| router.computer().expect("a computer"));
    let [mut alice, mut bob] =
        [("Map-Alice", &near), ("Map-Bob", &far)].map(|(name, computer)| person(name, computer, &server));
    let (alice_link, bob_link) = (alice.link.clone(), bob.link.clone());
    for (side, other) in [(&mut alice, bob_link), (&mut bob, alice_link)] {
        side.send(json!({"command": "add_contact", "link": other}));
    }
    let (alice_id, bob_id) = (alice.id.clone(), bob.id.clone());
    alice.expect_online(&bob_id);
    bob.expect_online(&alice_id);
    call(&mut alice, &mut bob, &json!("low"));
    let frames = |stats: &Value| stats["received"]["frames_decoded"].as_u64();
    for side in [&mut alice, &mut bob] {
        let stats = side.expect_where("stats", SOON, |stats| frames(stats) > Some(SOME_PICTURES));
        let route = (&stats["sent"]["route"], &stats["sent"]["relay_transport"]);
        assert_eq!(route, (&json!("relay"), &json!("udp")), "{stats}");
    }
    bob.say("leave");
    alice.expect("conversation_disconnected");

    let log = server.end();
    assert!(log.is_empty(), "{log}");
    poll(SOON, || PortMapper::mapped(&home).is_empty().then_some(())).expect("both ports are given back");
}
