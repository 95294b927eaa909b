//! People who are not on one network, and a server between them: real processes. They see each other, call, hang up,
//! and talk on while the server is gone.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::network::Computer;
use support::process::{Launch, SOON, Visavis, call};
use support::server::{ServedNetworks, Server, data, visavis_server};

/// Pictures that have to come before a route is taken for the call's.
const SOME_PICTURES: u64 = 30;

fn person(name: &str, computer: &Computer, server: &Server) -> Visavis {
    let launch = Launch::new(name).with_synthetic_devices().option("--server", &server.link);
    let mut person = computer.give_to(launch).start();
    expect_state(&mut person, "online");
    person
}

fn expect_state(person: &mut Visavis, state: &str) -> Value {
    person.expect_where("server", SOON, |server| server["state"] == state)
}

fn befriend(person: &mut Visavis, other: &Visavis) {
    person.send(json!({"command": "add_contact", "link": other.link}));
}

/// Alice and Bob, contacts of each other in two networks, who see each other over a server.
fn friends(world: &ServedNetworks) -> (Visavis, Visavis) {
    let mut alice = person("Alice", &world.networks.near, &world.server);
    let mut bob = person("Bob", &world.networks.far, &world.server);
    befriend(&mut alice, &bob);
    befriend(&mut bob, &alice);
    let (alice_id, bob_id) = (alice.id.clone(), bob.id.clone());
    for (side, other) in [(&mut alice, bob_id), (&mut bob, alice_id)] {
        let contact = side.expect_where("contact", SOON, |it| it["id"] == other && it["online"] == true);
        assert_eq!(contact["route"], "server");
    }
    (alice, bob)
}

/// Alice and Bob in two networks, who are no contacts.
fn strangers(world: &ServedNetworks) -> (Visavis, Visavis) {
    (person("Alice", &world.networks.near, &world.server), person("Bob", &world.networks.far, &world.server))
}

fn hang_up(one: &mut Visavis, other: &mut Visavis) {
    one.say("leave");
    assert_eq!(one.expect("conversation_disconnected")["reason"], "left");
    assert_eq!(other.expect("conversation_disconnected")["reason"], "hung_up");
}

#[test]
fn people_in_two_networks_call_over_a_server() {
    let _machine = support::sharing();
    let Some(world) = ServedNetworks::build() else { return };
    let (mut alice, mut bob) = friends(&world);
    call(&mut alice, &mut bob, &json!("low"));
    for side in [&mut alice, &mut bob] {
        side.expect_where("stats", SOON, |stats| stats["received"]["frames_decoded"].as_u64() > Some(30));
    }
    hang_up(&mut bob, &mut alice);
    let bob_id = bob.id.clone();
    bob.quit();
    alice.expect_where("contact", SOON, |contact| contact["id"] == bob_id && contact["online"] == false);
    let files: Vec<_> = std::fs::read_dir(&world.data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["server.key"], "it stores nothing else");
    let log = world.server.end();
    assert!(log.is_empty(), "{log}");
    expect_state(&mut alice, "offline");
}

/// A call on whose way both sides agree, `null` for a direct one's transport; it is hung up.
fn expect_call_by(route: &str, transport: &Value, caller: &mut Visavis, callee: &mut Visavis) {
    call(caller, callee, &json!("low"));
    let frames = |stats: &Value| stats["received"]["frames_decoded"].as_u64();
    for side in [&mut *caller, &mut *callee] {
        let stats = side.expect_where("stats", SOON, |stats| frames(stats) > Some(SOME_PICTURES));
        for part in ["sent", "received"] {
            assert_eq!((&stats[part]["route"], &stats[part]["relay_transport"]), (&json!(route), transport), "{stats}");
        }
    }
    hang_up(callee, caller);
}

#[test]
fn strangers_and_those_who_wish_it_call_through_the_servers_relay() {
    let _machine = support::sharing();
    let Some(world) = ServedNetworks::build() else { return };
    let (mut alice, mut bob) = strangers(&world);
    // Alice must know whom she rings; to Bob she is a stranger.
    befriend(&mut alice, &bob);
    expect_call_by("relay", &json!("udp"), &mut alice, &mut bob);
    befriend(&mut bob, &alice);
    expect_call_by("direct", &Value::Null, &mut alice, &mut bob);
    bob.send(json!({"command": "update_settings", "settings": {"relay": "always"}}));
    expect_call_by("relay", &json!("udp"), &mut alice, &mut bob);
    bob.send(json!({"command": "update_settings", "settings": {"relay": "never"}}));
    expect_call_by("direct", &Value::Null, &mut alice, &mut bob);
}

