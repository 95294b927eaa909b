//! Two computers on one cable (network namespaces): no loopback, no shared anything, and a cable that can be pulled.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use support::network::{Computer, offline_computer, two_computers};
use support::process::{Launch, SOON, Visavis, call, meet, visavis};

fn person(name: &str, computer: &Computer) -> Visavis {
    computer.give_to(Launch::new(name).with_synthetic_devices()).start()
}

#[test]
fn a_call_between_two_computers_needs_no_server() {
    let _machine = support::sharing();
    let Some((here, there)) = two_computers() else { return };
    let (mut alice, mut bob) = (person("Alice", &here), person("Bob", &there));
    meet(&mut alice, &mut bob);
    call(&mut alice, &mut bob, &json!("standard"));
    for side in [&mut alice, &mut bob] {
        let stats = side.expect_where("stats", SOON, |stats| stats["received"]["frames_decoded"].as_u64() > Some(30));
        assert_eq!(stats["received"]["route"], "direct");
    }
    bob.say("leave");
    assert_eq!(bob.expect("conversation_disconnected")["reason"], "left");
    assert_eq!(alice.expect("conversation_disconnected")["reason"], "hung_up");
}

#[test]
fn a_cable_that_is_pulled_for_a_moment_does_not_end_the_call() {
    let _machine = support::sharing();
    let Some((here, there)) = two_computers() else { return };
    let (mut alice, mut bob) = (person("Alice", &here), person("Bob", &there));
    meet(&mut alice, &mut bob);
    call(&mut alice, &mut bob, &json!("low"));
    let stats = alice.expect("stats");
    there.set_cable(false);
    // Long enough for the gap to show in a report, short enough not to be given up.
    let gap = Duration::from_millis(2500);
    alice.expect_none("conversation_disconnected", gap);
    there.set_cable(true);
    let before = stats["received"]["frames_decoded"].as_u64();
    let back = alice.expect_where("stats", SOON, |stats| {
        let received = &stats["received"];
        let gap_counted = received["frozen_ms"].as_u64() >= Some(1000);
        gap_counted && received["fps"].as_f64() > Some(20.0) && received["frames_decoded"].as_u64() > before
    });
    assert_eq!(back["received"]["route"], "direct");
    alice.say("leave");
    assert_eq!(bob.expect("conversation_disconnected")["reason"], "hung_up");
}

#[test]
fn a_cable_that_stays_out_ends_the_call_on_both_sides() {
    let _machine = support::sharing();
    let Some((here, there)) = two_computers() else { return };
    let (mut alice, mut bob) = (person("Alice", &here), person("Bob", &there));
    meet(&mut alice, &mut bob);
    call(&mut alice, &mut bob, &json!("low"));
    here.set_cable(false);
    let limit = Duration::from_secs(60);
    for side in [&mut alice, &mut bob] {
        let ended = side.expect_where("conversation_disconnected", limit, |_| true);
        assert_eq!(ended["reason"], "lost");
    }
    // The cable comes back, and so do the people.
    here.set_cable(true);
    meet(&mut alice, &mut bob);
    call(&mut bob, &mut alice, &json!("low"));
}

#[test]
fn two_people_on_one_computer_without_a_network_can_call() {
    let _machine = support::sharing();
    let Some(computer) = offline_computer() else { return };
    let start = |name| computer.give_to(Launch::new(name).with_synthetic_devices()).unbound().start();
    let (mut alice, mut bob) = (start("Alice"), start("Bob"));
    meet(&mut alice, &mut bob);
    call(&mut alice, &mut bob, &json!("low"));
    alice.say("leave");
    assert_eq!(bob.expect("conversation_disconnected")["reason"], "hung_up");
}

/// They see each other, call, and pictures come.
fn can_call(mut alice: Visavis, mut bob: Visavis) {
    meet(&mut alice, &mut bob);
    call(&mut alice, &mut bob, &json!("low"));
    for side in [&mut alice, &mut bob] {
        side.expect_where("stats", SOON, |stats| stats["received"]["frames_decoded"].as_u64() > Some(10));
    }
    alice.say("leave");
    assert_eq!(bob.expect("conversation_disconnected")["reason"], "hung_up");
}

fn unbound(name: &str, computer: &Computer) -> Visavis {
    computer.give_all_to(Launch::new(name).with_synthetic_devices()).start()
}

