//! A network that lets its people out by a proxy alone: real processes, an HTTP proxy, and a server elsewhere.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::network::{Computer, two_networks};
use support::process::{Launch, SOON, Visavis};
use support::proxy::Proxy;
use support::server::{Server, data};

const SERVER_PORT: u16 = 8443;
const PROXY_PORT: u16 = 3128;

fn person(name: &str, computer: &Computer, server: &Server, proxy: Option<&str>) -> Visavis {
    let launch = Launch::new(name).with_synthetic_devices().option("--server", &server.link);
    let launch = proxy.into_iter().fold(launch, |launch, proxy| launch.environment("HTTPS_PROXY", proxy));
    computer.give_to(launch).start()
}

fn state(person: &mut Visavis, state: &str) -> Value {
    person.expect_where("server", SOON, |server| server["state"] == state)
}

#[test]
fn a_server_is_reached_through_the_proxy_and_only_so() {
    let _machine = support::sharing();
    let Some(networks) = two_networks() else { return };
    let (_folder, data) = data();
    let server = Server::start_on(&networks.far, &data, SERVER_PORT);
    let proxy = Proxy::start_on(&networks.router, PROXY_PORT);
    networks.near.take_default_route_away();

    let mut without = person("Walter", &networks.near, &server, None);
    assert_eq!(
        state(&mut without, "offline")["detail"],
        "The server does not answer. It may be off, or this network may block it."
    );
    let nothing_there = format!("http://{}:9", networks.router.address);
    for (setting, told) in
        [(nothing_there.as_str(), "The proxy of this network"), ("https://x", "The proxy of this computer")]
    {
        let mut wrong = person("Wanda", &networks.near, &server, Some(setting));
        let status = wrong.expect_where("server", SOON, |server| server["state"] != "connecting");
        assert!(status["detail"].as_str().unwrap().starts_with(told), "{status}");
    }
    assert_eq!(proxy.opened(), 0);

    let mut alice = person("Alice", &networks.near, &server, Some(&proxy.setting));
    state(&mut alice, "online");
    assert_eq!(proxy.opened(), 1);
    let mut bob = person("Bob", &networks.far, &server, None);
    state(&mut bob, "online");
    alice.send(json!({"command": "add_contact", "link": bob.link}));
    bob.send(json!({"command": "add_contact", "link": alice.link}));
    let (alice_id, bob_id) = (alice.id.clone(), bob.id.clone());
    alice.expect_where("contact", SOON, |it| it["id"] == bob_id && it["online"] == true);
    alice.send(json!({"command": "invite", "to": bob_id, "video": "low"}));
    let invite = bob.expect("invite");
    assert_eq!(invite["from"], alice_id);
    bob.send(json!({"command": "reject", "invite": invite["invite"]}));
    alice.expect("invite_rejected");
}