#[test]
fn a_call_goes_on_without_the_server_and_signaling_returns_with_it() {
    let _machine = support::sharing();
    let Some(mut world) = ServedNetworks::build() else { return };
    let (mut alice, mut bob) = friends(&world);
    call(&mut alice, &mut bob, &json!("low"));
    world.server.kill();
    for side in [&mut alice, &mut bob] {
        expect_state(side, "offline");
    }
    let shown = |stats: &Value| stats["received"]["frames_decoded"].as_u64();
    let before = shown(&alice.expect("stats"));
    alice.expect_none("conversation_disconnected", Duration::from_secs(6));
    let after = alice.expect_where("stats", SOON, |stats| shown(stats) > before.map(|frames| frames + 60));
    assert!(shown(&after).is_some(), "pictures go on");

    world.restart();
    let (alice_id, bob_id) = (alice.id.clone(), bob.id.clone());
    for (side, other) in [(&mut alice, bob_id), (&mut bob, alice_id)] {
        side.expect_where("contact", SOON, |contact| contact["id"] == other && contact["route"] == "server");
    }
    let took = world.server.since.elapsed();
    // 3 s are promised; the two apps and the tests beside them share this machine.
    assert!(took < Duration::from_secs(5), "signaling was back after {took:?}");
    hang_up(&mut alice, &mut bob);
}

#[test]
fn a_stranger_rings_and_whoever_may_not_sees_the_same_as_of_somebody_absent() {
    let _machine = support::sharing();
    let Some(world) = ServedNetworks::build() else { return };
    let (mut alice, mut bob) = strangers(&world);
    befriend(&mut alice, &bob);
    let invite = alice.invite(&bob.id.clone(), json!(false));
    let rung = bob.expect_where("invite", SOON, |rung| rung["invite"] == json!(invite));
    assert_eq!((&rung["from"], &rung["contact"]), (&json!(alice.id), &json!(false)));
    bob.send(json!({"command": "reject", "invite": invite}));
    alice.expect("invite_rejected");

    bob.send(json!({"command": "update_settings", "settings": {"strangers_may_ring": false}}));
    // Commands are carried out in turn: the setting holds before the stranger is greeted.
    bob.say("contacts");
    bob.expect_where("contact", SOON, |contact| contact["name"] == "Echo");
    let mut stranger = person("Sam", &world.networks.near, &world.server);
    let answer = |stranger: &mut Visavis, to: &str| {
        stranger.invite(to, json!(false));
        let start = Instant::now();
        let mut failed = stranger.expect("invite_failed");
        let fields = failed.as_object_mut().expect("an object");
        ["t_ms", "invite"].into_iter().for_each(|field| drop(fields.remove(field)));
        (failed, start.elapsed())
    };
    let (of_bob, time_of_bob) = answer(&mut stranger, &bob.id.clone());
    let nobody = Launch::new("Nobody").start();
    let nobody_id = nobody.id.clone();
    drop(nobody);
    let (of_nobody, time_of_nobody) = answer(&mut stranger, &nobody_id);
    assert_eq!(of_bob, of_nobody);
    assert_eq!(of_bob["event"], "invite_failed");
    let apart = time_of_bob.abs_diff(time_of_nobody);
    assert!(apart < Duration::from_millis(500), "{apart:?} apart, both after 5 s and what the machine adds");
    assert!(!bob.transcript().iter().any(|event| event["event"] == "invite" && event["name"] == "Sam"));
}

#[test]
fn servers_are_added_listed_offered_and_removed() {
    let _machine = support::sharing();
    let (_folder, data) = data();
    let server = Server::start(&data, "127.0.0.1:0");
    let mut alice = Launch::new("Alice").with_synthetic_devices().start();
    alice.send(json!({"command": "add_server", "link": server.link}));
    let online = expect_state(&mut alice, "online");
    assert_eq!(online["link"], json!(server.link));
    assert!(online["round_trip_ms"].is_u64() && online["clock_offset_ms"].as_i64().is_some_and(|it| it.abs() < 1000));
    alice.say("servers");
    expect_state(&mut alice, "online");
    let profile = alice.profile.clone();
    let kept = tempfile::tempdir().unwrap();
    let kept = kept.path().join("profile");
    assert!(Command::new("cp").arg("-r").args([&profile, &kept]).status().unwrap().success());
    let mut again = Launch::new("Alice").with_synthetic_devices().profile(&kept).start();
    expect_state(&mut again, "online");
    assert!(again.link.contains("at="), "{}", again.link);

    let mut bob = Launch::new("Bob").with_synthetic_devices().start();
    befriend(&mut bob, &again);
    let offered = bob.expect("server_offered");
    assert_eq!((&offered["link"], &offered["id"]), (&json!(server.link), &json!(again.id)));
    bob.say("servers");
    bob.say("contacts");
    bob.expect("contact");
    assert!(!bob.transcript().iter().any(|event| event["event"] == "server"), "asked, never silent");

    alice.send(json!({"command": "remove_server", "link": server.link}));
    alice.send(json!({"command": "remove_server", "link": server.link}));
    let error = alice.expect_any(&["error"], SOON);
    assert_eq!((&error["code"], &error["command"]), (&json!(40001), &json!("remove_server")));
    alice.send(json!({"command": "add_server", "link": "203.0.113.5:443"}));
    assert_eq!(alice.expect_any(&["error"], SOON)["command"], "add_server");
}

