//! Two computers on one cable (network namespaces): no loopback, no shared anything, and a cable that can be pulled.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use serde_json::json;
use support::network::{Computer, offline_computer, two_computers};
use support::process::{Launch, SOON, Visavis, call, meet};

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
