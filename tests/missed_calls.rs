//! Calls to a contact who is not there: their program is told once it is back, by the caller's program alone.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use support::process::{Launch, SOON, Visavis};

fn person(name: &str, profile: &Path) -> Visavis {
    Launch::new(name).with_synthetic_devices().profile(profile).start()
}

fn expect_online(person: &mut Visavis, id: &str) {
    person.expect_where("contact", SOON, |contact| contact["id"] == *id && contact["online"] == true);
}

#[test]
fn a_call_to_somebody_absent_is_told_once_when_they_are_back() {
    let _machine = support::sharing();
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("bob");
    let mut alice = Launch::new("Adelheid").with_synthetic_devices().start();
    let mut bob = person("Balthasar", &profile);
    let (alice_id, bob_id) = (alice.id.clone(), bob.id.clone());
    alice.send(json!({"command": "add_contact", "link": bob.link}));
    bob.send(json!({"command": "add_contact", "link": alice.link}));
    expect_online(&mut bob, &alice_id);
    expect_online(&mut alice, &bob_id);
    bob.quit();
    alice.expect_where("contact", SOON, |contact| contact["id"] == bob_id && contact["online"] == false);

    for _ in 0..2 {
        alice.invite(&bob_id, json!(false));
        alice.expect("invite_failed");
    }
    let called = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let mut bob = person("Balthasar", &profile);
    let missed = bob.expect_any(&["missed_call"], SOON);
    assert_eq!((&missed["from"], &missed["name"]), (&json!(alice_id), &json!("Adelheid")));
    let at = missed["at_unix_s"].as_i64().unwrap();
    assert!((called - 30..=called + 1).contains(&at), "{at} and {called}");
    bob.quit();

    let mut bob = person("Balthasar", &profile);
    expect_online(&mut bob, &alice_id);
    bob.expect_none("missed_call", Duration::from_secs(2));
}