#[test]
fn another_key_and_anything_that_is_no_server_are_refused_in_words() {
    let _machine = support::sharing();
    let ((_one, one), (_other, other)) = (data(), data());
    let (right, wrong) = (Server::start(&one, "127.0.0.1:0"), Server::start(&other, "127.0.0.1:0"));
    let (address, _) = right.link.split_once('*').unwrap();
    let (_, hash) = wrong.link.split_once('*').unwrap();
    // A web server, say, or a page to sign in at.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let plain = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ =
                std::io::Write::write_all(&mut stream, b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n");
        }
    });
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (link, state, words) in [
        (format!("{address}*{hash}"), "refused", "another key"),
        (format!("{plain}*{hash}"), "offline", "Something other than a Visavis server"),
        (format!("{closed}*{hash}"), "offline", "does not answer"),
    ] {
        let mut alice = Launch::new("Alice").with_synthetic_devices().option("--server", &link).start();
        let status = expect_state(&mut alice, state);
        assert!(status["detail"].as_str().unwrap().contains(words), "{status}");
        alice.quit();
    }
}

#[test]
fn the_servers_own_commands_do_what_they_say() {
    let (folder, data) = data();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(visavis_server());
        let output = command.args(arguments).arg("--data").arg(&data).output().unwrap();
        let said = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), said(output.stdout), said(output.stderr))
    };
    let (status, link, _) = run(&["link", "--public", "calls.example.org"]);
    assert_eq!((status, link.split('*').next()), (Some(0), Some("calls.example.org:443")));
    let copy = folder.path().join("copy");
    let export = ["key", "export", copy.to_str().unwrap()];
    assert_eq!(run(&export).0, Some(0));
    let (status, _, words) = run(&export);
    assert_eq!(status, Some(1));
    assert!(words.contains("exists already"), "{words}");
    assert_eq!(run(&["--listen", "nowhere"]).0, Some(2));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (status, _, words) = run(&["--listen", &taken.local_addr().unwrap().to_string()]);
    assert_eq!(status, Some(1));
    assert!(words.contains("is taken by another program"), "{words}");
}

#[test]
fn a_server_is_measured_with_people_who_speak_the_apps_protocol() {
    let _machine = support::sharing();
    let options = "bench server --people 12 --absent 3 --seconds 1 --rings 20 --answers 5 --json";
    let output = Command::new(env!("CARGO_BIN_EXE_visavis")).args(options.split(' ')).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&figures["people"], &figures["watches"], &figures["rings_lost"]), (&json!(12), &json!(4), &json!(0)));
    let figure = |name: &str| figures[name].as_f64().unwrap_or_else(|| panic!("{name}: {figures}"));
    for positive in ["rss_mib", "ring_ms_p99", "answer_us_absent", "return_ms_max"] {
        assert!(figure(positive) > 0.0, "{positive}: {figures}");
    }
    assert!(figure("return_ms_p50") <= figure("return_ms_p99") && figure("return_ms_p99") <= figure("return_ms_max"));
}

/// Bob's two devices, which know Alice: at a computer each, with one identity. `None` where this machine cannot.
fn two_devices(world: &ServedNetworks, alice: &mut Visavis, [first, second]: [&Computer; 2]) -> [Visavis; 2] {
    let profiles = ["desk", "lap"].map(|name| world.data.with_file_name(name));
    let bob_at = |computer: &Computer, profile: &std::path::Path| {
        let launch = Launch::new("Bob").with_synthetic_devices().option("--server", &world.server.link);
        let mut bob = computer.give_to(launch.profile(profile)).start();
        expect_state(&mut bob, "online");
        bob
    };
    let mut desk = bob_at(first, &profiles[0]);
    befriend(&mut desk, alice);
    desk.expect_where("contact", SOON, |contact| contact["id"] == alice.id && contact["contact"] == true);
    desk.quit();
    assert!(Command::new("cp").arg("-r").args(&profiles).status().unwrap().success());
    let mut devices = [bob_at(first, &profiles[0]), bob_at(second, &profiles[1])];
    assert_eq!(devices[0].id, devices[1].id);
    befriend(alice, &devices[0]);
    for bob in &mut devices {
        bob.expect_where("contact", SOON, |it| it["id"] == alice.id && it["online"] == true);
        // Alice reaches it as well, once it has rung.
        let invite = bob.invite(&alice.id.clone(), json!(false));
        alice.expect_where("invite", SOON, |rung| rung["invite"] == json!(invite));
        bob.send(json!({"command": "cancel", "invite": invite}));
        alice.expect_where("invite_canceled", SOON, |event| event["invite"] == json!(invite));
        bob.expect("invite_canceled");
    }
    devices
}

