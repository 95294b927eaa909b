//! A call outlives what happens to networks and computers: blackouts, another address, sleep. Both sides say that they
//! reconnect, and the same conversation goes on, with what was muted still muted.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use serde_json::json;
use support::network::{Computer, two_computers};
use support::process::{Launch, SOON, Visavis, call, meet};

/// For which a call is kept.
const KEPT: Duration = Duration::from_secs(30);

fn person(name: &str) -> Launch {
    Launch::new(name).with_synthetic_devices()
}

/// Alice mutes herself in a call with Bob; the conversation's ID.
fn muted_call(alice: &mut Visavis, bob: &mut Visavis) -> String {
    meet(alice, bob);
    let conversation = call(alice, bob, &json!("low"));
    alice.send(json!({"command": "enable_audio", "on": false}));
    assert_eq!(bob.expect("stream_changed")["audio"], false);
    conversation
}

fn assert_interrupted(sides: [&mut Visavis; 2], conversation: &str) {
    for side in sides {
        assert_eq!(side.expect("reconnecting")["conversation"], conversation);
    }
}

/// Both sides are connected again in the same conversation.
fn assert_reconnected(sides: [&mut Visavis; 2], conversation: &str) {
    for side in sides {
        assert_eq!(side.expect_where("reconnected", KEPT, |_| true)["conversation"], conversation);
    }
}

/// Pictures move on both sides in the same conversation, with Alice's sound still muted, and it ends by a press.
fn assert_goes_on(alice: &mut Visavis, bob: &mut Visavis, conversation: &str) {
    for side in [&mut *alice, &mut *bob] {
        let moves = |stats: &serde_json::Value| stats["received"]["fps"].as_f64() > Some(15.0);
        assert_eq!(side.expect_where("stats", KEPT, moves)["conversation"], conversation);
    }
    let unmuted = bob.transcript().iter().any(|event| event["event"] == "stream_changed" && event["audio"] == true);
    assert!(!unmuted, "mute survives");
    alice.say("leave");
    assert_eq!(bob.expect("conversation_disconnected")["reason"], "hung_up");
    assert_eq!(alice.expect("conversation_disconnected")["conversation"], conversation);
}

#[test]
fn a_blackout_of_five_seconds_is_survived_by_an_ice_restart() {
    let _machine = support::sharing();
    let start = |name| person(name).option("--link", "delay=10,blackout=6:5").start();
    let (mut alice, mut bob) = (start("Alice"), start("Bob"));
    let conversation = muted_call(&mut alice, &mut bob);
    assert_interrupted([&mut alice, &mut bob], &conversation);
    assert_reconnected([&mut alice, &mut bob], &conversation);
    assert_goes_on(&mut alice, &mut bob, &conversation);
    alice.say("quit");
    alice.wait(SOON);
    let restarted = alice.log_after_end().iter().any(|line| line.contains("ICE restarts"));
    assert!(restarted, "messages got through: the far side was asked");
}

#[test]
fn a_computer_that_gets_another_address_stays_in_the_call() {
    let _machine = support::sharing();
    let Some((here, there)) = two_computers() else { return };
    // Those addresses stay, and a call on them would, too.
    [&here, &there].into_iter().for_each(Computer::take_link_local_away);
    let start = |name, computer: &Computer| computer.give_to(person(name)).unbound().start();
    // Each of the two is once the side that offers, and once the one that answers.
    for moved_is_caller in [true, false] {
        let (mut alice, mut bob) = (start("Alice", &here), start("Bob", &there));
        let conversation = muted_call(&mut alice, &mut bob);
        let moved = if moved_is_caller { &here } else { &there };
        moved.move_to(if moved_is_caller { "10.77.0.21" } else { "10.77.0.22" });
        assert_interrupted([&mut alice, &mut bob], &conversation);
        assert_reconnected([&mut alice, &mut bob], &conversation);
        assert_goes_on(&mut alice, &mut bob, &conversation);
        let mut moved = if moved_is_caller { alice } else { bob };
        moved.say("quit");
        moved.wait(SOON);
        let told = moved.log_after_end().iter().any(|line| line.contains("the address that media leave from is gone"));
        assert!(told, "nobody waits for silence");
    }
}

#[test]
fn computers_that_slept_for_ten_seconds_go_on_with_the_call() {
    let _machine = support::sharing();
    let (mut alice, mut bob) = (person("Alice").start(), person("Bob").start());
    let conversation = muted_call(&mut alice, &mut bob);
    let processes = [alice.pid(), bob.pid()];
    let signal_all = |signal| {
        for process in processes {
            // SAFETY: the processes are children of this one that have not been waited for.
            assert_eq!(unsafe { libc::kill(process as i32, signal) }, 0);
        }
    };
    signal_all(libc::SIGSTOP);
    std::thread::sleep(Duration::from_secs(10));
    signal_all(libc::SIGCONT);
    // Packets that waited in the sockets may prove the path before either side misses it: no interruption is owed.
    assert_goes_on(&mut alice, &mut bob, &conversation);
}