#[test]
fn networks_of_containers_keep_nobody_from_being_called() {
    let _machine = support::sharing();
    // How many on either side, below or above the network's own numbers (10.77), bridges or bare cables, and whether
    // there is a default route.
    for (here_has, there_has, first, bridges, routed) in [
        (9, 0, "172", true, true),
        (12, 12, "10", false, true),
        (30, 9, "9", true, false),
        (8, 30, "172", false, false),
    ] {
        let Some((here, there)) = two_computers() else { return };
        here.add_containers(here_has, first, bridges);
        there.add_containers(there_has, first, bridges);
        if routed {
            here.set_default_route("10.77.0.254");
            there.set_default_route("10.77.0.254");
        }
        can_call(unbound("Alice", &here), unbound("Bob", &there));
    }
}

#[test]
fn many_addresses_of_one_cable_keep_nobody_from_being_called() {
    let _machine = support::sharing();
    let Some((here, there)) = two_computers() else { return };
    (1..=12).for_each(|number| here.add_address(&format!("10.0.{number}.1/24")));
    (1..=9).for_each(|number| there.add_address(&format!("10.1.{number}.1/24")));
    can_call(unbound("Alice", &here), unbound("Bob", &there));
}

#[test]
fn a_cable_with_link_local_addresses_alone_carries_a_call() {
    let _machine = support::sharing();
    for (containers, bound) in [(0, false), (9, false), (0, true)] {
        let Some((here, there)) = two_computers() else { return };
        here.keep_link_local_alone();
        there.keep_link_local_alone();
        here.add_containers(containers, "172", true);
        let start = |name, computer: &Computer| {
            let launch = computer.give_all_to(Launch::new(name).with_synthetic_devices());
            if bound { launch.bind(computer.interface()).start() } else { launch.start() }
        };
        can_call(start("Alice", &here), start("Bob", &there));
    }
}

#[test]
fn computers_of_two_subnets_on_one_cable_can_call() {
    let _machine = support::sharing();
    let Some((here, there)) = two_computers() else { return };
    there.move_to("192.168.9.2");
    // Only these lead from one to the other.
    here.await_link_local();
    there.await_link_local();
    can_call(unbound("Alice", &here), unbound("Bob", &there));
}

#[test]
fn two_people_on_one_computer_with_a_network_can_call() {
    let _machine = support::sharing();
    let Some((here, _there)) = two_computers() else { return };
    can_call(unbound("Alice", &here), unbound("Bob", &here));
}

/// A program that holds the port of multicast DNS for itself.
const HOLDER: &str = "import socket, sys
for family, any in ((socket.AF_INET, '0.0.0.0'), (socket.AF_INET6, '::')):
    if sys.argv[1] in ('both', any):
        held = socket.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET6: held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        held.bind((any, 5353))
        keep = globals().setdefault('keep', []); keep.append(held)
print('held', flush=True)
sys.stdin.read()";

#[test]
fn a_port_that_another_program_keeps_to_itself_is_told_and_its_release_noticed() {
    let _machine = support::sharing();
    let Some((here, there)) = two_computers() else { return };
    // Held for IPv4 alone it is held for both: the socket of IPv6 takes IPv4, too.
    for (which, entirely) in [("both", true), ("0.0.0.0", true), ("::", false)] {
        let mut holder = here.command("python3");
        let holder = holder.args(["-c", HOLDER, which]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = holder.spawn().expect("python3");
        let mut line = String::new();
        BufReader::new(holder.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        assert_eq!(line, "held\n");
        let mut alice = unbound("Alice", &here);
        let error = alice.expect("error");
        assert_eq!((&error["code"], &error["command"]), (&json!(40201), &json!("")), "{error}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.contains("5353") && message.contains("Some people") != entirely, "{message}");
        let profile = tempfile::tempdir().expect("a directory for the profile");
        let mut doctor = here.command(visavis());
        doctor.arg("doctor").arg("--profile").arg(profile.path());
        doctor.args(["--camera", "none", "--microphone", "none", "--speaker", "none"]);
        let output = doctor.output().expect("doctor");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.lines().any(|line| line.starts_with("problem  people") && line.contains("5353")), "{said}");
        drop(holder.stdin.take());
        holder.wait().expect("it ends");
        let mut bob = unbound("Bob", &there);
        meet(&mut alice, &mut bob);
    }
}
