//! The log of whole calls, as a person would send it with a report: no address, no ID, no credentials, no descriptions
//! and nothing that a person typed. Below `info` the log may hold such things; nobody gets that without asking for it.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::json;
use support::process::{Launch, SOON, Visavis, meet};

const NOTE: &str = "meet me at the boathouse";
const CALLER: &str = "Wilhelmina";
const CALLEE: &str = "Bartholomew";

/// What in a line of the log must not be there, if anything.
fn leak(line: &str, secrets: &[&str]) -> Option<String> {
    let words = line.split(|char: char| !(char.is_ascii_alphanumeric() || "_:.".contains(char)));
    let address = words.map(|word| word.trim_matches('.')).find(|word| is_address(word) || is_digest(word));
    let long = line.split(|char: char| !char.is_ascii_alphanumeric()).find(|word| word.len() >= 32);
    let terms = ["candidate:", "ufrag", "ice-pwd", "ice_pwd", "fingerprint:", "v=0"];
    let term = terms.into_iter().find(|term| line.contains(term));
    let secret = secrets.iter().find(|secret| line.contains(**secret)).copied();
    address.or(long).or(term).or(secret).or(has_description_line(line).then_some("a=")).map(str::to_owned)
}

/// An IPv4 or IPv6 address, with or without a port. The path of a module has letters that no address has, or no digits.
fn is_address(word: &str) -> bool {
    let bare = word.rsplit_once(':').map_or(word, |(address, _)| address);
    let v6 = |text: &str| text.bytes().any(|byte| byte.is_ascii_digit()) && text.parse::<Ipv6Addr>().is_ok();
    [word, bare].iter().any(|text| text.parse::<Ipv4Addr>().is_ok() || v6(text))
}

/// Pairs of hexadecimal digits joined by colons, more than a time of day has.
fn is_digest(word: &str) -> bool {
    let pair = |pair: &str| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
    word.split(':').count() > 6 && word.split(':').all(pair)
}

/// A line of a session description: `a=` where no longer word ends.
fn has_description_line(line: &str) -> bool {
    line.match_indices("a=")
        .any(|(at, _)| !line[..at].ends_with(|char: char| char.is_ascii_alphanumeric() || char == '_'))
}

#[test]
fn the_check_sees_what_must_not_be_logged_and_nothing_else() {
    for bad in [
        "WARN rtc: no route to 192.168.1.7:4000",
        "INFO sent to [fd00::12:7]:9",
        "INFO bound ::1",
        "INFO addr=10.0.0.1.",
        "INFO a=setup:active",
        "INFO \"v=0\\r\\na=mid:0\"",
        "INFO candidate:1 1 udp",
        &format!("INFO {}", ["AB"; 32].join(":")),
        &format!("INFO {}", "abcd2345".repeat(7)),
        "INFO note boathouse",
    ] {
        assert!(leak(bad, &["boathouse"]).is_some(), "{bad}");
    }
    for good in [
        "2026-11-22T12:14:30.123456Z  INFO visavis::rtc::peer: a call ended data=3 version=1.2.3",
        "2026-11-22T12:14:30.123456Z  WARN visavis::decoder::video: 17:00 was_a=1",
    ] {
        assert_eq!(leak(good, &["boathouse"]), None, "{good}");
    }
}

fn invite(caller: &mut Visavis, callee: &mut Visavis) -> String {
    caller.send(json!({"command": "invite", "to": callee.id, "user_data": NOTE, "audio": true, "video": "low"}));
    callee.expect_invite_from(&caller.id.clone())
}

/// Calls that are declined, answered and lost, logged at `level`.
fn logs_at(level: &'static str) {
    let start = |name| Launch::new(name).with_synthetic_devices().log(level).start();
    let (mut alice, mut bob) = (start(CALLER), start(CALLEE));
    meet(&mut alice, &mut bob);
    let declined = invite(&mut alice, &mut bob);
    bob.send(json!({"command": "reject", "invite": declined}));
    alice.expect("invite_rejected");
    for lost in [false, true] {
        let answered = invite(&mut alice, &mut bob);
        bob.accept(&answered, json!("low"));
        alice.expect("first_frame");
        bob.expect("first_frame");
        if lost {
            bob.kill()
        } else {
            bob.say("leave")
        }
        // Whoever is lost is waited for.
        alice.expect_where("conversation_disconnected", SOON * 2, |_| true);
    }
    alice.say("quit");
    assert!(alice.wait(SOON).success());
    let ids = [&alice, &bob].map(|side| side.id[..8].to_owned());
    let secrets = [&ids[0], &ids[1], NOTE, CALLER, CALLEE];
    for side in [&mut alice, &mut bob] {
        for line in side.log_after_end() {
            assert_eq!(leak(&line, &secrets), None, "{} logged: {line}", side.name);
        }
    }
}

#[test]
fn a_log_of_whole_calls_holds_no_address_no_key_and_nothing_typed() {
    let _machine = support::sharing();
    logs_at("info");
    logs_at("warn");
}