/// Alice rings, and all of Bob's devices do.
fn ring_all(alice: &mut Visavis, devices: [&mut Visavis; 2]) -> String {
    let invite = alice.invite(&devices[0].id.clone(), json!(false));
    for bob in devices {
        bob.expect_where("invite", SOON, |rung| rung["invite"] == json!(invite));
    }
    invite
}

/// One of Bob's devices answers Alice, and the other one stops; then Alice hangs up.
fn answer_at(alice: &mut Visavis, one: &mut Visavis, other: &mut Visavis) {
    let invite = ring_all(alice, [one, other]);
    one.send(json!({"command": "accept", "invite": invite, "video": false}));
    assert_eq!(other.expect("invite_answered_elsewhere")["invite"], json!(invite));
    for side in [&mut *alice, &mut *one] {
        side.expect("conversation_connected");
    }
    hang_up(alice, one);
}

#[test]
fn every_device_of_an_identity_rings_and_the_first_answer_stops_the_others() {
    let _machine = support::sharing();
    let Some(world) = ServedNetworks::build() else { return };
    let mut alice = person("Alice", &world.networks.near, &world.server);
    let [mut desk, mut lap] = two_devices(&world, &mut alice, [&world.networks.far; 2]);
    answer_at(&mut alice, &mut lap, &mut desk);

    // Declined at one, and taken back: both stop.
    let invite = ring_all(&mut alice, [&mut desk, &mut lap]);
    desk.send(json!({"command": "reject", "invite": invite}));
    alice.expect("invite_rejected");
    assert_eq!(lap.expect("invite_answered_elsewhere")["invite"], json!(invite));
    let invite = ring_all(&mut alice, [&mut desk, &mut lap]);
    alice.send(json!({"command": "cancel", "invite": invite}));
    for bob in [&mut desk, &mut lap] {
        bob.expect_where("invite_canceled", SOON, |event| event["invite"] == json!(invite));
    }
}

#[test]
fn a_person_with_a_device_on_this_network_and_one_at_a_server_answers_at_either() {
    let _machine = support::sharing();
    let Some(world) = ServedNetworks::build() else { return };
    let mut alice = person("Ada-Two-Routes", &world.networks.near, &world.server);
    let [mut desk, mut lap] = two_devices(&world, &mut alice, [&world.networks.far, &world.networks.near]);
    let bob_id = lap.id.clone();
    alice.say("contacts");
    alice.expect_where("contact", SOON, |contact| contact["id"] == bob_id && contact["route"] == "lan");
    // It is the better route, and leads to the laptop alone.
    answer_at(&mut alice, &mut desk, &mut lap);
    answer_at(&mut alice, &mut lap, &mut desk);
    answer_at(&mut alice, &mut desk, &mut lap);
    let invite = ring_all(&mut alice, [&mut desk, &mut lap]);
    desk.send(json!({"command": "reject", "invite": invite}));
    alice.expect("invite_rejected");
    assert_eq!(lap.expect("invite_answered_elsewhere")["invite"], json!(invite));
    desk.expect("invite_rejected");

    // A call of the desk's goes on there while the laptop rings, which is told that Alice is busy.
    let invite = desk.invite(&alice.id.clone(), json!(false));
    alice.expect_where("invite", SOON, |rung| rung["invite"] == json!(invite));
    alice.send(json!({"command": "accept", "invite": invite, "video": false}));
    for side in [&mut alice, &mut desk] {
        side.expect("conversation_connected");
    }
    let second = lap.invite(&alice.id.clone(), json!(false));
    assert_eq!(lap.expect("invite_busy")["invite"], json!(second));
    hang_up(&mut alice, &mut desk);
    for bob in [&desk, &lap] {
        assert!(!bob.transcript().iter().any(|event| event["event"] == "missed_call"));
    }
}
