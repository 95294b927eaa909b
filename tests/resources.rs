//! Call after call in one program: threads, open files and memory come back to what they were.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::time::Duration;

use serde_json::json;
use support::process::{Launch, SOON, Visavis, call, meet, text};

/// What a running program holds.
#[derive(Clone, Copy, Debug)]
struct Held {
    threads: u64,
    files: u64,
    memory_kib: u64,
}

fn held_by(pid: u32) -> Held {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of the status");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    };
    let files = fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").count() as u64;
    Held { threads: number("Threads:"), files, memory_kib: number("VmRSS:") }
}

/// What is held once that no longer changes: discovery and the listing of devices have begun by then.
fn held_at_rest(person: &Visavis) -> Held {
    let mut last = held_by(person.pid());
    for _ in 0..30 {
        std::thread::sleep(Duration::from_secs(1));
        let now = held_by(person.pid());
        if (now.threads, now.files) == (last.threads, last.files) {
            break;
        }
        last = now;
    }
    last
}

/// Waits until no more threads and files are held than before; helpers of the runtime end some seconds after their
/// work.
fn expect_returned(person: &Visavis, before: Held) {
    let mut now = held_by(person.pid());
    let returned = support::poll(Duration::from_secs(40), || {
        now = held_by(person.pid());
        (now.threads <= before.threads && now.files <= before.files).then_some(())
    });
    assert!(returned.is_some(), "{}: before {before:?}, now {now:?}", person.name);
}

#[test]
fn call_after_call_with_echo_leaves_nothing_behind() {
    assert_calls_with_echo_leave_nothing_behind(25, 16 * 1024);
}

/// `cargo test --test resources -- --ignored`: the thousandth call runs like the first.
#[test]
#[ignore = "takes about half an hour"]
fn a_thousand_calls_with_echo_leave_nothing_behind() {
    assert_calls_with_echo_leave_nothing_behind(1000, 24 * 1024);
}

fn assert_calls_with_echo_leave_nothing_behind(calls: u32, may_grow_kib: u64) {
    let _machine = support::measuring();
    let mut alice = Launch::new("Alice").with_synthetic_devices().start();
    alice.say("contacts");
    let echo = text(&alice.expect_where("contact", SOON, |contact| contact["route"] == "local"), "id");
    let call_echo = |alice: &mut Visavis| {
        alice.invite(&echo, json!("standard"));
        alice.expect("first_frame");
        alice.say("leave");
        alice.expect("conversation_disconnected");
    };
    // The first calls load what stays: codecs' tables, pools, the runtime's threads.
    for _ in 0..5 {
        call_echo(&mut alice);
    }
    let before = held_by(alice.pid());
    for _ in 0..calls {
        call_echo(&mut alice);
    }
    expect_returned(&alice, before);
    let grown = held_by(alice.pid()).memory_kib.saturating_sub(before.memory_kib);
    assert!(grown < may_grow_kib, "{calls} calls left {grown} KiB behind");
}

#[test]
fn call_after_call_between_two_people_leaves_nothing_behind() {
    let _machine = support::measuring();
    let mut alice = Launch::new("Alice").with_synthetic_devices().start();
    let mut bob = Launch::new("Bob").with_synthetic_devices().start();
    meet(&mut alice, &mut bob);
    let talk = |alice: &mut Visavis, bob: &mut Visavis| {
        call(alice, bob, &json!("low"));
        // Also, one person may ring another once a second, not more often.
        alice.expect("stats");
        bob.say("leave");
        bob.expect("conversation_disconnected");
        alice.expect("conversation_disconnected");
    };
    for _ in 0..3 {
        talk(&mut alice, &mut bob);
    }
    let before = [held_by(alice.pid()), held_by(bob.pid())];
    for _ in 0..10 {
        talk(&mut alice, &mut bob);
    }
    expect_returned(&alice, before[0]);
    expect_returned(&bob, before[1]);
}

#[test]
fn opening_and_closing_the_devices_leaves_nothing_behind() {
    let _machine = support::measuring();
    let mut alice = Launch::new("Alice").with_synthetic_devices().start();
    let open_and_close = |alice: &mut Visavis| {
        alice.send(json!({"command": "create_stream", "video": "standard"}));
        alice.expect_where("local_stream", SOON, |stream| stream["video"] == true);
        alice.say("close_stream");
        alice.expect("local_stream_ended");
    };
    // The first time loads what stays, and discovery is under way by then.
    open_and_close(&mut alice);
    let idle = held_at_rest(&alice);
    for _ in 0..5 {
        open_and_close(&mut alice);
    }
    expect_returned(&alice, idle);
}
